"""The head picker: what one head of one layer answers when one patch asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.data.sample import to_unit
from mavton_lite.plots.attention import enlarge
from mavton_lite.plots.colours import heat_over

# what is shown -> (end of the recorded name, who asks, who answers)
LAYERS = {
    "person asks garment": ("map", "person", "garment"),
    "person asks person": ("person.blocks.0.attention.map", "person", "person"),
    "garment asks garment": ("garment.blocks.0.attention.map", "garment", "garment"),
}
MEAN = "mean of all"
FRAME = np.array([0.0, 0.85, 0.35])


@dataclass(frozen=True)
class Question:
    """Which example, layer and head is looked at, and which patch asks."""

    example: int = 0
    layer: str = "person asks garment"
    head: int | str = MEAN
    row: int = 5
    column: int = 4


def answer(
    state: Question,
    pictures: Mapping[str, Tensor],
    maps: Mapping[str, Tensor],
    grid: tuple[int, int],
    height: int = 384,
) -> np.ndarray:
    """The asking patch framed in its picture, and beside it the weights over the picture that answers.

    Heat runs from 0 to the largest weight shown.
    Shape: pictures (B, 3, H, W) in [-1, 1] by name, maps of `record`, grid (rows, columns) of patches
    -> (height, about 1.5 height, 3) uint8.   Raises: ValueError naming a layer, head or patch that is not there.
    """
    if state.layer not in LAYERS or LAYERS[state.layer][0] not in maps:
        raise ValueError(f"no map of layer {state.layer!r}; known: {', '.join(LAYERS)}, recorded: {', '.join(maps)}")
    name, asking, answering = LAYERS[state.layer]
    weights = maps[name][state.example]  # (heads, N, M)
    if state.head != MEAN and state.head not in range(1, len(weights) + 1):
        raise ValueError(f"no head {state.head!r}; there are 1 to {len(weights)}")
    if not (0 <= state.row < grid[0] and 0 <= state.column < grid[1]):
        raise ValueError(f"no patch {state.row, state.column} on a grid of {grid[0]} x {grid[1]}")
    weights = weights.mean(0) if state.head == MEAN else weights[int(state.head) - 1]
    heat = weights[state.row * grid[1] + state.column].view(grid).cpu().numpy()
    left, right = (_large(pictures[k][state.example], height, grid) for k in (asking, answering))
    side = left.shape[0] // grid[0]
    top, start = state.row * side, state.column * side
    for inner in range(3):
        rows, columns = slice(top + inner, top + side - inner), slice(start + inner, start + side - inner)
        left[rows, [start + inner, start + side - 1 - inner]] = FRAME
        left[[top + inner, top + side - 1 - inner], columns] = FRAME
    over = heat_over(right, enlarge(heat, right.shape[:2]), 0.0, float(heat.max()))
    gap = np.ones((left.shape[0], 12, 3))
    return np.floor(np.clip(np.concatenate([left, gap, over], 1), 0, 1) * 255 + 0.5).astype(np.uint8)


def _large(picture: Tensor, height: int, grid: tuple[int, int]) -> np.ndarray:
    """About `height` tall, so that every patch has the same whole number of pixels."""
    side = max(1, height // grid[0])
    size = (side * grid[0], side * grid[1])
    return to_unit(F.interpolate(picture[None].float(), size))[0].permute(1, 2, 0).cpu().numpy().copy()
