"""What the exercises of notebook 07 are checked against; read it after you have tried."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mavton_lite.pose.maps import confidence_maps


def joint_map(joints: list[tuple[float, float]], height: int, width: int, sigma: float) -> Tensor:
    """Exercise 1: the confidence map of one kind of joint of several people.   Shape: -> (H, W)."""
    keypoints = torch.tensor([[(x, y, 1.0)] for x, y in joints])  # (P, 1, 3)
    return confidence_maps(keypoints, (height, width), sigma)[0]


def merging_distance(sigma: float) -> float:
    """Exercise 2: two bumps exp(-d^2 / sigma^2) this far apart, or nearer, have one top when they are added up.

    The second derivative of the sum, half-way between them, is zero there: each is a Gaussian of standard deviation
    sigma / sqrt(2), and two of those merge at two standard deviations.
    """
    return sigma * math.sqrt(2)


def limb_support(field: Tensor, start: tuple[float, float], end: tuple[float, float], samples: int = 10) -> float:
    """Exercise 3: how far a field points along a line, on average; at each sample its nearest cell counts.

    Shape: (2, H, W).
    """
    a, b = torch.tensor(start, dtype=torch.float32), torch.tensor(end, dtype=torch.float32)
    points = torch.lerp(a, b, torch.linspace(0, 1, samples)[:, None]).round().long()  # (S, 2)
    return float((field[:, points[:, 1], points[:, 0]].T @ ((b - a) / (b - a).norm())).mean())
