"""What a notebook's run leaves behind: outputs without noise, figures that a machine may skip, places of records."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mavton_lite import notebook_files as files
from mavton_lite.config import LITE, PAPER, SMOKE
from mavton_lite.notebook import Run


def test_progress_bars_go_and_pieces_of_a_stream_are_joined():
    bar = {"output_type": "display_data", "data": {files.WIDGET: {"model_id": "x"}, "text/plain": ["gmm:   0%|"]}}
    slider = {"output_type": "display_data", "data": {files.WIDGET: {"model_id": "y"}, "image/png": "AAAA"}}

    def said(text: str, name: str = "stdout") -> dict:
        return {"output_type": "stream", "name": name, "text": [text]}

    outputs = [said("one "), bar, said("two\n"), said("3 s\n", "stderr"), said("three\n"), slider]
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1, "source": "x", "outputs": outputs}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    clean = files.normalised(notebook)["cells"][0]["outputs"]
    assert ["".join(o.get("text", [])) for o in clean] == ["one two\n", "3 s\n", "three\n", ""]
    assert clean[3]["data"] == {"image/png": "AAAA"}
    stored = files.committed(notebook, "lite")["cells"][0]["outputs"]
    assert ["".join(o.get("text", [])) for o in stored] == ["one two\nthree\n", ""]
    assert len(cell["outputs"]) == 6, "the notebook given is not changed"


ITEM = '[[item]]\nid = "{id}"\nthesis = "1"\ntitle = "X"\nfile = "{id}.{end}"\nnotebook = "a"\nstatus = "redrawn"\n'


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "figures").mkdir()
    items = ITEM.format(id="fig-x", end="png") + ITEM.format(id="tab-y", end="md")
    (tmp_path / "figures" / "manifest.toml").write_text(items)
    monkeypatch.setenv("MAVTON_ROOT", str(tmp_path))
    return tmp_path


def run_of(profile=SMOKE) -> Run:
    return Run(profile, "a", Path("data"), Path("out"), "cpu", 60)


def test_a_figure_that_this_machine_cannot_make_is_said_and_not_missed(root, capsys):
    run = run_of()
    run.skip("fig-x", "no detector")
    with pytest.raises(RuntimeError, match="a did not publish tab-y, as the manifest wants"):
        run.done()
    run.skip("tab-y", "no table")
    run.done()
    out = capsys.readouterr().out
    assert "fig-x was not made here: no detector" in out and "a: done ✓" in out


def test_records_of_lite_are_committed_ones(root):
    assert run_of(LITE).records == root / "figures" / "records"
    assert run_of(PAPER).records == root / "runs" / "paper" / "records"


def test_released_figures_are_shown_beside_another_profiles(root):
    from PIL import Image

    assert run_of().released("fig-x") is None
    Image.new("RGB", (4, 3)).save(root / "figures" / "fig-x.png")
    (root / "figures" / "tab-y.md").write_text("| a |\n|---|\n| 1 |\n")
    assert run_of().released("fig-x").data == (root / "figures" / "fig-x.png").read_bytes()
    assert "| 1 |" in run_of().released("tab-y").data
    assert run_of(LITE).released("fig-x") is None, "lite makes it"


def test_an_error_that_a_detector_only_prints_fails_no_cell(monkeypatch):
    from mavton_lite.data.photo_backend import quiet

    printed = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: printed.append(error))
    with quiet():
        sys.excepthook(AttributeError, AttributeError("GetPrototype"), None)  # as PyErr_Print of native code does
    assert not printed
    with pytest.raises(ValueError), quiet():
        raise ValueError("a real one")
    sys.excepthook(ValueError, ValueError(), None)
    assert len(printed) == 1, "the hook is back, also after an error"
