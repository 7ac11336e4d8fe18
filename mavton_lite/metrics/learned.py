"""LPIPS: the distance of two pictures as a classifier's features see it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from mavton_lite.weights import WeightInfo, trunk


class LPIPS(nn.Module):
    """Learned perceptual distance, over the picture and at every pixel, with the real AlexNet trunk.

    The trunk comes from `weights.trunk`, the linear heads from the `lpips` package (v0.1).
    Source: Zhang et al. 2018.   Shape: pictures (B, 3, H, W) in [0, 1], twice -> (B,), (B, 1, H, W).
    Raises: ValueError when shapes differ; whatever `weights.trunk` raises when the weights cannot be had.
    """

    info: WeightInfo

    def __init__(self) -> None:
        super().__init__()
        import lpips  # slow to import, and only needed here

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's note that `pretrained` became `weights`
            self.net = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
        features, self.info = trunk("alexnet")
        own = dict(self.net.net.named_parameters())  # slice1.0.weight ...: the last two parts are torchvision's
        given = dict(features.named_parameters())
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(given[name.split(".", 1)[1]])
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> LPIPS:
        """Stays in evaluation mode: the heads have dropout."""
        return super().train(False)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3:
            raise ValueError(f"found pictures {tuple(a.shape)} and {tuple(b.shape)}, wanted two equal (B, 3, H, W)")
        self.net.spatial = True
        spatial = self.net(a, b, normalize=True)  # (B, 1, H, W)
        self.net.spatial = False
        return self.net(a, b, normalize=True).flatten(), spatial
