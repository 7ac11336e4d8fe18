"""Virtual try-on with multi-level attention; what is listed here is what other code may rely on.

Everything else may change from one version to the next. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "EXPERIMENTS": "experiments",
    "Experiment": "experiments",
    "Profile": "config",
    "Record": "records",
    "Trained": "trained",
    "copy_person": "metrics",
    "evaluate": "metrics",
    "fit": "train",
    "from_pipeline": "metrics",
    "get_experiment": "experiments",
    "get_profile": "config",
    "load_pipeline": "trained",
    "load_released": "zoo",
    "open_dataset": "data",
    "paste_warped_cloth": "metrics",
    "released": "zoo",
    "represent": "data.person",
    "retimed": "experiments",
    "try_on_photo": "tryon",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
