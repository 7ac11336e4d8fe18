"""The U-Net as it was first drawn: pairs of convolutions, four halvings, four skips at full, half, ... resolution."""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ClassicUNet(nn.Module):
    """Encoder, bottleneck and decoder, joined by `levels` skips that can be cut.

    A cut skip carries zeros: the network keeps its size and its parameters. `carried` may be changed at any time.
    Source: Ronneberger et al. 2015, figure 1; thesis figure 3.1.
    Differs: convolutions are padded, so that what comes out is as large as what goes in; with `norm`, a batch
    normalisation follows each.
    Shape: (B, in, H, W) -> (B, out, H, W), no last activation.
    Raises: ValueError when H or W cannot be halved `levels` times.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int = 64, levels: int = 4, norm: bool = False):
        super().__init__()
        if levels < 1:
            raise ValueError(f"wanted levels >= 1, got {levels}")
        self.in_channels, self.levels = in_channels, levels
        self.carried: Collection[int] = range(1, levels + 1)  # 1 is the skip at full resolution
        sizes = [width * 2**i for i in range(levels + 1)]
        self.down = nn.ModuleList(_pair(a, b, norm) for a, b in zip([in_channels, *sizes], sizes[:-1], strict=False))
        self.bottom = _pair(sizes[-2], sizes[-1], norm)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, 2) for c in sizes[-2::-1])
        self.up = nn.ModuleList(_pair(2 * c, c, norm) for c in sizes[-2::-1])
        self.last = nn.Conv2d(width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        step = 2**self.levels
        if x.ndim != 4 or x.shape[1] != self.in_channels or x.shape[2] % step or x.shape[3] % step:
            raise ValueError(
                f"U-Net wants (B, {self.in_channels}, H, W) with H and W divisible by {step}, got {tuple(x.shape)}"
            )
        skips = []
        for level, pair in enumerate(self.down, 1):
            x = pair(x)  # (B, c, H, W)
            skips.append(x if level in self.carried else torch.zeros_like(x))
            x = F.max_pool2d(x, 2)  # (B, c, H / 2, W / 2)
        x = self.bottom(x)
        for enlarge, pair in zip(self.enlarge, self.up, strict=True):
            x = torch.cat([skips.pop(), enlarge(x)], 1)  # (B, 2 c, 2 H, 2 W)
            x = pair(x)  # (B, c, 2 H, 2 W)
        return self.last(x)


def _pair(in_channels: int, out_channels: int, norm: bool) -> nn.Sequential:
    """Convolution and ReLU, twice."""
    layers: list[nn.Module] = []
    for a, b in ((in_channels, out_channels), (out_channels, out_channels)):
        layers += [nn.Conv2d(a, b, 3, padding=1, bias=not norm), *([nn.BatchNorm2d(b)] if norm else []), nn.ReLU()]
    return nn.Sequential(*layers)
