"""What the exercises of notebook 09 are checked against; read it after you have tried."""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.warp import correlation


def place_of(channel: int, rows: int) -> tuple[int, int]:
    """09, exercise 1: row and column of the body that a channel of the correlation volume stands for."""
    return channel % rows, channel // rows


def place_cases() -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """09, exercise 1: (channel, rows) and the place."""
    return [((channel, rows), place_of(channel, rows)) for channel, rows in ((0, 16), (1, 16), (16, 16), (191, 16),
                                                                           (7, 4))]  # fmt: skip


def correlation_cases() -> list[tuple[tuple[Tensor, Tensor], Tensor]]:
    """09, exercise 2: two feature maps and their correlation volume."""
    dice = torch.Generator().manual_seed(0)
    sizes = ((2, 8, 4, 3), (1, 5, 2, 6))
    pairs = [(torch.randn(size, generator=dice), torch.randn(size, generator=dice)) for size in sizes]
    return [(pair, correlation(*pair)) for pair in pairs]


def offsets_of_shift(right_px: float, down_px: float, height: int, width: int, grid: int = 5) -> Tensor:
    """09, exercise 3: offsets that move the whole picture right and down.   Shape: -> (2 * grid^2,)."""
    across = torch.full((grid**2,), -2 * right_px / (width - 1))  # to move right, read further left
    along = torch.full((grid**2,), -2 * down_px / (height - 1))
    return torch.cat([across, along])


def shift_cases() -> list[tuple[tuple[float, float, int, int], Tensor]]:
    """09, exercise 3: (right, down, height, width) and the 50 offsets."""
    return [(c, offsets_of_shift(*c)) for c in ((3, 0, 128, 96), (0, 5, 128, 96), (-2, 4, 64, 48), (0, 0, 8, 6))]
