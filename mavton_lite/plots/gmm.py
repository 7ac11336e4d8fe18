"""The geometric matching module as a drawing whose shapes and pictures are those of running modules: figure 2.10."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from mavton_lite.data.person import Person
from mavton_lite.models.gmm import GMM, PERSON_CHANNELS, Warp
from mavton_lite.models.summary import count_parameters
from mavton_lite.plots.colours import as_array
from mavton_lite.plots.diagram import GREY, Sheet, times
from mavton_lite.plots.style import COLOURS
from mavton_lite.warp import control_points

PERSON, CLOTH, READ = COLOURS[0], COLOURS[2], COLOURS[1]
_PALE = {PERSON: "#9cc3e6", CLOTH: "#9fd8c4", READ: "#f5c08a"}
Shape = tuple[int, ...]  # without the batch


@dataclass
class GMMShapes:
    """What hooks saw in one forward pass: the result of every convolution, by part, and the parts' parameters."""

    size: tuple[int, int] = (0, 0)
    person: list[Shape] = field(default_factory=list)
    cloth: list[Shape] = field(default_factory=list)
    volume: Shape = ()
    regression: list[Shape] = field(default_factory=list)
    theta: Shape = ()
    parameters: dict[str, int] = field(default_factory=dict)


def trace(gmm: GMM) -> GMMShapes:
    """Run a matching module once and note every shape; on the meta device nothing is computed."""
    seen = GMMShapes(gmm.size)
    seen.parameters = {name: count_parameters(part) for name, part in gmm.named_children() if name != "tps"}
    handles = []
    for part, shapes in ((gmm.person, seen.person), (gmm.cloth, seen.cloth), (gmm.regression.conv, seen.regression)):
        handles += [m.register_forward_hook(_noting(shapes)) for m in part if isinstance(m, nn.Conv2d)]
    device = gmm.regression.linear.weight.device
    handles.append(gmm.regression.register_forward_hook(lambda _, args, out: _ends(seen, args[0], out)))
    training = gmm.training
    try:
        with torch.no_grad():
            gmm.eval()(*(torch.zeros(1, c, *gmm.size, device=device) for c in (PERSON_CHANNELS, 3, 1)))
    finally:
        gmm.train(training)
        for handle in handles:
            handle.remove()
    return seen


def _noting(shapes: list[Shape]):
    return lambda _module, _args, output: shapes.append(tuple(output.shape[1:]))


def _ends(seen: GMMShapes, volume: Tensor, theta: Tensor) -> None:
    seen.volume, seen.theta = tuple(volume.shape[1:]), tuple(theta.shape[1:])


def lattice(theta: Tensor, grid: int) -> Tensor:
    """Where the control points read on the flat cloth.   Shape: (2 * grid^2,) -> (grid, grid, 2), x slow, y fast."""
    at = control_points(grid).to(theta) + theta.view(2, -1).T
    return at.view(grid, grid, 2)


def outlook(person: Person) -> np.ndarray:
    """The 22 channels of one person in one picture: kept parts, else silhouette, key points on top.

    Shape: a batch of one -> (H, W, 3) in [0, 1].
    """
    shape = (person.silhouette[0, 0].cpu().numpy() + 1) / 2  # (H, W)
    ground = (0.15 + 0.5 * shape)[..., None] * np.ones(3)
    head = person.head[0]
    kept = (head > -1).any(0).cpu().numpy()[..., None]
    points = (person.pose[0] > 0).any(0).cpu().numpy()[..., None]
    return np.where(points, [1.0, 0.95, 0.4], np.where(kept, as_array(head), ground))


def matching_module(shapes: GMMShapes, person: Person, cloth: Tensor, warp: Warp, grid: int, volume: Tensor) -> Figure:
    """Figure 2.10: two extractions, their correlation, the regression of the offsets, the spline, and loss (2-10).

    `shapes` may be those of another size than the pictures'.
    Shape: batches of one example: cloth (1, 3, H, W) in [-1, 1], volume (1, w * h, h, w).
    """
    sheet = Sheet(12.7, 6.0)
    high, low, middle = 4.62, 1.62, 3.12
    _extraction(sheet, high, shapes.person, outlook(person), PERSON, f"person $p$ ({PERSON_CHANNELS})", "人物表示")
    _extraction(sheet, low, shapes.cloth, as_array(cloth[0]), CLOTH, "garment $c$", "服装")
    sheet.text(2.75, 5.78, "extraction", 10)
    sheet.text(2.75, 5.56, "特征提取", 9.5)
    x = 4.95
    sheet.text(x, 5.78, "correlation", 10)
    sheet.text(x, 5.56, "相关匹配", 9.5)
    for y in (high, low):
        sheet.arrow((4.38, y), (x, y), (x, middle + (0.2 if y > middle else -0.2)))
    sheet.text(x + 0.06, high - 0.4, "L2 norm,\nall pairs of places", 8, GREY, "left")
    sheet.operation(x, middle, "·")
    shown = volume[0].flatten(1).cpu().numpy()
    sheet.arrow((x + 0.14, middle), (x + 0.4, middle))
    sheet.matrix(x + 0.95, middle, 1.0, 1.0, shown, "gray")
    sheet.text(x + 0.95, middle + 0.64, times(*shapes.volume), 8.5)
    sheet.text(x + 0.95, middle - 0.6, "rows: places of the body\ncolumns: of the garment", 8, GREY, va="top")
    left = _regression(sheet, middle, shapes, x + 1.5)
    _spline(sheet, left, shapes, cloth, warp, person, grid, (high, low, middle))
    return sheet.figure


def _extraction(sheet: Sheet, y: float, shapes: list[Shape], seen: np.ndarray, colour: str, name: str, chinese: str):
    width = 1.25 * seen.shape[1] / seen.shape[0]
    sheet.matrix(0.72, y, width, 1.25, seen)
    sheet.text(0.72, y + 0.93, name, 9.5)
    sheet.text(0.72, y + 0.75, chinese, 9)
    x, before = 1.55, 0.72 + width / 2
    for shape in shapes:
        w, h, deep = _measures(shape)
        sheet.arrow((before + 0.03, y), (x - 0.02, y), colour=GREY)
        sheet.slab(x + w / 2, y, w, h, deep, _PALE[colour])
        sheet.text(x + w / 2 + 0.05, y - 0.78, f"{shape[0]}\n{shape[1]}×{shape[2]}", 7.5, GREY, va="top")
        before, x = x + w + deep * 0.3, x + w + deep * 0.6 + 0.17


def _measures(shape: Shape) -> tuple[float, float, float]:
    """Width, height and depth of a slab: the picture's side and the channels, by their logarithms."""
    h = 0.16 * np.log2(max(shape[1], 2)) + 0.04
    return 0.12 + 0.03 * np.log2(max(shape[0], 2)) * 0.4, h, 0.03 * np.log2(max(shape[0], 2))


def _regression(sheet: Sheet, y: float, shapes: GMMShapes, x: float) -> float:
    before = x
    sheet.text(7.3, 5.78, "regression", 10)
    sheet.text(7.3, 5.56, "回归", 9.5)
    x += 0.3
    for shape in shapes.regression:
        w, h, deep = _measures(shape)
        sheet.arrow((before, y), (x - 0.02, y), colour=GREY)
        sheet.slab(x + w / 2, y, w, h, deep, _PALE[READ])
        sheet.text(x + w / 2 + 0.05, y - 0.5, f"{shape[0]}\n{shape[1]}×{shape[2]}", 7.5, GREY, va="top")
        before, x = x + w + deep * 0.3, x + w + deep * 0.6 + 0.15
    sheet.arrow((before, y), (x + 0.02, y), colour=GREY)
    sheet.box(x + 0.26, y, 0.46, 0.62, "linear\ntanh", READ, size=8)
    sheet.text(x + 0.26, y + 0.5, rf"$\theta$: {times(*shapes.theta)}", 9)
    return x + 0.5


def _spline(sheet: Sheet, x: float, shapes: GMMShapes, cloth: Tensor, warp: Warp, person: Person, grid: int,
            rows: tuple[float, float, float]) -> None:  # fmt: skip
    high, low, middle = rows
    sheet.text(11.9, 5.78, "thin-plate spline", 10)
    sheet.text(11.9, 5.56, "薄板样条", 9.5)
    tall = 1.5
    wide = tall * cloth.shape[3] / cloth.shape[2]
    flat, bent, worn = (as_array(p) for p in (cloth[0], warp.cloth[0], person.worn_cloth[0]))
    at, there = control_points(grid).view(grid, grid, 2), lattice(warp.theta[0].double().cpu(), grid)
    columns = (10.3, 11.9)
    sheet.arrow((x, middle), (columns[0], middle), (columns[0], middle + 0.22), colour=READ)
    y, half = middle + 1.28, wide / 2 + 0.05
    _meshed(sheet, columns[0], y, wide, tall, flat, there.numpy())
    _meshed(sheet, columns[1], y, wide, tall, bent, at.numpy())
    sheet.arrow((columns[0] + half, y), (columns[1] - half, y), colour=READ)
    sheet.text(columns[0], middle + 0.36, "where the points read", 8.5)
    sheet.text(columns[1], middle + 0.36, r"$\hat c = T_\theta(c)$", 9.5)
    sheet.matrix(columns[1], low - 0.25, wide, tall, worn)
    sheet.text(columns[1], low - 1.17, "$c_t$, as worn", 9.5)
    sheet.box(columns[0], low - 0.25, 1.3, 0.5, r"$\|\hat c - c_t\|_1$  (2-10)", READ, "#fdebdd", 9)
    sheet.arrow((columns[1], middle + 0.2), (columns[1], 2.6), (columns[0], 2.6), (columns[0], low + 0.02))
    sheet.arrow((columns[1] - wide / 2 - 0.04, low - 0.25), (columns[0] + 0.67, low - 0.25))
    total = sum(shapes.parameters.values())
    parts = "   ".join(f"{name} {count:,}" for name, count in shapes.parameters.items())
    sheet.text(0.15, 0.28, f"parameters at {times(*shapes.size)}:  {parts}   in all {total:,}", 8.5, GREY, "left")


def _meshed(sheet: Sheet, x: float, y: float, w: float, h: float, picture: np.ndarray, at: np.ndarray) -> None:
    """A picture with a lattice of control points over it.   Shape: at (grid, grid, 2) in [-1, 1]."""
    sheet.matrix(x, y, w, h, picture)
    px, py = x + at[..., 0] * w / 2, y - at[..., 1] * h / 2
    for lines in (zip(px, py, strict=True), zip(px.T, py.T, strict=True)):
        for line_x, line_y in lines:
            sheet.axes.plot(line_x, line_y, color=READ, lw=0.8, zorder=5, alpha=0.9)
    sheet.axes.plot(px.ravel(), py.ravel(), "o", ms=3, color=READ, mec="white", mew=0.5, zorder=6)
