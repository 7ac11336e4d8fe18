"""The tables of `make bench`: a section a processor, the prose around them untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.side_by_side import Row, Target


def measured(value: float) -> list[Row]:
    return [Row("Steps", "a step", value, "x", Target(1), 0.5, "plain", 1.0, 5)]


def test_a_run_replaces_its_own_processor_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\n\n{report.END}\nafter\n", encoding="utf-8")
    for name, value in (("one", 0.25), ("two", 0.5), ("one", 2.0)):
        monkeypatch.setattr(report, "processor", lambda name=name: name)
        report.write(page, measured(value), "make bench")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## On one", "## On two"]
    assert "0.25 x" not in text and text.index("2 x") < text.index("0.5 x")
    assert "0 of 1 targets met" in text and "1 of 1 targets met" in text


def test_a_page_without_markers_is_refused(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="page.md: found no place for the table"):
        report.write(page, measured(1.0), "make bench")
    assert page.read_text(encoding="utf-8") == "nothing\n"
