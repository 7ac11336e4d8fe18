"""People: a body, a pose, looks and clothes below, each drawn from a generator of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from mavton_lite.data.atelier.body import Posed, load_body
from mavton_lite.data.atelier.coat import Coat, sample_coat
from mavton_lite.data.atelier.face import Complexion, sample_complexion
from mavton_lite.data.atelier.hair import Hair, sample_hair
from mavton_lite.data.atelier.look import Look, sample_look
from mavton_lite.data.atelier.lower import Lower, sample_lower
from mavton_lite.data.atelier.poses import Bends, sample_pose

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
    return Person(
        posed=posed,
        keypoints=body.keypoints(posed.vertices),
        arms=arms,
        bends=bends,
        gender=gender,
        tone=tone,
        complexion=sample_complexion(stream("complexion"), gender, tone),
        hair=sample_hair(stream("hair"), gender, tone),
        lower=sample_lower(stream("lower"), gender, options),
        coat=sample_coat(stream("coat")) if "coats" in options else None,
        look=sample_look(stream("look"), look),
    )
