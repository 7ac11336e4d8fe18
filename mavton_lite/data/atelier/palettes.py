"""Colours one finds in shops: palettes whose colours go together, neutral ones drawn most often."""

from __future__ import annotations

import numpy as np

Colour = tuple[float, float, float]  # sRGB in [0, 1]

# name -> (weight, colours of the cloth, colours that go on it)
PALETTES: dict[str, tuple[float, str, str]] = {
    "ink": (2.6, "F3F1EC 2E3136 17191C", "17191C F3F1EC 8B8F95 B4443A"),
    "greys": (2.4, "C9CBCE 8B8F95 474B51", "2A2D31 F3F1EC E8C9BE 3F5F86"),
    "nautical": (2.0, "1E2A44 F4F1EA 31456B", "F4F1EA B23A33 1E2A44 8FA9C4"),
    "ecru": (2.0, "E9E0CE F2ECDF D9CBB2", "1E2A44 6B4A34 9A5A3C 4E5A45"),
    "camel": (1.2, "B98D60 D3B48C 5C4030", "F0E7D8 3B2A22 7A8B6F A34A35"),
    "olive": (1.1, "656B48 8A8C63 3E4532", "E9E0CE C9A15A 23261F B9714A"),
    "blush": (1.2, "E5BDB3 F1DAD2 C9938B", "7A3040 F6F0EA 5B6B7A A9745B"),
    "wine": (1.1, "6B2336 8B3A4A 45202C", "EBD9CF D99BA6 C9A15A 2A2430"),
    "mustard": (0.8, "CF9C35 E0B75C A87723", "2E3136 F2ECDF 5E3B2A 2F5560"),
    "forest": (1.0, "25473A 4B6B57 17322A", "F0EADC C9A15A B8C9B2 A4483A"),
    "sky": (1.2, "A4C3DE D5E2EC 7BA0C4", "F7F6F3 2E4A70 E2A38F F0D58A"),
    "teal": (0.8, "216A6D 4C9290 17474C", "F3EEE2 E07F66 BFDAD2 E3B65C"),
    "lavender": (0.8, "B9ABD0 DCD3E6 8674A6", "4A3756 F7F4F2 E3BFC6 6E8A86"),
    "terracotta": (0.9, "B8603F D08A68 8E4530", "F2E4D0 26324A E0B98C 5B6650"),
    "coral": (0.8, "E6846B F2B3A0 CE5F4F", "F8F3EC 2F6F78 26324A F3D79B"),
    "lemon": (0.6, "EDD778 F5E9B4 D9BC4C", "F9F7F0 4C5158 6A8CA8 A9633D"),
    "mint": (0.8, "A9D2C0 D6E8DF 6FAE98", "F8F7F3 24405A E79C86 566B5F"),
    "cobalt": (0.8, "2B4FA2 4F74C4 1D3570", "F6F5F1 A8C4E6 E9B949 17191C"),
    "red": (0.8, "B4262D D0473F 7E1B24", "F7F3EE 1B1D22 E8C9A0 26324A"),
    "sage": (1.0, "9DAB8F C4CDB8 74836B", "F1EBDD 46503F A9583A 55606B"),
    "powder": (0.9, "C7D3DF E6EBF0 93A7BC", "26375A D8A8A6 F8F7F5 7C6F86"),
    "fuchsia": (0.5, "B53A77 D96C9E 7E2858", "F8EEF0 26263A F1C3A0 8E9FC4"),
    "cocoa": (0.8, "4B3226 7A5745 A98B72", "E9D9C3 A9BCC9 D99A73 F3EEE6"),
}
LEAVES = ("5E7350", "7E8F6A", "3F5B4C", "8C9A78", "55685F")
CAMOUFLAGE = ("6B6F4C 4A4F36 8F8A66 2E3026", "8E9196 6A6D73 B4B6B8 45484D", "41506B 2B364D 66758F 1C2433",
              "B59F7B 8E7757 D3C3A2 6A563E")  # fmt: skip
ANIMAL = ("C99A63 2A1E18 96663A", "D9C6A8 2E2420 A98A63", "B9B6B1 232427 85827E", "D8B7A6 4A2E2A A97C6C")
INDIGO = ("33486B", "4C668F", "6F89AB", "22304A", "8FA3BC", "3A3D44")


def colour(code: str) -> Colour:
    """`"1E2A44"` -> a colour in [0, 1]."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def luma(of: Colour | np.ndarray) -> float:
    """Rec. 601 lightness of a colour, 0..1."""
    return 0.299 * of[0] + 0.587 * of[1] + 0.114 * of[2]


def contrast(a: Colour, b: Colour) -> float:
    """How far apart two colours look, about 0..1: mostly lightness, some hue."""
    return abs(luma(a) - luma(b)) + 0.25 * max(abs(x - y) for x, y in zip(a, b, strict=True))


def sample_palette(rng: np.random.Generator, least_contrast: float = 0.25) -> tuple[Colour, ...]:
    """A cloth's colour and the palette's others that stand out from it, at least two, in random order."""
    names = list(PALETTES)
    weights = np.array([PALETTES[k][0] for k in names])
    _, first, second = PALETTES[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
    grounds, others = [colour(k) for k in first.split()], [colour(k) for k in second.split()]
    ground = grounds.pop(int(rng.choice(len(grounds), p=(0.55, 0.3, 0.15))))
    others = [others[i] for i in rng.permutation(len(others))] + grounds
    clear = [k for k in others if contrast(k, ground) >= least_contrast]
    if len(clear) < 2:
        clear = sorted(others, key=lambda k: -contrast(k, ground))[:2]
    return tuple(vary(rng, k) for k in (ground, *clear))


def vary(rng: np.random.Generator, of: Colour, amount: float = 0.025) -> Colour:
    """A colour a little lighter or darker and a little to one side, as one dye bath differs from the next."""
    lighter, side = rng.uniform(-amount, amount), rng.uniform(-0.5 * amount, 0.5 * amount, 3)
    red, green, blue = (float(np.clip(k + lighter + s, 0.03, 0.97)) for k, s in zip(of, side, strict=True))
    return red, green, blue
