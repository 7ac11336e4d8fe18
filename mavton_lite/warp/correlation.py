"""Compare every place of one feature map with every place of another."""

from __future__ import annotations

import torch
from torch import Tensor


def l2_normalise(features: Tensor, eps: float = 1e-6) -> Tensor:
    """Each position's feature vector divided by its length: f / sqrt(sum f^2 + eps).

    Source: CP-VTON's code.   Shape: (B, C, H, W) -> same, float32 also under autocast.
    """
    features = features.float()
    return features * (features.square().sum(1, keepdim=True) + eps).rsqrt()


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of all pairs of positions: the channel says where in `a`, the pixel says where in `b`.

    out[:, x * H + y, i, j] = <a[:, :, y, x], b[:, :, i, j]>: positions of `a` are counted column by column, as in
    CP-VTON's code, so that its weights fit.   Source: CP-VTON, section 3.1; Rocco et al. 2017.
    Shape: (B, C, H, W), (B, C, H, W) -> (B, W * H, H, W).   Raises: ValueError when the shapes differ.
    """
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(f"correlation wants two (B, C, H, W) of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    batch, _, height, width = a.shape
    where_a = a.transpose(2, 3).flatten(2)  # (B, C, W * H)
    where_b = b.flatten(2).transpose(1, 2)  # (B, H * W, C)
    pairs = torch.bmm(where_b, where_a)  # (B, H * W, W * H)
    return pairs.view(batch, height, width, width * height).permute(0, 3, 1, 2)  # (B, W * H, H, W), channels last
