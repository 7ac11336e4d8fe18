"""Light: lamps, bumps on a surface, and the shadow of what stands near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True)
class Lamps:
    """A soft key and fill light.   Shape: directions (3,) unit, towards the lamp (x right, y away, z up)."""

    key: tuple[float, float, float] = (-0.4207, -0.7813, 0.4608)
    fill: tuple[float, float, float] = (0.6195, -0.7743, 0.1033)
    ambient: float = 0.36
    key_strength: float = 0.56
    fill_strength: float = 0.20
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)  # colour of the key light

    def __call__(self, normal: np.ndarray, wrap: float = 0.1) -> np.ndarray:
        """Light (..., 3) on normals (..., 3), about 1 where they face the camera; `wrap` reaches into the shade."""
        strength = (self.ambient, self.key_strength, self.fill_strength)
        flat = np.ascontiguousarray(normal, float).reshape(-1, 3)
        return _light(flat, self.key, self.fill, strength, self.tint, wrap).reshape(normal.shape)

    def gloss(self, normal: np.ndarray, power: float) -> np.ndarray:
        """Blinn-Phong highlight (h, w) of the key light, 0..1, for a camera that looks along +y."""
        half = np.array(self.key) + [0, -1, 0]
        half /= np.sqrt((half**2).sum())
        return np.clip(normal @ half, 0, 1) ** power


@njit(cache=True)
def _light(normal, key, fill, strength, tint, wrap):
    out = np.empty_like(normal)
    ambient, key_strength, fill_strength = strength
    for i in range(len(normal)):
        x, y, z = normal[i]
        k = max(0.0, (x * key[0] + y * key[1] + z * key[2] + wrap) / (1 + wrap))
        f = max(0.0, (x * fill[0] + y * fill[1] + z * fill[2] + 0.3) / 1.3)
        for c in range(3):
            out[i, c] = ambient + fill_strength * f + key_strength * k * tint[c]
    return out


def bumped(normal: np.ndarray, height_m: np.ndarray, hit: np.ndarray, px_per_m: float) -> np.ndarray:
    """Normals (h, w, 3) of a surface raised by a height field (h, w) in metres, seen along +y."""
    return _bumped(np.ascontiguousarray(normal, float), np.ascontiguousarray(height_m, float), hit, px_per_m)


@njit(cache=True)
def _bumped(normal, height_m, hit, px_per_m):
    h, w = height_m.shape
    out = normal.copy()
    for y in range(h):
        for x in range(w):
            if not hit[y, x]:
                continue
            right = down = 0.0  # where a neighbour is missing the surface is taken as flat
            if 0 < x < w - 1 and hit[y, x - 1] and hit[y, x + 1]:
                right = (height_m[y, x + 1] - height_m[y, x - 1]) * (0.5 * px_per_m)
            if 0 < y < h - 1 and hit[y - 1, x] and hit[y + 1, x]:
                down = (height_m[y + 1, x] - height_m[y - 1, x]) * (0.5 * px_per_m)
            a = normal[y, x, 0] - min(max(right, -1.2), 1.2)
            b = normal[y, x, 1]
            c = normal[y, x, 2] + min(max(down, -1.2), 1.2)
            length = np.sqrt(a * a + b * b + c * c) + 1e-9
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = a / length, b / length, c / length
    return out


def occlusion(depth: np.ndarray, px_per_m: float) -> np.ndarray:
    """Soft shadow where the surroundings are nearer to the camera (0..0.4).   Shape: depth (h, w), inf for none."""
    far = np.where(np.isfinite(depth), depth, 0.12)
    out = np.zeros_like(depth)
    for metres, strength in ((0.02, 1.6), (0.05, 1.2)):
        mean = box_blur(far, max(1, int(metres * px_per_m)))
        out += strength * np.clip(far - mean - 0.004, 0, 0.12)
    return np.clip(out, 0, 0.4) * np.isfinite(depth)


def cast_shadow(depth: np.ndarray, lamps: Lamps, px_per_m: float, reach_m: float = 0.07, steps: int = 6) -> np.ndarray:
    """Soft shadow (0..0.35) of near things in the key light, by walking towards it over the depth map.

    Shape: depth (h, w), inf for none. A point is in shadow where something stands between it and the lamp, within
    `reach_m`; what lies far in front casts nothing (it may be thin: its back is not known).
    """
    blocked = _blocked(np.ascontiguousarray(depth, float), lamps.key, px_per_m, reach_m, steps)
    return np.clip(0.6 * box_blur(blocked, max(1, int(0.006 * px_per_m))), 0, 0.35)


@njit(cache=True)
def _blocked(depth, key, px_per_m, reach_m, steps):
    """How much (0..1) of the way to the lamp something stands in."""
    h, w = depth.shape
    out = np.zeros((h, w))
    for k in range(1, steps + 1):
        d = reach_m * k / steps
        right, down = int(round(key[0] * d * px_per_m)), -int(round(key[2] * d * px_per_m))
        for y in range(max(0, -down), h - max(0, down)):
            for x in range(max(0, -right), w - max(0, right)):
                gap = depth[y, x] + key[1] * d - depth[y + down, x + right]  # from the blocker back to the ray
                if 0.006 < gap < 0.16:
                    out[y, x] += min((gap - 0.006) / 0.02, 1.0) / steps
    return out


def box_blur(a: np.ndarray, r: int) -> np.ndarray:
    """Mean of the (2 r + 1) x (2 r + 1) pixels around each, edges repeated.   Shape: (h, w)."""
    return _box(_box(np.ascontiguousarray(a, float), r).T.copy(), r).T


@njit(cache=True)
def _box(a, r):
    """Moving average along rows; sums are taken anew in each row, in one order."""
    h, w = a.shape
    out = np.empty((h, w))
    for y in range(h):
        total = a[y, 0] * (r + 1)
        for x in range(1, r + 1):
            total += a[y, min(x, w - 1)]
        for x in range(w):
            out[y, x] = total / (2 * r + 1)
            total += a[y, min(x + r + 1, w - 1)] - a[y, max(x - r, 0)]
    return out
