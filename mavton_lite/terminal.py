"""What is said on a terminal: names of files may hold anything, and a terminal obeys some of it."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


def printable(text: str) -> str:
    """A text on one line, control characters and broken ones spelt out as `\\x1b`."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def speak_any_name() -> None:
    """From now on a name that is no UTF-8 is printed with its odd bytes spelt out, where it was an error."""
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")
