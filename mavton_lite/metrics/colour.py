"""How far apart are two colours to the eye: CIELAB and the CIEDE2000 difference. Pictures in [0, 1]."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mavton_lite.metrics.image import region_mean

# sRGB's primaries and white D65, 2 degree observer.   Source: IEC 61966-2-1.
_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.95047, 1.0, 1.08883)
_FLOOR, _SLOPE, _SHIFT = 0.008856, 7.787, 16 / 116  # below the floor CIELAB's cube root is a line


def to_lab(pictures: Tensor) -> Tensor:
    """sRGB as CIELAB: lightness 0 to 100, then green-red and blue-yellow.

    Source: IEC 61966-2-1 and CIE 1976.   Shape: (B, 3, H, W) in [0, 1] -> (B, 3, H, W).
    Raises: ValueError for another shape.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3:
        raise ValueError(f"to_lab wants pictures (B, 3, H, W), got {tuple(pictures.shape)}")
    x = pictures.double()  # a colour difference near 0 is a difference of nearly equal numbers
    linear = torch.where(x > 0.04045, ((x + 0.055) / 1.055).clamp_min(0) ** 2.4, x / 12.92)
    matrix, white = x.new_tensor(_TO_XYZ), x.new_tensor(_WHITE).view(1, 3, 1, 1)
    xyz = torch.einsum("ij,bjhw->bihw", matrix, linear) / white
    f = torch.where(xyz > _FLOOR, xyz.clamp_min(_FLOOR) ** (1 / 3), _SLOPE * xyz + _SHIFT)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def ciede2000(a: Tensor, b: Tensor) -> Tensor:
    """The CIEDE2000 difference of two pictures in CIELAB, pixel by pixel; about 1 is just noticeable.

    Source: Sharma, Wu and Dalal 2005, eqs. 2 to 22, weights k = 1.
    Shape: (B, 3, H, W) of `to_lab`, twice -> (B, 1, H, W).
    Raises: ValueError when shapes differ.
    """
    if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3:
        raise ValueError(f"found pictures {tuple(a.shape)} and {tuple(b.shape)}, wanted two equal (B, 3, H, W)")
    (l1, a1, b1), (l2, a2, b2) = a.unbind(1), b.unbind(1)
    chroma = (torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2
    stretch = 1 + 0.5 * (1 - torch.sqrt(chroma**7 / (chroma**7 + 25**7)))
    a1, a2 = stretch * a1, stretch * a2
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = (torch.atan2(y, x) % (2 * math.pi) for x, y in ((a1, b1), (a2, b2)))
    grey = c1 * c2 == 0  # a grey has no hue
    turn = h2 - h1
    turn = torch.where(turn > math.pi, turn - 2 * math.pi, torch.where(turn < -math.pi, turn + 2 * math.pi, turn))
    turn = torch.where(grey, 0.0, turn)
    dl, dc, dh = l2 - l1, c2 - c1, 2 * torch.sqrt(c1 * c2) * torch.sin(turn / 2)
    light, chroma, hue = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + h2) / 2
    far = (h1 - h2).abs() > math.pi
    hue = torch.where(far, torch.where(h1 + h2 < 2 * math.pi, hue + math.pi, hue - math.pi), hue)
    hue = torch.where(grey, h1 + h2, hue)

    def cosine(times: int, degrees: float) -> Tensor:
        return torch.cos(times * hue + math.radians(degrees))

    t = 1 - 0.17 * cosine(1, -30) + 0.24 * cosine(2, 0) + 0.32 * cosine(3, 6) - 0.20 * cosine(4, -63)
    sl = 1 + 0.015 * (light - 50) ** 2 / torch.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    blue = torch.exp(-(((torch.rad2deg(hue) - 275) / 25) ** 2))  # blues: hue and chroma pull on each other
    twist = -2 * torch.sqrt(chroma**7 / (chroma**7 + 25**7)) * torch.sin(math.radians(60) * blue)
    total = (dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + twist * (dc / sc) * (dh / sh)
    return torch.sqrt(total.clamp_min(0)).unsqueeze(1)


def colour_errors(made: Tensor, truth: Tensor, garment: Tensor) -> dict[str, Tensor]:
    """How wrong the garment's colours are, NaN where no garment shows.

    `ciede2000`: mean over the pixels x of the true garment G of dE00(made(x), truth(x)). `ciede2000_mean`: dE00 of the
    two mean colours (in CIELAB) over G, which does not mind a print that is out of place.
    Shape: (B, 3, H, W) in [0, 1] twice, G (B, 1, H, W) bool -> (B,) each.
    """
    labs = [to_lab(p) for p in (made, truth)]
    means = [torch.cat([region_mean(lab[:, k : k + 1], garment)[:, None] for k in range(3)], 1) for lab in labs]
    return {
        "ciede2000": region_mean(ciede2000(*labs), garment).float(),
        "ciede2000_mean": ciede2000(*(m[:, :, None, None] for m in means)).flatten().float(),
    }
