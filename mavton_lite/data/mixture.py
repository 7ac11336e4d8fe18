"""A distribution whose density is known: equal Gaussians in the plane, and exact expectations under it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """Equally likely round Gaussians in the plane.   Raises: ValueError without a centre, or for `std` <= 0."""

    centres: tuple[tuple[float, float], ...]
    std: float

    def __post_init__(self):
        if not self.centres or self.std <= 0:
            raise ValueError(f"a mixture wants centres and std > 0, got {len(self.centres)} centres, std {self.std}")

    def where(self) -> Tensor:
        """The centres.   Shape: (modes, 2)."""
        return torch.tensor(self.centres)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Points drawn independently.   Shape: -> (n, 2)."""
        picks = torch.randint(len(self.centres), (n,), generator=generator)
        return self.where()[picks] + self.std * torch.randn(n, 2, generator=generator)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x), natural logarithm.   Shape: (..., 2) -> (...)."""
        squared = (x[..., None, :] - self.where().to(x)).square().sum(-1)  # (..., modes)
        log_each = -squared / (2 * self.std**2) - math.log(2 * math.pi * self.std**2)
        return log_each.logsumexp(-1) - math.log(len(self.centres))


def ring(modes: int = 8, radius: float = 2.0, std: float = 0.1) -> Mixture:
    """Modes evenly on a circle: the usual test of whether a GAN forgets some.

    Source: Metz et al. 2017 (Unrolled GANs), where 8 modes have radius 2 and std 0.02.
    Raises: ValueError as `Mixture`.
    """
    angles = [2 * math.pi * k / modes for k in range(modes)]
    return Mixture(tuple((radius * math.cos(a), radius * math.sin(a)) for a in angles), std)


@dataclass(frozen=True)
class Grid:
    """Cell centres of a square around the origin, on which integrals over the plane become sums."""

    half_side: float = 8.0  # the square is [-half_side, half_side]^2
    step: float = 0.04

    def points(self) -> Tensor:
        """Row by row from the bottom left.   Shape: (n * n, 2)."""
        at = torch.arange(-self.half_side + self.step / 2, self.half_side, self.step)
        y, x = torch.meshgrid(at, at, indexing="ij")
        return torch.stack([x, y], -1).reshape(-1, 2)

    def integral(self, values: Tensor) -> float:
        """The sum of values at `points()`, times the area of a cell.   Shape: (n * n,) -> float."""
        return float(values.double().sum() * self.step**2)


def jensen_shannon(p: Mixture, q: Mixture, grid: Grid) -> float:
    """JSD(p, q) in nats, by numerical integration: 0 for equal distributions, log 2 for disjoint ones.

    JSD = 1/2 KL(p | m) + 1/2 KL(q | m) with m = (p + q) / 2.   Source: Goodfellow et al. 2014, section 4.1.
    """
    x = grid.points()
    log_p, log_q = p.log_density(x), q.log_density(x)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return grid.integral((log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)) / 2)


@dataclass(frozen=True)
class Coverage:
    """How much of a mixture samples reach."""

    modes: int  # modes with at least `Coverage.LEAST` of all samples within 3 std
    quality: float  # share of samples within 3 std of their nearest centre; 0.989 for the mixture itself

    LEAST = 0.01  # a mode that gets less than one sample in a hundred counts as lost


def coverage(samples: Tensor, mixture: Mixture) -> Coverage:
    """Modes covered and share of high-quality samples.

    Source: Srivastava et al. 2017 (VEEGAN): high quality is within 3 std of the nearest mode.
    Differs: there one such sample covers a mode; here it takes one in a hundred of all samples.
    Shape: (n, 2).   Raises: ValueError for another shape or no samples.
    """
    if samples.ndim != 2 or samples.shape[1] != 2 or not len(samples):
        raise ValueError(f"coverage wants samples (n > 0, 2), got {tuple(samples.shape)}")
    distance, nearest = torch.cdist(samples, mixture.where().to(samples)).min(1)  # (n,), (n,)
    good = distance < 3 * mixture.std
    counts = torch.bincount(nearest[good], minlength=len(mixture.centres))
    return Coverage(int((counts >= Coverage.LEAST * len(samples)).sum()), float(good.float().mean()))


def some_of(mixture: Mixture, keep: Sequence[int]) -> Mixture:
    """The mixture of some of its modes only: what a collapsed but otherwise perfect generator would draw.

    Raises: ValueError for a mode that it does not have.
    """
    unknown = [k for k in keep if not 0 <= k < len(mixture.centres)]
    if unknown:
        raise ValueError(f"the mixture has modes 0 to {len(mixture.centres) - 1}, got {unknown}")
    return Mixture(tuple(mixture.centres[k] for k in keep), mixture.std)
