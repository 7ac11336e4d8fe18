"""VITON as a whole and its encoder-decoder: shapes read off the running modules, pictures from one example."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from mavton_lite.data.person import represent
from mavton_lite.data.sample import to_unit
from mavton_lite.models.gmm import PERSON_CHANNELS
from mavton_lite.models.summary import count_parameters
from mavton_lite.models.tryon_viton import VITONPipeline
from mavton_lite.models.viton import EncoderDecoder
from mavton_lite.plots.colours import as_array
from mavton_lite.plots.diagram import GREY, Sheet, times
from mavton_lite.plots.style import COLOURS, INK
from mavton_lite.warp.shape_context import SMALLEST_PX, match

Shape = tuple[int, ...]  # without the batch
ENCODER, DECODER, CLOTH, EDGE = "#9cc3e6", "#f5c08a", COLOURS[2], "#8a90a0"


@dataclass
class EncoderShapes:
    """What hooks saw in one forward pass: input and output of every layer, by position."""

    shown: Shape = ()  # what goes in
    down: list[Shape] = field(default_factory=list)  # after each halving
    joined: list[Shape] = field(default_factory=list)  # what each decoder layer reads, with its skip
    up: list[Shape] = field(default_factory=list)  # what it gives
    parameters: int = 0
    dropout: float = 0.0


def trace_encoder_decoder(network: EncoderDecoder, size: tuple[int, int]) -> EncoderShapes:
    """Run the encoder-decoder once and note every shape; on the meta device nothing is computed.

    Shape: size is (height, width) of the picture.
    """
    seen = EncoderShapes(parameters=count_parameters(network), dropout=network.settings.dropout)

    def noting(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.ConvTranspose2d):
            seen.joined.append(tuple(args[0].shape[1:]))
            seen.up.append(tuple(output.shape[1:]))
        else:
            seen.shown = seen.shown or tuple(args[0].shape[1:])
            seen.down.append(tuple(output.shape[1:]))

    handles = [layer.register_forward_hook(noting) for layer in (*network.down, *network.up)]
    device = next(network.parameters()).device
    try:
        with torch.no_grad():
            network(*(torch.zeros(1, c, *size, device=device) for c in (PERSON_CHANNELS, 3)))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def encoder_decoder(shapes: EncoderShapes) -> Figure:
    """The multi-task generator: encoder on the left, decoder on the right, one output for each task."""
    downs = len(shapes.down)
    sheet = Sheet(11, 6.6)
    ys = np.array([5.75, *np.linspace(4.6, 1.05, downs)])  # level 0 is the picture
    left = 1.5 + 0.5 * np.arange(downs + 1)
    right = 8.9 - 0.5 * np.arange(downs + 1)
    middle = (left[downs] + right[downs]) / 2
    _slab(sheet, left[0], ys[0], shapes.shown, "#d5d8e0")
    sheet.text(left[0] - 0.45, ys[0], f"person {PERSON_CHANNELS}\n+ garment 3\n{times(*shapes.shown)}", 8.8, ha="right")
    for level, shape in enumerate(shapes.down, 1):
        x = middle if level == downs else left[level]
        start = left[level - 1], ys[level - 1] - _tall(shapes.down[level - 2] if level > 1 else shapes.shown)
        end = (x - _half(shape) - 0.05, ys[level]) if level == downs else (x, ys[level] + _tall(shape) + 0.1)
        sheet.arrow(start, end, colour="#5f8fb8")
        _slab(sheet, x, ys[level], shape, ENCODER)
        if level < downs:
            sheet.text(x - _half(shape) - 0.12, ys[level], times(*shape), 8.8, ha="right")
            sheet.arrow((x + _half(shape) + 0.12, ys[level]), (right[level] - _half(shape) - 0.05, ys[level]))
    deepest = shapes.down[-1]
    sheet.text(middle, ys[downs] - _tall(deepest) - 0.1, times(*deepest), 8.8, va="top")
    for i, shape in enumerate(shapes.up):
        level = downs - 1 - i  # the level this layer climbs to
        below = (right[level + 1], ys[level + 1] + _tall(shapes.up[i - 1]) + 0.1)
        if i == 0:
            below = (middle + _half(deepest) + 0.12, ys[downs])
        sheet.arrow(below, (right[level], ys[level] - _tall(shape)), colour="#c98a45")
        if level:
            _slab(sheet, right[level], ys[level], shape, DECODER)
            said = f"{times(*shape)}\nwith skip: {shapes.joined[i + 1][0]}"
            sheet.text(right[level] + _half(shape) + 0.2, ys[level], said, 8.8, ha="left")
    if shapes.dropout:
        at = (ys[downs] + ys[downs - 1]) / 2 - 0.08
        sheet.text(right[downs - 1] - 0.05, at, f"dropout {shapes.dropout:g}", 8.5, GREY, ha="left")
    last = shapes.up[-1]
    _slab(sheet, right[0], ys[0], last, "#d5d8e0")
    sheet.text(right[0] - _half(last) - 0.1, ys[0], f"{times(*last)}\ntanh", 8.8, ha="right")
    for y, channels, words, loss in (
        (ys[0] + 0.4, last[0] - 1, "coarse try-on $I'$", r"$\sum_i \lambda_i\|\phi_i(I')-\phi_i(I)\|_1$"),
        (ys[0] - 0.4, 1, "mask $M$", r"$\|M-M_0\|_1$"),
    ):
        sheet.arrow((right[0] + _half(last) + 0.12, ys[0]), (right[0] + 0.62, y), colour=CLOTH)
        sheet.text(right[0] + 0.68, y + 0.09, f"{words}: {channels}", 9.2, ha="left")
        sheet.text(right[0] + 0.68, y - 0.13, loss, 8.8, CLOTH, ha="left")
    sheet.text(5.5, 0.08, "no norm on the first and the last layer; no layer has a bias", 8.2, GREY, va="bottom")
    _key(sheet, shapes)
    return sheet.figure


def _half(shape: Shape) -> float:
    return 0.07 + 0.033 * np.log2(max(shape[0], 2))


def _tall(shape: Shape) -> float:
    return 0.037 * np.log2(max(shape[1], 2))


def _slab(sheet: Sheet, x: float, y: float, shape: Shape, colour: str) -> None:
    """As wide as the logarithm of its channels, as tall as that of its side."""
    sheet.slab(x, y, 2 * _half(shape), 2 * _tall(shape), 0.11, colour)


def _key(sheet: Sheet, shapes: EncoderShapes) -> None:
    for x, colour, words in (
        (0.35, ENCODER, "down 编码器: LeakyReLU, 4 × 4 conv, stride 2, batch norm"),
        (4.55, DECODER, "up 解码器: ReLU, 4 × 4 deconv, stride 2, batch norm"),
    ):
        sheet.box(x, 0.34, 0.24, 0.2, colour=INK, fill=colour)
        sheet.text(x + 0.2, 0.34, words, 8.8, ha="left")
    sheet.text(10.85, 0.34, f"{shapes.parameters:,} parameters", 8.8, ha="right")


@dataclass(frozen=True)
class Scene:
    """One example on its way through VITON, as pictures for matplotlib.   Shape: (H, W, 3) or (H, W)."""

    image: np.ndarray
    cloth: np.ndarray
    parts: tuple[np.ndarray, ...]  # of the person representation
    coarse: np.ndarray
    mask: np.ndarray
    warped: np.ndarray
    alpha: np.ndarray
    tryon: np.ndarray
    flat_points: np.ndarray  # (k, 2) px: points of the garment's outline that found a partner
    worn_points: np.ndarray  # (k, 2) px: their partners on the outline of the mask


@torch.no_grad()
def scene(pipeline: VITONPipeline, batch: dict, index: int = 0) -> Scene:
    """What happens to one example of a batch; without an outline to match there are no points."""
    one = {k: v[index : index + 1] for k, v in batch.items() if torch.is_tensor(v)}
    person = represent(one, pipeline.person)
    coarse = pipeline.coarse(person.agnostic, one["cloth"])
    _, warp, tryon = pipeline(one)
    flat, worn = (m[0, 0].cpu().numpy() for m in (one["cloth_mask"], coarse.where))
    pairs: Any = np.zeros((2, 0, 2))
    if worn.sum() >= SMALLEST_PX:
        found = match(flat, worn, pipeline.points)
        pairs = found.source.points[found.pairs[:, 0]], found.target.points[found.pairs[:, 1]]
    parts = to_unit(person.silhouette)[0, 0], to_unit(person.head)[0].permute(1, 2, 0), to_unit(person.pose)[0].amax(0)
    return Scene(
        as_array(one["image"][0]), as_array(one["cloth"][0]), tuple(p.cpu().numpy() for p in parts),
        as_array(coarse.image[0]), coarse.mask[0, 0].clamp(0, 1).cpu().numpy(), as_array(warp.cloth[0]),
        tryon.mask[0, 0].cpu().numpy(), as_array(tryon.image[0]), *pairs,
    )  # fmt: skip


def _photo(sheet: Sheet, x: float, y: float, content: np.ndarray, words: str, w: float = 0.92) -> None:
    """A picture around its middle with words below."""
    h = w * content.shape[0] / content.shape[1]
    sheet.matrix(x, y, w, h, content, "gray", (0, 1), edge=EDGE)
    sheet.text(x, y - h / 2 - 0.07, words, 9, va="top")


def _points(sheet: Sheet, x: float, y: float, points: np.ndarray, size: tuple[int, int], w: float = 0.92) -> np.ndarray:
    """Points of a picture as places on the sheet."""
    h = w * size[0] / size[1]
    return np.array([x - w / 2, y + h / 2]) + (points + 0.5) / [size[1], size[0]] * [w, -h]


def overview(pipeline: VITONPipeline, shown: Scene, size: tuple[int, int]) -> Figure:
    """Coarse network, shape-context warp, refinement: the thesis's figure 2.7.   `size`: of the pipeline's pictures."""
    sheet = Sheet(11, 5.5)
    coarse, refine = (sum(p.numel() for p in n.parameters()) for n in (pipeline.coarse, pipeline.refine))
    _photo(sheet, 0.65, 4.3, shown.image, "person 人物")
    for k, part in enumerate(shown.parts):
        h = 0.7 * part.shape[0] / part.shape[1]
        sheet.matrix(2.15 + 0.27 * (k - 1), 4.3 - 0.13 * (k - 1), 0.7, h, part, "gray", (0, 1), edge=EDGE)
    sheet.text(2.15, 3.53, f"person representation\n人体表征 {PERSON_CHANNELS} channels", 9, va="top")
    sheet.arrow((1.14, 4.3), (1.48, 4.3))
    _photo(sheet, 0.65, 1.75, shown.cloth, "garment $c$")
    sheet.panel(4.0, 4.3, 1.3, 1.3, "#f3f6fb", COLOURS[0])
    sheet.text(4.0, 4.76, "$G_C$", 10)
    sheet.text(4.0, 4.2, f"encoder-decoder\n编解码生成器\n{coarse:,}\nparameters", 8.8)
    sheet.arrow((2.86, 4.3), (3.33, 4.3))
    sheet.arrow((0.65, 2.39), (0.65, 2.75), (4.0, 2.75), (4.0, 3.63))
    _photo(sheet, 5.6, 4.45, shown.coarse, "coarse try-on $I'$")
    _photo(sheet, 5.6, 2.6, shown.mask, "mask $M$")
    sheet.arrow((4.66, 4.45), (5.12, 4.45))
    sheet.arrow((4.66, 3.95), (4.9, 3.95), (4.9, 2.6), (5.12, 2.6))
    _matching(sheet, shown)
    _photo(sheet, 6.95, 1.1, shown.warped, "", 0.92)
    sheet.text(7.5, 1.2, "warped garment $c'$", 9, ha="left")
    sheet.text(7.5, 1.0, "扭曲服装", 9, ha="left")
    sheet.panel(7.5, 3.6, 1.3, 1.1, "#f3f6fb", COLOURS[0])
    sheet.text(7.5, 3.98, "$G_R$", 10)
    sheet.text(7.5, 3.48, f"refinement\n细化网络\n{refine:,}\nparameters", 8.8)
    sheet.arrow((6.1, 4.45), (6.45, 4.45), (6.45, 3.8), (6.83, 3.8))
    sheet.arrow((6.95, 1.74), (6.95, 3.03), colour=CLOTH)
    _photo(sheet, 8.95, 3.6, shown.alpha, r"$\alpha$")
    sheet.arrow((8.17, 3.6), (8.47, 3.6))
    sheet.text(9.62, 4.75, r"$\hat I=\alpha\odot c'+(1-\alpha)\odot I'$", 10)
    sheet.text(9.62, 4.48, "formula 2-9", 8.8, GREY)
    _photo(sheet, 10.3, 3.6, shown.tryon, r"try-on $\hat I$")
    sheet.arrow((9.43, 3.6), (9.8, 3.6))
    said = f"counts at {times(*size)}; pictures of one example at {times(*shown.image.shape[:2])}"
    sheet.text(10.85, 0.14, said, 8.5, GREY, ha="right")
    return sheet.figure


def _matching(sheet: Sheet, shown: Scene) -> None:
    """Both outlines, a line from every fourth point to its partner."""
    size = shown.cloth.shape[:2]
    sheet.panel(3.1, 1.2, 3.0, 1.95, "#eef7f2", CLOTH)
    sheet.text(3.1, 1.94, "shape-context matching 形状匹配", 9)
    sheet.text(3.1, 0.39, "then a thin-plate spline through the pairs", 8.6)
    for x, content in ((2.2, shown.cloth), (4.0, np.repeat(shown.mask[..., None], 3, 2))):
        sheet.matrix(x, 1.17, 0.92, 0.92 * size[0] / size[1], content, edge=EDGE)
    flat = _points(sheet, 2.2, 1.17, shown.flat_points, size)
    worn = _points(sheet, 4.0, 1.17, shown.worn_points, size)
    for a, b in list(zip(flat, worn, strict=True))[::4]:
        sheet.axes.plot(*zip(a, b, strict=True), color=COLOURS[1], lw=0.5, alpha=0.7, zorder=5)
    for points in (flat, worn):
        sheet.axes.plot(*points.T, ".", color=COLOURS[1], ms=2, zorder=5)
    sheet.arrow((1.14, 1.6), (1.58, 1.4))
    sheet.arrow((5.6, 1.72), (5.6, 1.5), (4.62, 1.5))
    sheet.arrow((4.62, 1.0), (6.45, 1.0), colour=CLOTH)
