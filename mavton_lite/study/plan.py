"""Which runs make up the study, and how long each may train."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mavton_lite.config import SEED, Profile
from mavton_lite.experiments import get_experiment
from mavton_lite.stages import stage_of

SEEDS = (SEED, SEED + 1, SEED + 2)
BASELINES = ("viton", "cp_vton", "cp_vton_plus", "ma_vton")
# What is added to CP-VTON, one thing at a time, and taken from MA-VTON.
ABLATIONS = {
    "attention": ("ma_vton_no_gan", "tom_channel", "tom_spatial", "tom_se", "tom_eca", "tom_self"),
    "place": ("tom_reversed", "tom_cbam_wide", "tom_cbam_deep"),
    "loss": ("cp_vton_gan", "ma_vton_no_perceptual", "ma_vton_no_mask", "ma_vton_gan_001", "ma_vton_gan_1"),
}
EVERYTHING = (*BASELINES, *(name for names in ABLATIONS.values() for name in names))


def budgeted(profile: Profile, steps: int | None = None) -> Profile:
    """The profile with `steps` of training for whatever makes the try-on; default: those of its try-on stage.

    VITON's two networks share them as they do in the profile. Matching modules keep their length, being the same for
    all. The name says the steps, so that neither runs nor records of two budgets are ever mixed. Finished models read
    the garment bilinearly: the released records were made so.
    Raises: ValueError for fewer than two steps.
    """
    steps = profile.train_tom.steps if steps is None else steps
    if steps < 2:
        raise ValueError(f"found {steps} steps, wanted at least 2: VITON trains two networks")
    coarse, refine = profile.train_coarse.steps, profile.train_refine.steps
    last = min(max(1, round(steps * refine / (coarse + refine))), steps - 1)
    lengths = {"train_tom": steps, "train_coarse": steps - last, "train_refine": last}
    changed = {k: dataclasses.replace(getattr(profile, k), steps=v) for k, v in lengths.items()}
    return dataclasses.replace(profile, name=f"{profile.name}-{steps}", reading="bilinear", **changed)


def budget_of(name: str, profile: Profile) -> int:
    """The steps of everything that is trained for one experiment alone: no matching module's, but VITON's both."""
    experiment = get_experiment(name)
    steps = experiment.training(profile).steps
    on = get_experiment(experiment.base) if experiment.base else None
    return steps + (on.training(profile).steps if on and on.stage == "coarse" else 0)


def chosen(only: Sequence[str] = ()) -> tuple[str, ...]:
    """The experiments to run: all of the study, or those of some names or of a group such as "baselines" or "loss".

    Raises: ValueError for an unknown name, or one that ends in no picture.
    """
    groups = {"baselines": BASELINES, "ablations": EVERYTHING[len(BASELINES) :], **ABLATIONS}
    names = [name for word in only or EVERYTHING for name in groups.get(word, (word,))]
    for name in names:
        if not stage_of(get_experiment(name)).tryon:
            raise ValueError(f"{name} is no try-on network; the study compares try-ons")
    return tuple(dict.fromkeys(names))
