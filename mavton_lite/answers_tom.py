"""What the exercises of notebook 10 are checked against; read it after you have tried."""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.losses import mask_loss
from mavton_lite.metrics.composition import best_mask


def mixing_cases() -> list[tuple[tuple[Tensor, Tensor, Tensor], Tensor]]:
    """10, exercise 1: (mask, cloth, painted) and what (2-11) makes of them."""
    dice = torch.Generator().manual_seed(0)
    cases = []
    for batch in (1, 3):
        mask = torch.rand(batch, 1, 4, 3, generator=dice)
        cloth, painted = (torch.rand(batch, 3, 4, 3, generator=dice) * 2 - 1 for _ in range(2))
        cases.append(((mask, cloth, painted), torch.lerp(painted, cloth, mask)))
    return cases


def best_mask_cases() -> list[tuple[tuple[Tensor, Tensor, Tensor], Tensor]]:
    """10, exercise 2: (cloth, painted, truth) and the best mask; the second truth is outside what can be mixed."""
    dice = torch.Generator().manual_seed(1)
    cloth, painted, share = (torch.rand(2, c, 4, 3, generator=dice) * 2 - 1 for c in (3, 3, 1))
    truths = torch.lerp(painted, cloth, share.abs()), painted + 1.5 * (cloth - painted), 2 * painted - cloth
    return [((cloth, painted, truth), best_mask(cloth, painted, truth)) for truth in truths]


def perfect_mask_costs(hidden: float) -> Tensor:
    """10, exercise 3: what the mask term makes a perfect mask pay when it is taught ones, the warp, the worn garment.

    The picture is all warped cloth, the share `hidden` of it lies behind an arm, and the mask is 1 where the garment is
    seen and 0 on the arm.   Shape: -> (3,).
    """
    pixels = 1000
    worn = (torch.arange(pixels) >= round(hidden * pixels)).float().view(1, 1, 1, pixels)
    return torch.stack([mask_loss(worn, t, torch.ones_like(worn), worn) for t in ("ones", "warped", "worn")])
