"""What the camera sees of one mesh: the vocabulary that people, hair, clothes and the studio share.

Pictures are drawn at SUPERSAMPLE times their size and averaged at the end. The camera is orthographic and looks along
+y; depth is metres along y, smaller is nearer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from mavton_lite.data.atelier.body import load_body, vertex_normals
from mavton_lite.data.atelier.raster import Keep, Raster, rasterise

SUPERSAMPLE = 2


@dataclass(frozen=True)
class Camera:
    """An orthographic camera.   Units: `origin` is the world's (x, z) of the picture's top left corner, metres."""

    height: int  # of the finished picture, px
    width: int
    scale: float  # finished px a metre
    origin: tuple[float, float]
    roll: float = 0.0  # radians, about the middle of the picture

    @property
    def px_per_m(self) -> float:
        """Supersampled pixels a metre."""
        return self.scale * SUPERSAMPLE

    @property
    def rows(self) -> int:
        """Height of the supersampled picture."""
        return self.height * SUPERSAMPLE

    @property
    def columns(self) -> int:
        """Width of the supersampled picture."""
        return self.width * SUPERSAMPLE

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) -> x, y in supersampled pixels (centres at integers) and depth."""
        x = (points[..., 0] - self.origin[0]) * self.px_per_m
        y = (self.origin[1] - points[..., 2]) * self.px_per_m
        if self.roll:
            c, s = np.cos(self.roll), np.sin(self.roll)
            dx, dy = x - self.columns / 2, y - self.rows / 2
            x, y = self.columns / 2 + c * dx - s * dy, self.rows / 2 + s * dx + c * dy
        return np.stack([x - 0.5, y - 0.5, points[..., 1]], axis=-1)


@dataclass(frozen=True)
class Layer:
    """What one mesh shows at every supersampled pixel.   Shape: (h, w[, channels])."""

    hit: np.ndarray
    depth: np.ndarray  # inf where nothing is hit
    canonical: np.ndarray  # (h, w, 3) canonical coordinates, metres
    arm: np.ndarray  # (h, w) share that hangs on arm bones, 0..1
    normal: np.ndarray  # (h, w, 3) unit, in the world; zero where nothing is hit
    uv: np.ndarray | None = None  # (h, w, 2) garment coordinates
    triangle: np.ndarray | None = None  # (h, w) row of the mesh's faces, -1 for none


class Drawn(NamedTuple):
    """A layer in colour, lit but without the shadows that other layers cast on it.   Shape: (h, w[, 3])."""

    hit: np.ndarray
    depth: np.ndarray
    colour: np.ndarray  # (h, w, 3) in [0, 1], may exceed 1 before the picture is finished
    label: np.ndarray  # (h, w) uint8 LIP ids


def see(
    camera: Camera,
    vertices: np.ndarray,
    faces: np.ndarray,
    arm: np.ndarray,
    uv: np.ndarray | None = None,
    cull: bool = True,
    keep: Keep | None = None,
) -> Layer:
    """Rasterise a mesh of the body's vertices.   Shape: vertices (V, 3), faces (T, 3), arm (V,), uv (V, 2)."""
    seen = rasterise(camera.project(vertices), faces, camera.rows, camera.columns, cull, keep)
    return layer_of(seen, vertices, faces, arm, uv)


def layer_of(
    seen: Raster, vertices: np.ndarray, faces: np.ndarray, arm: np.ndarray, uv: np.ndarray | None = None
) -> Layer:
    """Canonical coordinates, arm share, normals and garment coordinates at every pixel of a raster."""
    parts = [load_body().canonical, arm[:, None], vertex_normals(vertices, faces)] + ([] if uv is None else [uv])
    values = seen.interpolate(np.concatenate(parts, axis=1), faces)
    _unit(values, 4)
    coordinates = None if uv is None else values[..., 7:9]
    return Layer(
        seen.hit, seen.depth, values[..., :3], values[..., 3], values[..., 4:7], coordinates, seen.triangle
    )  # fmt: skip


@njit(cache=True)
def _unit(values, k):
    """Scale channels k..k + 2 to unit length, in place."""
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            a, b, c = values[y, x, k], values[y, x, k + 1], values[y, x, k + 2]
            length = np.sqrt(a * a + b * b + c * c) + 1e-9
            values[y, x, k], values[y, x, k + 1], values[y, x, k + 2] = a / length, b / length, c / length
