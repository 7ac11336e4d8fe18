"""What the exercises of notebook 08 are checked against; read it after you have tried."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mavton_lite.losses import total_variation


def variation_cases() -> list[tuple[tuple[Tensor], Tensor]]:
    """08, exercise 1: masks (B, 1, H, W) and their total variation."""
    dice = torch.Generator().manual_seed(0)
    masks = (torch.rand(2, 1, 5, 4, generator=dice), torch.ones(1, 1, 3, 3), torch.eye(4)[None, None])
    return [((mask,), total_variation(mask)) for mask in masks]


def cheapest(cost: np.ndarray) -> float:
    """08, exercise 2: the least total cost of partners one to one.   Shape: (n, n) -> ()."""
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].sum())


def cheapest_cases() -> list[tuple[tuple[np.ndarray], float]]:
    """08, exercise 2: costs of which taking the nearest free partner, point after point, is not the cheapest."""
    trap = np.array([[1.0, 2.0, 9.0], [1.5, 9.0, 9.0], [9.0, 9.0, 3.0]])
    dice = np.random.default_rng(0)
    return [((c,), cheapest(c)) for c in (trap, *(dice.random((4, 4)) for _ in range(3)))]


def alpha_sees(layers: int, kernel: int = 3) -> int:
    """08, exercise 3: the side, in pixels, of what one value of alpha depends on; the norm's statistics left out."""
    return 1 + layers * (kernel - 1)
