"""What training at full size would take: work, memory, time and money, worked out from the live networks.

Counted: the multiply-adds, the tensors kept for the backward pass and the operations of one step of each stage, by
running it on fake tensors, which have shapes and no numbers. Assumed: everything in `GPU` and the constants below.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from mavton_lite.config import PAPER, Profile
from mavton_lite.experiments import get_experiment
from mavton_lite.feed import HOLD
from mavton_lite.files import read_text, write_text
from mavton_lite.stages import build_network, build_objective

STAGES = ("gmm", "ma_vton")  # what MA-VTON consists of
LAUNCH_S = 10e-6  # of one operation, started by Python: a step cannot be faster than its operations are started
SPARE = 1.3  # working memory and gaps, over what is kept
CONTEXT = 1 << 30  # bytes of CUDA itself and its libraries
HELD_BYTES_PER_PIXEL = 8  # two pictures, a mask and a parse, as bytes
DECODE_S_PER_PIXEL = 1e-7  # of one example, two JPEGs and two PNGs, on one core


@dataclass(frozen=True)
class GPU:
    """A kind of GPU and what is assumed of it; the price is of an hour in a public cloud, in US dollars."""

    name: str
    flops: float  # a second, at most, in this precision
    mixed: bool  # bf16 autocast, or 32-bit floats
    memory: int
    share: float  # of the most that training convolutions reach
    price: float
    link: float  # bytes a second between GPUs of one machine


GPUS = (
    GPU("T4 (Colab), fp32", 8.1e12, False, 15 << 30, 0.6, 0.35, 6e9),
    GPU("A100 40 GB, bf16", 312e12, True, 40 << 30, 0.3, 1.50, 200e9),
    GPU("H100 80 GB, bf16", 989e12, True, 80 << 30, 0.25, 3.00, 300e9),
)


@dataclass(frozen=True)
class Set:
    """A published data set."""

    name: str
    height: int
    width: int
    examples: int

    @property
    def profile(self) -> Profile:
        """`paper` at this size."""
        return dataclasses.replace(PAPER, height=self.height, width=self.width, n_train=self.examples)


SETS = (Set("VITON", 256, 192, 14_221), Set("VITON-HD", 1024, 768, 11_647))


@dataclass(frozen=True)
class Step:
    """One training step of one example."""

    flops: int  # 2 a multiply-add, forward and backward
    kept: int  # bytes that wait for the backward pass, all players' together
    operations: int
    trained: int  # parameters
    frozen: int


class _Operations(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view  # a view starts nothing on a GPU
        return func(*args, **(kwargs or {}))


@contextmanager
def _kept() -> Iterator[dict[int, tuple[int, Tensor]]]:
    held: dict[int, tuple[int, Tensor]] = {}

    def keep(x: Tensor) -> Tensor:
        memory = x.untyped_storage()
        held[memory._cdata] = memory.nbytes(), x  # alive, or its number could be given to another
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        yield held


def step_of(name: str, profile: Profile, mixed: bool) -> Step:
    """What one step of an experiment takes for one example.   Raises: ValueError for an unknown one."""
    experiment, (height, width) = get_experiment(name), profile.size
    base = build_network(get_experiment(experiment.base), profile) if experiment.base else None
    objective = build_objective(profile, experiment, base)
    sizes = {"image": (3, height, width), "cloth": (3, height, width), "cloth_mask": (1, height, width)}
    with FakeTensorMode(allow_non_fake_inputs=True), _Operations() as operations:
        batch: dict[str, Tensor] = {k: torch.zeros(1, *s) for k, s in sizes.items()}
        batch |= {"parse": torch.zeros(1, height, width, dtype=torch.long), "keypoints": torch.zeros(1, 18, 3)}
        with FlopCounterMode(display=False) as counter, _kept() as held:
            turns = objective.turns(batch)
            while True:
                with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                    turn = next(turns, None)
                if turn is None:
                    break
                turn.loss.backward()
    networks = [*objective.networks.values(), *objective.helpers.values()]
    shapes = {p.shape for m in networks for p in m.parameters()}
    # autocast keeps the weights in half precision too: once a step, not once an example
    weights = [isinstance(x, nn.Parameter) or (mixed and x.shape in shapes) for _, x in held.values()]
    kept = sum(size for (size, _), weight in zip(held.values(), weights, strict=True) if not weight)
    trained = sum(p.numel() for m in objective.networks.values() for p in m.parameters())
    frozen = sum(p.numel() for m in objective.helpers.values() for p in m.parameters())
    return Step(counter.get_total_flops(), kept, operations.count, trained, frozen)


@dataclass(frozen=True)
class Estimate:
    """One stage on some GPUs.   Units: bytes a GPU, hours, dollars."""

    batch: int
    steps: int
    memory: float
    largest: int  # batch a GPU
    step_s: float
    bound: str  # what a step waits for
    hours: float
    dollars: float


def estimate(step: Step, gpu: GPU, devices: int, profile: Profile) -> Estimate:
    """Time, memory and price of showing a stage the examples of `paper`, four a GPU and step."""
    settings = profile.train_tom
    examples, own = settings.steps * settings.batch, settings.batch
    steps = examples // (own * devices)
    # weights, gradients and Adam's two moments; frozen weights; under autocast all weights once more, in half precision
    states = 16 * step.trained + 4 * step.frozen + CONTEXT + 2 * gpu.mixed * (step.trained + step.frozen)
    memory = states + own * step.kept * SPARE
    largest = max(0, int((gpu.memory - states) // (step.kept * SPARE)))
    work, start = own * step.flops / (gpu.flops * gpu.share), step.operations * LAUNCH_S
    exchange = 2 * (devices - 1) / devices * 4 * step.trained / gpu.link
    seconds = max(work, start) + exchange
    bound = "arithmetic" if work > start else "starting operations"
    hours = steps * seconds / 3600
    return Estimate(own * devices, steps, memory, largest, seconds, bound, hours, hours * devices * gpu.price)


def tables(sets: tuple[Set, ...] = SETS) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of three tables: work of a step; time, memory and price; where the data come from."""
    work, price, data = [], [], []
    for one in sets:
        profile = one.profile
        steps = {(name, mixed): step_of(name, profile, mixed) for name in STAGES for mixed in (False, True)}
        for name in STAGES:
            full, half = steps[name, False], steps[name, True]
            work.append({
                "data": one.name, "stage": name, "trained, M": f"{full.trained / 1e6:.1f}",
                "frozen, M": f"{full.frozen / 1e6:.1f}", "GFLOP an example": f"{full.flops / 1e9:,.0f}",
                "kept, fp32": _gb(full.kept), "kept, bf16": _gb(half.kept), "operations": f"{full.operations:,}",
            })  # fmt: skip
        for gpu in GPUS:
            for devices in (1, 8):
                both = [estimate(steps[name, gpu.mixed], gpu, devices, profile) for name in STAGES]
                rate = both[1].batch / both[1].step_s
                price.append({
                    "data": one.name, "GPUs": f"{devices} x {gpu.name}", "batch": both[1].batch,
                    "steps": f"{both[1].steps:,}", "memory a GPU": " / ".join(_gb(e.memory) for e in both),
                    "largest batch a GPU": " / ".join(str(e.largest) for e in both),
                    "a step": " / ".join(f"{1000 * e.step_s:,.0f} ms" for e in both),
                    "waits for": both[1].bound, "hours": f"{sum(e.hours for e in both):,.1f}",
                    "US dollars": f"{sum(e.dollars for e in both):,.0f}",
                })  # fmt: skip
                pixels = one.height * one.width
                data.append({
                    "data": one.name, "GPUs": f"{devices} x {gpu.name}", "examples a second": f"{rate:,.0f}",
                    "cores that decode": f"{rate * pixels * DECODE_S_PER_PIXEL:,.1f}",
                    "set in memory": _gb(one.examples * pixels * HELD_BYTES_PER_PIXEL),
                })  # fmt: skip
    return work, price, data


def limits(sets: tuple[Set, ...] = SETS) -> list[dict[str, Any]]:
    """What does not grow with the picture, size by size."""
    rows = []
    for one in sets:
        gmm, tom = one.profile.gmm, one.profile.tom
        rows.append({
            "data": one.name,
            "correlation": f"{(one.height >> gmm.downs) * (one.width >> gmm.downs):,} channels",
            "U-Net's innermost": f"{one.height >> tom.downs} x {one.width >> tom.downs}",
            "control points apart": f"{one.height // (gmm.grid - 1)} px",
            "held by default": "all" if one.examples * one.height * one.width * 8 <= HOLD else "none: decoded by step",
        })  # fmt: skip
    return rows


def _gb(count: float) -> str:
    return f"{count / 2**30:.2f} GB"


def report(sets: tuple[Set, ...] = SETS) -> str:
    """All tables, as Markdown, with the assumptions."""
    import pandas as pd

    work, price, data = tables(sets)
    assumed = [{
        "GPU": g.name, "at most": f"{g.flops / 1e12:,.0f} TFLOP/s", "reached": f"{g.share:.0%}",
        "memory": _gb(g.memory), "link": f"{g.link / 1e9:.0f} GB/s", "an hour": f"{g.price:.2f} US dollars",
    } for g in GPUS]  # fmt: skip
    told = [
        ("Counted: one step of one example", work),
        ("Assumed of the GPUs", assumed),
        ("Worked out: both stages (matching / try-on), 800,000 examples each, as in CP-VTON's code", price),
        ("Worked out: where the examples come from", data),
        ("What does not grow with the picture", limits(sets)),
    ]
    return "\n\n".join(f"**{t}**\n\n{pd.DataFrame(r).to_markdown(index=False, disable_numparse=True)}" for t, r in told)


def put(path: Path, name: str, text: str) -> Path:
    """Replace what lies between `<!-- name -->` and `<!-- end of name -->` in a text file.

    Raises: ValueError naming the file when it has not these two lines.
    """
    before, between, rest = read_text(path).partition(f"<!-- {name} -->\n")
    _, ending, after = rest.partition(f"<!-- end of {name} -->")
    if not between or not ending:
        raise ValueError(f"{path}: found no place for it, wanted lines <!-- {name} --> and <!-- end of {name} -->")
    return write_text(path, f"{before}{between}\n{text}\n\n{ending}{after}")
