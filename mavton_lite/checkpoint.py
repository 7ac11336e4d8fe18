"""Files of a training: one atomic safetensors file holds weights, optimisers and step; JSON says what it belongs to.

No pickle: tensors are safetensors, everything else is JSON, in the same file's header, so a checkpoint is either the
old one or the new one and never half of each.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mavton_lite import files
from mavton_lite.files import read_json

__all__ = [
    "check_fit", "digest", "file_digest", "load_state", "load_tensors", "load_weights", "read_json", "read_weights",
    "save_state", "save_tensors", "save_weights", "write_json",
]  # fmt: skip


def write_json(path: Path, content: Any, indent: int | None = 1) -> Path:
    """Write JSON atomically; floats keep every digit. Without `indent` everything is on one line."""
    return files.write_text(path, json.dumps(content, indent=indent, allow_nan=False) + "\n")


def digest(content: Any) -> str:
    """SHA-256 of a value of plain JSON types, independent of key order."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Any = None) -> Path:
    """Write tensors and a JSON header into one safetensors file, atomically and flushed to disk."""
    # contiguous: safetensors has no strides, so channels-last weights are written in the plain order
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    return files.write_bytes(path, save(plain, {"header": json.dumps(header)}), flush=True)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Tensors (on the CPU) and JSON header of a file of `save_tensors`.

    Raises: ValueError naming the file when it is missing or broken.
    """
    files.regular(path, "wanted a safetensors file")
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get("header", "null"))
            return {k: file.get_tensor(k) for k in file.keys()}, header  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: found {error}, wanted a whole safetensors file") from None


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], origin: Path | str) -> None:
    """Copy weights into a module, every name and shape the same.   Raises: ValueError naming what differs."""
    _check_shapes(module, {k: tuple(v.shape) for k, v in tensors.items()}, origin)
    module.load_state_dict(dict(tensors))


def check_fit(path: Path, module: nn.Module) -> None:
    """Compare what a file says of its tensors with a module's, and read none.

    Raises: ValueError as `load_weights` does, or when it is no safetensors file.
    """
    try:
        with safe_open(path, "pt") as file:
            shapes = {k: tuple(file.get_slice(k).get_shape()) for k in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: found {error}, wanted a whole safetensors file") from None
    _check_shapes(module, shapes, path)


def _check_shapes(module: nn.Module, found: Mapping[str, tuple], origin: Path | str) -> None:
    own = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    wrong = [f"missing {k}" for k in own if k not in found] + [f"unknown {k}" for k in found if k not in own]
    wrong += [f"{k} is {found[k]}, wanted {v}" for k, v in own.items() if k in found and found[k] != v]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(f"{origin}: does not fit {type(module).__name__}: {'; '.join(wrong[:3])}{more}")


def _take(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}


def save_weights(path: Path, networks: Mapping[str, nn.Module], header: Any = None) -> Path:
    """Weights of several networks in one file, as `<network>.<parameter>`."""
    return save_tensors(path, {f"{n}.{k}": v for n, m in networks.items() for k, v in m.state_dict().items()}, header)


def read_weights(path: Path, networks: Mapping[str, nn.Module]) -> Any:
    """Fill networks from a file of `save_weights` and return its header.   Raises: ValueError when they do not fit."""
    tensors, header = load_tensors(path)
    for name, module in networks.items():
        load_weights(module, _take(tensors, f"{name}."), path)
    return header


def save_state(
    path: Path,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
    schedulers: Mapping[str, Any],
    header: Mapping[str, Any],
) -> Path:
    """Everything that training needs to go on: weights, optimiser moments, schedulers and a header with the step."""
    tensors = {f"net.{n}.{k}": v for n, m in networks.items() for k, v in m.state_dict().items()}
    groups = {}
    for name, optimiser in optimisers.items():
        state = optimiser.state_dict()
        groups[name] = state["param_groups"]
        for index, entries in state["state"].items():
            tensors |= {f"opt.{name}.{index}.{k}": torch.as_tensor(v) for k, v in entries.items()}
    plain = {n: s.state_dict() for n, s in schedulers.items()}
    return save_tensors(path, tensors, dict(header) | {"groups": groups, "schedulers": plain})


def load_state(
    path: Path,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
    schedulers: Mapping[str, Any],
) -> dict[str, Any]:
    """Undo `save_state`, bit for bit, and return its header.   Raises: ValueError when the file does not fit."""
    tensors, header = load_tensors(path)
    _check_header(path, header, optimisers, schedulers)
    for name, module in networks.items():
        load_weights(module, _take(tensors, f"net.{name}."), path)
    try:
        _restore(tensors, header, optimisers, schedulers)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: found {error!r} in the optimisers' state, wanted {_CHECKPOINT}") from None
    return header


_CHECKPOINT = "a checkpoint of this training; --fresh begins anew"


def _check_header(path: Path, header: Any, optimisers: Mapping, schedulers: Mapping) -> None:
    """Raises: ValueError naming the field of a checkpoint's header that is missing or another."""
    found = header if isinstance(header, dict) else {}
    step, seconds = found.get("step"), found.get("seconds", 0)
    sound = {
        "step": isinstance(step, int) and step >= 0,
        "seconds": isinstance(seconds, (int, float)) and 0 <= seconds < math.inf,
        "groups": isinstance(found.get("groups"), dict) and set(found["groups"]) == set(optimisers),
        "schedulers": isinstance(found.get("schedulers"), dict) and set(found["schedulers"]) == set(schedulers),
    }
    if wrong := [name for name, fine in sound.items() if not fine]:
        raise ValueError(f"{path}: {wrong[0]}: found {str(found.get(wrong[0]))[:40]!r}, wanted {_CHECKPOINT}")


def _restore(tensors: Mapping[str, Tensor], header: Mapping, optimisers: Mapping, schedulers: Mapping) -> None:
    for name, optimiser in optimisers.items():
        parameters = [p for g in optimiser.param_groups for p in g["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _take(tensors, f"opt.{name}.").items():
            index, _, entry = key.partition(".")
            parameter = parameters[int(index)]
            if value.shape == parameter.shape:
                # the moments get their parameter's strides back: another layout would round differently
                value = torch.empty_like(parameter.detach()).copy_(value)
            state.setdefault(int(index), {})[entry] = value
        own = [{k: v for k, v in g.items() if k != "params"} for g in optimiser.param_groups]
        for group, saved in zip(own, header["groups"][name], strict=True):
            # JSON has no tuples
            group.update({k: tuple(v) if isinstance(v, list) else v for k, v in saved.items() if k != "params"})
        numbers = optimiser.state_dict()["param_groups"]
        groups = [g | {"params": n["params"]} for g, n in zip(own, numbers, strict=True)]
        optimiser.load_state_dict({"state": state, "param_groups": groups})
    for name, scheduler in schedulers.items():
        scheduler.load_state_dict(header["schedulers"][name])
