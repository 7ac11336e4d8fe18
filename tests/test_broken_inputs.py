"""A corpus of broken inputs: each is refused by the documented error, quickly, and changes nothing elsewhere."""

from __future__ import annotations

from collections import Counter

import pytest
from broken.corpus import CORPUS
from guard import guarded


@pytest.mark.parametrize("case", CORPUS, ids=[case.id for case in CORPUS])
def test_a_broken_input_is_refused(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call = case.make(tmp_path)
    with guarded(tmp_path), pytest.raises(Exception) as refusal:  # noqa: B017 (which one is looked at below)
        call()
    assert not case.refused(refusal.value), case.refused(refusal.value)
    assert not (tmp_path / "sprung").exists(), "code of the file was run"


def test_the_corpus_is_large_and_every_case_another():
    assert len(CORPUS) >= 200
    assert [name for name, n in Counter(case.id for case in CORPUS).items() if n > 1] == []
