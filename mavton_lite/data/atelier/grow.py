"""Grow hair: strands leave the scalp of the canonical head, follow their cut, and lie on what they meet.

Source of the idea of locks around guide strands: Ward et al., "A Survey on Hair Modeling" (2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from mavton_lite.data.atelier.body import load_body, vertex_normals
from mavton_lite.data.atelier.garment import share
from mavton_lite.data.atelier.scalp import above_hairline
from mavton_lite.data.atelier.strands import Strands, bind, unit

STEP_LAYERS = 3  # collisions are resolved so often a step


@dataclass(frozen=True)
class Cut:
    """A hair style: how strands start, how long they are, and what pulls them."""

    count: int
    locks: int
    points: int
    length: Callable[[np.ndarray, np.random.Generator], np.ndarray]  # roots -> metres
    start: Callable[[np.ndarray, np.ndarray], np.ndarray]  # roots, normals -> directions
    volume: Callable[[np.ndarray], np.ndarray]  # roots -> metres above the scalp, of the top layer
    pull: Callable[[np.ndarray, np.ndarray, float], np.ndarray] | None = None  # points, roots, 0..1 -> force
    gravity: float = 0.35
    stiffness: float = 0.6
    clump: float = 0.5
    chest: float = 0.0  # metres from neck and torso, so that clothes stay behind
    lay: float = 0.0  # pull back towards the body, growing to the tip
    curl: tuple[float, float] = (0.0, 0.03)  # radius and wavelength
    finer: int = 1  # points put in for every one grown
    blunt: float = 0.12  # width of the tip, of the whole
    rough: float = 0.05
    width: float = 0.0035
    dense: Callable[[np.ndarray], np.ndarray] | None = None  # places on the scalp -> how densely hair grows there
    keep: Callable[[np.ndarray], np.ndarray] | None = None  # which grown strands


class Solid(NamedTuple):
    """What strands collide with."""

    tree: cKDTree
    points: np.ndarray
    normals: np.ndarray

    def distance(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signed distance and the way out.   Shape: (N, 3) -> (N,), (N, 3)."""
        _, near = self.tree.query(points, k=4)
        normal = self.normals[near].mean(1)
        normal /= np.sqrt((normal**2).sum(1, keepdims=True)) + 1e-12
        return ((points[:, None] - self.points[near]) * normal[:, None]).sum(2).mean(1), normal


@cache
def solid() -> Solid:
    """The outside of the canonical head, neck and torso, with points on every triangle."""
    body = load_body()
    v, faces = body.canonical, body.faces["body"]
    faces = faces[(v[faces][..., 2] > 0.25).all(1) & (share("lowerarm", "wrist", "finger")[faces] < 0.5).all(1)]
    normal = vertex_normals(v, faces)
    rows = np.unique(faces)
    inner = (
        (np.abs(v[rows, 0]) < 0.03) & (np.abs(v[rows, 2] - 0.83) < 0.03) & (v[rows, 1] > -0.145) & (v[rows, 1] < -0.05)
    )
    rows = rows[~inner]
    centre, turned = v[faces].mean(1), normal[faces].mean(1)
    large = np.sqrt((np.cross(v[faces[:, 1]] - v[faces[:, 0]], v[faces[:, 2]] - v[faces[:, 0]]) ** 2).sum(1)) > 3e-5
    points = np.concatenate([v[rows], centre[large]])
    normals = np.concatenate([normal[rows], turned[large]])
    return Solid(cKDTree(points), points, normals)


def roots(count: int, rng: np.random.Generator, dense=None) -> tuple[np.ndarray, np.ndarray]:
    """Random places on the scalp and their normals.   Shape: (count, 3) each."""
    body = load_body()
    v, faces = body.canonical, body.faces["body"]
    normal = vertex_normals(v, faces)
    faces = faces[(v[faces][..., 2] > 0.79).all(1) & (above_hairline(v[faces]) > -0.02).any(1)]
    area = np.sqrt((np.cross(v[faces[:, 1]] - v[faces[:, 0]], v[faces[:, 2]] - v[faces[:, 0]]) ** 2).sum(1))
    if dense is not None:
        area = area * dense(v[faces].mean(1))
    pick = rng.choice(len(faces), 6 * count, p=area / area.sum())
    w = rng.dirichlet([1, 1, 1], 6 * count)[..., None]
    at, up = (v[faces[pick]] * w).sum(1), (normal[faces[pick]] * w).sum(1)
    good = np.flatnonzero(above_hairline(at) > 0)[:count]
    up = up[good]
    return at[good], up / np.sqrt((up**2).sum(1, keepdims=True))


def grow(cut: Cut, rng: np.random.Generator) -> Strands:
    """Let every strand of a cut grow.   Source: a chain of short steps, each pulled and then pushed out of the body."""
    shape = solid()
    root, normal = roots(cut.count, rng, cut.dense)
    n = len(root)
    lock = cKDTree(root[: cut.locks]).query(root)[1]
    depth = rng.random(n) ** 0.7
    length = cut.length(root, rng)
    step = length / (cut.points - 1)
    volume = cut.volume(root) * (0.25 + 0.75 * depth)
    noise = rng.normal(0, 1, (n, 3))
    direction = unit(cut.start(root, normal) + cut.rough * 2 * noise)
    points, at, up = [root], root, normal
    for k in range(1, cut.points):
        s = k / (cut.points - 1)
        force = np.tile([0.0, 0.0, -cut.gravity], (n, 1)) + cut.rough * noise - cut.lay * s * up
        if cut.pull is not None:
            force = force + cut.pull(at, root, s)
        if cut.clump:  # towards the first strand of the lock, the more the nearer to its end
            force = force + cut.clump * s * np.clip((at[lock] - at) / 0.01, -1, 1)
        direction = unit(cut.stiffness * direction + (1 - cut.stiffness) * force)
        there = at + direction * step[:, None]
        wanted = 0.0015 + volume * np.sin(0.5 * np.pi * np.clip(s * length / 0.03, 0, 1)) * (
            1 - min(cut.lay, 0.8) * s * s
        )
        wanted = np.maximum(wanted, cut.chest * np.clip((0.79 - at[:, 2]) / 0.06, 0, 1) * (0.8 + 0.6 * depth))
        for _ in range(STEP_LAYERS):
            distance, up = shape.distance(there)
            there = there + up * np.clip(wanted - distance, 0, 0.6 * step)[:, None]
            there = at + unit(there - at) * step[:, None]
        direction = unit(there - at)
        points.append(there)
        at = there
    strands = _freed(np.stack(points, 1), shape, chest=cut.chest)
    if cut.keep is not None:
        kept = cut.keep(strands)
        strands, depth, lock = strands[kept], depth[kept], lock[kept]
    for _ in range(cut.finer - 1):
        strands = _halved(strands)
    if cut.curl[0]:
        strands = strands + _curl(strands, rng, *cut.curl)
        strands = _freed(strands, shape, 1, cut.chest)
    out = shape.distance(strands.reshape(-1, 3))[1].reshape(strands.shape)
    return bind(strands, out, cut.width, depth, lock, rng, cut.blunt)


def _freed(points: np.ndarray, shape: Solid, rounds: int = 3, chest: float = 0.0) -> np.ndarray:
    """Strands without kinks and outside the body."""
    for _ in range(rounds):
        inner = 0.25 * points[:, :-2] + 0.5 * points[:, 1:-1] + 0.25 * points[:, 2:]
        if rounds > 1:
            points = np.concatenate([points[:, :1], inner, points[:, -1:]], 1)
        distance, up = shape.distance(points[:, 1:].reshape(-1, 3))
        clear = np.maximum(0.002, chest * np.clip((0.79 - points[:, 1:, 2].ravel()) / 0.06, 0, 1))
        lift = up * np.clip(clear - distance, 0, None)[:, None]
        points = np.concatenate([points[:, :1], points[:, 1:] + lift.reshape(points[:, 1:].shape)], 1)
    return points


def _halved(points: np.ndarray) -> np.ndarray:
    """Twice the segments, on a smooth curve.   Source: four-point subdivision (Dyn, Levin and Gregory 1987)."""
    ends = np.concatenate([2 * points[:, :1] - points[:, 1:2], points, 2 * points[:, -1:] - points[:, -2:-1]], 1)
    middle = (9 * (ends[:, 1:-2] + ends[:, 2:-1]) - ends[:, :-3] - ends[:, 3:]) / 16
    out = np.empty((len(points), 2 * points.shape[1] - 1, 3))
    out[:, ::2], out[:, 1::2] = points, middle
    return out


def _curl(points: np.ndarray, rng: np.random.Generator, radius: float, wave: float) -> np.ndarray:
    """A helix around every strand that opens from the root."""
    tangent = unit(np.gradient(points, axis=1))
    side = unit(np.cross(tangent, rng.normal(0, 1, (len(points), 1, 3))))
    other = np.cross(tangent, side)
    along = np.sqrt((np.diff(points, axis=1, prepend=points[:, :1]) ** 2).sum(2)).cumsum(1)
    angle = 2 * np.pi * along / (wave * rng.uniform(0.85, 1.2, (len(points), 1)))
    angle += rng.uniform(0, 2 * np.pi, (len(points), 1))
    grown = radius * np.clip(along / (0.6 * wave), 0, 1)
    return (np.cos(angle)[..., None] * side + np.sin(angle)[..., None] * other) * grown[..., None]
