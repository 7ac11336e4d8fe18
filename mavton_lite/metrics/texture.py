"""Is the garment's texture as sharp as it is in truth, or smeared? Pictures in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.metrics.image import region_mean
from mavton_lite.metrics.regions import grow

INSIDE_PX = 2  # this far from the garment's outline: the outline's own edge is not texture
FLOOR = 1 / 255  # a grey level: gradients of plain cloth are rounding


def gradient(pictures: Tensor) -> Tensor:
    """Length of the gradient of the luma, central differences, 0 at the borders.

    Luma: 0.299 R + 0.587 G + 0.114 B (Rec. 601).   Shape: (B, 3, H, W) -> (B, 1, H, W), per px.
    Raises: ValueError for another shape.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3:
        raise ValueError(f"gradient wants pictures (B, 3, H, W), got {tuple(pictures.shape)}")
    luma = torch.einsum("c,bchw->bhw", pictures.new_tensor([0.299, 0.587, 0.114]), pictures)
    steep = torch.zeros_like(luma)
    across = (luma[:, 1:-1, 2:] - luma[:, 1:-1, :-2]) / 2
    along = (luma[:, 2:, 1:-1] - luma[:, :-2, 1:-1]) / 2
    steep[:, 1:-1, 1:-1] = torch.hypot(across, along)
    return steep.unsqueeze(1)


def sharpness(made: Tensor, truth: Tensor, garment: Tensor) -> Tensor:
    """Whether the garment is drawn as sharply as in truth: 0 as sharp, -1 half, +1 twice; NaN where too little shows.

    log2 of (g(made) + f) / (g(truth) + f), g the mean over G' of the luma's gradient length, G' the pixels of the true
    garment at least `INSIDE_PX` from anything else, f = `FLOOR`. It says how much texture there is, not whether it is
    in the right place, which is SSIM's to say.
    Shape: (B, 3, H, W) in [0, 1] twice, garment (B, 1, H, W) bool -> (B,).
    """
    inner = ~grow(~garment, INSIDE_PX)
    drawn, wanted = (region_mean(gradient(p), inner) for p in (made, truth))
    return torch.log2((drawn + FLOOR) / (wanted + FLOOR))
