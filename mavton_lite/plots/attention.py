"""What attention gates saw: maps over pictures, weights as bars."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.plots.atelier import picture
from mavton_lite.plots.colours import as_array, heat_over
from mavton_lite.plots.style import COLOURS, INK, set_gaps


def levels(maps: Mapping[str, Tensor]) -> list[int]:
    """The levels that `attention.record` found a spatial gate for, from the widest inwards."""
    return sorted(int(name.split("level")[1].split(".")[0]) for name in maps if name.endswith(".spatial"))


def gate(maps: Mapping[str, Tensor], level: int, kind: str) -> Tensor:
    """The recorded map of one level's "channel" or "spatial" gate.   Raises: ValueError when there is none."""
    found = [m for name, m in maps.items() if name.endswith(f"level{level}.{kind}")]
    if len(found) != 1:
        raise ValueError(f"wanted one {kind} gate of level {level}, found {len(found)} among {', '.join(maps)}")
    return found[0]


def enlarge(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each value on the block of pixels it stands for.   Shape: (h, w) -> (H, W)."""
    rows, columns = (np.arange(n) * m // n for n, m in zip(size, heat.shape, strict=True))
    return heat[rows[:, None], columns[None]]


def limits(values: np.ndarray) -> tuple[float, float]:
    """Where heat begins and ends: the 2nd and 98th percentile, since the zero padding makes borders extreme."""
    low, high = np.percentile(values, (2, 98))
    return float(low), float(high)


def attention_maps(people: Tensor, garments: Tensor, tryons: Tensor, maps: Mapping[str, Tensor]) -> Figure:
    """A row an example: garment, try-on, every skip's spatial gate over the try-on; below, the channel gates.

    Heat runs over `limits` of a level's values in all examples shown: compare within a column.
    Shape: pictures (B, 3, H, W) in [-1, 1]; maps of `attention.record` for the same batch.
    """
    which, count = levels(maps), len(tryons)
    height, width = tryons.shape[2:]
    columns = 3 + len(which)
    cell = min(1.5, 10.5 / columns)
    size = (cell * columns, 0.94 * cell * height / width * count + 2.6)
    figure = Figure(figsize=size, dpi=78, layout="constrained")  # in a notebook: many photographs are a large file
    set_gaps(figure, w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    tall = cell * height / width
    grid = figure.add_gridspec(count + 2, columns, height_ratios=[*[tall] * count, 0.34, 1.55])
    titles = ("person\n人物", "garment\n目标服装", "try-on\n试穿结果")
    for row in range(count):
        for column, content in enumerate((people[row], garments[row], tryons[row])):
            picture(axes := figure.add_subplot(grid[row, column]), content)
            if row == 0:
                axes.set_title(titles[column], fontsize=9.5, loc="center")
    for column, level in enumerate(which, 3):
        spatial = gate(maps, level, "spatial").float().cpu().numpy()[:, 0]  # (B, h, w)
        low, high = limits(spatial)
        for row in range(count):
            heat = enlarge(spatial[row], (height, width))
            picture(axes := figure.add_subplot(grid[row, column]), heat_over(as_array(tryons[row]), heat, low, high))
            if row == 0:
                axes.set_title(f"skip {level}\n{spatial.shape[1]} × {spatial.shape[2]}", fontsize=9.5, loc="center")
        scale = figure.add_subplot(grid[count, column])
        scale.set_axis_off()
        bar = figure.colorbar(ScalarMappable(Normalize(low, high), matplotlib.colormaps["inferno"]), ax=scale,
                              orientation="horizontal", fraction=0.9, aspect=9)  # fmt: skip
        bar.set_ticks([low, high], labels=[f"{low:.2f}", f"{high:.2f}"], fontsize=7.5)
        least, most = bar.ax.get_xticklabels()
        least.set_horizontalalignment("left")
        most.set_horizontalalignment("right")
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0, pad=1.5)
        _channels(figure.add_subplot(grid[count + 1, column]), gate(maps, level, "channel"), first=column == 3)
    note = figure.add_subplot(grid[count, :3])
    note.set_axis_off()
    note.text(0.98, 0.5, "where 空间注意力: scale of each skip  →", fontsize=9.5, ha="right", va="center")
    note = figure.add_subplot(grid[count + 1, :3])
    note.set_axis_off()
    text = (
        "what 通道注意力: weight of each channel,\nsorted by their mean  →\n\n"
        "bars: mean of the examples shown\nlines: from the least to the most"
    )
    note.text(0.98, 0.62, text, fontsize=9.5, ha="right", va="center", linespacing=1.35)
    return figure


def _channels(axes, weights: Tensor, first: bool) -> None:
    values = weights.float().flatten(1).cpu().numpy()  # (B, C)
    mean = values.mean(0)
    order = np.argsort(mean)[::-1]
    at = np.arange(len(order))
    axes.bar(at, mean[order], width=1.0, color=COLOURS[0])
    axes.vlines(at, values.min(0)[order], values.max(0)[order], color=COLOURS[4], lw=max(0.5, 60 / len(order) * 0.5))
    axes.axhline(0.5, color=INK, lw=0.7, ls=":")
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], labels=["0", "½", "1"] if first else [], fontsize=8)
    axes.set_xticks([])
    axes.set_xlabel(f"{len(order)} channels", fontsize=8.5)
