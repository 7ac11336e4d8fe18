"""Compiled code is never older than the sources, whichever file of the package has changed."""

import importlib
import os
import pkgutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba import config
from numba.core.dispatcher import Dispatcher

from mavton_lite.compiled import UNUSED_S, kept_compiled
from mavton_lite.data import atelier

CALLER = "from numba import njit\nfrom tiny.callee import grow\n@njit(cache=True)\ndef f(x):\n    return grow(x)\n"
CALLEE = "from numba import njit\n@njit(cache=True)\ndef grow(x):\n    return x + {step}\n"
INIT = """from pathlib import Path
from mavton_lite.compiled import kept_compiled
with kept_compiled(Path(__file__).parent) as folder:
    from tiny.caller import f
"""
ASK = "import tiny; print(tiny.f(10), sum(tiny.f.stats.cache_hits.values()), tiny.folder)"


@pytest.fixture
def tiny(tmp_path) -> Path:
    """A package of one compiled function that calls another, of another file."""
    package = tmp_path / "tiny"
    package.mkdir()
    for name, text in {"__init__": INIT, "caller": CALLER, "callee": CALLEE.format(step=1)}.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    return package


def start(package: Path) -> subprocess.Popen:
    here = os.pathsep.join([str(package.parent), str(Path(atelier.__file__).parents[3])])
    env = os.environ | {"PYTHONPATH": here, "XDG_CACHE_HOME": str(package.parent / "cache")}
    env.pop("NUMBA_CACHE_DIR", None)
    return subprocess.Popen([sys.executable, "-c", ASK], env=env, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen) -> tuple[int, int, Path]:
    """What it worked out, how often it took compiled code from the disk, and where that is kept."""
    out, _ = process.communicate(timeout=100)
    value, hits, folder = out.split(maxsplit=2)
    return int(value), int(hits), Path(folder.strip())


def test_a_changed_callee_of_another_file_is_noticed(tiny):
    first = [start(tiny), start(tiny)]  # at once, in one empty folder
    value, _, folder = answer(first[0])
    assert value == 11 and answer(first[1])[0] == 11
    assert folder.parent == tiny / "__pycache__"
    assert answer(start(tiny)) == (11, 1, folder)
    (tiny / "callee.py").write_text(CALLEE.format(step=5), encoding="utf-8")
    value, hits, other = answer(start(tiny))
    assert (value, hits) == (15, 0) and other != folder


def test_sources_that_cannot_be_written_beside_use_the_cache_of_the_user(tiny):
    (tiny / "__pycache__").write_text("no folder", encoding="utf-8")
    value, _, folder = answer(start(tiny))
    assert value == 11 and folder.parent == tiny.parent / "cache" / "mavton_lite"
    assert answer(start(tiny)) == (11, 1, folder)


def test_where_nothing_can_be_written_the_folder_is_of_the_process(tiny, monkeypatch):
    (tiny / "__pycache__").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tiny / "__pycache__"))
    monkeypatch.setattr(config, "CACHE_DIR", "")
    with kept_compiled(tiny) as folder:
        assert folder.is_dir() and tiny not in folder.parents


def test_only_folders_that_nobody_used_lately_go(tiny, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "")
    cache = tiny / "__pycache__"
    for name, age_s in {"numba-old": 2 * UNUSED_S, "numba-young": UNUSED_S / 2, "another": 2 * UNUSED_S}.items():
        (cache / name).mkdir(parents=True)
        (cache / name / "code.nbc").touch()
        os.utime(cache / name, (time.time() - age_s,) * 2)
    with kept_compiled(tiny) as folder:
        assert sorted(p.name for p in cache.iterdir()) == sorted(["another", folder.name, "numba-young"])
    os.utime(cache / "numba-young", (0, 0))
    with kept_compiled(tiny) as again:  # known sources: nothing to clean, the folder is in use again
        assert again == folder and (cache / "numba-young").is_dir()


def test_a_setting_of_numba_is_followed_and_given_back(tiny, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tiny.parent / "elsewhere"))
    with kept_compiled(tiny) as folder:
        assert folder.parent == tiny.parent / "elsewhere" and str(folder) == config.CACHE_DIR
    assert str(tiny.parent / "elsewhere") == config.CACHE_DIR


def test_every_compiled_function_of_the_atelier_is_kept_so():
    names = [m.name for m in pkgutil.iter_modules(atelier.__path__)]
    modules = [importlib.import_module(f"{atelier.__name__}.{name}") for name in names]
    compiled = {f for module in modules for f in vars(module).values() if isinstance(f, Dispatcher)}
    assert len(compiled) > 40
    folders = {Path(f.stats.cache_path).parent.name for f in compiled}
    assert len(folders) == 1 and folders.pop().startswith("numba-")
