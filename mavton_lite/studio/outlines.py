"""The matching table: how many points, how stiff a spline, and what becomes of the garment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from mavton_lite.data.sample import to_unit
from mavton_lite.warp import resample
from mavton_lite.warp.shape_context import BENDING, Matching, match
from mavton_lite.warp.tps import pixel_grid

STIFFNESS = {"affine only": (1e6,), "stiff": (1e3, 1e2), "as VITON": BENDING, "loose": (1e3, *[1e-2] * 5)}
_SEAM = (213, 94, 0)


@dataclass(frozen=True)
class Table:
    """Which example, how many points on its outline, and the penalty of bending in each round."""

    example: int = 0
    points: int = 60
    stiffness: str = "as VITON"


def found(state: Table, cloth_masks: Tensor, targets: Tensor) -> Matching:
    """The matching of one example.

    Shape: (B, 1, H, W), (B, 1, H, W).   Raises: ValueError for an example, a stiffness or a mask that is not there.
    """
    if not 0 <= state.example < len(cloth_masks):
        raise ValueError(f"no example {state.example}; there are {len(cloth_masks)}")
    if state.stiffness not in STIFFNESS:
        raise ValueError(f"unknown stiffness {state.stiffness!r}; known: {', '.join(STIFFNESS)}")
    flat, worn = (m[state.example, 0].cpu().numpy() for m in (cloth_masks, targets))
    return match(flat, worn, state.points, STIFFNESS[state.stiffness])


def warped(matching: Matching, picture: Tensor) -> Tensor:
    """A garment's picture through the spline of a matching.   Shape: (C, H, W) -> same."""
    height, width = picture.shape[1:]
    sides = np.array([width - 1, height - 1])
    at = (pixel_grid(height, width).view(-1, 2).numpy() + 1) / 2 * sides  # (H * W, 2) px
    grid = torch.from_numpy(matching.spline(at) / sides * 2 - 1).float().view(1, height, width, 2)
    return resample(picture[None].cpu(), grid, "border")[0]


def lay(state: Table, people: Tensor, cloths: Tensor, cloth_masks: Tensor, targets: Tensor, height: int = 320):
    """Garment and wanted mask with lines between partners; then the garment bent, alone and inside the mask.

    Shape: pictures (B, 3, H, W) in [-1, 1], masks (B, 1, H, W) -> (height, about 3.1 height, 3) uint8.
    Raises: ValueError as `found` does.
    """
    matching = found(state, cloth_masks, targets)
    cloth, target = cloths[state.example].cpu(), targets[state.example].cpu()
    bent = warped(matching, cloth)
    worn = torch.lerp(people[state.example].cpu(), bent, target)
    scale = height / cloth.shape[1]
    size = (height, round(cloth.shape[2] * scale))
    shown = torch.stack([cloth, target.expand(3, -1, -1) * 1.4 - 0.7, bent, worn])
    large = F.interpolate(to_unit(shown), size, mode="bilinear", align_corners=False, antialias=True)
    cells = (large.permute(0, 2, 3, 1).numpy() * 255 + 0.5).clip(0, 255).astype(np.uint8)
    gap = np.full((height, height // 32, 3), 255, np.uint8)
    picture = Image.fromarray(np.concatenate([part for cell in cells for part in (cell, gap)][:-1], 1))
    draw, step = ImageDraw.Draw(picture), size[1] + gap.shape[1]
    for source, goal in matching.pairs:
        a, b = ((matching.source.points[source] + 0.5) * scale, (matching.target.points[goal] + 0.5) * scale)
        b = b + [step, 0]
        draw.line([*a, *b], fill=_SEAM, width=1)
        for x, y in (a, b):
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=_SEAM)
    return np.asarray(picture)
