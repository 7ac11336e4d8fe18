"""What attention costs as the number of tokens grows: time and memory, measured in one run on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.attention.self_attention import scaled_dot_product

# Same result, two ways: all N x N weights at once, or block by block without keeping them.
WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "written out": lambda q, k, v: scaled_dot_product(q, k, v)[0],
    "fused": F.scaled_dot_product_attention,
}

COUNTS = {"smoke": (64, 128, 256), "lite": (128, 256, 512, 1024, 2048), "paper": (256, 512, 1024, 2048, 4096)}


@dataclass(frozen=True)
class Price:
    """Of one forward and backward pass for each number of tokens.   Units: seconds (median), bytes."""

    counts: tuple[int, ...]
    seconds: dict[str, list[float]]
    kept: dict[str, list[int]]  # held from the forward pass for the backward pass


def measure(counts: Sequence[int], heads: int = 4, width: int = 16, repeats: int = 5, seed: int = 0) -> Price:
    """Time both ways at every size, taking turns, so that a busy moment hits all.

    Raises: ValueError for fewer than two sizes, or sizes that do not grow.
    """
    counts = tuple(counts)
    if len(counts) < 2 or any(b <= a for a, b in zip(counts, counts[1:], strict=False)):
        raise ValueError(f"wanted at least two growing sizes, got {counts}")
    generator = torch.Generator().manual_seed(seed)
    inputs = {n: [torch.randn(1, heads, n, width, generator=generator).requires_grad_() for _ in "qkv"] for n in counts}
    taken: dict[tuple[str, int], list[float]] = {(name, n): [] for name in WAYS for n in counts}
    for _ in range(repeats + 1):
        for (name, n), times in taken.items():
            start = time.perf_counter()
            WAYS[name](*inputs[n]).sum().backward()
            times.append(time.perf_counter() - start)
    return Price(
        counts,
        {name: [float(np.median(taken[name, n][1:])) for n in counts] for name in WAYS},  # the first warms up
        {name: [bytes_kept(way, *inputs[n]) for n in counts] for name, way in WAYS.items()},
    )


def bytes_kept(way: Callable[..., Tensor], *inputs: Tensor) -> int:
    """Bytes that autograd holds for the backward pass, each piece of memory counted once."""
    held: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        held[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        out = way(*inputs)  # alive until counted: freed memory could be handed out twice
        total = sum(held.values())
        del out
    return total


def exponent(counts: Sequence[int], values: Sequence[float], last: int = 3) -> float:
    """The power p in values ~ counts**p, fitted to the `last` largest sizes, where small costs no longer matter.

    Raises: ValueError for fewer than two sizes.
    """
    if min(len(counts), last) < 2:
        raise ValueError(f"a slope wants at least two sizes, got {min(len(counts), last)}")
    return float(np.polyfit(np.log(counts[-last:]), np.log(values[-last:]), 1)[0])
