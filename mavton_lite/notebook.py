"""What every notebook starts and ends with: `run = setup(profile, notebook)` and `run.done()`."""

from __future__ import annotations

import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from mavton_lite.config import SEED, Profile, get_profile, project_root, runs_dir
from mavton_lite.plots import style
from mavton_lite.plots.publish import publish, published, read_manifest
from mavton_lite.world import prepare

pd.set_option("display.max_colwidth", None)  # a sentence in a table is shown to its end

BUDGET_S = {"smoke": 60, "lite": 60, "paper": 3600}  # of a notebook that neither trains nor measures
LONGER_BUDGETS_S = {
    "01_gan_toy": {"smoke": 60, "lite": 150, "paper": 3600},
    "02_gan_images": {"smoke": 60, "lite": 150, "paper": 4 * 3600},
    "03_hard_attention": {"smoke": 60, "lite": 150, "paper": 3600},
    "04_soft_attention": {"smoke": 60, "lite": 150, "paper": 3600},
    "05_channel_attention": {"smoke": 60, "lite": 150, "paper": 3600},
    "06_self_attention": {"smoke": 60, "lite": 150, "paper": 3600},
    "07_person_and_unet": {"smoke": 60, "lite": 150, "paper": 3600},
    "09_cpvton_gmm": {"smoke": 60, "lite": 90, "paper": 3600},
    "10_cpvton_tom": {"smoke": 60, "lite": 150, "paper": 3600},
    "12_train": {"smoke": 60, "lite": 45 * 60, "paper": 48 * 3600},
    "13_results": {"smoke": 60, "lite": 300, "paper": 2 * 3600},
}


@dataclass
class Run:
    """One notebook at one profile: its data, its folders, its clock, and the figures it has published."""

    profile: Profile
    notebook: str
    data: Path  # the data set
    out: Path  # checkpoints, shared by the notebooks of a profile
    device: str
    budget_s: float
    started: float = field(default_factory=time.monotonic)
    made: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def publish(self, item_id: str, content: Figure | pd.DataFrame) -> Figure | pd.DataFrame:
        """Write a figure or table of the manifest, and hand it back so that the cell shows it.

        Raises: ValueError as `plots.publish.publish` does.
        """
        if in_checkout():
            for path in publish(item_id, content, self):
                print(f"wrote {path.relative_to(project_root())}")
        self.made.append(item_id)
        if isinstance(content, Figure):
            import matplotlib.pyplot as plt

            plt.close(content)  # else the inline backend draws it a second time at the end of the cell
        return content

    @property
    def records(self) -> Path:
        """Where evaluations go: `figures/records` at lite, which is committed; `runs/<profile>/records` otherwise."""
        committed = self.profile.name == "lite" and in_checkout()
        return (project_root() / "figures" if committed else runs_dir(self.profile)) / "records"

    def released(self, item_id: str):
        """The committed figure or table of that id, to compare with; None at lite, which makes it, and before it is."""
        path = project_root() / "figures" / (f"{item_id}.md" if item_id.startswith("tab-") else f"{item_id}.png")
        if self.profile.name == "lite" or not path.exists():
            return None
        from IPython.display import Image, Markdown

        return Markdown(path.read_text(encoding="utf8")) if path.suffix == ".md" else Image(filename=path, width=900)

    def skip(self, item_id: str, why: str) -> None:
        """Say why this machine cannot make a figure; an older one is kept, and `done` does not miss it."""
        print(f"{item_id} was not made here: {why}")
        self.skipped.append(item_id)

    def done(self) -> None:
        """End a notebook: every figure that the manifest expects of it is there, and how long it took.

        A slow day is reported, never a failure.
        Raises: RuntimeError naming the figures that were not published.
        """
        if in_checkout():
            wanted = [item.id for item in read_manifest().values() if item.notebook == self.notebook]
            wanted = [i for i in wanted if i not in self.skipped]
            missing = [i for i in wanted if i not in self.made or published(self.profile.name, i) is None]
            if missing:
                raise RuntimeError(f"{self.notebook} did not publish {', '.join(missing)}, as the manifest wants")
        taken = time.monotonic() - self.started
        # on stderr, which committed notebooks are cleaned of: it differs every time
        print(f"{taken:.0f} s of a budget of {self.budget_s:.0f} s on two CPU cores", file=sys.stderr)
        if taken > self.budget_s:
            print("slower than planned: a busy or smaller machine, or a regression", file=sys.stderr)
        print(f"{self.notebook}: done ✓")


def setup(profile: str, notebook: str) -> Run:
    """Prepare a notebook: seeds, threads, plot style, widgets on Colab, and the data set of the profile.

    `MAVTON_PROFILE` in the environment overrides `profile`: `MAVTON_PROFILE=lite jupyter lab` runs a course at lite.
    Raises: ValueError for an unknown profile.
    """
    chosen = get_profile(os.environ.get("MAVTON_PROFILE") or profile)
    seed_everything()
    torch.set_num_threads(threads())
    _show_figures()
    style.use()
    if "google.colab" in sys.modules:
        from google.colab import output

        output.enable_custom_widget_manager()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = prepare(chosen)
    out = runs_dir(chosen) / "checkpoints"
    budget = LONGER_BUDGETS_S.get(notebook, BUDGET_S)[chosen.name]
    print(f"profile {chosen.name}: {chosen.height} x {chosen.width} px, on {device}")
    return Run(chosen, notebook, data, out, device, budget)


def _show_figures() -> None:
    """Make a kernel show a `Figure` at the end of a cell also where pyplot was never asked for one."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and hasattr(shell, "kernel"):
        shell.run_line_magic("matplotlib", "inline")


def seed_everything(seed: int = SEED) -> None:
    """Seed Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def threads() -> int:
    """How many threads torch may use: `MAVTON_THREADS`, else the cores this process may run on, at most 16.

    Raises: ValueError when `MAVTON_THREADS` is no number.
    """
    if given := os.environ.get("MAVTON_THREADS"):
        if not given.isdecimal() or not 1 <= int(given) <= 1024:
            raise ValueError(f"MAVTON_THREADS: found {given!r}, wanted a number from 1 to 1024")
        return int(given)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 16)


def in_checkout() -> bool:
    """Whether there is a checkout to write figures to; an installed package, as on Colab, only shows them."""
    return (project_root() / "figures" / "manifest.toml").exists()
