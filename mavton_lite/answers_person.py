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


def joined(parts: list[tuple[float, int, int]], people: int) -> int:
    """Exercise 3: the sum, in hundredths, of the best assignment of necks to wrists; see `pose.decode.assign`."""
    from mavton_lite.pose.decode import assign

    table = torch.zeros(people, people)
    for score, a, b in parts:
        table[a, b] = score
    return round(100 * sum(float(table[a, b]) for a, b in assign(table)))
