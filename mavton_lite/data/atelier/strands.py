"""Strands of hair on the canonical body, and what of it they hang on.

They are grown once for every style and variant (`grow`), then only carried along with the posed body.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.garment import arm_share, share
from mavton_lite.data.atelier.raster import rasterise


class Strands(NamedTuple):
    """Strands of the canonical body.   Shape: S strands of K points; metres."""

    points: np.ndarray  # (S, K, 3)
    normal: np.ndarray  # (S, K, 3) away from the body
    head_row: np.ndarray  # (S, K) vertex of the head each point hangs on
    body_row: np.ndarray  # (S, K) vertex of the torso
    hang: np.ndarray  # (S, K) 0 with the head .. 1 with the torso
    width: np.ndarray  # (S, K)
    depth: np.ndarray  # (S,) 0 an under layer .. 1 on top
    lock: np.ndarray  # (S,) which lock it belongs to
    tint: np.ndarray  # (S,) -1..1


@cache
def _anchors() -> tuple[np.ndarray, cKDTree, np.ndarray, cKDTree]:
    """Vertices hair can hang on: of the head's outside, and of neck and torso (not the arms)."""
    body = load_body()
    rows = np.unique(body.faces["body"])
    on_head = share("head")[rows] > 0.6
    head = rows[on_head & ((body.canonical[rows, 1] > -0.11) | (body.canonical[rows, 2] > 0.92))]
    torso = rows[~on_head & (arm_share()[rows] < 0.35) & (body.canonical[rows, 2] > 0.2)]
    return head, cKDTree(body.canonical[head]), torso, cKDTree(body.canonical[torso])


def unit(a: np.ndarray) -> np.ndarray:
    """Along the last axis, to length 1."""
    square = a[..., 0] ** 2 + a[..., 1] ** 2 + a[..., 2] ** 2
    return a / (np.sqrt(square) + 1e-12)[..., None]


def bind(points, normal, width: float, depth, lock, rng: np.random.Generator, blunt: float = 0.12) -> Strands:
    """Hang grown strands on the body."""
    head, head_tree, torso, torso_tree = _anchors()
    flat = points.reshape(-1, 3)
    s = np.linspace(0, 1, points.shape[1])
    taper = np.minimum(0.7 + 3 * s, blunt + (1 - blunt) * np.clip(1.7 * (1 - s) ** 0.7, 0, 1)).clip(0, 1)
    hang = np.clip((0.83 - points[..., 2]) / 0.13, 0, 1)
    return Strands(
        points=points,
        normal=normal,
        head_row=head[head_tree.query(flat)[1]].reshape(points.shape[:2]),
        body_row=torso[torso_tree.query(flat)[1]].reshape(points.shape[:2]),
        hang=hang * hang * (3 - 2 * hang),
        width=width * taper * rng.uniform(0.7, 1.3, (len(points), 1)),
        depth=depth,
        lock=lock,
        tint=np.clip(rng.normal(0, 0.4, len(points)) + rng.normal(0, 0.5, lock.max() + 1)[lock], -1, 1),
    )


def joined(a: Strands, b: Strands) -> Strands:
    """Two lots of strands as one; the shorter kind is stretched to the same number of points by repeating its tip."""
    k = max(a.points.shape[1], b.points.shape[1])

    def longer(values: np.ndarray) -> np.ndarray:
        more = k - values.shape[1] if values.ndim > 1 else 0
        return values if more == 0 else np.concatenate([values, np.repeat(values[:, -1:], more, 1)], 1)

    b = b._replace(lock=b.lock + a.lock.max() + 1)
    return Strands(*(np.concatenate([longer(x), longer(y)]) for x, y in zip(a, b, strict=True)))


def mirrored(strands: Strands) -> Strands:
    """The mirror image, hung on the other side of the body."""
    flip = np.array([-1.0, 1, 1])
    draws = np.random.default_rng(0)  # of width and tint, which are taken over
    other = bind(strands.points * flip, strands.normal * flip, 1.0, strands.depth, strands.lock, draws)
    return other._replace(width=strands.width, tint=strands.tint)


def coarser(strands: Strands) -> Strands:
    """Half the strands with half the points, wider: for pictures whose pixels are as wide as a strand."""
    k = strands.points.shape[1]
    points = np.unique(np.r_[0:k:2, k - 1])
    pick = lambda a: a[::2] if a.ndim == 1 else a[::2][:, points]  # noqa: E731
    return Strands(*(pick(a) for a in strands))._replace(width=1.6 * strands.width[::2][:, points])


def seen(strands: Strands, px_per_m: float = 420.0) -> Strands:
    """Only the strands that show from the front, however the head turns within a quarter of a right angle."""
    n, k = strands.points.shape[:2]
    faces = ribbon_faces(n, k)
    shown = np.zeros(n, bool)
    solid = load_body().faces["body"]
    low, high = strands.points.min((0, 1)), strands.points.max((0, 1))
    height, width = int((high[2] - low[2] + 0.1) * px_per_m), int(0.8 * px_per_m)
    for turn in (-0.4, -0.2, 0.0, 0.2, 0.4):
        c, s = np.cos(turn), np.sin(turn)
        about = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        at, body = strands.points @ about.T, load_body().canonical @ about.T
        view = lambda p: np.stack(  # noqa: E731
            [(p[..., 0] + 0.4) * px_per_m, (high[2] + 0.05 - p[..., 2]) * px_per_m, p[..., 1]], -1
        )
        points = np.concatenate([ribbons(view(at), strands.width * px_per_m).reshape(-1, 3), view(body)])
        drawn = rasterise(points, np.concatenate([faces, solid + 2 * n * k]), height, width, cull=False).triangle
        rows = np.unique(drawn[(drawn >= 0) & (drawn < len(faces))])
        shown[np.unique(faces[rows, 0] // (2 * k))] = True
    return Strands(*(a[shown] for a in strands))


def ribbons(at: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Projected strands (S, K, 3) as bands of a width (S, K) that face the camera.   Shape: -> (S, K, 2, 3)."""
    along = np.gradient(at[..., :2], axis=1)
    along /= np.sqrt(along[..., :1] ** 2 + along[..., 1:] ** 2) + 1e-6
    side = np.stack([-along[..., 1], along[..., 0]], -1) * (0.5 * width[..., None])
    corners = np.repeat(at[:, :, None], 2, 2)
    corners[:, :, 0, :2] -= side
    corners[:, :, 1, :2] += side
    return corners


@cache
def ribbon_faces(n: int, k: int) -> np.ndarray:
    """Two triangles for every segment of n bands with 2 k vertices each."""
    a = (2 * k * np.arange(n)[:, None] + 2 * np.arange(k - 1)).ravel()
    return np.stack([np.stack([a, a + 1, a + 2], 1), np.stack([a + 1, a + 3, a + 2], 1)], 1).reshape(-1, 3)
