"""The dressing room: any person of the Atelier in any of its garments, drawn when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch

from mavton_lite.config import SEED
from mavton_lite.data.atelier import Picture, Stage, flat_lay, garment_of, person_of
from mavton_lite.data.atelier.write import keypoints_of
from mavton_lite.data.sample import Sample, from_unit
from mavton_lite.plots.colours import parse_colours, warp_colours, warp_lines

Layer = Literal["picture", "parse", "warp lines", "warp colours"]
LAYERS: tuple[Layer, ...] = get_args(Layer)


@dataclass(frozen=True)
class Dressing:
    """What the dressing room shows: a person, a garment, and which of the facts about them."""

    person: int = 0
    garment: int = 1
    layer: Layer = "picture"
    split: Literal["train", "test"] = "test"


@lru_cache(maxsize=32)
def _stage(split: str, person: int, size: tuple[int, int], seed: int) -> Stage:
    return Stage(person_of(seed, split, person), *size)


@lru_cache(maxsize=256)
def _flat(split: str, garment: int, size: tuple[int, int], seed: int) -> Picture:
    return flat_lay(garment_of(seed, split, garment), *size)


@lru_cache(maxsize=64)
def _worn(split: str, person: int, garment: int, size: tuple[int, int], seed: int) -> Picture:
    return _stage(split, person, size, seed).wear(garment_of(seed, split, garment))


def sample_of(split: str, person: int, garment: int, size: tuple[int, int], seed: int = SEED) -> Sample:
    """Person `person`, in the picture in their own garment, and garment `garment` to try on, with the truth.

    The same facts as `data.open_dataset` reads from a written Atelier, before JPEG; any pair, any 4:3 size.
    Raises: ValueError when the size is not 4:3.
    """
    size = (int(size[0]), int(size[1]))
    flat, own, other = (
        _flat(split, garment, size, seed),
        _worn(split, person, person, size, seed),
        _worn(split, person, garment, size, seed),
    )
    return Sample(
        name=f"{person:06d}_0",
        cloth_name=f"{garment:06d}_1",
        image=_tensor(own.image),  # (3, H, W)
        cloth=_tensor(flat.image),  # (3, H, W)
        cloth_mask=torch.from_numpy(flat.parse > 0)[None].float(),  # (1, H, W)
        parse=torch.from_numpy(own.parse).long(),  # (H, W)
        keypoints=torch.from_numpy(keypoints_of(_stage(split, person, size, seed))).float(),  # (18, 3)
        truth_image=_tensor(other.image),  # (3, H, W)
        truth_parse=torch.from_numpy(other.parse).long(),  # (H, W)
        truth_warp=torch.from_numpy(other.warp).float(),  # (2, H, W)
    )


def _tensor(image: np.ndarray) -> torch.Tensor:
    return from_unit(torch.from_numpy(image).permute(2, 0, 1).float().contiguous())


def dress(state: Dressing, size: tuple[int, int] = (256, 192), seed: int = SEED) -> np.ndarray:
    """The person as photographed, the flat garment, and the person in it, side by side.

    Shape: -> (H, 3 W + gaps, 3) uint8.   Raises: ValueError for an unknown layer.
    """
    if state.layer not in LAYERS:
        raise ValueError(f"unknown layer {state.layer!r}; known: {', '.join(LAYERS)}")
    own = _worn(state.split, state.person, state.person, size, seed)
    flat = _flat(state.split, state.garment, size, seed)
    worn = _worn(state.split, state.person, state.garment, size, seed)
    every_px = size[0] / 24
    show = {
        "picture": lambda p: p.image,
        "parse": lambda p: parse_colours(p.parse),
        "warp lines": lambda p: warp_lines(p.image, p.warp, every_px),
        "warp colours": lambda p: warp_colours(p.warp),
    }[state.layer]
    own_shown = parse_colours(own.parse) if state.layer == "parse" else own.image
    gap = np.ones((size[0], max(2, size[1] // 24), 3))
    row = np.concatenate([own_shown, gap, show(flat), gap, show(worn)], 1)
    return np.floor(np.clip(row, 0, 1) * 255 + 0.5).astype(np.uint8)
