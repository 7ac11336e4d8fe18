"""`unpack`: released weights laid out as the finished trainings they come from, so that nobody has to train again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from mavton_lite import checkpoint, zoo
from mavton_lite.config import Profile
from mavton_lite.experiments import Experiment, get_experiment
from mavton_lite.stages import settings_of
from mavton_lite.trained import data_digest, differing, fingerprint


def unpack(
    experiments: Iterable[str], profile: Profile, data: Path, out: Path, folder: Path | None = None
) -> list[str]:
    """Lay out those of some experiments that are released as finished trainings in `out`; returns their names.

    Only where a training here would be the same one: of these settings, this length and data. What it builds on comes
    along. A folder that is there already stays as it is, and what would build on other weights in it is left out.
    Weights are those of the release, in single precision again; logs are the training's own.
    Raises: ValueError for an unknown experiment, or weights that are not their card's.
    """
    laid: list[str] = []
    for experiment in experiments:
        chosen = get_experiment(experiment)
        if name := _same_training(chosen, profile, data, folder):
            laid += [made for made in _lay_out(name, chosen, profile, data, Path(out), folder) if made not in laid]
    return laid


def _same_training(chosen: Experiment, profile: Profile, data: Path, folder: Path | None) -> str | None:
    """The released model whose training this profile would repeat on this data."""
    digest = data_digest(data)
    for name in zoo.released(folder):
        card = zoo.read_card(name, folder)
        made = [get_experiment(n) for n in card.get("trainings", ())]
        theirs = zoo.released_profile(card)
        if digest is None or card.get("data") != digest or chosen not in made or theirs.name != profile.name:
            continue
        if not any(differing(settings_of(e, theirs), settings_of(e, profile)) for e in made):
            return name
    return None


def _lay_out(
    name: str, chosen: Experiment, profile: Profile, data: Path, out: Path, folder: Path | None
) -> list[str]:
    card, model = zoo.read_card(name, folder), zoo.load_released(name, folder=folder)
    laid = []
    for made in (get_experiment(n) for n in ([chosen.base] if chosen.base else []) + [chosen.name]):
        target = out / made.name
        network = model if len(card["trainings"]) == 1 else getattr(model, made.stage)
        if target.exists():
            if made is not chosen and not _holds(target / "final.safetensors", made.stage, network):
                break
            continue
        partial = out / f".{made.name}.{os.getpid()}"
        partial.mkdir(parents=True, exist_ok=True)
        try:
            weights = checkpoint.save_weights(
                partial / "final.safetensors", {made.stage: network}, {"experiment": made.name}
            )
            final = card["trainings"][made.name] | {
                "weights_sha256": checkpoint.file_digest(weights),
                "released": name,
            }
            base = out / made.base if made.base else None
            checkpoint.write_json(partial / "config.json", fingerprint(made, profile, data, card["seed"], base))
            for log, called in (
                (zoo.training_log(name, made.name, folder), "log.csv"),
                (zoo.gradient_log(name, folder) if made is chosen else None, "gradients.csv"),
            ):
                if log:
                    shutil.copyfile(log, partial / called)
            checkpoint.write_json(partial / "final.json", final)
            os.replace(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        laid.append(made.name)
    return laid


def _holds(weights: Path, stage: str, network: nn.Module) -> bool:
    """Whether a file of weights is there and has those of a network."""
    if not weights.exists():
        return False
    found, _ = checkpoint.load_tensors(weights)
    wanted = {f"{stage}.{k}": v for k, v in network.state_dict().items()}
    return found.keys() == wanted.keys() and all(torch.equal(found[k], v) for k, v in wanted.items())
