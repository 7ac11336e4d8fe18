"""Lettering: words as distances from drawn strokes, so that they are sharp at any size and need no font.

A letter is a few strokes in a box one cap height tall: x to the right, y down from 0 at the top to 1 on the base line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit

ARC_STEPS = 6  # straight pieces a quarter of an arc
FAR = 0.5  # cap heights; the distance of whatever is further away


@dataclass(frozen=True)
class Style:
    """How a word is lettered.   Units: cap heights."""

    stroke: float = 0.16  # width of the pen
    narrow: float = 1.0  # width of letters against their drawing
    slant: float = 0.0  # lean to the right over one cap height
    spacing: float = 0.2  # between letters
    slab: bool = False  # feet on the stems, as on team shirts


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> list[tuple[float, float]]:
    """Points on an ellipse; degrees, 0 to the right, 90 down; from `start` to `end` in that direction."""
    n = max(2, round(abs(end - start) / 90 * ARC_STEPS))
    angles = np.radians(np.linspace(start, end, n + 1))
    return [(cx + rx * float(np.cos(a)), cy + ry * float(np.sin(a))) for a in angles]


_O = [_arc(0.41, 0.5, 0.41, 0.5, 0, 360)]
# character -> (width, strokes)
GLYPHS: dict[str, tuple[float, list[list[tuple[float, float]]]]] = {
    " ": (0.30, []),
    "A": (0.76, [[(0, 1), (0.38, 0), (0.76, 1)], [(0.13, 0.67), (0.63, 0.67)]]),
    "B": (0.60, [[(0, 0), (0, 1)],
                 [(0, 0), (0.30, 0), *_arc(0.30, 0.235, 0.24, 0.235, -90, 90), (0, 0.47)],
                 [(0.30, 0.47), *_arc(0.33, 0.735, 0.27, 0.265, -90, 90), (0, 1)]]),
    "C": (0.70, [_arc(0.42, 0.5, 0.42, 0.5, -48, -312)]),
    "D": (0.68, [[(0, 0), (0, 1)], [(0, 0), (0.26, 0), *_arc(0.26, 0.5, 0.42, 0.5, -90, 90), (0, 1)]]),
    "E": (0.52, [[(0.52, 0), (0, 0), (0, 1), (0.52, 1)], [(0, 0.48), (0.44, 0.48)]]),
    "F": (0.50, [[(0.50, 0), (0, 0), (0, 1)], [(0, 0.48), (0.42, 0.48)]]),
    "G": (0.76, [[*_arc(0.42, 0.5, 0.42, 0.5, -48, -325), (0.76, 0.55), (0.46, 0.55)]]),
    "H": (0.64, [[(0, 0), (0, 1)], [(0.64, 0), (0.64, 1)], [(0, 0.48), (0.64, 0.48)]]),
    "I": (0.00, [[(0, 0), (0, 1)]]),
    "J": (0.42, [[(0.42, 0), *_arc(0.205, 0.74, 0.215, 0.26, 0, 165)]]),
    "K": (0.62, [[(0, 0), (0, 1)], [(0.58, 0), (0, 0.6)], [(0.20, 0.40), (0.62, 1)]]),
    "L": (0.50, [[(0, 0), (0, 1), (0.50, 1)]]),
    "M": (0.80, [[(0, 1), (0, 0), (0.40, 0.74), (0.80, 0), (0.80, 1)]]),
    "N": (0.66, [[(0, 1), (0, 0), (0.66, 1), (0.66, 0)]]),
    "O": (0.82, _O),
    "P": (0.57, [[(0, 0), (0, 1)], [(0, 0), (0.29, 0), *_arc(0.29, 0.28, 0.28, 0.28, -90, 90), (0, 0.56)]]),
    "Q": (0.82, [*_O, [(0.48, 0.70), (0.84, 1.06)]]),
    "R": (0.62, [[(0, 0), (0, 1)], [(0, 0), (0.31, 0), *_arc(0.31, 0.265, 0.27, 0.265, -90, 90), (0, 0.53)],
                 [(0.28, 0.53), (0.62, 1)]]),
    "S": (0.60, [[*_arc(0.305, 0.25, 0.255, 0.25, -28, -270), *_arc(0.295, 0.75, 0.295, 0.25, -90, 150)]]),
    "T": (0.68, [[(0, 0), (0.68, 0)], [(0.34, 0), (0.34, 1)]]),
    "U": (0.64, [[(0, 0), *_arc(0.32, 0.67, 0.32, 0.33, 180, 0), (0.64, 0)]]),
    "V": (0.74, [[(0, 0), (0.37, 1), (0.74, 0)]]),
    "W": (1.06, [[(0, 0), (0.28, 1), (0.53, 0.12), (0.78, 1), (1.06, 0)]]),
    "X": (0.70, [[(0, 0), (0.70, 1)], [(0.70, 0), (0, 1)]]),
    "Y": (0.72, [[(0, 0), (0.36, 0.5), (0.72, 0)], [(0.36, 0.5), (0.36, 1)]]),
    "Z": (0.64, [[(0, 0), (0.64, 0), (0, 1), (0.64, 1)]]),
    "0": (0.64, [_arc(0.32, 0.5, 0.32, 0.5, 0, 360)]),
    "1": (0.48, [[(0.02, 0.20), (0.26, 0), (0.26, 1)], [(0.02, 1), (0.48, 1)]]),
    "2": (0.60, [[*_arc(0.30, 0.29, 0.29, 0.29, -170, 38), (0, 1), (0.60, 1)]]),
    "3": (0.58, [_arc(0.28, 0.24, 0.25, 0.24, -155, 90), _arc(0.28, 0.74, 0.30, 0.26, -90, 155)]),
    "4": (0.68, [[(0.52, 1), (0.52, 0), (0, 0.72), (0.68, 0.72)]]),
    "5": (0.60, [[(0.54, 0), (0.08, 0), (0.04, 0.46), *_arc(0.28, 0.68, 0.31, 0.32, -130, 150)]]),
    "6": (0.62, [_arc(0.31, 0.68, 0.31, 0.32, 0, 360), [(0.50, 0), (0.28, 0.26), (0.02, 0.60)]]),
    "7": (0.60, [[(0, 0), (0.60, 0), (0.20, 1)]]),
    "8": (0.60, [_arc(0.30, 0.24, 0.25, 0.24, 0, 360), _arc(0.30, 0.74, 0.30, 0.26, 0, 360)]),
    "9": (0.62, [_arc(0.31, 0.32, 0.31, 0.32, 0, 360), [(0.60, 0.40), (0.34, 0.74), (0.12, 1)]]),
}  # fmt: skip
_SLAB = 0.15  # of a foot on either side of the stem


@cache
def segments(character: str, slab: bool = False) -> np.ndarray:
    """The straight pieces (S, 4) of a letter: x0, y0, x1, y1 in cap heights.   Raises: ValueError when unknown."""
    if character not in GLYPHS:
        raise ValueError(f"found the character {character!r}, wanted one of {''.join(GLYPHS)}")
    strokes = [np.array(s) for s in GLYPHS[character][1]]
    if slab:
        ends = {(round(float(x), 3), float(y)) for s in strokes for x, y in (s[0], s[-1]) if y in (0.0, 1.0)}
        upright = {x for x, _ in ends if any((abs(s[:-1, 0] - x) + abs(s[1:, 0] - x) < 1e-3).any() for s in strokes)}
        strokes += [np.array([(x - _SLAB, y), (x + _SLAB, y)]) for x, y in sorted(ends) if x in upright]
    pieces = [np.concatenate([s[:-1], s[1:]], axis=1) for s in strokes]
    return np.concatenate(pieces) if pieces else np.zeros((0, 4))


def word_width(word: str, style: Style) -> float:
    """From the first pen stroke's middle to the last one's, in cap heights.   Raises: ValueError as `segments`."""
    for character in word:
        segments(character)
    return sum(GLYPHS[k][0] * style.narrow for k in word) + (style.stroke + style.spacing) * (len(word) - 1)


def ink_distance(word: str, style: Style, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far inside the ink each point lies, negative outside and never much below -FAR.

    Shape: x, y (...) in cap heights, the word centred on (0, 0) -> (...).
    Raises: ValueError for a character that has no letter.
    """
    pieces, spans, left = [np.zeros((0, 4))], [], -word_width(word, style) / 2
    for character in word:
        lines, width = segments(character, style.slab), GLYPHS[character][0] * style.narrow
        pieces.append(lines * [style.narrow, 1, style.narrow, 1] + [left, -0.5, left, -0.5])
        spans.append((left - FAR, left + width + FAR, len(lines)))
        left += width + style.stroke + style.spacing
    x, y = np.broadcast_arrays(x + style.slant * y, y)
    across, down = (np.ascontiguousarray(k).ravel() for k in (x, y))
    away = _to_segments(across, down, np.concatenate(pieces), np.array(spans))
    return style.stroke / 2 - away.reshape(x.shape)


@njit(cache=True)
def _to_segments(x, y, lines, spans):
    """Distance (N,) of points from the nearest straight piece, at most FAR; `spans`: reach and pieces by letter."""
    out = np.empty(len(x))
    for i in range(len(x)):
        least, first = FAR * FAR, 0
        for letter in range(len(spans)):
            last = first + int(spans[letter, 2])
            if spans[letter, 0] < x[i] < spans[letter, 1]:
                for k in range(first, last):
                    x0, y0, dx, dy = lines[k, 0], lines[k, 1], lines[k, 2] - lines[k, 0], lines[k, 3] - lines[k, 1]
                    px, py = x[i] - x0, y[i] - y0
                    along = min(max((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-12), 0.0), 1.0)
                    px, py = px - along * dx, py - along * dy
                    least = min(least, px * px + py * py)
            first = last
        out[i] = np.sqrt(least)
    return out
