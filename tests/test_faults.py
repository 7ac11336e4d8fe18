"""What a full disk, a read-only or forbidden folder, a lost data set and a killed worker do: one line, nothing lost."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import drawn_world
import pytest
import torch
from drawn_world import drawn_pair
from matplotlib.figure import Figure
from test_records import record
from trainings import rows
from worlds import write_viton

from mavton_lite import checkpoint, files, notebook_files
from mavton_lite.cli import main
from mavton_lite.data.atelier import write
from mavton_lite.data.atelier.write import write_world
from mavton_lite.gradients import GradientLog
from mavton_lite.plots import style
from mavton_lite.traininglog import TrainingLog

NOBODY = 65534
REFUSALS = {"full": "No space left on device", "read-only": "Read-only file system", "forbidden": "Permission denied"}


class Trouble:
    """A folder in which something is wrong from `begin` to `mend`."""

    def __init__(self, kind: str, folder: Path):
        self.kind, self.folder, self.says = kind, folder, REFUSALS[kind]

    def begin(self) -> None:
        """What worked does not any more."""
        if self.kind == "forbidden":
            self.folder.chmod(0o555)
            if os.geteuid() == 0:
                os.seteuid(NOBODY)  # root may write everywhere
        elif self.kind == "full":
            block = self.folder / "filler"
            with block.open("wb", buffering=0) as file, pytest.raises(OSError):
                while True:
                    file.write(bytes(4096))
        else:
            subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)

    def mend(self) -> None:
        """It works again."""
        if self.kind == "forbidden":
            if os.getuid() == 0:
                os.seteuid(0)
            self.folder.chmod(0o777)
        elif self.kind == "full":
            (self.folder / "filler").unlink(missing_ok=True)
        else:
            subprocess.run(["mount", "-o", "remount,rw", self.folder], check=True)


@pytest.fixture(params=REFUSALS)
def trouble(request) -> Iterator[Trouble]:
    """Each kind, with a real file system: a small one of its own, where this machine lets us mount it."""
    folder = Path(tempfile.mkdtemp(prefix="mavton-trouble-"))  # pytest's own is closed to others
    folder.chmod(0o777)
    made = Trouble(request.param, folder)
    if request.param != "forbidden":
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m,mode=777", "tmpfs", folder], capture_output=True, text=True
        )
        if mounted.returncode:
            folder.rmdir()
            pytest.skip(f"no file system of our own can be mounted here: {mounted.stderr.strip()}")
    try:
        yield made
    finally:
        if request.param == "forbidden":
            made.mend()
        else:
            subprocess.run(["umount", "--lazy", folder], check=True)
        shutil.rmtree(folder)


def said(capsys, *arguments: str) -> tuple[int, str]:
    """Exit code of the command line and what it said on stderr, without progress bars."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if line.startswith("mavton: ")]
    return ended.value.code or 0, "\n".join(lines)


def draw(path: Path) -> Path:
    figure = Figure((1, 1))
    figure.add_subplot().plot([1, 2])
    return style.save(figure, path)


def log(path: Path) -> None:
    TrainingLog(path, 0, 1).add(1, 0.1, 1.0, torch.ones(()), {"x": torch.ones(())})


WRITERS = {
    "a.json": lambda path: checkpoint.write_json(path, {"new": [0] * 3000}),
    "a.safetensors": lambda path: checkpoint.save_tensors(path, {"a": torch.ones(3000)}),
    "a.md": lambda path: files.write_text(path, "new " * 3000),
    "a.png": draw,
    "a.ipynb": lambda path: notebook_files.write(path, {"cells": [{"source": "new " * 3000}]}),
    "smoke-unpaired-ma_vton-2024.json": lambda path: record().save(path.parent),
    "log.csv": log,
    "gradients.csv": lambda path: GradientLog(path, 0, 1).add(0, {"x": 1.0}),
}


def test_whoever_writes_names_the_file_and_keeps_the_old_one(trouble):
    for name, write_new in WRITERS.items():
        write_new(trouble.folder / name)  # imports what it needs
        (trouble.folder / name).write_text("" if name.endswith(".csv") else "old")
    trouble.begin()
    try:
        for name, write_new in WRITERS.items():
            path = trouble.folder / name
            with pytest.raises(OSError, match=f"{trouble.says}.*{files.MENDED}") as refusal:
                write_new(path)
            assert refusal.value.filename == str(path)
            assert path.read_text() == ("" if name.endswith(".csv") else "old"), f"{name} is lost"
    finally:
        trouble.mend()
    assert {p.name for p in trouble.folder.iterdir()} == set(WRITERS), "something half-written is left"
    for name, write_new in WRITERS.items():
        write_new(trouble.folder / name)


def test_data_generation_and_training_go_on_when_it_is_mended(trouble, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "draw_pair", drawn_pair)
    data = trouble.folder / "viton"
    write_viton(data, 6, 2)
    world, out = trouble.folder / "world", trouble.folder / "out"
    make = ("data", "make", "--profile", "smoke", "--out", str(world), "--train", "6", "--test", "2", "--workers", "1")
    train = ("train", "gmm", "--profile", "smoke", "--data", str(data), "--out", str(out), "--steps", "2",
             "--device", "cpu")  # fmt: skip
    assert said(capsys, *make, "--shard", "1/2") == (0, "")
    if trouble.kind != "forbidden":  # a folder that is closed has not been trained in; a disk has
        assert said(capsys, *train) == (0, "")
        shutil.rmtree(out / "gmm")
    folders = [p for p in trouble.folder.rglob("*") if p.is_dir()]
    trouble.begin()
    try:
        for folder in folders if trouble.kind == "forbidden" else ():
            os.seteuid(os.getuid())
            folder.chmod(0o555)
        if trouble.kind == "forbidden" and os.getuid() == 0:
            os.seteuid(NOBODY)
        for command in (make, train):
            code, line = said(capsys, *command)
            assert code == 1 and trouble.says in line and str(trouble.folder) in line, line
            assert line.count("\n") == 0 and "Traceback" not in line and "Errno" not in line
    finally:
        trouble.mend()
        for folder in folders:
            folder.chmod(0o777)
    assert not list(trouble.folder.rglob("*.tmp"))
    assert said(capsys, *make) == (0, "") and said(capsys, *train) == (0, "")
    whole = write_world(tmp_path / "whole", 6, 2, 64, 48, workers=1, progress=False).parent
    made = {p.relative_to(whole): p.read_bytes() for p in whole.rglob("*") if p.is_file() and "journal" not in p.name}
    assert made == {p: (world / p).read_bytes() for p in made}
    assert said(capsys, *train[:-6], "--out", str(tmp_path / "out"), *train[-4:]) == (0, "")
    assert (tmp_path / "out/gmm/final.safetensors").read_bytes() == (out / "gmm/final.safetensors").read_bytes()


def test_a_data_set_that_goes_away_costs_no_step(capsys, tmp_path, monkeypatch):
    from mavton_lite import train as trainer

    data, away = write_viton(tmp_path / "viton", 12, 2), tmp_path / "away"
    command = ("train", "gmm", "--profile", "smoke", "--data", str(data), "--steps", "8", "--device", "cpu",
               "--hold-gb", "0")  # fmt: skip
    assert said(capsys, *command, "--out", str(tmp_path / "whole"))[0] == 0
    step, real = [0], trainer._Training._step

    def counted(self, *arguments):
        step[0] += 1
        if step[0] == 3:
            data.rename(away)
        return real(self, *arguments)

    monkeypatch.setattr(trainer._Training, "_step", counted)
    code, line = said(capsys, *command, "--out", str(tmp_path / "cut"))
    assert code == 1 and "found no such file" in line and line.count("\n") == 0
    saved = int(line.partition("saved at step ")[2].partition(":")[0])
    assert saved in (3, 4), "the batch after may have been read already"
    assert checkpoint.load_tensors(tmp_path / "cut/gmm/last.safetensors")[1]["step"] == saved
    away.rename(data)
    assert said(capsys, *command, "--out", str(tmp_path / "cut"))[0] == 0
    names = [tmp_path / f / "gmm" for f in ("whole", "cut")]
    assert len({(f / "final.safetensors").read_bytes() for f in names}) == 1 and rows(names[0]) == rows(names[1])


def test_a_killed_worker_is_told_and_its_work_done_again(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_write_pair", drawn_world.dying)
    with pytest.raises(ChildProcessError, match="a worker process was killed.*the same command goes on.*--workers 1"):
        write_world(tmp_path / "cut", 12, 2, 64, 48, workers=2, progress=False)
    assert not (tmp_path / "cut/manifest.json").exists() and not list((tmp_path / "cut").rglob(".*.tmp"))
    # what a process leaves that is killed in the middle of a file
    half = tmp_path / "cut/train/tryon-truth/image/.000010_0.jpg.1.tmp"
    half.write_bytes(b"half")
    write_world(tmp_path / "cut", 12, 2, 64, 48, workers=1, progress=False)
    assert not list((tmp_path / "cut").rglob(".*.tmp"))
    monkeypatch.undo()
    monkeypatch.setattr(write, "draw_pair", drawn_pair)
    whole = write_world(tmp_path / "whole", 12, 2, 64, 48, workers=1, progress=False)
    assert whole.read_bytes() == (tmp_path / "cut/manifest.json").read_bytes()


def test_a_worker_that_is_ended_leaves_nothing_half_written(tmp_path):
    (tmp_path / "train/image").mkdir(parents=True)
    (tmp_path / "train/image/.another.jpg.1.tmp").touch()  # of another process, which may be at it still
    worker = multiprocessing.get_context("spawn").Process(target=drawn_world.writing, args=(tmp_path,))
    worker.start()
    while not (tmp_path / "met").exists():
        assert worker.is_alive()
        time.sleep(0.02)
    worker.terminate()  # as the pool does with all when one is killed
    worker.join(30)
    assert worker.exitcode == 1
    assert [path.name for path in (tmp_path / "train/image").iterdir()] == [".another.jpg.1.tmp"]


def test_files_have_the_mode_of_the_umask(tmp_path):
    for umask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(umask)
        try:
            for name, write_new in WRITERS.items():
                (tmp_path / name).unlink(missing_ok=True)
                write_new(tmp_path / name)
                assert (tmp_path / name).stat().st_mode & 0o777 == mode, name
        finally:
            os.umask(before)
