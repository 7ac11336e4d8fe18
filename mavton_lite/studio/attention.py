"""The attention explorer: what one gate of one skip makes of one example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.plots.attention import enlarge, gate, limits
from mavton_lite.plots.colours import heat_over


@dataclass(frozen=True)
class Gaze:
    """Which example and which skip is looked at; level 1 is the widest skip, at half the picture's side."""

    example: int = 0
    level: int = 1


def look(state: Gaze, pictures: Tensor, maps: Mapping[str, Tensor], height: int = 384) -> np.ndarray:
    """The try-on, the spatial gate's map over it, and the channel gate's weights as bars, side by side.

    The heat runs over the `limits` of the level in all examples; bars are sorted, longest on top, the thin line is 0.5.
    Shape: pictures (B, 3, H, W) in [0, 1] -> (height, about 2.2 height, 3) uint8.
    """
    size = (height, round(height * pictures.shape[3] / pictures.shape[2]))
    large = F.interpolate(pictures[state.example][None].float(), size, mode="bilinear", align_corners=False)
    picture = large[0].permute(1, 2, 0).clamp(0, 1).cpu().numpy()  # (height, width, 3)
    whole = gate(maps, state.level, "spatial")
    heat = enlarge(whole[state.example, 0].float().cpu().numpy(), size)
    over = heat_over(picture, heat, *limits(whole.float().cpu().numpy()))
    weights = gate(maps, state.level, "channel")[state.example].flatten()
    gap = np.ones((height, height // 32, 3))
    row = np.concatenate([picture, gap, over, gap, bars(weights, (height, picture.shape[1]))], 1)
    return np.floor(np.clip(row, 0, 1) * 255 + 0.5).astype(np.uint8)


def bars(weights: Tensor, size: tuple[int, int]) -> np.ndarray:
    """Weights in (0, 1) as horizontal bars, longest on top, a line at 0.5.   Shape: (C,) -> (*size, 3) in [0, 1]."""
    height, width = size
    ordered = torch.sort(weights.flatten(), descending=True).values.cpu().numpy()
    rows = ordered[np.arange(height) * len(ordered) // height]  # (height,)
    filled = (np.arange(width)[None] + 0.5) / width < rows[:, None]
    out = np.where(filled[..., None], np.array([0.0, 0.447, 0.698]), 0.93)
    out[:, width // 2] = 0.25
    return out
