"""`evaluate`: one evaluator for every model and floor; every metric of every image, under a named protocol."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from mavton_lite.checkpoint import digest
from mavton_lite.config import SEED, Profile
from mavton_lite.data.sample import collate, to_unit
from mavton_lite.metrics import image as picture
from mavton_lite.metrics import warp
from mavton_lite.metrics.colour import colour_errors
from mavton_lite.metrics.distribution import SetDistance
from mavton_lite.metrics.learned import LPIPS
from mavton_lite.metrics.outline import Labeller, boundary_f, tolerance_px
from mavton_lite.metrics.predictors import Predict, Prediction
from mavton_lite.metrics.regions import BAND_PX, GROW_PX, arm_band, garment_region, has_label
from mavton_lite.metrics.texture import sharpness
from mavton_lite.records import Protocol, Record, rounded


@dataclass
class Measured:
    """What some of an evaluation's batches gave, by the number of the batch."""

    names: dict[int, list[str]] = field(default_factory=dict)
    tags: dict[int, list[list[str]]] = field(default_factory=dict)
    values: dict[int, dict[str, list[float | None]]] = field(default_factory=dict)
    pictures: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)  # made, real


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` is told, looked through once; the whole evaluation and a part of it measure by the same.

    Raises: ValueError for an unknown protocol, other pairs than it says, a limit below 1 or no examples.
    """

    dataset: Any
    model: str
    profile: Profile
    protocol: str
    batch: int = 16
    device: str | torch.device = "cpu"
    seed: int = SEED
    learned: bool = True
    limit: int | None = None
    progress: bool = False
    labeller: Labeller | None = None
    sets: SetDistance | None = None

    def __post_init__(self) -> None:
        if self.protocol not in ("paired", "unpaired"):
            raise ValueError(f"protocol: found {self.protocol!r}, wanted 'paired' or 'unpaired'")
        given = getattr(self.source, "pairs", self.protocol)
        if given != self.protocol:
            raise ValueError(f"protocol: found {self.protocol!r}, but the data set's pairs are {given!r}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit: found {self.limit}, wanted at least 1")
        if not self.count:
            raise ValueError("the data set is empty; wanted at least one example")

    @property
    def source(self) -> Any:
        """The folder behind a data set that is held in memory or cut down to a subset."""
        found = self.dataset
        while hasattr(found, "dataset"):  # a `Cached` or a `LeakFree`
            found = found.dataset
        return found

    @property
    def count(self) -> int:
        """How many images are to be measured."""
        return len(self.dataset) if self.limit is None else min(self.limit, len(self.dataset))

    @property
    def batches(self) -> int:
        """Into how many batches they are cut."""
        return -(-self.count // self.batch)

    @cached_property
    def distance(self) -> LPIPS | None:
        """LPIPS, where it is asked for."""
        return LPIPS().to(self.device) if self.learned else None

    @cached_property
    def rules(self) -> Protocol:
        """What the record says of how it was measured, but for the names of the images."""
        height, width = self.profile.size
        return Protocol(
            pairs=self.protocol,
            split=getattr(self.source, "split", "test"),
            n=self.count,
            height=height,
            width=width,
            value_range=(0.0, 1.0),
            images="",
            extractor=self.distance.info.name if self.distance else "",
            extractor_sha256=self.distance.info.sha256 if self.distance else "",
            region_grow_px=GROW_PX,
            band_px=BAND_PX,
            profile=self.profile.name,
            subset=getattr(self.dataset, "subset", "all"),
            outline_px=tolerance_px(height, width),
            parser_sha256=self.labeller.sha256 if self.labeller else "",
            set_extractor=self.sets.info.name if self.sets else "",
            set_extractor_sha256=self.sets.info.sha256 if self.sets else "",
            reading=self.profile.reading,
        )

    @torch.no_grad()
    def measure(self, predict: Predict, chosen: Sequence[int]) -> Measured:
        """The chosen ones of the batches.   Raises: ValueError as `evaluate`."""
        found = Measured()
        for number in tqdm(chosen, desc=f"evaluating {self.model}", disable=not self.progress):
            rows = range(number * self.batch, min((number + 1) * self.batch, self.count))
            examples = collate([self.dataset[i] for i in rows])
            found.names[number] = [f"{a} {b}" for a, b in zip(examples["name"], examples["cloth_name"], strict=True)]
            found.tags[number] = examples.pop("tags", [])
            examples = {k: v.to(self.device) if torch.is_tensor(v) else v for k, v in examples.items()}
            known = "truth_image" in examples and "truth_parse" in examples
            if not known and self.sets is None:
                pairs = getattr(self.source, "pairs", "data")
                raise ValueError(
                    f"{pairs}: this data set does not know the true picture; only the Atelier does unpaired"
                )
            prediction = predict({k: v for k, v in examples.items() if not k.startswith("truth_")})
            if prediction.image is not None and not prediction.image.isfinite().all():
                raise ValueError(f"the prediction for {', '.join(examples['name'])} is not finite")
            if self.sets is not None and prediction.image is not None:
                found.pictures[number] = _as_bytes(prediction.image), _as_bytes(examples["image"])
            measured = _measure(prediction, examples, self.profile, self.distance, self.labeller) if known else {}
            found.values[number] = {metric: rounded(numbers.tolist()) for metric, numbers in measured.items()}
        return found

    def record(
        self, found: Measured, notes: dict[str, Any] | None = None, training: dict[str, Any] | None = None
    ) -> Record:
        """The record of all batches, in their order whatever the order in which they were measured."""
        order = sorted(found.names)
        names = [name for number in order for name in found.names[number]]
        tags = [tag for number in order for tag in found.tags[number]]
        values: dict[str, list[float | None]] = {}
        for number in order:
            for metric, numbers in found.values[number].items():
                values.setdefault(metric, []).extend(numbers)
        whole = {}
        if self.sets is not None and found.pictures and len(names) > 1:  # one picture is no set
            made, real = (torch.cat([found.pictures[number][side] for number in order]) for side in (0, 1))
            whole = self.sets(made, real)
        rules = replace(self.rules, images=digest(names))
        return Record(self.model, rules, values, self.seed, commit(), notes or {}, tags or None, whole, training or {})


def evaluate(
    predict: Predict,
    dataset: Any,
    *,
    model: str,
    profile: Profile,
    protocol: str,
    batch: int = 16,
    device: str | torch.device = "cpu",
    seed: int = SEED,
    learned: bool = True,
    limit: int | None = None,
    progress: bool = False,
    notes: dict[str, Any] | None = None,
    labeller: Labeller | None = None,
    sets: SetDistance | None = None,
    training: dict[str, Any] | None = None,
) -> Record:
    """Measure a model on a data set that knows the truth, image by image.

    Pictures, in [0, 1] against `truth_image`: ssim, psnr, lpips over the picture, `_garment` inside the garment region,
    `_arms` in the band where arms meet cloth (`regions`); mae_arms there too; of the garment ciede2000, ciede2000_mean
    (`colour`), sharpness and texture_error, its absolute value (`texture`); boundary_f (`outline`) of the garment that
    `labeller` sees in the picture. Where the prediction has a warp: mask_iou and boundary_f_warp (pixels where an
    arm or hair is in front left out: a garment behind them is there but cannot be seen), mask_iou_plain, and against
    `truth_warp` epe_px and epe_256_px (rescaled to 256 x 192) with the bounds on the same pixels: epe_256_px_none (no
    warp), epe_256_px_affine and epe_256_px_tps (least-squares fit to the truth, image by image).
    `sets` compares all try-ons with all people as photographed; with it, a data set without truth can be measured too.
    `predict` never sees the truth. `protocol` ("paired" or "unpaired") is what the data set gives; `seed` that of the
    training. `learned=False` leaves LPIPS out. `limit` takes the first images only. The images' tags, where the data
    set has them, are kept in the record, so that it can report by case.
    Raises: ValueError when the data set has no truth and there are no `sets`, no examples, or other pairs than
    `protocol` says.
    """
    settings = Evaluation(
        dataset, model, profile, protocol, batch, device, seed, learned, limit, progress, labeller, sets
    )
    return settings.record(settings.measure(predict, range(settings.batches)), notes, training)


def _as_bytes(pictures: Tensor) -> Tensor:
    """As they would be written to a file.   Shape: (B, 3, H, W) in [-1, 1] -> uint8."""
    return to_unit(pictures.float()).clamp(0, 1).mul(255).round().to(torch.uint8).cpu()


def _measure(
    prediction: Prediction, examples: dict, profile: Profile, distance: LPIPS | None, labeller: Labeller | None
) -> dict[str, Tensor]:
    """Every metric that this prediction allows.   Shape: each (B,)."""
    garment_labels = profile.person.garment_labels
    parse, truth_parse = examples["parse"], examples["truth_parse"]
    garment, hidden = has_label(truth_parse, garment_labels), warp.in_front(truth_parse)
    near_px = tolerance_px(*profile.size)
    measured: dict[str, Tensor] = {}
    if prediction.image is not None:
        made, truth = to_unit(prediction.image.float()), to_unit(examples["truth_image"])
        region, band = garment_region(parse, truth_parse, garment_labels), arm_band(truth_parse, garment_labels)
        measured |= _pictures(made, truth, {"garment": region, "arms": band}, distance)
        measured["mae_arms"] = picture.region_mean((made - truth).abs().mean(1, keepdim=True), band)
        measured |= colour_errors(made, truth, garment)
        measured["sharpness"] = sharpness(made, truth, garment)
        measured["texture_error"] = measured["sharpness"].abs()
        if labeller is not None:
            seen = has_label(labeller.labels(prediction.image.float().clamp(-1, 1)), garment_labels)
            measured["boundary_f"] = boundary_f(seen, garment, near_px)
    if prediction.mask is not None:
        mask = prediction.mask >= 0.5
        measured["mask_iou"] = warp.iou(mask, garment, hidden)
        measured["mask_iou_plain"] = warp.iou(mask, garment)
        measured["boundary_f_warp"] = boundary_f(mask, garment, near_px, hidden)
    if prediction.grid is not None and "truth_warp" in examples:
        measured |= _warps(prediction.grid.float(), examples["truth_warp"], profile.gmm.grid)
    return measured


def _pictures(made: Tensor, truth: Tensor, regions: dict[str, Tensor], distance: LPIPS | None) -> dict[str, Tensor]:
    similarity = picture.ssim_map(made, truth)  # (B, 1, H, W)
    measured = {"ssim": similarity.flatten(1).mean(1), "psnr": picture.psnr(made, truth)}
    spatial = None
    if distance is not None:
        measured["lpips"], spatial = distance(made, truth)
    for name, region in regions.items():
        measured[f"ssim_{name}"] = picture.region_mean(similarity, region)
        measured[f"psnr_{name}"] = picture.region_psnr(made, truth, region)
        if spatial is not None:
            measured[f"lpips_{name}"] = picture.region_mean(spatial, region)
    return measured


def _warps(grid: Tensor, truth: Tensor, points: int) -> dict[str, Tensor]:
    batch, _, height, width = truth.shape
    found = warp.to_pixels(grid, height, width)
    bounds = {
        "none": warp.identity_px(batch, height, width, truth),
        "affine": warp.best_affine(truth),
        "tps": warp.best_tps(truth, points),
    }
    measured = {
        "epe_px": warp.end_point_error(found, truth),
        "epe_256_px": warp.end_point_error(found, truth, warp.REFERENCE_SIZE),
    }
    for name, bound in bounds.items():
        measured[f"epe_256_px_{name}"] = warp.end_point_error(bound, truth, warp.REFERENCE_SIZE)
    return measured


def commit() -> str:
    """The git commit of this checkout, `-dirty` when the package differs from it, or "unknown" outside of one."""
    package = Path(__file__).resolve().parents[1]
    if not (package.parent / ".git").exists():
        return "unknown"

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=package, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()

    try:
        name = git("rev-parse", "--short=12", "HEAD")
        return f"{name}-dirty" if git("status", "--porcelain", "--", ".") else name
    except (OSError, subprocess.SubprocessError):
        return "unknown"
