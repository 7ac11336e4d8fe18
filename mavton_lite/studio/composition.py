"""The mixing desk: one try-on under a mask that is pushed to and fro or cut hard, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from mavton_lite.data.sample import to_unit
from mavton_lite.metrics.image import region_mean

Edge = Literal["soft", "hard"]
EDGES: tuple[Edge, ...] = get_args(Edge)
PUSHES = np.linspace(-1, 1, 21)
_LINES = {"soft": (0, 114, 178), "hard": (213, 94, 0)}


@dataclass(frozen=True)
class Mix:
    """Which example, and what is done to its mask.

    `push` -1: the painting alone; 0: the mask as it is; 1: the warped cloth alone. `edge` "hard" cuts the mask to 0 or
    1 at the threshold (1 - push) / 2.
    """

    example: int = 0
    push: float = 0.0
    edge: Edge = "soft"


class Layers(NamedTuple):
    """What can be mixed, and what should come out.   Shape: see each line; pictures in [-1, 1]."""

    cloth: Tensor  # (B, 3, H, W) warped
    rendered: Tensor  # (B, 3, H, W) painted
    mask: Tensor  # (B, 1, H, W) in [0, 1]
    truth: Tensor  # (B, 3, H, W)
    region: Tensor  # (B, 1, H, W) bool: where errors count


def pushed(mask: Tensor, push: float, edge: Edge = "soft") -> Tensor:
    """A mask pushed towards the painting (-1) or the cloth (1).   Raises: ValueError for another push or edge."""
    if not -1 <= push <= 1 or edge not in EDGES:
        raise ValueError(f"wanted a push from -1 to 1 and an edge of {', '.join(EDGES)}, got {push} and {edge!r}")
    if edge == "soft":
        return (mask + push).clamp(0, 1)
    threshold = (1 - push) / 2
    return (mask >= threshold).float() if threshold < 1 else torch.zeros_like(mask)


def cost(layers: Layers, push: float, edge: Edge) -> Tensor:
    """Mean absolute error of the mixture inside the region, in [0, 1].   Shape: -> (B,)."""
    made = torch.lerp(layers.rendered, layers.cloth, pushed(layers.mask, push, edge))
    return region_mean((to_unit(made) - to_unit(layers.truth)).abs().mean(1, keepdim=True), layers.region)


def costs(layers: Layers) -> dict[Edge, Tensor]:
    """The cost of every push of PUSHES, for both edges.   Shape: each (B, 21)."""
    return {edge: torch.stack([cost(layers, float(p), edge) for p in PUSHES], 1) for edge in EDGES}


def mix(state: Mix, layers: Layers, known: dict[Edge, Tensor] | None = None, height: int = 256) -> np.ndarray:
    """Painting, cloth, mask, mixture and truth in a row; below, the error of every push, this one marked.

    `known`: the result of `costs`, where it is at hand.
    Shape: -> (about 1.5 height, about 3.8 height, 3) uint8.   Raises: ValueError for an example that is not there.
    """
    if not 0 <= state.example < len(layers.mask):
        raise ValueError(f"no example {state.example}; there are {len(layers.mask)}")
    one = Layers(*(t[state.example : state.example + 1] for t in layers))
    mask = pushed(one.mask, state.push, state.edge)
    made = torch.lerp(one.rendered, one.cloth, mask)
    shown = [one.rendered, one.cloth, mask.expand(-1, 3, -1, -1) * 2 - 1, made, one.truth]
    width = round(height * made.shape[3] / made.shape[2])
    large = F.interpolate(torch.cat(shown), (height, width), mode="bilinear", align_corners=False)
    gap = np.ones((height, height // 32, 3))
    cells = [p.permute(1, 2, 0).cpu().numpy() for p in to_unit(large)]
    row = np.concatenate([part for cell in cells for part in (cell, gap)][:-1], 1)
    curves = {edge: values[state.example].tolist() for edge, values in (known or costs(layers)).items()}
    here = cost(one, state.push, state.edge).item()
    chart = _chart(curves, state, here, (height // 2, row.shape[1]))
    return np.concatenate([np.floor(row.clip(0, 1) * 255 + 0.5).astype(np.uint8), chart])


def _chart(curves: dict[Edge, list[float]], state: Mix, here: float, size: tuple[int, int]) -> np.ndarray:
    """Error against push, a line an edge, a dot at the present state.   Shape: -> (*size, 3) uint8."""
    height, width = size
    paper = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(paper)
    left, right, top, low = 70, width - 90, 12, height - 26
    most = max(max(v) for v in curves.values()) or 1.0

    def at(push: float, error: float) -> tuple[float, float]:
        return left + (right - left) * (push + 1) / 2, low - (low - top) * error / most

    draw.line([at(-1, 0), at(1, 0)], fill=(31, 36, 48))
    draw.line([at(-1, 0), at(-1, most)], fill=(31, 36, 48))
    for push, words in ((-1, "painting"), (0, "as it is"), (1, "cloth")):
        draw.line([at(push, 0), (at(push, 0)[0], low + 4)], fill=(31, 36, 48))
        draw.text((at(push, 0)[0], low + 6), words, fill=(31, 36, 48), anchor="ma", font_size=13)
    draw.text((left - 6, top), f"{most:.2f}", fill=(31, 36, 48), anchor="rm", font_size=13)
    draw.text((left - 6, low), "error 0", fill=(31, 36, 48), anchor="rm", font_size=13)
    for edge, values in curves.items():
        draw.line([at(float(p), v) for p, v in zip(PUSHES, values, strict=True)], fill=_LINES[edge], width=2)
    for k, edge in enumerate(curves):
        draw.text((right + 14, top + 18 * k), edge, fill=_LINES[edge], anchor="lm", font_size=14)
    x, y = at(state.push, here)
    draw.ellipse([x - 5, y - 5, x + 5, y + 5], fill=_LINES[state.edge])
    number = (right + 14, top + 18 * len(curves) + 4)
    draw.text(number, f"{here:.3f}", fill=_LINES[state.edge], anchor="lm", font_size=14)
    return np.asarray(paper)
