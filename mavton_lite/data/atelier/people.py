"""People: a body, a pose, looks and clothes below, each drawn from a generator of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mavton_lite.data.atelier.body import Posed, load_body
from mavton_lite.data.atelier.coat import Coat, sample_coat
from mavton_lite.data.atelier.face import Complexion, sample_complexion
from mavton_lite.data.atelier.hair import Hair, sample_hair
from mavton_lite.data.atelier.look import Look, sample_look
from mavton_lite.data.atelier.lower import Lower, sample_lower
from mavton_lite.data.atelier.poses import Bends, sample_pose

COATED = 0.4  # share of people in a coat, where coats are an option
Stream = Callable[[str], np.random.Generator]


@dataclass(frozen=True)
class Person:
    """Everything about a person but the garment."""

    posed: Posed
    keypoints: dict[str, np.ndarray]  # COCO names -> (3,) metres
    arms: tuple[str, str]  # left, right: keys of poses.ARM_POSES
    bends: Bends
    gender: float  # 0 female .. 1 male
    tone: float  # of the skin, 0 light .. 1 deep
    complexion: Complexion
    hair: Hair
    lower: Lower
    coat: Coat | None
    look: Look

    @property
    def vertices(self) -> np.ndarray:
        """Posed vertices (V, 3) of the body, metres."""
        return self.posed.vertices


def sample_person(stream: Stream, options: Collection[str] = (), look: str = "studio") -> Person:
    """A random adult.

    `stream(name)` gives every part a generator of its own: a change in how hair is drawn changes no pose. `options`
    may hold "coats"; the rest of it is for the clothes below; `look` names a look of `look.py`.
    """
    body = load_body()
    tone = float(stream("tone").random())
    shape, gender = body.sample_shape(stream("body"), tone)
    arms, posed, bends = sample_pose(body, shape, stream("pose"))
    keypoints, seen = body.keypoints(posed.vertices), sample_look(stream("look"), look)
    return Person(
        posed=posed,
        keypoints=keypoints,
        arms=arms,
        bends=bends,
        gender=gender,
        tone=tone,
        complexion=sample_complexion(stream("complexion"), gender, tone),
        hair=sample_hair(stream("hair"), gender, tone),
        lower=sample_lower(stream("lower"), gender, options),
        coat=sample_coat(stream("coat")) if "coats" in options and stream("wears a coat").random() < COATED else None,
        look=replace(seen, scale=seen.scale / _size(posed.vertices, keypoints)),
    )


def _size(vertices: np.ndarray, keypoints: dict[str, np.ndarray]) -> float:
    """Height from hips to crown and breadth of the shoulders, over those of the canonical body.

    A camera steps back for the tall and the broad.
    """
    return float(np.mean(_extent(vertices, keypoints) / _middle_extent()))


def _extent(vertices: np.ndarray, keypoints: dict[str, np.ndarray]) -> np.ndarray:
    hips = (keypoints["left_hip"][2] + keypoints["right_hip"][2]) / 2
    across = keypoints["left_shoulder"] - keypoints["right_shoulder"]
    return np.array([vertices[_crown(), 2] - hips, np.sqrt(across @ across)])


@cache
def _middle_extent() -> np.ndarray:
    body = load_body()
    return _extent(body.canonical, body.keypoints(body.canonical))


@cache
def _crown() -> int:
    """The vertex on top of the head."""
    body = load_body()
    rows = np.unique(body.faces["body"])
    return int(rows[body.canonical[rows, 2].argmax()])
