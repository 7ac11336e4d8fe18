"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# two test processes with two threads each on two cores spend their time waiting for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def atelier() -> Path:
    """The smoke Atelier under `runs/smoke/atelier`, written once and shared with the notebooks' runs."""
    from mavton_lite.config import SMOKE, runs_dir
    from mavton_lite.world import prepare

    hidden = os.environ.pop("MAVTON_DATA", None)  # the reader's own data set is not what the tests are about
    try:
        root = prepare(SMOKE, progress=False)
    finally:
        if hidden is not None:
            os.environ["MAVTON_DATA"] = hidden
    assert root == runs_dir(SMOKE) / "atelier"
    return root
