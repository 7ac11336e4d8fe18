"""The spatial gate on paper: figure 2.3 from a running module, and what gates of different kernels see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from torch import Tensor

from mavton_lite.attention import SpatialAttention, record
from mavton_lite.models.gaze import Gaze
from mavton_lite.plots.atelier import picture
from mavton_lite.plots.attention import enlarge
from mavton_lite.plots.colours import as_array, heat_over
from mavton_lite.plots.style import COLOURS, INK

GREY = "#5b6170"


def spatial_attention(gate: SpatialAttention, x: Tensor) -> Figure:
    """Formula (2-4) as a drawing: every map is the module's own for `x`, every shape is read off it by hooks.

    Shape: one example (1, C, H, W).   Raises: ValueError for more than one, or as the gate does.
    """
    if len(x) != 1:
        raise ValueError(f"the drawing shows one example, got {len(x)}")
    pooled: list[Tensor] = []
    handle = gate.conv.register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    try:
        with torch.no_grad(), record(gate) as maps:
            gate(x)
    finally:
        handle.remove()
    (weights,) = maps.values()  # (1, 1, H, W)
    kernel = gate.conv.kernel_size
    figure = Figure(figsize=(10.4, 4.1), layout=PlaceHolderLayoutEngine(True, True))
    canvas = figure.add_axes((0, 0, 1, 1))
    canvas.set_xlim(0, 10.4)
    canvas.set_ylim(0, 4.1)
    canvas.set_axis_off()
    show = _shower(figure)
    strongest = x[0].flatten(1).std(1).argsort(descending=True)[:4].tolist()
    for k, channel in enumerate(reversed(strongest)):
        show((0.25 + 0.13 * k, 1.75 - 0.13 * k), 1.15, x[0, channel], "gray")
    _caption(canvas, 0.98, 3.3, "features $X$", "特征图", tuple(x.shape[1:]))
    for row, (name, chinese) in enumerate((("average", "平均池化"), ("maximum", "最大池化"))):
        show((2.65, 2.3 - 1.6 * row), 1.0, pooled[0][0, row], "gray")
        canvas.text(3.15, 3.37 - 1.6 * row, f"{name} {chinese}", ha="center", va="bottom", fontsize=9)
        _arrow(canvas, (1.87, 1.95), (2.6, 2.8 - 1.6 * row))
    stacked = f"over {gate.channels} channels, stacked:\n{_name(pooled[0].shape[1:])}"
    canvas.text(3.15, 0.6, stacked, ha="center", va="top", fontsize=8.5, color=GREY)
    _box(canvas, 4.62, 1.95, f"conv {kernel[0]} × {kernel[1]}\n2 → 1")
    for row in (0, 1):
        _arrow(canvas, (3.7, 2.8 - 1.6 * row), (4.12, 2.05 - 0.2 * row))
    _box(canvas, 5.82, 1.95, "sigmoid")
    _arrow(canvas, (5.1, 1.95), (5.33, 1.95))
    show((6.6, 1.4), 1.1, weights[0, 0], "inferno", (0, 1))
    _arrow(canvas, (6.31, 1.95), (6.55, 1.95))
    _caption(canvas, 7.15, 2.6, "weights $W_s$", "空间权重", tuple(weights.shape[1:]))
    canvas.text(7.15, 1.32, f"{float(weights.min()):.2f} to {float(weights.max()):.2f}", ha="center", va="top",
                fontsize=8.5, color=GREY)  # fmt: skip
    canvas.add_patch(Circle((8.12, 1.95), 0.15, fc="white", ec=INK, lw=1.2))
    canvas.text(8.12, 1.94, "×", ha="center", va="center", fontsize=13)
    _arrow(canvas, (7.75, 1.95), (7.95, 1.95))
    canvas.plot([0.98, 0.98, 8.12, 8.12], [3.78, 3.95, 3.95, 3.6], color=INK, lw=1.3, solid_joinstyle="round")
    _arrow(canvas, (8.12, 3.6), (8.12, 2.13))
    gated = x * weights
    for k, channel in enumerate(reversed(strongest)):
        show((8.7 + 0.13 * k, 1.75 - 0.13 * k), 1.15, gated[0, channel], "gray", _limits(x[0, channel]))
    _arrow(canvas, (8.29, 1.95), (8.65, 1.95))
    _caption(canvas, 9.43, 3.0, "$W_s X$", "加权特征", tuple(gated.shape[1:]))
    return figure


def _shower(figure: Figure):
    width, height = figure.get_size_inches()

    def show(corner: tuple[float, float], side: float, values: Tensor, colours: str, limits=None) -> None:
        axes = figure.add_axes((corner[0] / width, corner[1] / height, side / width, side / height))
        low, high = limits or _limits(values)
        axes.imshow(values.numpy(), cmap=colours, vmin=low, vmax=high)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set(visible=True, color=INK, linewidth=0.7)

    return show


def _limits(values: Tensor) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _name(shape: Sequence[int]) -> str:
    return " × ".join(str(n) for n in shape)


def _caption(canvas: Axes, x: float, y: float, title: str, chinese: str, shape: tuple[int, ...]) -> None:
    canvas.text(x, y + 0.2, title, ha="center", va="bottom", fontsize=10)
    canvas.text(x, y, f"{chinese}  {_name(shape)}", ha="center", va="bottom", fontsize=8.5, color=GREY)


def _box(canvas: Axes, x: float, y: float, text: str) -> None:
    canvas.add_patch(FancyBboxPatch((x - 0.44, y - 0.27), 0.88, 0.54, boxstyle="round,pad=0.02,rounding_size=0.08",
                                    fc="#fdebdd", ec=COLOURS[1], lw=1))  # fmt: skip
    canvas.text(x, y, text, ha="center", va="center", fontsize=9, linespacing=1.3)


def _arrow(canvas: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    canvas.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color=INK, lw=1.2, shrinkA=0,
                                     shrinkB=0))  # fmt: skip


def field_px(kernel: int) -> int:
    """Side in px of the part of a scene that one place of a `GazeNet`'s gate depends on."""
    return 4 * (kernel - 1) + 7


def gaze_of(scene: Tensor, gate: Tensor, kernel: int, place: tuple[int, int], note: str = "") -> Figure:
    """One scene, what one place of a gate sees of it, and the whole gate over it.

    Shape: scene (3, S, S) in [-1, 1], gate (h, w); `place` is (row, column) in the gate.
    """
    side = scene.shape[1]
    step = side / gate.shape[0]
    figure = Figure(figsize=(7.6, 3.1), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    image = as_array(scene)
    row, column = (int(k * step) for k in place)  # strided convolutions are centred on every fourth pixel
    reach = field_px(kernel) // 2
    shown = 0.25 * image + 0.75
    part = np.s_[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    shown[part] = image[part]
    picture(left, image, "scene")
    picture(middle, shown, f"one place sees {field_px(kernel)} × {field_px(kernel)} px")
    middle.add_patch(Rectangle((column - step / 2, row - step / 2), step, step, fill=False, ec=COLOURS[1], lw=1.6))
    heat = enlarge(gate.numpy(), (scene.shape[1], scene.shape[2]))
    picture(right, heat_over(image, heat, 0, max(float(gate.max()), 1e-6)), f"gate, kernel {kernel}\n{note}")
    return figure


def gates_by_kernel(scenes: Tensor, gazes: Sequence[Gaze], rows: Sequence[int]) -> Figure:
    """A row a scene: the scene, then the gate of every kernel over it, dark at 0, bright at the scene's maximum.

    Shape: (n, 3, S, S) in [-1, 1].
    """
    figure = Figure(figsize=(1.55 * (len(gazes) + 1), 1.55 * len(rows) + 0.35), layout="constrained")
    axes = figure.subplots(len(rows), len(gazes) + 1, squeeze=False)
    for r, k in enumerate(rows):
        picture(axes[r, 0], scenes[k], "scene" if r == 0 else "")
        for c, gaze in enumerate(gazes, 1):
            heat = enlarge(gaze.maps[k, 0].numpy(), (scenes.shape[2], scenes.shape[3]))
            shown = heat_over(as_array(scenes[k]), heat, 0, max(float(heat.max()), 1e-6))
            picture(axes[r, c], shown, f"kernel {gaze.kernel}" if r == 0 else "")
    return figure
