"""Where a training step's batch comes from: the training set in memory, or decoded one step ahead."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch

from mavton_lite.config import TrainSettings
from mavton_lite.data import Cached, open_dataset
from mavton_lite.data.augment import mirror
from mavton_lite.schedule import batch_indices, mirrored

HOLD = 2 << 30  # bytes: 14,000 examples of 128 x 96, 3,500 of 256 x 192

_kept: dict[tuple, Cached] | None = None  # the training set last read, inside of `kept_open`


@contextlib.contextmanager
def kept_open() -> Iterator[None]:
    """Inside, a training set held in memory also serves the next training on the same folder, size and device."""
    global _kept
    before, _kept = _kept, {}
    try:
        yield
    finally:
        _kept = before


def feed(
    root: Path,
    size: tuple[int, int],
    settings: TrainSettings,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
    progress: bool = False,
    hold: int | None = None,
) -> Callable[[int], dict]:
    """A function from a step to this process's share of its batch, on the device, without any `truth_*`.

    The training set is held in memory where it takes no more than `hold` bytes (default: `HOLD`) and than half of what
    there is, and on a GPU where it takes less than a quarter of what is free there. What is not where it is wanted a
    thread decodes, or copies, one step ahead; what is not held makes memory no larger, however many examples there are.
    Raises: ValueError as `open_dataset` does.
    """
    device, batch = torch.device(device), settings.batch
    key = (Path(root).resolve(), tuple(size), device, world)
    data = _kept.get(key) if _kept else None
    if data is None:
        dataset = open_dataset(root, "train", "paired", size)
        data = Cached(dataset, max_bytes=min(HOLD if hold is None else hold, memory() // 2 // world), progress=progress)
        if device.type == "cuda" and data.nbytes < torch.cuda.mem_get_info(device)[0] // 4:
            data.to(device)
    if _kept is not None:
        _kept.clear()  # one at a time
        _kept[key] = data
    share = slice(rank * batch // world, (rank + 1) * batch // world)

    def read(step: int) -> dict:
        examples = data.batch(batch_indices(seed, step, len(data), batch)[share], device)
        examples = {k: v for k, v in examples.items() if not k.startswith("truth_")}
        return mirror(examples, mirrored(seed, step, batch)[share]) if settings.flip else examples

    if data.held and (device.type == "cpu" or data.device.type != "cpu"):
        return read
    pool, ahead = ThreadPoolExecutor(1), dict[int, Future]()

    def read_ahead(step: int) -> dict:
        now = ahead.pop(step, None) or pool.submit(read, step)
        if step + 1 < settings.steps:
            ahead[step + 1] = pool.submit(read, step + 1)
        return now.result()

    return read_ahead


def memory() -> int:
    """Bytes of this machine's memory; a cautious 8 GiB where it cannot be asked."""
    if not hasattr(os, "sysconf"):
        return 8 << 30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
