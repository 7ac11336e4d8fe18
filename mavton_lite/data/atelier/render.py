"""Render a person in a garment: the picture, its parse, and for every garment pixel its place on the flat lay.

Everything that does not depend on the garment is drawn once (`Stage`); each garment is then laid over it. Light, folds
and shadows come after the warp: the truth stays exact.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.coat import draw_coat
from mavton_lite.data.atelier.cut import NECK_Z
from mavton_lite.data.atelier.drape import arm_share, share
from mavton_lite.data.atelier.face import draw_eyes, lit_skin, paint_skin
from mavton_lite.data.atelier.garment import Garment
from mavton_lite.data.atelier.hair import draw_hair, rise_m
from mavton_lite.data.atelier.layer import SUPERSAMPLE, Camera, Drawn, layer_of, see
from mavton_lite.data.atelier.light import Lamps, bumped, cast_shadow, occlusion
from mavton_lite.data.atelier.look import finish, paint_ground
from mavton_lite.data.atelier.lower import draw_lower
from mavton_lite.data.atelier.people import Person
from mavton_lite.data.atelier.raster import rasterise

BACKGROUND, HAIR, UPPER, DRESS, COAT, TROUSERS, TORSO, SKIRT, FACE, LEFT_ARM, RIGHT_ARM = (
    0, 2, 5, 6, 7, 9, 10, 12, 13, 14, 15,
)  # fmt: skip
LEFT_LEG, RIGHT_LEG = 16, 17
LOWER = (TROUSERS, SKIRT)
BENEATH = (TROUSERS, SKIRT, LEFT_LEG, RIGHT_LEG)  # what a hem hangs over
CROTCH_Z = -0.02  # of the canonical body, metres
PARTS = ("background", "head", "torso", "left upper arm", "right upper arm", "left lower arm", "right lower arm",
         "left hand", "right hand", "left leg", "right leg")  # fmt: skip


class Picture(NamedTuple):
    """One rendered view.   Shape: H, W the picture."""

    image: np.ndarray  # (H, W, 3) in [0, 1]
    parse: np.ndarray  # (H, W) uint8 LIP ids
    warp: np.ndarray  # (2, H, W) x, y in flat-lay pixels, NaN where the outside of no garment is seen
    cover: np.ndarray  # (H, W) share of the pixel that is garment, 0..1
    depth: np.ndarray  # (H, W) metres along the line of sight to the nearest sample, inf for the ground


class Stage:
    """A person in front of the camera, everything but the garment drawn."""

    def __init__(self, person: Person, height: int, width: int):
        self.person, self.height, self.width = person, height, width
        self.body, look = load_body(), person.look
        top = person.vertices[share("head") > 0.5, 2].max() + rise_m(person.hair)
        shoulders = (person.keypoints["left_shoulder"] + person.keypoints["right_shoulder"]) / 2
        scale = look.scale * height  # px a metre
        self.camera = Camera(
            height, width, scale,
            (shoulders[0] - (0.5 + look.shift) * width / scale, top + look.head_margin / look.scale), look.roll,
        )  # fmt: skip
        self.lamps: Lamps = look.lamps
        h, w = self.camera.rows, self.camera.columns
        self.colour = np.array(paint_ground(look, self.camera), float)
        self.label = np.full((h, w), BACKGROUND, np.uint8)
        self.depth = np.full((h, w), np.inf)
        self.skin = see(self.camera, person.vertices, self.body.faces["body"], arm_share())
        self._put(self._draw_skin())
        self._put(draw_eyes(self.camera, person, self.lamps, self.skin), 0.003)
        arm = np.isin(self.label, (LEFT_ARM, RIGHT_ARM))
        for drawn in draw_lower(self.camera, person.lower, person, self.lamps):
            self._put(drawn, np.where(arm, -0.012, 0.03))  # a hand on the hip lies on top
        for drawn in draw_hair(self.camera, person.hair, person, self.lamps, self.skin):
            self._put(drawn, 0.002)

    def _put(self, drawn: Drawn, reach: float | np.ndarray = 0.0) -> None:
        """Lay a layer over what is there where it is nearer, or at most `reach` metres behind."""
        seen = drawn.hit & (drawn.depth < self.depth + reach)
        for kept, new in ((self.colour, drawn.colour), (self.label, drawn.label), (self.depth, drawn.depth)):
            kept[seen] = new[seen]

    def _draw_skin(self) -> Drawn:
        s = self.skin
        albedo, relief = paint_skin(s, self.person)
        normal = bumped(s.normal, relief, s.hit, self.camera.px_per_m)
        x, y, z = (s.canonical[..., k] for k in range(3))
        head = z > NECK_Z + 0.055 + 0.16 * np.clip(y + 0.10, -0.05, 0.2)
        label = np.where(head, FACE, np.where(z > CROTCH_Z, TORSO, np.where(x > 0, LEFT_LEG, RIGHT_LEG)))
        label = np.where(s.arm > 0.5, np.where(x > 0, LEFT_ARM, RIGHT_ARM), label)
        colour = lit_skin(albedo, normal, np.ones(s.hit.shape), self.lamps)
        return Drawn(s.hit, s.depth, colour, label.astype(np.uint8))

    @cached_property
    def part(self) -> np.ndarray:
        """(H, W) uint8 rows of PARTS: the body part at each pixel, clothes left out."""
        seen = np.append(_triangle_parts(), 0)[self.skin.triangle].astype(np.uint8)
        return _majority(seen, SUPERSAMPLE)

    def wear(self, garment: Garment) -> Picture:
        """The person in a garment."""
        person, camera, faces = self.person, self.camera, garment.faces
        waist_z, coat = person.lower.waist_z, person.coat
        s = see(
            camera, garment.drape(person.vertices, waist_z), faces, arm_share(), garment.coordinates(), cull=False,
            keep=garment.keep(faces, waist_z),
        )  # fmt: skip
        # Skin the garment covers is not there; where the cloth's mesh is missed by a hair's breadth it still shows.
        covered = self.skin.hit & (garment.signed(self.skin.canonical, self.skin.arm, waist_z) > 0.004)
        bare_arm = np.isin(self.label, (LEFT_ARM, RIGHT_ARM)) & ~covered
        reach = np.where(covered, np.inf, 0.010)
        reach = np.where(np.isin(self.label, BENEATH), 0.05, reach)
        reach = np.where(bare_arm & (s.arm < 0.5), -0.012, reach)  # a hand on the cloth lies on top of it
        reach = np.where(self.label == HAIR, -0.012, reach)
        shown = s.hit & (s.depth < self.depth + reach)
        outside = shown & (s.normal[..., 1] <= 0.02)  # the lining, seen in an armhole, has no place on the flat lay
        albedo, normal, shade = garment.surface(s, camera.px_per_m, person.bends)
        colour = np.where(shown[..., None], albedo * self.lamps(normal) * shade[..., None], self.colour)
        label = np.where(shown, garment.label, self.label).astype(np.uint8)
        depth = np.where(shown, np.minimum(s.depth, self.depth), self.depth)
        if coat is not None:
            drawn = draw_coat(camera, coat, person, self.lamps)
            beneath = np.where(shown, coat.signed(s.canonical, s.arm), coat.signed(self.skin.canonical, self.skin.arm))
            reach = np.where((beneath > 0) & (shown | self.skin.hit), 0.05, 0.004)
            over = drawn.hit & (drawn.depth < depth + np.where(label == HAIR, -0.012, reach))
            colour = np.where(over[..., None], drawn.colour, colour)
            label, depth = np.where(over, drawn.label, label), np.where(over, drawn.depth, depth)
            outside &= ~over
        dark = (1 - occlusion(depth, camera.px_per_m)) * (1 - cast_shadow(depth, self.lamps, camera.px_per_m))
        colour = np.where(np.isfinite(depth)[..., None], colour * dark[..., None], colour)
        at: Any = s.uv
        uv = np.where(outside[..., None], at, np.nan)
        picture = downsample(colour, label, depth, uv, self.height, self.width, garment.label)
        return picture._replace(image=finish(person.look, picture.image))


def flat_lay(garment: Garment, height: int, width: int) -> Picture:
    """The garment on white, as a shop shows it; its warp is the identity.   Raises: ValueError if not 4:3."""
    if height * 3 != width * 4:
        raise ValueError(f"the flat lay is 4:3, got {height} x {width}")
    faces, flat, uv = garment.faces, garment.flat, garment.coordinates()
    h, w = height * SUPERSAMPLE, width * SUPERSAMPLE
    points = np.stack([uv[:, 0] * w - 0.5, uv[:, 1] * h - 0.5, flat.vertices[:, 1]], axis=1)
    seen = rasterise(points, faces, h, w, cull=False, keep=garment.keep(faces))
    s = layer_of(seen, flat.vertices, faces, arm_share(), uv)
    albedo, normal, shade = garment.surface(s, h / flat.height_m, None)
    shade = shade[..., None] * (0.86 + 0.14 * Lamps()(normal))
    colour = np.where(s.hit[..., None], albedo * shade, 1.0)
    label = np.where(s.hit, garment.label, BACKGROUND).astype(np.uint8)
    at: Any = s.uv
    return downsample(colour, label, s.depth, np.where(s.hit[..., None], at, np.nan), height, width, garment.label)


def downsample(
    colour: np.ndarray, label: np.ndarray, depth: np.ndarray, uv: np.ndarray, height: int, width: int, worn: int
) -> Picture:
    """Average colours; take the label most samples have; average the warp of the garment's (`worn`) samples."""
    n = SUPERSAMPLE
    colour = np.clip(colour, 0, 1).reshape(height, n, width, n, 3)
    image = np.asarray(sum(colour[:, i, :, j] for i in range(n) for j in range(n))) / n**2
    parse = _majority(label, n)
    warp, cover = _mean_uv(label, np.ascontiguousarray(uv, float), parse, n, worn)
    warp = warp * np.array([width, height])[:, None, None] - 0.5
    depth = depth.reshape(height, n, width, n)
    nearest = np.minimum.reduce([depth[:, i, :, j] for i in range(n) for j in range(n)])
    return Picture(image, parse, warp, cover, nearest)


@njit(cache=True)
def _majority(label, n):
    """The most frequent label (H, W) of every n x n samples; of equals the smallest."""
    h, w = label.shape[0] // n, label.shape[1] // n
    out = np.zeros((h, w), np.uint8)
    for y in range(h):
        for x in range(w):
            best = 0
            for i in range(n * n):
                here, votes = label[y * n + i // n, x * n + i % n], 0
                for j in range(n * n):
                    votes += label[y * n + j // n, x * n + j % n] == here
                if votes > best or (votes == best and here < out[y, x]):
                    best, out[y, x] = votes, here
    return out


@njit(cache=True)
def _mean_uv(label, uv, parse, n, worn):
    """Mean garment coordinates (2, H, W) where most samples are garment, and the share (H, W) that is."""
    h, w = parse.shape
    out, cover = np.full((2, h, w), np.nan), np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            count = near = 0
            first_u = first_v = u = v = 0.0
            for i in range(n * n):
                r, c = y * n + i // n, x * n + i % n
                if label[r, c] != worn:
                    continue
                cover[y, x] += 1 / (n * n)
                if np.isnan(uv[r, c, 0]):
                    continue
                if count == 0:
                    first_u, first_v = uv[r, c, 0], uv[r, c, 1]
                count += 1
                if abs(uv[r, c, 0] - first_u) < 0.02 and abs(uv[r, c, 1] - first_v) < 0.02:
                    near, u, v = near + 1, u + uv[r, c, 0], v + uv[r, c, 1]  # beyond a fold they do not count
            if near and parse[y, x] == worn:
                out[0, y, x], out[1, y, x] = u / near, v / near
    return out, cover


@cache
def _triangle_parts() -> np.ndarray:
    """Row of PARTS of every triangle of the body."""
    body = load_body()
    left = body.canonical[:, 0] > 0
    groups = [("upperarm",), ("lowerarm",), ("wrist", "finger")]
    shares = [share("head", "neck"), 0.5 * np.ones(len(left))]  # what hangs on nothing else is torso
    for group in groups:
        shares += [share(*group) * left, share(*group) * ~left]
    leg = (body.canonical[:, 2] < CROTCH_Z) * 1.0
    shares += [leg * left, leg * ~left]
    part = np.stack(shares, 1).argmax(1) + 1
    return np.sort(part[body.faces["body"]], axis=1)[:, 1]  # the middle one: two of three corners agree, mostly



