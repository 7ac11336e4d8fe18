"""A drawn photograph whose every part is known: what the photo tests are measured against."""

from __future__ import annotations

import numpy as np

from mavton_lite.data.photo_backend import NoPersonError, Reading
from mavton_lite.data.photo_parse import capsule
from mavton_lite.data.sample import COCO18

SKIN, HAIR, SHIRT, TROUSERS, WALL = (205, 150, 120), (60, 40, 30), (40, 90, 170), (50, 50, 55), (225, 225, 220)
JOINTS = {  # for a picture of 160 x 120
    "nose": (60, 34), "neck": (60, 58), "right shoulder": (40, 60), "left shoulder": (80, 60),
    "right elbow": (30, 92), "right wrist": (28, 120), "left elbow": (90, 92), "left wrist": (92, 120),
    "right hip": (48, 118), "left hip": (72, 118), "right knee": (48, 170), "left knee": (72, 170),
    "right ankle": (48, 220), "left ankle": (72, 220), "right eye": (55, 30), "left eye": (65, 30),
    "right ear": (50, 32), "left ear": (70, 32),
}  # fmt: skip


def keypoints(scale: float = 1.0) -> np.ndarray:
    """(18, 3), everybody sure."""
    return np.array([(*(scale * np.array(JOINTS[n], float)), 1.0) for n in COCO18], np.float32)


def drawing(scale: float = 1.0, skin=SKIN) -> tuple[np.ndarray, np.ndarray]:
    """A person in a short-sleeved shirt.   Shape: -> rgb (H, W, 3) uint8, true labels (H, W) uint8."""
    shape = round(160 * scale), round(120 * scale)
    k = {n: scale * np.array(p, float) for n, p in JOINTS.items()}
    rgb, labels = np.full((*shape, 3), WALL, np.uint8), np.zeros(shape, np.uint8)

    def put(where: np.ndarray, colour, label: int) -> None:
        rgb[where], labels[where] = colour, label

    for side in ("right", "left"):
        put(capsule(shape, k[f"{side} hip"], k[f"{side} knee"], 12 * scale), TROUSERS, 9)
    for side, label in (("left", 14), ("right", 15)):
        put(capsule(shape, k[f"{side} elbow"], k[f"{side} wrist"], 5 * scale), skin, label)
    put(capsule(shape, k["nose"], k["neck"], 6 * scale), skin, 10)
    for side in ("right", "left"):
        put(capsule(shape, k[f"{side} shoulder"], k[f"{side} elbow"] - (0, 8 * scale), 7 * scale), SHIRT, 5)
        put(capsule(shape, k[f"{side} shoulder"] + (0, 4), k[f"{side} hip"], 8 * scale), SHIRT, 5)
        put(capsule(shape, (60 * scale, 70 * scale), (60 * scale, 118 * scale), 16 * scale), SHIRT, 5)
    put(capsule(shape, k["nose"] - (0, 8 * scale), k["nose"], 15 * scale), HAIR, 2)
    put(capsule(shape, k["nose"] - (0, 3 * scale), k["nose"] + (0, 6 * scale), 10 * scale), skin, 13)
    return rgb, labels


class DrawnBackend:
    """Knows the drawing: the person mask is everything that is not wall."""

    name = "drawn"

    def __init__(self, found: bool = True, scale: float | None = None):
        self.found, self.scale = found, scale

    def read(self, rgb: np.ndarray) -> Reading:
        if not self.found:
            raise NoPersonError("the wall is empty")
        scale = self.scale or rgb.shape[1] / 120
        person = (np.abs(rgb.astype(int) - WALL).max(-1) > 12).astype(np.float32)
        return Reading(keypoints(scale), person, None, {"backend": self.name, "weights": {}})
