"""How well the warped cloth and the painted person are mixed: the best mask there could be, and where a mask errs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from mavton_lite.data.sample import to_unit
from mavton_lite.metrics.image import region_mean, ssim_map
from mavton_lite.metrics.regions import ARM_LABELS, HAIR_LABELS, garment_region, has_label
from mavton_lite.models.cpvton import TryOn
from mavton_lite.models.gmm import Warp

GARMENT, SKIN = (5, 6, 7), (*ARM_LABELS, 10, 20)  # neck and chest are skin too


def best_mask(cloth: Tensor, rendered: Tensor, truth: Tensor) -> Tensor:
    """For every pixel the share of cloth whose mixture with the painted person comes nearest to the truth.

    clamp(<c - r, t - r> / |c - r|^2, 0, 1): least squares over the three colours; 0 where both are one colour.
    Shape: (B, 3, H, W) three times -> (B, 1, H, W) in [0, 1].   Raises: ValueError when the shapes differ.
    """
    if not cloth.shape == rendered.shape == truth.shape:
        shapes = ", ".join(str(tuple(t.shape)) for t in (cloth, rendered, truth))
        raise ValueError(f"best_mask wants three pictures of one shape, got {shapes}")
    step = cloth - rendered
    along = (step * (truth - rendered)).sum(1, keepdim=True)
    return (along / step.square().sum(1, keepdim=True).clamp_min(1e-12)).clamp(0, 1)


def places(warped_mask: Tensor, parse: Tensor, truth_parse: Tensor) -> dict[str, Tensor]:
    """What has to happen where: kinds of places of the garment region, none overlapping another.

    "covered by mistake" is cloth laid where neither garment, arm, hair nor neck is to be seen.
    Shape: (B, 1, H, W) in [0, 1], (B, H, W) labels before and after -> (B, 1, H, W) bool each.
    """
    laid = warped_mask > 0.5
    old, new = has_label(parse, GARMENT), has_label(truth_parse, GARMENT)
    was_skin, skin = has_label(parse, SKIN), has_label(truth_parse, SKIN)
    hair = has_label(truth_parse, HAIR_LABELS)
    return {
        "garment stays garment": new & laid & old,
        "skin to be covered": new & laid & was_skin,
        "other to be covered": new & laid & ~old & ~was_skin,
        "missed by the warp": new & ~laid,
        "arm or neck over the cloth": skin & laid,
        "hair over the cloth": hair & laid,
        "skin to be bared": skin & ~laid & old,
        "covered by mistake": laid & ~new & ~skin & ~hair,
    }


def by_place(warp: Warp, tryon: TryOn, batch: dict[str, Any]) -> pd.DataFrame:
    """Where the mask is right, and who is to blame where it is not: one row a kind of `places` that occurs.

    Its share of all these pixels, the mean mask, the mask wanted, and the mean error in [0, 1] of the try-on, of the
    painting alone and of the cloth alone.   Wants `truth_image` and `truth_parse` in the batch.
    """
    truth = to_unit(batch["truth_image"])
    found = places(warp.mask, batch["parse"], batch["truth_parse"])
    total = sum(int(here.sum()) for here in found.values())
    layers = {"try-on": tryon.image, "painting": tryon.rendered, "cloth": warp.cloth}
    errors = {name: (to_unit(p) - truth).abs().mean(1, keepdim=True) for name, p in layers.items()}  # (B, 1, H, W)
    rows = []
    for name, here in found.items():
        if here.any():
            wanted = float(name.startswith(("garment", "skin to be covered", "other")))
            row = {"place": name, "share": here.sum().item() / total, "mask": tryon.mask[here].mean().item()}
            rows.append(row | {"wanted": wanted} | {k: e[here].mean().item() for k, e in errors.items()})
    return pd.DataFrame(rows)


def mixtures(warp: Warp, tryon: TryOn, batch: dict[str, Any], garment_labels: tuple[int, ...]) -> pd.DataFrame:
    """The same cloth and painting under other masks: error and SSIM inside the garment region, means over images.

    Wants `truth_image` and `truth_parse` in the batch.
    """
    truth = batch["truth_image"]
    region = garment_region(batch["parse"], batch["truth_parse"], garment_labels)
    masks = {
        "0: the painting alone": torch.zeros_like(tryon.mask),
        "the warped cloth's own": warp.mask,
        "the network's": tryon.mask,
        "the best there is": best_mask(warp.cloth, tryon.rendered, truth),
    }
    rows = []
    for name, mask in masks.items():
        made = to_unit(torch.lerp(tryon.rendered, warp.cloth, mask))
        error = region_mean((made - to_unit(truth)).abs().mean(1, keepdim=True), region)
        alike = region_mean(ssim_map(made, to_unit(truth)), region)
        rows.append({"mask": name, "mean error": error.nanmean().item(), "SSIM": alike.nanmean().item()})
    return pd.DataFrame(rows)
