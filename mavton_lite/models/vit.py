"""Vision transformers: a picture cut into patches that attend to one another, and to those of a second picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mavton_lite.attention.self_attention import AttentionMatrix, MultiHeadAttention, sine_positions, tokens


class PatchEmbedding(nn.Module):
    """Every patch becomes one token; `positions` tells each token where it lies.

    Source: Dosovitskiy et al. 2021, eq. 1.   Differs: positions are sines, fixed, so that few pictures suffice.
    Shape: (B, C, H, W) -> (B, H W / patch**2, width).
    Raises: ValueError when the pictures have another size.
    """

    def __init__(self, channels: int, size: tuple[int, int], patch: int, width: int, positions: bool = True):
        super().__init__()
        if size[0] % patch or size[1] % patch:
            raise ValueError(f"pictures of {size[0]} x {size[1]} do not divide into patches of {patch}")
        self.channels, self.size = channels, tuple(size)
        self.grid = size[0] // patch, size[1] // patch
        self.project = nn.Conv2d(channels, width, patch, stride=patch)
        where = sine_positions(*self.grid, width) if positions else torch.zeros(self.grid[0] * self.grid[1], width)
        self.positions: Tensor
        self.register_buffer("positions", where, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or tuple(x.shape[1:]) != (self.channels, *self.size):
            wanted = f"(B, {self.channels}, {self.size[0]}, {self.size[1]})"
            raise ValueError(f"PatchEmbedding wants {wanted}, got {tuple(x.shape)}")
        return tokens(self.project(x)) + self.positions  # (B, N, width)


class Block(nn.Module):
    """One layer: tokens take from each other, then each thinks on its own; both are added to what it was.

    Source: Dosovitskiy et al. 2021, eqs. 2 and 3 (norm first).   Shape: (B, N, width) -> same.
    """

    def __init__(self, width: int, heads: int, expansion: int = 2):
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads)
        hidden = expansion * width
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.before_attention(x))
        return x + self.mlp(self.before_mlp(x))


class ViT(nn.Module):
    """Patches, positions, blocks, norm: one token out for every patch.

    Source: Dosovitskiy et al. 2021, eqs. 1 to 3.   Differs: no class token; average the tokens to classify.
    Shape: (B, C, H, W) -> (B, H W / patch**2, width).
    Raises: ValueError as `PatchEmbedding` does.
    """

    def __init__(self, channels: int, size: tuple[int, int], patch: int = 4, width: int = 48, depth: int = 1,
                 heads: int = 4, positions: bool = True):  # fmt: skip
        super().__init__()
        self.embedding = PatchEmbedding(channels, size, patch, width, positions)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedding(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Fetcher(nn.Module):
    """Cross-attention from a person to a garment: every patch of the person says which garment patches it takes from.

    Queries are the person's tokens, keys the garment's; values are whatever lies on the garment's patches, unchanged
    (W_V = 1), so that what comes out can only have come from the garment. The heads' results are averaged. The map is
    recorded as `map`.
    Source: thesis (2-6) for Q and K, (2-7) in each head.
    Shape: person (B, Cp, H, W), garment (B, Cg, H, W), values (B, N, E) -> (B, N, E) with N = H W / patch**2.
    Raises: ValueError when there is not one value a garment patch, or as `ViT` does.
    """

    def __init__(self, person_channels: int, garment_channels: int, size: tuple[int, int], patch: int = 4,
                 width: int = 48, depth: int = 1, heads: int = 4, positions: bool = True):  # fmt: skip
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} does not divide into {heads} heads")
        self.heads = heads
        self.person = ViT(person_channels, size, patch, width, depth, heads, positions)
        self.garment = ViT(garment_channels, size, patch, width, depth, heads, positions)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.map = AttentionMatrix(width // heads)

    def forward(self, person: Tensor, garment: Tensor, values: Tensor) -> Tensor:
        asked, offered = self.query(self.person(person)), self.key(self.garment(garment))
        if values.ndim != 3 or values.shape[:2] != offered.shape[:2]:
            raise ValueError(f"Fetcher wants values {(*offered.shape[:2], 'E')}, got {tuple(values.shape)}")
        weights = self.map(self._split(asked), self._split(offered))  # (B, heads, N, N)
        return (weights @ values[:, None]).mean(1)  # (B, N, E)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, heads, N, width / heads)
