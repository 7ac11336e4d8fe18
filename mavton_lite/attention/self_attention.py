"""Self- and cross-attention: every place asks all others, and takes from each in proportion to how well it answers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mavton_lite.attention.base import AttentionMap


def scaled_dot_product(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax(Q Kᵀ / sqrt(d)) V, and the weights: each query's mean of the values, weighted by similarity.

    Source: Vaswani et al. 2017, eq. 1; thesis (2-7), with a row for each of its columns.
    Shape: (..., N, d), (..., M, d), (..., M, e) -> (..., N, e), (..., N, M); a row of weights sums to 1.
    Raises: ValueError when queries and keys differ in width, or keys and values in number.
    """
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"queries and keys want one width, got {query.shape[-1]} and {key.shape[-1]}")
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(f"every key wants one value, got {key.shape[-2]} keys and {value.shape[-2]} values")
    weights = alignment(query, key)
    return weights @ value, weights


def alignment(query: Tensor, key: Tensor) -> Tensor:
    """The connection weights α: softmax over the keys of the scaled products s(k, q) = k · q / sqrt(d).

    Source: thesis (2-7).   Shape: (..., N, d), (..., M, d) -> (..., N, M).
    """
    return (query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])).softmax(-1)


class AttentionMatrix(AttentionMap):
    """The weights of one attention as a module of its own, so that `record` sees them.

    Differs: not a map to multiply by, but a matrix; each row says where one query takes its values from.
    Source: thesis (2-7).   Shape: (B, heads, N, d), (B, heads, M, d) -> (B, heads, N, M).
    Raises: ValueError when queries or keys are not (B, heads, places, d) of one width.
    """

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        for name, x in (("queries", query), ("keys", key)):
            if x.ndim != 4 or x.shape[-1] != self.channels:
                raise ValueError(f"AttentionMatrix wants {name} (B, heads, N, {self.channels}), got {tuple(x.shape)}")
        return alignment(query, key)


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each on its own projection; their results are joined and mixed once more.

    With `memory` the queries come from `x` and keys and values from `memory` (cross-attention), else all from `x`.
    The map is recorded as `<name>.map`.
    Source: Vaswani et al. 2017, section 3.2.2; thesis (2-6) Q = W_Q X, K = W_K X, V = W_V X, then (2-7) in each head.
    Differs: biases, as in `nn.MultiheadAttention`, to which it is equal.
    Shape: (B, N, width), (B, M, memory_width) -> (B, N, width).
    Raises: ValueError when the width does not divide into the heads, or an input is not (B, places, width).
    """

    def __init__(self, width: int, heads: int = 1, memory_width: int | None = None):
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"a width of {width} does not divide into {heads} heads")
        self.width, self.heads = width, heads
        self.memory_width = memory_width or width
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(self.memory_width, width)
        self.value = nn.Linear(self.memory_width, width)
        self.out = nn.Linear(width, width)
        self.map = AttentionMatrix(width // heads)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        self._check("x", x, self.width)
        memory = x if memory is None else memory
        self._check("memory", memory, self.memory_width)
        if len(memory) != len(x):
            raise ValueError(f"x and memory want one batch size, got {len(x)} and {len(memory)}")
        q, k, v = self._split(self.query(x)), self._split(self.key(memory)), self._split(self.value(memory))
        mixed = self.map(q, k) @ v  # (B, heads, N, width / heads)
        return self.out(mixed.transpose(1, 2).flatten(2))  # (B, N, width)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, heads, N, width / heads)

    def _check(self, name: str, x: Tensor, width: int) -> None:
        if x.ndim != 3 or x.shape[2] != width:
            raise ValueError(f"MultiHeadAttention wants {name} (B, places, {width}), got {tuple(x.shape)}")


class ResidualSelfAttention(nn.Module):
    """Self-attention between the places of a feature map, added to it: x + g * attention(x), g learnt, 0 at first.

    Source: Zhang et al. 2019 (SAGAN), eq. 3.   Differs: `MultiHeadAttention` in place of its 1 x 1 convolutions.
    Shape: (B, C, H, W) -> same.   Raises: ValueError as `MultiHeadAttention` does.
    """

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.attention = MultiHeadAttention(channels, heads)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.attention(tokens(x))  # (B, H W, C)
        return x + self.scale * mixed.transpose(1, 2).unflatten(2, x.shape[2:])


def from_torch(module: nn.MultiheadAttention) -> MultiHeadAttention:
    """PyTorch's own module, with its weights, as one whose map can be recorded.

    Raises: ValueError for options that `MultiHeadAttention` has not: dropout, no bias, added keys, other widths.
    """
    if module.dropout or module.in_proj_bias is None or module.bias_k is not None or module.add_zero_attn:
        raise ValueError("wanted nn.MultiheadAttention with biases, and without dropout or added keys")
    if not module._qkv_same_embed_dim or not module.batch_first:
        raise ValueError("wanted nn.MultiheadAttention with batch_first=True and one width for queries, keys, values")
    ours = MultiHeadAttention(module.embed_dim, module.num_heads).to(module.in_proj_weight)  # its device and precision
    with torch.no_grad():
        for i, layer in enumerate((ours.query, ours.key, ours.value)):
            layer.weight.copy_(module.in_proj_weight.chunk(3)[i])
            layer.bias.copy_(module.in_proj_bias.chunk(3)[i])
        ours.out.load_state_dict(module.out_proj.state_dict())
    return ours


def tokens(features: Tensor) -> Tensor:
    """A feature map as a sequence, row after row: one place, one token.   Shape: (B, C, H, W) -> (B, H W, C)."""
    if features.ndim != 4:
        raise ValueError(f"wanted a feature map (B, C, H, W), got {tuple(features.shape)}")
    return features.flatten(2).transpose(1, 2)


def sine_positions(height: int, width: int, channels: int) -> Tensor:
    """Where each token of a map is: sines and cosines of its row, then of its column, at falling frequencies.

    Source: Vaswani et al. 2017, section 3.5, once for each axis.   Shape: -> (H W, channels).
    Raises: ValueError when `channels` is not a multiple of 4.
    """
    if channels % 4:
        raise ValueError(f"positions want a multiple of 4 channels, got {channels}")
    rate = torch.exp(torch.arange(channels // 4) * (-math.log(100.0) / max(1, channels // 4 - 1)))  # (channels / 4,)
    y, x = torch.meshgrid(torch.arange(height) * 1.0, torch.arange(width) * 1.0, indexing="ij")
    angles = [axis.flatten()[:, None] * rate for axis in (y, x)]  # 2 x (H W, channels / 4)
    return torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], 1)
