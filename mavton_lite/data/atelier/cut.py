"""Where cloth is cut: distances to necklines, hems and sleeve ends, in metres of the canonical body.

Everything is a function of canonical coordinates, so an edge is a crisp line at any picture size and the same line on
the flat lay and on the person.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Landmarks of the canonical body, metres. Arms are mirrored: x is taken without its sign.
NECK_Z, WAIST_Z, ARMPIT_Z, CROTCH_Z = 0.765, 0.285, 0.56, 0.06
SHOULDER, ELBOW, WRIST = np.array([[0.186, -0.022, 0.651], [0.377, -0.031, 0.437], [0.508, -0.206, 0.304]])
UPPER_ARM_M, FOREARM_M = 0.287, 0.256
_UPPER_AXIS, _FORE_AXIS = (ELBOW - SHOULDER) / UPPER_ARM_M, (WRIST - ELBOW) / FOREARM_M
INNER_ELBOW = _FORE_AXIS - _UPPER_AXIS  # the side on which a bent elbow presses cloth together
INNER_ELBOW = INNER_ELBOW / np.sqrt((INNER_ELBOW**2).sum())
_RIDGE = np.array([[0.0, 0.765], [0.068, 0.765], [0.09, 0.75], [0.12, 0.738], [0.165, 0.721], [0.2, 0.705]])

# The exponent of the super-ellipse that a neckline follows: 1 is a V, 2 an ellipse, large a rectangle.
NECKS = {"crew": 2.0, "V": 1.08, "scoop": 2.3, "boat": 2.6, "square": 9.0}
# Where sleeves end, metres along the arm from the shoulder joint; a tank top has armholes instead.
SLEEVES = {"tank": -1.0, "cap": 0.07, "short": 0.17, "elbow": 0.265, "three-quarter": 0.40, "long": 0.537}


FAR_M = 0.3  # stands for "no edge near"


class Edges(NamedTuple):
    """Distances to the edges of a garment, positive on the cloth, metres."""

    neck: np.ndarray
    hem: np.ndarray
    sleeve: np.ndarray  # to the sleeve end or armhole

    @property
    def inside(self) -> np.ndarray:
        """The least of them."""
        return np.minimum(np.minimum(self.neck, self.hem), self.sleeve)


def along_arm(canonical: np.ndarray) -> np.ndarray:
    """Metres along the arm from the shoulder joint, (..., 3) -> (...); the elbow's bend is a smooth one."""
    x, y, z = np.abs(canonical[..., 0]) - ELBOW[0], canonical[..., 1] - ELBOW[1], canonical[..., 2] - ELBOW[2]
    a, b = _UPPER_AXIS, _FORE_AXIS
    upper, fore = x * a[0] + y * a[1] + z * a[2], x * b[0] + y * b[1] + z * b[2]
    w = smooth((upper + fore) / 0.16 + 0.5)
    return UPPER_ARM_M + (1 - w) * upper + w * fore


def armhole(z: np.ndarray, strap_x: float) -> np.ndarray:
    """|x| of the armhole of a sleeveless garment at a height, `strap_x` at the shoulder."""
    down = np.clip((0.715 - z) / 0.17, 0, 1)
    return strap_x - 0.012 * np.sin(np.pi * np.clip(down * 1.25, 0, 1)) + (0.178 - strap_x) * down**2.2


def neck_distance(canonical: np.ndarray, shape: str, width: float, depth: float) -> np.ndarray:
    """Distance to a neckline, positive below and beside it; at the back it is shallow whatever the shape."""
    x, y, z = np.abs(canonical[..., 0]), canonical[..., 1], canonical[..., 2]
    p = NECKS[shape]
    front = smooth((0.02 - y) / 0.07)
    deep = 0.022 + (depth - 0.022) * front
    down = np.clip(np.interp(x, _RIDGE[:, 0], _RIDGE[:, 1]) + 0.012 * (1 - front) - z, 0, None)
    a, b = x / width, down / deep
    r = (a**p + b**p) ** (1 / p) + 1e-9
    slope = np.sqrt(((a / r) ** (p - 1) / width) ** 2 + ((b / r) ** (p - 1) / deep) ** 2) + 1e-9
    return (r - 1) / slope


def edges(
    canonical: np.ndarray,
    arm: np.ndarray,
    *,
    neck: tuple[str, float, float],
    sleeve_m: float,
    strap_x: float,
    hem_z: float,
    stand_m: float,
) -> Edges:
    """Distances to the edges of a cut.   Shape: canonical (..., 3), arm share (...)."""
    x, z = np.abs(canonical[..., 0]), canonical[..., 2]
    hem = np.where(arm > 0.5, FAR_M, z - hem_z)
    neck_m, sleeve = np.full(z.shape, FAR_M), np.full(z.shape, FAR_M)
    if sleeve_m < 0:
        hole = np.where(z > ARMPIT_Z - 0.05, armhole(z, strap_x) - x, 0.3 * (0.45 - arm))
        sleeve = np.where((z > ARMPIT_Z - 0.15) | (arm > 0.3), hole, FAR_M)
    else:
        on = arm > 0.3
        sleeve[on] = sleeve_m - along_arm(canonical[on])
    near = (z > NECK_Z - neck[2] - 0.12) & (x < 0.22)  # powers are dear: only where the neckline is near
    at = canonical[near]
    back = smooth((at[:, 1] + 0.06) / 0.07)
    top = NECK_Z - 0.004 + 0.022 * back + stand_m - at[:, 2]  # cloth climbs the neck no higher than its stand
    neck_m[near] = np.minimum(neck_distance(at, *neck), top)
    return Edges(neck_m, hem, sleeve)


def smooth(t: np.ndarray) -> np.ndarray:
    """Smoothstep: 0 below 0, 1 above 1, with a level start and end."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def line(distance: np.ndarray, half_width_m: float, pixel_m: float) -> np.ndarray:
    """How much of a pixel a line covers, 0..1, for a distance to its middle; thin lines fade instead of breaking."""
    cover = np.clip((half_width_m + 0.5 * pixel_m - np.abs(distance)) / pixel_m, 0, 1)
    return cover * min(1.0, 2 * half_width_m / pixel_m)


def step(distance: np.ndarray, pixel_m: float) -> np.ndarray:
    """1 where a distance is positive, 0 where negative, one pixel of transition."""
    return np.clip(distance / pixel_m + 0.5, 0, 1)
