"""Does a measurement carry a claim: verdicts from intervals, and the bounds that every trained chain has to meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from mavton_lite.records import Interval, Record, difference

MIN_MASK_IOU = 0.88
GAIN_OVER_PASTE, GAIN_OVER_COPY = 0.18, 0.20  # of SSIM inside the garment region
MAX_LPIPS = 0.07  # over the picture
FLOORS = ("copy_person", "paste_flat_cloth", "paste_warped_cloth")
MODELS = {"cp_vton": "CP-VTON", "ma_vton": "MA-VTON"}
LOWER_IS_BETTER = ("lpips", "epe", "mae", "ciede2000", "texture_error", "fd_", "fid", "kd_", "kid")


def higher_is_better(metric: str) -> bool:
    """Whether a larger value of the metric is the better one."""
    return not metric.startswith(LOWER_IS_BETTER)


def verdict(gain: Interval, higher: bool = True) -> str:
    """What an interval of `ours - theirs` says of the claim that ours is better.

    "replicated": the whole interval is on the good side; "not replicated": the whole interval is on the bad side;
    "inconclusive": zero is inside, or nothing was measured.
    """
    low, high = (gain.low, gain.high) if higher else (-gain.high, -gain.low)
    if low > 0:
        return "replicated"
    return "not replicated" if high < 0 else "inconclusive"


def compare(ours: Record, theirs: Record, metrics: list[str]) -> pd.DataFrame:
    """One row a metric: the mean paired difference `ours - theirs`, its 95 % interval over images, and the verdict.

    Raises: ValueError when the two were not measured under one protocol.
    """
    rows = []
    for metric in metrics:
        gain = difference(ours, theirs, metric)
        rows.append(
            {"metric": metric, "difference": gain.mean, "low": gain.low, "high": gain.high, "n": gain.n,
             "better": "higher" if higher_is_better(metric) else "lower",
             "verdict": verdict(gain, higher_is_better(metric))}
        )  # fmt: skip
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Check:
    """One bound: what was wanted, what was measured, and whether it holds."""

    what: str
    wanted: str
    measured: str
    ok: bool


def checks(records: Mapping[str, Record]) -> list[Check]:
    """The bounds of a trained chain on unpaired examples with exact truth, from the records by model.

    Wanted: the floors copy_person, paste_flat_cloth and paste_warped_cloth (whose warp is the matching module's),
    cp_vton and ma_vton.
    Raises: ValueError naming a record that is missing, or protocols that differ.
    """
    wanted = (*FLOORS, *MODELS)
    if missing := [name for name in wanted if name not in records]:
        raise ValueError(f"no record of {', '.join(missing)}; found {', '.join(records) or 'none'}")
    gmm = records["paste_warped_cloth"]
    epe, affine, spline = (gmm.interval(f"epe_256_px{bound}").mean for bound in ("", "_affine", "_tps"))
    iou = gmm.interval("mask_iou").mean
    half = (affine + spline) / 2
    found = [
        Check("end-point error of the GMM below the best affine map's", f"< {affine:.2f} px", f"{epe:.2f} px",
              epe < affine),
        Check("and at most half-way from the best spline's to it", f"<= {half:.2f} px", f"{epe:.2f} px", epe <= half),
        Check("mask overlap of the GMM", f">= {MIN_MASK_IOU:.2f}", f"{iou:.3f}", iou >= MIN_MASK_IOU),
    ]  # fmt: skip
    for model, name in MODELS.items():
        for floor, text, least in (
            ("paste_warped_cloth", "pasting the warped cloth", GAIN_OVER_PASTE),
            ("copy_person", "copying the person", GAIN_OVER_COPY),
        ):
            gain = difference(records[model], records[floor], "ssim_garment").mean
            what = f"region SSIM of {name} above {text}"
            found.append(Check(what, f">= +{least:.2f}", f"{gain:+.3f}", gain >= least))
        whole, best = records[model].interval("ssim").mean, max(records[f].interval("ssim").mean for f in FLOORS)
        what = f"SSIM of {name} over the picture above every floor's"
        found.append(Check(what, f"> {best:.3f}", f"{whole:.3f}", whole > best))
        seen, what = records[model].interval("lpips").mean, f"LPIPS of {name} over the picture"
        found.append(Check(what, f"<= {MAX_LPIPS:.2f}", f"{seen:.3f}", seen <= MAX_LPIPS))
    return found


def checks_table(found: list[Check]) -> pd.DataFrame:
    """The checks as a table; the last column says ok or not ok."""
    return pd.DataFrame(
        [{"bound": c.what, "wanted": c.wanted, "measured": c.measured, "": "ok" if c.ok else "not ok"} for c in found]
    )
