"""Settings from outside, such as a card's profile or a seed: every value of its type and within reason."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from typing import Any

from mavton_lite.config import SEED

PLAIN = re.compile(r"\w[\w.-]*", re.ASCII)  # a name that may become part of a file's
# The largest of a kind that makes a network or a picture; far above any use, and far below what fills a machine.
_MOST = {"height": 4096, "width": 4096, "refine_width": 4096, "downs": 12, "layers": 12, "grid": 64, "warp_grid": 64,
         "gate_kernel": 99, "gate_reduction": 4096, "points": 10_000, "pose_radius_px": 4096}  # fmt: skip
_MOST_OF_ANY = 1_000_000_000


def seed_or_usual(seed: int | None) -> int:
    """The seed that was asked for, else the usual one.   Raises: ValueError for one that no generator takes."""
    if seed is not None and not 0 <= seed < 2**63:
        raise ValueError(f"seed: found {seed}, wanted 0 to {2**63 - 1}")
    return SEED if seed is None else seed


def from_json(kind: Any, value: Any, path: str) -> Any:
    """Undo `config.as_dict`; settings that the JSON lacks keep their defaults.

    Raises: ValueError naming the dotted setting that this version does not know, or that has another type or size.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{path}: found {_shown(value)}, wanted a JSON object")
    hints = typing.get_type_hints(kind)
    if unknown := [k for k in value if k not in hints]:
        raise ValueError(
            f"{path}: unknown settings {', '.join(unknown)}; the model wants a newer version of this package"
        )
    needed = [f.name for f in dataclasses.fields(kind)
              if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]  # fmt: skip
    if missing := [name for name in needed if name not in value]:
        raise ValueError(f"{path}.{missing[0]}: found none, wanted a value")
    return kind(**{k: _value(hints[k], v, f"{path}.{k}", k) for k, v in value.items()})


def _value(hint: Any, value: Any, path: str, name: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_json(hint, value, path)
    if not _fits(hint, value):
        raise ValueError(f"{path}: found {_shown(value)}, wanted {getattr(hint, '__name__', hint)}")
    if isinstance(value, int) and not isinstance(value, bool):
        least, most = int(name in _MOST and name != "pose_radius_px"), _MOST.get(name, _MOST_OF_ANY)
        if not least <= value <= most:
            raise ValueError(f"{path}: found {_shown(value)}, wanted {least} to {most}")
    if name == "name" and not PLAIN.fullmatch(value):
        raise ValueError(f"{path}: found {_shown(value)}, wanted letters, digits, dashes and dots: it names files")
    return _tuples(value)


def _fits(hint: Any, value: Any) -> bool:
    """Is a JSON value of that type, a list being a tuple and an int a float?"""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return isinstance(value, str) and value in inner
    if origin in (typing.Union, types.UnionType):
        return any(_fits(one, value) for one in inner)
    if origin is tuple:
        if not isinstance(value, list | tuple) or len(value) > 1000:
            return False
        kinds = inner[:1] * len(value) if inner[1:] == (...,) else inner
        return len(kinds) == len(value) and all(map(_fits, kinds, value))
    if hint is types.NoneType:
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _shown(value: Any) -> str:
    return repr(value if isinstance(value, str) else str(value))[:48]
