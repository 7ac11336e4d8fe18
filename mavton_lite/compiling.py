"""`torch.compile` where it pays: on a GPU that has its compiler."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.utils._triton import has_triton


def compile_on_gpu(networks: Iterable[nn.Module], device: torch.device) -> bool:
    """Have networks compiled at their first call, in place: names of weights and classes stay. Were they?

    Nothing happens on a CPU, where a training step gains nothing by it, and on a GPU without Triton.
    """
    if device.type != "cuda" or not has_triton():
        return False
    # how hard each term pulls is measured by several backward passes through one graph, whose memory must stay
    torch._functorch.config.donated_buffer = False
    for network in networks:
        network.compile()
    return True
