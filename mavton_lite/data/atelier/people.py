"""People: a body shape, a pose, looks and a place in front of the camera, drawn from one generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mavton_lite.data.atelier.body import Body
from mavton_lite.data.atelier.garment import arm_share, share
from mavton_lite.data.atelier.raster import rasterise

ARM_POSES = {"down": 0.42, "bent": 0.20, "hip": 0.16, "front": 0.22}  # name -> share of arms
HAIR = {"short": 0.33, "crop": 0.14, "bob": 0.20, "long": 0.12, "long in front": 0.10, "tied": 0.11}
CLEARANCE_M = 0.012  # of forearm and hand from the torso


@dataclass(frozen=True)
class Person:
    """Everything about a person but the garment.   Units: metres, colours in [0, 1]."""

    vertices: np.ndarray  # (V, 3) posed
    keypoints: dict[str, np.ndarray]
    arms: tuple[str, str]  # left, right: keys of ARM_POSES
    skin: np.ndarray
    lips: np.ndarray
    iris: np.ndarray
    hair: str
    hair_colour: np.ndarray
    skirt: bool
    lower: np.ndarray  # colour of trousers or skirt
    ground: np.ndarray  # colour of the studio wall
    head_margin: float  # of the picture's height, above the head
    scale: float  # picture heights a metre
    shift: float  # sideways, in picture widths


def sample_person(body: Body, rng: np.random.Generator) -> Person:
    """A random adult; poses in which a forearm goes through the body are drawn again."""
    shape, gender = body.sample_shape(rng)
    arms, vertices = _sample_pose(body, shape, rng)
    female = gender < 0.5
    tone = rng.random()
    # Light to deep along a measured-looking path: light, olive, brown, deep.
    path = np.array(
        [[0.97, 0.82, 0.73], [0.90, 0.70, 0.57], [0.72, 0.50, 0.37], [0.47, 0.31, 0.23], [0.31, 0.20, 0.15]]
    )
    skin = np.array([np.interp(tone, np.linspace(0, 1, 5), path[:, k]) for k in range(3)])
    skin = np.clip(skin + rng.uniform(-0.02, 0.02, 3), 0, 1)
    hair = str(rng.choice(list(HAIR), p=_hair_odds(female)))
    dark = tone > 0.45 or rng.random() < 0.45
    hair_path = np.array(
        [[0.08, 0.06, 0.05], [0.22, 0.13, 0.08], [0.42, 0.25, 0.13], [0.72, 0.54, 0.30], [0.55, 0.53, 0.51]]
    )
    hair_colour = hair_path[rng.integers(0, 2) if dark else rng.integers(1, 5)] * rng.uniform(0.85, 1.15)
    lower = np.array(
        [[0.15, 0.18, 0.28], [0.27, 0.36, 0.52], [0.13, 0.13, 0.14], [0.55, 0.48, 0.38], [0.36, 0.37, 0.38],
         [0.82, 0.79, 0.73], [0.30, 0.22, 0.18], [0.24, 0.30, 0.24]]
    )[rng.integers(8)] * rng.uniform(0.85, 1.12, 3)  # fmt: skip
    return Person(
        vertices=vertices,
        keypoints=body.keypoints(vertices),
        arms=arms,
        skin=skin,
        lips=np.clip(skin * [0.86, 0.58, 0.58] + (np.array([0.10, 0.0, 0.02]) if female else 0), 0, 1),
        iris=np.array([[0.20, 0.12, 0.07], [0.30, 0.20, 0.10], [0.25, 0.34, 0.42], [0.28, 0.34, 0.22]])[
            0 if dark else rng.integers(4)
        ],
        hair=hair,
        hair_colour=np.clip(hair_colour, 0, 1),
        skirt=bool(female and rng.random() < 0.25),
        lower=np.clip(lower, 0, 1),
        ground=np.clip(np.full(3, rng.uniform(0.90, 0.975)) + rng.uniform(-0.008, 0.008, 3), 0, 1),
        head_margin=rng.uniform(0.03, 0.07),
        scale=rng.uniform(0.83, 0.93),
        shift=rng.uniform(-0.03, 0.03),
    )


def _hair_odds(female: bool) -> np.ndarray:
    odds = np.array(list(HAIR.values())) * (
        [0.5, 0.3, 1.3, 1.4, 1.6, 1.3] if female else [2.2, 2.2, 0.25, 0.15, 0.1, 0.2]
    )
    return odds / odds.sum()


def _sample_pose(body: Body, shape: np.ndarray, rng: np.random.Generator) -> tuple[tuple[str, str], np.ndarray]:
    """Arms and posed vertices; a few tries, each with the elbows further out, until nothing goes through the torso."""
    arms = tuple(str(k) for k in rng.choice(list(ARM_POSES), size=2, p=list(ARM_POSES.values())))
    spine, head = rng.normal(0, 1, 3), rng.normal(0, 1, 3)
    best, least = None, np.inf
    for attempt in range(5):
        turns = {
            "spine03": tuple(np.clip(spine, -2, 2) * [0.025, 0.06, 0.03]),
            "neck02": tuple(np.clip(head, -2, 2) * [0.04, 0.09, 0.04]),
            "head": tuple(np.clip(head, -2, 2) * [0.03, 0.07, 0.03]),
        }
        for side, sign, arm in (("L", 1, arms[0]), ("R", -1, arms[1])):
            turns |= _arm_turns(side, sign, arm, rng, out=0.07 * attempt)
        vertices = body.pose(shape, turns)
        crossing = _crossing(body, vertices)
        if crossing < least:
            best, least = vertices, crossing
        if crossing == 0:
            break
    return arms, best


def _arm_turns(side: str, sign: int, arm: str, rng: np.random.Generator, out: float) -> dict[str, tuple]:
    """Rotations of one arm; `out` swings the upper arm forward, away from the torso."""
    u = rng.uniform
    if arm == "down":
        lower, forward, flex, twist = u(0.40, 0.56), u(-0.05, 0.15), u(0.05, 0.45), u(-0.2, 0.2)
    elif arm == "bent":
        lower, forward, flex, twist = u(0.45, 0.62), u(0.0, 0.2), u(0.7, 1.5), u(-0.3, 0.35)
    elif arm == "hip":
        lower, forward, flex, twist = u(0.05, 0.25), u(-0.1, 0.1), u(1.25, 1.6), u(0.3, 0.6)
    else:  # in front of the torso
        lower, forward, flex, twist = u(0.42, 0.60), u(0.10, 0.30), u(1.25, 1.85), u(0.75, 1.15)
    curl = u(0.1, 0.45)
    fingers = {f"finger{i}-{j}.{side}": (curl * (0.8 + 0.1 * i), 0, 0) for i in range(2, 6) for j in (1, 2)}
    return {
        f"upperarm01.{side}": (forward + out, 0, -sign * lower),
        f"upperarm02.{side}": (0, sign * twist, 0),
        f"lowerarm01.{side}": (flex, 0, 0),
        f"lowerarm02.{side}": (0, sign * u(-0.4, 0.4), 0),
        f"wrist.{side}": (u(-0.2, 0.2), 0, u(-0.15, 0.15)),
        **fingers,
    }


def _crossing(body: Body, vertices: np.ndarray, cell_m: float = 0.012) -> int:
    """How many vertices of forearms and hands lie inside the torso (or closer than CLEARANCE_M in front of it)."""
    arm = arm_share()
    fore = np.flatnonzero(
        (share("lowerarm", "wrist", "finger") > 0.6) & ~np.isin(np.arange(len(arm)), body.faces["tights"])
    )
    faces = body.faces["tights"]
    torso = faces[(arm[faces] < 0.3).all(1)]
    points = np.stack([(vertices[:, 0] + 0.5) / cell_m, (1.1 - vertices[:, 2]) / cell_m, vertices[:, 1]], axis=1)
    seen = rasterise(points, torso, int(1.4 / cell_m), int(1.0 / cell_m))
    behind = rasterise(points * [1, 1, -1], torso[:, ::-1], int(1.4 / cell_m), int(1.0 / cell_m), cull=False)
    x, y = (np.round(points[fore, k]).astype(int) for k in (0, 1))
    inside = (x >= 0) & (y >= 0) & (x < seen.depth.shape[1]) & (y < seen.depth.shape[0])
    x, y, depth = x[inside], y[inside], vertices[fore, 1][inside]
    front, back = seen.depth[y, x], -behind.depth[y, x]
    return int(((depth > front - CLEARANCE_M) & (depth < back)).sum())
