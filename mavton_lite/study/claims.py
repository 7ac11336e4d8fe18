"""The thesis's claims, one line each, with the rule for their verdict: written down before anything is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from mavton_lite import seeds as few
from mavton_lite.claims import higher_is_better
from mavton_lite.config import SEED
from mavton_lite.records import RESAMPLES, Interval, Record, same_budget, same_protocol
from mavton_lite.study import by_model

MIN_SEEDS = 3  # with fewer, luck of the training cannot be told from the method: no verdict
REPLICATED, NOT_REPLICATED, INCONCLUSIVE = "replicated", "not replicated", "inconclusive"


@dataclass(frozen=True)
class Claim:
    """What the thesis says, as a difference that can be measured: `ours` against `theirs` by `metric`.

    `least` is the smallest gain that is worth the name, in the metric's unit.
    """

    words: str
    metric: str
    ours: str
    theirs: str
    least: float
    why: str  # why this pair and this metric put the claim to the test


# Source: thesis, abstract and 1.4. Each pair differs in what the claim is about and in nothing else.
CLAIMS = (
    Claim("attention on every skip improves the result", "ssim_garment", "ma_vton_no_gan", "cp_vton", 0.002,
          "the same loss with and without attention; where the try-on happens"),
    Claim("attention on every skip improves the result", "lpips_garment", "ma_vton_no_gan", "cp_vton", 0.002,
          "the same, as a classifier's features see it"),
    Claim("the joint loss improves realism", "lpips_garment", "ma_vton", "ma_vton_no_gan", 0.002,
          "the same network with and without a discriminator"),
    Claim("the joint loss improves realism", "kd_lite0", "ma_vton", "ma_vton_no_gan", 0.0,
          "the same, as sets of pictures: the distance to photographs, seed by seed"),
    Claim("the joint loss improves alignment", "boundary_f", "ma_vton", "ma_vton_no_gan", 0.005,
          "the outline of the garment that a parser sees in the try-on"),
    Claim("texture is kept", "texture_error", "ma_vton", "cp_vton", 0.01,
          "sharpness of the garment against the truth's; a loss of 0.01 is 0.7 % of the gradients"),
    Claim("arm boundaries are cleaner", "mae_arms", "ma_vton", "cp_vton", 0.0005,
          "mean absolute error within 3 px of both an arm and the garment"),
    Claim("colours are truer", "ciede2000", "ma_vton", "cp_vton", 0.1,
          "CIEDE2000 on the garment; 1 is just noticeable"),
    Claim("MA-VTON is better than CP-VTON", "ssim_garment", "ma_vton", "cp_vton", 0.002, "everything at once"),
    Claim("MA-VTON is better than CP-VTON", "lpips_garment", "ma_vton", "cp_vton", 0.002, "everything at once"),
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A claim, measured: `gain` is `ours - theirs` turned so that more is better; `by_seed` its mean of every seed."""

    claim: Claim
    gain: Interval
    by_seed: dict[int, float]
    verdict: str


def hierarchical(differences: np.ndarray, seed: int = SEED, resamples: int = RESAMPLES) -> Interval:
    """The mean of paired differences and its 95 % interval over trainings and images: both are drawn again.

    A bootstrap of two crossed levels: seeds with replacement, and images with replacement, the same for every seed, as
    all were measured on the same images. S seeds drawn from S vary by (S - 1) / S too little, and how much few seeds
    vary is itself uncertain: what a seed adds is stretched by sqrt(S / (S - 1)) and by Student's t over the normal's
    1.96. Of one seed the interval is over images alone. Images that lack a value are left out.
    Source: Davison and Hinkley 1997, section 3.8; Hesterberg 2015 (narrowness bias).   Shape: (S, N).
    Raises: ValueError for another shape.
    """
    if differences.ndim != 2 or not differences.size:
        raise ValueError(f"found differences of shape {differences.shape}, wanted (seeds, images)")
    known = differences[:, np.isfinite(differences).all(0)]
    count, images = known.shape
    if not images:
        return Interval(math.nan, math.nan, math.nan, 0)
    dice = np.random.default_rng(seed)
    picks = dice.integers(0, images, (resamples, images))
    means = np.stack([row[picks].mean(1) for row in known], 1)  # (resamples, S)
    centre = means.mean(1, keepdims=True)
    drawn = np.take_along_axis(means - centre, dice.integers(0, count, (resamples, count)), 1).mean(1)
    stretch = math.sqrt(count / (count - 1)) * student.ppf(0.975, count - 1) / 1.96 if count > 1 else 1.0
    low, high = np.percentile(centre[:, 0] + stretch * drawn, [2.5, 97.5])
    return Interval(float(known.mean()), float(low), float(high), images)


def verdict_of(gain: Interval, by_seed: Sequence[float], least: float) -> str:
    """The rule, for a gain of which more is better.

    "replicated": at least `MIN_SEEDS` seeds, all of them gain, the whole interval is above 0, and the mean is at least
    `least`. "not replicated": so many seeds, and the whole interval is below `least` (or below 0). "inconclusive":
    anything else: the study is too small to tell.
    """
    if len(by_seed) < MIN_SEEDS or not math.isfinite(gain.mean):
        return INCONCLUSIVE
    if gain.low > 0 and min(by_seed) > 0 and gain.mean >= least:
        return REPLICATED
    return NOT_REPLICATED if gain.high < max(least, 1e-12) else INCONCLUSIVE


def gain_of(records: Sequence[Record], ours: str, theirs: str, metric: str) -> tuple[Interval, dict[int, float]]:
    """How much better one model is than another, on the seeds that both have, and by seed; more is better.

    A metric of whole sets has one number a seed: its interval is Student's over seeds.
    Raises: ValueError when a model is missing, nothing is paired, or protocols or budgets differ.
    """
    runs = by_model(records)
    if missing := [m for m in (ours, theirs) if m not in runs]:
        raise ValueError(f"no record of {', '.join(missing)}; found {', '.join(runs) or 'none'}")
    shared = sorted(set(runs[ours]) & set(runs[theirs]))
    if not shared:
        raise ValueError(f"{ours} and {theirs} have no seed in common; wanted pairs of one seed")
    pairs = [(runs[ours][s], runs[theirs][s]) for s in shared]
    everyone = [record for pair in pairs for record in pair]
    same_protocol(everyone)
    same_budget(everyone)
    sign = 1 if higher_is_better(metric) else -1
    if all(metric in r.sets for r in everyone):
        gains = [sign * (a.sets[metric].mean - b.sets[metric].mean) for a, b in pairs]
        gain = few.over_seeds(gains) if len(gains) > 1 else Interval(gains[0], math.nan, math.nan, 1)
        return gain, dict(zip(shared, gains, strict=True))
    images = sign * np.stack([a.array(metric) - b.array(metric) for a, b in pairs])  # (S, N)
    return hierarchical(images), dict(zip(shared, (float(np.nanmean(row)) for row in images), strict=True))


def judge(claim: Claim, records: Sequence[Record]) -> Finding:
    """Measure a claim and apply the rule.   Raises: ValueError as `gain_of` does."""
    gain, by_seed = gain_of(records, claim.ours, claim.theirs, claim.metric)
    return Finding(claim, gain, by_seed, verdict_of(gain, list(by_seed.values()), claim.least))


def judge_all(records: Sequence[Record], claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """Every claim whose models were run.   Raises: ValueError as `judge` does, and when there is none."""
    models = {r.model for r in records}
    found = [judge(c, records) for c in claims if {c.ours, c.theirs} <= models]
    if not found:
        raise ValueError(f"no claim is about {', '.join(sorted(models)) or 'nothing'} alone; wanted both of a pair")
    return found


def findings_table(found: Sequence[Finding], names: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Claims and verdicts as a table of texts: gains are turned so that more is better; then every seed's own."""
    names = names or {}
    rows = []
    for f in found:
        digits = 3 if abs(f.gain.mean) >= 0.01 or not math.isfinite(f.gain.mean) else 4
        mean, low, high = (f"{v:+.{digits}f}" for v in (f.gain.mean, f.gain.low, f.gain.high))
        pair = [names.get(m, m) for m in (f.claim.ours, f.claim.theirs)]
        rows.append(
            {"claim": f.claim.words, "metric": f.claim.metric, "compared": " against ".join(pair),
             "gain [95 % interval]": f"{mean} [{low}, {high}]", "worth the name": f"{f.claim.least:g}",
             "by seed": ", ".join(f"{v:+.{digits}f}" for v in f.by_seed.values()), "verdict": f.verdict}
        )  # fmt: skip
    return pd.DataFrame(rows)
