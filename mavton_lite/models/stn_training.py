"""Crooked garments: does a classifier that straightens its pictures first beat one that does not, and is it taught so?

A spatial transformer that learns together with its classifier undoes what pays at once, place and size; the classifier
meanwhile learns to read turned garments, and then nobody asks for the turn. Taught step by step the classifier knows
straight garments only, so that the way to a right answer leads through a straight picture. Nobody is ever told how a
garment was distorted: all learn from the class alone.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.data.lessons import Garments
from mavton_lite.models.stn import Crookedness, GarmentNet, compose, crooked, pose_spread, read
from mavton_lite.models.summary import count_parameters

PLAIN, AT_ONCE, STEPWISE = ARMS = ("plain", "transformer, at once", "transformer, step by step")


@dataclass(frozen=True)
class StnSettings:
    """Everything about the second half of lesson 04 that a profile changes."""

    garments: tuple[int, int]  # train, test
    steps: int
    seeds: int = 3
    batch: int = 48
    lr: float = 3e-3  # peak
    localise_lr: float = 5e-3  # of the spatial transformer's own network, at once ...
    stepwise_lr: float = 3e-3  # ... and step by step
    ramp: tuple[float, float] = (0.1, 0.7)  # shares of the steps between which the distortion grows from 0 to full
    smoothing: float = 0.1  # of the labels: a classifier that is quite sure has no gradient left to straighten by
    width: int = 12
    lessons: tuple[float, float] = (0.14, 0.82)  # step by step: shares of the steps where lessons 2 and 3 begin
    loose: float = 0.25  # share of the distortion in lesson 1: a right answer must be in reach from nearby poses
    mark: float = 0.72  # share of right answers at which the distortion grows in lesson 2 ...
    pace: float = 1 / 150  # ... by this much a step


SETTINGS = {
    "smoke": StnSettings((64, 48), steps=6, seeds=2, batch=32),
    "lite": StnSettings((800, 400), steps=800),
    "paper": StnSettings((4000, 1000), steps=6000, seeds=5, pace=1 / 1000),
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
    alone: float = 0.0  # the same without the transformer: the classifier gets the pictures as given
    poses: Tensor = field(default_factory=lambda: torch.empty(0))  # (n, 2, 3): what it sees -> the straight picture
    before: dict[str, float] = field(default_factory=dict)  # `pose_spread` of the distortions ...
    after: dict[str, float] = field(default_factory=dict)  # ... and of what the classifier sees
    losses: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)  # of the full distortion, at each step
    seconds: float = 0.0


class Growing:
    """A distortion that grows as fast as its pupil copes: by `pace` a step while enough recent answers are right.

    Source: Kumar et al. 2010 (self-paced learning), Bengio et al. 2009 (curriculum learning).
    """

    def __init__(self, mark: float, pace: float, memory: float = 0.9):
        self.mark, self.pace, self.memory = mark, pace, memory
        self.share, self.recent = 0.0, 1.0

    def note(self, right: float) -> None:
        """The share of right answers of one more step."""
        self.recent = self.memory * self.recent + (1 - self.memory) * right
        if self.recent >= self.mark:
            self.share = min(1.0, self.share + self.pace)


def lesson(done: float, settings: StnSettings) -> int:
    """1: the classifier learns, from nearly straight garments. 2: the transformer alone. 3: both, on crooked ones."""
    return 1 + sum(done >= begin for begin in settings.lessons)


def train_arm(
    name: str, pictures: Tensor, labels: Tensor, classes: int, settings: StnSettings, how: Crookedness, seed: int
) -> Arm:
    """Train one of ARMS on pictures that are distorted anew every time they are seen, from straight to crooked.

    Shape: (n, 3, S, S), (n,).   Raises: ValueError for an unknown name.
    """
    if name not in ARMS:
        raise ValueError(f"unknown network {name!r}; known: {', '.join(ARMS)}")
    started, size = time.perf_counter(), (pictures.shape[2], pictures.shape[3])
    width = equal_width(classes, size, settings.width) if name == PLAIN else settings.width
    torch.manual_seed(seed)
    network = GarmentNet(classes, size, width, transformer=name != PLAIN)
    arm, transformer = Arm(name, network, count_parameters(network)), network.transformer or nn.Identity()
    optimiser = torch.optim.Adam([{"params": network.classify.parameters()}, {"params": transformer.parameters()}])
    dice = torch.Generator().manual_seed(seed)
    growing, (begin, end) = Growing(settings.mark, settings.pace), settings.ramp
    for step in range(settings.steps):
        done = step / settings.steps
        now = lesson(done, settings) if name == STEPWISE else 3
        network.classify.train(now != 2).requires_grad_(now != 2)
        transformer.requires_grad_(now != 1)
        for group, rate in zip(optimiser.param_groups, _rates(name, done, settings), strict=True):
            group["lr"] = rate
        ramp = min(1.0, max(0.0, (done - begin) / (end - begin)))
        share = ramp if name != STEPWISE else (settings.loose, growing.share, 1.0)[now - 1]
        which = torch.randint(len(labels), (settings.batch,), generator=dice)
        logits = network(read(pictures[which], crooked(settings.batch, how.times(share), dice)))
        loss = F.cross_entropy(logits, labels[which], label_smoothing=settings.smoothing)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if now == 2:
            growing.note(float((logits.argmax(1) == labels[which]).float().mean()))
        arm.losses.append(float(loss.detach()))
        arm.shares.append(share)
    network.eval()
    arm.seconds = time.perf_counter() - started
    return arm


def _rates(name: str, done: float, settings: StnSettings) -> tuple[float, float]:
    """Learning rates of the classifier and of the transformer; each lesson is a cycle, the last one a gentle one."""
    if name != STEPWISE:
        return settings.lr * _cycle(done), settings.localise_lr * _cycle(done)
    second, third = settings.lessons
    if done < second:
        return settings.lr * _cycle(done / second), 0.0
    last = _cycle((done - third) / (1 - third)) / 3 if done >= third else 0.0
    return settings.lr * last, settings.stepwise_lr * _cycle((done - second) / (1 - second))


def _cycle(done: float, rise: float = 0.15) -> float:
    """Up in a straight line from a 25th to 1, then down along a cosine to nothing."""
    return 0.04 + 0.96 * done / rise if done < rise else (1 + math.cos(math.pi * (done - rise) / (1 - rise))) / 2


@torch.no_grad()
def try_arm(arm: Arm, pictures: Tensor, labels: Tensor, matrices: Tensor) -> Arm:
    """Note what a trained network gets right, and how far apart the poses are before and after it straightens.

    Shape: (n, 3, S, S), (n,), (n, 2, 3).
    """
    given = read(pictures, matrices)
    straight = arm.network.straighten(given)
    arm.right, arm.alone = (
        float((arm.network.classify(x).argmax(1) == labels).float().mean()) for x in (straight.picture, given)
    )
    arm.poses = compose(matrices, straight.matrix)
    arm.before, arm.after = (pose_spread(m, pictures.shape[2]) for m in (matrices, arm.poses))
    return arm
