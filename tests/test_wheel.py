"""A wheel built from the repository holds everything, and works outside of it."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# what a wheel must be able to do without the checkout: released weights, records and pictures of the study, the Atelier
PROBE = """
import sys
from pathlib import Path

sys.path.insert(0, {site!r})
import mavton_lite
from mavton_lite import config, study, zoo

assert Path(mavton_lite.__file__).is_relative_to({site!r}), mavton_lite.__file__
assert config.project_root() == Path.cwd(), config.project_root()
assert {{"ma_vton", "cp_vton", "parser"}} <= set(zoo.released())
network = mavton_lite.load_released("ma_vton")
print(sum(p.numel() for p in network.parameters()))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # so that no build/ is left in the checkout
    skipped = shutil.ignore_patterns("__pycache__", "*.tmp")
    shutil.copytree(ROOT / "mavton_lite", source / "mavton_lite", ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    there = importlib.util.find_spec("setuptools") and importlib.util.find_spec("wheel")
    built = subprocess.run([*command, *["--no-build-isolation"] * bool(there)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-2000:]
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as packed:
        there = set(packed.namelist())
    tracked = subprocess.run(["git", "ls-files", "mavton_lite"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode == 0:
        wanted = tracked.stdout.split()
    else:  # an unpacked archive of the repository
        wanted = [str(p.relative_to(ROOT)) for p in (ROOT / "mavton_lite").rglob("*.*") if "__pycache__" not in p.parts]
    missing = {name for name in wanted if (ROOT / name).exists()} - there
    assert not missing, sorted(missing)


def test_the_wheel_works_outside_of_the_checkout(wheel, tmp_path):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE.format(site=str(site)))
    told = subprocess.run([sys.executable, "-I", str(probe)], cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr[-2000:]
    assert int(told.stdout) > 100_000
    listed = next(site.glob("*.dist-info/entry_points.txt")).read_text()
    assert "mavton = mavton_lite.cli:main" in listed
