"""Facts turned into pictures: parses, warps and heat as (H, W, 3) arrays in [0, 1]."""

from __future__ import annotations

import matplotlib
import numpy as np
from torch import Tensor

from mavton_lite.data.sample import LIP_COLOURS, to_unit

# Of the flat lay's four corners, as RGB: what is near on the cloth has near colours.
_CORNERS = np.array(
    [[[0.00, 0.30, 0.70], [0.86, 0.12, 0.28]], [[0.00, 0.68, 0.50], [1.00, 0.84, 0.16]]]
)  # top left, top right; bottom left, bottom right


def unit_colour(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    """A colour of bytes as matplotlib wants it, in [0, 1]."""
    red, green, blue = (k / 255 for k in rgb)
    return red, green, blue


def as_array(picture: Tensor) -> np.ndarray:
    """A network's picture for matplotlib.   Shape: (3, H, W) in [-1, 1] -> (H, W, 3) in [0, 1]."""
    return to_unit(picture).permute(1, 2, 0).cpu().numpy()


def parse_colours(parse: Tensor | np.ndarray) -> np.ndarray:
    """Labels in the colours of VITON's parses, the background white.   Shape: (H, W) -> (H, W, 3)."""
    table = np.array(LIP_COLOURS) / 255
    table[0] = 1
    return table[np.asarray(parse).astype(int)]


def warp_colours(warp: Tensor | np.ndarray, flat_size: tuple[int, int] | None = None) -> np.ndarray:
    """Every garment pixel in the colour of its place on the flat lay, white elsewhere.

    Shape: (2, H, W) x, y in flat-lay px, NaN where there is no garment -> (H, W, 3).
    """
    warp = np.asarray(warp, np.float64)
    height, width = flat_size or warp.shape[1:]
    there = np.isfinite(warp).all(0)
    # the garment fills about the middle 80 % of the flat lay: spread the colours over that
    x, y = (np.clip((np.nan_to_num(w) / (n - 1) - 0.1) / 0.8, 0, 1) for w, n in zip(warp, (width, height), strict=True))
    x, y = x[..., None], y[..., None]
    top = (1 - x) * _CORNERS[0, 0] + x * _CORNERS[0, 1]
    bottom = (1 - x) * _CORNERS[1, 0] + x * _CORNERS[1, 1]
    return np.where(there[..., None], (1 - y) * top + y * bottom, 1.0)


def warp_lines(picture: np.ndarray, warp: Tensor | np.ndarray, every_px: float, colour=(0.84, 0.0, 0.35)) -> np.ndarray:
    """The picture with the flat lay's square grid drawn where the warp carries it.

    A pixel is on a line when the next pixel to the right or below lies in another square of the grid.
    Shape: (H, W, 3), (2, H, W) px -> (H, W, 3).
    """
    square = np.floor(np.asarray(warp, np.float64) / every_px)  # (2, H, W), NaN stays
    line = np.zeros(picture.shape[:2], bool)
    for axis, here in ((0, np.s_[:-1, :]), (1, np.s_[:, :-1])):
        step = np.diff(square, axis=axis + 1)  # NaN where either is no garment
        line[here] |= (np.nan_to_num(step) != 0).any(0)
    return np.where(line[..., None], np.array(colour), picture)


def heat_over(picture: np.ndarray, heat: np.ndarray, low: float, high: float, name: str = "inferno") -> np.ndarray:
    """A map laid over the grey picture: dark where low, bright where high.

    Shape: (H, W, 3) in [0, 1], (H, W) -> (H, W, 3).
    """
    grey = picture @ np.array([0.299, 0.587, 0.114])
    scaled = np.clip((heat - low) / max(high - low, 1e-9), 0, 1)
    colour = matplotlib.colormaps[name](scaled)[..., :3]
    return colour * 0.72 + grey[..., None] * 0.28
