"""Warps on paper: matched outlines, what a correlation volume holds, errors of several ways side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle
from torch import Tensor

from mavton_lite.plots.atelier import picture
from mavton_lite.plots.style import COLOURS, INK
from mavton_lite.records import Interval, bootstrap
from mavton_lite.warp.shape_context import Matching

GREY = "#5b6170"
PLACES = (COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[3], COLOURS[4])


def outlines(source: Tensor, target: Tensor, rounds: Mapping[str, Matching], every: int = 4) -> Figure:
    """Partners on two outlines, and where the spline has put the target's outline after some rounds.

    Shape: pictures (3, H, W) in [-1, 1]; the matchings were made on masks of that size.
    """
    height, width = source.shape[1:]
    figure = Figure(figsize=(2.3 * (2 + len(rounds)), 2.3 * height / width + 0.4), layout="constrained")
    axes = figure.subplots(1, 2 + len(rounds))
    last = list(rounds.values())[-1]
    for ax, content, title, points in (
        (axes[0], source, "flat, and its outline", last.source.points),
        (axes[1], target, "worn, and its outline", last.target.points),
    ):
        picture(ax, content, title)
        ax.plot(*points.T, ".", ms=2.5, color=INK)
    colours = np.array(PLACES)
    for k, (a, b) in enumerate(last.pairs[np.argsort(last.pairs[:, 1])][::every]):
        ends = {"xyA": last.source.points[a], "xyB": last.target.points[b]}
        line = ConnectionPatch(**ends, coordsA="data", coordsB="data", axesA=axes[0], axesB=axes[1],
                               color=colours[k % len(colours)], lw=0.8, alpha=0.85)  # fmt: skip
        figure.add_artist(line)
    for ax, (title, found) in zip(axes[2:], rounds.items(), strict=True):
        picture(ax, 0.3 * source + 0.7, title)
        ax.plot(*found.source.points.T, ".", ms=2.5, color=INK)
        ax.plot(*found.moved.T, ".", ms=3.5, color=COLOURS[1])
        paired = found.moved[found.pairs[:, 1]], found.source.points[found.pairs[:, 0]]
        for (x0, y0), (x1, y1) in zip(*paired, strict=True):
            ax.plot((x0, x1), (y0, y1), color=COLOURS[0], lw=0.6)
    for ax in axes:
        ax.set_xlim(-0.5, width - 0.5)
        ax.set_ylim(height - 0.5, -0.5)
    return figure


def matches(body: Tensor, cloth: Tensor, places: Tensor, truth: Tensor, asked: Sequence[tuple[int, int]],
            read: Tensor) -> Figure:  # fmt: skip
    """Which places of the cloth some places of the body match: the volume's own maps, bright where they match most.

    A ring is the true place, a cross where the module's warp reads in the end.
    Shape: pictures (3, H, W) in [-1, 1]; `places` (h, w, h, w) as `by_place` gives it; `truth` and `read` (2, h, w) px;
    `asked` are (row, column) of the body, at most five.
    """
    height, width = body.shape[1:]
    rows, columns = places.shape[:2]
    cell_h, cell_w = height / rows, width / columns
    figure = Figure(figsize=(1.75 * (2 + len(asked)), 1.75 * height / width + 0.55), layout="constrained")
    axes = figure.subplots(1, 2 + len(asked))
    picture(axes[0], body, "who asks")
    picture(axes[1], cloth, "who answers")
    for k, ((row, column), ax) in enumerate(zip(asked, axes[2:], strict=True)):
        corner = column * cell_w - 0.5, row * cell_h - 0.5
        axes[0].add_patch(Rectangle(corner, cell_w, cell_h, fill=False, ec=PLACES[k], lw=2))
        ax.imshow(places[row, column].numpy(), cmap="gray", extent=(-0.5, width - 0.5, height - 0.5, -0.5))
        for target, (at, mark) in enumerate(((truth, "o"), (read, "x"))):
            x, y = at[:, row, column].tolist()
            for shown in (axes[1], ax):
                style = {"mfc": "none"} if target == 0 else {}
                shown.plot(x, y, mark, ms=9, mew=2, color=PLACES[k], **style)
        ax.set_xticks([])
        ax.set_yticks([])
        for side in ax.spines.values():
            side.set(visible=True, color=PLACES[k], linewidth=2)
        ax.set_title(f"row {row}, column {column}", fontsize=9, loc="center")
    for ax in axes:
        ax.set_xlim(-0.5, width - 0.5)
        ax.set_ylim(height - 0.5, -0.5)
    return figure


def warp_errors(found: Mapping[str, np.ndarray], tags: Sequence[Sequence[str]], bounds: Sequence[str],
                case: str = "arm in front", rivals: tuple[str, str] = ("GMM", "shape context")) -> Figure:  # fmt: skip
    """End-point errors: means with 95 % intervals by case, and two rivals against each other, example by example.

    `bounds` are those of the ways that were fitted to the truth.   Shape: (N,) px each.
    """
    cased = np.array([case in row for row in tags])
    groups = (("all", cased | True, INK), (case, cased, COLOURS[1]), ("other", ~cased, COLOURS[0]))
    figure = Figure(figsize=(10.4, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.75, 1])
    for place, (_, values) in enumerate(found.items()):
        for shift, (group, mask, colour) in zip((-0.22, 0, 0.22), groups, strict=True):
            if np.isfinite(values[mask]).any():
                _dot(left, place + shift, bootstrap(values[mask]), colour, f"{group} ({mask.sum()})" * (place == 0))
    left.set_yticks(range(len(found)), [f"{name}\n(fitted to the truth)" * (name in bounds) or name for name in found])
    left.invert_yaxis()
    left.set_xlim(left=0)
    left.grid(True, axis="x")
    left.set_xlabel("end-point error, px at 256 × 192")
    left.legend(fontsize=9, loc="lower right")
    a, b = (found[name] for name in rivals)
    for _, mask, colour in groups[1:]:
        right.plot(b[mask], a[mask], "o", ms=4, color=colour, alpha=0.75, mew=0)
    most = 1.05 * np.nanmax([a, b])
    right.plot((0, most), (0, most), color=GREY, lw=1)
    right.set(xlim=(0, most), ylim=(0, most), aspect="equal", xlabel=f"{rivals[1]}, px", ylabel=f"{rivals[0]}, px")
    right.text(0.97, 0.03, f"below the line: {rivals[0]} is closer", transform=right.transAxes, ha="right",
               fontsize=8.5, color=GREY)  # fmt: skip
    return figure


def _dot(axes: Axes, y: float, found: Interval, colour: str, label: str) -> None:
    axes.plot((found.low, found.high), (y, y), color=colour, lw=2, solid_capstyle="butt")
    axes.plot(found.mean, y, "o", ms=5, color=colour, label=label or None)


def valleys(loss: Mapping[str, np.ndarray], error: Mapping[str, np.ndarray]) -> Figure:
    """What (2-10) says of some warps and how far off they are: one dot an example, a large one the mean."""
    figure = Figure(figsize=(6.6, 3.8), layout="constrained")
    axes = figure.subplots()
    for (name, losses), colour in zip(loss.items(), (COLOURS[2], COLOURS[1], COLOURS[4], COLOURS[0]), strict=False):
        axes.plot(losses, error[name], "o", ms=3.5, color=colour, alpha=0.45, mew=0)
        axes.plot(np.mean(losses), np.nanmean(error[name]), "o", ms=10, color=colour, mec="white", label=name)
    axes.set(xlabel="loss (2-10): mean |warped cloth - worn cloth|", ylabel="end-point error, px at 256 × 192")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(True)
    figure.legend(loc="outside right center", fontsize=9)
    return figure
