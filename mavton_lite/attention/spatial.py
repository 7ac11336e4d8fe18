"""Where to look: CBAM's spatial gate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mavton_lite.attention.base import AttentionMap


class SpatialAttention(AttentionMap):
    """CBAM's spatial gate ("where"): sigmoid(conv7x7([avg; max])), pooled over the channels.

    Source: Woo et al. 2018, eq. 3; thesis (2-4).   Shape: (B, C, H, W) -> (B, 1, H, W).
    Differs: no batch normalisation after the convolution and average before maximum, as the thesis writes it
    (the authors' code has [max; avg] and a BatchNorm).
    Raises: ValueError when C is not `channels`, or `kernel` is even.
    """

    def __init__(self, channels: int, kernel: int = 7):
        super().__init__(channels)
        if kernel % 2 == 0:
            raise ValueError(f"spatial attention wants an odd kernel, got {kernel}")
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)  # (B, 2, H, W)
        return torch.sigmoid(self.conv(pooled))
