"""Hard attention on paper: scenes, the steps of a search, gradient estimates, accuracy against cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from mavton_lite.attention.hard import entropy
from mavton_lite.models.glimpse import CELL_PX, GLIMPSE_PX, Search, overview
from mavton_lite.plots.atelier import picture
from mavton_lite.plots.attention import enlarge
from mavton_lite.plots.colours import as_array, heat_over
from mavton_lite.plots.style import COLOURS, INK

GREY = "#5b6170"
# who -> how it is named, its colour and mark in every plot of the lesson
LOOKERS = {
    "reinforce": ("learned, REINFORCE", COLOURS[1], "o"),
    "reinforce, no baseline": ("… without a baseline", COLOURS[4], "s"),
    "gumbel": ("learned, straight-through Gumbel", COLOURS[3], "D"),
    "soft": ("soft attention", COLOURS[0], "P"),
    "random": ("random places", COLOURS[6], "v"),
    "centre": ("the middle", "#B0B0B0", "^"),
    "everywhere": ("everywhere, all votes alike", INK, "X"),
    "told where": ("told where it is", COLOURS[2], "*"),
    "overview only": ("overview only", COLOURS[5], "h"),
}


def scenes_and_overviews(pictures: Tensor, titles: Sequence[str]) -> Figure:
    """Scenes above, below each what the policy gets of it.   Shape: (n, 3, S, S) in [-1, 1]."""
    low = overview(pictures)
    figure = Figure(figsize=(1.75 * len(pictures), 3.9), layout="constrained")
    axes = figure.subplots(2, len(pictures), squeeze=False)
    for k, title in enumerate(titles):
        picture(axes[0, k], pictures[k], title)
        picture(axes[1, k], low[k], f"overview, {low.shape[2]} × {low.shape[3]}" if k == 0 else "")
    return figure


def search_steps(scene: Tensor, search: Search, names: Sequence[str], steps: int, truth: int | None = None) -> Figure:
    """The first `steps` glimpses of one scene: the policy before each, where it looked, what it saw, what it says.

    Shape: scene (3, S, S) in [-1, 1]; `search` of a batch of this one scene.
    Raises: ValueError when there are fewer glimpses than `steps`.
    """
    if not 1 <= steps <= search.cells.shape[1]:
        raise ValueError(f"wanted 1 to {search.cells.shape[1]} steps, got {steps}")
    total = search.cells.shape[1]
    figure = Figure(figsize=(3.4 + 1.75 * total, 4.7), layout="constrained")
    grid = figure.add_gridspec(3, total + 2, width_ratios=[1.9, 0.28, *[1] * total], height_ratios=[1.9, 1.3, 1.0])
    picture(main := figure.add_subplot(grid[:, 0]), scene, "the scene")
    top = max(0.25, float(search.maps[0].max()))  # an undecided policy is dark all over
    side = scene.shape[1] // CELL_PX
    for t in range(steps):
        middle = np.array([search.cells[0, t] % side, search.cells[0, t] // side]) * CELL_PX + CELL_PX / 2 - 0.5
        where = search.maps[0, t]
        heat = enlarge(where[0].numpy(), (scene.shape[1], scene.shape[2]))
        axes = figure.add_subplot(grid[0, t + 2])
        title = f"policy {t + 1}\n{float(entropy(where[None])):.2f} nats"
        picture(axes, heat_over(as_array(scene), heat, 0, top), title)
        for ax, colour in ((main, COLOURS[1]), (axes, "white")):
            corner = float(middle[0]) - GLIMPSE_PX / 2, float(middle[1]) - GLIMPSE_PX / 2
            ax.add_patch(Rectangle(corner, GLIMPSE_PX, GLIMPSE_PX, fill=False, ec=colour, lw=1.6, clip_on=True))
        x, y = middle - GLIMPSE_PX / 2 + 2
        main.text(x, y, str(t + 1), color="white", fontsize=9, va="top",
                  bbox={"fc": COLOURS[1], "ec": "none", "pad": 1})  # fmt: skip
        picture(figure.add_subplot(grid[1, t + 2]), search.glimpses[0, t], f"glimpse {t + 1}")
        _answer(figure.add_subplot(grid[2, t + 2]), search.answers[0, t], names, truth, labelled=t == 0)
    return figure


def _answer(axes: Axes, shares: Tensor, names: Sequence[str], truth: int | None, labelled: bool) -> None:
    at = np.arange(len(names))
    colours = [COLOURS[2] if k == truth else COLOURS[6] for k in at]
    axes.barh(at, shares.numpy(), color=colours)
    axes.set_xlim(0, 1)
    axes.set_yticks(at, labels=names if labelled else [""] * len(names), fontsize=8)
    axes.set_xticks([0, 1], labels=["0", "1"], fontsize=8)
    axes.invert_yaxis()
    if labelled:
        axes.set_title("answer so far", fontsize=9)


def gradient_estimates(variances: Mapping[str, float], biases: Mapping[str, tuple[float, float]]) -> Figure:
    """Variance and bias of gradient estimates of one policy, side by side.

    `biases` are (distance of the mean from the exact gradient, what chance alone would give), relative to its length.
    """
    names = list(variances)
    figure = Figure(figsize=(8.4, 2.7), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    at = np.arange(len(names))
    left.barh(at, [variances[n] for n in names], color=[COLOURS[k] for k in range(len(names))])
    left.set_title("variance 方差", fontsize=10)
    left.set_yticks(at, labels=names, fontsize=9)
    left.invert_yaxis()
    right.barh(at, [biases[n][0] for n in names], color=[COLOURS[k] for k in range(len(names))])
    right.scatter([biases[n][1] for n in names], at, marker="|", s=260, color=INK, zorder=3)
    right.set_title("mean minus exact gradient, relative; | is chance", fontsize=10)
    for axes in (left, right):
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
    return figure


def accuracy_against_cost(table: pd.DataFrame) -> Figure:
    """Right answers over multiply-adds an answer; a line an agent, a point a number of glimpses, bars over seeds."""
    figure = Figure(figsize=(8.6, 4.4), layout="constrained")
    axes = figure.add_subplot()
    floor = table[table.who == "commonest class"].accuracy.iloc[0]
    axes.axhline(floor, color=GREY, lw=0.9, ls=":")
    axes.annotate("always the commonest class", (0.995, floor), xycoords=("axes fraction", "data"), ha="right",
                  va="top", xytext=(0, -3), textcoords="offset points", fontsize=8.5, color=GREY)  # fmt: skip
    for who, (name, colour, mark) in LOOKERS.items():
        rows = table[table.who == who].sort_values("glimpses")
        middle = rows.accuracy.to_numpy()
        low, high = rows.low.clip(0, 1).to_numpy(), rows.high.clip(0, 1).to_numpy()
        spread = np.stack([np.maximum(middle - low, 0), np.maximum(high - middle, 0)])
        axes.errorbar(rows.multiply_adds / 1e6, middle, spread, color=colour, marker=mark, ms=6, capsize=2.5, lw=1.4,
                      elinewidth=0.9, label=name)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 40], labels=["0.5", "1", "2", "5", "10", "20", "40"])
    axes.minorticks_off()
    axes.set_xlabel("million multiply-adds an answer")
    axes.set_ylabel("right answers")
    axes.set_ylim(0, 1)
    axes.grid(True, axis="y")
    axes.legend(fontsize=8.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def learning_curves(right: Mapping[str, np.ndarray], undecided: Mapping[str, np.ndarray], every: int) -> Figure:
    """Right answers while learning, and how undecided the policy is; a thin line a seed, a thick one their mean.

    Shape: each (seeds, steps), averaged over `every` steps before drawing.
    """
    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    left, middle = figure.subplots(1, 2)
    for axes, curves in ((left, right), (middle, undecided)):
        for who, values in curves.items():
            name, colour, _ = LOOKERS[who]
            kept = values[:, : max(1, values.shape[1] // every) * every]
            blocks = kept.reshape(len(values), -1, min(every, kept.shape[1])).mean(2)  # (seeds, blocks)
            at = (np.arange(blocks.shape[1]) + 0.5) * every
            axes.plot(at, blocks.T, color=colour, lw=0.5, alpha=0.6)
            axes.plot(at, blocks.mean(0), color=colour, label=name)
        axes.set_xlabel("step")
        axes.grid(True, axis="y")
        axes.set_ylim(bottom=0)
    left.set_title("right answers, training scenes", fontsize=10)
    middle.set_title("entropy of the first policy, nats", fontsize=10)
    left.legend(fontsize=8)
    return figure
