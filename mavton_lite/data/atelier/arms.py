"""Arms: the turns of shoulder, elbow, forearm and wrist that bring a hand to where it shall be.

Two-bone inverse kinematics in which an elbow only hinges, the twist of an upper arm is spread over its two bones, and a
forearm turns the palm no further than a person can.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mavton_lite.data.atelier.body import Body, rotation

LOWER_TWIST = 0.9  # of an upper arm's twist, on its second bone: the first one pulls at the chest
MAX_TURN = 1.25  # radians, of a forearm from the thumb up
MAX_WRIST = 0.7  # radians, of a hand from the line of its forearm
STRAIGHT = 0.992  # of an arm's length: elbows never lock


class Reach(NamedTuple):
    """Where an arm goes; world directions need not be unit."""

    wrist: np.ndarray  # (3,) metres
    elbow: np.ndarray  # (3,) side to which the elbow points
    palm: np.ndarray  # (3,) direction the palm faces
    hand: np.ndarray | None  # (3,) direction the fingers point; None is along the forearm
    curl: float  # of the fingers, radians a joint


class Bone(NamedTuple):
    """Where a bone is, given its rest."""

    linear: np.ndarray  # (3, 3)
    offset: np.ndarray  # (3,)


def arm_turns(body: Body, joints: np.ndarray, shoulder: Bone, side: str, reach: Reach) -> dict[str, np.ndarray]:
    """Turns of one arm, from the upper arm to the fingers, for `Body.skin`; `side` is "L" or "R".

    Source: the elbow from the law of cosines; twist by the swing-twist decomposition.
    """
    at = {name: joints[body.bones.index(f"{name}.{side}")] for name in ("upperarm01", "lowerarm01", "wrist")}
    upper, fore = at["lowerarm01"] - at["upperarm01"], at["wrist"] - at["lowerarm01"]
    upper_m, fore_m = length(upper), length(fore)
    upper, fore = upper / upper_m, fore / fore_m
    hinge = unit(cross(upper, fore))
    start = shoulder.linear @ at["upperarm01"] + shoulder.offset

    way = reach.wrist - start
    distance = np.clip(length(way), abs(upper_m - fore_m) + 0.06, STRAIGHT * (upper_m + fore_m))
    way = unit(way)
    along = (upper_m**2 + distance**2 - fore_m**2) / (2 * upper_m * distance)
    pole = unit(reach.elbow - (reach.elbow @ way) * way)
    upper_now = along * way + np.sqrt(1 - along**2) * pole
    fore_now = unit(distance * way - upper_m * upper_now)
    hinge_now = unit(cross(upper_now, fore_now))

    arm = frame(upper_now, hinge_now) @ frame(upper, hinge).T
    forearm = frame(fore_now, hinge_now) @ frame(fore, hinge).T
    local = shoulder.linear.T @ arm
    twist = twist_about(local, upper)
    swing = local @ rotation(-twist * upper)

    palm = palm_of(body, joints, side)
    neutral = hinge if side == "L" else -hinge  # the palm of a forearm with its thumb up
    wanted = angle_about(fore, palm, forearm.T @ reach.palm)
    now = angle_about(fore, neutral, palm)
    turn = np.clip(now + wanted, -MAX_TURN, MAX_TURN) - now
    bend = np.zeros(3)
    if reach.hand is not None:
        half = rotation(turn * fore)
        bend = between(fore, half.T @ (forearm.T @ unit(reach.hand)))
        bend *= min(1.0, MAX_WRIST / max(length(bend), 1e-9))
    world = {
        "upperarm01": vector_of(swing @ rotation((1 - LOWER_TWIST) * twist * upper)),
        "upperarm02": LOWER_TWIST * twist * upper,
        "lowerarm01": vector_of(arm.T @ forearm),
        "lowerarm02": 0.55 * turn * fore,
        "wrist": vector_of(rotation(0.45 * turn * fore) @ rotation(bend)),
    }
    turns = {f"{k}.{side}": in_bone(body, f"{k}.{side}", v) for k, v in world.items()}
    return turns | finger_turns(side, reach.curl)


def finger_turns(side: str, curl: float) -> dict[str, np.ndarray]:
    """Fingers closed up and a little curled, more towards the little finger; the thumb beside them."""
    sign, turns = (1 if side == "L" else -1), {}
    for i, spread in ((2, -0.16), (3, -0.05), (4, 0.06), (5, 0.16)):
        more = 0.8 + 0.12 * (i - 2)
        turns[f"finger{i}-1.{side}"] = np.array([curl * more, 0, sign * spread])
        turns[f"finger{i}-2.{side}"] = np.array([1.2 * curl * more, 0, 0])
        turns[f"finger{i}-3.{side}"] = np.array([0.7 * curl * more, 0, 0])
    turns[f"finger1-1.{side}"] = np.array([0.24, 0, -0.16 * sign])
    turns[f"finger1-2.{side}"] = np.array([0.1 + 0.3 * curl, 0, 0])
    return turns


def palm_of(body: Body, joints: np.ndarray, side: str) -> np.ndarray:
    """Unit vector out of the palm, at rest."""
    wrist, index, little = (joints[body.bones.index(f"{k}.{side}")] for k in ("wrist", "finger2-1", "finger5-1"))
    out = cross((index + little) / 2 - wrist, index - little)
    return unit(out if side == "L" else -out)


def in_bone(body: Body, bone: str, vector) -> np.ndarray:
    """A rotation vector given in the world's axes, in those of a bone at rest."""
    return body.orientation[body.bones.index(bone)].T @ np.asarray(vector, float)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross product of two vectors; numpy's own takes ten times as long for one pair."""
    (x, y, z), (u, v, w) = a, b
    return np.array([y * w - z * v, z * u - x * w, x * v - y * u])


def length(v: np.ndarray) -> float:
    """Of a vector."""
    return float(np.sqrt(v @ v))


def unit(v: np.ndarray) -> np.ndarray:
    """A vector made one long."""
    return v / max(length(v), 1e-12)


def frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rotation matrix whose columns are two orthogonal unit vectors and their cross product."""
    return np.stack([first, second, cross(first, second)], axis=1)


def vector_of(matrix: np.ndarray) -> np.ndarray:
    """Rotation vector of a rotation matrix, for angles below half a turn."""
    axis = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    sine, cosine = length(axis) / 2, (np.trace(matrix) - 1) / 2
    return unit(axis) * np.arctan2(sine, cosine)


def twist_about(matrix: np.ndarray, axis: np.ndarray) -> float:
    """Angle of the twist in swing times twist about a unit axis.

    Source: Dobrowolski, Swing-twist decomposition in Clifford algebra, 2015.
    """
    vector = vector_of(matrix)
    angle = length(vector)
    return float(2 * np.arctan2(np.sin(angle / 2) * (unit(vector) @ axis), np.cos(angle / 2)))


def angle_about(axis: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """Signed angle about a unit axis that brings one direction over another."""
    start, end = start - (start @ axis) * axis, end - (end @ axis) * axis
    return float(np.arctan2(axis @ cross(start, end), start @ end))


def between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Rotation vector of the shortest turn from one direction to another."""
    axis = cross(start, end)
    return unit(axis) * np.arctan2(length(axis), start @ end)
