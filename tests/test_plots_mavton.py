"""The drawings of chapter 3: their numbers are those of the running modules, and they can be written."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from worlds import random_batch

from mavton_lite.cases import first_with
from mavton_lite.config import PAPER, SMOKE
from mavton_lite.gradients import ALONG, TOTAL
from mavton_lite.losses import PerceptualLoss
from mavton_lite.models.build import build_discriminator, build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.plots import joint, mavton, style
from mavton_lite.switching import ALL, SAYS, WAYS


def texts(figure) -> str:
    return " | ".join(t.get_text() for axes in figure.axes for t in [*axes.texts, axes.title, axes._left_title])


@pytest.fixture(scope="module")
def shapes():
    with torch.device("meta"):
        return mavton.trace_pipeline(build_gmm(PAPER), build_tom(PAPER, "cbam"), PAPER.size)


@pytest.fixture(scope="module")
def passed():
    style.use()
    torch.manual_seed(0)
    pipeline = TryOnPipeline(build_gmm(SMOKE), build_tom(SMOKE, "cbam"), SMOKE.person).eval()
    batch = random_batch(2, truth=True)
    return pipeline, batch, mavton.scene(pipeline, batch, 1)


def test_shapes_are_the_papers(shapes):
    assert shapes.parameters == {"gmm": 19_057_650, "tom": 21_426_030} and shapes.gates == 76_778 and shapes.skips == 5
    assert shapes.shown("person") == shapes.shown("cloth") == "512 × 16 × 12"
    assert shapes.seen["regression"] == ([(192, 16, 12)], (50,)) and shapes.seen["unet"][1] == (4, 256, 192)
    assert shapes.layers["regression"][-1] == (64, 4, 3) and len(shapes.layers["person"]) == 6


def test_a_scene_is_what_the_pipeline_gives(passed):
    pipeline, batch, shown = passed
    with torch.no_grad():
        _, warp, tryon = pipeline(batch)
    assert torch.allclose(torch.tensor(shown.mask), tryon.mask[1, 0]) and shown.tryon.shape == (64, 48, 3)
    side = SMOKE.gmm.grid
    corner = torch.tensor([-1.0, 1.0]) + warp.theta[1].view(2, side, side)[:, 0, -1]  # left, below: y is fastest
    assert torch.allclose(torch.tensor(shown.points[0, -1]), corner, atol=1e-6)
    assert shown.match.shape == (16, 12) and 0 <= shown.asked[0] < 16 and 0 <= shown.asked[1] < 12


def test_the_match_is_the_place_that_is_framed(passed):
    from mavton_lite.data.person import represent
    from mavton_lite.warp import l2_normalise

    pipeline, batch, shown = passed
    with torch.no_grad():
        person = l2_normalise(pipeline.gmm.person(represent(batch, pipeline.person).matching))[1]  # (C, h, w)
        garment = l2_normalise(pipeline.gmm.cloth(batch["cloth"]))[1]
    row, column = shown.asked
    wanted = (person[:, row, column, None, None] * garment).sum(0)
    assert torch.allclose(torch.tensor(shown.match), wanted, atol=1e-5)


def test_the_drawings_say_it(shapes, passed, tmp_path):
    _, _, shown = passed
    drawn = {
        "overview": (mavton.overview(shapes, shown), ("21,426,030", "76,778", "22 × 256 × 192")),
        "warping": (mavton.warping(shapes, shown), ("192 × 16 × 12", "512 × 8 × 6", "$\\theta$: 50")),
        "tryon": (joint.tryon_module(shapes, {"A": shown, "B": shown}), ("25 × 256 × 192 → 4 × 256 × 192", "truth")),
    }
    for name, (figure, words) in drawn.items():
        assert all(word in texts(figure) for word in words), name
        assert style.save(figure, tmp_path / f"{name}.png", dpi=40).stat().st_size > 5_000


def test_the_joint_loss_is_drawn_from_its_modules(passed, tmp_path):
    _, _, shown = passed
    judge = build_discriminator(PAPER)
    seen = joint.trace_judges(judge, PerceptualLoss(PAPER.loss), PAPER.size)
    assert seen.judge[0] == (28, 256, 192) and seen.judge[-1] == (1, 30, 22)
    assert [w for w, _ in seen.levels] == [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1] and seen.levels[-1][1] == (512, 16, 12)
    figure = joint.joint_loss(seen, shown, shown.mask, PAPER.loss)
    assert "30 × 22" in texts(figure) and "× 1/32" in texts(figure) and "× 0.1" in texts(figure)
    assert style.save(figure, tmp_path / "loss.png", dpi=40).stat().st_size > 5_000
    assert all(not m._forward_hooks for m in judge.modules()), "a hook was left"


def gradients(tmp_path, broken: bool = False):
    rows = [{"step": 1 + 5 * i, "discriminator": 1e-6 if 10 <= i < 16 and broken else 0.5, "l1": 1.0, "perceptual": 6.0,
             "mask": 1.0, "adversarial": 2.0, TOTAL: 7.0, **{ALONG + t: 0.1 for t in joint.TERMS}}
            for i in range(30)]  # fmt: skip
    path = tmp_path / "gradients.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return joint.read_gradients(path)


def test_gradients_are_drawn_and_summed_up(tmp_path):
    log = gradients(tmp_path)
    table = joint.pull_table(log)
    assert len(table) == 3 * 4 and table["share"].tolist()[:4] == [0.1, 0.6, 0.1, 0.2]
    assert table["steps"].iloc[0] == "1 to 46" and set(table["cosine"]) == {0.1}
    figure = joint.pulls(log)
    assert len(figure.axes) == 3 and style.save(figure, tmp_path / "pulls.png", dpi=40).stat().st_size > 5_000
    (tmp_path / "log.csv").write_text("step,loss\n1,2\n")
    with pytest.raises(ValueError, match="log.csv: found columns step, loss"):
        joint.read_gradients(tmp_path / "log.csv")
    with pytest.raises(ValueError, match="none.csv"):
        joint.read_gradients(tmp_path / "none.csv")


def test_a_discriminator_that_falls_silent_is_found(tmp_path):
    assert joint.silences(gradients(tmp_path)) == []
    assert joint.silences(gradients(tmp_path, broken=True)) == [(51, 76)]


def test_switches_are_drawn(tmp_path):
    rows = [{"gate": gate, "way": way, "metric": metric, "difference": 0.1, "low": 0.0, "high": 0.2, "n": 9,
             "verdict": verdict}
            for metric in ("ssim_garment", "ssim_arms") for way in WAYS
            for gate, verdict in zip(("level1", "level2", ALL), SAYS.values(), strict=True)]  # fmt: skip
    figure = joint.switch_figure(pd.DataFrame(rows), WAYS)
    assert len(figure.axes) == 6 and figure.axes[0].get_yticklabels()[0].get_text() == "skip 1"
    assert style.save(figure, tmp_path / "switches.png", dpi=40).stat().st_size > 5_000


def test_people_are_chosen_by_tag():
    from mavton_lite.config import SEED
    from mavton_lite.data.atelier import garment_of, person_of
    from mavton_lite.data.atelier.tags import tags_of

    found = first_with(("arm in front", "long hair over cloth", "stripes"), people=120)
    assert len(set(found.values())) == 3
    for tag, i in found.items():
        person, own, new = person_of(SEED, "test", i), garment_of(SEED, "test", i), garment_of(SEED, "test", i ^ 1)
        assert tag in tags_of(person, own, new)
    with pytest.raises(ValueError, match="unknown tag 'three arms'"):
        first_with(("three arms",))
    with pytest.raises(ValueError, match="none of the first 1 people"):
        first_with(("arm in front", "long hair over cloth", "stripes", "lettering"), people=1)
