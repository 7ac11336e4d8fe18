"""Where a profile's data set is, made first if it is the Atelier and not there yet."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock

from mavton_lite.config import Profile, data_dir


def prepare(profile: Profile, progress: bool = True) -> Path:
    """The folder of a profile's data set: the user's own (`MAVTON_DATA`), else the Atelier, written if needed.

    Several processes may ask at once: one writes, the others wait for it.
    Raises: ValueError when `MAVTON_DATA` names no folder.
    """
    root = data_dir(profile)
    if os.environ.get("MAVTON_DATA"):
        if not root.is_dir():
            raise ValueError(f"MAVTON_DATA is {root}, which is no folder; wanted one in VITON's or VITON-HD's layout")
        return root
    from mavton_lite.data.atelier import write_world

    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.parent / "atelier.lock"):
        write_world(root, profile.n_train, profile.n_test, *profile.size, progress=progress)
    return root
