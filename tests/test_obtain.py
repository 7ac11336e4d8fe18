"""A trained model from wherever there is one: a finished training, released weights, or a training on the spot."""

import dataclasses

import pytest
import torch
from trainings import STEPS, shortened
from worlds import random_batch, write_viton

from mavton_lite import obtain as module
from mavton_lite import zoo
from mavton_lite.models.gmm import GMM
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.obtain import find_released, obtain
from mavton_lite.train import fit

QUIET = {"device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_viton(tmp_path_factory.mktemp("world"), 7, 2)


@pytest.fixture(scope="module")
def out(data, tmp_path_factory):
    """A folder in which `obtain` has trained CP-VTON and what it builds on, and a zoo that has it."""
    out = tmp_path_factory.mktemp("out")
    found = obtain("cp_vton", shortened(), data, out / "checkpoints", released=out / "empty", progress=False)
    assert found.source == "trained" and found.steps == STEPS and isinstance(found.model, TryOnPipeline)
    zoo.release("cp_vton", shortened(), out / "checkpoints", "small", folder=out / "zoo")
    return out


@pytest.fixture
def untrained(monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("something was trained")

    monkeypatch.setattr(module, "fit", forbidden)


def test_a_finished_training_comes_first(out, data, untrained):
    found = obtain("cp_vton", shortened(), data, out / "checkpoints", released=out / "zoo")
    assert (found.source, found.steps, found.card) == ("finished", STEPS, None)
    assert str(found) == f"a finished training, {STEPS} steps"
    assert not found.model.training
    gmm = obtain("gmm", shortened(), data, out / "checkpoints", released=out / "zoo").model
    assert torch.equal(gmm.regression.linear.weight, found.model.gmm.regression.linear.weight)


def test_released_weights_come_second(out, data, tmp_path, untrained):
    found = obtain("cp_vton", shortened(), data, tmp_path, released=out / "zoo")
    assert (found.source, found.steps, found.card["name"]) == ("released", STEPS, "small")
    batch = random_batch(2)
    trained = obtain("cp_vton", shortened(), data, out / "checkpoints").model
    torch.testing.assert_close(found.model(batch)[2].image, trained(batch)[2].image, atol=3e-2, rtol=0)
    base = obtain("gmm", shortened(), data, tmp_path, released=out / "zoo")  # it is inside
    assert isinstance(base.model, GMM) and base.source == "released" and base.steps is None
    assert torch.equal(base.model.regression.linear.weight, found.model.gmm.regression.linear.weight)
    assert not list(tmp_path.iterdir())


def test_weights_of_other_settings_are_not_taken(out):
    folder, profile = out / "zoo", shortened()
    assert find_released("cp_vton", profile, folder) == find_released("gmm", profile, folder) == "small"
    wider = dataclasses.replace(profile, tom=dataclasses.replace(profile.tom, width=12))
    assert find_released("cp_vton", wider, folder) is None and find_released("gmm", wider, folder) == "small"
    assert find_released("cp_vton", dataclasses.replace(profile, name="other"), folder) is None
    assert find_released("ma_vton", profile, folder) is None and find_released("gmm", profile, out / "empty") is None
    with pytest.raises(ValueError, match="unknown experiment"):
        find_released("nothing", profile, folder)


def test_a_training_on_another_base_is_not_taken(out, data, tmp_path):
    checkpoints = tmp_path / "checkpoints"
    fit("gmm", shortened(), data, checkpoints, seed=1, **QUIET)
    fit("cp_vton", shortened(), data, checkpoints, base=out / "checkpoints" / "gmm", **QUIET)
    with pytest.warns(UserWarning, match="moved to"):
        found = obtain("cp_vton", shortened(), data, checkpoints, released=out / "empty", progress=False)
    assert found.source == "trained"


def test_only_what_ends_in_try_ons_is_a_pipeline(out):
    loaded = zoo.load_released("small", folder=out / "zoo")
    assert isinstance(loaded, TryOnPipeline)
    zoo.release("gmm", shortened(), out / "checkpoints", "matching", folder=out / "zoo2")
    assert isinstance(zoo.load_released("matching", folder=out / "zoo2"), GMM)
    assert list(zoo.read_card("matching", out / "zoo2")["parameters"]) == ["gmm"]
