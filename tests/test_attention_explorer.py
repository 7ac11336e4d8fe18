"""The attention explorer without its page: what each control changes, what it must not, and how quickly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from worlds import random_batch

from mavton_lite.config import SMOKE
from mavton_lite.data.sample import Sample
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.studio.explorer import ANSWERS, CHANGED, PERSON, TRAINED, TRUTH, Explorer, View, bars
from mavton_lite.studio.room import Room, Switch
from mavton_lite.switching import switched

H, W = SMOKE.size
PICTURES = ("inputs", "gates", "swipe", "difference", "body", "answer")


@pytest.fixture(scope="module")
def room() -> Room:
    torch.manual_seed(0)
    gmm = build_gmm(SMOKE)
    networks = {
        "MA-VTON": TryOnPipeline(gmm, build_tom(SMOKE, "cbam"), SMOKE.person),
        "CP-VTON": TryOnPipeline(gmm, build_tom(SMOKE, "none"), SMOKE.person),
    }
    for network in networks.values():
        network.eval().requires_grad_(False)
    for gate in networks["MA-VTON"].tom.unet.gates.values():  # gates that say something
        nn.init.normal_(gate.channel.mlp[2].weight, std=2.0)
        nn.init.normal_(gate.spatial.conv.weight, std=0.5)
    batch = random_batch(3)
    samples = {f"s{k}": Sample(**{key: value[k] for key, value in batch.items()}) for k in range(3)}
    return Room(networks, samples, samples, lambda person, garment: samples[person]["image"] * 0.5)


@pytest.fixture(scope="module")
def explorer(room) -> Explorer:
    return Explorer(room)


def drawn(explorer: Explorer, view: View) -> dict[str, bytes]:
    return {name: getattr(explorer, name)(view).tobytes() for name in PICTURES}


def changed(explorer: Explorer, before: View, after: View) -> set[str]:
    one, two = drawn(explorer, before), drawn(explorer, after)
    return {name for name in PICTURES if one[name] != two[name]}


def test_each_control_changes_its_pictures_and_no_others(explorer):
    start = View(switch=Switch("this", strength=0.0, way="closed"))
    assert changed(explorer, start, replace(start, person="s1")) == set(PICTURES)
    assert changed(explorer, start, replace(start, garment="s1")) == set(PICTURES) - {"body"}
    assert changed(explorer, start, replace(start, level=2)) == {"gates", "swipe", "difference"}
    assert changed(explorer, start, replace(start, swipe=0.9)) == {"swipe"}
    assert changed(explorer, start, replace(start, right="CP-VTON")) == {"swipe", "difference"}
    moved = replace(start, row=0, column=1)
    assert changed(explorer, start, replace(start, row=1)) == {"body", "answer"}
    assert changed(explorer, moved, replace(moved, answers=ANSWERS[1])) == {"answer"}
    for switch in (Switch("this", way="open", strength=0.0), Switch("this", way="closed", strength=0.5),
                   Switch("this", "channel", "open", 0.0), Switch("all", way="closed", strength=0.0),
                   Switch("this", way="fixed", strength=0.0)):  # fmt: skip
        assert {"swipe", "difference"} <= changed(explorer, start, replace(start, switch=switch)), switch
    for picture in (getattr(explorer, name)(start) for name in PICTURES):
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3


def test_the_changed_result_is_the_networks_own_under_that_switch(room, explorer):
    view = View(switch=Switch("this", "spatial", "closed", 0.0), level=2)
    pipeline, batch = room.networks["MA-VTON"], room.batch("s0", "s0")
    with torch.inference_mode():
        plain = pipeline(batch)[2].image[0]
        with switched(pipeline.tom.unet, "level2", "closed", part="spatial"):
            wanted = pipeline(batch)[2].image[0]
    assert torch.equal(explorer.result(view, TRAINED), plain)
    assert torch.allclose(explorer.result(view, CHANGED), wanted, atol=1e-6) and not torch.equal(plain, wanted)
    left_alone = replace(view, switch=view.switch._replace(strength=1.0))
    assert torch.equal(explorer.result(left_alone, CHANGED), plain)
    assert not explorer.difference(replace(left_alone, left=TRAINED, right=CHANGED))[30:, :, 0].any(), "nothing differs"
    assert torch.equal(explorer.result(view, "CP-VTON"), room.seen("CP-VTON", "s0", "s0").made.image[0])
    assert torch.equal(explorer.result(view, PERSON), room.people["s0"]["image"])
    assert torch.equal(explorer.result(view, TRUTH), room.people["s0"]["image"] * 0.5)


def test_strength_runs_from_off_through_trained_to_twice(room):
    pipeline, batch = room.networks["MA-VTON"], room.batch("s0", "s1")
    unet, seen = pipeline.tom.unet, {}
    gate = unet.gates["level1"].channel
    handle = unet.gates["level1"].spatial.register_forward_hook(lambda _m, args, _out: seen.update(x=args[0]))
    weights = {}
    try:
        for strength in (0.0, 0.5, 1.0, 2.0):
            with torch.inference_mode(), switched(unet, "level1", "open", strength=strength, part="channel"):
                pipeline(batch)
            weights[strength] = seen["x"].clone()
    finally:
        handle.remove()
    assert torch.allclose(weights[0.5], (weights[0.0] + weights[1.0]) / 2, atol=1e-5)
    assert torch.allclose(weights[2.0] - weights[1.0], weights[1.0] - weights[0.0], atol=1e-5)
    assert gate is unet.gates["level1"].channel and not torch.equal(weights[0.0], weights[1.0])
    with pytest.raises(ValueError, match="part 'both'; known: .*channel, spatial"), switched(unet, "all", "open",
                                                                                             part="both"):  # fmt: skip
        pass


def test_what_passes_is_what_the_skip_brings_times_the_gate(room):
    seen = room.seen("MA-VTON", "s0", "s1")
    assert sorted(seen.brings) == room.levels("MA-VTON") == sorted(seen.passes)
    for level in seen.brings:
        assert (seen.passes[level] <= seen.brings[level] + 1e-6).all(), "a gate only turns down"
    plain = room.seen("CP-VTON", "s0", "s1")
    assert plain.maps == {} and plain.passes is plain.brings


def test_matches_are_correlation_and_attention(room, explorer):
    matches = room.matches("MA-VTON", "s0", "s1")
    rows, columns = explorer.grid()
    assert matches.garment.shape == matches.person.shape == (rows, columns, rows, columns)
    assert matches.garment.abs().max() <= 1.001
    assert torch.allclose(matches.person.sum((2, 3)), torch.ones(rows, columns), atol=1e-5)
    own = room.matches("MA-VTON", "s0", "s0")
    assert torch.equal(own.person, matches.person) and not torch.equal(own.garment, matches.garment)


def test_answers_are_told_in_numbers(room, explorer):
    view = View(person="s1", garment="s2", row=1, column=1)
    asked = room.matches("MA-VTON", "s1", "s2").garment[1, 1]
    assert explorer.how_answered(view).startswith(f"The strongest correlation is {float(asked.max()):.2f}, at the")
    attended = room.matches("MA-VTON", "s1", "s2").person[1, 1]
    told = explorer.how_answered(replace(view, answers=ANSWERS[1]))
    assert f"{float(attended.max()):.0%} of the attention, the asking place itself {float(attended[1, 1]):.0%}" in told


def test_still_pictures_hold_what_they_are_made_of(explorer):
    view = View(switch=Switch("this", strength=0.0))
    side_by_side = explorer.compared(view, 100)
    for part, at in ((explorer.swipe(view, 100), slice(None, 75)), (explorer.difference(view, 100), slice(-75, None))):
        assert (side_by_side[:, at] == part).all()
    asked = explorer.asked(view, 200)
    for k, name in enumerate(ANSWERS):
        answer = explorer.answer(replace(view, answers=name), 200)
        assert (asked[-200:, (k + 1) * 160 : (k + 1) * 160 + 150] == answer).all()


def test_joints_are_places_and_wrong_names_are_named(explorer, room):
    x, y, _ = room.people["s0"]["keypoints"][1].tolist()  # neck
    rows, columns = explorer.grid()
    assert explorer.place_of("neck") == (int(y / H * rows), int(x / W * columns))
    for change, said in (({"person": "nobody"}, "'nobody', wanted one of s0"), ({"left": "best"}, "'best', wanted"),
                         ({"answers": "oracle"}, "'oracle'"), ({"row": 99}, "99")):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            drawn(explorer, View(**change))
    with pytest.raises(ValueError, match="'tail', wanted one of nose"):
        explorer.place_of("tail")
    with pytest.raises(ValueError, match="no skip 9; it has 1, 2"):
        explorer.gates(View(level=9))


def test_bars_show_trained_and_changed_weights():
    weights = torch.tensor([0.25, 0.75])
    still = bars(weights, View(), (80, 100))
    blue = (still == (0, 114, 178)).all(-1)
    assert blue[20].sum() == 74 and blue[60].sum() == 25, "longest on top; the line at a half hides a pixel"
    gold = (bars(weights, View(switch=Switch(way="closed", strength=0.0)), (80, 100)) == (230, 159, 0)).all(-1)
    assert not gold.any(), "closed weights have no length"
    gold = (bars(weights, View(switch=Switch(way="open", strength=0.0)), (80, 100)) == (230, 159, 0)).all(-1)
    assert gold[60].sum() >= 70, "open ones reach the end"


def test_nothing_is_computed_twice(room, explorer, monkeypatch):
    view = View(person="s2", garment="s1", switch=Switch(way="closed", strength=0.0))
    drawn(explorer, view)
    for network in room.networks.values():
        monkeypatch.setattr(network, "forward", lambda *_: pytest.fail("computed again"))
        monkeypatch.setattr(network.tom, "forward", lambda *_: pytest.fail("computed again"))
    drawn(explorer, replace(view, swipe=0.2, level=2, row=2))
