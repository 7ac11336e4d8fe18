"""What VITON's two stages minimise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from mavton_lite.config import Profile
from mavton_lite.data.person import represent
from mavton_lite.experiments import Experiment
from mavton_lite.losses import PerceptualLoss, l1, total_variation
from mavton_lite.models.build import build_coarse, build_refinement
from mavton_lite.models.cpvton import TryOn
from mavton_lite.models.tryon_viton import VITONPipeline
from mavton_lite.models.viton import Coarse, EncoderDecoder
from mavton_lite.objectives import Turn, blurred_outline, tiles


def perceptual_of(profile: Profile, levels: tuple[tuple[str, float], ...]) -> PerceptualLoss:
    """VITON's perceptual loss on some levels: pictures with ImageNet's mean taken off, average pooling at `paper`."""
    loss = PerceptualLoss(dataclasses.replace(profile.loss, perceptual_levels=levels, perceptual_normalise=True))
    if profile.viton.average_pool:
        for i, layer in enumerate(loss.features):
            if isinstance(layer, nn.MaxPool2d):
                loss.features[i] = nn.AvgPool2d(2)
    return loss


class CoarseObjective:
    """The coarse try-on should look like the picture, its mask like the garment in it.

    Source: thesis eq. 2-8, sum over i of lambda_i |phi_i(I') - phi_i(I)|_1 + |M - M0|_1; phi_0 is the picture itself.
    """

    def __init__(self, profile: Profile, experiment: Experiment):
        self.profile = profile
        self.silhouette_noise = experiment.training(profile).silhouette_noise
        self.networks: dict[str, nn.Module] = {"coarse": build_coarse(profile)}
        self.helpers: dict[str, nn.Module] = {}
        if profile.viton.perceptual:
            self.helpers["perceptual"] = perceptual_of(profile, profile.viton.levels)

    def turns(self, batch: dict) -> Iterator[Turn]:
        """One turn: the coarse network's."""
        person = represent(batch, self.profile.person)
        agnostic = blurred_outline(person.agnostic, self.silhouette_noise)
        coarse = self.networks["coarse"](agnostic, batch["cloth"])
        yield Turn("coarse", self.terms(coarse, batch["image"], person.worn_mask))

    def terms(self, coarse: Coarse, image: Tensor, worn_mask: Tensor) -> dict[str, Tensor]:
        """Weighted terms of one coarse try-on; a term whose weight is 0 is neither computed nor listed."""
        weight, terms = self.profile.viton, {}
        if weight.l1:
            terms["l1"] = weight.l1 * l1(coarse.image, image)
        if weight.perceptual:
            with tiles(image):
                terms["perceptual"] = weight.perceptual * self.helpers["perceptual"](coarse.image, image)
        if weight.mask:
            terms["mask"] = weight.mask * l1(coarse.mask, worn_mask)
        return terms


class RefineObjective:
    """The refined try-on should look like the picture in deep features, and take as much of the garment as it can.

    Source: Han et al. 2018, section 3.3: L_perc(I, alpha c' + (1 - alpha) I') - 0.1 |alpha|_1 + 5e-6 TV(alpha); its
    code gives the perceptual term 0.8 and the pictures' L1 0.2. The coarse network is frozen.
    `control` (example -> control points of its warp) is looked up before a warp is computed: matching shapes takes as
    long as many training steps.
    Raises: ValueError when examples are to be mirrored: the warps are those of the pictures as they are.
    """

    def __init__(self, profile: Profile, experiment: Experiment, coarse: EncoderDecoder):
        if experiment.training(profile).flip:
            raise ValueError(f"{experiment.name}: train_refine.flip is on, but stored warps are not mirrored")
        self.profile = profile
        self.control: dict[str, Tensor] = {}
        self.networks: dict[str, nn.Module] = {"refine": build_refinement(profile)}
        coarse = coarse.eval().requires_grad_(False)
        self.helpers: dict[str, Any] = {"pipeline": VITONPipeline(coarse, nn.Identity(), profile)}
        if profile.viton.refine_perceptual:
            self.helpers["perceptual"] = perceptual_of(profile, profile.viton.refine_levels)

    def turns(self, batch: dict) -> Iterator[Turn]:
        """One turn: the refinement network's."""
        yield Turn("refine", self.terms(self.tried(batch), batch["image"]))

    def tried(self, batch: dict) -> TryOn:
        """The refined try-ons of a batch; gradients reach the refinement network only."""
        pipeline = self.helpers["pipeline"]
        with torch.no_grad():
            coarse = self._coarse(batch)
            names = example_names(batch)
            known = all(n in self.control for n in names)
            control = torch.stack([self.control[n] for n in names]).to(coarse.mask) if known else None
            control = pipeline.match(batch["cloth_mask"], coarse) if control is None else control
            warp = pipeline.bend(batch["cloth"], batch["cloth_mask"], control)
        return pipeline.refined(self.networks["refine"](warp.cloth, coarse.image), warp, coarse)

    @torch.no_grad()
    def matched(self, batch: dict) -> Tensor:
        """Control points of the warps of a batch, computed.   Shape: -> (B, 2 * grid^2)."""
        return self.helpers["pipeline"].match(batch["cloth_mask"], self._coarse(batch))

    def terms(self, tryon: TryOn, image: Tensor) -> dict[str, Tensor]:
        """Weighted terms of refined try-ons; a term whose weight is 0 is neither computed nor listed."""
        weight, terms = self.profile.viton, {}
        if weight.refine_l1:
            terms["l1"] = weight.refine_l1 * l1(tryon.image, image)
        if weight.refine_perceptual:
            with tiles(image):
                terms["perceptual"] = weight.refine_perceptual * self.helpers["perceptual"](tryon.image, image)
        if weight.take:
            terms["take"] = -weight.take * tryon.mask.mean()
        if weight.smooth:
            terms["smooth"] = weight.smooth * total_variation(tryon.mask.float())
        return terms

    def _coarse(self, batch: dict) -> Coarse:
        person = represent(batch, self.profile.person)
        return self.helpers["pipeline"].coarse(person.agnostic, batch["cloth"])


def example_names(batch: dict) -> list[str]:
    """Person and cloth of each example of a batch."""
    return [f"{a} {b}" for a, b in zip(batch["name"], batch["cloth_name"], strict=True)]
