"""Heads of the Atelier: skin, features and hair are where they say, on both sides, and the same every time."""

from types import SimpleNamespace

import numpy as np
import pytest

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.face import draw_eyes, lit_skin, paint_skin, sample_complexion
from mavton_lite.data.atelier.features import EYE, MOUTH_Z
from mavton_lite.data.atelier.garment import arm_share
from mavton_lite.data.atelier.grow import solid
from mavton_lite.data.atelier.hair import ODDS, STYLES, draw_hair, posed_points, sample_hair
from mavton_lite.data.atelier.layer import Camera, see
from mavton_lite.data.atelier.light import Lamps
from mavton_lite.data.atelier.scalp import above_hairline
from mavton_lite.data.atelier.strands import mirrored
from mavton_lite.data.atelier.styles import VARIANTS, grown
from mavton_lite.data.atelier.wigs import KEPT, packed, strands_of, unpacked

LAMPS = Lamps()
HEAD = Camera(144, 128, 480.0, (-0.133, 1.06))  # the canonical head
BUST = Camera(128, 96, 150.0, (-0.32, 1.10))  # down to the waist


def person(style: str = "shaved", seed: int = 0, tone: float = 0.3, gender: float = 0.0, turns=None):
    """The canonical adult with a random face."""
    rng = np.random.default_rng(seed)
    hair = sample_hair(rng, gender, tone, style)
    return SimpleNamespace(
        posed=load_body().posed(None, turns), complexion=sample_complexion(rng, gender, tone), hair=hair, gender=gender
    )


def skin_of(camera: Camera, who):
    """The layer of a person's skin."""
    return see(camera, who.posed.vertices, load_body().faces["body"], arm_share())


def hair_of(camera: Camera, who) -> tuple[np.ndarray, np.ndarray]:
    """Where hair is seen before the skin, and the colour of what is drawn."""
    skin = skin_of(camera, who)
    depth, colour = skin.depth.copy(), np.zeros((*skin.hit.shape, 3))
    seen = np.zeros(skin.hit.shape, bool)
    for drawn in draw_hair(camera, who.hair, who, LAMPS, skin):
        front = drawn.hit & (drawn.depth < depth)
        seen |= front
        colour[front], depth[front] = drawn.colour[front], drawn.depth[front]
        assert set(np.unique(drawn.label)) <= {0, 2} and (drawn.label[drawn.hit] == 2).all()
    return seen, colour


def place(camera: Camera, x: float, z: float) -> tuple[int, int]:
    """Row and column of the supersampled picture that sees (x, z)."""
    column, row, _ = camera.project(np.array([x, 0.0, z]))
    return int(round(row)), int(round(column))


def test_skin_spans_light_to_deep() -> None:
    tones = np.array(
        [[sample_complexion(np.random.default_rng(s), 0.5, t).skin for s in range(6)] for t in (0, 0.5, 1)]
    )
    luminance = tones.mean((1, 2))
    assert luminance[0] > 0.78 and 0.4 < luminance[1] < 0.65 and luminance[2] < 0.26
    assert (tones.std(1).mean() > 0.005) and ((tones[..., 0] > tones[..., 1]) & (tones[..., 1] > tones[..., 2])).all()


@pytest.mark.parametrize("tone", [0.0, 0.5, 1.0])
def test_painted_skin_is_an_albedo(tone: float) -> None:
    for seed in range(4):
        who = person("short", seed, tone, seed / 3)
        skin = skin_of(HEAD, who)
        albedo, relief = paint_skin(skin, who)
        assert albedo.shape == (*skin.hit.shape, 3) and relief.shape == skin.hit.shape
        assert albedo.min() >= 0 and albedo.max() <= 1 and np.isfinite(albedo).all()
        assert np.abs(relief).max() < 0.003 and (relief[~skin.hit] == 0).all()
        lit = lit_skin(albedo, skin.normal, np.ones(skin.hit.shape), LAMPS)
        assert np.isfinite(lit).all() and lit.min() >= 0


def test_features_are_where_the_mesh_has_them() -> None:
    who = person("shaved", 3)
    skin = skin_of(HEAD, who)
    albedo, _ = paint_skin(skin, who)
    look = lambda x, z: albedo[place(HEAD, x, z)]  # noqa: E731
    redness = lambda c: c[0] - c[1]  # noqa: E731
    for side in (-1, 1):
        assert look(side * 0.030, 0.9165).mean() < 0.8 * look(side * 0.030, 0.935).mean(), "brows are dark"
        assert redness(look(side * 0.012, MOUTH_Z - 0.005)) > 1.3 * redness(look(side * 0.012, 0.79)), "lips are red"
        assert look(side * 0.0085, 0.8555).mean() < 0.7 * look(side * 0.030, 0.80).mean(), "nostrils are dark"
    upper, lower = look(0.006, MOUTH_Z + 0.004).mean(), look(0.006, MOUTH_Z - 0.006).mean()
    assert upper < lower, "the upper lip is darker"
    assert look(0, MOUTH_Z).mean() < upper, "the line between them is darker still"


def test_eyes_have_white_iris_pupil_and_a_catch_light() -> None:
    who = person(seed=4)
    skin = skin_of(HEAD, who)
    eyes = draw_eyes(HEAD, who, LAMPS, skin)
    assert (eyes.label[eyes.hit] == 13).all() and np.isfinite(eyes.depth[eyes.hit]).all()
    assert (eyes.depth[eyes.hit] <= skin.depth[eyes.hit]).all()
    rows, columns = np.nonzero(eyes.hit)
    middle = HEAD.columns / 2 - 0.5  # the canonical face is in the middle of the picture
    left, right = (columns > middle).sum(), (columns < middle).sum()
    assert left > 100 and abs(left - right) < 0.1 * left
    assert abs(rows.mean() - place(HEAD, 0, EYE[1])[0]) < 4
    for side in (-1, 1):
        pupil = eyes.colour[place(HEAD, side * EYE[0] + who.complexion.gaze[0], EYE[1] - 0.0012)]
        white = eyes.colour[place(HEAD, side * (EYE[0] + 0.0085), EYE[1])]
        spark = eyes.colour[place(HEAD, side * EYE[0] - 0.0019, EYE[1] + 0.0019)]
        assert pupil.max() < 0.2 and white.min() > 0.35 and spark.min() > pupil.max() + 0.2


def test_styles_are_drawn_with_their_odds() -> None:
    drawn = [sample_hair(np.random.default_rng(s), float(s % 2), 0.3).style for s in range(600)]
    assert set(drawn) == set(STYLES) == set(VARIANTS) == set(ODDS)
    women, men = drawn[::2], drawn[1::2]
    long_ = ("long", "long in front", "tied", "bob")
    assert np.isin(women, long_).mean() > 0.5 > 0.2 > np.isin(men, long_).mean()
    colours = np.array([sample_hair(np.random.default_rng(s), 0.0, 0.1).colour for s in range(300)])
    assert colours.mean(1).min() < 0.08 and colours.mean(1).max() > 0.6


def test_a_shaved_head_has_no_hair_and_an_unknown_style_is_refused() -> None:
    assert not hair_of(BUST, person("shaved"))[0].any() and strands_of("shaved", 0) is None
    with pytest.raises(ValueError, match="unknown hair style 'mohawk'.*short"):
        strands_of("mohawk", 0)


@pytest.mark.parametrize("style", [s for s in STYLES if s != "shaved"])
def test_hair_covers_what_its_style_says(style: str) -> None:
    for variant in range(VARIANTS[style]):
        for mirror in (False, True)[: 2 if variant == 0 else 1]:
            who = person(style)
            who.hair = who.hair.__class__(**{**vars(who.hair), "variant": variant, "mirrored": mirror})
            seen, colour = hair_of(BUST, who)
            skin = skin_of(BUST, who)
            world = np.mgrid[0 : BUST.rows, 0 : BUST.columns] + 0.5
            x = BUST.origin[0] + world[1] / BUST.px_per_m
            z = BUST.origin[1] - world[0] / BUST.px_per_m
            scalp = skin.hit & (above_hairline(skin.canonical) > 0.006) & (skin.canonical[..., 2] > 0.80)
            assert seen[scalp].mean() > 0.99, "no skin shines through"
            assert np.isfinite(colour).all() and colour.min() >= 0 and colour.max() < 1.6
            face = (np.abs(x) < 0.045) & (z < 0.905) & (z > 0.80)
            assert seen[face].mean() < 0.05, "the face is free"
            chest = skin.hit & (np.abs(x) < 0.16) & (z < 0.66) & (z > 0.55)
            beside = ~skin.hit & (z < 0.84) & (z > 0.78)
            throat = (np.abs(x) < 0.040) & (z < 0.775) & (z > 0.73)
            if style == "long in front":
                sides = [seen[chest & (side * x > 0)].mean() for side in (-1, 1)]
                assert max(sides) > 0.15 and (variant > 1 or min(sides) > 0.15), sides
                assert variant < 2 or min(sides) < 0.02, "one side only"
            else:
                assert seen[chest].mean() < 0.01, "nothing on the chest"
            if style in ("long", "bob"):
                assert (seen & beside & (x > 0)).sum() > 20 and (seen & beside & (x < 0)).sum() > 20
            if style in ("crop", "short", "afro"):
                assert not seen[z < 0.74].any()
            if style == "tied":
                assert not seen[throat].any() and not seen[chest].any()


def test_long_hair_reaches_below_the_shoulder() -> None:
    lowest = {s: min(strands_of(s, v).points[..., 2].min() for v in range(VARIANTS[s])) for s in STYLES[1:]}
    assert lowest["long"] < 0.66 and lowest["long in front"] < 0.60 < 0.67 < lowest["bob"] and lowest["short"] > 0.78


@pytest.mark.parametrize("style", [s for s in STYLES if s != "shaved"])
def test_strands_stay_outside_the_body(style: str) -> None:
    for variant in range(VARIANTS[style]):
        strands = strands_of(style, variant)
        distance, _ = solid().distance(strands.points[:, 1:].reshape(-1, 3))
        assert (distance > -0.003).mean() > 0.995 and distance.min() > -0.012
        if style == "long in front":
            points = strands.points[(strands.points[..., 2] < 0.70) & (strands.points[..., 1] < -0.05)]
            assert np.quantile(solid().distance(points)[0], 0.05) > 0.018, "clothes have room behind the hair"


def test_hair_turns_with_the_head_and_hangs_on_the_torso() -> None:
    turned, straight = person("long in front", turns={"head": (0, 0.3, 0)}), person("long in front")
    strands = strands_of("long in front", 0)
    moved = np.sqrt(((posed_points(strands, turned.posed) - posed_points(strands, straight.posed)) ** 2).sum(-1))
    z = strands.points[..., 2]
    assert moved[z > 0.95].max() > 0.01 and moved[z < 0.62].max() < 1e-9


def test_a_head_is_a_function_of_its_seed() -> None:
    one, two = person("curly", 7), person("curly", 7)
    skin = skin_of(HEAD, one)
    for a, b in zip(
        draw_hair(HEAD, one.hair, one, LAMPS, skin), draw_hair(HEAD, two.hair, two, LAMPS, skin), strict=True
    ):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert np.array_equal(paint_skin(skin, one)[0], paint_skin(skin, two)[0])
    assert not np.array_equal(paint_skin(skin, one)[0], paint_skin(skin, person("curly", 8))[0])


def test_a_small_face_has_no_noise() -> None:
    small = Camera(128, 96, 115.0, (-0.42, 1.06))
    who = person("short", 5, gender=1.0)
    skin = skin_of(small, who)
    albedo, _ = paint_skin(skin, who)
    cheek = skin.hit & (np.abs(np.abs(skin.canonical[..., 0]) - 0.045) < 0.012) & (
        np.abs(skin.canonical[..., 2] - 0.872) < 0.012
    )  # fmt: skip
    assert cheek.sum() > 20 and albedo[cheek].std(0).max() < 0.04


@pytest.mark.parametrize("mirror", [False, True])
def test_kept_hair_is_grown_hair(mirror):
    """What ships is what the code grows, to the step it is kept in; the mirror image hangs on the other side."""
    fresh, kept = grown("crop", 1), strands_of("crop", 1, mirror)
    wanted = mirrored(fresh) if mirror else fresh
    for name, (_, steps) in KEPT.items():
        given, found = getattr(wanted, name), getattr(kept, name)
        assert given.shape == found.shape
        assert np.abs(given - found).max() <= 0.5 / steps + 1e-9 if steps > 1 else np.array_equal(given, found)


def test_hair_too_large_to_keep_is_refused():
    strands = strands_of("crop", 0)
    again = unpacked(packed(strands))
    assert all(np.array_equal(a, b) for a, b in zip(strands, again, strict=True))
    with pytest.raises(ValueError, match="points reaches 2"):
        packed(strands._replace(points=strands.points * 2))
