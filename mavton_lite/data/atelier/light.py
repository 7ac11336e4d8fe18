"""Light: a soft key and fill, folds of the cloth, and the shadow of what stands near."""

from __future__ import annotations

import numpy as np

KEY, FILL = np.array([-0.42, -0.78, 0.46]), np.array([0.60, -0.75, 0.10])
KEY, FILL = KEY / np.sqrt((KEY**2).sum()), FILL / np.sqrt((FILL**2).sum())


def light(normal: np.ndarray, wrap: float = 0.1) -> np.ndarray:
    """Soft key and fill light on a normal, about 1 where it faces the camera."""
    key = np.clip((normal @ KEY + wrap) / (1 + wrap), 0, None)
    fill = np.clip((normal @ FILL + 0.3) / 1.3, 0, None)
    return 0.36 + 0.56 * key + 0.20 * fill


def folds(canonical: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Light and dark of soft folds at the waist, under the arms and in the elbows."""
    x, z = canonical[..., 0], canonical[..., 2]
    waist = np.sin(70 * z + 22 * np.abs(x) + 3 * np.sin(18 * x)) * np.exp(-(((z - 0.30) / 0.07) ** 2)) * (1 - arm)
    pit = np.sin(85 * (np.abs(x) * 0.8 + z)) * np.exp(-(((np.abs(x) - 0.15) / 0.05) ** 2 + ((z - 0.55) / 0.07) ** 2))
    elbow = np.sin(95 * (np.abs(x) * 0.663 - z * 0.748)) * np.exp(-(((np.abs(x) - 0.35) / 0.06) ** 2)) * arm
    return 1 + 0.045 * waist + 0.05 * pit + 0.05 * elbow


def occlusion(depth: np.ndarray, px_per_m: float) -> np.ndarray:
    """Soft shadow where the surroundings are nearer to the camera (0..0.5), from the body alone."""
    far = np.where(np.isfinite(depth), depth, 0.12)
    out = np.zeros_like(depth)
    for metres, strength in ((0.02, 1.6), (0.05, 1.2)):
        r = max(1, int(metres * px_per_m))
        mean = _box(_box(far, r, 0), r, 1)
        out += strength * np.clip(far - mean - 0.004, 0, 0.12)
    return np.clip(out, 0, 0.4) * np.isfinite(depth)


def _box(a: np.ndarray, r: int, axis: int) -> np.ndarray:
    """Moving average of 2 r + 1 samples, edges repeated."""
    a = np.moveaxis(a, axis, 0)
    padded = np.concatenate([np.repeat(a[:1], r + 1, 0), a, np.repeat(a[-1:], r, 0)])
    total = np.cumsum(padded, axis=0)
    return np.moveaxis((total[2 * r + 1 :] - total[: -2 * r - 1]) / (2 * r + 1), 0, axis)
