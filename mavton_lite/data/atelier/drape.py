"""How cloth hangs: a membrane that rests on the body, spans its hollows and falls from its highest places.

Each vertex of the cloth moves along the body's normal only, so cloth never slides over the skin and the true warp
stays simple. The height over the body solves an obstacle problem: as even as its neighbours allow, never less than the
garment's ease.

Source: Kinderlehrer and Stampacchia 1980, "An introduction to variational inequalities", the obstacle problem; solved
with projected Gauss-Seidel sweeps from the shoulders down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit

from mavton_lite.data.atelier.body import MICROMETRE, load_body, vertex_normals
from mavton_lite.data.atelier.cut import smoothstep

DRESS_WAIST_Z = 0.262  # where the skirt of a dress is sewn on, metres on the canonical body
SWEEPS, MOST_M = 16, 0.07  # of the solver; how far cloth may stand off beyond its ease
FALL = 1.6  # how much more a neighbour above counts than one below: cloth hangs


@dataclass(frozen=True)
class Mesh:
    """A mesh that clothes are cut from.   Shape: T triangles over the body's vertices, R rows that they use."""

    faces: np.ndarray  # (T, 3)
    rows: np.ndarray  # (R,) vertices it uses
    canonical: np.ndarray  # (R, 3) of those, metres
    arm: np.ndarray  # (R,) share that hangs on the arms
    order: np.ndarray  # (R,) from the highest to the lowest
    neighbours: np.ndarray  # (R, K) places in `rows`, padded with itself
    pull: np.ndarray  # (R, K) weights of the neighbours, rows sum to 1

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """Unit normals (R, 3) of the posed mesh, averaged with the neighbours' so that they do not cross soon."""
        normal = vertex_normals(vertices, self.faces)[self.rows]
        for _ in range(2):
            normal = normal + normal[self.neighbours].sum(1) / 4
            normal /= np.sqrt((normal**2).sum(1, keepdims=True)) + 1e-12
        level = smoothstep((0.56 - self.canonical[:, 2]) / 0.1) * (
            1 - self.arm
        )  # hems stay level, between the legs too
        normal[:, 2] *= 1 - level
        return normal / (np.sqrt((normal**2).sum(1, keepdims=True)) + 1e-12)

    def hang(
        self, vertices: np.ndarray, normal: np.ndarray, ease: np.ndarray, looseness: np.ndarray | float
    ) -> np.ndarray:
        """Vertices (V, 3) with this mesh as cloth; the others stay where they are.

        `normal` is that of `normals`, `ease` (R,) the least distance from the body in metres, `looseness` (R,) runs
        from 0, skin tight, to 1, hanging free.
        """
        points = vertices[self.rows]
        height = _relax(points, normal, ease, self.order, self.neighbours, self.pull, SWEEPS)
        height = ease + looseness * (np.minimum(height, ease + MOST_M) - ease)
        out = vertices.copy()
        out[self.rows] = np.round((points + normal * height[:, None]) / MICROMETRE) * MICROMETRE
        return out


@njit(cache=True)
def _relax(points, normal, ease, order, neighbours, pull, sweeps):
    """Heights (R,) of the membrane over the points."""
    height = ease.copy()
    at = points + normal * height.reshape(-1, 1)
    for _ in range(sweeps):
        for i in order:
            rise = 0.0
            for k in range(3):
                mean = 0.0
                for j in range(neighbours.shape[1]):
                    mean += pull[i, j] * at[neighbours[i, j], k]
                rise += (mean - at[i, k]) * normal[i, k]
            height[i] = max(ease[i], height[i] + rise)
            for k in range(3):
                at[i, k] = points[i, k] + normal[i, k] * height[i]
    return height


@cache
def tights_mesh() -> Mesh:
    """The tights of the baked body: arms, torso and legs."""
    return _mesh(load_body().faces["tights"])


@cache
def dress_mesh() -> Mesh:
    """The tights above the waist, the skirt below."""
    body = load_body()
    tights, skirt = body.faces["tights"], body.faces["skirt"]
    above = (body.canonical[tights, 2] > DRESS_WAIST_Z - 0.03).all(1) | (arm_share()[tights] > 0.3).any(1)
    return _mesh(np.concatenate([tights[above], skirt]))


@cache
def skirt_mesh() -> Mesh:
    """The helper mesh of a skirt, from the waist to the knee."""
    return _mesh(load_body().faces["skirt"])


def _mesh(faces: np.ndarray) -> Mesh:
    rows = np.unique(faces)
    canonical, place = load_body().canonical[rows], np.full(faces.max() + 1, -1)
    place[rows] = np.arange(len(rows))
    edges = place[np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])]
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)  # both ways, sorted by the first end
    count = np.bincount(edges[:, 0], minlength=len(rows))
    slot = np.arange(len(edges)) - np.repeat(np.cumsum(count) - count, count)
    neighbours = np.repeat(np.arange(len(rows))[:, None], count.max(), axis=1)
    neighbours[edges[:, 0], slot] = edges[:, 1]
    step = canonical[neighbours] - canonical[:, None]
    length = np.sqrt((step**2).sum(-1))
    rise = np.divide(step[..., 2], length, out=np.zeros_like(length), where=length > 0)
    hangs = 1 - arm_share()[rows][:, None]  # sleeves are drawn tight around arms, they do not hang along them
    pull = np.where(length > 0, (1 + FALL * hangs * np.clip(rise, 0, 1)) / np.maximum(length, 0.004), 0)
    pull /= pull.sum(1, keepdims=True)
    order = np.argsort(-canonical[:, 2], kind="stable")
    return Mesh(faces, rows, canonical, arm_share()[rows], order, neighbours, pull)


@cache
def share(*prefixes: str) -> np.ndarray:
    """Share (V,) of every vertex that hangs on bones with these prefixes."""
    body = load_body()
    return body.weights[:, [b.startswith(prefixes) for b in body.bones]].sum(1)


def arm_share() -> np.ndarray:
    """1 on arms and hands, 0 on the torso, soft around the shoulder."""
    return share("upperarm", "lowerarm", "wrist", "finger")
