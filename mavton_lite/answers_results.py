"""What the exercises of notebooks 12 and 13 are checked against; read it after you have tried."""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.claims import verdict
from mavton_lite.config import Profile, TrainSettings
from mavton_lite.exercise import NOT_YET
from mavton_lite.losses import gan_discriminator
from mavton_lite.metrics.warp import REFERENCE_SIZE, end_point_error
from mavton_lite.plots.training import rates
from mavton_lite.records import Interval

SHARE_KEPT, ERROR_PX = 0.9, 15.0  # of 13, exercise 1


def schedule_cases() -> list[tuple[tuple, float]]:
    """12, exercise 1: (step, steps, peak) and the rate that the real scheduler gives."""
    cases = []
    for steps, peak in ((10, 1e-4), (8, 0.5)):
        wanted = rates(TrainSettings(steps=steps, lr=peak, schedule="linear"))
        cases += [((step, steps, peak), value) for step, value in enumerate(wanted)]
    return cases


def coin_toss(kind: str = "lsgan") -> float:
    """12, exercise 2: what a discriminator loses that answers one half to everything."""
    half = torch.full((1, 1, 4, 3), 0.5 if kind == "lsgan" else 0.0)
    return float(gan_discriminator(half, half, kind))


def times_seen(profile: Profile) -> float:
    """12, exercise 3: how often the try-on network sees each training pair, on average."""
    return profile.train_tom.steps * profile.train_tom.batch / profile.n_train


def fooled(warp: Tensor | None, true_warp: Tensor, cloth_mask: Tensor) -> str:
    """13, exercise 1: does a warp read garment where the true one does, and all the same the wrong garment pixels?

    Shape: warps (2, H, W) cloth px, NaN where no garment shows; cloth_mask (1, H, W) -> a line that begins with ✓ or ✗.
    """
    if warp is None:
        return NOT_YET
    if not isinstance(warp, Tensor) or warp.shape != true_warp.shape:
        found = tuple(warp.shape) if isinstance(warp, Tensor) else type(warp).__name__
        return f"✗ wanted a tensor of shape {tuple(true_warp.shape)}, got {found}"
    height, width = cloth_mask.shape[1:]
    x, y = warp[:, true_warp.isfinite().all(0)].nan_to_num(-9).clamp(-9, 9999).round().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    kept = (cloth_mask[0, y.clamp(0, height - 1), x.clamp(0, width - 1)] * inside).mean().item()
    off = end_point_error(warp[None].nan_to_num(), true_warp[None], REFERENCE_SIZE).item()
    mark = "✓" if kept >= SHARE_KEPT and off >= ERROR_PX else "✗"
    return (
        f"{mark} {kept:.0%} of the pixels still read cloth ({SHARE_KEPT:.0%} wanted); "
        f"{off:.1f} px off ({ERROR_PX:.0f} wanted)"
    )


def verdict_cases() -> list[tuple[tuple, str]]:
    """13, exercise 2: (low, high, higher_is_better) and the verdict."""
    intervals = [(0.01, 0.02), (-0.02, -0.01), (-0.01, 0.02), (0.0, 0.001)]
    questions = [(low, high, higher) for low, high in intervals for higher in (True, False)]
    return [((low, high, h), verdict(Interval((low + high) / 2, low, high, 9), h)) for low, high, h in questions]


def images_for(images: int, times_narrower: float) -> float:
    """13, exercise 3: how many images make an interval that many times narrower."""
    return images * times_narrower**2
