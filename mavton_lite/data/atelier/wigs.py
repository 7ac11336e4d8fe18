"""Grown hair, kept: `asset/hair.npz` holds the strands of every style, as `asset/bake_hair.py` grew them.

Growing takes seconds a style; kept strands are read in milliseconds and are the same on every machine.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from mavton_lite.data.atelier.strands import Strands, coarser, mirrored
from mavton_lite.data.atelier.styles import VARIANTS

# field -> type and steps a unit; "head" and "body" are the rows of the mirror image
KEPT = {
    "points": (np.int16, 20_000), "normal": (np.int8, 127), "head_row": (np.uint16, 1), "body_row": (np.uint16, 1),
    "hang": (np.uint8, 255), "width": (np.uint8, 25_000), "depth": (np.uint8, 255), "lock": (np.uint16, 1),
    "tint": (np.int8, 127),
}  # fmt: skip
ROWS = ("head_row", "body_row")


def packed(strands: Strands) -> dict[str, np.ndarray]:
    """Strands in small integers, with the rows that their mirror image hangs on.

    Raises: ValueError where a field does not fit its type.
    """
    fields = {name: getattr(strands, name) for name in KEPT}
    other = mirrored(strands)
    fields |= {f"mirrored_{name}": getattr(other, name) for name in ROWS}
    out = {}
    for name, values in fields.items():
        kind: Any
        kind, steps = KEPT[name.removeprefix("mirrored_")]
        steps_of = np.floor(np.asarray(values, float) * steps + 0.5)
        if steps_of.min() < np.iinfo(kind).min or steps_of.max() > np.iinfo(kind).max:
            raise ValueError(f"{name} reaches {np.abs(values).max():g}, too much for {np.dtype(kind)} at {steps} steps")
        out[name] = steps_of.astype(kind)
    return out


def unpacked(fields: dict[str, np.ndarray], mirror: bool = False) -> Strands:
    """Strands from their small integers."""
    values = {name: fields[name] / steps if steps > 1 else fields[name].astype(np.int64)
              for name, (_, steps) in KEPT.items()}  # fmt: skip
    if mirror:
        flip = np.array([-1.0, 1, 1])
        values |= {"points": values["points"] * flip, "normal": values["normal"] * flip}
        values |= {name: fields[f"mirrored_{name}"].astype(np.int64) for name in ROWS}
    return Strands(**values)


@cache
def strands_of(style: str, variant: int, mirror: bool = False, coarse: bool = False) -> Strands | None:
    """The strands of a style, None where the head is shaved; `coarse` where pixels are as wide as a strand.

    Raises: ValueError for an unknown style.
    """
    if style not in VARIANTS:
        raise ValueError(f"unknown hair style {style!r}; known: {', '.join(VARIANTS)}")
    if style == "shaved":
        return None
    if coarse:
        fine = strands_of(style, variant, mirror)
        return coarser(fine) if fine is not None else None
    with np.load(str(files("mavton_lite.data.atelier").joinpath("asset/hair.npz")), allow_pickle=False) as kept:
        names = [*KEPT, *(f"mirrored_{name}" for name in ROWS)]
        return unpacked({name: kept[f"{style}/{variant}/{name}"] for name in names}, mirror)
