"""Command lines and settings of the environment that cannot be meant."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from broken.case import Case, odd_file, written
from PIL import Image

from mavton_lite import notebook
from mavton_lite.cli import main
from mavton_lite.config import SMOKE, get_profile
from mavton_lite.world import prepare

_MAKE = "data make --profile smoke --out world --workers 1 --train 2 --test 2 --val 0 --hard 0"
_TRYON = "tryon --photo me.png --cloth atelier:test/3 --out out.png"
COMMANDS = {  # what is typed, below a folder with an empty data set `set` -> what has to be said
    f"{_MAKE} --train 1000000000000": "train: found 1000000000000 examples, wanted at most",
    f"{_MAKE} --hard 100000000000000000000": "hard: found 100000000000000000000 examples",
    f"{_MAKE} --train -2": "train: found -2 examples",
    f"{_MAKE} --size 400000x300000": "size: found 400000 x 300000",
    f"{_MAKE} --size 0x0": "size: found 0 x 0",
    f"{_MAKE} --size 64x-48": "--size: found '64x-48'",
    f"{_MAKE} --size 64x48x3": "--size: found '64x48x3'",
    f"{_MAKE} --workers 0": "workers: found 0",
    f"{_MAKE} --workers -3": "workers: found -3",
    f"{_MAKE} --shard 2/1": "shard: found 2/1",
    f"{_MAKE} --shard ../1": "--shard: found '../1'",
    f"{_MAKE} --seed -1": "seed: found -1",
    f"{_MAKE} --seed 99999999999999999999999": "seed: found 99999999999999999999999",
    "train ../../etc --profile smoke": "unknown experiment '../../etc'",
    "train gmm --profile smoke --data nowhere": "nowhere: no such folder",
    "train gmm --profile smoke --data me.txt": "me.txt: no such folder",
    "train gmm --profile smoke --data set --out out": "set: found",
    "train gmm --profile smoke --data set --steps 0": "steps: found 0",
    "train gmm --profile smoke --data set --batch -4": "batch: found -4",
    "train gmm --profile smoke --data set --devices 0": "devices",
    "train gmm --profile smoke --data set --seed -5": "seed: found -5",
    "train gmm --profile smoke --data set --seed 99999999999999999999": "seed: found 99999999999999999999",
    "train gmm --profile smoke --data set --out out --device abacus": "abacus",
    "train gmm --profile smoke --data set --out out --precision 3": "Precision '3'",
    "evaluate nobody --profile smoke --data set": "unknown experiment 'nobody'",
    "evaluate ma_vton --profile smoke --data set --out out": "not finished",
    "evaluate nobody.safetensors": "nobody.safetensors: found no such file",
    "evaluate ../../nobody.safetensors": "nobody.safetensors: found no such file",
    "data show nowhere": "nowhere",
    "data show set --count 0": "count: found 0",
    "data show me.txt": "me.txt",
    "figures 99_nothing --profile smoke": "no notebook '99_nothing'",
    "figures ../00_start_here --profile smoke": "no notebook '../00_start_here'",
    "figures --jobs 0 --profile smoke": "jobs: found 0",
    "figures --jobs -2 --profile smoke": "jobs: found -2",
    "study --profile smoke --only nothing": "unknown experiment 'nothing'",
    "study --profile smoke --steps 0 --data set": "found 0 steps",
    "study --profile smoke --steps -5 --data set": "found -5 steps",
    "study --profile smoke --release --split val": "--release: found --split val",
    "studio --no-browser --port 0": "port: found 0",
    "studio --no-browser --port 65536": "port: found 65536",
    f"{_TRYON} --photo nobody.png": "nobody.png: found no such file",
    f"{_TRYON} --photo set": "set: found a folder",
    f"{_TRYON} --photo me.txt": "me.txt: found",
    f"{_TRYON} --photo pipe.png": "pipe.png: found a pipe",
    f"{_TRYON} --photo tiny.png": "tiny.png: found 9 x 9 px",
    f"{_TRYON} --cloth nothing.png": "nothing.png: found no such file",
    f"{_TRYON} --cloth set": "set: found a folder",
    f"{_TRYON} --cloth atelier:test/-3": "found the garment 'atelier:test/-3'",
    f"{_TRYON} --out out.exe": "out.exe: cannot save",
    f"{_TRYON} --out out": "out: cannot save",
    f"{_TRYON} --model nobody": "unknown model 'nobody'",
    f"{_TRYON} --model ../nobody.safetensors": "nobody.safetensors: found no such file",
    f"{_TRYON} --checkpoints nowhere": "nowhere",
    "convert --gmm nothing.pth": "nothing.pth: found no such file",
    "convert --gmm me.txt --out model.safetensors": "me.txt: found no file of plain tensors",
    "convert --gmm me.txt --out model.pth": "model.pth: found the ending '.pth'",
    "convert --gmm set --out model.safetensors": "set: found a folder",
    "convert --gmm pipe.png --out model.safetensors": "pipe.png: found a pipe",
}
USAGE = ("", "nothing", "data", "data make --profile huge", "data make --size", "train", "evaluate ma_vton --split dev",
         "evaluate ma_vton --limit many", "tryon --photo a.jpg", "tryon --photo a --cloth b --out c --backend magic",
         "study --seeds one", "train gmm --seed 1.5", "figures --jobs two")  # fmt: skip


def run(line: str) -> None:
    """The command line in this process; what it says is raised, when it is one line and the exit code is right."""
    out, said = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        try:
            main(line.split())
        except SystemExit as end:
            code = end.code
    text = said.getvalue()
    if code == 2 and "Traceback" not in text:
        raise ValueError(f"usage: {text}")
    if code == 1 and text.startswith("mavton: ") and text.count("\n") == 1 and "--debug shows where" not in text:
        raise ValueError(text)
    raise AssertionError(f"exit code {code}, said: {text}")


def cases() -> Iterator[Case]:
    """Every command line, and every setting."""
    for line, says in COMMANDS.items():
        yield Case("command lines", line, partial(_command, line), (says.replace(".", r"\."),))
    for line in USAGE:
        yield Case("command lines", f"usage: {line}", partial(_command, line), ("usage",))
    for value in ("many", "0", "-1", "1.5", "99999", "２x"):
        yield Case("settings", f"MAVTON_THREADS={value}", partial(_threads, value), ("MAVTON_THREADS: found",))
    for value in ("nowhere", "me.txt", "/dev/null"):
        yield Case("settings", f"MAVTON_DATA={value}", partial(_data, value), ("MAVTON_DATA is",))
    for value in ("huge", "", "../smoke", "smoke\0"):
        yield Case("settings", f"profile {value!r}", partial(_profile, value), ("unknown profile",))


def _command(line: str, folder: Path):
    for split in ("train", "test"):
        (folder / "set" / split / "pose").mkdir(parents=True)
    written(folder, "me.txt", "hello")
    odd_file(folder / "pipe.png", "pipe")
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "tiny.png")
    Image.fromarray(np.zeros((99, 99, 3), np.uint8)).save(folder / "me.png")
    return partial(run, line)


def _threads(value: str, folder: Path):
    return partial(_with, "MAVTON_THREADS", value, notebook.threads)


def _data(value: str, folder: Path):
    written(folder, "me.txt", "hello")
    return partial(_with, "MAVTON_DATA", value, partial(prepare, SMOKE))


def _profile(value: str, folder: Path):
    return partial(get_profile, value)


def _with(name: str, value: str, call):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        return call()
