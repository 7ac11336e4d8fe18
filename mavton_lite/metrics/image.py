"""How alike are two pictures: SSIM and PSNR over the picture and over regions of it. Pictures in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

PSNR_CAP_DB = 100.0  # equal pictures would be infinitely alike, and JSON has no infinity


def _check(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(f"found pictures {tuple(a.shape)} and {tuple(b.shape)}, wanted two equal (B, C, H, W)")


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity around every pixel, averaged over colours; borders are mirrored.

    Source: Wang et al. 2004 (Gaussian window 11 px, sigma 1.5), through torchmetrics.
    Shape: (B, C, H, W) in [0, 1], twice -> (B, 1, H, W).   Raises: ValueError when shapes differ.
    """
    _check(a, b)
    _, full = structural_similarity_index_measure(a, b, data_range=1.0, reduction="none", return_full_image=True)
    return full.mean(1, keepdim=True)  # (B, 1, H, W)


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each picture in dB, at most `PSNR_CAP_DB`.

    Shape: (B, C, H, W) in [0, 1], twice -> (B,).   Raises: ValueError when shapes differ.
    """
    _check(a, b)
    value = peak_signal_noise_ratio(a, b, data_range=1.0, reduction="none", dim=(1, 2, 3))
    return value.clamp(max=PSNR_CAP_DB)  # (B,)


def squared_error_map(a: Tensor, b: Tensor) -> Tensor:
    """Squared error of every pixel, averaged over colours.   Shape: (B, C, H, W), twice -> (B, 1, H, W)."""
    _check(a, b)
    return (a - b).square().mean(1, keepdim=True)


def region_mean(values: Tensor, region: Tensor) -> Tensor:
    """Mean of a map inside a region, NaN for an example whose region is empty.

    Shape: values (B, 1, H, W), region bool (B, 1, H, W) -> (B,).
    """
    count = region.flatten(1).sum(1)
    total = torch.where(region, values, torch.zeros_like(values)).flatten(1).sum(1)
    return torch.where(count > 0, total / count.clamp(min=1), torch.full_like(total, torch.nan))


def region_psnr(a: Tensor, b: Tensor, region: Tensor) -> Tensor:
    """PSNR inside a region in dB, NaN where it is empty.   Shape: pictures twice, region (B, 1, H, W) -> (B,)."""
    error = region_mean(squared_error_map(a, b), region)
    return (-10 * torch.log10(error.clamp(min=1e-30))).clamp(max=PSNR_CAP_DB)
