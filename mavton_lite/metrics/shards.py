"""An evaluation in parts, on machines that see one folder: whoever finds all parts there makes the whole record."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from mavton_lite.checkpoint import digest, load_tensors, save_tensors
from mavton_lite.metrics.evaluator import Evaluation, Measured
from mavton_lite.metrics.predictors import Predict
from mavton_lite.records import Record


def read_shard(text: str) -> tuple[int, int]:
    """ "1/4" as (1, 4).   Raises: ValueError for anything else than K/N with 1 <= K <= N."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    part, parts = (int(k) for k in found.groups()) if found else (0, 0)
    if not 1 <= part <= parts:
        raise ValueError(f"--shard: found {text!r}, wanted K/N such as 1/4, with K from 1 to N")
    return part, parts


def evaluate_shard(
    predict: Predict, evaluation: Evaluation, shard: tuple[int, int], folder: Path, key: Any
) -> Record | None:
    """Measure every N-th batch and keep it in `folder`; the record of `evaluate` when that was the last part missing.

    The batches are those of an undivided evaluation, so that on equal machines the record is equal to the last digit.
    `key`, plain JSON types, is what tells the model measured from others, such as its weights' digest: parts with
    another one are not joined. The parts go when the record is made.
    Raises: ValueError as `evaluate` does, or for a part that is no such file.
    """
    number, parts = shard
    what = [key, evaluation.model, evaluation.batch, evaluation.seed, parts, asdict(evaluation.rules)]
    same = digest(what)
    paths = [folder / f"{evaluation.model}-{same[:16]}-{k}-of-{parts}.safetensors" for k in range(1, parts + 1)]
    own = paths[number - 1]
    if not own.exists():
        _save(own, evaluation.measure(predict, range(number - 1, evaluation.batches, parts)))
    with FileLock(folder / f".{same[:16]}.lock"):  # two that end at once do not both take the parts away
        if not all(path.exists() for path in paths):
            return None
        whole = Measured()
        for path in paths:
            _join(whole, path)
        made = evaluation.record(whole)
        for path in paths:
            path.unlink(missing_ok=True)
    return made


def _save(path: Path, found: Measured) -> None:
    pictures = {f"{side}.{k}": p for k, both in found.pictures.items() for side, p in zip("mr", both, strict=True)}
    save_tensors(path, pictures, {"names": found.names, "tags": found.tags, "values": found.values})


def _join(whole: Measured, path: Path) -> None:
    pictures, header = load_tensors(path)
    if not isinstance(header, dict) or set(header) != {"names", "tags", "values"}:
        raise ValueError(f"{path}: found no part of an evaluation, wanted names, tags and values in its header")
    for name, into in (("names", whole.names), ("tags", whole.tags), ("values", whole.values)):
        into |= {int(k): v for k, v in header[name].items()}  # JSON's keys are texts
    whole.pictures |= {k: (pictures[f"m.{k}"], pictures[f"r.{k}"]) for k in whole.names if f"m.{k}" in pictures}
