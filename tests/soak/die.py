"""`mavton`, killed at the n-th time it changes anything below $SOAK_ROOT: `python die.py N [mavton's arguments]`.

With N = 0 it lives, and the number of changes is written to $SOAK_COUNT.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

CHANGES = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.truncate": 0}  # event -> which argument is the path


def die_at(number: int, root: str) -> list[int]:
    """Kill this process's group just before change `number` below `root`; returns a running count of one number."""
    count = [0]

    def watch(event: str, arguments: tuple) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not (set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)):
                return
        elif event in CHANGES:
            path = arguments[CHANGES[event]]
        else:
            return
        if not isinstance(path, (str, os.PathLike)) or not os.path.abspath(path).startswith(root + os.sep):
            return
        count[0] += 1
        if count[0] == number:
            os.killpg(os.getpgrp(), signal.SIGKILL)

    sys.addaudithook(watch)
    return count


if __name__ == "__main__":
    changes = die_at(int(sys.argv[1]), os.environ["SOAK_ROOT"])
    from mavton_lite.cli import main

    try:
        main(sys.argv[2:])
    finally:
        if "SOAK_COUNT" in os.environ:
            Path(os.environ["SOAK_COUNT"]).write_text(str(changes[0]))
