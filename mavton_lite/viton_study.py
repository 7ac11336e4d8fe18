"""What the price of alpha does: the refinement network trained anew for each, on a handful of examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mavton_lite.config import Profile
from mavton_lite.experiments import get_experiment
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
    """Mean alpha inside the garment after each step, for each price of the term -take * |alpha|.

    All begin with the same weights and see the same batch; the pipeline stays as it is.
    Shape: -> {take: (steps,)}.
    """
    curves: dict[float, Tensor] = {}
    control = None
    for take in takes:
        priced = dataclasses.replace(profile, viton=dataclasses.replace(profile.viton, take=take))
        torch.manual_seed(0)
        objective = RefineObjective(priced, get_experiment("viton"), pipeline.coarse)
        objective.networks["refine"].to(batch["image"].device)
        for helper in objective.helpers.values():
            helper.to(batch["image"].device)
        control = objective.matched(batch) if control is None else control
        objective.control = dict(zip(example_names(batch), control, strict=True))
        adam = torch.optim.Adam(objective.networks["refine"].parameters(), 3e-3, (0.5, 0.999))
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
