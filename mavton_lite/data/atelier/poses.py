"""Poses: what the arms of a standing adult do; they are moved until no hand goes through the body."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mavton_lite.data.atelier.arms import Reach, in_bone, unit
from mavton_lite.data.atelier.body import Body, Posed, Rest
from mavton_lite.data.atelier.stance import Stance, sample_stance
from mavton_lite.data.atelier.trunk import Trunk

# Poses of two arms, either way round -> share of people.
PAIRS = {
    ("down", "down"): 0.27, ("down", "bent"): 0.11, ("down", "hip"): 0.12, ("down", "front"): 0.13,
    ("bent", "bent"): 0.04, ("bent", "hip"): 0.04, ("bent", "front"): 0.04, ("hip", "hip"): 0.06,
    ("hip", "front"): 0.05, ("front", "front"): 0.06, ("raised", "down"): 0.04, ("raised", "hip"): 0.03,
    ("raised", "front"): 0.01,
}  # fmt: skip
ARM_POSES = {
    pose: round(sum(share * pair.count(pose) / 2 for pair, share in PAIRS.items()), 4)
    for pose in ("down", "bent", "hip", "front", "raised")
}  # name -> share of arms
# Turns of collar bone and shoulder blade about the axis away from the camera; below zero lowers the arm.
SHOULDERS = {"down": (-0.07, -0.22), "bent": (-0.07, -0.18), "hip": (-0.05, -0.10), "front": (-0.05, -0.16),
             "raised": (0.10, 0.08)}  # fmt: skip
ATTEMPTS = 10


class Bends(NamedTuple):
    """How far the joints that crease cloth are bent.   Units: radians."""

    elbow_left: float  # 0 is straight
    elbow_right: float
    raise_left: float  # of the upper arm, from hanging straight down beside the chest
    raise_right: float
    turn: float  # of the chest against the hips, positive to the person's left


def sample_pose(body: Body, shape: np.ndarray, rng: np.random.Generator) -> tuple[tuple[str, str], Posed, Bends]:
    """Names of the left and the right arm's pose, the posed body, and its bends."""
    rest, stance = body.rest(shape), sample_stance(body, rng)
    pairs = list(PAIRS)
    arms = pairs[rng.choice(len(pairs), p=np.array(list(PAIRS.values())))]
    arms = arms[::-1] if rng.random() < 0.5 else arms
    shoulders = {
        f"{bone}.{side}": in_bone(body, f"{bone}.{side}", [0, -sign * angle, 0])
        for side, sign, arm in zip("LR", (1, -1), arms, strict=True)
        for bone, angle in zip(("clavicle", "shoulder01"), SHOULDERS[arm], strict=True)
    }
    trunk = Trunk(body, rest, stance.turns | shoulders)
    best, deepest = trunk.turns, np.inf
    for _ in range(ATTEMPTS):
        left, right = rng.random((2, 8))
        if arms[0] == arms[1] and rng.random() < 0.7:  # two arms that do the same do it alike
            right = np.clip(left + rng.normal(0, 0.1, 8), 0, 1)
        reaches = [_reach(arms[0], "L", left, trunk, stance.chest), _reach(arms[1], "R", right, trunk, stance.chest)]
        if arms == ("front", "front"):  # one lies before the other and above it
            over = int(rng.random() < 0.5)
            reaches[over] = reaches[over]._replace(wrist=reaches[over].wrist + [0, -0.05, 0.06])
            reaches[1 - over] = reaches[1 - over]._replace(wrist=reaches[1 - over].wrist + [0, 0, -0.05])
        turns, depth = trunk.settle(reaches)
        if depth < deepest:
            best, deepest = turns, depth
        if depth <= 0:
            break
    return arms, body.skin(rest, best), _bends(body, rest, best, stance)


def _reach(arm: str, side: str, u: np.ndarray, trunk: Trunk, chest: np.ndarray) -> Reach:
    """Where an arm goes in a pose; eight numbers `u` in [0, 1] say how exactly."""
    sign = 1 if side == "L" else -1
    start, upper, fore = trunk.arm(side)
    curl = 0.12 + 0.28 * u[7]
    out = lambda x, y, z: chest @ np.array([sign * x, y, z])  # noqa: E731  outwards, away from the camera, up
    if arm == "down":
        bend = 0.15 + 0.5 * u[0]
        reach = np.sqrt(upper**2 + fore**2 + 2 * upper * fore * np.cos(bend))
        way = unit(out(0.08 + 0.11 * u[1], 0.02 - 0.16 * u[2], -1))
        return Reach(start + reach * way, out(0.35, 1, 0), out(-1, 0.1 + 0.5 * u[3], 0), None, curl)
    if arm == "bent":
        elbow = start + upper * unit(out(0.10 + 0.2 * u[0], 0.12 - 0.4 * u[1], -1))
        lift, aside = -0.6 + 0.95 * u[2], -0.25 + 0.75 * u[3]
        way = out(np.sin(aside) * np.cos(lift), -np.cos(aside) * np.cos(lift), np.sin(lift))
        wrist = elbow + fore * way
        return Reach(wrist, elbow - (start + wrist) / 2, out(-1, 0, 0.9 - 1.2 * u[4]), None, curl + 0.1)
    if arm == "hip":
        wrist = trunk.side_point(sign, 0.20 + 0.07 * u[0]) + out(0.045, 0.01 + 0.05 * u[1], 0.03)
        hand = out(-0.25, -0.85, -0.75 + 0.4 * u[3])
        return Reach(wrist, out(1, 0.45 - 0.5 * u[2], 0.1), out(-1, 0.2, 0), hand, curl)
    if arm == "front":
        at = trunk.front_point(sign * (0.115 - 0.12 * u[1]), 0.20 + 0.33 * u[0])
        hand = out(-1, -0.05 + 0.2 * u[3], 0.35 - 0.45 * u[2])
        return Reach(at + out(0, -0.055, 0), out(0.9, 0.35, -0.8), out(0.1, 1, -0.5 * u[4]), hand, curl)
    if u[0] < 0.55:  # a hand at the hair
        at = trunk.head() + out(0.14 + 0.02 * u[1], 0.02 + 0.06 * u[2], -0.06 + 0.08 * u[3])
        return Reach(at, out(1, -0.6 + 0.4 * u[4], 0), out(-1, 0, 0.1), out(-0.4, 0.5, 0.75), curl + 0.1)
    at = start + out(0.06 + 0.10 * u[1], -0.13 - 0.10 * u[2], 0.05 + 0.12 * u[3])  # a greeting
    return Reach(at, out(0.55, 0.25, -0.8), out(-0.15, -1, 0), out(-0.05 + 0.1 * u[4], -0.05, 1), curl)


def _bends(body: Body, rest: Rest, turns: dict[str, np.ndarray], stance: Stance) -> Bends:
    """Bends of the joints of a posed body."""
    linear, offset = body.transforms(rest.joints, turns)
    at = np.einsum("bij,bj->bi", linear, rest.joints) + offset
    elbows, raises = [], []
    for side in "LR":
        start, elbow, wrist = (at[body.bones.index(f"{k}.{side}")] for k in ("upperarm01", "lowerarm01", "wrist"))
        upper, fore = unit(elbow - start), unit(wrist - elbow)
        elbows.append(float(np.arccos(np.clip(upper @ fore, -1, 1))))
        raises.append(float(np.arccos(np.clip(upper @ stance.chest @ [0, 0, -1], -1, 1))))
    return Bends(elbows[0], elbows[1], raises[0], raises[1], stance.twist)
