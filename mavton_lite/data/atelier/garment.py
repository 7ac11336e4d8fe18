"""Garments: where the cloth is cut, how loosely it hangs, and the flat lay it is photographed in.

A garment is a cut of the mesh that MakeHuman carries for tight clothes, pushed out along its normals. The cut is
decided per pixel in canonical coordinates, so its edges are crisp at any size. *Garment coordinates* (u, v) in [0, 1]
are places in the flat-lay picture: the cloth is printed there, and there the true warp points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from mavton_lite.data.atelier.body import load_body, vertex_normals
from mavton_lite.data.atelier.cloth import Cloth

# Landmarks of the canonical body, metres.
NECK_Z, WAIST_Z, ARMPIT_Z = 0.745, 0.285, 0.56
SHOULDER, WRIST = np.array([0.175, 0.674]), np.array([0.501, 0.306])  # |x|, z
FLAT_TURNS = {"upperarm01.L": (0, 0, -0.25), "upperarm01.R": (0, 0, 0.25)}  # sleeves of the flat lay hang a little
FLAT_CENTRE_Z, FLAT_HEIGHT_M = 0.455, 1.24  # what the flat-lay picture frames; its width is 3/4 of that
SLEEVES = {"tank": -1.0, "short": 0.36, "elbow": 0.52, "three-quarter": 0.78, "long": 0.955}


@dataclass(frozen=True)
class Garment:
    """One upper garment; lengths in metres on the canonical body."""

    sleeve: str  # a key of SLEEVES
    hem_z: float
    neck_shape: str  # crew, V, scoop or boat
    neck_width: float
    neck_depth: float
    fit: float  # distance from the body
    flare: float  # extra distance at the hem
    cloth: Cloth

    def signed(self, canonical: np.ndarray, arm: np.ndarray) -> np.ndarray:
        """How far inside the cut a point lies, positive is cloth.   Shape: (..., 3), (...) arm share -> (...) m."""
        x, y, z = np.abs(canonical[..., 0]), canonical[..., 1], canonical[..., 2]
        inside = z - self.hem_z
        if self.sleeve == "tank":
            reach = 0.118 + 0.055 * np.clip((0.70 - z) / 0.16, 0, 1) ** 1.5
            inside = np.minimum(inside, np.where(z > ARMPIT_Z - 0.04, reach - x, 0.3 * (0.45 - arm)))
        else:
            axis = WRIST - SHOULDER
            along = ((x - SHOULDER[0]) * axis[0] + (z - SHOULDER[1]) * axis[1]) / (axis @ axis)
            reach = (SLEEVES[self.sleeve] - along) * np.sqrt(axis @ axis)
            inside = np.where(arm > 0.5, np.minimum(reach, 0.2), inside)
        down = (NECK_Z - z) / self.neck_depth
        across = x / self.neck_width
        if self.neck_shape == "V":
            opening = np.clip(across, 0, None) + np.clip(down, -0.3, None) - 1
        elif self.neck_shape == "boat":
            opening = across**2 + np.clip(down, 0, None) * 1.3 - 1
        else:
            opening = across**2 + np.clip(down, 0, None) ** 2 - 1
        front = y < 0.0
        nape = (x / self.neck_width) ** 2 + (np.clip(NECK_Z - z, 0, None) / 0.03) ** 2 - 1
        inside = np.minimum(inside, np.where(front, opening, nape) * self.neck_width * 0.6)
        return np.minimum(inside, NECK_Z + 0.035 - z)

    def offset(self, canonical: np.ndarray, arm: np.ndarray) -> np.ndarray:
        """Distance of the cloth from the body at canonical points, metres."""
        low = np.clip((0.50 - canonical[:, 2]) / 0.35, 0, 1)
        neck = np.clip((canonical[:, 2] - 0.66) / 0.08, 0, 1) * np.clip(1 - arm, 0, 1)
        return (0.004 + self.fit * (1 - 0.75 * neck)) * (1 - 0.35 * arm) + self.flare * low * (1 - arm)

    def keep(self, faces: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Which points of the tights are cloth, for `rasterise`."""
        body = load_body()
        values = np.concatenate([body.canonical, arm_share()[:, None]], axis=1)[faces]  # (T, 3, 4)

        def cloth(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
            at = np.einsum("nic,ni->nc", values[rows], weight)
            return self.signed(at[:, :3], at[:, 3]) > 0

        return cloth

    def drape(self, vertices: np.ndarray) -> np.ndarray:
        """Vertices of the cloth on a posed body: the tights pushed out along their normals."""
        tights = tights_mesh()
        out = vertices.copy()
        normal = vertex_normals(vertices, tights.faces)[tights.rows]
        out[tights.rows] += normal * self.offset(tights.canonical, tights.arm)[:, None]
        return out

    def coordinates(self) -> np.ndarray:
        """Garment coordinates (V, 2) of every vertex, in [0, 1] of the flat-lay picture (x right, y down)."""
        flat = self.drape(flat_vertices())
        return np.stack(
            [0.5 + flat[:, 0] / (0.75 * FLAT_HEIGHT_M), 0.5 - (flat[:, 2] - FLAT_CENTRE_Z) / FLAT_HEIGHT_M], axis=1
        )


@dataclass(frozen=True)
class Tights:
    """The mesh garments are cut from."""

    faces: np.ndarray
    rows: np.ndarray  # its vertices
    canonical: np.ndarray  # of those
    arm: np.ndarray  # their arm share


@cache
def tights_mesh() -> Tights:
    """The tights of the baked body."""
    body = load_body()
    faces = body.faces["tights"]
    rows = np.unique(faces)
    return Tights(faces, rows, body.canonical[rows], arm_share()[rows])


@cache
def flat_vertices() -> np.ndarray:
    """The canonical body with the arms of the flat lay."""
    return load_body().pose(None, FLAT_TURNS)


@cache
def share(*prefixes: str) -> np.ndarray:
    """Share (V,) of every vertex that hangs on bones with these prefixes."""
    body = load_body()
    return body.weights[:, [b.startswith(prefixes) for b in body.bones]].sum(1)


def arm_share() -> np.ndarray:
    """1 on arms and hands, 0 on the torso, soft around the shoulder."""
    return share("upperarm", "lowerarm", "wrist", "finger")


def sample_garment(rng: np.random.Generator) -> Garment:
    """A random upper garment."""
    sleeve = str(rng.choice(list(SLEEVES), p=[0.16, 0.34, 0.12, 0.13, 0.25]))
    neck = str(rng.choice(["crew", "V", "scoop", "boat"], p=[0.4, 0.25, 0.22, 0.13]))
    width, depth = {
        "crew": ((0.062, 0.072), (0.035, 0.05)),
        "V": ((0.065, 0.08), (0.09, 0.15)),
        "scoop": ((0.075, 0.095), (0.07, 0.12)),
        "boat": ((0.10, 0.118), (0.03, 0.045)),
    }[neck]
    fit = rng.uniform(0.002, 0.016)
    return Garment(
        sleeve=sleeve,
        hem_z=rng.uniform(0.135, 0.255),
        neck_shape=neck,
        neck_width=rng.uniform(*width),
        neck_depth=rng.uniform(*depth),
        fit=fit,
        flare=rng.uniform(0, 0.025) * (fit > 0.006),
        cloth=Cloth.sample(rng),
    )
