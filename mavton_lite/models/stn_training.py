"""Crooked garments: does a classifier that straightens its pictures first beat one that does not?"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.data.lessons import Garments
from mavton_lite.models.stn import Crookedness, GarmentNet, compose, crooked, pose_spread, read, spread_px
from mavton_lite.models.summary import count_parameters

ARMS = ("plain", "plain, wider", "spatial transformer")


@dataclass(frozen=True)
class StnSettings:
    """Everything about the second half of lesson 04 that a profile changes."""

    garments: tuple[int, int]  # train, test
    steps: int
    seeds: int = 3
    batch: int = 48
    lr: float = 3e-3  # peak of a one-cycle schedule
    localise_lr: float = 5e-3  # of the spatial transformer's own network
    ramp: tuple[float, float] = (0.1, 0.7)  # shares of the steps between which the distortion grows from 0 to full
    smoothing: float = 0.1  # of the labels: a classifier that is quite sure has no gradient left to straighten by
    width: int = 12


SETTINGS = {
    "smoke": StnSettings((64, 48), steps=6, seeds=2, batch=32),
    "lite": StnSettings((800, 400), steps=700),
    "paper": StnSettings((4000, 1000), steps=5000, seeds=5),
}


def squared(garments: Garments) -> Tensor:
    """The flat lays with white added left and right, so that they can be turned.   Shape: -> (n, 3, H, H)."""
    height, width = garments.pictures.shape[2:]
    left = (height - width) // 2
    return F.pad(garments.pictures, (left, height - width - left, 0, 0), value=1.0)


def equal_width(classes: int, size: tuple[int, int], width: int) -> int:
    """The width at which a plain network has at least as many parameters as one of `width` with a transformer."""
    wanted = count_parameters(GarmentNet(classes, size, width, transformer=True))
    wider = width
    while count_parameters(GarmentNet(classes, size, wider)) < wanted:
        wider += 1
    return wider


@dataclass
class Arm:
    """One network, trained and tried on the same crooked test pictures as the others."""

    name: str
    network: GarmentNet
    parameters: int
    right: float = 0.0  # share of the test pictures
    before_px: Tensor = field(default_factory=lambda: torch.empty(0))  # (n,), `spread_px` of the distortions
    after_px: Tensor = field(default_factory=lambda: torch.empty(0))  # (n,), of what the classifier sees
    before: dict[str, float] = field(default_factory=dict)  # `pose_spread` of the distortions ...
    after: dict[str, float] = field(default_factory=dict)  # ... and of what the classifier sees
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


def train_arm(
    name: str, pictures: Tensor, labels: Tensor, classes: int, settings: StnSettings, how: Crookedness, seed: int
) -> Arm:
    """Train one of ARMS on pictures that are distorted anew every time they are seen, from straight to crooked.

    Shape: (n, 3, S, S), (n,).   Raises: ValueError for an unknown name.
    """
    if name not in ARMS:
        raise ValueError(f"unknown network {name!r}; known: {', '.join(ARMS)}")
    started, size = time.perf_counter(), tuple(pictures.shape[2:])
    torch.manual_seed(seed)
    width = equal_width(classes, size, settings.width) if name == "plain, wider" else settings.width
    torch.manual_seed(seed)
    network = GarmentNet(classes, size, width, transformer=name == "spatial transformer")
    arm = Arm(name, network, count_parameters(network))
    groups = [{"params": network.classify.parameters(), "lr": settings.lr}]
    if network.transformer is not None:
        groups.append({"params": network.transformer.parameters(), "lr": settings.localise_lr})
    optimiser = torch.optim.Adam(groups)
    peaks = [g["lr"] for g in groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peaks, settings.steps, pct_start=0.15)
    dice = torch.Generator().manual_seed(seed)
    begin, end = settings.ramp
    for step in range(settings.steps):
        share = min(1.0, max(0.0, (step / settings.steps - begin) / (end - begin)))
        which = torch.randint(len(labels), (settings.batch,), generator=dice)
        logits = network(read(pictures[which], crooked(settings.batch, how.times(share), dice)))
        loss = F.cross_entropy(logits, labels[which], label_smoothing=settings.smoothing)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        arm.losses.append(float(loss.detach()))
    network.eval()
    arm.seconds = time.perf_counter() - started
    return arm


@torch.no_grad()
def try_arm(arm: Arm, pictures: Tensor, labels: Tensor, matrices: Tensor) -> Arm:
    """Note what a trained network gets right, and how far apart the poses are before and after it straightens.

    Shape: (n, 3, S, S), (n,), (n, 2, 3).
    """
    seen = read(pictures, matrices)
    straight = arm.network.straighten(seen)
    arm.right = float((arm.network(seen).argmax(1) == labels).float().mean())
    arm.before_px = spread_px(matrices, *pictures.shape[2:])
    seen_as = compose(matrices, straight.matrix)
    arm.after_px = spread_px(seen_as, *pictures.shape[2:])
    arm.before, arm.after = (pose_spread(m, pictures.shape[2]) for m in (matrices, seen_as))
    return arm
