"""The try-on U-Net as a drawing whose every shape is read off the running module."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from torch import Tensor, nn

from mavton_lite.attention import AttentionMap
from mavton_lite.models.cpvton import TOM
from mavton_lite.models.gmm import PERSON_CHANNELS
from mavton_lite.models.summary import count_parameters
from mavton_lite.plots.style import COLOURS, INK

Shape = tuple[int, ...]  # without the batch

ENCODER, DECODER, CHANNEL, SPATIAL, CLOTH = "#9cc3e6", "#f5c08a", COLOURS[0], COLOURS[1], COLOURS[2]
GREY = "#5b6170"


@dataclass
class UNetShapes:
    """What hooks saw in one forward pass: input and output of every layer, by position."""

    shown: Shape = ()  # what goes in
    down: list[Shape] = field(default_factory=list)  # after each halving
    up_in: list[Shape] = field(default_factory=list)  # what each decoder layer reads, enlarged, with its skip
    up: list[Shape] = field(default_factory=list)  # what it gives
    gates: dict[str, list[Shape]] = field(default_factory=dict)  # level1 -> shapes of its attention maps
    parameters: int = 0
    gate_parameters: int = 0
    reduction: int = 16  # of the gates
    kernel: int = 7


def trace(tom: TOM, size: tuple[int, int]) -> UNetShapes:
    """Run a try-on module once and note every shape; on the meta device nothing is computed.

    Shape: size is (height, width) of the picture.
    """
    unet, seen = tom.unet, UNetShapes(parameters=count_parameters(tom))
    seen.reduction, seen.kernel = tom.settings.gate_reduction, tom.settings.gate_kernel
    seen.gate_parameters = sum(count_parameters(g) for g in unet.gates.values())
    handles = [unet.register_forward_pre_hook(lambda _, args: setattr(seen, "shown", tuple(args[0].shape[1:])))]
    handles += [m.register_forward_hook(_noting(seen.down)) for m in unet.down]
    for layer in unet.up:
        handles.append(layer.register_forward_hook(_noting(seen.up)))
        handles.append(layer.register_forward_hook(_noting(seen.up_in, inputs=True)))
    for name, gate in unet.gates.items():
        maps = [m for m in gate.modules() if isinstance(m, AttentionMap)]
        handles += [m.register_forward_hook(_noting(seen.gates.setdefault(name, []))) for m in maps]
    device = next(tom.parameters()).device
    try:
        with torch.no_grad():
            tom(*(torch.zeros(1, c, *size, device=device) for c in (PERSON_CHANNELS, 3, 1)))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _noting(shapes: list[Shape], inputs: bool = False):
    def hook(_module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        shapes.append(tuple((args[0] if inputs else output).shape[1:]))

    return hook


def ma_unet(shapes: UNetShapes) -> Figure:
    """Encoder on the left, decoder on the right, on every skip the gate; below, what is inside a gate."""
    downs = len(shapes.down)
    figure = Figure(figsize=(11, 9.2), dpi=92, layout=PlaceHolderLayoutEngine(True, True))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 11)
    axes.set_ylim(-2.55, 6.65)
    axes.set_axis_off()
    ys = np.linspace(5.55, 0.55, downs + 1)  # level 0 is the picture
    left = 1.35 + 0.52 * np.arange(downs + 1)
    right = 11 - left
    _ends(axes, shapes, ys[0], left[0], right[0])
    for level in range(1, downs + 1):
        shape = shapes.down[level - 1]
        middle = level == downs
        x = 5.5 if middle else left[level]
        _block(axes, x, ys[level], shape, ENCODER)
        _text(axes, x - _half(shape) - 0.08, ys[level], _name(shape), "right")
        if middle:
            axes.text(x, ys[level] - 0.18, "bottleneck: no norm, no skip",
                      ha="center", va="top", fontsize=8, color=GREY)  # fmt: skip
        above = shapes.down[level - 2] if level > 1 else shapes.shown
        end = (x - _half(shape) - 0.02, ys[level] + 0.05) if middle else (x, ys[level] + _tall(shape) + 0.08)
        _arrow(axes, (left[level - 1], ys[level - 1] - _tall(above)), end, "#5f8fb8")
    for i, shape in enumerate(shapes.up):
        level = downs - 1 - i  # the level this layer climbs to
        below = (right[level + 1], ys[level + 1] + _tall(shapes.up[i - 1]) + 0.08)
        if i == 0:
            below = (5.5 + _half(shapes.down[-1]) + 0.08, ys[downs] + 0.05)
        _arrow(axes, below, (right[level], ys[level] - _tall(shape)), "#c98a45")
        if level == 0:
            continue
        _block(axes, right[level], ys[level], shape, DECODER)
        joined = shapes.up_in[i + 1]
        text = f"{_name(shape)}\nwith skip: {joined[0]}"
        _text(axes, right[level] + _half(shape) + 0.17, ys[level], text, "left")
        _skip(axes, ys[level], left[level] + _half(shapes.down[level - 1]), right[level] - _half(shape), shapes, level)
    _inside(axes, shapes)
    _legend(axes, shapes)
    return figure


def _half(shape: Shape) -> float:
    """Half the width of a block: grows with the channels."""
    return 0.07 + 0.035 * np.log2(max(shape[0], 2))


def _tall(shape: Shape) -> float:
    """Half the height of a block: grows with the picture's side."""
    return 0.04 * np.log2(max(shape[1], 2))


def _name(shape: Shape) -> str:
    return " × ".join(str(n) for n in shape)


def _text(axes: Axes, x: float, y: float, text: str, ha: str, **style) -> None:
    axes.text(x, y, text, ha=ha, va="center", fontsize=style.pop("fontsize", 8.5), linespacing=1.35, **style)


def _block(axes: Axes, x: float, y: float, shape: Shape, colour: str) -> None:
    """A slab: as wide as the logarithm of its channels, with a little depth."""
    w, h, d = _half(shape), _tall(shape), 0.07
    axes.add_patch(Polygon([(x - w, y + h), (x - w + d, y + h + d), (x + w + d, y + h + d), (x + w, y + h)],
                           fc=colour, ec=INK, lw=0.6, alpha=0.75, zorder=3))  # fmt: skip
    axes.add_patch(Polygon([(x + w, y - h), (x + w + d, y - h + d), (x + w + d, y + h + d), (x + w, y + h)],
                           fc=colour, ec=INK, lw=0.6, alpha=0.5, zorder=3))  # fmt: skip
    axes.add_patch(Rectangle((x - w, y - h), 2 * w, 2 * h, fc=colour, ec=INK, lw=0.8, zorder=3))


def _arrow(axes: Axes, start: tuple, end: tuple, colour: str, style: str = "-|>", **kw) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle=style, mutation_scale=10, color=colour, lw=1.4,
                                   shrinkA=0, shrinkB=0, zorder=2, **kw))  # fmt: skip


def _pill(axes: Axes, x: float, y: float, text: str, colour: str, width: float = 0.5) -> None:
    box = FancyBboxPatch((x - width / 2, y - 0.13), width, 0.26, boxstyle="round,pad=0.02,rounding_size=0.1",
                         fc=colour, ec="none", zorder=4)  # fmt: skip
    axes.add_patch(box)
    axes.text(x, y - 0.005, text, ha="center", va="center", fontsize=8.5, color="white", zorder=5)


def _skip(axes: Axes, y: float, start: float, end: float, shapes: UNetShapes, level: int) -> None:
    maps = shapes.gates.get(f"level{level}", [])
    _arrow(axes, (start + 0.08, y), (end, y), INK, ls="-")
    if not maps:
        return
    _pill(axes, 5.5 - 0.3, y, "C", CHANNEL, 0.34)
    _pill(axes, 5.5 + 0.3, y, "S", SPATIAL, 0.34)
    if end - start > 2.6:
        axes.text(5.5 - 0.58, y + 0.1, _name(maps[0]), ha="right", fontsize=8, color=CHANNEL, va="bottom")
        axes.text(5.5 + 0.58, y + 0.1, _name(maps[1]), ha="left", fontsize=8, color=SPATIAL, va="bottom")
    else:
        axes.text(5.5, y - 0.19, f"{_name(maps[0])} · {_name(maps[1])}", ha="center", fontsize=8, color=GREY, va="top")


def _ends(axes: Axes, shapes: UNetShapes, y: float, left: float, right: float) -> None:
    """What goes in and what comes out, at the picture's size."""
    _block(axes, left, y, shapes.shown, "#d5d8df")
    _text(axes, left - _half(shapes.shown) - 0.08, y, _name(shapes.shown).replace(" × ", " ×\n", 1), "right")
    axes.text(left, y + 0.45, f"person representation {PERSON_CHANNELS}\n+ warped garment 3", ha="center", va="bottom",
              fontsize=8.5)  # fmt: skip
    out = shapes.up[-1]
    _block(axes, right, y, out, "#d5d8df")
    _text(axes, right + _half(out) + 0.15, y, _name(out).replace(" × ", " ×\n", 1), "left")
    axes.text(right, y + 0.45, "rendered person $I_r$: tanh, 3\nmask $M$: sigmoid, 1",
              ha="center", va="bottom", fontsize=8.5)  # fmt: skip
    box = FancyBboxPatch((4.0, y + 0.32), 3.0, 0.5, boxstyle="round,pad=0.02,rounding_size=0.1", fc="#e8f5ef", ec=CLOTH)
    axes.add_patch(box)
    axes.text(5.5, y + 0.57, r"try-on  $I_o = M\,\hat c + (1 - M)\, I_r$", ha="center", va="center", fontsize=10.5)
    _arrow(axes, (right - 1.15, y + 0.57), (7.08, y + 0.57), CLOTH)
    _arrow(axes, (left + 1.05, y + 0.57), (3.92, y + 0.57), CLOTH)
    axes.text((left + 1.05 + 3.92) / 2, y + 0.63, r"warped garment $\hat c$", ha="center", va="bottom", fontsize=8.5)


def _inside(axes: Axes, shapes: UNetShapes) -> None:
    """What a gate does: channel attention, then spatial attention."""
    top, low = -0.5, -2.4
    axes.add_patch(FancyBboxPatch((0.25, low), 7.0, top - low, boxstyle="round,pad=0.02,rounding_size=0.12",
                                  fc="#f6f7fa", ec="#c9ccd4", lw=0.8))  # fmt: skip
    axes.text(0.45, top - 0.1, "one gate: CBAM 混合注意力", fontsize=10, va="top")
    y1, y2, k = -1.18, -1.98, shapes.kernel
    mlp = f"shared MLP\nC → C/{shapes.reduction} → C"
    rows = (
        (y1, CHANNEL, "C", ["avg, max\nover places", mlp, "add, sigmoid", "× features"],
         "channel 通道: what"),
        (y2, SPATIAL, "S", ["avg, max\nover channels", f"{k} × {k} conv\n2 → 1", "sigmoid", "× features"],
         "spatial 空间: where"),
    )  # fmt: skip
    for y, colour, letter, steps, title in rows:
        _pill(axes, 0.62, y, letter, colour, 0.34)
        axes.text(0.88, y, title, fontsize=8.5, va="center", color=colour)
        for i, step in enumerate(steps):
            x = 3.0 + 1.2 * i
            axes.add_patch(FancyBboxPatch((x - 0.46, y - 0.2), 0.92, 0.4, boxstyle="round,pad=0.02,rounding_size=0.06",
                                          fc="white", ec=colour, lw=0.9))  # fmt: skip
            axes.text(x, y, step, ha="center", va="center", fontsize=7.8, linespacing=1.2)
            if i:
                _arrow(axes, (x - 0.72, y), (x - 0.49, y), colour)


def _legend(axes: Axes, shapes: UNetShapes) -> None:
    x, y = 7.75, -0.62
    lines = (
        (ENCODER, "down 编码器: 4 × 4 conv, stride 2, norm, LeakyReLU"),
        (DECODER, "up 解码器: ReLU, enlarge × 2, 3 × 3 conv, norm"),
    )
    for k, (colour, text) in enumerate(lines):
        axes.add_patch(Rectangle((x, y - 0.3 * k - 0.1), 0.22, 0.2, fc=colour, ec=INK, lw=0.6))
        axes.text(x + 0.32, y - 0.3 * k, text, fontsize=7.6, va="center")
    _arrow(axes, (x, y - 0.6), (x + 0.24, y - 0.6), INK)
    axes.text(x + 0.32, y - 0.6, "skip 跳跃连接: joined as channels", fontsize=7.6, va="center")
    plain = shapes.parameters - shapes.gate_parameters
    numbers = f"{plain:>12,}  U-Net\n{shapes.gate_parameters:>12,}  gates\n{shapes.parameters:>12,}  in all"
    axes.text(x, y - 0.9, "parameters", fontsize=8.5, va="top")
    axes.text(x, y - 1.12, numbers, fontsize=9, va="top", family="DejaVu Sans Mono", linespacing=1.4)
