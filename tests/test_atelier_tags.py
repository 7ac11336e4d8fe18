"""Tags are true and false where they should be, on people and garments made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from mavton_lite.data.atelier.cloth import KINDS, Cloth
from mavton_lite.data.atelier.poses import Bends
from mavton_lite.data.atelier.tags import (
    ARM_SHARE,
    HAIR_SHARE,
    HARD,
    PATTERNS,
    TAGS,
    Hidden,
    hidden_shares,
    is_hard,
    tags_of,
    torso_mask,
)
from mavton_lite.data.sample import COCO18

GREY, BLACK, WHITE = (0.5, 0.5, 0.5), (0.05, 0.05, 0.06), (0.9, 0.9, 0.9)


def person(**changes):
    """Somebody of whom no tag is true."""
    kinds = {"hair": "style", "lower": "colour"}
    made = {"arms": ("down", "bent"), "bends": Bends(0.2, 1.2, 0.2, 0.4, 0.05), "tone": 0.3, "coat": None,
            "hair": "bob", "lower": GREY}  # fmt: skip
    made |= changes
    hair = SimpleNamespace(style=made.pop("hair"), colour=np.array(made.pop("hair_colour", GREY)))
    lower = SimpleNamespace(**{kinds["lower"]: made.pop("lower")})
    return SimpleNamespace(**made, hair=hair, lower=lower)


def garment(kind="solid", colours=(GREY, WHITE), **changes):
    """A plain shirt with short sleeves."""
    made = {"sleeve_m": 0.17, "fit": 0.006, "flare": 0.0, "tucked": False} | changes
    return SimpleNamespace(**made, cloth=Cloth(kind, "plain", colours))


def keypoints(height=100, width=80):
    """An upright torso between rows 30 and 80, columns 25 and 55."""
    out = np.zeros((18, 3))
    for name, x, y in (
        ("right shoulder", 25, 30),
        ("left shoulder", 55, 30),
        ("right hip", 28, 80),
        ("left hip", 52, 80),
    ):
        out[COCO18.index(name)] = x, y, 1
    return out


def test_nobody_special_has_only_a_pattern():
    assert tags_of(person(), garment()) == ("plain",)
    assert not is_hard(person(), garment())


@pytest.mark.parametrize(
    "tag,changed",
    [
        ("arm in front", person(arms=("front", "down"))),
        ("long hair over cloth", person(hair="long in front")),
        ("raised arm", person(bends=Bends(0, 0, 1.3, 0, 0))),
        ("raised arm", person(bends=Bends(0, 0, 0, 1.3, 0))),
        ("turned torso", person(bends=Bends(0, 0, 0, 0, -0.25))),
        ("coat", person(coat=SimpleNamespace(kind="blazer"))),
    ],
)
def test_tags_of_people(tag, changed):
    assert set(tags_of(changed, garment())) == {tag, "plain"}


def test_tags_of_garments():
    def told(own, new=None):
        return set(tags_of(person(), own, new)) - {"plain"}

    short, long, tank = garment(), garment(sleeve_m=0.537), garment(sleeve_m=-1.0)
    assert told(short, long) == {"sleeve longer"} and told(long, short) == {"sleeve shorter"}
    assert told(tank, long) == {"sleeve longer"} and told(short, tank) == {"sleeve shorter"}
    assert told(tank, garment(sleeve_m=0.05)) == set() and told(short, short) == set()
    assert told(garment(fit=0.02)) == {"loose fit"} and told(garment(flare=0.05)) == {"loose fit"}
    assert told(short, garment(fit=0.02)) == {"loose fit"} and told(garment(fit=0.02), short) == set()
    assert told(garment(tucked=True)) == {"tucked"}


def test_every_kind_of_cloth_has_a_pattern_tag():
    assert set(PATTERNS) == set(KINDS) and set(PATTERNS.values()) < set(TAGS) and set(HARD) < set(TAGS)
    for kind, tag in PATTERNS.items():
        assert tags_of(person(), garment(), garment(kind)) == (tag,)


def test_dark_on_dark_needs_both():
    dark = garment(colours=(BLACK, WHITE))
    assert "dark on dark" not in tags_of(person(), dark)
    assert "dark on dark" in tags_of(person(lower=BLACK), dark)
    assert "dark on dark" in tags_of(person(tone=0.9), dark)
    assert "dark on dark" not in tags_of(person(hair_colour=BLACK), dark)  # its hair does not reach the cloth
    assert "dark on dark" in tags_of(person(hair="long in front", hair_colour=BLACK), dark)
    assert "dark on dark" not in tags_of(person(lower=BLACK), garment("stripes", (BLACK, WHITE)))


def test_the_picture_decides_where_it_is_at_hand():
    arms = person(arms=("front", "front"))
    assert "arm in front" not in tags_of(arms, garment(), hidden=Hidden(ARM_SHARE / 2, 0))
    assert "arm in front" in tags_of(person(), garment(), hidden=Hidden(ARM_SHARE, 0))
    assert "long hair over cloth" in tags_of(person(), garment(), hidden=Hidden(0, HAIR_SHARE))
    assert "long hair over cloth" not in tags_of(person(hair="long in front"), garment(), hidden=Hidden(0, 0))


def test_shares_of_the_torso_are_counted_in_pixels():
    torso = torso_mask(keypoints(), 100, 80)
    rows, columns = np.nonzero(torso)
    assert (rows.min(), rows.max()) == (31, 79) and 29 <= columns.min() <= 30 and 50 <= columns.max() <= 51
    arm, hair = np.zeros((100, 80), bool), np.zeros((100, 80), bool)
    arm[50:60] = True
    hair[:40, :40] = True
    hidden = hidden_shares(keypoints(), arm, hair)
    assert hidden.arm == pytest.approx(arm[torso].sum() / torso.sum()) and 0.18 < hidden.arm < 0.23
    assert 0.07 < hidden.hair < 0.12
    hanging = np.zeros((100, 80), bool)
    hanging[:, :29] = hanging[:, 52:] = True  # arms at the sides hide nothing
    assert hidden_shares(keypoints(), hanging, hanging) == Hidden(0.0, 0.0)
    without = keypoints()
    without[COCO18.index("left hip")] = 0
    assert hidden_shares(without, arm, hair) is None


def test_hard_needs_two():
    assert not is_hard(person(arms=("front", "down")), garment())
    assert is_hard(person(arms=("front", "down"), hair="long in front"), garment())
    assert is_hard(person(arms=("front", "down")), garment(), garment("letters"))
    assert not is_hard(person(arms=("front", "down")), garment(), garment("stripes"))  # a pattern is not hard
    assert is_hard(person(), garment(sleeve_m=0.5), garment(fit=0.02))


def test_tags_come_in_one_order():
    everything = tags_of(
        person(arms=("front", "raised"), hair="long in front", bends=Bends(0, 0, 2, 0, 1), coat=object(), lower=BLACK),
        garment(sleeve_m=0.5),
        garment("letters", (BLACK, WHITE), fit=0.03, tucked=True),
    )
    assert list(everything) == [t for t in TAGS if t in everything] and len(everything) == 10
