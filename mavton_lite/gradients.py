"""How hard each term of a loss pulls on a network, and the log that a training keeps of it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mavton_lite.files import appending
from mavton_lite.traininglog import cut

POINTS, SELDOM = 100, 5  # measurements in a training, and steps between two at least: each costs one or two steps more
TOTAL, ALONG = "all", "along_"  # columns beside the terms': the whole gradient's norm, a term's cosine with the rest


def measure(
    terms: Mapping[str, Tensor], network: nn.Module, backward: Callable[[Tensor], None] | None = None
) -> dict[str, float]:
    """The norm of every term's gradient over all weights of a network, that of their sum, and who pulls which way.

    `along_x` is the cosine between the gradient of term x and that of all the others together: 1 for the same way, -1
    for the opposite one, 0 across; it is there when there are two terms or more. The gradients are cleared afterwards
    and the graph is kept, so that a training step can go on as if nothing had been measured.
    Shape: terms () each, as they are weighted.   Raises: ValueError without terms.
    """
    if not terms:
        raise ValueError("measure: found no terms, wanted at least one")
    parameters = [p for p in network.parameters() if p.requires_grad]
    pulls: list[list[Tensor | None]] = []
    for term in terms.values():
        network.zero_grad(set_to_none=True)
        if backward is None:
            term.backward(retain_graph=True)
        else:
            backward(term)
        pulls.append([p.grad for p in parameters])
    network.zero_grad(set_to_none=True)
    gram = torch.zeros(len(pulls), len(pulls), dtype=torch.float64)  # inner products of all pairs of gradients
    for weight, *grads in zip(parameters, *pulls, strict=True):
        rows = torch.stack([torch.zeros_like(weight) if g is None else g for g in grads]).flatten(1).float()
        gram += (rows @ rows.T).double().cpu()
    return _summary(list(terms), gram)


def _summary(names: list[str], gram: Tensor) -> dict[str, float]:
    norms = gram.diagonal().clamp(min=0).sqrt()
    found = {name: float(norm) for name, norm in zip(names, norms, strict=True)}
    if len(names) == 1:
        return found
    found[TOTAL] = float(gram.sum().clamp(min=0).sqrt())
    for i, name in enumerate(names):
        others = [j for j in range(len(names)) if j != i]
        rest = gram[others][:, others].sum().clamp(min=0).sqrt()
        found[ALONG + name] = float(gram[i, others].sum() / (norms[i] * rest).clamp(min=1e-30))
    return found


class GradientLog:
    """gradients.csv: a row of `measure` every so many steps, only ever appended to.

    Columns: step (the one the gradients were taken at, before its update), then what was measured of every player.
    Rows after `step`, the step a training goes on from, are cut off.
    """

    def __init__(self, path: Path, step: int, steps: int, active: bool = True):
        self.path, self.every, self.active = path, max(SELDOM, steps // POINTS), active
        if active:
            cut(path, step)

    def due(self, step: int) -> bool:
        """Whether the step after `step` finished ones is one to measure."""
        return self.active and step % self.every == 0

    def add(self, step: int, row: Mapping[str, float]) -> None:
        """Append what was measured."""
        fresh = not self.path.exists()
        content = {"step": step + 1} | {name: f"{value:.5g}" for name, value in row.items()}
        with appending(self.path), self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(content))
            if fresh:
                writer.writeheader()
            writer.writerow(content)
