"""How hard each term of a loss pulls: by hand on a network of two weights, and in the log of a real training."""

from __future__ import annotations

import csv
import math

import pytest
import torch
from torch import nn
from trainings import shortened
from worlds import write_viton

from mavton_lite import checkpoint
from mavton_lite.gradients import POINTS, SELDOM, GradientLog, measure
from mavton_lite.train import fit


def two_weights() -> nn.Linear:
    network = nn.Linear(2, 1, bias=False)
    nn.init.ones_(network.weight)
    return network


def test_norms_and_angles_by_hand():
    network = two_weights()
    a, b = network.weight[0]
    found = measure({"x": 3 * a, "y": 4 * b, "z": -a}, network)  # gradients (3, 0), (0, 4), (-1, 0)
    assert {k: round(found[k], 5) for k in "xyz"} == {"x": 3, "y": 4, "z": 1}
    assert math.isclose(found["all"], math.hypot(2, 4), rel_tol=1e-6)
    assert math.isclose(found["along_x"], -1 / math.hypot(1, 4), rel_tol=1e-6)  # the others: (-1, 4)
    assert math.isclose(found["along_y"], 0, abs_tol=1e-9)
    assert math.isclose(found["along_z"], -3 / 5, rel_tol=1e-6)  # the others: (3, 4)
    assert measure({"d": a + b}, network) == {"d": pytest.approx(math.sqrt(2))}, "one term has no others"
    with pytest.raises(ValueError, match="found no terms"):
        measure({}, network)


def test_a_term_that_misses_a_weight_and_one_that_is_flat():
    network = nn.ModuleList([nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)])
    first, second = (layer.weight[0, 0] for layer in network)
    found = measure({"one": 2 * first, "flat": 0 * second}, network)
    assert found["one"] == found["all"] == 2 and found["flat"] == 0 and found["along_flat"] == 0


def test_a_step_goes_on_as_if_nothing_had_been_measured():
    def step(watched: bool) -> torch.Tensor:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        adam = torch.optim.Adam(network.parameters(), 0.1)
        out = network(torch.randn(5, 3))
        terms = {"square": out.square().mean(), "size": out.abs().mean()}
        if watched:
            measure(terms, network)
        assert all(p.grad is None for p in network.parameters())
        sum(terms.values()).backward()
        adam.step()
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    assert torch.equal(step(True), step(False))


def test_the_log_is_cut_where_a_training_goes_on(tmp_path):
    path = tmp_path / "gradients.csv"
    log = GradientLog(path, 0, 30 * POINTS)
    assert [s for s in range(80) if log.due(s)] == [0, 30, 60]
    for step in (0, 30, 60):
        log.add(step, {"l1": 0.123456789, "all": 2.0})
    GradientLog(path, 40, 30 * POINTS).add(60, {"l1": 1.0, "all": 2.0})
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "31", "61"] and rows[0]["l1"] == "0.12346" and rows[2]["l1"] == "1"
    assert not GradientLog(tmp_path / "other.csv", 0, 5, active=False).due(0)
    assert [s for s in range(11) if GradientLog(tmp_path / "short.csv", 0, 5).due(s)] == [0, SELDOM, 2 * SELDOM]


def test_a_training_that_is_watched_ends_with_the_same_weights(tmp_path):
    data = write_viton(tmp_path / "world", 6, 2)
    quick = {"device": "cpu", "progress": False}
    fit("gmm", shortened(2), data, tmp_path / "yes", **quick)
    base = tmp_path / "yes" / "gmm"
    for name, watched in (("yes", True), ("no", False)):
        fit("ma_vton", shortened(SELDOM + 1), data, tmp_path / name, **quick, base=base, gradients=watched)
    yes, no = (checkpoint.load_tensors(tmp_path / n / "ma_vton" / "final.safetensors")[0] for n in ("yes", "no"))
    assert all(torch.equal(value, no[key]) for key, value in yes.items())
    assert not (tmp_path / "no" / "ma_vton" / "gradients.csv").exists()
    with (tmp_path / "yes" / "ma_vton" / "gradients.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, SELDOM + 1]
    terms = ("l1", "perceptual", "mask", "adversarial")
    assert list(rows[0]) == ["step", "discriminator", *terms, "all", *(f"along_{t}" for t in terms)]
    norms = [float(rows[0][t]) for t in terms]
    assert min(norms) > 0 and float(rows[0]["all"]) <= sum(norms) * (1 + 1e-4)
    assert all(-1 <= float(rows[0][f"along_{t}"]) <= 1 for t in terms)


def test_mixed_precision_is_watched_too(tmp_path):
    data = write_viton(tmp_path / "world", 6, 2)
    done = fit("gmm", shortened(2), data, tmp_path, device="cpu", precision="bf16-mixed", progress=False)
    with (done.folder / "gradients.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["warp_l1"]) > 0
