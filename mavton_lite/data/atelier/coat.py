"""Coats: open in front, over the garment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mavton_lite.data.atelier.body import vertex_normals
from mavton_lite.data.atelier.garment import arm_share, tights_mesh
from mavton_lite.data.atelier.layer import Camera, Drawn, see
from mavton_lite.data.atelier.light import Lamps

if TYPE_CHECKING:
    from mavton_lite.data.atelier.people import Person

COAT = 7  # LIP id


@dataclass(frozen=True)
class Coat:
    """An open coat; lengths in metres on the canonical body."""

    kind: str
    colour: tuple[float, float, float]
    hem_z: float
    opening: float  # half width of the front opening at the chest


def sample_coat(rng: np.random.Generator) -> Coat:
    """A random coat."""
    return Coat("cardigan", tuple(rng.uniform(0.1, 0.6, 3)), rng.uniform(0.1, 0.2), rng.uniform(0.05, 0.08))


def draw_coat(camera: Camera, coat: Coat, person: Person, lamps: Lamps) -> Drawn:
    """The coat as the camera sees it, lit."""
    vertices = person.posed.vertices.copy()
    tights = tights_mesh()
    vertices[tights.rows] += 0.03 * vertex_normals(vertices, tights.faces)[tights.rows]
    layer = see(camera, vertices, tights.faces, arm_share())
    x, y, z = (layer.canonical[..., k] for k in range(3))
    hit = layer.hit & (z > coat.hem_z) & ((np.abs(x) > coat.opening) | (y > -0.02))
    colour = np.array(coat.colour) * lamps(layer.normal)
    return Drawn(hit, np.where(hit, layer.depth, np.inf), colour, np.full(hit.shape, COAT, np.uint8))
