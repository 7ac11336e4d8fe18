"""Clothes below the waist: trousers, jeans, leggings, shorts and skirts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.cut import CROTCH_Z, WAIST_Z, line, smooth, smoothstep, step
from mavton_lite.data.atelier.details import scatter
from mavton_lite.data.atelier.drape import arm_share, skirt_mesh, tights_mesh
from mavton_lite.data.atelier.folds import bell, train
from mavton_lite.data.atelier.layer import Camera, Drawn, see
from mavton_lite.data.atelier.light import Lamps, bumped
from mavton_lite.data.atelier.raster import Keep

if TYPE_CHECKING:
    from mavton_lite.data.atelier.people import Person

TROUSERS, SKIRT = 9, 12  # LIP ids
KINDS = {"trousers": 0.30, "jeans": 0.38, "leggings": 0.09, "shorts": 0.04, "A-line": 0.11, "pencil": 0.08}
BAND_M = 0.034  # height of a waistband
Colour = tuple[float, float, float]
# What shops sell: navy, black, charcoal, khaki, stone, olive, brown, burgundy, white; and denim from raw to bleached.
COLOURS = (
    (0.13, 0.16, 0.25), (0.09, 0.09, 0.10), (0.24, 0.25, 0.27), (0.60, 0.51, 0.39), (0.74, 0.69, 0.61),
    (0.31, 0.32, 0.22), (0.33, 0.24, 0.18), (0.36, 0.12, 0.16), (0.87, 0.86, 0.84), (0.45, 0.46, 0.49),
)  # fmt: skip
DENIM = ((0.12, 0.16, 0.27), (0.19, 0.27, 0.42), (0.31, 0.42, 0.58), (0.51, 0.62, 0.74), (0.14, 0.14, 0.16))
THREAD = (0.72, 0.50, 0.24)


@dataclass(frozen=True)
class Lower:
    """What is worn below the waist; lengths in metres on the canonical body."""

    kind: str  # a key of KINDS
    colour: Colour
    waist_z: float  # top of the waistband
    hem_z: float  # the picture usually ends above it
    fit: float  # distance from the body
    belt: Colour | None
    creases: int  # which folds this piece makes

    @property
    def skirt(self) -> bool:
        """Is it a skirt?"""
        return self.kind in ("A-line", "pencil")

    @property
    def label(self) -> int:
        """LIP id of its pixels."""
        return SKIRT if self.skirt else TROUSERS


def sample_lower(rng: np.random.Generator, gender: float, options: Collection[str] = ()) -> Lower:
    """Random clothes below the waist; `gender` 0 female .. 1 male decides on skirts and leggings."""
    odds = np.array(list(KINDS.values()))
    if gender > 0.5:
        odds = odds * [1.3, 1.2, 0, 1, 0, 0]
    kind = str(rng.choice(list(KINDS), p=odds / odds.sum()))
    colours = DENIM if kind == "jeans" else COLOURS
    colour = np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.88, 1.12) + rng.uniform(-0.015, 0.015, 3)
    if kind == "leggings":
        colour = np.minimum(colour, 0.3)
    low = {"leggings": 0.262, "shorts": 0.235}.get(kind, 0.232)
    fit = {"leggings": (0.001, 0.002), "jeans": (0.003, 0.006), "pencil": (0.003, 0.006), "A-line": (0.005, 0.010)}
    belt: tuple[float, float, float] | None = None
    if kind in ("trousers", "jeans") and rng.random() < 0.35:
        belt = ((0.25, 0.15, 0.09), (0.07, 0.06, 0.06))[rng.integers(2)]
    red, green, blue = (float(k) for k in np.clip(colour, 0.03, 0.95))
    return Lower(
        kind=kind,
        colour=(red, green, blue),
        waist_z=float(rng.uniform(low, WAIST_Z)),
        hem_z=float(rng.uniform(-0.20, -0.10)) if kind == "shorts" else -0.4,
        fit=float(rng.uniform(*fit.get(kind, (0.004, 0.009)))),
        belt=belt,
        creases=int(rng.integers(2**31)),
    )


def draw_lower(camera: Camera, lower: Lower, person: Person, lamps: Lamps) -> list[Drawn]:
    """The clothes below the waist as the camera sees them, lit."""
    mesh = skirt_mesh() if lower.skirt else tights_mesh()
    z = mesh.canonical[:, 2]
    ease = np.full(len(z), 0.002 + lower.fit)
    if lower.skirt:
        ease += (0.05 if lower.kind == "A-line" else 0.004) * smoothstep((lower.waist_z - 0.03 - z) / 0.4)
        loose: np.ndarray | float = 0.6
    else:
        ease += 0.5 * lower.fit * smoothstep((0.05 - z) / 0.2)  # legs are cut wider than the seat
        loose = {"leggings": 0.1, "jeans": 0.3}.get(lower.kind, 0.5) * (1 - smoothstep((0.12 - z) / 0.06))
    ease = ease * (1 - 0.6 * smoothstep((z - lower.waist_z + BAND_M) / 0.02))  # the waistband is snug
    vertices = mesh.hang(person.posed.vertices, mesh.normals(person.posed.vertices), ease, loose)
    high = load_body().canonical[mesh.faces, 2].min(1)
    faces = mesh.faces[(high < lower.waist_z) & (arm_share()[mesh.faces] < 0.3).all(1)]
    layer = see(camera, vertices, faces, arm_share(), keep=_keep(faces, lower.waist_z, lower.hem_z))
    hit = layer.hit
    table = np.random.default_rng(lower.creases).random((64, 4))
    kind = list(KINDS).index(lower.kind)
    pixel_m = 1 / camera.px_per_m
    marks = _marks(kind, lower.waist_z, lower.hem_z, layer.canonical[hit], table, pixel_m)
    colour = np.array(lower.colour)[None].repeat(len(marks), 0)
    if lower.kind == "jeans":  # worn lighter on the thighs, sewn with ochre
        colour += (0.5 * colour + 0.18 - colour * 0.35) * (marks[:, 2] * 0.5)[:, None]
        colour += (np.array(THREAD) - colour) * marks[:, 3:4]
    if lower.belt is not None:
        colour += (np.array(lower.belt) - colour) * marks[:, 4:5]
    normal = bumped(layer.normal, scatter(hit, marks[:, :1])[..., 0], hit, camera.px_per_m)
    out = scatter(hit, lamps(normal[hit]) * colour * marks[:, 1:2])
    return [Drawn(hit, layer.depth, out, np.where(hit, lower.label, 0).astype(np.uint8))]


def _keep(faces: np.ndarray, waist_z: float, hem_z: float) -> Keep:
    z = load_body().canonical[faces, 2]

    def cloth(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
        corner = z[rows]
        at = corner[:, 0] * weight[:, 0] + corner[:, 1] * weight[:, 1] + corner[:, 2] * weight[:, 2]
        return (at < waist_z) & (at > hem_z)

    return cloth


@njit(cache=True)
def _marks(kind, waist_z, hem_z, canonical, table, pixel_m):
    """Relief, shade, wear, share of thread and share of belt at points (N, 3)."""
    trousers, jeans, leggings, skirt = kind == 0, kind == 1, kind == 2, kind >= 4
    out = np.zeros((len(canonical), 5))
    for i in range(len(canonical)):
        x, y, z = canonical[i]
        ax, front = abs(x), y < -0.02
        left = 0 if x > 0 else 7
        relief, shade, wear, thread, belt = 0.0, 1.0, 0.0, 0.0, 0.0
        down = waist_z - z
        # Waistband, loops and belt.
        if not leggings:
            band = step(BAND_M - down, pixel_m)
            relief += 0.0014 * band
            shade -= 0.16 * line(down - BAND_M, 0.0016, pixel_m) + 0.12 * step(0.0025 - down, pixel_m)
            stitch = max(line(down - BAND_M + 0.004, 0.0009, pixel_m), line(down - 0.004, 0.0009, pixel_m))
            if not skirt:
                belt = step(BAND_M - 0.004 - down, pixel_m) * step(down - 0.003, pixel_m)
                loop = step(0.006 - abs(ax - 0.085), pixel_m) * band
                belt *= 1 - loop
                shade -= 0.12 * line(abs(ax - 0.085) - 0.006, 0.001, pixel_m) * band
                relief += 0.001 * loop
                if front:  # fly, button, pockets
                    fly = down - 0.155
                    curve = 0.027 * np.sqrt(max(1 - max(down - 0.11, 0.0) ** 2 / 0.045**2, 0.0))
                    below = step(down - BAND_M, pixel_m) * step(-fly, pixel_m)
                    stitch = max(stitch, line(x - curve, 0.0011, pixel_m) * below)
                    middle = line(x, 0.0015, pixel_m) * step(down - BAND_M, pixel_m) * step(z - CROTCH_Z, pixel_m)
                    shade -= 0.20 * middle
                    button = np.sqrt(x * x + (down - 0.5 * BAND_M) ** 2)
                    shade -= 0.25 * line(button - 0.007, 0.0013, pixel_m)
                    if jeans:  # scooped pockets
                        r = np.sqrt(((ax - 0.155) / 0.072) ** 2 + ((down - BAND_M) / 0.075) ** 2) - 1
                        pocket = r * 0.07
                    else:  # slanted pockets
                        pocket = (0.118 + 0.26 * (down - BAND_M) - ax) if down < 0.19 else 0.1
                    under = step(down - BAND_M, pixel_m) * step(0.2 - down, pixel_m)
                    shade -= 0.22 * line(pocket, 0.0014, pixel_m) * under
                    stitch = max(stitch, line(pocket - 0.006, 0.0009, pixel_m) * under)
                    relief += 0.0010 * step(pocket, pixel_m) * under
            thread = 0.75 * stitch if jeans else 0.0
            shade -= 0.0 if jeans else 0.07 * stitch
        wear = bell((ax - 0.11) / 0.06) * bell((z + 0.08) / 0.20) if front else 0.0
        # Folds: whiskers from the crotch, creases at the seat, the pressed line of trousers.
        if not skirt:
            strong = 0.0010 if leggings else 0.0030
            dx, dz = ax - 0.015, z - 0.085
            r = np.sqrt(dx * dx + dz * dz)
            if 0.004 < r < 0.2:
                angle = np.arctan2(dz, dx)
                fan = bell((angle - 0.25) / 0.9)
                relief += strong * fan * smooth(r / 0.05) * train(4.5 * angle, r - 0.09, left, 0.14, table)
            t = (z - 0.25 * ax) / 0.05
            relief += 0.7 * strong * bell((z + 0.10) / 0.16) * train(t, ax - 0.11, 2 + left, 0.10, table)
            if trousers and front and z < 0.1:
                relief += 0.0016 * max(1 - abs(ax - 0.115) / 0.008, 0.0) * smooth((0.1 - z) / 0.05)
            if z < CROTCH_Z + 0.03:
                shade -= 0.25 * max(1 - ax / 0.05, 0.0) * smooth((CROTCH_Z + 0.03 - z) / 0.05)
        else:
            face = 1.0 if front else -1.0
            low = smooth((waist_z - 0.03 - z) / 0.25)
            strong = 0.0065 if kind == 4 else 0.0012
            t = (x * face + 0.4 * y) / (0.050 + 0.06 * max(waist_z - z, 0.0))
            relief += strong * low * train(t, z + 0.08, 3, 0.5, table)
            if kind == 5:
                t = (z - 0.3 * ax) / 0.06
                relief += 0.0022 * bell((z - 0.08) / 0.16) * train(t, ax - 0.1, 4 + left, 0.14, table)
        out[i, 0], out[i, 1], out[i, 2], out[i, 3], out[i, 4] = relief, shade, wear, thread, belt
    return out
