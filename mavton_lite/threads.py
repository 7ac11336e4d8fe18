"""Torch in one thread, for networks so small that a second one only waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch computes in one thread; afterwards in as many as before.

    A step of a small network is a hundred calls of microseconds. Two threads meet at each of them, and on a busy
    machine the one that is there waits for the one that is not: ten times slower than alone.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
