"""The file format of records: its version, how earlier ones are read, and what a sound one looks like."""

from __future__ import annotations

import math
from typing import Any

from mavton_lite.settings import PLAIN

VERSION = 3  # 1 had no `schema`, no `sets`, no `training`
_ADDED = {  # what the protocol of each earlier one had not
    1: ("subset", "outline_px", "parser_sha256", "set_extractor", "set_extractor_sha256", "reading"),
    2: ("reading",),
}
_DERIVED = ("summary", "by_case")  # recomputed from the values
_PROTOCOL = {
    "pairs": str, "split": str, "n": int, "height": int, "width": int, "value_range": list, "images": str,
    "extractor": str, "extractor_sha256": str, "region_grow_px": int, "band_px": int, "profile": str, "subset": str,
    "outline_px": int, "parser_sha256": str, "set_extractor": str, "set_extractor_sha256": str, "reading": str,
}  # fmt: skip
_RECORD = {
    "model": str, "protocol": dict, "values": dict, "seed": int, "commit": str, "notes": dict, "tags": object,
    "sets": dict, "training": dict,
}  # fmt: skip
_OPTIONAL = ("notes", "tags", "sets", "training")


def checked(content: Any) -> dict[str, Any]:
    """A record as read from JSON, in the present schema, ready for `Record`.

    Raises: ValueError saying what was found and what was wanted.
    """
    if not isinstance(content, dict):
        raise ValueError(f"found {type(content).__name__}, wanted an object")
    version = content.get("schema", 1)
    if version not in range(1, VERSION + 1):
        raise ValueError(f"found schema {version!r}, wanted 1 to {VERSION}; a newer version of this package reads it")
    content = {k: v for k, v in content.items() if k not in ("schema", *_DERIVED)}
    _fields(content, _RECORD, _OPTIONAL, "")
    protocol = content["protocol"]
    _fields(protocol, _PROTOCOL, _ADDED.get(version, ()), "protocol.")
    if protocol["pairs"] not in ("paired", "unpaired"):
        raise ValueError(f"protocol.pairs: found {protocol['pairs']!r}, wanted 'paired' or 'unpaired'")
    named = {f"protocol.{k}": protocol.get(k, "all") for k in ("profile", "split", "subset")}
    for where, name in {"model": content["model"], **named}.items():
        if not PLAIN.fullmatch(name):
            raise ValueError(f"{where}: found {name[:40]!r}, wanted letters, digits, dashes and dots: it names a file")
    steps = content.get("training", {}).get("steps", 0)
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
        raise ValueError(f"training.steps: found {str(steps)[:40]!r}, wanted a number of steps")
    count = protocol["n"]
    if count < 1:
        raise ValueError(f"protocol.n: found {count}, wanted at least one image")
    for metric, values in content["values"].items():
        if not isinstance(values, list) or len(values) != count:
            size = f"{len(values)} values" if isinstance(values, list) else type(values).__name__
            raise ValueError(f"values.{metric}: found {size}, wanted one for each of {count} images")
        if bad := [v for v in values if v is not None and not _finite(v)]:
            raise ValueError(f"values.{metric}: found {bad[0]!r}, wanted finite numbers or null")
    for metric, interval in content.get("sets", {}).items():
        if not isinstance(interval, dict) or set(interval) != {"mean", "low", "high", "n"}:
            raise ValueError(f"sets.{metric}: found {str(interval)[:60]}, wanted mean, low, high and n")
        if bad := [v for v in interval.values() if v is not None and not _finite(v)]:
            raise ValueError(f"sets.{metric}: found {bad[0]!r}, wanted finite numbers or null")
    return content | {"protocol": protocol | {"value_range": tuple(protocol["value_range"])}}


def _fields(content: dict[str, Any], wanted: dict[str, type], optional: tuple[str, ...], path: str) -> None:
    """Every field there, of its type, and no other."""
    for name, kind in wanted.items():
        if name not in content:
            if name not in optional:
                raise ValueError(f"{path}{name}: not there, wanted {kind.__name__}")
            continue
        value = content[name]
        fine = isinstance(value, kind) or (kind is list and isinstance(value, tuple))
        if not fine or isinstance(value, bool):
            raise ValueError(f"{path}{name}: found {str(value)[:40]!r}, wanted {kind.__name__}")
    if unknown := [k for k in content if k not in wanted]:
        raise ValueError(f"{path}{unknown[0]}: unknown, wanted one of {', '.join(wanted)}")


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
