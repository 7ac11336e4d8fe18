"""The body: a baked MakeHuman mesh, its shapes and its skeleton, in plain numpy.

Axes: metres, z up, the person faces -y, the person's left is +x. The canonical shape in the A-pose gives every vertex
its *canonical coordinates*: where it sits on the middle adult, whoever wears it and however they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

Turns = Mapping[str, tuple | np.ndarray]  # of bones, by name

MICROMETRE = 1e-6


class Posed(NamedTuple):
    """A shaped and posed body, and how each vertex got there.   Shape: V vertices; metres."""

    vertices: np.ndarray  # (V, 3)
    linear: np.ndarray  # (V, 3, 3) the blended rotation of each vertex
    canonical: np.ndarray  # (V, 3) of the body, for `carry`

    def carry(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) given beside the canonical body and bound to its vertices `rows` (N,), where they are now."""
        return self.vertices[rows] + np.einsum("nij,nj->ni", self.linear[rows], points - self.canonical[rows])


class Rest(NamedTuple):
    """A shaped body before it is posed."""

    vertices: np.ndarray  # (V, 3)
    joints: np.ndarray  # (B, 3)


@dataclass(frozen=True)
class Body:
    """The baked asset (see `asset/README.md`).

    Shape: V vertices, B bones, P people, S components of the body, F of the face (its last is a smile), R vertices that
    move with the face.
    """

    canonical: np.ndarray  # (V, 3)
    components: np.ndarray  # (S, V, 3)
    face_components: np.ndarray  # (F, R, 3)
    face_rows: np.ndarray  # (R,)
    joints: np.ndarray  # (B, 3)
    joint_components: np.ndarray  # (S + F, B, 3)
    people: np.ndarray  # (P, S)
    phenotypes: dict[str, np.ndarray]  # name -> (P,)
    bones: tuple[str, ...]
    parents: np.ndarray  # (B,)
    orientation: np.ndarray  # (B, 3, 3)
    weights: np.ndarray  # (V, B)
    points: dict[str, tuple[np.ndarray, np.ndarray]]  # name -> vertex rows, weights
    faces: dict[str, np.ndarray]  # group -> (T, 3)

    def sample_shape(self, rng: np.random.Generator, tone: float = 0.5) -> tuple[np.ndarray, float]:
        """Shape coefficients (S + F,) of a random adult, and the gender (0 female, 1 male).

        The body lies between two baked adults of one sex, the face is free. `tone` of the skin leans the choice of the
        adults, but leaves every combination possible.
        """
        gender, expected = self.phenotypes["male"], 0.15 + 0.65 * self.phenotypes["african"]
        odds = 0.3 + np.exp(-(((tone - expected) / 0.25) ** 2))
        first = rng.choice(len(gender), p=odds / odds.sum())
        odds *= np.abs(gender - gender[first]) < 0.15
        second, mix = rng.choice(len(gender), p=odds / odds.sum()), rng.uniform(0, 0.4)
        face = rng.normal(0, 1, len(self.face_components)).clip(-2, 2)
        face[-1] = rng.uniform(-0.1, 0.9)
        body = (1 - mix) * self.people[first] + mix * self.people[second]
        return np.concatenate([body, face]), float(gender[first])

    def rest(self, shape: np.ndarray | None = None) -> Rest:
        """The body of shape coefficients (S + F,); the canonical one without."""
        if shape is None:
            return Rest(self.canonical, self.joints)
        n = len(self.components)
        vertices = self.canonical + (shape[:n] @ self.components.reshape(n, -1)).reshape(-1, 3)
        face = self.face_components
        vertices[self.face_rows] += (shape[n:] @ face.reshape(len(face), -1)).reshape(-1, 3)
        return Rest(vertices, self.joints + np.einsum("s,sbi->bi", shape, self.joint_components))

    def pose(self, shape: np.ndarray | None = None, turns: Turns | None = None) -> np.ndarray:
        """Vertices (V, 3) of a shape in a pose; see `posed`."""
        return self.posed(shape, turns).vertices

    def posed(self, shape: np.ndarray | None = None, turns: Turns | None = None) -> Posed:
        """A shape in a pose, by linear blend skinning.

        Shape: `turns` maps a bone to its rotation vector (radians) in the bone's own rest axes.
        Raises: ValueError for an unknown bone.
        """
        return self.skin(self.rest(shape), turns or {})

    def skin(self, rest: Rest, turns: Turns) -> Posed:
        """A shaped body in a pose; see `posed`."""
        points, blend = _skinned(rest.vertices, self.weights, *self.transforms(rest.joints, turns))
        # Processors differ in the last bits of sines and sums; a micrometre grid makes one world of them.
        return Posed(np.round(points / MICROMETRE) * MICROMETRE, blend, self.canonical)

    def skin_rows(
        self, rest: Rest, linear: np.ndarray, offset: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Posed vertices `rows` (N, 3) and their blended rotations (N, 3, 3), from `transforms`."""
        return _skinned(rest.vertices[rows], self.weights[rows], linear, offset)

    def transforms(self, joints: np.ndarray, turns: Turns) -> tuple[np.ndarray, np.ndarray]:
        """What each bone does to points of the rest shape: rotation (B, 3, 3) and offset (B, 3).

        Raises: ValueError for an unknown bone.
        """
        if unknown := set(turns) - set(self.bones):
            raise ValueError(f"unknown bones {sorted(unknown)}; known: {', '.join(self.bones)}")
        vectors = np.zeros((len(self.bones), 3))
        for bone, vector in turns.items():
            vectors[self.bones.index(bone)] = vector
        axes = self.orientation
        linear = axes @ rotations(vectors) @ axes.transpose(0, 2, 1)
        here = np.zeros((len(self.bones), 4, 4))
        here[:, :3, :3], here[:, 3, 3] = linear, 1
        here[:, :3, 3] = joints - np.einsum("bij,bj->bi", linear, joints)  # turn about the joint
        for bones in _generations(tuple(self.parents)):
            here[bones] = here[self.parents[bones]] @ here[bones]
        return here[:, :3, :3], here[:, :3, 3]

    def keypoints(self, vertices: np.ndarray) -> dict[str, np.ndarray]:
        """Named COCO key points (3,) of posed vertices."""
        return {name: weight @ vertices[rows] for name, (rows, weight) in self.points.items()}


def rotation(vector) -> np.ndarray:
    """Rotation matrix (3, 3) of a rotation vector in radians."""
    return rotations(np.asarray(vector, float)[None])[0]


def rotations(vectors: np.ndarray) -> np.ndarray:
    """Rotation matrices (N, 3, 3) of rotation vectors (N, 3) in radians.   Source: Rodrigues' formula."""
    angle = np.sqrt((vectors**2).sum(1))
    x, y, z = (vectors / np.maximum(angle, 1e-300)[:, None]).T
    zero = np.zeros(len(vectors))
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    return np.eye(3) + np.sin(angle)[:, None, None] * k + (1 - np.cos(angle))[:, None, None] * (k @ k)


def _skinned(
    points: np.ndarray, weights: np.ndarray, linear: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rest points (N, 3) with bone weights (N, B), moved, and their blended rotations (N, 3, 3)."""
    blend = weights @ np.concatenate([linear.reshape(-1, 9), offset], axis=1)
    turn = blend[:, :9].reshape(-1, 3, 3)
    return (turn @ points[:, :, None])[:, :, 0] + blend[:, 9:], turn


@cache
def _generations(parents: tuple[int, ...]) -> list[np.ndarray]:
    """Bones that have a parent, by their distance from the root."""
    depth = np.zeros(len(parents), int)
    for i, parent in enumerate(parents):  # parents come before children
        depth[i] = depth[parent] + 1 if parent >= 0 else 0
    return [np.flatnonzero(depth == k) for k in range(1, depth.max() + 1)]


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3), area weighted; zero for vertices no face uses."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    flat = np.cross(b - a, c - a)
    out = np.stack(
        [np.bincount(faces.ravel(), np.repeat(flat[:, i], 3), minlength=len(vertices)) for i in range(3)], axis=1
    )
    return out / (np.sqrt((out**2).sum(1, keepdims=True)) + 1e-12)


@cache
def load_body() -> Body:
    """The baked body that ships with the package."""
    with np.load(str(files("mavton_lite.data.atelier").joinpath("asset/body.npz")), allow_pickle=False) as z:
        a = {k: z[k] for k in z.files}
    weights = np.zeros((len(a["canonical"]), len(a["bones"])))
    rows = np.arange(len(weights))[:, None]
    np.add.at(weights, (rows, a["weight_index"]), a["weights"].astype(float))
    weights /= weights.sum(1, keepdims=True)
    points = {}
    for name, index, weight in zip(a["point_names"], a["point_index"], a["point_weight"], strict=True):
        used = weight != 0
        points[str(name)] = (index[used], weight[used].astype(float))
    return Body(
        canonical=a["canonical"].astype(float),
        components=_metres(a, "components"),
        face_components=_metres(a, "face_components"),
        face_rows=a["face_rows"].astype(int),
        joints=a["joints"].astype(float),
        joint_components=np.concatenate([a["joint_components"], a["face_joint_components"]]).astype(float),
        people=a["people"].astype(float),
        phenotypes=dict(zip((str(n) for n in a["phenotype_names"]), a["phenotypes"].T.astype(float), strict=True)),
        bones=tuple(str(b) for b in a["bones"]),
        parents=a["parents"].astype(int),
        orientation=a["orientation"].astype(float),
        weights=weights,
        points=points,
        faces={k[6:]: v.astype(np.int64) for k, v in a.items() if k.startswith("faces_")},
    )


def _metres(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Components from the low and high bytes they are stored in."""
    return (arrays[f"{name}_high"] * 256.0 + arrays[f"{name}_low"]) * arrays["step"]
