"""`publish`: the only writer of figures and tables, and the reader of `figures/manifest.toml` that it obeys."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from matplotlib.figure import Figure

from mavton_lite.config import Profile, project_root, runs_dir
from mavton_lite.files import read_object, read_text, write_text
from mavton_lite.plots import style

STATUSES = {
    "reproduced": "as in the thesis",
    "scaled-down": "the same experiment at the size a laptop can run",
    "redrawn": "drawn by code from this project's own modules",
    "cited": "values taken from the literature",
}


@dataclass(frozen=True)
class Item:
    """One line of the manifest: an item of the thesis and the notebook that makes it."""

    id: str
    thesis: str  # section and its Chinese title
    title: str
    file: str
    notebook: str
    status: str
    note: str = ""
    made: bool = True  # false until the first run at lite that makes it

    @property
    def is_table(self) -> bool:
        """Whether a table, rather than a figure, is wanted."""
        return self.id.startswith("tab-")


class Run(Protocol):
    """What `publish` needs to know of a run (`notebook.Run` is one)."""

    notebook: str
    profile: Profile


def read_manifest(path: Path | None = None) -> dict[str, Item]:
    """The figures and tables of the project by id, in the thesis's order.

    Raises: ValueError naming the file and the item for a doubled id, a missing or unknown field, an unknown status.
    """
    path = path or project_root() / "figures" / "manifest.toml"
    items: dict[str, Item] = {}
    try:
        entries = tomllib.loads(read_text(path, "wanted a manifest")).get("item", [])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: found broken TOML ({error}), wanted a manifest") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{path}: item: found {str(entries)[:40]!r}, wanted tables [[item]]")
    for entry in entries:
        name = entry.get("id", "an item without an id")
        try:
            item = Item(**entry)
        except TypeError as error:
            raise ValueError(f"{path}: {name}: {error}") from None
        for field in dataclasses.fields(Item):
            value, wanted = getattr(item, field.name), bool if field.name == "made" else str
            if not isinstance(value, wanted):
                raise ValueError(f"{path}: {name}: {field.name} is {str(value)[:40]!r}; wanted {wanted.__name__}")
        if not re.fullmatch(r"[\w.-]+", item.id):
            raise ValueError(f"{path}: {name[:40]!r} is no id; wanted letters, digits and dashes: it names files")
        if item.id in items:
            raise ValueError(f"{path}: {name} is listed twice")
        if item.status not in STATUSES:
            raise ValueError(f"{path}: {name}: unknown status {item.status!r}; wanted one of {', '.join(STATUSES)}")
        file = f"{item.id}.md" if item.is_table else f"{item.id}.png"
        if item.file != file:
            raise ValueError(f"{path}: {name}: file is {item.file!r}; wanted {file!r}")
        items[item.id] = item
    return items


def figures_dir(profile: str) -> Path:
    """Where a profile's figures go: `figures/` at lite, which is committed; `runs/<profile>/figures` otherwise."""
    return project_root() / "figures" if profile == "lite" else runs_dir(profile) / "figures"


def published(profile: str, item_id: str) -> dict | None:
    """What was recorded when that item was last made at that profile; None when it, or a file of it, is not there."""
    folder = figures_dir(profile)
    try:
        record = read_object(folder / "published" / f"{item_id}.json", notebook=str, files=dict)
    except ValueError:
        return None
    return record if all((folder / name).exists() for name in record["files"]) else None


def publish(item_id: str, content: Figure | pd.DataFrame, run: Run) -> list[Path]:
    """Write one figure (.png) or table (.md and .csv) of the manifest, and record which notebook made it.

    Raises: ValueError for an id that the manifest lacks or gives to another notebook, or for a figure where a table is
    wanted and the other way round.
    """
    manifest = read_manifest()
    if item_id not in manifest:
        raise ValueError(f"figures/manifest.toml has no {item_id!r}; it has {', '.join(manifest)}")
    item = manifest[item_id]
    if item.notebook != run.notebook:
        raise ValueError(f"{item_id}: the manifest gives it to notebook {item.notebook!r}, not to {run.notebook!r}")
    wanted = pd.DataFrame if item.is_table else Figure
    if not isinstance(content, wanted):
        raise ValueError(f"{item_id} wants a {wanted.__name__}, got {type(content).__name__}")

    folder = figures_dir(run.profile.name)
    folder.mkdir(parents=True, exist_ok=True)
    if item.is_table:
        paths = [folder / f"{item_id}.md", folder / f"{item_id}.csv"]
        write_text(paths[0], as_markdown(item, content))
        rows: Any = content  # a table, as was just made sure
        write_text(paths[1], rows.to_csv(index=_has_index(content), lineterminator="\n"))
    else:
        paths = [style.save(content, folder / item.file)]
    record = {
        "id": item_id,
        "notebook": run.notebook,
        "profile": run.profile.name,
        "files": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in paths},
    }
    write_text(folder / "published" / f"{item_id}.json", json.dumps(record, indent=1) + "\n")
    return paths


def as_markdown(item: Item, table: pd.DataFrame) -> str:
    """The table as a Markdown page: title, table, status and note."""
    body = table.to_markdown(index=_has_index(table), disable_numparse=_texts_only(table))
    note = f"{item.status}: {item.note or STATUSES[item.status]}"
    return f"# {item.title}\n\nThesis {item.thesis}\n\n{body}\n\n*{note}*\n"


def _has_index(table: pd.DataFrame) -> bool:
    return not isinstance(table.index, pd.RangeIndex)


def _texts_only(table: pd.DataFrame) -> bool:
    # "0.870" and "1e-4" written by the caller must stay as written
    return all(not pd.api.types.is_numeric_dtype(table[column]) for column in table)
