"""Is every file that bears its final name whole? Looked at without the package's own readers, which are tested here."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

APPENDED = ("log.csv", "gradients.csv")  # their last line may be cut off: the next run takes it away
JOURNAL = "journal"


def visible_files(root: Path) -> list[Path]:
    """The files below a folder that somebody might read: no temporary ones and no locks."""
    found = (p for p in root.rglob("*") if p.is_file())
    return sorted(p for p in found if not p.name.startswith(".") and p.suffix not in (".tmp", ".lock"))


def broken(root: Path) -> list[str]:
    """What is wrong with each file below a folder that is not whole; empty when all are."""
    complaints = []
    for path in visible_files(root):
        try:
            _LOOKS[path.suffix](path)
        except KeyError:
            complaints.append(f"{path}: nobody knows how to check this kind of file")
        except Exception as error:  # whatever a library says of half a file
            complaints.append(f"{path}: {type(error).__name__}: {error}")
    return complaints


def _picture(path: Path) -> None:
    with Image.open(path) as picture:
        picture.load()


def _arrays(path: Path) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        dict(arrays)


def _lines(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if path.name.startswith(JOURNAL) and lines and not lines[-1].endswith("\n"):
        lines.pop()
    for line in lines:
        json.loads(line)


def _table(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    if path.name in APPENDED and not text.endswith("\n"):
        rows.pop()
    elif not text.endswith("\n"):
        raise ValueError("the last line is cut off")
    if len({len(row) for row in rows}) > 1:
        raise ValueError("rows of different lengths")


def _text(end: str) -> Callable[[Path], None]:
    def look(path: Path) -> None:
        if not path.read_text(encoding="utf-8").endswith(end):
            raise ValueError(f"does not end in {end!r}")

    return look


def _json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


_LOOKS: dict[str, Callable[[Path], object]] = {
    ".jpg": _picture,
    ".png": _picture,
    ".npz": _arrays,
    ".json": _json,
    ".ipynb": _json,
    ".jsonl": _lines,
    ".csv": _table,
    ".md": _text("\n"),
    ".txt": _text("\n"),
    ".html": _text("</html>\n"),
    ".toml": _text("\n"),
    ".safetensors": load_file,
}
