"""Is a silhouette's outline where it should be: the boundary F-score, which a large inside cannot hide."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.metrics.regions import grow

SHARE = 0.008  # tolerance as a share of the picture's diagonal, as in DAVIS


@dataclass(frozen=True)
class Labeller:
    """What names the label of every pixel of a picture, and the digest of its weights."""

    labels: Callable[[Tensor], Tensor]  # (B, 3, H, W) in [-1, 1] -> (B, H, W) LIP ids
    sha256: str


def tolerance_px(height: int, width: int) -> int:
    """How far off an outline may be and count as right.   Source: Perazzi et al. 2016: 0.8 % of the diagonal."""
    return math.ceil(SHARE * math.hypot(height, width))


def outline(mask: Tensor) -> Tensor:
    """Pixels of a mask with one of their four neighbours outside it; the picture's edge is no outline.

    Shape: (B, 1, H, W) bool -> same.   Raises: ValueError for another shape.
    """
    if mask.ndim != 4 or mask.shape[1] != 1:
        raise ValueError(f"outline wants masks (B, 1, H, W), got {tuple(mask.shape)}")
    outside = F.pad(~mask, (1, 1, 1, 1), value=False)
    beside = outside[..., :-2, 1:-1] | outside[..., 2:, 1:-1] | outside[..., 1:-1, :-2] | outside[..., 1:-1, 2:]
    return mask & beside


def near(points: Tensor, radius_px: int) -> Tensor:
    """Pixels within that Euclidean distance of a point.   Shape: (B, 1, H, W) bool -> same."""
    across = torch.arange(-radius_px, radius_px + 1, device=points.device)
    disc = (across[:, None] ** 2 + across**2 <= radius_px**2).float()
    return F.conv2d(points.float(), disc[None, None], padding=radius_px) > 0.5


def boundary_f(found: Tensor, truth: Tensor, radius_px: int, ignore: Tensor | None = None) -> Tensor:
    """Boundary F-score of two silhouettes: 2 P R / (P + R), 1 where outlines agree, NaN where there is nothing to find.

    P: share of the found outline within `radius_px` of the true one; R: share of the true outline within `radius_px`
    of the found one. Outline pixels that near to `ignore` are not counted. 0 where one of the two is empty.
    Source: Martin et al. 2004; Perazzi et al. 2016 (DAVIS).
    Shape: bool (B, 1, H, W) each -> (B,).   Raises: ValueError when shapes differ.
    """
    if found.shape != truth.shape:
        raise ValueError(f"found masks {tuple(found.shape)} and {tuple(truth.shape)}, wanted two equal (B, 1, H, W)")
    lines = [outline(m) for m in (found, truth)]
    counted = lines if ignore is None else [line & ~grow(ignore, radius_px) for line in lines]
    totals = [c.flatten(1).sum(1) for c in counted]
    hits = [(c & near(other, radius_px)).flatten(1).sum(1) for c, other in zip(counted, lines[::-1], strict=True)]
    precision, recall = (h / t.clamp(min=1) for h, t in zip(hits, totals, strict=True))
    score = 2 * precision * recall / (precision + recall).clamp(min=1e-12)
    return torch.where(totals[0] + totals[1] > 0, score, torch.full_like(score, torch.nan))
