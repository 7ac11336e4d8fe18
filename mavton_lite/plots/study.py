"""Figures and tables of the study over seeds: ablations, claims, and the cases where one model beats the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from mavton_lite.claims import higher_is_better
from mavton_lite.plots.grid import picture_grid
from mavton_lite.plots.results import NAMES, cell
from mavton_lite.plots.style import COLOURS, INK, MODEL_COLOURS
from mavton_lite.records import Interval, Record
from mavton_lite.study import by_model, title
from mavton_lite.study.claims import INCONCLUSIVE, NOT_REPLICATED, REPLICATED, Finding, gain_of
from mavton_lite.study.plan import ABLATIONS, BASELINES
from mavton_lite.study.report import ablation_numbers

LABELS = NAMES | {
    "ma_vton_no_gan": "CBAM, no discriminator",
    "tom_channel": "channel attention",
    "tom_spatial": "spatial attention",
    "tom_se": "squeeze-excitation",
    "tom_eca": "efficient channel attention",
    "tom_self": "self-attention, bottleneck",
    "tom_reversed": "spatial, then channel",
    "tom_cbam_wide": "CBAM, two widest skips",
    "tom_cbam_deep": "CBAM, deeper skips",
    "cp_vton_gan": "CP-VTON, joint loss",
    "ma_vton_no_perceptual": "MA-VTON, no perceptual",
    "ma_vton_no_mask": "MA-VTON, no mask term",
    "ma_vton_gan_001": "MA-VTON, GAN weight 0.01",
    "ma_vton_gan_1": "MA-VTON, GAN weight 1",
}
METRICS = {  # name -> title, digits
    "ssim": ("SSIM ↑", 3),
    "ssim_garment": ("SSIM, garment region ↑", 3),
    "psnr_garment": ("PSNR, garment region, dB ↑", 2),
    "lpips": ("LPIPS ↓", 4),
    "lpips_garment": ("LPIPS, garment region ↓", 4),
    "ssim_arms": ("SSIM, arm band ↑", 3),
    "lpips_arms": ("LPIPS, arm band ↓", 4),
    "mae_arms": ("error, arm band ↓", 4),
    "ciede2000": ("CIEDE2000 ↓", 2),
    "ciede2000_mean": ("CIEDE2000 of means ↓", 2),
    "sharpness": ("sharpness, log2", 3),
    "texture_error": ("texture error ↓", 3),
    "boundary_f": ("boundary F ↑", 3),
    "kd_lite0": ("KD-lite0 ↓", 4),
    "fd_lite0": ("FD-lite0 ↓", 2),
}
SHOWN = ("ssim_garment", "lpips_garment", "mae_arms", "ciede2000", "texture_error", "boundary_f")
VERDICTS = {REPLICATED: COLOURS[2], NOT_REPLICATED: COLOURS[1], INCONCLUSIVE: "#7F7F7F"}
FLOORS = ("copy_person", "paste_warped_cloth")


def order(records: Sequence[Record]) -> list[str]:
    """The models of a study as they are shown: floors, baselines, then each group of ablations."""
    there = by_model(records)
    wanted = (*FLOORS, *BASELINES, *(name for names in ABLATIONS.values() for name in names))
    return [m for m in wanted if m in there] + [m for m in there if m not in wanted]


def ablation_table(
    records: Sequence[Record], cost: Mapping[str, Any] | None = None, metrics: Sequence[str] = SHOWN
) -> pd.DataFrame:
    """Every model of a study: what it costs, and mean [95 % interval over trainings and images] of every metric.

    `cost` is what `study.cost.measure_steps` gives. The first row says the protocol, the budget and the seeds.
    Raises: ValueError when protocols or budgets are mixed.
    """
    numbers = ablation_numbers(records, metrics).set_index("model")
    seconds = (cost or {}).get("seconds_a_step", {})
    rows = [{"model": title(records)}]
    for model in order(records):
        found = numbers.loc[model]
        trained = pd.notna(found["parameters"])
        row = {
            "model": LABELS.get(model, model),
            "seeds": f"{found['seeds']:.0f}" if trained else "",
            "parameters": f"{found['parameters']:,.0f}" if trained else "",
            "MMACs": f"{found['multiply_adds'] / 1e6:,.0f}" if trained else "",
        }
        if seconds:
            row["s a step"] = f"{seconds[model]:.3f}" if model in seconds else ""
        for metric in metrics:
            heading, digits = METRICS.get(metric, (metric, 3))
            if f"{metric}_low" in found and pd.notna(found[metric]):
                row[heading] = cell(Interval(found[metric], found[f"{metric}_low"], found[f"{metric}_high"], 0), digits)
            else:
                row[heading] = f"{found[metric]:.{digits}f}" if pd.notna(found.get(metric, math.nan)) else ""
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def ablation_figure(records: Sequence[Record], metrics: Sequence[str] = SHOWN, reference: str = "cp_vton") -> Figure:
    """By how much every trained model is better than the reference: a dot a training, paired by seed and image.

    The mean has its 95 % interval over trainings and images; what is better is on the right, whatever the metric. A
    model so far off that the others would be one line stands at the edge as an arrow, with its mean.
    Raises: ValueError as `study.claims.gain_of` does.
    """
    models = [m for m in order(records) if m not in (*FLOORS, reference)]
    colours = {m: MODEL_COLOURS[m] if m in BASELINES else INK for m in models}
    columns = min(3, len(metrics))
    rows = math.ceil(len(metrics) / columns)
    figure = Figure(figsize=(2.9 * columns + 2.2, rows * (0.27 * len(models) + 0.8) + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes in grid[len(metrics) :]:
        axes.set_axis_off()
    for axes, metric in zip(grid, metrics, strict=False):
        gains = {model: gain_of(records, model, reference, metric) for model in models}
        reach = _reach([gain for gain, _ in gains.values()])
        dots = []
        for y, (model, (gain, by_seed)) in enumerate(gains.items()):
            if abs(gain.mean) > reach:
                side = math.copysign(1, gain.mean)
                axes.plot(side * reach, y, "<" if side < 0 else ">", color=colours[model], ms=7, zorder=4)
                digits = METRICS.get(metric, (metric, 3))[1]
                axes.annotate(f"{gain.mean:+.{digits}f}", (side * reach, y), (-9 * side, 0), textcoords="offset points",
                              ha="left" if side < 0 else "right", va="center", fontsize=8.5)  # fmt: skip
                continue
            dots += [{"model": model, "gain": value} for value in by_seed.values()]
            if math.isfinite(gain.low):
                axes.plot([gain.low, gain.high], [y, y], color=colours[model], lw=1.5, solid_capstyle="butt", zorder=2)
            axes.plot(gain.mean, y, "|", color=colours[model], ms=12, mew=2.4, zorder=4)
        sns.stripplot(pd.DataFrame(dots), x="gain", y="model", order=models, hue="model", hue_order=models,
                      palette=colours, size=4.5, linewidth=0.9, edgecolor="white", jitter=False, legend=False,
                      ax=axes, zorder=3)  # fmt: skip
        if min(gain.mean for gain, _ in gains.values()) < -reach:
            axes.set_xlim(left=-1.06 * reach)
        if max(gain.mean for gain, _ in gains.values()) > reach:
            axes.set_xlim(right=1.06 * reach)
        axes.axvline(0, color=MODEL_COLOURS.get(reference, INK), lw=1.1, zorder=1)
        axes.set(xlabel="", ylabel="", title=METRICS.get(metric, (metric, 3))[0].rstrip(" ↑↓"))
        axes.set_yticks(range(len(models)), [LABELS.get(m, m) for m in models], fontsize=9)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8.5)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="x")
        for after in _ends(models):
            axes.axhline(after, color="#d9dce3", lw=0.8, zorder=0)
    says = f"gain over {LABELS.get(reference, reference)}, in the metric's unit (right: better); dots: single trainings"
    figure.supxlabel(f"{says}        {title(records)}", fontsize=9.5)
    return figure


def _reach(gains: Sequence[Interval]) -> float:
    """How far an axis has to go: five times as far as half of the intervals do; what lies beyond is off."""
    ends = [max(abs(v) for v in (g.mean, g.low, g.high) if math.isfinite(v)) for g in gains]
    return 5 * float(np.median(ends)) or math.inf


def _ends(models: Sequence[str]) -> list[float]:
    """Where one group of models ends and the next begins."""
    group = {m: name for name, names in {"": BASELINES, **ABLATIONS}.items() for m in names}
    return [y + 0.5 for y, (a, b) in enumerate(zip(models, models[1:], strict=False)) if group.get(a) != group.get(b)]


def forest_figure(found: Sequence[Finding], says: str = "") -> Figure:
    """Every claim as its gain in units of the least gain worth the name, with interval, single trainings and verdict.

    A claim without such a least gain is shown in units of its own interval's half width. Shaded: less than worth it.
    """
    figure = Figure(figsize=(10.4, 0.46 * len(found) + 1.3), layout="constrained")
    axes = figure.subplots()
    reach = 1.5
    for y, f in enumerate(found):
        half = (f.gain.high - f.gain.low) / 2
        unit = f.claim.least or (half if math.isfinite(half) and half > 0 else abs(f.gain.mean) or 1.0)
        low, mean, high = (v / unit for v in (f.gain.low, f.gain.mean, f.gain.high))
        colour = VERDICTS[f.verdict]
        axes.plot([low, high], [y, y], color=colour, lw=2.6, solid_capstyle="butt")
        axes.plot([v / unit for v in f.by_seed.values()], [y] * len(f.by_seed), "o", ms=4, mfc="white", mec=colour,
                  zorder=4)  # fmt: skip
        axes.plot(mean, y, "|", ms=13, mew=3, color=colour, zorder=3)
        reach = max(reach, *(abs(v) for v in (low, high, mean) if math.isfinite(v)))
    reach = min(1.12 * reach, 40.0)
    axes.axvspan(-1, 1, color="#f0f1f4", zorder=0)
    axes.axvline(0, color=INK, lw=0.9)
    pairs = [" against ".join(LABELS.get(m, m) for m in (f.claim.ours, f.claim.theirs)) for f in found]
    axes.set_yticks(range(len(found)), [f"{f.claim.words}\n{pair}" for f, pair in zip(found, pairs, strict=True)],
                    fontsize=8.5)  # fmt: skip
    axes.set_ylim(len(found) - 0.45, -0.6)
    axes.set_xscale("symlog", linthresh=2, linscale=1)
    axes.set_xlim(-reach, reach)
    ticks = [t for t in (1, 3, 10, 30) if t < reach]
    axes.set_xticks([*(-t for t in ticks[::-1]), 0, *ticks], [*(f"−{t}" for t in ticks[::-1]), "0", *map(str, ticks)])
    axes.minorticks_off()
    axes.set_xlabel(f"worse  ←   gain, in units of the least gain worth the name   →  better\n{says}", fontsize=9.5)
    right = axes.secondary_yaxis("right")
    texts = [f"{METRICS.get(f.claim.metric, (f.claim.metric, 3))[0].rstrip(' ↑↓')}: {_signed(f)}" for f in found]
    right.set_yticks(range(len(found)), texts, fontsize=8.5)
    right.spines["right"].set_visible(False)
    for side in (axes, right):
        side.tick_params(axis="y", length=0)
    marks = [Line2D([], [], color=c, lw=2.6, marker="|", ms=13, mew=3) for c in VERDICTS.values()]
    figure.legend(marks, list(VERDICTS), loc="outside upper center", ncols=3)
    return figure


def _signed(f: Finding) -> str:
    digits = 3 if abs(f.gain.mean) >= 0.01 else 4
    return f"{f.gain.mean:+.{digits}f}"


def over_seeds(records: Sequence[Record], model: str, metric: str) -> np.ndarray:
    """A model's value on every image, the mean over its trainings.   Shape: -> (N,).

    Raises: ValueError naming the models there are.
    """
    runs = by_model(records)
    if model not in runs:
        raise ValueError(f"no record of {model}; found {', '.join(runs) or 'none'}")
    return np.mean([r.array(metric) for r in runs[model].values()], axis=0)


def scatter_figure(
    records: Sequence[Record],
    metrics: Sequence[str] = ("ssim_garment", "lpips_garment", "ciede2000"),
    ours: str = "ma_vton",
    theirs: str = "cp_vton",
    case: str = "arm in front",
) -> Figure:
    """Image by image: one model against the other, means over trainings; on the diagonal they are equal.

    Images of a `case` are marked where the records have tags. The better corner is always the upper left's side.
    """
    figure = Figure(figsize=(3.5 * len(metrics), 4.1), layout="constrained")
    tags = records[0].tags
    marked = np.array([case in row for row in tags]) if tags else None
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        x, y = (over_seeds(records, m, metric) for m in (theirs, ours))
        known = np.isfinite(x + y)
        rows = pd.DataFrame({"x": x, "y": y})[known]
        if marked is not None:
            rows["case"] = np.where(marked[known], case, "others")
        how = {"hue": "case", "hue_order": ["others", case], "palette": ["#9aa0ad", COLOURS[1]], "legend": False}
        how = how if marked is not None else {"color": "#9aa0ad"}
        sns.scatterplot(rows, x="x", y="y", ax=axes, s=16, linewidth=0, alpha=0.75, **how)
        low, high = rows[["x", "y"]].min().min(), rows[["x", "y"]].max().max()
        margin = 0.04 * (high - low) or 0.01
        axes.plot([low, high], [low, high], color=INK, lw=0.9)
        axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
        if not higher_is_better(metric):
            axes.invert_xaxis()
            axes.invert_yaxis()
        wins = np.mean(rows["y"] > rows["x"]) if higher_is_better(metric) else np.mean(rows["y"] < rows["x"])
        heading = METRICS.get(metric, (metric, 3))[0].rstrip(" ↑↓")
        axes.set(title=f"{heading}\n{LABELS.get(ours, ours)} better on {wins:.0%} of {len(rows)}",
                 xlabel=LABELS.get(theirs, theirs), ylabel=LABELS.get(ours, ours))  # fmt: skip
        axes.locator_params(nbins=5)
        axes.tick_params(labelsize=8.5)
    if marked is not None:
        dots = [Line2D([], [], ls="", marker="o", ms=5, color=c) for c in (COLOURS[1], "#9aa0ad")]
        figure.legend(dots, [case, "others"], loc="outside upper right", ncols=2, fontsize=9)
    return figure


def pictures_figure(strips: Mapping[str, Tensor], cases: Sequence[str], width_in: float = 1.0) -> Figure:
    """Every model's try-ons of the same examples, a row an example.

    Shape: strips as `study.pictures.read` gives them.   Raises: ValueError as `picture_grid` does.
    """
    letters = round(11 * width_in)  # what a column's title has room for

    def titled(name: str) -> str:
        return "\n".join(wrap(LABELS.get(name, name), letters, break_long_words=False))

    columns = {titled(name): pictures for name, pictures in strips.items()}
    return picture_grid(columns, ["\n".join(wrap(case, 14)) for case in cases], width_in=width_in)


def pick_worst(
    records: Sequence[Record], metric: str, ours: str = "ma_vton", theirs: str = "cp_vton", count: int = 3
) -> list[tuple[str, int]]:
    """The images that speak against a model, by rule: where it is worst, and where it loses most to the other.

    Means over trainings; none twice.   Shape: -> (label, index), `count` of each kind.
    """
    sign = 1 if higher_is_better(metric) else -1
    mine, other = (sign * over_seeds(records, m, metric) for m in (ours, theirs))
    name, rival = LABELS.get(ours, ours), LABELS.get(theirs, theirs)
    picked: list[tuple[str, int]] = []
    for label, scores in ((f"{name}\nworst", mine), (f"behind\n{rival}", mine - other)):
        free = [int(i) for i in np.argsort(np.where(np.isfinite(scores), scores, np.inf), kind="stable")
                if np.isfinite(scores[i]) and int(i) not in [index for _, index in picked]]  # fmt: skip
        picked += [(f"{label} {k + 1}", index) for k, index in enumerate(free[:count])]
    return picked
