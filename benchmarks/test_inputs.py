"""What comes before a network: data made and read, the person representation, outlines matched, the import."""

from __future__ import annotations

import statistics
import subprocess
import sys

import torch

from benchmarks import plain_person
from benchmarks.side_by_side import Target, in_turns
from mavton_lite.config import PAPER
from mavton_lite.data import Cached, open_dataset
from mavton_lite.data.person import represent
from mavton_lite.data.sample import collate
from mavton_lite.warp import TPSGrid, resample
from mavton_lite.warp.shape_context import warp_between

PART = "Before the networks"


def test_person_representation(benchmark, rows, batch):
    ours, plain = represent(batch), plain_person.people(batch)
    for a, b in zip((ours.agnostic, ours.worn_cloth, ours.worn_mask), plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)

    def store() -> None:
        """As much memory, nothing computed."""
        for t in (ours.agnostic, ours.worn_cloth, ours.worn_mask):
            torch.full_like(t, -1.0)

    def plainly() -> None:
        plain_person.people(batch)

    # both come after the plain one, and find the machine alike
    fast, slow, stored, _ = in_turns(benchmark, lambda: represent(batch), plainly, store, plainly, rounds=40)
    what, other = "person representation of a batch of 4", "one by one with Pillow"
    rows.add(PART, what, slow / fast, "x", Target(10, True), fast, other, slow, 40)
    rows.add(PART, "tensors of its size filled, nothing computed", slow / stored, "x", None, stored, other, slow, 40)


def test_data_generation(benchmark, rows, world, tmp_path):
    from mavton_lite.data.atelier import write_world

    made = iter(range(100))
    count = 4  # a pair for training and one for testing

    def make() -> None:
        write_world(tmp_path / str(next(made)), count - 2, 2, *PAPER.size, workers=1, progress=False)

    (seconds,) = in_turns(benchmark, make, rounds=3)
    what = "Atelier examples of 256 x 192 drawn and written, one process"
    rows.add(PART, what, count / seconds, "a second", None, seconds / count, rounds=3)


def test_data_loading(benchmark, rows, world):
    dataset = open_dataset(world, "train", "paired", PAPER.size)
    held, indices = Cached(dataset), range(4)
    for key, value in (read := collate([dataset[i] for i in indices])).items():
        if torch.is_tensor(value):
            torch.testing.assert_close(held.batch(indices)[key], value, rtol=0, atol=1 / 64, equal_nan=True)
    assert set(read) == set(held.batch(indices))
    fast, slow = in_turns(
        benchmark, lambda: held.batch(indices), lambda: collate([dataset[i] for i in indices]), rounds=15
    )
    rows.add(PART, "a batch of 4 held in memory", slow / fast, "x", None, fast, "read from its files", slow, 15)


def test_outlines_matched(benchmark, rows, world):
    small = open_dataset(world, "train", "paired", (128, 96))
    masks = torch.stack([small[i]["cloth_mask"] for i in range(4)])  # (4, 1, 128, 96)
    theta = 0.1 * torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    worn = resample(masks, TPSGrid(128, 96)(theta), "zeros")
    (seconds,) = in_turns(benchmark, lambda: warp_between(masks, worn, 128, 96), rounds=5)
    each = seconds / len(masks)
    rows.add(PART, "outlines of a pair of 128 x 96 matched", each, "s", Target(0.15), each, rounds=5)


def test_import(benchmark, rows):
    def seconds_of(statement: str) -> float:
        clock = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
        return float(subprocess.run([sys.executable, "-c", clock], capture_output=True, text=True, check=True).stdout)

    subprocess.run([sys.executable, "-c", "import mavton_lite, sys; assert 'torch' not in sys.modules"], check=True)
    taken: dict[str, list[float]] = {"mavton_lite": [], "mavton_lite.cli": [], "torch": []}

    def in_turn() -> None:
        for module, times in taken.items():
            times.append(seconds_of(f"import {module}"))

    benchmark.pedantic(in_turn, rounds=3, warmup_rounds=1)
    package, cli, library = (statistics.median(times[1:]) for times in taken.values())
    rows.add(PART, "import mavton_lite", package, "s", Target(0.3), package, "import torch", library, 3)
    rows.add(PART, "import mavton_lite.cli, the command line", cli, "s", None, cli, "import torch", library, 3)
