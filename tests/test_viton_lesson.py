"""Notebook 08: its drawings, its matching table, its study of alpha and its exercises."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from worlds import random_batch

from mavton_lite import answers_viton as answers
from mavton_lite.config import PAPER, SMOKE
from mavton_lite.exercise import check
from mavton_lite.models.build import build_coarse, build_refinement
from mavton_lite.models.tryon_viton import VITONPipeline
from mavton_lite.models.viton import Coarse
from mavton_lite.plots import outlines, style, viton
from mavton_lite.studio.outlines import STIFFNESS, Table, found, lay, warped
from mavton_lite.viton_study import STUDIES, alphas
from mavton_lite.warp.shape_context import boundary, shape_context


@pytest.fixture(scope="module")
def batch():
    return random_batch(2)


@pytest.fixture
def pipeline(batch):
    """A VITON that has learnt nothing but where the garment is."""
    made = VITONPipeline(build_coarse(SMOKE), build_refinement(SMOKE), SMOKE).eval()

    class Known(torch.nn.Module):
        def forward(self, agnostic, cloth):
            mask = torch.zeros_like(cloth[:, :1])
            mask[..., 20:50, 12:36] = 1
            return Coarse(torch.zeros_like(cloth), mask)

    made.coarse = Known()
    return made


def texts(figure) -> str:
    return "\n".join(t.get_text() for axes in figure.axes for t in axes.texts)


def test_the_encoder_decoder_is_drawn_from_the_running_module(tmp_path):
    style.use()
    with torch.device("meta"):
        shapes = viton.trace_encoder_decoder(build_coarse(PAPER), PAPER.size)
    assert shapes.shown == (25, 256, 192) and shapes.parameters == 29_269_632
    assert shapes.down[-1] == (512, 4, 3) and [j[0] for j in shapes.joined] == [512, 1024, 1024, 512, 256, 128]
    assert shapes.up[-1] == (4, 256, 192)
    figure = viton.encoder_decoder(shapes)
    said = texts(figure)
    assert "64 × 128 × 96" in said and "29,269,632 parameters" in said and "dropout 0.5" in said
    assert style.save(figure, tmp_path / "a.png").stat().st_size > 20_000
    other = viton.trace_encoder_decoder(build_coarse(SMOKE), SMOKE.size)
    assert "8 × 32 × 24" in texts(viton.encoder_decoder(other)) and "dropout" not in texts(viton.encoder_decoder(other))


def test_the_whole_is_drawn_from_one_example(tmp_path, batch, pipeline):
    style.use()
    shown = viton.scene(pipeline, batch, 1)
    assert len(shown.flat_points) == len(shown.worn_points) > 20
    assert shown.mask.max() == 1 and shown.alpha.max() > 0 and shown.tryon.shape == (64, 48, 3)
    assert shown.worn_points[:, 0].min() > 10 and shown.worn_points[:, 0].max() < 37  # on the outline of the mask
    figure = viton.overview(pipeline, shown, SMOKE.size)
    counted = sum(p.numel() for p in pipeline.refine.parameters())
    assert f"{counted:,}" in texts(figure)
    assert style.save(figure, tmp_path / "a.png").stat().st_size > 20_000
    blind = VITONPipeline(build_coarse(SMOKE), build_refinement(SMOKE), SMOKE).eval()  # draws no mask: no partners
    assert len(viton.scene(blind, batch).flat_points) == 0
    style.save(viton.overview(blind, viton.scene(blind, batch), SMOKE.size), tmp_path / "b.png")


def test_contexts_and_prices_are_drawn(tmp_path, batch):
    style.use()
    points = [boundary(m[0].numpy(), 40).points for m in batch["cloth_mask"]]
    seen = [shape_context(p) for p in points]
    pictures = [viton.as_array(c) for c in batch["cloth"]]
    figure = outlines.contexts(pictures, points, (3, 5), (seen[0][3], seen[1][5]), ("left", "right"))
    assert [a.get_title(loc="center") for a in figure.axes[:2]] == ["left", "right"]
    style.save(figure, tmp_path / "a.png")
    curves = {0.0: torch.tensor([0.5, 0.4]), 1.0: torch.tensor([0.5, 0.41])}
    figure = outlines.rewards(curves)
    heights = [t.get_position()[1] if not hasattr(t, "xy") else t.xy[1] for t in figure.axes[0].texts]
    assert len(figure.axes[0].lines) == 2 and abs(heights[0] - heights[1]) > 0.08  # names apart


def test_the_matching_table_answers_its_controls(batch):
    goal = torch.zeros(2, 1, 64, 48)
    goal[..., 20:56, 10:38] = 1
    laid = lay(Table(), batch["image"], batch["cloth"], batch["cloth_mask"], goal, 128)
    assert laid.dtype == np.uint8 and laid.shape[0] == 128 and laid.shape[1] == 4 * 96 + 3 * 4
    fewer = lay(Table(points=10), batch["image"], batch["cloth"], batch["cloth_mask"], goal, 128)
    assert not np.array_equal(laid, fewer)
    bent = {k: warped(found(Table(stiffness=k), batch["cloth_mask"], goal), batch["cloth_mask"][0]) for k in STIFFNESS}
    both = {k: (torch.minimum(v, goal[0]).sum() / torch.maximum(v, goal[0]).sum()).item() for k, v in bent.items()}
    assert both["as VITON"] > 0.9 and both["affine only"] > 0.8  # one rectangle onto another
    for state, message in ((Table(example=2), "no example 2"), (Table(stiffness="iron"), "known: affine only")):
        with pytest.raises(ValueError, match=message):
            found(state, batch["cloth_mask"], goal)


def test_an_affine_table_keeps_lines_straight(batch):
    goal = torch.zeros(2, 1, 64, 48)
    goal[..., 20:56, 10:38] = 1
    goal[..., 20:40, 10:16] = 0  # a bite that only a spline could follow
    matching = found(Table(stiffness="affine only"), batch["cloth_mask"], goal)
    line = matching.spline(np.stack([np.linspace(0, 47, 9), np.linspace(0, 63, 9)], 1))
    assert np.abs(np.diff(line, n=2, axis=0)).max() < 0.05
    loose = found(Table(stiffness="loose"), batch["cloth_mask"], goal)
    line = loose.spline(np.stack([np.linspace(0, 47, 9), np.linspace(0, 63, 9)], 1))
    assert np.abs(np.diff(line, n=2, axis=0)).max() > 0.5


def test_the_widget_has_a_picture_without_a_front_end(batch):
    from mavton_lite.studio.widgets import matching_table

    table = matching_table(batch["image"], batch["cloth"], batch["cloth_mask"], batch["cloth_mask"])
    before = table.image.value
    table.controls["stiffness"].value = "affine only"
    table.controls["points"].value = 20
    assert table.image.value != before and "image/png" in table._repr_mimebundle_()


def test_a_reward_makes_alpha_rise(batch, pipeline):
    before = {k: v.clone() for k, v in pipeline.refine.state_dict().items()}
    state = torch.random.get_rng_state()
    curves = alphas(pipeline, SMOKE, batch, (0.0, 5.0), 6)
    assert torch.equal(torch.random.get_rng_state(), state), "the reader's random numbers are left alone"
    assert curves[0.0][0] == curves[5.0][0] and len(curves[5.0]) == 6
    assert curves[5.0][-1] > curves[5.0][0] + 0.02 and curves[5.0][-1] > curves[0.0][-1]
    assert all(torch.equal(v, before[k]) for k, v in pipeline.refine.state_dict().items())
    assert set(STUDIES) == {"smoke", "lite", "paper"}


# --- exercises: right answers pass, likely wrong ones do not


def variation(mask):
    return ((mask[:, :, 1:] - mask[:, :, :-1]).abs().sum() + (mask[..., 1:] - mask[..., :-1]).abs().sum()) / len(mask)


def cheapest(cost):
    return min(sum(cost[i, j] for i, j in enumerate(p)) for p in itertools.permutations(range(len(cost))))


def greedy(cost):
    free, total = set(range(len(cost))), 0.0
    for row in cost:
        best = min(free, key=lambda j: row[j])
        free.remove(best)
        total += row[best]
    return total


def test_right_answers_are_right(capsys):
    assert check(variation, answers.variation_cases())
    assert check(cheapest, answers.cheapest_cases())
    assert check(lambda layers: 2 * layers + 1, [((k,), answers.alpha_sees(k)) for k in (1, 2, 3, 8)])
    assert answers.alpha_sees(3) == 7


@pytest.mark.parametrize(
    "wrong",
    [
        lambda m: variation(m) * len(m),  # not divided by the pictures
        lambda m: variation(m) / m[0].numel(),  # a mean over pixels
        lambda m: (m[:, :, 1:] - m[:, :, :-1]).abs().sum() / len(m),  # down only
        lambda m: ((m[:, :, 1:] - m[:, :, :-1]) ** 2).sum() / len(m) + ((m[..., 1:] - m[..., :-1]) ** 2).sum() / len(m),
    ],
)
def test_wrong_variations_are_refused(wrong):
    assert not check(wrong, answers.variation_cases())


@pytest.mark.parametrize("wrong", [greedy, lambda c: c.min(1).sum(), lambda c: np.trace(c)])
def test_wrong_assignments_are_refused(wrong):
    assert not check(wrong, answers.cheapest_cases())


@pytest.mark.parametrize("wrong", [lambda k: 3 * k, lambda k: 3**k, lambda k: 2 * k])
def test_wrong_reaches_are_refused(wrong):
    assert not check(wrong, [((k,), answers.alpha_sees(k)) for k in (1, 2, 3, 8)])


def test_the_study_changes_only_the_price(batch, pipeline):
    settings = dataclasses.replace(SMOKE.viton, take=0.7)
    curves = alphas(pipeline, dataclasses.replace(SMOKE, viton=settings), batch, (0.0,), 2)
    again = alphas(pipeline, SMOKE, batch, (0.0,), 2)
    assert torch.equal(curves[0.0], again[0.0])
