"""`fit`: one training loop for every experiment, on Lightning Fabric; stops and goes on without a trace."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from tqdm import tqdm

from mavton_lite import checkpoint
from mavton_lite.compiling import compile_on_gpu
from mavton_lite.config import SEED, Profile
from mavton_lite.devices import BatchTooLarge, alone, deterministic, fabric_for
from mavton_lite.experiments import Experiment, get_experiment
from mavton_lite.feed import feed
from mavton_lite.gradients import GradientLog, measure
from mavton_lite.heap import keep_freed
from mavton_lite.objectives import Objective, Turn
from mavton_lite.schedule import build_scheduler, pace_of, seed_of
from mavton_lite.shares import share_norms
from mavton_lite.stages import build_network, build_objective, stage_of
from mavton_lite.trained import Trained, fingerprint, finished, finished_weights, prepare_folder
from mavton_lite.traininglog import Stopper, TrainingLog


class NonFiniteLoss(RuntimeError):
    """A loss term became NaN or infinite; the weights were not updated with it.

    `step` counts from 1; `term` is the first culprit.
    """

    def __init__(self, step: int, term: str, value: float, folder: Path):
        self.step, self.term = step, term
        kept = "the last checkpoint is kept" if (folder / "last.safetensors").exists() else "nothing was saved yet"
        super().__init__(f"step {step}: loss term {term!r} is {value}; {kept} in {folder}")


@dataclass(frozen=True)
class Job:
    """One call of `fit`, as every process gets it."""

    experiment: Experiment
    profile: Profile
    data: Path
    folder: Path
    base: Path | None
    seed: int
    resume: bool
    progress: bool
    deadline: float | None  # of time.monotonic()
    gradients: bool
    repeatable: bool
    hold: int | None  # bytes of examples kept in memory
    fingerprint: dict[str, Any]


def fit(
    experiment: str,
    profile: Profile,
    data: Path,
    out: Path,
    *,
    seed: int = SEED,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: str | None = None,
    repeatable: bool = False,
    hold: int | None = None,
    resume: bool = True,
    progress: bool = True,
    max_seconds: float | None = None,
    base: Path | None = None,
    gradients: bool = True,
) -> Trained:
    """Train one experiment into `out/<experiment>`, or go on with it, or return at once when it is done.

    Writes config.json, log.csv, last.safetensors while it runs; final.safetensors and final.json at the end; with
    `gradients`, which changes no weight, how hard each term pulls (gradients.csv, on one device only). What was trained
    with other settings, another seed or other data is moved aside, never overwritten. A stage that builds on another
    needs that one finished in `base` (default: its folder in `out`, such as `out/gmm`). On the CPU a run that
    was stopped and resumed ends with the same bits. On each of `nodes` machines `devices` processes share each batch,
    and together take the steps that one would take; `repeatable`: with deterministic algorithms only. A training set of
    more than `hold` bytes (2 GiB) is decoded step by step. `max_seconds` stops early and saves. Of several processes
    that ask for the same training one does it and the others wait.
    Raises: ValueError for unknown names, a missing base or a batch that cannot be shared; NonFiniteLoss; BatchTooLarge;
    KeyboardInterrupt, after saving.
    """
    started = time.monotonic()
    chosen, out = get_experiment(experiment), Path(out)
    base = Path(base) if base else out / chosen.base if chosen.base else None
    batch, processes = chosen.training(profile).batch, devices * nodes
    if devices < 1 or nodes < 1 or batch % processes:
        raise ValueError(f"a batch of {batch} cannot be shared by {processes} devices")
    job = Job(
        chosen, profile, Path(data), out / chosen.name, base, seed, resume, progress,
        None if max_seconds is None else started + max_seconds, gradients, repeatable, hold,
        fingerprint(chosen, profile, data, seed, base),
    )  # fmt: skip
    if resume and (done := finished(job.folder, job.fingerprint)):
        return done
    with alone(job.folder):
        if resume and (done := finished(job.folder, job.fingerprint)):
            return done  # another process has made it meanwhile
        try:
            start: Callable[..., Trained] = _run
            return fabric_for(device, devices, precision, nodes).launch(start, job)
        except torch.OutOfMemoryError as error:
            raise BatchTooLarge(chosen.name, batch, processes, job.folder) from error


def _run(fabric: Fabric, job: Job) -> Trained:
    keep_freed()
    cuda = [fabric.device] if fabric.device.type == "cuda" else []
    # the caller's random numbers are not ours to use up
    with deterministic(job.repeatable), torch.random.fork_rng(devices=cuda):
        return _Training(fabric, job).run()


class _Training:
    def __init__(self, fabric: Fabric, job: Job):
        self.fabric, self.job, self.settings = fabric, job, job.experiment.training(job.profile)
        self.step, self.seconds = 0, 0.0
        self.last = job.folder / "last.safetensors"
        if fabric.is_global_zero:
            prepare_folder(job.folder, job.fingerprint, job.resume)
        fabric.barrier()
        torch.manual_seed(job.seed)
        self.objective = self._build()
        self.bare = dict(self.objective.networks)
        pace = {name: pace_of(name, self.settings, job.experiment.apply(job.profile)) for name in self.bare}
        self.optimisers = {
            name: torch.optim.Adam(network.parameters(), pace[name].lr, pace[name].betas, fused=True)
            for name, network in self.bare.items()
        }
        self.schedulers = {name: build_scheduler(o, pace[name]) for name, o in self.optimisers.items()}
        wrapped = {name: fabric.setup(network, self.optimisers[name]) for name, network in self.bare.items()}
        self.objective.networks.update({name: pair[0] for name, pair in wrapped.items()})
        self.steppers = {name: pair[1] for name, pair in wrapped.items()}
        if self.last.exists():
            header = checkpoint.load_state(self.last, self.bare, self.optimisers, self.schedulers)
            self.step, self.seconds = header["step"], header.get("seconds", 0.0)
        watched = job.gradients and fabric.world_size == 1
        self.pulls = GradientLog(job.folder / "gradients.csv", self.step, self.settings.steps, watched)

    def _build(self) -> Objective:
        experiment, profile, base = self.job.experiment, self.job.profile, None
        if experiment.base and self.job.base:
            on = get_experiment(experiment.base)
            base = build_network(on, profile)
            checkpoint.read_weights(finished_weights(self.job.base, on), {on.stage: base})
            torch.manual_seed(self.job.seed)  # building it used random numbers
        objective = build_objective(profile, experiment, base)
        if self.fabric.world_size > 1:
            for name, network in objective.networks.items():
                objective.networks[name] = share_norms(network, self.fabric.device)
        for network in (*objective.networks.values(), *objective.helpers.values()):
            network.to(memory_format=torch.channels_last)  # 1.3 to 1.6 times as fast on a CPU
        for helper in objective.helpers.values():
            helper.to(self.fabric.device)
        if profile.compile and self.fabric.world_size == 1:  # shared norms talk to other processes
            compile_on_gpu([*objective.networks.values(), *objective.helpers.values()], self.fabric.device)
        return objective

    def run(self) -> Trained:
        began = time.monotonic() - self.seconds
        if prepare := stage_of(self.job.experiment).prepare:
            with self.fabric.rank_zero_first():  # one process computes what the others read
                prepare(self.objective, self.job, self.fabric.device)
        fetch = feed(
            self.job.data, self.job.profile.size, self.settings, self.job.seed,
            device=self.fabric.device, rank=self.fabric.global_rank, world=self.fabric.world_size,
            progress=self.job.progress and self.fabric.is_global_zero, hold=self.job.hold,
        )  # fmt: skip
        main = self.job.experiment.stage  # the player of that name
        every, fabric = max(1, self.settings.steps // 500), self.fabric
        combine: Any = fabric.all_reduce if fabric.world_size > 1 else None
        log = TrainingLog(self.job.folder / "log.csv", self.step, every, fabric.is_global_zero, combine)
        bar = tqdm(
            total=self.settings.steps, initial=self.step, desc=self.job.experiment.name, unit="step",
            disable=not self.job.progress or not self.fabric.is_global_zero,
        )  # fmt: skip
        with bar, Stopper(self.job.deadline) as stopper:
            for network in self.objective.networks.values():
                network.train()
            while self.step < self.settings.steps:
                rate = float(self.schedulers[main].get_last_lr()[0])
                terms, loss = self._step(self._fetch(fetch, log), main)
                self.step += 1
                self.seconds = time.monotonic() - began
                row = log.add(self.step, rate, self.seconds, loss, terms)
                if row:
                    bar.set_postfix(loss=f"{row['loss']:.4f}", refresh=False)
                bar.update()
                stop = self._any(stopper.wanted())
                if stop or (self.step % self.settings.save_every == 0 and self.step < self.settings.steps):
                    log.flush()
                    self._save()
                if stop and self.step < self.settings.steps:
                    if stopper.interrupted or stop > 1:
                        raise KeyboardInterrupt(f"{self.job.experiment.name} saved at step {self.step}")
                    return Trained(self.job.experiment.name, self.job.folder, self.step, False, self.seconds)
            log.flush()
            trained = self._finish(log)
        if stopper.interrupted:  # during the last step
            raise KeyboardInterrupt(f"{trained.experiment} is finished")
        return trained

    def _fetch(self, fetch: Callable[[int], dict], log: TrainingLog) -> dict:
        """The next batch; where the data set is gone, what was learnt so far is saved first."""
        try:
            return fetch(self.step)
        except (OSError, ValueError) as error:
            if not self.step or self.fabric.world_size > 1:  # of several, the others wait for this one's share
                raise
            log.flush()
            self._save()
            said = f"{error}; saved at step {self.step}: once that is mended, the same command goes on from here"
            raise ValueError(said) from error

    def _step(self, batch: dict, main: str) -> tuple[dict[str, Tensor], Tensor]:
        """Every player's turn; the terms of all and the loss of the main one, detached."""
        # what is drawn is a function of (seed, step) and an example's place in the batch: nothing to store
        torch.manual_seed(seed_of("noise", self.job.seed, self.step))
        terms: dict[str, Tensor] = {}
        total = torch.zeros(())
        turns, pulls = self.objective.turns(batch), dict[str, Any]()
        while True:
            with self.fabric.autocast():
                turn = next(turns, None)
            if turn is None:
                break
            self._check(turn)
            if self.pulls.due(self.step):
                keep = partial(self.fabric.backward, retain_graph=True)
                pulls |= measure(turn.terms, self.bare[turn.player], keep)
            loss = turn.loss
            self.steppers[turn.player].zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            self.steppers[turn.player].step()
            terms |= {k: v.detach() for k, v in turn.terms.items()}
            total = loss.detach() if turn.player == main else total
        for scheduler in self.schedulers.values():
            scheduler.step()
        if pulls:
            self.pulls.add(self.step, pulls)
        return terms, total

    def _check(self, turn: Turn) -> None:
        fine = torch.stack([t.detach().float() for t in turn.terms.values()]).isfinite().tolist()
        if self._any(not all(fine)):
            bad = next(((k, v.item()) for (k, v), ok in zip(turn.terms.items(), fine, strict=True) if not ok), None)
            term, value = bad or ("unknown", float("nan"))  # unknown: it was another device's
            raise NonFiniteLoss(self.step + 1, term, value, self.job.folder)

    def _any(self, flag: int | bool) -> int:
        """The largest flag of all processes, so that they stop together."""
        if self.fabric.world_size == 1:
            return int(flag)
        flags: Any = self.fabric.all_gather(torch.tensor(float(flag), device=self.fabric.device))
        return int(flags.max())

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            header = {"step": self.step, "seconds": self.seconds, "fingerprint": self.job.fingerprint}
            checkpoint.save_state(self.last, self.bare, self.optimisers, self.schedulers, header)
        self.fabric.barrier()

    def _finish(self, log: TrainingLog) -> Trained:
        folder, name = self.job.folder, self.job.experiment.name
        if self.fabric.is_global_zero:
            weights = checkpoint.save_weights(folder / "final.safetensors", self.bare, {"experiment": name})
            perceptual = self.objective.helpers.get("perceptual")
            card = {
                "experiment": name,
                "steps": self.step,
                "seconds": round(self.seconds, 1),
                "weights_sha256": checkpoint.file_digest(weights),
                "parameters": {n: sum(p.numel() for p in m.parameters()) for n, m in self.bare.items()},
                "perceptual": vars(perceptual.info) if perceptual is not None else None,
                "last_terms": log.last_row,
            }
            checkpoint.write_json(folder / "final.json", card)
            self.last.unlink(missing_ok=True)
        self.fabric.barrier()
        return Trained(name, folder, self.step, True, self.seconds)
