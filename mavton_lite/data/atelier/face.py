"""Paint skin in canonical coordinates: every feature sits where the mesh has it, whoever wears the body.

Edges are as soft as a pixel is wide, and details finer than a pixel fade, so a face is no noise when it is small.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from mavton_lite.data.atelier import features
from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.complexion import BLOOD, MELANIN, Complexion, sample_complexion
from mavton_lite.data.atelier.eyes import draw_eyes
from mavton_lite.data.atelier.layer import Layer
from mavton_lite.data.atelier.light import Lamps
from mavton_lite.data.atelier.scalp import above_hairline
from mavton_lite.data.atelier.speckle import edge, mix, ramp, speckle, spot

__all__ = ["Complexion", "draw_eyes", "lit_skin", "paint_skin", "sample_complexion"]

WARM = 1 / np.array([1.0, 0.955, 0.925])  # light that went through skin comes out red
PALM = np.array([0.90, 0.70, 0.60])  # palms are pale on everyone


def paint_skin(layer: Layer, person) -> tuple[np.ndarray, np.ndarray]:
    """Albedo (h, w, 3) and relief in metres (h, w) of a person's skin, before light."""
    looks: Complexion = person.complexion
    albedo, relief = np.ones((*layer.hit.shape, 3)), np.zeros(layer.hit.shape)
    here = np.flatnonzero(layer.hit)
    at = layer.canonical.reshape(-1, 3)[here]
    (u, a), (v, b) = ((k[:3], k[3]) for k in looks.mottle)
    wave = np.sin(at @ u + a) + np.sin(at @ v + b)
    colour = looks.skin - wave[:, None] * (looks.skin * (0.030 * BLOOD + 0.016 * MELANIN))
    arm = np.flatnonzero(layer.arm.ravel()[here] > 0.5)
    colour[arm] = _arms(at[arm], colour[arm], looks)
    head = np.flatnonzero(at[:, 2] > 0.755)
    colour[head], height = _head(at[head], colour[head], looks, person.hair, pixel_m(layer))
    albedo.reshape(-1, 3)[here] = np.clip(colour, 0, 1)
    relief.reshape(-1)[here[head]] = height
    return albedo, relief


def lit_skin(albedo: np.ndarray, normal: np.ndarray, shade: np.ndarray, lamps: Lamps) -> np.ndarray:
    """Skin under the lamps: warm where light turns to shade, a soft sheen that shows most on deep skin.

    Shape: (h, w, 3), (h, w, 3), shadow of the surroundings (h, w) 0..1 -> (h, w, 3).
    """
    light = lamps(normal, 0.25) * shade[..., None]
    warm = np.where(light < 1, np.clip(light, 0, None) ** WARM, light)
    sheen = 0.055 * lamps.gloss(normal, 9.0) + 0.05 * lamps.gloss(normal, 40.0)
    return albedo * warm + (sheen * shade * (1.25 - albedo[..., 0]))[..., None]


def pixel_m(layer: Layer) -> float:
    """About how many metres a pixel of the skin is wide, on what faces the camera."""
    step = np.abs(np.diff(layer.canonical[::4, :, 0], axis=1))
    step = step[layer.hit[::4, 1:] & layer.hit[::4, :-1] & (layer.normal[::4, 1:, 1] < -0.9)]
    return float(np.clip(np.median(step), 1e-4, 0.02)) if len(step) else 0.002


@cache
def _hand() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the left hand: a point and the normal of its plane (towards the palm), elbow and knuckles, nails."""
    body = load_body()
    joint = {bone: body.joints[i] for i, bone in enumerate(body.bones)}
    wrist, first, last = (joint[f"{k}.L"] for k in ("wrist", "finger2-1", "finger5-1"))
    normal = np.cross(first - wrist, last - wrist)
    normal *= np.sign(normal @ (joint["finger1-3.L"] - wrist)) / np.sqrt(normal @ normal)
    red, nails = [joint["lowerarm01.L"] + [0, 0.03, 0]], []
    for i in range(1, 6):
        a, b, c = (joint[f"finger{i}-{j}.L"] for j in (1, 2, 3))
        red += [a - 0.008 * normal, b - 0.006 * normal]
        nails.append(c + (c - b) * 0.55 - 0.006 * normal)
    return wrist, normal, np.array(red), np.array(nails)


def _arms(at: np.ndarray, colour: np.ndarray, looks: Complexion) -> np.ndarray:
    """Paler palms and inner arms, redder elbows, knuckles and finger tips, nails."""
    at = np.concatenate([np.abs(at[:, :1]), at[:, 1:]], axis=1)
    wrist, normal, red, nails = _hand()
    palmar = (at - wrist) @ normal
    colour = mix(colour, PALM, 0.06 * ramp(palmar, 0.0, 0.04) * ramp(at[:, 2], 0.29, 0.34))
    elbow = ((at - red[0]) ** 2).sum(1) / 0.035**2
    colour = colour * (1 - np.multiply.outer(0.30 * looks.flush / (1 + elbow) ** 2, BLOOD))
    hand = np.flatnonzero(at[:, 2] < 0.34)
    at, palmar, part = at[hand], palmar[hand], colour[hand]
    palm = ramp(palmar, -0.004, 0.010) * ramp(at[:, 2], 0.34, 0.29)
    blood = 0.10 * palm
    for k in red[1:]:
        blood = blood + 0.34 / (1 + ((at - k) ** 2).sum(1) / 0.009**2) ** 2
    part = part * np.exp(-np.multiply.outer(looks.flush * blood, BLOOD))
    part = mix(part, PALM, 0.75 * (1 - looks.skin[0]) * palm)
    tips = np.flatnonzero((at[:, 2] < 0.27) & (palmar < 0.004))
    for nail in nails:
        away = np.sqrt(((at[tips] - nail) ** 2).sum(1))
        part[tips] = mix(part[tips], looks.nails, 0.8 * edge(away - 0.0062, 0.003))
    colour[hand] = part
    return colour


def _head(at: np.ndarray, colour: np.ndarray, looks: Complexion, hair, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Everything on the head but the eyes themselves: colour (N, 3) and relief (N,)."""
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    front = ramp(y, -0.075, -0.105)
    colour = features.flush(at, x, front, looks, colour)
    ear = ramp(x, 0.070, 0.080) * (z < 0.915) * (z > 0.845)
    pigment = 0.60 * ear * spot(y, z, -0.0500, 0.8800, 0.0085, 0.0110) + 0.10 * ramp(z, 0.80, 0.775) * (y < -0.05)
    if looks.freckles and pixel < 0.004:
        pigment = pigment + features.freckles(x, at, front, looks.freckles, pixel)
    colour = colour * np.exp(-np.multiply.outer(pigment, [0.55, 0.75, 0.85]))
    colour = features.beard(at, x, colour, looks, hair, pixel)
    colour = features.mouth(x, y, z, front, colour, looks, pixel)
    colour = features.nose(x, y, z, front, colour, looks, pixel)
    colour = features.lids(x, z, front, colour, looks, pixel)
    colour, height = features.brows(x, z, front, colour, looks, hair, pixel)
    # Roots show through the skin in front of the hairline: a soft beginning, no helmet.
    grown = ramp(above_hairline(at), -0.007, 0.005) * (0.85 if hair.style != "shaved" else 0.55)
    grown = grown * np.clip(0.90 + 0.10 * speckle(at[:, 0], z + y, 0.008), 0, 1)
    return mix(colour, np.minimum(hair.colour, colour) * 0.75 + 0.08 * looks.skin, grown), height
