"""Networks: published sizes and shapes, independent re-implementations, gradients, bad input."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import nn
from worlds import network_inputs as inputs
from worlds import random_batch

from mavton_lite.attention import CBAM
from mavton_lite.config import LITE, PAPER, SMOKE, GMMSettings, TOMSettings
from mavton_lite.models.build import build_discriminator, build_gmm, build_tom
from mavton_lite.models.cpvton import TOM
from mavton_lite.models.gmm import GMM
from mavton_lite.models.patchgan import PatchGAN
from mavton_lite.models.summary import count_multiply_adds, count_parameters, summarise
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.warp import resample

PUBLISHED = json.loads((Path(__file__).parent / "data" / "cpvton_tensors.json").read_text())
PUBLISHED = {s: [[name.rsplit(".", 1)[1], shape] for name, shape in PUBLISHED[s]] for s in ("gmm", "tom")}


def on_meta(build, *args):
    """A network without memory: large ones are counted in no time."""
    with torch.device("meta"):
        return build(*args)


def tensors(network: nn.Module) -> list[list]:
    return [[k.rsplit(".", 1)[1], list(v.shape)] for k, v in network.state_dict().items()]


# Sizes and published shapes


def test_paper_sizes_are_cp_vtons():
    gmm, tom, ma = on_meta(build_gmm, PAPER), on_meta(build_tom, PAPER), on_meta(build_tom, PAPER, "cbam")
    assert count_parameters(gmm) == 19_057_650
    assert count_parameters(tom) == 21_349_252
    assert count_parameters(ma) - count_parameters(tom) == 76_778
    assert len(ma.unet.gates) == 5 and all(isinstance(g, CBAM) for g in ma.unet.gates.values())
    assert [g.channel.channels for g in ma.unet.gates.values()] == [64, 128, 256, 512, 512]
    plus = on_meta(TOM, dataclasses.replace(PAPER.tom, mask_input=True))
    assert count_parameters(plus) == 21_350_276


def test_tensors_have_the_order_and_shapes_of_the_published_checkpoints():
    assert tensors(on_meta(build_gmm, PAPER)) == PUBLISHED["gmm"]
    assert tensors(on_meta(build_tom, PAPER)) == PUBLISHED["tom"]
    assert tensors(on_meta(build_tom, PAPER, "cbam"))[: len(PUBLISHED["tom"])] == PUBLISHED["tom"]


def test_paper_correlation_and_bottleneck_sizes():
    seen = {}
    gmm, tom = on_meta(build_gmm, PAPER), on_meta(build_tom, PAPER)
    gmm.regression.register_forward_hook(lambda m, i, o: seen.update(volume=i[0].shape, theta=o.shape))
    gmm.regression.linear.register_forward_hook(lambda m, i, o: seen.update(flat=i[0].shape))
    tom.unet.down[-1].register_forward_hook(lambda m, i, o: seen.update(inner=o.shape))
    with torch.device("meta"):
        warp = gmm(torch.empty(1, 22, 256, 192), torch.empty(1, 3, 256, 192), torch.empty(1, 1, 256, 192))
        image = tom(torch.empty(1, 22, 256, 192), warp.cloth, warp.mask).image
    assert seen == {"volume": (1, 192, 16, 12), "theta": (1, 50), "flat": (1, 768), "inner": (1, 512, 4, 3)}
    assert warp.cloth.shape == image.shape == (1, 3, 256, 192)


@pytest.mark.parametrize("profile", [SMOKE, LITE], ids=lambda p: p.name)
@pytest.mark.parametrize("gate", ["none", "cbam"])
def test_small_profiles_run_end_to_end(profile, gate):
    gmm, tom, discriminator = build_gmm(profile), build_tom(profile, gate), build_discriminator(profile)
    seen = {}
    gmm.regression.register_forward_hook(lambda m, i, o: seen.update(volume=i[0].shape))
    tom.unet.down[-1].register_forward_hook(lambda m, i, o: seen.update(inner=o.shape[2:]))
    agnostic, cloth, mask = inputs(profile.size)
    warp = gmm(agnostic, cloth, mask)
    tryon = tom(agnostic, warp.cloth, warp.mask)
    logits = discriminator(torch.cat([agnostic, warp.cloth, tryon.image], 1))
    height, width = profile.size
    assert seen == {"volume": (2, 192, 16, 12), "inner": (4, 3)}
    assert warp.cloth.shape == tryon.image.shape == tryon.rendered.shape == (2, 3, height, width)
    assert warp.mask.shape == tryon.mask.shape == (2, 1, height, width)
    assert warp.grid.shape == (2, height, width, 2) and warp.theta.shape == (2, 50)
    assert logits.shape == (2, 1, 30, 22)
    (logits.mean() + tryon.image.mean()).backward()
    for network in (gmm, tom, discriminator):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


# GMM


def test_gmm_with_no_offsets_returns_the_garment():
    gmm = build_gmm(SMOKE)
    nn.init.zeros_(gmm.regression.linear.weight)
    nn.init.zeros_(gmm.regression.linear.bias)
    agnostic, cloth, mask = inputs()
    warp = gmm(agnostic, cloth, mask)
    torch.testing.assert_close(warp.cloth, cloth, atol=1e-5, rtol=0)
    torch.testing.assert_close(warp.mask, mask, atol=1e-5, rtol=0)
    assert warp.theta.abs().max() == 0


def test_gmm_pads_cloth_with_its_border_and_the_mask_with_nothing():
    gmm = build_gmm(SMOKE)
    nn.init.zeros_(gmm.regression.linear.weight)
    nn.init.constant_(gmm.regression.linear.bias, 9.0)  # tanh(9): every point reads one half picture right and below
    agnostic, _, _ = inputs()
    warp = gmm(agnostic, torch.ones(2, 3, 64, 48), torch.ones(2, 1, 64, 48))
    assert warp.cloth.min() > 0.999
    assert warp.mask[:, :, -1].max() < 1e-3 and warp.mask[:, :, 0, 0].min() > 0.999


def test_gmm_compares_person_along_channels_with_cloth_along_pixels():
    gmm = build_gmm(SMOKE).eval()
    seen = {}
    gmm.person.register_forward_hook(lambda m, i, o: seen.update(person=o))
    gmm.cloth.register_forward_hook(lambda m, i, o: seen.update(cloth=o))
    gmm.regression.register_forward_hook(lambda m, i, o: seen.update(volume=i[0]))
    gmm(*inputs())
    unit = {k: seen[k] / (seen[k].square().sum(1, keepdim=True) + 1e-6).sqrt() for k in ("person", "cloth")}
    expected = torch.einsum("bcyx,bcij->bxyij", unit["person"], unit["cloth"]).reshape(2, 192, 16, 12)
    torch.testing.assert_close(seen["volume"], expected, atol=1e-5, rtol=1e-4)


def test_gmm_layers_are_conv_relu_norm_and_start_small():
    gmm = on_meta(build_gmm, PAPER)
    kinds = [type(m).__name__ for m in gmm.person]
    assert kinds == ["Conv2d", "ReLU", "BatchNorm2d"] * 5 + ["Conv2d", "ReLU"]
    assert [type(m).__name__ for m in gmm.regression.conv] == ["Conv2d", "BatchNorm2d", "ReLU"] * 4
    small = GMM(GMMSettings(width=16, downs=3), 128, 96)
    assert abs(small.person[6].weight.std() - 0.02) < 0.002  # N(0, 0.02)
    bound = (192 * 4 * 4) ** -0.5  # the regression keeps torch's own uniform start
    assert 0.99 * bound < small.regression.conv[0].weight.abs().max() <= bound


def test_gmm_can_look_at_the_mask_instead():
    gmm = GMM(dataclasses.replace(SMOKE.gmm, cloth_input="mask"), *SMOKE.size).eval()
    agnostic, cloth, mask = inputs()
    theta = gmm(agnostic, cloth, mask).theta
    torch.testing.assert_close(gmm(agnostic, -cloth, mask).theta, theta)
    assert (gmm(agnostic, cloth, 1 - mask).theta - theta).abs().max() > 1e-6


def test_gmm_grid_is_float32_under_autocast():
    gmm = build_gmm(SMOKE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        warp = gmm(*inputs())
    assert warp.grid.dtype == warp.cloth.dtype == warp.mask.dtype == torch.float32
    torch.testing.assert_close(warp.grid, gmm.tps(warp.theta), atol=0, rtol=0)


def test_gmm_learns_a_shift():
    """Garments lie one eighth to the left of where the person's silhouette is: a few steps must find that."""
    torch.manual_seed(0)
    gmm, (agnostic, _, _) = build_gmm(SMOKE), inputs(batch=4)
    mask = torch.zeros(4, 1, 64, 48)
    mask[..., 16:48, 9:30] = 1
    cloth, worn = 1 - 2 * mask.expand(-1, 3, -1, -1), 1 - 2 * mask.roll(6, 3).expand(-1, 3, -1, -1)
    optimiser = torch.optim.Adam(gmm.parameters(), 1e-3)
    losses = []
    for _ in range(15):
        loss = (gmm(agnostic, cloth, mask).cloth - worn).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_bad_sizes_and_names_are_refused():
    agnostic, cloth, mask = inputs()
    with pytest.raises(ValueError, match="divisible by 16, got 60 x 48"):
        GMM(SMOKE.gmm, 60, 48)
    with pytest.raises(ValueError, match=r"GMM wants agnostic \(B, 22, H, W\) at \(64, 48\), got \(2, 3, 64, 48\)"):
        build_gmm(SMOKE)(cloth, cloth, mask)
    with pytest.raises(ValueError, match=r"divisible by 16, got \(2, 26, 60, 48\)"):
        build_tom(SMOKE)(agnostic[:, :, :60], cloth[:, :, :60], mask[:, :, :60])
    with pytest.raises(ValueError, match="unknown gate 'cbma'; known: none, se"):
        build_tom(SMOKE, "cbma")
    with pytest.raises(ValueError, match="upsample"):
        TOM(TOMSettings(upsample="cubic"))


# Discriminator


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_patchgan_sees_patches(layers, field):
    """The gradient of one logit is non-zero on field x field pixels (norms, which see everything, taken out)."""
    torch.manual_seed(0)
    network = PatchGAN(2, 4, layers)
    for name, module in list(network.layers.named_children()):
        if isinstance(module, nn.InstanceNorm2d):
            setattr(network.layers, name, nn.Identity())
    for p in network.parameters():
        nn.init.uniform_(p, 0.1, 1.0)  # positive everywhere: nothing cancels
    x = torch.rand(1, 2, 128, 128, requires_grad=True)
    logits = network(x)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    touched = x.grad[0].abs().sum(0) > 0
    rows, columns = touched.any(1).nonzero().flatten(), touched.any(0).nonzero().flatten()
    assert len(rows) == len(columns) == field and touched[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_patchgan_logits_at_paper_size():
    network = on_meta(build_discriminator, PAPER)
    with torch.device("meta"):
        assert network(torch.empty(1, 28, 256, 192)).shape == (1, 1, 30, 22)
    kinds = [type(m).__name__ for m in network.layers]
    block = ["Conv2d", "InstanceNorm2d", "LeakyReLU"]
    assert kinds == ["Conv2d", "LeakyReLU", *block * 3, "Conv2d"]
    assert [m.out_channels for m in network.layers if isinstance(m, nn.Conv2d)] == [64, 128, 256, 512, 1]


def test_patchgan_refuses_other_channels():
    with pytest.raises(ValueError, match=r"wants \(B, 28, H, W\), got \(1, 3, 64, 48\)"):
        build_discriminator(SMOKE)(torch.zeros(1, 3, 64, 48))
    with pytest.raises(ValueError, match="layers >= 1"):
        PatchGAN(3, 8, 0)


# Summary and pipeline


def test_multiply_adds_equal_a_count_by_hand():
    """Each convolution and linear layer from its own sizes, plus the correlation's 512 x 192 x 192."""
    counted = 0

    def count(module, _inputs, output):
        nonlocal counted
        if isinstance(module, nn.Conv2d):
            each = module.in_channels // module.groups * module.kernel_size[0] * module.kernel_size[1]
        else:
            each = module.in_features
        counted += output.numel() * each

    gmm = on_meta(build_gmm, PAPER)
    for module in gmm.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    total = count_multiply_adds(gmm, (1, 22, 256, 192), (1, 3, 256, 192), (1, 1, 256, 192))
    assert total == counted + 512 * 192 * 192 + 2 * 25 * 256 * 192  # and the spline: two offsets of 25 points a pixel


@pytest.mark.parametrize("profile", [SMOKE, PAPER], ids=lambda p: p.name)
def test_summary_lists_every_network(profile):
    rows = {r.name: r for r in summarise(profile)}
    gates = [f"TOM + {gate}" for gate in ("se", "eca", "channel", "spatial")]
    assert list(rows) == ["GMM", "TOM", *gates, "MA-UNet", "PatchGAN", "VITON, coarse", "VITON, refine", "parser"]
    assert len({r.purpose for r in rows.values()}) == len(rows)
    assert all(r.parameters > 0 and r.multiply_adds > 0 for r in rows.values())
    assert rows["TOM"].multiply_adds < rows["TOM + channel"].multiply_adds < rows["MA-UNet"].multiply_adds
    if profile is PAPER:
        assert (rows["GMM"].parameters, rows["TOM"].parameters) == (19_057_650, 21_349_252)
        assert rows["MA-UNet"].parameters == 21_349_252 + 76_778


def test_pipeline_is_the_stages_one_after_the_other():
    gmm, tom = build_gmm(SMOKE).eval(), build_tom(SMOKE, "cbam").eval()
    pipeline, batch = TryOnPipeline(gmm, tom, SMOKE.person), random_batch(2, SMOKE.size)
    with torch.no_grad():
        person, warp, tryon = pipeline(batch)
        again = gmm(person.matching, batch["cloth"], batch["cloth_mask"])
        expected = tom(person.agnostic, again.cloth, again.mask)
    assert person.agnostic.shape == (2, 22, 64, 48)
    assert torch.equal(warp.grid, again.grid) and torch.equal(tryon.image, expected.image)


def test_a_finished_model_reads_the_garment_as_it_is_told():
    gmm, tom = build_gmm(SMOKE).eval(), build_tom(SMOKE, "cbam").eval()
    batch = random_batch(2, SMOKE.size)
    plain, sharp = (TryOnPipeline(gmm, tom, SMOKE.person, reading) for reading in ("bilinear", "bicubic"))
    with torch.no_grad():
        (person, before, _), (_, after, tryon) = plain(batch), sharp(batch)
        alone = sharp.warp(person.matching, batch["cloth"], batch["cloth_mask"])
        expected = tom(person.agnostic, after.cloth, after.mask)
    assert torch.equal(before.grid, after.grid) and torch.equal(before.mask, after.mask)
    assert torch.equal(before.cloth, resample(batch["cloth"], before.grid))
    assert torch.equal(after.cloth, resample(batch["cloth"], before.grid, reading="bicubic"))
    assert not torch.equal(before.cloth, after.cloth)
    assert torch.equal(alone.cloth, after.cloth) and torch.equal(tryon.image, expected.image)
