"""Picture to picture: from a garment with its detail taken away back to the garment, with and without a PatchGAN."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.losses import gan_discriminator, gan_generator, l1
from mavton_lite.models.patchgan import PatchGAN
from mavton_lite.models.unet import UNet
from mavton_lite.picture_game import batches
from mavton_lite.threads import one_thread


@dataclass(frozen=True)
class TranslateSettings:
    """One training.   Source: Isola et al. 2017 (pix2pix): L1 + adversarial, there 100 : 1 with cross entropy."""

    steps: int = 300
    batch: int = 16
    rate: float = 2e-3
    adversarial: float = 0.0  # weight of the PatchGAN's least-squares term beside an L1 of weight 1
    width: int = 16
    patch_layers: int = 1  # the discriminator's; 1 sees 16 px
    factor: int = 4  # how many pixels a side the input averages over


@dataclass
class TranslateHistory:
    """What became of the training."""

    settings: TranslateSettings
    network: UNet
    discriminator: PatchGAN | None
    losses: list[dict[str, float]] = field(default_factory=list)  # a step: l1, and discriminator, generator if any


def coarse(pictures: Tensor, factor: int) -> Tensor:
    """Every block of `factor` x `factor` pixels in its mean colour.

    Shape: (B, 3, H, W) -> same.   Raises: ValueError when the sides are not divisible by `factor`.
    """
    if factor < 1 or pictures.shape[2] % factor or pictures.shape[3] % factor:
        raise ValueError(f"wanted sides divisible by {factor}, got {tuple(pictures.shape)}")
    return F.interpolate(F.avg_pool2d(pictures, factor), scale_factor=factor, mode="nearest")


def question(pictures: Tensor, masks: Tensor, factor: int) -> Tensor:
    """What the network is given: coarse colours and the exact outline.   Shape: -> (B, 4, H, W)."""
    return torch.cat([coarse(pictures, factor), masks * 2 - 1], 1)


def translate(network: nn.Module, given: Tensor) -> Tensor:
    """What the network paints, inside the outline it was given; white around it.

    Shape: (B, 4, H, W) -> (B, 3, H, W) in [-1, 1].
    """
    mask = (given[:, 3:] + 1) / 2  # (B, 1, H, W)
    return mask * torch.tanh(network(given)) + (1 - mask)


@one_thread()
def train_translation(pictures: Tensor, masks: Tensor, settings: TranslateSettings, seed: int) -> TranslateHistory:
    """Train a U-Net to answer `question`; with `adversarial` > 0 against a conditional PatchGAN.

    Both kinds start from the same weights and see the same batches.
    Shape: pictures (N, 3, H, W) in [-1, 1], masks (N, 1, H, W) in [0, 1].
    """
    dice = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = UNet(4, 3, settings.width, 3, final_norm=False)
        judge = PatchGAN(4 + 3, settings.width, settings.patch_layers) if settings.adversarial else None
    history = TranslateHistory(settings, network, judge)
    adam = torch.optim.Adam(network.parameters(), settings.rate, (0.5, 0.999), fused=True)
    slower = torch.optim.lr_scheduler.OneCycleLR(adam, settings.rate, settings.steps)
    adam_d = torch.optim.Adam(judge.parameters(), settings.rate / 2, (0.5, 0.999), fused=True) if judge else None
    feed = batches(len(pictures), settings.batch, dice)
    for _ in range(settings.steps):
        picks = next(feed)
        given, target = question(pictures[picks], masks[picks], settings.factor), pictures[picks]
        made = translate(network, given)
        terms = {"l1": l1(made, target)}
        loss = terms["l1"]
        if judge and adam_d:
            on_real = judge(torch.cat([given, target], 1))
            on_fake = judge(torch.cat([given, made.detach()], 1))
            terms["discriminator"] = gan_discriminator(on_real, on_fake, "lsgan")
            adam_d.zero_grad()
            terms["discriminator"].backward()
            adam_d.step()
            judge.requires_grad_(False)
            terms["generator"] = gan_generator(judge(torch.cat([given, made], 1)), "lsgan")
            judge.requires_grad_(True)
            loss = loss + settings.adversarial * terms["generator"]
        adam.zero_grad()
        loss.backward()
        adam.step()
        slower.step()
        history.losses.append({name: term.item() for name, term in terms.items()})
    network.eval()
    return history


def sharpness(pictures: Tensor, masks: Tensor) -> Tensor:
    """Mean size of the step from a pixel to the next, right and down, well inside the garment.

    Shape: (B, 3, H, W), (B, 1, H, W) -> (B,), in units of the pictures.
    """
    inside = 1 - F.max_pool2d(1 - (masks > 0.5).float(), 5, 1, 2)  # 2 px from the outline, which is given anyway
    right = pictures.diff(dim=3).abs().mean(1, keepdim=True)  # (B, 1, H, W - 1)
    down = pictures.diff(dim=2).abs().mean(1, keepdim=True)
    total = (right * inside[..., 1:]).sum((1, 2, 3)) + (down * inside[..., 1:, :]).sum((1, 2, 3))
    return total / (inside[..., 1:].sum((1, 2, 3)) + inside[..., 1:, :].sum((1, 2, 3))).clamp_min(1)


def error(pictures: Tensor, target: Tensor, masks: Tensor) -> Tensor:
    """Mean absolute difference inside the garment.   Shape: (B, 3, H, W) twice, (B, 1, H, W) -> (B,)."""
    return ((pictures - target).abs() * masks).sum((1, 2, 3)) / (3 * masks.sum((1, 2, 3))).clamp_min(1)


def receptive_field(network: nn.Module, channels: int, size: tuple[int, int]) -> tuple[int, int]:
    """How many rows and columns of pixels the middle output depends on, asked of autograd.

    Normalisation is passed over: it mixes all pixels a little.   Shape: (H, W) px -> (rows, columns) px.
    Raises: ValueError when the field reaches the picture's edge, so that it may be larger than seen.
    """
    bare = nn.Sequential(*[m for m in network.modules() if not list(m.children()) and "Norm" not in type(m).__name__])
    pixels = torch.zeros(1, channels, *size, requires_grad=True)
    out = bare(pixels)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    if pixels.grad is None:
        raise ValueError("found a network whose output does not depend on its input")
    touched = pixels.grad[0].abs().sum(0) > 0  # (H, W)
    rows, columns = touched.any(1), touched.any(0)
    if rows[0] or rows[-1] or columns[0] or columns[-1]:
        raise ValueError(f"the field reaches the edge of {size[0]} x {size[1]} px; give a larger picture")
    return int(rows.sum()), int(columns.sum())
