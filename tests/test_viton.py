"""VITON: the paper's networks, the thesis's formulas by hand, warps kept on disk, the whole trained and read back."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from trainings import rows, shortened
from worlds import random_batch, write_viton

from mavton_lite import checkpoint, zoo
from mavton_lite.config import LITE, PAPER, SMOKE, TrainSettings
from mavton_lite.data.person import represent
from mavton_lite.experiments import EXPERIMENTS
from mavton_lite.losses import total_variation
from mavton_lite.metrics import evaluate, from_pipeline, paste_warped_cloth
from mavton_lite.models.build import build_coarse, build_refinement
from mavton_lite.models.summary import count_parameters
from mavton_lite.models.tryon_viton import VITONPipeline, control_of
from mavton_lite.models.viton import Coarse, compose
from mavton_lite.objective_viton import RefineObjective, example_names, perceptual_of
from mavton_lite.stages import build_objective
from mavton_lite.train import fit
from mavton_lite.trained import load, load_pipeline
from mavton_lite.warp import TPSGrid, resample

COARSE, VITON = EXPERIMENTS["viton_coarse"], EXPERIMENTS["viton"]
QUIET = {"device": "cpu", "progress": False}


def tiny(**changes):
    """Smoke in a few steps, its coarse network sure of a mask from the start."""
    profile = dataclasses.replace(shortened(), **changes)
    settings = {"steps": 4, "batch": 2, "save_every": 2}
    coarse, refine = (dataclasses.replace(t, **settings) for t in (SMOKE.train_coarse, SMOKE.train_refine))
    return dataclasses.replace(profile, train_coarse=coarse, train_refine=refine)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_viton(tmp_path_factory.mktemp("world"), 5, 4, truth=True)


@pytest.fixture(scope="module")
def out(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    for name in ("viton_coarse", "viton"):
        assert fit(name, tiny(), data, out, **QUIET).finished
    return out


def fixed_coarse(batch: dict, worn: torch.Tensor) -> Coarse:
    return Coarse(torch.zeros_like(batch["image"]), worn)


# --- the networks


def test_the_encoder_decoder_is_the_papers():
    sizes = [25, 64, 128, 256, 512, 512, 512]
    down = sum(16 * a * b for a, b in zip(sizes, sizes[1:], strict=False)) + 2 * sum(sizes[2:])
    joined, outputs = [512, 1024, 1024, 512, 256, 128], [512, 512, 256, 128, 64, 4]
    up = sum(16 * a * b for a, b in zip(joined, outputs, strict=True)) + 2 * sum(outputs[:-1])
    with torch.device("meta"):
        coarse, refinement = build_coarse(PAPER), build_refinement(PAPER)
        found = coarse(torch.empty(1, 22, 256, 192), torch.empty(1, 3, 256, 192))
        alpha = refinement(torch.empty(1, 3, 256, 192), torch.empty(1, 3, 256, 192))
    assert count_parameters(coarse) == down + up == 29_269_632
    assert count_parameters(refinement) == 9 * 64 * (6 + 64 + 64) + 3 * 2 * 64 + 65 == 77_633
    assert found.image.shape == (1, 3, 256, 192) and found.mask.shape == alpha.shape == (1, 1, 256, 192)
    assert not any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) and m.bias is not None for m in coarse.modules())
    assert {m.momentum for m in coarse.modules() if isinstance(m, nn.BatchNorm2d)} == {0.001}
    assert (PAPER.train_coarse.steps, PAPER.train_refine.steps, PAPER.train_coarse.batch) == (15_000, 6_000, 16)


def test_the_decoder_reads_what_the_encoder_saw():
    """Unrolled by hand for two halvings; the mask comes first."""
    settings = dataclasses.replace(SMOKE.viton, downs=2, width=4, keep=False)
    torch.manual_seed(0)
    network = build_coarse(dataclasses.replace(SMOKE, viton=settings)).eval()
    agnostic, cloth = torch.randn(2, 22, 8, 8), torch.randn(2, 3, 8, 8)
    first = F.conv2d(torch.cat([agnostic, cloth], 1), network.down[0].weight, stride=2, padding=1)
    inner = network.down_norm[0](F.conv2d(F.leaky_relu(first, 0.2), network.down[1].weight, stride=2, padding=1))
    up = network.up_norm[0](F.conv_transpose2d(inner.relu(), network.up[0].weight, stride=2, padding=1))
    last = F.conv_transpose2d(torch.cat([up, first], 1).relu(), network.up[1].weight, stride=2, padding=1).tanh()
    found = network(agnostic, cloth)
    torch.testing.assert_close(found.mask, last[:, :1])
    torch.testing.assert_close(found.image, last[:, 1:])
    assert torch.equal(found.where, (last[:, :1] > 0.5).float())
    assert found.kept is None


def test_kept_parts_are_taken_where_the_fifth_output_says_so():
    torch.manual_seed(0)
    network = build_coarse(SMOKE).eval()
    agnostic, cloth = torch.randn(2, 22, 64, 48).tanh(), torch.randn(2, 3, 64, 48).tanh()
    last = []
    network.up[-1].register_forward_hook(lambda module, given, made: last.append(made))
    found = network(agnostic, cloth)
    k = 1 / (1 + torch.exp(-last[0][:, 4:]))
    torch.testing.assert_close(found.kept, k)
    torch.testing.assert_close(found.image, k * agnostic[:, 1:4] + (1 - k) * last[0][:, 1:4].tanh())
    torch.testing.assert_close(found.mask, last[0][:, :1].tanh())


def test_dropout_only_while_it_learns():
    network = build_coarse(dataclasses.replace(SMOKE, viton=dataclasses.replace(SMOKE.viton, dropout=0.5)))
    agnostic, cloth = torch.randn(2, 22, 64, 48), torch.randn(2, 3, 64, 48)
    network.train()
    assert not torch.equal(network(agnostic, cloth).image, network(agnostic, cloth).image)
    network.eval()
    assert torch.equal(network(agnostic, cloth).image, network(agnostic, cloth).image)


def test_gradients_reach_every_weight():
    batch = random_batch(2)
    (turn,) = build_objective(SMOKE, COARSE).turns(batch)
    assert turn.player == "coarse" and list(turn.terms) == ["l1", "perceptual", "mask"]
    objective = build_objective(SMOKE, VITON, build_coarse(SMOKE))
    with_mask(objective)
    (refined,) = objective.turns(batch)
    assert refined.player == "refine" and list(refined.terms) == ["l1", "perceptual", "take", "smooth"]
    refined.loss.backward()
    assert all(p.grad.abs().max() > 0 for p in objective.networks["refine"].parameters())
    assert not any(p.requires_grad for p in objective.helpers["pipeline"].coarse.parameters())


def with_mask(objective) -> None:
    """A frozen coarse network that draws the middle of the picture as garment."""

    class Middle(nn.Module):
        def forward(self, agnostic, cloth):
            mask = torch.zeros_like(cloth[:, :1])
            mask[..., 20:50, 12:36] = 1
            return Coarse(torch.zeros_like(cloth), mask)

    objective.helpers["pipeline"].coarse = Middle()


def test_wrong_inputs_are_refused():
    coarse, refinement = build_coarse(SMOKE), build_refinement(SMOKE)
    with pytest.raises(
        ValueError, match=r"agnostic \(B, 22, H, W\) with H and W divisible by 16, got \(1, 21, 64, 48\)"
    ):
        coarse(torch.zeros(1, 21, 64, 48), torch.zeros(1, 3, 64, 48))
    with pytest.raises(ValueError, match=r"cloth \(B, 3, H, W\) .* got \(1, 3, 60, 48\)"):
        coarse(torch.zeros(1, 22, 64, 48), torch.zeros(1, 3, 60, 48))
    with pytest.raises(ValueError, match=r"two pictures \(B, 3, H, W\)"):
        refinement(torch.zeros(1, 3, 64, 48), torch.zeros(1, 3, 32, 24))
    with pytest.raises(ValueError, match="downs >= 2"):
        build_coarse(dataclasses.replace(SMOKE, viton=dataclasses.replace(SMOKE.viton, downs=1)))
    mirrored = dataclasses.replace(SMOKE, train_refine=TrainSettings(1, 1, flip=True))
    with pytest.raises(ValueError, match="stored warps are not mirrored"):
        build_objective(mirrored, VITON, coarse)


# --- the formulas


def test_the_coarse_loss_is_eq_2_8_by_hand():
    objective, batch = build_objective(SMOKE, COARSE), random_batch(2)
    person = represent(batch, SMOKE.person)
    coarse = Coarse(torch.rand_like(batch["image"]) - 0.5, torch.rand(2, 1, 64, 48))
    terms = objective.terms(coarse, batch["image"], person.worn_mask)
    assert terms["l1"].item() == pytest.approx((coarse.image - batch["image"]).abs().mean().item(), rel=1e-5)
    assert terms["mask"].item() == pytest.approx((coarse.mask - person.worn_mask).abs().mean().item(), rel=1e-5)
    seen = objective.helpers["perceptual"]
    pairs = zip(seen.levels(coarse.image), seen.levels(batch["image"]), strict=True)
    weights = [w for _, w in SMOKE.viton.levels]
    expected = sum(w * (a - b).abs().mean() for w, (a, b) in zip(weights, pairs, strict=True))
    assert terms["perceptual"].item() == pytest.approx(expected.item(), rel=0.02)  # half precision where it is fast


def test_levels_of_the_paper_are_the_codes():
    levels = dict(PAPER.viton.levels)
    assert list(levels) == [f"relu{i}_2" for i in range(1, 6)]
    ratio = levels["relu5_2"] / levels["relu1_2"]
    assert ratio == pytest.approx((1 / 0.16) / (2.5 / 5.3))
    assert dict(PAPER.viton.refine_levels)["relu4_2"] / levels["relu4_2"] == pytest.approx(5 / 3)
    viton = dataclasses.replace(LITE.viton, average_pool=True)
    pools = [type(m) for m in perceptual_of(dataclasses.replace(LITE, viton=viton), viton.levels).features.modules()]
    assert nn.AvgPool2d in pools and nn.MaxPool2d not in pools
    assert perceptual_of(PAPER, (("relu1_2", 1.0),)).normalise and not PAPER.loss.perceptual_normalise


def test_the_composition_is_eq_2_9_inside_both_masks():
    cloth, image = torch.full((1, 3, 2, 2), 0.8), torch.full((1, 3, 2, 2), -0.4)
    mask, warped = torch.tensor([[[[0.9, 0.9], [0.4, 0.9]]]]), torch.tensor([[[[1.0, 0.5], [1.0, 0.0]]]])
    found, alpha = compose(torch.full((1, 1, 2, 2), 0.25), cloth, Coarse(image, mask), warped)
    torch.testing.assert_close(alpha, torch.tensor([[[[0.25, 0.125], [0.0, 0.0]]]]))
    torch.testing.assert_close(found[:, :1], torch.tensor([[[[-0.1, -0.25], [-0.4, -0.4]]]]))


def test_total_variation_by_hand():
    mask = torch.tensor([[[[0.0, 1.0, 1.0], [0.5, 0.5, 0.0]]], [[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]])
    assert total_variation(mask).item() == pytest.approx((1 + 0.5 + 0.5 + 0.5 + 1.0) / 2)


def test_the_refinement_is_paid_for_taking_the_garment():
    objective = build_objective(SMOKE, VITON, build_coarse(SMOKE))
    with_mask(objective)
    batch = random_batch(2)
    pipeline = objective.helpers["pipeline"]
    (turn,) = objective.turns(batch)
    person = represent(batch, SMOKE.person)
    coarse = pipeline.coarse(person.agnostic, batch["cloth"])
    warp = pipeline.bend(batch["cloth"], batch["cloth_mask"], pipeline.match(batch["cloth_mask"], coarse))
    tryon = pipeline.refined(objective.networks["refine"](warp.cloth, coarse.image), warp, coarse)
    assert turn.terms["take"].item() == pytest.approx(-0.1 * tryon.mask.mean().item(), rel=1e-4)
    assert turn.terms["take"].item() < 0
    assert turn.terms["l1"].item() == pytest.approx(0.2 * (tryon.image - batch["image"]).abs().mean().item(), rel=1e-4)


# --- the warp


def test_control_points_are_read_back_from_a_grid():
    theta = 0.1 * torch.randn(3, 2 * 10**2, generator=torch.Generator().manual_seed(0))
    smooth = TPSGrid(128, 96, 4)(0.1 * torch.randn(3, 32, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(control_of(TPSGrid(128, 96, 10)(theta), 10), theta, atol=0.02, rtol=0)
    again = TPSGrid(128, 96, 10)(control_of(smooth, 10))
    assert (again - smooth).abs().mean() * 64 < 0.25  # px; ten points a side follow whatever four can bend


def test_the_garment_lands_on_the_coarse_mask():
    batch = random_batch(2)
    pipeline = VITONPipeline(build_coarse(SMOKE), build_refinement(SMOKE), SMOKE).eval()
    worn = torch.zeros(2, 1, 64, 48)
    worn[..., 20:56, 10:38] = 1
    warp = pipeline.bend(
        batch["cloth"], batch["cloth_mask"], pipeline.match(batch["cloth_mask"], fixed_coarse(batch, worn))
    )
    both, either = (warp.mask * worn).sum(), torch.maximum(warp.mask, worn).sum()
    assert both / either > 0.9
    nothing = pipeline.match(batch["cloth_mask"], fixed_coarse(batch, torch.zeros_like(worn)))
    assert nothing.abs().max() < 1e-6  # no outline: the garment stays where it is


def test_warps_are_computed_once(data, out, tmp_path, monkeypatch):
    (store,) = out.glob("warps-*")
    assert [p.suffix for p in store.iterdir()] == [".safetensors"]
    tensors, names = checkpoint.load_tensors(next(store.iterdir()))
    assert tensors["control"].shape == (len(names), 200) and 1 < len(names) <= 5

    def forbidden(*args):
        raise AssertionError("a warp was computed again")

    before = weights(out)
    with monkeypatch.context() as patch, pytest.warns(UserWarning, match="fresh start"):
        patch.setattr(RefineObjective, "matched", forbidden)
        fit("viton", tiny(), data, out, resume=False, **QUIET)
    assert all(torch.equal(v, before[k]) for k, v in weights(out).items())
    with monkeypatch.context() as patch, pytest.raises(AssertionError, match="again"), pytest.warns(UserWarning):
        patch.setattr(RefineObjective, "matched", forbidden)  # other outlines are other warps
        fit("viton", tiny(viton=dataclasses.replace(SMOKE.viton, points=30)), data, out, **QUIET)
    with pytest.warns(UserWarning, match="points"):
        fit("viton", tiny(), data, out, **QUIET)


def test_half_a_store_is_completed(data, out, tmp_path):
    (store,) = [p for p in out.glob("warps-*") if len(list(p.iterdir()))][:1]
    path = next(store.iterdir())
    tensors, names = checkpoint.load_tensors(path)
    checkpoint.save_tensors(path, {"control": tensors["control"][:1]}, names[:1])
    with pytest.warns(UserWarning, match="fresh start"):
        fit("viton", tiny(), data, out, resume=False, **QUIET)
    again, found = checkpoint.load_tensors(path)
    assert sorted(found) == sorted(names)
    for name in names:
        assert torch.allclose(again["control"][found.index(name)], tensors["control"][names.index(name)], atol=1e-5)


def test_stored_warps_are_those_the_objective_takes():
    objective, batch = build_objective(SMOKE, VITON, build_coarse(SMOKE)), random_batch(2)
    with_mask(objective)
    names = example_names(batch)
    assert names == ["000000_0 000000_1", "000001_0 000001_1"]
    plain = next(objective.turns(batch)).loss.item()
    objective.control = {names[0]: torch.full((200,), 0.5), names[1]: torch.full((200,), 0.5)}
    assert next(objective.turns(batch)).loss.item() != pytest.approx(plain)


# --- trained


def weights(out):
    return checkpoint.load_tensors(out / "viton" / "final.safetensors")[0]


# refinement only chooses between two pictures; most of its loss is in neither choice
@pytest.mark.parametrize(("experiment", "by"), [(COARSE, 0.5), (VITON, 0.005)])
def test_a_few_steps_lower_the_loss(experiment, by):
    torch.manual_seed(0)
    objective, batch = build_objective(SMOKE, experiment, build_coarse(SMOKE)), random_batch(2)
    if experiment is VITON:
        with_mask(objective)
        control = objective.helpers["pipeline"].match(batch["cloth_mask"], fixed_coarse(batch, batch["cloth_mask"]))
        objective.control = dict(zip(example_names(batch), control, strict=True))
        batch["image"] = batch["cloth"].clone()  # the garment is what is wanted
    network = objective.networks[experiment.stage].train()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(15):
        loss = next(objective.turns(batch)).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < losses[0] - by


def test_it_is_trained_stored_and_scored_like_the_others(data, out, tmp_path):
    assert [r["step"] for r in rows(out / "viton")] == [1, 2, 3, 4]
    pipeline = load_pipeline("viton", tiny(), out)
    assert not pipeline.training and pipeline.size == (64, 48)
    batch = random_batch(2)
    person, warp, tryon = pipeline(batch)
    assert tryon.image.shape == (2, 3, 64, 48) and warp.grid.shape == (2, 64, 48, 2) and warp.theta.shape == (2, 200)
    assert torch.equal(pipeline.warp(person.agnostic, batch["cloth"], batch["cloth_mask"]).grid, warp.grid)
    zoo.release("viton", tiny(), out, "small", folder=tmp_path)
    card = zoo.read_card("small", tmp_path)
    assert list(card["parameters"]) == ["coarse", "refine"] and card["steps"] == 4
    again = zoo.load_released("small", folder=tmp_path)(batch)[2]
    torch.testing.assert_close(again.rendered, tryon.rendered, atol=3e-2, rtol=0)
    told = {}
    for pipeline.reading in ("bilinear", "bicubic"):
        told[pipeline.reading] = pipeline(batch)[1]
        expected = resample(batch["cloth"], warp.grid, reading=pipeline.reading)
        assert torch.equal(told[pipeline.reading].cloth, expected)
        alone = pipeline.warp(person.agnostic, batch["cloth"], batch["cloth_mask"])
        assert torch.equal(alone.cloth, expected) and torch.equal(alone.mask, warp.mask)
    assert not torch.equal(told["bilinear"].cloth, told["bicubic"].cloth)
    with pytest.raises(ValueError, match="viton_coarse is no try-on network"):
        load_pipeline("viton_coarse", tiny(), out)
    assert load("viton_coarse", tiny(), out)(person.agnostic, batch["cloth"]).image.shape == (2, 3, 64, 48)
    dataset = random_truth(data)
    for predict in (from_pipeline(pipeline), paste_warped_cloth(pipeline.warp, pipeline.person)):
        record = evaluate(predict, dataset, model="viton", profile=tiny(), protocol="unpaired", learned=False)
        assert record.protocol.n == 4


def random_truth(data):
    from mavton_lite.data import open_dataset

    return open_dataset(data, "test", "unpaired", (64, 48))


def test_it_wants_its_own_coarse_network(out, data, tmp_path):
    with pytest.raises(ValueError, match=r"no finished coarse network of VITON; run fit\('viton_coarse'"):
        fit("viton", tiny(), data, tmp_path, **QUIET)
    wider = tiny(viton=dataclasses.replace(SMOKE.viton, width=12))
    with pytest.raises(ValueError, match=r"viton_coarse: trained with another viton\.width"):
        fit("viton", wider, data, out, **QUIET)
