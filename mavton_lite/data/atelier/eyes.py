"""Draw eyes: each is painted in the canonical opening between its lids, so lids may differ from face to face."""

from __future__ import annotations

import numpy as np

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.complexion import Complexion
from mavton_lite.data.atelier.features import EYE, INNER, OUTER, almond
from mavton_lite.data.atelier.layer import Camera, Drawn, Layer
from mavton_lite.data.atelier.light import Lamps
from mavton_lite.data.atelier.raster import rasterise
from mavton_lite.data.atelier.speckle import edge, fade, mix, ramp

FACE = 13
IRIS_M, PUPIL_M, BALL_M = 0.0060, 0.0024, 0.0125  # radii


def draw_eyes(camera: Camera, person, lamps: Lamps, skin: Layer) -> Drawn:
    """Both eyes: white, iris with its dark ring, pupil, shadow of the upper lid, catch light."""
    looks: Complexion = person.complexion
    box = _box(camera, person)
    hit, painted = np.zeros(skin.hit.shape, bool), np.zeros((*skin.hit.shape, 3))
    depth, label = np.full(hit.shape, np.inf), np.zeros(hit.shape, np.uint8)
    if box is None:
        return Drawn(hit, depth, painted, label)
    faces = load_body().faces["eyes"]
    points = camera.project(person.posed.vertices) - [box[1].start, box[0].start, 0]
    ball = rasterise(points, faces, box[0].stop - box[0].start, box[1].stop - box[1].start)
    near, there = skin.depth[box], skin.hit[box]
    open_ = ball.hit & (ball.depth < near + 0.004)
    at = np.where(open_[..., None], ball.interpolate(load_body().canonical, faces), skin.canonical[box])
    rows = np.flatnonzero((open_ | there) & (np.abs(at[..., 2] - EYE[1]) < 0.016) & (at[..., 1] < -0.10))
    p = at.reshape(-1, 3)[rows]
    side, x, z = np.sign(p[:, 0]), np.abs(p[:, 0]), p[:, 2]
    upper, lower, t = almond(x, looks)
    inside = (z < upper) & (z > lower) & (x > INNER[0]) & (x < OUTER[0])
    rows, side, x, z, upper, lower, t = (k[inside] for k in (rows, side, x, z, upper, lower, t))
    flat = np.zeros(there.size, bool)
    flat[rows] = True
    shown = flat.reshape(there.shape)
    hit[box] = shown
    painted[hit] = _eyeball(side * (x - EYE[0]), z - EYE[1], upper - z, z - lower, t, lamps, looks, 1 / camera.px_per_m)
    depth[box] = np.where(shown, np.minimum(near, np.where(open_, ball.depth, np.inf)) - 0.0005, np.inf)
    label[hit] = FACE
    return Drawn(hit, depth, painted, label)


def _box(camera: Camera, person) -> tuple[slice, slice] | None:
    """The part of the picture around the eyes; None when they are outside."""
    at = camera.project(person.posed.vertices[np.unique(load_body().faces["eyes"])])[:, :2]
    margin = 0.012 * camera.px_per_m
    left, top = (int(max(0, np.floor(k))) for k in at.min(0) - margin)
    right, bottom = (int(np.ceil(k)) for k in at.max(0) + margin)
    right, bottom = min(right, camera.columns), min(bottom, camera.rows)
    return (slice(top, bottom), slice(left, right)) if right > left and bottom > top else None


def _eyeball(dx, dz, under, over, t, lamps: Lamps, looks: Complexion, pixel: float) -> np.ndarray:
    """Colour (N, 3) of points at dx (to the person's left), dz from the middle of an eye, and below its lids."""
    away = np.sqrt(np.clip(1 - (dx**2 + dz**2) / BALL_M**2, 0.05, 1))
    light = lamps(np.stack([dx / BALL_M, -away, dz / BALL_M], axis=1)[None], 0.5)[0]
    gx, gz = dx - looks.gaze[0], dz - looks.gaze[1]
    radius, size = np.sqrt(gx**2 + gz**2), IRIS_M * looks.eye_shape[2]
    soft = max(0.0007, pixel)
    white = np.array([0.93, 0.905, 0.885]) * (0.62 + 0.38 * looks.skin[0])
    colour = np.broadcast_to(white, (len(dx), 3)).copy()
    pink = 0.8 * np.exp(-((t / 0.10) ** 2)) + 0.2 * np.exp(-(((1 - t) / 0.12) ** 2))
    colour = mix(colour, np.array([0.74, 0.46, 0.42]) * looks.skin[0], np.clip(pink, 0, 1))
    angle = np.arctan2(gz, gx)
    fibres = (np.sin(23 * angle + 2 * np.sin(5 * angle)) + np.sin(41 * angle)) * 0.09 * fade(pixel, 0.0007)
    glow = 1.05 - 0.45 * gz / size + fibres  # light from above gathers in the lower half
    iris = looks.iris * np.clip(glow, 0.5, 1.7)[:, None]
    iris = mix(iris, 0.35 * looks.iris, ramp(radius / size, 0.78, 1.0))
    inner = np.exp(-(((radius - 0.0030) / 0.0010) ** 2))
    iris = iris * (1 + inner[:, None] * [0.35, 0.20, 0.02])
    colour = mix(colour, iris, edge(radius - size, soft))
    colour = mix(colour, np.array([0.025, 0.02, 0.02]), edge(radius - PUPIL_M, soft))
    shadow = 0.40 + 0.60 * ramp(under, -0.0004, 0.0032)
    rim = 0.72 + 0.28 * ramp(over, 0.0, 0.0012)
    colour = colour * light * (shadow * rim)[:, None]
    spark = np.sqrt((dx + 0.0019) ** 2 + (dz - 0.0019) ** 2) - 0.00095
    return mix(colour, np.ones(3), 0.9 * edge(spark, max(0.0006, pixel)) * min(1.0, 0.0022 / pixel))
