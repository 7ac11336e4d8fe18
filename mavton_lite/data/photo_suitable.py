"""Can a garment be tried on in this photograph? What speaks against it, in sentences for its owner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .photo_backend import Backend, NoPersonError, Reading
from .photo_parse import J, body_unit_px

TORSO_NEEDED, TORSO_WANTED = 0.25, 1.4  # of the torso below the neck, in shoulder widths
FACING = 0.45  # shoulders nearer together than this, in shoulder widths, are seen from the side
SEEN = 0.5  # confidence from which a shoulder is believed


class UnsuitableError(NoPersonError):
    """There is a person, but not one that a garment can be tried on; the message says why."""


@dataclass(frozen=True)
class Remark:
    """One thing about a photograph; `kind` is "several", "back", "side", "shoulders" or "cropped"."""

    kind: str
    sentence: str
    fatal: bool


def remarks(reading: Reading, size: tuple[int, int]) -> list[Remark]:
    """What a try-on in this photograph would suffer from, the worst first.   Shape: size (height, width) px."""
    points, (height, width) = reading.keypoints, size
    unit = body_unit_px(points)
    right, left = points[J["right shoulder"]], points[J["left shoulder"]]
    apart = float(left[0] - right[0]) / unit  # positive when the person faces the camera
    torso = float(height - points[J["neck"], 1]) / unit
    found = []
    if reading.people > 1:
        found.append(Remark("several", f"{reading.people} people are in it; wanted a photograph of one.", True))
    if apart < -FACING or reading.people == 0:
        found.append(Remark("back", "The person is seen from behind, or without a face; wanted a front view.", True))
    elif apart < FACING or not min(right[0], left[0]) < points[J["nose"], 0] < max(right[0], left[0]):
        found.append(Remark("side", "The person is seen from the side; wanted a front view.", True))
    edge = 0.2 * unit
    if any(p[2] < SEEN or not -edge <= p[0] < width + edge for p in (right, left)):
        found.append(Remark("shoulders", "A shoulder is hidden or outside the picture; both have to be seen.", True))
    if torso < TORSO_NEEDED:
        found.append(Remark("cropped", "It ends at the neck; wanted the upper body, best down to the hips.", True))
    elif torso < TORSO_WANTED:
        sentence = "It ends above the hips: the lower part of a garment will be outside the picture."
        found.append(Remark("cropped", sentence, False))
    return found


class Careful:
    """A backend that refuses photographs in which a try-on cannot work, and remembers what it let pass."""

    def __init__(self, backend: Backend):
        self.backend, self.name = backend, backend.name
        self.passed: list[Remark] = []

    def read(self, rgb: np.ndarray) -> Reading:
        """Raises: UnsuitableError with every reason; NoPersonError."""
        reading = self.backend.read(rgb)
        found = remarks(reading, rgb.shape[:2])
        if fatal := [remark.sentence for remark in found if remark.fatal]:
            raise UnsuitableError(" ".join(fatal))
        self.passed = found
        return reading
