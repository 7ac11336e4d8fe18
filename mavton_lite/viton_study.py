"""What the reward of alpha does: the refinement network trained anew for each, on a handful of examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mavton_lite.config import Profile
from mavton_lite.experiments import get_experiment
from mavton_lite.models.build import build_refinement
from mavton_lite.models.tryon_viton import VITONPipeline
from mavton_lite.objective_viton import RefineObjective, example_names


@dataclass(frozen=True)
class Study:
    """How much of notebook 08 is run at a profile."""

    examples: int  # the refinement is trained on
    steps: int
    scored: int  # test examples of the comparison


STUDIES = {"smoke": Study(4, 12, 4), "lite": Study(8, 40, 48), "paper": Study(8, 300, 200)}


def alphas(pipeline: VITONPipeline, profile: Profile, batch: dict, takes: Sequence[float], steps: int) -> dict:
    """Mean alpha inside the garment after each step, for each weight of the term -take * |alpha|.

    All begin with the same weights and see the same batch; the pipeline stays as it is.
    Shape: -> {take: (steps,)}.
    """
    curves: dict[float, Tensor] = {}
    with torch.random.fork_rng():  # the caller's random numbers are not ours to use up
        objective = RefineObjective(profile, get_experiment("viton"), pipeline.coarse)
    for helper in objective.helpers.values():
        helper.to(batch["image"].device)
    objective.control = dict(zip(example_names(batch), objective.matched(batch), strict=True))
    for take in takes:
        objective.profile = dataclasses.replace(profile, viton=dataclasses.replace(profile.viton, take=take))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = build_refinement(profile).to(batch["image"].device)
        objective.networks["refine"] = network
        adam = torch.optim.Adam(network.parameters(), 3e-3, (0.5, 0.999))
        seen = []
        for _ in range(steps):
            tryon = objective.tried(batch)
            taken = tryon.mask > 0
            seen.append(tryon.mask[taken].mean() if taken.any() else torch.zeros(()))
            loss = torch.stack(list(objective.terms(tryon, batch["image"]).values())).sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
        curves[take] = torch.stack(seen).detach().cpu()
    return curves
