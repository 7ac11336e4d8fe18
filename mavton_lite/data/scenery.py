"""Other walls, other light, other cameras: pictures of people varied in tensors, with their labels kept true.

Source: Tobin et al. 2017, "Domain randomization for transferring deep neural networks from simulation".
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.shares import drawn

GREY = (0.299, 0.587, 0.114)


def vary(image: Tensor, parse: Tensor, share: float = 1.0) -> tuple[Tensor, Tensor]:
    """That share of the pictures framed, lit, coloured and blurred anew, half of them before another ground.

    Random numbers are torch's own, so that a seed makes them repeat.
    Shape: (B, 3, H, W) in [-1, 1], (B, H, W) LIP ids -> same.   Raises: ValueError when the two do not agree.
    """
    if image.ndim != 4 or image.shape[1] != 3 or parse.shape != (len(image), *image.shape[2:]):
        raise ValueError(
            f"wanted pictures (B, 3, H, W) and labels (B, H, W), got {tuple(image.shape)} and {tuple(parse.shape)}"
        )
    if not share:
        return image, parse
    moved, labels = reframed(image, parse)
    moved = torch.where(_coins(image, 0.5), on_another_ground(moved, labels), moved)
    chosen = _coins(image, share)
    return torch.where(chosen, recoloured(moved), image), torch.where(chosen[:, 0], labels, parse)


def _coins(like: Tensor, share: float) -> Tensor:
    """True for about that share of a batch.   Shape: -> (B, 1, 1, 1) bool."""
    return drawn(torch.rand, len(like), 1, 1, 1, device=like.device) < share


def _uniform(like: Tensor, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * drawn(torch.rand, len(like), *shape, device=like.device)


def reframed(image: Tensor, parse: Tensor) -> tuple[Tensor, Tensor]:
    """The camera nearer (up to half as near again), turned and moved; beyond the border the border goes on."""
    count, _, height, width = image.shape
    zoom = torch.exp(_uniform(image, -0.1, 0.4))  # (B,)
    roll = 0.08 * drawn(torch.randn, count, device=image.device)
    across, down = _uniform(image, -0.2, 0.2), _uniform(image, -0.35, 0.1) * (1 - 1 / zoom.clamp(min=1.05))
    c, s, aspect = torch.cos(roll) / zoom, torch.sin(roll) / zoom, height / width
    theta = torch.stack([c, s * aspect, across, -s / aspect, c, down], 1).view(count, 2, 3)
    grid = F.affine_grid(theta, list(image.shape), align_corners=True)  # (B, H, W, 2)
    kept: dict[str, Any] = {"padding_mode": "border", "align_corners": True}
    labels = F.grid_sample(parse[:, None].float(), grid, mode="nearest", **kept)[:, 0]
    return F.grid_sample(image, grid, mode="bilinear", **kept), labels.to(parse.dtype)


def on_another_ground(image: Tensor, parse: Tensor) -> Tensor:
    """The people before invented walls. The outermost pixel of a person, mixed with the old wall, is mixed again."""
    person = (parse > 0)[:, None].float()  # (B, 1, H, W)
    person = (2 * F.avg_pool2d(person, 3, 1, 1, count_include_pad=False) - 1).clamp(0, 1)
    return torch.lerp(grounds(image), image, person)


def grounds(like: Tensor) -> Tensor:
    """Walls, rooms and streets as far as colours and edges go: coloured noise of several scales, smooth or in boxes.

    Shape: (B, 3, H, W) -> same, in [-1, 1].
    """
    size, count = like.shape[2:], len(like)
    out = _uniform(like, -1, 1, 3, 1, 1).expand(-1, -1, *size)
    for cells, most in ((2, 0.8), (5, 0.7), (12, 0.5), (32, 0.3)):
        coarse = drawn(torch.randn, count, 3, cells * 4 // 3, cells, device=like.device)
        grey = coarse.mean(1, keepdim=True) * math.sqrt(3)
        coarse = torch.where(_coins(like, 0.5), grey, coarse)  # half of them differ in lightness alone
        smooth = F.interpolate(coarse, size, mode="bilinear", align_corners=False)
        boxes = F.interpolate(coarse, size, mode="nearest")
        out = out + _uniform(like, 0, most, 1, 1, 1) ** 2 * torch.where(_coins(like, 0.5), smooth, boxes)
    return out.clamp(-1, 1)


def recoloured(image: Tensor) -> Tensor:
    """Uneven light, a cast, other saturation, contrast, exposure, gamma, blur.   Shape: (B, 3, H, W) -> same."""
    count, size = len(image), image.shape[2:]
    unit = (image + 1) / 2
    light = drawn(torch.randn, count, 1, 3, 2, device=image.device)
    shade = F.interpolate(light, size, mode="bilinear", align_corners=True)
    unit = unit * torch.exp(0.25 * _uniform(image, 0, 1, 1, 1, 1) * shade)
    unit = unit * (1 + 0.06 * drawn(torch.randn, count, 3, 1, 1, device=image.device))
    grey = (unit * unit.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    unit = torch.lerp(grey, unit, torch.exp(_uniform(image, -0.7, 0.4, 1, 1, 1)))
    middle = unit.mean((1, 2, 3), keepdim=True)
    unit = middle + (unit - middle) * torch.exp(_uniform(image, -0.4, 0.35, 1, 1, 1))
    unit = unit * torch.exp(_uniform(image, -0.5, 0.25, 1, 1, 1))
    unit = unit.clamp(1e-3, 1) ** torch.exp(0.2 * drawn(torch.randn, count, 1, 1, 1, device=image.device))
    soft = F.avg_pool2d(unit, 3, 1, 1, count_include_pad=False)
    unit = torch.lerp(unit, soft, _uniform(image, -0.5, 1, 1, 1, 1).clamp(min=0))  # a third of them stay sharp
    return unit * 2 - 1
