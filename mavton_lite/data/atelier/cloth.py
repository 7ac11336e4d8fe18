"""Cloth: what a garment is made of, as a picture of the bolt that it is cut from.

Drawn with plain arithmetic and letters of its own, so that it is the same on every machine and needs no font. The body
of a garment is cut straight from it, as the flat garment hangs; sleeves are cut along the arm.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from numba import njit

from mavton_lite.data.atelier import patterns, prints
from mavton_lite.data.atelier.cut import ARMPIT_Z, ELBOW, NECK_Z, SHOULDER, WRIST, along_at, armhole
from mavton_lite.data.atelier.motif import Motif, sample_motif
from mavton_lite.data.atelier.palettes import ANIMAL, CAMOUFLAGE, INDIGO, LEAVES, Colour, luma, sample_palette, vary
from mavton_lite.data.atelier.palettes import colour as colour_of

PX_PER_M = 640  # of the bolt: 1.9 px of the finest picture of a garment, 256 x 192
HEIGHT, WIDTH = 512, 480  # px of the bolt; a dress takes LONG rows
LONG = 832
TOP_M = 0.05  # of the bolt above the pit of the neck
SLEEVE_X_M = 0.25  # where on the bolt sleeves are cut, beside the middle
ARMHOLE_X = 0.158  # |x| of a set-in sleeve's seam at the shoulder
SLEEVE_RADIUS_M = 0.05
ARM_ALONG = np.cumsum([0.0, *np.sqrt((np.diff([SHOULDER, ELBOW, WRIST], axis=0) ** 2).sum(1))])
ARM_Y = np.array([SHOULDER[1], ELBOW[1], WRIST[1]])  # of the arm's middle at ARM_ALONG
ARM_OUT, ARM_DOWN = (float(k) for k in np.abs(ELBOW - SHOULDER)[[0, 2]] / np.hypot(*(ELBOW - SHOULDER)[[0, 2]]))
KINDS: dict[str, float] = {  # kind -> share of garments
    "solid": 0.19, "stripes": 0.16, "plaid": 0.08, "dots": 0.06, "gradient": 0.05, "blocks": 0.07, "raglan": 0.04,
    "floral": 0.09, "logo": 0.07, "letters": 0.10, "knit": 0.05, "denim": 0.02, "camouflage": 0.01, "animal": 0.01,
}  # fmt: skip
PLAIN = ("solid", "denim", "knit", "logo", "letters", "camouflage")  # nearly all of it is ground


@dataclass(frozen=True)
class Cloth:
    """A cloth: its kind, the kind's variant, its colours in [0, 1] and the numbers of its pattern."""

    kind: str  # a key of KINDS
    variant: str = ""
    colours: tuple[Colour, ...] = ((0.9, 0.9, 0.9), (0.2, 0.2, 0.2), (0.5, 0.5, 0.5))
    period_m: float = 0.05
    angle: float = 0.0  # radians; of stripes and gradients, 0 is level stripes
    ratio: float = 0.5
    seed: int = 0  # of what is scattered
    motif: Motif | None = None
    gloss: float = 0.03  # strength of its highlight; satin 0.25, wool 0

    @staticmethod
    def sample(rng: np.random.Generator, without: Collection[str] = (), neck_m: float = 0.06) -> Cloth:
        """A random cloth, no kind or variant of `without`; its motif keeps below a neckline `neck_m` deep."""
        shares = np.array([0 if kind in without else share for kind, share in KINDS.items()])
        cloth = sample_kind(rng, list(KINDS)[int(rng.choice(len(KINDS), p=shares / shares.sum()))])
        if cloth.motif is None:
            return cloth
        x, y = cloth.motif.place
        variant = "plain" if cloth.variant in without else cloth.variant
        place = x, max(y, neck_m + 0.02 + cloth.motif.half_height)
        return replace(cloth, variant=variant, motif=replace(cloth.motif, place=place))

    @cached_property
    def picture(self) -> np.ndarray:
        """The bolt as long as a shirt needs it, (HEIGHT, WIDTH, 3) in [0, 1], PX_PER_M pixels a metre."""
        return self._bolt(HEIGHT)

    @cached_property
    def long_picture(self) -> np.ndarray:
        """The bolt as long as a dress needs it, (LONG, WIDTH, 3)."""
        return self._bolt(LONG)

    @property
    def luma(self) -> float:
        """Lightness of the ground and, where there is much of it, of the colour on it, 0..1."""
        ground, on_it = (luma(k) for k in self.colours[:2])
        return ground if self.kind in PLAIN and self.variant != "fair isle" else 0.5 * (ground + on_it)

    @property
    def two_parts(self) -> bool:
        """Are the sleeves of another colour?"""
        return "raglan" in (self.kind, self.variant) or (self.kind, self.variant) == ("blocks", "sleeves")

    def colour(self, flat_m: np.ndarray, canonical: np.ndarray, arm: np.ndarray, px_per_m: float) -> np.ndarray:
        """The print at points of a garment.

        `px_per_m` of the picture that is drawn, supersampled: small ones take a coarser bolt, so that lines do not jag.
        Shape: (..., 2) x and z on the flat garment, metres; (..., 3); (...) arm share -> (..., 3).
        """
        flat, points = (np.ascontiguousarray(k.reshape(-1, k.shape[-1]), float) for k in (flat_m, canonical))
        at, sleeve = _on_bolt(flat, points, np.ascontiguousarray(arm.ravel(), float))
        height = HEIGHT if at[:, 1].max(initial=0) < HEIGHT / PX_PER_M - TOP_M else LONG
        coarse = max(0, min(2, int(np.log2(1.6 * PX_PER_M / px_per_m))))
        picture = self._shrunk(height, coarse)
        scale = PX_PER_M / 2**coarse
        out = _bilinear(picture, at[:, 0] * scale + picture.shape[1] / 2 - 0.5, (at[:, 1] + TOP_M) * scale - 0.5)
        if self.two_parts:
            out[sleeve] = self.colours[1]
        return out.reshape(canonical.shape)

    @cached_property
    def _kept(self) -> dict[tuple[int, int], np.ndarray]:
        return {}

    def _shrunk(self, height: int, times: int) -> np.ndarray:
        """The bolt, that many times halved."""
        if (height, times) not in self._kept:
            if times:
                p = self._shrunk(height, times - 1)
                self._kept[height, times] = 0.25 * (p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2])
            else:
                self._kept[height, 0] = self.picture if height == HEIGHT else self.long_picture
        return self._kept[height, times]

    def _bolt(self, height: int) -> np.ndarray:
        colours = np.array(self.colours)
        x, y = places(height)
        out = np.empty((height, WIDTH, 3))
        if self.kind in ("floral", "camouflage", "animal"):
            rng = np.random.default_rng([self.seed, 7])
            draw = {"floral": prints.floral, "camouflage": prints.camouflage, "animal": prints.animal}[self.kind]
            out[:] = prints.lay(draw(rng, self.variant, colours), height, WIDTH, drop=self.kind != "camouflage")
        else:
            out[:] = self._paint(colours, x, y)
        if self.kind == "denim" or self.variant in ("heather", "slub"):
            out *= self._texture(x, y)[..., None]
        if self.motif is not None:
            self.motif.put(out, colours, x, y)
        return np.clip(out, 0, 1, out=out)

    def _paint(self, colours: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if self.kind == "stripes":
            return patterns.stripes(x, y, self.variant, colours, self.period_m, self.angle)
        if self.kind == "plaid":
            return patterns.plaid(x, y, self.variant, colours, self.period_m)
        if self.kind == "dots":
            return patterns.dots(x, y, colours, self.period_m, self.ratio)
        if self.kind == "gradient":
            return patterns.gradient(x, y, self.variant, colours, self.angle)
        if self.kind == "blocks" and not self.two_parts:
            return patterns.blocks(x, y, self.variant, colours, self.ratio)
        if self.kind == "knit":
            return patterns.knit(x, y, self.variant, colours, self.period_m)
        if "raglan" in (self.kind, self.variant):
            return patterns.raglan(x, y, colours)
        return colours[0]

    def _texture(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Slow unevenness of yarn and dye, (height, WIDTH), about 1; never finer than patterns.FINEST_M."""
        rng = np.random.default_rng([self.seed, 11])
        (long, wide), strength = {"denim": ((0.12, 0.024), 0.045), "slub": ((0.02, 0.11), 0.022)}.get(
            self.variant, ((0.025, 0.05), 0.016)
        )
        shape = len(y) // 2, WIDTH // 2
        lattice = round(len(y) / PX_PER_M / long), round(WIDTH / PX_PER_M / wide)
        shade = 1 + strength * patterns.mottle(rng, lattice, shape)
        if self.kind == "denim":
            shade *= 1 + 0.03 * np.sin(2 * np.pi / (1.5 * patterns.FINEST_M) * (y[::2] + x[:, ::2]))
        return np.repeat(np.repeat(shade, 2, 0), 2, 1)


@cache
def places(height: int) -> tuple[np.ndarray, np.ndarray]:
    """Metres right of the middle (1, WIDTH) and below the pit of the neck (height, 1) of a bolt's pixels."""
    x = (np.arange(WIDTH) + 0.5 - WIDTH / 2) / PX_PER_M
    return x[None], ((np.arange(height) + 0.5) / PX_PER_M - TOP_M)[:, None]


@njit(cache=True)
def _on_bolt(flat, points, arm):
    """Where on the bolt points are cut: metres right of its middle and below the neck (N, 2); and which are sleeve."""
    at, sleeve = np.empty((len(points), 2)), np.empty(len(points), np.bool_)
    for i in range(len(points)):
        x, y, z = abs(points[i, 0]), points[i, 1], points[i, 2]
        side = 1.0 if points[i, 0] > 0 else -1.0
        sleeve[i] = x > armhole(z, ARMHOLE_X) if z > ARMPIT_Z - 0.01 else arm[i] > 0.5
        if sleeve[i]:
            along = along_at(x, y, z)
            axis_y = np.interp(along, ARM_ALONG, ARM_Y)
            away = (x - SHOULDER[0]) * ARM_DOWN + (z - SHOULDER[2]) * ARM_OUT
            # Around the arm, or a turned arm would show the print drawn out; the back is the front's mirror image, as
            # both have one place on the flat garment.
            at[i, 0] = side * (SLEEVE_X_M + SLEEVE_RADIUS_M * np.arctan2(away, abs(y - axis_y)))
            at[i, 1] = NECK_Z - SHOULDER[2] + along
        else:
            at[i, 0], at[i, 1] = flat[i, 0], NECK_Z - flat[i, 1]
    return at, sleeve


@njit(cache=True)
def _bilinear(picture, x, y):
    """Values (N, C) of a picture (H, W, C) at pixel positions, edges repeated."""
    height, width, channels = picture.shape
    out = np.empty((len(x), channels))
    for i in range(len(x)):
        column, row = min(max(x[i], 0.0), width - 1.0), min(max(y[i], 0.0), height - 1.0)
        c, r = min(int(column), width - 2), min(int(row), height - 2)
        fc, fr = column - c, row - r
        for k in range(channels):
            top = picture[r, c, k] * (1 - fc) + picture[r, c + 1, k] * fc
            low = picture[r + 1, c, k] * (1 - fc) + picture[r + 1, c + 1, k] * fc
            out[i, k] = top * (1 - fr) + low * fr
    return out


def sample_kind(rng: np.random.Generator, kind: str) -> Cloth:
    """A random cloth of one kind.   Raises: ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"found the kind of cloth {kind!r}, wanted one of {', '.join(KINDS)}")
    u, pick = rng.uniform, lambda *names: str(rng.choice(names))
    colours = sample_palette(rng)
    colours = (*colours, *colours[1:])[:4]
    seed, gloss, ratio = int(rng.integers(2**31)), float(u(0.0, 0.05)), float(u(0, 1))
    made: dict[str, Any] = dict(kind=kind, colours=colours, seed=seed, gloss=gloss, ratio=ratio)
    if kind == "solid":
        variant = str(rng.choice(["plain", "heather", "slub", "satin"], p=[0.62, 0.18, 0.12, 0.08]))
        return Cloth(**made | dict(variant=variant, gloss=0.25 if variant == "satin" else gloss))
    if kind == "stripes":
        variant = pick(*patterns.STRIPES, "chevron")
        low, high = patterns.STRIPES.get(variant, (None, (0.07, 0.12)))[1]
        angle = float(rng.choice([0.0, np.pi / 2, np.pi / 4, -np.pi / 4, 9], p=[0.55, 0.22, 0.06, 0.06, 0.11]))
        angle = float(u(-np.pi / 2, np.pi / 2)) if angle == 9 else 0.0 if variant == "chevron" else angle
        return Cloth(**made, variant=variant, period_m=float(u(low, high)), angle=angle)
    if kind == "plaid":
        variant = pick(*patterns.PLAIDS)
        return Cloth(**made, variant=variant, period_m=float(u(*patterns.PLAIDS[variant][1])))
    if kind == "dots":
        variant = pick("pin", "polka", "large")
        low, high = {"pin": (0.030, 0.042), "polka": (0.045, 0.07), "large": (0.09, 0.14)}[variant]
        return Cloth(**made | dict(ratio=float(u(0.19, 0.30))), variant=variant, period_m=float(u(low, high)))
    if kind == "gradient":
        variant = pick("linear", "linear", "three", "dipped", "round")
        return Cloth(**made, variant=variant, angle=float(rng.choice([0.0, np.pi, np.pi / 2, -np.pi / 4, np.pi / 4])))
    if kind == "blocks":
        return Cloth(**made, variant=pick("two", "three", "split", "diagonal", "chest", "yoke", "sleeves"))
    if kind == "raglan":
        return Cloth(**made)
    if kind == "floral":
        greens = sorted((vary(rng, colour_of(k)) for k in LEAVES), key=lambda k: -abs(luma(k) - luma(colours[0])))
        return Cloth(**made | dict(colours=(*colours, *greens[:2])), variant=pick(*prints.FLORALS))
    if kind == "knit":
        variant = pick("rib", "stitch", "cable", "cable", "fair isle")
        period = float(u(0.0135, 0.016) if variant != "fair isle" else u(0.0125, 0.0145))
        return Cloth(**made | dict(gloss=0.0), variant=variant, period_m=period)
    if kind == "denim":
        return Cloth(**made | dict(colours=(vary(rng, colour_of(pick(*INDIGO))), *colours[1:])), variant="denim")
    if kind in ("camouflage", "animal"):
        codes = pick(*(CAMOUFLAGE if kind == "camouflage" else ANIMAL)).split()
        made |= dict(colours=tuple(vary(rng, colour_of(k)) for k in codes))
        return Cloth(**made, variant=pick("large", "small"))
    return Cloth(**made, variant=pick("plain", "plain", "heather", "raglan"), motif=sample_motif(rng, kind))
