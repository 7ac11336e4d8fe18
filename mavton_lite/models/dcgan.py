"""A convolutional GAN for pictures, with or without a condition."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HALVINGS = 3  # from 32 x 24 to 4 x 3


def _init(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def _check_size(height: int, width: int) -> None:
    if height % 2**HALVINGS or width % 2**HALVINGS:
        raise ValueError(f"wanted sides divisible by {2**HALVINGS}, got {height} x {width}")


def _check_labels(labels: Tensor | None, classes: int, batch: int) -> None:
    if (labels is None) != (classes == 0) or (labels is not None and labels.shape != (batch,)):
        found = "none" if labels is None else f"labels of shape {tuple(labels.shape)}"
        wanted = f"({batch},) labels below {classes}" if classes else "no labels"
        raise ValueError(f"wanted {wanted}, got {found}")


class DCGenerator(nn.Module):
    """Noise to picture: a linear layer to H/8 x W/8, then three times twice the side.

    Source: Radford et al. 2016 (DCGAN): transposed convolutions 4 x 4 of stride 2, batch norm, ReLU, tanh; a condition
    is a one-hot vector beside the noise (Mirza and Osindero 2014).
    Shape: (B, latent), labels (B,) int64 when `classes` -> (B, 3, H, W) in [-1, 1].
    Raises: ValueError for a size that cannot be halved three times, labels missing or not asked for.
    """

    def __init__(self, latent: int, width: int, size: tuple[int, int] = (32, 24), classes: int = 0):
        super().__init__()
        _check_size(*size)
        self.latent, self.classes = latent, classes
        self.start = (4 * width, size[0] // 2**HALVINGS, size[1] // 2**HALVINGS)
        self.project = nn.Linear(latent + classes, self.start[0] * self.start[1] * self.start[2])
        self.up = nn.Sequential(
            nn.BatchNorm2d(4 * width), nn.ReLU(),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        self.apply(_init)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        _check_labels(labels, self.classes, len(z))
        if labels is not None:
            z = torch.cat([z, F.one_hot(labels, self.classes).to(z)], 1)  # (B, latent + classes)
        return self.up(self.project(z).view(-1, *self.start))


class DCDiscriminator(nn.Module):
    """Picture to one logit: three halvings, then a linear layer.

    Source: as `DCGenerator`: convolutions 4 x 4 of stride 2, LeakyReLU 0.2, batch norm except in the first layer; a
    condition is one constant plane a class beside the colours.
    Shape: (B, 3, H, W), labels (B,) int64 when `classes` -> (B, 1), no sigmoid.
    Raises: ValueError as `DCGenerator`, or for another shape.
    """

    def __init__(self, width: int, size: tuple[int, int] = (32, 24), classes: int = 0):
        super().__init__()
        _check_size(*size)
        self.size, self.classes = size, classes
        cells = 4 * width * (size[0] // 2**HALVINGS) * (size[1] // 2**HALVINGS)
        self.layers = nn.Sequential(
            nn.Conv2d(3 + classes, width, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(4 * width), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(cells, 1),
        )  # fmt: skip
        self.apply(_init)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, *self.size):
            raise ValueError(f"wanted (B, 3, {self.size[0]}, {self.size[1]}), got {tuple(x.shape)}")
        _check_labels(labels, self.classes, len(x))
        if labels is not None:
            planes = F.one_hot(labels, self.classes).to(x)[:, :, None, None].expand(-1, -1, *self.size)
            x = torch.cat([x, planes], 1)  # (B, 3 + classes, H, W)
        return self.layers(x)
