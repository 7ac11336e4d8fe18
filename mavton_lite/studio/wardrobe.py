"""The studio's own garments and photographs, for those who have none at hand."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mavton_lite.cases import first_with
from mavton_lite.config import SEED
from mavton_lite.data.atelier import Stage, flat_lay, garment_of, person_of
from mavton_lite.data.atelier.write import keypoints_of
from mavton_lite.data.garment_picture import FLAT_SIZE, GarmentPicture
from mavton_lite.data.lessons import drawn_series
from mavton_lite.data.photo import example_photo
from mavton_lite.studio.intake import Upload, read_upload
from mavton_lite.studio.room import PRINTS

EXAMPLES = {  # whom the studio can dress without an upload
    "Eileen Collins, NASA 1993": "astronaut",
    "Grace Hopper, U.S. Navy 1984": "hopper",
}


def numbers_of(seed: int = SEED) -> dict[str, int]:
    """Which garments of the test split hang in the wardrobe: the first of each of `PRINTS`."""
    return {name: i ^ 1 for name, i in first_with(PRINTS, seed=seed).items()}  # person i tries garment i ^ 1


def wardrobe(seed: int = SEED) -> dict[str, GarmentPicture]:
    """The garments of `numbers_of`, sharp enough for a photograph; drawn once, then kept."""
    numbers = list(numbers_of(seed).values())

    def draw(k: int) -> dict[str, np.ndarray]:
        flat = flat_lay(garment_of(seed, "test", numbers[k]), *FLAT_SIZE)
        return {"pictures": (flat.image * 255).round().astype(np.uint8), "masks": flat.parse > 0}

    stem = f"wardrobe-{zlib.crc32(repr(numbers).encode()):08x}"
    kept = drawn_series(stem, len(numbers), *FLAT_SIZE, "test", seed, draw)
    pairs = zip(PRINTS, kept["pictures"], kept["masks"], strict=True)
    return {name: GarmentPicture(name, picture, mask) for name, picture, mask in pairs}


def poses(n: int, size: tuple[int, int], seed: int = SEED) -> Tensor:
    """The key points of the first `n` people of the test split at that size; kept.   Shape: -> (n, 18, 3) px."""

    def draw(k: int) -> dict[str, np.ndarray]:
        return {"keypoints": keypoints_of(Stage(person_of(seed, "test", k), *size)).astype(np.float32)}

    return torch.from_numpy(drawn_series("poses", n, *size, "test", seed, draw)["keypoints"])


def portraits() -> dict[str, Path]:
    """Freely usable photographs of people that ship with installed libraries, by who is in them."""
    there = {}
    for name, file in EXAMPLES.items():
        try:
            there[name] = example_photo(file)
        except ValueError:  # that library is not installed
            continue
    return there


def portrait(name: str) -> Upload:
    """One of `portraits` as if it had been uploaded."""
    return read_upload(name, portraits()[name].read_bytes())
