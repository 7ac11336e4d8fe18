"""How good are the labels: intersection over union by class and its mean, with intervals over people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mavton_lite.config import SEED
from mavton_lite.data.sample import LIP
from mavton_lite.records import RESAMPLES, Interval


class Overlap(NamedTuple):
    """Pixels of every picture and class.   Shape: (n, C) int64 each."""

    both: Tensor  # in the found labels and in the true ones
    either: Tensor  # in one of them at least
    truth: Tensor  # in the true ones


@dataclass(frozen=True)
class ParsingScore:
    """IoU of every class that the truth shows, and their mean; each over all pictures' pixels taken together."""

    classes: dict[str, Interval]  # by LIP's name; `n` pictures show the class
    mean: Interval
    accuracy: float  # share of the pixels that are right


def overlap(found: Tensor, truth: Tensor, classes: int = 20) -> Overlap:
    """Count the pixels of each picture and class.

    Shape: (n, H, W) ids each -> `Overlap` of (n, C).
    Raises: ValueError when the shapes differ or an id is not in 0..classes-1.
    """
    if found.shape != truth.shape or found.ndim != 3:
        raise ValueError(f"wanted two (n, H, W) of labels, got {tuple(found.shape)} and {tuple(truth.shape)}")
    for name, labels in (("found", found), ("truth", truth)):
        if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(f"{name}: labels {int(labels.min())}..{int(labels.max())}, wanted 0..{classes - 1}")
    cells = (truth.long() * classes + found.long()).flatten(1)  # (n, H W): a cell of the confusion matrix a pixel
    confusion = torch.zeros(len(cells), classes**2, dtype=torch.long, device=cells.device)
    confusion = confusion.scatter_add_(1, cells, torch.ones_like(cells)).view(-1, classes, classes)
    both, in_truth = confusion.diagonal(dim1=1, dim2=2), confusion.sum(2)  # (n, C)
    return Overlap(both, in_truth + confusion.sum(1) - both, in_truth)


def score(counts: Overlap, seed: int = SEED, resamples: int = RESAMPLES) -> ParsingScore:
    """IoU by class over all pictures' pixels together, and 95 % bootstrap intervals over pictures.

    Counted are the classes of the truth; what is found of other classes is missing in those.
    Raises: ValueError when there are no pictures.
    """
    both, either, truth = (t.cpu().numpy().astype(np.float64) for t in counts)
    if not len(both):
        raise ValueError("no pictures to score; wanted at least one")
    shown = np.nonzero(truth.sum(0))[0]
    both, either = both[:, shown], either[:, shown]
    # how often each picture is drawn: sums over a resample are one product
    draws = np.random.default_rng(seed).multinomial(len(both), np.full(len(both), 1 / len(both)), resamples)
    union = draws @ either
    by_class = np.divide(draws @ both, union, out=np.full_like(union, np.nan), where=union > 0)  # (resamples, classes)
    exact = both.sum(0) / either.sum(0)

    def interval(mean: float, resampled: np.ndarray, n: int) -> Interval:
        low, high = np.nanpercentile(resampled, [2.5, 97.5])
        return Interval(float(mean), float(low), float(high), n)

    pictures = (truth[:, shown] > 0).sum(0)
    classes = {LIP[c]: interval(exact[i], by_class[:, i], int(pictures[i])) for i, c in enumerate(shown.tolist())}
    mean = interval(exact.mean(), np.nanmean(by_class, axis=1), len(both))
    return ParsingScore(classes, mean, float(both.sum() / truth.sum()))
