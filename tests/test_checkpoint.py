"""Checkpoints: what is written comes back bit for bit, and what does not fit says why."""

import dataclasses
import json

import pytest
import torch
from torch import nn

from mavton_lite import checkpoint, zoo
from mavton_lite.config import SMOKE, as_dict
from mavton_lite.experiments import EXPERIMENTS
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.schedule import build_scheduler
from mavton_lite.trained import fingerprint, load_pipeline


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3)).to(
        memory_format=torch.channels_last
    )


def make(seed: int):
    torch.manual_seed(seed)
    module = network()
    optimiser = torch.optim.Adam(module.parameters(), 1e-3, (0.5, 0.999))
    return module, optimiser, build_scheduler(optimiser, dataclasses.replace(SMOKE.train_gmm, steps=20))


def work(module, optimiser, scheduler, steps):
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        loss = module(torch.rand(2, 3, 8, 8, generator=generator)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        scheduler.step()


def test_a_state_continues_bit_for_bit(tmp_path):
    straight = make(0)
    work(*straight, range(9))
    first = make(0)
    work(*first, range(4))
    path = checkpoint.save_state(
        tmp_path / "s.safetensors", {"n": first[0]}, {"n": first[1]}, {"n": first[2]}, {"step": 4}
    )
    second = make(1)  # other weights: all must come from the file
    header = checkpoint.load_state(path, {"n": second[0]}, {"n": second[1]}, {"n": second[2]})
    assert header["step"] == 4
    assert second[1].param_groups[0]["betas"] == (0.5, 0.999)
    assert second[1].param_groups[0]["lr"] == first[1].param_groups[0]["lr"] != 1e-3
    moment = next(iter(second[1].state.values()))["exp_avg"]
    assert moment.is_contiguous(memory_format=torch.channels_last)
    work(*second, range(4, 9))
    for (name, a), b in zip(straight[0].state_dict().items(), second[0].state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_tensors_keep_type_and_header_keeps_digits(tmp_path):
    tensors = {"a": torch.rand(3).half(), "b": torch.arange(4), "c": torch.rand(2, 3).T, "d": torch.tensor(1.5)}
    path = checkpoint.save_tensors(tmp_path / "deep" / "t.safetensors", tensors, {"x": 0.1 + 0.2, "y": [1, None]})
    found, header = checkpoint.load_tensors(path)
    assert header == {"x": 0.1 + 0.2, "y": [1, None]}
    assert set(found) == set(tensors)
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = checkpoint.save_tensors(tmp_path / "t.safetensors", {"a": torch.zeros(2)})
    before = path.read_bytes()

    def broken(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save_tensors(path, {"a": torch.ones(2)})
    assert path.read_bytes() == before


def test_broken_files_are_named(tmp_path):
    whole = checkpoint.save_tensors(tmp_path / "t.safetensors", {"a": torch.zeros(100)})
    whole.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"t\.safetensors: found .*, wanted a whole"):
        checkpoint.load_tensors(whole)
    with pytest.raises(ValueError, match=r"gone\.safetensors: found no such file"):
        checkpoint.load_tensors(tmp_path / "gone.safetensors")
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(ValueError, match=r"c\.json: found broken JSON"):
        checkpoint.read_json(tmp_path / "c.json")
    with pytest.raises(ValueError):  # JSON has no NaN
        checkpoint.write_json(tmp_path / "n.json", {"a": float("nan")})
    assert not (tmp_path / "n.json").exists()


def test_weights_that_do_not_fit_say_why(tmp_path):
    path = checkpoint.save_weights(tmp_path / "w.safetensors", {"n": nn.Linear(3, 2)})
    with pytest.raises(ValueError, match=r"weight is \(2, 3\), wanted \(2, 4\)"):
        checkpoint.read_weights(path, {"n": nn.Linear(4, 2)})
    with pytest.raises(ValueError, match="missing bias"):
        checkpoint.load_weights(nn.Linear(3, 2), {"weight": torch.zeros(2, 3)}, "here")
    with pytest.raises(ValueError, match="unknown extra"):
        state = nn.Linear(3, 2).state_dict() | {"extra": torch.zeros(1)}
        checkpoint.load_weights(nn.Linear(3, 2), state, "here")


def test_digest_ignores_order_and_nothing_else():
    assert checkpoint.digest({"a": 1, "b": [1, 2]}) == checkpoint.digest({"b": (1, 2), "a": 1})
    assert checkpoint.digest({"a": 1}) != checkpoint.digest({"a": 1.5})


@pytest.fixture
def finished_out(tmp_path):
    """Folders as two finished trainings leave them, with random weights."""
    out = tmp_path / "out"
    for name in ("gmm", "ma_vton"):
        experiment = EXPERIMENTS[name]
        module = build_gmm(SMOKE) if name == "gmm" else build_tom(SMOKE, experiment.gate)
        print_ = fingerprint(experiment, SMOKE, tmp_path / "data", 7, out / "gmm")
        checkpoint.write_json(out / name / "config.json", print_)
        weights = checkpoint.save_weights(out / name / "final.safetensors", {experiment.stage: module})
        card = {"experiment": name, "steps": 1, "seconds": 1.0, "weights_sha256": checkpoint.file_digest(weights)}
        checkpoint.write_json(out / name / "final.json", card)
    return out


def test_a_released_model_is_the_trained_one(finished_out, tmp_path):
    from worlds import random_batch

    pipeline = load_pipeline("ma_vton", SMOKE, finished_out)
    card = zoo.release("ma_vton", SMOKE, finished_out, "tiny", metrics={"ssim": 0.5}, folder=tmp_path / "zoo")
    content = json.loads(card.read_text())
    assert content["seed"] == 7 and content["metrics"] == {"ssim": 0.5} and content["precision"] == "float16"
    assert content["parameters"]["tom"] == sum(p.numel() for p in pipeline.tom.parameters())
    assert (tmp_path / "zoo/tiny.safetensors").stat().st_size < 2.2 * sum(content["parameters"].values()) + 20_000
    assert zoo.released_profile(content) == SMOKE  # tuples and all
    loaded = zoo.load_released("tiny", folder=tmp_path / "zoo")
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    batch = random_batch(2)
    _, warp, tryon = pipeline(batch)
    _, warp_again, tryon_again = loaded(batch)
    assert torch.allclose(warp.grid, warp_again.grid, atol=1e-2)
    assert torch.allclose(tryon.image, tryon_again.image, atol=3e-2)


def test_the_log_of_gradients_goes_with_the_weights(finished_out, tmp_path):
    folder, log = tmp_path / "zoo", finished_out / "ma_vton" / "gradients.csv"
    log.write_text("step,l1\n1,0.5\n")
    zoo.release("ma_vton", SMOKE, finished_out, "tiny", folder=folder)
    assert zoo.gradient_log("tiny", folder).read_text() == log.read_text() and zoo.released(folder) == ["tiny"]
    log.unlink()
    zoo.release("ma_vton", SMOKE, finished_out, "tiny", folder=folder)
    assert zoo.gradient_log("tiny", folder) is None, "a log of other weights stayed"


def test_a_released_model_that_was_changed_is_refused(finished_out, tmp_path):
    folder = tmp_path / "zoo"
    zoo.release("ma_vton", SMOKE, finished_out, "tiny", folder=folder)
    weights = folder / "tiny.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match="its card says"):
        zoo.load_released("tiny", folder=folder)
    with pytest.raises(ValueError, match="known: tiny"):
        zoo.load_released("huge", folder=folder)
    with pytest.raises(ValueError, match=r"profile\.gmm: unknown settings colour"):
        zoo.released_profile({"profile": as_dict(SMOKE) | {"gmm": {"colour": 1}}})


def test_a_pipeline_keeps_to_its_own_warps(finished_out):
    card = checkpoint.read_json(finished_out / "gmm/final.json")
    checkpoint.write_json(finished_out / "gmm/final.json", card | {"weights_sha256": "0" * 64})
    with pytest.raises(ValueError, match="another geometric matching module"):
        load_pipeline("ma_vton", SMOKE, finished_out)
    with pytest.raises(ValueError, match="not finished"):
        load_pipeline("cp_vton", SMOKE, finished_out)
    with pytest.raises(ValueError, match="no try-on network"):
        load_pipeline("gmm", SMOKE, finished_out)


def test_settings_that_change_no_shape_are_noticed(finished_out):
    other = dataclasses.replace(SMOKE, tom=dataclasses.replace(SMOKE.tom, upsample="bilinear"))
    with pytest.raises(ValueError, match=r"ma_vton: trained with another tom\.upsample than this profile's"):
        load_pipeline("ma_vton", other, finished_out)
