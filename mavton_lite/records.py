"""`Record`: what an evaluation measured and under which protocol; the tables made from records, whole and by case."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mavton_lite import record_schema
from mavton_lite.checkpoint import read_json, write_json
from mavton_lite.config import SEED

DIGITS = 5  # of the per-image values kept: a bootstrap of 200 images is far coarser
RESAMPLES = 2_000
ALL = "all"  # the case that every image is


@dataclass(frozen=True)
class Protocol:
    """All that must be equal for two numbers to be comparable."""

    pairs: str  # "paired" | "unpaired"
    split: str
    n: int
    height: int
    width: int
    value_range: tuple[float, float]
    images: str  # SHA-256 of the list of person and cloth names, in order
    extractor: str  # network behind the learned distance, "" when none was used
    extractor_sha256: str
    region_grow_px: int
    band_px: int
    profile: str
    subset: str = "all"  # of the split: "leak-free" leaves VITON's training people out
    outline_px: int = 0  # how far off an outline counts as right
    parser_sha256: str = ""  # of what saw the garment in the picture, "" when nothing did
    set_extractor: str = ""  # network behind the distances of sets, "" when there are none
    set_extractor_sha256: str = ""
    reading: str = "bilinear"  # how garments were read through their warps: `Profile.reading`


@dataclass(frozen=True)
class Interval:
    """A mean over images, or a number of the whole set, and its 95 % interval; `n` images had a value."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Record:
    """One model under one protocol: every metric's value on every image.

    `values[metric][i]` belongs to image i of the protocol's list; None where the image has no such region. `tags[i]`
    names the cases that image i is, where the data set knows. `sets` holds what only the whole set of images has.
    `training` says what the model was trained with: steps, seconds, parameters; empty for what learns nothing.
    Raises: ValueError when there are tags and not those of `protocol.n` images.
    """

    model: str  # experiment or baseline
    protocol: Protocol
    values: dict[str, list[float | None]]
    seed: int  # of the training
    commit: str  # git commit, or "unknown"
    notes: dict[str, Any] = field(default_factory=dict)
    tags: list[list[str]] | None = None
    sets: dict[str, Interval] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.tags is None:
            return
        sound = isinstance(self.tags, list) and all(isinstance(row, list) for row in self.tags)
        if not sound or not all(isinstance(tag, str) for row in self.tags for tag in row):
            raise ValueError(f"{self.model}: found tags {str(self.tags)[:60]}, wanted a list of names for every image")
        if len(self.tags) != self.protocol.n:
            raise ValueError(f"{self.model}: found the tags of {len(self.tags)} images, wanted {self.protocol.n}")

    @property
    def cases(self) -> dict[str, np.ndarray]:
        """The images (n,) bool of every case, the most frequent case first; empty without tags."""
        tags = self.tags or []
        found = {name: np.array([name in row for row in tags]) for name in sorted({t for row in tags for t in row})}
        return dict(sorted(found.items(), key=lambda item: -item[1].sum()))

    def array(self, metric: str) -> np.ndarray:
        """Per-image values as float64, NaN where there is none.   Raises: ValueError naming the known metrics."""
        if metric not in self.values:
            raise ValueError(f"{self.model} has no metric {metric!r}; it has {', '.join(self.values)}")
        return np.array([np.nan if v is None else v for v in self.values[metric]], dtype=np.float64)

    def interval(self, metric: str, seed: int = SEED, case: str = ALL) -> Interval:
        """Mean over images, all or those of one case, with its 95 % bootstrap interval; or a number of the whole set.

        Raises: ValueError naming the known metrics or cases.
        """
        if metric in self.sets and case == ALL:
            return self.sets[metric]
        values = self.array(metric)
        if case != ALL:
            if case not in self.cases:
                raise ValueError(f"{self.model} has no case {case!r}; it has {', '.join(self.cases) or 'none'}")
            values = values[self.cases[case]]
        return bootstrap(values, seed)

    def to_json(self, summaries: bool = True) -> dict[str, Any]:
        """Plain JSON types; the summaries are there for readers of the file and are recomputed on load."""

        def summary(case: str) -> dict[str, Any]:
            intervals = {m: dataclasses.asdict(self.interval(m, case=case)) for m in self.values}
            return {m: {k: _rounded(v) for k, v in parts.items()} for m, parts in intervals.items()}

        content = {"schema": record_schema.VERSION} | dataclasses.asdict(self)
        values, tags = content.pop("values"), content.pop("tags")
        content["sets"] = {m: {k: _rounded(v) for k, v in parts.items()} for m, parts in content["sets"].items()}
        if summaries:
            content["summary"] = summary(ALL)
        if summaries and tags is not None:
            content["by_case"] = {case: summary(case) for case in self.cases}
        return content | ({} if tags is None else {"tags": tags}) | {"values": values}

    @staticmethod
    def from_json(content: dict[str, Any], origin: str = "record") -> Record:
        """Undo `to_json`, of earlier schemas too.

        Raises: ValueError naming `origin` and the field that is missing, unknown or not what it should be.
        """
        try:
            content = record_schema.checked(content)
            protocol = content.pop("protocol")
            parts: dict[str, dict[str, Any]] = content.pop("sets", {})
            known: dict[str, dict[str, Any]] = {
                m: {k: math.nan if v is None else v for k, v in i.items()} for m, i in parts.items()
            }
            sets = {m: Interval(i["mean"], i["low"], i["high"], i["n"]) for m, i in known.items()}
            return Record(protocol=Protocol(**protocol), sets=sets, **content)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{origin}: not a record ({error})") from None

    def path(self, folder: Path) -> Path:
        """`<folder>/<profile>-<pairs>-<model>-<seed>.json`; below that split's or subset's name, unless usual."""
        p = self.protocol
        folder = folder if p.split == "test" else folder / p.split
        folder = folder if p.subset == "all" else folder / p.subset
        return folder / f"{p.profile}-{p.pairs}-{self.model}-{self.seed}.json"

    def save(self, folder: Path) -> Path:
        """Write the record atomically to its `path`."""
        return write_json(self.path(Path(folder)), self.to_json())


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else round(float(value), DIGITS)


def rounded(values: Iterable[float]) -> list[float | None]:
    """Per-image values as a record keeps them."""
    return [_rounded(float(v)) for v in values]


def load(path: Path) -> Record:
    """One record.   Raises: ValueError naming the file when it is missing, broken or not a record."""
    return Record.from_json(read_json(path), str(path))


def load_all(folder: Path, pattern: str = "*.json") -> list[Record]:
    """Every record of a folder, in order of file name."""
    return [load(p) for p in sorted(folder.glob(pattern))]


def bootstrap(values: np.ndarray, seed: int = SEED, resamples: int = RESAMPLES) -> Interval:
    """Percentile interval of a mean over images, resampling images with replacement; NaN are left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Interval(math.nan, math.nan, math.nan, 0)
    picks = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def difference(a: Record, b: Record, metric: str, metric_b: str | None = None, seed: int = SEED) -> Interval:
    """Mean of `a - b` image by image with its 95 % interval: a paired bootstrap.

    `metric_b` compares two metrics, as a model's end-point error with the bound kept beside it.
    Raises: ValueError when the two were not measured under one protocol.
    """
    same_protocol([a, b])
    return bootstrap(a.array(metric) - b.array(metric_b or metric), seed)


def same_protocol(records: Sequence[Record]) -> Protocol:
    """The protocol all records share.   Raises: ValueError naming every field that differs."""
    if not records:
        raise ValueError("no records given; wanted at least one")
    first = dataclasses.asdict(records[0].protocol)
    for record in records[1:]:
        other = dataclasses.asdict(record.protocol)
        mixed = [f"{k} {first[k]!r} and {other[k]!r}" for k in first if first[k] != other[k]]
        if mixed:
            raise ValueError(f"{records[0].model} and {record.model} were measured differently: {'; '.join(mixed)}")
    return records[0].protocol


def same_budget(records: Sequence[Record]) -> int | None:
    """The steps that all trained models had; None where none was trained.

    A model whose `training` has no `steps` learns nothing.   Raises: ValueError naming those that differ.
    """
    steps = {r.model: r.training["steps"] for r in records if "steps" in r.training}
    if len(set(steps.values())) > 1:
        told = ", ".join(f"{model} {count:,}" for model, count in steps.items())
        raise ValueError(f"trained for different numbers of steps: {told}; wanted one budget for all")
    return next(iter(steps.values()), None)


def table(records: Sequence[Record], metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """Numbers: one row a record, three columns a metric (`ssim`, `ssim_low`, `ssim_high`).

    Records without a metric leave its cells empty.   Raises: ValueError when protocols are mixed.
    """
    same_protocol(records)
    metrics = list(metrics or dict.fromkeys(m for r in records for m in (*r.values, *r.sets)))
    rows = []
    for record in records:
        row: dict[str, Any] = {"model": record.model, "seed": record.seed}
        rows.append(row | _cells(record, metrics))
    return pd.DataFrame(rows)


def _cells(record: Record, metrics: Sequence[str], case: str = ALL) -> dict[str, float]:
    cells: dict[str, float] = {}
    for metric in metrics:
        known = metric in record.values or (metric in record.sets and case == ALL)
        found = record.interval(metric, case=case) if known else Interval(math.nan, math.nan, math.nan, 0)
        cells |= {metric: found.mean, f"{metric}_low": found.low, f"{metric}_high": found.high}
    return cells


def readable(records: Sequence[Record], metrics: Sequence[str] | None = None, digits: int = 3) -> pd.DataFrame:
    """`table` for people: one column a metric, cells like `0.861 [0.852, 0.869]`, empty where nothing was measured."""
    numbers = table(records, metrics)
    names = [c for c in numbers.columns if f"{c}_low" in numbers.columns]
    text = numbers[["model", "seed"]].copy()
    for name in names:
        text[name] = [
            "" if math.isnan(m) else f"{m:.{digits}f} [{lo:.{digits}f}, {hi:.{digits}f}]"
            for m, lo, hi in zip(numbers[name], numbers[f"{name}_low"], numbers[f"{name}_high"], strict=True)
        ]
    return text


def case_table(records: Sequence[Record], metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """Numbers by case: one row a case and record, `n` images and three columns a metric as in `table`.

    The first case is "all"; then the most frequent come first.
    Raises: ValueError when protocols are mixed, or the records do not have the same tags.
    """
    same_protocol(records)
    if untold := [r.model for r in records if r.tags is None]:
        raise ValueError(f"{', '.join(untold)}: measured without tags, wanted records of a data set that has them")
    if other := [r.model for r in records if r.tags != records[0].tags]:
        raise ValueError(f"{', '.join(other)}: found other tags than {records[0].model} has, wanted the same images")
    metrics = list(metrics or dict.fromkeys(m for r in records for m in r.values))
    rows = []
    for case in (ALL, *records[0].cases):
        count = records[0].protocol.n if case == ALL else int(records[0].cases[case].sum())
        for record in records:
            row: dict[str, Any] = {"case": case, "n": count, "model": record.model, "seed": record.seed}
            rows.append(row | _cells(record, metrics, case))
    return pd.DataFrame(rows)
