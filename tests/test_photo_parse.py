"""The geometric parse, function by function and on a drawn person whose labels are known."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_person import SHIRT, SKIN, WALL, DrawnBackend, drawing, keypoints

from mavton_lite.data import photo_parse as pp
from mavton_lite.data.photo_backend import NoPersonError


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / max((a | b).sum(), 1)


def test_capsule_is_a_disc_and_a_bar():
    disc = pp.capsule((41, 41), (20, 20), (20, 20), 10)
    assert abs(disc.sum() - np.pi * 100) < 12
    cone = pp.capsule((41, 61), (10, 20), (50, 20), 4, 12)
    assert cone[:, 10].sum() == 9 and cone[:, 50].sum() == 25


def test_polygon_is_writable_and_filled():
    square = pp.polygon((10, 10), np.array([(2, 2), (6, 2), (6, 6), (2, 6)]))
    assert square.sum() == 25 and square.flags.writeable


def test_components():
    mask = np.zeros((9, 20), bool)
    mask[2:4, 2:5] = mask[2:8, 10:16] = True
    seed = np.zeros_like(mask)
    seed[3, 3:5] = seed[3, 10] = True
    assert (pp.component_of(mask, seed) == (mask & (np.arange(20) < 8))).all()
    assert (pp.connected_to(mask, seed) == mask).all()
    assert not pp.component_of(mask, ~mask).any()


def test_opening_does_not_eat_the_border():
    mask = np.zeros((20, 20), bool)
    mask[12:, 5:15] = True
    mask[3, 3] = True
    opened = pp.opened(mask, 2)
    assert opened[19, 6:14].all() and not opened[3, 3]


def test_body_unit_is_the_shoulder_width_even_from_the_side():
    k = keypoints()
    assert pp.body_unit_px(k) == pytest.approx(44, abs=8)
    k[pp.J["right shoulder"], 0] = k[pp.J["left shoulder"], 0] = 60  # turned: torso and head still tell
    assert 25 < pp.body_unit_px(k) < 60


def test_skin_model_tells_skin_from_cloth():
    rng = np.random.default_rng(0)
    face = np.clip(np.array(SKIN) + rng.normal(0, 6, (40, 40, 3)), 0, 255).astype(np.uint8)
    model = pp.fit_skin(pp.to_ycbcr(face), np.ones((40, 40), bool))
    colours = np.array([[SKIN, tuple(int(0.8 * c) for c in SKIN), SHIRT, (235, 90, 40)]], np.uint8)
    distance = pp.skin_distance(pp.to_ycbcr(colours), model)[0]
    assert distance[0] < 2 and distance[1] < 9 and distance[2] > 30 and distance[3] > 9  # shade is skin, orange is not
    with pytest.raises(ValueError, match="at least 8 face pixels"):
        pp.fit_skin(pp.to_ycbcr(face), np.zeros((40, 40), bool))


def test_grey_skin_model_goes_by_brightness():
    grey = np.full((20, 20, 3), 170, np.uint8)
    model = pp.fit_skin(pp.to_ycbcr(grey), np.ones((20, 20), bool))
    dark = np.full((1, 1, 3), 60, np.uint8)
    assert pp.skin_distance(pp.to_ycbcr(dark), model)[0, 0] > 30


def test_face_outline_lies_on_the_face():
    _, labels = drawing(2.0)
    oval = pp.polygon(labels.shape, pp.face_outline(keypoints(2.0)))
    assert iou(oval, labels == 13) > 0.6


@pytest.mark.parametrize("skin", [SKIN, (110, 70, 50), (240, 205, 185)])
def test_drawn_person_is_parsed(skin):
    rgb, truth = drawing(2.0, skin)
    parse = pp.parse_photo(rgb, DrawnBackend().read(rgb))
    assert not parse.held.any()
    for label, least in ((2, 0.75), (13, 0.75), (5, 0.9), (9, 0.8), (14, 0.8), (15, 0.8)):
        assert iou(parse.labels == label, truth == label) > least, label
    assert iou(parse.labels > 0, truth > 0) > 0.97


def test_skin_coloured_spots_on_a_sleeve_are_no_arm():
    rgb, truth = drawing(2.0)
    spots = np.zeros(truth.shape, bool)
    for x, y in ((70, 140), (66, 160), (172, 150)):  # on both sleeves
        spots |= pp.capsule(truth.shape, (x, y), (x, y), 4)
    spots &= truth == 5
    rgb[spots] = SKIN
    labels = pp.parse_photo(rgb, DrawnBackend().read(rgb)).labels
    assert spots.sum() > 100 and not np.isin(labels[spots], (14, 15)).any()
    assert iou(labels == 14, truth == 14) > 0.8 and iou(labels == 15, truth == 15) > 0.8


def test_a_held_thing_is_not_the_body():
    rgb, truth = drawing(2.0)
    ball = pp.capsule(truth.shape, (222, 180), (222, 180), 40)
    rgb[ball] = (15, 15, 18)
    parse = pp.parse_photo(rgb, DrawnBackend().read(rgb))
    assert iou(parse.held, ball) > 0.8
    assert not (parse.labels[parse.held] > 0).any()
    assert iou(parse.labels == 5, (truth == 5) & ~ball) > 0.85


def test_hem_is_where_the_colour_changes():
    rgb, truth = drawing(2.0)
    rows = np.nonzero((truth == 5)[:, 100:140].any(1))[0]
    assert pp.hem_row(pp.to_ycbcr(rgb), truth > 0, keypoints(2.0)) == pytest.approx(rows[-1], abs=8)
    unsure = keypoints(2.0)
    unsure[:, 2] = 0.1
    assert pp.hem_row(pp.to_ycbcr(rgb), truth > 0, unsure) > 236  # just below the guessed hips


def test_likelier_needs_evidence():
    quantised = np.array([[0, 0, 4000, 4000]])
    dark = np.array([[True, False, False, False]])
    light = np.array([[False, False, True, False]])
    assert (pp.likelier(quantised, dark, light) == [[True, True, False, False]]).all()


def test_empty_mask_is_nobody():
    rgb, _ = drawing(1.0)
    reading = DrawnBackend().read(rgb)
    reading.person[:] = 0
    with pytest.raises(NoPersonError, match="mask is empty"):
        pp.parse_photo(rgb, reading)
    assert (rgb[0, 0] == WALL).all()
