"""Clothes below the waist: trousers, jeans, leggings and skirts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mavton_lite.data.atelier.body import load_body, vertex_normals
from mavton_lite.data.atelier.garment import arm_share, tights_mesh
from mavton_lite.data.atelier.layer import Camera, Drawn, see
from mavton_lite.data.atelier.light import Lamps

if TYPE_CHECKING:
    from mavton_lite.data.atelier.people import Person

TROUSERS, SKIRT = 9, 12  # LIP ids


@dataclass(frozen=True)
class Lower:
    """What is worn below the waist; lengths in metres on the canonical body."""

    kind: str  # "trousers", "jeans", "leggings", "A-line" or "pencil"
    colour: tuple[float, float, float]
    waist_z: float  # top of the waistband

    @property
    def skirt(self) -> bool:
        """Is it a skirt?"""
        return self.kind in ("A-line", "pencil")


def sample_lower(rng: np.random.Generator, gender: float, options: Collection[str] = ()) -> Lower:
    """Random clothes below the waist."""
    kind = str(rng.choice(["trousers", "jeans", "leggings", "A-line", "pencil"]))
    return Lower(kind, tuple(rng.uniform(0.1, 0.6, 3)), 0.285)


def draw_lower(camera: Camera, lower: Lower, person: Person, lamps: Lamps) -> list[Drawn]:
    """The clothes below the waist as the camera sees them, lit."""
    vertices = person.posed.vertices.copy()
    tights = tights_mesh()
    vertices[tights.rows] += 0.004 * vertex_normals(vertices, tights.faces)[tights.rows]
    faces = load_body().faces["skirt"] if lower.skirt else tights.faces
    layer = see(camera, vertices, faces, arm_share())
    hit = layer.hit & (layer.canonical[..., 2] < lower.waist_z) & (layer.arm < 0.3)
    colour = np.array(lower.colour) * lamps(layer.normal)
    label = np.full(hit.shape, SKIRT if lower.skirt else TROUSERS, np.uint8)
    return [Drawn(hit, np.where(hit, layer.depth, np.inf), colour, label)]
