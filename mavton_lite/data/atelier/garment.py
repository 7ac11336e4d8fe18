"""Garments: where the cloth is cut, how loosely it hangs, and the flat lay it is photographed in.

A garment is a cut of the mesh that MakeHuman carries for tight clothes, hung on the body (`drape.py`). The cut is
decided per pixel in canonical coordinates (`cut.py`), so its edges are crisp at any size. *Garment coordinates* (u, v)
in [0, 1] are places in the flat-lay picture: the cloth is printed there, and there the true warp points.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from numba import njit

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.cloth import Cloth
from mavton_lite.data.atelier.cut import (
    FAR_M,
    NECK_Z,
    NECKS,
    SLEEVES,
    WAIST_Z,
    Cut,
    Edges,
    edges,
    edges_at,
    smoothstep,
)  # fmt: skip
from mavton_lite.data.atelier.details import SHORT_PLACKET_M, Surface, surface_of
from mavton_lite.data.atelier.drape import Mesh, arm_share, dress_mesh, share, tights_mesh
from mavton_lite.data.atelier.layer import Layer
from mavton_lite.data.atelier.raster import place_at

__all__ = [
    "NECK_Z", "SLEEVES", "WAIST_Z", "Flat", "Garment", "arm_share", "flat_vertices", "share", "tights_mesh",
]  # fmt: skip

UPPER, DRESS = 5, 6  # LIP ids
FLAT_M = 1.08  # height of every flat lay's picture: all garments are photographed from the same distance ...
FLAT_TOP = 0.18  # ... with the base of the neck at the same height, a share of the picture
FLAT_FILL = 0.92  # of the picture's height at most; dresses are photographed from further away
STANDS = {"none": 0.0, "polo": 0.008, "shirt": 0.016, "stand": 0.02}  # of collars, up the neck, metres
SPARE_M = 0.08  # longer than any edge of the mesh
PRESSED = 0.13
TUCK_M = 0.006  # how far a tucked garment reaches below the top of the waistband
Colour = tuple[float, float, float]


# style -> share, sleeves, necklines, fit, hem height; the rest of a style is in `sample_garment`.
STYLES = {
    "tee": (0.26, "short short short elbow long", "crew crew V scoop", (0.004, 0.018), (0.14, 0.23)),
    "top": (0.15, "cap short elbow three-quarter long", "scoop boat square V", (0.002, 0.010), (0.15, 0.27)),
    "tank": (0.13, "tank", "scoop V crew square", (0.002, 0.012), (0.15, 0.26)),
    "sweater": (0.14, "long long three-quarter", "crew crew V boat", (0.008, 0.022), (0.15, 0.23)),
    "shirt": (0.12, "long long three-quarter short", "V", (0.006, 0.018), (0.11, 0.19)),
    "polo": (0.08, "short short long", "V", (0.006, 0.016), (0.14, 0.22)),
    "henley": (0.05, "long three-quarter short", "crew scoop", (0.005, 0.014), (0.14, 0.21)),
    "tunic": (0.07, "three-quarter long elbow tank", "V scoop square", (0.008, 0.018), (0.10, 0.125)),
    "dress": (0.0, "tank cap short three-quarter long", "crew V scoop boat square", (0.002, 0.010), (-0.26, -0.10)),
}
DRESSES = 1 / 6  # of the garments where they are asked for
NECK_SIZES = {  # width and depth
    "crew": ((0.066, 0.076), (0.042, 0.06)),
    "V": ((0.068, 0.084), (0.11, 0.18)),
    "scoop": ((0.082, 0.105), (0.09, 0.15)),
    "boat": ((0.110, 0.132), (0.045, 0.06)),
    "square": ((0.085, 0.105), (0.085, 0.13)),
}


class Flat(NamedTuple):
    """The garment laid out for its picture, which is 4:3.   Units: metres."""

    vertices: np.ndarray  # (V, 3)
    centre_z: float  # of the picture
    height_m: float  # of the picture


@dataclass(frozen=True)
class Garment:
    """One upper garment or dress; lengths in metres on the canonical body."""

    style: str  # a key of STYLES
    sleeve: str  # a key of SLEEVES
    sleeve_m: float  # where sleeves end, along the arm
    strap_x: float  # |x| of the armhole at the shoulder, without sleeves
    hem_z: float
    neck_shape: str  # a key of NECKS
    neck_width: float
    neck_depth: float
    fit: float  # distance from the body
    flare: float  # extra distance at the hem
    cloth: Cloth
    tucked: bool = False  # worn inside trousers or skirt
    collar: str = "none"  # "none", "shirt", "polo" or "stand"
    placket: str = "none"  # "none", "short" or "full"
    pocket: bool = False
    rib: bool = False  # knitted bands at hem and cuffs
    trim: Colour | None = None  # colour of neck band, cuffs and collar, if not the cloth's
    buttons: Colour = (0.93, 0.92, 0.89)
    creases: int = 0  # which folds this piece of cloth makes

    @property
    def dress(self) -> bool:
        """Does it go on as a skirt below the waist?"""
        return self.style == "dress"

    @property
    def label(self) -> int:
        """LIP id of its pixels."""
        return DRESS if self.dress else UPPER

    def mesh(self) -> Mesh:
        """The mesh it is cut from."""
        return dress_mesh() if self.dress else tights_mesh()

    @cached_property
    def cut(self) -> Cut:
        """Where it is cut."""
        return Cut(
            neck_power=NECKS[self.neck_shape],
            neck_width=self.neck_width,
            neck_depth=self.neck_depth,
            sleeve_m=self.sleeve_m,
            strap_x=self.strap_x,
            hem_z=self.hem_z,
            stand_m=STANDS[self.collar],
        )

    @cached_property
    def faces(self) -> np.ndarray:
        """The triangles of its mesh that it may need: those near the cut."""
        mesh = self.mesh()
        inside = np.full(len(arm_share()), -np.inf)
        inside[mesh.rows] = self.signed(mesh.canonical, mesh.arm)
        return mesh.faces[(inside[mesh.faces] > -SPARE_M).any(1)]

    def edges(self, canonical: np.ndarray, arm: np.ndarray) -> Edges:
        """Distances to neckline, hem and sleeve ends.   Shape: (..., 3), (...) arm share."""
        return edges(self.cut, canonical, arm)

    def signed(self, canonical: np.ndarray, arm: np.ndarray, waist_z: float | None = None) -> np.ndarray:
        """How far inside the cut a point lies, positive is cloth.

        `waist_z` is the top of the waistband it is worn with: a tucked garment is out of sight below it. None is the
        whole garment.   Shape: (..., 3), (...) arm share -> (...) m.
        """
        inside = self.edges(canonical, arm).inside
        if self.tucked and waist_z is not None:
            inside = np.minimum(inside, np.where(arm > 0.5, FAR_M, canonical[..., 2] - (waist_z - TUCK_M)))
        return inside

    def keep(self, faces: np.ndarray, waist_z: float | None = None) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Which points of its mesh are cloth, for `rasterise`; `waist_z` as in `signed`."""
        bottom = waist_z - TUCK_M if self.tucked and waist_z is not None else -np.inf

        def cloth(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
            return _cloth(self.cut, load_body().canonical, arm_share(), faces, rows, weight, bottom)

        return cloth

    def offset(self, canonical: np.ndarray, arm: np.ndarray) -> np.ndarray:
        """Least distance of the cloth from the body at canonical points, metres."""
        z = canonical[..., 2]
        low, neck = smoothstep((0.52 - z) / 0.45), smoothstep((z - 0.64) / 0.09) * np.clip(1 - arm, 0, 1)
        body = 0.004 + self.fit * (1 - 0.8 * neck) + self.flare * low
        along = self.edges(canonical, arm).along
        open_end = smoothstep((along - self.sleeve_m + 0.16) / 0.16)  # short sleeves stand off, cuffs do not
        sleeve = 0.004 + self.fit * (0.75 + (0.35 if self.sleeve_m < 0.3 else -0.25) * open_end)
        if self.rib:
            body = body - (0.6 * self.fit + 0.8 * self.flare * low) * smoothstep((self.hem_z + 0.05 - z) / 0.05)
            sleeve = sleeve - 0.3 * self.fit * smoothstep((along - self.sleeve_m + 0.06) / 0.04)
        return body * (1 - arm) + sleeve * arm

    def drape(self, vertices: np.ndarray, waist_z: float | None = None) -> np.ndarray:
        """Vertices of the cloth on a posed body; tucked into a waistband whose top is at canonical `waist_z`, if so."""
        mesh = self.mesh()
        z = mesh.canonical[:, 2]
        ease = self.offset(mesh.canonical, mesh.arm)
        normal = mesh.normals(vertices)
        down = np.clip(-normal[:, 2], -1, 1)  # cloth lies on shoulders and hangs below arms
        ease = ease * np.where(mesh.arm > 0.3, 1 + 0.75 * down, 1 + 0.5 * np.clip(down, -1, 0))
        loose = 0.35 + 0.65 * smoothstep((self.fit + 0.5 * self.flare - 0.002) / 0.02)
        loose = loose * (1 - smoothstep((z - 0.64) / 0.07) * (1 - mesh.arm))
        if self.tucked and waist_z is not None:
            above = z - waist_z
            blouse = (0.004 + 0.5 * self.fit) * smoothstep(above / 0.03) * (1 - smoothstep((above - 0.03) / 0.12))
            close = (1 - smoothstep((above + 0.01) / 0.05)) * (1 - mesh.arm)
            ease = (ease + blouse * (1 - mesh.arm)) * (1 - close) + 0.002 * close
            loose = loose * (1 - close)
        return mesh.hang(vertices, normal, ease, loose)

    @cached_property
    def flat(self) -> Flat:
        """The garment on the canonical body with hanging arms, seen by a camera that does not move."""
        mesh, vertices = self.mesh(), self.drape(flat_vertices())
        # Laid flat, a waist is as wide as half its girth.
        waist = smoothstep(1 - np.abs(mesh.canonical[:, 2] - 0.37) / 0.2) * (1 - mesh.arm)
        vertices[mesh.rows, 0] *= 1 + PRESSED * waist
        at = vertices[mesh.rows[self.signed(mesh.canonical, mesh.arm) > 0]]
        height = max(FLAT_M, float(NECK_Z - at[:, 2].min()) / (FLAT_FILL - FLAT_TOP))
        return Flat(vertices, NECK_Z + (FLAT_TOP - 0.5) * height, height)

    def coordinates(self) -> np.ndarray:
        """Garment coordinates (V, 2) of every vertex, in [0, 1] of the flat-lay picture (x right, y down)."""
        v, centre_z, height = self.flat
        return np.stack([0.5 + v[:, 0] / (0.75 * height), 0.5 - (v[:, 2] - centre_z) / height], axis=1)

    def surface(self, layer: Layer, px_per_m: float, bends=None) -> Surface:
        """Colour, relief and shade of the cloth at every pixel of a layer; `bends` None is the ironed flat lay."""
        return surface_of(self, layer, px_per_m, bends)


@cache
def flat_vertices() -> np.ndarray:
    """The canonical body as garments are laid out: straight arms near the body."""
    turns: dict[str, tuple[float, float, float]] = {}
    for side, sign in (("L", 1), ("R", -1)):
        turns |= {f"upperarm01.{side}": (0, 0, -sign * 0.44), f"lowerarm01.{side}": (-0.45, 0, 0)}
    return load_body().pose(None, turns)


@njit(cache=True)
def _cloth(cut, canonical, arm, faces, rows, weight, bottom):
    """Which points of triangles lie inside a cut."""
    out = np.empty(len(rows), np.bool_)
    for i in range(len(rows)):
        x, y, z, share = place_at(canonical, arm, faces, rows, weight, i)
        neck, hem, sleeve, _ = edges_at(cut, x, y, z, share)
        out[i] = min(neck, hem, sleeve) > 0 and (share > 0.5 or z > bottom)
    return out


def sample_garment(rng: np.random.Generator, options: Collection[str] = ()) -> Garment:
    """A random upper garment; with "dresses" among the options, some are dresses."""
    shares = np.array([row[0] for row in STYLES.values()])
    style = str(rng.choice(list(STYLES), p=shares / shares.sum()))
    if "dresses" in options and rng.random() < DRESSES:
        style = "dress"
    _, sleeves, necks, fits, hems = STYLES[style]
    sleeve, neck = str(rng.choice(sleeves.split())), str(rng.choice(necks.split()))
    (width, depth), fit = (rng.uniform(*pair) for pair in NECK_SIZES[neck]), rng.uniform(*fits)
    tucks, trims, pockets, flares, hem, sleeve_m, stand = rng.random(7)
    collar, placket = {
        "shirt": ("stand" if stand < 0.15 else "shirt", "full"), "polo": ("polo", "short"), "henley": ("none", "short"),
    }.get(style, ("none", "none"))  # fmt: skip
    if collar != "none":
        width, depth = rng.uniform(0.058, 0.066), rng.uniform(0.055, 0.10) if collar != "stand" else 0.045
    cloth = Cloth.sample(
        rng,
        without=("letters", "logo") * (placket == "full") + ("raglan",) * (sleeve == "tank" or placket == "full"),
        neck_m=depth + (SHORT_PLACKET_M if placket == "short" else 0.0),
    )
    contrast = cloth.colours[1] if style in ("tee", "polo", "sweater", "henley") and trims < 0.3 else None
    reach = SLEEVES[sleeve]
    if sleeve in ("short", "elbow", "three-quarter"):
        reach += 0.03 * (2 * sleeve_m - 1)
    dark = min(cloth.colours[0]) > 0.45
    return Garment(
        style=style,
        sleeve=sleeve,
        sleeve_m=reach,
        strap_x=float(rng.choice([0.118, 0.132, 0.152])) if sleeve == "tank" else 0.158,
        hem_z=hems[0] + (hems[1] - hems[0]) * hem,
        neck_shape=neck,
        neck_width=width,
        neck_depth=depth,
        fit=fit,
        flare=0.03 * flares if style in ("top", "tunic", "dress", "tank") and flares > 0.5 else 0.006 * flares,
        cloth=cloth,
        tucked=bool(tucks < {"shirt": 0.15, "polo": 0.08, "tee": 0.07, "top": 0.12, "tank": 0.1}.get(style, 0.0)),
        collar=collar,
        placket=placket,
        pocket=cloth.motif is None and pockets < {"shirt": 0.55, "tee": 0.15, "polo": 0.2}.get(style, 0.0),
        rib=style == "sweater",
        trim=contrast,
        buttons=(0.18, 0.15, 0.13) if dark and trims < 0.6 else (0.93, 0.92, 0.89),
        creases=int(rng.integers(2**31)),
    )
