"""A few try-ons of every model of a study, one strip a model: pictures of ablations without their weights."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mavton_lite.checkpoint import read_json, write_json
from mavton_lite.data import Cached
from mavton_lite.data.decode import read_picture
from mavton_lite.data.sample import to_unit
from mavton_lite.files import write_bytes
from mavton_lite.metrics.predictors import Predict

CASES = ("arm in front", "lettering", "stripes", "sleeve shorter", "long hair over cloth", "checks")
GIVEN = {"person": "image", "flat cloth": "cloth", "truth": "truth_image"}  # strip -> key of a batch
CASES_FILE = "cases.json"
QUALITY = 93  # of JPEG


def shown(examples: Cached, cases: Sequence[str] = CASES) -> dict[str, int]:
    """The examples that are shown, by case: the first of each tag, none twice; without tags the first ones.

    A rule that knows no result, so that every study and every model shows the same.
    """
    if "tags" not in examples.dataset.words(0):
        return {f"example {i + 1}": i for i in range(min(len(cases), len(examples)))}
    found: dict[str, int] = {}
    for case in cases:
        for i in range(len(examples)):
            if i not in found.values() and case in examples.dataset.words(i)["tags"]:
                found[case] = i
                break
    return found


def keep(predict: Predict, model: str, examples: Cached, folder: Path, device: str = "cpu") -> None:
    """Write a model's strip, `<folder>/<model>.jpg`, the cases, and, where they are not there yet, the `GIVEN` ones."""
    cases = shown(examples)
    batch = examples.batch(list(cases.values()), device)
    with torch.no_grad():
        made = predict({k: v for k, v in batch.items() if not k.startswith("truth_")}).image
    if made is not None:
        _write(folder / f"{model}.jpg", made)
    for name, key in GIVEN.items():
        if key in batch and not (folder / f"{name}.jpg").exists():
            _write(folder / f"{name}.jpg", batch[key])
    write_json(folder / CASES_FILE, list(cases))


def cases_of(folder: Path) -> list[str]:
    """What the pictures of every strip of a folder are cases of.   Raises: ValueError when nothing tells."""
    return read_json(Path(folder) / CASES_FILE)


def read(folder: Path, models: Sequence[str], width: int) -> dict[str, Tensor]:
    """Strips by name, the given ones around the models'; those that are not there are left out.

    Shape: `width` px of each picture -> name -> (N, 3, H, width) in [0, 1].
    Raises: ValueError naming a strip that does not divide into such pictures.
    """
    found = {}
    for name in ("person", "flat cloth", *models, "truth"):
        path = Path(folder) / f"{name}.jpg"
        if not path.exists():
            continue
        with Image.open(path) as picture:
            size = (picture.height, picture.width)
        if size[1] % width:
            raise ValueError(f"{path}: found a strip {size[1]} px wide, wanted pictures of {width} px")
        strip = torch.from_numpy(read_picture(path, size)).float() / 255  # (3, H, N width)
        found[name] = torch.stack(strip.split(width, 2))
    return found


def _write(path: Path, pictures: Tensor) -> None:
    strip = torch.cat(list(to_unit(pictures.float()).clamp(0, 1).cpu()), 2)  # (3, H, N W)
    array = (strip * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(data, "JPEG", quality=QUALITY, subsampling=0)
    write_bytes(path, data.getvalue())
