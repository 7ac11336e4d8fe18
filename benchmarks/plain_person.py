"""The person representation said plainly: one example after the other, as CP-VTON's loader has it.

Pillow draws, torchvision's `ToTensor` and `Normalize` make tensors of what is drawn.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision import transforms

HEAD = (1, 2, 4, 13)  # LIP: hat, hair, sunglasses, face
GARMENT = (5, 6, 7)  # upper clothes, dress, coat

to_tensor = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])


def person(image: Tensor, parse: np.ndarray, keypoints: np.ndarray, radius_px: int = 5) -> tuple[Tensor, ...]:
    """One example: 22 channels, the worn garment on white, and its mask.

    Source: CP-VTON's data loader.
    Shape: (3, H, W) in [-1, 1], (H, W) LIP ids, (18, 3) px -> (22, H, W), (3, H, W), (1, H, W).
    """
    height, width = parse.shape
    silhouette = Image.fromarray(((parse > 0) * 255).astype(np.uint8))
    silhouette = silhouette.resize((width // 16, height // 16), Image.Resampling.BILINEAR)
    silhouette = silhouette.resize((width, height), Image.Resampling.BILINEAR)
    head, garment = (torch.from_numpy(sum((parse == i).astype(np.float32) for i in ids)) for ids in (HEAD, GARMENT))
    pose = torch.zeros(len(keypoints), height, width)
    for i, (x, y, _) in enumerate(keypoints):
        square = Image.new("L", (width, height))
        if x > 1 and y > 1:
            box = (x - radius_px, y - radius_px, x + radius_px, y + radius_px)
            ImageDraw.Draw(square).rectangle(box, "white", "white")
        pose[i] = to_tensor(square)[0]
    agnostic = torch.cat([to_tensor(silhouette), image * head - (1 - head), pose])
    return agnostic, image * garment + (1 - garment), garment[None]


def people(batch: dict) -> tuple[Tensor, ...]:
    """A batch, example by example.   Shape: as `person`, with a leading B."""
    rows = zip(batch["image"], batch["parse"].numpy(), batch["keypoints"].numpy(), strict=True)
    return tuple(torch.stack(t) for t in zip(*(person(*row) for row in rows), strict=True))
