"""Gates switched off: exactly what the ways say, nothing left behind, and a measurement that tells a needed gate."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from worlds import random_batch

from mavton_lite import switching
from mavton_lite.attention import record
from mavton_lite.config import SMOKE
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.records import Protocol, Record
from mavton_lite.switching import ALL, AS_TRAINED, TOO_FEW, average_maps, measure_switches, switch_table, switched


@pytest.fixture(scope="module")
def pipeline():
    torch.manual_seed(0)
    made = TryOnPipeline(build_gmm(SMOKE), build_tom(SMOKE, "cbam"), SMOKE.person).eval().requires_grad_(False)
    for gate in made.tom.unet.gates.values():  # gates that say something
        nn.init.normal_(gate.channel.mlp[2].weight, std=2.0)
        nn.init.normal_(gate.spatial.conv.weight, std=0.5)
    return made


def through(pipeline, batch, gate=None, way=None, averages=None):
    seen = {}
    level = pipeline.tom.unet.gates["level2"]
    handle = level.register_forward_hook(lambda _m, args, out: seen.update(before=args[0], after=out))
    try:
        if gate is None:
            pipeline(batch)
        else:
            with switched(pipeline.tom.unet, gate, way, averages):
                pipeline(batch)
    finally:
        handle.remove()
    return seen["before"], seen["after"]


def test_each_way_does_what_it_says(pipeline):
    batch = random_batch(3)
    averages = average_maps(pipeline, batch)
    before, trained = through(pipeline, batch)
    assert torch.equal(through(pipeline, batch, "level2", "open")[1], before)
    assert not through(pipeline, batch, "level2", "closed")[1].any()
    weights = averages["gates.level2.channel"] * averages["gates.level2.spatial"]  # (1, C, 1, 1)
    assert torch.allclose(through(pipeline, batch, "level2", "fixed", averages)[1], before * weights, atol=1e-6)
    assert torch.equal(through(pipeline, batch)[1], trained), "a switch was left on"


def test_averages_are_those_of_the_examples(pipeline):
    batch = random_batch(3)
    with record(pipeline.tom.unet) as maps:
        pipeline(batch)
    averages = average_maps(pipeline, batch)
    assert set(averages) == set(maps)
    channel, spatial = averages["gates.level1.channel"], averages["gates.level1.spatial"]
    assert torch.allclose(channel, maps["gates.level1.channel"].mean(0, keepdim=True)) and spatial.shape == (1, 1, 1, 1)
    assert math.isclose(float(spatial), float(maps["gates.level1.spatial"].mean()), rel_tol=1e-5)


def test_bad_switches_are_refused(pipeline):
    with pytest.raises(ValueError, match="level9.*known: all, level1"), switched(pipeline.tom.unet, "level9", "open"):
        pass
    with pytest.raises(ValueError, match="ajar"), switched(pipeline.tom.unet, "level1", "ajar"):
        pass
    with pytest.raises(ValueError, match="wants the averages"), switched(pipeline.tom.unet, "level1", "fixed"):
        pass
    plain = TryOnPipeline(pipeline.gmm, build_tom(SMOKE), SMOKE.person).eval()
    with pytest.raises(ValueError, match="no attention gates"):
        average_maps(plain, random_batch(1))


def test_measured_over_examples(pipeline):
    batch = random_batch(4)
    batch["truth_image"], batch["truth_parse"] = pipeline(batch)[2].image, batch["parse"]
    examples = [{k: v[i] for k, v in batch.items()} for i in range(4)]
    averages = average_maps(pipeline, batch)
    records = measure_switches(pipeline, examples, SMOKE, averages, ways=("open", "closed"), batch=2)
    gates = len(pipeline.tom.unet.gates) + 1
    assert len(records) == 1 + 2 * gates and records[AS_TRAINED].interval("ssim").mean > 0.9999
    table = switch_table(records, "ssim")
    assert len(table) == 2 * gates and set(table["gate"]) == {ALL, *pipeline.tom.unet.gates}
    assert (table["low"] > 0).all(), "the truth is the net as trained"
    assert set(table["verdict"]) == {TOO_FEW}, "four examples are no evidence"


def test_the_verdict_follows_the_interval():
    many = 5
    protocol = Protocol("unpaired", "test", 4 * many, 64, 48, (0, 1), "x", "", "", 2, 3, "smoke")

    def made(values):
        return Record("m", protocol, {"ssim": values * many, "lpips": values * many}, 0, "unknown")

    records = {AS_TRAINED: made([0.5, 0.6, 0.7, 0.8]), ("level1", "open"): made([0.4, 0.5, 0.6, 0.7]),
               ("level2", "open"): made([0.6, 0.7, 0.8, 0.9]), (ALL, "open"): made([0.6, 0.5, 0.8, 0.7])}  # fmt: skip
    assert switch_table(records, "ssim")["verdict"].tolist() == ["needed", "better without", "no difference seen"]
    assert switch_table(records, "lpips")["verdict"].tolist() == ["better without", "needed", "no difference seen"]
    assert set(switching.SAYS.values()) == set(switch_table(records, "ssim")["verdict"])
