"""Hair styles: what makes each one grow the way it does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from zlib import crc32

import numpy as np

from mavton_lite.data.atelier.scalp import MIDDLE_Y, azimuth
from mavton_lite.data.atelier.strands import Cut, Strands, bind, grow, unit

VARIANTS = {
    "shaved": 1, "crop": 2, "short": 4, "curly": 3, "afro": 2, "bob": 4, "tied": 3, "long": 4, "long in front": 4,
}  # fmt: skip
CROWN = np.array([0.0, -0.005, 1.015])


def _ramp(value, low, high):
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _parted(at_x: float, back: float, lift: float):
    """Strands that leave a parting to both sides."""

    def start(root: np.ndarray, normal: np.ndarray) -> np.ndarray:
        side = np.tanh((root[:, 0] - at_x) / 0.012)
        flow = np.stack([side, np.full(len(root), back), -0.25 * np.abs(side)], 1)
        flow -= normal * (flow * normal).sum(1, keepdims=True)
        return unit(flow) + lift * normal

    return start


def _swept(x: float, y: float, lift: float, whorl: float = 0.5):
    """Strands combed in one direction on top; at the sides they lie down and a little forward."""

    def start(root: np.ndarray, normal: np.ndarray) -> np.ndarray:
        top = _ramp(root[:, 2], 0.955, 0.99)[:, None]
        flow = np.array([x, y, 0.0]) + whorl * unit((root - CROWN) * [1, 1, 0])
        sides = np.array([0.0, -0.35, -1.0])
        flow = unit(top * flow + (1 - top) * sides)
        flow -= normal * (flow * normal).sum(1, keepdims=True)
        return unit(flow) + lift * normal * (0.3 + 0.7 * top)

    return start


def _face_free(at: np.ndarray, root: np.ndarray, strength: float = 1.6) -> np.ndarray:
    """A push out of the oval in front of the face."""
    x, z = at[:, 0], at[:, 2] - 0.875
    oval = (x / 0.073) ** 2 + (z / 0.108) ** 2
    inside = _ramp(oval, 1.25, 0.85) * _ramp(at[:, 1], -0.055, -0.085)
    side = np.where(np.abs(x) > 0.004, np.sign(x), np.sign(root[:, 0]) + (root[:, 0] == 0))
    out = np.zeros_like(at)
    out[:, 0] = strength * inside * side
    out[:, 1] = 0.35 * strength * inside
    return out


def _short(variant: int, top: float, sides: float) -> Cut:
    x, y, lift, height = [
        (0.9, -0.15, 0.35, 0.016),
        (0.25, 0.9, 0.9, 0.022),
        (0.2, -1.0, 0.35, 0.014),
        (-0.5, 0.3, 0.8, 0.020),
    ][variant]

    def length(root, rng):
        share = _ramp(root[:, 2], 0.935, 0.985)
        return (sides + (top - sides) * share) * rng.uniform(0.75, 1.15, len(root))

    def volume(root):
        return 0.003 + (height - 0.003) * _ramp(root[:, 2], 0.93, 0.99)

    return Cut(
        count=1900, locks=260, points=7, length=length, start=_swept(x, y, lift), volume=volume, gravity=0.22,
        stiffness=0.72, clump=0.6, rough=0.10, width=0.0036,
    )  # fmt: skip


def _crop(variant: int) -> Cut:
    cut = _short(2 if variant else 0, 0.016, 0.008)
    return replace(
        cut, volume=lambda r: np.full(len(r), 0.0035), points=4, count=1700, locks=1700, clump=0.0, rough=0.2
    )


def _curls(variant: int, afro: bool) -> Cut:
    size = ([0.055, 0.085][variant]) if afro else [0.045, 0.07, 0.12][variant]

    def length(root, rng):
        around = _ramp(azimuth(root), 20, 60)
        trim = 0.55 + 0.45 * _ramp(root[:, 2], 0.86, 0.96)
        return size * trim * (0.85 + 0.15 * around) * rng.uniform(0.8, 1.1, len(root))

    def start(root, normal):
        flow = np.array([0.0, 0.25, 0.15]) if afro else np.array([0.0, -0.2, 0.3])
        return normal + flow

    return Cut(
        count=1500 if afro else 1300, locks=700 if afro else 240, points=12, length=length, start=start,
        volume=lambda r: np.full(len(r), 0.8 * size if afro else 0.028), gravity=0.02 if afro else 0.25,
        pull=None if afro else lambda at, root, s: _face_free(at, root, 0.8),
        stiffness=0.85 if afro else 0.6, clump=0.1 if afro else 0.35, rough=0.22 if afro else 0.15,
        curl=(0.0055, 0.020) if afro else (0.0075, 0.032), width=0.0030,
    )  # fmt: skip


def _hanging(variant: int, end: tuple[float, float], lanes, back: float, volume: float = 0.020, wave=(0.0, 0.1)) -> Cut:
    """Parted hair that hangs down; `lanes(at, root, s)` is what makes it bob or fall behind or in front."""
    part = [0.0, 0.028, -0.028, 0.012][variant]

    def length(root, rng):
        reach = np.where(root[:, 2] > 0.93, 0.055 + 0.6 * np.abs(root[:, 0] - part), 0.0) + root[:, 2]
        return np.clip(reach - rng.uniform(*end, len(root)), 0.03, None)

    def pull(at, root, s):
        return _face_free(at, root) + lanes(at, root, s)

    return Cut(
        count=1500, locks=150, points=15, length=length, start=_parted(part, back, 0.30), pull=pull,
        volume=lambda r: 0.010 + (volume - 0.010) * _ramp(r[:, 2], 0.86, 0.98), gravity=0.95, stiffness=0.62, clump=0.55,
        curl=wave, rough=0.05, width=0.0040,
    )  # fmt: skip


def _bob(variant: int) -> Cut:
    end = [(0.795, 0.815), (0.765, 0.79), (0.78, 0.80), (0.81, 0.83)][variant]

    def lanes(at, root, s):
        low = _ramp(at[:, 2], 0.86, 0.80)[:, None]
        inwards = -unit((at - [0, MIDDLE_Y, 0]) * [1, 1, 0])
        return 0.75 * low * inwards

    return _hanging(variant, end, lanes, 0.15, 0.024)


def _behind(at, root, s):
    out = np.zeros_like(at)
    low = _ramp(at[:, 2], 0.95, 0.86)
    out[:, 1] = 1.5 * low * _ramp(at[:, 1], 0.075, 0.0)
    out[:, 0] = -0.3 * np.sign(at[:, 0]) * _ramp(np.abs(at[:, 0]), 0.10, 0.16) * low
    return out


def _long(variant: int) -> Cut:
    wave = [(0.0, 0.1), (0.006, 0.11), (0.0, 0.1), (0.009, 0.07)][variant]
    return _hanging(variant, (0.50, 0.60), _behind, 0.45, 0.018, wave)


def _in_front(variant: int) -> Cut:
    """Variant 0 and 1: both sides; 2 and 3: one side, the other behind."""
    wave = [(0.0, 0.1), (0.008, 0.10), (0.005, 0.13), (0.0, 0.1)][variant]

    def lanes(at, root, s):
        forward = (azimuth(root) < 118) & ((variant < 2) | (root[:, 0] > 0))
        lane = np.sign(root[:, 0]) * (0.062 + 0.055 * np.abs(np.sin(9000 * root[:, 2])))
        low = _ramp(at[:, 2], 0.88, 0.80)
        front = np.zeros_like(at)
        front[:, 1] = -1.1 * low * _ramp(at[:, 1], -0.135, -0.06)
        front[:, 0] = np.clip((lane - at[:, 0]) / 0.03, -1, 1) * 0.8 * low
        return np.where(forward[:, None], front, _behind(at, root, s))

    cut = _hanging(variant, (0.50, 0.585), lanes, 0.12, 0.020, wave)
    return replace(cut, volume=lambda r: np.full(len(r), 0.022))


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
        count=1500, locks=220, points=10, length=length, start=start, pull=pull, volume=lambda r: np.full(len(r), 0.008),
        gravity=0.0, stiffness=0.5, clump=0.25, rough=0.03, width=0.0036,
    )  # fmt: skip
    rng = np.random.default_rng(crc32(b"tied") + variant)
    return _join(grow(cut, rng), _bun(knot, rng) if variant < 2 else _tail(knot, rng))


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


def _join(a: Strands, b: Strands) -> Strands:
    """Two lots of strands as one; the shorter kind is stretched to the same number of points by repeating its tip."""
    k = max(a.points.shape[1], b.points.shape[1])

    def longer(values: np.ndarray) -> np.ndarray:
        more = k - values.shape[1] if values.ndim > 1 else 0
        return values if more == 0 else np.concatenate([values, np.repeat(values[:, -1:], more, 1)], 1)

    b = b._replace(lock=b.lock + a.lock.max() + 1)
    return Strands(*(np.concatenate([longer(x), longer(y)]) for x, y in zip(a, b, strict=True)))


@cache
def strands_of(style: str, variant: int) -> Strands | None:
    """The grown strands of a style; None where the head is shaved.   Raises: ValueError for an unknown style."""
    if style not in VARIANTS:
        raise ValueError(f"unknown hair style {style!r}; known: {', '.join(VARIANTS)}")
    variant %= VARIANTS[style]
    if style == "shaved":
        return None
    if style == "tied":
        return _tied(variant)
    cut = {
        "crop": _crop, "short": lambda v: _short(v, [0.055, 0.06, 0.05, 0.05][v], 0.018), "bob": _bob, "long": _long,
        "curly": lambda v: _curls(v, False), "afro": lambda v: _curls(v, True), "long in front": _in_front,
    }[style](variant)  # fmt: skip
    return grow(cut, np.random.default_rng(crc32(style.encode()) + variant))
