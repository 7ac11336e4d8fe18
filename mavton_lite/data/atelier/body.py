"""The body: a baked MakeHuman mesh, its shapes and its skeleton, in plain numpy.

Axes: metres, z up, the person faces -y, the person's left is +x. The canonical shape in the A-pose gives every vertex
its *canonical coordinates*: where it sits on the middle adult, whoever wears it and however they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

MICROMETRE = 1e-6


class Posed(NamedTuple):
    """A shaped and posed body, and how each vertex got there.   Shape: V vertices; metres."""

    vertices: np.ndarray  # (V, 3)
    linear: np.ndarray  # (V, 3, 3) the blended rotation of each vertex
    canonical: np.ndarray  # (V, 3) of the body, for `carry`

    def carry(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) given beside the canonical body and bound to its vertices `rows` (N,), where they are now."""
        return self.vertices[rows] + np.einsum("nij,nj->ni", self.linear[rows], points - self.canonical[rows])


@dataclass(frozen=True)
class Body:
    """The baked asset (see `asset/README.md`); V vertices, B bones, K key points, P people, S shape components."""

    canonical: np.ndarray  # (V, 3)
    components: np.ndarray  # (S, V, 3)
    joints: np.ndarray  # (B, 3)
    joint_components: np.ndarray  # (S, B, 3)
    people: np.ndarray  # (P, S)
    phenotypes: np.ndarray  # (P, 6)
    bones: tuple[str, ...]
    parents: np.ndarray  # (B,)
    orientation: np.ndarray  # (B, 3, 3)
    weights: np.ndarray  # (V, B)
    points: dict[str, tuple[np.ndarray, np.ndarray]]  # name -> vertex rows, weights
    faces: dict[str, np.ndarray]  # group -> (T, 3)

    def sample_shape(self, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Shape coefficients (S,) half way between two baked adults of one sex, and the gender (0 female, 1 male)."""
        gender = self.phenotypes[:, 0]
        first = rng.integers(len(gender))
        near = np.argsort(np.abs(gender - gender[first]), kind="stable")[: len(gender) // 4]
        second, mix = near[rng.integers(len(near))], rng.uniform(0, 0.5)
        return (1 - mix) * self.people[first] + mix * self.people[second], float(gender[first])

    def pose(self, shape: np.ndarray | None = None, turns: dict[str, tuple] | None = None) -> np.ndarray:
        """Vertices (V, 3) of a shape in a pose; see `posed`."""
        return self.posed(shape, turns).vertices

    def posed(self, shape: np.ndarray | None = None, turns: dict[str, tuple] | None = None) -> Posed:
        """A shape in a pose, by linear blend skinning.

        Shape: `turns` maps a bone to its rotation vector (radians) in the bone's own rest axes.
        Raises: ValueError for an unknown bone.
        """
        vertices, joints = self.canonical, self.joints
        if shape is not None:
            vertices = vertices + np.einsum("s,svi->vi", shape, self.components)
            joints = joints + np.einsum("s,sbi->bi", shape, self.joint_components)
        turns = turns or {}
        if unknown := set(turns) - set(self.bones):
            raise ValueError(f"unknown bones {sorted(unknown)}; known: {', '.join(self.bones)}")
        linear, offset = np.zeros((len(self.bones), 3, 3)), np.zeros((len(self.bones), 3))
        for i, bone in enumerate(self.bones):  # parents come before children
            axes = self.orientation[i]
            turn = axes @ rotation(turns[bone]) @ axes.T if bone in turns else np.eye(3)
            here, shift = turn, joints[i] - turn @ joints[i]  # turn about the joint
            if self.parents[i] >= 0:
                above = linear[self.parents[i]]
                here, shift = above @ here, above @ shift + offset[self.parents[i]]
            linear[i], offset[i] = here, shift
        blend = (self.weights @ linear.reshape(len(linear), 9)).reshape(-1, 3, 3)
        posed = np.einsum("vij,vj->vi", blend, vertices) + self.weights @ offset
        # Processors differ in the last bits of sines and sums; a micrometre grid makes one world of them.
        return Posed(np.round(posed / MICROMETRE) * MICROMETRE, blend, self.canonical)

    def keypoints(self, vertices: np.ndarray) -> dict[str, np.ndarray]:
        """Named COCO key points (3,) of posed vertices."""
        return {name: weight @ vertices[rows] for name, (rows, weight) in self.points.items()}


def rotation(vector) -> np.ndarray:
    """Rotation matrix (3, 3) of a rotation vector in radians.   Source: Rodrigues' formula."""
    vector = np.asarray(vector, float)
    angle = np.sqrt((vector**2).sum())
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


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
    with np.load(files("mavton_lite.data.atelier").joinpath("asset/body.npz"), allow_pickle=False) as z:
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
        components=a["components"].astype(float),
        joints=a["joints"].astype(float),
        joint_components=a["joint_components"].astype(float),
        people=a["people"].astype(float),
        phenotypes=a["phenotypes"].astype(float),
        bones=tuple(str(b) for b in a["bones"]),
        parents=a["parents"].astype(int),
        orientation=a["orientation"].astype(float),
        weights=weights,
        points=points,
        faces={k[6:]: v.astype(np.int64) for k, v in a.items() if k.startswith("faces_")},
    )
