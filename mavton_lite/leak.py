"""What the person representation gives away: can the garment that was cut out be read off what is left?

A linear probe is trained to tell a garment's measures from channels that are said not to show it, held still by neck
and hips. What it reads, a
try-on network can read too; what it cannot read may still be there for a better reader.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.config import KEEP_LOWER_BODY, PersonSettings
from mavton_lite.data import collate, open_dataset
from mavton_lite.data.facts import FACTS, read_facts
from mavton_lite.data.folder import Split
from mavton_lite.data.person import represent
from mavton_lite.data.sample import COCO18

MEASURES = {"sleeve_m": "sleeve length", "hem_m": "height of the hem", "fit_m": "looseness"}
GRID = (32, 24)  # what the probe sees of each channel
HEAD = (1, 2, 4, 13)
HELD = [COCO18.index(name) for name in ("neck", "right hip", "left hip")]
STRENGTHS = tuple(10.0**k for k in range(0, 7))  # of the probe's regularisation
BATCH = 50


@dataclass(frozen=True)
class LeakSettings:
    """How many people the probe learns from and is tried on."""

    train: int
    test: int


SETTINGS = {"smoke": LeakSettings(48, 16), "lite": LeakSettings(700, 200), "paper": LeakSettings(6000, 2000)}


def views(batch: dict, person: PersonSettings) -> dict[str, Tensor]:
    """What may be shown to the probe, by name.   Shape: a batch of samples -> (B, C, H, W) each."""
    parts = ((KEEP_LOWER_BODY, True, False), (HEAD, False, False), (KEEP_LOWER_BODY, False, False),
             (KEEP_LOWER_BODY, True, True))  # fmt: skip
    shown, head, whole, walled = (
        represent(batch, replace(person, kept_labels=kept, lower_from_hips=below, ground=ground))
        for kept, below, ground in parts
    )
    return {
        "pose": shown.pose,
        "outline, sharp": (batch["parse"] > 0)[:, None].float(),
        "outline, blurred": shown.silhouette,
        "head": head.head,
        "head and lower body": whole.head,
        "head and what is below the hips": shown.head,
        "the same before the guessed wall": walled.head,
        "all 22 channels": walled.agnostic,
        "the garment's own mask": shown.worn_mask,
    }


def measure_leaks(data: Path, size: tuple[int, int], person: PersonSettings, settings: LeakSettings) -> pd.DataFrame:
    """R^2 on people the probe has not seen, a row a view, a column a measure; 0 is what knowing nothing gives.

    Raises: ValueError when the data set does not tell its garments' measures, as only the Atelier does.
    """
    train, y_train = _look(data, "train", settings.train, size, person)
    test, y_test = _look(data, "test", settings.test, size, person)
    table = {view: probe(train[view], y_train, test[view], y_test) for view in train}
    return pd.DataFrame.from_dict(table, orient="index", columns=list(MEASURES.values()))


def _look(
    data: Path, split: Split, count: int, size: tuple[int, int], person: PersonSettings
) -> tuple[dict[str, Tensor], Tensor]:
    """Every view of the first people of a split, aligned and flattened, and their garments' measures."""
    facts = [f["garment"] for f in read_facts(data / split / FACTS)]
    dataset = open_dataset(data, split, "paired", size)
    count = min(count, len(dataset))
    seen: dict[str, list[Tensor]] = {}
    told: list[list[float]] = []
    for start in range(0, count, BATCH):
        samples = [dataset[i] for i in range(start, min(start + BATCH, count))]
        batch = collate([s for s in samples if (s["keypoints"][HELD, 2] > 0).all()])
        told += [[facts[int(name.partition("_")[0])][key] for key in MEASURES] for name in batch["name"]]
        for name, maps in views(batch, person).items():
            seen.setdefault(name, []).append(aligned(maps, batch["keypoints"]).flatten(1))
    measures = torch.tensor(told, dtype=torch.float64).clamp(min=0)  # a tank top's sleeve is -1
    return {name: torch.cat(parts).double() for name, parts in seen.items()}, measures


def aligned(maps: Tensor, keypoints: Tensor) -> Tensor:
    """Neck and hips moved to the same places in everybody, so that a linear probe need not look for the body.

    Shape: (B, C, H, W), (B, 18, 3) px -> (B, C, *GRID).
    """
    size = torch.tensor([maps.shape[3] - 1, maps.shape[2] - 1], dtype=maps.dtype)
    neck, hips = keypoints[:, HELD[0], :2], keypoints[:, HELD[1:], :2].mean(1)
    torso = (hips[:, 1] - neck[:, 1]).clamp(min=1)[:, None]  # (B, 1) px
    middle = neck + torch.cat([torch.zeros_like(torso), 0.45 * torso], 1)
    reach = torch.cat([0.9 * torso, 1.2 * torso], 1) / size * 2  # (B, 2), half of what is seen
    middle = middle / size * 2 - 1
    zero = torch.zeros(len(maps))
    matrix = torch.stack([torch.stack([reach[:, 0], zero, middle[:, 0]], 1),
                          torch.stack([zero, reach[:, 1], middle[:, 1]], 1)], 1)  # fmt: skip
    fine = (len(maps), maps.shape[1], 2 * GRID[0], 2 * GRID[1])
    grid = F.affine_grid(matrix, list(fine), align_corners=True)
    return F.avg_pool2d(F.grid_sample(maps, grid, padding_mode="border", align_corners=True), 2)


def probe(train: Tensor, y_train: Tensor, test: Tensor, y_test: Tensor) -> np.ndarray:
    """R^2 of ridge regression, its strength chosen by leaving one out in training; not below 0.

    Source: Hoerl and Kennard 1970; Alain and Bengio 2016, for probes.
    Shape: (n, D), (n, t), (m, D), (m, t) -> (t,).
    """
    mean, middle = train.mean(0), y_train.mean(0)
    x, y = train - mean, y_train - middle
    values, vectors = torch.linalg.eigh(x @ x.T)  # (n,), (n, n): n people, however many pixels
    values, turned = values.clamp(min=0), vectors.T @ y
    best = [(torch.inf, STRENGTHS[0])] * y.shape[1]
    for strength in STRENGTHS:
        shrink = values / (values + strength)  # (n,)
        hat = (vectors.square() * shrink).sum(1) + 1 / len(x)  # (n,), what each says about itself
        errors = ((y - vectors @ (shrink[:, None] * turned)) / (1 - hat).clamp(min=1e-6)[:, None]).square().mean(0)
        best = [min(old, (float(e), strength)) for old, e in zip(best, errors, strict=True)]
    gram = (test - mean) @ x.T  # (m, n)
    out = []
    for k, (_, strength) in enumerate(best):
        said = gram @ (vectors @ (turned[:, k] / (values + strength)))
        true = y_test[:, k] - middle[k]
        out.append(float(1 - (true - said).square().sum() / (y_test[:, k] - y_test[:, k].mean()).square().sum()))
    return np.clip(out, 0, 1)
