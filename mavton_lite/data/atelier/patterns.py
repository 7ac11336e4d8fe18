"""Patterns that repeat by a rule: colours as functions of the place on the cloth.

Places are metres on the flat garment: x to the right of its middle, y down from the neck. Where a pattern splits into a
function of x and one of y it is given open grids, (1, W) and (H, 1), and costs next to nothing.
"""

from __future__ import annotations

from functools import cache

import numpy as np

SOFT_M = 0.0012  # half the width of a printed edge
STEP_M = 0.0002  # in which a sett is tabulated
FINEST_M = 0.012  # no texture is finer: 2.5 pixels of a 256 x 192 picture
NECK_TO_ARMPIT_M = 0.205
Sett = tuple[tuple[int, float], ...]


def edge(inside_m: np.ndarray, soft_m: float = SOFT_M) -> np.ndarray:
    """1 well inside, 0 well outside, soft between."""
    return np.clip(0.5 + inside_m / (2 * soft_m), 0, 1)


def over(ground: np.ndarray, colour, ink: np.ndarray) -> np.ndarray:
    """A colour (3,) or picture laid on a ground (..., 3) where there is ink (...)."""
    return ground + (np.asarray(colour) - ground) * ink[..., None]


def bands(place_m: np.ndarray, sett: Sett, period_m: float, colours: np.ndarray) -> np.ndarray:
    """Bands of colours along a line: `sett` lists (row of colours, share of the period).   Shape: (...) -> (..., 3)."""
    n = int(period_m / STEP_M) + 1
    at = (np.arange(n) + 0.5) * (period_m / n)
    starts = np.cumsum([0.0, *(share for _, share in sett)]) * (period_m / sum(share for _, share in sett))
    profile = np.zeros((n, 3))
    for (row, _), left, right in zip(sett, starts[:-1], starts[1:], strict=True):
        away = np.abs((at - (left + right) / 2 + period_m / 2) % period_m - period_m / 2)
        profile += edge((right - left) / 2 - away)[:, None] * colours[row]
    turns = place_m * (1 / period_m)
    return profile[np.minimum(((turns - np.floor(turns)) * n).astype(np.int32), n - 1)]


STRIPES: dict[str, tuple[Sett, tuple[float, float]]] = {  # sett, range of periods
    "even": (((0, 0.5), (1, 0.5)), (0.036, 0.13)),
    "breton": (((0, 0.68), (1, 0.32)), (0.030, 0.048)),
    "pin": (((0, 0.84), (1, 0.16)), (0.034, 0.055)),
    "double": (((0, 0.62), (1, 0.13), (0, 0.12), (1, 0.13)), (0.075, 0.12)),
    "multi": (((0, 0.36), (1, 0.20), (0, 0.08), (2, 0.28), (0, 0.08)), (0.10, 0.19)),
    "rugby": (((0, 0.42), (2, 0.06), (1, 0.46), (2, 0.06)), (0.15, 0.26)),
    "retro": (((0, 0.55), (1, 0.15), (2, 0.15), (3, 0.15)), (0.13, 0.24)),
}
PLAIDS: dict[str, tuple[Sett, tuple[float, float]]] = {
    "gingham": (((0, 0.5), (1, 0.5)), (0.030, 0.055)),
    "buffalo": (((0, 0.5), (1, 0.5)), (0.075, 0.12)),
    "windowpane": (((0, 0.92), (1, 0.08)), (0.055, 0.085)),
    "tartan": (
        ((0, 0.26), (1, 0.10), (0, 0.05), (1, 0.10), (0, 0.26), (2, 0.035), (0, 0.06), (2, 0.035)),
        (0.11, 0.17),
    ),
    "madras": (((0, 0.30), (2, 0.10), (0, 0.06), (1, 0.28), (3, 0.04), (1, 0.12), (2, 0.05)), (0.13, 0.20)),
}


def stripes(x, y, variant: str, colours, period_m: float, angle: float) -> np.ndarray:
    """Straight bands; at `angle` 0 they lie level, positive turns them clockwise; or a chevron."""
    if variant == "chevron":
        y = y + 0.5 * np.abs((x / period_m + 0.5) % 2 - 1) * period_m
        return bands(y, STRIPES["even"][0], period_m, colours)
    along = np.cos(angle) * y - np.sin(angle) * x if angle else y
    return bands(along, STRIPES[variant][0], period_m, colours)


def plaid(x, y, variant: str, colours, period_m: float) -> np.ndarray:
    """Warp and weft of one sett, half of each seen: crossings of one colour are full, the others mixed."""
    sett = PLAIDS[variant][0]
    first = period_m * sett[0][1] / (2 * sum(k for _, k in sett))  # the first band lies in the middle of the garment
    across, down = bands(x + first, sett, period_m, colours), bands(y, sett, period_m, colours)
    if variant == "windowpane":  # thin lines would pale if they were mixed
        ink = lambda p: np.abs(p - colours[0]).max(-1) / (np.abs(colours[1] - colours[0]).max() + 1e-9)  # noqa: E731
        return over(colours[0], colours[1], np.maximum(ink(across), ink(down)))
    return 0.5 * (across + down)


def dots(x, y, colours, period_m: float, radius: float) -> np.ndarray:
    """Dots in staggered rows on open grids; radius in periods."""
    row_m = period_m * 0.75
    row = np.floor(y / row_m)
    dx = (x / period_m + 0.5 * np.array([[0.0], [1.0]]) + 0.5) % 1 - 0.5  # of even and odd rows
    dy = y / row_m - row - 0.5
    r = np.sqrt((dx * dx * period_m**2)[row[:, 0].astype(int) % 2] + dy * dy * row_m**2)
    return over(colours[0], colours[1], edge(radius * period_m - r))


def gradient(x, y, variant: str, colours, angle: float) -> np.ndarray:
    """A slow change of colour: linear (down at angle 0, to the left at 90), in three colours, dipped or round."""
    t = (np.cos(angle) * (y - 0.31) - np.sin(angle) * x) / 0.46 + 0.5
    if variant == "round":
        t = np.sqrt(x * x + (y - 0.27) ** 2) / 0.30
    elif variant == "dipped":
        t = (y - 0.38) / 0.12
    if variant == "three":
        return over(over(colours[0], colours[1], smooth(2 * t)), colours[2], smooth(2 * t - 1))
    return over(colours[0], colours[1], smooth(t))


def blocks(x, y, variant: str, colours, ratio: float) -> np.ndarray:
    """A few large areas of colour."""
    line = 0.18 + 0.22 * ratio
    if variant == "split":
        return over(colours[0], colours[1], edge(x))
    if variant == "diagonal":
        at = y - line - 0.55 * x
        return over(over(colours[0], colours[2], edge(at + 0.022)), colours[1], edge(at))
    if variant == "chest":
        away = np.abs(y - 0.22)
        return over(over(colours[0], colours[2], edge(0.055 - away)), colours[1], edge(0.038 - away))
    if variant == "three":
        return over(over(colours[0], colours[1], edge(y - line + 0.05)), colours[2], edge(y - line - 0.09))
    if variant == "yoke":
        return over(colours[0], colours[1], edge(0.145 + 0.05 * ratio - y))
    return over(colours[0], colours[1], edge(y - line))  # two


def raglan(x, y, colours) -> np.ndarray:
    """Shoulders in the sleeves' colour, as far as the seam from neck to armpit."""
    seam = 0.066 + 0.11 * np.clip(y / NECK_TO_ARMPIT_M, 0, 1) ** 1.15 + np.clip(y - NECK_TO_ARMPIT_M, 0, None) * 99
    return over(colours[0], colours[1], edge(np.abs(x) - seam))


def knit(x, y, variant: str, colours, period_m: float) -> np.ndarray:
    """Ribs, stitches or cables of one yarn, or bands of a two-coloured pattern; wool is lit softly."""
    turn = 2 * np.pi
    if variant == "fair isle":
        return _fair_isle(x, y, colours, period_m)
    rib = 0.055 * np.cos(turn * x / period_m)
    if variant == "rib":
        return colours[0] * (0.97 + rib)[..., None] + 0 * y[..., None]
    stitch = 0.05 * np.cos(turn * (y / period_m + 0.9 * np.abs((x / period_m) % 1 - 0.5))) - 0.4 * rib
    if variant == "stitch":
        return colours[0] * (0.97 + stitch)[..., None]
    pitch, reach, half = 0.060, 0.0115, 0.0135  # of a cable's turn; of its strands from the middle; of their width
    from_cable = (x + 0.045) % 0.09 - 0.045
    swing = reach * np.sin(turn * y / pitch)
    first, second = (np.abs(from_cable - s) / half for s in (swing, -swing))
    one, two = (0.05 - 0.17 * np.clip(d, 0, 1) ** 2 for d in (first, second))  # a strand is lightest along its middle
    over_one, over_two = (smooth((1.05 - d) / 0.3) for d in (first, second))
    top = smooth(0.5 + 2.0 * np.cos(turn * y / pitch))  # 1 where the first strand lies in front
    cable = top * (two + (one - two) * over_one) + (1 - top) * (one + (two - one) * over_two)
    inside = smooth((reach + half - np.abs(from_cable)) / 0.005)
    cable = inside * cable
    return colours[0] * (0.97 + cable + (1 - inside) * rib)[..., None]


# Rows of a knitted border, one character a stitch; repeated sideways.
_BORDER = ("..#...", ".###..", "#####.", ".###..", "..#...", "......", "#.#.#.", ".#.#.#", "......", "......", "......",
           "......")  # fmt: skip


def _fair_isle(x, y, colours, period_m: float) -> np.ndarray:
    cells = np.array([[k == "#" for k in row] for row in _BORDER], float)
    stitch_m = period_m
    u, v = x / stitch_m + 0.5, y / stitch_m
    row, column = np.floor(v).astype(int) % len(cells), np.floor(u).astype(int) % cells.shape[1]
    band = np.floor(v / len(cells)).astype(int) % 2
    ink = cells[row, column]
    lit = 0.97 + 0.03 * np.cos(2 * np.pi * u)
    return np.where((ink > 0)[..., None], np.asarray(colours)[1 + band], colours[0]) * lit[..., None]


def smooth(t: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, and no corner between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


@cache
def _spline(n_lattice: int, n_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (4, n_out) of a periodic lattice and their cubic B-spline weights."""
    at = (np.arange(n_out) + 0.5) * n_lattice / n_out
    k, f = np.floor(at).astype(int), at % 1
    weights = [(1 - f) ** 3, 3 * f**3 - 6 * f * f + 4, -3 * f**3 + 3 * f * f + 3 * f + 1, f**3]
    return (k + np.arange(-1, 3)[:, None]) % n_lattice, np.array(weights) / 6


def mottle(rng: np.random.Generator, lattice: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Smooth noise that repeats at its borders, mean 0, deviation about 1.   Shape: lattice, shape (rows, columns)."""
    rows, row_weights = _spline(lattice[0], shape[0])
    columns, column_weights = _spline(lattice[1], shape[1])
    values = rng.standard_normal(lattice)
    values = sum(values[rows[i]] * row_weights[i][:, None] for i in range(4))
    out = sum(values[:, columns[i]] * column_weights[i] for i in range(4))
    return (out - out.mean()) / (out.std() + 1e-12)
