"""What each kind of training consists of: one entry of `STAGES` for the trainer, the loader and the zoo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from mavton_lite.config import Profile, as_dict
from mavton_lite.experiments import Experiment, get_experiment
from mavton_lite.models.build import build_coarse, build_gmm, build_parser, build_refinement, build_tom
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.models.tryon_viton import VITONPipeline
from mavton_lite.objective_parse import ParserObjective
from mavton_lite.objective_viton import CoarseObjective, RefineObjective
from mavton_lite.objectives import GMMObjective, Objective, TOMObjective
from mavton_lite.viton_warps import prepare_warps


@dataclass(frozen=True)
class Stage:
    """One kind of training; profiles come with the experiment's overrides applied.

    What is trained is saved under the stage's own name, and so is its player in the objective. A stage that builds on
    another one (`Experiment.base`) is given that one's network, trained.
    """

    title: str  # what its network is called
    build: Callable[[Profile, Experiment], nn.Module]  # the network that a finished training is used with
    settings: Callable[[Profile, Experiment], dict[str, Any]]  # all that decides how it comes out, in plain JSON types
    structure: tuple[str, ...]  # those of the settings that whoever uses the network must share
    objective: Callable[[Profile, Experiment, Any], Objective]  # the last: the base's network
    assemble: Callable[[Profile, Any, Any], nn.Module]  # its network and the base's, ready for use
    prepare: Callable[[Any, Any, Any], None] | None = None  # before the first step: objective, `train.Job`, device
    tryon: bool = False  # what is assembled maps a batch to (`Person`, `Warp`, `TryOn`)


def _train(profile: Profile, experiment: Experiment) -> dict[str, Any]:
    train = as_dict(experiment.training(profile))
    del train["save_every"]
    return train


def _common(profile: Profile, experiment: Experiment) -> dict[str, Any]:
    person, gmm = as_dict(profile.person), as_dict(profile.gmm)
    return {"size": list(profile.size), "person": person, "gmm": gmm, "train": _train(profile, experiment)}


def _gmm_settings(profile: Profile, experiment: Experiment) -> dict[str, Any]:
    loss = {k: v for k, v in as_dict(profile.loss).items() if k.startswith("warp_")}
    return _common(profile, experiment) | {"loss": loss}


def _tom_settings(profile: Profile, experiment: Experiment) -> dict[str, Any]:
    loss = {k: v for k, v in as_dict(profile.loss).items() if not k.startswith("warp_")}
    if not experiment.adversarial:
        loss = {k: v for k, v in loss.items() if k not in ("adversarial", "gan")}
    discriminator = as_dict(profile.discriminator) if experiment.adversarial else None
    return _common(profile, experiment) | {"loss": loss, "tom": as_dict(profile.tom), "discriminator": discriminator}


_COARSE = ("width", "downs", "keep")  # what decides the shape of VITON's coarse network; the next line: how it learns
_COARSE_TERMS = ("dropout", "norm_momentum", "l1", "mask", "perceptual", "levels", "average_pool")
_REFINE = (*_COARSE, "refine_width", "points", "warp_grid")
_REFINE_TERMS = ("refine_l1", "refine_perceptual", "refine_levels", "take", "smooth", "average_pool")


def _viton_settings(profile: Profile, experiment: Experiment, network: tuple, terms: tuple) -> dict[str, Any]:
    viton, loss = as_dict(profile.viton), as_dict(profile.loss)
    return {
        "size": list(profile.size),
        "person": as_dict(profile.person),
        "train": _train(profile, experiment),
        "viton": {k: viton[k] for k in network},
        "loss": {k: viton[k] for k in terms} | {k: loss[k] for k in ("perceptual_net", "perceptual_scale")},
    }


def _parse_settings(profile: Profile, experiment: Experiment) -> dict[str, Any]:
    parser = as_dict(profile.parser)
    train = _train(profile, experiment) | {"varied": parser.pop("varied")}
    return {"size": list(profile.size), "parser": parser, "train": train}


STAGES: dict[str, Stage] = {
    "gmm": Stage(
        "geometric matching module",
        build=lambda profile, experiment: build_gmm(profile),
        settings=_gmm_settings,
        structure=("size", "person", "gmm"),
        objective=lambda profile, experiment, base: GMMObjective(profile),
        assemble=lambda profile, gmm, base: gmm,
    ),
    "tom": Stage(
        "try-on network",
        build=lambda profile, experiment: build_tom(profile, experiment.gate),
        settings=_tom_settings,
        structure=("size", "person", "gmm", "tom"),
        objective=TOMObjective,
        assemble=lambda profile, tom, gmm: TryOnPipeline(gmm, tom, profile.person, profile.reading),
        tryon=True,
    ),
    "coarse": Stage(
        "coarse network of VITON",
        build=lambda profile, experiment: build_coarse(profile),
        settings=lambda profile, experiment: _viton_settings(profile, experiment, _COARSE, _COARSE_TERMS),
        structure=("size", "person", "viton"),
        objective=lambda profile, experiment, base: CoarseObjective(profile, experiment),
        assemble=lambda profile, coarse, base: coarse,
    ),
    "refine": Stage(
        "refinement network of VITON",
        build=lambda profile, experiment: build_refinement(profile),
        settings=lambda profile, experiment: _viton_settings(profile, experiment, _REFINE, _REFINE_TERMS),
        structure=("size", "person", "viton"),
        objective=RefineObjective,
        assemble=lambda profile, refine, coarse: VITONPipeline(coarse, refine, profile),
        prepare=prepare_warps,
        tryon=True,
    ),
    "parse": Stage(
        "parser",
        build=lambda profile, experiment: build_parser(profile),
        settings=_parse_settings,
        structure=("size", "parser"),
        objective=lambda profile, experiment, base: ParserObjective(profile),
        assemble=lambda profile, parse, base: parse,
    ),
}


def stage_of(experiment: Experiment) -> Stage:
    """The stage of an experiment.   Raises: ValueError naming the known ones."""
    if experiment.stage not in STAGES:
        raise ValueError(f"{experiment.name}: unknown stage {experiment.stage!r}; known: {', '.join(STAGES)}")
    return STAGES[experiment.stage]


def settings_of(experiment: Experiment, profile: Profile) -> dict[str, Any]:
    """The settings that decide how this experiment's network comes out, in plain JSON types."""
    return stage_of(experiment).settings(experiment.apply(profile), experiment)


def structure_of(experiment: Experiment, profile: Profile) -> dict[str, Any]:
    """The settings that whoever uses this experiment's network must share with it."""
    settings = settings_of(experiment, profile)
    return {k: settings[k] for k in stage_of(experiment).structure}


def build_network(experiment: Experiment, profile: Profile) -> nn.Module:
    """The network of an experiment, untrained."""
    return stage_of(experiment).build(experiment.apply(profile), experiment)


def build_objective(profile: Profile, experiment: Experiment, base: nn.Module | None = None) -> Objective:
    """What an experiment minimises, given the trained network of the one it builds on.

    Raises: ValueError when it builds on another and is given none.
    """
    if experiment.base and base is None:
        title = stage_of(get_experiment(experiment.base)).title
        raise ValueError(f"{experiment.name} wants a trained {title}, got None")
    return stage_of(experiment).objective(experiment.apply(profile), experiment, base)
