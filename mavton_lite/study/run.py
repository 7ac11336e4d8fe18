"""`run_study`: train, measure, write the record; one run after the other or several at once, resumable run by run."""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mavton_lite import checkpoint, metrics
from mavton_lite.config import SEED, Profile
from mavton_lite.data import Cached, open_dataset
from mavton_lite.data.folder import Split
from mavton_lite.experiments import Experiment, get_experiment
from mavton_lite.feed import kept_open
from mavton_lite.metrics import Labeller, SetDistance
from mavton_lite.metrics.predictors import Predict
from mavton_lite.notebook import threads
from mavton_lite.obtain import obtain
from mavton_lite.records import Record, load
from mavton_lite.seeing import labeller_of
from mavton_lite.stages import settings_of
from mavton_lite.study import picture_folder, pictures
from mavton_lite.study.cost import forward_cost
from mavton_lite.study.plan import budget_of
from mavton_lite.train import NonFiniteLoss, fit
from mavton_lite.trained import fingerprint, finished, load_pipeline

# Kept image by image; enough to test every claim, and small enough to be committed.
CHIEF = (
    "ssim", "ssim_garment", "psnr_garment", "lpips", "lpips_garment", "ssim_arms", "lpips_arms", "mae_arms",
    "ciede2000", "ciede2000_mean", "sharpness", "texture_error", "boundary_f", "mask_iou", "epe_256_px",
)  # fmt: skip
FLOORS = ("copy_person", "paste_warped_cloth")


@dataclass(frozen=True)
class Study:
    """Where a study reads and writes, and by which rules it trains and measures."""

    profile: Profile  # as it is: what is shared by all runs is trained with it
    budget: Profile  # `plan.budgeted`: what every run trains with
    data: Path
    shared: Path  # matching modules and parser: the profile's checkpoints
    runs: Path  # checkpoints, a folder a budget and seed
    records: Path
    split: str = "test"  # "val" to choose settings by
    device: str = "cpu"
    shown: int = SEED  # the seed whose try-ons are kept as pictures

    def folder(self, seed: int) -> Path:
        """Where the runs of a seed are."""
        return self.runs / self.budget.name / f"seed-{seed}"

    def path(self, model: str, seed: int) -> Path:
        """The record of a run."""
        folder = self.records if self.split == "test" else self.records / self.split
        return folder / f"{self.budget.name}-unpaired-{model}-{seed}.json"

    @property
    def pictures(self) -> Path:
        """Where the strips of try-ons are, beside the records."""
        return picture_folder(self.records, self.budget.name, self.split)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: "there" already, "made" now, or "failed", and then why."""

    name: str
    seed: int
    how: str
    why: str = ""


def run_study(study: Study, names: Sequence[str], seeds: Sequence[int], jobs: int = 1) -> list[Outcome]:
    """Train and measure every experiment with every seed; what is finished and answers to the settings is kept.

    All of a seed before the next, so that an interrupted study has whole seeds. `jobs` runs at once share the cores.
    A training that fails ends its run, not the study.
    Raises: ValueError for a bad setting; KeyboardInterrupt, after the trainings have saved themselves.
    """
    if jobs < 1:
        raise ValueError(f"found {jobs} jobs, wanted at least one")
    _share(study, names)
    outcomes = [_told(_floor(study, name)) for name in FLOORS]
    todo = [(name, seed) for seed in seeds for name in names]
    if jobs == 1:
        with kept_open():
            return outcomes + [_told(run_one(study, *each)) for each in todo]
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin, (max(1, threads() // jobs),)) as pool:
        waiting = [pool.submit(run_one, study, name, seed) for name, seed in todo]
        try:
            return outcomes + [_told(future.result()) for future in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_one(study: Study, name: str, seed: int) -> Outcome:
    """One experiment with one seed: trained and measured, unless its record is there."""
    experiment, out = get_experiment(name), study.folder(seed)
    shared = experiment.base is not None and get_experiment(experiment.base).stage == "gmm"
    base = study.shared / experiment.base if shared and experiment.base else None
    how: dict[str, Any] = {"device": study.device, "progress": _watched()}
    try:
        key = _key(study, experiment, seed, base)
        if _answers(study.path(name, seed), key):
            return Outcome(name, seed, "there")
        if experiment.base and not shared:
            fit(experiment.base, study.budget, study.data, out, seed=seed, **how)
        on = base or (out / experiment.base if experiment.base else None)
        wanted = fingerprint(experiment, study.budget, study.data, seed, on)
        if finished(study.shared / name, wanted):  # of a notebook, with these very settings
            out = study.shared
        else:
            fit(name, study.budget, study.data, out, seed=seed, base=base, **how)
        pipeline = load_pipeline(name, study.budget, out, study.device, base)
        card = checkpoint.read_json(out / name / "final.json")
        training = {
            "steps": budget_of(name, study.budget),
            "batch": experiment.training(study.budget).batch,
            "seconds": card["seconds"],
            "fingerprint": key,
            **forward_cost(name, study.budget),
        }
        _measure(study, name, seed, metrics.from_pipeline(pipeline), training)
    except NonFiniteLoss as error:
        return Outcome(name, seed, "failed", str(error))
    return Outcome(name, seed, "made")


def _key(study: Study, experiment: Experiment, seed: int, shared: Path | None) -> str:
    """A digest of all that a run's record depends on; of what is trained for it alone, the settings will do."""
    if shared is None and experiment.base:
        on = fingerprint(get_experiment(experiment.base), study.budget, study.data, seed)
        return checkpoint.digest([on, experiment.gate, settings_of(experiment, study.budget)])
    return checkpoint.digest(fingerprint(experiment, study.budget, study.data, seed, shared))


def _share(study: Study, names: Iterable[str]) -> None:
    """What all runs build on, trained where it is not there yet: the matching modules."""
    wanted = dict.fromkeys(["gmm", *(get_experiment(n).gmm for n in names if get_experiment(n).stage == "tom")])
    for name in wanted:
        fit(name, study.profile, study.data, study.shared, seed=SEED, device=study.device, progress=_watched())
    _labeller(study)


def _floor(study: Study, name: str) -> Outcome:
    gmm = study.shared / "gmm"
    wanted = fingerprint(get_experiment("gmm"), study.profile, study.data, SEED)
    key = checkpoint.digest([name, wanted])
    if _answers(study.path(name, SEED), key, "notes"):
        return Outcome(name, SEED, "there")
    predict: Predict = metrics.copy_person
    if name != "copy_person":
        matching = obtain("gmm", study.profile, study.data, gmm.parent, device=study.device).model
        predict = metrics.paste_warped_cloth(matching, study.profile.person)
    _measure(study, name, SEED, predict, {}, {"fingerprint": key})
    return Outcome(name, SEED, "made")


def _answers(path: Path, key: str, where: str = "training") -> bool:
    return path.exists() and getattr(load(path), where).get("fingerprint") == key


def _measure(study: Study, model: str, seed: int, predict, training: dict, notes: dict | None = None) -> None:
    examples = _pictures(study.data, study.split, study.budget.size)
    measured = metrics.evaluate(
        predict, examples, model=model, profile=study.budget, protocol="unpaired", seed=seed, device=study.device,
        labeller=_labeller(study), sets=_sets(study.device), training=training, notes=notes,
    )  # fmt: skip
    if seed == study.shown or not training:
        pictures.keep(predict, model, examples, study.pictures, study.device)
    kept = {k: v for k, v in measured.values.items() if k in CHIEF}
    write(dataclasses.replace(measured, values=kept), study.path(model, seed))


def write(record: Record, path: Path) -> Path:
    """A record without what can be computed from it, on one line."""
    return checkpoint.write_json(path, record.to_json(summaries=False), indent=None)


@cache
def _pictures(data: Path, split: Split, size: tuple[int, int]) -> Cached:
    return Cached(open_dataset(data, split, "unpaired", size))


@cache
def _sets(device: str) -> SetDistance:
    return SetDistance("lite0", device=device)  # never the user's Inception: released records have to compare


@cache
def _labeller(study: Study) -> Labeller | None:
    return labeller_of(study.profile, study.device, (study.data, study.shared))


_open = ExitStack()  # of a worker process: its training set stays open from run to run


def _begin(share: int) -> None:
    torch.set_num_threads(share)
    _open.enter_context(kept_open())


def _watched() -> bool:
    return sys.stderr.isatty()  # a log wants no progress bars


def _told(outcome: Outcome) -> Outcome:
    why = f": {outcome.why}" if outcome.why else ""
    print(f"{outcome.name:<22} seed {outcome.seed}  {outcome.how}{why}", flush=True)
    return outcome
