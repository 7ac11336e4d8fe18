"""What `mavton study` can do: baselines and ablations over several seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from mavton_lite.config import ProfileName, get_profile, runs_dir


@dataclass
class Plan:
    """Work out what training VITON and VITON-HD at full size takes: time, memory, money, on one and on eight GPUs."""

    out: Path | None = None
    """Put the tables into this file, between its lines <!-- plan --> and <!-- end of plan -->; default: print them."""

    def run(self) -> int:
        from mavton_lite.plan import put, report

        text = report()
        print(put(self.out, "plan", text) if self.out else text)
        return 0


@dataclass
class Study:
    """Train and measure baselines and ablations over several seeds, each run a record; goes on where it stopped."""

    profile: ProfileName = "lite"
    seeds: tuple[int, ...] = ()
    """Default: three."""
    only: tuple[str, ...] = ()
    """Experiments, or groups: baselines, ablations, attention, place (of the attention), loss. Default: all."""
    steps: int | None = None
    """Training steps of every try-on, equal for all; default: the profile's. Each length has runs and records of its
    own."""
    jobs: int = 1
    """Runs at once; they share the cores."""
    split: Literal["test", "val"] = "test"
    """val to choose settings by, test for what is reported."""
    data: Path | None = None
    """A folder in VITON's or VITON-HD's layout; default: $MAVTON_DATA, else the Atelier."""
    out: Path | None = None
    """Where runs and records go; default: runs/PROFILE/study."""
    shared: Annotated[Path | None, arg(name="checkpoints")] = None
    """Where the matching modules are, or will be; default: runs/PROFILE/checkpoints."""
    release: bool = False
    """Write the records into the package, where the notebooks find them."""
    cost: bool = False
    """Train nothing: time a training step of each, side by side."""
    device: str = "cpu"

    def run(self) -> int:
        from mavton_lite import study
        from mavton_lite.study import plan
        from mavton_lite.study.report import report
        from mavton_lite.study.run import Study as Plan
        from mavton_lite.study.run import run_study
        from mavton_lite.world import prepare

        names, seeds = plan.chosen(self.only), self.seeds or plan.SEEDS
        profile = get_profile(self.profile)
        if self.release and self.split != "test":
            raise ValueError(f"--release: found --split {self.split}, wanted test, of which released records are")
        out = self.out or runs_dir(profile) / "study"
        records = study.RECORDS if self.release else out / "records"
        budget = plan.budgeted(profile, self.steps)
        data = self.data or prepare(profile)
        if self.cost:
            from mavton_lite.checkpoint import write_json
            from mavton_lite.study.cost import measure_steps

            print(write_json(records.parent / study.COST, measure_steps(names, budget, data, self.device)))
            return 0
        shared = self.shared or runs_dir(profile) / "checkpoints"
        made = Plan(profile, budget, data, shared, out, records, self.split, self.device, seeds[0])
        outcomes = run_study(made, names, seeds, self.jobs)
        folder = records if self.split == "test" else records / self.split
        print(report(folder, budget.name))
        print(f"records: {folder}")
        return 1 if any(o.how == "failed" for o in outcomes) else 0
