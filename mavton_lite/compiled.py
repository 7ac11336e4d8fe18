"""Where compiled code is kept: one folder for every state of the sources.

numba takes the code of a called function into its caller, but looks for changes only in the caller's own file. In a
folder that is named by the digest of all sources of the package, nothing that was compiled of other sources is found.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numba

config: Any = numba.config  # its settings are made when it is imported

_PREFIX = "numba-"
UNUSED_S = 3600.0  # a folder of other sources that no process has asked for so long may go


@contextmanager
def kept_compiled(package: Path) -> Iterator[Path]:
    """What is decorated with `njit(cache=True)` in here is kept for the sources that the folder `package` has now.

    The first of these that can be written: numba's own setting (NUMBA_CACHE_DIR), `__pycache__` beside the sources, the
    user's cache; else a folder that goes with the process. Processes may share it: numba writes its files atomically.
    """
    before = config.CACHE_DIR
    folder = _folder(Path(package), before)
    config.CACHE_DIR = str(folder)
    try:
        yield folder
    finally:
        config.CACHE_DIR = before  # other packages keep their code where they want it


def _folder(package: Path, setting: str) -> Path:
    name = _PREFIX + _digest(package)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for parent in ([Path(setting)] if setting else []) + [package / "__pycache__", cache / "mavton_lite"]:
        with suppress(OSError):
            folder = parent / name
            new = not folder.is_dir()
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            os.utime(folder)
            if new:
                _clean(parent)
            return folder
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _digest(package: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(package.glob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.name} {len(source)}\n".encode() + source)
    return digest.hexdigest()[:16]


def _clean(parent: Path) -> None:
    """Folders of other sources, but not those in use: who lost his would fail at the next function that he keeps."""
    for folder in parent.glob(f"{_PREFIX}*/"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > UNUSED_S:
                shutil.rmtree(folder, ignore_errors=True)
