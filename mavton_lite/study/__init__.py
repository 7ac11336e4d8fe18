"""The study: baselines and ablations over several seeds, every run a record; those that ship are read here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mavton_lite.checkpoint import read_json
from mavton_lite.config import Profile, runs_dir
from mavton_lite.records import Record, load_all, same_budget, same_protocol

RECORDS = Path(__file__).parent / "records"  # released ones, made by `mavton study --release`
COST = "cost.json"  # beside the folder of records


def own_folder(profile: Profile | str) -> Path:
    """Where `mavton study` writes the records of a profile, unless they are to be released."""
    return runs_dir(profile) / "study" / "records"


def picture_folder(records: Path, budget: str, split: str = "test") -> Path:
    """Where the strips of try-ons of a study are (`study.pictures`), given the folder of its records."""
    return Path(records).parent / "pictures" / (budget if split == "test" else f"{budget}-{split}")


def read_study(folder: Path | None = None, budget: str | None = None) -> list[Record]:
    """Every record of a study, all of one protocol and one training budget; `folder`: the released ones by default.

    `budget` chooses one, such as "lite-800", where the folder holds several.
    Raises: ValueError when there are none, or several budgets and none was chosen.
    """
    folder = folder or RECORDS
    records = [r for r in load_all(folder) if budget is None or r.protocol.profile == budget]
    found = sorted({r.protocol.profile for r in records})
    if len(found) != 1:
        told = f"budgets {', '.join(found)}" if found else "no records"
        raise ValueError(f"{folder}: found {told}, wanted the records of one; `mavton study` makes them")
    same_protocol(records)
    same_budget(records)
    return records


@dataclass(frozen=True)
class Found:
    """A study that is there, and where it comes from."""

    records: list[Record]
    folder: Path
    source: str  # in words, for the reader of a figure

    @property
    def budget(self) -> str:
        """The budget's name, such as "lite-800"."""
        return self.records[0].protocol.profile

    @property
    def pictures(self) -> Path:
        """The folder of its strips of try-ons."""
        return picture_folder(self.folder, self.budget)

    @property
    def cost(self) -> dict[str, Any]:
        """What `mavton study --cost` measured; empty where it was not asked."""
        path = self.folder.parent / COST
        return read_json(path) if path.exists() else {}


def find_study(profile: Profile | str, budget: str | None = None) -> Found | None:
    """The study of a profile that was made on this machine, else the released one, else None.

    Of several budgets that of the name, or else the one with most records, then the longest.
    """
    for folder, source in ((own_folder(profile), "made here by `mavton study`"), (RECORDS, "released")):
        records = [r for r in load_all(folder) if budget in (None, r.protocol.profile)]
        if records:
            sizes = Counter(r.protocol.profile for r in records)
            longest = {r.protocol.profile: r.training.get("steps", 0) for r in records if r.training}
            chosen = max(sizes, key=lambda name: (sizes[name], longest.get(name, 0)))
            return Found(read_study(folder, chosen), folder, source)
    return None


def by_model(records: Sequence[Record]) -> dict[str, dict[int, Record]]:
    """Records by model, then by seed.   Raises: ValueError when a model has two of one seed."""
    found: dict[str, dict[int, Record]] = {}
    for record in sorted(records, key=lambda r: r.seed):
        runs = found.setdefault(record.model, {})
        if record.seed in runs:
            raise ValueError(f"{record.model}: found two records of seed {record.seed}, wanted one")
        runs[record.seed] = record
    return found


def title(records: Sequence[Record]) -> str:
    """What every table and figure of a study says of it: `lite, 800 steps, 3 seeds, 200 images, unpaired test`."""
    rules, steps = same_protocol(records), same_budget(records)
    seeds = {r.seed for r in records if r.training}
    length = f"{steps:,} steps, " if steps else ""
    plural = "s" if len(seeds) != 1 else ""
    profile = rules.profile.removesuffix(f"-{steps}")
    return f"{profile}, {length}{len(seeds)} seed{plural}, {rules.n} images, {rules.pairs} {rules.split}"
