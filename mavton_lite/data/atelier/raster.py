"""A z-buffer: which triangle does each pixel see, and where on it.

Written here, not taken from a ray caster, because a picture must be the same bytes on every machine: only additions,
products and comparisons in float64, in one order, compiled by numba without any reordering.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

Keep = Callable[[np.ndarray, np.ndarray], np.ndarray]
_ON_EDGE = -1e-9  # a weight this small still counts as inside: neighbours leave no gap


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
        return _interpolate(self.triangle, self.weight, np.ascontiguousarray(values, float), faces)


def rasterise(
    points: np.ndarray, faces: np.ndarray, height: int, width: int, cull: bool = True, keep: Keep | None = None
) -> Raster:
    """Draw triangles orthographically.

    Shape: points (V, 3): x px, y px (down, pixel centres at integers), depth; faces (T, 3); `cull` drops triangles that
    face away (counter-clockwise seen from outside is towards the viewer); `keep(rows of faces (N,), weights (N, 3))`
    says which points of the surface exist, before the nearest is chosen: what is cut away hides nothing.
    """
    points, faces = np.ascontiguousarray(points, float), np.ascontiguousarray(faces, np.int64)
    if keep is None:
        return Raster(*_draw(points, faces, height, width, cull))
    rows, pixels, weights, depths = _fragments(points, faces, height, width, cull)
    there = keep(rows, weights) if len(rows) else np.zeros(0, bool)
    return Raster(*_nearest(rows[there], pixels[there], weights[there], depths[there], height, width))


@njit(cache=True)
def place_at(canonical, arm, faces, rows, weights, i):
    """Canonical coordinates and arm share of the i-th of the points about which `keep` is asked."""
    x = y = z = share = 0.0
    for k in range(3):
        v, w = faces[rows[i], k], weights[i, k]
        x, y, z = x + w * canonical[v, 0], y + w * canonical[v, 1], z + w * canonical[v, 2]
        share += w * arm[v]
    return x, y, z, share


@njit(cache=True)
def _box(points, face, height, width, cull):
    """Twice the signed area, and the first and last column and row that a triangle may touch; empty if not drawn."""
    a, b, c = face
    ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
    # y points down, so a triangle that is counter-clockwise in the world has a negative area here.
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    if abs(area) <= 1e-12 or (cull and area > 0):
        return area, 0, -1, 0, -1
    left, right = max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(np.floor(max(ax, bx, cx))))
    top, bottom = max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(np.floor(max(ay, by, cy))))
    return area, left, right, top, bottom


@njit(cache=True)
def _point(points, face, area, px, py):
    """Where a pixel's centre lies on a triangle: inside or not, barycentric weights, depth."""
    a, b, c = face
    ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
    u = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area
    v = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area
    w = 1 - u - v
    inside = not (u < _ON_EDGE or v < _ON_EDGE or w < _ON_EDGE)
    return inside, u, v, w, points[a, 2] * u + points[b, 2] * v + points[c, 2] * w


@njit(cache=True)
def _draw(points, faces, height, width, cull):
    """The nearest triangle of each pixel; of equals the last."""
    triangle = np.full((height, width), -1)
    weight, depth = np.zeros((height, width, 3)), np.full((height, width), np.inf)
    for t in range(len(faces)):
        face = (faces[t, 0], faces[t, 1], faces[t, 2])
        area, left, right, top, bottom = _box(points, face, height, width, cull)
        for py in range(top, bottom + 1):
            for px in range(left, right + 1):
                inside, u, v, w, d = _point(points, face, area, px, py)
                if inside and d <= depth[py, px]:
                    triangle[py, px], depth[py, px] = t, d
                    weight[py, px, 0], weight[py, px, 1], weight[py, px, 2] = u, v, w
    return triangle, weight, depth


@njit(cache=True)
def _fragments(points, faces, height, width, cull):
    """Every point where a pixel's centre lies on a triangle: triangle, pixel, weights (N, 3), depth."""
    size = 4 * height * width
    rows, pixels = np.empty(size, np.int64), np.empty(size, np.int64)
    weights, depths = np.empty((size, 3)), np.empty(size)
    n = 0
    for t in range(len(faces)):
        face = (faces[t, 0], faces[t, 1], faces[t, 2])
        area, left, right, top, bottom = _box(points, face, height, width, cull)
        for py in range(top, bottom + 1):
            for px in range(left, right + 1):
                inside, u, v, w, d = _point(points, face, area, px, py)
                if not inside:
                    continue
                if n == size:
                    size *= 2
                    rows, pixels = _longer(rows, size), _longer(pixels, size)
                    depths = _longer(depths, size)
                    more = np.empty((size, 3))
                    more[:n] = weights
                    weights = more
                rows[n], pixels[n] = t, py * width + px
                weights[n, 0], weights[n, 1], weights[n, 2] = u, v, w
                depths[n] = d
                n += 1
    return rows[:n], pixels[:n], weights[:n], depths[:n]


@njit(cache=True)
def _longer(values, size):
    out = np.empty(size, values.dtype)
    out[: len(values)] = values
    return out


@njit(cache=True)
def _nearest(rows, pixels, weights, depths, height, width):
    """The nearest fragment of each pixel; of equals the last."""
    triangle = np.full(height * width, -1)
    weight, depth = np.zeros((height * width, 3)), np.full(height * width, np.inf)
    for i in range(len(rows)):
        p = pixels[i]
        if depths[i] <= depth[p]:
            triangle[p], depth[p] = rows[i], depths[i]
            weight[p, 0], weight[p, 1], weight[p, 2] = weights[i, 0], weights[i, 1], weights[i, 2]
    return triangle.reshape(height, width), weight.reshape(height, width, 3), depth.reshape(height, width)


@njit(cache=True)
def _interpolate(triangle, weight, values, faces):
    height, width = triangle.shape
    channels = values.shape[1]
    out = np.zeros((height, width, channels))
    for y in range(height):
        for x in range(width):
            t = triangle[y, x]
            if t >= 0:
                for k in range(channels):
                    out[y, x, k] = (
                        values[faces[t, 0], k] * weight[y, x, 0]
                        + values[faces[t, 1], k] * weight[y, x, 1]
                        + values[faces[t, 2], k] * weight[y, x, 2]
                    )
    return out
