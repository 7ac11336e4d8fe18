"""The tables of `make bench`: between two markers of BENCHMARKS.md, a section a processor; its prose stays."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.side_by_side import Row
from mavton_lite import files

BEGIN, END = "<!-- begin: written by make bench -->", "<!-- end -->"
HEADING = "## On "
_LEFT, _RIGHT = "---", "---:"
HEADER = ("measured", "value", "target", "met", "ours", "against", "there", "rounds")


def processor() -> str:
    """What the ratios depend on most, in one line: the section's heading."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    tiles = ", with matrix tiles" if getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)() else ""
    return f"{model}{tiles}, {torch.get_num_threads()} threads"


def table(rows: Sequence[Row], command: str) -> str:
    """The lines as Markdown, a table for each part, under the machine and the command they come from."""
    today = datetime.now(UTC).date().isoformat()
    versions = f"PyTorch {torch.__version__}, Python {platform.python_version()}"
    text = [f"{HEADING}{processor()}", "", f"`{command}`, {today}: {versions}", ""]
    decided = [row for row in rows if row.target]
    met = sum(row.target.met(row.value) for row in decided)
    text += [f"{met} of {len(decided)} targets met.", ""]
    for part in dict.fromkeys(row.part for row in rows):
        text += [f"**{part}**", "", _line(HEADER)]
        text += [_line([_LEFT, _RIGHT, _RIGHT, _LEFT, _RIGHT, _LEFT, _RIGHT, _RIGHT])]
        text += [_line(_cells(row)) for row in rows if row.part == part]
        text.append("")
    return "\n".join(text)


def _cells(row: Row) -> list[str]:
    target = f"{row.target} {row.unit}".strip() if row.target else ""
    met = ("yes" if row.target.met(row.value) else "**no**") if row.target else ""
    value = f"{row.value:.3g} {row.unit}".strip()
    return [row.what, value, target, met, _time(row.ours_s), row.other, _time(row.other_s), str(row.rounds or "")]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def write(path: Path, rows: Sequence[Row], command: str) -> None:
    """Put the tables between the markers of a file, in the place of those of the same processor, or after all others.

    Raises: ValueError when it has not both markers, in this order.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    there, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path}: found no place for the table, wanted the lines {BEGIN} and {END}")
    new = table(rows, command)
    sections = {part.partition("\n")[0]: HEADING + part for part in there.split(HEADING)[1:]}
    sections[new.removeprefix(HEADING).partition("\n")[0]] = new
    written = "\n\n".join(section.strip() for section in sections.values())
    files.write_text(path, f"{before}{begin}\n\n{written}\n\n{end}{after}")
