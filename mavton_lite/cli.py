"""`mavton`: the command line. It parses and calls; every command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg, subcommand

from mavton_lite.config import get_profile, project_root, runs_dir

ProfileName = Literal["smoke", "lite", "paper"]


@dataclass
class DataMake:
    """Write the Atelier of a profile (or go on where an interrupted run stopped)."""

    profile: ProfileName = "lite"
    out: Path | None = None
    """Where to write it; default: runs/PROFILE/atelier."""
    train: int | None = None
    """Number of training examples; default: the profile's."""
    test: int | None = None
    """Number of test examples; default: the profile's."""
    size: tuple[int, int] | None = None
    """Height and width in pixels; default: the profile's."""
    workers: int | None = None
    """Processes; default: one a core."""

    def run(self) -> int:
        from mavton_lite.config import SEED
        from mavton_lite.data.atelier import write_world

        profile = get_profile(self.profile)
        root = self.out or runs_dir(profile) / "atelier"
        n_train = profile.n_train if self.train is None else self.train
        n_test = profile.n_test if self.test is None else self.test
        write_world(root, n_train, n_test, *(self.size or profile.size), SEED, self.workers)
        print(f"{root}: {n_train} + {n_test} examples")
        return 0


@dataclass
class DataCheck:
    """Report everything that is wrong with a VITON, CP-VTON or VITON-HD folder."""

    path: Positional[Path]

    def run(self) -> int:
        from mavton_lite.data.check import check

        problems = check(self.path, progress=sys.stderr.isatty())
        for problem in problems:
            print(problem)
        print(f"{self.path}: {len(problems)} problems" if problems else f"{self.path}: no problems")
        return 1 if problems else 0


@dataclass
class Data:
    """The data set: write the Atelier, or check one's own folder."""

    action: Annotated[DataMake, subcommand("make")] | Annotated[DataCheck, subcommand("check")]

    def run(self) -> int:
        return self.action.run()


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
    precision: str | None = None
    """As Lightning Fabric names it, such as bf16-mixed; default: chosen by profile and device."""
    fresh: bool = False
    """Begin again instead of resuming."""

    def run(self) -> int:
        from mavton_lite.config import SEED
        from mavton_lite.experiments import EXPERIMENTS, get_experiment
        from mavton_lite.train import fit

        experiment = get_experiment(self.experiment)
        profile, data, out = _places(self.profile, self.data, self.out)
        settings = {"seed": SEED if self.seed is None else self.seed, "device": self.device, "devices": self.devices}
        settings |= {"precision": self.precision}
        if experiment.stage == "tom":
            fit(EXPERIMENTS["gmm"].name, profile, data, out, **settings)
        fit(self.experiment, profile, data, out, **settings, resume=not self.fresh)
        print(f"{self.experiment}: {out / self.experiment}")
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
    from mavton_lite.world import prepare

    chosen = get_profile(profile)
    if data is not None and not data.is_dir():
        raise ValueError(f"{data}: no such folder; wanted one in VITON's or VITON-HD's layout")
    return chosen, data or prepare(chosen), out or runs_dir(chosen) / "checkpoints"


def _align(rows) -> list[str]:
    # numbers were made texts with thousands separators, and still belong to the right
    return ["right" if rows[c].str.fullmatch(r"[\d,.]+").all() else "left" for c in rows]


@dataclass
class Mavton:
    """Virtual try-on with multi-level attention (基于多级注意力机制的虚拟试衣)."""

    command: (
        Annotated[Data, subcommand("data")]
        | Annotated[Models, subcommand("models")]
        | Annotated[Train, subcommand("train")]
        | Annotated[Figures, subcommand("figures")]
        | Annotated[Doctor, subcommand("doctor")]
    )
    debug: Annotated[bool, arg(help="Show the whole traceback of an error.")] = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the command; exits 0, 1 for bad input, 2 for bad usage, 130 after Ctrl-C."""
    parsed = tyro.cli(
        Mavton,
        prog="mavton",
        args=arguments,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.CascadeSubcommandArgs,
                tyro.conf.FlagCreatePairsOff),
    )  # fmt: skip
    try:
        code = parsed.command.run()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # `mavton models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if parsed.debug:
            raise
        print(f"mavton: {_one_line(error)}", file=sys.stderr)
        code = 1
    sys.exit(code)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    # a ValueError or a missing file is the reader's input and explains itself; anything else names its kind
    expected = isinstance(error, (ValueError, OSError)) and text
    return text if expected else f"{type(error).__name__}: {text} (--debug shows where)"
