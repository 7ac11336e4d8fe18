"""The min-max game on points: equations (2-1) to (2-3) by hand, the optimum against integration, whole games."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy.integrate import dblquad
from torch import nn

from mavton_lite.data.mixture import Coverage, Grid, Mixture, coverage, jensen_shannon, ring, some_of
from mavton_lite.losses import gan_discriminator, gan_generator
from mavton_lite.models import gan
from mavton_lite.models.game import FAST_D, FAST_G, GameSettings, fit_discriminator, play, view

RING, GRID = ring(), Grid()
BLOB = Mixture(((0.0, 0.0),), 1.5)


def logits(*beliefs: float) -> torch.Tensor:
    return torch.logit(torch.tensor(beliefs))


# --- equations -------------------------------------------------------------------------------------------------------


def test_value_2_1_by_hand():
    """Thesis (2-1)."""
    by_hand = (math.log(0.9) + math.log(0.6)) / 2 + (math.log(0.8) + math.log(0.7) + math.log(0.5)) / 3
    assert gan.value(logits(0.9, 0.6), logits(0.2, 0.3, 0.5)).item() == pytest.approx(by_hand, abs=1e-6)
    assert gan.value(logits(0.5), logits(0.5)).item() == pytest.approx(-math.log(4)), "a discriminator that guesses"


def test_value_2_1_is_finite_where_the_discriminator_is_sure():
    assert gan.value(torch.tensor([-200.0]), torch.tensor([200.0])).item() == pytest.approx(-400)


def test_discriminator_step_2_2_is_the_package_loss_and_climbs():
    """Thesis (2-2)."""
    real, fake = logits(0.9, 0.6), logits(0.2, 0.3, 0.5)
    assert torch.isclose(gan.discriminator_loss(real, fake), 2 * gan_discriminator(real, fake, "bce")), "halved there"
    layer = nn.Linear(2, 1)
    x, y = torch.randn(64, 2) + 1, torch.randn(64, 2) - 1
    before = gan.value(layer(x), layer(y))
    gan.discriminator_loss(layer(x), layer(y)).backward()
    with torch.no_grad():
        for p in layer.parameters():
            p -= 0.01 * p.grad
    assert gan.value(layer(x), layer(y)) > before


def test_generator_step_2_3_by_hand_and_its_other_form():
    """Thesis (2-3)."""
    fake = logits(0.2, 0.5)
    assert gan.generator_loss(fake, "saturating").item() == pytest.approx((math.log(0.8) + math.log(0.5)) / 2)
    assert gan.generator_loss(fake).item() == pytest.approx(-(math.log(0.2) + math.log(0.5)) / 2)
    assert torch.isclose(gan.generator_loss(fake), gan_generator(fake, "bce"))
    with pytest.raises(ValueError, match="unknown generator loss 'hinge'; known: saturating, non-saturating"):
        gan.generator_loss(fake, "hinge")


@pytest.mark.parametrize("kind", gan.GENERATOR_LOSSES)
def test_slope_equals_autograd(kind):
    at = torch.linspace(-9, 9, 37, requires_grad=True)
    for x in at:  # one sample at a time: the loss is a mean
        gan.generator_loss(x[None], kind).backward()
    torch.testing.assert_close(at.grad.abs(), gan.generator_slope(torch.sigmoid(at.detach()), kind), atol=1e-6, rtol=0)
    assert (at.grad <= 0).all(), "both want the logit up"
    with pytest.raises(ValueError, match="unknown generator loss"):
        gan.generator_slope(at, "hinge")


# --- the optimum -----------------------------------------------------------------------------------------------------


def test_density_integrates_to_one_and_is_the_samples():
    assert GRID.integral(RING.log_density(GRID.points()).exp()) == pytest.approx(1, abs=1e-6)
    inside, _ = dblquad(lambda y, x: math.exp(RING.log_density(torch.tensor([x, y]))), 1.8, 2.1, -0.1, 0.1, epsabs=1e-6)
    points = RING.sample(40_000, torch.Generator().manual_seed(0))
    there = (points[:, 0] > 1.8) & (points[:, 0] < 2.1) & (points[:, 1].abs() < 0.1)
    assert there.float().mean().item() == pytest.approx(inside, abs=0.005)


@pytest.mark.parametrize(
    ("q", "wanted"),
    [
        (RING, 0.0),
        (Mixture(((6.0, 0.0),), 0.1), math.log(2)),
        # far apart modes: p = 1/8 each, q = 1/4 on half of them, so m = 3/16 there and 1/16 elsewhere
        (some_of(RING, (0, 1, 2, 3)), (0.5 * math.log(2 / 3) + 0.5 * math.log(2) + math.log(4 / 3)) / 2),
    ],
    ids=["equal", "disjoint", "half"],
)
def test_jensen_shannon_where_it_is_known(q, wanted):
    assert jensen_shannon(RING, q, GRID) == pytest.approx(wanted, abs=1e-4)


def test_optimal_discriminator_attains_the_bound_and_nothing_exceeds_it():
    x = GRID.points()
    best = gan.optimal_logit(RING, BLOB, x)
    bound = gan.best_value(jensen_shannon(RING, BLOB, GRID))
    assert gan.expected_value(best, RING, BLOB, GRID) == pytest.approx(bound, abs=1e-5)
    belief = RING.log_density(x).exp() / (RING.log_density(x).exp() + BLOB.log_density(x).exp())
    torch.testing.assert_close(torch.sigmoid(best), belief, atol=1e-5, rtol=0)
    dice = torch.Generator().manual_seed(0)
    for size in (0.01, 0.3, 3.0):
        other = best + size * torch.randn(best.shape, generator=dice)
        assert gan.expected_value(other, RING, BLOB, GRID) < bound


def test_expected_value_is_what_2_1_tends_to():
    dice = torch.Generator().manual_seed(1)
    real, fake = RING.sample(200_000, dice), BLOB.sample(200_000, dice)
    by_samples = gan.value(gan.optimal_logit(RING, BLOB, real), gan.optimal_logit(RING, BLOB, fake)).item()
    exact = gan.expected_value(gan.optimal_logit(RING, BLOB, GRID.points()), RING, BLOB, GRID)
    assert by_samples == pytest.approx(exact, abs=0.005)


def test_a_learned_discriminator_comes_near_the_bound_from_below():
    half = some_of(RING, (0, 1, 2, 3))
    bound = gan.best_value(jensen_shannon(RING, half, GRID))
    reached = {}
    for step, d in fit_discriminator(RING, half, 120, seed=0, batch=256):
        if step in (0, 120):
            with torch.no_grad():
                reached[step] = gan.expected_value(d(GRID.points()[None])[0, :, 0], RING, half, GRID)
    assert reached[0] < reached[120] <= bound
    assert reached[120] == pytest.approx(bound, abs=0.05)


# --- coverage --------------------------------------------------------------------------------------------------------


def test_coverage_of_known_samples():
    dice = torch.Generator().manual_seed(0)
    whole = coverage(RING.sample(4000, dice), RING)
    assert whole.modes == 8 and whole.quality == pytest.approx(1 - math.exp(-4.5), abs=0.01), "a round Gaussian's"
    three = coverage(some_of(RING, (0, 3, 5)).sample(1000, dice), RING)
    assert three.modes == 3 and three.quality > 0.97
    assert coverage(torch.zeros(100, 2), RING) == Coverage(0, 0.0), "the middle of the ring is no mode"
    rare = torch.cat([RING.where()[:1].repeat(995, 1), RING.where()[1:2].repeat(5, 1)])
    assert coverage(rare, RING) == Coverage(1, 1.0), "five samples in a thousand do not cover a mode"
    with pytest.raises(ValueError, match=r"wants samples \(n > 0, 2\), got \(0, 2\)"):
        coverage(torch.zeros(0, 2), RING)


def test_mixtures_refuse_nonsense():
    with pytest.raises(ValueError, match="got 0 centres"):
        Mixture((), 0.1)
    with pytest.raises(ValueError, match="std 0"):
        Mixture(((0.0, 0.0),), 0)
    with pytest.raises(ValueError, match=r"modes 0 to 7, got \[8\]"):
        some_of(RING, (0, 8))


# --- players and games -----------------------------------------------------------------------------------------------


def test_a_player_is_as_many_perceptrons_as_games():
    player = gan.Player(2, 1, 16, [torch.Generator().manual_seed(s) for s in (0, 1, 2)], leak=0.2)
    x = torch.randn(3, 5, 2)
    for game in range(3):
        one = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        ours = [m for m in player if isinstance(m, gan.Parallel)]
        with torch.no_grad():
            for mine, theirs in zip(ours, [m for m in one if isinstance(m, nn.Linear)], strict=True):
                theirs.weight.copy_(mine.weight[game].T)
                theirs.bias.copy_(mine.bias[game, 0])
        torch.testing.assert_close(one(x[game]), player(x)[game])
    with pytest.raises(ValueError, match=r"wanted \(3 games, B, 2\), got \(5, 2\)"):
        player(x[0])


def test_games_do_not_depend_on_each_other_and_repeat():
    settings = GameSettings(steps=5)
    together, again = (play(RING, settings, (3, 4)) for _ in range(2))
    assert torch.equal(together.frames[-1].samples, again.frames[-1].samples), "the same seeds, the same game"
    alone = play(RING, settings, (4,))
    torch.testing.assert_close(alone.frames[-1].samples[0], together.frames[-1].samples[1], atol=1e-4, rtol=1e-3)
    assert not torch.allclose(together.frames[-1].samples[0], together.frames[-1].samples[1], atol=1e-2)


def test_frames_are_evenly_spaced_and_hold_what_they_say():
    history = play(RING, GameSettings(steps=8), (0, 1), frames=5, samples=50)
    assert [f.step for f in history.frames] == [0, 2, 4, 6, 8] and len(history.losses) == 8
    last = history.frames[-1]
    assert last.samples.shape == (2, 50, 2) and last.field.shape == (2, len(view()))
    with torch.no_grad():
        field = torch.sigmoid(history.discriminator(view().expand(2, -1, -1)))[..., 0]
        belief = torch.sigmoid(history.discriminator(last.samples)).mean((1, 2))
    torch.testing.assert_close(field, last.field)
    torch.testing.assert_close(belief, last.belief)
    with pytest.raises(ValueError, match="at least 2 frames and a seed, got 1 frames"):
        play(RING, FAST_D, (0,), frames=1)


def test_settings_say_what_is_known():
    with pytest.raises(ValueError, match="unknown generator loss 'hinge'"):
        GameSettings(loss="hinge")
    with pytest.raises(ValueError, match="unknown optimiser 'lion'; known: adam, sgd"):
        GameSettings(optimiser="lion")


@pytest.mark.parametrize("change", [{"noise": 0.5}, {"penalty": 1.0}, {"optimiser": "sgd"}, {"head_start": 3}])
def test_every_rule_changes_the_game(change):
    plain, other = (play(RING, GameSettings(steps=4, **c), (0,)) for c in ({}, change))
    assert not torch.equal(plain.frames[-1].samples, other.frames[-1].samples)
    assert other.frames[-1].samples.isfinite().all()


def test_a_saturated_generator_feels_no_pull():
    pulls = {}
    for kind in gan.GENERATOR_LOSSES:
        history = play(RING, GameSettings(steps=1, head_start=150, loss=kind), (0, 1))
        assert (history.frames[0].belief < 0.02).all(), "the discriminator is sure"
        pulls[kind] = history.frames[0].pull
    assert (pulls["non-saturating"] > 20 * pulls["saturating"]).all()


def test_collapse_and_its_cure():
    """Only the two learning rates are swapped."""
    kept, lost = (play(RING, replace(rules, steps=600), (0, 1, 2)).coverages() for rules in (FAST_D, FAST_G))
    assert [c.modes for c in kept] == [8, 8, 8], "every seed finds every mode"
    assert max(c.modes for c in lost) <= 6 and sum(c.modes for c in lost) < 12
