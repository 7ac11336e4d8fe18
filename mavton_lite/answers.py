"""What the exercises of the notebooks are checked against; read it after you have tried.

A notebook gives these to `exercise.check`, so that its cells do not show the answer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.data.person import label_mask
from mavton_lite.data.sample import LIP, Sample
from mavton_lite.warp import resample


def bare_arms(parse: Tensor) -> Tensor:
    """00, exercise 1: skin of either arm.   Shape: (H, W) -> (H, W) bool."""
    arms = tuple(k for k, name in LIP.items() if name in ("left arm", "right arm"))
    return label_mask(parse[None], arms)[0, 0]


def changed_share(sample: Sample, above: float) -> float:
    """00, exercise 2: the share of pixels of which some colour differs by more than `above` in [-1, 1]."""
    return float(((sample["image"] - sample["truth_image"]).abs().amax(0) > above).float().mean())


def perfect_warp(sample: Sample) -> Tensor:
    """00, exercise 3: the garment fetched along the true warp, white where none is seen.   Shape: -> (3, H, W)."""
    height, width = sample["cloth"].shape[1:]
    x, y = sample["truth_warp"]  # (H, W) each, px
    grid = torch.stack([x / (width - 1), y / (height - 1)], -1) * 2 - 1  # (H, W, 2)
    fetched = resample(sample["cloth"][None], grid.nan_to_num(0)[None])[0]  # (3, H, W)
    return fetched.where(x.isfinite(), torch.ones(()))


def cbam_parameters(channels: int, reduction: int, kernel: int) -> int:
    """11, exercise 1: two layers without bias, and one kernel over two maps."""
    return 2 * channels * max(1, channels // reduction) + 2 * kernel**2


def patch_field(layers: int) -> int:
    """11, exercise 2: side in pixels of what one logit of `PatchGAN(layers=layers)` sees."""
    field = 1
    for stride in (1, 1, *[2] * layers):  # from the logit back to the picture; kernels are 4 wide
        field = (field - 1) * stride + 4
    return field


def squeeze_excitation(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """11, exercise 3: sigmoid(W2 relu(W1 mean)).   Shape: (B, C, H, W), (h, C), (C, h) -> (B, C, 1, 1)."""
    scores = torch.relu(x.mean((2, 3)) @ first.T) @ second.T  # (B, C)
    return torch.sigmoid(scores)[..., None, None]
