"""Glimpses, the policy over places and the estimators of its gradient, each against enumeration, a crop or torch."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from mavton_lite import answers_hard_soft as answers
from mavton_lite.attention import AttentionMap, record
from mavton_lite.attention.hard import (
    GumbelChoice,
    PlacePolicy,
    cell_centres,
    choose,
    entropy,
    glimpse,
    log_probability,
    score_function_loss,
    straight_through,
)
from mavton_lite.data.lessons import Garments
from mavton_lite.data.scenes import cluttered_scenes
from mavton_lite.exercise import check
from mavton_lite.models import glimpse as agents
from mavton_lite.models.glimpse_study import controls, costs, estimate, run_trial, search_accuracy, table
from mavton_lite.models.glimpse_training import METHODS, SETTINGS, train_searcher, vote_table
from mavton_lite.plots import glimpse as plots
from mavton_lite.plots import style
from mavton_lite.studio.gaze import glimpse_stepper, step_through


def toy_garments(n: int = 12) -> Garments:
    """Bright blocks on white, wide (class 1) or narrow (class 0): no rendering needed."""
    pictures, masks, labels = torch.ones(n, 3, 48, 36), torch.zeros(n, 1, 48, 36), torch.arange(n) % 2
    for k in range(n):
        half = 6 + 9 * int(labels[k])
        pictures[k, :, 10:38, 18 - half : 18 + half] = -0.5
        masks[k, :, 10:38, 18 - half : 18 + half] = 1
    return Garments(pictures, masks, labels, labels, labels)


@pytest.fixture(scope="module")
def scenes():
    style.use()
    garments = toy_garments()
    return [cluttered_scenes(garments, garments.sleeve, n, high_px=48, scraps=4, seed=n) for n in (40, 30)]


@pytest.mark.parametrize(("side", "corner"), [(4, (3, 5)), (5, (0, 0)), (1, (7, 2)), (6, (4, 6))])
def test_a_glimpse_at_whole_pixels_is_the_crop(side, corner):
    picture = torch.randn(2, 3, 10, 12, dtype=torch.float64)
    y, x = corner
    centre_px = torch.tensor([x + (side - 1) / 2, y + (side - 1) / 2], dtype=torch.float64)
    centre = (centre_px / torch.tensor([11.0, 9.0]) * 2 - 1).expand(2, 2)
    torch.testing.assert_close(glimpse(picture, centre, side), picture[:, :, y : y + side, x : x + side])


def test_a_glimpse_is_zero_outside_and_has_gradients_for_picture_and_place():
    centre = torch.tensor([[-1.0, -1.0]], dtype=torch.float64)
    corner = glimpse(torch.ones(1, 1, 8, 8, dtype=torch.float64), centre, 5)[0, 0]
    assert torch.allclose(corner[2:, 2:], torch.ones(3, 3).double())
    assert corner[:2].abs().max() < 1e-9 and corner[:, :2].abs().max() < 1e-9
    picture = torch.randn(1, 2, 8, 8, dtype=torch.float64, requires_grad=True)
    place = torch.tensor([[0.13, -0.21]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p, c: glimpse(p, c, 3), (picture, place))


def test_cells_have_their_centres_in_pixels():
    centres = (cell_centres(2, 4, 8, 12) + 1) / 2 * torch.tensor([11.0, 7.0])
    assert torch.allclose(centres[:5], torch.tensor([[1.0, 1.5], [4, 1.5], [7, 1.5], [10, 1.5], [1, 5.5]]))


def test_choices_are_attention_maps_that_the_probe_records():
    features = torch.randn(4, 6, 3, 5)
    policy, gumbel = PlacePolicy(6), GumbelChoice(6)
    for module in (policy, gumbel):
        assert isinstance(module, AttentionMap)
        network = torch.nn.Sequential(torch.nn.Identity(), module)
        with record(network) as maps:
            network(features)
        assert maps["1"].shape == (4, 1, 3, 5) and torch.allclose(maps["1"].sum((1, 2, 3)), torch.ones(4))
        with pytest.raises(ValueError, match=r"wants \(B, 6, H, W\), got \(4, 5, 3, 5\)"):
            module(features[:, :5])
    loop = torch.stack([(policy.score(f[None])[0, 0].flatten()).softmax(0).view(3, 5) for f in features])
    torch.testing.assert_close(policy(features)[:, 0], loop)
    assert torch.allclose(gumbel(features).max(), torch.ones(()))
    assert gumbel.eval()(features).flatten(1).argmax(1).equal(gumbel.score(features).flatten(1).argmax(1))


def test_choose_log_probability_and_entropy_agree_with_torch_distributions():
    policy = torch.rand(3, 1, 2, 4).flatten(1).softmax(1).view(3, 1, 2, 4)
    theirs = torch.distributions.Categorical(policy.flatten(1))
    cell = torch.tensor([0, 5, 7])
    torch.testing.assert_close(log_probability(policy, cell), theirs.log_prob(cell))
    torch.testing.assert_close(entropy(policy), theirs.entropy())
    assert torch.isclose(entropy(torch.full((1, 1, 2, 4), 1 / 8)), torch.tensor(math.log(8)))
    torch.manual_seed(0)
    drawn = choose(policy[:1].expand(20_000, 1, 2, 4))
    assert (torch.bincount(drawn, minlength=8) / 20_000 - policy[0].flatten()).abs().max() < 0.015


def toy_problem(cells: int = 6):
    scores = torch.tensor([0.3, -0.5, 1.0, 0.0, 0.2, -1.0], dtype=torch.float64)[:cells]
    reward = torch.tensor([1.0, 0.0, 0.5, 3.0, -1.0, 2.0], dtype=torch.float64)[:cells]
    return scores.requires_grad_(), reward


@pytest.mark.parametrize("baseline", [0.0, 0.7, -3.0])
def test_reinforce_is_unbiased_by_enumeration_whatever_the_baseline(baseline):
    """The mean over all choices, each weighted by its probability, is the gradient of the expected reward."""
    scores, reward = toy_problem()
    (exact,) = torch.autograd.grad((scores.softmax(0) * reward).sum(), scores)
    mean = torch.zeros_like(exact)
    for cell, p in enumerate(scores.detach().softmax(0)):
        policy = scores.softmax(0).view(1, 1, 2, 3)
        loss = score_function_loss(log_probability(policy, torch.tensor([cell])), reward[cell : cell + 1], baseline)
        mean -= p * torch.autograd.grad(loss, scores)[0]
    torch.testing.assert_close(mean, exact)


def spread(baseline: float) -> float:
    """Total variance of the estimate, by enumeration."""
    scores, reward = toy_problem()
    p = scores.detach().softmax(0)
    estimates = torch.stack([answers.score_gradient(p, k, float(reward[k]), baseline) for k in range(6)])
    mean = p @ estimates
    return float(p @ (estimates - mean).square().sum(1))


def test_a_baseline_lowers_the_variance_and_the_best_one_most():
    scores, reward = toy_problem()
    p = scores.detach().softmax(0)
    best = float(answers.best_baseline(p, reward))
    assert spread(float(p @ reward)) < spread(0.0)
    assert all(spread(best) <= spread(best + step) for step in (-0.5, -0.01, 0.01, 0.5))


def test_the_reward_gets_no_gradient():
    reward = torch.tensor([1.0, 2.0], requires_grad=True)
    log_p = torch.tensor([-1.0, -2.0], requires_grad=True)
    score_function_loss(log_p, reward, reward * 0.5).backward()
    assert reward.grad is None and torch.allclose(log_p.grad, torch.tensor([-0.25, -0.5]))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_straight_through_equals_torch(temperature):
    ours, theirs = (torch.randn(5, 7, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in "ab")
    weights = torch.randn(5, 7)
    torch.manual_seed(3)
    a = straight_through(ours, temperature)
    torch.manual_seed(3)
    b = F.gumbel_softmax(theirs, temperature, hard=True)
    torch.testing.assert_close(a, b)
    (a * weights).sum().backward()
    (b * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert ours.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: glimpse(torch.zeros(2, 3, 8, 8), torch.zeros(1, 2), 3), r"one \(x, y\) for each"),
        (lambda: glimpse(torch.zeros(1, 3, 8, 8), torch.zeros(1, 2), 0), "side_px >= 1, got 0"),
        (lambda: cell_centres(0, 2, 8, 8), "0 x 2 over 8 x 8"),
        (lambda: straight_through(torch.zeros(2, 3), 0.0), "temperature > 0"),
        (lambda: log_probability(torch.zeros(2, 1, 2, 2), torch.zeros(3).long()), r"each of 2 policies, got \(3,\)"),
        (lambda: entropy(torch.zeros(2, 2, 2, 2)), r"a policy is \(B, 1, h, w\)"),
        (lambda: score_function_loss(torch.zeros(2), torch.zeros(3)), "alike"),
        (lambda: agents.Searcher("dart"), "unknown choice 'dart'; known: policy, gumbel"),
        (lambda: agents.cells_a_side(torch.zeros(1, 3, 90, 96)), "multiple of 12"),
        (lambda: agents.Reader(4)(torch.zeros(1, 3, 8, 8)), r"Reader wants \(B, 3, 32, 32\)"),
        (lambda: cluttered_scenes(toy_garments(4), torch.zeros(3).long(), 2), r"got \(3,\) for 4 garments"),
        (lambda: cluttered_scenes(toy_garments(4), torch.zeros(4).long(), 2, side=36), "at least 48 px"),
    ],
)
def test_wrong_input_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_scenes_hold_the_garment_where_they_say():
    garments = toy_garments()
    made, again = (cluttered_scenes(garments, garments.sleeve, 20, high_px=48, scraps=5, seed=3) for _ in "ab")
    assert all(torch.equal(a, b) for a, b in zip(made, again, strict=True))
    assert made.pictures.min() >= -1 and made.pictures.max() <= 1
    centre_px = (made.centres + 1) / 2 * 95
    for k in range(20):
        x, y = (centre_px[k] - torch.tensor([17.5, 23.5])).round().int().tolist()
        where = garments.masks[k % 12, 0] == 1
        assert (made.pictures[k][:, y : y + 48, x : x + 36][:, where] == -0.5).all(), "the garment is on top, whole"
        assert made.masks[k].sum() == where.sum() and made.labels[k] == k % 2


def test_the_agent_reads_only_where_it_looks_and_agrees_with_the_table(scenes):
    torch.manual_seed(0)
    reader, searcher = agents.Reader(2).eval(), agents.Searcher()
    agent, test = agents.GlimpseAgent(reader, searcher, steps=3), scenes[1]
    calls = []
    handle = reader.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    with torch.no_grad(), record(agent) as maps:
        search = agent(test.pictures)
    handle.remove()
    assert calls == [30, 30, 30] and maps["searcher.where"].shape == (30, 1, 8, 8)
    votes = vote_table(reader, test.pictures)
    assert votes.shape == (30, 64, 2)
    total = votes[torch.arange(30)[:, None], search.cells].cumsum(1)
    torch.testing.assert_close(search.answers[:, 2], agents.answer(total[:, 2]), atol=1e-5, rtol=1e-4)
    shares = search_accuracy(searcher, agents.overview(test.pictures), votes, test.labels, 3)
    assert shares == [float((search.answers[:, t].argmax(1) == test.labels).float().mean()) for t in range(3)]
    first = search.cells[:, 0]
    memory = agents.remember(agents.new_memory(30, 8), first, votes[torch.arange(30), first])
    assert memory[:, 0].flatten(1).argmax(1).equal(first) and memory[:, 0].sum() == 30


@pytest.fixture(scope="module")
def perfect(scenes):
    """Votes of a reader that is always right near the garment and says nothing elsewhere."""
    tables = []
    for part in scenes:
        off = (cell_centres(8, 8, 96, 96)[None] - part.centres[:, None]).abs().amax(2) * 95 / 2
        tables.append((off < 8).float()[:, :, None] * F.one_hot(part.labels, 2)[:, None].float())
    return tables


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_where_to_look(scenes, perfect, method):
    import dataclasses

    settings = dataclasses.replace(SETTINGS["smoke"], search_steps=60, batch=40, search_lr=1e-2, entropy=0.01)
    lesson = train_searcher(method, scenes[0], perfect[0], settings, seed=0)
    first, last = (sum(part) / 10 for part in (lesson.right[:10], lesson.right[-10:]))
    if method != "gumbel":
        assert lesson.entropies[0] == pytest.approx(math.log(64), abs=0.05) and lesson.entropies[-1] < 3.5
    assert last > first + 0.05 or method == "soft", (first, last)
    with pytest.raises(ValueError, match="unknown method 'guess'"):
        train_searcher("guess", scenes[0], perfect[0], settings, seed=0)


def test_estimates_are_unbiased_where_they_should_be_and_calmer_with_a_baseline(scenes, perfect):
    torch.manual_seed(1)
    low = agents.overview(scenes[1].pictures[:4])
    votes = perfect[1][:4] * 0.9
    found = estimate(agents.Searcher(), low, votes, scenes[1].labels[:4], samples=600)
    for name in ("no baseline", "one number"):
        assert found.bias(name) < 2 * found.chance(name), name
    assert found.variance("one number") < 0.6 * found.variance("no baseline")
    by_hand = agents.answer(votes.flatten(0, 1)).view(4, 64, 2)[torch.arange(4), :, scenes[1].labels[:4]]
    p = torch.full((4, 64), 1 / 64)  # nearly: a new policy does not care
    exact = p * (by_hand - (p * by_hand).sum(1, keepdim=True))
    assert (found.exact - exact).norm() / exact.norm() < 0.3


def test_controls_costs_and_table(scenes, perfect):
    found = controls(scenes[1], perfect[1], 3, seed=0)
    assert found["told where", 1] > 0.9 and found["everywhere", 64] > 0.9
    assert found["random", 3] < found["told where", 1]
    cost = costs(2, 96)
    reader_by_hand = 16 * 16 * 27 * 16 + 8 * 8 * 144 * 32 + 4 * 4 * 288 * 32 + 512 * 64 + 64 * 3
    assert cost["glimpse"] == reader_by_hand and cost["decision"] == 64 * (2 * 9 * 16 + 17) + 16


def test_a_whole_trial_its_figures_and_its_widget(scenes, tmp_path):
    import dataclasses

    settings = dataclasses.replace(SETTINGS["smoke"], reader_steps=2, search_steps=2, batch=8)
    trials = [run_trial(*scenes, classes=2, settings=settings, seed=s) for s in (0, 1)]
    rows = table(trials, 2, 96)
    assert set(plots.LOOKERS) | {"commonest class"} == set(rows.who)
    work = {(r.who, r.glimpses): r.multiply_adds for r in rows.itertuples()}
    assert work["soft", 64] > 15 * work["reinforce", 3] > 15 * work["random", 1]
    agent = agents.GlimpseAgent(trials[0].reader, trials[0].lessons["reinforce"].searcher)
    with torch.no_grad():
        search = agent(scenes[1].pictures[:3])
    names = ("narrow", "wide")
    views = [step_through(0, t, scenes[1], search, names) for t in (1, 3)]
    assert views[0].shape == views[1].shape and not (views[0] == views[1]).all()
    widget = glimpse_stepper(agent, scenes[1], names, shown=3)
    before = widget.image.value
    widget.controls["glimpses"].set_state({"value": 1})
    assert widget.image.value != before and "image/png" in widget._repr_mimebundle_()
    estimates = estimate(agents.Searcher(), agents.overview(scenes[1].pictures[:2]), trials[0].votes[:2],
                         scenes[1].labels[:2], 4)  # fmt: skip
    curves = {"reinforce": torch.rand(2, 20).numpy()}
    figures = (
        plots.accuracy_against_cost(rows), plots.learning_curves(curves, curves, 5),
        plots.scenes_and_overviews(scenes[1].pictures[:3], "abc"),
        plots.gradient_estimates({k: estimates.variance(k) for k in estimates.samples},
                                 {k: (estimates.bias(k), estimates.chance(k)) for k in estimates.samples}),
    )  # fmt: skip
    for k, figure in enumerate(figures):
        assert style.save(figure, tmp_path / f"{k}.png", dpi=40).exists()
    with pytest.raises(ValueError, match="1 to 3 steps, got 4"):
        step_through(0, 4, scenes[1], search, names)


def test_exercises_accept_right_answers_and_reject_wrong_ones(capsys):
    p, reward = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([1.0, 0.0, 2.0])

    def right(p, cell, reward, baseline):
        return (reward - baseline) * (F.one_hot(torch.tensor(cell), len(p)) - p)

    cases = [((p, 1, 1.0, 0.0), answers.score_gradient(p, 1, 1.0, 0.0)),
             ((p, 2, 0.5, 0.8), answers.score_gradient(p, 2, 0.5, 0.8))]  # fmt: skip
    assert check(right, cases)
    for wrong in (
        lambda p, c, r, b: r * (F.one_hot(torch.tensor(c), len(p)) - p),  # the baseline forgotten
        lambda p, c, r, b: (r - b) * F.one_hot(torch.tensor(c), len(p)).float(),  # the softmax's -p forgotten
        lambda p, c, r, b: (b - r) * (F.one_hot(torch.tensor(c), len(p)) - p),  # the wrong way
        lambda p, c, r, b: None,
    ):
        assert not check(wrong, cases)
    best = [((p, reward), answers.best_baseline(p, reward))]
    squared = (torch.eye(3) - p).square().sum(1)
    assert check(lambda p, r: (p * squared * r).sum() / (p * squared).sum(), best)
    assert not check(lambda p, r: (p * r).sum(), best) and not check(lambda p, r: r.mean(), best)
    seen = [((96, 3, 2), answers.chance_of_seeing(96, 3, 2)), ((48, 1, 1), 1 / 16)]
    assert check(lambda s, g, k: 1 - math.comb((s // 12) ** 2 - k, g) / math.comb((s // 12) ** 2, g), seen)
    assert not check(lambda s, g, k: g * k / (s // 12) ** 2, seen), "glimpses that both see it are counted twice"
    assert not check(lambda s, g, k: 1 - (1 - k / (s // 12) ** 2) ** g, seen), "with repetition"
    assert "✗" in capsys.readouterr().out
