"""CBAM: channel attention, then spatial attention."""

from __future__ import annotations

from torch import Tensor, nn

from mavton_lite.attention.channel import ChannelAttention
from mavton_lite.attention.spatial import SpatialAttention


class CBAM(nn.Module):
    """Channel attention, then spatial attention: what, then where.

    Source: Woo et al. 2018, eq. 1; thesis (2-5), then (2-4).   Shape: (B, C, H, W) -> same.
    Raises: ValueError when C is not `channels`.
    """

    def __init__(self, channels: int, reduction: int = 16, kernel: int = 7):
        super().__init__()
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = SpatialAttention(channels, kernel)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.channel(x)  # (B, C, 1, 1): what
        return x * self.spatial(x)  # (B, 1, H, W): where
