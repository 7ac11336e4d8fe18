"""What a better warp would be worth: try-ons on the learned warp, and on the nearest to the truth of each family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from mavton_lite.config import Profile
from mavton_lite.data.person import represent
from mavton_lite.data.sample import collate, to_unit
from mavton_lite.metrics import image as picture
from mavton_lite.metrics import warp as bounds
from mavton_lite.metrics.regions import garment_region, has_label
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.warp import resample

LEARNED = "learned"


def families(points: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Families of maps by name: each a function from true warps to the nearest of its own, (B, 2, H, W) px -> same."""
    return {
        "best affine map": bounds.best_affine,
        f"best {points} × {points} spline": lambda truth: bounds.best_tps(truth, points),
        "the same, bent less": lambda truth: bounds.best_tps(truth, points, ridge=1.0),
    }


@torch.no_grad()
def ceilings(
    models: Mapping[str, TryOnPipeline], dataset: Any, profile: Profile, batch: int = 16, device: str = "cpu"
) -> pd.DataFrame:
    """One row a warp: end-point error (px at 256 x 192), mask overlap, and region SSIM of every model's try-on on it.

    The networks are as trained, on learned warps; only what they are given changes. All models share the first one's
    matching module. Mask overlap leaves out pixels where an arm or hair is in front, as the record's `mask_iou` does.
    Raises: ValueError when the data set does not know the true warps.
    """
    garment_labels, found = profile.person.garment_labels, dict[str, list[Tensor]]()
    matching = next(iter(models.values())).gmm
    for start in range(0, len(dataset), batch):
        examples = collate([dataset[i] for i in range(start, min(start + batch, len(dataset)))])
        examples = {k: v.to(device) if torch.is_tensor(v) else v for k, v in examples.items()}
        if "truth_warp" not in examples:
            raise ValueError("this data set does not know the true warps; only the Atelier does")
        person, truth = represent(examples, profile.person), to_unit(examples["truth_image"])
        region = garment_region(examples["parse"], examples["truth_parse"], garment_labels)
        worn, hidden = has_label(examples["truth_parse"], garment_labels), bounds.in_front(examples["truth_parse"])
        grids = {LEARNED: matching(person.matching, examples["cloth"], examples["cloth_mask"]).grid}
        for name, nearest in families(profile.gmm.grid).items():
            grids[name] = _grid(nearest(examples["truth_warp"]))
        for name, grid in grids.items():
            cloth = resample(examples["cloth"], grid, reading=profile.reading)
            mask = resample(examples["cloth_mask"], grid, padding="zeros")
            warp_px = bounds.to_pixels(grid, *profile.size)
            row = [
                bounds.end_point_error(warp_px, examples["truth_warp"], bounds.REFERENCE_SIZE),
                bounds.iou(mask >= 0.5, worn, hidden),
            ]
            for model in models.values():
                made = to_unit(model.tom(person.agnostic, cloth, mask).image)
                row.append(picture.region_mean(picture.ssim_map(made, truth), region))
            found.setdefault(name, []).append(torch.stack(row, 1))
    columns = ["end-point error, px", "mask overlap", *models]
    means = {name: torch.cat(rows).nanmean(0).tolist() for name, rows in found.items()}
    return pd.DataFrame.from_dict(means, "index", columns=columns).rename_axis("warp").reset_index()


def _grid(warp_px: Tensor) -> Tensor:
    """Cloth pixels as a sampling grid.   Shape: (B, 2, H, W) px -> (B, H, W, 2) in [-1, 1]."""
    height, width = warp_px.shape[-2:]
    return warp_px.permute(0, 2, 3, 1) / warp_px.new_tensor([(width - 1) / 2, (height - 1) / 2]) - 1
