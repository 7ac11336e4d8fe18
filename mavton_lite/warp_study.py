"""How well do warps fit that were found in different ways, and what does the matching module make its own from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.claims import verdict
from mavton_lite.config import Profile
from mavton_lite.data import open_dataset
from mavton_lite.data.folder import Pairs, Split
from mavton_lite.data.person import Person, label_mask, represent
from mavton_lite.data.sample import collate
from mavton_lite.losses import bend
from mavton_lite.metrics import warp as measure
from mavton_lite.models.gmm import GMM
from mavton_lite.records import Interval, bootstrap
from mavton_lite.warp import TPSGrid, correlation, l2_normalise, pixel_grid, resample
from mavton_lite.warp.moments import affine_between
from mavton_lite.warp.shape_context import warp_between

NONE, MOMENTS, SHAPES, GMM_NAME = "no warp", "affine, from moments", "shape context", "GMM"
BEST_AFFINE, BEST_TPS = "best affine", "best spline, 5 × 5"
WAYS = (NONE, MOMENTS, SHAPES, GMM_NAME)  # what can be had without the true warp
BOUNDS = (BEST_AFFINE, BEST_TPS)  # fitted to the true warp, example by example


@dataclass(frozen=True)
class StudySettings:
    """How much is measured.   Source: none; chosen to fit a notebook on two cores."""

    n: int  # examples of the val split
    descents: int  # of these, so many are fitted by descent on (2-10) alone
    steps: int
    lr: float = 0.02


STUDIES = {
    "smoke": StudySettings(n=8, descents=2, steps=20),
    "lite": StudySettings(n=100, descents=24, steps=200),
    "paper": StudySettings(n=500, descents=48, steps=400),
}


class Examples(NamedTuple):
    """People and the garments they are to wear, with the truth.   Shape: see each line."""

    batch: dict[str, Any]  # `collate`d
    person: Person
    worn: Tensor  # (N, 1, H, W) 0 or 1: the garment as far as it is seen

    @property
    def truth(self) -> Tensor:
        """The true warp.   Shape: (N, 2, H, W) cloth px, NaN where no garment is seen."""
        return self.batch["truth_warp"]

    @property
    def tags(self) -> list[list[str]]:
        """What makes each example a hard case, where the data set says so."""
        return self.batch.get("tags", [[]] * len(self.worn))

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """What a matching module reads: person, cloth, cloth mask."""
        return self.person.matching, self.batch["cloth"], self.batch["cloth_mask"]


def load_examples(data: Path, profile: Profile, n: int, pairs: Pairs = "unpaired", split: Split = "val"
) -> Examples:
    """The first `n` examples of a split.   Raises: ValueError when the data set does not know the true warps."""
    dataset = open_dataset(data, split, pairs, profile.size)
    batch = collate([dataset[i] for i in range(min(n, len(dataset)))])
    if "truth_warp" not in batch:
        raise ValueError(f"{data}: found no true warps, wanted the Atelier's")
    worn = label_mask(batch["truth_parse"], profile.person.garment_labels).float()
    return Examples(batch, represent(batch, profile.person), worn)


@torch.no_grad()
def warps(gmm: GMM, examples: Examples, points: int = 100) -> dict[str, Tensor]:
    """A sampling grid of every one of WAYS for every example.

    Moments and shape contexts are shown the true outline of the worn garment, which in a try-on nobody knows: VITON
    guesses it with a network. GMM sees the person representation.
    Shape: -> (N, H, W, 2) each.
    """
    height, width = examples.worn.shape[2:]
    flat = examples.batch["cloth_mask"]
    return {
        NONE: pixel_grid(height, width).float().expand(len(flat), -1, -1, -1),
        MOMENTS: affine_between(flat, examples.worn, height, width),
        SHAPES: warp_between(flat, examples.worn, height, width, points, empty="identity"),
        GMM_NAME: gmm(*examples.inputs).grid,
    }


def errors(grids: Mapping[str, Tensor], examples: Examples, bounds: bool = True) -> dict[str, np.ndarray]:
    """End-point errors in px at 256 x 192, NaN where no garment is seen.   Shape: -> (N,) each, BOUNDS last."""
    truth = examples.truth
    fields = {name: measure.to_pixels(grid, *truth.shape[2:]) for name, grid in grids.items()}
    if bounds:
        fields |= {BEST_AFFINE: measure.best_affine(truth), BEST_TPS: measure.best_tps(truth, 5)}
    size = measure.REFERENCE_SIZE
    return {name: measure.end_point_error(field, truth, size).numpy() for name, field in fields.items()}


def comparison(found: Mapping[str, np.ndarray], tags: list[list[str]], case: str = "arm in front") -> pd.DataFrame:
    """Mean end-point error with its 95 % bootstrap interval: of all, of those that are the case, and of the others."""
    cased = np.array([case in row for row in tags])
    groups = {f"all ({len(tags)})": cased | True, f"{case} ({cased.sum()})": cased, f"other ({(~cased).sum()})": ~cased}
    rows = {}
    for name, values in found.items():
        rows[name] = {group: _written(bootstrap(values[mask])) for group, mask in groups.items()}
    return pd.DataFrame(rows).T.rename_axis("warp, px at 256 × 192").reset_index()


def _written(found: Interval) -> str:
    return f"{found.mean:.1f} [{found.low:.1f}, {found.high:.1f}]" if found.n else ""


def contest(found: Mapping[str, np.ndarray], ours: str, theirs: str) -> str:
    """Which of two ways has the smaller error on the same examples, in words; the interval decides."""
    gain = bootstrap(found[ours] - found[theirs])
    words = {"replicated": "is closer than", "not replicated": "is farther off than"}
    span = f"{gain.mean:+.1f} px, 95 % interval {gain.low:+.1f} to {gain.high:+.1f}"
    return f"{ours} {words.get(verdict(gain, higher=False), 'cannot be told from')} {theirs}: {span}"


class Descent(NamedTuple):
    """Offsets fitted to single examples."""

    grid: Tensor  # (N, H, W, 2)
    loss: Tensor  # (N,) |warped cloth - worn cloth|, (2-10), at the end


def descend(examples: Examples, settings: StudySettings, weight: float = 0.0, grid: int = 5) -> Descent:
    """Gradient descent on (2-10) over the offsets themselves, example by example, without any network.

    `weight` is that of the bend term; offsets are bounded by tanh, as GMM's are.
    """
    batch, count = examples.batch, len(examples.worn)
    spline = TPSGrid(examples.worn.shape[2], examples.worn.shape[3], grid)
    free = torch.zeros(count, 2 * grid**2, requires_grad=True)
    optimiser = torch.optim.Adam([free], settings.lr)

    def misfit() -> tuple[Tensor, Tensor]:
        there = spline(torch.tanh(free))
        return there, (resample(batch["cloth"], there) - examples.person.worn_cloth).abs().mean((1, 2, 3))

    with torch.enable_grad():
        for _ in range(settings.steps):
            optimiser.zero_grad()
            (misfit()[1].sum() + weight * count * bend(torch.tanh(free), grid)).backward()
            optimiser.step()
    with torch.no_grad():
        return Descent(*misfit())


@torch.no_grad()
def volume_of(gmm: GMM, examples: Examples) -> Tensor:
    """The correlation volume of every example.   Shape: -> (N, w * h, h, w), as `correlation` orders it."""
    person, cloth, mask = examples.inputs
    shown = cloth if gmm.settings.cloth_input == "cloth" else mask
    return correlation(l2_normalise(gmm.person(person)), l2_normalise(gmm.cloth(shown)))


def by_place(volume: Tensor) -> Tensor:
    """The volume with its places written out: a map of the cloth for every cell of the body.

    Shape: (N, w * h, h, w) -> (N, h, w, h, w), the body's row and column, then the cloth's.
    """
    count, _, height, width = volume.shape
    return volume.view(count, width, height, height, width).transpose(1, 2)


def true_places(truth: Tensor, rows: int, columns: int, share: float = 0.7) -> Tensor:
    """Where on the cloth each cell of the body looks: mean of the true warp, NaN where less than `share` is garment.

    Shape: (N, 2, H, W) px -> (N, 2, rows, columns) px.
    """
    size = rows, columns
    seen = truth.isfinite().all(1, keepdim=True)
    part = F.adaptive_avg_pool2d(seen.float(), size)
    mean = F.adaptive_avg_pool2d(truth.nan_to_num(), size) / part.clamp_min(1e-6)
    return mean.where(part >= share, torch.nan)


def match_errors(volume: Tensor, gmm_grid: Tensor, examples: Examples, seed: int = 0) -> dict[str, float]:
    """Mean distance in px at 256 x 192 from the true place on the cloth: the strongest match of each cell of the body,
    a place drawn at random, the same place, and where the module's warp reads in the end.
    """
    height, width = examples.worn.shape[2:]
    rows, columns = volume.shape[2:]
    wanted = true_places(examples.truth, rows, columns)  # (N, 2, rows, columns)
    cell = torch.tensor([width / columns, height / rows]).view(1, 2, 1, 1)

    def middle(index: Tensor) -> Tensor:  # (N, rows, columns) cell of the cloth -> px
        return (torch.stack([index % columns, index // columns], 1) + 0.5) * cell - 0.5

    strongest = by_place(volume).flatten(3).argmax(-1)  # (N, rows, columns)
    chance = torch.randint(0, rows * columns, strongest.shape, generator=torch.Generator().manual_seed(seed))
    read = F.adaptive_avg_pool2d(measure.to_pixels(gmm_grid, height, width), (rows, columns))
    same = torch.arange(rows * columns).view(1, rows, columns).expand_as(strongest)
    places = {
        "strongest match": middle(strongest),
        "a place at random": middle(chance),
        "the same place": middle(same),
        "where the warp reads": read,
    }
    reference = torch.tensor([measure.REFERENCE_SIZE[1] / width, measure.REFERENCE_SIZE[0] / height]).view(1, 2, 1, 1)
    return {name: ((at - wanted) * reference).norm(dim=1).nanmean().item() for name, at in places.items()}


@torch.no_grad()
def swapped(gmm: GMM, examples: Examples) -> dict[str, np.ndarray]:
    """End-point errors when the module is shown somebody else, another garment, or when all get the mean warp."""
    person, cloth, mask = examples.inputs
    own = gmm(person, cloth, mask)
    grids = {
        "own": own.grid,
        "another person": gmm(person.roll(1, 0), cloth, mask).grid,
        "another garment": gmm(person, cloth.roll(1, 0), mask.roll(1, 0)).grid,
        "the mean warp": own.grid.mean(0, keepdim=True).expand_as(own.grid),
    }
    return errors(grids, examples, bounds=False)
