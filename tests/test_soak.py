"""The harness of `make soak`, small: one training killed at a change of a file, and whether half files are seen."""

from __future__ import annotations

import multiprocessing
import signal

import numpy as np
import pytest
from PIL import Image
from soak.die import mavton
from soak.intact import broken, visible_files
from soak.parts import PARTS, outcome
from trainings import shortened
from worlds import write_viton

from mavton_lite import checkpoint
from mavton_lite.train import fit

TRAIN = next(part for part in PARTS if part.name == "train")


def killed(words: list[str], root, number: int, told=None) -> int:
    """The exit code of the command line that is killed at that change of a file below `root`; 0: it lives."""
    own = {"MAVTON_ROOT": str(root), "OMP_NUM_THREADS": "1", "MAVTON_THREADS": "1"}
    log = root.with_name(f"{root.name}.log")
    process = multiprocessing.get_context("spawn").Process(target=mavton, args=(words, root, log, number, told, own))
    process.start()
    process.join(120)
    return process.exitcode


def test_a_training_that_is_killed_while_it_saves_ends_with_the_same_bits(tmp_path):
    data = write_viton(tmp_path / "viton", 8, 2)
    root, straight, told = (tmp_path / name for name in ("killed", "straight", "told"))
    words = ["train", "gmm", "--profile", "smoke", "--data", str(data), "--out", str(root / "checkpoints"),
             "--device", "cpu", "--steps", "12"]  # fmt: skip
    root.mkdir()
    straight.mkdir()
    assert killed([w.replace(str(root), str(straight)) for w in words], straight, 0, told) == 0
    # the last ten: rows of the log, final.safetensors, final.json, and away with the checkpoint of step 10
    assert killed(words, root, int(told.read_text()) - 10) == -signal.SIGKILL
    assert broken(root) == []
    assert not (root / "checkpoints/gmm/final.json").exists()
    assert killed(words, root, 0) == 0
    found = outcome(TRAIN, root)
    assert found == outcome(TRAIN, straight)
    assert {"checkpoints/gmm/final.safetensors", "checkpoints/gmm/log.csv"} < set(found)


def test_temporary_files_of_a_killed_training_are_swept(tmp_path):
    data, profile = write_viton(tmp_path / "viton", 8, 2), shortened(2)
    folder = tmp_path / "gmm"
    folder.mkdir()
    (folder / ".config.json.123.tmp").write_text("{")  # all that a training killed at its first file leaves
    fit("gmm", profile, data, tmp_path, progress=False, device="cpu")
    assert not list(folder.glob(".*.tmp")) and not list(tmp_path.glob("gmm.old-*"))


WHOLE = {
    "a.json": b"{}", "a.csv": b"a,b\n1,2\n", "log.csv": b"a,b\n1,2\n3", "a.jsonl": b"{}\n", "journal.jsonl": b'{}\n{"a',
    "a.md": b"x\n", "a.txt": b"x\n", "a.html": b"<p></p></html>\n", "a.ipynb": b"{}",
}  # fmt: skip
HALF = {
    "a.json": b"{", "a.csv": b"a,b\n1", "log.csv": b"a,b\n1\n", "a.jsonl": b'{"a', "journal.jsonl": b'{\n{"a"}\n',
    "a.md": b"x", "a.txt": b"", "a.html": b"<p>", "a.ipynb": b"", "a.jpg": b"\xff\xd8", "a.png": b"\x89PNG",
    "a.npz": b"PK", "a.safetensors": b"\0" * 9, "a.unknown": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", HALF)
def test_half_a_file_is_seen(tmp_path, name):
    (tmp_path / name).write_bytes(HALF[name])
    assert len(broken(tmp_path)) == 1 and name in broken(tmp_path)[0]


def test_whole_files_are_fine_and_temporary_ones_nobodys_business(tmp_path):
    for name, content in WHOLE.items():
        (tmp_path / name).write_bytes(content)
    for ending in ("jpg", "png"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"a.{ending}")
    np.savez(tmp_path / "a.npz", a=np.zeros(2))
    checkpoint.save_tensors(tmp_path / "a.safetensors", {})
    (tmp_path / ".a.json.7.tmp").write_text("{")
    assert broken(tmp_path) == [] and len(visible_files(tmp_path)) == len(WHOLE) + 4


def test_the_outcome_sees_every_bit_and_no_time(tmp_path):
    folder = tmp_path / "checkpoints/gmm"
    card = {"seconds": 1.0, "last_terms": {"seconds": 1.0, "loss": 0.5}, "steps": 3}
    checkpoint.write_json(folder / "final.json", card)
    (folder / "log.csv").write_text("step,seconds,loss\n1,0.5,0.25\n")
    before = outcome(TRAIN, tmp_path)
    checkpoint.write_json(folder / "final.json", card | {"seconds": 2.0, "last_terms": {"seconds": 9.0, "loss": 0.5}})
    (folder / "log.csv").write_text("step,seconds,loss\n1,0.75,0.25\n")
    assert outcome(TRAIN, tmp_path) == before
    (folder / "log.csv").write_text("step,seconds,loss\n1,0.5,0.26\n")
    assert outcome(TRAIN, tmp_path) != before


def test_kills_are_shared_out_and_at_least_as_many_as_asked_for():
    shares = [-(-24 * part.share // sum(p.share for p in PARTS)) for part in PARTS]
    assert sum(shares) >= 24 and min(shares) >= 3
