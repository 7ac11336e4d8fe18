"""Cloth: what is printed on a garment, as a picture over garment coordinates.

Drawn with plain arithmetic and a bitmap alphabet of its own, so that it is the same on every machine and needs no font.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cached_property

import numpy as np

HEIGHT, WIDTH = 640, 480  # of the printed picture, whatever size is rendered
CHEST = (0.5, 0.43)  # middle of the chest in garment coordinates

# Five columns, seven rows a letter, one hexadecimal pair a row.
_LETTERS = {
    "A": "0E11111F111111", "B": "1E11111E11111E", "C": "0E11101010110E", "D": "1E11111111111E", "E": "1F10101E10101F",
    "F": "1F10101E101010", "G": "0E11101711110F", "H": "1111111F111111", "I": "0E04040404040E", "J": "0101010101110E",
    "K": "11121418141211", "L": "1010101010101F", "M": "111B1515111111", "N": "11191513111111", "O": "0E11111111110E",
    "P": "1E11111E101010", "R": "1E11111E141211", "S": "0F10100E01011E", "T": "1F040404040404", "U": "1111111111110E",
    "V": "11111111110A04", "W": "11111115151B11", "X": "11110A040A1111", "Y": "11110A04040404", "Z": "1F01020408101F",
}  # fmt: skip
WORDS = ("MODE", "ART", "NOVA", "LUNA", "ECHO", "ZEN", "RIO", "KIND", "WAVE", "SOL", "TRY", "ALTO", "PIXEL", "HELLO")
KINDS = ("solid", "stripes", "plaid", "dots", "blocks", "logo", "letters", "raglan", "gradient")


@dataclass(frozen=True)
class Cloth:
    """A printed cloth: kind, two or three colours in [0, 1] and the numbers of its pattern."""

    kind: str
    colours: tuple[tuple[float, float, float], ...]
    period: float  # of stripes, plaid and dots, in picture heights
    angle: float  # of stripes, radians
    ratio: float
    word: str
    shape: int

    @staticmethod
    def sample(rng: np.random.Generator) -> Cloth:
        """A random cloth."""
        kind = str(rng.choice(KINDS, p=[0.14, 0.2, 0.11, 0.1, 0.09, 0.1, 0.14, 0.06, 0.06]))
        base = _colour(rng)
        other = max((_colour(rng) for _ in range(5)), key=lambda c: abs(_luma(c) - _luma(base)))
        return Cloth(
            kind=kind,
            colours=(base, other, _colour(rng)),
            period=rng.uniform(0.035, 0.085),
            angle=float(rng.choice([0.0, np.pi / 2, np.pi / 4, -np.pi / 4], p=[0.5, 0.3, 0.1, 0.1])),
            ratio=rng.uniform(0.3, 0.55),
            word=str(rng.choice(WORDS)),
            shape=int(rng.integers(4)),
        )

    @cached_property
    def picture(self) -> np.ndarray:
        """The print over garment coordinates, (HEIGHT, WIDTH, 3) in [0, 1]."""
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        v, u = (y + 0.5) / HEIGHT, (x + 0.5) / HEIGHT - 0.5 * WIDTH / HEIGHT + 0.5  # both in picture heights
        a, b, c = (np.array(k) for k in self.colours)
        ink, second = np.zeros((HEIGHT, WIDTH)), None
        if self.kind == "stripes":
            along = np.cos(self.angle) * v + np.sin(self.angle) * u
            ink = _band(along / self.period, self.ratio, self.period)
        elif self.kind == "plaid":
            across, down = (_band(k / self.period, self.ratio, self.period) for k in (u, v))
            ink, second = 0.5 * (across + down), _band(u / self.period + 0.5, 0.08, self.period)
        elif self.kind == "dots":
            row = np.floor(v / self.period)
            du = (u / self.period + 0.5 * (row % 2)) % 1 - 0.5
            dv = (v / self.period) % 1 - 0.5
            ink = _edge(self.ratio * 0.62 - np.hypot(du, dv), 0.06)
        elif self.kind == "blocks":
            ink = _edge(v - (0.40 + 0.25 * self.ratio), 0.004)
            second = _edge(0.02 - np.abs(v - (0.40 + 0.25 * self.ratio)), 0.004)
        elif self.kind == "raglan":
            ink = _edge(np.abs(u - 0.5) - (0.10 + 0.10 * np.clip((v - 0.27) / 0.2, 0, 1)), 0.004)
        elif self.kind == "gradient":
            ink = np.clip((v - 0.28) / 0.42, 0, 1)
        elif self.kind == "logo":
            ink, second = self._logo(u, v)
        elif self.kind == "letters":
            ink = self._letters(u, v)
        out = a + (b - a) * ink[..., None]
        return out if second is None else out + (c - out) * second[..., None]

    def _logo(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        du, dv = u - CHEST[0], v - CHEST[1]
        r, size = np.hypot(du, dv), 0.035 + 0.05 * self.ratio
        if self.shape == 0:  # disc with a core
            return _edge(size - r, 0.003), _edge(size * 0.5 - r, 0.003)
        if self.shape == 1:  # star
            angle = np.arctan2(du, -dv) % (2 * np.pi / 5) - np.pi / 5
            return _edge(size * 1.3 * (0.42 + 0.58 * (np.abs(angle) / (np.pi / 5)) ** 1.6) - r, 0.003), np.zeros_like(r)
        if self.shape == 2:  # heart
            p, q = du / size, -dv / size + 0.15
            return _edge((1 - (p**2 + (q - 0.6 * np.sqrt(np.abs(p))) ** 2)) * size, 0.004), np.zeros_like(r)
        box = _edge(size - np.maximum(np.abs(du), np.abs(dv) * 1.4), 0.003)  # flag
        return box, box * _edge(0.3 * size - np.abs(dv), 0.003)

    def _letters(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        rows = [
            [int(_LETTERS[ch][2 * r : 2 * r + 2], 16) << 1 >> (5 - k) & 1 for ch in self.word for k in range(6)]
            for r in range(7)
        ]
        bitmap = np.pad(np.array(rows, float)[:, :-1], 1)
        cell = min(0.012, 0.23 / bitmap.shape[1])
        px = (u - CHEST[0]) / cell + (bitmap.shape[1] - 1) / 2
        py = (v - CHEST[1]) / (1.25 * cell) + (bitmap.shape[0] - 1) / 2
        smooth = sample_bilinear(bitmap[..., None], px, py)[..., 0]
        return _edge(smooth - 0.45, 0.15)


def sample_bilinear(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of a picture (H, W, C) at pixel positions x, y of any shape, edges repeated."""
    h, w = picture.shape[:2]
    x, y = np.clip(x, 0, w - 1), np.clip(y, 0, h - 1)
    x0, y0 = np.minimum(x.astype(np.int64), w - 2), np.minimum(y.astype(np.int64), h - 2)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    top = picture[y0, x0] * (1 - fx) + picture[y0, x0 + 1] * fx
    low = picture[y0 + 1, x0] * (1 - fx) + picture[y0 + 1, x0 + 1] * fx
    return top * (1 - fy) + low * fy


def _band(phase: np.ndarray, ratio: float, period: float) -> np.ndarray:
    """1 inside a band of width `ratio` of every period, with an edge of about a printed pixel."""
    return _edge(ratio / 2 - np.abs(phase % 1 - 0.5), 0.0015 / period)


def _edge(distance: np.ndarray, softness: float) -> np.ndarray:
    return np.clip(0.5 + distance / (2 * softness), 0, 1)


def _luma(colour) -> float:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """A colour one finds in shops: neutrals, navy, and muted to clear hues."""
    if rng.random() < 0.3:
        return tuple(
            float(k) for k in np.full(3, rng.choice([0.12, 0.22, 0.5, 0.78, 0.92])) + rng.uniform(-0.03, 0.03, 3)
        )
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.35, 0.85), rng.uniform(0.35, 0.95))
