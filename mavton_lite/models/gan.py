"""The min-max game: its value, its two steps, its optimum, and small players for points in the plane."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.data.mixture import Grid, Mixture

GENERATOR_LOSSES = ("saturating", "non-saturating")


def value(real: Tensor, fake: Tensor) -> Tensor:
    """V(D, G) = E log D(x) + E log(1 - D(G(z))), the thesis (2-1), where D = sigmoid(logit).

    Shape: logits of real and generated samples, any shapes -> ().
    """
    return F.logsigmoid(real).mean() + F.logsigmoid(-fake).mean()  # 1 - sigmoid(x) = sigmoid(-x), without overflow


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator minimises: -V, thesis (2-2) with its sign turned.   Shape: as `value`."""
    return -value(real, fake)


def generator_loss(fake: Tensor, kind: str = "non-saturating") -> Tensor:
    """What the generator minimises over the discriminator's logits of its samples.

    Source: "saturating": E log(1 - D(G(z))), thesis (2-3); "non-saturating": -E log D(G(z)), Goodfellow et al. 2014,
    section 3: the same fixed point, another gradient.   Shape: logits of any shape -> ().
    Raises: ValueError for an unknown kind.
    """
    if kind == "saturating":
        return F.logsigmoid(-fake).mean()
    if kind == "non-saturating":
        return -F.logsigmoid(fake).mean()
    raise ValueError(f"unknown generator loss {kind!r}; known: {', '.join(GENERATOR_LOSSES)}")


def generator_slope(belief: Tensor, kind: str = "non-saturating") -> Tensor:
    """|d loss / d logit| of one sample which the discriminator believes real with probability D.

    "saturating", (2-3): D, so nothing is left when the discriminator is sure (D -> 0); "non-saturating": 1 - D.
    Shape: probabilities in [0, 1], any shape -> same.   Raises: ValueError for an unknown kind.
    """
    if kind not in GENERATOR_LOSSES:
        raise ValueError(f"unknown generator loss {kind!r}; known: {', '.join(GENERATOR_LOSSES)}")
    return belief if kind == "saturating" else 1 - belief


def optimal_logit(p: Mixture, q: Mixture, x: Tensor) -> Tensor:
    """The logit of D*(x) = p / (p + q), which maximises (2-2) for a fixed generator with density q: log p - log q.

    Source: Goodfellow et al. 2014, proposition 1.   Shape: (..., 2) -> (...).
    """
    return p.log_density(x) - q.log_density(x)


def expected_value(logits: Tensor, p: Mixture, q: Mixture, grid: Grid) -> float:
    """V(D, G) of (2-1) with both expectations as integrals, not as means over samples.

    No discriminator exceeds -log 4 + 2 JSD(p, q) here, which D* attains (Goodfellow et al. 2014, theorem 1).
    Shape: logits at `grid.points()`, (n * n,) -> float.
    """
    x = grid.points()
    p_x, q_x = p.log_density(x).exp(), q.log_density(x).exp()
    return grid.integral(p_x * F.logsigmoid(logits) + q_x * F.logsigmoid(-logits))


def best_value(jsd: float) -> float:
    """The maximum of (2-2) over all discriminators: -log 4 + 2 JSD.   Source: Goodfellow et al. 2014, theorem 1."""
    return -math.log(4) + 2 * jsd


class Parallel(nn.Module):
    """One linear layer for each of several games that are played side by side and never meet.

    Started as `nn.Linear` is.   Shape: (games, B, in) -> (games, B, out).
    """

    def __init__(self, inputs: int, outputs: int, generators: list[torch.Generator]):
        super().__init__()
        bound = 1 / math.sqrt(inputs)

        def uniform(rows: int) -> nn.Parameter:
            drawn = [torch.rand(rows, outputs, generator=g) * 2 - 1 for g in generators]
            return nn.Parameter(bound * torch.stack(drawn))

        self.weight, self.bias = uniform(inputs), uniform(1)  # (games, in, out), (games, 1, out)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class Player(nn.Sequential):
    """A perceptron with two hidden layers for every game: a generator maps noise to points, a discriminator points to
    one logit.

    Shape: (games, B, in) -> (games, B, out).   Raises: ValueError for an input of another shape.
    """

    def __init__(self, inputs: int, outputs: int, width: int, generators: list[torch.Generator], leak: float = 0.0):
        layers: list[nn.Module] = []
        for a, b in ((inputs, width), (width, width)):
            layers += [Parallel(a, b, generators), nn.LeakyReLU(leak)]
        super().__init__(*layers, Parallel(width, outputs, generators))
        self.games, self.inputs = len(generators), inputs

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[0] != self.games or x.shape[2] != self.inputs:
            raise ValueError(f"wanted ({self.games} games, B, {self.inputs}), got {tuple(x.shape)}")
        return super().forward(x)
