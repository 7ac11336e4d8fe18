"""Prints that do not repeat by a rule: scattered flowers and spots on a repeat tile, emblems and words on the chest.

A tile is TILE pixels square and is laid in a half drop, as printed cloth is: every second column of tiles is shifted by
half a tile, so that no rows of flowers show.
"""

from __future__ import annotations

import numpy as np

from mavton_lite.data.atelier.lettering import Style, ink_distance, word_width
from mavton_lite.data.atelier.patterns import edge, mottle, smooth

TILE = 160  # px of the printed picture
FLORALS = ("ditsy", "daisies", "roses", "meadow", "leaves")
EMBLEMS = ("ring", "star", "heart", "shield", "bolt", "mountains", "waves", "sun", "leaf", "crown", "moon", "diamond",
           "flower", "flag", "anchor")  # fmt: skip


def lay(tile: np.ndarray, height: int, width: int) -> np.ndarray:
    """The half-drop repeat of a tile, its middle column upright.   Shape: (TILE, TILE, 3) -> (height, width, 3)."""
    pair = np.concatenate([np.roll(tile, TILE // 2, 0), tile], axis=1)
    return np.tile(pair, (-(-height // TILE), -(-width // (2 * TILE)), 1))[:height, :width]


def scatter(rng: np.random.Generator, count: int, tries: int = 14) -> np.ndarray:
    """Evenly scattered places (count, 2) x, y on a tile, in px, by Mitchell's best candidate."""
    places = rng.uniform(0, TILE, (1, 2))
    images = np.array([(i * TILE, j * TILE + i * TILE / 2) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    for _ in range(count - 1):
        candidates = rng.uniform(0, TILE, (tries, 2))
        away = candidates[:, None, None] - (places[:, None] + images)
        best = np.argmax((away**2).sum(-1).min((1, 2)))
        places = np.concatenate([places, candidates[best : best + 1]])
    return places


def _stamp(tile: np.ndarray, x: float, y: float, reach: float, draw) -> None:
    """Lay `draw(dx, dy) -> (colour, ink)` around a place of a tile, over its borders too."""
    span = np.arange(-int(reach) - 1, int(reach) + 2)
    column, row = np.meshgrid(int(x) + span, int(y) + span)
    colour, ink = draw(column + 0.5 - x, row + 0.5 - y)
    turn, column = column // TILE, column % TILE
    row = (row - turn * (TILE // 2)) % TILE
    under = tile[row, column]
    tile[row, column] = under + (colour - under) * ink[..., None]


def _flower(tile, x, y, radius, turn, petals, colour, heart, swirl=0.0):
    def draw(dx, dy):
        r, theta = np.sqrt(dx * dx + dy * dy) / radius, np.arctan2(dy, dx) - turn
        reach = 0.50 + 0.48 * np.abs(np.cos(petals / 2 * theta)) ** 0.7
        shade = 0.88 + 0.17 * r + 0.10 * swirl * np.sin(9.0 * r + 2 * theta)
        out = np.minimum(colour * shade[..., None], 1)
        core = np.clip(0.5 + (0.24 - 0.10 * swirl - r) * radius, 0, 1)[..., None]
        return out + (heart - out) * core, np.clip(0.5 + (reach - r) * radius, 0, 1)

    _stamp(tile, x, y, radius + 1, draw)


def _leaf(tile, x, y, length, turn, colour, slim=0.30):
    def draw(dx, dy):
        c, s = np.cos(turn), np.sin(turn)
        along, across = (dx * c + dy * s) / length, (dy * c - dx * s) / length
        half = slim * np.sin(np.pi * np.clip(along, 0, 1)) * (1.15 - 0.5 * along)
        vein = np.clip(0.5 + (0.035 - np.abs(across)) * length, 0, 1) * (along < 0.85)
        out = np.minimum(colour * (1 + 0.16 * vein + 0.08 * np.sign(across) * (vein < 0.5))[..., None], 1)
        return out, np.clip(0.5 + (half - np.abs(across)) * length, 0, 1)

    _stamp(tile, x, y, length + 1, draw)


def floral(rng: np.random.Generator, variant: str, colours: np.ndarray) -> np.ndarray:
    """A tile of flowers; colours: ground, two of petals, hearts, two of leaves."""
    ground, first, second, heart, leaf, pale = colours
    tile = np.broadcast_to(ground, (TILE, TILE, 3)).copy()
    petal = lambda k: (first, second)[k % 2]  # noqa: E731
    if variant in ("ditsy", "daisies"):
        count, radius, petals = {"ditsy": (26, 7.0, 5), "daisies": (13, 11.5, 8)}[variant]
        for k, (x, y) in enumerate(scatter(rng, count)):
            turn = rng.uniform(0, 6.28)
            for side in (0.5, 2.2)[: 1 + k % 2]:
                _leaf(tile, x, y, radius * 2.0, turn + side, leaf if k % 3 else pale)
            size = radius * rng.uniform(0.85, 1.15)
            _flower(tile, x, y, size, turn, petals, first if variant == "daisies" else petal(k), heart)
    elif variant == "leaves":
        for k, (x, y) in enumerate(scatter(rng, 15)):
            turn, length = rng.uniform(0, 6.28), rng.uniform(22, 30)
            for side in (-0.75, 0.75, 0.0):
                _leaf(tile, x, y, length * (0.8 if side else 1), turn + side, (leaf, first, pale, second)[k % 4], 0.26)
    else:  # roses and meadow: large flowers, small ones between
        n_large, n_small = (5, 12) if variant == "roses" else (6, 16)
        places = scatter(rng, n_large + n_small)
        for k, (x, y) in enumerate(places):
            turn = rng.uniform(0, 6.28)
            radius = rng.uniform(19, 24) if k < n_large else rng.uniform(6, 8.5)
            for side in (0.0, 1.3, 2.9)[: 3 if k < n_large else 2]:
                _leaf(tile, x, y, radius * (1.75 if k < n_large else 2.4), turn + side, leaf if k % 2 else pale)
        rng_large = [(k, p, rng.uniform(0, 6.28)) for k, p in enumerate(places)]
        for k, (x, y), turn in reversed(rng_large):
            if k >= n_large:
                _flower(tile, x, y, 7.5, turn, 5, petal(k + 1), heart)
            else:
                roses = variant == "roses"
                _flower(tile, x, y, 22.0, turn, 5 if roses else 7, petal(k), heart, swirl=1.0 if roses else 0.0)
                if roses:
                    _flower(tile, x, y, 12.5, turn + 0.6, 5, petal(k) * 0.9, heart, swirl=1.0)
    return tile


def camouflage(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """A tile of large soft-edged blots in four colours."""
    tile = np.broadcast_to(colours[0], (TILE, TILE, 3)).copy()
    for colour, level in zip(colours[1:], (0.25, 0.65, 1.0), strict=True):
        blot = mottle(rng, (7, 5), (TILE, TILE)) + 0.25 * mottle(rng, (17, 13), (TILE, TILE))
        tile += (colour - tile) * np.clip(0.5 + (blot - level) * 5, 0, 1)[..., None]
    return tile


def animal(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """A tile of a leopard's rosettes; colours: coat, ring, middle."""
    coat, ring, middle = colours[:3]
    tile = coat * (1 + 0.03 * mottle(rng, (6, 6), (TILE, TILE)))[..., None]
    for x, y in scatter(rng, 34):
        a, b, turn, gap = rng.uniform(0, 6.28), rng.uniform(0, 6.28), rng.uniform(0, 6.28), rng.uniform(0.3, 0.9)
        radius = rng.uniform(7.5, 10.0)

        def draw(dx, dy, a=a, b=b, turn=turn, gap=gap, radius=radius):
            r, theta = np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx)
            outer = radius * (0.86 + 0.14 * np.cos(2 * (theta - a)) + 0.07 * np.cos(3 * theta - b))
            open_ = np.clip((np.cos(theta - turn) - 1 + 0.35 * gap) * 12, 0, 1)
            core = np.clip(0.5 + 0.60 * outer - r, 0, 1)
            spot = np.clip(0.5 + outer - r, 0, 1)
            colour = ring + (middle - ring) * core[..., None]
            return colour, spot * np.maximum(1 - open_, core)

        _stamp(tile, x, y, 14, draw)
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
        return [(polygon([(0.18, -1), (-0.55, 0.16), (-0.06, 0.16), (-0.22, 1), (0.55, -0.22), (0.06, -0.22)], p, q), 1)]
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
        return [(polygon(points, p, q), 1), (polygon([(-0.85, 0.56), (0.85, 0.56), (0.85, 0.76), (-0.85, 0.76)], p, q), 2)]
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


def words_inside(words, style: Style, cap_m: float, arc_m: float, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Metres inside the ink of one or two lines centred on (0, 0); `arc_m` > 0 bends them over a circle that large."""
    if arc_m:
        r = np.sqrt(dx * dx + (arc_m - dy) ** 2)
        dx, dy = np.arctan2(dx, arc_m - dy) * arc_m, arc_m - r
    pitch = cap_m * (1.32 + style.stroke)
    widest = max(word_width(k, style) for k in words)
    out = np.full(np.broadcast_shapes(dx.shape, dy.shape), -1.0)
    for k, word in enumerate(words):
        size = cap_m * (min(1.5, widest / word_width(word, style)) if len(words) > 1 else 1)
        at = (k - (len(words) - 1) / 2) * pitch
        out = np.maximum(out, size * ink_distance(word, style, dx / size, (dy - at) / size))
    return out


__all__ = ["EMBLEMS", "FLORALS", "TILE", "animal", "camouflage", "edge", "emblem", "floral", "lay", "polygon", "scatter",
           "smooth", "words_inside"]  # fmt: skip
