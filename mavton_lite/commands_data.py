"""What `mavton data` can do: write the Atelier, look at a data set, check it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, subcommand

from mavton_lite.config import ProfileName, get_profile, runs_dir


@dataclass
class DataMake:
    """Write the Atelier, a profile's or one of your own measures (or go on where an interrupted run stopped)."""

    profile: ProfileName = "lite"
    out: Path | None = None
    """Where to write it; default: runs/PROFILE/atelier."""
    train: int | None = None
    """Number of training examples; default: the profile's."""
    test: int | None = None
    """Number of test examples; default: the profile's."""
    val: int | None = None
    """Examples to choose settings by; default: the profile's, but none beside --train or --test."""
    hard: int | None = None
    """Hard cases (arms in front, long hair over cloth, lettering ...); default: as for --val."""
    size: str | None = None
    """Height x width in pixels, such as 256x192; default: the profile's."""
    seed: int | None = None
    look: Literal["studio", "randomised"] = "studio"
    """A shop's even light and plain wall, or light, wall, colours and camera at random."""
    options: tuple[Literal["coats", "dresses"], ...] = ()
    """What else is worn."""
    shard: str = "1/1"
    """i/n: write the i-th of n parts only. Parts may share a folder or be copied together; without --shard, the same
    command then completes them."""
    workers: int | None = None
    """Processes; default: one a core."""

    def run(self) -> int:
        from mavton_lite.data.atelier import write_world
        from mavton_lite.files import read_object
        from mavton_lite.settings import seed_or_usual
        from mavton_lite.world import counts, put_aside

        profile = get_profile(self.profile)
        root = self.out or runs_dir(profile) / "atelier"
        given = {"train": self.train, "test": self.test, "val": self.val, "hard": self.hard}
        for split, asked in given.items():
            if asked is not None and asked % 2:
                print(f"{split}: examples come in pairs; writing {asked + 1:,} for {asked:,}", file=sys.stderr)
        own = {} if self.train is None and self.test is None else {"val": 0, "hard": 0}
        n = counts(profile) | own | {split: n + n % 2 for split, n in given.items() if n is not None}
        size = profile.size if self.size is None else _two_numbers("--size", self.size, "x", "HEIGHTxWIDTH")
        shard = _two_numbers("--shard", self.shard, "/", "i/n")
        if self.out is None and (aside := put_aside(root)):
            print(f"an earlier version's Atelier is now {aside}", file=sys.stderr)
        manifest = write_world(
            root, n["train"], n["test"], *size, seed_or_usual(self.seed), self.workers,
            n_val=n["val"], n_hard=n["hard"], look=self.look, options=self.options,
            shard=shard,
        )  # fmt: skip
        what = " + ".join(f"{count:,} {split}" for split, count in n.items() if count)
        if manifest.exists():
            megabytes = read_object(manifest, bytes=int)["bytes"] / 1e6
            print(f"{root}: {what} examples, {megabytes:,.0f} MB in files")
        else:
            print(f"{root}: part {self.shard} of {what} examples; others are missing")
        return 0


@dataclass
class DataShow:
    """Draw a contact sheet of an Atelier or of any VITON or VITON-HD folder."""

    path: Positional[Path]
    out: Path | None = None
    """The picture to write; default: FOLDER-SPLIT.png, here."""
    split: Literal["train", "test", "val", "hard"] = "test"
    count: int = 8
    """Rows: examples, spread evenly over the split."""

    def run(self) -> int:
        from mavton_lite.plots import style
        from mavton_lite.plots.sheet import folder_sheet

        style.use()
        out = self.out or Path(f"{self.path.resolve().name}-{self.split}.png")
        print(style.save(folder_sheet(self.path, self.split, self.count), out))
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
        print(f"{self.path}: {len(problems) or 'no'} problem{'s' * (len(problems) != 1)}")
        return 1 if problems else 0


@dataclass
class Data:
    """The data set: write the Atelier, look at a folder, or check one."""

    action: (
        Annotated[DataMake, subcommand("make")]
        | Annotated[DataShow, subcommand("show")]
        | Annotated[DataCheck, subcommand("check")]
    )

    def run(self) -> int:
        return self.action.run()


def _two_numbers(option: str, text: str, between: str, wanted: str) -> tuple[int, int]:
    found = re.fullmatch(rf"(\d+){between}(\d+)", text.strip(), re.IGNORECASE)
    if not found:
        raise ValueError(f"{option}: found {text!r}, wanted {wanted}")
    return int(found[1]), int(found[2])
