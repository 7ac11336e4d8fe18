"""Run a command, kill it at a random moment, look at what it left, start it again; in the end compare."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess as Process
from pathlib import Path

import psutil
from soak.die import mavton
from soak.intact import broken, visible_files
from soak.parts import Part, outcome, prepare

CONTEXT = multiprocessing.get_context("forkserver")
PRELOAD = ["mavton_lite.commands", "mavton_lite.commands_data", "mavton_lite.train", "mavton_lite.metrics",
           "mavton_lite.data.atelier", "mavton_lite.tryon", "mavton_lite.seeing", "mavton_lite.run_notebooks",
           "mavton_lite.notebook_kernel", "mavton_lite.plots.gallery", "soak.die"]  # fmt: skip
PATIENCE_S = 1200  # a command that takes longer hangs
MOMENT = ("by the clock", "at a change of a file")


class Fault(AssertionError):
    """Something that must not happen to whoever pulls the plug did."""


@dataclass
class Tally:
    """What happened to one part."""

    part: Part
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MOMENT, 0))
    looked_at: int = 0  # files, over all kills
    finished: int = 0  # runs that were killed and came to their end
    compared: int = 0  # files that came out the same, over all of these
    seconds: float = 0.0

    @property
    def killed(self) -> int:
        """Kills, of both kinds."""
        return sum(self.kills.values())


@dataclass(frozen=True)
class Place:
    """Where a soak works, and with which copy of the project."""

    scratch: Path
    source: Path  # the project as it was when the soak began
    data: Path | None = None
    trained: Path | None = None
    atelier: Path | None = None  # the smoke profile's

    def start(self, part: Part, root: Path, variant: int, die_at: int, count: Path | None = None) -> Process:
        """The part's command in a process group of its own, forked from one that has imported everything already."""
        words = [w.format(root=root, data=self.data) for w in (*part.command, *part.variants[variant])]
        log = root.with_name(f"{root.name}.log")
        process = CONTEXT.Process(target=mavton, args=(words, root, log, die_at, count, {"MAVTON_ROOT": str(root)}))
        process.start()
        return process

    def enter(self) -> None:
        """Every process from now on works with this place's copy of the project, in one thread."""
        os.chdir(self.scratch)  # where a process starts is the first place it imports from
        sys.path.insert(0, str(self.source))
        tests = str(Path(__file__).resolve().parents[1])
        for name in ("MAVTON_DATA", "MAVTON_PROFILE"):
            os.environ.pop(name, None)
        # the same bits want the same number of threads
        os.environ |= {"PYTHONPATH": f"{self.source}{os.pathsep}{tests}", "OMP_NUM_THREADS": "1", "MAVTON_THREADS": "1"}
        CONTEXT.set_forkserver_preload(PRELOAD)
        first = CONTEXT.Process(target=int)  # the imports are nobody's time
        first.start()
        first.join()


def soak(place: Place, part: Part, kills: int, rng: random.Random, say=print) -> Tally:
    """Kill a part `kills` times, over as many runs as that takes, and finish every run.

    Raises: Fault when a file is not whole, a run does not resume, or its outcome differs from the uninterrupted run's.
    """
    began, tally = time.monotonic(), Tally(part)
    reference = place.scratch / part.name / "uninterrupted"
    prepare(part, reference, place.source, place.trained, place.atelier)
    count = reference.with_name("changes")
    started = time.monotonic()
    _end(place.start(part, reference, 0, 0, count), reference)
    usual_s, changes, wanted = time.monotonic() - started, int(count.read_text()), outcome(part, reference)
    if not wanted:
        raise Fault(f"{reference}: nothing came of it")
    say(f"{part.name}: uninterrupted in {usual_s:.0f} s, {changes} changes of files, {len(wanted)} results")
    while tally.killed < kills:
        root = place.scratch / part.name / f"killed-{tally.finished + 1}"
        prepare(part, root, place.source, place.trained, place.atelier)
        while tally.killed < kills and (moment := _die(place, part, root, tally, rng, usual_s, changes)):
            tally.kills[moment] += 1
            tally.looked_at += len(visible_files(root))
            if wrong := broken(root):
                raise Fault(f"killed {moment}, and half-written: {'; '.join(wrong)}")
            say(f"{part.name}: killed {moment} ({tally.killed} of {kills}), every file whole")
        _end(place.start(part, root, 0, 0), root)
        found = outcome(part, root)
        if differing := sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k)):
            raise Fault(f"{root}: not as the uninterrupted run: {', '.join(differing)}")
        tally.finished += 1
        tally.compared += len(found)
        say(f"{part.name}: started again, finished, and {len(found)} results are the same")
    tally.seconds = time.monotonic() - began
    return tally


def _die(
    place: Place, part: Part, root: Path, tally: Tally, rng: random.Random, usual_s: float, changes: int
) -> str | None:
    """Start a run and kill it: at which moment; None when it came to its end first."""
    moment = MOMENT[tally.killed % 2]
    variant = rng.randrange(len(part.variants))
    if moment == MOMENT[1]:
        process = place.start(part, root, variant, rng.randint(1, changes))
    else:
        process = place.start(part, root, variant, 0)
        delay = rng.uniform(0.1, 1.0) * usual_s
        process.join(delay)
        if process.exitcode is None:
            kill(process)
            return moment
    family = _wait(process, root)
    if process.exitcode == -signal.SIGKILL:
        _end_all(family)
        return moment
    if process.exitcode:
        raise Fault(f"{root}: ended with {process.exitcode}; see {root.name}.log")
    return None


def kill(process: Process) -> None:
    """SIGKILL a process's whole group, and the groups that its kernels have of their own."""
    family = psutil.Process(process.pid).children(recursive=True)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # before it had a group of its own
    process.join()
    _end_all(family)


def _end_all(family: list[psutil.Process]) -> None:
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=20)


def _wait(process: Process, root: Path) -> list[psutil.Process]:
    """Wait for a process that may kill its own group; returns its last known children, kernels among them."""
    family: dict[int, psutil.Process] = {}
    deadline = time.monotonic() + PATIENCE_S
    while process.exitcode is None:
        try:
            family |= {child.pid: child for child in psutil.Process(process.pid).children(recursive=True)}
        except psutil.NoSuchProcess:
            break
        if time.monotonic() > deadline:
            kill(process)
            raise Fault(f"{root}: hangs; see {root.name}.log")
        time.sleep(0.1)
    process.join()
    return list(family.values())


def _end(process: Process, root: Path) -> None:
    _wait(process, root)
    if process.exitcode:
        raise Fault(f"{root}: ended with {process.exitcode}; see {root.with_name(root.name + '.log')}")
