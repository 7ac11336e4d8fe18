"""What each term of the try-on loss does: short trainings of a small try-on module with a term missing or another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from mavton_lite.config import LossSettings, PersonSettings, TOMSettings
from mavton_lite.data.person import label_mask, represent
from mavton_lite.data.sample import collate, to_unit
from mavton_lite.losses import PerceptualLoss, l1, mask_loss
from mavton_lite.metrics.image import region_mean, ssim_map
from mavton_lite.metrics.regions import ARM_LABELS, garment_region, has_label
from mavton_lite.models.cpvton import TOM, TryOn
from mavton_lite.models.gmm import GMM
from mavton_lite.objectives import blurred_outline, tiles
from mavton_lite.schedule import batch_indices, seed_of

# name -> what differs from formula (2-12) with every weight 1 and the mask taught the worn garment
VARIANTS: dict[str, dict[str, Any]] = {
    "all three terms": {},
    "without L1": {"l1": 0.0},
    "without perceptual": {"perceptual": 0.0},
    "without mask term": {"mask": 0.0},
    "mask taught ones": {"mask_target": "ones"},
    "mask taught the warp": {"mask_target": "warped"},
}
MEASURES = {
    "ssim": "SSIM, garment region",
    "sharpness": "edges in the garment, true = 1",
    "on_garment": "M where the garment is seen",
    "on_arms": "M where an arm is in front",
}


@dataclass(frozen=True)
class StudySettings:
    """How large the study is.   Source: none; chosen to fit a notebook on two cores."""

    n_train: int
    n_test: int
    steps: int
    seeds: int
    height: int = 64
    width: int = 48
    batch: int = 4
    lr: float = 2e-3
    tom: TOMSettings = TOMSettings(  # noqa: RUF009 (frozen)
        width=12, downs=4, upsample="nearest", final_norm=False, mask_input=True
    )
    silhouette_noise: float = 0.3

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width


STUDIES = {
    "smoke": StudySettings(24, 12, steps=6, seeds=1),
    "lite": StudySettings(300, 100, steps=200, seeds=2),
    "paper": StudySettings(2_000, 400, steps=4_000, seeds=5),
}


class Examples(NamedTuple):
    """What a try-on module is given and what it should give.   Shape: see each line."""

    agnostic: Tensor  # (N, 22, H, W)
    cloth: Tensor  # (N, 3, H, W) warped, in [-1, 1]
    mask: Tensor  # (N, 1, H, W) its mask
    image: Tensor  # (N, 3, H, W) the true try-on, in [-1, 1]
    worn: Tensor  # (N, 1, H, W) 0 or 1: the garment as far as it is seen
    arms: Tensor  # (N, 1, H, W) bool: an arm where the warp would lay cloth
    region: Tensor  # (N, 1, H, W) bool: the old garment or the new one


@torch.no_grad()
def examples(data: Any, count: int, gmm: GMM, person: PersonSettings, size: tuple[int, int]) -> Examples:
    """The first examples of a data set that knows the truth, warped by a trained module, then reduced to `size`.

    Raises: ValueError when the data set does not know the true picture.
    """
    parts = []
    for start in range(0, min(count, len(data)), 16):
        batch = collate([data[i] for i in range(start, min(start + 16, count, len(data)))])
        if "truth_image" not in batch or "truth_parse" not in batch:
            raise ValueError("this data set does not know the true picture; wanted the Atelier, or paired examples")
        who = represent(batch, person)
        warp = gmm(who.matching, batch["cloth"], batch["cloth_mask"])
        small = [F.adaptive_avg_pool2d(t, size) for t in (who.agnostic, warp.cloth, warp.mask, batch["truth_image"])]
        old, new = (
            F.interpolate(p[:, None].float(), size)[:, 0].long() for p in (batch["parse"], batch["truth_parse"])
        )
        arms = has_label(new, ARM_LABELS) & (small[2] > 0.5)
        region = garment_region(old, new, person.garment_labels)
        parts.append([*small, label_mask(new, person.garment_labels).float(), arms, region])
    return Examples(*(torch.cat(column) for column in zip(*parts, strict=True)))


def train_small(data: Examples, loss: LossSettings, settings: StudySettings, seed: int) -> TOM:
    """A small try-on module after a short training with formula (2-12); a term of weight 0 is left out."""
    torch.manual_seed(seed)
    tom = TOM(settings.tom).to(memory_format=torch.channels_last)
    perceptual = PerceptualLoss(loss) if loss.perceptual else None
    optimiser = torch.optim.Adam(tom.parameters(), settings.lr, (0.5, 0.999))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.lr, total_steps=settings.steps, cycle_momentum=False
    )
    for step in range(settings.steps):
        torch.manual_seed(seed_of("noise", seed, step))
        chosen = batch_indices(seed, step, len(data.image), settings.batch)
        now = Examples(*(t[chosen] for t in data))
        made = tom(blurred_outline(now.agnostic, settings.silhouette_noise), now.cloth, now.mask)
        total = loss.l1 * l1(made.image, now.image)
        if loss.mask:
            total = total + loss.mask * mask_loss(made.mask, loss.mask_target, now.mask, now.worn)
        if perceptual is not None:
            with tiles(now.image):
                total = total + loss.perceptual * perceptual(made.image, now.image)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        schedule.step()
    return tom.eval()


def edges(pictures: Tensor, where: Tensor) -> Tensor:
    """Mean step between neighbouring pixels that both lie inside a region: how sharp it is.

    Shape: (N, 3, H, W), bool (N, 1, H, W) -> (N,); NaN where the region is empty.
    """
    across = region_mean(pictures.diff(dim=3).abs().mean(1, keepdim=True), where[..., 1:] & where[..., :-1])
    down = region_mean(pictures.diff(dim=2).abs().mean(1, keepdim=True), where[:, :, 1:] & where[:, :, :-1])
    return across + down


@torch.no_grad()
def score(made: TryOn, data: Examples) -> dict[str, float]:
    """The MEASURES of one module's try-ons, each the mean over the examples that have such a place."""
    seen = (data.worn > 0) & (data.mask > 0.5)
    ratio = edges(made.image, data.worn > 0) / edges(data.image, data.worn > 0).clamp_min(1e-3)
    found = {
        "ssim": region_mean(ssim_map(to_unit(made.image), to_unit(data.image)), data.region),
        "sharpness": ratio,
        "on_garment": region_mean(made.mask, seen),
        "on_arms": region_mean(made.mask, data.arms),
    }
    return {name: float(values.nanmean()) for name, values in found.items()}


@torch.no_grad()
def dress(tom: TOM, data: Examples) -> TryOn:
    """A module's try-ons of all examples."""
    return tom(data.agnostic, data.cloth, data.mask)


def study(
    train: Examples,
    test: Examples,
    loss: LossSettings,
    settings: StudySettings,
    variants: Mapping[str, Mapping[str, Any]] = VARIANTS,
    seeds: Sequence[int] | None = None,
    progress: bool = False,
) -> tuple[pd.DataFrame, dict[str, TryOn]]:
    """Train every variant from every seed; one row each, and the try-ons of the first seed.

    Every weight of `loss` that (2-12) has is 1 here, as in CP-VTON, unless the variant says otherwise. Seed by seed all
    variants start from the same weights and see the same examples.
    """
    base = dataclasses.replace(loss, l1=1.0, perceptual=1.0, mask=1.0, mask_target="worn")
    rows: list[dict[str, Any]] = []
    first: dict[str, Any] = {}
    seeds = range(settings.seeds) if seeds is None else seeds
    todo = [(name, seed) for seed in seeds for name in variants]
    for name, seed in tqdm(todo, desc="short trainings", disable=not progress):
        made = dress(train_small(train, dataclasses.replace(base, **variants[name]), settings, seed), test)
        first.setdefault(name, made)
        rows.append({"variant": name, "seed": seed, **score(made, test)})
    return pd.DataFrame(rows), first
