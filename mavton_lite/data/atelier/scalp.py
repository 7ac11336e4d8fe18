"""Where hair grows: the hairline of the canonical head."""

from __future__ import annotations

import numpy as np

from mavton_lite.data.atelier.speckle import speckle

MIDDLE_Y = -0.055  # of the head, seen from above
# Azimuth from the front (degrees) over temple, ear and nape, and the height of the hairline there (metres).
AZIMUTH = np.array([0, 14, 26, 38, 48, 58, 66, 72, 77, 83, 85, 104, 112, 124, 145, 180])
HEIGHT = np.array(
    [0.976, 0.977, 0.975, 0.966, 0.948, 0.930, 0.920, 0.905, 0.882, 0.878, 0.908, 0.908, 0.868, 0.838, 0.818, 0.810]
)


def azimuth(points: np.ndarray) -> np.ndarray:
    """Degrees from straight ahead (0) to the back of the head (180), the same on both sides."""
    return np.degrees(np.arctan2(np.abs(points[..., 0]), MIDDLE_Y - points[..., 1]))


def above_hairline(points: np.ndarray) -> np.ndarray:
    """Metres above the hairline, slightly irregular; negative on bare skin.   Shape: (..., 3) -> (...)."""
    x, z = points[..., 0], points[..., 2]
    around = azimuth(points)
    line = np.interp(around, AZIMUTH, HEIGHT)
    ragged = 0.0030 * speckle(np.abs(x) + 0.3 * x + 1, points[..., 1] + z + 1, 0.009)
    ear = (np.abs(x) > 0.0745) & (z < 0.912) & (around > 82) & (around < 112)
    return np.where(ear, -0.02, z - line + ragged)
