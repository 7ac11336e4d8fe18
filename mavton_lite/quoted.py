"""Numbers that others published on VITON, quoted with their source: the same method differs a lot between papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mavton_lite.records import Record, same_protocol


@dataclass(frozen=True)
class Quoted:
    """One method's numbers in one publication, 256 x 192. SSIM, LPIPS and PSNR are of paired try-on, FID of unpaired.

    IS is of whichever the source took; papers do not agree. `seen`: read in the source itself or in a text that quotes
    it; otherwise from memory, and unconfirmed.
    """

    method: str
    source: str
    ssim: float | None = None
    lpips: float | None = None
    psnr: float | None = None
    inception: float | None = None
    fid: float | None = None
    seen: bool = True


QUOTED = (
    Quoted("VITON", "Han et al. 2018, table 1 (unpaired)", inception=2.514),
    Quoted("VITON", "Yang et al. 2020 (ACGPN)", ssim=0.783, inception=2.650),
    Quoted("VITON", "README of Player256/vton_final", fid=55.71),
    Quoted("CP-VTON", "Yang et al. 2020 (ACGPN)", ssim=0.745, inception=2.757),
    Quoted("CP-VTON", "Jandial et al. 2020 (SieveNet)", ssim=0.698, psnr=14.544, fid=20.331),
    Quoted("CP-VTON", "Raffiee and Sollami 2020 (GarmentGAN)", inception=2.636, fid=23.085),
    Quoted("CP-VTON", "Yang et al. 2024 (TPD), table 1", ssim=0.78, fid=24.43),
    Quoted("CP-VTON", "Minar et al. 2020 (CP-VTON+)", ssim=0.784, lpips=0.145, inception=2.78, seen=False),
    Quoted("CP-VTON+", "Minar et al. 2020 (CP-VTON+)", ssim=0.816, lpips=0.117, inception=3.10, seen=False),
    Quoted("CP-VTON+", "Ren et al. 2021 (CIT)", ssim=0.817, lpips=0.117, fid=25.19),
    Quoted("CP-VTON+", "README of DOC-VTON (Yang et al. 2023)", fid=21.08),
    Quoted("ACGPN", "Yang et al. 2020 (ACGPN)", ssim=0.845, inception=2.829),
    Quoted("ACGPN", "Yang et al. 2024 (TPD), table 1", ssim=0.84, lpips=0.11, fid=15.67),
    Quoted("PF-AFN", "Yang et al. 2024 (TPD), table 1", ssim=0.87, lpips=0.08, fid=10.09),
    Quoted("real photographs", "Han et al. 2018, table 1", inception=3.312),
)
COLUMNS = {"ssim": "SSIM ↑", "lpips": "LPIPS ↓", "psnr": "PSNR, dB ↑", "inception": "IS ↑", "fid": "FID ↓"}


def spread(method: str, metric: str) -> tuple[float, float]:
    """The smallest and the largest value that was published for one method.   Raises: ValueError when none was."""
    values = [v for q in QUOTED if q.method == method and (v := getattr(q, metric)) is not None]
    if not values:
        raise ValueError(f"no {metric} of {method!r} is quoted; wanted one of {', '.join({q.method for q in QUOTED})}")
    return min(values), max(values)


def beside_ours(records: Sequence[Record], names: dict[str, str]) -> pd.DataFrame:
    """Published numbers, then this project's of paired try-on in the same columns, each with source and protocol.

    `names` are the models to show and what they are called; the columns IS and FID are filled where a record has the
    true ones. Only rows of one source may be compared with each other.
    Raises: ValueError when the records are not paired, or of several protocols.
    """
    rules = same_protocol(records)
    if rules.pairs != "paired":
        raise ValueError(f"found {rules.pairs} records, wanted paired ones, as SSIM and LPIPS are published")
    rows = []
    for q in QUOTED:
        row = {"method": q.method, "on": "VITON, 256 × 192"}
        for key, title in COLUMNS.items():
            value = getattr(q, key)
            row[title] = "" if value is None else f"{value:g}"
        rows.append(row | {"source": f"quoted: {q.source}" + ("" if q.seen else "; from memory, unconfirmed")})
    where = f"{rules.profile}, {rules.height} × {rules.width}, n = {rules.n}"
    keys = {"ssim": ("ssim", 3), "lpips": ("lpips", 3), "psnr": ("psnr", 2), "inception": ("is", 3), "fid": ("fid", 2)}
    for record in records:
        if record.model not in names:
            continue
        row = {"method": names[record.model], "on": where}
        for key, title in COLUMNS.items():
            metric, digits = keys[key]
            known = metric in record.values or metric in record.sets
            row[title] = f"{record.interval(metric).mean:.{digits}f}" if known else ""
        rows.append(row | {"source": "measured here"})
    return pd.DataFrame(rows)
