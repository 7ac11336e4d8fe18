"""Filling holes in a picture from what is around them."""

from __future__ import annotations

import numpy as np


def fill_from(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill the unknown pixels smoothly from the known ones around them; known pixels stay exactly as they are.

    Pull down a pyramid of weighted means until nothing is unknown, then push the means up into the holes.
    Source: Gortler et al. 1996 (push-pull).   Shape: (H, W, C), (H, W) bool -> (H, W, C) float32.
    Raises: ValueError when nothing is known.
    """
    if not known.any():
        raise ValueError("cannot fill a picture of which no pixel is known")
    filled = _push_pull(picture.astype(np.float32), known.astype(np.float32))
    return np.where(known[..., None], picture, filled).astype(np.float32)


def _push_pull(picture: np.ndarray, weight: np.ndarray) -> np.ndarray:
    height, width = weight.shape
    picture = picture * weight[..., None]
    if weight.min() >= 1 or max(height, width) == 1:
        return picture / np.maximum(weight, 1e-6)[..., None]
    pad = ((0, height % 2), (0, width % 2))
    blocks = np.pad(weight, pad).reshape((height + 1) // 2, 2, (width + 1) // 2, 2)
    coarse_weight = blocks.sum((1, 3))
    colour = np.pad(picture, (*pad, (0, 0))).reshape((height + 1) // 2, 2, (width + 1) // 2, 2, -1).sum((1, 3))
    coarse = colour / np.maximum(coarse_weight, 1e-6)[..., None]
    coarse = _push_pull(coarse, np.minimum(coarse_weight, 1))
    return picture + (1 - weight[..., None]) * _double(coarse)[:height, :width]


def _double(picture: np.ndarray) -> np.ndarray:
    """Twice as large, linear between pixel centres."""
    for axis in (0, 1):
        before = np.concatenate([picture.take([0], axis), picture.take(range(picture.shape[axis] - 1), axis)], axis)
        after = np.concatenate([picture.take(range(1, picture.shape[axis]), axis), picture.take([-1], axis)], axis)
        both = np.stack([0.75 * picture + 0.25 * before, 0.75 * picture + 0.25 * after], axis + 1)
        shape = list(picture.shape)
        shape[axis] *= 2
        picture = both.reshape(shape)
    return picture
