"""The plots of the Atelier and of the networks: that they show what they say, and can be written."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mavton_lite.attention import record
from mavton_lite.config import PAPER, SMOKE
from mavton_lite.data import collate
from mavton_lite.data.person import represent
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.plots import architecture, atelier, attention, models, style
from mavton_lite.plots.colours import as_array, heat_over, parse_colours, warp_colours, warp_lines
from mavton_lite.studio.dressing import sample_of

SIZE = (64, 48)


def texts(figure) -> str:
    return " | ".join(t.get_text() for axes in figure.axes for t in [*axes.texts, axes.title, axes._left_title])


@pytest.fixture(scope="module")
def samples():
    style.use()
    return [sample_of("test", p, p, SIZE) for p in (0, 3)], [sample_of("test", p, p ^ 1, SIZE) for p in (0, 3)]


def test_pictures_of_facts():
    assert np.allclose(as_array(torch.tensor([-1.0, 0, 1]).view(3, 1, 1))[0, 0], [0, 0.5, 1])
    assert np.allclose(parse_colours(torch.tensor([[0, 13]])), [[[1, 1, 1], [0, 0, 254 / 255]]])
    y, x = np.mgrid[:8, :6].astype(float)
    warp = np.stack([x, y])
    warp[:, 0, 0] = np.nan
    colours = warp_colours(warp)
    assert np.allclose(colours[0, 0], 1) and not np.allclose(colours[1, 1], 1)
    assert not np.allclose(colours[-1, -1], colours[-1, 0]), "places far apart have other colours"
    lines = warp_lines(np.ones((8, 6, 3)), warp, every_px=3, colour=(1, 0, 0))
    drawn = np.isclose(lines, [1, 0, 0]).all(-1)
    assert drawn[:, 2].sum() >= 7 and drawn[2, 1:].all() and not drawn[0, 0] and not drawn[1, 1]
    heat = heat_over(np.full((2, 2, 3), 0.5), np.array([[0.0, 0.4], [0.6, 1.0]]), 0.2, 0.8)
    assert heat[1, 1].sum() > heat[1, 0].sum() > heat[0, 1].sum() > heat[0, 0].sum()


def test_contact_sheet(samples, tmp_path):
    figure = atelier.contact_sheet(*samples)
    assert "true try-on" in texts(figure) and "试穿真值" in texts(figure)
    assert sum(bool(a.images) for a in figure.axes) == 2 * 7 + 1
    assert style.save(figure, tmp_path / "sheet.png", dpi=40).stat().st_size > 10_000
    with pytest.raises(ValueError, match="the same people"):
        atelier.contact_sheet(samples[0], samples[1][::-1])


def test_person_representation(samples, tmp_path):
    sample = samples[1][0]
    person = represent(collate([sample]), SMOKE.person)
    figure = models.person_representation(sample, person, SMOKE.person.kept_labels)
    shown = [np.asarray(a.images[0].get_array()) for a in figure.axes if a.images]
    assert len(shown) == 2 + 3 + 22 and np.array_equal(shown[-22], person.agnostic[0, 0].numpy())
    assert "22 × 64 × 48" in texts(figure) and "lower body" in texts(figure)
    style.save(figure, tmp_path / "person.png", dpi=40)


def test_traced_shapes_are_the_papers_and_cost_nothing():
    with torch.device("meta"):
        shapes = architecture.trace(build_tom(PAPER, "cbam"), PAPER.size)
    assert (shapes.parameters, shapes.gate_parameters) == (21_349_252 + 76_778, 76_778)
    assert shapes.shown == (25, 256, 192) and shapes.up[-1] == (4, 256, 192)
    assert [s[0] for s in shapes.down] == [64, 128, 256, 512, 512, 512] and shapes.down[-1] == (512, 4, 3)
    assert shapes.gates["level2"] == [(128, 1, 1), (1, 64, 48)] and len(shapes.gates) == 5
    assert [s[0] for s in shapes.up_in] == [512, 1024, 1024, 512, 256, 128]


@pytest.mark.parametrize("gate", ["cbam", "none"])
def test_architecture_drawing(gate, tmp_path):
    style.use()
    tom = build_tom(SMOKE, gate)
    figure = architecture.ma_unet(shapes := architecture.trace(tom, SMOKE.size))
    assert f"{shapes.parameters:,}" in texts(figure)
    assert ("1 × 16 × 12" in texts(figure)) == (gate == "cbam"), "the second skip's spatial map"
    assert not any(m._forward_hooks for m in tom.modules()), "hooks are gone"
    style.save(figure, tmp_path / "unet.png", dpi=40)


def test_attention_maps(samples, tmp_path):
    torch.manual_seed(0)
    network = TryOnPipeline(build_gmm(SMOKE), build_tom(SMOKE, "cbam"), SMOKE.person).eval()
    batch = collate(samples[1])
    with torch.no_grad(), record(network) as maps:
        _, _, tryon = network(batch)
    figure = attention.attention_maps(batch["image"], batch["cloth"], tryon.image, maps)
    assert attention.levels(maps) == [1, 2, 3] and "skip 3" in texts(figure)
    assert [a.get_xlabel() for a in figure.axes if "channels" in a.get_xlabel()] == [
        "8 channels", "16 channels", "32 channels"]  # fmt: skip
    style.save(figure, tmp_path / "maps.png", dpi=40)
    blocks = attention.enlarge(np.array([[1.0, 2], [3, 4]]), (4, 6))
    assert blocks.shape == (4, 6) and blocks[1, 2] == 1 and blocks[1, 3] == 2 and blocks[2, 0] == 3


def test_small_plots(samples, tmp_path):
    own, other = samples
    rows = [{"discriminator": 0.5, "adversarial": 0.1, "l1": 0.3, "perceptual": 2.0, "mask": 0.3}] * 6
    curves = models.turns(rows, {"adversarial": 0.1})
    line = curves.axes[0].lines[1].get_ydata()
    assert np.allclose(line, 1.0), "the adversarial term is shown without its weight"
    ends = sorted(t.xy[1] for t in curves.axes[1].texts)
    assert min(np.diff(ends)) > 0.1, "names at the same height are moved apart"
    touched = torch.zeros(SIZE, dtype=torch.bool)
    touched[10:26, 5:21] = True
    assert "16 × 16 px" in texts(models.receptive_field(own[0]["image"], touched, (3, 2), (8, 6)))
    figures = {
        "strip": atelier.strip([("a", own[0]["image"]), ("b", np.zeros((64, 48)))]),
        "rows": atelier.strip_rows([("a", collate(own)["image"]), ("b", collate(own)["cloth"])]),
        "story": atelier.warp_story(other[0]),
        "table": atelier.anyone_in_anything([[s["image"]] * 2 for s in own], [s["cloth"] for s in own]),
    }
    for name, figure in figures.items():
        assert style.save(figure, tmp_path / f"{name}.png", dpi=30).exists()
