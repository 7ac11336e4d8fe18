"""Difficulty tags: what makes one case of try-on hard, so that an evaluation can be reported by case.

Most follow from the attributes of person and garments. Two are measured on the picture where it is at hand: the share
of the torso that an arm or hair hides. The torso is the quadrangle between shoulder and hip key points, NARROWED at its
sides, where hanging arms touch it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mavton_lite.data.atelier.palettes import luma
from mavton_lite.data.sample import COCO18

if TYPE_CHECKING:
    from mavton_lite.data.atelier.garment import Garment
    from mavton_lite.data.atelier.people import Person

ARM_SHARE, HAIR_SHARE = 0.04, 0.015  # of the torso, from which an arm or hair counts as in front of it
NARROWED = 0.15  # of the torso's width, on either side
RAISED_RAD, TURNED_RAD = np.radians(70), np.radians(6)  # above what a hand on the hip lifts the arm
SLEEVE_M = 0.08  # a difference in sleeve length that shows
LOOSE_M = 0.016  # of the cloth from the body, at the chest or on average at the hem
DARK_LUMA, DEEP_TONE = 0.27, 0.75

TAGS: dict[str, str] = {
    "arm in front": f"an arm or hand hides at least {ARM_SHARE:.0%} of the torso",
    "long hair over cloth": f"hair hides at least {HAIR_SHARE:.1%} of the torso",
    "raised arm": f"an upper arm is lifted more than {np.degrees(RAISED_RAD):.0f} degrees from hanging",
    "turned torso": f"the chest is turned more than {np.degrees(TURNED_RAD):.0f} degrees against the hips",
    "sleeve longer": f"the new sleeves reach at least {SLEEVE_M * 100:.0f} cm further: bare arms have to be covered",
    "sleeve shorter": f"the new sleeves end at least {SLEEVE_M * 100:.0f} cm earlier: bare arms have to be invented",
    "loose fit": f"the garment stands at least {LOOSE_M * 1000:.0f} mm off the body at the chest or the hem",
    "tucked": "the garment is worn inside trousers or skirt",
    "coat": "a coat or jacket is worn over the garment",
    "dark on dark": f"cloth of lightness below {DARK_LUMA} beside clothes, hair or skin as dark",
    "lettering": "words on the chest",
    "logo": "an emblem on the chest",
    "plain": "no figure: one colour, a gradient, a knit or denim",
    "stripes": "stripes",
    "checks": "plaid, tartan or gingham",
    "printed": "dots, flowers or blots all over",
    "colour blocks": "a few large areas of colour",
}
HARD = ("arm in front", "long hair over cloth", "raised arm", "turned torso", "sleeve shorter", "loose fit", "coat",
        "dark on dark", "lettering")  # fmt: skip
PATTERNS: dict[str, str] = {  # kind of cloth -> tag
    "solid": "plain", "gradient": "plain", "knit": "plain", "denim": "plain", "stripes": "stripes", "plaid": "checks",
    "dots": "printed", "floral": "printed", "camouflage": "printed", "animal": "printed", "blocks": "colour blocks",
    "raglan": "colour blocks", "logo": "logo", "letters": "lettering",
}  # fmt: skip


class Hidden(NamedTuple):
    """Shares of the torso that are hidden."""

    arm: float
    hair: float


def torso_mask(keypoints: np.ndarray, height: int, width: int) -> np.ndarray | None:
    """The torso's pixels (H, W), narrowed; None when a shoulder or hip is missing.   Shape: key points (18, 3) px."""
    points = [keypoints[COCO18.index(k)] for k in ("right shoulder", "left shoulder", "left hip", "right hip")]
    if min(p[2] for p in points) <= 0:
        return None
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = (p[:2] for p in points)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    top, bottom = ay + (x - ax) * (by - ay) / ((bx - ax) or 1), dy + (x - dx) * (cy - dy) / ((cx - dx) or 1)
    right, left = ax + (y - ay) * (dx - ax) / ((dy - ay) or 1), bx + (y - by) * (cx - bx) / ((cy - by) or 1)
    margin = NARROWED * np.abs(left - right)
    inner, outer = np.minimum(left, right) + margin, np.maximum(left, right) - margin
    return (y > top) & (y < bottom) & (x > inner) & (x < outer)


def hidden_shares(keypoints: np.ndarray, arm: np.ndarray, hair: np.ndarray) -> Hidden | None:
    """How much of the torso arms and hair hide; None without a torso.   Shape: (18, 3) px, (H, W) bool, (H, W) bool."""
    torso = torso_mask(keypoints, *arm.shape)
    if torso is None or not torso.any():
        return None
    return Hidden(float(arm[torso].mean()), float(hair[torso].mean()))


def tags_of(person: Person, own: Garment, new: Garment | None = None, hidden: Hidden | None = None) -> tuple[str, ...]:
    """The tags of a person in their own garment who is to be shown in another, or in their own where `new` is None.

    Without `hidden`, what is measured on pictures is taken from the names of pose and hair style.
    """
    shown = own if new is None else new
    change = max(shown.sleeve_m, 0.0) - max(own.sleeve_m, 0.0)
    arm = "front" in person.arms if hidden is None else hidden.arm >= ARM_SHARE
    hair = person.hair.style == "long in front" if hidden is None else hidden.hair >= HAIR_SHARE
    bends = person.bends
    beside = [luma(person.lower.colour)] + [luma(person.hair.colour)] * hair
    true = {
        "arm in front": arm,
        "long hair over cloth": hair,
        "raised arm": max(bends.raise_left, bends.raise_right) > RAISED_RAD,
        "turned torso": abs(bends.turn) > TURNED_RAD,
        "sleeve longer": change >= SLEEVE_M,
        "sleeve shorter": change <= -SLEEVE_M,
        "loose fit": shown.fit >= LOOSE_M or 0.5 * shown.flare + shown.fit >= 1.5 * LOOSE_M,
        "tucked": shown.tucked,
        "coat": person.coat is not None,
        "dark on dark": shown.cloth.luma < DARK_LUMA and (person.tone > DEEP_TONE or min(beside) < DARK_LUMA),
        PATTERNS[shown.cloth.kind]: True,
    }
    return tuple(name for name in TAGS if true.get(name))


def is_hard(person: Person, own: Garment, new: Garment | None = None) -> bool:
    """Does it have at least two of the tags in HARD, by its attributes alone?"""
    return len(set(tags_of(person, own, new)) & set(HARD)) >= 2
