"""What can be trained: every baseline, model and ablation is one line of `EXPERIMENTS`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from mavton_lite.config import Profile, TrainSettings


@dataclass(frozen=True)
class Experiment:
    """One trained network: which stage, with which attention gate, with or without a discriminator.

    `overrides` are settings that differ from the profile's, as dotted names: `("loss.perceptual", 0.0)`.
    """

    name: str
    stage: str  # a key of `stages.STAGES`
    gate: str = "none"  # on every skip of the try-on network, or on some: see `models.cpvton.TOM`
    adversarial: bool = False
    note: str = ""
    overrides: tuple[tuple[str, Any], ...] = ()
    gmm: str = "gmm"  # a try-on stage: the experiment whose matching module warps for it

    @property
    def base(self) -> str | None:
        """The experiment that must be finished before this one; its networks stay as they are."""
        return {"tom": self.gmm, "refine": "viton_coarse"}.get(self.stage)

    def apply(self, profile: Profile) -> Profile:
        """The profile with this experiment's overrides.   Raises: ValueError on a setting that does not exist."""
        for dotted, value in self.overrides:
            profile = _replace(profile, dotted, value)
        return profile

    def training(self, profile: Profile) -> TrainSettings:
        """The length and optimiser of this experiment's stage."""
        return getattr(self.apply(profile), f"train_{self.stage}")


def retimed(profile: Profile, steps: int | None = None, batch: int | None = None) -> Profile:
    """The profile with other lengths or batches of every training; None leaves them.   Raises: ValueError below 1."""
    for name, value in (("steps", steps), ("batch", batch)):
        if value is None:
            continue
        if value < 1:
            raise ValueError(f"{name}: found {value}, wanted at least 1")
        stages = [f.name for f in dataclasses.fields(profile) if f.name.startswith("train_")]
        changed = {s: dataclasses.replace(getattr(profile, s), **{name: value}) for s in stages}
        profile = dataclasses.replace(profile, **changed)
    return profile


def _replace(settings: Any, dotted: str, value: Any) -> Any:
    head, _, rest = dotted.partition(".")
    names = [f.name for f in dataclasses.fields(settings)]
    if head not in names:
        raise ValueError(f"{type(settings).__name__} has no setting {head!r}; it has {', '.join(names)}")
    return dataclasses.replace(settings, **{head: _replace(getattr(settings, head), rest, value) if rest else value})


# What CP-VTON+ (Minar et al. 2020, and its code) changes in CP-VTON; each module reads its own part.
# Differs: its silhouette is a mask of its own (`image-mask`); here it is every label of the parse, the neck among them.
CP_VTON_PLUS: tuple[tuple[str, Any], ...] = (
    ("gmm.cloth_input", "mask"),  # the matching module compares outlines, whatever is printed on the cloth
    # at half the side of 256 x 192 the term is four times as large, and lite's small module is better for it: 10.0 px
    # end-point error instead of 16.0 at the weight 10 that would pull as there (200 steps, one seed)
    ("loss.warp_interval", 40.0),
    ("loss.warp_bend", 0.0),  # one regularisation of the warp, its own
    ("tom.mask_input", True),  # the warped mask as a 26th channel: a white garment on white has an outline
    ("loss.mask_target", "worn"),  # the mask is taught the garment as far as it is seen
    ("person.kept_labels", (1, 2, 4, 9, 12, 13, 16, 17)),  # with the lower body
    ("person.matching_kept_labels", (1, 4, 13)),  # without hair
)

_ALL = (
    Experiment("gmm", "gmm", note="geometric matching module, shared by every try-on model"),
    Experiment("cp_vton", "tom", note="the baseline: CP-VTON's try-on module"),
    Experiment("ma_vton", "tom", "cbam", True, "the thesis: MA-UNet and the joint loss"),
    Experiment("gmm_plus", "gmm", note="CP-VTON+'s matching module", overrides=CP_VTON_PLUS),
    Experiment("cp_vton_plus", "tom", note="CP-VTON+'s try-on module", overrides=CP_VTON_PLUS, gmm="gmm_plus"),
    Experiment("viton_coarse", "coarse", note="VITON's encoder-decoder: a coarse try-on and a mask"),
    Experiment("viton", "refine", note="VITON: shape-context warp and refinement over the coarse try-on"),
    Experiment("parser", "parse", note="labels every pixel of a picture with a LIP class; no part of a try-on"),
    # attention, without the adversarial term
    Experiment("ma_vton_no_gan", "tom", "cbam", note="MA-UNet, CP-VTON's loss"),
    Experiment("tom_channel", "tom", "channel", note="channel attention only"),
    Experiment("tom_spatial", "tom", "spatial", note="spatial attention only"),
    Experiment("tom_se", "tom", "se", note="squeeze and excitation on the skips"),
    Experiment("tom_eca", "tom", "eca", note="efficient channel attention on the skips"),
    Experiment("tom_reversed", "tom", "spatial>channel", note="CBAM in the other order"),
    Experiment("tom_cbam_wide", "tom", "cbam@1-2", note="CBAM on the two widest skips only"),
    Experiment("tom_cbam_deep", "tom", "cbam@3-", note="CBAM on the skips below the two widest"),
    Experiment("tom_self", "tom", "self", note="self-attention at the bottleneck, nothing on the skips"),
    # loss
    Experiment("cp_vton_gan", "tom", adversarial=True, note="the joint loss without attention"),
    Experiment("ma_vton_no_perceptual", "tom", "cbam", True, "no perceptual term", (("loss.perceptual", 0.0),)),
    Experiment("ma_vton_no_mask", "tom", "cbam", True, "no mask term", (("loss.mask", 0.0),)),
    Experiment("ma_vton_gan_001", "tom", "cbam", True, "adversarial weight 0.01", (("loss.adversarial", 0.01),)),
    Experiment("ma_vton_gan_1", "tom", "cbam", True, "adversarial weight 1", (("loss.adversarial", 1.0),)),
)

EXPERIMENTS: dict[str, Experiment] = {e.name: e for e in _ALL}


def get_experiment(name: str) -> Experiment:
    """The experiment of that name.   Raises: ValueError naming the known ones."""
    try:
        return EXPERIMENTS[name]
    except KeyError:
        raise ValueError(f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}") from None
