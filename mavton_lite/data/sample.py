"""`Sample`: the raw facts of one try-on example, and the vocabularies every data set is translated to."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

import torch
from torch import Tensor

# LIP labels (id -> name).   Source: Look Into Person (Gong et al. 2017).
LIP = {
    0: "background",
    1: "hat",
    2: "hair",
    3: "glove",
    4: "sunglasses",
    5: "upper clothes",
    6: "dress",
    7: "coat",
    8: "socks",
    9: "trousers",
    10: "torso skin",  # LIP itself says jumpsuits; CIHP, VITON-HD and the Atelier use 10 for the skin of neck and chest
    11: "scarf",
    12: "skirt",
    13: "face",
    14: "left arm",
    15: "right arm",
    16: "left leg",
    17: "right leg",
    18: "left shoe",
    19: "right shoe",
    20: "neck",  # CP-VTON+ only
}

# RGB of each LIP label, as in the palette of VITON's parses (254 and 169 stand for 255 and 170 there).
LIP_COLOURS = (
    (0, 0, 0), (128, 0, 0), (254, 0, 0), (0, 85, 0), (169, 0, 51), (254, 85, 0), (0, 0, 85), (0, 119, 220),
    (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 254), (51, 169, 220), (0, 254, 254),
    (85, 254, 169), (169, 254, 85), (254, 254, 0), (254, 169, 0), (169, 169, 50),
)  # fmt: skip

# COCO-18 key points in OpenPose's order; left and right are the person's own.
COCO18 = (
    "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist",
    "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle", "right eye", "left eye",
    "right ear", "left ear",
)  # fmt: skip


class Sample(TypedDict):
    """One person and one garment, no stage's preprocessing yet; batched by `collate`.

    Shape: H, W the picture; pictures in [-1, 1]; key points (x px, y px, confidence), all 0 when missing.
    The `truth_*` keys are there when the data set knows the person wearing *this* cloth: on paired examples the
    person's own picture, on unpaired ones only in the Atelier.
    """

    name: str  # file name of the person without its ending
    cloth_name: str
    image: Tensor  # (3, H, W) float32 in [-1, 1]
    cloth: Tensor  # (3, H, W) float32 in [-1, 1]
    cloth_mask: Tensor  # (1, H, W) float32, 0 or 1
    parse: Tensor  # (H, W) int64 LIP ids
    keypoints: Tensor  # (18, 3) float32
    tags: NotRequired[list[str]]  # what makes it a hard case, where the data set says so
    truth_image: NotRequired[Tensor]  # (3, H, W) float32 in [-1, 1]
    truth_parse: NotRequired[Tensor]  # (H, W) int64
    truth_warp: NotRequired[Tensor]  # (2, H, W) float32: x, y in cloth pixels where garment shows, NaN elsewhere


def collate(samples: list[Sample]) -> dict[str, Any]:
    """A batch: tensors stacked along a new first axis, names as lists; keys that some samples lack are left out."""
    if not samples:
        raise ValueError("cannot collate an empty list of samples")
    keys = [k for k in samples[0] if all(k in s for s in samples)]
    columns: dict[str, list[Any]] = {k: [dict(s)[k] for s in samples] for k in keys}
    return {k: torch.stack(v) if torch.is_tensor(v[0]) else v for k, v in columns.items()}


def to_unit(pictures: Tensor) -> Tensor:
    """Pictures of networks, [-1, 1], as pictures of metrics and figures, [0, 1]; values outside are clamped."""
    return ((pictures + 1) / 2).clamp(0, 1)


def from_unit(pictures: Tensor) -> Tensor:
    """Pictures of metrics and figures, [0, 1], as pictures of networks, [-1, 1]."""
    return pictures * 2 - 1
