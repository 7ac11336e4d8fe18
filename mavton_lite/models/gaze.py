"""Which colour has the garment of a cluttered scene? One spatial gate (2-4) weighs the places, and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.attention import SpatialAttention, record
from mavton_lite.data.scenes import Scenes

KERNELS = (3, 5, 7, 11)


@dataclass(frozen=True)
class GazeSettings:
    """Everything about the first half of lesson 04 that a profile changes."""

    garments: tuple[int, int]  # train, test
    scenes: tuple[int, int]
    steps: int
    batch: int = 24
    lr: float = 1e-2  # peak of a one-cycle schedule
    width: int = 8
    seeds: int = 3


SETTINGS = {
    "smoke": GazeSettings((64, 48), (96, 48), steps=6, seeds=2),
    "lite": GazeSettings((800, 400), (1000, 400), steps=150),
    "paper": GazeSettings((4000, 1000), (8000, 1000), steps=2000, width=16),
}


class GazeNet(nn.Module):
    """The mean colour of a scene, every place weighted by a spatial gate: the gate has to find the garment.

    The features before the gate see 7 x 7 px of the scene and stand 4 px apart, so a gate of kernel k sees
    4 (k - 1) + 7 px.
    Shape: (B, 3, S, S) in [-1, 1] -> (B, 3).
    """

    def __init__(self, width: int = 8, kernel: int = 7):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), nn.BatchNorm2d(2 * width),
        )  # fmt: skip
        self.where = SpatialAttention(2 * width, kernel)

    def forward(self, x: Tensor) -> Tensor:
        return weighted_colour(x, self.where(self.features(x)))


def weighted_colour(x: Tensor, gate: Tensor) -> Tensor:
    """The mean colour under a gate.   Shape: (B, 3, S, S), (B, 1, S / 4, S / 4) -> (B, 3)."""
    places = F.adaptive_avg_pool2d(x, (gate.shape[2], gate.shape[3]))  # (B, 3, S / 4, S / 4)
    return (places * gate).sum((2, 3)) / gate.sum((2, 3)).clamp_min(1e-6)


def true_colour(scenes: Scenes) -> Tensor:
    """The garment's mean colour.   Shape: -> (n, 3) in [-1, 1]."""
    return (scenes.pictures * scenes.masks).sum((2, 3)) / scenes.masks.sum((2, 3))


@dataclass
class Gaze:
    """One network and what its gate did on the test scenes."""

    kernel: int
    network: GazeNet
    error: float = 0.0  # mean absolute error of the colour, of 255
    maps: Tensor = field(default_factory=lambda: torch.empty(0))  # (n, 1, S / 4, S / 4)
    share: float = 0.0  # how much of the gate's whole weight lies on the garment
    hits: float = 0.0  # share of scenes where the gate is widest open on the garment
    seconds: float = 0.0


def train_gaze(kernel: int, train: Scenes, test: Scenes, settings: GazeSettings, seed: int, steps=None) -> Gaze:
    """Train a network whose gate has that kernel to tell the garment's colour; nobody tells it where the garment is.

    `steps` 0 is the control: the same network before its first step.
    """
    started, steps = time.perf_counter(), settings.steps if steps is None else steps
    torch.manual_seed(seed)
    gaze = Gaze(kernel, GazeNet(settings.width, kernel))
    optimiser = torch.optim.Adam(gaze.network.parameters(), settings.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.lr, max(steps, 1))
    wanted = true_colour(train)
    for _ in range(steps):
        which = torch.randint(len(wanted), (settings.batch,))
        loss = F.mse_loss(gaze.network(train.pictures[which]), wanted[which])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    gaze.seconds = time.perf_counter() - started
    return _try(gaze, test)


@torch.no_grad()
def _try(gaze: Gaze, test: Scenes) -> Gaze:
    gaze.network.eval()
    with record(gaze.network) as maps:
        told = gaze.network(test.pictures)
    gaze.error = colour_error(told, test)
    gaze.maps = maps["where"]  # (n, 1, h, w)
    on = F.adaptive_avg_pool2d(test.masks, (gaze.maps.shape[2], gaze.maps.shape[3]))  # share of garment in each place
    gaze.share = float(((gaze.maps * on).sum((1, 2, 3)) / gaze.maps.sum((1, 2, 3)).clamp_min(1e-6)).mean())
    rows = torch.arange(len(on))
    gaze.hits = float((on.flatten(1)[rows, gaze.maps.flatten(1).argmax(1)] > 0.5).float().mean())
    return gaze


def colour_error(told: Tensor, scenes: Scenes) -> float:
    """Mean absolute error of told colours, of 255.   Shape: (n, 3) in [-1, 1] -> number."""
    return float((told - true_colour(scenes)).abs().mean() * 127.5)


def garment_share(test: Scenes) -> float:
    """How much of a scene is garment: the `share` of a gate that is open alike everywhere."""
    return float(test.masks.mean())
