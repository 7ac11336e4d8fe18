"""What is evaluated: a function from a batch to pictures and warps. Models, and the floors no model may stay under."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mavton_lite.config import PersonSettings
from mavton_lite.data.person import represent
from mavton_lite.models.gmm import Warp
from mavton_lite.models.tryon import TryOnPipeline


class Prediction(NamedTuple):
    """A try-on and, where a garment was warped, how.   Shape: see each line."""

    image: Tensor | None  # (B, 3, H, W) in [-1, 1]
    mask: Tensor | None = None  # (B, 1, H, W) in [0, 1]: the warped garment's mask
    grid: Tensor | None = None  # (B, H, W, 2) where each pixel reads the cloth, (x, y) in [-1, 1]


Predict = Callable[[dict], Prediction]


def from_pipeline(pipeline: TryOnPipeline) -> Predict:
    """A trained model's try-on, with its warp."""

    def predict(batch: dict) -> Prediction:
        _, warp, tryon = pipeline(batch)
        return Prediction(tryon.image, warp.mask, warp.grid)

    return predict


def copy_person(batch: dict) -> Prediction:
    """The person unchanged: what a picture scores because most of it never changes."""
    return Prediction(batch["image"])


def paste_flat_cloth(batch: dict) -> Prediction:
    """The flat cloth laid over the person without any warp."""
    return Prediction(paste(batch["image"], batch["cloth"], batch["cloth_mask"]))


def paste_warped_cloth(matching: Callable[..., Warp], settings: PersonSettings) -> Predict:
    """The garment warped by a trained matching module, or a pipeline's `warp`, and laid over the person."""

    def predict(batch: dict) -> Prediction:
        person = represent(batch, settings)
        warp = matching(person.matching, batch["cloth"], batch["cloth_mask"])
        return Prediction(paste(batch["image"], warp.cloth, warp.mask), warp.mask, warp.grid)

    return predict


def paste(person: Tensor, cloth: Tensor, mask: Tensor) -> Tensor:
    """Cloth over person where the mask says so.   Shape: (B, 3, H, W), (B, 3, H, W), (B, 1, H, W) -> (B, 3, H, W)."""
    return torch.lerp(person, cloth, mask)
