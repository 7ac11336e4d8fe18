"""The classic U-Net drawn from a running module, what its skips carry, and what a representation gives away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from mavton_lite.models.summary import count_parameters
from mavton_lite.models.unet_classic import ClassicUNet
from mavton_lite.models.unet_study import Parsed
from mavton_lite.plots.atelier import picture
from mavton_lite.plots.colours import parse_colours
from mavton_lite.plots.diagram import GREY, Sheet, times
from mavton_lite.plots.style import COLOURS, INK, set_gaps

Shape = tuple[int, ...]  # without the batch
LEFT, RIGHT, COPY = "#9cc3e6", "#f5c08a", "#e6e8ee"


@dataclass
class Traced:
    """What hooks saw in one forward pass of a `ClassicUNet`."""

    shown: Shape
    pairs: list[list[Shape]] = field(default_factory=list)  # of every pair: input, after the first, after the second
    raised: list[Shape] = field(default_factory=list)  # what each enlargement gives
    out: Shape = ()


def trace(network: ClassicUNet, size: tuple[int, int]) -> Traced:
    """Run the network once and note every shape; on the meta device nothing is computed.   Shape: size (H, W)."""
    seen = Traced((network.in_channels, *size))
    handles = []
    for pair in (*network.down, network.bottom, *network.up):
        convs = [m for m in pair if isinstance(m, nn.Conv2d)]
        handles.append(convs[0].register_forward_pre_hook(lambda _, args: seen.pairs.append([_shape(args[0])])))
        handles += [c.register_forward_hook(lambda _m, _a, o: seen.pairs[-1].append(_shape(o))) for c in convs]
    handles += [m.register_forward_hook(lambda _m, _a, o: seen.raised.append(_shape(o))) for m in network.enlarge]
    handles.append(network.last.register_forward_hook(lambda _m, _a, o: setattr(seen, "out", _shape(o))))
    try:
        with torch.no_grad():
            network(torch.zeros(1, *seen.shown, device=next(network.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _shape(x: Tensor) -> Shape:
    return tuple(x.shape[1:])


def classic_unet(network: ClassicUNet, size: tuple[int, int]) -> Figure:
    """The thesis's figure 3.1: down on the left, up on the right, skips across; every shape is the module's."""
    seen, levels = trace(network, size), network.levels
    sheet, step = Sheet(11, 6.3), 0.5
    rows = [5.3 - 4.75 / levels * k for k in range(levels + 1)]
    high = [0.98 * 0.66**k for k in range(levels + 1)]

    def down(x: float, k: int, shapes: list[Shape]) -> float:
        """A pair of convolutions from what stands at `x`; where its last feature map stands."""
        _slab(sheet, x, rows[k], high[k], shapes[0], LEFT if k else "#d5d8df")
        for i, shape in enumerate(shapes[1:], 1):
            _slab(sheet, x + step * i, rows[k], high[k], shape, LEFT, arrow=COLOURS[0])
        sheet.text(x, rows[k] - high[k] / 2 - 0.13, times(*shapes[1][1:]), 7.8, GREY)
        return x + 2 * step

    x, ends = 0.45, []
    for k in range(levels):
        x = down(x, k, seen.pairs[k])
        ends.append(x)
        sheet.arrow((x, rows[k] - high[k] / 2 - 0.05), (x, rows[k + 1] + high[k + 1] / 2 + 0.24), colour=COLOURS[1])
    x = down(x, levels, seen.pairs[levels])
    for j, raised in enumerate(seen.raised):
        k = levels - 1 - j
        joined, *after = seen.pairs[levels + 1 + j]
        copied = joined[0] - raised[0]
        sheet.arrow((x, rows[k + 1] + high[k + 1] / 2 + 0.24), (x, rows[k] - high[k] / 2 - 0.04), colour=COLOURS[2])
        sheet.arrow((ends[k] + 0.13, rows[k]), (x - 0.38, rows[k]), colour=GREY)
        words = f"skip {k + 1} 跳跃连接" if k < levels - 1 else f"skip {k + 1}"
        sheet.text((ends[k] + x) / 2 - 0.12, rows[k] + 0.13, words, 8.2, GREY)
        _slab(sheet, x - 0.24, rows[k], high[k], (copied, *joined[1:]), COPY, label=False)
        _slab(sheet, x, rows[k], high[k], raised, RIGHT, label=False)
        sheet.text(x - 0.12, rows[k] + high[k] / 2 + 0.13, f"{copied} + {raised[0]}", 7.8)
        for i, shape in enumerate(after, 1):
            _slab(sheet, x + step * i + 0.1, rows[k], high[k], shape, RIGHT, arrow=COLOURS[0])
        x += 2 * step + 0.1
    _slab(sheet, x + step + 0.1, rows[0], high[0], seen.out, "#d5d8df", arrow=COLOURS[3])
    _legend(sheet, network)
    return sheet.figure


def _slab(sheet: Sheet, x: float, y: float, high: float, shape: Shape, colour: str, label: bool = True,
          arrow: str | None = None) -> None:  # fmt: skip
    """A feature map: its channels above it, an arrow from the one before."""
    wide = 0.05 + 0.018 * np.log2(max(shape[0], 2))
    sheet.axes.add_patch(Rectangle((x - wide / 2, y - high / 2), wide, high, fc=colour, ec=INK, lw=0.7, zorder=3))
    if label:
        sheet.text(x, y + high / 2 + 0.13, str(shape[0]), 7.8)
    if arrow:
        sheet.arrow((x - 0.3, y), (x - wide / 2 - 0.01, y), colour=arrow)


def _legend(sheet: Sheet, network: ClassicUNet) -> None:
    lines = (
        (COLOURS[0], "3 × 3 convolution, ReLU 卷积"),
        (COLOURS[1], "2 × 2 max pooling 下采样"),
        (COLOURS[2], "2 × 2 up-convolution 上采样"),
        (COLOURS[3], "1 × 1 convolution"),
        (GREY, "copy and join as channels 拼接"),
    )
    for k, (colour, words) in enumerate(lines):
        y = 1.55 - 0.26 * k
        sheet.arrow((8.25, y), (8.6, y), colour=colour)
        sheet.text(8.72, y, words, 8.5, ha="left")
    sheet.text(8.25, 0.2, f"{count_parameters(network):,} parameters", 9, ha="left")


def skip_pictures(pictures: Tensor, columns: Mapping[str, Tensor], side: float = 1.0) -> Figure:
    """Labels by one network with and without its skips.   Shape: (n, 3, H, W) in [-1, 1], each column (n, H, W)."""
    count, _, height, width = pictures.shape
    figure = Figure(figsize=(side * (1 + len(columns)), side * height / width * count + 0.4), layout="constrained")
    set_gaps(figure, w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    axes = figure.subplots(count, 1 + len(columns), squeeze=False)
    for row, line in enumerate(axes):
        picture(line[0], pictures[row], "" if row else "person")
        for ax, (name, labels) in zip(line[1:], columns.items(), strict=True):
            picture(ax, parse_colours(labels[row]), "" if row else name)
    return figure


def skip_bars(results: Mapping[str, Parsed]) -> Figure:
    """Right labels at edges and inside, a network or a cut a row."""
    figure = Figure(figsize=(7, 0.42 * len(results) + 0.9), layout="constrained")
    axes, names = figure.subplots(), list(results)
    for k, (kind, colour, label) in enumerate(
        (("inside", COLOURS[5], "away from edges"), ("edge", COLOURS[1], "within 2 px of an edge"))
    ):
        shares = [getattr(results[n], kind) for n in names]
        bars = axes.barh(np.arange(len(names)) + 0.2 * (2 * k - 1), shares, 0.37, color=colour, label=label)
        axes.bar_label(bars, [f"{s:.0%}" for s in shares], fontsize=8, padding=2)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1)
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.set_xlabel("pixels with the right label")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.2 * 6 / len(results)), ncol=2, fontsize=9)
    return figure


def leak_table(table: pd.DataFrame) -> Figure:
    """How much of each measure the probe reads from each view, 0 to 1."""
    figure = Figure(figsize=(7.4, 0.36 * len(table) + 0.75), layout="constrained")
    axes = figure.subplots()
    values = table.to_numpy()
    axes.imshow(values, cmap="Oranges", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.62 else INK)
    axes.set_xticks(range(values.shape[1]), table.columns)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(table)), table.index)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for row in (len(table) - 1.5, len(table) - 2.5):
        axes.axhline(row, color="white", lw=3)
    return figure
