"""Paint skin and eyes in canonical coordinates: every feature sits where the mesh has it, whoever wears the head.

Edges are as soft as a pixel is wide, and details finer than a pixel fade, so a face is no noise when it is small.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.complexion import Complexion, sample_complexion
from mavton_lite.data.atelier.layer import Camera, Drawn, Layer, see
from mavton_lite.data.atelier.light import Lamps
from mavton_lite.data.atelier.scalp import above_hairline

__all__ = ["Complexion", "draw_eyes", "paint_skin", "sample_complexion"]

FACE = 13
# Landmarks of the canonical face, metres: |x| and z.
EYE, INNER, OUTER = (0.0318, 0.8998), (0.0188, 0.8984), (0.0465, 0.9000)
MOUTH_Z, MOUTH_X = 0.8286, 0.0252
NOSTRIL, NOSE_TIP_Z = (0.0085, 0.8555), 0.862
BROW_X = (0.0115, 0.0545)
IRIS_M, PUPIL_M = 0.0060, 0.0024


def paint_skin(layer: Layer, person) -> tuple[np.ndarray, np.ndarray]:
    """Albedo (h, w, 3) and relief in metres (h, w) of a person's skin, before light."""
    looks: Complexion = person.complexion
    albedo, relief = np.ones((*layer.hit.shape, 3)), np.zeros(layer.hit.shape)
    at = layer.canonical[layer.hit]
    wave = np.sin(at @ looks.mottle[:, :3].T + looks.mottle[:, 3]).sum(1)
    colour = looks.stain(0.035 * wave, 0.02 * wave)
    arm = np.flatnonzero(layer.arm[layer.hit] > 0.5)
    colour[arm] = _arms(at[arm], colour[arm], looks)
    head = np.flatnonzero(at[:, 2] > 0.76)
    colour[head], height = _head(at[head], colour[head], looks, person.hair, pixel_m(layer))
    albedo[layer.hit] = np.clip(colour, 0, 1)
    raised = np.zeros(len(at))
    raised[head] = height
    relief[layer.hit] = raised
    return albedo, relief


def pixel_m(layer: Layer) -> float:
    """About how many metres a pixel of the skin is wide (on what faces the camera)."""
    step = np.abs(np.diff(layer.canonical[::4, :, 0], axis=1))
    step = step[layer.hit[::4, 1:] & layer.hit[::4, :-1] & (layer.normal[::4, 1:, 1] < -0.9)]
    return float(np.clip(np.median(step), 1e-4, 0.02)) if len(step) else 0.002


def _spot(x, z, x0: float, z0: float, sx: float, sz: float) -> np.ndarray:
    """A soft round spot, 1 in its middle."""
    return np.exp(-(((x - x0) / sx) ** 2) - ((z - z0) / sz) ** 2)


def _mix(colour: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    return colour + (other - colour) * share[:, None]


def _edge(distance: np.ndarray, soft: float) -> np.ndarray:
    """1 inside (negative distance), 0 outside, over a ramp of `soft` metres."""
    return np.clip(0.5 - distance / soft, 0, 1)


def _ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@cache
def _hand() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the left hand: a point and the normal of its plane (towards the palm), knuckles and elbow, nails."""
    body = load_body()
    joint = {bone: body.joints[i] for i, bone in enumerate(body.bones)}
    wrist, first, last = (joint[f"{k}.L"] for k in ("wrist", "finger2-1", "finger5-1"))
    normal = np.cross(first - wrist, last - wrist)
    normal *= np.sign(normal @ (joint["finger1-3.L"] - wrist)) / np.sqrt(normal @ normal)
    red = [joint["lowerarm01.L"] - 0.03 * np.array([0, -1, 0])]
    nails = []
    for i in range(1, 6):
        a, b, c = (joint[f"finger{i}-{j}.L"] for j in (1, 2, 3))
        red += [a - 0.008 * normal, b - 0.006 * normal]
        nails.append(c + (c - b) * (0.55 if i > 1 else 0.5) - 0.006 * normal)
    return wrist, normal, np.array(red), np.array(nails)


def _arms(at: np.ndarray, colour: np.ndarray, looks: Complexion) -> np.ndarray:
    """Paler palms and inner arms, redder elbows, knuckles and finger tips, nails."""
    at = np.concatenate([np.abs(at[:, :1]), at[:, 1:]], axis=1)
    wrist, normal, red, nails = _hand()
    palmar = (at - wrist) @ normal
    hand = _ramp(at[:, 2], 0.34, 0.29)
    palm = _ramp(palmar, -0.004, 0.010) * hand
    inner = 0.5 * _ramp(palmar, 0.0, 0.04) * (1 - hand)
    blood = 0.10 * palm
    for k, spot in enumerate(red):
        wide = 0.035 if k == 0 else 0.009
        blood = blood + (0.30 if k == 0 else 0.34) / (1 + ((at - spot) ** 2).sum(1) / wide**2) ** 2
    deep = 1 - looks.skin[0]
    colour = colour * np.exp(-np.multiply.outer(looks.flush * blood, [0.10, 0.50, 0.42]))
    pale = np.array([0.90, 0.70, 0.60])
    colour = _mix(colour, pale, np.clip(0.75 * deep * palm + 0.12 * inner, 0, 1))
    fingers = np.flatnonzero((at[:, 2] < 0.27) & (palmar < 0.004))
    for nail in nails:
        away = ((at[fingers] - nail) ** 2).sum(1)
        colour[fingers] = _mix(colour[fingers], looks.nails, 0.8 * _edge(np.sqrt(away) - 0.0062, 0.003))
    return colour


def _head(at: np.ndarray, colour: np.ndarray, looks: Complexion, hair, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Everything on the head but the eyes themselves: colour (N, 3) and relief (N,)."""
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    front = _ramp(y, -0.075, -0.105)
    ear = _ramp(x, 0.070, 0.080) * (z < 0.915) * (z > 0.845)
    blood = front * (
        0.36 * _spot(x, z, 0.044, 0.866, 0.020, 0.017)
        + 0.34 * _spot(x, z, 0.0, NOSE_TIP_Z, 0.017, 0.012)
        + 0.16 * _spot(x, z, 0.0, 0.798, 0.020, 0.011)
        + 0.20 * _spot(x, z, EYE[0], EYE[1] - 0.001, 0.020, 0.009)
        + looks.rouge * 0.55 * _spot(x - 0.55 * (z - 0.866), z, 0.047, 0.870, 0.017, 0.010)
    )
    concha = _spot(y, z, -0.0500, 0.8800, 0.0085, 0.0110)
    blood = looks.flush * (blood + 0.40 * ear)
    pigment = front * 0.10 * _spot(x, z, 0.030, 0.8905, 0.013, 0.005) + 0.55 * ear * concha
    pigment = pigment + 0.13 * _ramp(z, 0.80, 0.775) * _ramp(y, -0.10, -0.06)
    if looks.freckles and pixel < 0.004:
        spots = np.sin(at @ [1890.0, 610.0, 1310.0]) * np.sin(at @ [-1170.0, 820.0, 1730.0])
        spread = front * (_spot(x, z, 0.030, 0.878, 0.032, 0.015) + 0.3 * _spot(x, z, 0.0, 0.94, 0.05, 0.02))
        pigment = pigment + looks.freckles * 0.55 * spread * _ramp(spots, 0.45, 0.75) * _fade(pixel, 0.0013)
    colour = colour * np.exp(-np.multiply.outer(blood, [0.10, 0.50, 0.42]))
    colour = colour * np.exp(-np.multiply.outer(pigment, [0.55, 0.75, 0.85]))
    colour = _beard(at, x, colour, looks, hair, pixel)
    colour = _mouth_and_nose(x, y, z, front, colour, looks, pixel)
    colour = _lids(x, z, front, colour, looks, pixel)
    colour, height = _brows(at, x, z, front, colour, looks, pixel)
    # Roots show through the skin in front of the hairline: a soft beginning, no helmet.
    roots = _ramp(above_hairline(at), -0.010, 0.004) * (0.9 if hair.style != "shaved" else 0.62)
    colour = _mix(colour, np.minimum(hair.colour, colour) * 0.75 + 0.08 * looks.skin, roots)
    return colour, height


def _fade(pixel: float, size: float) -> float:
    """How much of a detail of a size (metres) a pixel can still show."""
    return float(np.clip(1.5 * size / pixel - 0.5, 0, 1))


def _beard(at: np.ndarray, x: np.ndarray, colour: np.ndarray, looks: Complexion, hair, pixel: float) -> np.ndarray:
    if not (looks.stubble or looks.beard):
        return colour
    y, z = at[:, 1], at[:, 2]
    jaw = _ramp(z - 0.845 + 0.9 * (0.062 - np.clip(x, 0.022, 0.062)) - 1.2 * np.clip(y + 0.105, 0, 0.03), 0.006, -0.008)
    jaw *= _ramp(z, 0.765, 0.790) * _ramp(y, -0.060, -0.072)
    lip = _ramp(np.abs(z - 0.8430) - 0.0035 + 0.10 * x, 0.003, -0.001) * _ramp(x, 0.030, 0.024) * (y < -0.13)
    corner = _ramp(np.abs(x - 0.0285), 0.007, 0.003) * (z < 0.845) * (z > 0.80) * (y < -0.10)
    bare = _ramp(x, 0.020, 0.016) * _ramp(np.abs(z - 0.8115), 0.004, 0.002) * (x > 0.006)
    there = np.clip(np.maximum(np.maximum(jaw, lip), corner) - bare, 0, 1)
    grain = 0.12 * np.sin(at @ [1400.0, 300.0, 900.0]) * np.sin(at @ [-800.0, 500.0, 1500.0]) * _fade(pixel, 0.002)
    dark = 0.7 * np.minimum(hair.colour, looks.brow + 0.05) + 0.05
    share = there * np.clip(np.maximum(0.34 * looks.stubble, 0.88 * looks.beard) * (1 + grain), 0, 1)
    return _mix(colour, np.minimum(dark, colour), share)


def _mouth_and_nose(x, y, z, front, colour, looks: Complexion, pixel: float) -> np.ndarray:
    fullness, width = looks.lip_shape
    t = np.clip(x / (MOUTH_X * width), 0, 1)
    line = MOUTH_Z + 0.0010 * np.sin(np.pi * np.clip(t * 1.1, 0, 1)) - 0.0018 * t**4
    bow = 0.0016 * np.exp(-(((x - 0.0062) / 0.0042) ** 2))
    upper = line + fullness * (0.0078 * (1 - t**1.7) + bow * (1 - t)) + 1e-4
    lower = line - fullness * 0.0122 * (1 - t**2.3)
    soft = max(0.0014, 1.2 * pixel)
    inside = np.maximum(np.maximum(z - upper, lower - z), x - MOUTH_X * width)
    share = _edge(inside, soft) * front
    above = _edge(line - z, max(0.0012, pixel))
    depth = np.clip((line - z) / 0.0125, 0, 1)  # 0 at the line, 1 at the lower border
    tone = np.where(above > 0.5, 0.86, 0.93 + 0.13 * np.sin(np.pi * depth) * (1 - t))
    lips = looks.lips * tone[:, None]
    gleam = 0.10 * _spot(x, z, 0.005, 0.8215, 0.008, 0.0022) * (1 + looks.rouge)
    colour = _mix(colour, lips + gleam[:, None], 0.92 * share)
    # The line of the mouth, deeper at its corners; and what of the inner mouth would show there.
    thin = np.abs(z - line) - 0.00035 - 0.00035 * t**3
    cleft = _edge(thin, max(0.0012, 1.3 * pixel)) * _edge(x - 1.03 * MOUTH_X, 0.002) * front
    cleft *= min(1.0, 0.0016 / pixel + 0.35)
    inner = (np.abs(z - line) < 0.003) & (x < 0.024) & (y > -0.152) & (y < -0.10)
    colour = _mix(colour, 0.30 * looks.lips, np.maximum(0.85 * cleft, inner * 0.9))
    below = _spot(x, z, 0.0, 0.8125, 0.013, 0.0028)
    nostril = _edge(((x - NOSTRIL[0]) / 0.0052) ** 2 + ((z - NOSTRIL[1]) / 0.0023) ** 2 - 1, max(0.9, 500 * pixel))
    wing = _spot(x, z, 0.0185, 0.8570, 0.0022, 0.0050)
    smile = _spot(x - 0.024, z - 0.848 + 0.9 * (x - 0.024), 0.0, 0.0, 0.010, 0.0022)
    dark = np.array([0.55, 0.75, 0.78])
    shade = front * (0.30 * below + 0.28 * wing + 0.10 * smile)
    colour = colour * np.exp(-np.multiply.outer(shade, dark))
    return _mix(colour, 0.22 * looks.skin * [1, 0.62, 0.55], 0.80 * nostril * front * (y < -0.12))


def _almond(x: np.ndarray, z: np.ndarray, looks: Complexion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heights of the upper and lower lid over |x|, and where x lies between the corners (0 inner, 1 outer)."""
    opening, tilt, _ = looks.eye_shape
    t = np.clip((x - INNER[0]) / (OUTER[0] - INNER[0]), 0, 1)
    base = INNER[1] + (OUTER[1] + 0.0012 * tilt - INNER[1]) * t
    upper = base + 0.0066 * opening * np.clip(np.sin(np.pi * t**0.80), 0, 1) ** 0.70
    lower = base - 0.0046 * opening * np.clip(np.sin(np.pi * t**1.15), 0, 1) ** 0.85
    return upper, lower, t


def _lids(x, z, front, colour, looks: Complexion, pixel: float) -> np.ndarray:
    """Crease, eye shadow and lashes around the eye, on the skin."""
    upper, lower, t = _almond(x, z, looks)
    near = np.flatnonzero((np.abs(x - 0.034) < 0.024) & (np.abs(z - EYE[1]) < 0.022) & (front > 0))
    x, z, t, upper, lower = x[near], z[near], t[near], upper[near], lower[near]
    over, under = z - upper, lower - z
    wide = (x > INNER[0] - 0.001) & (x < OUTER[0] + 0.004)
    crease = np.exp(-(((over - 0.0034 - 0.0006 * t) / max(0.0011, pixel)) ** 2)) * wide
    lid = np.exp(-((over / 0.006) ** 2)) * (over > -0.002) * _spot(x, 0, 0.034, 0, 0.017, 1)
    part = colour[near] * np.exp(-np.multiply.outer(0.32 * crease + 0.10 * lid, [0.7, 0.85, 0.85]))
    veil = np.exp(-(((over - 0.002) / 0.0065) ** 2)) * (over > -0.003) * _spot(x, 0, 0.036, 0, 0.015, 1)
    part = part * (1 - 0.9 * veil[:, None] * looks.shadow)
    socket = _spot(x, z, 0.0165, 0.9050, 0.006, 0.008)
    part = part * np.exp(-np.multiply.outer(0.22 * socket, [0.6, 0.8, 0.8]))
    # Lashes: a band at the lid that ends in strokes, longer outwards.
    length = (0.0009 + (0.0010 + 0.0028 * looks.liner) * t**1.3) * wide
    stroke = 0.5 + 0.5 * np.sin(2 * np.pi * (x - 0.55 * over * t) / 0.00125)
    detail = _fade(pixel, 0.0008)
    reach = length * (1 - detail * 0.75 * stroke)
    ink = _edge(over - 0.0006 - reach, max(0.0007, pixel)) * _edge(-over - 0.004, 0.001) * wide
    ink = np.maximum(
        ink * (0.62 + 0.3 * looks.liner), 0.30 * (1 + looks.liner) * _edge(under - 0.0007, 0.0012) * (t > 0.25) * wide
    )
    part = _mix(part, np.minimum(0.5 * looks.brow, 0.10), np.clip(ink, 0, 0.95) * (front[near]))
    colour[near] = part
    return colour


def _brows(at, x, z, front, colour, looks: Complexion, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    thickness, arch, density = looks.brow_shape
    t = (x - BROW_X[0]) / (BROW_X[1] - BROW_X[0])
    u = np.clip(t, 0, 1)
    middle = 0.9128 + 0.0052 * np.sin(np.pi * u**1.25 * 0.92) + 0.0030 * arch * np.exp(-(((u - 0.66) / 0.24) ** 2))
    half = 0.0040 * thickness * np.where(u < 0.45, 0.80 + 0.2 * u / 0.45, 1 - 0.85 * ((u - 0.45) / 0.55) ** 1.4)
    off = z - middle
    lean = 1.6 - 1.3 * u  # hairs rise near the nose and lie flat at the temple
    stroke = np.sin(2 * np.pi * (x - lean * 0.6 * off) / 0.0014 + 5 * np.sin(at[:, 0] * 700))
    detail = _fade(pixel, 0.0010)
    ragged = half * (1 + 0.22 * detail * stroke)
    share = _edge(np.abs(off) - ragged + 0.0006, max(0.0022, 1.2 * pixel))
    share *= _ramp(t, -0.05, 0.16) * _ramp(t, 1.06, 0.90) * front * density * (0.86 + 0.14 * detail * stroke)
    share *= min(1.0, 0.55 + 0.0022 / pixel)
    return _mix(colour, np.minimum(looks.brow, 0.8 * colour), 0.88 * share), 0.0009 * share


def draw_eyes(camera: Camera, person, lamps: Lamps, skin: Layer) -> Drawn:
    """Both eyes: white, iris with its dark ring, pupil, shadow of the upper lid, catch light."""
    looks: Complexion = person.complexion
    body = load_body()
    ball = see(camera, person.posed.vertices, body.faces["eyes"], np.zeros(len(body.canonical)))
    open_ = ball.hit & (ball.depth < skin.depth + 0.004)
    at = np.where(open_[..., None], ball.canonical, skin.canonical)
    rows = np.flatnonzero(
        (open_ | skin.hit) & (np.abs(at[..., 2] - EYE[1]) < 0.016) & (np.abs(np.abs(at[..., 0]) - 0.033) < 0.018)
        & (at[..., 1] < -0.10)
    )  # fmt: skip
    p = at.reshape(-1, 3)[rows]
    side, x, z = np.sign(p[:, 0]), np.abs(p[:, 0]), p[:, 2]
    upper, lower, t = _almond(x, z, looks)
    inside = (z < upper) & (z > lower) & (x > INNER[0]) & (x < OUTER[0])
    rows, side, x, z, upper, lower, t = (k[inside] for k in (rows, side, x, z, upper, lower, t))
    pixel = 1 / camera.px_per_m
    colour = _eyeball(side * (x - EYE[0]), z - EYE[1], upper - z, z - lower, t, lamps, looks, pixel)
    hit = np.zeros(skin.hit.size, bool)
    hit[rows] = True
    hit = hit.reshape(skin.hit.shape)
    painted = np.zeros((*hit.shape, 3))
    painted[hit] = colour
    depth = np.where(hit, np.minimum(skin.depth, np.where(open_, ball.depth, np.inf)) - 0.0005, np.inf)
    return Drawn(hit, depth, painted, np.where(hit, FACE, 0).astype(np.uint8))


def _eyeball(dx, dz, under, over, t, lamps: Lamps, looks: Complexion, pixel: float) -> np.ndarray:
    """Colour (N, 3) of points at dx (to the person's left), dz from the middle of an eye, and below its lids."""
    r = np.sqrt(np.clip(1 - (dx**2 + dz**2) / 0.0125**2, 0.05, 1))
    light = lamps(np.stack([dx / 0.0125, -r, dz / 0.0125], axis=1)[None], 0.5)[0]
    gx, gz = dx - looks.gaze[0], dz - looks.gaze[1]
    radius, size = np.sqrt(gx**2 + gz**2), IRIS_M * looks.eye_shape[2]
    soft = max(0.0007, pixel)
    white = np.array([0.93, 0.905, 0.885]) * (0.62 + 0.38 * looks.skin[0])
    colour = np.broadcast_to(white, (len(dx), 3)).copy()
    pink = np.exp(-((t / 0.10) ** 2)) + 0.25 * np.exp(-(((1 - t) / 0.12) ** 2))
    colour = _mix(colour, np.array([0.74, 0.46, 0.42]) * looks.skin[0], np.clip(0.8 * pink, 0, 1))
    angle = np.arctan2(gz, gx)
    fibres = (np.sin(23 * angle + 2 * np.sin(5 * angle)) + np.sin(41 * angle)) * 0.09 * _fade(pixel, 0.0007)
    glow = 1.05 - 0.45 * gz / size + fibres  # light from above gathers in the lower half
    iris = looks.iris * np.clip(glow, 0.5, 1.7)[:, None]
    iris = _mix(iris, 0.35 * looks.iris, _ramp(radius / size, 0.78, 1.0))
    inner = np.exp(-(((radius - 0.0030) / 0.0010) ** 2))
    iris = iris * (1 + inner[:, None] * [0.35, 0.20, 0.02])
    colour = _mix(colour, iris, _edge(radius - size, soft))
    colour = _mix(colour, np.array([0.025, 0.02, 0.02]), _edge(radius - PUPIL_M, soft))
    shadow = 0.42 + 0.58 * _ramp(under, -0.0004, 0.0030)
    rim = 0.72 + 0.28 * _ramp(over, 0.0, 0.0012)
    colour = colour * light * (shadow * rim)[:, None]
    spark = np.sqrt((dx + 0.0019) ** 2 + (dz - 0.0019) ** 2) - 0.00095
    return _mix(colour, np.array([1.0, 1.0, 1.0]), 0.9 * _edge(spark, max(0.0006, pixel)) * min(1.0, 0.0022 / pixel))
