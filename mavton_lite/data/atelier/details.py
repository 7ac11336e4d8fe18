"""What makes cut cloth a garment: seams, bands, collars, plackets, buttons and pockets, as paint and as relief.

All of it is drawn in canonical coordinates, so a button sits at the same place of the flat lay and of the person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mavton_lite.data.atelier.cloth import HEIGHT, WIDTH, sample_bilinear
from mavton_lite.data.atelier.cut import ARMPIT_Z, NECK_Z, Edges, armhole, line, smooth, step
from mavton_lite.data.atelier.folds import folds
from mavton_lite.data.atelier.layer import Layer
from mavton_lite.data.atelier.light import bumped

if TYPE_CHECKING:
    from mavton_lite.data.atelier.garment import Garment
    from mavton_lite.data.atelier.poses import Bends

INSIDE_SHADE = 0.72  # of the cloth's inside, seen through the neck of a flat lay
BAND_M, RIB_M, COLLAR_M, PLACKET_M = 0.018, 0.045, 0.042, 0.016  # widths
BUTTON_M, BUTTON_STEP_M, SHORT_PLACKET_M = 0.0055, 0.085, 0.135


class Surface(NamedTuple):
    """A garment's cloth at every pixel.   Shape: (h, w[, 3])."""

    albedo: np.ndarray  # (h, w, 3) in [0, 1]
    normal: np.ndarray  # (h, w, 3) unit, with folds and relief
    shade: np.ndarray  # (h, w) multiplies the light: seams, edges, what a collar shadows


class Marks(NamedTuple):
    """What details add at N points."""

    relief: np.ndarray  # (N,) metres
    shade: np.ndarray  # (N,)
    paint: np.ndarray  # (N,) share of `colour`
    colour: np.ndarray  # (N, 3)


def surface_of(garment: Garment, layer: Layer, px_per_m: float, bends: Bends | None) -> Surface:
    """See `Garment.surface`."""
    hit = layer.hit
    canonical, arm, uv = layer.canonical[hit], layer.arm[hit], layer.uv[hit]
    print_ = sample_bilinear(garment.cloth.picture, uv[:, 0] * WIDTH - 0.5, uv[:, 1] * HEIGHT - 0.5)
    edges = garment.edges(canonical, arm)
    marks = details(garment, canonical, arm, edges, 1 / px_per_m)
    height, valley = folds(garment, canonical, arm, edges, bends)
    height = height * smooth(1 - marks.relief / 0.003) + marks.relief  # bands and plackets are stiff
    back = layer.normal[hit][:, 1] > 0.02  # the inside of the cloth
    shade = marks.shade * (1 - valley) * np.where(back, INSIDE_SHADE, 1)
    albedo = print_ + (marks.colour - print_) * marks.paint[:, None]
    raised = np.zeros(hit.shape)
    raised[hit] = height
    facing = np.where((layer.normal[..., 1] > 0.02)[..., None], -layer.normal, layer.normal)
    return Surface(_put(hit, albedo), bumped(facing, raised, hit, px_per_m), _put(hit, shade))


def details(garment: Garment, canonical: np.ndarray, arm: np.ndarray, edges: Edges, pixel_m: float) -> Marks:
    """Seams, bands, collar, placket, buttons and pocket at points (N, 3)."""
    n = len(canonical)
    relief, shade, paint = np.zeros(n), np.ones(n), np.zeros(n)
    colour = np.broadcast_to(np.array(garment.trim or (0.0, 0.0, 0.0)), (n, 3)).copy()
    x, y, z = canonical.T
    front = y < 0.0
    # Hems: a double row of stitches, or a knitted band.
    for distance, ribbed in ((edges.hem, garment.rib), (edges.sleeve, garment.rib and garment.sleeve_m > 0.2)):
        shade -= 0.12 * step(0.0025 - distance, pixel_m)
        if ribbed:
            band = step(RIB_M - distance, pixel_m)
            relief += 0.0012 * band
            shade -= 0.16 * line(distance - RIB_M, 0.0016, pixel_m)
        else:
            shade -= 0.09 * line(distance - 0.02, 0.0012, pixel_m)
    if garment.trim is not None and garment.sleeve_m > 0:
        paint = np.maximum(paint, step((RIB_M if garment.rib else BAND_M) - edges.sleeve, pixel_m))
    # The seam of a set-in sleeve.
    if garment.sleeve_m > 0 and garment.cloth.kind != "raglan":
        seam = np.abs(x) - armhole(z, 0.158)
        near = (z > ARMPIT_Z - 0.01) & (edges.sleeve > 0.02)
        shade -= 0.13 * line(seam, 0.0014, pixel_m) * near
        relief -= 0.0006 * np.exp(-((seam / 0.004) ** 2)) * near
    if garment.collar == "none":
        band = step(BAND_M - edges.neck, pixel_m)
        relief += 0.0012 * band
        shade -= 0.12 * line(edges.neck - BAND_M, 0.0014, pixel_m) + 0.10 * step(0.002 - edges.neck, pixel_m)
        if garment.trim is not None:
            paint = np.maximum(paint, band)
    marks = Marks(relief, shade, paint, colour)
    if garment.placket != "none":
        marks = _placket(garment, marks, x, z, front, edges, pixel_m)
    if garment.pocket:
        marks = _pocket(marks, x, z, front, pixel_m)
    if garment.collar != "none":
        marks = _collar(garment, marks, x, y, z, edges, pixel_m)
    return marks


def _placket(garment, marks, x, z, front, edges, pixel_m) -> Marks:
    """The buttoned strip: as far as the chest, or to the hem."""
    top = NECK_Z - garment.neck_depth
    end = top - SHORT_PLACKET_M if garment.placket == "short" else garment.hem_z
    on = front * step(PLACKET_M - np.abs(x), pixel_m) * step(z - end, pixel_m)
    outline = line(np.abs(x) - PLACKET_M, 0.0013, pixel_m) * step(z - end, pixel_m)
    outline = np.maximum(outline, line(z - end, 0.0013, pixel_m) * step(PLACKET_M - np.abs(x), pixel_m)) * front
    first = top - 0.022
    count = int((first - end - 0.012) / BUTTON_STEP_M) + 1 if garment.placket == "full" else 2
    spacing = BUTTON_STEP_M if garment.placket == "full" else 0.05
    place = np.clip(np.round((first - z) / spacing), 0, count - 1)
    r = np.sqrt(x**2 + (z - first + place * spacing) ** 2)
    button = step(BUTTON_M - r, pixel_m) * front
    rim = line(r - BUTTON_M, 0.0012, pixel_m) * front
    colour = np.where(button[:, None] > 0, np.array(garment.buttons), marks.colour)
    return Marks(
        marks.relief + 0.0012 * on + 0.0008 * button,
        marks.shade - 0.15 * outline - 0.22 * rim,
        np.maximum(marks.paint * (button == 0), button),
        colour,
    )


def _pocket(marks, x, z, front, pixel_m) -> Marks:
    """A patch pocket on the wearer's left breast, pointed below."""
    u, v = x - 0.078, z - 0.535
    inside = np.minimum(np.minimum(0.046 - np.abs(u), 0.052 - v), v + 0.062 - 0.35 * np.abs(u))
    on = step(inside, pixel_m) * front
    hem = line(0.052 - v - 0.016, 0.0012, pixel_m) * on
    stitch = line(inside - 0.0015, 0.0013, pixel_m) * front
    shade = marks.shade - 0.15 * stitch - 0.10 * hem - 0.10 * line(inside + 0.003, 0.002, pixel_m) * front
    return marks._replace(relief=marks.relief + 0.0012 * on, shade=shade)


def _collar(garment, marks, x, y, z, edges, pixel_m) -> Marks:
    """A turned-down collar with two points in front, or a band that stands."""
    d, ax = edges.neck, np.abs(x)
    if garment.collar == "stand":
        inside = 0.026 - d
    else:
        front = smooth((-y - 0.02) / 0.06)
        points = np.exp(-(((ax - 0.052) / 0.022) ** 2)) * front
        width = COLLAR_M * (0.85 + (0.55 if garment.collar == "shirt" else 0.3) * points)
        parted = ax - 0.004 - 0.55 * np.clip(NECK_Z - 0.012 - garment.neck_depth * 0.6 - z, 0, None)
        inside = np.minimum(width - d, np.where(y < -0.03, parted, 1.0))
    on = step(inside, pixel_m)
    shadow = 0.26 * np.exp(-((np.clip(-inside, 0, None) / 0.008) ** 2)) * (1 - on)
    shade = marks.shade * (1 - on) + on - shadow - 0.14 * line(inside - 0.005, 0.0012, pixel_m) * on
    paint, colour = marks.paint * (1 - on), marks.colour
    if garment.trim is not None:
        paint, colour = np.maximum(paint, on), np.where(on[:, None] > 0.5, np.array(garment.trim), colour)
    relief = marks.relief * (1 - on) + 0.0028 * smooth(inside / 0.004 + 0.5) * on
    return Marks(relief, shade - 0.10 * step(0.002 - d, pixel_m), paint, colour)


def _put(hit: np.ndarray, values: np.ndarray) -> np.ndarray:
    out = np.zeros((*hit.shape, *values.shape[1:]))
    out[hit] = values
    return out
