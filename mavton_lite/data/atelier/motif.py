"""Motifs: one emblem or a few words on the chest of a garment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mavton_lite.data.atelier import patterns, prints
from mavton_lite.data.atelier.lettering import Style, word_width

_WORDS = """HELLO AMOUR CIAO HOLA SUNDAY WEEKEND COAST OCEAN DREAM SMILE PEACE LOVE HAPPY BLOOM ROCK JAZZ DANCE STUDIO
    ATELIER COFFEE SUMMER NORTH OSLO TOKYO PARIS QUIET 1984 07 23 88 GOOD/VIBES STAY/WILD HELLO/SUN SLOW/DOWN ART/CLUB
    MORE/LOVE SEA/SALT NEW/MOON BE/KIND JUST/SMILE"""
WORDS = tuple(tuple(k.split("/")) for k in _WORDS.split())  # one or two lines


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

    @property
    def half_height(self) -> float:
        """From its middle to its upper edge, metres."""
        return self.size * (prints.lines_height(self.words, self.style) / 2 if self.words else 1)

    def put(self, out: np.ndarray, colours: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
        """Print it on a bolt (H, WIDTH, 3) whose pixels lie at x (1, WIDTH) and y (H, 1)."""
        wide, tall = 1.3 * self.size, 1.4 * self.size
        if self.words:
            wide = (max(word_width(k, self.style) for k in self.words) / 2 + 0.6) * self.size
            tall = self.half_height + 0.5 * self.size + (wide * wide / (2 * self.arc) if self.arc else 0)
        columns = np.flatnonzero(np.abs(x[0] - self.place[0]) < wide)
        rows = np.flatnonzero(np.abs(y[:, 0] - self.place[1]) < tall)
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        dx, dy = np.broadcast_arrays(x[:, box[1]] - self.place[0], y[box[0]] - self.place[1])
        if self.emblem:
            layers = [(self.size * d, row) for d, row in prints.emblem(self.emblem, dx / self.size, dy / self.size)]
        else:
            inside = prints.words_inside(self.words, self.style, self.size, self.arc, dx, dy)
            line = 0.10 * self.size
            layers = [(inside + 2 * line, 2), (inside + line, 0)] * self.outline + [(inside, 1)]
        for inside_m, row in layers:
            out[box] = patterns.over(out[box], colours[row], patterns.edge(inside_m))


def sample_motif(rng: np.random.Generator, kind: str) -> Motif:
    """A random motif for a cloth of kind "logo" or "letters"."""
    u = rng.uniform
    if kind == "logo":
        shape, small = str(rng.choice(prints.EMBLEMS)), bool(rng.random() < 0.4)
        place = (float(u(0.070, 0.085)), float(u(0.175, 0.195))) if small else (0.0, float(u(0.225, 0.255)))
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
    return Motif(words=words, place=(0.0, float(u(0.225, 0.255))), size=size, arc=arc, style=style,
                 outline=bool(rng.random() < 0.25))  # fmt: skip
