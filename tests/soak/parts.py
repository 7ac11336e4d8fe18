"""What is killed: four commands at the smoke profile, and what of each must be the same however often it died."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from soak.intact import visible_files

TIMED = ("seconds",)  # fields and columns that say how long it took, which differs from run to run
NOTEBOOKS = ("12_train",)


@dataclass(frozen=True)
class Part:
    """A command that is killed; `{root}` stands for the run's own folder, `{data}` for a finished data set."""

    name: str
    title: str
    command: tuple[str, ...]
    results: tuple[str, ...]  # folders below the root whose files must come out the same
    share: int  # of 24 kills: what takes longest dies least often
    variants: tuple[tuple[str, ...], ...] = ((),)  # of the arguments, in turn: they change no result
    notebooks: tuple[str, ...] = field(default=())
    checkpoints: bool = False  # does it want a finished training?


_PLACES = ("--data", "{data}", "--out", "{root}/checkpoints", "--device", "cpu")
PARTS = (
    Part(
        "data", "data generation",
        ("data", "make", "--profile", "smoke", "--out", "{root}/world", "--train", "12", "--test", "6", "--hard", "2"),
        ("world",), 7, (("--workers", "1"), ("--workers", "2")),
    ),
    Part(
        "train", "training (GMM, then MA-VTON)",
        ("train", "ma_vton", "--profile", "smoke", *_PLACES),
        ("checkpoints",), 7,
    ),
    Part(
        "evaluate", "evaluation",
        ("evaluate", "ma_vton", "--profile", "smoke", *_PLACES, "--records", "{root}/records", "--limit", "4"),
        ("records",), 6, checkpoints=True,
    ),
    Part(
        "figures", "`mavton figures` (" + ", ".join(NOTEBOOKS) + ")",
        ("figures", *NOTEBOOKS, "--profile", "smoke"),
        ("runs/smoke/checkpoints", "runs/smoke/records"),
        4, (("--jobs", "1"), ("--jobs", "2")), notebooks=NOTEBOOKS,
    ),
)  # fmt: skip


def prepare(part: Part, root: Path, source: Path, trained: Path | None, atelier: Path | None) -> None:
    """A new folder for a run of a part: notebooks and their data where it wants them, or a finished training."""
    root.mkdir(parents=True)
    for name in part.notebooks:
        (root / "notebooks").mkdir(exist_ok=True)
        shutil.copy(source / "notebooks" / f"{name}.ipynb", root / "notebooks")
    if part.notebooks:
        shutil.copytree(atelier, root / "runs/smoke/atelier")
    if part.checkpoints:
        shutil.copytree(trained, root / "checkpoints")


def outcome(part: Part, root: Path) -> dict[str, str]:
    """What must be the same: a digest of each file below the part's results, times left out."""
    found = {}
    for folder in part.results:
        for path in visible_files(root / folder):
            if not path.name.startswith("journal"):  # its lines come in any order, and twice where one was lost
                found[path.relative_to(root).as_posix()] = hashlib.sha256(_untimed(path)).hexdigest()
    return found


def _untimed(path: Path) -> bytes:
    if path.name == "final.json":
        content = json.loads(path.read_text())
        content["last_terms"] = {k: v for k, v in content["last_terms"].items() if k not in TIMED}
        return json.dumps({k: v for k, v in content.items() if k not in TIMED}).encode()
    if path.name == "log.csv":
        with path.open(newline="") as file:
            return json.dumps([{k: v for k, v in r.items() if k not in TIMED} for r in csv.DictReader(file)]).encode()
    return path.read_bytes()
