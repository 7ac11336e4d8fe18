"""The diary of a training, and the two ways it is asked to stop."""

from __future__ import annotations

import csv
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from mavton_lite.files import appending, replacing


def cut(path: Path, step: int) -> None:
    """Take the rows after `step` out of a log whose first column is the step; a log without rows goes."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    # a row cut short by a crash has too few cells
    rows = [row for row in rows if len(row) == len(header) and row[0].isdecimal() and int(row[0]) <= step]
    if not rows:
        with appending(path):
            path.unlink()
        return
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


class TrainingLog:
    """log.csv: a row of means every few steps, only ever appended to.

    Columns: step (the last of those averaged), lr, seconds (of training, all sittings together), loss (of the network
    that the experiment is named for), then every weighted term. Rows after `step`, the step a training goes on from,
    belong to a future that did not happen and are cut off. Every process keeps a log and writes its rows at the same
    steps; `combine` makes one mean of theirs, and only an `active` one has a file.
    """

    def __init__(
        self,
        path: Path,
        step: int,
        every: int,
        active: bool = True,
        combine: Callable[[Tensor], Tensor] | None = None,
    ):
        self.path, self.every, self.active, self._combine = path, every, active, combine
        self.last_row: dict[str, float] = {}
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self._pending: tuple[int, float, float] = (step, 0.0, 0.0)
        if active:
            cut(path, step)

    def add(
        self, step: int, lr: float, seconds: float, loss: Tensor, terms: dict[str, Tensor]
    ) -> dict[str, float] | None:
        """Take a step in; returns the row when one is due."""
        for name, value in {"loss": loss, **terms}.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().float()
        self._count += 1
        self._pending = (step, lr, seconds)
        return self.flush() if step % self.every == 0 else None

    def flush(self) -> dict[str, float] | None:
        """Write the mean of the steps since the last row, if there were any."""
        if not self._count:
            return None
        sums = torch.stack(list(self._sums.values())) / self._count
        means = (self._combine(sums) if self._combine else sums).tolist()  # one wait for the device
        step, lr, seconds = self._pending
        row: dict[str, float] = {"step": step, "lr": lr, "seconds": round(seconds, 2)}
        row |= {name: float(f"{mean:.6g}") for name, mean in zip(self._sums, means, strict=True)}
        self._sums, self._count, self.last_row = {}, 0, row
        if self.active:
            fresh = not self.path.exists()
            with appending(self.path), self.path.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(row))
                if fresh:
                    writer.writeheader()
                writer.writerow(row)
        return row


class Stopper:
    """While active, Ctrl-C asks for a stop after the step; a second one stops at once. Also knows the deadline.

    Only the main thread can listen for Ctrl-C; elsewhere it keeps its usual meaning.
    """

    def __init__(self, deadline: float | None = None):
        self.deadline, self.interrupted = deadline, False
        self._before: Any = None

    def __enter__(self) -> Stopper:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        signal.signal(signal.SIGINT, self._before)

    def wanted(self) -> int:
        """0: go on, 1: the time is up, 2: Ctrl-C."""
        if self.interrupted:
            return 2
        return int(self.deadline is not None and time.monotonic() >= self.deadline)
