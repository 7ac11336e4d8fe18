"""Poses: how an adult stands for a catalogue, by the arms; drawn again until no hand goes through the body."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mavton_lite.data.atelier.body import Body, Posed

ARM_POSES = {"down": 0.44, "bent": 0.17, "hip": 0.15, "front": 0.17, "raised": 0.07}  # name -> share of arms


class Bends(NamedTuple):
    """How far the joints that crease cloth are bent.   Units: radians."""

    elbow_left: float  # 0 is straight
    elbow_right: float
    raise_left: float  # of the upper arm, from hanging straight down
    raise_right: float
    turn: float  # of the chest against the hips, positive to the person's left


def sample_pose(body: Body, shape: np.ndarray, rng: np.random.Generator) -> tuple[tuple[str, str], Posed, Bends]:
    """Names of the left and the right arm's pose, the posed body, and its bends."""
    arms = tuple(str(k) for k in rng.choice(list(ARM_POSES), size=2, p=list(ARM_POSES.values())))
    turns = {}
    for side, sign in (("L", 1), ("R", -1)):
        turns |= {f"upperarm01.{side}": (0.05, 0, -sign * 0.5), f"lowerarm01.{side}": (0.2, 0, 0)}
    return arms, body.posed(shape, turns), Bends(0.2, 0.2, 0.2, 0.2, 0.0)
