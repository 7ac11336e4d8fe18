"""The parser: which LIP label every pixel of a picture has."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.config import ParserSettings
from mavton_lite.models.unet import UNet, instance_norm

CLASSES = 20  # LIP's labels 0..19


class Parser(nn.Module):
    """A small U-Net that tells what is where, and a path at full size that tells where exactly it ends.

    `size` (height, width) is that of the pictures it learns from; `parsing.parse` takes others.
    Source: Ronneberger et al. 2015; labels of Gong et al. 2017 (LIP).   Differs: instance norm, and one convolution as
    the skip at full size, which the U-Net of the try-on does not have.
    Shape: (B, 3, H, W) in [-1, 1] -> logits (B, 20, H, W).
    Raises: ValueError when H or W cannot be halved `downs` times.
    """

    def __init__(self, settings: ParserSettings, height: int, width: int):
        super().__init__()
        self.size, channels = (height, width), settings.width
        self.unet = UNet(3, channels, channels, settings.downs, upsample="nearest", final_norm=True)
        self.fine = nn.Conv2d(3, channels, 3, 1, 1)
        self.join = nn.Conv2d(2 * channels, channels, 3, 1, 1)
        self.head = nn.Conv2d(channels, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.unet(x), self.fine(x)], 1)  # (B, 2 c, H, W)
        return self.head(F.relu(instance_norm(self.join(F.relu(both)))))  # (B, 20, H, W)
