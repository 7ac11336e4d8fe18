"""Light: lamps, bumps on a surface, and the shadow of what stands near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
        """Light (h, w, 3) on normals (h, w, 3), about 1 where they face the camera; `wrap` reaches into the shade."""
        key = np.clip((normal @ np.array(self.key) + wrap) / (1 + wrap), 0, None)
        fill = np.clip((normal @ np.array(self.fill) + 0.3) / 1.3, 0, None)
        return (self.ambient + self.fill_strength * fill)[..., None] + self.key_strength * key[..., None] * self.tint

    def gloss(self, normal: np.ndarray, power: float) -> np.ndarray:
        """Blinn-Phong highlight (h, w) of the key light, 0..1, for a camera that looks along +y."""
        half = np.array(self.key) + [0, -1, 0]
        half /= np.sqrt((half**2).sum())
        return np.clip(normal @ half, 0, 1) ** power


def bumped(normal: np.ndarray, height_m: np.ndarray, hit: np.ndarray, px_per_m: float) -> np.ndarray:
    """Normals (h, w, 3) of a surface raised by a height field (h, w) in metres, seen along +y."""
    slope = []
    for axis in (0, 1):  # where a neighbour is missing the surface is taken as flat
        ahead, behind = np.roll(height_m, -1, axis), np.roll(height_m, 1, axis)
        there = hit & np.roll(hit, -1, axis) & np.roll(hit, 1, axis)
        slope.append(np.where(there, (ahead - behind) * (0.5 * px_per_m), 0))
    down, right = (np.clip(k, -1.2, 1.2) for k in slope)
    out = normal.copy()
    out[..., 0] -= right
    out[..., 2] += down
    return out / (np.sqrt((out**2).sum(-1, keepdims=True)) + 1e-9)


def occlusion(depth: np.ndarray, px_per_m: float) -> np.ndarray:
    """Soft shadow where the surroundings are nearer to the camera (0..0.4).   Shape: depth (h, w), inf for none."""
    far = np.where(np.isfinite(depth), depth, 0.12)
    out = np.zeros_like(depth)
    for metres, strength in ((0.02, 1.6), (0.05, 1.2)):
        r = max(1, int(metres * px_per_m))
        mean = box_blur(box_blur(far, r, 0), r, 1)
        out += strength * np.clip(far - mean - 0.004, 0, 0.12)
    return np.clip(out, 0, 0.4) * np.isfinite(depth)


def box_blur(a: np.ndarray, r: int, axis: int) -> np.ndarray:
    """Moving average of 2 r + 1 samples along an axis, edges repeated."""
    a = np.moveaxis(a, axis, 0)
    padded = np.concatenate([np.repeat(a[:1], r + 1, 0), a, np.repeat(a[-1:], r, 0)])
    total = np.cumsum(padded, axis=0)
    return np.moveaxis((total[2 * r + 1 :] - total[: -2 * r - 1]) / (2 * r + 1), 0, axis)


def cast_shadow(depth: np.ndarray, lamps: Lamps, px_per_m: float, reach_m: float = 0.07, steps: int = 6) -> np.ndarray:
    """Soft shadow (0..0.35) of near things in the key light, by walking towards it over the depth map.

    Shape: depth (h, w), inf for none. A point is in shadow where something stands between it and the lamp, within
    `reach_m`; what lies far in front casts nothing (it may be thin: its back is not known).
    """
    x, y, z = lamps.key
    out = np.zeros_like(depth)
    ground = ~np.isfinite(depth)
    here = np.where(ground, 0, depth)
    for k in range(1, steps + 1):
        d = reach_m * k / steps
        there = _shifted(depth, -round(z * d * px_per_m), round(x * d * px_per_m))
        gap = here + y * d - there  # how far the blocker is in front of the ray
        out += np.clip((gap - 0.006) / 0.02, 0, 1) * (gap < 0.16)
    r = max(1, int(0.006 * px_per_m))
    out = box_blur(box_blur(np.where(ground, 0, out / steps), r, 0), r, 1)
    return np.clip(0.6 * out, 0, 0.35)


def _shifted(a: np.ndarray, down: int, right: int) -> np.ndarray:
    """out[y, x] = a[y + down, x + right], inf outside."""
    h, w = a.shape
    out = np.full_like(a, np.inf)
    out[max(0, -down) : h - max(0, down), max(0, -right) : w - max(0, right)] = a[
        max(0, down) : h + min(0, down), max(0, right) : w + min(0, right)
    ]
    return out
