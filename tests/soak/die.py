"""`mavton` in a process group of its own, killed at the n-th time it changes anything below a folder."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

CHANGES = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.truncate": 0}  # event -> which argument is the path


def die_at(number: int, root: Path) -> list[int]:
    """Kill this process's group just before change `number` below `root`; returns a running count of one number."""
    count, inside = [0], f"{root}{os.sep}"

    def watch(event: str, arguments: tuple) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not (set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)):
                return
        elif event in CHANGES:
            path = arguments[CHANGES[event]]
        else:
            return
        if not isinstance(path, (str, os.PathLike)) or not os.path.abspath(path).startswith(inside):
            return
        count[0] += 1
        if count[0] == number:
            os.killpg(os.getpgrp(), signal.SIGKILL)

    sys.addaudithook(watch)
    return count


def mavton(words: list[str], root: Path, log: Path, number: int, told: Path | None, own: dict[str, str]) -> None:
    """Run the command line with its output in a log; with `number` 0 it lives. `told`: where the count is written."""
    os.setsid()
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(own)
    os.chdir(root)
    changes = die_at(number, root)
    from mavton_lite.cli import main

    code: object = 1
    try:
        main(words)
    except SystemExit as end:
        code = end.code or 0
    if told:
        told.write_text(str(changes[0]))
    os._exit(code if isinstance(code, int) else 1)
