"""Which person and which garments example `index` of a split shows, and what there is to know about them.

Every example is a pure function of (seed, split, index): person `i` wears garment `i`, and its other garment is garment
`i ^ 1`, so examples come in pairs that share two garments.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mavton_lite.data.atelier.garment import Garment, sample_garment
from mavton_lite.data.atelier.layer import SUPERSAMPLE
from mavton_lite.data.atelier.look import LOOKS
from mavton_lite.data.atelier.people import Person, sample_person
from mavton_lite.data.atelier.render import HAIR, PARTS, Picture, Stage, flat_lay
from mavton_lite.data.atelier.tags import Hidden, hidden_shares, is_hard, tags_of
from mavton_lite.data.sample import COCO18

VERSION = 3  # of the world: bump when the same seed would give other pictures
TALLEST = 4096  # px; VITON-HD's pictures have 1024
SPLITS = ("train", "test", "val", "hard")  # the order is part of the seed: new ones go to the end
OPTIONS = ("coats", "dresses")
HARD_PEOPLE = 12  # tries with one pair of garments before the garments are drawn again
HARD_GARMENTS = 100
# A joint this far behind what the camera sees is hidden, metres: eyes are on the skin, hips deep inside.
HIDDEN_M = {"nose": 0.02, "eye": 0.02, "ear": 0.035, "neck": 0.105, "shoulder": 0.085, "elbow": 0.08, "wrist": 0.055,
            "hip": 0.145}  # fmt: skip
LIMBS = {  # the parts that meet in a joint
    f"{side} {joint}": tuple(f"{side} {part}" for part in parts)
    for side in ("left", "right")
    for joint, parts in (("elbow", ("upper arm", "lower arm")), ("wrist", ("lower arm", "hand")))
}
ARMS = [k for k, name in enumerate(PARTS) if name.endswith(("arm", "hand"))]
Stream = Callable[[str], np.random.Generator]


@dataclass(frozen=True)
class World:
    """All that decides what the examples look like."""

    seed: int
    height: int
    width: int
    look: str = "studio"
    options: tuple[str, ...] = ()

    def __post_init__(self):
        if self.height > TALLEST:
            raise ValueError(f"size: found {self.height} x {self.width}, wanted a height of at most {TALLEST}")
        if self.height * 3 != self.width * 4 or self.height % 16 or self.height < 16:
            raise ValueError(
                f"size: found {self.height} x {self.width}, wanted height : width = 4 : 3 and a height that 16 divides,"
                " such as 128 x 96 or 256 x 192"
            )
        if self.look not in LOOKS:
            raise ValueError(f"look: found {self.look!r}, wanted one of {', '.join(LOOKS)}")
        if unknown := sorted(set(self.options) - set(OPTIONS)):
            raise ValueError(f"options: found {', '.join(unknown)}, wanted some of {', '.join(OPTIONS)}")
        object.__setattr__(self, "options", tuple(sorted(set(self.options))))

    def card(self) -> dict[str, Any]:
        """The world in plain JSON types, as manifest and journals name it."""
        return {"version": VERSION, "seed": self.seed, "height": self.height, "width": self.width, "look": self.look,
                "options": list(self.options)}  # fmt: skip


class Example(NamedTuple):
    """One complete example, drawn."""

    index: int  # type: ignore[assignment]  # hides a tuple's own method, which nobody asks an example for
    own: Picture  # the person in their own garment
    other: Picture  # and in that of example `index ^ 1`
    flat: Picture  # their own garment's flat lay
    keypoints: np.ndarray  # (18, 3)
    part: np.ndarray  # (H, W) rows of `render.PARTS`
    facts: dict[str, Any]


def stream_of(seed: int, split: str, index: int, attempt: int = 0) -> Stream:
    """`stream(name)`: a generator of its own for every part of an example.

    Raises: ValueError for an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"split: found {split!r}, wanted one of {', '.join(SPLITS)}")
    place = [seed, SPLITS.index(split), index]

    def stream(name: str) -> np.random.Generator:
        return np.random.default_rng([*place, zlib.crc32(name.encode()), *([attempt] if attempt else [])])

    return stream


def person_of(seed: int, split: str, index: int, options: Collection[str] = (), look: str = "studio") -> Person:
    """Person `index` of a split."""
    _, people = _attempts(seed, split, index // 2, tuple(sorted(options)))
    return sample_person(stream_of(seed, split, index, people[index % 2]), options, look)


def garment_of(seed: int, split: str, index: int, options: Collection[str] = ()) -> Garment:
    """Garment `index` of a split: what person `index` wears, and person `index ^ 1` tries on."""
    garments, _ = _attempts(seed, split, index // 2, tuple(sorted(options)))
    return sample_garment(stream_of(seed, split, index, garments)("garment"), options)


@lru_cache(maxsize=512)
def _attempts(seed: int, split: str, pair: int, options: tuple[str, ...]) -> tuple[int, tuple[int, int]]:
    """How often the garments and each person of a pair were drawn before they were kept.

    Once, but for the hard split: there, people are drawn until both are hard cases with the garments at hand, and the
    garments again where HARD_PEOPLE people were none.
    """
    if split != "hard":
        return 0, (0, 0)
    for attempt in range(HARD_GARMENTS):
        own = [sample_garment(stream_of(seed, split, 2 * pair + k, attempt)("garment"), options) for k in (0, 1)]
        people = []
        for k in (0, 1):
            for person in range(attempt * HARD_PEOPLE, (attempt + 1) * HARD_PEOPLE):
                drawn = sample_person(stream_of(seed, split, 2 * pair + k, person), options)
                if is_hard(drawn, own[k], own[1 - k]):
                    people.append(person)
                    break
            if len(people) <= k:
                break
        if len(people) == 2:
            return attempt, (people[0], people[1])
    raise ValueError(f"hard, pair {pair}: found no hard case in {HARD_GARMENTS} tries, wanted one in a dozen or so")


def facts_of(index: int, person: Person, own: Garment, new: Garment, hidden: Hidden | None) -> dict[str, Any]:
    """What one would write below the example, in plain JSON types: attributes, and tags for either kind of pair."""
    return {
        "index": index,
        "person": {
            "arms": list(person.arms),
            "turn_rad": round(float(person.bends.turn), 3),
            "gender": round(float(person.gender), 3),
            "tone": round(float(person.tone), 3),
            "hair": person.hair.style,
            "lower": person.lower.kind,
            "coat": person.coat.kind if person.coat else None,
            "scale": round(float(person.look.scale), 3),
        },
        "garment": {
            "style": own.style,
            "sleeve": own.sleeve,
            "sleeve_m": round(float(own.sleeve_m), 3),
            "neck": own.neck_shape,
            "hem_m": round(float(own.hem_z), 3),
            "fit_m": round(float(own.fit), 4),
            "flare_m": round(float(own.flare), 4),
            "tucked": bool(own.tucked),
            "collar": own.collar,
            "placket": own.placket,
            "pocket": bool(own.pocket),
            "cloth": own.cloth.kind,
        },
        "tags": {
            "paired": list(tags_of(person, own, None, hidden)),
            "unpaired": list(tags_of(person, own, new, hidden)),
        },
    }


def keypoints_of(stage: Stage) -> np.ndarray:
    """COCO-18 key points (18, 3): x px, y px, confidence; zeros outside the picture.

    Confidence is 1 where the joint is seen, clothed or not, and 0.5 where another part of the body or hair is in front.
    """
    named = {name.replace("_", " "): point for name, point in stage.person.keypoints.items()}
    named["neck"] = (named["left shoulder"] + named["right shoulder"]) / 2
    out = np.zeros((len(COCO18), 3))
    for k, name in enumerate(COCO18):
        if name in named:  # knees and ankles are never in the picture
            column, row, depth = stage.camera.project(named[name])
            x, y = (column + 0.5) / SUPERSAMPLE - 0.5, (row + 0.5) / SUPERSAMPLE - 0.5
            if 0 <= round(x) < stage.width and 0 <= round(y) < stage.height:
                last_row, last_column = stage.depth.shape[0] - 1, stage.depth.shape[1] - 1
                at = min(max(round(row), 0), last_row), min(max(round(column), 0), last_column)
                if PARTS[stage.part[round(y), round(x)]] in LIMBS.get(name, ()):
                    depth = min(depth, stage.skin.depth[at])  # a limb does not hide its own joint
                seen = depth - stage.depth[at] < HIDDEN_M[name.split()[-1]]
                out[k] = round(x, 3), round(y, 3), 1.0 if seen else 0.5
    return out


def draw_pair(world: World, split: str, pair: int) -> list[Example]:
    """Examples 2 * pair and 2 * pair + 1: each with person in own and other garment, flat lay, key points and facts."""
    indices = (2 * pair, 2 * pair + 1)
    garments = [garment_of(world.seed, split, i, world.options) for i in indices]
    flats = [flat_lay(g, world.height, world.width) for g in garments]
    out = []
    for k, index in enumerate(indices):
        own, new = garments[k], garments[1 - k]
        person = person_of(world.seed, split, index, world.options, world.look)
        stage = Stage(person, world.height, world.width)
        keypoints, photographed = keypoints_of(stage), stage.wear(own)
        hidden = hidden_shares(keypoints, np.isin(stage.part, ARMS), photographed.parse == HAIR)
        facts = facts_of(index, person, own, new, hidden)
        out.append(Example(index, photographed, stage.wear(new), flats[k], keypoints, stage.part, facts))
    return out
