"""Where cloth is cut: distances to necklines, hems and sleeve ends, in metres of the canonical body.

Everything is a function of canonical coordinates, so an edge is a crisp line at any picture size and the same line on
the flat lay and on the person. Arms are mirrored: x counts without its sign.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

# Landmarks of the canonical body, metres.
NECK_Z, WAIST_Z, ARMPIT_Z, CROTCH_Z = 0.765, 0.285, 0.56, 0.06
SHOULDER, ELBOW, WRIST = np.array([[0.186, -0.022, 0.651], [0.377, -0.031, 0.437], [0.508, -0.206, 0.304]])
UPPER_ARM_M = float(np.sqrt(((ELBOW - SHOULDER) ** 2).sum()))
_UPPER, _FORE = (ELBOW - SHOULDER) / UPPER_ARM_M, (WRIST - ELBOW) / np.sqrt(((WRIST - ELBOW) ** 2).sum())
INNER_ELBOW = (_FORE - _UPPER) / np.sqrt(((_FORE - _UPPER) ** 2).sum())  # where a bent elbow presses cloth together
FAR_M = 0.3  # stands for "no edge near"
ROUND_ELBOW_M = 0.075  # on each side of the elbow, where sleeves turn from one axis to the other

# The exponent of the super-ellipse that a neckline follows: 1 is a V, 2 an ellipse, large a rectangle.
NECKS = {"crew": 2.0, "V": 1.08, "scoop": 2.3, "boat": 2.6, "square": 9.0}
# Where sleeves end, metres along the arm from the shoulder joint; a tank top has armholes instead.
SLEEVES = {"tank": -1.0, "cap": 0.07, "short": 0.17, "elbow": 0.255, "three-quarter": 0.40, "long": 0.537}


class Cut(NamedTuple):
    """The numbers of a cut; metres on the canonical body."""

    neck_power: float  # a value of NECKS
    neck_width: float
    neck_depth: float
    sleeve_m: float  # see SLEEVES
    strap_x: float  # |x| of the armhole at the shoulder, without sleeves
    hem_z: float
    stand_m: float  # how far it climbs the neck


class Edges(NamedTuple):
    """Distances to the edges of a garment, positive on the cloth, metres; and the way along the arm."""

    neck: np.ndarray
    hem: np.ndarray
    sleeve: np.ndarray  # to the sleeve end or armhole
    along: np.ndarray  # from the shoulder joint, as of SLEEVES

    @property
    def inside(self) -> np.ndarray:
        """The least of the distances."""
        return np.minimum(np.minimum(self.neck, self.hem), self.sleeve)


def edges(cut: Cut, canonical: np.ndarray, arm: np.ndarray) -> Edges:
    """Distances to the edges of a cut.   Shape: canonical (..., 3), arm share (...)."""
    points = np.ascontiguousarray(canonical.reshape(-1, 3), float)
    out = _edges(cut, points, np.ascontiguousarray(arm.reshape(-1), float))
    return Edges(*(out[:, k].reshape(arm.shape) for k in range(4)))


def along_arm(canonical: np.ndarray) -> np.ndarray:
    """Metres along the arm from the shoulder joint, (N, 3) -> (N,)."""
    return np.array([along_at(*p) for p in canonical])


@njit(cache=True)
def _edges(cut, points, arm):
    out = np.empty((len(arm), 4))
    for i in range(len(arm)):
        out[i] = edges_at(cut, points[i, 0], points[i, 1], points[i, 2], arm[i])
    return out


@njit(cache=True)
def edges_at(cut, x, y, z, arm):
    """`Edges` of one point."""
    x = abs(x)
    along = along_at(x, y, z) if arm > 0.05 else 0.0
    hem = FAR_M if arm > 0.5 else z - cut.hem_z
    sleeve = FAR_M
    if cut.sleeve_m < 0:
        if z > ARMPIT_Z - 0.05:
            sleeve = armhole(z, cut.strap_x) - x
        elif arm > 0.3 or z > ARMPIT_Z - 0.15:
            sleeve = 0.3 * (0.45 - arm)
    elif arm > 0.3:
        sleeve = cut.sleeve_m - along
    neck = FAR_M
    if x < 0.22 and z > NECK_Z - cut.neck_depth - 0.12:  # powers are dear: only where the neckline is near
        back = smooth((y + 0.06) / 0.07)
        neck = min(neck_at(cut, x, y, z), NECK_Z - 0.004 + 0.022 * back + cut.stand_m - z)
    return neck, hem, sleeve, along


@njit(cache=True)
def along_at(x, y, z):
    """Metres along the arm from the shoulder joint; sleeves turn evenly around the elbow."""
    x, y, z = abs(x) - ELBOW[0], y - ELBOW[1], z - ELBOW[2]
    upper = x * _UPPER[0] + y * _UPPER[1] + z * _UPPER[2]
    fore = x * _FORE[0] + y * _FORE[1] + z * _FORE[2]
    turned = smooth(0.5 + 0.25 * (upper + fore) / ROUND_ELBOW_M)
    return UPPER_ARM_M + (1 - turned) * upper + turned * fore


@njit(cache=True)
def armhole(z, strap_x):
    """|x| of an armhole's seam at a height."""
    down = min(max((0.715 - z) / 0.17, 0.0), 1.0)
    return strap_x - 0.012 * np.sin(np.pi * min(down * 1.25, 1.0)) + (0.178 - strap_x) * down**2.2


@njit(cache=True)
def neck_at(cut, x, y, z):
    """Distance to the neckline, positive below and beside it; at the back it is shallow whatever the shape."""
    p, front = cut.neck_power, smooth((0.02 - y) / 0.07)
    ridge = NECK_Z - 0.64 * min(max(x - 0.068, 0.0), 0.023) - 0.40 * max(x - 0.091, 0.0)  # the shoulders' height
    deep = 0.022 + (cut.neck_depth - 0.022) * front
    a, b = x / cut.neck_width, max(ridge + (0.012 + 1.6 * cut.stand_m) * (1 - front) - z, 0.0) / deep
    r = (a**p + b**p) ** (1 / p) + 1e-9
    u, v = (a / r) ** (p - 1) / cut.neck_width, (b / r) ** (p - 1) / deep
    return (r - 1) / (np.sqrt(u * u + v * v) + 1e-9)


@njit(cache=True)
def smooth(t):
    """Smoothstep of a number: 0 below 0, 1 above 1, with a level start and end."""
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


def smoothstep(t: Any) -> Any:
    """`smooth` of an array."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


@njit(cache=True)
def line(distance, half_width_m, pixel_m):
    """How much of a pixel a line covers, 0..1, at a distance from its middle; thin lines fade instead of breaking."""
    cover = min(max((half_width_m + 0.5 * pixel_m - abs(distance)) / pixel_m, 0.0), 1.0)
    return cover * min(1.0, 2 * half_width_m / pixel_m)


@njit(cache=True)
def step(distance, pixel_m):
    """1 where a distance is positive, 0 where negative, one pixel of transition."""
    return min(max(distance / pixel_m + 0.5, 0.0), 1.0)
