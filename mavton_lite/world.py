"""Where a profile's data set is, made first if it is the Atelier and not there yet."""

from __future__ import annotations

import json
import os
from pathlib import Path

from filelock import FileLock

from mavton_lite.config import Profile, data_dir
from mavton_lite.files import read_text


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
        put_aside(root)
        train, test, val, hard = counts(profile).values()
        write_world(root, train, test, *profile.size, n_val=val, n_hard=hard, progress=progress)
    return root


def counts(profile: Profile) -> dict[str, int]:
    """The examples of each split in a profile's Atelier; they come in pairs, so VITON's 14,221 are 14,222."""
    wanted = {"train": profile.n_train, "test": profile.n_test, "val": profile.n_val, "hard": profile.n_hard}
    return {split: n + n % 2 for split, n in wanted.items()}


def put_aside(root: Path) -> Path | None:
    """Rename an Atelier of an earlier version of this project, `atelier` -> `atelier-v1`; nothing else is touched."""
    from mavton_lite.data.atelier.write import VERSION

    first = next((p for p in (root / "manifest.json", root / "journal.jsonl") if p.is_file()), None)
    if first is None:
        return None
    try:
        text = read_text(first)
        found = json.loads(text if first.suffix == ".json" else text.partition("\n")[0])["world"]["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # whoever writes there will say what is wrong
    aside = root.with_name(f"{root.name}-v{found}")
    return root.rename(aside) if isinstance(found, int) and found < VERSION and not aside.exists() else None
