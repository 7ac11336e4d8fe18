"""`represent`: what the networks may know of a person, without the garment they wear (22 channels).

Computed for a whole batch on its device. Pillow's arithmetic, which made the original's inputs, is reproduced: its
bilinear reduction weighs areas and rounds to whole grey levels after each pass, its rectangles cut coordinates to whole
pixels and include both ends.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from mavton_lite.config import LOWER_BODY, PersonSettings
from mavton_lite.data.sample import COCO18

POSE_CHANNELS = len(COCO18)
AGNOSTIC_CHANNELS = 1 + 3 + POSE_CHANNELS  # 22
HIPS = [COCO18.index("right hip"), COCO18.index("left hip")]


class Person(NamedTuple):
    """The person representation and the garment worn in the picture.   Shape: see each line; pictures in [-1, 1]."""

    agnostic: Tensor  # (B, 22, H, W): silhouette, head, pose
    silhouette: Tensor  # (B, 1, H, W) blurred body shape
    head: Tensor  # (B, 3, H, W) the kept labels' colours
    pose: Tensor  # (B, 18, H, W) a square a key point
    worn_cloth: Tensor  # (B, 3, H, W) the worn garment on `worn_fill`
    worn_mask: Tensor  # (B, 1, H, W) 0 or 1
    matching: Tensor  # (B, 22, H, W): what the matching module is shown; `agnostic`, unless it keeps other labels


def represent(batch: dict, settings: PersonSettings | None = None) -> Person:
    """The person representation of a batch of `Sample`s.

    Source: Han et al. 2018, section 3.1; Wang et al. 2018, section 3.1; values as in CP-VTON's data loader.
    Shape: image (B, 3, H, W), parse (B, H, W), keypoints (B, 18, 3) px -> `Person`.
    Raises: ValueError naming the key with another shape.
    """
    settings = settings or PersonSettings()
    image, parse, keypoints = _checked(batch)
    garment = label_mask(parse, settings.garment_labels)  # (B, 1, H, W)
    body = (parse > 0)[:, None] & ~label_mask(parse, settings.shape_ignores)  # (B, 1, H, W)
    silhouette = blur_silhouette(body, settings.shape_grid)
    pose = pose_maps(keypoints, parse.shape[1:], settings.pose_radius_px)

    def kept(labels: tuple[int, ...]) -> Tensor:
        mask = label_mask(parse, labels)  # (B, 1, H, W)
        if settings.lower_from_hips:
            mask &= ~(label_mask(parse, LOWER_BODY) & above_hips(keypoints, parse.shape[1]))
        return torch.where(mask, image, settings.kept_fill)  # (B, 3, H, W)

    head, other = kept(settings.kept_labels), settings.matching_kept_labels
    agnostic = torch.cat([silhouette, head, pose], 1)  # (B, 22, H, W)
    return Person(
        agnostic=agnostic,
        silhouette=silhouette,
        head=head,
        pose=pose,
        worn_cloth=torch.where(garment, image, settings.worn_fill),  # (B, 3, H, W)
        worn_mask=garment.float(),
        matching=agnostic if other is None else torch.cat([silhouette, kept(other), pose], 1),
    )


def _checked(batch: dict) -> tuple[Tensor, Tensor, Tensor]:
    image = batch["image"]
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"image: found shape {tuple(image.shape)}, wanted (B, 3, H, W); batch samples with collate()")
    b, _, h, w = image.shape
    for key, wanted in (("parse", (b, h, w)), ("keypoints", (b, POSE_CHANNELS, 3))):
        if tuple(batch[key].shape) != wanted:
            raise ValueError(f"{key}: found shape {tuple(batch[key].shape)}, wanted {wanted}")
    return image.float(), batch["parse"], batch["keypoints"].float()


def label_mask(parse: Tensor, labels: tuple[int, ...]) -> Tensor:
    """Where a parse has one of some labels.   Shape: (B, H, W) -> (B, 1, H, W) bool."""
    mask = torch.zeros_like(parse, dtype=torch.bool)
    for label in labels:  # a handful of comparisons: no table to send to the device
        mask |= parse == label
    return mask[:, None]  # (B, 1, H, W)


def above_hips(keypoints: Tensor, height: int) -> Tensor:
    """Rows above the line through the hips; none where no hip is known.   Shape: (B, 18, 3) px -> (B, 1, H, 1) bool."""
    hips = keypoints[:, HIPS]  # (B, 2, 3)
    there = (hips[..., 2] > 0).float()  # (B, 2)
    line = (hips[..., 1] * there).sum(1) / there.sum(1).clamp(min=1)  # (B,), 0 where no hip is known
    rows = torch.arange(height, device=keypoints.device)
    return (rows < line[:, None])[:, None, :, None]  # (B, 1, H, 1)


def blur_silhouette(body: Tensor, grid: tuple[int, int]) -> Tensor:
    """A body mask reduced to `grid` (rows, columns) and enlarged again, so that the garment's outline is forgotten.

    Source: CP-VTON's data loader (Pillow's BILINEAR both ways on 0..255).
    Shape: (B, 1, H, W) bool -> same, float32 in [-1, 1].
    """
    h, w = body.shape[-2:]
    # Sums of grey levels and Pillow's weights are exact in double precision, so ties round as Pillow's do.
    exact = (torch.float32 if body.device.type == "mps" else torch.float64, body.device)
    grey = body.to(exact[0]) * 255
    for rows, columns in (grid, (h, w)):  # reduced, then enlarged
        grey = _rounded(grey @ _pillow_bilinear(grey.shape[-1], columns, *exact).T)  # across
        grey = _rounded(_pillow_bilinear(grey.shape[-2], rows, *exact) @ grey)  # then down
    return grey.float() / 127.5 - 1


def _rounded(grey: Tensor) -> Tensor:
    return (grey + 0.5).floor().clamp(0, 255)


@cache
def _pillow_bilinear(source: int, target: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix of Pillow's BILINEAR resize along one side, in steps of 2**-22.   Shape: (target, source)."""
    scale = source / target
    reach = max(scale, 1.0)  # pixels the triangle reaches to each side; wider when reducing: antialiasing
    centres = (torch.arange(target, dtype=torch.float64)[:, None] + 0.5) * scale  # (target, 1)
    distance = (torch.arange(source, dtype=torch.float64) + 0.5 - centres).abs() / reach  # (target, source)
    weights = (1 - distance).clamp(min=0)
    weights = weights / weights.sum(1, keepdim=True)
    return ((weights * 2**22 + 0.5).floor() / 2**22).to(device, dtype)


def pose_maps(keypoints: Tensor, size: tuple[int, int], radius_px: int) -> Tensor:
    """A map a key point: +1 in the square of `radius_px` around it, -1 elsewhere and everywhere where it is missing.

    A key point is missing at x <= 1 or y <= 1; its confidence is not looked at; squares are cut at the border.
    Source: CP-VTON's data loader (Pillow's `ImageDraw.rectangle`).
    Shape: (B, K, 3) x px, y px, confidence -> (B, K, H, W).
    """
    xy = keypoints[..., :2]  # (B, K, 2)
    there = (xy > 1).all(-1)[..., None]  # (B, K, 1)
    centre = xy.floor()  # Pillow cuts x - r and x + r towards zero: the same inside the picture
    first, last = centre - radius_px, centre + radius_px  # both inside the square
    pixels = [torch.arange(n, device=xy.device, dtype=xy.dtype) for n in (size[1], size[0])]
    across, down = ((p >= first[..., i, None]) & (p <= last[..., i, None]) for i, p in enumerate(pixels))
    inside = (down & there)[..., :, None] & across[..., None, :]  # (B, K, H, W)
    return torch.where(inside, 1.0, -1.0)
