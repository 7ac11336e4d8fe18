"""Warps side by side: errors against known warps, places in the volume, descent, and their figures."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from worlds import write_viton

from mavton_lite import warp_study as study
from mavton_lite.config import PAPER, SMOKE
from mavton_lite.data.person import Person
from mavton_lite.models.build import build_gmm
from mavton_lite.models.gmm import Warp
from mavton_lite.plots import gmm as drawing
from mavton_lite.plots import style
from mavton_lite.plots import warps as figures
from mavton_lite.warp import TPSGrid, correlation, l2_normalise
from mavton_lite.warp.shape_context import BENDING, match

HEIGHT, WIDTH = SMOKE.size


@pytest.fixture(scope="module")
def examples(atelier) -> study.Examples:
    return study.load_examples(atelier, SMOKE, 4)


@pytest.fixture(scope="module")
def gmm():
    torch.manual_seed(0)
    return build_gmm(SMOKE).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def grids(gmm, examples):
    return study.warps(gmm, examples, points=60)


def as_grid(truth: torch.Tensor) -> torch.Tensor:
    """A true warp as a sampling grid, 0 where no garment is seen.   Shape: (N, 2, H, W) px -> (N, H, W, 2)."""
    return (truth.permute(0, 2, 3, 1) / torch.tensor([(WIDTH - 1) / 2, (HEIGHT - 1) / 2]) - 1).nan_to_num()


def test_every_way_gives_a_warp_and_the_bounds_hold(examples, grids):
    assert tuple(grids) == study.WAYS
    assert all(grid.shape == (4, HEIGHT, WIDTH, 2) and grid.isfinite().all() for grid in grids.values())
    found = study.errors(grids | {"the truth": as_grid(examples.truth)}, examples)
    assert tuple(found)[-2:] == study.BOUNDS
    assert np.nanmax(found["the truth"]) < 1e-3
    best = np.nanmean(found[study.BEST_TPS])
    assert best < np.nanmean(found[study.BEST_AFFINE]) < np.nanmean(found[study.NONE])
    for name in (study.MOMENTS, study.SHAPES):  # both were shown the outline
        assert np.nanmean(found[name]) < 0.6 * np.nanmean(found[study.NONE])


def test_data_without_truth_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no true warps"):
        study.load_examples(write_viton(tmp_path), SMOKE, 2, split="test", pairs="paired")


def test_a_table_has_a_row_a_way_and_a_column_a_group():
    found = {"a": np.array([1.0, 3.0, np.nan]), "b": np.array([2.0, 2.0, 2.0])}
    table = study.comparison(found, [["arm in front"], [], ["arm in front"]])
    assert list(table.columns[1:]) == ["all (3)", "arm in front (2)", "other (1)"]
    assert table["arm in front (2)"].tolist() == ["1.0 [1.0, 1.0]", "2.0 [2.0, 2.0]"]
    assert table["all (3)"][0].startswith("2.0 [")


def test_contests_are_decided_by_the_interval():
    values = np.linspace(5, 10, 30)
    found = {"near": values - 2, "far": values, "same": values + np.tile([-1, 1], 15)}
    assert "near is closer than far: -2.0 px" in study.contest(found, "near", "far")
    assert "far is farther off than near" in study.contest(found, "far", "near")
    assert "cannot be told from" in study.contest(found, "same", "far")


def test_places_of_the_volume_by_hand(gmm, examples):
    volume = study.volume_of(gmm, examples)
    person, cloth, _ = examples.inputs
    a, b = l2_normalise(gmm.person(person)), l2_normalise(gmm.cloth(cloth))
    torch.testing.assert_close(volume, correlation(a, b))
    places = study.by_place(volume)
    for row, column, y, x in ((0, 0, 0, 0), (2, 5, 7, 3), (15, 11, 1, 10)):
        wanted = (a[1, :, row, column] * b[1, :, y, x]).sum()
        torch.testing.assert_close(places[1, row, column, y, x], wanted, atol=1e-5, rtol=1e-5)


def test_true_places_are_means_of_cells_that_are_mostly_garment():
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(6.0), indexing="ij")
    truth = torch.stack([x, y])[None].clone()
    truth[..., :4, :3] = torch.nan  # the upper left of four cells
    truth[..., 0, 5] = torch.nan  # a single pixel of the upper right
    found = study.true_places(truth, 2, 2)
    assert found[0, :, 0, 0].isnan().all()
    torch.testing.assert_close(found[0, :, 1, 1], torch.tensor([4.0, 5.5]))
    torch.testing.assert_close(found[0, 0, 0, 1], (x[:4, 3:].sum() - 5) / 11)


def test_a_volume_that_knows_the_answer_is_seen_to(examples, grids):
    """Each cell of the body is given its strongest match in the cell of the cloth that it truly shows."""
    rows, columns = 16, 12
    wanted = study.true_places(examples.truth, rows, columns).nan_to_num()
    x = ((wanted[:, 0] + 0.5) / WIDTH * columns).long().clamp(0, columns - 1)
    y = ((wanted[:, 1] + 0.5) / HEIGHT * rows).long().clamp(0, rows - 1)
    places = torch.zeros(len(x), rows, columns, rows * columns).scatter_(3, (y * columns + x)[..., None], 1.0)
    volume = places.view(-1, rows, columns, rows, columns).transpose(1, 2).reshape(-1, rows * columns, rows, columns)
    found = study.match_errors(volume, as_grid(examples.truth), examples)
    cell_px = 16 * 2**0.5  # at 256 x 192
    assert found["strongest match"] < cell_px / 2
    assert found["a place at random"] > 3 * found["strongest match"]
    assert found["the same place"] > found["strongest match"]


def test_swapping_asks_for_the_other_input(examples):
    """A module that reads a shift off the person alone: another garment changes nothing, another person does."""

    def module(person, cloth, mask):
        theta = person.mean((1, 2, 3))[:, None].expand(-1, 50)
        return Warp(cloth, mask, TPSGrid(HEIGHT, WIDTH)(theta), theta)

    found = study.swapped(module, examples)
    np.testing.assert_allclose(found["own"], found["another garment"])
    assert not np.allclose(found["own"], found["another person"], equal_nan=True)


def test_descent_lowers_the_loss_and_the_bend_term_holds_it_back(atelier):
    pairs = study.load_examples(atelier, SMOKE, 2, "paired")
    few = study.StudySettings(n=2, descents=2, steps=1)
    many = study.StudySettings(n=2, descents=2, steps=40)
    start, free, held = study.descend(pairs, few), study.descend(pairs, many), study.descend(pairs, many, weight=100.0)
    assert (free.loss < start.loss).all() and (held.loss > free.loss).all()
    assert free.grid.shape == (2, HEIGHT, WIDTH, 2) and not free.grid.requires_grad


def test_the_drawing_has_the_papers_shapes():
    with torch.device("meta"):
        shapes = drawing.trace(build_gmm(PAPER))
    assert shapes.person == shapes.cloth and shapes.person[0] == (64, 128, 96)
    assert shapes.person[3:] == [(512, 16, 12)] * 3 and shapes.volume == (192, 16, 12) and shapes.theta == (50,)
    assert shapes.regression == [(512, 8, 6), (256, 4, 3), (128, 4, 3), (64, 4, 3)]
    assert list(shapes.parameters.values()) == [7_498_560, 7_479_104, 4_079_986]


def test_the_lattice_lies_where_the_spline_reads():
    theta = 0.2 * torch.randn(1, 50, generator=torch.Generator().manual_seed(0))
    there, grid = drawing.lattice(theta[0], 5), TPSGrid(9, 9)(theta)[0]
    for column, row in ((0, 0), (1, 3), (4, 2)):
        torch.testing.assert_close(grid[2 * row, 2 * column], there[column, row], atol=1e-5, rtol=0)


def drawn(figure) -> str:
    """All words of a figure, after it was saved once (a missing glyph would raise)."""
    style.use()
    figure.savefig(io.BytesIO(), dpi=40)
    return " ".join(t.get_text() for axes in figure.axes for t in (axes.title, *axes.texts, *axes.get_yticklabels()))


def test_figures_show_what_was_measured(gmm, examples, grids, tmp_path):
    found = study.errors(grids, examples)
    words = drawn(figures.warp_errors(found, examples.tags, study.BOUNDS))
    assert all(name in words for name in found) and words.count("fitted to the truth") == 2
    volume = study.volume_of(gmm, examples)
    truth = study.true_places(examples.truth, 16, 12)
    asked = [tuple(p) for p in truth[0].isfinite().all(0).nonzero()[:2].tolist()]
    some = examples.batch["truth_image"][0], examples.batch["cloth"][0], study.by_place(volume)[0], truth[0]
    assert f"row {asked[1][0]}, column {asked[1][1]}" in drawn(figures.matches(*some, asked, truth[0]))
    masks = examples.batch["cloth_mask"][0, 0].numpy(), examples.worn[0, 0].numpy()
    rounds = {f"round {n}": match(*masks, 40, BENDING[:n]) for n in (1, 3)}
    assert "round 3" in drawn(figures.outlines(*some[1::-1], rounds))
    errors = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}
    assert len(figures.valleys(errors, errors).axes[0].lines) == 4


def test_figure_2_10_is_drawn_from_running_modules(gmm, examples, tmp_path):
    one = slice(0, 1)
    person = Person(*(part[one] for part in examples.person))
    warp = gmm(*(part[one] for part in examples.inputs))
    volume = study.volume_of(gmm, examples)[one]
    shapes = drawing.trace(gmm)
    figure = drawing.matching_module(shapes, person, examples.batch["cloth"][one], warp, 5, volume)
    words = drawn(figure)
    assert f"{sum(shapes.parameters.values()):,}" in words and "(2-10)" in words and "特征提取" in words
    assert style.save(figure, tmp_path / "a.png", dpi=40).exists()
