"""Notebooks 01 and 02: pictures' players, the judge, translation, figures, playback and exercises."""

from __future__ import annotations

import math
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.image.kid import poly_mmd

from mavton_lite import answers_gan
from mavton_lite.data.mixture import ring
from mavton_lite.exercise import check
from mavton_lite.judge import Judge, feature_distance, fit_judge, verdicts
from mavton_lite.models.dcgan import DCDiscriminator, DCGenerator
from mavton_lite.models.game import RECIPES, TOY, GameSettings, play
from mavton_lite.models.patchgan import PatchGAN
from mavton_lite.picture_game import PICTURES, PictureSettings, draw, play_pictures, right, wilson
from mavton_lite.plots import gan as plots
from mavton_lite.plots import picture_gan, retail, style, timeline
from mavton_lite.plots.gan_structure import gan_structure, layers
from mavton_lite.studio.game import CENTRE, Moment, watch
from mavton_lite.studio.widgets import game_playback
from mavton_lite.translation import (
    TranslateSettings,
    coarse,
    error,
    question,
    receptive_field,
    sharpness,
    train_translation,
    translate,
)


@pytest.fixture(scope="module")
def game():
    return play(ring(), GameSettings(steps=4), (0, 1), frames=3, samples=200)


def discs(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of two kinds that a judge can learn in a moment: a red or a blue square, its shade at random."""
    dice = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    pictures = torch.ones(n, 3, 16, 16)
    shade = torch.rand(n, 1, 1, generator=dice) - 0.9
    pictures[:, 1, 4:12, 4:12] = shade
    for kind, channel in ((0, 2), (1, 0)):
        pictures[labels == kind, channel, 4:12, 4:12] = shade[labels == kind]
    return pictures, labels


# --- DCGAN -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [0, 5])
def test_dcgan_shapes(classes):
    labels = torch.tensor([0, 4]) if classes else None
    g, d = DCGenerator(8, 4, (32, 24), classes), DCDiscriminator(4, (32, 24), classes)
    made = g(torch.randn(2, 8), labels)
    assert made.shape == (2, 3, 32, 24) and made.abs().max() <= 1
    assert d(made, labels).shape == (2, 1)


def test_dcgan_condition_changes_both_players():
    g, d = DCGenerator(8, 4, classes=3).eval(), DCDiscriminator(4, classes=3).eval()
    z = torch.randn(1, 8).repeat(3, 1)
    made = g(z, torch.arange(3))
    assert not torch.allclose(made[0], made[1]) and not torch.allclose(made[1], made[2])
    assert d(made[:1].repeat(3, 1, 1, 1), torch.arange(3)).unique().numel() == 3


def test_dcgan_refuses_what_it_cannot_take():
    with pytest.raises(ValueError, match="divisible by 8, got 30 x 24"):
        DCGenerator(8, 4, (30, 24))
    with pytest.raises(ValueError, match=r"wanted \(2,\) labels below 3, got none"):
        DCGenerator(8, 4, classes=3)(torch.randn(2, 8))
    with pytest.raises(ValueError, match=r"wanted no labels, got labels of shape \(2,\)"):
        DCDiscriminator(4)(torch.zeros(2, 3, 32, 24), torch.zeros(2).long())
    with pytest.raises(ValueError, match=r"wanted \(B, 3, 32, 24\), got \(2, 3, 24, 32\)"):
        DCDiscriminator(4)(torch.zeros(2, 3, 24, 32))


@pytest.mark.parametrize("loss", ["bce", "lsgan"])
def test_training_moves_the_pictures_towards_the_data_and_repeats(loss):
    pictures, _ = discs(32)
    settings = PictureSettings(steps=80, batch=16, rate=2e-3, loss=loss, width=8, latent=4, average=0.5)
    history = play_pictures(pictures, settings, 0, frames=3)
    assert [step for step, _ in history.frames] == [0, 40, 80] and len(history.losses) == 80
    mean = pictures.mean(0)
    start, end = ((frame - mean).abs().mean().item() for frame in (history.frames[0][1], history.frames[-1][1]))
    assert end < 0.75 * start, "generated pictures come nearer to the data's mean"
    again = play_pictures(pictures, settings, 0, frames=3)
    assert torch.equal(history.frames[-1][1], again.frames[-1][1])


def test_a_conditional_gan_obeys_a_judge():
    pictures, labels = discs(64)
    judge = fit_judge(pictures, labels, 2, 30, 0)
    other, wanted = discs(40, seed=1)
    assert (verdicts(judge, other) == wanted).float().mean() > 0.95
    history = play_pictures(pictures, PictureSettings(steps=120, batch=16, rate=2e-3, width=8, latent=4, average=0.8),
                            0, labels)  # fmt: skip
    asked = torch.arange(40) % 2
    made = draw(history.generator, torch.randn(40, 4, generator=torch.Generator().manual_seed(3)), asked)
    assert (verdicts(judge, made) == asked).float().mean() > 0.9
    with pytest.raises(ValueError, match=r"one label a picture, got \(3,\) for 64 pictures"):
        play_pictures(pictures, PictureSettings(), 0, labels[:3])
    with pytest.raises(ValueError, match="unknown gan loss 'hinge'"):
        PictureSettings(loss="hinge")


def test_right_counts_both_kinds_of_mistake():
    real, fake = torch.tensor([0.9, 0.4]), torch.tensor([0.1, 0.2])
    assert right(real, fake, "lsgan") == 0.75
    assert right(real, fake, "bce") == 0.5, "logits above zero say real"


def test_wilson_by_hand():
    low, high = wilson(0.5, 100)
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(1.0, 50)[1] == pytest.approx(1) and wilson(1.0, 50)[0] < 0.95
    with pytest.raises(ValueError, match="at least one trial"):
        wilson(0.5, 0)


def test_feature_distance_tells_equal_from_different():
    torch.manual_seed(0)
    judge = Judge(2).eval()
    a, _ = discs(60)
    b, _ = discs(60, seed=2)
    judge(a[:2])
    same, different = feature_distance(judge, a, b), feature_distance(judge, a.flip(1).roll(4, 3) * 0.3, b)
    assert abs(same) < 0.2 * different
    features = [judge.seen(x) / judge.seen(b).std(0).clamp_min(1e-6) for x in (a, b)]
    assert same == pytest.approx(float(poly_mmd(*features)))


# --- picture to picture ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layers_", "field"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_receptive_field_of_patchgan(layers_, field):
    side = field + 40
    assert receptive_field(PatchGAN(7, 2, layers_), 7, (side, side)) == (field, field)
    assert answers_gan.field_of([(4, 2)] * layers_ + [(4, 1)] * 2) == field
    with pytest.raises(ValueError, match="the field reaches the edge"):
        receptive_field(PatchGAN(7, 2, layers_), 7, (field, field))


def test_coarse_is_the_mean_of_blocks():
    pictures = torch.arange(48.0).view(1, 3, 4, 4)
    made = coarse(pictures, 2)
    assert made.shape == pictures.shape and torch.equal(made[0, 0, :2, :2], torch.full((2, 2), 2.5))
    assert torch.equal(coarse(made, 2), made)
    with pytest.raises(ValueError, match="divisible by 3"):
        coarse(pictures, 3)


def test_sharpness_and_error_by_hand():
    stripes = torch.tensor([-1.0, 1.0]).repeat(6).expand(1, 3, 12, 12)
    mask = torch.ones(1, 1, 12, 12)
    assert sharpness(stripes, mask).item() == pytest.approx(1.0), "every step right is 2, every step down 0"
    assert sharpness(torch.zeros(1, 3, 12, 12), mask).item() == 0
    half = mask.clone()
    half[..., 6:] = 0
    assert error(stripes, torch.ones_like(stripes), half).item() == pytest.approx(1.0)
    assert error(stripes, stripes, mask).item() == 0


def test_translation_learns_and_both_kinds_begin_alike():
    pictures, _ = discs(32)
    masks = (pictures.min(1, keepdim=True).values < 1).float()
    histories = {a: train_translation(pictures, masks, TranslateSettings(steps=25, batch=8, adversarial=a), 0)
                 for a in (0.0, 0.2)}  # fmt: skip
    for history in histories.values():
        assert history.losses[-1]["l1"] < 0.6 * history.losses[0]["l1"]
    assert histories[0.0].losses[0]["l1"] == histories[0.2].losses[0]["l1"]
    assert histories[0.0].discriminator is None
    assert set(histories[0.2].losses[0]) == {"l1", "discriminator", "generator"}
    given = question(pictures[:2], masks[:2], 4)
    made = translate(histories[0.2].network, given)
    assert made.shape == (2, 3, 16, 16) and torch.equal(made[..., 0, 0], torch.ones(2, 3)), "white outside the outline"


# --- figures and widgets ---------------------------------------------------------------------------------------------


def test_figures_are_drawn(game, tmp_path):
    style.use()
    recipes = {name: game for name in RECIPES}
    runs = {"saturating": game, "non-saturating": game}
    beliefs = torch.rand(9)
    figures = {
        "2-1": gan_structure(game),
        "2-2": timeline.timeline(),
        "1-1": retail.online_retail(),
        "strip": plots.strip({"a game": game}, (0, 2)),
        "recipes": plots.recipes(recipes),
        "stuck": plots.stuck(runs),
        "slopes": plots.slopes({"saturating": (beliefs, beliefs)}),
        "values": plots.values({"blob": [(0, -1.4), (5, -0.5)]}, {"blob": -0.2}),
        "optimum": plots.optimum(ring(), ring(), [game.frames[0].field[0]], ["learned"]),
    }
    for name, figure in figures.items():
        assert style.save(figure, tmp_path / f"{name}.png", dpi=40).stat().st_size > 1000, name


def test_figure_2_1_takes_its_shapes_from_the_module(game):
    texts = " ".join(t.get_text() for t in gan_structure(game).axes[0].texts)
    count = sum(p.numel() for p in game.generator.parameters()) // 2
    assert f"{count:,} parameters" in texts and "linear 64 → 1, LeakyReLU" not in texts
    wide = play(ring(), GameSettings(steps=1, width=24, latent=3), (0,))
    texts = " ".join(t.get_text() for t in gan_structure(wide).axes[0].texts)
    assert "linear 3 → 24, ReLU" in texts and "linear 24 → 1, sigmoid" in texts
    assert layers(wide.discriminator, torch.zeros(1, 1, 2))[0] == "linear 2 → 24, LeakyReLU"


def test_online_retail_is_the_thesis_number_and_marks_what_is_not_confirmed():
    table = retail.sources()
    assert list(table["year"]) == list(range(2012, 2022))
    last = table.iloc[-1]
    assert round(float(last["trillion yuan"]), 2) == 13.09 and last["growth, %"] == "14.1"
    assert table["read at"].str.len().min() > 0
    assert list(table[table["not confirmed"] != ""]["year"]) == [2012, 2018]
    for before, after in zip(retail.ONLINE_RETAIL, retail.ONLINE_RETAIL[1:], strict=False):
        ratio = 100 * (after.trillion_yuan / before.trillion_yuan - 1)
        assert ratio > 0 and abs(ratio - after.growth_percent) < 15, "growth is on a comparable basis, not far off"
    stars = [t.get_text() for t in retail.online_retail().axes[1].texts if t.get_text().endswith(" *")]
    assert stars == ["1.31 *", "9.01 *"]


def test_the_timeline_says_where_each_place_was_read_and_marks_what_is_not_confirmed():
    table = timeline.sources()
    assert len(table) == len(timeline.WORKS) and table["read at"].str.len().min() > 0
    assert list(table["year"]) == sorted(table["year"])
    doubtful = set(table[table["not confirmed"] != ""]["work"])
    assert doubtful == {"LSGAN", "progressive growing", "VITON (no GAN)", "BigGAN", "StyleGAN2"}
    texts = [t.get_text() for t in timeline.timeline().axes[0].texts]
    names = {texts[i - 1] for i, text in enumerate(texts) if text.endswith(" *")}
    assert names == doubtful and any(text.startswith("* not read") for text in texts)
    sure = timeline.timeline(tuple(w for w in timeline.WORKS if not w.unconfirmed))
    assert not any("*" in t.get_text() for t in sure.axes[0].texts)


def test_timeline_refuses_unknown_lanes():
    with pytest.raises(ValueError, match="elsewhere: .'X'"):
        timeline.timeline((timeline.Work(2014, "X", "Y", "music", "nowhere"),))
    with pytest.raises(ValueError, match="no works"):
        timeline.timeline(())


def test_pictures_of_the_second_notebook_are_drawn(tmp_path):
    pictures, _ = discs(16)
    histories = {kind: play_pictures(pictures, PictureSettings(steps=3, batch=8, loss=kind, width=4), 0, frames=2)
                 for kind in ("bce", "lsgan")}  # fmt: skip
    named = [("real", pictures[0]), ("made", pictures[1])]
    answers = [torch.rand(1, 5, 4) for _ in named]
    marks = {"a": [True, False, True]}
    figures = (
        picture_gan.rows({"a": pictures[:3], "b": pictures[3:6]}, marks),
        picture_gan.fates(histories),
        picture_gan.patch_answers(named, answers),
        picture_gan.sheet(pictures, 8),
    )
    for i, figure in enumerate(figures):
        assert style.save(figure, tmp_path / f"{i}.png", dpi=40).stat().st_size > 500
    with pytest.raises(ValueError, match=r"equally many pictures in every row, got \[2, 3\]"):
        picture_gan.rows({"a": pictures[:3], "b": pictures[:2]})
    assert picture_gan.guess("bce", "discriminator") == pytest.approx(math.log(2))
    assert picture_gan.guess("lsgan", "discriminator") == 0.25


def test_watch_shows_points_modes_and_belief(game):
    games = {"one": game}
    views = [watch(Moment("one", seed, frame), games, 96) for seed, frame in ((0, 0), (1, 0), (0, 2))]
    assert views[0].shape == (96, 96, 3) and views[0].dtype == np.uint8
    assert len({v.tobytes() for v in views}) == 3
    ringed = (np.abs(views[0] / 255 - CENTRE).max(-1) < 0.01).sum()
    assert ringed > 50, "the modes are ringed"
    at = torch.tensor([[[2.0, 2.0]]]).repeat(2, 1, 1)  # up and to the right
    moved = replace(game, frames=[replace(game.frames[0], samples=at)])
    dark = np.argwhere(watch(Moment("one"), {"one": moved}, 96).sum(2) < 150)
    assert len(dark) and dark[:, 0].max() < 48 < dark[:, 1].min(), "large y is up"
    for moment in (Moment("two"), Moment("one", 5), Moment("one", 0, 9)):
        with pytest.raises(ValueError, match="recorded|frames of 2 seeds"):
            watch(moment, games)


def test_playback_redraws_and_degrades_to_a_picture(game):
    widget = game_playback({"one": game, "two": game}, frame=1)
    assert isinstance(widget.children[0], ipywidgets.Play)
    before = widget.image.value
    widget.controls["frame"].value = 0
    assert widget.image.value != before
    before = widget.image.value
    widget.controls["seed"].set_state({"value": 1})  # the path a browser's message takes
    assert widget.image.value != before
    bundle = widget._repr_mimebundle_()
    bundle = bundle if isinstance(bundle, dict) else bundle[0]
    assert bundle["image/png"] and "run this cell" in bundle["text/plain"]


def test_budgets_name_every_profile():
    assert set(TOY) == set(PICTURES) == {"smoke", "lite", "paper"}
    assert len(TOY["lite"].seeds) >= 3


# --- exercises -------------------------------------------------------------------------------------------------------


def log_value(real, fake):
    return real.log().mean() + (1 - fake).log().mean()


def by_loop(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


RIGHT = {
    "value": (log_value, answers_gan.value_cases),
    "belief": (lambda p, q, s: 1 / (1 + (1 - s) * q / (s * p)), answers_gan.belief_cases),
    "collapse": (
        lambda k, n: k / n * math.log((1 / n) / (1 / n + 1 / k)) + math.log((1 / k) / (1 / n + 1 / k)),
        answers_gan.collapse_cases,
    ),
    "condition": (
        lambda z, y, c: torch.cat([z, nn.functional.one_hot(y, c).float()], 1),
        answers_gan.conditional_cases,
    ),
    "field": (by_loop, answers_gan.field_cases),
    "lsgan": (lambda p, q: p / (p + q), answers_gan.lsgan_cases),
}
WRONG = {
    "value": {
        "sums": lambda r, f: r.log().sum() + (1 - f).log().sum(),
        "sign": lambda r, f: -log_value(r, f),
        "D of fakes": lambda r, f: r.log().mean() + f.log().mean(),
        "base 2": lambda r, f: r.log2().mean() + (1 - f).log2().mean(),
    },
    "belief": {
        "even shares": lambda p, q, s: p / (p + q),
        "shares swapped": lambda p, q, s: (1 - s) * p / ((1 - s) * p + s * q),
        "ratio": lambda p, q, s: s * p / ((1 - s) * q),
    },
    "collapse": {
        "always -log 4": lambda k, n: -math.log(4),
        "log 2 apart": lambda k, n: -math.log(4) + 2 * math.log(2) * (1 - k / n),
        "only the real half": lambda k, n: k / n * math.log(k / (k + n)),
    },
    "condition": {
        "number": lambda z, y, c: torch.cat([z, y[:, None].float()], 1),
        "before": lambda z, y, c: torch.cat([nn.functional.one_hot(y, c).float(), z], 1),
        "forgotten": lambda z, y, c: z,
    },
    "field": {
        "no strides": lambda layers: 1 + sum(k - 1 for k, _ in layers),
        "backwards": lambda layers: by_loop(layers[::-1]),
        "kernels": lambda layers: sum(k for k, _ in layers),
    },
    "lsgan": {
        "half": lambda p, q: torch.full_like(p, 0.5),
        "ratio": lambda p, q: p / q,
        "real only": lambda p, q: torch.ones_like(p),
    },
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_are_accepted(name, capsys):
    function, cases = RIGHT[name]
    assert check(function, cases()) and "✓ right" in capsys.readouterr().out
    assert not check(lambda *_: None, cases()) and "not yet" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "mistake"), [(n, m) for n, wrong in WRONG.items() for m in wrong])
def test_listed_mistakes_are_rejected(name, mistake, capsys):
    assert not check(WRONG[name][mistake], RIGHT[name][1]())
    assert "✗ not right" in capsys.readouterr().out
