"""Every network of a profile: how large, how much work, what for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mavton_lite.attention import GATES
from mavton_lite.config import Profile
from mavton_lite.models.build import (
    build_coarse,
    build_discriminator,
    build_gmm,
    build_parser,
    build_refinement,
    build_tom,
)
from mavton_lite.models.gmm import PERSON_CHANNELS

_GATE_PURPOSE = {
    "se": "CP-VTON with squeeze-excitation on every skip",
    "eca": "CP-VTON with efficient channel attention on every skip",
    "channel": "ablation: channel attention alone on every skip",
    "spatial": "ablation: spatial attention alone on every skip",
    "cbam": "the thesis's MA-UNet: channel, then spatial attention on every skip",
}


@dataclass(frozen=True)
class NetworkRow:
    """One line of `mavton models`."""

    name: str
    parameters: int
    multiply_adds: int  # of one forward pass of one example
    purpose: str


def count_parameters(network: nn.Module) -> int:
    """How many numbers are trained (buffers, such as the spline's constants, are not)."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def count_multiply_adds(network: nn.Module, *shapes: tuple[int, ...]) -> int:
    """Multiplications, each with its addition, in one forward pass on inputs of these shapes.

    Counted: convolutions and matrix products, by torch's own counter, which says 2 for each such pair; not counted:
    activations, norms, pooling and resampling. Nothing is computed: the network is moved to the meta device, which
    makes it useless afterwards.
    """
    network = network.to("meta").eval()
    inputs: list[Tensor] = [torch.empty(shape, device="meta") for shape in shapes]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return counter.get_total_flops() // 2


def summarise(profile: Profile) -> list[NetworkRow]:
    """Every network of the profile, one row each: in the order an example meets them, then VITON's, then the parser."""
    height, width = profile.size

    def pictures(*channels: int) -> list[tuple[int, ...]]:
        return [(1, c, height, width) for c in channels]

    def row(name: str, network: nn.Module, shapes: list[tuple[int, ...]], purpose: str) -> NetworkRow:
        return NetworkRow(name, count_parameters(network), count_multiply_adds(network, *shapes), purpose)

    inputs = pictures(PERSON_CHANNELS, 3, 1)
    rows = [
        row("GMM", build_gmm(profile), inputs, "bends the flat garment onto the person (all models)"),
        row("TOM", build_tom(profile), inputs, "CP-VTON: paints the person and lays the garment on"),
    ]
    for gate in GATES:
        if gate != "none":
            name = "MA-UNet" if gate == "cbam" else f"TOM + {gate}"
            rows.append(row(name, build_tom(profile, gate), inputs, _GATE_PURPOSE[gate]))
    discriminator = build_discriminator(profile)
    shapes = pictures(discriminator.in_channels)
    rows.append(row("PatchGAN", discriminator, shapes, "joint loss: judges patches of the try-on (training only)"))
    coarse, refinement = build_coarse(profile), build_refinement(profile)
    rows.append(row("VITON, coarse", coarse, inputs[:2], "VITON: paints a coarse try-on and the garment's mask"))
    rows.append(row("VITON, refine", refinement, pictures(3, 3), "VITON: how much of the bent garment to lay over it"))
    rows.append(row("parser", build_parser(profile), pictures(3), "names the parts of a photograph"))
    return rows
