"""`layer_table`: every layer of the networks that MA-VTON trains, as hooks saw it in one forward pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from mavton_lite.attention import AttentionMap
from mavton_lite.config import Profile
from mavton_lite.models.build import build_discriminator, build_gmm, build_tom
from mavton_lite.models.gmm import PERSON_CHANNELS
from mavton_lite.models.summary import count_parameters


def layer_table(profile: Profile, gate: str = "cbam") -> pd.DataFrame:
    """Convolutions, linear layers and attention maps of GMM, MA-UNet and PatchGAN, in the order an example meets them.

    Thesis 4.2. Columns: network, layer (its name in the module), what it does, output (C x H x W), parameters. What has
    no parameters (activations, instance norm, resampling, the correlation) is not listed; batch norms are counted with
    the layer before them, so that the column adds up to the network.   Raises: ValueError for an unknown gate.
    """
    pictures: list[tuple[int, ...]] = [(1, c, *profile.size) for c in (PERSON_CHANNELS, 3, 1)]
    discriminator = build_discriminator(profile)
    networks: tuple[tuple[str, nn.Module, list[tuple[int, ...]]], ...] = (
        ("GMM", build_gmm(profile), pictures),
        ("MA-UNet" if gate == "cbam" else "TOM", build_tom(profile, gate), pictures),
        ("PatchGAN", discriminator, [(1, discriminator.in_channels, *profile.size)]),
    )
    return pd.DataFrame([{"network": name} | row for name, made, given in networks for row in _layers(made, given)])


def _layers(network: nn.Module, shapes: list[tuple[int, ...]]) -> list[dict[str, Any]]:
    network = network.to("meta").eval()
    rows: list[dict[str, Any]] = []

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            if isinstance(module, nn.BatchNorm2d):
                rows[-1]["what"] += ", batch norm"
                rows[-1]["parameters"] += count_parameters(module)
                return
            size = " × ".join(map(str, output.shape[1:]))
            rows.append({"layer": name, "what": _says(module), "output": size, "parameters": count_parameters(module)})

        return hook

    handles = [m.register_forward_hook(note(name)) for name, m in _listed(network)]
    try:
        with torch.no_grad():
            network(*(torch.empty(shape, device="meta") for shape in shapes))
    finally:
        for handle in handles:
            handle.remove()
    return rows


def _listed(network: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Layers and attention maps by name; what is inside a map belongs to it."""
    for name, child in network.named_children():
        full = f"{prefix}.{name}" if prefix else name
        if isinstance(child, (AttentionMap, nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
            yield full, child
        else:
            yield from _listed(child, full)


def _says(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        step = f", stride {module.stride[0]}" if module.stride[0] > 1 else ""
        return f"conv {module.kernel_size[0]} × {module.kernel_size[1]}{step}"
    if isinstance(module, nn.Linear):
        return "linear"
    return re.sub("(?<!^)(?=[A-Z])", " ", type(module).__name__).lower() + " on the skip"  # ChannelAttention
