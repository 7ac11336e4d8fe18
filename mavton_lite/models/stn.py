"""A spatial transformer: a network that first straightens its picture, then looks at it; crooked pictures for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.attention.base import AttentionMap
from mavton_lite.warp import pixel_grid, resample


def affine_grid(matrix: Tensor, height: int, width: int) -> Tensor:
    """Where each output pixel reads: the matrix times (x, y, 1).

    Source: Jaderberg et al. 2015, eq. 1.
    Shape: (B, 2, 3) -> (B, H, W, 2), (x, y) in corner-aligned [-1, 1].   Raises: ValueError for another shape.
    """
    if matrix.ndim != 3 or matrix.shape[1:] != (2, 3):
        raise ValueError(f"wanted matrices (B, 2, 3), got {tuple(matrix.shape)}")
    return F.affine_grid(matrix, [len(matrix), 1, height, width], align_corners=True)


class Straightened(NamedTuple):
    """What a spatial transformer gives."""

    picture: Tensor  # (B, C, H, W)
    matrix: Tensor  # (B, 2, 3): output place -> input place


class PlaceMaps(AttentionMap):
    """Soft attention over places: each channel becomes one map that is nowhere negative and sums to 1.

    Differs: a softmax (Levine et al. 2016) starts nearly flat; positive parts divided by their sum do not.
    Shape: (B, C, h, w) -> same.   Raises: ValueError when C is not `channels`.
    """

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return F.normalize(x.flatten(2).relu() + 1e-4, p=1, dim=2).view_as(x)


class Localiser(nn.Module):
    """From a picture to an affine matrix: a few maps look for parts; where each is, and how it spreads, decides.

    The last layer starts at zero weights and the identity's bias, so that training begins with the picture as it is.
    Source: Jaderberg et al. 2015, section 3.1.
    Differs: what goes to the last layers is not the maps' pixels but the mean and the covariance of the places each map
    weighs, which move smoothly with the garment: hundreds of steps do where pixels take many thousands. There are no
    biases before, and white counts as zero, so that the ground weighs nothing.
    Shape: (B, C, H, W) -> (B, 2, 3).
    """

    def __init__(self, channels: int, width: int = 12, hidden: int = 48):
        super().__init__()
        self.features = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(channels, width, 5, 1, 2, bias=False), nn.ReLU(),
            nn.Conv2d(width, width, 5, 2, 2, bias=False),
        )  # fmt: skip
        self.where = PlaceMaps(width)
        first, last = nn.Linear(5 * width, hidden), nn.Linear(hidden, 6)
        self.decide = nn.Sequential(first, nn.ReLU(), last)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.eye(2, 3).flatten())

    def forward(self, x: Tensor) -> Tensor:
        maps = self.where(self.features(x - 1))  # (B, width, h, w)
        places = pixel_grid(*maps.shape[2:]).to(maps).flatten(0, 1)  # (h * w, 2)
        return self.decide(moments(maps.flatten(2), places).flatten(1)).view(-1, 2, 3)


def moments(maps: Tensor, places: Tensor) -> Tensor:
    """Mean place of each map and, four times as large, its covariance: where a part lies, and which way.

    Shape: maps (B, K, N) that sum to 1, places (N, 2) -> (B, K, 5): x, y, xx, yy, xy.
    """
    x, y = places.unbind(1)
    raw = maps @ torch.stack([x, y, x * x, y * y, x * y], 1)  # (B, K, 5): means of x, y and of their products
    mean, product = raw[..., :2], raw[..., 2:]
    return torch.cat([mean, 4 * (product - mean[..., [0, 1, 0]] * mean[..., [0, 1, 1]])], 2)


class SpatialTransformer(nn.Module):
    """A small network predicts an affine matrix from the picture; the picture is read again through it.

    Source: Jaderberg et al. 2015, section 3; thesis section 2.2.2 (STN).
    Differs: outside the picture there is white, the ground of the flat lays, instead of zero; see also `Localiser`.
    Shape: (B, C, H, W) in [-1, 1] -> Straightened.   Raises: ValueError when the input is not (B, channels, *size).
    """

    def __init__(self, channels: int, size: tuple[int, int]):
        super().__init__()
        self.channels, self.size = channels, tuple(size)
        self.localise = Localiser(channels)

    def forward(self, x: Tensor) -> Straightened:
        if x.ndim != 4 or x.shape[1:] != (self.channels, *self.size):
            raise ValueError(f"SpatialTransformer wants (B, {self.channels}, {self.size[0]}, {self.size[1]}), "
                             f"got {tuple(x.shape)}")  # fmt: skip
        matrix = self.localise(x)
        return Straightened(read(x, matrix), matrix)


class GarmentNet(nn.Module):
    """A plain classifier of pictures, with a spatial transformer in front of it or without.

    Shape: (B, 3, *size) -> logits (B, classes).   Raises: ValueError when the picture has another size.
    """

    def __init__(self, classes: int, size: tuple[int, int], width: int = 12, transformer: bool = False):
        super().__init__()
        self.size = tuple(size)
        self.transformer = SpatialTransformer(3, size) if transformer else None
        features = 2 * width * math.ceil(size[0] / 8) * math.ceil(size[1] / 8)
        layers: list[nn.Module] = []
        for before, after in ((3, width), (width, 2 * width), (2 * width, 2 * width)):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        head = (nn.Linear(features, 4 * width), nn.ReLU(), nn.Linear(4 * width, classes))
        self.classify = nn.Sequential(*layers, nn.Flatten(), *head)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1:] != (3, *self.size):
            raise ValueError(f"GarmentNet wants (B, 3, {self.size[0]}, {self.size[1]}), got {tuple(x.shape)}")
        return self.classify(self.straighten(x).picture)

    def straighten(self, x: Tensor) -> Straightened:
        """What the classifier gets to see; without a transformer the picture itself, and the identity."""
        if self.transformer is None:
            return Straightened(x, torch.eye(2, 3).to(x).expand(len(x), 2, 3))
        return self.transformer(x)


def read(picture: Tensor, matrix: Tensor) -> Tensor:
    """The picture read through an affine map, white outside.   Shape: (B, C, H, W), (B, 2, 3) -> (B, C, H, W)."""
    grid = affine_grid(matrix, *picture.shape[2:])
    return resample(picture - 1, grid, padding="zeros") + 1


@dataclass(frozen=True)
class Crookedness:
    """How pictures are distorted, at most."""

    turn_deg: float = 45.0
    sizes: tuple[float, float] = (0.45, 0.8)  # of the garment, 1 is as drawn
    stretch: float = 0.15  # of one axis against the other
    shift: float = 0.35  # of half the picture's side

    def times(self, share: float) -> Crookedness:
        """That share of the distortion; at 0 the picture stays as it is."""
        low, high = (1 - (1 - size) * share for size in self.sizes)
        return Crookedness(self.turn_deg * share, (low, high), self.stretch * share, self.shift * share)


def crooked(n: int, how: Crookedness, dice: torch.Generator) -> Tensor:
    """Random matrices that turn, shrink, stretch and shift: output place -> place in the straight picture.

    Shape: -> (n, 2, 3).
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=dice) * (high - low) + low

    angle = uniform(-how.turn_deg, how.turn_deg) * math.pi / 180
    size, stretch = uniform(*how.sizes), 1 + uniform(-how.stretch, how.stretch)
    cos, sin = angle.cos() / size, angle.sin() / size
    linear = torch.stack([cos * stretch, sin * stretch, -sin / stretch, cos / stretch], 1).view(n, 2, 2)
    to = torch.stack([uniform(-how.shift, how.shift), uniform(-how.shift, how.shift)], 1)  # where the middle goes
    return torch.cat([linear, -linear @ to[:, :, None]], 2)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """The affine map `first(then(x))`.   Shape: (B, 2, 3), (B, 2, 3) -> (B, 2, 3)."""
    linear = first[:, :, :2] @ then[:, :, :2]
    return torch.cat([linear, first[:, :, :2] @ then[:, :, 2:] + first[:, :, 2:]], 2)


def spread_px(matrices: Tensor, height: int, width: int) -> Tensor:
    """How far each map is from the mean of all of them: root mean square over the picture's pixels, in px.

    Zero for all when every picture comes out in the same pose, whichever that is: nobody tells a spatial transformer
    that garments hang upright.   Shape: (n, 2, 3) -> (n,).
    """
    off = matrices - matrices.mean(0)
    half = torch.tensor([(width - 1) / 2, (height - 1) / 2]).to(matrices)
    return (affine_grid(off, height, width) * half).square().sum(3).mean((1, 2)).sqrt()


def turn_deg(matrices: Tensor) -> Tensor:
    """The angle of the rotation nearest to each map, in degrees, clockwise on the page.   Shape: (n, 2, 3) -> (n,)."""
    (a, b), (c, d) = matrices[:, :, :2].permute(1, 2, 0)
    return torch.atan2(c - b, a + d) * 180 / math.pi


def pose_spread(matrices: Tensor, side: int) -> dict[str, float]:
    """How much poses differ in turn, in size and in place: a standard deviation of each.

    The size is the square root of the map's determinant, the place where it takes the picture's middle.
    Shape: (n, 2, 3), of pictures of `side` px.
    """
    size = torch.linalg.det(matrices[:, :, :2]).abs().sqrt()
    place = (matrices[:, :, 2] - matrices[:, :, 2].mean(0)).norm(dim=1) * (side - 1) / 2
    return {"turn, degrees": float(turn_deg(matrices).std()), "size, %": float(size.log().std() * 100),
            "place, px": float(place.square().mean().sqrt())}  # fmt: skip
