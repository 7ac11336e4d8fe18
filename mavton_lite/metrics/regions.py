"""Where a try-on happens: the garment region and the band where arms meet cloth. Most of a picture never changes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

GROW_PX = 2  # the garment region reaches this far beyond the labels: edges belong to the garment
BAND_PX = 3  # the band is everything this near to an arm and to the garment
ARM_LABELS = (14, 15)
HAIR_LABELS = (2,)


def has_label(parse: Tensor, labels: Sequence[int]) -> Tensor:
    """Pixels with one of the labels.   Shape: (B, H, W) int -> (B, 1, H, W) bool."""
    return torch.isin(parse, torch.tensor(labels, dtype=parse.dtype, device=parse.device)).unsqueeze(1)


def grow(region: Tensor, radius_px: int) -> Tensor:
    """Everything within a square of that half side around the region.   Shape: (B, 1, H, W) bool -> same."""
    return F.max_pool2d(region.float(), 2 * radius_px + 1, stride=1, padding=radius_px) > 0


def garment_region(parse: Tensor, truth_parse: Tensor, garment_labels: Sequence[int] = (5, 6, 7)) -> Tensor:
    """The old garment or the new one, grown by `GROW_PX`.   Shape: (B, H, W) twice -> (B, 1, H, W) bool."""
    return grow(has_label(parse, garment_labels) | has_label(truth_parse, garment_labels), GROW_PX)


def arm_band(truth_parse: Tensor, garment_labels: Sequence[int] = (5, 6, 7)) -> Tensor:
    """Within `BAND_PX` of both an arm and the garment.   Shape: (B, H, W) -> (B, 1, H, W) bool."""
    near_arm = grow(has_label(truth_parse, ARM_LABELS), BAND_PX)
    return near_arm & grow(has_label(truth_parse, garment_labels), BAND_PX)
