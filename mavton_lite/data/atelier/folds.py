"""Folds of cloth: a height field over canonical coordinates that follows the pose and gravity.

Applied as relief after the true warp, so truth stays exact. Every family of folds is a train of waves with a window:
across the inside of a bent elbow, in a fan from the armpit, around the waist, down from bust and shoulders, along the
twist of a turned chest, at the ends of sleeves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from mavton_lite.data.atelier.cut import ELBOW, INNER_ELBOW, UPPER_ARM_M, Edges, along_arm

if TYPE_CHECKING:
    from mavton_lite.data.atelier.garment import Garment
    from mavton_lite.data.atelier.poses import Bends

LARGEST_M = 0.008  # no fold is higher or deeper


class Strength(NamedTuple):
    """Amplitudes of the families of folds on one side or on the torso, metres."""

    elbow_left: float
    elbow_right: float
    armpit_left: float
    armpit_right: float
    waist: float
    drape: float
    twist: float
    sleeve: float


def strength(garment: Garment, bends: Bends | None) -> Strength:
    """How strong each family is in a pose; None is the ironed flat lay, without folds."""
    loose = float(np.clip(garment.fit / 0.016, 0, 1.6))
    if bends is None:
        return Strength(0, 0, 0, 0, 0, 0, 0, 0)
    elbow = [0.0012 * (0.6 + loose) * np.clip(b / 0.8, 0.15, 1.9) for b in bends[:2]]
    armpit = [(0.0011 + 0.0014 * np.clip(b / 1.2, 0, 1.2)) * (0.8 + 0.5 * loose) for b in bends[2:4]]
    waist = (0.0009 + 0.0011 * loose) * (1.6 if garment.tucked else 1.0) * (0.4 if garment.hem_z > 0.27 else 1)
    return Strength(
        *elbow, *armpit, waist,
        drape=0.0004 + 0.0022 * loose + 0.03 * garment.flare,
        twist=0.0045 * min(abs(bends.turn), 0.4),
        sleeve=0.0016 * loose,
    )  # fmt: skip


def folds(
    garment: Garment, canonical: np.ndarray, arm: np.ndarray, edges: Edges, bends: Bends | None
) -> tuple[np.ndarray, np.ndarray]:
    """Height (N,) in metres and shade of the valleys (N,), 0..0.25, at canonical points (N, 3)."""
    n = len(canonical)
    if bends is None:
        return np.zeros(n), np.zeros(n)
    phases = np.random.default_rng(garment.creases).random(16)
    along = along_arm(canonical)
    turn = 1.0 if bends.turn >= 0 else -1.0
    height = _height(
        np.ascontiguousarray(canonical), arm, along, edges.hem, edges.sleeve, edges.neck,
        np.array(strength(garment, bends)), phases, turn, garment.sleeve_m, ELBOW, INNER_ELBOW, UPPER_ARM_M,
    )  # fmt: skip
    return height, np.clip(-height / 0.006, 0, 0.25)


@njit(cache=True)
def _wave(t):
    """A smooth wave of period 1 between -1 and 1, from parabolas: the same on every machine."""
    t = 2 * (t - np.floor(t)) - 1
    return 4 * t * (1 - abs(t))


@njit(cache=True)
def _fold(t):
    """A fold of period 1: round ridges, narrow valleys, mean about 0."""
    w = _wave(t)
    return w * (1 - 0.3 * w) - 0.16 + 0.32 * w * w


@njit(cache=True)
def _bump(t):
    """A bell of half width 1."""
    s = max(0.0, 1 - t * t)
    return s * s


@njit(cache=True)
def _ease(t):
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(cache=True)
def _height(canonical, arm, along, hem, sleeve, neck, strong, p, turn, sleeve_m, elbow, inner_elbow, upper_m):
    out = np.zeros(len(arm))
    for i in range(len(arm)):
        x, y, z = canonical[i, 0], canonical[i, 1], canonical[i, 2]
        side, ax = (0, x) if x > 0 else (1, -x)
        q = 0.0 if x > 0 else 0.37  # left and right fold differently
        face = 1.0 if y < -0.03 else -1.0
        h = 0.0
        slow = _wave(1.7 * x + 2.3 * z + p[0]) * 0.5 + _wave(3.1 * z - 1.1 * x + p[1]) * 0.5
        # Elbow: creases across the inside, closer together there, fading to the outside.
        a = along[i] - upper_m
        if arm[i] > 0.4 and abs(a) < 0.13:
            u = 0.0
            u += (ax - elbow[0]) * inner_elbow[0] + (y - elbow[1]) * inner_elbow[1] + (z - elbow[2]) * inner_elbow[2]
            inside = _ease(u / 0.07 + 0.5)
            t = a / (0.034 + 0.016 * (1 - inside)) + p[2] + q + 0.25 * slow
            h += strong[side] * (0.25 + 0.9 * inside) * _bump(a / 0.13) * (_fold(t) + 0.5 * _fold(1.7 * t + p[3]))
        # Armpit: pulls that fan out over chest, back and sleeve.
        dx, dz = ax - 0.165, z - 0.55
        r = np.sqrt(dx * dx + dz * dz)
        if r < 0.21:
            angle = np.arctan2(dz, -dx)  # 0 towards the middle of the chest, up is positive
            spread = _bump((angle - 0.45) / 1.5) if arm[i] < 0.6 else _bump((abs(angle) - 2.5) / 1.3) * 0.8
            t = 1.35 * angle + 0.9 * slow + p[4] + q + 0.2 * face + 2.0 * r
            near = _ease(r / 0.03) * _bump(r / 0.21)
            h += strong[2 + side] * spread * near * (_fold(t) + 0.45 * _fold(2.3 * t + p[5]))
        torso = _ease((0.5 - arm[i]) / 0.3)
        if torso > 0:
            # Waist: shallow arcs, strongest at the sides.
            away = _bump((z - 0.30) / 0.14) * (0.45 + 0.55 * _ease((ax - 0.02) / 0.11))
            t = (z - 0.45 * ax * (0.6 + 0.4 * slow)) / 0.055 + p[6] + 0.8 * q + 0.7 * _wave(1.4 * x + p[7]) + 0.5 * face
            h += torso * strong[4] * away * (_fold(t) + 0.4 * _fold(1.6 * t + p[8])) * (0.6 + 0.4 * slow)
            # Drape: from bust and shoulder blades down, deeper towards the hem.
            low = _ease((0.56 - z) / 0.40)
            around = x * face + 0.35 * y
            t = around / (0.105 + 0.03 * slow) + p[9] + 0.25 * face + 0.5 * z * slow
            h += torso * strong[5] * low * (_fold(t) + 0.5 * _fold(1.9 * t + p[10] + 0.6 * z))
            # Twist: diagonals across the waist.
            t = (z + turn * 0.8 * x * face) / 0.075 + p[11] + 0.4 * slow
            h += torso * strong[6] * _bump((z - 0.36) / 0.24) * _fold(t)
        # Sleeve ends: cloth piles up above the cuff, short sleeves ripple.
        if arm[i] > 0.5 and sleeve[i] < 0.16:
            pile = _bump((sleeve[i] - 0.05) / 0.11)
            t = sleeve[i] / 0.036 + p[12] + q + 1.2 * y / 0.1 + 0.5 * slow
            around = (ax * 0.7 + z * 0.7) / 0.05 + p[13] + q
            h += strong[7] * pile * ((0.8 * _fold(t) if sleeve_m > 0.3 else 0.0) + 0.5 * _fold(around))
        # Soft next to edges: a neck band lies flat.
        h *= _ease((neck[i] + 0.004) / 0.035)
        out[i] = min(max(h, -0.008), 0.008)
    return out
