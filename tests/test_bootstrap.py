"""The cell that finds or installs the package, as a runtime without it runs it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from mavton_lite import notebook_files as files

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[!.]*.ipynb"))
# A package of the same name that installs in a second, offline: it is built by its own few lines.
BACKEND = """
import os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, info = "mavton_lite-0.0-py3-none-any.whl", "mavton_lite-0.0.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.write("mavton_lite/__init__.py")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: mavton-lite\\nVersion: 0.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
pytestmark = pytest.mark.skipif(os.name != "posix" or not importlib.util.find_spec("pip"), reason="wants posix and pip")


def bootstrap(path: Path) -> str:
    """The source of a notebook's bootstrap cell."""
    cells = [c["source"] for c in files.read(path)["cells"] if c["cell_type"] == "code"]
    (found,) = (source for source in cells if 'find_spec("mavton_lite")' in source)
    return found


def test_every_notebook_has_the_same_cell():
    assert len({bootstrap(path) for path in NOTEBOOKS}) == 1
    assert {files.parameters(files.read(path), path.stem)["repo_url"] for path in NOTEBOOKS} == {""}


@pytest.fixture
def project(tmp_path) -> Path:
    """The sources of that package."""
    folder = tmp_path / "mavton_lite-main"
    (folder / "mavton_lite").mkdir(parents=True)
    for name, text in (("mavton_lite/__init__.py", ""), ("mavton_lite/config.py", ""), ("backend.py", BACKEND),
                       ("pyproject.toml", PROJECT)):  # fmt: skip
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def runtime(tmp_path):
    """A new environment with pip and `google.colab`: run the cell in `content`; -> the place of the package, errors."""
    venv.create(tmp_path / "env", with_pip=False)
    place = next((tmp_path / "env" / "lib").glob("python*")) / "site-packages"
    (place / "pip").symlink_to(Path(importlib.util.find_spec("pip").origin).parent)
    (place / "google" / "colab").mkdir(parents=True)
    (place / "google" / "colab" / "__init__.py").write_text("")
    (tmp_path / "content").mkdir()
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    env |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run(repo_url: str = "", before: str = "import google.colab") -> tuple[str, str]:
        cell = f"{before}\nrepo_url = {repo_url!r}\n{bootstrap(NOTEBOOKS[0])}\n"
        code = f"{cell}import mavton_lite\nprint(mavton_lite.__file__)"
        line = [tmp_path / "env" / "bin" / "python", "-c", code]
        said = subprocess.run(line, cwd=tmp_path / "content", env=env, capture_output=True, text=True, timeout=120)
        return said.stdout.strip(), said.stderr

    return run, tmp_path / "content", place


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_uploaded_archive_is_installed(runtime, project, kind):
    run, content, place = runtime
    found, error = run()
    assert not found and "RuntimeError: no mavton_lite: give its git address" in error
    shutil.make_archive(str(content / "mavton_lite-main"), kind, project.parent, project.name)
    found, error = run()
    assert found == str(place / "mavton_lite" / "__init__.py"), error


@pytest.mark.skipif(not shutil.which("git"), reason="wants git")
def test_a_git_address_is_installed(runtime, project):
    run, _, place = runtime
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for what in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *what], check=True)
    found, error = run(f"file://{project}")
    assert found == str(place / "mavton_lite" / "__init__.py"), error


@pytest.mark.parametrize("clone", ["mavton_lite-main", "mavton_lite"])
def test_a_checkout_nearby_is_used_as_it_is_but_on_colab_installed(runtime, project, clone):
    run, content, place = runtime
    shutil.copytree(project, content / clone)
    found, error = run(before="")
    assert found == str(content / clone / "mavton_lite" / "__init__.py"), error
    assert not (place / "mavton_lite").exists()
    run()
    assert (place / "mavton_lite").exists()
