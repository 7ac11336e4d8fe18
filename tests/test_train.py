"""The trainer: what it minimises, that stopping leaves no trace, and that nothing is lost."""

import dataclasses
import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch
from trainings import STEPS, rows, shortened
from worlds import random_batch, write_viton

from mavton_lite import checkpoint, feed, objectives
from mavton_lite.config import LITE, PAPER, SMOKE
from mavton_lite.data.person import represent
from mavton_lite.experiments import EXPERIMENTS, Experiment, get_experiment
from mavton_lite.losses import gan_generator
from mavton_lite.models.build import build_gmm
from mavton_lite.objectives import GMMObjective, blurred_outline
from mavton_lite.schedule import batch_indices, build_scheduler, mirrored, seed_of
from mavton_lite.stages import build_network, build_objective, settings_of
from mavton_lite.train import NonFiniteLoss, fit
from mavton_lite.trained import data_digest, load_pipeline

QUIET = {"device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_viton(tmp_path_factory.mktemp("world"), 7, 2)


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    """A folder where everything was trained in one sitting."""
    out = tmp_path_factory.mktemp("straight")
    for name in ("gmm", "cp_vton", "ma_vton"):
        assert fit(name, shortened(), data, out, **QUIET).finished
    return out


def weights(folder):
    return checkpoint.load_tensors(folder / "final.safetensors")[0]


def assert_same_weights(a, b):
    assert list(a) == list(b)
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


def with_gmm(straight, out):
    """A folder that has only the finished matching module."""
    shutil.copytree(straight / "gmm", out / "gmm")
    return out


# --- which examples, which rate


def test_the_batches_are_a_pure_stream_of_shuffled_epochs():
    stream = torch.cat([batch_indices(5, step, 7, 4) for step in range(14)])  # 8 epochs of 7
    for epoch in stream.view(8, 7):
        assert sorted(epoch.tolist()) == list(range(7))
    assert len({tuple(e.tolist()) for e in stream.view(8, 7)}) == 8
    assert torch.equal(batch_indices(5, 9, 7, 4), stream[36:40])
    assert not torch.equal(batch_indices(6, 9, 7, 4), stream[36:40])
    assert sorted(batch_indices(0, 0, 2, 5).tolist()) in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])  # smaller than a batch
    flips = torch.stack([mirrored(5, step, 8) for step in range(200)])
    assert 0.45 < flips.float().mean() < 0.55 and torch.equal(mirrored(5, 3, 8), flips[3])
    assert len({seed_of(s, 1, i, r) for s in ("order", "mirror", "noise") for i in range(9) for r in range(3)}) == 81
    with pytest.raises(ValueError, match="found 0 examples"):
        batch_indices(0, 0, 0, 4)


def rates(schedule: str, steps: int) -> list[float]:
    settings = dataclasses.replace(SMOKE.train_gmm, steps=steps, schedule=schedule, lr=1e-3)
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], settings.lr)
    scheduler = build_scheduler(optimiser, settings)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


def test_the_learning_rate_really_changes():
    assert rates("constant", 5) == [1e-3] * 5
    assert rates("linear", 8) == pytest.approx([1e-3] * 5 + [0.75e-3, 0.5e-3, 0.25e-3])
    one = rates("onecycle", 100)
    assert one[0] == pytest.approx(1e-3 / 25) and max(one) == pytest.approx(1e-3) and one[-1] < 1e-7
    assert np.argmax(one) == 29
    with pytest.raises(ValueError, match="unknown schedule"):
        rates("cosine", 3)


def test_a_training_uses_its_rates(straight):
    assert [r["lr"] for r in rows(straight / "gmm")] == pytest.approx(rates("onecycle", STEPS))


# --- what is minimised


def test_a_matching_step_at_paper_is_the_papers_loss_alone():
    profile = dataclasses.replace(SMOKE, loss=PAPER.loss)
    objective = GMMObjective(profile)
    batch = random_batch(2)
    (turn,) = objective.turns(batch)
    assert turn.player == "gmm" and list(turn.terms) == ["warp_l1"]
    person = represent(batch, profile.person)
    warp = objective.networks["gmm"](person.matching, batch["cloth"], batch["cloth_mask"])
    assert turn.loss.item() == pytest.approx((warp.cloth - person.worn_cloth).abs().mean().item(), rel=1e-4)


def test_a_matching_step_at_lite_is_regularised():
    objective = GMMObjective(dataclasses.replace(SMOKE, loss=dataclasses.replace(LITE.loss, warp_interval=2.0)))
    (turn,) = objective.turns(random_batch(2))
    assert list(turn.terms) == ["warp_l1", "warp_mask", "warp_contrast", "warp_bend", "warp_interval"]
    assert turn.loss.item() == pytest.approx(sum(t.item() for t in turn.terms.values()), rel=1e-5)
    turn.loss.backward()
    assert all(p.grad is not None for p in objective.networks["gmm"].parameters())


def grads(network):
    return [p.grad for p in network.parameters() if p.grad is not None and p.grad.abs().max() > 0]


def test_the_players_take_turns_and_leave_each_other_alone():
    objective = build_objective(SMOKE, EXPERIMENTS["ma_vton"], build_gmm(SMOKE))
    tom, discriminator, gmm = objective.networks["tom"], objective.networks["discriminator"], objective.helpers["gmm"]
    assert not gmm.training and not any(p.requires_grad for p in gmm.parameters())
    before = {k: v.clone() for k, v in gmm.state_dict().items()}
    turns = objective.turns(random_batch(2))
    first = next(turns)
    assert first.player == "discriminator" and list(first.terms) == ["discriminator"]
    first.loss.backward()
    assert grads(discriminator) and not grads(tom)  # the picture was detached
    discriminator.zero_grad()
    second = next(turns)
    assert second.player == "tom" and list(second.terms) == ["l1", "perceptual", "mask", "adversarial"]
    second.terms["adversarial"].backward()
    assert grads(tom) and not grads(discriminator)  # the picture was not
    assert all(p.requires_grad for p in discriminator.parameters())
    assert next(turns, None) is None
    for name, value in gmm.state_dict().items():  # its batch norms counted nothing
        assert torch.equal(value, before[name]), name


def test_the_adversarial_term_judges_the_updated_discriminator():
    objective = build_objective(SMOKE, EXPERIMENTS["ma_vton"], build_gmm(SMOKE))
    turns = objective.turns(random_batch(2))
    next(turns)
    last = objective.networks["discriminator"].layers[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(0.25)
    expected = SMOKE.loss.adversarial * gan_generator(torch.tensor(0.25), "lsgan")
    assert next(turns).terms["adversarial"].item() == pytest.approx(expected.item())


def test_terms_without_weight_are_not_there():
    gmm = build_gmm(SMOKE)
    (turn,) = build_objective(SMOKE, EXPERIMENTS["cp_vton"], gmm).turns(random_batch(2))
    assert list(turn.terms) == ["l1", "perceptual", "mask"]
    lean = build_objective(SMOKE, EXPERIMENTS["ma_vton_no_perceptual"], gmm)
    assert "perceptual" not in lean.helpers
    assert [list(t.terms) for t in lean.turns(random_batch(2))] == [["discriminator"], ["l1", "mask", "adversarial"]]
    with pytest.raises(ValueError, match="wants a trained geometric matching module"):
        build_objective(SMOKE, EXPERIMENTS["cp_vton"])


def test_the_mask_is_taught_what_the_settings_say():
    batch, gmm = random_batch(2), build_gmm(SMOKE)
    found = {}
    for target in ("warped", "worn", "ones"):
        profile = dataclasses.replace(SMOKE, loss=dataclasses.replace(SMOKE.loss, mask_target=target, perceptual=0))
        torch.manual_seed(0)
        (turn,) = build_objective(profile, EXPERIMENTS["cp_vton"], gmm).turns(batch)
        found[target] = turn.terms["mask"].item()
    assert len(set(found.values())) == 3


@pytest.mark.parametrize("name", ["gmm", "cp_vton", "viton_coarse", "viton"])
def test_nothing_is_learnt_by_how_a_finished_model_reads(name):
    """The terms of a step and the fingerprint are the same, whichever way the profile reads garments afterwards."""
    experiment, terms = get_experiment(name), {}
    for reading in ("bilinear", "bicubic"):
        profile = dataclasses.replace(SMOKE, reading=reading)
        torch.manual_seed(0)
        on = build_network(get_experiment(experiment.base), profile).eval() if experiment.base else None
        objective = build_objective(profile, experiment, on)
        torch.manual_seed(1)
        *_, turn = objective.turns(random_batch(2, SMOKE.size))
        terms[reading] = {k: v.item() for k, v in turn.terms.items()}
        assert "reading" not in json.dumps(settings_of(experiment, profile))
    assert terms["bilinear"] == terms["bicubic"]


def test_experiments_are_one_line_each():
    assert {"gmm", "cp_vton", "ma_vton", "ma_vton_no_gan"} <= set(EXPERIMENTS)
    assert get_experiment("ma_vton").gate == "cbam" and get_experiment("ma_vton").adversarial
    assert get_experiment("ma_vton_gan_1").apply(LITE).loss == dataclasses.replace(LITE.loss, adversarial=1.0)
    assert get_experiment("cp_vton").apply(LITE) == LITE
    with pytest.raises(ValueError, match="known: gmm, cp_vton"):
        get_experiment("gnm")
    with pytest.raises(ValueError, match="LossSettings has no setting 'l3'"):
        Experiment("x", "tom", overrides=(("loss.l3", 1.0),)).apply(LITE)
    for experiment in EXPERIMENTS.values():  # every gate and override can be built, on what it builds on
        base = build_network(get_experiment(experiment.base), SMOKE) if experiment.base else None
        build_objective(SMOKE, experiment, base)


@pytest.mark.parametrize("name", ["gmm", "ma_vton"])
def test_the_loss_falls(name, straight, data, tmp_path):
    fit(name, shortened(25, 100), data, with_gmm(straight, tmp_path) if name != "gmm" else tmp_path, **QUIET)
    losses = [r["loss"] for r in rows(tmp_path / name)]
    assert len(losses) == 25 and np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])


# --- stopping and going on


def interrupt(monkeypatch, objective: str, at_step: int):
    """Ctrl-C in the middle of a step (counted from 1)."""
    kind = getattr(objectives, objective)
    turns, calls = kind.turns, []

    def interrupted(self, batch):
        calls.append(1)
        if len(calls) == at_step:
            os.kill(os.getpid(), signal.SIGINT)
        yield from turns(self, batch)

    monkeypatch.setattr(kind, "turns", interrupted)


@pytest.mark.parametrize("name", ["gmm", "cp_vton", "ma_vton"])
def test_stopped_and_resumed_is_bit_identical(name, straight, data, tmp_path, monkeypatch):
    out = with_gmm(straight, tmp_path) if name != "gmm" else tmp_path
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        interrupt(patch, "GMMObjective" if name == "gmm" else "TOMObjective", 3)
        with pytest.raises(KeyboardInterrupt, match="saved at step 3"):
            fit(name, shortened(), data, out, **QUIET)
    assert signal.getsignal(signal.SIGINT) is handler
    assert checkpoint.load_tensors(out / name / "last.safetensors")[1]["step"] == 3
    torch.rand(5)  # whatever happens in between
    done = fit(name, shortened(), data, out, **QUIET)
    assert done.finished and done.step == STEPS and not (out / name / "last.safetensors").exists()
    assert_same_weights(weights(out / name), weights(straight / name))
    assert rows(out / name) == rows(straight / name)


def test_time_up_saves_and_goes_on(straight, data, tmp_path):
    sitting, sittings = None, 0
    while sitting is None or not sitting.finished:
        sitting = fit("gmm", shortened(), data, tmp_path, max_seconds=0, **QUIET)
        sittings += 1
        assert sitting.step == sittings and sitting.weights.exists()
    assert sittings == STEPS
    assert_same_weights(weights(tmp_path / "gmm"), weights(straight / "gmm"))


def test_rows_of_a_future_that_did_not_happen_are_cut(straight, data, tmp_path):
    assert fit("gmm", shortened(), data, tmp_path, max_seconds=0, **QUIET).step == 1
    with (tmp_path / "gmm/log.csv").open("a") as file:
        file.write("2,9,9,9,9,9,9\n3,9,9")  # written before a crash, after the checkpoint
    fit("gmm", shortened(), data, tmp_path, **QUIET)
    assert rows(tmp_path / "gmm") == rows(straight / "gmm")


def test_the_callers_random_numbers_are_left_alone(data, tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    fit("gmm", shortened(1), data, tmp_path, **QUIET)
    assert torch.equal(torch.rand(4), expected)


def test_a_loss_that_is_not_finite_stops_with_its_name(straight, data, tmp_path, monkeypatch):
    out = with_gmm(straight, tmp_path)
    profile, calls = shortened(save_every=2), []

    def sick(*args):
        calls.append(1)
        return torch.tensor(float("nan")) if len(calls) == 4 else mask_loss(*args)

    mask_loss = objectives.mask_loss
    with monkeypatch.context() as patch:
        patch.setattr(objectives, "mask_loss", sick)
        with pytest.raises(
            NonFiniteLoss, match="step 4: loss term 'mask' is nan; the last checkpoint is kept"
        ) as error:
            fit("ma_vton", profile, data, out, **QUIET)
    assert (error.value.step, error.value.term) == (4, "mask")
    assert checkpoint.load_tensors(out / "ma_vton/last.safetensors")[1]["step"] == 2
    fit("ma_vton", profile, data, out, **QUIET)  # cured, it goes on as if nothing had been
    assert_same_weights(weights(out / "ma_vton"), weights(straight / "ma_vton"))


# --- finished, changed, missing


def test_finished_is_finished(straight, tmp_path, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("data was touched")

    monkeypatch.setattr(feed, "open_dataset", forbidden)
    before = {p: p.stat().st_mtime_ns for p in straight.rglob("*")}
    for name in ("gmm", "ma_vton"):
        done = fit(name, shortened(save_every=3), tmp_path / "deleted", straight, **QUIET)
        assert done.finished and done.step == STEPS and done.log.exists() and done.weights.exists()
    assert {p: p.stat().st_mtime_ns for p in straight.rglob("*")} == before


def test_what_was_trained_otherwise_is_moved_aside(straight, data, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(straight, out)
    old = weights(out / "gmm")
    with pytest.warns(UserWarning, match=r"another settings\.train\.lr, seed; moved to gmm\.old-1"):
        fit("gmm", shortened(lr=2e-3), data, out, seed=1, **QUIET)
    assert_same_weights(weights(out / "gmm.old-1"), old)
    assert not torch.equal(weights(out / "gmm")["gmm.regression.linear.weight"], old["gmm.regression.linear.weight"])
    with pytest.raises(ValueError, match="another geometric matching module"):
        load_pipeline("ma_vton", shortened(), out)
    with pytest.warns(UserWarning, match=r"another gmm; moved to ma_vton\.old-1"):
        fit("ma_vton", shortened(), data, out, **QUIET)
    load_pipeline("ma_vton", shortened(), out)
    with pytest.warns(UserWarning, match=r"fresh start was asked for; moved to gmm\.old-2"):
        fit("gmm", shortened(lr=2e-3), data, out, seed=1, resume=False, **QUIET)


def test_other_data_is_another_training(straight, tmp_path):
    other = write_viton(tmp_path / "world", 5, 2, seed=9)
    out = with_gmm(straight, tmp_path / "out")
    with pytest.warns(UserWarning, match="another data"):
        fit("gmm", shortened(), other, out, **QUIET)


def test_only_the_training_examples_of_a_manifest_count(tmp_path):
    digests = []
    for content in ({"train/0": "a", "test/0": "b"}, {"train/0": "a", "test/0": "c"}, {"train/0": "d"}):
        checkpoint.write_json(tmp_path / "manifest.json", {"sha256": content})
        digests.append(data_digest(tmp_path))
    assert digests[0] == digests[1] != digests[2]
    assert data_digest(tmp_path / "nowhere") is None


def test_a_try_on_stage_wants_its_matching_module(straight, data, tmp_path):
    with pytest.raises(ValueError, match=r"no finished geometric matching module; run fit\('gmm'"):
        fit("cp_vton", shortened(), data, tmp_path, **QUIET)
    wider = dataclasses.replace(shortened(), gmm=dataclasses.replace(SMOKE.gmm, width=12))
    with pytest.raises(ValueError, match=r"trained with another gmm\.width"):
        fit("cp_vton", wider, data, with_gmm(straight, tmp_path), **QUIET)
    assert fit("cp_vton", shortened(1), data, tmp_path / "seed1", base=straight / "gmm", seed=1, **QUIET).finished
    assert not (tmp_path / "cp_vton").exists()
    load_pipeline("cp_vton", shortened(1), tmp_path / "seed1", base=straight / "gmm")


def test_a_trained_pipeline_is_the_one_that_was_trained(straight):
    pipeline = load_pipeline("ma_vton", shortened(), straight)
    assert not pipeline.training and pipeline.tom.gate == "cbam"
    assert_same_weights(
        {f"gmm.{k}": v for k, v in sorted(pipeline.gmm.state_dict().items())},
        dict(sorted(weights(straight / "gmm").items())),
    )
    person, warp, tryon = pipeline(random_batch(3))
    assert tryon.image.shape == (3, 3, 64, 48) and tryon.image.isfinite().all()
    assert (warp.theta.abs() > 0).any() and person.agnostic.shape[1] == 22


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a batch of 4 cannot be shared by 3 devices"):
        fit("gmm", shortened(), tmp_path, tmp_path, devices=3, **QUIET)


def test_a_set_too_large_for_memory_trains_alike(straight, data, tmp_path, monkeypatch):
    monkeypatch.setattr(feed, "memory", lambda: 0)
    fit("gmm", shortened(), data, tmp_path, **QUIET)
    assert_same_weights(weights(tmp_path / "gmm"), weights(straight / "gmm"))


def test_mixed_precision_trains_both_stages(data, tmp_path):
    for name in ("gmm", "ma_vton"):
        fit(name, shortened(2), data, tmp_path, precision="bf16-mixed", **QUIET)
        assert all(v.dtype != torch.bfloat16 for v in weights(tmp_path / name).values())  # the master copy is whole
    assert [r["step"] for r in rows(tmp_path / "ma_vton")] == [1, 2]
    assert all(np.isfinite(list(r.values())).all() for r in rows(tmp_path / "ma_vton"))


def test_only_the_outline_is_blurred():
    agnostic = torch.full((2, 22, 64, 48), -1.0)
    agnostic[:, :1, 16:48, 12:36] = 1.0
    torch.manual_seed(0)
    blurred = blurred_outline(agnostic, 0.3)
    assert torch.equal(blurred[:, 1:], agnostic[:, 1:])
    assert blurred[:, 0].abs().max() <= 1 and not torch.equal(blurred[:, 0], agnostic[:, 0])
    assert (blurred[:, 0].sign() == agnostic[:, 0].sign()).float().mean() > 0.95  # still the same body
    torch.manual_seed(0)
    assert torch.equal(blurred_outline(agnostic, 0.3), blurred)  # a function of the step's seed
    assert blurred_outline(agnostic, 0.0) is agnostic


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_the_discriminator_learns_at_its_own_rate(rate, straight, data, tmp_path):
    out, quick = with_gmm(straight, tmp_path), shortened()
    profile = dataclasses.replace(quick, discriminator=dataclasses.replace(quick.discriminator, rate=rate))
    seen = []
    for _ in range(2):
        fit("ma_vton", profile, data, out, max_seconds=0, **QUIET)  # a step
        seen.append(checkpoint.load_tensors(out / "ma_vton" / "last.safetensors")[0])
    names = [n for n in seen[0] if n.startswith("net.discriminator.") and n.endswith("weight")]
    assert names
    assert all(torch.equal(seen[0][n], seen[1][n]) == (rate == 0) for n in names)
    assert not all(torch.equal(seen[0][n], seen[1][n]) for n in seen[0] if n.startswith("net.tom."))
