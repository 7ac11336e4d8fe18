"""What the exercises on parsing in notebook 07 are checked against; read it after you have tried."""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.data.augment import mirror
from mavton_lite.metrics.parsing import overlap


def intersection_over_union(found: Tensor, truth: Tensor, label: int) -> float:
    """What both call by that label, of what either does.   Shape: (H, W) ids each."""
    counts = overlap(found[None], truth[None])
    return float(counts.both[0, label] / counts.either[0, label])


def mirrored_parse(parse: Tensor) -> Tensor:
    """The labels of the picture seen in a looking glass: flipped, and left and right exchanged.   Shape: (H, W)."""
    batch = {"image": parse.new_zeros(1, 3, *parse.shape), "parse": parse[None]}
    return mirror(batch, torch.tensor([True]))["parse"][0]
