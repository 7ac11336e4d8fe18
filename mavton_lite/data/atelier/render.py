"""Render a person in a garment: the picture, its parse, and for every garment pixel its place on the flat lay.

Everything that does not depend on the garment is drawn once (`Stage`); each garment is then laid over it, so a person
in two garments differs only where the garments do. Shading comes after the warp: the truth stays exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mavton_lite.data.atelier.body import Body, load_body, vertex_normals
from mavton_lite.data.atelier.cloth import HEIGHT, WIDTH, sample_bilinear
from mavton_lite.data.atelier.garment import NECK_Z, WAIST_Z, Garment, arm_share, flat_vertices, share, tights_mesh
from mavton_lite.data.atelier.light import Lamps, occlusion
from mavton_lite.data.atelier.people import Person
from mavton_lite.data.atelier.raster import Keep, Raster, rasterise


def light(normal, wrap=0.1):
    return Lamps()(normal, wrap)[..., 0]


def folds(canonical, arm):
    return np.ones(arm.shape)


BACKGROUND, HAIR, UPPER, TROUSERS, TORSO, SKIRT, FACE, LEFT_ARM, RIGHT_ARM = 0, 2, 5, 9, 10, 12, 13, 14, 15
SUPERSAMPLE = 2
EYE_X, EYE_Z = 0.031, 0.904  # of the canonical face, metres


class Picture(NamedTuple):
    """One rendered view.   Shape: H, W the picture."""

    image: np.ndarray  # (H, W, 3) in [0, 1]
    parse: np.ndarray  # (H, W) uint8 LIP ids
    warp: np.ndarray  # (2, H, W) x, y in flat-lay pixels, NaN where no garment is seen
    cover: np.ndarray  # (H, W) share of the pixel that is garment, 0..1


@dataclass(frozen=True)
class Layer:
    """What one mesh shows at every (supersampled) pixel."""

    hit: np.ndarray
    depth: np.ndarray
    canonical: np.ndarray  # (h, w, 3)
    arm: np.ndarray
    normal: np.ndarray  # (h, w, 3)
    uv: np.ndarray | None = None


class Stage:
    """A person in front of the camera, everything but the garment drawn."""

    def __init__(self, person: Person, height: int, width: int):
        self.person, self.height, self.width = person, height, width
        self.body = load_body()
        top = person.vertices[self.body.faces["body"], 2].max()
        shoulders = (person.keypoints["left_shoulder"] + person.keypoints["right_shoulder"]) / 2
        self.scale = person.scale * height  # px a metre
        self.origin = np.array(
            [shoulders[0] - (0.5 + person.shift) * width / self.scale, top + person.head_margin / person.scale]
        )
        h, w = height * SUPERSAMPLE, width * SUPERSAMPLE
        rows = np.linspace(0, 1, h)[:, None, None]
        self.colour = np.broadcast_to(person.ground * (1.015 - 0.05 * rows**2), (h, w, 3)).copy()
        self.label = np.full((h, w), BACKGROUND, np.uint8)
        self.depth = np.full((h, w), np.inf)
        self.skin = self._layer(self.person.vertices, self.body.faces["body"])
        self.shade = 1 - occlusion(self.skin.depth, self.scale * SUPERSAMPLE)
        self._draw_skin()
        self._draw_eyes()
        self._draw_lower()
        self.hair = self._hair_layers()
        self._draw_hair()

    def _layer(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        uv: np.ndarray | None = None,
        cull: bool = True,
        keep: Keep | None = None,
    ) -> Layer:
        points = self.project(vertices)
        seen = rasterise(points, faces, self.height * SUPERSAMPLE, self.width * SUPERSAMPLE, cull, keep)
        return layer_of(self.body, seen, vertices, faces, uv)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Metres -> (x, y) in supersampled pixels (centres at integers) and depth."""
        x = (points[..., 0] - self.origin[0]) * self.scale
        y = (self.origin[1] - points[..., 2]) * self.scale
        return np.stack([x * SUPERSAMPLE - 0.5, y * SUPERSAMPLE - 0.5, points[..., 1]], axis=-1)

    def _put(self, where: np.ndarray, colour: np.ndarray, label: np.ndarray | int, depth: np.ndarray) -> None:
        self.colour[where] = np.broadcast_to(colour, self.colour.shape)[where]
        self.label[where] = np.broadcast_to(np.asarray(label, np.uint8), self.label.shape)[where]
        self.depth[where] = depth[where]

    def _draw_skin(self) -> None:
        s, p = self.skin, self.person
        x, z = np.abs(s.canonical[..., 0]), s.canonical[..., 2]
        head = z > NECK_Z + 0.055 + 0.16 * np.clip(s.canonical[..., 1] + 0.10, -0.05, 0.2)
        arm = np.where(s.canonical[..., 0] > 0, LEFT_ARM, RIGHT_ARM)
        labels = np.where(s.arm > 0.5, arm, np.where(head, FACE, TORSO)).astype(np.uint8)
        colour = np.broadcast_to(p.skin, self.colour.shape).copy()
        front = s.canonical[..., 1] < -0.08
        face = head & front
        cheek = np.exp(-(((x - 0.042) / 0.018) ** 2 + ((z - EYE_Z + 0.042) / 0.016) ** 2)) * face
        colour += cheek[..., None] * [0.05, -0.015, -0.01]
        lips = face & (((x / 0.024) ** 2 + ((z - EYE_Z + 0.0735) / (0.0085 - 0.12 * np.clip(x, 0, 0.03))) ** 2) < 1)
        colour[lips] = p.lips
        line = face & (x < 0.021) & (np.abs(z - EYE_Z + 0.0735 - 0.05 * x) < 0.0011)
        colour[line] = p.lips * 0.62
        arch = EYE_Z + 0.0205 - 9.0 * (x - 0.034) ** 2 + 0.08 * (x - 0.03)
        brow = face & (x > 0.013) & (x < 0.052) & (np.abs(z - arch) < 0.0034 - 0.045 * np.clip(x - 0.036, 0, 1))
        colour[brow] = 0.72 * np.minimum(p.hair_colour, p.skin) + 0.28 * p.skin
        shade = light(s.normal, wrap=0.25)[..., None] * self.shade[..., None]
        warm = np.array([1.0, 0.955, 0.925])  # light that went through skin: shadows turn warm
        self._put(s.hit, colour * np.where(shade < 1, shade ** (1 / warm), shade), labels, s.depth)

    def _draw_eyes(self) -> None:
        faces = self.body.faces["eyes"]
        s = self._layer(self.person.vertices, faces)
        seen = s.hit & (s.depth < self.skin.depth + 0.003)
        off = np.stack([np.abs(s.canonical[..., 0]) - EYE_X, s.canonical[..., 2] - EYE_Z + 0.001], -1)
        r = np.sqrt((off**2).sum(-1))
        white = np.array([0.93, 0.91, 0.89]) * (0.55 + 0.45 * np.clip(light(s.normal, 0.4), 0, 1))[..., None]
        colour = np.where((r < 0.0062)[..., None], self.person.iris, white)
        colour = np.where((r < 0.0028)[..., None], 0.04, colour)
        glint = (off[..., 0] + 0.002) ** 2 + (off[..., 1] - 0.002) ** 2 < 0.0012**2
        self._put(seen, np.where(glint[..., None], 0.95, colour), FACE, s.depth)
        lashes = self._layer(self.person.vertices, self.body.faces["lashes"])
        self._put(
            lashes.hit & (lashes.depth < self.skin.depth + 0.003), np.array([0.08, 0.06, 0.05]), FACE, lashes.depth
        )

    def _draw_lower(self) -> None:
        vertices, tights = self.person.vertices.copy(), tights_mesh()
        normal = vertex_normals(vertices, tights.faces)[tights.rows]
        vertices[tights.rows] += 0.003 * normal
        s = self._layer(vertices, tights.faces)
        seen = s.hit & (s.canonical[..., 2] < WAIST_Z) & (s.arm < 0.3)
        self._draw_lower_layer(s, seen, TROUSERS)
        if self.person.skirt:
            vertices = self.person.vertices.copy()
            faces = self.body.faces["skirt"]
            s = self._layer(vertices, faces)
            self._draw_lower_layer(s, s.hit, SKIRT)

    def _draw_lower_layer(self, s: Layer, seen: np.ndarray, label: int) -> None:
        arm = np.isin(self.label, (LEFT_ARM, RIGHT_ARM))
        seen = seen & np.where(arm, s.depth < self.depth - 0.012, s.depth < self.depth + 0.03)
        x, z = np.abs(s.canonical[..., 0]), s.canonical[..., 2]
        creases = 1 + 0.05 * np.sin(55 * z + 30 * x) * np.exp(-(((z - 0.10) / 0.05) ** 2)) * (label == TROUSERS)
        seam = 1 - 0.10 * (np.abs(x) < 0.004) * (z > 0.06) * (label == TROUSERS)
        belt = 1 - 0.12 * (np.abs(z - WAIST_Z + 0.032) < 0.003)
        self._put(
            seen, self.person.lower * (light(s.normal) * self.shade * creases * seam * belt)[..., None], label, s.depth
        )

    def _hair_layers(self) -> list[tuple[Layer, np.ndarray]]:
        """Layers of hair with what of each is there."""
        style, body, v = self.person.hair, self.body, self.person.vertices
        head = share("head") > 0.5
        faces = body.faces["body"]
        faces = faces[head[faces].all(1)]
        volume = {"crop": 0.004, "short": 0.014, "tied": 0.008}.get(style, 0.012)
        above = body.canonical[:, 2] - _hairline(body.canonical)
        cap = v + vertex_normals(v, faces) * (volume * np.clip(above / 0.03, 0, 1))[:, None]
        s = self._layer(cap, faces)
        x, y, z = np.abs(s.canonical[..., 0]), s.canonical[..., 1], s.canonical[..., 2]
        ear = (x > 0.066) & (y > -0.085) & (y < -0.012) & (z < 0.925)
        layers = [(s, s.hit & (z > _hairline(s.canonical)) & ~ear)]
        if style in ("bob", "long", "long in front"):
            faces = body.faces["hair"]
            at = body.canonical[faces]

            def strands(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
                x, y, z = np.einsum("nic,ni->cn", at[rows], weight)
                end = {"bob": 0.765, "long": 0.62, "long in front": 0.60}[style] + 0.012 * np.sin(90 * x)
                face = (y < -0.045) & ((x / 0.062) ** 2 + ((z - EYE_Z + 0.03) / 0.100) ** 2 < 1)
                throat = (np.abs(x) < 0.062) & (z < EYE_Z - 0.03) & (y < -0.02)
                return (z > end) & ~face & ~throat

            s = self._layer(_push(v, faces, 0.006), faces, cull=False, keep=strands)
            z, here = s.canonical[..., 2], s.hit
            if style == "long":  # behind the shoulders
                here &= (s.depth > self.skin.depth) | (z > 0.77)
            layers.append((s, here))
        return layers

    def _draw_hair(self) -> None:
        depth = np.full(self.depth.shape, np.inf)
        colour = np.zeros_like(self.colour)
        for s, here in self.hair:
            front = here & (s.depth < depth)
            c = s.canonical
            strand = (
                1
                + 0.10 * np.sin(260 * c[..., 0] + 6 * np.sin(25 * c[..., 2]))
                + 0.05 * np.sin(610 * c[..., 0] + 40 * c[..., 1])
            )
            shine = 1 + 0.35 * np.exp(-(((s.normal[..., 2] - 0.45) / 0.18) ** 2))
            shade = (0.35 + 0.65 * light(s.normal, 0.3)) * strand * shine
            colour[front] = (self.person.hair_colour * shade[..., None])[front]
            depth[front] = s.depth[front]
        seen = np.isfinite(depth) & (depth < self.depth + 0.002)
        self._put(seen, colour, HAIR, depth)

    def wear(self, garment: Garment) -> Picture:
        """The person in a garment."""
        draped = garment.drape(self.person.vertices)
        uv = garment.coordinates()
        faces = tights_mesh().faces
        s = self._layer(draped, faces, uv, keep=garment.keep(faces))
        cut = garment.signed(s.canonical, s.arm)
        # Skin the garment covers is not there; where the cloth's mesh is missed by a hair's breadth it still shows.
        covered = self.skin.hit & (garment.signed(self.skin.canonical, self.skin.arm) > 0.004)
        bare_arm = np.isin(self.label, (LEFT_ARM, RIGHT_ARM)) & ~covered
        lower = np.isin(self.label, (TROUSERS, SKIRT))
        reach = np.where(covered & ~np.isin(self.label, (HAIR,)), np.inf, 0.010)
        reach = np.where(lower, 0.05, reach)
        reach = np.where(bare_arm & (s.arm < 0.5), -0.012, reach)  # a hand on the cloth lies on top of it
        reach = np.where(self.label == HAIR, 0.0, reach)
        shown = s.hit & (s.depth < self.depth + reach)
        print_ = sample_bilinear(garment.cloth.picture, s.uv[..., 0] * WIDTH - 0.5, s.uv[..., 1] * HEIGHT - 0.5)
        shade = light(s.normal) * folds(s.canonical, s.arm) * np.where(bare_arm | ~self.skin.hit, 1, self.shade)
        shade *= 1 - 0.10 * (np.abs(cut - 0.012) < 0.0022) - 0.06 * (cut < 0.003)  # seam and edge
        colour = np.where(shown[..., None], print_ * shade[..., None], self.colour)
        label = np.where(shown, UPPER, self.label)
        return downsample(colour, label, np.where(shown[..., None], s.uv, np.nan), self.height, self.width)


def flat_lay(garment: Garment, height: int, width: int) -> Picture:
    """The garment on white, as a shop shows it; its warp is the identity.   Raises: ValueError if not 4:3."""
    if height * 3 != width * 4:
        raise ValueError(f"the flat lay is 4:3, got {height} x {width}")
    body, tights = load_body(), tights_mesh()
    draped, uv = garment.drape(flat_vertices()), garment.coordinates()
    h, w = height * SUPERSAMPLE, width * SUPERSAMPLE
    points = np.stack([uv[:, 0] * w - 0.5, uv[:, 1] * h - 0.5, draped[:, 1]], axis=1)
    seen = rasterise(points, tights.faces, h, w, keep=garment.keep(tights.faces))
    s = layer_of(body, seen, draped, tights.faces, uv)
    cut, shown = garment.signed(s.canonical, s.arm), s.hit
    print_ = sample_bilinear(garment.cloth.picture, s.uv[..., 0] * WIDTH - 0.5, s.uv[..., 1] * HEIGHT - 0.5)
    shade = 0.86 + 0.14 * light(s.normal) - 0.07 * (np.abs(cut - 0.012) < 0.0022) - 0.05 * (cut < 0.003)
    colour = np.where(shown[..., None], print_ * shade[..., None], 1.0)
    return downsample(
        colour, np.where(shown, UPPER, BACKGROUND), np.where(shown[..., None], s.uv, np.nan), height, width
    )


def layer_of(body: Body, seen: Raster, vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray | None) -> Layer:
    """Canonical coordinates, arm share, normals and garment coordinates at every pixel."""
    parts = [body.canonical, arm_share()[:, None], vertex_normals(vertices, faces)] + ([] if uv is None else [uv])
    values = seen.interpolate(np.concatenate(parts, axis=1), faces)
    normal = values[..., 4:7]
    normal /= np.sqrt(normal[..., 0:1] ** 2 + normal[..., 1:2] ** 2 + normal[..., 2:3] ** 2) + 1e-9
    return Layer(
        seen.hit, seen.depth, values[..., :3], values[..., 3], normal, None if uv is None else values[..., 7:9]
    )


def downsample(colour: np.ndarray, label: np.ndarray, uv: np.ndarray, height: int, width: int) -> Picture:
    """Average colours; take the label most of the samples have; average the warp of the garment samples."""
    n = SUPERSAMPLE
    blocks = lambda a: a.reshape(height, n, width, n, -1).transpose(0, 2, 1, 3, 4).reshape(height, width, n * n, -1)  # noqa: E731
    labels = blocks(label)[..., 0]
    votes = np.stack([(labels == k) for k in range(21)], -1).sum(2)
    parse = votes.argmax(-1).astype(np.uint8)
    points = blocks(uv)
    cloth = (labels == UPPER) & np.isfinite(points[..., 0])
    first = np.take_along_axis(points, cloth.argmax(2)[..., None, None], 2)  # samples beyond a fold do not count
    near = cloth & (np.abs(points - first).max(-1) < 0.02)
    mean = np.where(near[..., None], points, 0).sum(2) / np.maximum(near.sum(2), 1)[..., None]
    warp = np.stack([mean[..., 0] * width - 0.5, mean[..., 1] * height - 0.5])
    warp[:, (parse != UPPER) | ~cloth.any(2)] = np.nan
    return Picture(np.clip(blocks(colour).mean(2), 0, 1), parse, warp, (labels == UPPER).mean(2))


def _hairline(canonical: np.ndarray) -> np.ndarray:
    """Height above which a head has hair, from forehead over temple and ear to nape."""
    y = canonical[..., 1]
    return np.interp(
        y,
        [-0.17, -0.135, -0.11, -0.085, -0.07, -0.02, 0.02, 0.06],
        [0.985, 0.975, 0.962, 0.945, 0.91, 0.895, 0.84, 0.80],
    )


def _push(vertices: np.ndarray, faces: np.ndarray, metres: float) -> np.ndarray:
    return vertices + metres * vertex_normals(vertices, faces)
