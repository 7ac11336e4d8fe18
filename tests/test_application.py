"""The figure of section 4.7: who stands alike, what is side by side; and skin where a high collar comes off."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_person import SKIN, WALL, DrawnBackend, drawing, keypoints
from worlds import random_batch

from mavton_lite.composite import Layers, Scene, compose
from mavton_lite.config import SMOKE
from mavton_lite.data.sample import COCO18
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.plots.application import application, similar
from mavton_lite.studio import fitting
from mavton_lite.studio.intake import Upload, uploaded_garment

J = {name: i for i, name in enumerate(COCO18)}


def test_the_most_similar_pose_is_found_by_the_joints_that_both_show():
    one = torch.from_numpy(keypoints(1.0))
    others = one.repeat(3, 1, 1)
    others[0, J["right wrist"], :2] += 30
    others[1, J["right wrist"], :2] += 3
    others[2, J["nose"]] = 0  # not seen: no evidence against it
    assert similar(one, others[:2], (160, 120)) == 1
    assert similar(one, others, (160, 120)) == 2
    others[:, :8, 2] = 0
    with pytest.raises(ValueError, match="nobody who shares four joints"):
        similar(one, others, (160, 120))


def test_both_sides_show_the_same_garments():
    torch.manual_seed(0)
    pipeline = TryOnPipeline(build_gmm(SMOKE), build_tom(SMOKE, "cbam"), SMOKE.person).eval().requires_grad_(False)
    portrait = fitting.read_portrait(Upload("drawn", drawing(2.0)[0], (320, 240)), SMOKE.size, DrawnBackend())
    shirt = np.full((400, 300, 3), 255, np.uint8)
    shirt[80:300, 80:220] = (200, 40, 40)
    tryons = fitting.fit(portrait, [uploaded_garment(Upload(n, shirt, (400, 300)), 20) for n in "ab"], pipeline)
    batch = random_batch(1)
    with torch.inference_mode():
        person, warp, drawn = pipeline(batch)
    sides = {name: (warp, drawn, batch["image"][0]) for name in "ab"}
    figure = application(tryons, batch, person, sides, tryons)
    shown = [ax for part in figure.subfigs for ax in part.axes if ax.images]
    assert len(shown) == (4 + 2 * 5) + (2 + 2 * 4) + 3, "stages and two garments on both sides, and the second row"
    assert any((ax.images[0].get_array() == tryons[1].image).all() for ax in shown
               if ax.images[0].get_array().shape == tryons[1].image.shape)  # fmt: skip
    with pytest.raises(ValueError, match=r"both sides, found \['a', 'b'\] and \['a'\]"):
        application(tryons, batch, person, {"a": sides["a"]})


def test_skin_comes_out_where_a_high_collar_was_though_the_network_painted_wall():
    rgb, labels = drawing(3.0)
    collar = (labels == 10) & (np.mgrid[: labels.shape[0], : labels.shape[1]][0] > 3 * 50)
    rgb[collar], labels[collar] = (40, 90, 170), 5  # worn up to the chin
    nowhere = np.zeros(labels.shape, np.float32)
    wall = np.full((*labels.shape, 3), WALL, np.float32)
    known = np.ones(labels.shape, bool)
    out, changed = compose(Scene(rgb, labels, ~known, known, keypoints(3.0)), Layers(wall, wall, nowhere, nowhere))
    seen = np.median(out[collar & changed], axis=0)
    assert np.abs(seen - SKIN).max() < np.abs(seen - WALL).max() and np.abs(seen - SKIN).max() < 45
