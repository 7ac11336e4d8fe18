"""How hard each term of a loss pulls: by hand on a network of two weights, and in the log of a real training."""

from __future__ import annotations

import csv
import math

import pytest
import torch
from torch import nn

from mavton_lite.gradients import POINTS, GradientLog, measure


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
    log = GradientLog(path, 0, 3 * POINTS)
    assert [s for s in range(8) if log.due(s)] == [0, 3, 6]
    for step in (0, 3, 6):
        log.add(step, {"l1": 0.123456789, "all": 2.0})
    GradientLog(path, 4, 3 * POINTS).add(6, {"l1": 1.0, "all": 2.0})
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "4", "7"] and rows[0]["l1"] == "0.12346" and rows[2]["l1"] == "1"
    assert not GradientLog(tmp_path / "other.csv", 0, 5, active=False).due(0)
    assert [GradientLog(tmp_path / "short.csv", 0, 5).due(s) for s in range(3)] == [True] * 3
