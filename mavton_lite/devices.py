"""Which devices train, how they are told apart, and what is said when one of them is too small."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from lightning_fabric import Fabric

# set by Fabric's own launcher, torchrun and SLURM; the first process of all has 0 in each that is there
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")


class BatchTooLarge(RuntimeError):
    """A device ran out of memory; `try_batch` is what to try instead, None where nothing smaller is left."""

    def __init__(self, experiment: str, batch: int, processes: int, folder: Path):
        self.batch, half = batch, batch // 2 // processes * processes
        self.try_batch = half or None
        advice = f"try --batch {half}" if half else "try a smaller profile, or more devices with a larger batch"
        kept = f"; the last checkpoint is kept in {folder}" if (folder / "last.safetensors").exists() else ""
        super().__init__(f"{experiment}: out of memory with a batch of {batch}; {advice}{kept}")


def fabric_for(device: str = "auto", devices: int = 1, precision: str | None = None, nodes: int = 1) -> Fabric:
    """Fabric on this machine's GPU, where there is one, or its CPU, and on as many `nodes` as alike."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    chosen: Any = precision or usual_precision(kind)
    return Fabric(accelerator=kind, devices=[int(number)] if number else devices, num_nodes=nodes, precision=chosen)


def usual_precision(kind: str) -> str:
    """bf16 where the GPU computes in it; older ones, such as Colab's T4, would imitate it slowly."""
    fast = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16-mixed" if fast else "32-true"


def alone(folder: Path) -> contextlib.AbstractContextManager:
    """Keeps other processes out of a training's folder; those that a launcher started belong together."""
    if any(os.environ.get(name, "0") != "0" for name in _RANKS) or "LOCAL_RANK" in os.environ:
        return contextlib.nullcontext()
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.with_name(f".{folder.name}.lock"))


@contextlib.contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Inside, equal runs give equal bits: PyTorch takes deterministic algorithms only, and says where it has none.

    On a GPU it has none for the gradient of `grid_sample` by its input, of which no training here has need, so that is
    a warning. Costs speed there; on a CPU, trainings repeat anyway.
    """
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    tuned = torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = tuned
