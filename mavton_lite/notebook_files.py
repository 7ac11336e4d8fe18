"""Notebooks as files: what they declare, what they depend on, and how to store them without noise. Executes nothing."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mavton_lite.files import read_json, write_text
from mavton_lite.notebook_pictures import shrunk

WIDGET = "application/vnd.jupyter.widget-view+json"
PACKAGE = Path(__file__).resolve().parent


def read(path: Path) -> dict:
    """A notebook's JSON, sources joined to one string a cell.

    Raises: ValueError naming the file when it is missing or no notebook.
    """
    notebook = read_json(path, "wanted a notebook")
    try:
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
            if not isinstance(cell["cell_type"], str) or not all(isinstance(tag, str) for tag in tags(cell)):
                raise TypeError("a cell's type or tags are no texts")
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a notebook ({type(error).__name__}: {error})") from None
    return notebook


def write(path: Path, notebook: dict) -> None:
    """Write a notebook atomically, in the layout that Jupyter itself saves."""
    lined = copy.deepcopy(notebook)
    for cell in lined["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
    write_text(path, json.dumps(lined, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def tags(cell: dict) -> list[str]:
    """A cell's tags."""
    return cell.get("metadata", {}).get("tags", [])


def parameters(notebook: dict, name: str = "notebook") -> dict[str, object]:
    """What the cell tagged `parameters` declares, with its defaults; nothing when there is no such cell.

    Raises: ValueError naming the notebook when that cell holds more than assignments of literals.
    """
    cells = [cell for cell in notebook["cells"] if "parameters" in tags(cell)]
    if len(cells) > 1:
        raise ValueError(f"{name}: {len(cells)} cells are tagged 'parameters'; wanted one")
    declared: dict[str, object] = {}
    try:
        statements = ast.parse(cells[0]["source"]).body if cells else []
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # a NUL; nested too deeply
        raise ValueError(f"{name}: the parameters cell is no Python ({error})") from None
    for statement in statements:
        try:
            target: Any
            (target,) = statement.targets if isinstance(statement, ast.Assign) else (statement.target,)
            declared[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            line = ast.unparse(statement)
            raise ValueError(f"{name}: the parameters cell wants literal assignments only, found {line!r}") from None
    return declared


def source_digest(notebook: dict) -> str:
    """SHA-256 of the cells' kinds and sources: outputs, counts and metadata do not change it."""
    cells = [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def package_digest(package: Path = PACKAGE) -> str:
    """SHA-256 of every Python source of the package, names included."""
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        total.update(f"{path.relative_to(package).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def combine(parts: Iterable[object]) -> str:
    """One digest of several values of plain JSON types."""
    return hashlib.sha256(json.dumps(list(parts), sort_keys=True).encode()).hexdigest()


def normalised(notebook: dict) -> dict:
    """An executed notebook without what changes from run to run: times, run-time ids, papermill's records.

    The result of equal code is equal bytes, pictures included.
    """
    clean = copy.deepcopy(notebook)
    clean["metadata"].pop("papermill", None)
    clean["metadata"].pop("widgets", None)
    clean["metadata"].get("language_info", {}).pop("version", None)
    for cell in clean["cells"]:
        for key in ("papermill", "execution"):
            cell.get("metadata", {}).pop(key, None)
        if "injected-parameters" in tags(cell):
            cell["id"] = "injected-parameters"
        for output in cell.get("outputs", ()):
            if WIDGET in output.get("data", {}):
                output["data"] = {k: v for k, v in output["data"].items() if k != WIDGET}
                if list(output["data"]) == ["text/plain"]:  # its name or, of a progress bar, its first state
                    output["data"] = {}
        if "outputs" in cell:
            cell["outputs"] = _joined(o for o in cell["outputs"] if o.get("data") != {})
    return clean


def _joined(outputs: Iterable[dict]) -> list[dict]:
    """Outputs with what one stream printed in a row in one piece: where a kernel cuts it depends on the moment."""
    found: list[dict] = []
    for output in outputs:
        if output.get("output_type") == "stream" and found and found[-1].get("name") == output.get("name"):
            text = "".join(found[-1]["text"]) + "".join(output["text"])
            found[-1] = {**found[-1], "text": text.splitlines(keepends=True)}
        else:
            found.append(output)
    return found


def committed(executed: dict, profile: str) -> dict:
    """An executed notebook as it is stored in `notebooks/`: the reader's own cells with the outputs of that profile.

    The injected parameters go, so do stderr (progress bars, times), cells count from one, pictures are made smaller;
    a stamp in the metadata tells from which sources the outputs came.
    """
    clean = normalised(executed)
    clean["cells"] = [cell for cell in clean["cells"] if "injected-parameters" not in tags(cell)]
    count = 0
    for cell in clean["cells"]:
        if cell["cell_type"] != "code":
            continue
        cell["outputs"] = _joined(o for o in cell["outputs"] if o.get("name") != "stderr")
        count += cell.get("execution_count") is not None
        cell["execution_count"] = count if cell.get("execution_count") is not None else None
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = cell["execution_count"]
            if "image/png" in output.get("data", {}):
                kind, picture = shrunk("".join(output["data"].pop("image/png")))
                output["data"][kind] = picture
    clean["metadata"]["mavton"] = {"profile": profile, "sources": source_digest(clean)}
    return clean


def is_stale(notebook: dict) -> bool:
    """Whether a stored notebook's outputs came from other sources than its cells; False when it has no outputs."""
    if not any(cell.get("outputs") for cell in notebook["cells"]):
        return False
    return notebook["metadata"].get("mavton", {}).get("sources") != source_digest(notebook)
