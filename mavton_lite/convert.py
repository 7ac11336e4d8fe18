"""`mavton convert`: files of CP-VTON's own training, gmm_final.pth and tom_final.pth, as a model of this project."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from mavton_lite import checkpoint, files
from mavton_lite.config import PAPER, Profile, as_dict
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.cpvton import TOM
from mavton_lite.models.gmm import GMM
from mavton_lite.models.tryon import TryOnPipeline

LICENCE = (
    "of whoever trained them: CP-VTON's code is MIT (Copyright (c) 2018 Bochao Wang), the VITON pictures it is trained "
    "on may not be redistributed, and published weights often come without a licence; ask before you pass this file on"
)
_COUNTER = "num_batches_tracked"  # of batch norm; unused here, and not in files of torch before 0.4.1
_SHOWN = 3

Network = TypeVar("Network", GMM, TOM)


def convert(gmm: Path, tom: Path | None, out: Path, profile: Profile = PAPER) -> Path:
    """Write `out`, a safetensors file, and its card beside it; without `tom` the matching module alone.

    `mavton tryon --model`, `mavton evaluate` and `zoo.load_released(out.stem, folder=out.parent)` read it.
    Returns the card's path.
    Raises: ValueError naming the file, what was found and what was wanted.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise ValueError(f"{out}: found the ending {out.suffix!r}, wanted a name such as cpvton.safetensors")
    matching = read_original(gmm, build_gmm(profile))
    networks: dict[str, nn.Module] = {"gmm": matching}
    ready: nn.Module = matching
    if tom is not None:
        networks["tom"] = painting = read_original(tom, build_tom(profile))
        ready = TryOnPipeline(matching, painting, profile.person, profile.reading)
    weights = checkpoint.save_tensors(out, ready.state_dict())
    files = {"gmm": Path(gmm)} | ({"tom": Path(tom)} if tom else {})
    card = {
        "name": out.stem,
        "about": f"CP-VTON's own {'try-on model' if tom else 'geometric matching module'}, converted",
        "experiment": "cp_vton" if tom else "gmm",
        "gate": "none",
        "adversarial": False,
        "profile": as_dict(profile),
        "source": {k: {"file": p.name, "sha256": checkpoint.file_digest(p)} for k, p in files.items()},
        "parameters": {stage: sum(p.numel() for p in network.parameters()) for stage, network in networks.items()},
        "sha256": checkpoint.file_digest(weights),
        "precision": "float32",
        "metrics": {},
        "licence": LICENCE,
    }
    return checkpoint.write_json(out.with_suffix(".json"), card)


def read_original(path: Path, network: Network) -> Network:
    """Fill a network with a state dict that CP-VTON's code saved, and return it in evaluation mode.

    Every tensor must be there under CP-VTON's name and in the network's shape; no index is reordered, because the
    network counts positions and control points as CP-VTON does.
    Source: CP-VTON's networks.py.   Raises: ValueError naming the file, what was found and what was wanted.
    """
    path, own, names = Path(path), network.state_dict(), original_names(network)
    published = _state_dict(path)
    wanted = {names[k]: v for k, v in own.items()}
    wrong = [
        f"found {k} {tuple(published[k].shape)}, wanted {tuple(v.shape)}"
        for k, v in wanted.items()
        if k in published and published[k].shape != v.shape
    ]
    missing = [k for k in wanted if k not in published and not k.endswith(_COUNTER)]
    wrong += [f"found no {k}, wanted one {tuple(wanted[k].shape)}" for k in missing]
    wrong += [f"found {k} {tuple(v.shape)}, wanted none" for k, v in published.items() if k not in wanted]
    if not wrong:  # before their shapes are right, nobody knows how large they are
        wrong = [f"found {k} that is not finite" for k, v in published.items() if not v.isfinite().all()]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        kind = "try-on network" if isinstance(network, TOM) else "geometric matching module"
        raise ValueError(f"{path}: no {kind} of CP-VTON: {'; '.join(wrong[:_SHOWN])}{more}")
    network.load_state_dict({k: published.get(names[k], torch.zeros_like(v)) for k, v in own.items()})
    return network.eval()


def original_names(network: GMM | TOM) -> dict[str, str]:
    """CP-VTON's name of every tensor of a network: own name -> the original's."""
    places = _tom_places(network) if isinstance(network, TOM) else _GMM_PLACES
    names = {}
    for own in network.state_dict():
        place = next(p for p in places if own.startswith(f"{p}."))
        names[own] = places[place] + own[len(place) :]
    return names


_GMM_PLACES = {"person": "extractionA.model", "cloth": "extractionB.model", "regression": "regression"}


def _tom_places(network: TOM) -> dict[str, str]:
    """Convolution -> its place in CP-VTON's blocks: [activation, down, norm, inner block, ReLU, enlarge, up, norm]."""
    downs = network.unet.downs
    block, places = "model", {}
    for level in range(downs):
        outermost, innermost = level == 0, level == downs - 1
        places[f"unet.down.{level}"] = f"{block}.model.{0 if outermost else 1}"
        places[f"unet.up.{downs - 1 - level}"] = f"{block}.model.{4 if outermost or innermost else 6}"
        block = f"{block}.model.{1 if outermost else 3}"
    return places


def _state_dict(path: Path) -> dict[str, Tensor]:
    wanted = "wanted what torch.save(network.state_dict(), ...) writes"
    size = files.regular(path, "wanted a state dict such as gmm_final.pth").stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > size:  # torch.save packs nothing
            raise ValueError(f"{path}: found {unpacked:,} bytes packed into {size:,}, {wanted}")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)  # never runs code of the file
    except Exception as error:  # a broken file can fail anywhere in the reader
        raise ValueError(f"{path}: found no file of plain tensors ({_first_line(error)}), {wanted}") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{path}: found a {type(found).__name__}, {wanted}")
    for key, value in found.items():
        if not isinstance(key, str) or not torch.is_tensor(value):
            raise ValueError(f"{path}: found {key!r}, which holds a {type(value).__name__} and no tensor, {wanted}")
    return {k.removeprefix("module."): v for k, v in found.items()}  # "module.": saved from nn.DataParallel


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
