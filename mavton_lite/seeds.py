"""What a few trainings from different seeds allow one to say: intervals, paired differences, verdicts by one rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from mavton_lite.records import Interval

LEVEL = 0.95


def over_seeds(numbers: Sequence[float] | np.ndarray) -> Interval:
    """The mean over seeds and its 95 % interval by Student's t: another seed is another draw of the same experiment.

    Raises: ValueError for fewer than two seeds, or a value that is not finite.
    """
    values = np.asarray(numbers, np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"an interval wants at least two finite values, got {values.tolist()}")
    half = student.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return Interval(float(values.mean()), float(values.mean() - half), float(values.mean() + half), len(values))


def paired(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The difference `ours - theirs` seed by seed: what both owe to a lucky seed cancels.

    Raises: ValueError when they are not equally many, or as `over_seeds` does.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"paired by seed: wanted equally many values, got {len(ours)} and {len(theirs)}")
    return over_seeds(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64))


def judge(gain: Interval) -> str:
    """The rule: "higher" or "lower" when the whole interval is on one side of zero, else "no difference shown"."""
    if gain.low > 0:
        return "higher"
    return "lower" if gain.high < 0 else "no difference shown"


def written(interval: Interval, scale: float = 100, digits: int = 1, sign: bool = False) -> str:
    """An interval for a table, in per cent unless `scale` says otherwise: `87.2 [85.9, 88.5]`."""
    mark = "+" if sign else ""
    mean, low, high = (f"{v * scale:{mark}.{digits}f}" for v in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"
