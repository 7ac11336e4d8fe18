"""Cloth is what it says: kinds differ, periods and angles are as stated, words can be read, nothing is too fine."""

import dataclasses
import functools

import numpy as np
import pytest
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from mavton_lite.data.atelier import patterns, prints
from mavton_lite.data.atelier.cloth import HEIGHT, KINDS, LONG, PX_PER_M, TOP_M, WIDTH, Cloth, sample_kind
from mavton_lite.data.atelier.cut import ARMPIT_Z, ELBOW, NECK_Z, SHOULDER
from mavton_lite.data.atelier.lettering import GLYPHS, Style, ink_distance
from mavton_lite.data.atelier.motif import WORDS, Motif
from mavton_lite.data.atelier.palettes import PALETTES, colour, contrast, sample_palette

BLACK, WHITE = (0.1, 0.1, 0.1), (0.9, 0.9, 0.9)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def cloths(count=60, seed=0):
    return [Cloth.sample(np.random.default_rng([seed, i])) for i in range(count)]


def spectrum(picture):
    """Power of the lightness, and the waves a metre of its rows and columns."""
    grey = picture.mean(-1) - picture.mean()
    power = np.abs(np.fft.fft2(grey)) ** 2
    return (
        power,
        np.fft.fftfreq(grey.shape[0], 1 / PX_PER_M)[:, None],
        np.fft.fftfreq(grey.shape[1], 1 / PX_PER_M)[None],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_picture_and_the_same_every_time(kind):
    for i in range(3):
        a, b = (sample_kind(np.random.default_rng([3, i]), kind) for _ in range(2))
        assert a == b and a.kind == kind
        assert a.picture.shape == (HEIGHT, WIDTH, 3) and a.picture.min() >= 0 and a.picture.max() <= 1
        np.testing.assert_array_equal(a.picture, b.picture)
        assert a.picture.std((0, 1)).max() > 0.02 or kind in ("solid", "denim", "raglan", "blocks", "knit", "logo")
    with pytest.raises(ValueError, match="tweed.*wanted one of solid"):
        sample_kind(np.random.default_rng(0), "tweed")


def test_kinds_are_distinct():
    """In the same colours no two kinds give the same picture."""
    colours = (BLACK, WHITE, (0.7, 0.2, 0.2), (0.2, 0.5, 0.3), (0.3, 0.4, 0.6), (0.6, 0.6, 0.2))
    pictures = {
        kind: dataclasses.replace(sample_kind(np.random.default_rng(5), kind), colours=colours).picture
        for kind in KINDS
    }
    names = list(pictures)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if {a, b} != {"solid", "denim"}:  # both are one colour, a little uneven
                assert np.abs(pictures[a] - pictures[b]).mean() > 0.003, (a, b)


def test_all_kinds_are_drawn_about_as_often_as_stated():
    drawn = [c.kind for c in cloths(600)]
    for kind, share in KINDS.items():
        assert abs(drawn.count(kind) / 600 - share / sum(KINDS.values())) < 0.05
    assert not {"letters", "logo"} & {
        Cloth.sample(np.random.default_rng(i), ("letters", "logo")).kind for i in range(80)
    }


def test_the_long_bolt_continues_the_short_one():
    for cloth in cloths(25, seed=1):
        if cloth.kind not in ("denim", "camouflage") and cloth.variant not in ("heather", "slub"):
            np.testing.assert_allclose(cloth.long_picture[:HEIGHT], cloth.picture, atol=1e-9)
        assert cloth.long_picture.shape == (LONG, WIDTH, 3)


@pytest.mark.parametrize("variant", ["even", "breton", "pin"])
@pytest.mark.parametrize("angle", [0.0, np.pi / 2, np.pi / 4, -np.pi / 4, 0.3, -1.1])
def test_stripes_have_their_period_and_angle(variant, angle):
    period = 0.05
    cloth = Cloth("stripes", variant, (BLACK, WHITE), period, angle)
    power, fy, fx = spectrum(cloth.picture * np.outer(np.hanning(HEIGHT), np.hanning(WIDTH))[..., None])
    power[np.hypot(fy, fx) < 8] = 0  # of the window
    row, column = np.unravel_index(power.argmax(), power.shape)
    y, x = fy[row, 0], fx[0, column]
    assert np.hypot(y, x) == pytest.approx(1 / period, abs=1.4 / 0.75)  # one step of the spectrum
    found = np.arctan2(-x, y)  # angle 0: waves run down
    assert abs((found - angle + np.pi / 2) % np.pi - np.pi / 2) < 0.1


def test_bands_take_their_shares():
    sett = patterns.STRIPES["multi"][0]
    line = patterns.bands(np.arange(0, 0.4, 1e-4), sett, 0.1, np.eye(3))
    shares = line.reshape(4, -1, 3).mean(1)
    wanted = np.bincount([row for row, _ in sett], [share for _, share in sett])
    np.testing.assert_allclose(shares, np.tile(wanted / wanted.sum(), (4, 1)), atol=0.01)
    np.testing.assert_allclose(line.sum(-1), 1, atol=0.02)  # no gap and no overlap between bands


def test_plaid_mixes_warp_and_weft():
    cloth = Cloth("plaid", "gingham", (WHITE, BLACK), 0.04)
    values, counts = np.unique(cloth.picture[..., 0].round(2), return_counts=True)
    common = sorted(values[np.argsort(counts)[-3:]])
    np.testing.assert_allclose(common, [0.1, 0.5, 0.9], atol=0.02)
    power, fy, fx = spectrum(cloth.picture)
    for axis in (power[1:, 0], power[0, 1:]):
        frequency = (axis[: len(axis) // 2].argmax() + 1) * PX_PER_M / (len(axis) + 1)
        assert frequency == pytest.approx(25, abs=1.4)


def test_dots_are_staggered_and_of_their_size():
    period, radius = 0.06, 0.25
    ink = (Cloth("dots", "polka", (BLACK, WHITE), period, ratio=radius).picture[..., 0] - 0.1) / 0.8
    assert ink.mean() == pytest.approx(np.pi * radius**2 / 0.75, rel=0.06)
    row = round(0.75 * period * PX_PER_M)
    shifted = np.roll(np.roll(ink, row, 0), round(period * PX_PER_M / 2), 1)
    inner = np.s_[row:, 30:]
    corner = lambda a: np.corrcoef(ink[inner].ravel(), a[inner].ravel())[0, 1]  # noqa: E731
    assert corner(shifted) > 0.85 > 0.3 > corner(np.roll(ink, row, 0))


def test_gradients_run_their_way():
    down = Cloth("gradient", "linear", (BLACK, WHITE)).picture[..., 0]
    assert (np.diff(down, axis=0) >= 0).all() and np.ptp(down, axis=1).max() < 1e-9
    across = Cloth("gradient", "linear", (BLACK, WHITE), angle=np.pi / 2).picture[..., 0]
    assert (np.diff(across, axis=1) <= 1e-12).all() and np.ptp(across, axis=0).max() < 1e-9


def test_flowers_are_spread_evenly():
    """No two are close, over the tile's borders too, and no quarter of the tile is empty."""
    for seed in range(6):
        places = prints.scatter(np.random.default_rng(seed), 20)
        turns = [(i * prints.TILE, (j + i / 2) * prints.TILE) for i in (-1, 0, 1) for j in (-2, -1, 0, 1, 2)]
        images = np.concatenate([places + turn for turn in turns])
        away = np.sort(np.hypot(*(places[:, None] - images[None]).transpose(2, 0, 1)), axis=1)[:, 1]
        assert away.min() > 0.4 * prints.TILE / np.sqrt(20)
        quarters = (places // (prints.TILE / 2)).astype(int) @ [1, 2]
        assert (np.bincount(quarters, minlength=4) >= 2).all()


@pytest.mark.parametrize(
    "kind,variant", [("floral", v) for v in prints.FLORALS] + [("animal", "small"), ("camouflage", "large")]
)
def test_tiles_join_without_a_seam(kind, variant):
    """Steps across the joints of tiles are no larger than at the liveliest columns and rows elsewhere."""
    cloth = sample_kind(np.random.default_rng(8), kind)
    picture = dataclasses.replace(cloth, variant=variant).picture.mean(-1)
    across, down = np.abs(np.diff(picture, axis=1)).mean(0), np.abs(np.diff(picture, axis=0)).mean(1)
    joints = np.arange(prints.TILE, WIDTH, prints.TILE) - 1
    assert across[joints].max() < across.max() and down[joints].max() < down.max()
    assert np.median(across[joints]) < 2.5 * across.mean() and np.median(down[joints]) < 2.5 * down.mean()


@functools.cache
def references():
    """Letters of four typefaces that matplotlib carries, as `shape_of` sees them: alphabets that are not ours."""
    out = {}
    for face in ("DejaVu Sans", "DejaVu Sans:bold", "DejaVu Serif:bold", "DejaVu Sans Mono:bold"):
        font = ImageFont.truetype(findfont(face), 96)
        for character in LETTERS:
            picture = Image.new("L", (200, 200))
            ImageDraw.Draw(picture).text((50, 40), character, 255, font)
            out[character, face] = shape_of(np.asarray(picture) / 255)
    return out


def shape_of(ink, size=24):
    """The ink's bounding box, stretched to a square unless it is a thin letter's, a little blurred."""
    rows, columns = np.flatnonzero((ink > 0.5).any(1)), np.flatnonzero((ink > 0.5).any(0))
    box = (ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] * 255).astype(np.uint8)
    thin = box.shape[1] < 0.38 * box.shape[0]
    width = max(2, round(size * box.shape[1] / box.shape[0])) if thin else size
    out = Image.new("L", (size, size))
    out.paste(Image.fromarray(box).resize((width, size), Image.Resampling.BOX), ((size - width) // 2, 0))
    return np.asarray(out.resize((12, 12), Image.Resampling.BOX), float).ravel()


def read_letter(ink):
    """The most similar letter; O, Q and 0 count as one."""
    shape = shape_of(ink)
    best = max(references(), key=lambda k: np.corrcoef(shape, references()[k])[0, 1])[0]
    return "O" if best in "OQ0" else best


@pytest.mark.parametrize(
    "style",
    [Style(), Style(stroke=0.22), Style(stroke=0.24, narrow=0.8), Style(stroke=0.2, slab=True)],
    ids=["plain", "bold", "narrow", "slab"],
)
def test_letters_are_recognised_by_other_alphabets(style):
    """Of the letters and digits of four typefaces the most similar is the right one."""
    y, x = np.mgrid[-60:60, -80:80] / 70
    read = {k: read_letter(np.clip(0.5 + 70 * ink_distance(k, style, x, y), 0, 1)) for k in LETTERS}
    wrong = {k: v for k, v in read.items() if v != ("O" if k in "OQ0" else k)}
    assert len(wrong) <= 1, wrong


def test_words_on_cloth_can_be_read_at_the_size_of_viton():
    """Letters found on the finished print, shrunk to 225 pixels a metre, are those of the word."""
    right = total = 0
    for word in ("HELLO", "SUNDAY", "1984", "JAZZ", "STUDIO"):
        motif = Motif(words=(word,), size=0.24 / (len(word) + 1), style=Style(spacing=0.32, stroke=0.15))
        cloth = Cloth("letters", "plain", (WHITE, BLACK, WHITE), motif=motif)
        print_ = Image.fromarray((255 * (0.9 - cloth.picture[..., 0]) / 0.8).clip(0, 255).astype(np.uint8))
        small = print_.resize((round(WIDTH * 225 / PX_PER_M), round(HEIGHT * 225 / PX_PER_M)), Image.Resampling.BOX)
        ink = np.asarray(small.resize((4 * small.width, 4 * small.height), Image.Resampling.BICUBIC)) / 255
        marked = np.concatenate([[0], (ink > 0.45).any(0), [0]]).astype(int)
        edges = np.flatnonzero(np.diff(marked))
        assert len(edges) == 2 * len(word)
        letters = [read_letter(ink[:, a:b]) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        right += sum(a == b for a, b in zip(letters, word, strict=True))
        total += len(word)
    assert right >= 0.85 * total, (right, total)


def test_every_word_fits_the_chest_and_has_letters():
    for k in range(300):
        cloth = sample_kind(np.random.default_rng([4, k]), "letters")
        motif = cloth.motif
        plain = dataclasses.replace(cloth, motif=None).picture
        changed = np.abs(cloth.picture - plain).max(-1) > 0.05 if k < 40 else None
        assert all(character in GLYPHS for word in motif.words for character in word) and motif.words in WORDS
        if changed is not None:
            rows, columns = np.nonzero(changed)
            assert np.abs((columns - WIDTH / 2) / PX_PER_M).max() < 0.17  # does not go round the body
            top, bottom = rows.min() / PX_PER_M - TOP_M, rows.max() / PX_PER_M - TOP_M
            assert top > 0.08 and bottom < 0.40
    with pytest.raises(ValueError, match="'é'"):
        ink_distance("é", Style(), np.zeros(1), np.zeros(1))


def test_motifs_keep_below_the_neckline():
    for k in range(150):
        cloth = Cloth.sample(np.random.default_rng([6, k]), neck_m=0.17)
        if cloth.motif:
            assert cloth.motif.place[1] - cloth.motif.half_height >= 0.17


@pytest.mark.parametrize("shape", prints.EMBLEMS)
def test_emblems_are_all_different_and_fill_their_circle(shape):
    y, x = np.mgrid[-1.5:1.5:90j, -1.5:1.5:90j]
    ink = {k: np.max([d for d, row in prints.emblem(k, x, y) if row], axis=0) > 0 for k in prints.EMBLEMS}
    mine = ink[shape]
    assert 0.04 < mine.mean() < 0.5 and np.hypot(x, y)[mine].max() < 1.45
    for other in set(prints.EMBLEMS) - {shape}:
        assert (mine & ink[other]).sum() < 0.9 * (mine | ink[other]).sum()
    with pytest.raises(ValueError, match="a logo"):
        prints.emblem("a logo", x, y)


def test_nothing_flickers_at_the_lite_size():
    """At 128 x 96, a person 113 pixels a metre, textures hold next to no power above half the finest frequency."""
    for kind in ("solid", "gradient", "denim", "knit", "floral", "camouflage", "animal"):
        for k in range(4):
            cloth = sample_kind(np.random.default_rng([2, k]), kind)
            z, x = np.mgrid[0.70:0.15:124j, -0.16:0.16:72j]  # supersampled twice
            flat = np.stack([x, z], -1)
            points = np.stack([x, np.full(x.shape, -0.1), z], -1)
            drawn = cloth.colour(flat, points, np.zeros(x.shape), 226.0)
            small = drawn.reshape(62, 2, 36, 2, 3).mean((1, 3)).mean(-1)
            small = (small - small.mean()) * np.outer(np.hanning(62), np.hanning(36))
            power = np.abs(np.fft.fft2(small)) ** 2
            high = np.maximum(np.abs(np.fft.fftfreq(62))[:, None], np.abs(np.fft.fftfreq(36))) > 0.25
            noise = np.sqrt(power[high].sum() / small.size**2 / 0.14)  # 0.14: mean square of the window
            wool = 0.012 if kind == "knit" and cloth.variant != "fair isle" else 0.07
            limit = 0.006 if kind in ("solid", "gradient", "denim") else wool
            assert noise < limit, (kind, cloth.variant, noise)


def test_the_body_is_cut_straight_and_sleeves_along_the_arm():
    """Level stripes cross the body at one height and go round a sleeve at one distance from the shoulder."""
    cloth = Cloth("stripes", "even", (BLACK, WHITE), 0.06)
    x = np.linspace(-0.12, 0.12, 9)
    z = np.linspace(0.55, 0.2, 200)
    body = np.stack(np.broadcast_arrays(x[:, None], -0.1, z[None]), -1)
    drawn = cloth.colour(body[..., [0, 2]], body, np.zeros(body.shape[:2]), 500.0)
    assert np.ptp(drawn, axis=0).max() < 1e-9 and np.ptp(drawn, axis=1).min() > 0.7
    axis = (ELBOW - SHOULDER) / np.linalg.norm(ELBOW - SHOULDER)
    normal = np.cross(axis, [0, 1, 0])
    normal /= np.linalg.norm(normal)
    along, away = np.meshgrid(np.linspace(0.05, 0.17, 150), np.linspace(-0.03, 0.03, 7))
    arm = SHOULDER + along[..., None] * axis + away[..., None] * normal
    drawn = cloth.colour(arm[..., [0, 2]], arm, np.ones(along.shape), 500.0)
    assert np.abs(drawn - drawn[:1]).max() < 0.35 and np.ptp(drawn, axis=1).min() > 0.7
    other = cloth.colour(arm[..., [0, 2]] * [-1, 1], arm * [-1, 1, 1], np.ones(along.shape), 500.0)
    np.testing.assert_allclose(other, drawn, atol=1e-9)


def test_sleeves_of_another_colour():
    cloth = Cloth("raglan", "", (WHITE, BLACK))
    points = np.array([[0.0, -0.1, 0.5], [0.30, 0.0, 0.52], [-0.30, 0.0, 0.52], [0.12, -0.1, ARMPIT_Z + 0.14]])
    drawn = cloth.colour(points[:, [0, 2]], points, np.array([0.0, 1.0, 1.0, 0.0]), 500.0)
    np.testing.assert_allclose(drawn[:, 0], [0.9, 0.1, 0.1, 0.1], atol=1e-6)


def test_small_pictures_take_a_coarser_bolt():
    """The mean is kept, and thin lines turn grey instead of breaking."""
    cloth = Cloth("stripes", "pin", (WHITE, BLACK), 0.034, np.pi / 2)
    x = np.linspace(-0.12, 0.12, 31)
    points = np.stack(np.broadcast_arrays(x, -0.1, NECK_Z - 0.2), -1)
    fine, coarse = (cloth.colour(points[:, [0, 2]], points, np.zeros(31), px) for px in (900.0, 130.0))
    assert np.ptp(coarse) < np.ptp(fine) and coarse.mean() == pytest.approx(0.9 - 0.8 * 0.16, abs=0.05)


def test_palettes_are_colours_that_stand_out():
    for _, grounds, others in PALETTES.values():
        assert all(0 <= k <= 1 for code in (grounds + " " + others).split() for k in colour(code))
    for k in range(200):
        ground, ink, *_ = sample_palette(np.random.default_rng(k))
        assert contrast(ground, ink) > 0.2
