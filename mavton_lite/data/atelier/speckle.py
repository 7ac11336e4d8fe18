"""Smooth irregularity over the skin, and edges as soft as a pixel: what the painting of heads is made of."""

from __future__ import annotations

from functools import cache

import numpy as np

SIDE = 64  # of the table of random values, which repeats


@cache
def _table() -> np.ndarray:
    return np.random.default_rng(20).uniform(-1, 1, (SIDE + 1, SIDE + 1))


def speckle(u: np.ndarray, v: np.ndarray, cell: float) -> np.ndarray:
    """Value noise in [-1, 1] over two coordinates.   Source: a smoothed lattice of random values (Perlin 1985)."""
    u, v = u / cell % SIDE, v / cell % SIDE
    i, j = np.minimum(u.astype(int), SIDE - 1), np.minimum(v.astype(int), SIDE - 1)
    a, b = u - i, v - j
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    t = _table()
    near = t[i, j] + (t[i + 1, j] - t[i, j]) * a
    far = t[i, j + 1] + (t[i + 1, j + 1] - t[i, j + 1]) * a
    return near + (far - near) * b


def spot(x, z, x0: float, z0: float, sx: float, sz: float) -> np.ndarray:
    """A soft round spot, 1 in its middle."""
    return np.exp(-(((x - x0) / sx) ** 2) - ((z - z0) / sz) ** 2)


def mix(colour: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours (N, 3) moved towards others by a share (N,)."""
    return colour + (other - colour) * share[:, None]


def edge(distance: np.ndarray, soft: float) -> np.ndarray:
    """1 inside (negative distance), 0 outside, over a ramp of `soft` metres."""
    return np.clip(0.5 - distance / soft, 0, 1)


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 at `low`, 1 at `high` (which may be the smaller), smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def fade(pixel: float, size: float) -> float:
    """How much of a detail of a size (metres) a pixel of a width (metres) can still show, 0..1."""
    return float(np.clip(1.5 * size / pixel - 0.5, 0, 1))
