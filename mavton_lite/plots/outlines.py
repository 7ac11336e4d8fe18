"""Outlines and what their points see of each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.plots.style import COLOURS, INK
from mavton_lite.warp.shape_context import ANGLES, INNER, OUTER, RADII


def contexts(
    pictures: tuple[np.ndarray, np.ndarray],
    points: tuple[np.ndarray, np.ndarray],
    chosen: tuple[int, int],
    histograms: tuple[np.ndarray, np.ndarray],
    titles: tuple[str, str],
) -> Figure:
    """Two outlines, a point on each with its rings and sectors, and below what falls into them.

    Shape: pictures (H, W, 3) in [0, 1], points (n, 2) px, chosen: an index each, histograms (5, 12) of those points.
    """
    figure = Figure(figsize=(7.4, 5.9), layout="constrained")
    above, below = figure.subplots(2, 2, height_ratios=(2.4, 1))
    most = max(h.max() for h in histograms)
    for axes, picture, at, index, title in zip(above, pictures, points, chosen, titles, strict=True):
        axes.imshow(0.45 * picture + 0.55)
        axes.plot(*at.T, ".", color=COLOURS[0], ms=3.5)
        _target(axes, at, index)
        axes.set(xlim=(-0.5, picture.shape[1] - 0.5), ylim=(picture.shape[0] - 0.5, -0.5), xticks=[], yticks=[])
        axes.set_title(title, fontsize=9.5, loc="center")
        axes.spines[:].set_visible(False)
    for axes, histogram in zip(below, histograms, strict=True):
        axes.imshow(histogram, cmap="Blues", vmin=0, vmax=most, aspect="auto", origin="lower")
        axes.set(xlabel="sector, from right by 30° clockwise", xticks=range(ANGLES), yticks=range(RADII))
    below[0].set_ylabel("ring")
    return figure


def _target(axes: Axes, points: np.ndarray, index: int) -> None:
    """Rings and sectors around one point, as large as in its histogram."""
    centre = points[index]
    unit = np.hypot(*(points[:, None] - points[None]).reshape(-1, 2).T).mean()
    for radius in np.geomspace(INNER, OUTER, RADII) * unit:
        turn = np.linspace(0, 2 * np.pi, 90)
        axes.plot(centre[0] + radius * np.cos(turn), centre[1] + radius * np.sin(turn), color=INK, lw=0.5)
    for angle in np.arange(ANGLES) * 2 * np.pi / ANGLES:
        ray = np.array([INNER, OUTER]) * unit
        axes.plot(centre[0] + ray * np.cos(angle), centre[1] + ray * np.sin(angle), color=INK, lw=0.4)
    axes.plot(*centre, "o", color=COLOURS[1], ms=7)


def rewards(curves: Mapping[float, Tensor]) -> Figure:
    """Mean alpha while the refinement learns, a line for each reward of taking the garment.   Shape: each (steps,)."""
    figure = Figure(figsize=(6.4, 3.3), layout="constrained")
    axes = figure.subplots()
    ends = sorted((float(curve[-1]), take) for take, curve in curves.items())
    floor = -1.0
    for colour, (end, take) in zip(COLOURS, ends, strict=False):
        steps = range(1, len(curves[take]) + 1)
        axes.plot(steps, curves[take], color=colour)
        floor = max(end, floor + 0.09)  # names that would overlap are moved apart
        axes.annotate(f"{take:g}", (steps[-1], floor), xytext=(7, 0), textcoords="offset points", color=colour,
                      va="center")  # fmt: skip
    axes.set(xlabel="step", ylabel="mean alpha inside the garment", ylim=(0, max(1.05, floor + 0.05)))
    axes.set_title("a line for each reward of alpha", fontsize=10)
    axes.grid(True, axis="y")
    return figure
