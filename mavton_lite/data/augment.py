"""Mirrored examples: a batch seen in a looking glass, with left and right told apart again."""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.data.sample import COCO18, LIP

_PICTURES = ("image", "cloth", "cloth_mask", "truth_image")
_PARSES = ("parse", "truth_parse")


def _other_side(name: str) -> str:
    return name.replace("left", "\0").replace("right", "left").replace("\0", "right")


def _swaps(names: list[str]) -> list[int]:
    """For each name the index of the same thing on the other side; itself where there are no sides."""
    return [names.index(_other_side(name)) for name in names]


MIRRORED_LABELS = _swaps([LIP[i] for i in range(len(LIP))])  # 14 <-> 15 arms, 16 <-> 17 legs, 18 <-> 19 shoes
MIRRORED_KEYPOINTS = _swaps(list(COCO18))


def mirror(batch: dict, which: Tensor) -> dict:
    """The batch with some examples mirrored: person and garment, labels, key points and true warps alike.

    Key points that count as missing (x <= 1 or y <= 1, see `person.pose_maps`) become 0 and stay missing.
    Shape: which (B,) bool; every tensor keeps its shape. Warp values are x in cloth pixels and mirror too.
    Raises: ValueError on a `which` of another shape or a tensor of unknown geometry.
    """
    size = len(batch["image"])
    if which.shape != (size,) or which.dtype != torch.bool:
        raise ValueError(f"which: found {which.dtype} of shape {tuple(which.shape)}, wanted bool of shape ({size},)")
    width = batch["image"].shape[-1]
    which = which.to(batch["image"].device)
    result = {}
    for key, value in batch.items():
        if not torch.is_tensor(value):
            result[key] = value
            continue
        if key in _PICTURES:
            mirrored = value.flip(-1)
        elif key in _PARSES:
            mirrored = torch.tensor(MIRRORED_LABELS, device=value.device, dtype=value.dtype)[value.long()].flip(-1)
        elif key == "keypoints":
            mirrored = _mirrored_keypoints(value, width)
        elif key == "truth_warp":
            x, y = value.flip(-1).unbind(1)  # 2 x (B, H, W)
            mirrored = torch.stack([width - 1 - x, y], 1)  # (B, 2, H, W)
        else:
            raise ValueError(f"{key}: found a tensor that mirror() does not know, wanted a key of Sample")
        result[key] = torch.where(which.view(-1, *[1] * (value.ndim - 1)), mirrored, value)
    return result


def _mirrored_keypoints(keypoints: Tensor, width: int) -> Tensor:
    there = (keypoints[..., :2] > 1).all(-1, keepdim=True)  # (B, 18, 1)
    x, y, confidence = keypoints.unbind(-1)
    flipped = torch.stack([width - 1 - x, y, confidence], -1) * there  # (B, 18, 3)
    return flipped[:, MIRRORED_KEYPOINTS]
