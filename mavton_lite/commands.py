"""What `mavton` can do: one dataclass a command, its fields the options; each imports what it needs when it runs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from mavton_lite.config import Profile, ProfileName, get_profile, project_root, runs_dir


@dataclass
class Models:
    """List every network with its parameters, multiply-adds and purpose."""

    profile: ProfileName = "paper"

    def run(self) -> int:
        import pandas as pd

        from mavton_lite.models.summary import summarise

        rows = pd.DataFrame(summarise(get_profile(self.profile)))
        for column in rows.select_dtypes("number"):
            rows[column] = rows[column].map("{:,}".format)
        print(rows.to_markdown(index=False, disable_numparse=True, colalign=_align(rows)))
        return 0


@dataclass
class Train:
    """Train one experiment, or go on where an interrupted training stopped."""

    experiment: Positional[str]
    profile: ProfileName = "lite"
    data: Path | None = None
    """A folder in VITON's or VITON-HD's layout; default: $MAVTON_DATA, else the Atelier."""
    out: Path | None = None
    """Where checkpoints go; default: runs/PROFILE/checkpoints."""
    seed: int | None = None
    device: str = "auto"
    devices: int = 1
    """Processes on this machine, each with a GPU of its own (or on the CPU); they share every batch."""
    nodes: int = 1
    """Machines alike. Give the same command on each, with NODE_RANK=0, 1, ... and MASTER_ADDR, or leave that to SLURM
    or torchrun; all must see the same --out and data."""
    precision: str | None = None
    """As Lightning Fabric names it, such as bf16-mixed; default: chosen by profile and device."""
    steps: int | None = None
    """Other than the profile's, such as 3 for a dry run."""
    batch: int | None = None
    """Of all processes together; other than the profile's, where memory is short."""
    deterministic: bool = False
    """Equal runs give equal bits on a GPU too, slower."""
    hold_gb: float | None = None
    """Keep a training set in memory up to this size (default: 2); a larger one is decoded step by step. 0: always."""
    fresh: bool = False
    """Begin again instead of resuming."""

    def run(self) -> int:
        from mavton_lite.experiments import get_experiment, retimed
        from mavton_lite.settings import seed_or_usual

        experiment = get_experiment(self.experiment)  # a slip of the pen is told before torch has loaded
        from mavton_lite.train import fit

        profile, data, out = _places(self.profile, self.data, self.out)
        profile = retimed(profile, self.steps, self.batch)
        fit = partial(
            fit, seed=seed_or_usual(self.seed), device=self.device, devices=self.devices,
            nodes=self.nodes, precision=self.precision, repeatable=self.deterministic,
            hold=None if self.hold_gb is None else int(self.hold_gb * 2**30),
        )  # fmt: skip
        if experiment.base:
            fit(experiment.base, profile, data, out)
        fit(self.experiment, profile, data, out, resume=not self.fresh)
        print(f"{self.experiment}: {out / self.experiment}")
        return 0


@dataclass
class Evaluate:
    """Score a trained try-on model on the test split or another, beside the floors that train nothing."""

    experiment: Positional[str]
    """An experiment that was trained, or a file of `mavton convert`, which brings its own profile."""
    profile: ProfileName = "lite"
    split: Literal["test", "val", "hard"] = "test"
    pairs: Literal["unpaired", "paired"] = "unpaired"
    data: Path | None = None
    """A folder in VITON's or VITON-HD's layout; default: $MAVTON_DATA, else the Atelier."""
    out: Path | None = None
    """Where the checkpoints are; default: runs/PROFILE/checkpoints."""
    records: Path | None = None
    """Where the records go; default: runs/PROFILE/records."""
    limit: int | None = None
    """Score the first images only."""
    sets: Literal["auto", "inception", "lite0", "none"] = "auto"
    """What sees the whole set of pictures: Inception gives IS, FID and KID, but its weights are yours to have; lite0
    gives IS-lite0, FD-lite0 and KD-lite0. auto: Inception where there are weights."""
    inception: Path | None = None
    """torch-fidelity's weights-inception-2015-12-05-6726825d.pth; default: $MAVTON_INCEPTION."""
    device: str = "cpu"
    shard: str | None = None
    """1/4 measures a quarter, on one of four machines that see the same --records; the last one to end joins them."""

    def run(self) -> int:
        from mavton_lite import checkpoint, metrics
        from mavton_lite.data import open_dataset
        from mavton_lite.data.leak_free import leak_free
        from mavton_lite.experiments import get_experiment
        from mavton_lite.records import readable
        from mavton_lite.seeing import labeller_of
        from mavton_lite.trained import load_pipeline

        shard, name = metrics.read_shard(self.shard) if self.shard else None, self.experiment
        if name.endswith(".safetensors"):
            from mavton_lite.tryon import load_model
            from mavton_lite.zoo import card_of, released_profile

            pipeline, profile = load_model(name, device=self.device), released_profile(card_of(Path(name)))
            weights = checkpoint.file_digest(Path(name))
            name, data, base = Path(name).stem, _data(profile, self.data), None
        else:
            profile, data, out = _places(self.profile, self.data, self.out)
            pipeline, base = load_pipeline(name, profile, out, self.device), get_experiment(name).base
            weights = checkpoint.file_digest(out / name / "final.safetensors")
        dataset = open_dataset(data, self.split, self.pairs, profile.size)
        warped = "paste_warped_cloth" if base == "gmm" else f"paste_{name}_warp"  # a floor of its own
        predictors = {
            "copy_person": metrics.copy_person,
            warped: metrics.paste_warped_cloth(pipeline.warp, pipeline.person),
            name: metrics.from_pipeline(pipeline),
        }
        folder = self.records or runs_dir(profile) / "records"
        sets = None
        try:
            sets = None if self.sets == "none" else metrics.SetDistance(self.sets, self.inception, self.device)
        except FileNotFoundError as missing:
            if self.sets != "auto":
                raise
            print(f"no distances of sets: {missing}", file=sys.stderr)
        how: dict[str, Any] = {"profile": profile, "protocol": self.pairs, "limit": self.limit, "device": self.device}
        how |= {"progress": True, "sets": sets, "labeller": labeller_of(profile, self.device)}
        for examples in (dataset, leak_free(dataset)):
            if examples is None:
                continue
            found = []
            for model, predict in predictors.items():
                if shard is None:
                    found.append(metrics.evaluate(predict, examples, model=model, **how))
                    continue
                part = metrics.Evaluation(examples, model, **how)
                if whole := metrics.evaluate_shard(predict, part, shard, folder / "parts", weights):
                    found.append(whole)
            if not found:
                print(f"part {self.shard} is kept in {folder / 'parts'}; the others are not all there yet")
                continue
            for record in found:
                where = record.save(folder).parent
            rules = found[0].protocol
            print(f"\n{rules.pairs} {rules.split}, {rules.n:,} images{_which(rules.subset)}")
            print(readable(found).drop(columns="seed").set_index("model").T.to_markdown(disable_numparse=True))
            print(f"records: {where}")
        return 0


@dataclass
class Tryon:
    """Put a garment on the person of a photograph."""

    photo: Path
    """A photograph of one person, upper body in view."""
    cloth: str
    """A picture of a garment on white, or an Atelier garment such as atelier:test/3."""
    out: Path
    """The picture to write."""
    model: str = "mavton"
    """A released model, a file of `mavton convert`, or an experiment, whose weights are in --checkpoints."""
    checkpoints: Path | None = None
    """Use what was trained there, such as runs/lite/checkpoints, instead of the released weights."""
    profile: ProfileName = "lite"
    """The profile of those checkpoints."""
    backend: Literal["auto", "mediapipe", "torchvision"] = "auto"
    """What finds the pose and the person."""
    parse: Literal["rules", "atelier"] = "rules"
    """What tells hair, skin and cloth apart: rules around the joints, or the parser that learnt on the Atelier."""
    device: str = "cpu"

    def run(self) -> int:
        from mavton_lite.tryon import try_on_photo

        profile = get_profile(self.profile) if self.checkpoints else None
        places: dict[str, Any] = {"checkpoints": self.checkpoints, "profile": profile, "device": self.device}
        try_on_photo(self.photo, self.cloth, self.model, self.out, backend=self.backend, parse=self.parse, **places)
        print(self.out)
        return 0


@dataclass
class Studio:
    """Serve the try-on studio and the attention explorer as a page, to this computer alone, until Ctrl-C."""

    port: int = 8866
    no_browser: bool = False
    """Only say the address, open no browser."""

    def run(self) -> int:
        from mavton_lite.studio.serve import serve

        return serve(self.port, browser=not self.no_browser)


@dataclass
class Convert:
    """Turn checkpoints that CP-VTON's own code saved into a model of this project: safetensors and a card."""

    gmm: Path
    """gmm_final.pth: a state dict, read without running any code in it."""
    tom: Path | None = None
    """tom_final.pth; without it the matching module alone is converted."""
    out: Path | None = None
    """The file to write, the card beside it; default: runs/paper/converted/cpvton.safetensors."""

    def run(self) -> int:
        from mavton_lite.convert import convert

        out = self.out or runs_dir("paper") / "converted" / "cpvton.safetensors"
        print(f"{out}: its card is {convert(self.gmm, self.tom, out)}")
        if self.tom:
            print(f"mavton tryon --model {out} ... and mavton evaluate {out} use it")
        return 0


@dataclass
class Figures:
    """Run the notebooks that are not up to date: every figure and table."""

    notebooks: Positional[tuple[str, ...]] = field(default_factory=tuple)
    """Only these, such as 11_ma_vton; default: all."""
    profile: ProfileName = "lite"
    jobs: int | None = None
    """Notebooks at once; default: one a core, at most four."""
    force: bool = False
    """Run them even when they are up to date."""

    def run(self) -> int:
        from mavton_lite.run_notebooks import run

        report = run(self.profile, list(self.notebooks), jobs=self.jobs, force=self.force)
        if (project_root() / "figures" / "manifest.toml").exists():
            from mavton_lite.plots.gallery import build

            print(f"gallery: {build(self.profile)}")
        return 130 if report.interrupted else 0 if report.ok else 1


@dataclass
class Doctor:
    """Say what this machine has, and the command for what is missing."""

    def run(self) -> int:
        from mavton_lite.doctor import examine, report

        checks = examine()
        print(report(checks))
        return 0 if all(check.ok or check.optional for check in checks) else 1


def _places(profile: str, data: Path | None, out: Path | None):
    """The profile, the data set (the Atelier is written if needed) and the folder of checkpoints."""
    chosen = get_profile(profile)
    return chosen, _data(chosen, data), out or runs_dir(chosen) / "checkpoints"


def _data(profile: Profile, data: Path | None) -> Path:
    from mavton_lite.world import prepare

    if data is not None and not data.is_dir():
        raise ValueError(f"{data}: no such folder; wanted one in VITON's or VITON-HD's layout")
    return data or prepare(profile)


def _which(subset: str) -> str:
    if subset == "all":
        return ""
    return f" ({subset}: of people who are in no training picture, unlike most of VITON's test split)"


def _align(rows) -> list[str]:
    # numbers were made texts with thousands separators, and still belong to the right
    return ["right" if rows[c].str.fullmatch(r"[\d,.]+").all() else "left" for c in rows]
