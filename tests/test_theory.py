"""Chapter 2.1 and 2.2 can be found: every equation by its number, every widget of the notebooks as a still picture."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
THEORY = ("01_gan_toy", "02_gan_images", "03_hard_attention", "04_soft_attention", "05_channel_attention",
          "06_self_attention")  # fmt: skip
WIDGETS = {
    "01_gan_toy": "game_playback",
    "03_hard_attention": "glimpse_stepper",
    "04_soft_attention": "kernel_explorer",
    "05_channel_attention": "attention_explorer",
    "06_self_attention": "head_picker",
}


def said(folder: str) -> Iterator[tuple[str, str]]:
    """Name and docstring of every class and function below a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield f"{path.name}:{node.name}", ast.get_docstring(node) or ""


@pytest.mark.parametrize("number", [f"2-{k}" for k in range(1, 8)])
def test_an_equation_of_the_thesis_is_found_by_its_number(number):
    """In the code that computes it, in a test's docstring, and in a notebook."""
    by_number = re.compile(rf"thesis (\(2-\d\)[^.]* )?\({number}\)", re.IGNORECASE)
    code = [name for name, text in said("mavton_lite") if by_number.search(text)]
    tests = [name for name, text in said("tests") if ":test_" in name and by_number.search(text)]
    assert code, f"no code says that it computes thesis ({number})"
    assert tests, f"no test says that it is about thesis ({number})"
    shown = re.compile(number.replace("-", r"(-|\\text\{-\})") + r"(?!\d)")  # in a formula the dash is text
    pages = [(ROOT / "notebooks" / f"{name}.ipynb") for name in THEORY]
    assert any(shown.search(cell) for page in pages for cell in prose(page)), f"no notebook shows ({number})"


def prose(page: Path) -> list[str]:
    cells = json.loads(page.read_text(encoding="utf8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


@pytest.mark.parametrize("name", WIDGETS)
def test_a_stored_widget_is_a_still_picture(name):
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    (cell,) = [c for c in code if "".join(c["source"]).rstrip().splitlines()[-1].startswith(WIDGETS[name] + "(")]
    (output,) = cell["outputs"]
    assert {"image/png", "image/jpeg"} & set(output["data"]), "what a page without a front end shows"
    assert not any("widget" in kind for kind in output["data"]), "no reference to a model that is not stored"
