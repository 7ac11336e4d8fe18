"""Draw hair: grown strands carried by the posed body, as ribbons with the highlight of hair.

Source: Kajiya and Kay, "Rendering fur with three dimensional textures" (1989), for the light on a strand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.layer import Camera, Drawn, Layer
from mavton_lite.data.atelier.light import Lamps, occlusion
from mavton_lite.data.atelier.raster import rasterise
from mavton_lite.data.atelier.scalp import above_hairline
from mavton_lite.data.atelier.strands import Strands, ribbon_faces, ribbons, unit
from mavton_lite.data.atelier.styles import VARIANTS
from mavton_lite.data.atelier.wigs import strands_of

HAIR = 2
COARSE_PX_PER_M = 490.0  # below, a strand is narrower than a pixel of the finished picture
STYLES = tuple(VARIANTS)
# Shares of styles for women and men.
ODDS = {
    "shaved": (0.01, 0.10), "crop": (0.03, 0.20), "short": (0.08, 0.46), "curly": (0.11, 0.09), "afro": (0.06, 0.06),
    "bob": (0.17, 0.02), "tied": (0.18, 0.03), "long": (0.17, 0.03), "long in front": (0.19, 0.01),
}  # fmt: skip
COLOURS = {
    "black": (0.072, 0.062, 0.058), "dark brown": (0.125, 0.085, 0.062), "brown": (0.235, 0.150, 0.098),
    "chestnut": (0.320, 0.180, 0.105), "auburn": (0.380, 0.155, 0.080), "red": (0.520, 0.230, 0.100),
    "dark blond": (0.470, 0.345, 0.205), "blond": (0.690, 0.540, 0.340), "light blond": (0.820, 0.710, 0.520),
    "grey": (0.480, 0.470, 0.460), "white": (0.800, 0.790, 0.770),
}  # fmt: skip


@dataclass(frozen=True)
class Hair:
    """The hair of one person.   Units: colours in [0, 1]."""

    style: str  # one of STYLES
    variant: int
    mirrored: bool
    colour: np.ndarray
    tips: np.ndarray  # colour of the ends
    contrast: float  # between locks
    gloss: float


def sample_hair(rng: np.random.Generator, gender: float, tone: float, style: str | None = None) -> Hair:
    """Random hair for a gender (0 female .. 1 male) and a skin tone (0 light .. 1 deep)."""
    odds = np.array([f + (m - f) * gender for f, m in ODDS.values()])
    coily = np.interp(tone, [0.4, 0.8], [0.25, 3.0])
    odds *= [coily if k == "afro" else 1.0 for k in ODDS]
    drawn = str(rng.choice(list(ODDS), p=odds / odds.sum()))
    variant, mirrored = int(rng.integers(12)), bool(rng.random() < 0.5)
    dark = np.interp(tone, [0.0, 0.25, 0.55, 1.0], [0.25, 0.45, 0.92, 0.97])
    names = list(COLOURS)
    kind = rng.random()
    if rng.random() < 0.09:
        name = names[rng.integers(9, 11)]
    elif kind < dark:
        name = names[rng.integers(0, 3)]
    else:
        name = names[rng.integers(2, 9)]
    colour = np.clip(np.array(COLOURS[name]) * rng.uniform(0.85, 1.15) * rng.uniform(0.96, 1.04, 3), 0.02, 0.95)
    bleached = rng.random() < 0.2
    return Hair(
        style=style or drawn,
        variant=variant,
        mirrored=mirrored,
        colour=colour,
        tips=np.clip(colour * (rng.uniform(1.2, 1.45) if bleached else rng.uniform(1.0, 1.15)), 0, 0.95),
        contrast=rng.uniform(0.10, 0.20),
        gloss=rng.uniform(0.5, 1.0),
    )


def draw_hair(camera: Camera, hair: Hair, person, lamps: Lamps, skin: Layer) -> list[Drawn]:
    """The roots on the scalp, and the strands over them."""
    if hair.style == "shaved":
        return []
    out = [_cap(hair, lamps, skin)]
    coarse = camera.px_per_m < COARSE_PX_PER_M
    strands: Any = strands_of(hair.style, hair.variant % VARIANTS[hair.style], hair.mirrored, coarse)
    return [*out, _draw_strands(camera, hair, person, lamps, strands)]


def rise_m(hair: Hair) -> float:
    """How far the hair stands above the top of the canonical head, metres."""
    strands = strands_of(hair.style, hair.variant % VARIANTS[hair.style])
    return 0.0 if strands is None else max(0.0, float(strands.points[..., 2].max() - load_body().canonical[:, 2].max()))


def _cap(hair: Hair, lamps: Lamps, skin: Layer) -> Drawn:
    """What is between the strands: the scalp in the shade of the hair."""
    hit = skin.hit & (skin.canonical[..., 2] > 0.80)
    hit[hit] = above_hairline(skin.canonical[hit]) > 0.001
    colour = np.zeros((*hit.shape, 3))
    colour[hit] = (0.62 if hair.style == "crop" else 0.45) * hair.colour * lamps(skin.normal[hit][None], 0.4)[0]
    return Drawn(hit, np.where(hit, skin.depth - 0.0008, np.inf), colour, np.where(hit, HAIR, 0).astype(np.uint8))


def posed_points(strands: Strands, posed) -> np.ndarray:
    """Where the strands are on a posed body (S, K, 3)."""
    flat = strands.points.reshape(-1, 3)
    out = posed.carry(strands.head_row.ravel(), flat)
    low = np.flatnonzero(strands.hang.ravel() > 0)
    torso = posed.carry(strands.body_row.ravel()[low], flat[low])
    out[low] += (torso - out[low]) * strands.hang.ravel()[low, None]
    moved = (out - flat).reshape(strands.points.shape)
    for _ in range(2):  # neighbours along a strand may hang on different vertices: no kinks
        inner = 0.25 * moved[:, :-2] + 0.5 * moved[:, 1:-1] + 0.25 * moved[:, 2:]
        moved = np.concatenate([moved[:, :1], inner, moved[:, -1:]], 1)
    return strands.points + moved


def _draw_strands(camera: Camera, hair: Hair, person, lamps: Lamps, strands: Strands) -> Drawn:
    points = posed_points(strands, person.posed)
    n, k = points.shape[:2]
    tangent = unit(np.gradient(points, axis=1))
    normal = np.einsum("skij,skj->ski", person.posed.linear[strands.head_row], strands.normal)
    colour = _lit(hair, lamps, strands, tangent, normal)
    at = camera.project(points)
    at[..., 2] -= 0.0015 * strands.tint[:, None]  # bands that lie in one plane keep an order
    corners = ribbons(at, np.maximum(strands.width * camera.px_per_m, 0.9))
    # Only the part of the picture that has hair is drawn.
    flat = corners.reshape(-1, 3)
    left, top = np.floor(flat[:, :2].min(0)).astype(int).clip(0)
    right = min(int(np.ceil(flat[:, 0].max())) + 1, camera.columns)
    bottom = min(int(np.ceil(flat[:, 1].max())) + 1, camera.rows)
    hit = np.zeros((camera.rows, camera.columns), bool)
    depth = np.full(hit.shape, np.inf)
    painted = np.zeros((*hit.shape, 3))
    if right > left and bottom > top:
        faces = ribbon_faces(n, k)
        seen = rasterise(flat - [left, top, 0], faces, bottom - top, right - left, cull=False)
        across = np.broadcast_to(np.array([-1.0, 1.0])[None, None, :, None], (n, k, 2, 1))
        values = np.concatenate([np.repeat(colour[:, :, None], 2, 2), across], -1).reshape(-1, 4)
        shown = seen.interpolate(values, faces)
        box = (slice(top, bottom), slice(left, right))
        hit[box], depth[box] = seen.hit, seen.depth
        ribbon = faces[seen.triangle[seen.hit], 0] // (2 * k)
        fine = np.clip(
            strands.width.max() * camera.px_per_m / 4 - 0.4, 0, 1
        )  # hairs within a ribbon, where one can see them
        u = shown[seen.hit][:, 3]
        hairs = 1 + 0.13 * fine * np.sin(6 * u + 200 * strands.tint[ribbon])
        shade = 1 - 1.1 * occlusion(seen.depth, camera.px_per_m)[seen.hit]
        painted[hit] = shown[seen.hit][:, :3] * (hairs * shade)[:, None]
    return Drawn(hit, depth, painted, np.where(hit, HAIR, 0).astype(np.uint8))


def _lit(hair: Hair, lamps: Lamps, strands: Strands, tangent: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Colour (S, K, 3) of every point of the strands under the lamps."""
    s = np.linspace(0, 1, tangent.shape[1])[None, :, None]
    tint = (1 + hair.contrast * strands.tint)[:, None, None]
    base = (hair.colour + (hair.tips - hair.colour) * s**1.5) * tint
    inner = (0.55 + 0.45 * strands.depth)[:, None, None] * (0.72 + 0.28 * np.clip(4 * s, 0, 1))
    lean = (normal * tangent) @ np.ones(3)
    around = unit(normal - 0.6 * tangent * lean[..., None])
    light = lamps(around, 0.45)
    half = np.array(lamps.key) + [0, -1, 0]
    half /= np.sqrt((half**2).sum())
    along, across = tangent @ half, normal @ half
    facing = np.clip(0.35 + 0.65 * across, 0, 1)[..., None] * inner

    def gleam(shift: float, power: int) -> np.ndarray:
        """Highlight of a tangent that is tilted by `shift` towards the normal."""
        tilt = shift + 0.06 * strands.tint[:, None]
        cosine = (along + tilt * across) ** 2 / (1 + 2 * tilt * lean + tilt**2)
        return (np.clip(1 - cosine, 0, 1) ** (power / 2))[..., None]

    white = 0.16 * hair.gloss * gleam(-0.12, 90) * (0.40 + 0.4 * hair.colour.mean())
    warm = 0.50 * hair.gloss * gleam(0.14, 24) * base * (1 - 0.8 * hair.colour.mean())
    return base * light * inner * 0.92 + facing * (white + warm + 0.055 * hair.gloss * gleam(-0.05, 24))
