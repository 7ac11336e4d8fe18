"""The simplest warp between two masks: lay middle on middle and stretch height and width to fit."""

from __future__ import annotations

from torch import Tensor

from mavton_lite.warp.tps import pixel_grid


def affine_between(source_mask: Tensor, target_mask: Tensor, height: int, width: int) -> Tensor:
    """Shift and scale, each axis on its own, that give `source_mask` the mean and the spread of `target_mask`.

    No turn and no shear: of two garments that both hang, their moments tell little about either.
    Shape: (B, 1, h, w), (B, 1, h', w') in [0, 1] -> (B, height, width, 2) float32, (x, y) in corner-aligned [-1, 1],
    for `resample`.   Raises: ValueError for an empty mask.
    """
    (there, there_spread), (here, here_spread) = _moments(source_mask), _moments(target_mask)
    at = pixel_grid(height, width).to(source_mask.device)
    return ((at - here) / here_spread * there_spread + there).float()


def _moments(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the places of a mask.   Shape: (B, 1, h, w) -> (B, 1, 1, 2) each."""
    weight = mask[:, 0, ..., None].double()  # (B, h, w, 1)
    total = weight.sum((1, 2), keepdim=True)
    if (total <= 0).any():
        empty = total.flatten().le(0).nonzero().flatten().tolist()
        raise ValueError(f"found no garment in mask {', '.join(map(str, empty))}, wanted one in each")
    at = pixel_grid(*mask.shape[2:]).to(mask.device)  # (h, w, 2)
    mean = (weight * at).sum((1, 2), keepdim=True) / total
    spread = (weight * (at - mean).square()).sum((1, 2), keepdim=True).div(total).sqrt()
    return mean, spread.clamp_min(1e-6)
