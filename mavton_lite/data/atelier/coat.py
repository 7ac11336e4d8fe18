"""Coats: open in front, over the garment: blazers, cardigans and long coats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.cut import NECK_Z, UPPER_ARM_M, along_at, armhole, line, smooth, smoothstep, step
from mavton_lite.data.atelier.details import scatter
from mavton_lite.data.atelier.drape import arm_share, tights_mesh
from mavton_lite.data.atelier.folds import bell, train
from mavton_lite.data.atelier.layer import Camera, Drawn, see
from mavton_lite.data.atelier.light import Lamps, bumped
from mavton_lite.data.atelier.raster import place_at

if TYPE_CHECKING:
    from mavton_lite.data.atelier.people import Person

COAT = 7  # LIP id
KINDS = ("blazer", "cardigan", "coat")
SLEEVE_M = 0.533  # along the arm
OVER_M = 0.021  # off the body: it has to clear a garment and its folds
INSIDE_SHADE = 0.55
Colour = tuple[float, float, float]
COLOURS = (
    (0.14, 0.17, 0.27), (0.10, 0.10, 0.11), (0.30, 0.31, 0.33), (0.66, 0.54, 0.40), (0.52, 0.53, 0.55),
    (0.30, 0.35, 0.27), (0.42, 0.17, 0.19), (0.86, 0.83, 0.77), (0.35, 0.27, 0.22), (0.55, 0.62, 0.70),
)  # fmt: skip


@dataclass(frozen=True)
class Coat:
    """An open coat; lengths in metres on the canonical body."""

    kind: str  # of KINDS
    colour: Colour
    hem_z: float
    opening: float  # half width of the front opening at the chest
    flare: float  # how much wider the opening is at the hem
    creases: int  # which folds this piece makes

    def signed(self, canonical: np.ndarray, arm: np.ndarray) -> np.ndarray:
        """Metres inside the cut, positive is coat.   Shape: (..., 3), (...) arm share -> (...)."""
        points = np.ascontiguousarray(canonical.reshape(-1, 3), float)
        return _signed(self._cut, points, np.ascontiguousarray(arm.ravel(), float)).reshape(arm.shape)

    @property
    def _cut(self) -> np.ndarray:
        return np.array([self.hem_z, self.opening, self.flare])


def sample_coat(rng: np.random.Generator) -> Coat:
    """A random coat."""
    kind = str(rng.choice(KINDS, p=[0.4, 0.4, 0.2]))
    low, high = {"blazer": (0.08, 0.13), "cardigan": (0.09, 0.17), "coat": (-0.28, -0.15)}[kind]
    colour = np.array(COLOURS[rng.integers(len(COLOURS))]) * rng.uniform(0.88, 1.12)
    red, green, blue = (float(k) for k in np.clip(colour, 0.03, 0.95))
    return Coat(
        kind=kind,
        colour=(red, green, blue),
        hem_z=float(rng.uniform(low, high)),
        opening=float(rng.uniform(0.055, 0.085)),
        flare=float(rng.uniform(0.0, 0.03)),
        creases=int(rng.integers(2**31)),
    )


def draw_coat(camera: Camera, coat: Coat, person: Person, lamps: Lamps) -> Drawn:
    """The coat as the camera sees it, lit; to be laid over the garment, under hands that are in front of it."""
    mesh = tights_mesh()
    z = mesh.canonical[:, 2]
    neck = smoothstep((z - 0.66) / 0.08) * (1 - mesh.arm)
    ease = OVER_M * (1 - 0.55 * neck) * (1 - 0.15 * mesh.arm) + 0.006 * smoothstep((0.45 - z) / 0.5) * (1 - mesh.arm)
    vertices = mesh.hang(person.posed.vertices, mesh.normals(person.posed.vertices), ease, 1 - 0.7 * neck)
    cut = coat._cut
    canonical, arm = load_body().canonical, arm_share()
    faces = mesh.faces[(canonical[mesh.faces, 2] > coat.hem_z).any(1)]

    def keep(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return _cloth(cut, canonical, arm, faces, rows, weight)

    layer = see(camera, vertices, faces, arm, cull=False, keep=keep)
    hit, pixel_m = layer.hit, 1 / camera.px_per_m
    table = np.random.default_rng(coat.creases).random((64, 4))
    bends = person.bends
    marks = _marks(KINDS.index(coat.kind), cut, layer.canonical[hit], layer.arm[hit], table, np.array(bends), pixel_m)
    inside = layer.normal[hit][:, 1] > 0.02
    facing = scatter(hit, np.where(inside[:, None], -1, 1) * layer.normal[hit])
    normal = bumped(facing, scatter(hit, marks[:, :1])[..., 0], hit, camera.px_per_m)[hit]
    shade = marks[:, 1] * np.where(inside, INSIDE_SHADE, 1)
    colour = scatter(hit, np.array(coat.colour) * lamps(normal) * shade[:, None])
    return Drawn(hit, layer.depth, colour, np.where(hit, COAT, 0).astype(np.uint8))


@njit(cache=True)
def _edges(cut, x, y, z, arm):
    """Distances to the front edge, the hem, the sleeve's end and the collar's top; positive on the coat."""
    x = abs(x)
    sleeve = SLEEVE_M - along_at(x, y, z) if arm > 0.3 else 0.3
    hem = 0.3 if arm > 0.5 else z - cut[0]
    front = 0.3
    if y < -0.02 and arm < 0.5:
        low = max(0.40 - z, 0.0)
        half = cut[1] + cut[2] * (low / 0.3) ** 2 - 0.10 * max(z - 0.62, 0.0)  # closer at the neck, wider below
        half = max(half, 0.058 * smooth((z - 0.6) / 0.1))
        front = x - half
    top = NECK_Z + 0.026 - z
    return front, hem, sleeve, top


@njit(cache=True)
def _signed(cut, points, arm):
    out = np.empty(len(arm))
    for i in range(len(arm)):
        out[i] = min(_edges(cut, points[i, 0], points[i, 1], points[i, 2], arm[i]))
    return out


@njit(cache=True)
def _cloth(cut, canonical, arm, faces, rows, weight):
    out = np.empty(len(rows), np.bool_)
    for i in range(len(rows)):
        x, y, z, share = place_at(canonical, arm, faces, rows, weight, i)
        front, hem, sleeve, top = _edges(cut, x, y, z, share)
        out[i] = min(front, hem, sleeve, top) > 0
    return out


@njit(cache=True)
def _marks(kind, cut, canonical, arm, table, bends, pixel_m):
    """Relief and shade at points (N, 3)."""
    knit = kind == 1
    out = np.empty((len(canonical), 2))
    for i in range(len(canonical)):
        x, y, z = canonical[i]
        ax, left = abs(x), 0 if x > 0 else 7
        front, hem, sleeve, top = _edges(cut, x, y, z, arm[i])
        relief, shade = 0.0, 1.0
        for edge in (hem, sleeve, front):
            shade -= 0.12 * step(0.003 - edge, pixel_m)
        if knit:  # a knitted band along the opening, at hem and cuffs
            edge = min(front, top)
            relief += 0.0015 * step(0.028 - edge, pixel_m)
            shade -= 0.18 * line(edge - 0.028, 0.0016, pixel_m)
            shade -= 0.16 * line(hem - 0.05, 0.0016, pixel_m) + 0.16 * line(sleeve - 0.05, 0.0016, pixel_m)
        else:  # lapels: broad at the notch, running out at the button; a pocket flap on each side
            if y < -0.02 and 0.40 < z < 0.72 and arm[i] < 0.5:
                up = (z - 0.40) / 0.25
                width = 0.072 * min(up, 1.0) if z < 0.65 else 0.058
                lapel = width - front
                notch = abs(z - 0.655 - 0.3 * (ax - 0.08)) - 0.002
                on = step(lapel, pixel_m)
                relief += 0.003 * on
                shade -= 0.24 * line(lapel, 0.0020, pixel_m) + 0.26 * line(notch, 0.0016, pixel_m) * on
                shade -= 0.20 * max(1 + lapel / 0.012, 0.0) ** 2 * (1 - on) if lapel > -0.012 else 0.0
            u, v = abs(ax - 0.128) - 0.042, abs(z - 0.245 - 0.05 * (ax - 0.128)) - 0.016
            if y < 0 and arm[i] < 0.3:
                flap = max(u, v)
                relief += 0.0015 * step(-flap, pixel_m)
                shade -= 0.20 * line(flap, 0.0014, pixel_m)
            for k in range(2):  # buttons where it would close, and on the cuff
                r = np.sqrt((ax - cut[1] - cut[2] * 0.1 - 0.016) ** 2 + (z - 0.36 + 0.09 * k) ** 2)
                if y < 0 and x > 0:
                    shade -= 0.35 * step(0.0085 - r, pixel_m)
        if arm[i] > 0.3 or z > 0.55:
            seam = ax - armhole(z, 0.166)
            shade -= 0.15 * line(seam, 0.0016, pixel_m) * step(z - 0.55, pixel_m)
        # Folds of a heavy cloth: elbow, sleeve, armpit, skirt.
        if arm[i] > 0.4:
            a = along_at(x, y, z) - UPPER_ARM_M
            flex = bends[0] if x > 0 else bends[1]
            t = a / 0.034
            relief += (
                0.0036 * min(0.35 + flex, 1.6) * bell(a / 0.17) * train(t, ax - 0.38 + z - 0.43, left, 0.10, table)
            )
        dx, dz = ax - 0.172, z - 0.54
        r = np.sqrt(dx * dx + dz * dz)
        if 0.005 < r < 0.2:
            lift = bends[2] if x > 0 else bends[3]
            angle = np.arctan2(dz, -dx)
            fan = bell((angle - 0.5) / 1.5) + 0.7 * bell((angle + 1.9) / 0.9)
            relief += (
                (0.003 + 0.003 * lift) * fan * smooth(r / 0.05) * train(2.6 * angle, r - 0.09, 2 + left, 0.15, table)
            )
        if arm[i] < 0.4 and z < 0.5:
            t = x / 0.085
            relief += 0.0045 * smooth((0.5 - z) / 0.3) * train(t, z - 0.15, 4, 0.5, table)
        out[i, 0], out[i, 1] = relief, shade
    return out
