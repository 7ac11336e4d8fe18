"""The dressing room, the attention explorer and their widgets; exercises; pictures of stored notebooks."""

from __future__ import annotations

import base64
import io

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from mavton_lite import answers
from mavton_lite.attention import CBAM, SqueezeExcitation
from mavton_lite.config import SMOKE
from mavton_lite.data import open_dataset
from mavton_lite.data.sample import to_unit
from mavton_lite.exercise import check
from mavton_lite.models.patchgan import PatchGAN
from mavton_lite.notebook_pictures import shrunk
from mavton_lite.studio.attention import Gaze, bars, look
from mavton_lite.studio.dressing import LAYERS, Dressing, dress, sample_of
from mavton_lite.studio.widgets import attention_explorer, dressing_room

SIZE = (64, 48)


def test_a_drawn_sample_is_the_written_one(atelier):
    for pairs, other in (("unpaired", 1), ("paired", 0)):
        dataset = open_dataset(atelier, "test", pairs, SMOKE.size)
        for i in (0, 3):
            read, drawn = dataset[i], sample_of("test", i, i ^ other, SMOKE.size)
            assert read["name"] == drawn["name"] and read["cloth_name"] == drawn["cloth_name"]
            for key in ("parse", "truth_parse", "cloth_mask"):
                assert torch.equal(read[key], drawn[key]), key
            assert torch.allclose(read["keypoints"], drawn["keypoints"], atol=1e-3)
            assert torch.allclose(read["truth_warp"], drawn["truth_warp"], atol=1 / 64, equal_nan=True)
            for key in ("image", "cloth", "truth_image"):  # JPEG lies between them
                assert (read[key] - drawn[key]).abs().mean() < 0.02, key


def test_dress_shows_person_garment_and_both():
    shown = {layer: dress(Dressing(0, 1, layer), SIZE) for layer in LAYERS}
    assert {p.shape for p in shown.values()} == {(64, 3 * 48 + 4, 3)} and shown["picture"].dtype == np.uint8
    assert len({p.tobytes() for p in shown.values()}) == len(LAYERS)
    sample = sample_of("test", 0, 1, SIZE)
    worn = np.floor(to_unit(sample["truth_image"]).permute(1, 2, 0).numpy() * 255 + 0.5)
    assert np.abs(shown["picture"][:, -48:] - worn).max() <= 1
    assert not np.array_equal(dress(Dressing(0, 1), SIZE), dress(Dressing(1, 1), SIZE))
    with pytest.raises(ValueError, match="unknown layer 'x-ray'"):
        dress(Dressing(0, 1, "x-ray"), SIZE)


@pytest.fixture
def maps():
    return {
        "tom.unet.gates.level1.channel": torch.tensor([[0.2, 0.9], [0.5, 0.5]]).view(2, 2, 1, 1),
        "tom.unet.gates.level1.spatial": torch.linspace(0, 1, 24).view(2, 1, 4, 3),
        "tom.unet.gates.level2.channel": torch.full((2, 4, 1, 1), 0.5),
        "tom.unet.gates.level2.spatial": torch.full((2, 1, 2, 1), 0.5),
    }


def test_look_shows_the_gate_of_that_level_and_example(maps):
    pictures = torch.rand(2, 3, 8, 6)
    views = [look(Gaze(e, level), pictures, maps, height=64) for e, level in ((0, 1), (1, 1), (0, 2))]
    assert views[0].shape == (64, 3 * 48 + 4, 3)
    assert len({v.tobytes() for v in views}) == 3
    heat = look(Gaze(1, 1), torch.zeros(2, 3, 8, 6), maps, height=64)[:, 50:98].astype(int).sum(2)
    assert heat[-1, -1] > heat[0, 0], "bright where the gate is open"
    with pytest.raises(ValueError, match="one spatial gate of level 3"):
        look(Gaze(0, 3), pictures, maps)


def test_bars_are_as_long_as_their_weights():
    drawn = bars(torch.tensor([0.25, 1.0]), (4, 8))
    blue = np.isclose(drawn, [0.0, 0.447, 0.698]).all(-1)
    assert blue.sum(1).tolist() == [7, 7, 2, 2], "sorted; the line at one half hides a pixel of the long one"


def test_widgets_draw_anew_and_leave_a_still_picture(maps):
    room = dressing_room(people=4, garments=4, size=SIZE)
    before = room.image.value
    room.controls["garment"].set_state({"value": 3})  # what a browser's message does
    assert room.image.value != before
    bundle = room._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == room.image.value and "text/plain" in bundle
    assert "application/vnd.jupyter.widget-view+json" in bundle
    explorer = attention_explorer(torch.rand(2, 3, 8, 6), maps)
    assert isinstance(explorer, ipywidgets.VBox) and explorer.controls["level"].options == (1, 2)
    before = explorer.image.value
    explorer.controls["level"].value = 2
    assert Image.open(io.BytesIO(explorer.image.value)).size == Image.open(io.BytesIO(before)).size
    assert explorer.image.value != before


def test_check_tells_right_from_wrong_and_never_raises(capsys):
    cases = [((2,), 4.0), ((3,), 9.0)]
    assert check(lambda n: n**2, cases) and capsys.readouterr().out == "✓ right\n"
    for answer, said in (
        (lambda n: n * 2, "too small"),
        (lambda n: 1 / 0, "it raised ZeroDivisionError"),
        (lambda n: None, "not yet"),
        (None, "not yet"),
        (lambda n: "four", "cannot compare"),
        (lambda n: float("nan"), "not right"),
    ):
        assert not check(answer, cases) and said in capsys.readouterr().out
    assert check(0.501, 0.5, tolerance=0.01) and not check(0.6, 0.5, tolerance=0.01)
    wanted = torch.tensor([1.0, float("nan")])
    assert check(wanted.clone(), wanted) and not check(torch.zeros(2), wanted) and not check(torch.zeros(3), wanted)
    assert "wanted the shape (2,), got (3,)" in capsys.readouterr().out


def test_answers_agree_with_the_package():
    for c, r, k in ((64, 16, 7), (20, 4, 7), (8, 16, 3)):
        assert answers.cbam_parameters(c, r, k) == sum(p.numel() for p in CBAM(c, r, k).parameters())
    assert sum(answers.cbam_parameters(c, 16, 7) for c in (64, 128, 256, 512, 512)) == 76_778
    assert [answers.patch_field(n) for n in (1, 2, 3, 4, 5)] == [16, 34, 70, 142, 286] and PatchGAN(1, 1, 1)
    gate, x = SqueezeExcitation(8, 4), torch.randn(2, 8, 3, 2)
    assert torch.allclose(answers.squeeze_excitation(x, gate.mlp[0].weight, gate.mlp[2].weight), gate(x), atol=1e-6)
    sample = sample_of("test", 0, 0, SIZE)
    arms = answers.bare_arms(sample["parse"])
    assert torch.equal(arms, torch.isin(sample["parse"], torch.tensor([14, 15]))) and arms.any()
    worn, seen = answers.perfect_warp(sample), sample["truth_warp"].isfinite().all(0)
    assert (worn[:, ~seen] == 1).all()
    assert (worn - sample["truth_image"])[:, seen].abs().mean() < 0.2, "up to shading"
    assert answers.changed_share(sample, 0.02) == 0 < answers.changed_share(sample_of("test", 0, 1, SIZE), 0.02) < 0.6


def test_stored_pictures_are_smaller_and_look_the_same():
    rng = np.random.default_rng(0)
    smooth = np.linspace(0, 255, 300)[None, :, None] * np.linspace(0.2, 1, 200)[:, None, None]
    picture = np.clip(smooth * [1, 0.8, 0.6] + rng.normal(0, 3, (200, 300, 3)), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    before = base64.b64encode(out.getvalue()).decode()
    kind, after = shrunk(before)
    assert kind == "image/jpeg" and len(after) < 0.6 * len(before) and shrunk(before) == (kind, after)
    again = np.asarray(Image.open(io.BytesIO(base64.b64decode(after))).convert("RGB")).astype(int)
    assert np.abs(again - picture).mean() < 8
    drawing = np.full((400, 600, 3), 255, np.uint8)
    drawing[::7] = (200, 30, 30)
    drawing[:, ::5] = (20, 40, 90)
    noise = np.concatenate([drawing, rng.integers(0, 2, drawing.shape, dtype=np.uint8) * 255])
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    before = base64.b64encode(out.getvalue()).decode()
    kind, after = shrunk(before)
    assert kind == "image/png" and len(after) < len(before) and shrunk(after) == (kind, after)
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(after))).convert("RGB")) == noise).all()  # few colours
