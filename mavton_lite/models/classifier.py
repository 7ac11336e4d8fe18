"""A small classifier of garment attributes with a gate after every stage: which gate helps, and at what cost?"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from mavton_lite.attention import GATES, AttentionMap, ChannelAttention, Gate, SpatialAttention, record
from mavton_lite.data.lessons import KIND_NAMES, NECK_NAMES, SLEEVE_NAMES, Garments
from mavton_lite.models.summary import count_multiply_adds, count_parameters
from mavton_lite.seeds import judge, over_seeds, paired, written
from mavton_lite.threads import one_thread

ATTRIBUTES = {"sleeve": SLEEVE_NAMES, "neck": NECK_NAMES, "kind": KIND_NAMES}

# The gates compared; "cbam" is channel first, the last one is the other order.
COMPARED: dict[str, Callable[..., nn.Module]] = {
    **GATES,
    "spatial first": lambda channels, reduction=16, kernel=7: Gate(
        spatial=SpatialAttention(channels, kernel), channel=ChannelAttention(channels, reduction)
    ),
}


@dataclass(frozen=True)
class ClassifierSettings:
    """Everything about the comparison of gates that a profile changes."""

    n_train: int
    n_test: int
    seeds: int
    steps: int
    batch: int = 32
    lr: float = 1e-2  # the peak of a one-cycle schedule
    decay: float = 1e-4
    height: int = 48  # garments are drawn at this size ...
    width: int = 36
    shown: tuple[int, int] = (32, 24)  # ... and shown to the network at this one
    channels: tuple[int, ...] = (16, 32, 64)  # of its stages
    reduction: int = 4
    kernel: int = 7


SETTINGS = {
    "smoke": ClassifierSettings(n_train=64, n_test=48, seeds=2, steps=8),
    "lite": ClassifierSettings(n_train=800, n_test=400, seeds=5, steps=300),
    "paper": ClassifierSettings(n_train=4000, n_test=1000, seeds=5, steps=2000, shown=(48, 36)),
}


class Classifier(nn.Module):
    """Stages of convolution, batch norm and ReLU, each halving the picture, each with a gate; then a head an attribute.

    The gates are `gates.level1`, `gates.level2`, ...; the other weights are drawn before theirs, so that two networks
    of one seed begin equal whatever their gates.
    Shape: (B, 3, H, W) -> {attribute: (B, classes)}.   Raises: ValueError for an unknown gate or another input.
    """

    def __init__(self, gate: str = "none", channels: Iterable[int] = (16, 32, 64), reduction: int = 4, kernel: int = 7):
        super().__init__()
        if gate not in COMPARED:
            raise ValueError(f"unknown gate {gate!r}; known: {', '.join(COMPARED)}")
        channels = tuple(channels)
        self.stages = nn.ModuleList()
        for before, after in zip((3, *channels[:-1]), channels, strict=True):
            conv = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            self.stages.append(nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU()))
        self.heads = nn.ModuleDict({name: nn.Linear(channels[-1], len(c)) for name, c in ATTRIBUTES.items()})
        made = {f"level{i}": COMPARED[gate](c, reduction, kernel) for i, c in enumerate(channels, 1)}
        self.gates = nn.ModuleDict(made)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        if x.ndim != 4 or x.shape[1] != 3:
            raise ValueError(f"Classifier wants pictures (B, 3, H, W), got {tuple(x.shape)}")
        for stage, gate in zip(self.stages, self.gates.values(), strict=True):
            x = gate(stage(x))  # (B, C, H / 2**level, W / 2**level)
        pooled = x.mean((2, 3))  # (B, C)
        return {name: head(pooled) for name, head in self.heads.items()}


def labels(garments: Garments) -> dict[str, Tensor]:
    """The right answer of every attribute.   Shape: {attribute: (n,)}."""
    return {"sleeve": garments.sleeve, "neck": garments.neck, "kind": garments.kind}


def build(gate: str, settings: ClassifierSettings, seed: int) -> Classifier:
    """An untrained classifier."""
    torch.manual_seed(seed)
    return Classifier(gate, settings.channels, settings.reduction, settings.kernel)


@one_thread()
def train(network: nn.Module, garments: Garments, settings: ClassifierSettings, seed: int) -> list[float]:
    """Train on random batches, every other one mirrored; the batches depend on the seed alone -> the loss of each step.

    Source: Adam with one-cycle learning rate; the loss is the sum of the attributes' cross-entropies.
    """
    generator = torch.Generator().manual_seed(seed)
    pictures, right = shown(garments.pictures, settings), labels(garments)
    # fused: a step of so small a network is all overhead
    adam = torch.optim.Adam(network.parameters(), settings.lr, weight_decay=settings.decay, fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, settings.lr, total_steps=settings.steps)
    losses = []
    network.train()
    for step in range(settings.steps):
        chosen = torch.randint(len(pictures), (settings.batch,), generator=generator)
        x = pictures[chosen].flip(3) if step % 2 else pictures[chosen]
        answers = network(x)
        loss = reduce(torch.add, (F.cross_entropy(answers[name], right[name][chosen]) for name in ATTRIBUTES))
        adam.zero_grad()
        loss.backward()
        adam.step()
        cycle.step()
        losses.append(float(loss.detach()))
    network.eval()
    return losses


def shown(pictures: Tensor, settings: ClassifierSettings) -> Tensor:
    """Pictures at the size that the network sees."""
    return F.interpolate(pictures, settings.shown, mode="area")


@torch.no_grad()
def accuracy(network: nn.Module, garments: Garments, settings: ClassifierSettings) -> dict[str, float]:
    """The share of right answers for every attribute, and their mean as `all`."""
    answers = network.eval()(shown(garments.pictures, settings))
    right = {name: float((answers[name].argmax(1) == y).float().mean()) for name, y in labels(garments).items()}
    return right | {"all": sum(right.values()) / len(right)}


@torch.no_grad()
def constant_maps(network: Classifier, garments: Garments, settings: ClassifierSettings) -> dict[str, float]:
    """Accuracy when every map is replaced by its mean over these garments: what is lost, the gates knew of a picture.

    Raises: ValueError when the network has no attention maps.
    """
    with record(network) as maps:
        network.eval()(shown(garments.pictures, settings))
    if not maps:
        raise ValueError("a network without gates has no maps to replace")
    means = {name: values.mean(0, keepdim=True) for name, values in maps.items()}
    modules = {name: module for name, module in network.named_modules() if name in means}
    hooks = [m.register_forward_hook(lambda _, __, out, mean=means[n]: mean.expand_as(out)) for n, m in modules.items()]
    try:
        return accuracy(network, garments, settings)
    finally:
        for hook in hooks:
            hook.remove()


def commonest(train_set: Garments, test_set: Garments) -> dict[str, float]:
    """The floor: always answer what is commonest among the training garments."""
    seen, asked = labels(train_set), labels(test_set)
    right = {name: float((asked[name] == seen[name].mode().values).float().mean()) for name in ATTRIBUTES}
    return right | {"all": sum(right.values()) / len(right)}


def compare_gates(
    settings: ClassifierSettings, train_set: Garments, test_set: Garments, gates: Iterable[str] = tuple(COMPARED)
) -> tuple[pd.DataFrame, dict[str, Classifier]]:
    """Every gate trained from every seed -> a row each (gate, seed, accuracies), and seed 0's networks by gate."""
    rows, kept, gates = [], {}, tuple(gates)
    jobs = [(seed, gate) for seed in range(settings.seeds) for gate in gates]
    for seed, gate in tqdm(jobs, desc="training classifiers", leave=False, mininterval=2):
        network = build(gate, settings, seed)
        train(network, train_set, settings, seed)
        rows.append({"gate": gate, "seed": seed, **accuracy(network, test_set, settings)})
        if seed == 0:
            kept[gate] = network
    return pd.DataFrame(rows), kept


def costs(settings: ClassifierSettings, gates: Iterable[str] = tuple(COMPARED)) -> pd.DataFrame:
    """A row a gate: parameters and multiply-adds of the whole network, and what the gates add to it.

    Counted are convolutions and matrix products of one picture; a gate's own product with its features is one more for
    every feature value.
    """
    rows = {}
    for gate in gates:
        network = build(gate, settings, 0)
        row = {"parameters": count_parameters(network), "multiply-adds": _products(network, settings)}
        row["multiply-adds"] += count_multiply_adds(network, (1, 3, *settings.shown))
        rows[gate] = row
    table = pd.DataFrame(rows).T
    for name in ("parameters", "multiply-adds"):
        table[f"{name} +%"] = 100 * (table[name] / table[name].loc["none"] - 1)
    return table


@torch.no_grad()
def _products(network: nn.Module, settings: ClassifierSettings) -> int:
    """How many feature values of one picture are multiplied with a map."""
    multiplied: list[int] = []
    maps = [m for m in network.modules() if isinstance(m, AttentionMap)]
    hooks = [m.register_forward_hook(lambda _, inputs, __: multiplied.append(inputs[0].numel())) for m in maps]
    network.eval()(torch.zeros(1, 3, *settings.shown))
    for hook in hooks:
        hook.remove()
    return sum(multiplied)


@one_thread()
def clock(settings: ClassifierSettings, gates: Iterable[str] = tuple(COMPARED), repeats: int = 30) -> dict[str, float]:
    """How much longer than without gates one training step's forward and backward pass takes on this machine.

    The gates take turns, and the median counts: a busy moment hits all of them.
    """
    networks = {gate: build(gate, settings, 0) for gate in gates}
    x = torch.zeros(settings.batch, 3, *settings.shown)
    taken: dict[str, list[float]] = {gate: [] for gate in networks}
    for _ in range(repeats):
        for gate, network in networks.items():
            start = time.perf_counter()
            sum(v.sum() for v in network(x).values()).backward()
            taken[gate].append(time.perf_counter() - start)
    medians = {gate: sorted(times)[len(times) // 2] for gate, times in taken.items()}
    return {gate: value / medians["none"] for gate, value in medians.items()}


def scores(runs: pd.DataFrame, attribute: str = "all") -> pd.DataFrame:
    """A row a gate: accuracy over the seeds, difference to no gate paired by seed, and the verdict by the one rule.

    Raises: ValueError as `seeds.over_seeds` does.
    """
    by_gate = {gate: rows.sort_values("seed")[attribute].tolist() for gate, rows in runs.groupby("gate", sort=False)}
    rows = []
    for gate, values in by_gate.items():
        row = {"gate": gate, "accuracy %": written(over_seeds(values)), "difference to none": "", "verdict": ""}
        if gate != "none":
            gain = paired(values, by_gate["none"])
            row |= {"difference to none": written(gain, sign=True), "verdict": judge(gain)}
        rows.append(row)
    return pd.DataFrame(rows).set_index("gate")


def order_verdict(runs: pd.DataFrame, attribute: str = "all") -> str:
    """Channel first against spatial first, paired by seed, as a sentence."""
    by_gate = {gate: rows.sort_values("seed")[attribute].tolist() for gate, rows in runs.groupby("gate")}
    gain = paired(by_gate["cbam"], by_gate["spatial first"])
    return f"channel first minus spatial first: {written(gain, sign=True)} % points: {judge(gain)}"


def at(profile: str, **changes) -> ClassifierSettings:
    """The settings of a profile, with changes.   Raises: ValueError for an unknown profile."""
    if profile not in SETTINGS:
        raise ValueError(f"no settings for profile {profile!r}; there are {', '.join(SETTINGS)}")
    return dataclasses.replace(SETTINGS[profile], **changes)
