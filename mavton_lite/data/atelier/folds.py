"""Folds of cloth: a height field over canonical coordinates that follows the pose and gravity.

Applied as relief after the true warp, so truth stays exact. Folds come in families: across the inside of a bent elbow,
in a fan from the armpit, around the waist, down from bust and shoulder blades, along the twist of a turned chest, at
the ends of sleeves. A family is a row of single folds, each with its own place, width, length and strength.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from mavton_lite.data.atelier.cut import ELBOW, INNER_ELBOW, UPPER_ARM_M, Edges, smooth

if TYPE_CHECKING:
    from mavton_lite.data.atelier.garment import Garment
    from mavton_lite.data.atelier.poses import Bends

LARGEST_M = 0.008  # no fold is higher or deeper
LEAST_M = 0.0002  # lower ones are left out
VALLEY_SHADE = 30.0  # how much darker a metre of depth is: little light gets in


class Strength(NamedTuple):
    """Heights of the families of folds, metres."""

    elbow_left: float
    elbow_right: float
    armpit_left: float
    armpit_right: float
    waist: float
    drape: float
    twist: float
    sleeve: float
    turn: float  # which way the chest turns, -1 or 1


def strength(garment: Garment, bends: Bends | None) -> Strength:
    """How strong each family is in a pose; None is the ironed flat lay, without folds."""
    if bends is None:
        return Strength(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    loose = min(max(garment.fit / 0.016, 0.0), 1.5)
    elbow = [0.0042 * (0.6 + 0.6 * loose) * min(max(b / 0.9, 0.2), 1.6) for b in bends[:2]]
    armpit = [(0.0030 + 0.0032 * min(max(b / 1.2, 0.0), 1.3)) * (0.7 + 0.5 * loose) for b in bends[2:4]]
    waist = (0.0022 + 0.0024 * loose) * (1.4 if garment.tucked else 1.0) * (0.4 if garment.hem_z > 0.26 else 1.0)
    return Strength(
        elbow[0], elbow[1], armpit[0], armpit[1], waist,
        drape=0.0012 + 0.0058 * loose + 0.05 * garment.flare,
        twist=0.014 * min(abs(bends.turn), 0.4),
        sleeve=0.0036 * loose,
        turn=1.0 if bends.turn >= 0 else -1.0,
    )  # fmt: skip


def folds(
    garment: Garment, canonical: np.ndarray, arm: np.ndarray, edges: Edges, bends: Bends | None
) -> tuple[np.ndarray, np.ndarray]:
    """Height (N,) in metres and darkness of the valleys (N,), 0..0.25, at canonical points (N, 3)."""
    if bends is None:
        return np.zeros(len(arm)), np.zeros(len(arm))
    table = np.random.default_rng(garment.creases).random((64, 4))
    height = _heights(canonical, arm, *edges, strength(garment, bends), table, garment.sleeve_m)
    return height, np.clip(-VALLEY_SHADE * height, 0, 0.25)


@njit(cache=True)
def train(across, along, row, length, table):
    """Height of a row of folds, about -0.6..1 and 0 on average.

    `across` counts folds, `along` runs along them in metres; each is about `length` long and centred near 0.
    """
    total = 0.0
    for layer in range(2):  # two rows, the second offset and weaker, so that folds meet and part
        t = across * (1.0 - 0.27 * layer) + 0.5 * layer
        cell = np.floor(t)
        own = (int(cell) + 17 * row + 29 * layer) & 63  # the fold's own strength, place, length and lean
        s = (along - (table[own, 1] - 0.5) * length) / (length * (0.55 + 0.6 * table[own, 2]))
        if abs(s) < 1:
            u = (t - cell - 0.5 - (table[own, 3] - 0.5) * 0.35 * s) / 0.46 * (0.8 + 0.5 * s * s)  # broad in its middle
            if abs(u) < 1:
                bell_u = (1 - u * u) * (1 - u * u) * (1 - 6 * u * u)
                total += (0.35 + 0.65 * table[own, 0]) * (1 - s * s) * bell_u * (1 - 0.4 * layer)
    return total


@njit(cache=True)
def bell(t):
    """A bell of half width 1."""
    s = max(0.0, 1 - t * t)
    return s * s


@njit(cache=True)
def wave(t):
    """A smooth wave of period 1 between -1 and 1, from parabolas: the same on every machine."""
    t = 2 * (t - np.floor(t)) - 1
    return 4 * t * (1 - abs(t))


@njit(cache=True)
def _heights(canonical, arm, neck, hem, sleeve, along, strong, table, sleeve_m):
    out = np.zeros(len(arm))
    for i in range(len(arm)):
        x, y, z = canonical[i]
        left = x > 0
        ax, q = (x, 0) if left else (-x, 7)  # left and right fold differently
        face = 1.0 if y < -0.03 else -1.0
        slow = 0.5 * wave(1.7 * x + 2.3 * z + table[0, 0]) + 0.5 * wave(3.1 * z - 1.1 * x + table[1, 0])
        h = 0.0
        if arm[i] > 0.4:
            # Elbow: creases across the inside, closer together there, fading to the outside.
            a = along[i] - UPPER_ARM_M
            if abs(a) < 0.15:
                u = (ax - ELBOW[0]) * INNER_ELBOW[0] + (y - ELBOW[1]) * INNER_ELBOW[1]
                u += (z - ELBOW[2]) * INNER_ELBOW[2]
                inner = smooth(u / 0.08 + 0.5)
                round_ = (ax - ELBOW[0]) * 0.72 + (z - ELBOW[2]) * 0.69 + 0.3 * a
                t = a / (0.026 + 0.020 * (1 - inner)) + 0.3 * slow
                strong_here = strong.elbow_left if left else strong.elbow_right
                h += strong_here * (0.3 + 0.8 * inner) * bell(a / 0.15) * train(t, round_, 2 + q, 0.07, table)
            # Sleeve ends: cloth piles up above a cuff, short sleeves ripple.
            if sleeve[i] < 0.17 and strong.sleeve > LEAST_M:
                if sleeve_m > 0.3:
                    t = sleeve[i] / 0.030 + 0.4 * slow + 4 * y
                    h += strong.sleeve * bell((sleeve[i] - 0.06) / 0.11) * train(t, ax - 0.45, 3 + q, 0.08, table)
                else:
                    t = (0.7 * ax + 0.7 * z) / 0.045
                    h += 0.8 * strong.sleeve * bell(sleeve[i] / 0.17) * train(t, sleeve[i], 3 + q, 0.25, table)
        # Armpit: pulls that fan out over chest, back and sleeve.
        dx, dz = ax - 0.168, z - 0.548
        r = np.sqrt(dx * dx + dz * dz)
        if 0.005 < r < 0.24:
            angle = np.arctan2(dz, -dx)  # 0 towards the middle of the chest, up is positive
            fan = bell((angle - 0.55) / 1.5) + 0.8 * bell((angle - 2.6) / 0.9) + 0.6 * bell((angle + 2.0) / 0.8)
            strong_here = strong.armpit_left if left else strong.armpit_right
            t = 3.2 * angle + 0.4 * slow + 0.3 * face
            h += strong_here * fan * smooth(r / 0.04) * smooth(ax / 0.07) * train(t, r - 0.09, 4 + q, 0.16, table)
        torso = smooth((0.5 - arm[i]) / 0.3)
        if torso > 0:
            # Waist: shallow arcs, strongest at the sides.
            if abs(z - 0.31) < 0.15:
                sides = smooth(ax / 0.09)
                t = (z + 0.35 * (ax - 0.09)) / 0.045 + 0.5 * slow + 0.5 * face
                h += torso * strong.waist * bell((z - 0.31) / 0.15) * sides * train(t, ax - 0.10, 6 + q, 0.14, table)
            # Drape: from bust and shoulder blades down, deeper towards the hem.
            low = smooth((0.60 - z) / 0.38)
            if low * strong.drape > LEAST_M:
                t = (x * face + 0.5 * y) / (0.062 + 0.03 * (0.6 - z)) + 0.35 * slow + 0.25 * face
                h += torso * strong.drape * low * train(t, z - 0.22, 7, 0.34, table)
            # Twist: diagonals across the waist.
            if abs(z - 0.38) < 0.24 and strong.twist > LEAST_M:
                t = (z + strong.turn * 0.7 * x * face) / 0.065 + 0.3 * slow
                h += torso * strong.twist * bell((z - 0.38) / 0.24) * train(t, x, 9, 0.25, table)
        h *= smooth((neck[i] + 0.004) / 0.035)  # a neck band lies flat
        out[i] = min(max(h, -LARGEST_M), LARGEST_M)
    return out
