"""What makes cut cloth a garment: seams, bands, collars, plackets, buttons and pockets, as paint and as relief.

All of it is drawn in canonical coordinates, so a button sits at the same place of the flat lay and of the person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from mavton_lite.data.atelier.cut import ARMPIT_Z, NECK_Z, Edges, armhole, line, smooth, smoothstep, step
from mavton_lite.data.atelier.folds import folds
from mavton_lite.data.atelier.layer import Layer
from mavton_lite.data.atelier.light import bumped

if TYPE_CHECKING:
    from mavton_lite.data.atelier.garment import Garment
    from mavton_lite.data.atelier.poses import Bends

INSIDE_SHADE = 0.72  # of the cloth's inside, seen through the neck of a flat lay
RIM_SHADE = 0.35
BAND_M, RIB_M, COLLAR_M, PLACKET_M = 0.018, 0.045, 0.042, 0.016  # widths
BUTTON_M, SHORT_PLACKET_M = 0.0055, 0.135  # radius, length
COLLARS, PLACKETS = ("none", "polo", "shirt", "stand"), ("none", "short", "full")


class Surface(NamedTuple):
    """A garment's cloth at every pixel.   Shape: (h, w[, 3])."""

    albedo: np.ndarray  # (h, w, 3) in [0, 1]
    normal: np.ndarray  # (h, w, 3) unit, with folds and relief
    shade: np.ndarray  # (h, w) multiplies the light: seams, edges, what a collar shadows


class Finish(NamedTuple):
    """What is sewn on, in numbers."""

    collar: int  # place in COLLARS
    placket: int  # place in PLACKETS
    pocket: bool
    rib: bool
    trim: bool
    seam: bool  # of set-in sleeves


class Marks(NamedTuple):
    """What details add at N points."""

    relief: np.ndarray  # (N,) metres
    shade: np.ndarray  # (N,)
    trim: np.ndarray  # (N,) share of the trim's colour
    button: np.ndarray  # (N,) share of the buttons' colour


def surface_of(garment: Garment, layer: Layer, px_per_m: float, bends: Bends | None) -> Surface:
    """See `Garment.surface`."""
    flat, hit = garment.flat, layer.hit
    canonical, arm, place, facing, outside = _gather(
        hit, int(hit.sum()), layer.canonical, layer.arm, layer.uv, layer.normal, flat.centre_z, flat.height_m
    )
    albedo = garment.cloth.colour(place, canonical, arm, px_per_m)
    edges = garment.edges(canonical, arm)
    marks = details(garment, canonical, edges, 1 / px_per_m)
    for share, colour in ((marks.trim, garment.trim), (marks.button, garment.buttons)):
        if colour is not None:
            albedo += (np.array(colour) - albedo) * share[:, None]
    height, valley = folds(garment, canonical, arm, edges, bends)
    shade = marks.shade * (1 - valley) * np.where(outside, 1, INSIDE_SHADE)
    if bends is None:  # a laid garment is flat, its rims roll away from the light
        shade *= 1 - RIM_SHADE * (1 + facing[:, 1]) ** 2
    height = height * (1 - 0.7 * smoothstep(marks.relief / 0.003)) + marks.relief  # collars and bands are stiff
    normal = bumped(scatter(hit, facing), scatter(hit, height[:, None])[..., 0], hit, px_per_m)
    return Surface(scatter(hit, albedo), normal, scatter(hit, shade[:, None])[..., 0])


@njit(cache=True)
def _gather(hit, n, canonical, arm, uv, normal, centre_z, height_m):
    """What a layer says at its N hit pixels; places on the flat garment in metres; normals turned to the camera."""
    at, share, place = np.empty((n, 3)), np.empty(n), np.empty((n, 2))
    facing, outside = np.empty((n, 3)), np.empty(n, np.bool_)
    i = 0
    for row in range(hit.shape[0]):
        for column in range(hit.shape[1]):
            if hit[row, column]:
                outside[i] = normal[row, column, 1] <= 0.02
                for k in range(3):
                    at[i, k] = canonical[row, column, k]
                    facing[i, k] = normal[row, column, k] if outside[i] else -normal[row, column, k]
                share[i] = arm[row, column]
                place[i, 0] = 0.75 * (uv[row, column, 0] - 0.5) * height_m
                place[i, 1] = (0.5 - uv[row, column, 1]) * height_m + centre_z
                i += 1
    return at, share, place, facing, outside


@njit(cache=True)
def scatter(hit, values):
    """Values (N, C) at the hit pixels of a picture (h, w, C), zero elsewhere."""
    out = np.zeros((*hit.shape, values.shape[1]))
    i = 0
    for row in range(hit.shape[0]):
        for column in range(hit.shape[1]):
            if hit[row, column]:
                out[row, column] = values[i]
                i += 1
    return out


def details(garment: Garment, canonical: np.ndarray, edges: Edges, pixel_m: float) -> Marks:
    """Seams, bands, collar, placket, buttons and pocket at points (N, 3); `pixel_m` is a pixel's size in metres."""
    finish = Finish(
        COLLARS.index(garment.collar), PLACKETS.index(garment.placket), garment.pocket, garment.rib,
        garment.trim is not None, not garment.cloth.two_parts,
    )  # fmt: skip
    out = _details(finish, garment.cut, canonical, edges.neck, edges.hem, edges.sleeve, pixel_m)
    return Marks(*out.T)


@njit(cache=True)
def _details(finish, cut, canonical, neck, hem, sleeve, pixel_m):
    out = np.zeros((len(neck), 4))
    for i in range(len(neck)):
        x, y, z = canonical[i]
        relief, shade, trim, button = _sewn(finish, cut, x, z, neck[i], hem[i], sleeve[i], pixel_m)
        if y < 0:
            if finish.placket > 0:
                r, s, b = _placket(finish, cut, x, z, pixel_m)
                relief, shade, trim, button = relief + r, shade - s, trim * (1 - b), b
            if finish.pocket:
                r, s = _pocket(x, z, pixel_m)
                relief, shade = relief + r, shade - s
        if finish.collar > 0:
            inside = _collar(finish, cut, x, y, z, neck[i])
            on = step(inside, pixel_m)
            shadow = max(-inside, 0.0) / 0.009
            shade *= 1 - 0.30 * max(1 - shadow, 0.0) ** 2 * (1 - on)
            own = 1 - 0.14 * line(inside - 0.006, 0.0012, pixel_m) - 0.10 * step(0.002 - neck[i], pixel_m)
            shade = shade * (1 - on) + own * on
            trim = trim * (1 - on) + finish.trim * on
            button *= 1 - on
            relief = relief * (1 - on) + 0.0028 * smooth(inside / 0.004 + 0.5) * on
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = relief, shade, trim, button
    return out


@njit(cache=True)
def _sewn(finish, cut, x, z, neck, hem, sleeve, pixel_m):
    """Hems, bands and the seams of sleeves."""
    relief, shade, trim = 0.0, 1.0, 0.0
    for k in range(2):
        distance = hem if k == 0 else sleeve
        shade -= 0.12 * step(0.0025 - distance, pixel_m)
        if finish.rib and (k == 0 or cut.sleeve_m > 0.2):
            relief += 0.0012 * step(RIB_M - distance, pixel_m)
            shade -= 0.16 * line(distance - RIB_M, 0.0016, pixel_m)
        else:
            shade -= 0.09 * line(distance - 0.02, 0.0012, pixel_m)
    if finish.trim and cut.sleeve_m > 0:
        trim = step((RIB_M if finish.rib else BAND_M) - sleeve, pixel_m)
    if finish.seam and cut.sleeve_m > 0 and z > ARMPIT_Z - 0.01 and sleeve > 0.02:
        seam = abs(x) - armhole(z, 0.158)
        shade -= 0.13 * line(seam, 0.0014, pixel_m)
        relief -= 0.0006 * max(1 - (seam / 0.006) ** 2, 0.0)
    if finish.collar == 0:
        band = step(BAND_M - neck, pixel_m)
        relief += 0.0012 * band
        shade -= 0.12 * line(neck - BAND_M, 0.0014, pixel_m) + 0.10 * step(0.002 - neck, pixel_m)
        trim = max(trim, finish.trim * band)
    return relief, shade, trim, 0.0


@njit(cache=True)
def _placket(finish, cut, x, z, pixel_m):
    """The buttoned strip, as far as the chest or to the hem: relief, darker by, share of button."""
    top = NECK_Z - cut.neck_depth
    full = finish.placket == 2
    end, spacing = (cut.hem_z, 0.085) if full else (top - SHORT_PLACKET_M, 0.05)
    across, down = PLACKET_M - abs(x), z - end
    on = step(across, pixel_m) * step(down, pixel_m)
    dark = 0.15 * max(line(across, 0.0013, pixel_m) * step(down, pixel_m), line(down, 0.0013, pixel_m) * on)
    first = top - 0.022
    last = np.floor((first - end - 0.012) / spacing)
    place = min(max(np.round((first - z) / spacing), 0.0), last)
    r = np.sqrt(x * x + (z - first + place * spacing) ** 2)
    button = step(BUTTON_M - r, pixel_m)
    return 0.0012 * on + 0.0008 * button, dark + 0.22 * line(r - BUTTON_M, 0.0012, pixel_m), button


@njit(cache=True)
def _pocket(x, z, pixel_m):
    """A patch pocket on the wearer's left breast, pointed below: relief, darker by."""
    u, v = abs(x - 0.078), z - 0.535
    inside = min(0.046 - u, 0.052 - v, v + 0.062 - 0.35 * u)
    on = step(inside, pixel_m)
    dark = 0.15 * line(inside - 0.0015, 0.0013, pixel_m) + 0.10 * line(0.036 - v, 0.0012, pixel_m) * on
    return 0.0012 * on, dark + 0.10 * line(inside + 0.003, 0.002, pixel_m)


@njit(cache=True)
def _collar(finish, cut, x, y, z, neck):
    """How far inside the collar: turned down with two points in front, or a band that stands."""
    if finish.collar == 3:
        return 0.026 - neck
    x = abs(x)
    point = max(1 - ((x - 0.052) / 0.045) ** 2, 0.0) ** 2 * smooth((-y - 0.02) / 0.06)
    width = COLLAR_M * (0.85 + (0.55 if finish.collar == 2 else 0.3) * point)
    if y >= -0.03:
        return width - neck
    return min(width - neck, x - 0.004 - 0.55 * max(NECK_Z - 0.012 - cut.neck_depth * 0.6 - z, 0.0))
