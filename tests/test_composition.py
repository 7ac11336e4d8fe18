"""Mixing cloth and painting: the best mask, where a mask errs, the mixing desk, the study of losses, exercises."""

import dataclasses

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from mavton_lite import answers_tom as answers
from mavton_lite import tom_study
from mavton_lite.cases import SIX, one_each, six_cases
from mavton_lite.config import SMOKE
from mavton_lite.data import collate, open_dataset
from mavton_lite.exercise import check
from mavton_lite.metrics.composition import best_mask, by_place, mixtures, places
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.cpvton import TryOn
from mavton_lite.models.gmm import Warp
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.plots import tom as plots
from mavton_lite.studio.composition import PUSHES, Layers, Mix, cost, costs, mix, pushed
from mavton_lite.studio.widgets import mixing_desk

ARM, GARMENT, HAIR, TROUSERS = 14, 5, 2, 9


def pictures(count=3, size=(6, 4), seed=0):
    dice = torch.Generator().manual_seed(seed)
    return [torch.rand(2, 3, *size, generator=dice) * 2 - 1 for _ in range(count)]


# --- the best mask


def test_no_other_mask_comes_nearer_to_the_truth():
    cloth, painted, truth = pictures()
    best = best_mask(cloth, painted, truth)

    def error(mask):
        return (torch.lerp(painted, cloth, mask) - truth).square().sum(1, keepdim=True)

    tried = torch.stack([error(torch.full_like(best, m)) for m in np.linspace(0, 1, 201)])  # (201, B, 1, H, W)
    assert (error(best) <= tried.amin(0) + 1e-6).all() and (tried.amin(0) - error(best)).max() < 1e-2
    assert ((best == 0) | (best == 1)).any() and ((best > 0) & (best < 1)).any()


def test_the_best_mask_finds_a_mixture_again_and_has_no_opinion_where_it_cannot_matter():
    cloth, painted, _ = pictures()
    share = torch.rand(2, 1, 6, 4)
    assert torch.allclose(best_mask(cloth, painted, torch.lerp(painted, cloth, share)), share, atol=1e-4)
    assert (best_mask(cloth, cloth, painted) == 0).all()
    with pytest.raises(ValueError, match=r"three pictures of one shape, got \(2, 3, 6, 4\), \(1, 3, 6, 4\)"):
        best_mask(cloth, painted[:1], cloth)


# --- where the mask is right


def strip_of(*pixels):
    return torch.tensor(pixels)[None, None]  # (1, 1, W)


def test_places_by_hand():
    """One row of pixels, each another case."""
    old = strip_of(GARMENT, ARM, 0, GARMENT, GARMENT, GARMENT, GARMENT, 0)
    new = strip_of(GARMENT, GARMENT, GARMENT, GARMENT, ARM, HAIR, ARM, TROUSERS)
    laid = strip_of(1.0, 1, 1, 0, 1, 1, 0, 1)[None]
    found = places(laid, old, new)
    assert {name: here.flatten().nonzero().flatten().tolist() for name, here in found.items()} == {
        "garment stays garment": [0],
        "skin to be covered": [1],
        "other to be covered": [2],
        "missed by the warp": [3],
        "arm or neck over the cloth": [4],
        "hair over the cloth": [5],
        "skin to be bared": [6],
        "covered by mistake": [7],
    }
    assert torch.stack(list(found.values())).sum(0).max() == 1, "no pixel is of two kinds"

    mask = strip_of(1.0, 1, 1, 0, 0, 0, 0, 0)[None]
    white, black = torch.ones(1, 3, 1, 8), -torch.ones(1, 3, 1, 8)
    warp, tryon = Warp(white, laid, None, None), TryOn(torch.lerp(black, white, mask), black, mask)
    truth = {"truth_image": torch.lerp(black, white, mask), "parse": old, "truth_parse": new}
    table = by_place(warp, tryon, truth).set_index("place")
    assert (table["mask"] == table["wanted"]).all() and (table["try-on"] == 0).all()
    assert np.allclose(table["share"], 1 / 8)
    assert table.loc["skin to be covered", "painting"] == 1 and table.loc["hair over the cloth", "cloth"] == 1


def test_mixtures_are_ordered_as_they_must_be():
    cloth, painted, truth = pictures(size=(16, 12))
    parse = torch.full((2, 16, 12), GARMENT)
    mask = torch.full((2, 1, 16, 12), 0.4)
    batch = {"truth_image": truth, "parse": parse, "truth_parse": parse}
    tryon = TryOn(torch.lerp(painted, cloth, mask), painted, mask)
    table = mixtures(Warp(cloth, torch.ones_like(mask), None, None), tryon, batch, (5, 6, 7)).set_index("mask")
    expected = {"0: the painting alone": painted, "the warped cloth's own": cloth, "the network's": tryon.image}
    for name, made in expected.items():
        assert table.loc[name, "mean error"] == pytest.approx((made - truth).abs().mean().item() / 2, abs=1e-5)
    assert table["mean error"].idxmin() == "the best there is"


# --- the mixing desk


@pytest.fixture
def layers():
    cloth, painted, truth = pictures(size=(32, 24))
    mask = torch.rand(2, 1, 32, 24)
    return Layers(cloth, painted, mask, truth, torch.ones(2, 1, 32, 24, dtype=torch.bool))


def test_a_push_goes_from_the_painting_to_the_cloth(layers):
    for edge in ("soft", "hard"):
        assert (pushed(layers.mask, -1, edge) == 0).all() and (pushed(layers.mask, 1, edge) == 1).all()
        steps = torch.stack([pushed(layers.mask, float(p), edge) for p in PUSHES])
        assert (steps.diff(dim=0) >= 0).all(), "never back"
    assert torch.equal(pushed(layers.mask, 0), layers.mask)
    assert torch.equal(pushed(layers.mask, 0, "hard"), (layers.mask >= 0.5).float())
    by_hand = (layers.rendered - layers.truth).abs().mean((1, 2, 3)) / 2
    assert torch.allclose(cost(layers, -1, "soft"), by_hand, atol=1e-6)
    with pytest.raises(ValueError, match="push from -1 to 1 and an edge of soft, hard, got 2 and 'soft'"):
        pushed(layers.mask, 2)


def test_the_desk_draws_what_it_is_told(layers):
    known = costs(layers)
    assert {k: v.shape for k, v in known.items()} == {"soft": (2, 21), "hard": (2, 21)}
    assert known["soft"][1, 10] == cost(layers, 0, "soft")[1]
    shown = mix(Mix(1, 0.4, "hard"), layers, known, height=64)
    assert shown.dtype == np.uint8 and shown.shape == (96, 5 * 48 + 4 * 2, 3)
    assert np.array_equal(shown, mix(Mix(1, 0.4, "hard"), layers, height=64)), "the curves at hand are those drawn"
    pictures_at = [mix(Mix(1, p, "soft"), layers, known, height=64)[:64, 3 * 50 : 3 * 50 + 48] for p in (-1, 1)]
    plain = [mix(Mix(1, 0.0), layers, known, height=64)[:64, k * 50 : k * 50 + 48] for k in (0, 1)]
    assert all(np.array_equal(a, b) for a, b in zip(pictures_at, plain, strict=True)), "its ends are painting and cloth"
    with pytest.raises(ValueError, match="no example 2; there are 2"):
        mix(Mix(2), layers)


def test_the_widget_redraws_and_keeps_a_still_picture(layers):
    desk = mixing_desk(layers)
    before = desk.image.value
    desk.controls["push"].value = 0.6
    assert bytes(desk.image.value) != bytes(before) and bytes(desk.image.value).startswith(b"\x89PNG")
    desk.controls["example"].value, desk.controls["edge"].value = 1, "hard"
    bundle = desk._repr_mimebundle_()
    assert "image/png" in (bundle if isinstance(bundle, dict) else bundle[0])


# --- cases


def test_one_example_of_every_case_and_none_twice():
    scores = np.array([0.1, 0.15, 0.3, 0.4, np.nan, 0.6])
    common, rare = np.ones(6, bool), np.array([0, 0, 1, 0, 1, 0], bool)
    found = one_each(scores, {"common": common, "rare": rare, "nobody": np.zeros(6, bool)})
    assert found == {"common": 3, "rare": 2}, "the rare case takes its only example first; the median is 0.3, so 0.4"
    assert one_each(scores, {"common": common}, share=0.0) == {"common": 0}


def test_the_six_cases_are_told_by_prints_and_tags():
    prints = ["solid", "stripes", "letters", "knit", "plaid", "dots"]
    tags = [["plain"], ["stripes"], ["lettering"], ["sleeve longer"], ["arm in front"], ["long hair over cloth"]]
    masks = np.stack(list(six_cases(prints, tags).values()))
    assert np.array_equal(masks, np.eye(6, dtype=bool)) and len(SIX) == 6
    assert six_cases(["solid"], [["sleeve shorter", "arm in front"]])["another sleeve"].all()
    with pytest.raises(ValueError, match="found 2 prints and tags of 1"):
        six_cases(["a", "b"], [[]])


# --- the study


@pytest.fixture(scope="module")
def small(atelier):
    data = open_dataset(atelier, "test", "unpaired", SMOKE.size)
    return tom_study.examples(data, 6, build_gmm(SMOKE).eval(), SMOKE.person, (32, 48)[::-1])


def test_examples_are_the_data_sets_own_only_smaller(small, atelier):
    whole = collate([open_dataset(atelier, "test", "unpaired", SMOKE.size)[i] for i in range(6)])
    assert small.image.shape == (6, 3, 48, 32) and small.agnostic.shape == (6, 22, 48, 32)
    assert torch.allclose(small.image.mean((2, 3)), whole["truth_image"].mean((2, 3)), atol=0.02)
    assert ((small.worn > 0) <= small.region).all() and not (small.arms & (small.worn > 0)).any()
    paired = [{k: v for k, v in s.items() if not k.startswith("truth_")} for s in [whole_sample(atelier)]]
    with pytest.raises(ValueError, match="does not know the true picture"):
        tom_study.examples(paired, 1, build_gmm(SMOKE), SMOKE.person, (48, 32))


def whole_sample(atelier):
    return dict(open_dataset(atelier, "test", "unpaired", SMOKE.size)[0])


def test_a_perfect_try_on_scores_as_perfect(small):
    worn = small.worn
    perfect = tom_study.score(TryOn(small.image, small.image, worn), small)
    assert perfect["ssim"] == pytest.approx(1, abs=1e-4) and perfect["sharpness"] == pytest.approx(1)
    assert perfect["on_garment"] == 1 and perfect["on_arms"] == 0
    flat = tom_study.score(TryOn(small.image * 0, small.image, 1 - worn), small)
    assert flat["ssim"] < 0.9 and flat["sharpness"] < 0.05 and flat["on_garment"] == 0 and flat["on_arms"] == 1


def test_every_variant_trains_its_own_terms_from_the_same_start(small):
    settings = dataclasses.replace(tom_study.STUDIES["smoke"], height=48, width=32, steps=4, seeds=2)
    variants = {k: tom_study.VARIANTS[k] for k in ("all three terms", "without perceptual", "mask taught ones")}
    table, made = tom_study.study(small, small, SMOKE.loss, settings, variants)
    assert len(table) == 6 and set(made) == set(variants) and table[list(tom_study.MEASURES)].notna().to_numpy().all()
    again, _ = tom_study.study(small, small, SMOKE.loss, settings, {"all three terms": {}}, seeds=[1])
    assert again.iloc[0].to_dict() == table.iloc[3].to_dict(), "the same seed, the same numbers"
    starts = [tom_study.train_small(small, loss, dataclasses.replace(settings, lr=0.0), 0)
              for loss in (SMOKE.loss, dataclasses.replace(SMOKE.loss, perceptual=0.0))]  # fmt: skip
    for a, b in zip(*(s.parameters() for s in starts), strict=True):
        assert torch.equal(a, b)
    gaps = plots.differences(table, ["ssim"])
    wide = table.pivot(index="seed", columns="variant", values="ssim")
    assert gaps.loc["mask taught ones", "ssim"] == pytest.approx(
        (wide["mask taught ones"] - wide["all three terms"]).mean()
    )
    assert isinstance(plots.roles_figure(table, tom_study.MEASURES), Figure)


def test_the_term_that_is_trained_falls(small):
    """Taught ones and nothing else, the mask goes to one."""
    settings = dataclasses.replace(tom_study.STUDIES["smoke"], height=48, width=32, steps=25)
    only = dataclasses.replace(SMOKE.loss, l1=0.0, perceptual=0.0, mask=1.0, mask_target="ones")
    taught = tom_study.dress(tom_study.train_small(small, only, settings, 0), small)
    assert taught.mask.mean() > 0.8


# --- figure 2.11 and the exercises


@pytest.mark.parametrize("mask_input", [True, False])
def test_figure_2_11_counts_what_it_draws(atelier, mask_input):
    profile = dataclasses.replace(SMOKE, tom=dataclasses.replace(SMOKE.tom, mask_input=mask_input))
    pipeline = TryOnPipeline(build_gmm(profile), build_tom(profile), profile.person).eval()
    batch = collate([open_dataset(atelier, "test", "unpaired", SMOKE.size)[0]])
    with torch.no_grad():
        person, warp, _ = pipeline(batch)
    figure = plots.try_on_module(pipeline.tom, person, warp, batch["truth_image"], person.worn_mask)
    words = [t.get_text() for t in figure.axes[0].texts]
    assert str(25 + mask_input) in words and ("its mask" in " ".join(words)) == mask_input
    assert any(f"{sum(p.numel() for p in pipeline.tom.parameters()):,} weights" in w for w in words)


def right_mix(mask, cloth, painted):
    return mask * cloth + (1 - mask) * painted


def right_best(cloth, painted, truth):
    step = cloth - painted
    along = (step * (truth - painted)).sum(1, keepdim=True)
    return (along / (step * step).sum(1, keepdim=True)).clamp(0, 1)


WRONG_MIX = [lambda m, c, p: m * p + (1 - m) * c, lambda m, c, p: m * c + p, lambda m, c, p: torch.where(m > 0.5, c, p)]
WRONG_BEST = [
    lambda c, p, t: ((c - p) * (t - p)).sum(1, keepdim=True) / (c - p).square().sum(1, keepdim=True),
    lambda c, p, t: ((c - p) * (t - p)).clamp(0, 1),
    lambda c, p, t: ((c - p) * (t - c)).sum(1, keepdim=True).clamp(0, 1),
    lambda c, p, t: ((t - p).abs().sum(1, keepdim=True) > (t - c).abs().sum(1, keepdim=True)).float(),
]
WRONG_COSTS = [lambda h: torch.zeros(3), lambda h: torch.tensor([h, 0, 0.0]), lambda h: torch.tensor([1 - h, 1 - h, 0])]


def test_exercises_take_right_answers_and_no_wrong_ones(capsys):
    costs_of = [((h,), answers.perfect_mask_costs(h)) for h in (0.0, 0.1, 0.25)]
    exercises = [
        (right_mix, WRONG_MIX, answers.mixing_cases()),
        (right_best, WRONG_BEST, answers.best_mask_cases()),
        (lambda h: torch.tensor([h, h, 0.0]), WRONG_COSTS, costs_of),
    ]
    for right, wrong, cases in exercises:
        assert check(right, cases), capsys.readouterr().out
        assert not any([check(answer, cases) for answer in wrong]), capsys.readouterr().out
        assert not check(lambda *_: None, cases) and "not yet" in capsys.readouterr().out
