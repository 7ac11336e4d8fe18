"""Playing the game on points in the plane: several seeds side by side, with what each of them drew on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from mavton_lite.data.mixture import Coverage, Mixture, coverage
from mavton_lite.models.gan import GENERATOR_LOSSES, Player, discriminator_loss, generator_loss
from mavton_lite.threads import one_thread


@dataclass(frozen=True)
class GameSettings:
    """The rules of one game.

    Source: alternating Adam steps as in Goodfellow et al. 2014, algorithm 1, with k = 1 (there with plain gradients).
    """

    steps: int = 1000
    batch: int = 128
    rate_d: float = 4e-3  # learning rates
    rate_g: float = 1e-3
    loss: str = "non-saturating"
    noise: float = 0.0  # std of noise on everything the discriminator is shown, falling to 0 over the game
    penalty: float = 0.0  # gamma of the R1 penalty gamma/2 E |grad D(x)|^2 on real points (Mescheder et al. 2018)
    head_start: int = 0  # steps of the discriminator alone before the game begins
    optimiser: str = "adam"  # of the generator: "adam", or "sgd", the plain steps of theory; the discriminator has Adam
    latent: int = 2
    width: int = 64
    betas: tuple[float, float] = (0.5, 0.999)

    def __post_init__(self):
        if self.loss not in GENERATOR_LOSSES:
            raise ValueError(f"unknown generator loss {self.loss!r}; known: {', '.join(GENERATOR_LOSSES)}")
        if self.optimiser not in ("adam", "sgd"):
            raise ValueError(f"unknown optimiser {self.optimiser!r}; known: adam, sgd")


@dataclass(frozen=True)
class ToyBudget:
    """How long notebook 01 plays at one profile."""

    seeds: tuple[int, ...]
    steps: int  # of every game
    head_start: int
    fit_steps: int  # of a discriminator against a generator that never moves


TOY = {
    "smoke": ToyBudget((0, 1), 60, 60, 60),
    "lite": ToyBudget((0, 1, 2, 3, 4), 800, 300, 800),
    "paper": ToyBudget(tuple(range(10)), 3000, 300, 5000),
}

FAST_D = GameSettings()  # the discriminator is quick to answer: all modes
FAST_G = GameSettings(rate_d=FAST_D.rate_g, rate_g=FAST_D.rate_d)  # only the two rates swapped: modes get lost
RECIPES = {  # one change each from FAST_G
    "G four times as fast": FAST_G,
    "... saturating loss": replace(FAST_G, loss="saturating"),
    "... noise on what D sees": replace(FAST_G, noise=1.0),
    "... R1 penalty on D": replace(FAST_G, penalty=1.0),
    "... equal rates": replace(FAST_G, rate_d=2e-3, rate_g=2e-3),
    "D four times as fast": FAST_D,
}


@dataclass(frozen=True)
class Frame:
    """One moment of every game."""

    step: int
    samples: Tensor  # (games, n, 2), generated from noise that is the same in all frames
    field: Tensor  # (games, side * side), D at the points of `view(side)`
    belief: Tensor  # (games,), mean D of the samples
    pull: Tensor  # (games,), norm of the gradient that the generator's parameters get


@dataclass
class History:
    """What became of the games: losses a step, frames on the way, players at the end."""

    settings: GameSettings
    mixture: Mixture
    seeds: tuple[int, ...]
    generator: Player
    discriminator: Player
    losses: list[dict[str, list[float]]] = field(default_factory=list)  # a step: discriminator, generator, by game
    frames: list[Frame] = field(default_factory=list)

    def coverages(self, frame: int = -1) -> list[Coverage]:
        """Modes and quality of every game in that frame."""
        return [coverage(points, self.mixture) for points in self.frames[frame].samples]


HALF_VIEW = 3.2  # frames show D on [-3.2, 3.2]^2
SIDE = 48  # and at that many points a side


def view(side: int = SIDE) -> Tensor:
    """Where frames show D, row by row from the bottom left.   Shape: (side * side, 2)."""
    at = torch.linspace(-HALF_VIEW, HALF_VIEW, side)
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


class _Dice:
    """All that is random in the games, each game from its own seed: it never depends on the others."""

    def __init__(self, seeds: Sequence[int]):
        self.each = [torch.Generator().manual_seed(seed) for seed in seeds]

    def normal(self, *shape: int) -> Tensor:
        return torch.stack([torch.randn(*shape, generator=g) for g in self.each])

    def real(self, mixture: Mixture, n: int) -> Tensor:
        return torch.stack([mixture.sample(n, g) for g in self.each])


@one_thread()
def play(
    mixture: Mixture, settings: GameSettings, seeds: Sequence[int], frames: int = 2, samples: int = 1000
) -> History:
    """Play one game for every seed and keep evenly spaced frames, the first before and the last after the game.

    Raises: ValueError for fewer than two frames, or no seed.
    """
    if frames < 2 or not seeds:
        raise ValueError(f"play wants at least 2 frames and a seed, got {frames} frames and {len(seeds)} seeds")
    dice = _Dice(seeds)
    g = Player(settings.latent, 2, settings.width, dice.each)
    d = Player(2, 1, settings.width, dice.each, leak=0.2)
    history = History(settings, mixture, tuple(seeds), g, d)
    if settings.optimiser == "adam":
        steps_g: torch.optim.Optimizer = torch.optim.Adam(g.parameters(), settings.rate_g, settings.betas, fused=True)
    else:
        steps_g = torch.optim.SGD(g.parameters(), settings.rate_g)
    adam_d = torch.optim.Adam(d.parameters(), settings.rate_d, settings.betas, fused=True)
    shown = dice.normal(samples, settings.latent)  # (games, samples, latent)
    wanted = {round(i * settings.steps / (frames - 1)) for i in range(frames)}
    for _ in range(settings.head_start):
        _step_d(history, dice, adam_d, settings.noise)
    if 0 in wanted:
        history.frames.append(_look(history, shown, 0))
    for step in range(1, settings.steps + 1):
        noise = settings.noise * (1 - step / settings.steps)
        loss_d = _step_d(history, dice, adam_d, noise)
        loss_g = _step_g(history, dice, steps_g, noise)
        history.losses.append({"discriminator": loss_d.tolist(), "generator": loss_g.tolist()})
        if step in wanted:
            history.frames.append(_look(history, shown, step))
    return history


def _step_d(history: History, dice: _Dice, adam: torch.optim.Optimizer, noise: float) -> Tensor:
    """(2-2): the generator is fixed, the discriminator takes one step.   Returns the loss of each game."""
    settings, d = history.settings, history.discriminator
    with torch.no_grad():
        fake = history.generator(dice.normal(settings.batch, settings.latent))
    real = dice.real(history.mixture, settings.batch)
    if noise:
        real, fake = (x + noise * dice.normal(settings.batch, 2) for x in (real, fake))
    real.requires_grad_(settings.penalty > 0)
    on_real, on_fake = d(real), d(fake)
    losses = torch.stack([discriminator_loss(a, b) for a, b in zip(on_real, on_fake, strict=True)])  # (games,)
    total = losses.sum()  # the games share no parameter, so this is each game's own gradient
    if settings.penalty:
        (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
        total = total + settings.penalty / 2 * slope.square().sum(2).mean(1).sum()
    adam.zero_grad()
    total.backward()
    adam.step()
    return losses.detach()


def _step_g(history: History, dice: _Dice, optimiser: torch.optim.Optimizer, noise: float) -> Tensor:
    """(2-3) or its non-saturating form: the discriminator is fixed.   Returns the loss of each game."""
    settings = history.settings
    fake = history.generator(dice.normal(settings.batch, settings.latent))
    if noise:
        fake = fake + noise * dice.normal(settings.batch, 2)
    history.discriminator.requires_grad_(False)
    losses = torch.stack([generator_loss(a, settings.loss) for a in history.discriminator(fake)])
    optimiser.zero_grad()
    losses.sum().backward()
    history.discriminator.requires_grad_(True)
    optimiser.step()
    return losses.detach()


def _look(history: History, shown: Tensor, step: int) -> Frame:
    g, d = history.generator, history.discriminator
    logits = d(g(shown))
    losses = torch.stack([generator_loss(x, history.settings.loss) for x in logits])
    gradients = torch.autograd.grad(losses.sum(), list(g.parameters()))
    pull = torch.stack([p.flatten(1).square().sum(1) for p in gradients]).sum(0).sqrt()  # (games,)
    with torch.no_grad():
        field_ = torch.sigmoid(d(view().expand(len(history.seeds), -1, -1)))[..., 0]
        belief = torch.sigmoid(logits)[..., 0].mean(1)
        return Frame(step, g(shown), field_, belief, pull)


def fit_discriminator(
    p: Mixture, q: Mixture, steps: int, seed: int, batch: int = 256, rate: float = 5e-3, width: int = 128
) -> Iterator[tuple[int, Player]]:
    """Only (2-2): a generator that never moves has density q; yields (step, discriminator) before and after each step.

    The learning rate falls to zero along a cosine, so that the last steps average over the samples.
    """
    dice = _Dice((seed,))
    d = Player(2, 1, width, dice.each, leak=0.2)
    adam = torch.optim.Adam(d.parameters(), rate, (0.9, 0.999), fused=True)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, max(steps, 1))
    yield 0, d
    for step in range(1, steps + 1):
        with one_thread():
            loss = discriminator_loss(d(dice.real(p, batch)), d(dice.real(q, batch)))
            adam.zero_grad()
            loss.backward()
            adam.step()
        slower.step()
        yield step, d
