"""What the exercises of notebooks 03 and 04 are checked against; read it after you have tried."""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.models.glimpse import CELL_PX


def score_gradient(probabilities: Tensor, cell: int, reward: float, baseline: float) -> Tensor:
    """03, exercise 1: the REINFORCE estimate of the gradient by the scores.   Shape: (K,) -> (K,)."""
    one = torch.zeros_like(probabilities)
    one[cell] = 1
    return (reward - baseline) * (one - probabilities)


def best_baseline(probabilities: Tensor, rewards: Tensor) -> Tensor:
    """03, exercise 2: the number b with the least variance.   Shape: (K,), (K,) -> ().

    E[(r - b)^2 |s|^2] is least at E[r |s|^2] / E[|s|^2], where s is the gradient of the logarithm.
    """
    scores = torch.eye(len(probabilities)).to(probabilities) - probabilities  # (K choices, K)
    weight = probabilities * scores.square().sum(1)
    return (weight * rewards).sum() / weight.sum()


def chance_of_seeing(side_px: int, glimpses: int, good_cells: int) -> float:
    """03, exercise 3: of `glimpses` different cells taken at random, the chance that one at least is good."""
    cells, missed = (side_px // CELL_PX) ** 2, 1.0
    for k in range(glimpses):
        missed *= (cells - good_cells - k) / (cells - k)
    return 1 - missed


def spatial_gate(x: Tensor, weight: Tensor) -> Tensor:
    """04, exercise 1: formula (2-4).   Shape: (B, C, H, W), (1, 2, k, k) -> (B, 1, H, W)."""
    pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
    return torch.sigmoid(torch.nn.functional.conv2d(pooled, weight, padding=weight.shape[2] // 2))


def seen_px(kernel: int) -> int:
    """04, exercise 2: side of what a gate sees behind two 3 x 3 convolutions of stride 2."""
    field = kernel
    for _ in range(2):
        field = (field - 1) * 2 + 3
    return field


def undo(matrix: Tensor) -> Tensor:
    """04, exercise 3: the affine matrix that takes back another.   Shape: (2, 3) -> (2, 3)."""
    linear = torch.linalg.inv(matrix[:, :2])
    return torch.cat([linear, -linear @ matrix[:, 2:]], 1)
