"""Small pictures for the lessons: the Atelier's garments with their attributes, its people with their true warps.

Lessons about GANs and attention always use the Atelier, whatever data set `MAVTON_DATA` names. What was drawn once is
kept under `runs/lessons`; a longer series begins with the pictures of a shorter one.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from mavton_lite.config import SEED, project_root
from mavton_lite.data.atelier import Stage, flat_lay, garment_of, person_of
from mavton_lite.data.atelier.cloth import KINDS
from mavton_lite.data.atelier.cut import NECKS, SLEEVES
from mavton_lite.data.atelier.example import VERSION
from mavton_lite.files import replacing

SPLITS = ("train", "test")
SLEEVE_NAMES: tuple[str, ...] = tuple(SLEEVES)
NECK_NAMES: tuple[str, ...] = tuple(NECKS)
KIND_NAMES: tuple[str, ...] = tuple(KINDS)


class Garments(NamedTuple):
    """Flat lays on white.   Shape: n garments of H x W pixels."""

    pictures: Tensor  # (n, 3, H, W) float32 in [-1, 1]
    masks: Tensor  # (n, 1, H, W) float32, share of the pixel that is garment
    sleeve: Tensor  # (n,) int64, index into SLEEVE_NAMES
    neck: Tensor  # (n,) int64, index into NECK_NAMES
    kind: Tensor  # (n,) int64, index into KIND_NAMES: what is printed on the cloth


class People(NamedTuple):
    """People in a garment, with the garment's flat lay.   Shape: n people of H x W pixels."""

    pictures: Tensor  # (n, 3, H, W) float32 in [-1, 1]
    parses: Tensor  # (n, H, W) int64, LIP labels
    cloths: Tensor  # (n, 3, H, W) float32 in [-1, 1], the flat lay of what they wear
    cloth_masks: Tensor  # (n, 1, H, W) float32
    warps: Tensor  # (n, 2, H, W) float32, x and y in flat-lay px seen at each pixel, NaN where no garment is seen


def garment_pictures(n: int, height: int, width: int, split: str = "train", seed: int = SEED) -> Garments:
    """The first `n` garments of a split, with what a shop would write below them.

    Raises: ValueError for n < 1, an unknown split, or a size that is not 4:3.
    """

    def draw(i: int) -> dict[str, np.ndarray]:
        drawn = garment_of(seed, split, i)
        flat = flat_lay(drawn, height, width)
        names = ((drawn.sleeve, SLEEVE_NAMES), (drawn.neck_shape, NECK_NAMES), (drawn.cloth.kind, KIND_NAMES))
        labels = [known.index(name) for name, known in names]
        return {"pictures": _bytes(flat.image), "masks": _bytes(flat.cover), "labels": np.array(labels, np.uint8)}

    tables = zlib.crc32(repr((SLEEVE_NAMES, NECK_NAMES, KIND_NAMES)).encode())  # labels are numbers of their rows
    kept = drawn_series(f"garments-{tables:08x}", n, height, width, split, seed, draw)
    labels = torch.from_numpy(kept["labels"]).long()  # (n, 3)
    return Garments(_pictures(kept["pictures"]), _shares(kept["masks"]), *labels.T.contiguous())


def people_pictures(n: int, height: int, width: int, split: str = "train", seed: int = SEED) -> People:
    """The first `n` people of a split, each in the garment of the same number.

    Raises: ValueError for n < 1, an unknown split, or a size that is not 4:3.
    """

    def draw(i: int) -> dict[str, np.ndarray]:
        drawn = garment_of(seed, split, i)
        flat, seen = flat_lay(drawn, height, width), Stage(person_of(seed, split, i), height, width).wear(drawn)
        return {"pictures": _bytes(seen.image), "parses": seen.parse.astype(np.uint8), "cloths": _bytes(flat.image),
                "cloth_masks": _bytes(flat.cover), "warps": seen.warp.astype(np.float32)}  # fmt: skip

    kept = drawn_series("people", n, height, width, split, seed, draw)
    return People(
        _pictures(kept["pictures"]),
        torch.from_numpy(kept["parses"]).long(),
        _pictures(kept["cloths"]),
        _shares(kept["cloth_masks"]),
        torch.from_numpy(kept["warps"]),
    )


def drawn_series(
    what: str, n: int, height: int, width: int, split: str, seed: int, draw: Callable[[int], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """`draw(0)` to `draw(n - 1)`, stacked: from the longest series kept under `runs/lessons`, only the rest is drawn.

    Raises: ValueError for n < 1, an unknown split, or a size that is not 4:3.
    """
    if n < 1:
        raise ValueError(f"wanted at least 1 picture, got {n}")
    if split not in SPLITS:
        raise ValueError(f"split: found {split!r}, wanted one of {', '.join(SPLITS)}")
    if height * 3 != width * 4:
        raise ValueError(f"the pictures are 4:3, got {height} x {width}")
    folder = project_root() / "runs" / "lessons"
    stem = f"{what}-v{VERSION}-{split}-{seed}-{height}x{width}"
    kept = _load(_longest(folder, stem))
    have = min(n, len(next(iter(kept.values())))) if kept else 0
    if have < n:
        name = f"drawing {what.split('-')[0]}, {split}"
        new = [draw(i) for i in tqdm(range(have, n), desc=name, unit="picture", leave=False, delay=2, mininterval=2)]
        stacked = {key: np.stack([row[key] for row in new]) for key in new[0]}
        kept = {key: np.concatenate([kept[key][:have], v]) if have else v for key, v in stacked.items()}
        _save(folder / f"{stem}-{n}.npz", kept)
    return {key: v[:n] for key, v in kept.items()}


def _longest(folder: Path, stem: str) -> Path | None:
    found = {int(m[1]): p for p in folder.glob(f"{stem}-*.npz") if (m := re.fullmatch(r".*-(\d+)\.npz", p.name))}
    return found[max(found)] if found else None


def _load(path: Path | None) -> dict[str, np.ndarray]:
    """Empty when there is nothing, or nothing that can be read: then it is drawn again."""
    if path is None:
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return {}


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with replacing(path) as partial, partial.open("wb") as file:
        named: dict[str, Any] = dict(arrays)
        np.savez_compressed(file, **named)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.floor(values * 255 + 0.5).astype(np.uint8)


def _pictures(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def _shares(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values)[:, None].float().div(255)
