"""One broken input: how it is made, who has to refuse it, and what has to be said."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """`make` fills an empty folder and returns what is to be called; `says` is in the ValueError's text."""

    kind: str
    name: str
    make: Callable[[Path], Callable[[], Any]]
    says: tuple[str, ...]  # regular expressions, all of which have to be found

    @property
    def id(self) -> str:
        """As pytest shows it."""
        return f"{self.kind}: {self.name}"

    def refused(self, error: Exception) -> str:
        """What is wrong with the way an input was refused; empty when nothing is."""
        if type(error) is not ValueError and not isinstance(error, ValueError):
            return f"{type(error).__name__} instead of ValueError: {error}"
        missing = [words for words in self.says if not re.search(words, str(error))]
        return f"does not say {missing}: {error}" if missing else ""


def written(folder: Path, name: str, content: bytes | str | Any) -> Path:
    """A file with these bytes, this text, or this JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    path.write_bytes(content)
    return path


def odd_file(path: Path, what: str) -> Path:
    """Something in a file's place that is no file."""
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "link to nowhere":
        path.symlink_to(path.with_name("nowhere"))
    elif what == "link to itself":
        path.symlink_to(path)
    elif what == "link to a device":
        path.symlink_to("/dev/zero")
    elif what == "name too long":
        path = path.with_name("x" * 300 + path.suffix)
    elif what == "name with NUL":
        path = Path(f"{path}\0{path.suffix}")
    elif what == "below a file":
        path.write_bytes(b"")
        path = path / "x"
    return path


ODD = ("missing", "folder", "pipe", "link to nowhere", "link to itself", "link to a device", "name too long",
       "name with NUL", "below a file")  # fmt: skip
