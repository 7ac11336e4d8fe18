"""The study in a page of text: what was measured, what it costs, which claims hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mavton_lite.records import Record
from mavton_lite.study import by_model, read_study, title
from mavton_lite.study.claims import findings_table, hierarchical, judge_all

SHOWN = ("ssim_garment", "lpips_garment", "mae_arms", "ciede2000", "texture_error", "boundary_f")


def ablation_numbers(records: Sequence[Record], metrics: Sequence[str] = SHOWN) -> pd.DataFrame:
    """Numbers: one row a model, seeds, parameters, multiply-adds, and three columns a metric as in `records.table`.

    Intervals are over trainings and images; of a number of whole sets, which has one value a seed, none is given.
    """
    rows = []
    for model, runs in by_model(records).items():
        first = next(iter(runs.values()))
        row = {"model": model, "seeds": len(runs)}
        row |= {k: first.training.get(k) for k in ("parameters", "multiply_adds", "steps")}
        for metric in metrics:
            if all(metric in r.sets for r in runs.values()):
                row[metric] = float(np.mean([r.sets[metric].mean for r in runs.values()]))
            elif all(metric in r.values for r in runs.values()):
                found = hierarchical(np.stack([r.array(metric) for r in runs.values()]))
                row |= {metric: found.mean, f"{metric}_low": found.low, f"{metric}_high": found.high}
        rows.append(row)
    return pd.DataFrame(rows)


def report(folder: Path | None = None, budget: str | None = None) -> str:
    """Tables and verdicts of a study as Markdown.   Raises: ValueError as `read_study` does."""
    records = read_study(folder, budget)
    numbers = ablation_numbers(records)
    shown = numbers[[c for c in numbers if not c.endswith(("_low", "_high"))]].copy()
    whole = [c for c in ("parameters", "multiply_adds", "steps") if c in shown]
    shown[whole] = shown[whole].map(lambda n: f"{n:,.0f}" if pd.notna(n) else "")
    text = [title(records), "", shown.to_markdown(index=False, floatfmt=".4g")]
    try:
        text += ["", findings_table(judge_all(records)).to_markdown(index=False, disable_numparse=True)]
    except ValueError as error:
        text += ["", f"no verdicts: {error}"]
    return "\n".join(text)
