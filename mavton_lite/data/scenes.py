"""Cluttered scenes: one whole garment somewhere on a canvas among scraps of others. Where is it, and what is it?"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.data.lessons import SPLITS, Garments, garment_pictures


class Scenes(NamedTuple):
    """Square pictures with one garment each.   Shape: n scenes of S x S pixels."""

    pictures: Tensor  # (n, 3, S, S) float32 in [-1, 1]
    masks: Tensor  # (n, 1, S, S) float32, share of the pixel that is the whole garment
    centres: Tensor  # (n, 2) float32, (x, y) of the garment's middle, corner-aligned [-1, 1]
    labels: Tensor  # (n,) int64, as given


def cluttered_scenes(
    garments: Garments, labels: Tensor, n: int, side: int = 96, high_px: int = 48, scraps: int = 12, seed: int = 0
) -> Scenes:
    """`n` scenes, the garments in turn, each `high_px` high, at a random place and wholly visible.

    Scraps are squares of 1/13 to 1/6 of the canvas's side cut from other garments; the ground runs from one colour to
    another.
    Source: the cluttered MNIST of Mnih et al. 2014, with garments.
    Raises: ValueError when labels and garments differ in number, or the canvas is smaller than a garment.
    """
    count, _, rows_px, columns_px = garments.pictures.shape
    height, width = high_px, high_px * columns_px // rows_px
    if labels.shape != (count,):
        raise ValueError(f"wanted one label a garment, got {tuple(labels.shape)} for {count} garments")
    if side < max(height, width) or n < 1:
        raise ValueError(f"wanted n >= 1 and a canvas of at least {max(height, width)} px, got {n} and {side} px")
    flat, cover = (F.interpolate(t, (height, width), mode="area") for t in (garments.pictures, garments.masks))
    dice = torch.Generator().manual_seed(seed)

    def integers(low: int, high: int) -> Tensor:  # (n,), high included
        return torch.randint(low, high + 1, (n,), generator=dice)

    top, bottom = torch.rand(2, n, 3, 1, 1, generator=dice) * 0.6 + 0.1
    pictures = torch.lerp(top, bottom, torch.linspace(0, 1, side).view(1, 1, side, 1)).repeat(1, 1, 1, side)
    masks = torch.zeros(n, 1, side, side)

    def paste(which: Tensor, source: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], size: tuple[int, int]):
        """Blocks of `size` from (y, x) of the garments to (y, x) of the scenes."""
        rows, columns = torch.arange(size[0])[None, :, None], torch.arange(size[1])[None, None]
        y, x = source[0][:, None, None] + rows, source[1][:, None, None] + columns
        to = (torch.arange(n)[:, None, None], slice(None), target[0][:, None, None] + rows,
              target[1][:, None, None] + columns)  # fmt: skip
        part, share = (t[which[:, None, None], :, y, x] for t in (flat, cover))
        pictures[to] = part + (1 - share) * (pictures[to] - 1)  # the flat lay's white ground (1) gives way
        return to, share

    for size in torch.linspace(side / 13, side / 6, scraps).round().int().tolist():
        cut = (integers(height // 6, height - height // 6 - size), integers(width // 9, width - width // 9 - size))
        paste(integers(0, count - 1), cut, (integers(0, side - size), integers(0, side - size)), (size, size))
    y, x, zero = integers(0, side - height), integers(0, side - width), torch.zeros(n, dtype=torch.long)
    which = torch.arange(n) % count
    to, share = paste(which, (zero, zero), (y, x), (height, width))
    masks[to] = share
    centres = torch.stack([x + (width - 1) / 2, y + (height - 1) / 2], 1) / (side - 1) * 2 - 1
    return Scenes(pictures, masks, centres, labels[which])


def drawn_scenes(garments: tuple[int, int], scenes: tuple[int, int]) -> tuple[tuple[Garments, ...], tuple[Scenes, ...]]:
    """Garments of the training and the test split, and scenes made of each, labelled by sleeve.

    Both counts are (train, test).
    """
    drawn = tuple(garment_pictures(n, 48, 36, split) for n, split in zip(garments, SPLITS, strict=True))
    made = (cluttered_scenes(g, g.sleeve, n, seed=s) for s, (g, n) in enumerate(zip(drawn, scenes, strict=True)))
    return drawn, tuple(made)
