"""`make figures`: run the notebooks that are not up to date, in parallel where they are independent.

A notebook is up to date when its cells, the package's sources, the profile, the data set and the notebooks it builds
on are those of its last good run, and its figures are still there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from mavton_lite import notebook_files as files
from mavton_lite.config import data_dir, get_profile, project_root, runs_dir, train_anew
from mavton_lite.files import write_text
from mavton_lite.notebook_times import DATA, keep_times, read_times, times_table

# Which notebooks read what others wrote; the rest are independent.
NEEDS: dict[str, tuple[str, ...]] = {
    "09_cpvton_gmm": ("12_train",),
    "10_cpvton_tom": ("12_train",),
    "13_results": ("08_viton", "12_train"),
}

GRACE_S = 60  # for a kernel to save its training after Ctrl-C
BEAT_S = 30  # between two progress lines of a running notebook, where there is no terminal


@dataclass
class Job:
    """One notebook to run, and how it ended: ran, failed, interrupted, skipped (up to date) or blocked."""

    name: str
    source: Path
    digest: str
    needs: tuple[str, ...]
    state: str = "waiting"
    message: str = ""
    seconds: float = 0.0


@dataclass
class Report:
    """How a whole run ended; `ok` when nothing failed."""

    jobs: list[Job] = field(default_factory=list)
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether every notebook is up to date now."""
        return not self.interrupted and all(job.state in ("ran", "skipped") for job in self.jobs)


def plan(
    profile: str,
    names: list[str] | None = None,
    parameters: dict | None = None,
    folder: Path | None = None,
    needs: dict[str, tuple[str, ...]] | None = None,
) -> list[Job]:
    """The jobs of a run in an order that respects who needs whom, each with its digest; nothing is executed.

    Raises: ValueError naming the notebook for an unknown name, or for a parameter that it does not declare.
    """
    folder = folder or project_root() / "notebooks"
    needs = NEEDS if needs is None else needs
    there = {path.stem: path for path in sorted(folder.glob("[!.]*.ipynb")) if not path.name.endswith(".failed.ipynb")}
    wanted = names or list(there)
    for name in wanted:
        if name not in there:
            raise ValueError(f"{folder} has no notebook {name!r}; it has {', '.join(there) or 'none'}")
    if not wanted:
        raise ValueError(f"{folder}: no notebooks found")
    values = {"profile": profile, **(parameters or {})}
    data = str(data_dir(profile)) if os.environ.get("MAVTON_DATA") else None
    common = [files.package_digest(), values, data, train_anew()]
    jobs: dict[str, Job] = {}

    def add(name: str) -> Job:
        if name not in jobs:
            upstream = [add(other) for other in needs.get(name, ()) if other in there]
            notebook = files.read(there[name])
            declared = files.parameters(notebook, name)
            for parameter in values:
                if parameter not in declared:
                    known = ", ".join(declared) or "nothing"
                    raise ValueError(f"{name} has no parameter {parameter!r}; its parameters cell declares {known}")
            digest = files.combine([files.source_digest(notebook), *common, *(job.digest for job in upstream)])
            jobs[name] = Job(name, there[name], digest, tuple(job.name for job in upstream))
        return jobs[name]

    for name in wanted:
        add(name)
    return list(jobs.values())


def up_to_date(job: Job, profile: str) -> bool:
    """Whether the last good run of a notebook was of these very sources, and what it made is still there."""
    folder = runs_dir(profile) / "notebooks"
    try:
        stamp = json.loads((folder / f"{job.name}.json").read_text(encoding="utf8"))
    except (OSError, json.JSONDecodeError):
        return False
    made = all((project_root() / name).exists() for name in stamp.get("made", ()))
    return stamp.get("digest") == job.digest and made and (folder / f"{job.name}.ipynb").exists()


def run(
    profile: str,
    names: list[str] | None = None,
    *,
    parameters: dict | None = None,
    folder: Path | None = None,
    needs: dict[str, tuple[str, ...]] | None = None,
    jobs: int | None = None,
    force: bool = False,
    say=lambda text: print(text, flush=True),
) -> Report:
    """Run what is not up to date and say how it went; finished notebooks are kept whatever happens to others.

    Raises: ValueError as `plan` does.
    """
    get_profile(profile)
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs: found {jobs}, wanted at least 1")
    todo = plan(profile, names, parameters, folder, needs)
    report = Report(todo)
    for job in todo:
        fresh = all(other.state == "skipped" for other in todo if other.name in job.needs)
        if not force and fresh and up_to_date(job, profile):
            job.state = "skipped"
    waiting = [job for job in todo if job.state == "waiting"]
    say(f"{len(todo)} notebooks at {profile}: {len(todo) - len(waiting)} up to date, {len(waiting)} to run")
    if waiting:
        from mavton_lite.world import prepare

        began, prepared = time.monotonic(), 0.0
        try:
            prepare(get_profile(profile))  # once, before parallel notebooks ask for it
            prepared = time.monotonic() - began
            _execute(report, waiting, profile, parameters or {}, jobs or _default_jobs(), say)
        except KeyboardInterrupt:
            report.interrupted = True
        whole = time.monotonic() - began
        _tell_times(profile, report, prepared, None if names else whole, say)
    for job in todo:
        if job.state not in ("ran", "skipped"):
            say(f"{job.state.upper():<11} {job.message or job.name}")
    if report.interrupted:
        say("interrupted; finished work is kept, the same command goes on from here")
    return report


def _tell_times(profile: str, report: Report, prepared_s: float, whole_s: float | None, say) -> None:
    """Keep and print where the time went; a data set that was there already took none worth telling."""
    seconds = {job.name: job.seconds for job in report.jobs if job.state == "ran"}
    if not seconds:
        return
    every = len(seconds) == len(report.jobs) and report.ok
    if prepared_s > 10:  # to look through one that is there takes a second or two
        seconds[DATA] = prepared_s
    keep_times(profile, seconds, whole_s if every else None)
    say(times_table(*read_times(profile)))


def _execute(report: Report, waiting: list[Job], profile: str, parameters: dict, workers: int, say) -> None:
    from mavton_lite.notebook_kernel import Execution

    by_name = {job.name: job for job in report.jobs}
    needed = {name for job in waiting for name in job.needs}  # these go first: others wait for them
    running: dict[Future, tuple[Job, Execution]] = {}
    values = {"profile": profile, **parameters}
    beat = time.monotonic()
    with ThreadPoolExecutor(workers) as pool, _terminate_as_interrupt():
        try:
            while True:
                for job in sorted((j for j in waiting if j.state == "waiting"), key=lambda j: j.name not in needed):
                    upstream = [by_name[name] for name in job.needs]
                    broken = [u.name for u in upstream if u.state in ("failed", "blocked")]
                    if broken:
                        job.state, job.message = "blocked", f"{job.name}: needs {', '.join(broken)}"
                    elif len(running) < workers and all(u.state in ("ran", "skipped") for u in upstream):
                        job.state = "running"
                        execution = Execution(job.source, values, profile, project_root())
                        running[pool.submit(_one, job, execution, profile)] = job, execution
                        say(f"{'started':<11} {job.name}")
                if not running:
                    return
                done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                for future in done:
                    job, _ = running.pop(future)
                    future.result()
                    if job.state == "ran":
                        say(f"{'done':<11} {job.name}  {_clock(job.seconds)}")
                    else:
                        say(f"{job.state:<11} {job.message}")
                if time.monotonic() - beat > BEAT_S and running:
                    beat = time.monotonic()
                    for job, execution in running.values():
                        say(f"{'running':<11} {job.name}  {_clock(beat - execution.started)}  {execution.status()}")
        except KeyboardInterrupt:
            report.interrupted = True
            _stop(running, say)


def _stop(running: dict, say) -> None:
    say("stopping: kernels save their work (press Ctrl-C again to kill them)")
    try:
        for _, execution in running.values():
            execution.interrupt()
        wait(running, timeout=GRACE_S)
    except KeyboardInterrupt:
        pass
    for future, (_, execution) in running.items():
        if not future.done():
            execution.kill()


def _one(job: Job, execution, profile: str) -> None:
    """Run one notebook to its end; the good file of an earlier run is replaced only by a good one."""
    from mavton_lite.notebook_kernel import Interrupted, NotebookFailed

    folder = runs_dir(profile) / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    partial, failed = folder / f".{job.name}.partial.ipynb", folder / f"{job.name}.failed.ipynb"
    try:
        executed = execution.run(partial)
        files.write(folder / f"{job.name}.ipynb", files.normalised(executed))
        if profile == "lite":
            files.write(job.source, files.committed(executed, profile))
        stamp = {"digest": job.digest, "made": _made(job.name, profile)}
        write_text(folder / f"{job.name}.json", json.dumps(stamp, indent=1) + "\n")
        failed.unlink(missing_ok=True)
        job.state = "ran"
    except Interrupted:
        job.state, job.message = "interrupted", f"{job.name}: stopped at {execution.status().split('  ')[0]}"
    except NotebookFailed as error:
        job.state, job.message = "failed", str(error)
        if partial.exists():
            os.replace(partial, failed)
            job.message += f" -> {failed.relative_to(project_root())}"
    finally:
        job.seconds = time.monotonic() - execution.started
        partial.unlink(missing_ok=True)


def _made(name: str, profile: str) -> list[str]:
    """Paths, relative to the root, of the figures and tables a notebook has published."""
    from mavton_lite.plots.publish import figures_dir, published

    found = []
    for sidecar in sorted((figures_dir(profile) / "published").glob("*.json")):
        record = published(profile, sidecar.stem)
        if record and record["notebook"] == name:
            found += [(figures_dir(profile) / file).relative_to(project_root()).as_posix() for file in record["files"]]
    return found


def _default_jobs() -> int:
    return max(1, min(4, os.cpu_count() or 1))


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@contextlib.contextmanager
def _terminate_as_interrupt():
    """Treat SIGTERM as Ctrl-C, so that `kill` of make also lets kernels save."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
