"""Switch attention gates of a trained try-on network off, and measure over examples what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from mavton_lite.attention import AttentionMap, record
from mavton_lite.claims import higher_is_better, verdict
from mavton_lite.config import Profile
from mavton_lite.data.person import represent
from mavton_lite.metrics.evaluator import evaluate
from mavton_lite.metrics.predictors import Prediction
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.models.unet import UNet
from mavton_lite.records import Record, difference

ALL = "all"  # every gate at once, or both parts of one
PARTS = ("channel", "spatial")
AS_TRAINED = (ALL, "as trained")
WAYS = {
    "fixed": "weights of the average example, the same for everybody and every place",
    "open": "every weight 1: nothing is held back",
    "closed": "every weight 0: the skip carries nothing",
}
# What the paired difference of a metric, as trained minus switched, says of the gate.
SAYS = {"replicated": "needed", "not replicated": "better without", "inconclusive": "no difference seen"}
FEW, TOO_FEW = 20, "too few examples"  # an interval of fewer is too narrow to be believed


@torch.no_grad()
def average_maps(pipeline: TryOnPipeline, batch: dict) -> dict[str, Tensor]:
    """What `switched(..., "fixed")` puts in place of the maps: their means over examples, and of places over places.

    Shape: name -> (1, C, 1, 1) of a channel gate, (1, 1, 1, 1) of a spatial one; names as in the U-Net.
    Raises: ValueError when the network has no gates.
    """
    with record(pipeline.tom.unet) as maps:
        pipeline(batch)
    if not maps:
        raise ValueError("average_maps: found no attention gates, wanted a network that has some")
    return {name: seen.mean((0, 2, 3), keepdim=True) for name, seen in maps.items()}


@contextmanager
def switched(
    unet: UNet, gate: str, way: str, averages: Mapping[str, Tensor] | None = None, strength: float = 0.0,
    part: str = ALL,
) -> Iterator[None]:  # fmt: skip
    """While active, one gate ("level1", ...) or `ALL` of a U-Net do as `WAYS` says; nothing of the network changes.

    `strength` leaves something of the gate: 0 switches it off, 1 leaves it as trained, 2 doubles how far its weights
    are from those of the way. `part` may be "channel" or "spatial".
    Raises: ValueError for an unknown gate, way or part, or for "fixed" without `averages`.
    """
    if way not in WAYS or gate not in (ALL, *unet.gates) or part not in (ALL, *PARTS):
        known = f"{', '.join((ALL, *unet.gates))}; {', '.join(WAYS)}; {', '.join((ALL, *PARTS))}"
        raise ValueError(f"found gate {gate!r}, way {way!r} and part {part!r}; known: {known}")
    if way == "fixed" and averages is None:
        raise ValueError("way 'fixed' wants the averages of `average_maps`, got None")

    def instead(name: str):
        def hook(_module, _inputs, output: Tensor) -> Tensor:
            fixed = averages[name] if way == "fixed" and averages is not None else None
            off = fixed.to(output).expand_as(output) if fixed is not None else float(way == "open")
            return off + strength * (output - off) if strength else torch.zeros_like(output) + off

        return hook

    chosen = [
        (f"gates.{level}.{name}", module)
        for level, whole in unet.gates.items()
        if gate in (ALL, level)
        for name, module in whole.named_modules()
        if isinstance(module, AttentionMap) and (part == ALL or name.endswith(part))
    ]
    handles = [module.register_forward_hook(instead(name)) for name, module in chosen]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def measure_switches(
    pipeline: TryOnPipeline,
    examples: Any,
    profile: Profile,
    averages: Mapping[str, Tensor],
    ways: tuple[str, ...] = tuple(WAYS),
    **how: Any,
) -> dict[tuple[str, str], Record]:
    """The network as trained, with each gate switched off in each way, and with all of them: a record each.

    `examples` are unpaired ones with their truth; `how` goes to `evaluate`. Garments are warped once for all.
    """
    tom, warps = pipeline.tom, {}

    def predict(batch: dict) -> Prediction:
        key = tuple(zip(batch["name"], batch["cloth_name"], strict=True))
        if key not in warps:
            person = represent(batch, pipeline.person)
            warps[key] = person.agnostic, pipeline.warp(person.matching, batch["cloth"], batch["cloth_mask"])
        agnostic, warp = warps[key]
        return Prediction(tom(agnostic, warp.cloth, warp.mask).image)

    def measured(name: str) -> Record:
        return evaluate(predict, examples, model=name, profile=profile, protocol="unpaired", learned=False, **how)

    records = {AS_TRAINED: measured(AS_TRAINED[1])}
    for way in ways:
        for gate in (*tom.unet.gates, ALL):
            with switched(tom.unet, gate, way, averages):
                records[gate, way] = measured(f"{gate} {way}")
    return records


def switch_table(records: Mapping[tuple[str, str], Record], metric: str = "ssim_garment") -> pd.DataFrame:
    """One row a switch: the mean paired difference, as trained minus switched, its 95 % interval, and the verdict.

    Of fewer than `FEW` examples the verdict is `TOO_FEW`, whatever the interval.
    """
    rows = []
    for (gate, way), changed in records.items():
        if (gate, way) == AS_TRAINED:
            continue
        gain = difference(records[AS_TRAINED], changed, metric)
        says = SAYS[verdict(gain, higher_is_better(metric))] if gain.n >= FEW else TOO_FEW
        rows.append({"gate": gate, "way": way, "metric": metric, "difference": gain.mean, "low": gain.low,
                     "high": gain.high, "n": gain.n, "verdict": says})  # fmt: skip
    return pd.DataFrame(rows)
