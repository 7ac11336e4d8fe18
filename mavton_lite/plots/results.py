"""Tables and figures of the results: comparison, warps, differences, failures by case, and pictures chosen by rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from mavton_lite.claims import higher_is_better
from mavton_lite.plots.grid import picture_grid
from mavton_lite.plots.style import COLOURS, INK, MODEL_COLOURS
from mavton_lite.records import Interval, Record, bootstrap, same_protocol
from mavton_lite.records import case_table as numbers_by_case

NAMES = {
    "copy_person": "copy the person",
    "paste_flat_cloth": "paste the flat cloth",
    "paste_warped_cloth": "paste the warped cloth",
    "viton": "VITON",
    "cp_vton": "CP-VTON",
    "cp_vton_plus": "CP-VTON+",
    "ma_vton": "MA-VTON",
}
OTHER_WARPS = {"viton": "VITON: shape context", "cp_vton_plus": "CP-VTON+: GMM on masks"}
PAINTS = {"copy_person": "copy", "paste_flat_cloth": "paste", "paste_warped_cloth": "gmm"}  # their colours' names
METRICS = {"ssim": ("SSIM ↑", 3), "psnr": ("PSNR, dB ↑", 2), "lpips": ("LPIPS ↓", 3)}
REGIONS = {"": "picture", "_garment": "garment region", "_arms": "arm band"}
TEAL, GREY = COLOURS[2], "#7F7F7F"


def cell(found: Interval, digits: int = 3) -> str:
    """`0.861 [0.852, 0.869]`; empty where nothing was measured."""
    if math.isnan(found.mean):
        return ""
    mean, low, high = (round(v, digits) + 0.0 for v in (found.mean, found.low, found.high))  # + 0.0: no "-0.00"
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def by_pairs(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by protocol, unpaired first; within each all are comparable.

    Raises: ValueError when the records of one kind of pairs were measured differently.
    """
    groups = {p: [r for r in records if r.protocol.pairs == p] for p in ("unpaired", "paired")}
    groups = {p: found for p, found in groups.items() if found}
    for found in groups.values():
        same_protocol(found)
    if not groups:
        raise ValueError("no records given; wanted at least one")
    return groups


def comparison_table(records: Sequence[Record]) -> pd.DataFrame:
    """Every model in every region, mean [95 % interval over images]: the rows to compare stand below each other.

    Raises: ValueError when the records of one kind of pairs were measured differently.
    """
    rows = []
    for pairs, found in by_pairs(records).items():
        for suffix, region in REGIONS.items():
            for record in found:
                row = {"pairs": pairs, "region": region, "model": NAMES.get(record.model, record.model)}
                for metric, (title, digits) in METRICS.items():
                    name = metric + suffix
                    row[title] = cell(record.interval(name), digits) if name in record.values else ""
                rows.append(row)
    return pd.DataFrame(rows)


def sets_table(records: Sequence[Record]) -> pd.DataFrame:
    """What only whole sets have, value [95 % interval]: inception score, Frechet and kernel distance.

    Each is named after the network that looked.   Raises: ValueError when no record has any, or protocols differ.
    """
    rows = []
    for pairs, group in by_pairs(records).items():
        for record in group:
            if record.sets:
                row = {"pairs": pairs, "model": NAMES.get(record.model, record.model)}
                for name, found in record.sets.items():
                    kind, _, network = name.partition("_")  # fd_lite0: FD-lite0
                    title = f"{kind.upper()}{'-' * bool(network)}{network} {'↑' if higher_is_better(name) else '↓'}"
                    row[title] = cell(found, 4 if kind in ("kd", "kid") else 2)
                rows.append(row)
    if not rows:
        raise ValueError("found no numbers of whole sets, wanted records that were measured with `sets`")
    return pd.DataFrame(rows)


def warp_table(records: Sequence[Record]) -> pd.DataFrame:
    """The matching module beside no warp, other systems' warps and the best maps of each family, on the same pixels.

    Wants, for each kind of pairs, `paste_warped_cloth` and, for the overlap without a warp, `paste_flat_cloth`; shows
    the warps of `viton` and `cp_vton_plus` where they are among the records.
    Raises: ValueError when there is no warp among the records.
    """
    rows = []
    for pairs, found in by_pairs(records).items():
        models = {r.model: r for r in found}
        if "paste_warped_cloth" not in models:
            raise ValueError(f"no record of paste_warped_cloth ({pairs}); found {', '.join(models)}")
        gmm, flat = models["paste_warped_cloth"], models.get("paste_flat_cloth")
        lines = (
            ("no warp", gmm, flat, "epe_256_px_none"),
            ("best affine map of each example", gmm, None, "epe_256_px_affine"),
            ("best 5 × 5 spline of each example", gmm, None, "epe_256_px_tps"),
            *((name, models[key], models[key], "epe_256_px") for key, name in OTHER_WARPS.items() if key in models),
            ("GMM", gmm, gmm, "epe_256_px"),
        )
        for name, places, masks, metric in lines:
            row = {"pairs": pairs, "warp": name}
            for title, key in (("mask IoU ↑", "mask_iou"), ("with arms and hair", "mask_iou_plain")):
                row[title] = cell(masks.interval(key)) if masks and key in masks.values else ""
            known = metric in places.values
            row["end-point error, px at 256 × 192 ↓"] = cell(places.interval(metric), 2) if known else ""
            rows.append(row)
    return pd.DataFrame(rows)


def case_table(records: Sequence[Record], metric: str, cases: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """A metric by case: one row a value of a column of `cases`, one column a model; no interval below 5 images.

    Raises: ValueError when `cases` has not one row an image, or protocols differ.
    """
    same_protocol(records)
    if len(cases) != records[0].protocol.n:
        raise ValueError(f"found {len(cases)} cases for {records[0].protocol.n} images, wanted one each")
    rows = []
    for column in cases:
        for value, picked in cases.groupby(column).groups.items():
            row = {"case": f"{column}: {value}", "n": len(picked)}
            for record in records:
                found = bootstrap(record.array(metric)[np.asarray(picked)])
                few = "" if math.isnan(found.mean) else f"{found.mean:.{digits}f}"
                row[NAMES.get(record.model, record.model)] = few if found.n < 5 else cell(found, digits)
            rows.append(row)
    return pd.DataFrame(rows)


def cases_figure(records: Sequence[Record], metric: str = "ssim_garment", least: int = 5) -> Figure:
    """A metric by what makes a case hard, each case beside all images (dotted), those of fewer than `least` left out.

    The hardest for the last record comes first.   Raises: ValueError as `records.case_table` does.
    """
    table = numbers_by_case(records, [metric])
    table = table[table["n"] >= least]
    ours = table[table["model"] == records[-1].model].set_index("case")[metric]
    worst_first = higher_is_better(metric)
    cases = ours.drop("all").dropna().sort_values(ascending=worst_first, kind="stable").index.tolist() + ["all"]
    figure = Figure(figsize=(7.2, 0.34 * len(cases) + 1.2), layout="constrained")
    axes = figure.subplots()
    step = 0.62 / max(len(records), 2)
    for k, record in enumerate(records):
        rows = table[table["model"] == record.model].set_index("case").loc[cases]
        y = np.arange(len(cases)) + (k - (len(records) - 1) / 2) * step
        colour = MODEL_COLOURS[PAINTS.get(record.model, record.model)]
        axes.hlines(y, rows[f"{metric}_low"], rows[f"{metric}_high"], color=colour, lw=1.8)
        axes.plot(rows[metric], y, "o", ms=4.5, color=colour, label=NAMES.get(record.model, record.model))
        axes.axvline(rows[metric]["all"], color=colour, lw=0.8, ls=(0, (2, 3)), zorder=0)
    counts = table.drop_duplicates("case").set_index("case")["n"]
    axes.set_yticks(range(len(cases)), [f"{case}  ({counts[case]})" for case in cases], fontsize=9)
    axes.set_ylim(len(cases) - 0.4, -0.6)
    axes.axhline(len(cases) - 1.5, color="#d9dce3", lw=0.8)
    name, _, region = metric.partition("_")
    where = f", {REGIONS[f'_{region}']}" if f"_{region}" in REGIONS else ""
    title = METRICS[name][0] if name in METRICS else metric
    axes.set_xlabel(f"{title}{where}; mean and 95 % interval")
    axes.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=min(len(records), 4), fontsize=9)
    return figure


def learnt_table(
    sets: Mapping[str, Sequence[Record]], asked: Sequence[str] = ("ssim_garment", "lpips")
) -> pd.DataFrame:
    """The same models on several sets of pictures, mean [95 % interval over images]: one row a set.

    Learnt by heart is what falls from training to new people; not taught, what falls from paired to unpaired.
    Raises: ValueError when the records of one set were measured differently.
    """
    rows = []
    for words, records in sets.items():
        same_protocol(records)
        row = {"pictures": words}
        for name in asked:
            metric, _, region = name.partition("_")
            title, digits = METRICS[metric]
            where = REGIONS["_" + region if region else ""]
            row |= {f"{NAMES.get(r.model, r.model)}: {where}, {title}": cell(r.interval(name), digits) for r in records}
        rows.append(row)
    return pd.DataFrame(rows)


def floors_figure(records: Sequence[Record], metric: str = "ssim") -> Figure:
    """The same models scored over the whole picture and where the try-on happens."""
    same_protocol(records)
    figure = Figure(figsize=(6.6, 0.42 * len(records) + 1.1), layout="constrained")
    axes = figure.subplots()
    for y, record in enumerate(records):
        values = {suffix: record.interval(metric + suffix) for suffix in ("", "_garment")}
        axes.plot([v.mean for v in values.values()], [y, y], color="#d9dce3", lw=1.2, zorder=1)
        colour = MODEL_COLOURS[PAINTS.get(record.model, record.model)]
        for suffix, found in values.items():
            face = colour if suffix else "white"
            axes.plot([found.low, found.high], [y, y], color=colour, lw=2.2, solid_capstyle="butt", zorder=2)
            axes.plot(found.mean, y, "o", ms=7, mfc=face, mec=colour, mew=1.5, zorder=3)
    axes.set_yticks(range(len(records)), [NAMES.get(r.model, r.model) for r in records])
    axes.invert_yaxis()
    axes.set(xlabel=f"{METRICS[metric][0]}, mean and 95 % interval", title="Where you look decides what you see")
    axes.grid(axis="x")
    marks = [Line2D([], [], ls="", marker="o", ms=7, mfc=f, mec=INK, mew=1.5) for f in ("white", INK)]
    figure.legend(marks, ["whole picture", "garment region"], loc="outside right center", fontsize=9)
    return figure


def difference_figure(comparison: pd.DataFrame, ours: str = "MA-VTON", theirs: str = "CP-VTON") -> Figure:
    """The rows of `claims.compare` as intervals around zero; the good side is always the right one."""
    found = comparison.set_index("metric")
    figure = Figure(figsize=(9.2, 2.4), layout="constrained")
    for axes, (metric, (title, _)) in zip(figure.subplots(1, len(METRICS), sharey=True), METRICS.items(), strict=True):
        for y, suffix in enumerate(REGIONS):
            row = found.loc[metric + suffix]
            colour = {"replicated": TEAL, "not replicated": COLOURS[1]}.get(row["verdict"], GREY)
            axes.plot([row["low"], row["high"]], [y, y], color=colour, lw=2.4, solid_capstyle="butt")
            axes.plot(row["difference"], y, "o", ms=6, color=colour)
        axes.axvline(0, color=INK, lw=0.9)
        reach = 1.25 * max(abs(v) for v in axes.dataLim.intervalx) or 1.0  # equal models differ by nothing
        axes.set_xlim(*((-reach, reach) if higher_is_better(metric) else (reach, -reach)))
        axes.set_yticks(range(len(REGIONS)), list(REGIONS.values()))
        axes.set_ylim(len(REGIONS) - 0.5, -0.5)
        axes.set_title(title.rstrip(" ↑↓"))
        axes.locator_params(axis="x", nbins=5)
        axes.tick_params(labelsize=8.5)
        axes.grid(axis="x")
    figure.supxlabel(f"{theirs} better  ←      difference      →  {ours} better", fontsize=10)
    return figure


def pick_examples(scores: np.ndarray, cases: Mapping[str, np.ndarray]) -> list[tuple[str, int]]:
    """Examples for a figure by a rule that no hand can bend: quantiles of the score, then the median of each case.

    A case without examples is left out, and an example already shown is not shown again: the next nearest is.
    Shape: scores (N,), each case (N,) bool -> (label, index), best first.
    """
    free = np.isfinite(scores)
    picked = []
    for label, share, among in (
        ("near the best\n(95 %)", 0.95, None),
        ("median", 0.5, None),
        ("near the worst\n(5 %)", 0.05, None),
        *((f"{name}\n(its median)", 0.5, mask) for name, mask in cases.items()),
    ):
        pool = free if among is None else free & among
        if pool.any():
            # the quantile is that of all examples of the case, shown already or not
            whole = np.isfinite(scores) if among is None else np.isfinite(scores) & among
            wanted = np.quantile(scores[whole], share)
            index = int(np.argmin(np.where(pool, np.abs(scores - wanted), np.inf)))
            free[index] = False
            picked.append((label, index))
    return picked


def qualitative_figure(columns: dict[str, Tensor], labels: Sequence[str], scores: dict[str, Sequence[float]]) -> Figure:
    """Try-ons beside the truth, with each model's SSIM inside the garment region below its picture.

    Shape: columns (N, 3, H, W) in [0, 1].   Raises: ValueError as `picture_grid`.
    """
    notes: dict[str, Sequence[str]] = {}
    for name, values in scores.items():
        notes[name] = [f"SSIM {value:.3f}" for value in values]
    return picture_grid(columns, labels, notes)
