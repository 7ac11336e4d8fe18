"""The game on pictures: training a DCGAN, with what it drew on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mavton_lite.losses import gan_discriminator, gan_generator
from mavton_lite.models.dcgan import DCDiscriminator, DCGenerator
from mavton_lite.threads import one_thread


@dataclass(frozen=True)
class PictureSettings:
    """One training.   Source: Radford et al. 2016: Adam(0.5, 0.999) at 2e-4, with width 128.

    Differs: five times the rate, because the training is short.
    """

    steps: int = 500
    batch: int = 32
    rate: float = 1e-3
    loss: str = "bce"  # or "lsgan", as in `losses.gan_discriminator`
    latent: int = 32
    width: int = 24
    average: float = 0.95  # of the generator's weights: what is shown is a moving average over the last steps

    def __post_init__(self):
        if self.loss not in ("bce", "lsgan"):
            raise ValueError(f"unknown gan loss {self.loss!r}; known: bce, lsgan")


@dataclass(frozen=True)
class PictureBudget:
    """How many garments notebook 02 draws at one profile, and how long it trains."""

    n_train: int
    n_test: int
    steps: int  # of a DCGAN
    conditional: int  # of a conditional one
    judge: int
    translation: int
    drawn: tuple[int, int] = (48, 36)  # the size at which garments are drawn ...
    shown: tuple[int, int] = (32, 24)  # ... and shown to the networks


PICTURES = {
    "smoke": PictureBudget(64, 48, steps=10, conditional=10, judge=12, translation=8),
    "lite": PictureBudget(800, 400, steps=400, conditional=500, judge=200, translation=300),
    "paper": PictureBudget(8000, 1000, steps=20_000, conditional=20_000, judge=2000, translation=10_000),
}


@dataclass
class PictureHistory:
    """What became of the game."""

    settings: PictureSettings
    generator: torch.nn.Module  # the averaged one, in evaluation mode
    discriminator: DCDiscriminator
    losses: list[dict[str, float]] = field(default_factory=list)  # a step: discriminator, generator, right
    frames: list[tuple[int, Tensor]] = field(default_factory=list)  # step, pictures of the same noise (n, 3, H, W)


def batches(count: int, batch: int, generator: torch.Generator):
    """Indices for ever, each picture once an epoch.   Shape: yields (batch,) int64."""
    while True:
        order = torch.randperm(count, generator=generator)
        yield from order[: count - count % batch].view(-1, batch) if count >= batch else [order]


@one_thread()
def play_pictures(
    pictures: Tensor,
    settings: PictureSettings,
    seed: int,
    labels: Tensor | None = None,
    classes: int = 0,
    frames: int = 6,
    shown: int = 8,
) -> PictureHistory:
    """Train a DCGAN, conditional when there are labels; half of the pictures are shown mirrored.

    `classes` may be more than the labels at hand name; left out, it is what they name.
    Shape: (N, 3, H, W) in [-1, 1], labels (N,) int64.   Raises: ValueError when labels do not fit the pictures.
    """
    if labels is not None and labels.shape != (len(pictures),):
        raise ValueError(f"wanted one label a picture, got {tuple(labels.shape)} for {len(pictures)} pictures")
    dice = torch.Generator().manual_seed(seed)
    classes = 0 if labels is None else classes or int(labels.max()) + 1
    size = (pictures.shape[2], pictures.shape[3])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        g = DCGenerator(settings.latent, settings.width, size, classes)
        d = DCDiscriminator(settings.width, size, classes)
    average = torch.optim.swa_utils.AveragedModel(
        g, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.average), use_buffers=True
    )
    adam = {n: torch.optim.Adam(n.parameters(), settings.rate, (0.5, 0.999), fused=True) for n in (g, d)}
    noise = torch.randn(shown, settings.latent, generator=dice)
    wanted = None if labels is None else torch.arange(shown) % classes
    history = PictureHistory(settings, average.eval(), d)
    when = {round(i * settings.steps / (frames - 1)) for i in range(frames)}
    feed = batches(len(pictures), settings.batch, dice)
    for step in range(settings.steps + 1):
        if step in when:
            history.frames.append((step, draw(average, noise, wanted)))
        if step == settings.steps:
            break
        picks = next(feed)
        real, label = pictures[picks], None if labels is None else labels[picks]
        real = torch.where(torch.rand(len(real), 1, 1, 1, generator=dice) < 0.5, real, real.flip(3))
        fake = g(torch.randn(len(real), settings.latent, generator=dice), label)
        on_real, on_fake = d(real, label), d(fake.detach(), label)
        loss_d = gan_discriminator(on_real, on_fake, settings.loss)
        _step(adam[d], loss_d)
        d.requires_grad_(False)
        loss_g = gan_generator(d(fake, label), settings.loss)
        _step(adam[g], loss_g)
        d.requires_grad_(True)
        average.update_parameters(g)
        history.losses.append({"discriminator": loss_d.item(), "generator": loss_g.item(),
                               "right": right(on_real, on_fake, settings.loss)})  # fmt: skip
    return history


def _step(adam: torch.optim.Optimizer, loss: Tensor) -> None:
    adam.zero_grad()
    loss.backward()
    adam.step()


def right(real: Tensor, fake: Tensor, loss: str) -> float:
    """Share of a batch that the discriminator gets right: one half is guessing.   Shape: logits -> in [0, 1]."""
    middle = 0.5 if loss == "lsgan" else 0.0  # LSGAN wants 1 and 0, cross entropy the sign
    return float(((real > middle).float().mean() + (fake < middle).float().mean()) / 2)


def draw(generator: torch.nn.Module, noise: Tensor, labels: Tensor | None = None, batch: int = 256) -> Tensor:
    """Pictures of a generator, nothing recorded.   Shape: (n, latent), (n,) -> (n, 3, H, W) in [-1, 1]."""
    with torch.no_grad():
        parts = noise.split(batch)
        conditions = [()] * len(parts) if labels is None else [(part,) for part in labels.split(batch)]
        return torch.cat([generator(z, *label) for z, label in zip(parts, conditions, strict=True)])


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of n trials.   Source: Wilson 1927.   Raises: ValueError for n < 1."""
    if n < 1:
        raise ValueError(f"a share wants at least one trial, got {n}")
    z = 1.959964
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return centre - half, centre + half
