"""How many joints were found: right place, right kind, right person."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

WITHIN_PX = 4.0  # of a 256 x 192 picture


class Found(NamedTuple):
    """Counts of joints; they add up over pictures by `+`."""

    right: int  # within reach of the true joint, on the person who has most of that person's joints
    true: int  # in the picture, not behind somebody else
    said: int  # by the decoder
    error_px: float  # summed over the right ones

    def __add__(self, other: Found) -> Found:  # type: ignore[override]  # counts add up, they are not chained
        right, true, said = self.right + other.right, self.true + other.true, self.said + other.said
        return Found(right, true, said, self.error_px + other.error_px)

    @property
    def recall(self) -> float:
        """Share of the true joints that were found."""
        return self.right / max(self.true, 1)

    @property
    def precision(self) -> float:
        """Share of what was said that is right."""
        return self.right / max(self.said, 1)

    @property
    def mean_error_px(self) -> float:
        """Mean distance of the right ones from the truth."""
        return self.error_px / max(self.right, 1)


NOTHING = Found(0, 0, 0, 0.0)


def joints_found(found: Tensor, true: Tensor, within_px: float = WITHIN_PX) -> Found:
    """Pair found people with true ones so that most joints are right, and count.

    A joint in the right place on the wrong person is not right.
    Shape: (P, 18, 3), (Q, 18, 3) x px, y px, 0 or less where missing.
    """
    said, wanted = found[..., 2] > 0, true[..., 2] > 0
    distance = (found[:, None, :, :2] - true[None, :, :, :2]).norm(dim=-1)  # (P, Q, 18)
    right = (distance <= within_px) & said[:, None] & wanted[None]
    pairs = np.stack(linear_sum_assignment(right.sum(-1).cpu().numpy(), maximize=True)).astype(int)
    chosen = right[pairs[0], pairs[1]]  # (min(P, Q), 18)
    error = torch.where(chosen, distance[pairs[0], pairs[1]], 0.0).sum()
    return Found(int(chosen.sum()), int(wanted.sum()), int(said.sum()), float(error))
