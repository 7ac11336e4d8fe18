"""What the exercises of notebook 14 are checked against; read it after you have tried."""

from __future__ import annotations

import torch
from torch import Tensor


def swiped(left: Tensor, right: Tensor, share: float) -> Tensor:
    """Exercise 1: `left` in the first `share` of the columns, `right` in the others.   Shape: (C, H, W) all three."""
    first = torch.arange(left.shape[2]) < round(share * left.shape[2])
    return torch.where(first, left, right)


def swipe_cases() -> list[tuple[tuple, Tensor]]:
    """Two pictures and where the line is, and what comes out."""
    left, right = torch.zeros(3, 4, 8), torch.arange(96.0).view(3, 4, 8)
    return [((left, right, share), swiped(left, right, share)) for share in (0.25, 0.0, 1.0, 0.5)]


def blended(weights: Tensor, off: float, strength: float) -> Tensor:
    """Exercise 2: `off` at strength 0, the trained weights at 1, and on along the same line beyond."""
    return off + strength * (weights - off)


def blend_cases() -> list[tuple[tuple, Tensor]]:
    """Weights, what off means, a strength; and the weights that come out."""
    weights = torch.tensor([0.1, 0.5, 0.9])
    return [((weights, off, s), blended(weights, off, s)) for off in (0.0, 1.0) for s in (1.0, 0.0, 0.5, 2.0)]
