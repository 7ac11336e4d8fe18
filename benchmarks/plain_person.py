"""The person representation said plainly: one example after the other, with Pillow and NumPy, as CP-VTON's loader."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

HEAD = (1, 2, 4, 13)  # LIP: hat, hair, sunglasses, face
GARMENT = (5, 6, 7)  # upper clothes, dress, coat


def person(image: np.ndarray, parse: np.ndarray, keypoints: np.ndarray, radius_px: int = 5) -> tuple[Tensor, ...]:
    """One example: 22 channels, the worn garment on white, and its mask.

    Source: CP-VTON's data loader.
    Shape: (3, H, W) in [-1, 1], (H, W) LIP ids, (18, 3) px -> (22, H, W), (3, H, W), (1, H, W).
    """
    height, width = parse.shape
    silhouette = Image.fromarray(((parse > 0) * 255).astype(np.uint8))
    silhouette = silhouette.resize((width // 16, height // 16), Image.Resampling.BILINEAR)
    silhouette = silhouette.resize((width, height), Image.Resampling.BILINEAR)
    head = np.isin(parse, HEAD).astype(np.float32)
    garment = np.isin(parse, GARMENT).astype(np.float32)
    channels = [_signed(silhouette)[None], image * head - (1 - head)]
    for x, y, _ in keypoints:
        square = Image.new("L", (width, height))
        if x > 1 and y > 1:
            box = (x - radius_px, y - radius_px, x + radius_px, y + radius_px)
            ImageDraw.Draw(square).rectangle(box, "white", "white")
        channels.append(_signed(square)[None])
    worn = image * garment + (1 - garment)
    return tuple(torch.from_numpy(a) for a in (np.concatenate(channels), worn, garment[None]))


def people(batch: dict) -> tuple[Tensor, ...]:
    """A batch, example by example.   Shape: as `person`, with a leading B."""
    rows = zip(*(batch[k].numpy() for k in ("image", "parse", "keypoints")), strict=True)
    return tuple(torch.stack(t) for t in zip(*(person(*row) for row in rows), strict=True))


def _signed(grey: Image.Image) -> np.ndarray:
    return (np.asarray(grey, np.float32) / 255 - 0.5) / 0.5
