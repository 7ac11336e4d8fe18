"""What a training step depends on, as pure functions of (seed, step): which examples, which mirrored, which rate."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from mavton_lite.config import Profile, TrainSettings

_STREAMS = {"order": 1, "mirror": 2, "noise": 3}  # kept apart: one stream's numbers say nothing about another's


def seed_of(stream: str, seed: int, index: int, rank: int = 0) -> int:
    """A generator's seed for one use of one step or epoch.   Raises: KeyError for an unknown stream."""
    mixed = seed
    for part in (_STREAMS[stream], index, rank):
        mixed = (mixed * 6_364_136_223_846_793_005 + part + 1_442_695_040_888_963_407) % 2**63
    return mixed


def _generator(stream: str, seed: int, index: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(stream, seed, index))


def batch_indices(seed: int, step: int, count: int, batch: int) -> Tensor:
    """The examples of a step: a stream of shuffled epochs, cut into batches, so that none is dropped.

    Shape: -> (batch,) int64 in 0..count-1.   Raises: ValueError when there are no examples.
    """
    if count < 1 or batch < 1:
        raise ValueError(f"found {count} examples and batch {batch}, wanted at least one of each")
    first, last = step * batch // count, ((step + 1) * batch - 1) // count  # epochs this batch touches
    epochs = [torch.randperm(count, generator=_generator("order", seed, e)) for e in range(first, last + 1)]
    start = step * batch - first * count
    return torch.cat(epochs)[start : start + batch]


def mirrored(seed: int, step: int, batch: int) -> Tensor:
    """Which examples of a step are mirrored: half of them on average.   Shape: -> (batch,) bool."""
    return torch.rand(batch, generator=_generator("mirror", seed, step)) < 0.5


def pace_of(player: str, settings: TrainSettings, profile: Profile) -> TrainSettings:
    """A stage's settings for one of its networks: the discriminator has a learning rate of its own."""
    rate = profile.discriminator.rate if player == "discriminator" else 1.0
    return dataclasses.replace(settings, lr=rate * settings.lr)


def build_scheduler(optimiser: torch.optim.Optimizer, settings: TrainSettings) -> LRScheduler:
    """The learning rate of each step; call its `step()` after each of `settings.steps` steps.

    constant; linear: constant for the first half, then straight to zero (CP-VTON's paper); onecycle: up to `lr` in
    the first 30 %, then down to almost nothing.   Raises: ValueError for another name.
    """
    if settings.schedule == "onecycle":
        return OneCycleLR(optimiser, settings.lr, total_steps=settings.steps, cycle_momentum=False)
    if settings.schedule == "linear":
        half = settings.steps / 2
        return LambdaLR(optimiser, lambda step: min(1.0, max(0.0, (settings.steps - step) / half)))
    if settings.schedule == "constant":
        return LambdaLR(optimiser, lambda step: 1.0)
    raise ValueError(f"unknown schedule {settings.schedule!r}; known: constant, linear, onecycle")
