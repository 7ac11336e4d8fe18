"""`AttentionMap`: a gate that returns its map; `Gate`: multiplies; `record`: hooks that show every map of a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class AttentionMap(nn.Module):
    """A module whose `forward(x)` returns a map with values in (0, 1) that broadcasts against `x`.

    The map is returned, not applied: `Gate` applies it and `record` shows it. Self-attention's `AttentionMatrix` is the
    exception: its map is a matrix of weights that values are averaged with.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels

    def check(self, x: Tensor) -> None:
        """Raises: ValueError when `x` is not (B, channels, H, W)."""
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(f"{type(self).__name__} wants (B, {self.channels}, H, W), got {tuple(x.shape)}")


class Gate(nn.Module):
    """Attention maps applied in series: `x <- x * map(x)` for each.

    Shape: (B, C, H, W) -> same.   Names: the keywords, in order; they are the names `record` shows.
    """

    def __init__(self, **maps: AttentionMap):
        super().__init__()
        for name, attention in maps.items():
            self.add_module(name, attention)

    def forward(self, x: Tensor) -> Tensor:
        for attention in self.children():
            x = x * attention(x)
        return x


@contextmanager
def record(module: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The map of every `AttentionMap` inside `module`, by qualified name, as of its last call; hooks go on leaving.

    Shape: name -> what that map returned, detached; names like `unet.gates.level1.spatial`.

        with record(network) as maps:
            network(x)
        maps["unet.gates.level1.spatial"]  # (B, 1, H / 2, W / 2)
    """
    maps: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(_module, _inputs, output: Tensor) -> None:
            maps[name] = output.detach()

        return hook

    found = [(n, m) for n, m in module.named_modules() if isinstance(m, AttentionMap)]
    handles = [m.register_forward_hook(keep(n)) for n, m in found]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()
