"""What a finished training is: its folder, whether it still answers to the settings, and the networks inside."""

from __future__ import annotations

import itertools
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mavton_lite import checkpoint
from mavton_lite.config import Profile
from mavton_lite.experiments import Experiment, get_experiment
from mavton_lite.files import read_object, sweep
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.stages import build_network, settings_of, stage_of, structure_of


@dataclass(frozen=True)
class Trained:
    """The outcome of `train.fit`."""

    experiment: str
    folder: Path
    step: int
    finished: bool
    seconds: float  # of training, all sittings together

    @property
    def log(self) -> Path:
        """The CSV log."""
        return self.folder / "log.csv"

    @property
    def weights(self) -> Path:
        """The weights: final ones, or the last checkpoint's."""
        return self.folder / ("final.safetensors" if self.finished else "last.safetensors")


def data_digest(root: Path) -> str | None:
    """A digest of the training examples; None where there is no data.

    The Atelier's manifest tells what is in each file; of other data sets only the list of training pairs is known.
    """
    manifest, pairs = Path(root) / "manifest.json", Path(root) / "train_pairs.txt"
    if manifest.exists():
        examples = read_object(manifest, sha256=dict)["sha256"]
        return checkpoint.digest({k: v for k, v in examples.items() if k.startswith("train/")})
    return checkpoint.file_digest(pairs) if pairs.exists() else None


def fingerprint(
    experiment: Experiment, profile: Profile, data: Path, seed: int, base: Path | None = None
) -> dict[str, Any]:
    """Everything a training depends on, in plain JSON types; config.json holds it.

    `base` is the folder of the training it builds on.
    Raises: ValueError when there is no finished one, or one of other settings.
    """
    kind = {"stage": experiment.stage, "gate": experiment.gate, "adversarial": experiment.adversarial}
    settings = settings_of(experiment, profile)
    content = {"experiment": kind, "settings": settings, "seed": seed, "data": data_digest(data), "gmm": None}
    if experiment.base:
        if base is None:
            raise ValueError(f"{experiment.name}: wanted the folder of {experiment.base}, got None")
        on = get_experiment(experiment.base)
        weights = finished_weights(base, on)
        if differs := _other_structure(base, on, profile):
            raise ValueError(f"{base}: trained with another {differs}; run fit({on.name!r}, ...) with this profile")
        content[on.stage] = _weights_digest(weights)
    return content


def finished_weights(folder: Path, experiment: Experiment) -> Path:
    """The weights of a finished training.   Raises: ValueError saying how to make them."""
    if not (folder / "final.json").exists():
        raise ValueError(f"{folder}: no finished {stage_of(experiment).title}; run fit({experiment.name!r}, ...) first")
    return folder / "final.safetensors"


def _weights_digest(weights: Path) -> str:
    return read_object(weights.with_name("final.json"), weights_sha256=str)["weights_sha256"]


def _other_structure(folder: Path, experiment: Experiment, profile: Profile) -> str:
    """Dotted names of settings that a training does not share with the profile; some change no weight's shape."""
    wanted = structure_of(experiment, profile)
    found = read_object(folder / "config.json", settings=dict)["settings"]
    return ", ".join(differing({k: found.get(k) for k in wanted}, wanted))


def differing(found: Any, wanted: Any, path: str = "") -> list[str]:
    """Dotted names of what differs between two JSON values, tuples and lists being one."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = [*wanted, *(k for k in found if k not in wanted)]
        return [name for k in keys for name in differing(found.get(k), wanted.get(k), f"{path}.{k}" if path else k)]
    return [] if checkpoint.digest(found) == checkpoint.digest(wanted) else [path]


def same_fingerprint(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Dotted names of what differs; a data set that is not there any more is taken on trust."""
    if wanted["data"] is None:
        found, wanted = found | {"data": None}, wanted
    return differing(found, wanted)


def finished(folder: Path, wanted: dict[str, Any]) -> Trained | None:
    """The finished training in a folder, if it is one and answers to that fingerprint."""
    if not all((folder / n).exists() for n in ("config.json", "final.json", "final.safetensors")):
        return None
    if same_fingerprint(read_object(folder / "config.json"), wanted):
        return None
    card = read_object(folder / "final.json", experiment=str, steps=int, seconds=(int, float), weights_sha256=str)
    return Trained(card["experiment"], folder, card["steps"], True, card["seconds"])


def prepare_folder(folder: Path, wanted: dict[str, Any], resume: bool = True) -> None:
    """Keep what a training of that fingerprint can go on with; move anything else aside, as `gmm.old-1`.

    Raises: ValueError naming a config.json that is broken.
    """
    config = folder / "config.json"
    sweep(folder)
    if folder.exists() and any(folder.iterdir()):
        differs = same_fingerprint(read_object(config), wanted) if config.exists() else ["config.json"]
        if differs or not resume:
            names = (folder.with_name(f"{folder.name}.old-{i}") for i in itertools.count(1))
            aside = next(p for p in names if not p.exists())
            os.replace(folder, aside)
            why = f"another {', '.join(differs)}" if differs else "a fresh start was asked for"
            warnings.warn(f"{folder}: holds a training with {why}; moved to {aside.name}, starting anew", stacklevel=3)
    folder.mkdir(parents=True, exist_ok=True)
    if not config.exists():
        checkpoint.write_json(config, wanted)


def load(
    experiment: str, profile: Profile, out: Path, device: str | torch.device = "cpu", base: Path | None = None
) -> nn.Module:
    """What a finished training of `out` is used with, in evaluation mode: a network, or a pipeline with its base's.

    Raises: ValueError when a training is not finished, does not fit the profile, or was made on another base.
    """
    chosen, out = get_experiment(experiment), Path(out)
    folder = out / chosen.name
    networks = [_read(chosen, profile, folder)]
    if chosen.base:
        on = get_experiment(chosen.base)
        base = Path(base) if base else out / on.name
        networks.append(_read(on, profile, base))
        made_on = read_object(folder / "config.json", **{on.stage: str})[on.stage]
        if made_on != _weights_digest(base / "final.safetensors"):
            raise ValueError(f"{folder}: was trained on another {stage_of(on).title} than {base}; train it again")
    ready = stage_of(chosen).assemble(chosen.apply(profile), *networks, *[None] * (2 - len(networks)))
    ready.to(device).to(memory_format=torch.channels_last)
    return ready.eval().requires_grad_(False)


def _read(experiment: Experiment, profile: Profile, folder: Path) -> nn.Module:
    if not (folder / "final.json").exists():
        raise ValueError(f"{folder}: not finished; run fit({experiment.name!r}, ...)")
    if differs := _other_structure(folder, experiment, profile):
        raise ValueError(f"{folder}: trained with another {differs} than this profile's; train it again")
    network = build_network(experiment, profile)
    checkpoint.read_weights(folder / "final.safetensors", {experiment.stage: network})
    return network


def load_pipeline(
    experiment: str, profile: Profile, out: Path, device: str | torch.device = "cpu", base: Path | None = None
) -> TryOnPipeline:
    """`load` of a try-on model.   Raises: ValueError as `load` does, and when the experiment makes no try-ons."""
    if not stage_of(get_experiment(experiment)).tryon:
        raise ValueError(f"{experiment} is no try-on network; it ends in no picture")
    pipeline: Any = load(experiment, profile, out, device, base)
    return pipeline
