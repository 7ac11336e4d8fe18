"""`make soak`: kill every part of the project at random moments, and write into RELIABILITY.md what came of it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from soak.harness import MOMENT, Place, Tally, soak  # noqa: E402
from soak.parts import PARTS  # noqa: E402

from mavton_lite.files import write_text  # noqa: E402

PAGE = ROOT / "RELIABILITY.md"
MARKS = ("<!-- soak: begin -->", "<!-- soak: end -->")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, soak, print the table and put it into the page."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=24, help="in all")
    parser.add_argument("--seed", type=int, default=2024, help="of the moments")
    parser.add_argument("--only", nargs="*", choices=[p.name for p in PARTS], help="these parts; writes no page")
    parser.add_argument("--scratch", type=Path, help="a folder to work in; it is kept, and gone on with")
    given = parser.parse_args(arguments)
    scratch = given.scratch or Path(tempfile.mkdtemp(prefix="mavton-soak-"))
    tallies = soak_all(scratch.resolve(), given.kills, given.seed, given.only)
    if not given.scratch:
        shutil.rmtree(scratch)
    shown = table(tallies, given.seed, given.kills)
    print(shown)
    if not given.only:
        replace_between(PAGE, MARKS, shown)
        print(f"written into {PAGE.name}")


def soak_all(scratch: Path, kills: int, seed: int, only: Sequence[str] | None = None) -> list[Tally]:
    """Soak the parts one after the other, with a copy of the project that nobody edits meanwhile."""
    source = scratch / "source"
    for name in ("mavton_lite", "notebooks"):
        shutil.copytree(ROOT / name, source / name, dirs_exist_ok=True)
    place, tallies = Place(scratch, source), []
    chosen = [p for p in PARTS if not only or p.name in only]
    place.enter()
    if any(p.notebooks for p in chosen):
        place = dataclasses.replace(place, atelier=scratch / "atelier")
        draw = ("data", "make", "--profile", "smoke", "--out", str(place.atelier))
        subprocess.run([sys.executable, "-m", "mavton_lite", *draw], cwd=scratch, check=True)
    if (not only or "data" in only) and not (scratch / "warm" / "manifest.json").exists():
        _say("compiling")  # what a machine does once would count as every run's time
        draw = ("data", "make", "--out", "warm", "--profile", "smoke", "--train", "2", "--test", "2", "--workers", "1")
        subprocess.run([sys.executable, "-m", "mavton_lite", *draw], cwd=scratch, check=True)
    for number, part in enumerate(PARTS):
        wanted = -(-kills * part.share // sum(p.share for p in chosen)) if part in chosen else 0
        if not wanted and not any(p.name != part.name and PARTS.index(p) > number for p in chosen):
            continue  # nobody needs what it makes
        kept = scratch / f"{part.name}-{wanted}-{seed}.json"  # a soak goes on where it was killed
        if kept.exists():
            tally = Tally(part, **json.loads(kept.read_text()))
        else:
            shutil.rmtree(scratch / part.name, ignore_errors=True)
            tally = soak(place, part, wanted, random.Random(f"{seed} {part.name}"), _say)
            numbers = {k: v for k, v in vars(tally).items() if k != "part"}
            write_text(kept, json.dumps(numbers))
        made = scratch / part.name / "uninterrupted"
        known = {"data": {"data": made / "world"}, "train": {"trained": made / "checkpoints"}}
        place = dataclasses.replace(place, **known.get(part.name, {}))
        tallies += [tally] if wanted else []
    return tallies


def table(tallies: Sequence[Tally], seed: int, kills: int) -> str:
    """What came of it, in Markdown."""
    head = ("killed", *MOMENT, "files looked at", "half-written", "runs finished", "results compared", "different", "s")
    rows = []
    for t in tallies:
        # soak() would have stopped at the first half-written or different file
        numbers = [*t.kills.values(), t.looked_at, 0, t.finished, t.compared, 0, round(t.seconds)]
        rows.append([t.part.title, *numbers])
    rows.append(["together", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))])
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    lines += [f"| {' | '.join(f'{c:,}' if isinstance(c, int) else c for c in row)} |" for row in rows]
    when = time.strftime("%Y-%m-%d", time.gmtime())
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    command = f'make soak ARGS="--kills {kills} --seed {seed}"'
    return "\n".join([*lines, "", f"`{command}`, on {when}: {machine}, one thread a process."])


def replace_between(page: Path, marks: tuple[str, str], text: str) -> None:
    """Put a text between two marks of a page, and leave the rest as it is."""
    before, found, rest = page.read_text(encoding="utf-8").partition(marks[0])
    _, also, after = rest.partition(marks[1])
    if not (found and also):
        raise ValueError(f"{page}: found no marks {' and '.join(marks)}")
    write_text(page, f"{before}{marks[0]}\n{text}\n{marks[1]}{after}")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


if __name__ == "__main__":
    main()
