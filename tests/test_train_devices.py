"""Several processes on the CPU train one network: the same steps as one process takes, and one of them writes."""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from trainings import rows, shortened
from worlds import write_viton

from mavton_lite import checkpoint
from mavton_lite.config import SMOKE
from mavton_lite.experiments import retimed
from mavton_lite.feed import feed
from mavton_lite.shares import SharedBatchNorm, share_norms
from mavton_lite.train import fit

TESTS = Path(__file__).parent
NAMES = ("gmm", "ma_vton", "viton_coarse", "parser")
STEPS = 4
# run by each of two processes; `mavton train` does the same by its own launcher
SCRIPT = """
import sys
from pathlib import Path

import torch
torch.set_num_threads(1)
sys.path[:0] = [{tests!r}, {root!r}]
from test_train_devices import NAMES, short, without_tiles
from mavton_lite import checkpoint
from mavton_lite.train import _Training, fit

folder, data = Path({folder!r}), Path({data!r})
finish, save_tensors = _Training._finish, checkpoint.save_tensors


def finish_and_tell(self, log):  # what every process ended with, not only the one that saves
    name = f"{{self.job.experiment.name}}-{{self.fabric.global_rank}}.safetensors"
    save_tensors(self.job.folder.parent / name, {{k: v for m in self.bare.values() for k, v in m.state_dict().items()}})
    return finish(self, log)


def save_and_tell(path, *rest):
    with (folder / f"written-by-{{torch.distributed.get_rank()}}").open("a") as file:
        file.write(f"{{path.parent.name}}/{{path.name}}\\n")
    return save_tensors(path, *rest)


_Training._finish, checkpoint.save_tensors = finish_and_tell, save_and_tell
without_tiles()
how = dict(device="cpu", devices=2, progress=False)
for name in NAMES:
    fit(name, short(), data, folder / "two", **how)
fit("gmm", short(), data, folder / "begun_by_one", **how)
fit("gmm", short(), data, folder / "begun_by_two", max_seconds=0, **how)
"""
SECONDS = 600  # for a start of two processes on a busy machine; alone they take 15


def short():
    """Smoke in four steps, with everything that is drawn at random or normalised over a batch.

    The rate is small: Adam's first steps are as long for a gradient of rounding noise as for any other, so that at
    smoke's own rate already the order of a batch's examples changes the third step's loss by 0.7 %.
    """
    profile = retimed(shortened(STEPS, 2), STEPS, 4)
    stages = [f.name for f in fields(profile) if f.name.startswith("train_")]
    slow = {s: replace(getattr(profile, s), lr=3e-6, schedule="constant", save_every=2) for s in stages}
    return replace(profile, viton=replace(SMOKE.viton, dropout=0.5), **slow)


def without_tiles():
    """The perceptual network in single precision: in half, other kernels for other batches round differently."""
    torch.cpu._is_amx_tile_supported = lambda: False


def by_one(folder, data, *names, **options):
    for name in names:
        fit(name, short(), data, folder, device="cpu", progress=False, **options)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_viton(tmp_path_factory.mktemp("world"), 6, 2)


@pytest.fixture(scope="module")
def one(data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
        folder = by_one(tmp_path_factory.mktemp("one"), data, *NAMES)
        by_one(folder / "halfway", data, "gmm", max_seconds=0)
    return folder


@pytest.fixture(scope="module")
def together(data, tmp_path_factory):
    """What two processes did, each half of every batch: everything; the rest of a training; the beginning of one."""
    folder = tmp_path_factory.mktemp("together")
    begun = by_one(folder / "begun_by_one", data, "gmm", max_seconds=0)
    assert (begun / "gmm/last.safetensors").exists()
    script = folder / "script.py"
    places = {"tests": str(TESTS), "root": str(TESTS.parent), "folder": str(folder), "data": str(data)}
    script.write_text(SCRIPT.format(**places))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def two(together):
    return together / "two"


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_take_the_steps_of_one(name, one, two):
    whole, halves = rows(one / name), rows(two / name)
    assert len(whole) == len(halves) == STEPS
    for a, b in zip(whole, halves, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-6)


def test_two_processes_compute_the_gradients_of_one(one, together):
    """Adam's first moments in the checkpoint half way: sums of gradients, which forgive no scale and no lost share."""
    moments = []
    for folder in (one / "halfway", together / "begun_by_two"):
        tensors = checkpoint.load_tensors(folder / "gmm/last.safetensors")[0]
        moments.append(torch.cat([v.flatten() for k, v in sorted(tensors.items()) if k.endswith(".exp_avg")]))
    assert (moments[0] - moments[1]).norm() < 1e-3 * moments[0].norm()


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_keep_one_network(name, two):
    first, second = (checkpoint.load_tensors(two / f"{name}-{rank}.safetensors")[0] for rank in (0, 1))
    assert list(first) == list(second)
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def test_only_the_first_process_writes(together):
    written = (together / "written-by-0").read_text().split()
    assert {f"{name}/final.safetensors" for name in NAMES} | {"gmm/last.safetensors"} <= set(written)
    assert not (together / "written-by-1").exists()


def test_a_training_goes_on_with_another_number_of_processes(data, one, together, tmp_path):
    half = tmp_path / "begun_by_two"
    shutil.copytree(together / "begun_by_two", half)
    assert (half / "gmm/last.safetensors").exists()
    by_one(half, data, "gmm")
    for folder in (together / "begun_by_one", half):
        assert (folder / "gmm/final.json").exists() and not list(folder.glob("*.old-*"))
        for a, b in zip(rows(one / "gmm"), rows(folder / "gmm"), strict=True):
            assert a == pytest.approx(b, rel=1e-4, abs=1e-6)


def test_the_processes_share_every_epoch_without_loss_or_double(tmp_path):
    data = write_viton(tmp_path / "world", 12, 2)
    settings = replace(SMOKE.train_gmm, steps=9, batch=4)
    shares = [feed(data, (64, 48), settings, 3, rank=rank, world=2) for rank in (0, 1)]
    whole = feed(data, (64, 48), settings, 3)
    epochs = []
    for epoch in range(3):
        seen = []
        for step in range(3 * epoch, 3 * epoch + 3):
            parts = [share(step)["name"] for share in shares]
            assert [len(p) for p in parts] == [2, 2] and parts[0] + parts[1] == whole(step)["name"]
            seen += parts[0] + parts[1]
        assert sorted(seen) == sorted(f"{i:06}_0" for i in range(12))
        epochs.append(tuple(seen))
    assert len(set(epochs)) == 3  # shuffled anew


def test_two_nodes_train_by_the_command_line(data, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mavton_lite", "train", "gmm", "--profile", "smoke", "--device", "cpu"]
    command += ["--nodes", "2", "--steps", "3", "--batch", "4", "--data", str(data), "--out", str(tmp_path)]
    places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    places["PYTHONPATH"] = str(TESTS.parent)
    running = [
        subprocess.Popen(command, env=os.environ | places | {"NODE_RANK": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    for process in running:
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, said[-3000:]
    one = fit("gmm", retimed(SMOKE, 3, 4), data, tmp_path / "one", device="cpu", progress=False)
    alone, shared = rows(one.folder), rows(tmp_path / "gmm")
    assert len(alone) == len(shared) == 3
    assert alone[0] == pytest.approx(shared[0], rel=1e-4, abs=1e-6)  # later ones: see `short`


def test_a_shared_norm_keeps_names_values_and_the_result_of_one_process():
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4, momentum=0.3))
    torch.nn.init.normal_(plain[1].weight)
    before = {k: v.clone() for k, v in plain.state_dict().items()}
    x = torch.randn(2, 3, 8, 8)
    wanted = torch.nn.Sequential(*plain)(x)
    plain.load_state_dict(before)
    shared = share_norms(plain, torch.device("cpu"))
    assert isinstance(shared[1], SharedBatchNorm) and shared[1].momentum == 0.3
    assert list(shared.state_dict()) == list(before)
    assert torch.equal(shared(x), wanted)
