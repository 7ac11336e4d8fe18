"""`obtain`: a trained model from wherever there is one: a finished training, released weights, or a training now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from mavton_lite import zoo
from mavton_lite.config import SEED, Profile
from mavton_lite.experiments import EXPERIMENTS, Experiment, get_experiment
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.stages import structure_of
from mavton_lite.train import fit
from mavton_lite.trained import Trained, differing, fingerprint, finished, load


@dataclass(frozen=True)
class Obtained:
    """A trained model and where it comes from."""

    model: TryOnPipeline | nn.Module  # a pipeline, or the network of another stage; in evaluation mode
    source: Literal["finished", "released", "trained"]
    steps: int | None  # of the training; None where a card does not say
    card: dict[str, Any] | None = None  # of released weights

    def __str__(self) -> str:
        steps = f", {self.steps:,} steps" if self.steps else ""
        return {
            "finished": f"a finished training{steps}",
            "released": "the released weights",
            "trained": f"trained here{steps}",
        }[self.source]


def obtain(
    experiment: str,
    profile: Profile,
    data: Path,
    out: Path,
    *,
    device: str = "cpu",
    seed: int = SEED,
    released: Path | None = None,
    progress: bool = True,
) -> Obtained:
    """A trained model of an experiment at a profile, without training where that can be had.

    In this order: what is finished in `out` and answers to the settings; released weights of this profile and these
    settings (`released`: another folder than the zoo's); a training into `out`, of what it builds on first.
    Raises: ValueError for an unknown experiment.
    """
    chosen = get_experiment(experiment)
    if done := _finished(chosen, profile, data, out, seed):
        return Obtained(load(experiment, profile, out, device), "finished", done.step)
    if name := find_released(experiment, profile, released):
        card, model = zoo.read_card(name, released), zoo.load_released(name, device, released)
        if card["experiment"] != experiment:  # what it builds on is inside
            return Obtained(getattr(model, chosen.stage), "released", None, card)
        return Obtained(model, "released", card.get("steps"), card)
    settings: dict[str, Any] = {"seed": seed, "device": device, "progress": progress}
    if chosen.base:
        fit(chosen.base, profile, data, out, **settings)
    done = fit(experiment, profile, data, out, **settings)
    return Obtained(load(experiment, profile, out, device), "trained", done.step)


def find_released(experiment: str, profile: Profile, folder: Path | None = None) -> str | None:
    """The name of released weights that answer to the profile: of the experiment, or of one that builds on it."""
    chosen, inside = get_experiment(experiment), None
    for name in zoo.released(folder):
        card = zoo.read_card(name, folder)
        found = EXPERIMENTS.get(card["experiment"])
        if found is None or card["profile"]["name"] != profile.name or experiment not in (found.name, found.base):
            continue
        if differing(structure_of(chosen, zoo.released_profile(card)), structure_of(chosen, profile)):
            continue
        if found is chosen:
            return name
        inside = inside or name
    return inside


def _finished(experiment: Experiment, profile: Profile, data: Path, out: Path, seed: int) -> Trained | None:
    """The finished training of an experiment in `out`, if it and what it builds on answer to the settings."""
    base = Path(out) / experiment.base if experiment.base else None
    try:
        wanted = fingerprint(experiment, profile, data, seed, base)
    except ValueError:  # what it builds on is not there, or another
        return None
    return finished(Path(out) / experiment.name, wanted)
