"""Training at full size, on small devices, and twice the same."""

import contextlib

import pytest
import torch
from trainings import shortened
from worlds import write_viton

from mavton_lite import checkpoint, devices
from mavton_lite.cli import main
from mavton_lite.config import PAPER
from mavton_lite.devices import BatchTooLarge, deterministic, usual_precision
from mavton_lite.experiments import retimed
from mavton_lite.objectives import GMMObjective
from mavton_lite.train import fit

QUIET = {"device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_viton(tmp_path_factory.mktemp("world"), 6, 2)


def test_three_full_size_steps_of_paper(tmp_path, capsys):
    """A dry run of the thesis's scale: GMM, MA-UNet, discriminator and perceptual network as large as they are."""
    data = write_viton(tmp_path / "world", 3, 2, size=PAPER.size)
    command = ["train", "ma_vton", "--profile", "paper", "--steps", "3", "--batch", "1", "--device", "cpu"]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--data", str(data), "--out", str(tmp_path)])
    assert ended.value.code == 0, capsys.readouterr().err
    for name, network, parameters in (("gmm", "gmm", 19_057_650), ("ma_vton", "tom", 21_349_252 + 76_778)):
        card = checkpoint.read_json(tmp_path / name / "final.json")
        assert card["steps"] == 3 and card["parameters"][network] == parameters
        assert all(torch.tensor(v).isfinite() for v in card["last_terms"].values())
    assert {"l1", "perceptual", "mask", "adversarial", "discriminator"} <= set(card["last_terms"])


def test_out_of_memory_names_the_batch_to_try(data, tmp_path, monkeypatch, capsys):
    def full(self, batch):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(GMMObjective, "turns", full)
    with pytest.raises(BatchTooLarge, match="gmm: out of memory with a batch of 4; try --batch 2$") as told:
        fit("gmm", shortened(), data, tmp_path, **QUIET)
    assert told.value.try_batch == 2
    with pytest.raises(BatchTooLarge, match="batch of 1; try a smaller profile") as told:
        fit("gmm", retimed(shortened(), batch=1), data, tmp_path, **QUIET)
    assert told.value.try_batch is None
    assert BatchTooLarge("gmm", 24, 8, tmp_path).try_batch == 8  # a share for each process
    (tmp_path / "last.safetensors").touch()
    assert "the last checkpoint is kept" in str(BatchTooLarge("gmm", 24, 8, tmp_path))
    with pytest.raises(SystemExit) as ended:
        main(["train", "gmm", "--profile", "smoke", "--batch", "6", "--device", "cpu", "--data", str(data),
              "--out", str(tmp_path / "other")])  # fmt: skip
    assert ended.value.code == 1 and "try --batch 3" in capsys.readouterr().err


def test_deterministic_runs_are_bit_equal_and_leave_the_settings_alone(data, tmp_path, monkeypatch):
    on = []
    turns = GMMObjective.turns

    def watched(self, batch):
        on.append(torch.are_deterministic_algorithms_enabled())
        return turns(self, batch)

    monkeypatch.setattr(GMMObjective, "turns", watched)
    for name in ("a", "b"):
        fit("gmm", shortened(), data, tmp_path / name, repeatable=True, **QUIET)
    assert on and all(on) and not torch.are_deterministic_algorithms_enabled()
    first, second = (checkpoint.load_tensors(tmp_path / n / "gmm/final.safetensors")[0] for n in ("a", "b"))
    assert all(torch.equal(v, second[k]) for k, v in first.items())
    with contextlib.suppress(KeyError), deterministic(True):
        raise KeyError
    assert not torch.are_deterministic_algorithms_enabled()


def test_other_lengths_and_batches_are_those_of_every_stage():
    short = retimed(PAPER, 3, 1)
    assert (short.train_gmm.steps, short.train_tom.batch, short.train_parse.steps) == (3, 1, 3)
    assert retimed(PAPER) == PAPER
    for wrong in ({"steps": 0}, {"batch": -1}):
        with pytest.raises(ValueError, match="wanted at least 1"):
            retimed(PAPER, **wrong)


@pytest.mark.parametrize(("kind", "native", "wanted"), [
    ("cuda", True, "bf16-mixed"), ("cuda", False, "32-true"), ("cpu", True, "32-true"),
])  # fmt: skip
def test_half_precision_is_for_gpus_that_have_it(kind, native, wanted, monkeypatch):
    monkeypatch.setattr(devices.torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert usual_precision(kind) == wanted


def test_only_the_first_process_of_a_training_locks_its_folder(tmp_path, monkeypatch):
    for name in devices._RANKS:
        monkeypatch.delenv(name, raising=False)
    assert not isinstance(devices.alone(tmp_path / "a"), contextlib.nullcontext)
    monkeypatch.setenv("NODE_RANK", "0")
    assert not isinstance(devices.alone(tmp_path / "a"), contextlib.nullcontext)
    monkeypatch.setenv("NODE_RANK", "1")
    assert isinstance(devices.alone(tmp_path / "a"), contextlib.nullcontext)
