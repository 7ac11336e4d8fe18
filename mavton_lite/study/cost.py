"""What an experiment costs beside what it gives: parameters, multiply-adds, seconds a training step."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mavton_lite.config import Profile
from mavton_lite.data import open_dataset
from mavton_lite.data.sample import collate
from mavton_lite.experiments import get_experiment
from mavton_lite.models.gmm import PERSON_CHANNELS
from mavton_lite.models.summary import count_multiply_adds, count_parameters
from mavton_lite.objective_viton import RefineObjective, example_names
from mavton_lite.stages import build_network, build_objective
from mavton_lite.train import fabric_for


def forward_cost(name: str, profile: Profile) -> dict[str, int]:
    """`parameters` and `multiply_adds` of what makes the try-on of one example, without the warping module.

    For VITON both networks; a discriminator is there in training only, and shape matching learns nothing.
    """
    height, width = profile.size
    shapes = {
        "tom": ((1, PERSON_CHANNELS, height, width), (1, 3, height, width), (1, 1, height, width)),
        "coarse": ((1, PERSON_CHANNELS, height, width), (1, 3, height, width)),
        "refine": ((1, 3, height, width), (1, 3, height, width)),
    }
    trained = [get_experiment(part) for part in _stages(name)]
    networks = {e.stage: build_network(e, profile) for e in trained}
    return {
        "parameters": sum(count_parameters(n) for n in networks.values()),
        "multiply_adds": sum(count_multiply_adds(n, *shapes[stage]) for stage, n in networks.items()),
    }


class Stepper:
    """One experiment ready to take training steps on one batch, its base untrained: the time is the same."""

    def __init__(self, name: str, profile: Profile, batch: dict[str, Any], device: str = "cpu"):
        experiment = get_experiment(name)
        base = build_network(get_experiment(experiment.base), profile) if experiment.base else None
        self.objective = build_objective(profile, experiment, base)
        self.batch = batch
        modules: list[nn.Module] = [*self.objective.networks.values(), *self.objective.helpers.values()]
        for module in modules:
            module.to(device).to(memory_format=torch.channels_last)
        if isinstance(self.objective, RefineObjective):
            self.objective.control = dict(zip(example_names(batch), self.objective.matched(batch).cpu(), strict=True))
        networks = self.objective.networks
        self.optimisers = {n: torch.optim.Adam(m.parameters(), 1e-4, fused=True) for n, m in networks.items()}

    def step(self) -> float:
        """Take one step; returns its seconds."""
        started = time.perf_counter()
        for turn in self.objective.turns(self.batch):
            self.optimisers[turn.player].zero_grad(set_to_none=True)
            turn.loss.backward()
            self.optimisers[turn.player].step()
        if self.batch["image"].is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - started


def measure_steps(
    names: Sequence[str], profile: Profile, data: Path, device: str = "cpu", rounds: int = 9
) -> dict[str, Any]:
    """Seconds a training step of each experiment, side by side: they take turns, and of each the fastest step counts.

    What other processes take from a machine comes in bursts and is no cost of an experiment; its minimum is free of it.
    VITON's is the mean over its two stages' steps; matching shapes, done once before them, is not counted.
    """
    device = str(fabric_for(device).device)
    size = max(get_experiment(n).training(profile).batch for n in names)
    dataset = open_dataset(data, "train", "paired", profile.size)
    batch = collate([dataset[i % len(dataset)] for i in range(size)])
    batch = {k: v.to(device) if torch.is_tensor(v) else v for k, v in batch.items()}
    stages = {name: _stages(name) for name in names}
    steppers = {stage: Stepper(stage, profile, batch, device) for stage in dict.fromkeys(sum(stages.values(), []))}
    taken: dict[str, list[float]] = {stage: [] for stage in steppers}
    for _ in range(rounds + 1):
        for stage, stepper in steppers.items():
            taken[stage].append(stepper.step())
    fastest = {stage: min(times[1:]) for stage, times in taken.items()}  # the first step allocates
    seconds = {}
    for name, parts in stages.items():
        steps = [get_experiment(part).training(profile).steps for part in parts]
        seconds[name] = round(sum(n * fastest[part] for n, part in zip(steps, parts, strict=True)) / sum(steps), 4)
    machine = {"device": device, "threads": torch.get_num_threads(), "processor": platform.machine(), "batch": size}
    return {"seconds_a_step": seconds, "machine": machine}


def _stages(name: str) -> list[str]:
    """The experiments that are trained for this one alone."""
    experiment = get_experiment(name)
    return [experiment.base, name] if experiment.base and experiment.stage == "refine" else [name]
