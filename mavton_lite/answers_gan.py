"""What the exercises of notebooks 01 and 02 are checked against; read it after you have tried."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mavton_lite.models.gan import value


def value_of_beliefs(real: Tensor, fake: Tensor) -> Tensor:
    """01, exercise 1: V of (2-1) from D's probabilities.   Shape: (n,), (m,) in (0, 1) -> ()."""
    return value(torch.logit(real), torch.logit(fake))


def value_cases() -> list[tuple[tuple[Tensor, Tensor], Tensor]]:
    """01, exercise 1: unequal numbers of real and generated samples, so that sums are not means."""
    pairs = [([0.9, 0.6], [0.2, 0.3, 0.5]), ([0.5], [0.5]), ([0.99, 0.8, 0.7], [0.01, 0.4])]
    cases = [(torch.tensor(real), torch.tensor(fake)) for real, fake in pairs]
    return [(case, value_of_beliefs(*case)) for case in cases]


def best_belief(p: Tensor, q: Tensor, share: float) -> Tensor:
    """01, exercise 2: the best D when a share of what it is shown is real: share p / (share p + (1 - share) q)."""
    return share * p / (share * p + (1 - share) * q)


def belief_cases() -> list[tuple[tuple[Tensor, Tensor, float], Tensor]]:
    """01, exercise 2: densities and shares; at one half it is p / (p + q)."""
    p, q = torch.tensor([0.2, 1.0, 0.0]), torch.tensor([0.6, 0.25, 0.3])
    return [((p, q, share), best_belief(p, q, share)) for share in (0.5, 0.8, 0.1)]


def best_value_of_collapse(kept: int, modes: int) -> float:
    """01, exercise 3: the most D reaches against a generator that draws `kept` of `modes` far apart modes perfectly.

    Where the generator draws, p / (p + q) = kept / (kept + modes); elsewhere 1.
    """
    share = kept / modes
    return share * math.log(kept / (kept + modes)) + math.log(modes / (kept + modes))


def collapse_cases() -> list[tuple[tuple[int, int], float]]:
    """01, exercise 3: from one mode of eight to all of them, where it is -log 4."""
    return [((k, n), best_value_of_collapse(k, n)) for k, n in ((1, 8), (4, 8), (8, 8), (3, 5))]


def conditional_input(z: Tensor, labels: Tensor, classes: int) -> Tensor:
    """02, exercise 1: noise with a one-hot condition behind it.   Shape: (B, n), (B,) -> (B, n + classes)."""
    return torch.cat([z, torch.eye(classes)[labels].to(z)], 1)


def conditional_cases() -> list[tuple[tuple[Tensor, Tensor, int], Tensor]]:
    """02, exercise 1: fixed noise and labels."""
    z = torch.arange(6.0).view(3, 2) / 7
    trials = [(z, torch.tensor([2, 0, 1]), 3), (z, torch.tensor([4, 4, 0]), 5)]
    return [(trial, conditional_input(*trial)) for trial in trials]


def field_of(layers: list[tuple[int, int]]) -> int:
    """02, exercise 2: side in px of what one output sees through convolutions of (kernel, stride), first to last."""
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


def field_cases() -> list[tuple[tuple[list[tuple[int, int]]], int]]:
    """02, exercise 2: the 70 x 70 PatchGAN, and networks whose kernels and strides differ."""
    stacks = [[(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)], [(3, 1), (3, 1)], [(5, 1), (3, 2), (2, 3)], [(7, 2)]]
    return [((stack,), field_of(stack)) for stack in stacks]


def lsgan_belief(p: Tensor, q: Tensor) -> Tensor:
    """02, exercise 3: the D that minimises p (D - 1)^2 + q D^2 at every point."""
    return p / (p + q)


def lsgan_cases() -> list[tuple[tuple[Tensor, Tensor], Tensor]]:
    """02, exercise 3: densities of real and generated pictures at a few points."""
    p, q = torch.tensor([0.2, 1.0, 0.5, 0.1]), torch.tensor([0.6, 0.25, 0.5, 0.0])
    return [((p, q), lsgan_belief(p, q)), ((q + 0.1, p), lsgan_belief(q + 0.1, p))]
