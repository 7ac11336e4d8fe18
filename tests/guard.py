"""What a bad input must not do: take long or much memory, write elsewhere, start a program."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

MOST_S, MOST_BYTES = 5.0, 1 << 30
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "socket.connect")
_PATHS = {"os.rename": (0, 1), "os.remove": (0,), "os.mkdir": (0,), "os.symlink": (1,), "os.link": (1,),
          "os.truncate": (0,), "os.rmdir": (0,), "os.chmod": (0,)}  # fmt: skip
_seen: list[tuple[str, str]] | None = None
_hooked = False


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Inside, fail when a program is started, anything is changed outside `folder`, or it costs too much."""
    global _seen
    _hook()
    before, earlier, began = _resident(), _peak(), time.process_time()
    _seen = []
    try:
        yield
    finally:
        seen, _seen = _seen, None
    took, grown = time.process_time() - began, _known_peak(_peak() - before, earlier, _peak())
    programs = [what for kind, what in seen if kind == "program"]
    outside = [what for kind, what in seen if kind == "path" and not _allowed(what, folder)]
    assert not programs, f"started {programs}"
    assert not outside, f"changed {outside} outside of {folder}"
    assert took < MOST_S, f"took {took:.1f} s"
    assert grown < MOST_BYTES, f"took {grown / 2**20:.0f} MiB"


grown_most = 0  # bytes, over all that was guarded


def _known_peak(grown: int, earlier: int, now: int) -> int:
    """A process's peak never falls: what was reached before is not this one's."""
    global grown_most
    grown = grown if now > earlier else 0
    grown_most = max(grown_most, grown)
    return grown


def _allowed(what: str, folder: Path) -> bool:
    path = os.path.realpath(what)
    caches = (os.path.realpath(folder), "/dev/null", "/proc", os.path.join(tempfile.gettempdir(), "mavton"))
    return path.startswith(caches) or "__pycache__" in path


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident() -> int:
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return pages * resource.getpagesize() or _peak()


def _hook() -> None:
    global _hooked
    if not _hooked:
        _hooked = True
        sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple) -> None:
    if _seen is None:
        return
    if event in _PROGRAMS:
        _seen.append(("program", f"{event} {arguments[:2]}"))
    elif event == "open":
        path, mode, flags = arguments
        if isinstance(path, (str, bytes, os.PathLike)) and (
            set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        ):
            _seen.append(("path", os.fsdecode(path)))
    elif event in _PATHS:
        for position in _PATHS[event]:
            if isinstance(arguments[position], (str, bytes, os.PathLike)):
                _seen.append(("path", os.fsdecode(arguments[position])))
