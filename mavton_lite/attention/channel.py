"""Which channels matter: squeeze-and-excitation, efficient channel attention, CBAM's channel gate."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mavton_lite.attention.base import AttentionMap


def bottleneck(channels: int, reduction: int) -> nn.Sequential:
    """The two-layer perceptron C -> max(1, C // reduction) -> C of SE and CBAM, without biases."""
    if channels < 1 or reduction < 1:
        raise ValueError(f"wanted channels >= 1 and reduction >= 1, got {channels} and {reduction}")
    hidden = max(1, channels // reduction)
    return nn.Sequential(nn.Linear(channels, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, channels, bias=False))


class SqueezeExcitation(AttentionMap):
    """SE: sigmoid(W2 relu(W1 avg(x))).

    Source: Hu et al. 2018, eq. 3 (no biases there).   Shape: (B, C, H, W) -> (B, C, 1, 1).
    Raises: ValueError when C is not `channels`.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__(channels)
        self.mlp = bottleneck(channels, reduction)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return torch.sigmoid(self.mlp(x.mean((2, 3))))[:, :, None, None]


class EfficientChannelAttention(AttentionMap):
    """ECA: sigmoid of a 1-D convolution along the channel means; no reduction, k weights.

    Source: Wang et al. 2020, eq. 12: k is the odd number next to (log2 C + 1) / 2, here at least 3.
    Shape: (B, C, H, W) -> (B, C, 1, 1).   Raises: ValueError when C is not `channels`.
    """

    def __init__(self, channels: int, kernel: int | None = None):
        super().__init__(channels)
        if kernel is None:
            kernel = max(3, int((math.log2(channels) + 1) / 2) // 2 * 2 + 1)  # odd, rounding an even number up
        if kernel % 2 == 0:
            raise ValueError(f"ECA wants an odd kernel, got {kernel}")
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        means = x.mean((2, 3))[:, None]  # (B, 1, C): the channels are the line it slides along
        return torch.sigmoid(self.conv(means))[:, 0, :, None, None]


class ChannelAttention(AttentionMap):
    """CBAM's channel gate ("what"): sigmoid(MLP(avg(x)) + MLP(max(x))), one shared MLP.

    Source: Woo et al. 2018, eq. 2; thesis (2-5), without biases.   Shape: (B, C, H, W) -> (B, C, 1, 1).
    Raises: ValueError when C is not `channels`.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__(channels)
        self.mlp = bottleneck(channels, reduction)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        scores = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))  # (B, C)
        return torch.sigmoid(scores)[:, :, None, None]
