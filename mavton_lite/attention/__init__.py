"""Attention, one idea a file; `GATES` names what a skip connection can carry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from mavton_lite.attention.base import AttentionMap, Gate, record
from mavton_lite.attention.cbam import CBAM
from mavton_lite.attention.channel import ChannelAttention, EfficientChannelAttention, SqueezeExcitation
from mavton_lite.attention.self_attention import (
    AttentionMatrix,
    MultiHeadAttention,
    ResidualSelfAttention,
    scaled_dot_product,
)
from mavton_lite.attention.spatial import SpatialAttention

__all__ = [
    "CBAM",
    "GATES",
    "AttentionMap",
    "AttentionMatrix",
    "ChannelAttention",
    "EfficientChannelAttention",
    "Gate",
    "MultiHeadAttention",
    "ResidualSelfAttention",
    "SpatialAttention",
    "SqueezeExcitation",
    "make_gate",
    "record",
    "scaled_dot_product",
]

# name -> (channels, reduction = 16, kernel = 7) -> module of the same shape in and out.
GATES: dict[str, Callable[..., nn.Module]] = {
    "none": lambda channels, reduction=16, kernel=7: nn.Identity(),
    "se": lambda channels, reduction=16, kernel=7: Gate(se=SqueezeExcitation(channels, reduction)),
    "eca": lambda channels, reduction=16, kernel=7: Gate(eca=EfficientChannelAttention(channels)),
    "channel": lambda channels, reduction=16, kernel=7: Gate(channel=ChannelAttention(channels, reduction)),
    "spatial": lambda channels, reduction=16, kernel=7: Gate(spatial=SpatialAttention(channels, kernel)),
    "cbam": lambda channels, reduction=16, kernel=7: CBAM(channels, reduction, kernel),
}


def make_gate(name: str, channels: int, reduction: int = 16, kernel: int = 7) -> nn.Module:
    """The gate of that name for `channels` channels; "spatial>channel" has the maps of both, one after the other.

    Raises: ValueError naming the known gates, or when a map comes twice.
    """
    parts = name.split(">")
    if any(part not in GATES for part in parts):
        raise ValueError(f"unknown gate {name!r}; known: {', '.join(GATES)}")
    gates = [GATES[part](channels, reduction, kernel) for part in parts]
    if len(gates) == 1:
        return gates[0]
    maps = [(kind, attention) for gate in gates for kind, attention in gate.named_children()]
    if len(dict(maps)) < len(maps):
        raise ValueError(f"gate {name!r}: a map comes twice, wanted each of {', '.join(dict(maps))} once")
    found: dict[str, Any] = dict(maps)
    return Gate(**found)
