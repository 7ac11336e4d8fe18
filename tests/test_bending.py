"""The bending bench and the widget around it; the exercises of notebook 09."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from mavton_lite import answers_gmm as answers
from mavton_lite.exercise import check
from mavton_lite.studio.bending import Bench, Point, Scene
from mavton_lite.studio.widgets import BendingBench
from mavton_lite.warp import TPSGrid, resample

SIZE = (64, 48)


@pytest.fixture
def scene() -> Scene:
    """Two garments whose true warp is one point of the lattice pulled aside."""
    chance = torch.Generator().manual_seed(0)
    mask = torch.zeros(2, 1, *SIZE)
    mask[:, :, 12:50, 10:38] = 1
    cloth = torch.where(mask > 0, torch.rand(2, 3, 1, 1, generator=chance) * 2 - 1, torch.ones(()))
    theta = torch.zeros(2, 50)
    theta.view(2, 2, 5, 5)[:, 0, 1, 3] = 0.2  # the point in column 1, row 3 reads 10 % further right
    grid = TPSGrid(*SIZE)(theta)
    worn = (resample(mask, grid, "zeros") > 0.5).float()
    truth = ((grid + 1) * torch.tensor([(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])).permute(0, 3, 1, 2)
    truth = truth.where(worn > 0, torch.nan)
    return Scene(cloth, mask, resample(cloth, grid), worn, truth, {"nothing": torch.zeros(2, 50), "the truth": theta})


def test_the_right_move_of_the_right_point_is_the_true_warp(scene):
    bench, at = Bench(scene), Point(row=3, column=1)
    before = bench.bent(at)
    assert before.error_px > 1 and torch.equal(before.theta, torch.zeros(1, 50))
    bench.move(at, 10, 0)
    after = bench.bent(at)
    assert after.error_px < 1e-3 and after.overlap == 1
    torch.testing.assert_close(after.theta, scene.starts["the truth"][:1])
    assert Bench(scene).bent(Point(start="the truth")).error_px < 1e-3
    for wrong in (Point(row=1, column=3), at):  # rows and columns change places; down instead of right
        other = Bench(scene)
        other.move(wrong, *((10, 0) if wrong != at else (0, 10)))
        assert other.bent(wrong).error_px > before.error_px


def test_points_examples_and_starts_keep_their_own_offsets(scene):
    bench = Bench(scene)
    bench.move(Point(row=3, column=1), 10, -5)
    bench.move(Point(row=0, column=4), 2, 3)
    assert bench.offset(Point(row=3, column=1)) == (10, -5) and bench.offset(Point(row=0, column=4)) == (2, 3)
    assert bench.offset(Point(example=1, row=3, column=1)) == (0, 0)
    assert bench.offset(Point(start="the truth", row=3, column=1)) == (0, 0)
    assert torch.equal(scene.starts["nothing"], torch.zeros(2, 50)), "the scene is not written to"
    for bad in (Point(row=5), Point(column=-1), Point(example=2), Point(start="elsewhere")):
        with pytest.raises(ValueError, match="wanted one of 2 examples"):
            bench.move(bad, 1, 1)


def test_the_picture_follows_point_and_move(scene):
    bench = Bench(scene)
    still, held = bench.draw(Point(), 96), bench.draw(Point(row=1), 96)
    assert still.dtype == np.uint8 and still.shape == (96 + 34, 4 * 72 + 3 * 3, 3)
    assert not np.array_equal(still, held)
    bench.move(Point(), 15, 0)
    moved = bench.draw(Point(), 96)
    assert not np.array_equal(moved[:, :72], still[:, :72])  # the lattice on the flat garment
    assert np.array_equal(moved[:96, -72:], still[:96, -72:])  # the truth stays


def test_the_widget_gives_every_point_its_own_sliders(scene):
    widget = BendingBench(scene)
    first = widget.image.value
    assert Image.open(io.BytesIO(first)).size[0] > 800
    widget.controls["right"].value = 12.0
    assert widget.image.value != first and widget.bench.offset(Point()) == (12, 0)
    widget.controls["row"].value = 0
    assert widget.controls["right"].value == 0 and widget.bench.offset(Point(row=0)) == (0, 0)
    assert widget.bench.offset(Point()) == (12, 0), "to look at another point moves nothing"
    widget.controls["down"].value = -4.0
    widget.controls["row"].value = 2
    assert widget.controls["right"].value == 12 and widget.controls["down"].value == 0
    assert widget.bench.offset(Point(row=0)) == (0, -4)
    widget.controls["start"].value = "the truth"
    assert widget.controls["right"].value == 0
    bundle = widget._repr_mimebundle_()
    assert "image/png" in (bundle if isinstance(bundle, dict) else bundle[0])


def test_exercises_tell_right_from_wrong():
    places, volumes, shifts = answers.place_cases(), answers.correlation_cases(), answers.shift_cases()
    assert check(lambda channel, rows: (channel % rows, channel // rows), places)
    assert not check(lambda channel, rows: (channel // 12, channel % 12), places), "counted row by row"
    assert not check(lambda channel, rows: (channel // rows, channel % rows), places)
    assert not check(lambda channel, rows: None, places)

    def by_einsum(a, b):
        return torch.einsum("bcyx,bcij->bxyij", a, b).flatten(1, 2)

    assert check(by_einsum, volumes)
    assert not check(lambda a, b: torch.einsum("bcyx,bcij->byxij", a, b).flatten(1, 2), volumes), "row by row"
    assert not check(lambda a, b: by_einsum(b, a), volumes), "the other map's places"

    def shift(right, down, height, width):
        return torch.cat([torch.full((25,), -2 * right / (width - 1)), torch.full((25,), -2 * down / (height - 1))])

    assert check(shift, shifts)
    assert not check(lambda right, down, height, width: -shift(right, down, height, width), shifts), "forwards"
    assert not check(lambda right, down, height, width: shift(down, right, height, width), shifts)
    assert not check(lambda right, down, height, width: shift(right, down, height + 1, width + 1), shifts), "corners"


def test_a_shift_of_offsets_shifts_the_picture():
    picture = torch.rand(1, 1, 12, 10, generator=torch.Generator().manual_seed(0))
    moved = resample(picture, TPSGrid(12, 10)(answers.offsets_of_shift(2, 3, 12, 10)[None]), "zeros")
    torch.testing.assert_close(moved[..., 3:, 2:], picture[..., :-3, :-2], atol=1e-5, rtol=0)
