"""What the skips of a U-Net carry: the same small network taught with and without them, and with one cut at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.data.lessons import People
from mavton_lite.models.unet_classic import ClassicUNet
from mavton_lite.threads import one_thread

CLASSES = 20  # LIP's


@dataclass(frozen=True)
class SkipSettings:
    """Everything about the lesson on skips that a profile changes."""

    train: int  # people to learn from
    test: int
    steps: int
    height: int = 64
    width: int = 48
    batch: int = 16
    lr: float = 4e-3  # peak of a one-cycle schedule
    channels: int = 8


SETTINGS = {
    "smoke": SkipSettings(train=8, test=6, steps=3, batch=4),
    "lite": SkipSettings(train=160, test=40, steps=180),
    "paper": SkipSettings(train=4000, test=500, steps=4000, height=128, width=96, channels=32),
}


@dataclass(frozen=True)
class Parsed:
    """How well a network labels pixels: shares that are right, of all pixels of that kind."""

    inside: float  # pixels whose neighbours, 2 px around, all have their label
    edge: float  # all others


@one_thread()
def teach(settings: SkipSettings, people: People, skips: bool, seed: int = 0) -> ClassicUNet:
    """A U-Net that labels people's pixels, with all its skips or with none; in evaluation mode.

    Both begin with the same weights and see the same pictures in the same order.
    """
    torch.manual_seed(seed)
    network = ClassicUNet(3, CLASSES, settings.channels, levels=4, norm=True).to(memory_format=torch.channels_last)
    if not skips:
        network.carried = ()
    optimiser = torch.optim.AdamW(network.parameters(), settings.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.lr, settings.steps, pct_start=0.2)
    dice = torch.Generator().manual_seed(seed)
    for _ in range(settings.steps):
        which = torch.randint(len(people.pictures), (settings.batch,), generator=dice)
        shift = int(torch.randint(-3, 4, (), generator=dice))
        light = 1 + 0.1 * torch.randn(settings.batch, 3, 1, 1, generator=dice)
        pictures = (people.pictures[which].roll(shift, 3) * light).contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(network(pictures), people.parses[which].roll(shift, 2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def edges(parses: Tensor, reach_px: int = 2) -> Tensor:
    """Pixels with another label within reach.   Shape: (B, H, W) int64 -> (B, H, W) bool."""
    labels = F.pad(parses[:, None].float(), (reach_px,) * 4, mode="replicate")
    side = 2 * reach_px + 1
    return (F.max_pool2d(labels, side, 1) != -F.max_pool2d(-labels, side, 1))[:, 0]


def labelled(network: ClassicUNet, pictures: Tensor, cut: int | None = None) -> Tensor:
    """The labels a network gives, with one of its skips cut if a level is named.   Shape: (B, 3, H, W) -> (B, H, W).

    Raises: ValueError for a level that the network does not have.
    """
    if cut is not None and cut not in range(1, network.levels + 1):
        raise ValueError(f"no skip {cut}; there are 1 to {network.levels}")
    carried = network.carried
    network.carried = [level for level in carried if level != cut]
    try:
        with torch.no_grad():
            return network(pictures.contiguous(memory_format=torch.channels_last)).argmax(1)
    finally:
        network.carried = carried


def judge(labels: Tensor, truth: Tensor) -> Parsed:
    """Right labels at edges and away from them.   Shape: (B, H, W) twice."""
    right, edge = labels == truth, edges(truth)
    return Parsed(float(right[~edge].float().mean()), float(right[edge].float().mean()))
