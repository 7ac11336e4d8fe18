"""The spatial transformer on paper: what it was given, what it made of it, and whether that helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.models.stn import affine_grid
from mavton_lite.plots.atelier import picture
from mavton_lite.plots.style import COLOURS, INK
from mavton_lite.seeds import over_seeds


def straightened(straight: Tensor, crooked: Tensor, read: Tensor, matrices: Tensor) -> Figure:
    """A column a garment: as drawn, as given with the frame the transformer reads, and what its classifier sees.

    Shape: pictures (n, 3, S, S) in [-1, 1], matrices (n, 2, 3) of the transformer.
    """
    n, side = len(crooked), crooked.shape[2]
    figure = Figure(figsize=(1.3 * n + 0.9, 4.2), layout="constrained")
    axes = figure.subplots(3, n, squeeze=False)
    frames = (affine_grid(matrices, 2, 2).numpy() + 1) / 2 * (side - 1)  # (n, 2, 2, 2): the corners, in px
    for k in range(n):
        for row, content in enumerate((straight[k], crooked[k], read[k])):
            picture(axes[row, k], content)
        corners = frames[k][[0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]  # round the frame
        axes[1, k].plot(*corners.T, color=COLOURS[1], lw=1.3)
        axes[1, k].plot(*corners[:2].T, color=COLOURS[0], lw=2.6)  # its upper edge
        axes[1, k].set_xlim(-0.5, side - 0.5)
        axes[1, k].set_ylim(side - 0.5, -0.5)
    for row, text in enumerate(("as drawn\n原图", "given\n输入", "read again\n变换后")):
        axes[row, 0].text(-0.12, 0.5, text, transform=axes[row, 0].transAxes, ha="right", va="center", fontsize=9)
    return figure


def accuracy_and_spread(right: Mapping[str, Sequence[float]], before: Tensor, after: Tensor) -> Figure:
    """Right answers of every network, a point a seed with the interval of the mean; and how far apart poses lie.

    Shape: `before` and `after` (n,), px.
    """
    figure = Figure(figsize=(9.2, 2.9), layout="constrained")
    left, middle = figure.subplots(1, 2, width_ratios=(1.15, 1))
    for k, shares in enumerate(right.values()):
        mean = over_seeds(shares)
        left.plot([max(0, mean.low), min(1, mean.high)], [k, k], color=COLOURS[k], lw=2)
        left.plot(mean.mean, k, "|", color=COLOURS[k], ms=16, mew=2)
        left.plot(shares, [k] * len(shares), "o", color=COLOURS[k], ms=5, mfc="white")
    left.set_yticks(range(len(right)), labels=list(right), fontsize=9)
    left.set_ylim(len(right) - 0.4, -0.6)
    left.set_xlim(0, 1)
    left.grid(True, axis="x")
    left.set_title("right answers on crooked garments", fontsize=10)
    edges = np.linspace(0, float(max(before.max(), after.quantile(0.99))), 25)
    for values, name, colour in ((before, "given 输入", COLOURS[6]), (after, "read again 变换后", COLOURS[1])):
        middle.hist(values.clamp(max=edges[-1]).numpy(), edges, color=colour, alpha=0.65, label=name)
        middle.axvline(float(values.median()), color=INK, lw=0.9, ls=":")
    middle.set_title("distance from the mean pose, px", fontsize=10)
    middle.set_ylabel("garments")
    middle.legend(fontsize=8.5)
    return figure
