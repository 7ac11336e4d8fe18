"""Released weights laid out as finished trainings."""

import dataclasses

import pytest
from test_obtain import data, out, untrained  # noqa: F401 (fixtures)
from trainings import STEPS, shortened

from mavton_lite import train, unpack, zoo
from mavton_lite.checkpoint import load_tensors, read_json
from mavton_lite.config import train_anew
from mavton_lite.train import fit
from mavton_lite.trained import load_pipeline

QUIET = {"device": "cpu", "progress": False}


@pytest.fixture
def no_steps(monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("something was trained")

    monkeypatch.setattr(train, "_Training", forbidden)


def test_a_release_answers_for_the_training_it_comes_from(out, data, tmp_path, no_steps):  # noqa: F811
    assert unpack.unpack(["cp_vton"], shortened(), data, tmp_path, out / "zoo") == ["gmm", "cp_vton"]
    for name in ("gmm", "cp_vton"):
        done = fit(name, shortened(), data, tmp_path, **QUIET)  # returns at once
        assert done.finished and done.step == STEPS
        assert done.log.read_text() == (out / "checkpoints" / name / "log.csv").read_text()
        ours, theirs = (load_tensors(at / name / "final.safetensors")[0] for at in (tmp_path, out / "checkpoints"))
        assert ours.keys() == theirs.keys()
        assert all((ours[k] - theirs[k]).abs().max() < 2e-3 for k in ours if theirs[k].is_floating_point())
        assert read_json(tmp_path / name / "final.json")["released"] == "small"
    assert load_pipeline("cp_vton", shortened(), tmp_path).tom.settings == shortened().tom
    assert unpack.unpack(["cp_vton", "gmm"], shortened(), data, tmp_path, out / "zoo") == []
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_what_it_builds_on_can_be_had_alone(out, data, tmp_path):  # noqa: F811
    assert unpack.unpack(["gmm"], shortened(), data, tmp_path, out / "zoo") == ["gmm"]
    assert unpack.unpack(["cp_vton"], shortened(), data, tmp_path, out / "zoo") == ["cp_vton"]


def test_another_training_is_not_replaced_nor_built_on(out, data, tmp_path):  # noqa: F811
    fit("gmm", shortened(), data, tmp_path, seed=1, **QUIET)
    before = (tmp_path / "gmm" / "final.safetensors").read_bytes()
    assert unpack.unpack(["cp_vton"], shortened(), data, tmp_path, out / "zoo") == []
    assert (tmp_path / "gmm" / "final.safetensors").read_bytes() == before and not (tmp_path / "cp_vton").exists()


@pytest.mark.parametrize("change", ["steps", "data", "name", "nothing released"])
def test_only_the_same_training(out, data, tmp_path, change):  # noqa: F811
    profile, world, released = shortened(), data, out / "zoo"
    if change == "steps":
        profile = dataclasses.replace(profile, train_tom=dataclasses.replace(profile.train_tom, steps=STEPS + 1))
    elif change == "name":
        profile = dataclasses.replace(profile, name="other")
    elif change == "data":
        world = tmp_path / "nowhere"
    else:
        released = out / "empty"
    assert unpack.unpack(["cp_vton"], profile, world, tmp_path / "out", released) == []
    assert not (tmp_path / "out").exists()


def test_the_environment_can_ask_for_trainings(monkeypatch):
    for value, wanted in (("1", True), ("0", False), ("", False), (None, False)):
        monkeypatch.delenv("MAVTON_TRAIN", raising=False)
        if value is not None:
            monkeypatch.setenv("MAVTON_TRAIN", value)
        assert train_anew() is wanted


def test_logs_of_an_older_release_do_not_stay(out, tmp_path):  # noqa: F811
    stale = tmp_path / "zoo" / "small.viton_coarse.log.csv"
    stale.parent.mkdir()
    stale.write_text("step\n")
    zoo.release("cp_vton", shortened(), out / "checkpoints", "small", folder=tmp_path / "zoo")
    assert not stale.exists() and zoo.training_log("small", "gmm", tmp_path / "zoo") is not None
    assert zoo.training_log("small", "viton", tmp_path / "zoo") is None
