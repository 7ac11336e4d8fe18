"""MA-VTON as a whole and its two modules: shapes read off the running modules, pictures from a trained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from mavton_lite.models.cpvton import TOM
from mavton_lite.models.gmm import GMM, PERSON_CHANNELS
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.plots.attention import enlarge
from mavton_lite.plots.colours import as_array, heat_over
from mavton_lite.plots.diagram import GREY, Sheet, times
from mavton_lite.plots.style import COLOURS, INK

Shape = tuple[int, ...]  # without the batch
BODY, CLOTH, GATE = "#9cc3e6", COLOURS[2], COLOURS[0]
SHOWN_DPI = 84
PERSON_PARTS = {"shape": 1, "kept parts": 3, "pose": 18}


@dataclass
class PipelineShapes:
    """What hooks saw of both modules in one forward pass: name -> what went in and what came out."""

    seen: dict[str, tuple[list[Shape], Shape]] = field(default_factory=dict)
    layers: dict[str, list[Shape]] = field(default_factory=dict)  # name -> after each convolution
    parameters: dict[str, int] = field(default_factory=dict)
    gates: int = 0  # parameters of the gates alone
    skips: int = 0

    def shown(self, name: str) -> str:
        """The output shape of a module as people write it."""
        return times(*self.seen[name][1])


def trace_pipeline(gmm: GMM, tom: TOM, size: tuple[int, int]) -> PipelineShapes:
    """Run both modules once and note every shape; on the meta device nothing is computed.

    Shape: size is (height, width) of the picture.
    """
    shapes = PipelineShapes()
    parts: dict[str, nn.Module] = {
        "person": gmm.person, "cloth": gmm.cloth, "regression": gmm.regression, "tps": gmm.tps, "unet": tom.unet,
    }  # fmt: skip

    def noting(name: str):
        def hook(_module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            shapes.seen[name] = [tuple(a.shape[1:]) for a in args], tuple(output.shape[1:])

        return hook

    handles = [part.register_forward_hook(noting(name)) for name, part in parts.items()]
    for name in ("person", "cloth", "regression"):
        listed = shapes.layers.setdefault(name, [])
        convolutions = (m for m in parts[name].modules() if isinstance(m, nn.Conv2d))
        handles += [m.register_forward_hook(lambda _m, _a, out, at=listed: at.append(tuple(out.shape[1:])))
                    for m in convolutions]  # fmt: skip
    device = next(tom.parameters()).device
    try:
        with torch.no_grad():
            person, cloth, mask = (torch.zeros(1, c, *size, device=device) for c in (PERSON_CHANNELS, 3, 1))
            warp = gmm(person, cloth, mask)
            tom(person, warp.cloth, warp.mask)
    finally:
        for handle in handles:
            handle.remove()
    shapes.parameters = {"gmm": _count(gmm), "tom": _count(tom)}
    shapes.gates, shapes.skips = sum(_count(g) for g in tom.unet.gates.values()), tom.unet.downs - 1
    return shapes


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@dataclass(frozen=True)
class Scene:
    """One example on its way through a trained network, as pictures for matplotlib.   Shape: (H, W, 3) or (H, W)."""

    image: np.ndarray
    cloth: np.ndarray
    parts: dict[str, np.ndarray]  # of the person representation
    warped: np.ndarray
    rendered: np.ndarray
    mask: np.ndarray
    tryon: np.ndarray
    truth: np.ndarray
    lines: np.ndarray  # the warped garment with the lattice of the flat one
    asked: tuple[int, int]  # a place (row, column) of the person's feature map
    match: np.ndarray  # (h, w) how well each place of the garment's feature map answers it
    points: np.ndarray  # (g, g, 2) where the control points read the garment, (x, y) in [-1, 1]


@torch.no_grad()
def scene(pipeline: TryOnPipeline, batch: dict, index: int = 0) -> Scene:
    """What happens to one example of a batch in a trained pipeline; the batch has its truth."""
    kept: list[Tensor] = []
    handle = pipeline.gmm.regression.register_forward_pre_hook(lambda _module, args: kept.append(args[0]))
    try:
        person, warp, tryon = pipeline(batch)
    finally:
        handle.remove()
    volume = kept[0][index].float().cpu().numpy()  # (place of the person, rows of the garment, columns)
    rows, columns = volume.shape[1:]
    neck, hips = batch["keypoints"][index, 1, :2], batch["keypoints"][index, [8, 11], :2].mean(0)
    x, y = ((neck + hips) / 2).tolist()
    height, width = batch["image"].shape[2:]
    asked = (min(int(y / height * rows), rows - 1), min(int(x / width * columns), columns - 1))
    side = pipeline.gmm.settings.grid
    regular = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij"))  # x slowest
    points = (regular.flatten(1) + warp.theta[index].view(2, -1).cpu()).view(2, side, side).permute(1, 2, 0)
    parts = {
        "shape": (person.silhouette[index, 0].cpu().numpy() + 1) / 2,
        "kept parts": as_array(person.head[index]),
        "pose": (person.pose[index].amax(0).cpu().numpy() + 1) / 2,
    }
    warped, inside = as_array(warp.cloth[index]), warp.mask[index, 0].cpu().numpy() > 0.5
    return Scene(
        as_array(batch["image"][index]), as_array(batch["cloth"][index]), parts, warped,
        as_array(tryon.rendered[index]), tryon.mask[index, 0].cpu().numpy(), as_array(tryon.image[index]),
        as_array(batch["truth_image"][index]), _lattice(warped, warp.grid[index].cpu().numpy(), inside), asked,
        volume[asked[1] * rows + asked[0]], points.numpy(),  # places of the person are counted down the columns
    )  # fmt: skip


def _lattice(picture: np.ndarray, grid: np.ndarray, inside: np.ndarray, every: float = 1 / 6) -> np.ndarray:
    """The picture with the lines where the flat garment's square grid has gone."""
    square = np.floor(grid / every)
    line = np.zeros(picture.shape[:2], bool)
    line[:-1] |= (np.diff(square, axis=0) != 0).any(-1)
    line[:, :-1] |= (np.diff(square, axis=1) != 0).any(-1)
    return np.where((line & inside)[..., None], np.array([0.84, 0.0, 0.35]), picture)


def _photo(sheet: Sheet, x: float, y: float, content: np.ndarray, words: str, w: float = 0.95) -> None:
    """A picture around its middle with words below."""
    h = w * content.shape[0] / content.shape[1]
    sheet.matrix(x, y, w, h, content, "gray", (0, 1), edge="#8a90a0")
    sheet.text(x, y - h / 2 - 0.07, words, 9, va="top")


def _stack(sheet: Sheet, x: float, y: float, parts: Mapping[str, np.ndarray], w: float = 0.72) -> None:
    """The parts of the person representation, one behind the other."""
    for k, content in enumerate(parts.values()):
        h = w * content.shape[0] / content.shape[1]
        sheet.matrix(x + 0.3 * (k - 1), y - 0.17 * (k - 1), w, h, content, "gray", (0, 1), edge="#8a90a0")


def overview(shapes: PipelineShapes, shown: Scene) -> Figure:
    """Section 3.2: a person and a shop's picture in, the try-on out; the warping module, then the try-on module."""
    sheet = Sheet(11, 5.5, SHOWN_DPI)
    _photo(sheet, 0.72, 4.05, shown.image, "person 人物")
    _photo(sheet, 0.72, 1.55, shown.cloth, "garment $c$")
    _stack(sheet, 2.45, 4.1, shown.parts)
    given = times(*shapes.seen["person"][0][0])
    sheet.text(2.5, 3.22, f"person representation\n人体表征 {_channels()}\n{given}", 9, va="top")
    sheet.arrow((1.22, 4.05), (1.72, 4.05))
    sheet.box(2.62, 1.55, 1.5, 1.15, fill="#eef7f2", colour=CLOTH)
    sheet.text(2.62, 1.86, "warping module", 9.5)
    sheet.text(2.62, 1.62, "服装变形模块 (GMM)", 9)
    sheet.text(2.62, 1.28, f"{shapes.parameters['gmm']:,}\nparameters", 8, GREY)
    sheet.arrow((1.22, 1.55), (1.84, 1.55))
    sheet.arrow((2.62, 2.62), (2.62, 2.16))
    _photo(sheet, 4.3, 1.55, shown.lines, r"warped garment $\hat c$")
    sheet.arrow((3.4, 1.55), (3.8, 1.55))
    _unet(sheet, 6.1, 3.1, shapes)
    sheet.arrow((3.25, 4.3), (5.0, 4.3), colour=INK)
    sheet.arrow((4.3, 2.24), (4.3, 2.9), (5.0, 2.9))
    _photo(sheet, 8.0, 4.35, shown.rendered, "painted person $I_r$", 0.85)
    _photo(sheet, 8.0, 2.55, shown.mask, "mask $M$", 0.85)
    sheet.arrow((7.2, 3.9), (7.53, 4.3))
    sheet.arrow((7.2, 2.9), (7.53, 2.6))
    sheet.operation(9.1, 3.1, "+")
    sheet.arrow((8.47, 4.3), (9.1, 4.3), (9.1, 3.26))
    sheet.text(9.16, 3.75, "$(1-M)\\,I_r$", 8.5, ha="left")
    sheet.arrow((8.47, 2.6), (8.85, 2.6), (9.02, 2.97))
    sheet.arrow((4.3, 0.62), (4.3, 0.42), (9.1, 0.42), (9.1, 2.94), colour=CLOTH)
    sheet.text(9.02, 1.6, r"$M\,\hat c$", 8.5, CLOTH, ha="right")
    _photo(sheet, 10.3, 3.1, shown.tryon, "try-on $I_o$")
    sheet.arrow((9.26, 3.1), (9.79, 3.1))
    sheet.box(10.1, 1.35, 1.5, 0.82, colour=COLOURS[1], fill="#fdf0e8")
    sheet.text(10.1, 1.35, "joint loss 联合损失\nL1, perceptual,\nmask, adversarial", 8.5)
    sheet.arrow((10.3, 2.15), (10.3, 1.78), colour=COLOURS[1])
    size = times(*shapes.seen["tps"][1][:2])
    said = f"shapes and counts at {size}; pictures from trained weights at {times(*shown.image.shape[:2])}"
    sheet.text(10.85, 0.16, said, 8.5, GREY, ha="right")
    return sheet.figure


def _channels() -> str:
    return " + ".join(str(n) for n in PERSON_PARTS.values())


def _unet(sheet: Sheet, x: float, y: float, shapes: PipelineShapes) -> None:
    """A U with a gate on every skip: as many as the module has."""
    sheet.panel(x, y, 2.2, 2.75, "#f3f6fb", GATE)
    sheet.text(x, y + 1.2, "try-on module 试穿模块", 9.5)
    rows = shapes.skips + 1
    for k in range(rows):
        at, reach = y + 0.82 - 0.31 * k, 0.88 - 0.13 * k
        if k == rows - 1:
            sheet.box(x, at, 0.34, 0.15, fill=BODY, colour=BODY)
            continue
        for side in (-1, 1):
            sheet.box(x + side * reach, at, 0.12 + 0.03 * k, 0.2, fill=BODY if side < 0 else "#f5c08a", colour=INK)
        sheet.arrow((x - reach + 0.1, at), (x + reach - 0.1, at), colour=GREY)
        for letter, colour, shift in (("C", COLOURS[0], -0.13), ("S", COLOURS[1], 0.13)):
            sheet.box(x + shift, at, 0.2, 0.2, letter, colour=colour, fill="white", size=7.5)
    sheet.text(x, y - 1.17, f"MA-UNet: {shapes.parameters['tom']:,}\nof which the gates {shapes.gates:,}", 8, GREY)


def warping(shapes: PipelineShapes, shown: Scene) -> Figure:
    """Section 3.2.1: features of person and garment, their correlation, a regression, a thin-plate spline."""
    sheet = Sheet(11, 5.3, SHOWN_DPI)
    size = shown.image.shape[:2]
    rows, columns = shown.match.shape
    for y, name, picture, words in (
        (4.15, "person", shown.image, "person 人物"), (1.3, "cloth", shown.cloth, "garment $c$"),
    ):  # fmt: skip
        _photo(sheet, 0.7, y, picture, words)
        _slabs(sheet, 1.75, y, shapes.layers[name], BODY)
        given = times(*shapes.seen[name][0][0])
        sheet.text(1.42, y + 0.95, f"features 特征提取: {given} → {shapes.shown(name)}", 8.8, ha="left")
        sheet.arrow((1.2, y), (1.42, y))
    row, column = shown.asked
    tall = 0.95 * size[0] / size[1]
    spot = (0.7 - 0.475 + (column + 0.5) / columns * 0.95, 4.15 + tall / 2 - (row + 0.5) / rows * tall)
    sheet.axes.plot(*spot, "s", ms=8, mfc="none", mec=COLOURS[1], mew=1.8, zorder=7)
    sheet.box(4.95, 2.8, 1.15, 0.85, "correlation\n相关层", colour=COLOURS[1], fill="#fdf0e8")
    sheet.arrow((4.45, 4.15), (4.95, 4.15), (4.95, 3.26))
    sheet.arrow((4.45, 1.3), (4.95, 1.3), (4.95, 2.34))
    sheet.text(4.28, 2.8, times(*shapes.seen["regression"][0][0]), 8.5, GREY, ha="right")
    heat = enlarge(shown.match, size)
    answered = heat_over(shown.cloth, heat, float(shown.match.min()), float(shown.match.max()))
    _photo(sheet, 6.25, 4.1, answered, "")
    sheet.text(6.25, 4.8, "how well each place of the\ngarment answers the framed one", 8.8, va="bottom")
    sheet.arrow((5.55, 3.0), (6.25, 3.0), (6.25, 3.44), colour=COLOURS[1])
    sheet.box(6.55, 2.0, 1.35, 0.62, "regression 回归", fill="#f3f6fb", colour=GATE)
    steps = " → ".join(times(*shape) for shape in shapes.layers["regression"])
    sheet.text(6.9, 1.5, steps.replace(" → ", "\n→ "), 8, GREY, va="top")
    sheet.arrow((5.55, 2.62), (5.85, 2.15))
    sheet.text(7.62, 2.2, f"$\\theta$: {shapes.seen['tps'][0][0][0]}", 9.5)
    sheet.arrow((7.25, 2.0), (8.0, 2.0))
    _photo(sheet, 8.55, 2.0, shown.cloth, "")
    side = len(shown.points)
    sheet.text(8.55, 0.98, f"{side} × {side} control points:\nwhere they read", 9, va="top")
    _control(sheet, 8.55, 2.0, shown.points, 0.95, size)
    sheet.arrow((9.06, 2.0), (9.75, 2.0))
    sheet.text(9.4, 2.2, "TPS", 9.5)
    _photo(sheet, 10.3, 2.0, shown.lines, r"warped garment $\hat c$")
    sheet.text(9.0, 4.3, f"warping module 服装变形模块\n{shapes.parameters['gmm']:,} parameters", 10)
    sheet.text(9.0, 3.75, r"$L_{GMM} = \|\hat c - c_t\|_1$, formula 2-10", 9.5)
    said = f"shapes at {times(*shapes.seen['tps'][1][:2])}; pictures from trained weights at {times(*size)}"
    sheet.text(10.85, 0.16, said, 8.5, GREY, ha="right")
    return sheet.figure


def _slabs(sheet: Sheet, x: float, y: float, layers: Sequence[Shape], colour: str) -> None:
    """Feature maps in a row: as high as the logarithm of their side, as deep as that of their channels."""
    for shape in layers:
        tall, deep = 0.135 * np.log2(shape[1]), 0.035 * np.log2(shape[0])
        sheet.slab(x, y, 0.08, tall, deep, colour)
        sheet.text(x + 0.05, y - tall / 2 - 0.06, f"{shape[0]}\n{shape[1]} × {shape[2]}", 7, GREY, va="top")
        x += 0.5


def _control(sheet: Sheet, x: float, y: float, points: np.ndarray, w: float, size: tuple[int, int]) -> None:
    h = w * size[0] / size[1]
    at = np.stack([x + points[..., 0] * w / 2, y - points[..., 1] * h / 2], -1)  # (g, g, 2)
    for line in (*at, *at.transpose(1, 0, 2)):
        sheet.axes.plot(line[:, 0], line[:, 1], color=COLOURS[1], lw=0.8, zorder=5, alpha=0.8)
    sheet.axes.plot(at[..., 0].ravel(), at[..., 1].ravel(), "o", ms=2.6, color=COLOURS[1], zorder=6)
