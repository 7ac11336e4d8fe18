"""Stances: how hips, chest, neck and head of a standing adult are turned, without the arms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mavton_lite.data.atelier.arms import in_bone
from mavton_lite.data.atelier.body import Body, rotation

SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "neck02", "neck03", "head")
MAX_TURN = np.radians(20)  # of chest and head, from the camera


class Stance(NamedTuple):
    """Turns of everything but the arms, and what they add up to."""

    turns: dict[str, np.ndarray]  # bone -> rotation vector
    chest: np.ndarray  # (3, 3)
    head: np.ndarray  # (3, 3)
    twist: float  # radians, of the chest against the hips, positive to the person's left


def sample_stance(body: Body, rng: np.random.Generator) -> Stance:
    """Someone who stands for a picture: most of them about square to the camera and looking into it.

    A leg that bears the weight lifts its hip, and the shoulders tilt the other way (contrapposto).
    """
    normal = lambda sd, most: np.radians(np.clip(rng.normal(0, sd), -most, most))  # noqa: E731
    turned = rng.random() < 0.2
    chest_yaw = np.radians(rng.choice([-1, 1]) * rng.uniform(5, 18)) if turned else normal(3, 5)
    hips_yaw = chest_yaw * rng.uniform(0.2, 1.0)
    head_yaw = 0.3 * chest_yaw + normal(5, 12)
    tilt = np.radians(rng.choice([-1, 1]) * rng.uniform(1.5, 4.5)) if rng.random() < 0.6 else 0.0
    chest_tilt = -0.5 * tilt + normal(1.2, 3)
    head_tilt = 0.4 * chest_tilt + normal(3, 7)
    hips = np.array([normal(0.8, 2), tilt, hips_yaw])
    chest = np.array([normal(1.5, 3), chest_tilt, chest_yaw])
    head = np.array([normal(2.5, 6), head_tilt, head_yaw])
    spine, neck = (chest - hips) / len(SPINE), (head - chest) / len(NECK)
    turns = {"root": hips} | dict.fromkeys(SPINE, spine) | dict.fromkeys(NECK, neck)
    for side, sign in (("L", 1), ("R", -1)):  # legs stay upright below tilted hips, closer than in the A-pose
        turns[f"upperleg01.{side}"] = np.array([-hips[0], -tilt + sign * rng.uniform(0.02, 0.06), 0])
    to_chest = rotation(hips) @ np.linalg.matrix_power(rotation(spine), len(SPINE))
    to_head = to_chest @ np.linalg.matrix_power(rotation(neck), len(NECK))
    return Stance(
        {bone: in_bone(body, bone, vector) for bone, vector in turns.items()},
        to_chest, to_head, float(yaw_of(to_chest) - yaw_of(rotation(hips))),
    )  # fmt: skip


def yaw_of(matrix: np.ndarray) -> float:
    """How far a rotation turns someone's front from the camera to their left, radians."""
    front = matrix @ [0, -1, 0]
    return float(np.arctan2(front[0], -front[1]))
