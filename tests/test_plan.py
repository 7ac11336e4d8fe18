"""The plan for full size: its counts against the networks themselves, its arithmetic by hand."""

from pathlib import Path

import pytest

from mavton_lite.config import SMOKE
from mavton_lite.models.build import build_gmm
from mavton_lite.models.summary import count_multiply_adds
from mavton_lite.plan import CONTEXT, GPU, GPUS, SETS, SPARE, Step, estimate, put, step_of

ROOT = Path(__file__).resolve().parent.parent


def test_a_step_is_counted_on_the_live_network():
    step, half = (step_of("gmm", SMOKE, mixed) for mixed in (False, True))
    height, width = SMOKE.size
    shapes = ((1, 22, height, width), (1, 3, height, width), (1, 1, height, width))
    forward = 2 * count_multiply_adds(build_gmm(SMOKE), *shapes)
    # backward: once for the weights and once for the inputs, which the first layers do not need
    assert 2 * forward < step.flops < 3 * forward
    assert step.flops == half.flops and half.kept < step.kept and step.frozen == 0
    assert step.trained == sum(p.numel() for p in build_gmm(SMOKE).parameters())
    assert 100 < step.operations < 5_000


def test_the_estimate_by_hand():
    gpu = GPU("a", flops=1e12, mixed=False, memory=10 << 30, share=0.5, price=2.0, link=1e9)
    step = Step(flops=5 * 10**11, kept=1 << 30, operations=1_000, trained=10**6, frozen=0)
    one, eight = (estimate(step, gpu, n, SETS[0].profile) for n in (1, 8))
    assert (one.batch, one.steps, eight.batch, eight.steps) == (4, 200_000, 32, 25_000)
    assert one.step_s == pytest.approx(4.0) and one.bound == "arithmetic"
    assert eight.step_s == pytest.approx(4.0 + 2 * 7 / 8 * 4e6 / 1e9)
    assert one.hours == pytest.approx(200_000 * 4 / 3600) and one.dollars == pytest.approx(2 * one.hours)
    assert one.memory == pytest.approx(4 * SPARE * 2**30 + 16e6 + CONTEXT)
    assert one.largest == 6  # (10 GiB - 1 GiB - 16 MB) / 1.3 GiB
    idle = estimate(Step(10**6, 1 << 20, 1_000, 10**6, 0), gpu, 1, SETS[0].profile)
    assert idle.step_s == pytest.approx(0.01) and idle.bound == "starting operations"


def test_the_plan_names_every_set_and_gpu():
    text = (ROOT / "SCALING.md").read_text(encoding="utf8")
    for name in (*(s.name for s in SETS), *(f"{n} x {g.name}" for g in GPUS for n in (1, 8))):
        assert f" {name} " in text, f"{name}: run `mavton plan --out SCALING.md`"


def test_tables_are_put_between_their_lines(tmp_path):
    path = tmp_path / "a.md"
    path.write_text("before\n<!-- plan -->\nold\n<!-- end of plan -->\nafter\n")
    for text in ("one", "two"):
        put(path, "plan", text)
        assert path.read_text() == f"before\n<!-- plan -->\n\n{text}\n\n<!-- end of plan -->\nafter\n"
    with pytest.raises(ValueError, match="a.md: found no place"):
        put(path, "memory", "three")
