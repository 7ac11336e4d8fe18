"""The comparison of gates: fair starts, counted costs, verdicts by the one rule, and a classifier that learns."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from mavton_lite.attention import record
from mavton_lite.data.lessons import garment_pictures
from mavton_lite.models import classifier
from mavton_lite.models.classifier import COMPARED, Classifier, accuracy, at, build, compare_gates, costs, scores, train
from mavton_lite.models.summary import count_parameters
from mavton_lite.seeds import judge, over_seeds, paired, written

TINY = at("smoke", channels=(8, 16), seeds=2)


@pytest.fixture(scope="module")
def garments():
    return garment_pictures(TINY.n_train, TINY.height, TINY.width)


@pytest.mark.parametrize("gate", list(COMPARED))
def test_networks_of_one_seed_begin_equal_whatever_their_gate(gate):
    plain, gated = build("none", TINY, 3), build(gate, TINY, 3)
    own = gated.state_dict()
    assert all(torch.equal(own[name], value) for name, value in plain.state_dict().items())
    answers = gated(torch.zeros(2, 3, 32, 24))
    assert {name: a.shape for name, a in answers.items()} == {
        name: (2, len(names)) for name, names in classifier.ATTRIBUTES.items()
    }


def test_costs_are_counted_right():
    table = costs(TINY)
    assert table.loc["none", "parameters"] == count_parameters(build("none", TINY, 0))
    added = table["parameters"] - table.loc["none", "parameters"]
    middle = {8: 2, 16: 4}  # reduction 4
    perceptrons = sum(2 * c * m for c, m in middle.items())
    assert added["channel"] == added["se"] == perceptrons and added["eca"] == 2 * 3
    assert added["spatial"] == 2 * 2 * 49 and added["cbam"] == added["spatial first"] == perceptrons + 2 * 2 * 49
    work = table["multiply-adds"] - table.loc["none", "multiply-adds"]
    places = {8: 16 * 12, 16: 8 * 6}
    values = sum(c * n for c, n in places.items())
    assert work["se"] == perceptrons + values and work["channel"] == 2 * perceptrons + values  # SE asks once
    assert work["spatial"] == sum(2 * 49 * n for n in places.values()) + values
    assert work["cbam"] == work["channel"] + work["spatial"]
    assert table.loc["none", "multiply-adds +%"] == 0


def test_a_classifier_learns_and_its_batches_depend_on_the_seed_alone(garments):
    settings = at("smoke", channels=(16, 32), steps=100)
    network = build("eca", settings, 0)
    before = accuracy(network, garments, settings)["all"]
    losses = train(network, garments, settings, 0)
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5]) and accuracy(network, garments, settings)["all"] > before + 0.2
    short = at("smoke", channels=(8, 16), steps=2)
    first, again, other = (train(build("eca", short, 0), garments, short, seed) for seed in (0, 0, 1))
    assert first == again != other
    floor = classifier.commonest(garments, garments)
    for name, right in classifier.labels(garments).items():
        assert floor[name] == pytest.approx(float(torch.bincount(right).max()) / len(right))


def test_constant_maps_replace_every_map_by_its_mean_and_leave_the_network_as_it_was(garments):
    network, seen = build("cbam", TINY, 0), []
    x = classifier.shown(garments.pictures, TINY)
    with torch.no_grad(), record(network) as before:
        network.eval()(x)
    stage = network.stages[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    found = classifier.constant_maps(network, garments, TINY)
    stage.remove()
    assert set(found) == {"sleeve", "neck", "kind", "all"} and len(seen) == 2
    with torch.no_grad():
        features = network.stages[0](x)
    means = [before[f"gates.level1.{kind}"].mean(0) for kind in ("channel", "spatial")]
    torch.testing.assert_close(seen[1], features * means[0] * means[1])
    assert (seen[0] - seen[1]).abs().max() > 1e-4, "with its own maps the network sees something else"
    with torch.no_grad(), record(network) as after:
        network(x)
    assert all(torch.equal(values, after[name]) for name, values in before.items())
    with pytest.raises(ValueError, match="without gates"):
        classifier.constant_maps(build("none", TINY, 0), garments, TINY)


def test_compare_gates_is_paired_by_seed(garments):
    runs, kept = compare_gates(TINY, garments, garments, ("none", "se"))
    assert runs[["gate", "seed"]].value_counts().eq(1).all() and len(runs) == 4 and list(kept) == ["none", "se"]
    assert not kept["se"].training and runs["all"].between(0, 1).all()
    assert (runs[["sleeve", "neck", "kind"]].mean(axis=1) - runs["all"]).abs().max() < 1e-6


def test_scores_judge_by_the_paired_interval():
    seeds = range(4)
    lucky = [0.5, 0.6, 0.7, 0.8]  # seeds differ far more than gates do
    values = {"none": lucky, "se": [v + 0.02 + 0.001 * s for s, v in enumerate(lucky)],
              "eca": [v - 0.03 + 0.001 * s for s, v in enumerate(lucky)], "cbam": [0.81, 0.69, 0.61, 0.5],
              "spatial first": [v - 0.1 for v in (0.81, 0.69, 0.61, 0.5)]}  # fmt: skip
    runs = pd.DataFrame([{"gate": g, "seed": s, "all": v[s]} for g, v in values.items() for s in seeds])
    table = scores(runs.sample(frac=1, random_state=0))
    assert table["verdict"].to_dict() == {
        "none": "", "se": "higher", "eca": "lower", "cbam": "no difference shown",
        "spatial first": "no difference shown",
    }  # fmt: skip
    assert table.loc["none", "accuracy %"].startswith("65.0 [")
    assert classifier.order_verdict(runs).startswith("channel first minus spatial first: +10.0 [")


def test_intervals_over_seeds():
    interval = over_seeds([1.0, 2.0, 3.0])
    assert interval.mean == 2 and interval.high - 2 == pytest.approx(4.302653 / 3**0.5, rel=1e-5) and interval.n == 3
    assert paired([2.0, 3.0], [1.0, 2.0]).low == 1 and judge(paired([2.0, 3.0], [1.0, 2.0])) == "higher"
    assert written(over_seeds([0.5, 0.5]), sign=True) == "+50.0 [+50.0, +50.0]"
    for values in ([1.0], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="at least two finite values"):
            over_seeds(values)
    with pytest.raises(ValueError, match="equally many values, got 2 and 3"):
        paired([1, 2], [1, 2, 3])


def test_clock_compares_with_no_gate():
    ratios = classifier.clock(TINY, ("none", "cbam"), repeats=3)
    assert ratios["none"] == 1 and ratios["cbam"] > 0


def test_small_networks_train_in_one_thread_and_give_the_others_back(garments):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        inside = []
        network = build("none", TINY, 0)
        network.register_forward_hook(lambda *_: inside.append(torch.get_num_threads()))
        train(network, garments, TINY, 0)
        assert set(inside) == {1} and torch.get_num_threads() == 2
        with pytest.raises(ValueError):
            train(network, garments._replace(pictures=garments.pictures[:, :2]), TINY, 0)
        assert torch.get_num_threads() == 2, "also after an error"
    finally:
        torch.set_num_threads(before)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="unknown gate 'cbm'; known: none, se"):
        Classifier("cbm")
    with pytest.raises(ValueError, match=r"wants pictures \(B, 3, H, W\), got \(1, 4, 8, 8\)"):
        Classifier()(torch.zeros(1, 4, 8, 8))
    with pytest.raises(ValueError, match="no settings for profile 'huge'"):
        at("huge")
