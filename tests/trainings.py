"""Short trainings on tiny worlds, for the tests of the trainer."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

from mavton_lite.config import SMOKE, Profile

STEPS = 6


def shortened(steps: int = STEPS, save_every: int = 4, **changes) -> Profile:
    """Smoke, cut to a few steps of batch 4."""
    changes = {"steps": steps, "save_every": save_every, "batch": 4} | changes
    gmm, tom = (dataclasses.replace(t, **changes) for t in (SMOKE.train_gmm, SMOKE.train_tom))
    return dataclasses.replace(SMOKE, train_gmm=gmm, train_tom=tom)


def rows(folder: Path) -> list[dict[str, float]]:
    """The log of a training, without its times."""
    with (folder / "log.csv").open() as file:
        return [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
