"""Hair styles: what makes each one grow the way it does."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import numpy as np

from mavton_lite.data.atelier.grow import Cut, grow
from mavton_lite.data.atelier.scalp import MIDDLE_Y, azimuth
from mavton_lite.data.atelier.speckle import ramp
from mavton_lite.data.atelier.strands import Strands, bind, joined, seen, unit

VARIANTS = {
    "shaved": 1, "crop": 2, "short": 4, "curly": 3, "afro": 2, "bob": 4, "tied": 3, "long": 4, "long in front": 4,
}  # fmt: skip
PARTINGS = (0.0, 0.028, -0.028, 0.014)  # x of the parting of hanging hair, by variant
CROWN = np.array([0.0, -0.005, 1.015])


def _parted(at_x: float, back: float, lift: float, fringe: bool):
    """Strands that leave a parting to both sides; a fringe falls forward."""

    def start(root: np.ndarray, normal: np.ndarray) -> np.ndarray:
        side = np.tanh((root[:, 0] - at_x) / 0.012)
        flow = np.stack([side, np.full(len(root), back), -0.25 * np.abs(side)], 1)
        if fringe:
            front = _fringe(root)[:, None]
            flow = (1 - front) * flow + front * np.stack([0.8 * root[:, 0] / 0.06, -np.ones(len(root)), 0 * side], 1)
        flow -= normal * (flow * normal).sum(1, keepdims=True)
        return unit(flow) + lift * normal

    return start


def _fringe(root: np.ndarray) -> np.ndarray:
    """Roots whose hair falls on the forehead, 0..1."""
    return ramp(azimuth(root), 42, 30) * ramp(root[:, 1], -0.055, -0.075)


def _swept(x: float, y: float, lift: float, whorl: float = 0.5):
    """Strands combed in one direction on top; at the sides they lie down and a little forward."""

    def start(root: np.ndarray, normal: np.ndarray) -> np.ndarray:
        top = ramp(root[:, 2], 0.950, 0.99)[:, None]
        flow = np.array([x, y, 0.0]) + whorl * unit((root - CROWN) * [1, 1, 0])
        sides = np.array([0.0, -0.30, -1.0])
        flow = unit(top * flow + (1 - top) * sides)
        flow -= normal * (flow * normal).sum(1, keepdims=True)
        return unit(flow) + lift * normal * (0.25 + 0.75 * top)

    return start


def _face_free(at: np.ndarray, root: np.ndarray, strength: float) -> np.ndarray:
    """A push out of the oval in front of the face."""
    x, z = at[:, 0], at[:, 2] - 0.875
    oval = (x / 0.071) ** 2 + (z / 0.104) ** 2
    inside = ramp(oval, 1.15, 0.80) * ramp(at[:, 1], -0.050, -0.080)
    side = np.where(np.abs(x) > 0.004, np.sign(x), np.sign(root[:, 0]) + (root[:, 0] == 0))
    out = np.zeros_like(at)
    out[:, 0] = strength * inside * side
    out[:, 1] = 0.5 * strength * inside
    return out


def _short(variant: int, top: float, sides: float) -> Cut:
    x, y, lift, height = [
        (0.95, -0.30, 0.12, 0.012),  # combed to one side
        (0.25, 0.9, 0.60, 0.018),  # brushed up and back
        (0.2, -1.0, 0.08, 0.009),  # forward
        (-0.6, -0.5, 0.25, 0.014),  # ruffled
    ][variant]

    def length(root, rng):
        share = ramp(root[:, 2], 0.925, 0.985)
        return (sides + (top - sides) * share) * rng.uniform(0.8, 1.1, len(root))

    def volume(root):
        return 0.0025 + (height - 0.0025) * ramp(root[:, 2], 0.93, 0.99)

    return Cut(
        count=2000, locks=330, points=7, length=length, start=_swept(x, y, lift), volume=volume, gravity=0.20, lay=0.75,
        stiffness=0.70, clump=0.5, rough=0.10 if variant == 3 else 0.045, width=0.0040,
    )  # fmt: skip


def _crop(variant: int) -> Cut:
    cut = _short(2 if variant else 0, [0.013, 0.020][variant], 0.009)
    volume = [0.003, 0.006][variant]
    return replace(
        cut, volume=lambda r: np.full(len(r), volume), points=4, locks=2000, clump=0.0, lay=0.8, width=0.0030
    )


def _curls(variant: int, afro: bool) -> Cut:
    size = ([0.038, 0.062][variant]) if afro else [0.045, 0.075, 0.13][variant]

    def length(root, rng):
        trim = 0.45 + 0.55 * ramp(root[:, 2], 0.84, 0.96)
        return size * trim * rng.uniform(0.88, 1.06, len(root))

    def start(root, normal):
        return normal + (np.array([0.0, 0.25, 0.10]) if afro else np.array([0.0, -0.1, 0.2]))

    return Cut(
        count=1700 if afro else 1300, locks=800 if afro else 260, points=8 if afro else 9, length=length, start=start,
        volume=lambda r: np.full(len(r), 0.85 * size if afro else 0.026), gravity=0.02 if afro else 0.35,
        pull=None if afro else lambda at, root, s: _face_free(at, root, 1.0),
        stiffness=0.85 if afro else 0.6, clump=0.1 if afro else 0.45, rough=0.20 if afro else 0.12, finer=2,
        curl=(0.0050, 0.022) if afro else (0.0070, 0.034), width=0.0030, blunt=0.6,
    )  # fmt: skip


def _lane(at: np.ndarray, root: np.ndarray, heights, widths, strength: float) -> np.ndarray:
    """A pull sideways to where hair hangs at each height; every strand keeps a little to itself."""
    spread = 0.010 + 0.020 * ramp(at[:, 2], 0.80, 0.60)
    own = spread * np.sin(7000 * root[:, 1] + 3000 * root[:, 2])
    lane = np.interp(at[:, 2], heights, widths) + own
    back = ramp(azimuth(root), 112, 128)  # hair of the nape fills the space behind the neck
    lane = lane * (1 - back * (1 - np.clip(np.abs(root[:, 0]) / 0.060, 0, 1)))
    side = np.where(np.abs(at[:, 0]) > 0.01, np.sign(at[:, 0]), np.sign(root[:, 0]))
    out = np.zeros_like(at)
    out[:, 0] = strength * ramp(at[:, 2], 0.95, 0.90) * np.clip((lane - np.abs(at[:, 0])) / 0.02, -1, 1) * side
    return out


def _hanging(
    variant: int, end: tuple[float, float], lanes, back: float, volume: float, wave=(0.0, 0.1), fringe: bool = False
) -> Cut:
    """Parted hair that hangs down; `lanes(at, root, s)` is what makes it bob or fall behind or in front."""
    part = PARTINGS[variant]

    def length(root, rng):
        over = np.where(root[:, 2] > 0.93, 0.045 + 0.5 * np.abs(root[:, 0] - part), 0.0) + root[:, 2]
        reach = np.clip(over - rng.uniform(*end, len(root)), 0.03, None)
        return np.where(fringe & (_fringe(root) > 0.5), rng.uniform(0.062, 0.080, len(root)), reach)

    def pull(at, root, s):
        loose = (1 - _fringe(root) if fringe else np.ones(len(root)))[:, None]
        return loose * (_face_free(at, root, 1.5) + lanes(at, root, s)) - (1 - loose) * [0.0, 0.15, 0.25]

    return Cut(
        count=1600, locks=170, points=14, length=length, start=_parted(part, back, 0.22, fringe), pull=pull,
        volume=lambda r: 0.008 + (volume - 0.008) * ramp(r[:, 2], 0.86, 0.98), gravity=0.95, stiffness=0.60, clump=0.4,
        curl=wave, rough=0.035, width=0.0044, finer=2 if wave[0] else 1, keep=lambda p: _off_face(p, fringe),
        dense=lambda at: 1 + (2.5 * _fringe(at) if fringe else 0) + 0.6 * ramp(at[:, 1], 0.0, -0.06),
    )  # fmt: skip


def _off_face(points: np.ndarray, fringe: bool) -> np.ndarray:
    """Which strands (S, K, 3) leave face and throat free, but for a fringe."""
    x, y, z = (points[..., k] for k in range(3))
    face = ((x / 0.064) ** 2 + ((z - 0.868) / 0.090) ** 2 < 1) & (y < -0.075)
    throat = (np.abs(x) < 0.062) & (z > 0.70) & (z < 0.835) & (y < -0.045)
    crossing = (face | throat).any(1)
    return ~crossing | ((_fringe(points[:, 0]) > 0.5) & fringe)


def _bob(variant: int) -> Cut:
    end = [(0.80, 0.815), (0.775, 0.792), (0.765, 0.785), (0.815, 0.83)][variant]

    def lanes(at, root, s):
        low = ramp(at[:, 2], 0.85, 0.80)[:, None]
        inwards = -unit((at - [0, MIDDLE_Y, 0]) * [1, 1, 0])
        return 0.45 * low * inwards + _lane(at, root, [0.77, 0.85, 0.93], [0.074, 0.086, 0.084], 0.8)

    return _hanging(variant, end, lanes, 0.15, 0.014, fringe=variant in (1, 3))


def _behind(at: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Pulls that bring hair behind the shoulders."""
    out = _lane(at, root, [0.60, 0.74, 0.80, 0.87, 0.93], [0.085, 0.078, 0.070, 0.080, 0.083], 0.9)
    out[:, 1] += 1.5 * ramp(at[:, 2], 0.93, 0.84) * ramp(at[:, 1], 0.085, 0.01)
    return out


WAVES = [(0.0, 0.1), (0.006, 0.12), (0.0, 0.1), (0.007, 0.095)]


def _long(variant: int) -> Cut:
    lanes = lambda at, root, s: _behind(at, root)  # noqa: E731
    cut = _hanging(variant, (0.50, 0.60), lanes, 0.45, 0.012, WAVES[variant], fringe=variant == 2)

    def keep(points):
        before = (points[..., 2] < 0.76) & (points[..., 1] < 0.0)
        return cut.keep(points) & ~before.any(1)

    return replace(cut, keep=keep)


def _in_front(variant: int) -> Cut:
    """Variants 0 and 1: both sides; 2 and 3: one side, the other behind."""

    def lanes(at, root, s):
        forward = (azimuth(root) < 135) & ((variant < 2) | (root[:, 0] > PARTINGS[variant]))
        front = _lane(at, root, [0.52, 0.66, 0.74, 0.80, 0.87, 0.93], [0.084, 0.096, 0.090, 0.076, 0.080, 0.083], 1.0)
        front[:, 1] -= 1.2 * ramp(at[:, 2], 0.88, 0.80) * ramp(at[:, 1], -0.145, -0.07)
        return np.where(forward[:, None], front, _behind(at, root))

    cut = _hanging(variant, (0.50, 0.585), lanes, 0.12, 0.013, WAVES[(variant + 1) % 4])

    def volume(root):
        return 0.008 + 0.006 * ramp(root[:, 2], 0.86, 0.98)

    def keep(points):
        wrong = ((points[..., 0] <= 0) & (points[..., 2] < 0.76) & (points[..., 1] < 0.0)).any(1)
        return cut.keep(points) & ~(wrong & (variant >= 2))

    return replace(cut, volume=volume, chest=0.024, keep=keep)


def _tied(variant: int) -> Strands:
    """Combed back tightly; a bun on top (0), low behind (1), or a tail behind one shoulder (2)."""
    knot = np.array([[0.0, 0.010, 1.040], [0.0, 0.072, 0.905], [0.0, 0.078, 0.965]][variant])

    def start(root, normal):
        flow = unit(knot - root)
        flow -= normal * (flow * normal).sum(1, keepdims=True)
        return unit(flow) + 0.12 * normal

    def pull(at, root, s):
        return 1.6 * unit(knot - at)

    def length(root, rng):
        away = np.sqrt(((root - knot) ** 2).sum(1))
        return away * 1.22 + 0.004

    cut = Cut(
        count=1500, locks=220, points=10, length=length, start=start, pull=pull,
        volume=lambda r: np.full(len(r), 0.006),
        gravity=0.0, stiffness=0.5, clump=0.25, rough=0.03, width=0.0036,
    )  # fmt: skip
    rng = np.random.default_rng(crc32(b"tied") + variant)
    return joined(grow(cut, rng), _bun(knot, rng) if variant < 2 else _tail(knot, rng))


def _bun(knot: np.ndarray, rng: np.random.Generator) -> Strands:
    """A coil of hair."""
    n, k = 260, 12
    axis = unit(rng.normal(0, 1, (n, 1, 3)) + [0, 0, 1.5])
    side = unit(np.cross(axis, rng.normal(0, 1, (n, 1, 3))))
    other = np.cross(axis, side)
    angle = np.linspace(0, 1, k) * 2.6 + rng.uniform(0, 6.3, (n, 1))
    out = np.cos(angle)[..., None] * side + np.sin(angle)[..., None] * other
    depth = rng.random(n)
    radius = 0.020 + 0.010 * depth[:, None, None]
    centre = knot + [0, 0.0, 0.004]
    return bind(centre + out * radius * [1.15, 1.15, 0.95], out, 0.0045, depth, np.arange(n) // 6, rng)


def _tail(knot: np.ndarray, rng: np.random.Generator) -> Strands:
    """A pony tail that leaves the knot, arches and falls behind a shoulder."""
    n, k = 420, 14
    s = np.linspace(0, 1, k)[:, None]
    middle = knot + np.concatenate(
        [
            0.075 * np.sin(1.5 * s),
            0.050 * np.sin(2.2 * s) + 0.01 * s,
            0.030 * np.sin(3.0 * np.clip(s, 0, 0.6)) - 0.36 * s**1.5,
        ],
        1,
    )
    angle, depth = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.random(n))
    out = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)[:, None]
    girth = 0.006 + 0.024 * np.sin(np.pi * np.clip(s * 0.9 + 0.05, 0, 1)) ** 0.8
    points = middle + out * girth * depth[:, None, None] + 0.010 * s * rng.normal(0, 1, (n, 1, 3)) * [1, 1, 0.3]
    return bind(points, np.broadcast_to(out, points.shape), 0.0042, depth, np.arange(n) // 12, rng)


def grown(style: str, variant: int) -> Strands:
    """Grow the strands of a style, and keep those that show; takes seconds, see `wigs.py`."""
    if style == "tied":
        return seen(_tied(variant))
    cut = {
        "crop": _crop, "short": lambda v: _short(v, [0.055, 0.06, 0.05, 0.05][v], 0.018), "bob": _bob, "long": _long,
        "curly": lambda v: _curls(v, False), "afro": lambda v: _curls(v, True), "long in front": _in_front,
    }[style](variant)  # fmt: skip
    return seen(grow(cut, np.random.default_rng(crc32(style.encode()) + variant)))
