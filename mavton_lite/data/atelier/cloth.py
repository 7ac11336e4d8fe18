"""Cloth: what a garment is made of, as a picture over garment coordinates.

Drawn with plain arithmetic and letters of its own, so that it is the same on every machine and needs no font. Sleeves
are cut from the same cloth turned along the arm, as a tailor cuts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from mavton_lite.data.atelier import patterns, prints
from mavton_lite.data.atelier.lettering import Style, word_width
from mavton_lite.data.atelier.palettes import (
    ANIMAL, CAMOUFLAGE, INDIGO, LEAVES, Colour, colour, contrast, luma, sample_palette, vary,
)  # fmt: skip

HEIGHT, WIDTH = 640, 480  # of the printed picture, whatever size is rendered
PICTURE_M = 1.24  # what its height is of the flat garment
NECK_ROW = 0.5 - (0.745 - 0.455) / PICTURE_M  # of the pit of the neck, in picture heights
SHOULDER_M, SLEEVE_TURN = (0.170, 0.045), 0.48  # where the flat sleeve begins (x, y), and its angle from the vertical
KINDS: dict[str, float] = {  # kind -> share of garments
    "solid": 0.19, "stripes": 0.16, "plaid": 0.08, "dots": 0.06, "gradient": 0.05, "blocks": 0.07, "raglan": 0.04,
    "floral": 0.09, "logo": 0.07, "letters": 0.10, "knit": 0.05, "denim": 0.02, "camouflage": 0.01, "animal": 0.01,
}  # fmt: skip
PLAIN = ("solid", "denim", "knit")  # kinds without a figure
WORDS = (("HELLO",), ("AMOUR",), ("CIAO",), ("HOLA",), ("SUNDAY",), ("WEEKEND",), ("COAST",), ("OCEAN",), ("DREAM",),
         ("SMILE",), ("PEACE",), ("LOVE",), ("HAPPY",), ("BLOOM",), ("ROCK",), ("JAZZ",), ("DANCE",), ("STUDIO",),
         ("ATELIER",), ("COFFEE",), ("SUMMER",), ("NORTH",), ("OSLO",), ("TOKYO",), ("PARIS",), ("QUIET",), ("1984",),
         ("07",), ("23",), ("88",), ("GOOD", "VIBES"), ("STAY", "WILD"), ("HELLO", "SUN"), ("SLOW", "DOWN"),
         ("ART", "CLUB"), ("MORE", "LOVE"), ("SEA", "SALT"), ("NEW", "MOON"), ("BE", "KIND"), ("FIVE", "OCLOCK"))  # fmt: skip


@dataclass(frozen=True)
class Motif:
    """An emblem or one or two words on the chest.   Units: metres on the flat garment, from the pit of the neck."""

    words: tuple[str, ...] = ()
    emblem: str = ""
    place: tuple[float, float] = (0.0, 0.2)
    size: float = 0.06  # cap height of the wider line, or radius of the emblem
    arc: float = 0.0  # radius of the circle the words are bent over
    outline: bool = False
    style: Style = Style()


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
    def sample(rng: np.random.Generator) -> Cloth:
        """A random cloth."""
        kind = list(KINDS)[int(rng.choice(len(KINDS), p=np.array(list(KINDS.values())) / sum(KINDS.values())))]
        return sample_kind(rng, kind)

    @cached_property
    def picture(self) -> np.ndarray:
        """The print over garment coordinates, (HEIGHT, WIDTH, 3) in [0, 1]."""
        colours = np.array(self.colours)
        x, y = _places()
        out = np.empty((HEIGHT, WIDTH, 3))
        if self.kind in ("floral", "camouflage", "animal"):
            rng = np.random.default_rng([self.seed, 7])
            tile = {
                "floral": lambda: prints.floral(rng, self.variant, colours),
                "camouflage": lambda: prints.camouflage(rng, colours),
                "animal": lambda: prints.animal(rng, colours),
            }[self.kind]()
            out[:] = prints.lay(tile, HEIGHT, WIDTH)
        else:
            out[:] = self._paint(colours, x, y, sleeve=False)
            if self.kind not in ("solid", "gradient", "dots", "logo", "letters") or self.variant == "raglan":
                rows, columns, across, along = _sleeves()
                out[rows, columns] = self._paint(colours, across, along, sleeve=True)
        if self.kind == "denim" or self.variant in ("heather", "slub"):
            self._texture(out)
        if self.motif is not None:
            self._put_motif(out, colours)
        return np.clip(out, 0, 1, out=out)

    @cached_property
    def half_picture(self) -> np.ndarray:
        """The print at half its size, for small pictures; (HEIGHT / 2, WIDTH / 2, 3)."""
        p = self.picture
        return 0.25 * (p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2])

    @cached_property
    def luma(self) -> float:
        """Mean lightness of the print where garments are, 0..1."""
        chest = self.picture[HEIGHT // 4 : -HEIGHT // 4 : 6, WIDTH // 3 : -WIDTH // 3 : 6]
        return float(luma(chest.reshape(-1, 3).mean(0)))

    def colour(self, uv: np.ndarray, px_per_m: float) -> np.ndarray:
        """Colours (..., 3) at garment coordinates (..., 2); `px_per_m` of what is drawn keeps fine prints from jagging."""
        fine = px_per_m * PICTURE_M > 0.62 * HEIGHT
        picture = self.picture if fine else self.half_picture
        h, w = picture.shape[:2]
        return sample_bilinear(picture, uv[..., 0] * w - 0.5, uv[..., 1] * h - 0.5)

    def _paint(self, colours: np.ndarray, x: np.ndarray, y: np.ndarray, sleeve: bool) -> np.ndarray:
        if self.kind == "stripes":
            return patterns.stripes(x, y, self.variant, colours, self.period_m, self.angle)
        if self.kind == "plaid":
            return patterns.plaid(x, y, self.variant, colours, self.period_m)
        if self.kind == "dots":
            return patterns.dots(x, y, colours, self.period_m, self.ratio)
        if self.kind == "gradient":
            return patterns.gradient(x, y, self.variant, colours, self.angle)
        if self.kind == "blocks":
            return patterns.blocks(x, y, self.variant, colours, self.ratio, sleeve)
        if self.kind == "raglan" or self.variant == "raglan":
            return patterns.raglan(x, y, colours, sleeve)
        if self.kind == "knit":
            return patterns.knit(x, y, self.variant, colours, self.period_m)
        return np.broadcast_to(colours[0], (*np.broadcast_shapes(x.shape, y.shape), 3))

    def _texture(self, out: np.ndarray) -> None:
        """Slow unevenness of yarn and dye, never finer than patterns.FINEST_M."""
        rng = np.random.default_rng([self.seed, 11])
        lattice, strength = {"denim": ((9, 34), 0.045), "slub": ((40, 7), 0.022)}.get(self.variant, ((30, 14), 0.016))
        shade = 1 + strength * patterns.mottle(rng, lattice, (HEIGHT // 2, WIDTH // 2))
        if self.kind == "denim":
            x, y = (k[..., ::2] if k.shape[0] == 1 else k[::2] for k in _places())
            shade = shade * (1 + 0.03 * np.sin(2 * np.pi * (y + x) / (1.5 * patterns.FINEST_M)))
        out *= np.repeat(np.repeat(shade, 2, 0), 2, 1)[..., None]

    def _put_motif(self, out: np.ndarray, colours: np.ndarray) -> None:
        m = self.motif
        x, y = _places()
        wide = m.size * (1.3 if m.emblem else 0.75 * max(word_width(k, m.style) for k in m.words) + 1.0)
        tall = m.size * (1.4 if m.emblem else 1.3 * len(m.words) + 0.6) + (0.04 if m.arc else 0)
        columns = np.flatnonzero(np.abs(x[0] - m.place[0]) < wide)
        rows = np.flatnonzero(np.abs(y[:, 0] - m.place[1]) < tall)
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        dx, dy = np.broadcast_arrays(x[:, box[1]] - m.place[0], y[box[0]] - m.place[1])
        if m.emblem:
            layers = [(m.size * d, row) for d, row in prints.emblem(m.emblem, dx / m.size, dy / m.size)]
        else:
            inside = prints.words_inside(m.words, m.style, m.size, m.arc, dx, dy)
            line = 0.10 * m.size
            layers = [(inside + 2 * line, 2), (inside + line, 0)] * m.outline + [(inside, 1)]
        for inside_m, row in layers:
            out[box] = patterns.over(out[box], colours[row], patterns.edge(inside_m))


@cache
def _places() -> tuple[np.ndarray, np.ndarray]:
    """Metres to the right of the middle (1, WIDTH) and down from the neck (HEIGHT, 1) of the print's pixels."""
    metre = PICTURE_M / HEIGHT
    x = (np.arange(WIDTH) + 0.5 - WIDTH / 2) * metre
    return x[None], ((np.arange(HEIGHT) + 0.5) * metre - NECK_ROW * PICTURE_M)[:, None]


@cache
def _sleeves() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of the flat sleeves' pixels, and their places across and along the sleeve, metres."""
    x, y = (np.broadcast_to(k, (HEIGHT, WIDTH)) for k in _places())
    side = np.abs(x)
    armhole = SHOULDER_M[0] - 0.012 * np.clip(1 - ((y - 0.11) / 0.08) ** 2, 0, 1)
    rows, columns = np.nonzero((side > armhole + 0.40 * np.clip(y - patterns.NECK_TO_ARMPIT_M, 0, None)) & (y > -0.05))
    dx, dy = side[rows, columns] - SHOULDER_M[0], y[rows, columns] - SHOULDER_M[1]
    c, s = np.cos(SLEEVE_TURN), np.sin(SLEEVE_TURN)
    across, along = dx * c - dy * s, dx * s + dy * c + SHOULDER_M[1]
    return rows, columns, np.where(x[rows, columns] > 0, across, -across), along


def sample_kind(rng: np.random.Generator, kind: str) -> Cloth:
    """A random cloth of one kind.   Raises: ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"found the kind of cloth {kind!r}, wanted one of {', '.join(KINDS)}")
    pick = lambda *names: str(rng.choice(names))  # noqa: E731
    u = rng.uniform
    colours = sample_palette(rng)
    colours = (*colours, *colours[1:])[:4]
    seed, gloss, ratio = int(rng.integers(2**31)), float(u(0.0, 0.05)), float(u(0, 1))
    made = dict(kind=kind, colours=colours, seed=seed, gloss=gloss, ratio=ratio)
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
        greens = sorted((vary(rng, colour(k)) for k in LEAVES), key=lambda k: -contrast(k, colours[0]))
        return Cloth(**made | dict(colours=(*colours, *greens[:2])), variant=pick(*prints.FLORALS))
    if kind == "knit":
        variant = pick("rib", "stitch", "cable", "cable", "fair isle")
        period = float(u(0.0135, 0.016) if variant != "fair isle" else u(0.0125, 0.0145))
        return Cloth(**made | dict(gloss=0.0), variant=variant, period_m=period)
    if kind == "denim":
        return Cloth(**made | dict(colours=(vary(rng, colour(pick(*INDIGO))), *colours[1:])), variant="denim")
    if kind in ("camouflage", "animal"):
        codes = pick(*(CAMOUFLAGE if kind == "camouflage" else ANIMAL)).split()
        return Cloth(**made | dict(colours=tuple(vary(rng, colour(k)) for k in codes)))
    return Cloth(**made, variant=pick("plain", "plain", "heather", "raglan"), motif=_sample_motif(rng, kind))


def _sample_motif(rng: np.random.Generator, kind: str) -> Motif:
    u = rng.uniform
    if kind == "logo":
        shape, small = str(rng.choice(prints.EMBLEMS)), bool(rng.random() < 0.4)
        place = (float(u(0.070, 0.085)), float(u(0.155, 0.175))) if small else (0.0, float(u(0.205, 0.235)))
        return Motif(emblem=shape, place=place, size=float(u(0.022, 0.028) if small else u(0.055, 0.085)))
    words = WORDS[int(rng.integers(len(WORDS)))]
    slab = bool(rng.random() < 0.25)
    style = Style(
        stroke=float(u(0.13, 0.24)) if not slab else float(u(0.18, 0.23)),
        narrow=float(u(0.8, 1.15)), slant=float(rng.choice([0.0, 0.0, 0.0, 0.18])) * (not slab),
        spacing=float(u(0.16, 0.30)) + 0.16 * slab, slab=slab,
    )  # fmt: skip
    width = float(u(0.17, 0.25))
    size = min(width / max(word_width(k, style) for k in words), 0.115 if len(words) == 1 else 0.075)
    arc = float(u(0.18, 0.32)) if len(words) == 1 and len(words[0]) > 4 and rng.random() < 0.25 else 0.0
    return Motif(words=words, place=(0.0, float(u(0.205, 0.235))), size=size, arc=arc, style=style,
                 outline=bool(rng.random() < 0.25))  # fmt: skip


def sample_bilinear(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of a picture (H, W, C) at pixel positions x, y of any shape, edges repeated."""
    h, w = picture.shape[:2]
    x, y = np.clip(x, 0, w - 1), np.clip(y, 0, h - 1)
    x0, y0 = np.minimum(x.astype(np.int64), w - 2), np.minimum(y.astype(np.int64), h - 2)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    top = picture[y0, x0] * (1 - fx) + picture[y0, x0 + 1] * fx
    low = picture[y0 + 1, x0] * (1 - fx) + picture[y0 + 1, x0 + 1] * fx
    return top * (1 - fy) + low * fy
