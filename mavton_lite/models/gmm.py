"""The geometric matching module: person and flat garment -> the garment bent onto the person."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mavton_lite.config import GMMSettings, Reading
from mavton_lite.warp import TPSGrid, correlation, l2_normalise, resample

PERSON_CHANNELS = 22  # silhouette 1 + head 3 + pose 18
KEPT = slice(1, 4)  # the head's among them


class Warp(NamedTuple):
    """What the geometric matching module gives.   Shape: see each line; H, W the picture."""

    cloth: Tensor  # (B, 3, H, W) in [-1, 1]
    mask: Tensor  # (B, 1, H, W) in [0, 1]
    grid: Tensor  # (B, H, W, 2) where each pixel was read, (x, y)
    theta: Tensor  # (B, 2 * grid^2) offsets of the control points


def _extraction(in_channels: int, width: int, downs: int) -> nn.Sequential:
    """Conv -> ReLU -> BatchNorm, halving `downs` times, then two 3 x 3 layers of 8 * width; the last has no norm."""
    sizes = [in_channels, *(width * min(2**i, 8) for i in range(downs))]
    layers: list[nn.Module] = []
    for before, after in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.ReLU(), nn.BatchNorm2d(after)]
    top = 8 * width
    layers += [nn.Conv2d(sizes[-1], top, 3, 1, 1), nn.ReLU(), nn.BatchNorm2d(top)]
    layers += [nn.Conv2d(top, top, 3, 1, 1), nn.ReLU()]
    return nn.Sequential(*layers)


def _init_normal(module: nn.Module) -> None:
    """CP-VTON's start of the feature extractors: weights N(0, 0.02), batch norm N(1, 0.02)."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Regression(nn.Module):
    """Correlation volume -> offsets of the control points in (-1, 1).

    Source: CP-VTON's code.   Shape: (B, h * w, h, w) -> (B, outputs); h and w divisible by 4.
    """

    def __init__(self, height: int, width: int, channels: int, outputs: int):
        super().__init__()
        layers: list[nn.Module] = []
        before = height * width
        for after, kernel, stride in ((8, 4, 2), (4, 4, 2), (2, 3, 1), (1, 3, 1)):
            after *= channels
            layers += [nn.Conv2d(before, after, kernel, stride, 1), nn.BatchNorm2d(after), nn.ReLU()]
            before = after
        self.conv = nn.Sequential(*layers)
        self.linear = nn.Linear(channels * (height // 4) * (width // 4), outputs)

    def forward(self, volume: Tensor) -> Tensor:
        features = self.conv(volume)  # (B, channels, h / 4, w / 4)
        return torch.tanh(self.linear(features.flatten(1)))


class GMM(nn.Module):
    """Geometric matching module: two feature extractors, their correlation, a regression, a thin-plate spline.

    Source: Wang et al. 2018 (CP-VTON), section 3.1 and its code; thesis figure 2.10.
    Shape: agnostic (B, 22, H, W), cloth (B, 3, H, W), cloth_mask (B, 1, H, W) -> `Warp`.
    Differs: `cloth_input="mask"` looks at the mask instead of the cloth (CP-VTON+). With width 64 and 4 downs it is
    CP-VTON's module, tensor for tensor. `reading` is `resample`'s, of the cloth; what is trained reads bilinearly.
    Raises: ValueError when H or W cannot be halved downs + 2 times, or an input has another shape.
    """

    def __init__(self, settings: GMMSettings, height: int, width: int):
        super().__init__()
        step = 2 ** (settings.downs + 2)
        if height % step or width % step:
            raise ValueError(f"GMM with {settings.downs} downs wants sizes divisible by {step}, got {height} x {width}")
        self.settings, self.size = settings, (height, width)
        self.person = _extraction(PERSON_CHANNELS, settings.width, settings.downs)
        self.cloth = _extraction(3 if settings.cloth_input == "cloth" else 1, settings.width, settings.downs)
        self.person.apply(_init_normal)
        self.cloth.apply(_init_normal)
        rows, columns = height >> settings.downs, width >> settings.downs
        self.regression = Regression(rows, columns, settings.width, 2 * settings.grid**2)
        self.tps = TPSGrid(height, width, settings.grid)

    def forward(self, agnostic: Tensor, cloth: Tensor, cloth_mask: Tensor, reading: Reading = "bilinear") -> Warp:
        wanted = {"agnostic": (agnostic, PERSON_CHANNELS), "cloth": (cloth, 3), "cloth_mask": (cloth_mask, 1)}
        for name, (given, channels) in wanted.items():
            if tuple(given.shape[1:]) != (channels, *self.size):
                raise ValueError(f"GMM wants {name} (B, {channels}, H, W) at {self.size}, got {tuple(given.shape)}")
        shown = cloth if self.settings.cloth_input == "cloth" else cloth_mask
        person = l2_normalise(self.person(agnostic))  # (B, 8 * width, h, w)
        garment = l2_normalise(self.cloth(shown))  # (B, 8 * width, h, w)
        theta = self.regression(correlation(person, garment))  # (B, 2 * grid^2)
        grid = self.tps(theta)  # (B, H, W, 2)
        return Warp(resample(cloth, grid, "border", reading), resample(cloth_mask, grid, "zeros"), grid, theta)
