"""Paint mouth, nose, lids, brows and beard on the canonical face: colours (N, 3) of skin points with |x| and z."""

from __future__ import annotations

import numpy as np

from mavton_lite.data.atelier.complexion import BLOOD, Complexion
from mavton_lite.data.atelier.speckle import edge, fade, mix, ramp, speckle, spot

# Landmarks of the canonical face, metres: |x| and z.
EYE, INNER, OUTER = (0.0318, 0.8998), (0.0188, 0.8984), (0.0465, 0.9000)
MOUTH_Z, MOUTH_X = 0.8286, 0.0252
NOSTRIL, NOSE_TIP_Z = (0.0085, 0.8555), 0.862
BROW_X = (0.0110, 0.0540)
# Upper border of a beard: |x|, z.
BEARD = (
    [0, 0.003, 0.010, 0.020, 0.027, 0.034, 0.042, 0.055, 0.064, 0.069, 0.08],
    [0.8455, 0.8475, 0.8490, 0.8480, 0.8420, 0.8330, 0.8300, 0.8390, 0.8560, 0.8800, 0.8850],
)
DARKER = np.array([0.55, 0.76, 0.80])  # shadows in the folds of skin are warm


def almond(x: np.ndarray, looks: Complexion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heights of the upper and lower lid over |x|, and where x lies between the corners (0 inner, 1 outer)."""
    opening, tilt, _ = looks.eye_shape
    t = np.clip((x - INNER[0]) / (OUTER[0] - INNER[0]), 0, 1)
    base = INNER[1] + (OUTER[1] + 0.0012 * tilt - INNER[1]) * t
    upper = base + 0.0057 * opening * np.clip(np.sin(np.pi * t**0.82), 0, 1) ** 0.75
    lower = base - 0.0041 * opening * np.clip(np.sin(np.pi * t**1.15), 0, 1) ** 0.90
    return upper, lower, t


def mouth(x, y, z, front, colour, looks: Complexion, pixel: float) -> np.ndarray:
    """Lips with a cupid's bow, the line between them."""
    fullness, width = looks.lip_shape
    t = np.clip(x / (MOUTH_X * width), 0, 1)
    line = MOUTH_Z + 0.0010 * np.sin(np.pi * np.clip(t * 1.1, 0, 1)) - 0.0012 * t**4
    bow = 0.0015 * np.exp(-(((x - 0.0062) / 0.0042) ** 2))
    upper = line + fullness * (0.0076 * (1 - t**1.7) + bow * (1 - t)) + 1e-4
    lower = line - fullness * 0.0118 * (1 - t**2.3)
    inside = np.maximum(np.maximum(z - upper, lower - z), x - MOUTH_X * width)
    share = edge(inside, max(0.0018, 1.2 * pixel)) * front
    depth = np.clip((line - z) / 0.0125, 0, 1)  # 0 at the line, 1 at the lower border
    tone = np.where(z > line, 0.84 + 10 * (z - line), 0.93 + 0.12 * np.sin(np.pi * depth) * (1 - t))
    wrinkles = 1 + 0.03 * np.sin(x * 3600 + 2 * np.sin(x * 900)) * fade(pixel, 0.0008)
    gleam = 0.10 * spot(x, z, 0.004, 0.8222, 0.009, 0.0020) * (1 + looks.rouge) * wrinkles
    colour = mix(colour, looks.lips * (tone * wrinkles)[:, None] + gleam[:, None], 0.90 * share)
    # The line of the mouth, deeper at its corners; and what of the inner mouth would show there.
    thin = np.abs(z - line) - 0.0004 + 0.0002 * t
    cleft = edge(thin, max(0.0012, 1.3 * pixel)) * edge(x - MOUTH_X * width, 0.002) * front
    cleft *= min(1.0, 0.0016 / pixel + 0.35)
    inner = (np.abs(z - line) < 0.003) & (x < 0.024) & (y > -0.152) & (y < -0.10)
    corner = 0.35 * spot(x, z, MOUTH_X * width + 0.0008, MOUTH_Z - 0.0016, 0.0030, 0.0024) * front
    colour = colour * np.exp(-np.multiply.outer(corner, DARKER))
    return mix(colour, 0.32 * looks.lips, np.maximum(0.80 * cleft, inner * 0.9))


def nose(x, y, z, front, colour, looks: Complexion, pixel: float) -> np.ndarray:
    """Nostrils, and the shadows beside the nose and under the lower lip."""
    below = spot(x, z, 0.0, 0.8122, 0.013, 0.0032)
    wing = spot(x, z, 0.0188, 0.8570, 0.0024, 0.0055)
    fold = spot(0.8 * (x - 0.025) + 0.6 * (z - 0.850), 0.8 * (z - 0.850) - 0.6 * (x - 0.025), 0.0, 0.0, 0.005, 0.012)
    bridge = spot(x, z, 0.0150, 0.9060, 0.0060, 0.0085)
    shade = front * (0.26 * below + 0.26 * wing + 0.05 * fold + 0.20 * bridge)
    colour = colour * np.exp(-np.multiply.outer(shade, DARKER))
    lit = 0.05 * front * spot(x, z, 0.0, 0.880, 0.0045, 0.016)
    oval = np.sqrt(((x - NOSTRIL[0]) / 0.0050) ** 2 + ((z - NOSTRIL[1] - 0.15 * (x - NOSTRIL[0])) / 0.0022) ** 2)
    hole = edge(oval - 1, max(0.7, 450 * pixel)) * front * (y < -0.12)
    return mix(colour * (1 + lit[:, None]), 0.25 * looks.skin * [1, 0.62, 0.55], 0.75 * hole)


def lids(x, z, front, colour, looks: Complexion, pixel: float) -> np.ndarray:
    """Crease, eye shadow and lashes around the eye, on the skin."""
    near = np.flatnonzero((np.abs(x - 0.034) < 0.024) & (np.abs(z - EYE[1]) < 0.022) & (front > 0))
    x, z, there = x[near], z[near], front[near]
    upper, lower, t = almond(x, looks)
    over, under = z - upper, lower - z
    wide = ramp(x, INNER[0] - 0.002, INNER[0] + 0.003) * ramp(x, OUTER[0] + 0.004, OUTER[0])
    crease = np.exp(-(((over - 0.0032 - 0.0008 * t) / max(0.0011, pixel)) ** 2)) * wide
    lid = np.exp(-((over / 0.007) ** 2)) * (over > -0.002) * spot(x, 0, 0.034, 0, 0.017, 1)
    bag = np.exp(-(((under - 0.0050) / 0.0022) ** 2)) * spot(x, 0, 0.030, 0, 0.011, 1)
    shade = there * (0.30 * crease + 0.14 * lid + 0.07 * bag)
    part = colour[near] * np.exp(-np.multiply.outer(shade, DARKER))
    veil = np.exp(-(((over - 0.002) / 0.0065) ** 2)) * (over > -0.003) * spot(x, 0, 0.036, 0, 0.015, 1)
    part = part * (1 - (0.9 * there * veil)[:, None] * looks.shadow)
    # Lashes: a band at the lid that ends in strokes, longer outwards.
    length = (0.0007 + (0.0008 + 0.0026 * looks.liner) * t**1.3) * wide
    stroke = 0.5 + 0.5 * np.sin(2 * np.pi * (x - 0.55 * over * t) / 0.00125)
    reach = length * (1 - fade(pixel, 0.0008) * 0.8 * stroke)
    ink = edge(over - 0.0003 - reach, max(0.0007, pixel)) * (over > -0.0025) * wide
    low = np.exp(-(((under - 0.0003) / max(0.0005, 0.7 * pixel)) ** 2)) * (t > 0.2) * wide
    ink = np.maximum(ink * (0.60 + 0.3 * looks.liner), (0.16 + 0.30 * looks.liner) * low)
    colour[near] = mix(part, np.minimum(0.5 * looks.brow, 0.10), np.clip(ink, 0, 0.95) * there)
    return colour


def brows(x, z, front, colour, looks: Complexion, hair, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Tapered brows drawn hair by hair where a pixel can show it.   Shape: -> colour (N, 3), height (N,) in metres."""
    thickness, arch, density = looks.brow_shape
    height = np.zeros(len(x))
    near = np.flatnonzero((x < 0.058) & (np.abs(z - 0.916) < 0.014) & (front > 0))
    x, z = x[near], z[near]
    t = (x - BROW_X[0]) / (BROW_X[1] - BROW_X[0])
    u = np.clip(t, 0, 1)
    middle = 0.9142 + 0.0034 * np.sin(np.pi * 0.95 * u**1.2) + 0.0024 * arch * np.exp(-(((u - 0.66) / 0.26) ** 2))
    middle = middle - 0.0022 * u**3
    half = 0.0037 * thickness * np.where(u < 0.5, 0.78 + 0.44 * u, 1 - 0.85 * (np.clip(u - 0.5, 0, 1) / 0.5) ** 1.5)
    off = z - middle
    lean = 1.5 - 1.25 * u  # hairs rise near the nose and lie flat at the temple
    stroke = speckle(x - lean * off, off * 0.22, 0.0009)
    detail = fade(pixel, 0.0009)
    rough = speckle(x, z, 0.004)
    share = edge(np.abs(off) - half * (1 + 0.12 * rough + 0.35 * detail * stroke), max(0.0024, 1.2 * pixel))
    share *= ramp(t + 0.05 * rough, -0.06, 0.20) * ramp(t, 1.06, 0.86) * front[near]
    share *= density * np.clip(0.88 + 0.30 * detail * stroke, 0, 1) * min(1.0, 0.6 + 0.0020 / pixel)
    colour[near] = mix(
        colour[near], np.minimum(0.5 * looks.brow + 0.4 * hair.colour, 0.72 * colour[near]), 0.86 * share
    )
    height[near] = 0.0008 * share
    return colour, height


def beard(at: np.ndarray, x: np.ndarray, colour: np.ndarray, looks: Complexion, hair, pixel: float) -> np.ndarray:
    """A shadow of stubble or a short beard: moustache, chin and jaw up to the sideburns."""
    if not (looks.stubble or looks.beard):
        return colour
    near = np.flatnonzero((at[:, 2] < 0.885) & (at[:, 1] < -0.058) & (at[:, 2] > 0.755))
    x, y, z = x[near], at[near, 1], at[near, 2]
    across = speckle(x, z, 0.006)
    top = np.interp(x, *BEARD)
    share = ramp(z - top + 0.002 * across, 0.0035, -0.0040) * ramp(z + 0.25 * (y + 0.12), 0.762, 0.786)
    share *= ramp(y, -0.060, -0.070)
    bare = spot(x, z, 0.0125, 0.8110, 0.0050, 0.0040) + spot(x, z, 0.0, 0.8440, 0.0022, 0.0040)
    share *= (1 - 0.75 * np.clip(bare, 0, 1)) * np.where(looks.beard > 0, 1, 0.75 + 0.25 * ramp(z, 0.86, 0.82))
    detail = fade(pixel, 0.0011)
    grain = detail * speckle(x + 0.3 * z, z * 0.35 + 0.5 * y, 0.0010) + 0.4 * across
    amount = max(0.30 * looks.stubble, 0.86 * looks.beard)
    dark = 0.75 * hair.colour + 0.02 * looks.skin
    share = share * np.clip(amount * (1 + 0.22 * grain), 0, 1)
    colour[near] = mix(colour[near], np.minimum(dark, colour[near]), share)
    return colour


def freckles(x: np.ndarray, at: np.ndarray, front: np.ndarray, amount: float, pixel: float) -> np.ndarray:
    """Pigment (N,) of freckles over nose and cheeks."""
    z = at[:, 2]
    spread = front * (spot(x, z, 0.028, 0.878, 0.034, 0.015) + 0.25 * spot(x, z, 0.0, 0.94, 0.05, 0.02))
    dots = ramp(speckle(at[:, 0] + 1, z, 0.0026), 0.42, 0.75) + 0.6 * ramp(speckle(at[:, 0] + 2, z, 0.0016), 0.5, 0.8)
    return amount * spread * (0.50 * dots * fade(pixel, 0.0016) + 0.06)


def flush(at: np.ndarray, x: np.ndarray, front: np.ndarray, looks: Complexion, colour: np.ndarray) -> np.ndarray:
    """Blood in cheeks, nose, chin and lids."""
    z = at[:, 2]
    blood = front * (
        0.24 * spot(x, z, 0.045, 0.864, 0.020, 0.018)
        + 0.24 * spot(x, z, 0.0, NOSE_TIP_Z, 0.017, 0.012)
        + 0.12 * spot(x, z, 0.0, 0.798, 0.020, 0.011)
        + 0.16 * spot(x, z, EYE[0], EYE[1] - 0.001, 0.020, 0.010)
        + looks.rouge * 0.34 * spot(x - 0.55 * (z - 0.866), z, 0.047, 0.872, 0.017, 0.012)
    )
    ear = ramp(x, 0.070, 0.080) * (z < 0.915) * (z > 0.845)
    return colour * np.exp(-np.multiply.outer(looks.flush * (blood + 0.28 * ear), BLOOD))
