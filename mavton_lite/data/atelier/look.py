"""The look of a picture: lamps, the wall behind the person, the camera's framing, and what the finished colours become.

"studio" is a shop's: light ground, even light, framed as VITON's pictures are. "randomised" draws all of it from wide
ranges (domain randomisation), for networks that have to work on photographs.

Source: Tobin et al. 2017, "Domain randomization for transferring deep neural networks from simulation".
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mavton_lite.data.atelier.layer import SUPERSAMPLE, Camera
from mavton_lite.data.atelier.light import Lamps

LOOKS = ("studio", "randomised")
Colour = tuple[float, float, float]
NEUTRAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_CUT_AT = 4.0  # standard deviations at which the blur's kernel ends


class Shape(NamedTuple):
    """Something that stands or hangs behind the person.   Units: picture heights, from the middle of the picture."""

    kind: str  # "ellipse" | "box"
    centre: tuple[float, float]
    size: tuple[float, float]  # half axes
    angle: float  # radians
    softness: float  # width of its edge
    colour: Colour
    opacity: float


class Wave(NamedTuple):
    """A ripple of the wall's brightness.   Units: radians a picture height."""

    across: float
    down: float
    phase: float
    strength: float
    square: bool  # stripes with edges, as of boards and blinds


@dataclass(frozen=True)
class Ground:
    """The wall behind the person: a gradient between two colours, a glow, things on it and its texture."""

    colours: tuple[Colour, Colour]
    angle: float  # of the gradient, radians; 0 runs from left to right, pi / 2 downwards
    glow: float  # how much brighter the middle is than the corners
    glow_at: tuple[float, float]  # picture heights from the middle of the picture
    shapes: tuple[Shape, ...] = ()
    waves: tuple[Wave, ...] = ()


@dataclass(frozen=True)
class Look:
    """How a person is lit, framed and photographed."""

    name: str
    lamps: Lamps
    ground: Ground
    scale: float  # picture heights a metre
    shift: float  # of the person sideways, picture widths
    head_margin: float  # above the head, picture heights; negative cuts the head
    roll: float = 0.0  # of the camera, radians
    colour: tuple[Colour, Colour, Colour] = NEUTRAL  # the finished colours are `colour @ rgb`
    contrast: float = 1.0  # about middle grey
    gamma: float = 1.0
    blur: float = 0.0  # standard deviation, picture heights: the same at every size


def sample_look(rng: np.random.Generator, name: str = "studio") -> Look:
    """A random look of that name.   Raises: ValueError for an unknown one."""
    if name not in LOOKS:
        raise ValueError(f"unknown look {name!r}; known: {', '.join(LOOKS)}")
    return (_studio if name == "studio" else _randomised)(rng)


def paint_ground(look: Look, camera: Camera) -> np.ndarray:
    """The wall as the camera sees it.   Shape: (camera.rows, camera.columns, 3) in [0, 1]."""
    ground = look.ground
    # painted at the size of the finished picture, where the supersampled one ends up anyway
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    x, y = (x - camera.width / 2) / camera.height, (y - camera.height / 2) / camera.height
    first, second = (np.array(k) for k in ground.colours)
    along = np.clip(0.5 + 0.7 * (np.cos(ground.angle) * x + np.sin(ground.angle) * y), 0, 1)
    out = first + (second - first) * (along * along * (3 - 2 * along))[..., None]
    for shape in ground.shapes:
        out += (np.array(shape.colour) - out) * (shape.opacity * _cover(shape, x, y))[..., None]
    shade = 1 - ground.glow * ((x - ground.glow_at[0]) ** 2 + (y - ground.glow_at[1]) ** 2)
    for wave in ground.waves:
        ripple = np.sin(wave.across * x + wave.down * y + wave.phase)
        shade += wave.strength * (np.clip(4 * ripple, -1, 1) if wave.square else ripple)
    out = np.clip(out * shade[..., None], 0, 1)
    return out.repeat(SUPERSAMPLE, 0).repeat(SUPERSAMPLE, 1)


def finish(look: Look, image: np.ndarray) -> np.ndarray:
    """Blur and colours of the finished picture.   Shape: (H, W, 3) in [0, 1] -> same."""
    if look.blur > 0:
        image = _blurred(image, look.blur * len(image))
    if look.colour != NEUTRAL:
        image = image @ np.array(look.colour).T
    if look.contrast != 1:
        image = 0.5 + (image - 0.5) * look.contrast
    image = np.clip(image, 0, 1)
    return image if look.gamma == 1 else image**look.gamma


def _studio(rng: np.random.Generator) -> Look:
    """A shop's catalogue: what varies is what varies between two days in one studio."""
    u = rng.uniform
    grey = u(0.885, 0.97)
    wall = np.clip(grey + u(-0.008, 0.008, 3), 0, 0.985)
    lamps = _lamps(
        azimuth=u(-38, -18), elevation=u(22, 33), fill=u(30, 48), ambient=u(0.34, 0.39), key=u(0.52, 0.60),
        fill_strength=u(0.17, 0.23), tint=(1.0, 1.0, 1.0),
    )  # fmt: skip
    if rng.random() < 0.5:  # the lamps change sides
        lamps = _lamps_mirrored(lamps)
    return Look(
        name="studio",
        lamps=lamps,
        ground=Ground(
            (_colour(np.clip(wall * u(1.005, 1.02), 0, 1)), _colour(wall * u(0.955, 0.985))), u(1.2, 1.95),
            u(0.05, 0.14), (u(-0.1, 0.1), u(-0.15, 0.05)),
        ),
        scale=u(0.88, 1.02),
        shift=u(-0.03, 0.03),
        head_margin=u(0.02, 0.055),
    )  # fmt: skip


def _randomised(rng: np.random.Generator) -> Look:
    u = rng.uniform
    warm = rng.normal(0, 0.06)  # daylight to lamplight
    key, ambient = u(0.30, 0.85), u(0.18, 0.55)
    exposure = u(0.68, 1.12) / (ambient + 0.75 * key + 0.1)
    lamps = _lamps(
        azimuth=u(-80, 80), elevation=u(-15, 65), fill=u(-60, 60), ambient=ambient * exposure, key=key * exposure,
        fill_strength=u(0.0, 0.3) * exposure, tint=_colour(np.clip(1 + warm * np.array([1, 0.1, -1]), 0.6, 1.4)),
    )  # fmt: skip
    cast = np.clip(1 + rng.normal(0, 0.03, 3), 0.9, 1.1)
    saturation = u(0.6, 1.25)
    grey = np.array([0.299, 0.587, 0.114])
    colour = np.diag(cast) @ (saturation * np.eye(3) + (1 - saturation) * np.tile(grey, (3, 1)))
    return Look(
        name="randomised",
        lamps=lamps,
        ground=_any_ground(rng),
        scale=float(np.exp(u(np.log(0.92), np.log(1.5)))),  # from further away one would see where the legs end
        shift=float(np.clip(rng.normal(0, 0.06), -0.18, 0.18)),
        head_margin=u(-0.03, 0.16),
        roll=float(np.clip(rng.normal(0, 0.05), -0.12, 0.12)),
        colour=(_colour(colour[0]), _colour(colour[1]), _colour(colour[2])),
        contrast=u(0.75, 1.2),
        gamma=float(np.exp(rng.normal(0, 0.18))),
        blur=abs(rng.normal(0, 0.0035)) if rng.random() < 0.6 else 0.0,
    )


def _any_ground(rng: np.random.Generator) -> Ground:
    """A wall, a room or a street out of focus, as far as colours and edges go."""
    u = rng.uniform
    first = _any_colour(rng)
    second = _any_colour(rng) if rng.random() < 0.5 else _colour(np.clip(np.array(first) * u(0.7, 1.15), 0, 1))
    count = 0 if rng.random() < 0.2 else int(rng.integers(1, 15))
    blurred = u(0.004, 0.10)  # one depth of field for all that stands there
    shapes = [_thing(rng, blurred) for _ in range(count)]
    if rng.random() < 0.35:  # floor, table or horizon: all below a line
        edge = u(-0.1, 0.45)
        shapes.insert(0, Shape("box", (0.0, edge + 1.0), (3.0, 1.0), rng.normal(0, 0.05), blurred, _any_colour(rng), 1))
    waves = []
    for _ in range(int(rng.integers(0, 5))):
        way, pace = u(0, np.pi), np.exp(u(np.log(6), np.log(120)))
        strength = u(0.005, 0.05 if pace < 60 else 0.02)
        across, down = float(np.cos(way) * pace), float(np.sin(way) * pace)
        waves.append(Wave(across, down, u(0, 2 * np.pi), strength, bool(rng.random() < 0.3)))
    return Ground(
        (first, second), u(-np.pi, np.pi), u(-0.1, 0.5), (u(-0.4, 0.4), u(-0.5, 0.5)), tuple(shapes), tuple(waves)
    )


def _thing(rng: np.random.Generator, softness: float) -> Shape:
    u = rng.uniform
    upright = rng.random() < 0.6  # doors, windows, shelves
    size = np.exp(u(np.log(0.03), np.log(0.4), 2))
    return Shape(
        kind="box" if upright or rng.random() < 0.3 else "ellipse",
        centre=(u(-0.45, 0.45), u(-0.55, 0.55)),
        size=(float(size[0]), float(size[1])),
        angle=rng.normal(0, 0.03) if upright else u(0, np.pi),
        softness=softness * u(0.7, 1.4),
        colour=_any_colour(rng),
        opacity=u(0.35, 1.0),
    )


def _cover(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share of each pixel that a shape covers, 0..1, with a soft edge."""
    c, s = np.cos(shape.angle), np.sin(shape.angle)
    x, y = x - shape.centre[0], y - shape.centre[1]
    u, v = np.abs(c * x + s * y), np.abs(c * y - s * x)
    a, b = shape.size
    inside = np.minimum(a - u, b - v) if shape.kind == "box" else (1 - np.hypot(u / a, v / b)) * min(a, b)
    t = np.clip(0.5 + inside / shape.softness, 0, 1)
    return t * t * (3 - 2 * t)


def _lamps(
    azimuth: float, elevation: float, fill: float, ambient: float, key: float, fill_strength: float, tint: Colour
) -> Lamps:
    """Lamps by the angles (degrees) at which they stand: 0 is behind the camera, positive to the picture's right."""
    return Lamps(_towards(azimuth, elevation), _towards(fill, 6.0), ambient, key, fill_strength, tint)


def _lamps_mirrored(lamps: Lamps) -> Lamps:
    flip = lambda v: (-v[0], v[1], v[2])  # noqa: E731
    return Lamps(
        flip(lamps.key), flip(lamps.fill), lamps.ambient, lamps.key_strength, lamps.fill_strength, lamps.tint
    )


def _towards(azimuth: float, elevation: float) -> tuple[float, float, float]:
    a, e = np.radians(azimuth), np.radians(elevation)
    return float(np.sin(a) * np.cos(e)), float(-np.cos(a) * np.cos(e)), float(np.sin(e))


def _any_colour(rng: np.random.Generator) -> Colour:
    """Any colour a room or street may have: many greys and browns, few pure ones."""
    return colorsys.hsv_to_rgb(rng.random(), rng.random() ** 2, rng.uniform(0.05, 1.0))


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = (float(k) for k in values)
    return red, green, blue


def _blurred(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """A Gaussian blur, edges repeated."""
    reach = max(1, int(_CUT_AT * sigma_px + 0.5))
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_px, 1e-6)) ** 2)
    weight /= weight.sum()
    for axis in (0, 1):
        padded = np.pad(image, [(reach, reach) if k == axis else (0, 0) for k in range(3)], mode="edge")
        n = image.shape[axis]
        image = sum(w * padded.take(range(k, k + n), axis) for k, w in enumerate(weight))
    return image
