"""Two ways of doing the same, timed in turns (A B A B ...) by pytest-benchmark, and what came of it as one `Row`."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


@dataclass(frozen=True)
class Target:
    """What a number has to be: at most, or at least, so much."""

    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether a number is within the bound."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True)
class Row:
    """One line of the table. `value` is what the target is about, in `unit`; seconds are medians."""

    part: str
    what: str
    value: float
    unit: str
    target: Target | None
    ours_s: float | None = None
    other: str = ""  # what ours is measured against
    other_s: float | None = None
    rounds: int = 0


@dataclass
class Rows:
    """The lines of one run, in the order of the tests."""

    found: list[Row] = field(default_factory=list)

    def add(self, *row: Any, **more: Any) -> Row:
        """Keep a line."""
        self.found.append(Row(*row, **more))
        return self.found[-1]


def in_turns(
    benchmark: BenchmarkFixture, ours: Callable[[], Any], *others: Callable[[], Any], rounds: int = 7
) -> tuple[float, ...]:
    """Median seconds of ours and of each other. Every round runs them all, so that a busy moment meets them alike.

    pytest-benchmark times ours; its `setup`, called before each round and not timed, runs the others and times them.
    """
    taken: list[list[float]] = [[] for _ in others]
    clock = benchmark._timer  # --benchmark-timer=time.process_time is steadier where others use the machine

    def run_others() -> None:
        for times, other in zip(taken, others, strict=True):
            start = clock()
            other()
            times.append(clock() - start)

    benchmark.pedantic(ours, setup=run_others, rounds=rounds, warmup_rounds=1)  # the first round allocates
    return (statistics.median(benchmark.stats.stats.data), *(statistics.median(times[1:]) for times in taken))


def sgemm(side: int = 2048) -> Callable[[], Any]:
    """A product of two square matrices, the fastest arithmetic of this machine."""
    a, b, out = (torch.randn(side, side) for _ in range(3))
    return lambda: torch.mm(a, b, out=out)


SGEMM_FLOPS = 2 * 2048**3


def flops(step: Callable[[], Any]) -> int:
    """Floating-point operations of convolutions and matrix products in one call, counted by torch."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()
