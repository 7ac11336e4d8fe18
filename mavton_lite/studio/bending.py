"""The bending bench: move one control point of a thin-plate spline after the other; garment and error follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from mavton_lite.data.sample import to_unit
from mavton_lite.metrics import warp as measure
from mavton_lite.warp import TPSGrid, control_points, resample

FREE, HELD, INK = (213, 94, 0), (0, 114, 178), (31, 36, 48)


@dataclass(frozen=True)
class Point:
    """Which example, from which warp the bending starts, and which control point is held (row 0 is on top)."""

    example: int = 0
    start: str = ""  # "" is the first one of the scene
    row: int = 2
    column: int = 2


class Scene(NamedTuple):
    """What can be bent, and what it should become.   Shape: see each line; pictures in [-1, 1]."""

    cloth: Tensor  # (B, 3, H, W) flat
    mask: Tensor  # (B, 1, H, W) of the flat garment
    image: Tensor  # (B, 3, H, W) the person wearing it
    worn: Tensor  # (B, 1, H, W) 0 or 1, the garment as far as it is seen
    truth: Tensor  # (B, 2, H, W) true warp, cloth px, NaN where no garment is seen
    starts: Mapping[str, Tensor]  # name -> (B, 2 * grid^2) offsets


class Bent(NamedTuple):
    """A garment under some offsets, and how well it sits."""

    theta: Tensor  # (1, 2 * grid^2)
    cloth: Tensor  # (1, 3, H, W)
    mask: Tensor  # (1, 1, H, W)
    error_px: float  # end-point error at 256 x 192; NaN where no garment is seen
    overlap: float  # intersection over union of the masks


class Bench:
    """Offsets of the control points, kept point by point for every example and start."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.grid = round((next(iter(scene.starts.values())).shape[1] / 2) ** 0.5)
        self._spline = TPSGrid(scene.cloth.shape[2], scene.cloth.shape[3], self.grid)
        self._moves: dict[tuple[int, str], dict[tuple[int, int], tuple[float, float]]] = {}

    def moves(self, at: Point) -> dict[tuple[int, int], tuple[float, float]]:
        """(row, column) -> (right, down) of the points that were moved, in per cent of width and height."""
        return self._moves.setdefault((at.example, self._start(at)), {})

    def move(self, at: Point, right: float, down: float) -> None:
        """Put where the held point reads `right` and `down` per cent from where the start has it.

        Raises: ValueError for a point that is not on the lattice, an unknown start, or an example that is not there.
        """
        known = 0 <= at.example < len(self.scene.cloth) and self._start(at) in self.scene.starts
        if not known or not (0 <= at.row < self.grid and 0 <= at.column < self.grid):
            raise ValueError(f"found {at}, wanted one of {len(self.scene.cloth)} examples, a start of "
                             f"{', '.join(self.scene.starts)}, row and column below {self.grid}")  # fmt: skip
        self.moves(at)[at.row, at.column] = right, down

    def offset(self, at: Point) -> tuple[float, float]:
        """How far the held point was moved, in per cent."""
        return self.moves(at).get((at.row, at.column), (0.0, 0.0))

    @torch.no_grad()
    def bent(self, at: Point) -> Bent:
        """The garment under the start's offsets and all moves so far."""
        one = slice(at.example, at.example + 1)
        theta = self.scene.starts[self._start(at)][one].detach().clone()
        offsets = theta.view(2, self.grid, self.grid)  # (x or y, column, row): x is the slow axis
        for (row, column), moved in self.moves(at).items():
            offsets[:, column, row] += torch.tensor(moved) * 2 / 100
        grid = self._spline(theta)
        cloth, mask = resample(self.scene.cloth[one], grid), resample(self.scene.mask[one], grid, "zeros")
        truth = self.scene.truth[one]
        error = measure.end_point_error(measure.to_pixels(grid, *truth.shape[2:]), truth, measure.REFERENCE_SIZE)
        overlap = measure.iou(mask > 0.5, self.scene.worn[one] > 0.5)
        return Bent(theta, cloth, mask, error.item(), overlap.item())

    def draw(self, at: Point, height: int = 288) -> np.ndarray:
        """Where the points read on the flat garment, the garment bent, laid over the person, the truth; below, scores.

        Shape: -> (about 1.1 height, about 3.1 height, 3) uint8.
        """
        found, one = self.bent(at), slice(at.example, at.example + 1)
        over = torch.lerp(self.scene.image[one], found.cloth, found.mask)
        shown = torch.cat([self.scene.cloth[one], found.cloth, over, self.scene.image[one]])
        width = round(height * shown.shape[3] / shown.shape[2])
        large = to_unit(F.interpolate(shown, (height, width), mode="bilinear", align_corners=False))
        gap = height // 32
        paper = Image.new("RGB", (4 * width + 3 * gap, height + 34), "white")
        for k, picture in enumerate((large * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()):
            paper.paste(Image.fromarray(picture), (k * (width + gap), 0))
        brush = ImageDraw.Draw(paper)
        regular = control_points(self.grid).view(self.grid, self.grid, 2)
        read = regular + found.theta.double().view(2, self.grid, self.grid).permute(1, 2, 0)
        for left, points in ((0, read), (width + gap, regular)):
            _lattice(brush, points.numpy(), left, width, height, at)
        scores = f"end-point error {found.error_px:.1f} px at 256 x 192 · masks overlap {found.overlap:.0%}"
        brush.text((6, height + 9), scores, fill=INK, font_size=16)
        return np.asarray(paper)

    def _start(self, at: Point) -> str:
        return at.start or next(iter(self.scene.starts))


def _lattice(brush: ImageDraw.ImageDraw, points: np.ndarray, left: int, width: int, height: int, at: Point) -> None:
    """The lattice over one picture, cut off at its frame; the held point is larger.   Shape: points (grid, grid, 2)."""
    x = left + (points[..., 0] + 1) / 2 * (width - 1)
    y = (points[..., 1] + 1) / 2 * (height - 1)
    x, y = x.clip(left, left + width - 1), y.clip(0, height - 1)
    for lines in (zip(x, y, strict=True), zip(x.T, y.T, strict=True)):
        for line in lines:
            brush.line(list(zip(*line, strict=True)), fill=FREE, width=1)
    for column, row in np.ndindex(points.shape[:2]):
        held = (row, column) == (at.row, at.column)
        size, colour = (6, HELD) if held else (3, FREE)
        centre = float(x[column, row]), float(y[column, row])
        brush.ellipse([centre[0] - size, centre[1] - size, centre[0] + size, centre[1] + size], fill=colour)
