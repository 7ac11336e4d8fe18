"""What a training step minimises: networks and a batch in, named loss terms out, one player's turn at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.config import Profile
from mavton_lite.data.person import Person, represent
from mavton_lite.experiments import Experiment
from mavton_lite.losses import PerceptualLoss, bend, contrast, gan_discriminator, gan_generator, interval, l1, mask_loss
from mavton_lite.models.build import build_discriminator, build_gmm, build_tom
from mavton_lite.models.gmm import GMM, Warp
from mavton_lite.shares import drawn


@dataclass
class Turn:
    """One network's share of a step: its weighted loss terms, whose sum it minimises."""

    player: str
    terms: dict[str, Tensor] = field(default_factory=dict)

    @property
    def loss(self) -> Tensor:
        """The sum of the terms.   Shape: ()."""
        return torch.stack([t.float() for t in self.terms.values()]).sum()


class Objective(Protocol):
    """What `train.fit` asks of a stage.

    `networks` are trained and saved; the trainer may replace them by wrappers of the same call (many devices, mixed
    precision). `helpers` are frozen networks that only have to be on the device. `turns` yields each player's terms;
    the caller updates that player before it asks for the next turn.
    """

    networks: dict[str, nn.Module]
    helpers: dict[str, nn.Module]

    def turns(self, batch: dict) -> Iterator[Turn]: ...


class GMMObjective:
    """The garment, warped, should look like the garment in the picture.

    Source: thesis eq. 2-10, `warp_l1`; the other terms are deviations that need a weight above 0 (see `LossSettings`).
    """

    def __init__(self, profile: Profile):
        self.profile = profile
        self.networks: dict[str, nn.Module] = {"gmm": build_gmm(profile)}
        self.helpers: dict[str, nn.Module] = {}

    def turns(self, batch: dict) -> Iterator[Turn]:
        """One turn: the matching module's."""
        person = represent(batch, self.profile.person)
        warp = self.networks["gmm"](person.matching, batch["cloth"], batch["cloth_mask"])
        yield Turn("gmm", self.terms(person, warp))

    def terms(self, person: Person, warp: Warp) -> dict[str, Tensor]:
        """Weighted terms of one warp; a term whose weight is 0 is neither computed nor listed."""
        weight = self.profile.loss
        terms = {}
        if weight.warp_l1:
            terms["warp_l1"] = weight.warp_l1 * l1(warp.cloth, person.worn_cloth)
        if weight.warp_mask:
            terms["warp_mask"] = weight.warp_mask * l1(warp.mask, person.worn_mask)
        if weight.warp_contrast:
            terms["warp_contrast"] = weight.warp_contrast * contrast(warp.cloth, person.worn_cloth, person.worn_mask)
        if weight.warp_bend:
            terms["warp_bend"] = weight.warp_bend * bend(warp.theta.float(), self.profile.gmm.grid)
        if weight.warp_interval:
            terms["warp_interval"] = weight.warp_interval * interval(warp.grid.float())
        return terms


class TOMObjective:
    """The try-on should look like the picture, and with a discriminator also be taken for one.

    Source: thesis eq. 2-12 and its joint loss (L1, perceptual, mask, adversarial). The warps come from `gmm`, frozen
    and in evaluation mode, on the fly. The discriminator sees [person representation, warped cloth, picture]; it takes
    its turn first, on the detached try-on; the try-on network's adversarial term is computed on the one that is not.
    """

    def __init__(self, profile: Profile, experiment: Experiment, gmm: GMM):
        self.profile = profile
        self.silhouette_noise = experiment.training(profile).silhouette_noise
        self.networks: dict[str, nn.Module] = {"tom": build_tom(profile, experiment.gate)}
        if experiment.adversarial:
            self.networks["discriminator"] = build_discriminator(profile)
        self.helpers: dict[str, nn.Module] = {"gmm": gmm.eval().requires_grad_(False)}
        if profile.loss.perceptual:
            self.helpers["perceptual"] = PerceptualLoss(profile.loss)

    def turns(self, batch: dict) -> Iterator[Turn]:
        """The discriminator's turn, where there is one, then the try-on network's."""
        weight, image = self.profile.loss, batch["image"]
        person = represent(batch, self.profile.person)
        with torch.no_grad():
            warp = self.helpers["gmm"](person.matching, batch["cloth"], batch["cloth_mask"])
        agnostic = blurred_outline(person.agnostic, self.silhouette_noise)
        tryon = self.networks["tom"](agnostic, warp.cloth, warp.mask)
        condition = torch.cat([agnostic, warp.cloth], 1)  # (B, 25, H, W)
        if "discriminator" in self.networks:
            # one call for both: an instance norm keeps the examples apart, and many devices want one call a step
            pictures = torch.cat([image, tryon.image.detach().to(image.dtype)])  # (2 B, 3, H, W)
            logits = self.networks["discriminator"](torch.cat([condition.repeat(2, 1, 1, 1), pictures], 1))
            real, fake = logits.chunk(2)
            yield Turn("discriminator", {"discriminator": gan_discriminator(real, fake, weight.gan)})
        terms = {}
        if weight.l1:
            terms["l1"] = weight.l1 * l1(tryon.image, image)
        if weight.perceptual:
            with tiles(image):
                terms["perceptual"] = weight.perceptual * self.helpers["perceptual"](tryon.image, image)
        if weight.mask:
            terms["mask"] = weight.mask * mask_loss(tryon.mask, weight.mask_target, warp.mask, person.worn_mask)
        if "discriminator" in self.networks and weight.adversarial:
            with _frozen(self.networks["discriminator"]) as discriminator:
                fake = discriminator(torch.cat([condition, tryon.image], 1))
            terms["adversarial"] = weight.adversarial * gan_generator(fake, weight.gan)
        yield Turn("tom", terms)


def blurred_outline(agnostic: Tensor, noise: float) -> Tensor:
    """The person representation with smooth random noise on its silhouette, which moves the outline to and fro.

    On paired pictures the outline of the body is the outline of the garment to be painted; a network that reads it
    there paints the old garment's outline when the garment is another.
    Differs: not in CP-VTON.   Shape: (B, 22, H, W) -> same.
    """
    if not noise:
        return agnostic
    silhouette, rest = agnostic[:, :1], agnostic[:, 1:]
    coarse = noise * drawn(torch.randn, len(agnostic), 1, 8, 6, device=agnostic.device)
    smooth = F.interpolate(coarse, silhouette.shape[-2:], mode="bilinear", align_corners=False)
    return torch.cat([(silhouette + smooth).clamp(-1, 1), rest], 1)


def tiles(at: Tensor) -> contextlib.AbstractContextManager:
    """bfloat16 for a frozen network on a CPU with matrix tiles (AMX), where it is three times as fast.

    The networks that learn stay in the precision that the trainer was asked for.
    """
    there = at.device.type == "cpu" and getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return torch.autocast("cpu", torch.bfloat16) if there else contextlib.nullcontext()


@contextlib.contextmanager
def _frozen(network: nn.Module) -> Iterator[nn.Module]:
    """The network as a fixed function: gradients pass through it and stop at its parameters.

    A wrapper for many devices is taken off, since nothing of this network is to be exchanged between them.
    """
    bare = getattr(network, "module", network)
    wanted = [p.requires_grad for p in bare.parameters()]
    bare.requires_grad_(False)
    try:
        yield bare
    finally:
        for parameter, flag in zip(bare.parameters(), wanted, strict=True):
            parameter.requires_grad_(flag)
