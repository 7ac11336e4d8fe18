"""A z-buffer in numpy: which triangle does each pixel see, and where on it.

Written here, not taken from a ray caster, because a picture must be the same bytes on every machine: only additions,
products, comparisons and a stable sort are used, all in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Keep = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Raster(NamedTuple):
    """What each pixel sees.   Shape: H, W the picture."""

    triangle: np.ndarray  # (H, W) row of `faces`, -1 for none
    weight: np.ndarray  # (H, W, 3) barycentric weights of its corners
    depth: np.ndarray  # (H, W) smaller is nearer, inf for none

    @property
    def hit(self) -> np.ndarray:
        """(H, W) bool: something is seen."""
        return self.triangle >= 0

    def interpolate(self, values: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Vertex values (V, C) at every pixel -> (H, W, C), zero where nothing is seen."""
        out = np.zeros((*self.triangle.shape, values.shape[1]))
        hit = self.hit
        corner = faces[self.triangle[hit]]
        weight = self.weight[hit]
        out[hit] = sum(values[corner[:, i]] * weight[:, i, None] for i in range(3))
        return out


def rasterise(
    points: np.ndarray, faces: np.ndarray, height: int, width: int, cull: bool = True, keep: Keep | None = None
) -> Raster:
    """Draw triangles orthographically.

    Shape: points (V, 3): x px, y px (down, pixel centres at integers), depth; faces (T, 3); `cull` drops triangles that
    face away (counter-clockwise seen from outside is towards the viewer); `keep(rows of faces (N,), weights (N, 3))`
    says which points of the surface exist, before the nearest is chosen: what is cut away hides nothing.
    """
    triangle = np.full(height * width, -1)
    weight, depth = np.zeros((height * width, 3)), np.full(height * width, np.inf)
    corner = points[faces]
    x, y, z = corner[..., 0], corner[..., 1], corner[..., 2]
    # y points down, so a triangle that is counter-clockwise in the world has a negative area here.
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    (left, right), (top, bottom) = _span(x, width), _span(y, height)
    drawn = (np.abs(area) > 1e-12) & (right >= left) & (bottom >= top)
    if cull:
        drawn &= area < 0
    rows = np.flatnonzero(drawn)
    if len(rows):
        x, y, z, area = x[rows], y[rows], z[rows], area[rows]
        left, top = left[rows].astype(np.int64), top[rows].astype(np.int64)
        columns, lines = right[rows].astype(np.int64) - left + 1, bottom[rows].astype(np.int64) - top + 1
        count = columns * lines  # candidate pixels: each triangle's bounding box
        owner = np.repeat(np.arange(len(rows)), count)
        local = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        py = local // columns[owner]
        px = local - py * columns[owner] + left[owner]
        py += top[owner]
        w = []
        for i, j in ((1, 2), (2, 0)):  # edge functions as a * px + b * py + c, over the area
            a, b = (y[:, i] - y[:, j]) / area, (x[:, j] - x[:, i]) / area
            c = (x[:, i] * y[:, j] - x[:, j] * y[:, i]) / area
            w.append(a[owner] * px + b[owner] * py + c[owner])
        w.append(1 - w[0] - w[1])
        inside = np.flatnonzero((w[0] >= -1e-9) & (w[1] >= -1e-9) & (w[2] >= -1e-9))
        owner, px, py = owner[inside], px[inside], py[inside]
        w = np.stack([k[inside] for k in w], axis=1)
        if keep is not None:
            exists = keep(rows[owner], w)
            owner, px, py, w = owner[exists], px[exists], py[exists], w[exists]
        d = z[owner, 0] * w[:, 0] + z[owner, 1] * w[:, 1] + z[owner, 2] * w[:, 2]
        order = np.argsort(-d, kind="stable")  # far to near: the last write to a pixel is the nearest
        pixel = (py * width + px)[order]
        triangle[pixel], depth[pixel], weight[pixel] = rows[owner[order]], d[order], w[order]
    return Raster(triangle.reshape(height, width), weight.reshape(height, width, 3), depth.reshape(height, width))


def _span(k: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last pixel centre that each triangle's corners (T, 3) reach inside the picture."""
    least = np.minimum(np.minimum(k[:, 0], k[:, 1]), k[:, 2])
    most = np.maximum(np.maximum(k[:, 0], k[:, 1]), k[:, 2])
    return np.ceil(least).clip(0), np.floor(most).clip(max=size - 1)
