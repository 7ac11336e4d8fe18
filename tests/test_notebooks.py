"""The runner, on throwaway notebooks; and the project's own notebooks as files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from mavton_lite import notebook_files as files
from mavton_lite.notebook_times import keep_times, read_times, times_path, times_table
from mavton_lite.run_notebooks import NEEDS, plan, run

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[!.]*.ipynb"))
# those that the README says are here; a new notebook is added to both
EXPECTED = {
    "00_start_here",
    "01_gan_toy",
    "02_gan_images",
    "03_hard_attention",
    "04_soft_attention",
    "05_channel_attention",
    "06_self_attention",
    "07_person_and_unet",
    "08_viton",
    "09_cpvton_gmm",
    "10_cpvton_tom",
    "11_ma_vton",
    "12_train",
    "13_results",
    "14_studio",
}


def notebook(path: Path, *sources: str, parameters: str = 'profile = "smoke"') -> Path:
    def cell(number: int, source: str, tags: tuple[str, ...] = ()) -> dict:
        return {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {"tags": list(tags)} if tags else {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }

    cells = [cell(0, parameters, ("parameters",)), *(cell(i, s) for i, s in enumerate(sources, 1))]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project of its own: nothing of the real one is written, and the data set is an empty folder."""
    (tmp_path / "data").mkdir()
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "manifest.toml").write_text("")
    monkeypatch.setenv("MAVTON_ROOT", str(tmp_path))
    monkeypatch.setenv("MAVTON_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path


def executed(root: Path, name: str, profile: str = "smoke") -> dict:
    return files.read(root / "runs" / profile / "notebooks" / f"{name}.ipynb")


def text(notebook: dict) -> str:
    return json.dumps([cell.get("outputs") for cell in notebook["cells"]])


def test_success_dependency_order_resume_and_skip(root):
    log = root / "log.txt"
    append = f"open({str(log)!r}, 'a').write('{{}} ' + profile + '\\n')"
    # b is first by name and must still wait for z
    notebook(root / "notebooks" / "b.ipynb", append.format("b"), "print('b' * 3)")
    where = "import os; print(os.environ.get('MPLBACKEND') == 'Agg', os.getcwd())"
    notebook(root / "notebooks" / "z.ipynb", append.format("z"), where)
    said: list[str] = []
    report = run("smoke", needs={"b": ("z",)}, say=said.append)
    assert report.ok, said
    assert log.read_text() == "z smoke\nb smoke\n"
    assert "bbb" in text(executed(root, "b"))
    assert f"False {root}" in text(executed(root, "z")), "kernels run in the root and without MPLBACKEND"

    seconds, whole = read_times("smoke")
    assert set(seconds) == {"b", "z"} and min(seconds.values()) > 0 and whole >= max(seconds.values())
    assert any("where the time goes" in line and "| z |" in line for line in said)

    again = run("smoke", needs={"b": ("z",)}, say=said.append)
    assert again.ok and [job.state for job in again.jobs] == ["skipped", "skipped"]
    assert log.read_text().count("\n") == 2, "a second call ran something"

    # a changed upstream runs its dependant again; an output or a count changes nothing
    notebook(root / "notebooks" / "z.ipynb", append.format("z2"))
    assert run("smoke", needs={"b": ("z",)}, say=said.append).ok
    assert log.read_text().splitlines()[2:] == ["z2 smoke", "b smoke"]


def test_times_of_earlier_runs_are_kept_and_broken_ones_forgotten(root):
    assert read_times("smoke") == ({}, None)
    keep_times("smoke", {"a": 2.0, "b": 1.04}, 2.5)
    keep_times("smoke", {"b": 6.0}, None)
    assert read_times("smoke") == ({"a": 2.0, "b": 6.0}, 2.5)
    table = times_table(*read_times("smoke")).splitlines()
    assert table[2] == "| b | 6 s | 75% |" and table[-2:] == [
        "| sum | 8 s |  |", "| from start to end, the last time all were run | 2 s |  |",
    ]  # fmt: skip
    for broken in ("", "[]", '{"seconds": {"a": null}, "whole_s": 1}', '{"seconds": {"a": 1}}'):
        times_path("smoke").write_text(broken)
        assert read_times("smoke") == ({}, None)


def test_failure_names_notebook_and_cell_and_keeps_the_rest(root):
    notebook(root / "notebooks" / "bad.ipynb", "x = 1", "# why\nraise ValueError('no such shape')", "print('never')")
    notebook(root / "notebooks" / "child.ipynb", "print('child')")
    notebook(root / "notebooks" / "good.ipynb", "print('good')")
    said: list[str] = []
    report = run("smoke", needs={"child": ("bad",)}, say=said.append)
    assert not report.ok
    states = {job.name: job.state for job in report.jobs}
    assert states == {"bad": "failed", "child": "blocked", "good": "ran"}
    (message,) = {job.message for job in report.jobs if job.name == "bad"}
    assert "bad, cell 3" in message and "ValueError: no such shape" in message and "bad.failed.ipynb" in message
    folder = root / "runs" / "smoke" / "notebooks"
    assert "no such shape" in text(files.read(folder / "bad.failed.ipynb"))
    assert not (folder / "bad.ipynb").exists() and not list(folder.glob("*partial*"))

    # repaired: only what was not done runs, and the failed file goes
    notebook(root / "notebooks" / "bad.ipynb", "x = 1")
    report = run("smoke", needs={"child": ("bad",)}, say=said.append)
    assert {job.name: job.state for job in report.jobs} == {"bad": "ran", "child": "ran", "good": "skipped"}
    assert not (folder / "bad.failed.ipynb").exists()


def test_silent_exit_and_dead_kernel_are_failures(root):
    notebook(root / "notebooks" / "quiet.ipynb", "import sys\nsys.exit(0)", "print('the point')")
    notebook(root / "notebooks" / "dead.ipynb", "import os\nos._exit(1)")
    report = run("smoke", say=lambda _: None)
    assert {job.name: job.state for job in report.jobs} == {"quiet": "failed", "dead": "failed"}
    assert any("quiet" in job.message and "never ran" in job.message for job in report.jobs)


def test_unknown_names_and_parameters(root):
    notebook(root / "notebooks" / "a.ipynb", "print(1)", parameters='profile = "smoke"\nsteps = 3')
    assert [job.name for job in plan("smoke", parameters={"steps": 5})] == ["a"]
    with pytest.raises(ValueError, match="a has no parameter 'stepz'.*profile, steps"):
        plan("smoke", parameters={"stepz": 5})
    with pytest.raises(ValueError, match="no notebook 'b'; it has a"):
        plan("smoke", ["b"])
    with pytest.raises(ValueError, match="unknown profile 'huge'"):
        run("huge")
    notebook(root / "notebooks" / "a.ipynb", "print(1)", parameters="profile = open('x').read()")
    with pytest.raises(ValueError, match="a: the parameters cell wants literal assignments only"):
        plan("smoke")


def test_lite_stores_outputs_without_changing_the_digest(root):
    path = notebook(root / "notebooks" / "a.ipynb", "import sys\nprint(profile)\nprint('12 s', file=sys.stderr)\n1 + 1")
    before = plan("lite")[0].digest
    assert run("lite", say=lambda _: None).ok
    stored = files.read(path)
    assert "lite" in text(stored) and "12 s" not in text(stored), "outputs of lite, without times"
    assert [c["execution_count"] for c in stored["cells"]] == [1, 2] and len(stored["cells"]) == 2
    assert plan("lite")[0].digest == before and not files.is_stale(stored)
    first = path.read_bytes()
    assert run("lite", force=True, say=lambda _: None).ok
    assert path.read_bytes() == first, "two runs store the same bytes"
    stored["cells"][1]["source"] += "\n# edited"
    assert files.is_stale(stored)


def test_missing_figure_runs_its_notebook_again(root):
    (root / "figures" / "manifest.toml").write_text(
        '[[item]]\nid = "fig-x"\nthesis = "1"\ntitle = "X"\nfile = "fig-x.png"\nnotebook = "a"\nstatus = "redrawn"\n'
    )
    notebook(
        root / "notebooks" / "a.ipynb",
        "import matplotlib.pyplot as plt\nfrom types import SimpleNamespace as N\n"
        "from mavton_lite.config import get_profile\nfrom mavton_lite.plots.publish import publish\n"
        "publish('fig-x', plt.figure(), N(notebook='a', profile=get_profile(profile)))",
    )
    assert run("smoke", say=lambda _: None).jobs[0].state == "ran"
    assert run("smoke", say=lambda _: None).jobs[0].state == "skipped"
    (root / "runs" / "smoke" / "figures" / "fig-x.png").unlink()
    assert run("smoke", say=lambda _: None).jobs[0].state == "ran"


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_lets_a_kernel_save_and_keeps_finished_notebooks(root, number):
    saving = (
        "import time, pathlib\npathlib.Path('started').touch()\n"
        "try:\n    time.sleep(120)\nexcept KeyboardInterrupt:\n    pathlib.Path('saved').touch()\n    raise"
    )
    notebook(root / "notebooks" / "a.ipynb", "print(1)")
    notebook(root / "notebooks" / "b.ipynb", saving)
    code = "from mavton_lite.cli import main; main(['figures', '--profile', 'smoke'])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore Ctrl-C
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=heed,
    )  # fmt: skip
    done = root / "runs" / "smoke" / "notebooks" / "a.json"
    deadline = time.monotonic() + 60
    while not (done.exists() and (root / "started").exists()):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert (root / "saved").exists() and "interrupted" in out
    assert not (root / "runs" / "smoke" / "notebooks" / "b.json").exists()
    assert [job.state for job in run("smoke", ["a"], say=lambda _: None).jobs] == ["skipped"]


def test_the_projects_notebooks_are_there_and_can_be_planned():
    assert {path.stem for path in NOTEBOOKS} == EXPECTED
    names = [job.name for job in plan("smoke", folder=ROOT / "notebooks")]
    assert names.index("12_train") < names.index("13_results") and set(NEEDS) <= set(names)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_projects_notebooks_keep_the_conventions(path):
    content = files.read(path)
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert content["cells"][0]["cell_type"] == "markdown", "the first cell is the header"
    assert files.parameters(content, path.stem).get("profile") == "smoke", "nbval cannot inject a profile"
    assert "run.done()" in code[-1]["source"]
    assert f'"{path.stem}"' in "".join(cell["source"] for cell in code), "setup(profile, notebook) has its own name"
    assert not any("nbval-skip" in files.tags(cell) or "NBVAL_SKIP" in cell["source"] for cell in code)
    assert path.stat().st_size <= 800_000
    assert not files.is_stale(content), "outputs are of other sources: run `make figures`"
    assert all(cell["metadata"].get("papermill") is None for cell in content["cells"])
