"""The spatial transformer on paper: what it was given, what it made of it, and whether that helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.models.stn import Straightened, affine_grid
from mavton_lite.plots.atelier import picture
from mavton_lite.plots.style import COLOURS, INK
from mavton_lite.seeds import over_seeds


def straightened(straight: Tensor, crooked: Tensor, results: Mapping[str, Straightened]) -> Figure:
    """A column a garment: as drawn, as given, and what the classifier of each transformer in `results` sees.

    The frame on what is given is what the last transformer reads; its thick edge becomes the upper edge.
    Shape: pictures (n, 3, S, S) in [-1, 1].
    """
    n, side, last = len(crooked), crooked.shape[2], list(results.values())[-1]
    rows = {"as drawn\n原图": straight, "given\n输入": crooked}
    rows |= {name.replace(", ", "\n") + "\n变换后": found.picture for name, found in results.items()}
    figure = Figure(figsize=(1.15 * n + 1.3, 1.2 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), n, squeeze=False)
    frames = (affine_grid(last.matrix, 2, 2).numpy() + 1) / 2 * (side - 1)  # (n, 2, 2, 2): the corners, in px
    for row, (text, content) in enumerate(rows.items()):
        axes[row, 0].text(-0.12, 0.5, text, transform=axes[row, 0].transAxes, ha="right", va="center", fontsize=9)
        for k in range(n):
            picture(axes[row, k], content[k])
    for k in range(n):
        corners = frames[k][[0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]  # round the frame
        axes[1, k].plot(*corners.T, color=COLOURS[2], lw=1.3)
        axes[1, k].plot(*corners[:2].T, color=COLOURS[2], lw=3.0)  # its upper edge
        axes[1, k].set_xlim(-0.5, side - 0.5)
        axes[1, k].set_ylim(side - 0.5, -0.5)
    return figure


def accuracy_and_turns(right: Mapping[str, Sequence[float]], turns: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Right answers of every network, a point a seed with the interval of the mean; and what became of each turn.

    `turns` are, for a transformer each, the turns of the garments as given and as its classifier sees them.
    Shape: (n,) and (n,), degrees.
    """
    figure = Figure(figsize=(7.6, 4.9), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=(1, 1.75))
    upper, lower = halves
    axes = upper.subplots()
    names = list(right)
    for k, shares in enumerate(right.values()):
        mean = over_seeds(shares)
        axes.plot([max(0, mean.low), min(1, mean.high)], [k, k], color=COLOURS[k], lw=2)
        axes.plot(mean.mean, k, "|", color=COLOURS[k], ms=16, mew=2)
        axes.plot(shares, [k] * len(shares), "o", color=COLOURS[k], ms=5, mfc="white")
    axes.set_yticks(range(len(names)), labels=names, fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.grid(True, axis="x")
    axes.set_title("right answers on crooked garments, share", fontsize=10)
    limit = 1.5 * max(float(given.abs().max()) for given, _ in turns.values())
    for k, (panel, (name, (given, left))) in enumerate(zip(lower.subplots(1, len(turns), sharey=True, squeeze=False)[0],
                                                           turns.items(), strict=True)):  # fmt: skip
        middle = float(given.mean()), float(left.mean())
        panel.axhline(middle[1], color=COLOURS[2], lw=1.4, label="all undone 全部还原")
        panel.axline(middle, slope=1, color=INK, lw=1.0, ls=":", label="nothing undone 未还原")
        panel.plot(given, left, "o", color=COLOURS[names.index(name)], ms=2.6, alpha=0.6)
        panel.set_xticks(range(-180, 181, 30))
        panel.set_yticks(range(-180, 181, 30))
        panel.set_xlim(-limit, limit)
        panel.set_ylim(-limit, limit)
        panel.grid(True)
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("turn as given 输入, degrees")
        if k == 0:
            panel.set_ylabel("turn as read again 变换后, degrees", fontsize=9)
            panel.legend(fontsize=8, loc="upper left")
    return figure
