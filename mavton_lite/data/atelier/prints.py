"""Prints that do not repeat by a rule: scattered flowers and spots on a repeat tile, emblems and words on the chest.

A tile is TILE pixels square and is laid in a half drop, as printed cloth is: every second column of tiles is shifted by
half a tile, so that no rows of flowers show.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mavton_lite.data.atelier.lettering import Style, ink_distance, word_width
from mavton_lite.data.atelier.patterns import mottle

TILE = 160  # px of the printed picture
LEADING = 0.32  # between lines of words, cap heights
FLORALS = ("ditsy", "daisies", "roses", "meadow", "leaves")
EMBLEMS = ("ring", "star", "heart", "shield", "bolt", "mountains", "waves", "sun", "leaf", "crown", "moon", "diamond",
           "flower", "flag", "anchor")  # fmt: skip


def lay(tile: np.ndarray, height: int, width: int, drop: bool = True) -> np.ndarray:
    """The repeat of a tile, in a half drop or straight.   Shape: (h, w, 3) -> (height, width, 3)."""
    if drop:
        tile = np.concatenate([np.roll(tile, TILE // 2, 0), tile], axis=1)
    return np.tile(tile, (-(-height // tile.shape[0]), -(-width // tile.shape[1]), 1))[:height, :width]


def scatter(rng: np.random.Generator, count: int, tries: int = 40) -> np.ndarray:
    """Evenly scattered places (count, 2) x, y on a tile, in px, by Mitchell's best candidate."""
    candidates = rng.uniform(0, TILE, (count, tries, 2))
    return _spread(candidates)


@njit(cache=True)
def _spread(candidates):
    """Of each row of candidates the one that is furthest from those chosen before, tiles in a half drop."""
    count, tries, _ = candidates.shape
    out = np.empty((count, 2))
    for n in range(count):
        best = -1.0
        for k in range(tries):
            nearest = 1e9
            for m in range(n):
                for turn in range(-1, 2):
                    dx = candidates[n, k, 0] - out[m, 0] - turn * TILE
                    dy = candidates[n, k, 1] - out[m, 1] - turn * (TILE // 2)
                    dy -= TILE * np.round(dy / TILE)
                    nearest = min(nearest, dx * dx + dy * dy)
            if nearest > best:
                best = nearest
                out[n, 0], out[n, 1] = candidates[n, k, 0], candidates[n, k, 1]
    return out


@njit(cache=True)
def _box(x, y, reach):
    """First and last row and column around a place of a tile; they may lie beyond its borders."""
    return int(np.floor(y - reach)), int(np.ceil(y + reach)), int(np.floor(x - reach)), int(np.ceil(x + reach))


@njit(cache=True)
def _lay(tile, row, column, red, green, blue, ink):
    """Put a colour on one pixel, over the borders of the half-drop repeat too."""
    turn = column // TILE
    row, column = (row - turn * (TILE // 2)) % TILE, column - turn * TILE
    for k, colour in enumerate((red, green, blue)):
        tile[row, column, k] += (min(colour, 1.0) - tile[row, column, k]) * ink


@njit(cache=True)
def _flower(tile, x, y, radius, turn, petals, colour, heart, swirl):
    """A round flower; `swirl` 1 makes it a rose."""
    top, bottom, left, right = _box(x, y, radius + 1)
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            dx, dy = column + 0.5 - x, row + 0.5 - y
            r, theta = np.sqrt(dx * dx + dy * dy) / radius, np.arctan2(dy, dx) - turn
            reach = 0.50 + 0.48 * abs(np.cos(petals / 2 * theta)) ** 0.7
            ink = min(max(0.5 + (reach - r) * radius, 0.0), 1.0)
            if ink > 0:
                shade = 0.88 + 0.17 * r + 0.10 * swirl * np.sin(9.0 * r + 2 * theta)
                core = min(max(0.5 + (0.24 - 0.10 * swirl - r) * radius, 0.0), 1.0)
                red, green, blue = colour * shade * (1 - core) + heart * core
                _lay(tile, row, column, red, green, blue, ink)


@njit(cache=True)
def _leaf(tile, x, y, length, turn, colour, slim):
    """A leaf from its stem at (x, y); `slim` is its half width over its length."""
    top, bottom, left, right = _box(x, y, length + 1)
    c, s = np.cos(turn), np.sin(turn)
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            dx, dy = column + 0.5 - x, row + 0.5 - y
            along, across = (dx * c + dy * s) / length, (dy * c - dx * s) / length
            if 0 < along < 1:
                half = slim * np.sin(np.pi * along) * (1.15 - 0.5 * along)
                ink = min(max(0.5 + (half - abs(across)) * length, 0.0), 1.0)
                vein = min(max(0.5 + (0.035 - abs(across)) * length, 0.0), 1.0) if along < 0.85 else 0.0
                side = 0.08 if across > 0 else -0.08
                red, green, blue = colour * (1 + side * (1 - vein) + 0.16 * vein)
                _lay(tile, row, column, red, green, blue, ink)


@njit(cache=True)
def _rosette(tile, x, y, radius, long, odd, turn, gap, ring, middle):
    """A leopard's spot: an uneven ring, open on one side, around a lighter middle."""
    top, bottom, left, right = _box(x, y, 1.3 * radius)
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            dx, dy = column + 0.5 - x, row + 0.5 - y
            r, theta = np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx)
            outer = radius * (0.86 + 0.14 * np.cos(2 * (theta - long)) + 0.07 * np.cos(3 * theta - odd))
            opening = min(max((np.cos(theta - turn) - 1 + 0.35 * gap) * 12, 0.0), 1.0)
            core = min(max(0.5 + 0.6 * outer - r, 0.0), 1.0)
            ink = min(max(0.5 + outer - r, 0.0), 1.0) * max(1 - opening, core)
            red, green, blue = ring + (middle - ring) * core
            _lay(tile, row, column, red, green, blue, ink)


def floral(rng: np.random.Generator, variant: str, colours: np.ndarray) -> np.ndarray:
    """A tile of flowers or leaves; colours: ground, two of petals, hearts, two of leaves."""
    ground, first, second, heart, leaf, pale = colours
    tile = np.broadcast_to(ground, (TILE, TILE, 3)).copy()
    if variant == "leaves":
        for k, (x, y) in enumerate(scatter(rng, 15)):
            turn, length = rng.uniform(0, 6.28), rng.uniform(22, 30)
            for side in (-0.75, 0.75, 0.0):
                colour = (leaf, first, pale, second)[k % 4]
                _leaf(tile, x, y, length * (0.8 if side else 1), turn + side, colour, 0.26)
        return tile
    sizes, petals = {  # radii in px, large ones first; petals of large and small ones
        "ditsy": ([7.0] * 26, (5, 5)), "daisies": ([11.5] * 13, (8, 8)),
        "roses": ([22.0] * 5 + [7.5] * 12, (5, 5)), "meadow": ([20.0] * 5 + [13.0] * 5 + [7.0] * 10, (7, 5)),
    }[variant]  # fmt: skip
    flowers = [
        (x, y, radius * rng.uniform(0.87, 1.13), rng.uniform(0, 6.28), k)
        for k, ((x, y), radius) in enumerate(zip(scatter(rng, len(sizes)), sizes, strict=True))
    ]
    for x, y, radius, turn, k in flowers:
        for side in (0.4, 2.3, 4.1)[: 3 if radius > 15 else 1 + k % 2]:
            _leaf(tile, x, y, radius * (1.8 if radius > 15 else 2.1), turn + side, pale if k % 3 else leaf, 0.30)
    for x, y, radius, turn, k in reversed(flowers):
        petal = first if variant == "daisies" or k % 2 else second
        rose = variant == "roses" and radius > 15
        _flower(tile, x, y, radius, turn, petals[int(radius < 15)], petal, heart, float(rose))
        if rose:
            _flower(tile, x, y, 0.57 * radius, turn + 0.6, 5, petal * 0.9, heart, 1.0)
    return tile


def camouflage(rng: np.random.Generator, variant: str, colours: np.ndarray) -> np.ndarray:
    """A wide tile of "large" or "small" soft-edged blots in four colours, to be laid straight."""
    shape = 2 * TILE, 3 * TILE
    out = np.broadcast_to(colours[0], (*shape, 3)).copy()
    coarse, fine = ((12, 15), (30, 36)) if variant == "large" else ((18, 21), (40, 48))
    for colour, level in zip(colours[1:4], (0.25, 0.65, 1.0), strict=True):
        blot = mottle(rng, coarse, shape) + 0.25 * mottle(rng, fine, shape)
        out += (colour - out) * np.clip(0.5 + (blot - level) * 5, 0, 1)[..., None]
    return out


def animal(rng: np.random.Generator, variant: str, colours: np.ndarray) -> np.ndarray:
    """A tile of a leopard's rosettes, "large" or "small"; colours: coat, ring, middle."""
    coat, ring, middle = colours[:3]
    tile = np.broadcast_to(coat, (TILE, TILE, 3)).copy()
    count, radius = (30, 10.5) if variant == "large" else (48, 8.0)
    for x, y in scatter(rng, count):
        long, odd, turn = rng.uniform(0, 6.28, 3)
        _rosette(tile, x, y, radius * rng.uniform(0.85, 1.15), long, odd, turn, rng.uniform(0.3, 0.9), ring, middle)
    return tile


def polygon(points, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Signed distance from a closed outline, positive inside.   Shape: points (N, 2); p, q (...) -> (...)."""
    points = np.asarray(points, float)
    least, inside = np.full(p.shape, 1e9), np.zeros(p.shape, bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((p - x0) * dx + (q - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        np.minimum(least, (p - x0 - along * dx) ** 2 + (q - y0 - along * dy) ** 2, out=least)
        if dy:
            inside ^= ((q >= y0) != (q >= y1)) & (p < x0 + (q - y0) / dy * dx)
    return np.where(inside, 1, -1) * np.sqrt(least)


def emblem(shape: str, p: np.ndarray, q: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Layers (distance inside in radii, row of colours) of an emblem of radius about 1; q points down.

    Raises: ValueError for an unknown shape.
    """
    r = np.sqrt(p * p + q * q)
    theta = np.arctan2(p, -q)
    wave = lambda at: 0.13 - np.abs(q - at - 0.13 * np.sin(4.2 * p))  # noqa: E731
    if shape == "ring":
        return [(0.13 - np.abs(r - 0.86), 1), (0.50 - r, 2)]
    if shape == "star":
        tips = [((1.0, 0.42)[k % 2], k * np.pi / 5) for k in range(10)]
        return [(polygon([(k * np.sin(t), -k * np.cos(t)) for k, t in tips], p, q), 1)]
    if shape == "heart":
        side = np.abs(p)
        lobe = 0.52 - np.sqrt((side - 0.46) ** 2 + (q + 0.34) ** 2)
        return [(np.maximum(lobe, polygon([(-0.9, -0.08), (0, -0.50), (0.9, -0.08), (0, 0.98)], p, q)), 1)]
    if shape == "shield":
        side = [(0.0, 1.0), (0.5, 0.66), (0.76, 0.22), (0.82, -0.8), (0.0, -0.95)]
        body = polygon(side + [(-x, y) for x, y in side[-2:0:-1]], p, q)
        chevron = np.minimum(0.13 - np.abs(q - 0.05 + 0.55 * (0.4 - np.abs(p))), body - 0.16)
        return [(body, 1), (np.minimum(body - 0.10, 0.05 - np.abs(body - 0.13)), 2), (chevron, 2)]
    if shape == "bolt":
        return [(polygon([(0.18, -1), (-0.55, 0.16), (-0.06, 0.16), (-0.22, 1), (0.55, -0.2), (0.06, -0.2)], p, q), 1)]
    if shape == "mountains":
        far = polygon([(0.05, 0.5), (0.52, -0.25), (1.0, 0.5)], p, q)
        near = polygon([(-1.0, 0.5), (-0.28, -0.62), (0.45, 0.5)], p, q)
        snow = np.minimum(near - 0.03, -q - 0.22 + 0.10 * np.abs((p + 0.28) * 7 % 2 - 1))
        return [(far, 2), (near, 1), (snow, 0), (0.17 - np.sqrt((p - 0.45) ** 2 + (q + 0.62) ** 2), 2)]
    if shape == "waves":
        disc = 0.95 - r
        return [(np.minimum(disc, wave(k)), 2 if k > 0 else 1) for k in (-0.45, 0.0, 0.45)] + [
            (0.07 - np.abs(r - 0.95), 1)
        ]
    if shape == "sun":
        rays = np.minimum(np.abs((theta / (np.pi / 6) + 0.5) % 1 - 0.5) * -0.5 * r + 0.09, 0.2 - np.abs(r - 0.82))
        return [(rays, 1), (0.48 - r, 1)]
    if shape == "leaf":
        blade = 1.15 - np.maximum(np.sqrt((p - 0.62) ** 2 + q * q), np.sqrt((p + 0.62) ** 2 + q * q))
        vein = np.minimum(0.035 - np.abs(p), q + 0.65)
        return [(blade, 1), (vein, 0), (np.minimum(0.05 - np.abs(p), 0.2 - np.abs(q - 1.05)), 1)]
    if shape == "crown":
        points = [(-0.85, 0.45), (-0.95, -0.5), (-0.42, 0.0), (0, -0.72), (0.42, 0.0), (0.95, -0.5), (0.85, 0.45)]
        band = np.minimum(0.85 - np.abs(p), 0.10 - np.abs(q - 0.66))
        return [(polygon(points, p, q), 1), (band, 2)]
    if shape == "moon":
        star = polygon([((0.3, 0.11)[k % 2] * np.sin(k * 0.7854) + 0.5, -(0.3, 0.11)[k % 2] * np.cos(k * 0.7854) - 0.1)
                        for k in range(8)], p, q)  # fmt: skip
        return [(np.minimum(0.95 - r, np.sqrt((p - 0.42) ** 2 + (q + 0.16) ** 2) - 0.78), 1), (star, 2)]
    if shape == "diamond":
        gem = polygon([(-0.55, -0.6), (0.55, -0.6), (0.95, -0.15), (0, 0.9), (-0.95, -0.15)], p, q)
        cut = np.minimum(gem, np.maximum(0.035 - np.abs(q + 0.15), 0.035 - np.abs(np.abs(p) - 0.33 * (0.9 - q) / 1.05)))
        return [(gem, 1), (cut, 0)]
    if shape == "flower":
        return [((0.52 + 0.46 * np.abs(np.cos(2.5 * theta)) ** 0.7 - r) * 0.8, 1), (0.24 - r, 2)]
    if shape == "flag":
        box = np.minimum(0.9 - np.abs(p), 0.6 - np.abs(q))
        return [(box, 1), (np.minimum(box, 0.2 - np.abs(q)), 2)]
    if shape == "anchor":
        stem = np.minimum(0.10 - np.abs(p), 0.72 - np.abs(q - 0.12))
        bow = np.minimum(0.11 - np.abs(np.sqrt(p * p + (q - 0.15) ** 2) - 0.68), q - 0.22 + 0 * p)
        stock = np.minimum(0.09 - np.abs(q + 0.32), 0.36 - np.abs(p))
        eye = 0.08 - np.abs(np.sqrt(p * p + (q + 0.76) ** 2) - 0.17)
        return [(np.maximum(np.maximum(stem, bow), np.maximum(stock, eye)), 1)]
    raise ValueError(f"found the emblem {shape!r}, wanted one of {', '.join(EMBLEMS)}")


def _line_sizes(words: tuple[str, ...], style: Style) -> list[float]:
    """Cap heights of the lines in those of the widest: a shorter line is larger, up to half as large again."""
    widest = max(word_width(k, style) for k in words)
    return [min(1.5, widest / word_width(k, style)) for k in words]


def lines_height(words: tuple[str, ...], style: Style) -> float:
    """Height of one or two lines of words, in cap heights of the widest."""
    return sum(_line_sizes(words, style)) + (LEADING + style.stroke) * (len(words) - 1)


def words_inside(words, style: Style, cap_m: float, arc_m: float, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Metres inside the ink of one or two lines centred on (0, 0); `arc_m` > 0 bends them over a circle that large."""
    if arc_m:
        r = np.sqrt(dx * dx + (arc_m - dy) ** 2)
        dx, dy = np.arctan2(dx, arc_m - dy) * arc_m, arc_m - r
    out = np.full(np.broadcast_shapes(dx.shape, dy.shape), -1.0)
    top = -lines_height(words, style) * cap_m / 2
    for word, size in zip(words, _line_sizes(words, style), strict=True):
        cap = size * cap_m
        out = np.maximum(out, cap * ink_distance(word, style, dx / cap, (dy - top - cap / 2) / cap))
        top += cap + (LEADING + style.stroke) * cap_m
    return out
