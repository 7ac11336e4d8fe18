"""Verdicts on made-up records whose answer is known, and intervals that cover what they say."""

import dataclasses
import math

import numpy as np
import pytest

from mavton_lite.claims import higher_is_better
from mavton_lite.experiments import EXPERIMENTS
from mavton_lite.records import Interval, Protocol, Record
from mavton_lite.study import plan, run
from mavton_lite.study.claims import CLAIMS, Claim, findings_table, hierarchical, judge, judge_all, verdict_of

PROTOCOL = Protocol("unpaired", "test", 60, 64, 48, (0.0, 1.0), "ab", "alexnet", "cd", 2, 3, "smoke-9")
CLAIM = Claim("ours is better", "ssim_garment", "ma_vton", "cp_vton", 0.002, "")


def world(gain: float, between: float = 0.001, seeds: int = 3, metric: str = "ssim_garment", seed: int = 0):
    """Records of both models: images differ a lot, trainings by `between`, ours by `gain` on average."""
    dice = np.random.default_rng(seed)
    images, found = dice.uniform(0.3, 0.8, PROTOCOL.n), []
    for k in range(seeds):
        shared = images + dice.normal(0, 0.01, PROTOCOL.n)
        for model, shift in (("ma_vton", gain), ("cp_vton", 0.0)):
            values = shared + shift + dice.normal(0, between) + dice.normal(0, 0.001, PROTOCOL.n)
            found.append(Record(model, PROTOCOL, {metric: values.tolist()}, k, "c", training={"steps": 9}))
    return found


@pytest.mark.parametrize(
    ("gain", "between", "wanted"),
    [(0.02, 0.001, "replicated"), (-0.02, 0.001, "not replicated"), (0.0, 0.0002, "not replicated"),
     (0.0012, 0.0001, "not replicated"), (0.01, 0.03, "inconclusive")],
)  # fmt: skip
def test_verdicts_on_worlds_whose_answer_is_known(gain, between, wanted):
    found = judge(CLAIM, world(gain, between))
    assert found.verdict == wanted and list(found.by_seed) == [0, 1, 2]
    assert found.gain.mean == pytest.approx(np.mean(list(found.by_seed.values())))


def test_lower_is_better_turns_the_gain_round():
    claim = dataclasses.replace(CLAIM, metric="lpips_garment")
    found = judge(claim, world(-0.02, metric="lpips_garment"))
    assert found.verdict == "replicated" and found.gain.mean == pytest.approx(0.02, abs=0.003)
    assert judge(claim, world(0.02, metric="lpips_garment")).verdict == "not replicated"


def test_the_rule_by_hand():
    gain = Interval(0.01, 0.004, 0.016, 9)
    assert verdict_of(gain, [0.01, 0.005, 0.02], 0.002) == "replicated"
    assert verdict_of(gain, [0.01, 0.005], 0.002) == "inconclusive", "two seeds cannot tell"
    assert verdict_of(gain, [0.03, -0.001, 0.001], 0.002) == "inconclusive", "a seed disagrees"
    assert verdict_of(gain, [0.01, 0.005, 0.02], 0.012) == "inconclusive", "not shown to be worth the name"
    assert verdict_of(gain, [0.01, 0.005, 0.02], 0.02) == "not replicated", "shown to be less than worth the name"
    assert verdict_of(Interval(0.0, -0.01, 0.01, 9), [0.0] * 3, 0.0) == "inconclusive"
    assert verdict_of(Interval(-0.02, -0.03, -0.01, 9), [-0.02] * 3, 0.0) == "not replicated"
    assert verdict_of(Interval(math.nan, math.nan, math.nan, 0), [math.nan] * 3, 0.0) == "inconclusive"


def test_the_interval_of_many_seeds_is_the_crossed_one():
    dice = np.random.default_rng(1)
    seeds, images = 40, 300
    trainings, pictures = dice.normal(0, 0.5, (seeds, 1)), dice.normal(0, 1, (1, images))
    noise = dice.normal(0, 1, (seeds, images))
    found = hierarchical(2 + trainings + pictures + noise)
    over_trainings = (2.02 / 1.96) ** 2 * trainings.var(ddof=1) / seeds  # Student's t of 39 degrees of freedom
    wanted = 1.96 * math.sqrt(over_trainings + pictures.var(ddof=1) / images + 1 / (seeds * images))
    assert found.mean == pytest.approx((2 + trainings + pictures + noise).mean()) and found.n == images
    assert (found.high - found.low) / 2 == pytest.approx(wanted, rel=0.08)


def test_one_seed_has_an_interval_over_images_alone():
    values = np.random.default_rng(0).normal(1, 2, (1, 400))
    found = hierarchical(values)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.06)
    gaps = np.array([[1.0, np.nan, 3.0], [1.0, np.nan, 3.0]])
    assert hierarchical(gaps).mean == 2 and hierarchical(gaps).n == 2
    assert math.isnan(hierarchical(np.full((2, 3), np.nan)).mean)
    with pytest.raises(ValueError, match="wanted .seeds, images"):
        hierarchical(np.zeros(3))


def test_luck_is_seldom_taken_for_a_gain():
    """Where the two do not differ, and trainings do a lot: the rule calls it replicated in one of forty at most."""
    dice, wrong, covered = np.random.default_rng(3), 0, 0
    for trial in range(300):
        luck = dice.normal(0, 1, (3, 1)) + dice.normal(0, 1, (3, 30))
        found = hierarchical(luck, seed=trial, resamples=300)
        wrong += verdict_of(found, luck.mean(1), 0.0) == "replicated"
        covered += found.low <= 0 <= found.high
    assert wrong / 300 < 0.045 and covered / 300 > 0.93  # 2.5 % and 95 %, as 300 trials can tell


def test_a_metric_of_whole_sets_is_judged_seed_by_seed():
    claim = dataclasses.replace(CLAIM, metric="kd_lite0", least=0.0)
    found = []
    for seed, (ours, theirs) in enumerate(((1.0, 2.0), (1.1, 2.0), (0.9, 2.0))):
        for model, value in (("ma_vton", ours), ("cp_vton", theirs)):
            sets = {"kd_lite0": Interval(value, value, value, 60)}
            found.append(Record(model, PROTOCOL, {}, seed, "c", sets=sets, training={"steps": 9}))
    judged = judge(claim, found)
    half = 4.303 * 0.1 / math.sqrt(3)  # Student's t of two degrees of freedom
    assert judged.gain.mean == pytest.approx(1.0) and judged.gain.low == pytest.approx(1.0 - half, abs=1e-3)
    assert judged.verdict == "replicated"
    assert judge(claim, found[:2]).verdict == "inconclusive"


def test_what_cannot_be_compared_is_refused():
    good = world(0.01)
    with pytest.raises(ValueError, match="no record of cp_vton; found ma_vton"):
        judge(CLAIM, [r for r in good if r.model == "ma_vton"])
    moved = [dataclasses.replace(r, seed=r.seed + 10) if r.model == "cp_vton" else r for r in good]
    with pytest.raises(ValueError, match="no seed in common"):
        judge(CLAIM, moved)
    longer = [dataclasses.replace(r, training={"steps": 99}) if r.model == "cp_vton" else r for r in good]
    with pytest.raises(ValueError, match="different numbers of steps"):
        judge(CLAIM, longer)
    other = dataclasses.replace(PROTOCOL, split="val")
    with pytest.raises(ValueError, match="measured differently: split"):
        judge(CLAIM, [dataclasses.replace(r, protocol=other) if r.model == "cp_vton" else r for r in good])
    with pytest.raises(ValueError, match="no claim is about"):
        judge_all([r for r in good if r.model == "ma_vton"])


def test_seeds_that_only_one_has_are_left_out():
    found = judge(CLAIM, world(0.02, seeds=4)[:-1])
    assert list(found.by_seed) == [0, 1, 2]


def test_claims_are_about_what_the_study_runs_and_measures():
    assert len(CLAIMS) == len(set((c.words, c.metric) for c in CLAIMS))
    for claim in CLAIMS:
        assert {claim.ours, claim.theirs} <= set(plan.EVERYTHING)
        assert claim.metric in (*run.CHIEF, "kd_lite0") and claim.least >= 0
        assert isinstance(higher_is_better(claim.metric), bool)
    ours, theirs = (EXPERIMENTS[n] for n in ("ma_vton", "ma_vton_no_gan"))
    assert ours.gate == theirs.gate and ours.adversarial != theirs.adversarial, "one difference a claim"
    ours, theirs = (EXPERIMENTS[n] for n in ("ma_vton_no_gan", "cp_vton"))
    assert ours.gate != theirs.gate and ours.adversarial == theirs.adversarial
    assert [higher_is_better(m) for m in ("ssim_arms", "boundary_f", "mae_arms", "ciede2000", "texture_error")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_the_table_says_what_was_compared():
    rows = findings_table([judge(CLAIM, world(0.02))], {"ma_vton": "MA-VTON", "cp_vton": "CP-VTON"})
    row = rows.iloc[0]
    assert row["compared"] == "MA-VTON against CP-VTON" and row["verdict"] == "replicated"
    assert row["gain [95 % interval]"].startswith("+0.0") and len(row["by seed"].split(", ")) == 3
