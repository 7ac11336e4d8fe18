"""Where the time of `make figures` goes: seconds of the data set and of every notebook, kept between runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mavton_lite import files
from mavton_lite.config import runs_dir

DATA = "data set"


def times_path(profile: str) -> Path:
    """The file that keeps a profile's times."""
    return runs_dir(profile) / "times.json"


def read_times(profile: str) -> tuple[dict[str, float], float | None]:
    """Seconds by notebook, and of the last run that ran them all, start to end (None before there was one).

    Nothing where there is no file, or none that can be read: times are told, never relied on.
    """
    path = times_path(profile)
    try:
        kept = files.read_object(path, seconds=dict, whole_s=(int, float, type(None)))
        return {k: float(v) for k, v in kept["seconds"].items()}, kept["whole_s"]
    except (ValueError, TypeError, OSError):
        return {}, None


def keep_times(profile: str, seconds: Mapping[str, float], whole_s: float | None) -> None:
    """Add what was run now; `whole_s` only when nothing was left out."""
    before, whole = read_times(profile)
    rounded = {name: round(s, 1) for name, s in (before | dict(seconds)).items()}
    content = {"seconds": dict(sorted(rounded.items())), "whole_s": whole if whole_s is None else round(whole_s, 1)}
    files.write_text(times_path(profile), json.dumps(content, indent=1) + "\n")


def times_table(seconds: Mapping[str, float], whole_s: float | None) -> str:
    """A line for each, the longest first, with its share; notebooks run side by side, so the sum exceeds the whole."""
    total = sum(seconds.values())
    rows = [(name, f"{s:.0f} s", f"{s / total:.0%}") for name, s in sorted(seconds.items(), key=lambda x: -x[1])]
    rows.append(("sum", f"{total:.0f} s", ""))
    if whole_s is not None:
        rows.append(("from start to end, the last time all were run", f"{whole_s:.0f} s", ""))
    lines = [("where the time goes", "seconds", "share"), ("---", "---:", "---:"), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
