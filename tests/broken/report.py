"""`make inputs`: every broken input once more; RELIABILITY.md is told how many were refused, and at what cost."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

import guard  # noqa: E402
from broken.case import Case  # noqa: E402
from broken.corpus import CORPUS  # noqa: E402
from soak.run import PAGE, replace_between  # noqa: E402

MARKS = ("<!-- inputs: begin -->", "<!-- inputs: end -->")


def main() -> None:
    """Try every case, print the table, put it into the page; exits 1 when one was not refused as it should be."""
    took: dict[str, list[float]] = defaultdict(list)
    wrong = []
    for case in CORPUS:
        seconds, why = attempt(case)
        took[case.kind].append(seconds)
        if why:
            wrong.append(f"{case.id}: {why}")
            print(wrong[-1], flush=True)
    shown = table(took, len(wrong))
    print(shown)
    replace_between(PAGE, MARKS, shown)
    sys.exit(bool(wrong))


def attempt(case: Case) -> tuple[float, str]:
    """Seconds of processor time until a case was refused, and what was wrong with that; "" when nothing."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="mavton-broken-") as name:
        folder = Path(name).resolve()
        os.chdir(folder)
        try:
            call = case.make(folder)
            began, why = time.process_time(), "not refused"
            try:
                with guard.guarded(folder):
                    try:
                        call()
                    except Exception as error:
                        why = case.refused(error)
            except AssertionError as broken_rule:
                why = str(broken_rule)
            seconds = time.process_time() - began
            return seconds, "ran code of the file" if (folder / "sprung").exists() else why
        finally:
            os.chdir(before)


def table(took: dict[str, list[float]], wrong: int) -> str:
    """One row a kind of input, in Markdown."""
    lines = ["| what is broken | inputs | slowest, s |", "|---|---:|---:|"]
    lines += [f"| {kind} | {len(all_)} | {max(all_):.2f} |" for kind, all_ in took.items()]
    every = [seconds for all_ in took.values() for seconds in all_]
    lines.append(f"| together | {len(every)} | {max(every):.2f} |")
    when = time.strftime("%Y-%m-%d", time.gmtime())
    more = f"{guard.grown_most / 2**20:,.0f} MiB"
    said = f"{wrong} not refused as they should be; {sum(every):.0f} s of processor time for all, " \
           f"at most {more} more than before, the libraries that are loaded included."  # fmt: skip
    return "\n".join([*lines, "", f"{said} `make inputs`, on {when}, Python {platform.python_version()}."])


if __name__ == "__main__":
    main()
