"""A picture's file -> upright RGB, whatever camera, phone or program wrote it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mavton_lite.files import open_picture

KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
SMALLEST_PX = 32  # shorter side of a photograph that can hold a person


def read_photo(path: Path, smallest: int = SMALLEST_PX) -> np.ndarray:
    """Any picture file as upright RGB: EXIF rotation applied, grey and palettes converted, transparency on white.

    Shape: -> (H, W, 3) uint8.   Raises: ValueError naming the file when it is missing, broken or too small.
    """
    path = Path(path)
    wanted = "wanted a photograph: JPEG, PNG, WebP, TIFF, BMP or GIF"
    picture = open_picture(path, KINDS, wanted)
    try:
        rgb = upright_rgb(picture)
    except Exception as error:  # Pillow's plugins raise OSError, SyntaxError, struct.error, DecompressionBombError ...
        raise ValueError(f"{path}: found {error or type(error).__name__}, {wanted}") from error
    if min(rgb.shape[:2]) < smallest:
        raise ValueError(
            f"{path}: found {rgb.shape[1]} x {rgb.shape[0]} px, wanted a photograph of at least {smallest} px a side"
        )
    return rgb


def upright_rgb(picture: Image.Image) -> np.ndarray:
    """An opened picture as upright RGB, whatever its mode.   Shape: -> (H, W, 3) uint8."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):  # 16-bit and float greys, which Pillow would clip
        grey: np.ndarray = np.asarray(picture, np.float32)
        low, high = float(grey.min()), float(grey.max())
        grey = grey / 257 if picture.mode.startswith("I;16") else (grey - low) / max(high - low, 1e-6) * 255
        picture = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.array(picture.convert("RGB"))


def resize(picture: np.ndarray, size: tuple[int, int], how=Image.Resampling.BOX) -> np.ndarray:
    """Resample an array of uint8 or float32 (one channel).   Shape: (h, w[, 3]) -> (H, W[, 3])."""
    return np.asarray(Image.fromarray(picture).resize((size[1], size[0]), how))
