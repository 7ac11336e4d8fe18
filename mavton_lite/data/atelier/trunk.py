"""A trunk for arms to be laid on: its surface in a few thousand points, and what lies too close to it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from mavton_lite.data.atelier.arms import Bone, Reach, arm_turns, length, unit
from mavton_lite.data.atelier.body import Body, Rest, load_body, vertex_normals

CLEARANCE_M, OF_HAIR_M, OF_ARMS_M = 0.018, 0.026, 0.016  # of a hand or forearm from clothes, hair and the other one
STEPS = 3  # in which a hand is pushed out


class Trunk:
    """A posed body without its arms, for arms to be laid on it and kept off it."""

    def __init__(self, body: Body, rest: Rest, turns: dict[str, np.ndarray]):
        self.body, self.rest, self.turns, rows = body, rest, turns, sampled_rows()
        linear, offset = body.transforms(rest.joints, turns)
        index = {side: body.bones.index(f"shoulder01.{side}") for side in "LR"}
        self.shoulder = {side: Bone(linear[i], offset[i]) for side, i in index.items()}
        self.points, blend = body.skin_rows(rest, linear, offset, rows.trunk)
        self.normals = np.einsum("nij,nj->ni", blend, rows.normals)
        self.canonical = body.canonical[rows.trunk]
        self.clearance = np.where(rows.head, OF_HAIR_M, CLEARANCE_M)
        self.tree = cKDTree(self.points)

    def arm(self, side: str) -> tuple[np.ndarray, float, float]:
        """Where an upper arm begins, and the lengths of upper arm and forearm."""
        start, elbow, wrist = (
            self.rest.joints[self.body.bones.index(f"{k}.{side}")] for k in ("upperarm01", "lowerarm01", "wrist")
        )
        bone = self.shoulder[side]
        return bone.linear @ start + bone.offset, length(elbow - start), length(wrist - elbow)

    def side_point(self, sign: int, z: float) -> np.ndarray:
        """The outermost point of the hips at a canonical height."""
        near = self.points[np.abs(self.canonical[:, 2] - z) < 0.025]
        return near[np.argmax(sign * near[:, 0])]

    def front_point(self, x: float, z: float) -> np.ndarray:
        """The point of the chest or belly that lies foremost near a canonical place."""
        near = np.abs(self.canonical[:, ::2] - [x, z]).max(1) < 0.035
        near = self.points[near & (self.canonical[:, 1] < 0)]
        return np.array([near[:, 0].mean(), near[:, 1].min(), near[:, 2].mean()])

    def head(self) -> np.ndarray:
        """The middle of the head."""
        points = self.points[sampled_rows().head]
        return (points.min(0) + points.max(0)) / 2

    def settle(self, reaches: list[Reach]) -> tuple[dict[str, np.ndarray], float]:
        """Turns of a whole pose whose hands were pushed out of the body, and how deep (m) something still lies."""
        reaches, rows = list(reaches), sampled_rows()
        for step in range(STEPS + 1):
            turns = dict(self.turns)
            for side, reach in zip("LR", reaches, strict=True):
                turns |= arm_turns(self.body, self.rest.joints, self.shoulder[side], side, reach)
            linear, offset = self.body.transforms(self.rest.joints, turns)
            worst, places = 0.0, []
            for k, side in enumerate("LR"):
                points, _ = self.body.skin_rows(self.rest, linear, offset, rows.arm[side])
                at = points[rows.fore[side]]
                places.append(points)
                _, near = self.tree.query(at)
                depth = self.clearance[near] - np.einsum("ni,ni->n", at - self.points[near], self.normals[near])
                deep = int(depth.argmax())
                if depth[deep] > 0:
                    out = self.normals[near[deep]] * [1, 1, 0.3]
                    lever = 1 + 1.2 * (1 - rows.along[side][deep])  # near the elbow the wrist has to move further
                    reaches[k] = reaches[k]._replace(
                        wrist=reaches[k].wrist + lever * (depth[deep] + 0.002) * out,
                        elbow=unit(reaches[k].elbow) + 4 * depth[deep] * out,
                    )
                    worst = max(worst, depth[deep] - 0.005)
            worst = max(worst, self._arms_too_close(*places))
            if worst <= 0 or step == STEPS:
                return turns, worst
        raise AssertionError("the last step returns")

    def _arms_too_close(self, left: np.ndarray, right: np.ndarray) -> float:
        """How much nearer than allowed the arms come to each other, or a hand to its upper arm."""
        rows = sampled_rows()
        nearest = [_nearest(right, left[rows.fore["L"]]), _nearest(left, right[rows.fore["R"]])]
        nearest += [_nearest(p[rows.upper[s]], p[rows.hand[s]]) for s, p in (("L", left), ("R", right))]
        return OF_ARMS_M - min(nearest)


def _nearest(cloud: np.ndarray, points: np.ndarray) -> float:
    """The least distance of points from a cloud; not exact where it is far."""
    gap = np.maximum(cloud.min(0) - points.max(0), points.min(0) - cloud.max(0)).max()
    return float(gap) if gap > 2 * OF_ARMS_M else float(cKDTree(cloud).query(points)[0].min())


class Rows(NamedTuple):
    """Vertices that stand for whole parts."""

    trunk: np.ndarray
    head: np.ndarray  # which of those are of the head
    normals: np.ndarray  # of those, on the canonical body
    arm: dict[str, np.ndarray]  # side -> upper arm, forearm and hand
    upper: dict[str, np.ndarray]  # which of those are of the upper arm
    fore: dict[str, np.ndarray]  # of forearm and hand
    hand: dict[str, np.ndarray]
    along: dict[str, np.ndarray]  # of fore: 0 at the elbow .. 1 at the wrist and beyond


@cache
def sampled_rows() -> Rows:
    """The vertices among which collisions are looked for."""
    body = load_body()
    share = lambda *names: body.weights[:, [b.startswith(names) for b in body.bones]].sum(1)  # noqa: E731
    skin, tights = np.unique(body.faces["body"]), np.unique(body.faces["tights"])
    arm, head = share("upperarm", "lowerarm", "wrist", "finger"), share("head", "neck02", "neck03")
    of_head = skin[(head[skin] > 0.6)]
    inner = np.abs(body.canonical[of_head, 0]) < 0.012  # nose and mouth have an inside
    of_head = of_head[~(inner & (body.canonical[of_head, 1] > -0.10) & (body.canonical[of_head, 2] < 0.93))][::9]
    trunk = np.concatenate([tights[arm[tights] < 0.25], of_head])
    arms, uppers, fores, hands, along = {}, {}, {}, {}, {}
    for side in "LR":
        own = lambda *names: share(*(f"{n}.{side}" for n in names))  # noqa: B023, E731
        digits = [f"finger{i}-{j}" for i in range(1, 6) for j in (1, 2, 3)]
        upper, hand = own("upperarm02"), own("wrist", *digits)
        fore = hand + own("lowerarm01", "lowerarm02")
        rows = skin[(upper + fore)[skin] > 0.7]
        rows = np.concatenate([rows[upper[rows] > 0.3][::3], rows[upper[rows] <= 0.3][::6]])
        elbow, wrist = (body.joints[body.bones.index(f"{k}.{side}")] for k in ("lowerarm01", "wrist"))
        arms[side], uppers[side] = rows, np.flatnonzero(upper[rows] > 0.6)
        fores[side], hands[side] = np.flatnonzero(fore[rows] > 0.7), np.flatnonzero(hand[rows] > 0.5)
        at = body.canonical[rows[fores[side]]]
        along[side] = np.clip((at - elbow) @ (wrist - elbow) / ((wrist - elbow) ** 2).sum(), 0, 1)
    faces = np.concatenate([body.faces["tights"], body.faces["body"][np.isin(body.faces["body"], of_head).any(1)]])
    normals = vertex_normals(body.canonical, faces)[trunk]
    return Rows(trunk, np.isin(trunk, of_head), normals, arms, uppers, fores, hands, along)
