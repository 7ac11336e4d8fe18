"""A picture of a garment, from a file or from the Atelier, with its mask and framed as the networks learnt it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from mavton_lite.config import SEED

from .folder import SPLITS
from .photo_file import read_photo, resize
from .sample import Sample, from_unit

FLAT_SIZE = (768, 576)  # height, width of a built-in garment: sharp on any photograph
USUAL_TOP, USUAL_LENGTH = 0.17, 0.55  # of garments in the flat lays of the Atelier: shares of the picture's height
WIDEST = 0.92  # share of its width
BUILT_IN = "atelier:SPLIT/INDEX"
GROUND_TOLERANCE = 20  # grey levels a ground pixel may differ from the ground's colour


@dataclass(frozen=True)
class GarmentPicture:
    """Shape: picture (H, W, 3) uint8, white outside the garment; mask (H, W) bool; 3:4."""

    name: str
    picture: np.ndarray
    mask: np.ndarray

    def dress(self, sample: Sample) -> Sample:
        """A copy of a sample that wears this garment next."""
        size = sample["image"].shape[1], sample["image"].shape[2]
        picture = resize(self.picture, size)
        mask = resize(self.mask.astype(np.float32), size) >= 0.5
        picture = np.where(mask[..., None], picture, 255).astype(np.float32).transpose(2, 0, 1) / 255
        return Sample(
            **{
                **sample,
                "cloth": from_unit(torch.from_numpy(picture)),  # (3, H, W)
                "cloth_mask": torch.from_numpy(mask.astype(np.float32))[None],  # (1, H, W)
                "cloth_name": self.name,
            }
        )


def garment_mask(rgb: np.ndarray, tolerance: int = GROUND_TOLERANCE) -> np.ndarray:
    """What lies on a plain light ground: everything the ground's colour does not reach from the picture's border.

    `tolerance` is in grey levels: higher where the ground has shadows, lower where the garment is nearly white.
    Shape: (H, W, 3) uint8 -> (H, W) bool.   Raises: ValueError when the ground is not plain and light, or empty.
    """
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]]).astype(np.int16)
    light = border[border.min(1) >= 190]
    if len(light) < 0.5 * len(border):
        raise ValueError("found no plain white or light ground around the garment")
    ground = np.median(light, axis=0)
    plain = np.abs(rgb.astype(np.int16) - ground).max(-1) <= tolerance
    parts, _ = ndimage.label(np.pad(plain, 1, constant_values=True))  # the frame joins all ground at the border
    mask = ~(parts == parts[0, 0])[1:-1, 1:-1]
    mask = ndimage.binary_opening(mask, iterations=max(1, min(mask.shape) // 300))
    parts, count = ndimage.label(mask)
    if count == 0:
        raise ValueError("found nothing on the ground")
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    mask = (sizes >= 0.1 * sizes.max())[parts]  # dust goes, the second half of an open jacket stays
    if mask.mean() < 0.01:
        raise ValueError(f"found a garment of {100 * mask.mean():.2f} % of the picture")
    return mask


def reframe(picture: np.ndarray, mask: np.ndarray, size: tuple[int, int] = FLAT_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Place a garment as the Atelier's flat lays are: its neck below the top edge, about as long as theirs, on white.

    The Atelier's camera keeps its distance. That of a photograph is not known, so its garment is taken to be of usual
    length, and made smaller only where it would be wider than the picture.
    Shape: (h, w, 3), (h, w) -> (H, W, 3) uint8, (H, W) bool.
    """

    height, width = size
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    tall, broad = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    scale = min(USUAL_LENGTH * height / tall, WIDEST * width / broad)
    cut = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    new = max(round(tall * scale), 1), max(round(broad * scale), 1)
    how = Image.Resampling.LANCZOS
    small = resize(np.where(mask[cut][..., None], picture[cut], 255).astype(np.uint8), new, how)
    small_mask = resize(mask[cut].astype(np.float32), new, Image.Resampling.BILINEAR) >= 0.5
    out, out_mask = np.full((height, width, 3), 255, np.uint8), np.zeros((height, width), bool)
    top, left = round(USUAL_TOP * height), (width - new[1]) // 2
    place = slice(top, top + new[0]), slice(left, left + new[1])
    out[place], out_mask[place] = small, small_mask
    return out, out_mask


def _mask_file(path: Path) -> Path | None:
    """The mask a data set keeps beside a garment: `cloth-mask/NAME` next to `cloth/NAME`, or `NAME_mask.png`."""
    folders = [path.parent.parent / f for f in ("cloth-mask", "cloth_mask")] if path.parent.name == "cloth" else []
    names = [path.name, f"{path.stem}.png", f"{path.stem}.jpg"]
    candidates = [f / n for f in folders for n in names] + [path.with_name(f"{path.stem}_mask.png")]
    return next((c for c in candidates if c.is_file()), None)


def _to_aspect(picture: np.ndarray, fill: int) -> np.ndarray:
    """Padded on two sides to 3:4."""
    height, width = picture.shape[:2]
    wide, tall = max(width, round(height * 0.75)), max(height, round(width / 0.75))
    left, top = (wide - width) // 2, (tall - height) // 2
    pads = [(top, tall - height - top), (left, wide - width - left)] + [(0, 0)] * (picture.ndim - 2)
    return np.pad(picture, pads, constant_values=fill)


def read_garment(cloth: str | Path) -> GarmentPicture:
    """A garment by name (`atelier:test/3`) or from a picture on a plain light ground.

    A picture with a mask file beside it comes from a data set and keeps its framing; any other is reframed.
    Raises: ValueError naming what was given and what was wanted.
    """
    if str(cloth).startswith("atelier:"):
        split, _, index = str(cloth).removeprefix("atelier:").partition("/")
        if split not in SPLITS or not index.isdecimal():
            raise ValueError(f"found the garment {str(cloth)!r}, wanted {BUILT_IN} such as atelier:test/3")
        from mavton_lite.data.atelier import flat_lay, garment_of  # imported late: a file needs no renderer

        flat = flat_lay(garment_of(SEED, split, int(index)), *FLAT_SIZE)
        return GarmentPicture(str(cloth), (flat.image * 255).round().astype(np.uint8), flat.parse > 0)
    path = Path(cloth)
    rgb = read_photo(path)
    if (beside := _mask_file(path)) is not None:
        mask = read_photo(beside, smallest=1)[..., 0] >= 128
        if mask.shape != rgb.shape[:2] or not mask.any():
            raise ValueError(f"{beside}: found a mask of {mask.shape}, wanted one of {rgb.shape[:2]} that is not empty")
        rgb, mask = _to_aspect(np.where(mask[..., None], rgb, 255).astype(np.uint8), 255), _to_aspect(mask, 0)
        return GarmentPicture(path.stem, rgb, mask)
    try:
        mask = garment_mask(rgb)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; wanted a garment photographed flat on white") from None
    return GarmentPicture(path.stem, *reframe(rgb, mask))
