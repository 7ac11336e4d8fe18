"""Released models: half-precision weights with a card that says what they are and how they were made."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mavton_lite import checkpoint
from mavton_lite.config import Profile, as_dict
from mavton_lite.experiments import get_experiment
from mavton_lite.files import read_object, regular
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.settings import from_json
from mavton_lite.stages import build_network, stage_of
from mavton_lite.trained import load

ZOO = Path(__file__).parent
LICENCE = "MIT"
GRADIENTS = ".gradients.csv"
LOG = ".log.csv"


def released(folder: Path | None = None) -> list[str]:
    """Names of the released models."""
    return sorted(p.stem for p in (folder or ZOO).glob("*.json"))


def release(
    experiment: str,
    profile: Profile,
    out: Path,
    name: str | None = None,
    *,
    metrics: dict[str, Any] | None = None,
    folder: Path | None = None,
    base: Path | None = None,
) -> Path:
    """Write `<name>.safetensors` (half precision) and `<name>.json` of a finished training; returns the card's path.

    What it builds on, such as the matching module of a try-on network, goes into the same file. The logs of both become
    `<name>.<experiment>.log.csv`; a log of its gradients, where there is one, `<name>.gradients.csv`.
    Raises: ValueError when it is not finished or does not fit the profile, or when a weight has no half-precision form.
    """
    chosen, ready = get_experiment(experiment), load(experiment, profile, out, base=base)
    name, folder = name or experiment, folder or ZOO
    tensors = {}
    for key, value in ready.state_dict().items():
        tensors[key] = value.half() if value.is_floating_point() else value
        if not torch.isfinite(tensors[key]).all():
            raise ValueError(f"{experiment}: {key} does not fit into half precision")
    weights = checkpoint.save_tensors(folder / f"{name}.safetensors", tensors)
    pulls, copy = Path(out) / experiment / "gradients.csv", folder / f"{name}{GRADIENTS}"
    copy.unlink(missing_ok=True)  # of other weights
    if pulls.exists():
        shutil.copyfile(pulls, copy)
    trained = [get_experiment(n) for n in (chosen.base, experiment) if n]
    folders = {e.name: Path(base) if base and e.name == chosen.base else Path(out) / e.name for e in trained}
    for old in folder.glob(f"{name}.*{LOG}"):
        old.unlink()
    for made, at in folders.items():
        if (at / "log.csv").exists():
            shutil.copyfile(at / "log.csv", folder / f"{name}.{made}{LOG}")
    settings = checkpoint.read_json(folders[experiment] / "config.json")
    finals = {made: checkpoint.read_json(at / "final.json") for made, at in folders.items()}
    networks = {e.stage: build_network(e, profile) for e in trained}
    card = {
        "name": name,
        "experiment": experiment,
        "gate": chosen.gate,
        "adversarial": chosen.adversarial,
        "profile": as_dict(chosen.apply(profile)),
        "seed": settings["seed"],
        "steps": finals[experiment]["steps"],
        "trainings": {n: {k: v for k, v in f.items() if k != "weights_sha256"} for n, f in finals.items()},
        "data": settings["data"],
        "parameters": {stage: sum(p.numel() for p in network.parameters()) for stage, network in networks.items()},
        "sha256": checkpoint.file_digest(weights),
        "precision": "float16",
        "metrics": metrics or {},
        "licence": LICENCE,
    }
    return checkpoint.write_json(folder / f"{name}.json", card)


def training_log(name: str, experiment: str, folder: Path | None = None) -> Path | None:
    """The loss terms of a released model's training, or of what it builds on; None without a log."""
    path = (folder or ZOO) / f"{name}.{experiment}{LOG}"
    return path if path.exists() else None


def gradient_log(name: str, folder: Path | None = None) -> Path | None:
    """How hard each loss term pulled while a released model was trained (see `gradients`); None without a log."""
    path = (folder or ZOO) / f"{name}{GRADIENTS}"
    return path if path.exists() else None


def read_card(name: str, folder: Path | None = None) -> dict[str, Any]:
    """The card of a released model.   Raises: ValueError naming the known ones."""
    folder = folder or ZOO
    if name not in released(folder):
        raise ValueError(f"no released model {name!r}; known: {', '.join(released(folder)) or 'none'}")
    return _card(folder / f"{name}.json")


def _card(path: Path) -> dict[str, Any]:
    card = read_object(path, experiment=str, profile=dict, sha256=str)
    try:
        get_experiment(card["experiment"])
        released_profile(card)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return card


def load_released(
    name: str, device: str | torch.device = "cpu", folder: Path | None = None
) -> Any:
    """A released model, in single precision and evaluation mode: a pipeline, or the network of another stage.

    Raises: ValueError for an unknown name, or weights that are not the card's.
    """
    folder = folder or ZOO
    card, weights = read_card(name, folder), folder / f"{name}.safetensors"
    if (found := checkpoint.file_digest(regular(weights, "wanted the card's weights"))) != card["sha256"]:
        raise ValueError(f"{weights}: sha256 is {found}, its card says {card['sha256']}")
    with torch.device("meta"):  # takes no memory, whatever sizes the card asks for
        checkpoint.check_fit(weights, _built(card))
    tensors, _ = checkpoint.load_tensors(weights)
    ready = _built(card)
    checkpoint.load_weights(ready, {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}, weights)
    return ready.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)


def _built(card: dict[str, Any]) -> TryOnPipeline | nn.Module:
    chosen, profile = get_experiment(card["experiment"]), released_profile(card)
    base = build_network(get_experiment(chosen.base), profile) if chosen.base else None
    return stage_of(chosen).assemble(profile, build_network(chosen, profile), base)


def card_of(weights: Path) -> dict[str, Any]:
    """The card of a file of weights anywhere, such as one of `mavton convert`; it lies beside it.

    Raises: ValueError naming the file that is not there.
    """
    for wanted in (weights, weights.with_suffix(".json")):
        if not wanted.is_file():
            raise ValueError(f"{wanted}: found no such file; wanted NAME.safetensors and its card NAME.json beside it")
    return _card(weights.with_suffix(".json"))


def released_profile(card: dict[str, Any]) -> Profile:
    """The profile a released model was trained with; settings the card does not know keep their defaults.

    Raises: ValueError when the card has a setting that this version does not know, or that cannot be.
    """
    return from_json(Profile, card["profile"], "profile")


__all__ = [
    "card_of",
    "gradient_log",
    "load_released",
    "read_card",
    "release",
    "released",
    "released_profile",
    "training_log",
]
