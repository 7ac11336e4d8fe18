"""Metrics against oracles and against values worked out by hand."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from worlds import write_viton

from mavton_lite.config import SMOKE
from mavton_lite.data import Cached, open_dataset
from mavton_lite.metrics import Prediction, copy_person, evaluate, paste_flat_cloth, paste_warped_cloth, warp
from mavton_lite.metrics import image as picture
from mavton_lite.metrics.distribution import SetDistance
from mavton_lite.metrics.learned import LPIPS
from mavton_lite.metrics.outline import Labeller
from mavton_lite.metrics.regions import arm_band, garment_region, grow, has_label
from mavton_lite.models.build import build_gmm
from mavton_lite.warp import TPSGrid
from mavton_lite.weights import trunk


def pictures(seed: int = 0, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth pictures and noisy copies of them."""
    generator = torch.Generator().manual_seed(seed)
    a = F.interpolate(torch.rand(batch, 3, 8, 6, generator=generator), (64, 48), mode="bicubic").clamp(0, 1)
    return a, (a + 0.1 * torch.randn(a.shape, generator=generator)).clamp(0, 1)


def test_ssim_is_scikit_images():
    a, b = pictures()
    found = picture.ssim_map(a, b)
    for i in range(2):
        mean, full = structural_similarity(
            a[i].permute(1, 2, 0).double().numpy(), b[i].permute(1, 2, 0).double().numpy(), channel_axis=2,
            data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True,
        )  # fmt: skip
        inner = slice(5, -5)  # the two mirror the border differently; scikit-image leaves it out of its mean
        assert np.allclose(found[i, 0, inner, inner], full[inner, inner].mean(2), atol=1e-4)
        assert found[i, 0, inner, inner].mean() == pytest.approx(mean, abs=1e-5)
    assert torch.allclose(picture.ssim_map(a, a), torch.ones(2, 1, 64, 48), atol=1e-5)


def test_psnr_is_scikit_images_and_has_a_ceiling():
    a, b = pictures()
    for value, x, y in zip(picture.psnr(a, b), a, b, strict=True):
        assert value == pytest.approx(peak_signal_noise_ratio(x.numpy(), y.numpy(), data_range=1.0), abs=1e-3)
    assert picture.psnr(a, a).tolist() == [100.0, 100.0]
    with pytest.raises(ValueError, match="wanted two equal"):
        picture.psnr(a, b[:1])


def test_region_values_by_hand():
    a, b = pictures()
    everywhere = torch.ones(2, 1, 64, 48, dtype=torch.bool)
    assert torch.allclose(picture.region_psnr(a, b, everywhere), picture.psnr(a, b), atol=1e-4)
    region = torch.zeros_like(everywhere)
    region[0, 0, 10:12, 20] = True
    expected = (a - b)[0, :, 10:12, 20].square().mean()
    found = picture.region_psnr(a, b, region)
    assert found[0] == pytest.approx(-10 * math.log10(expected), abs=1e-3)
    assert found[1].isnan()  # that example has no such region


def test_regions_are_those_of_scipy():
    generator = torch.Generator().manual_seed(0)
    parse = torch.zeros(1, 64, 48, dtype=torch.long)
    truth = parse.clone()
    parse[0, 20:30, 10:20] = 5
    truth[0, 25:40, 12:30] = 6
    truth[0, 25:30, 32:36] = 15
    truth[0, 60, 5] = 14  # far from any garment
    union = ((parse == 5) | (truth == 6))[0].numpy()
    expected = ndimage.binary_dilation(union, np.ones((5, 5)))
    assert np.array_equal(garment_region(parse, truth)[0, 0].numpy(), expected)
    near = [ndimage.binary_dilation((truth == k)[0].numpy(), np.ones((7, 7))) for k in (6, 15)]
    assert np.array_equal(arm_band(truth)[0, 0].numpy(), near[0] & near[1])
    assert has_label(truth, (14,)).sum() == 1
    speckle = torch.rand(1, 1, 64, 48, generator=generator) > 0.99
    assert np.array_equal(grow(speckle, 3)[0, 0].numpy(), ndimage.binary_dilation(speckle[0, 0], np.ones((7, 7))))


def test_iou_by_hand_with_pixels_left_out():
    a, b, arm = (torch.zeros(2, 1, 4, 4, dtype=torch.bool) for _ in range(3))
    a[0, 0, :2] = True  # 8 pixels
    b[0, 0, 1:3] = True  # 8 pixels, 4 in common
    assert warp.iou(a, b)[0] == pytest.approx(4 / 12)
    arm[0, 0, 0] = True  # hides the 4 that only `a` has
    assert warp.iou(a, b, arm)[0] == pytest.approx(4 / 8)
    assert warp.iou(a, b)[1].isnan()
    parse = torch.tensor([[[0, 2, 5, 14, 15, 13]]])
    assert warp.in_front(parse).flatten().tolist() == [False, True, False, True, True, False]


def test_end_point_error_by_hand():
    truth = torch.full((2, 2, 8, 6), torch.nan)
    truth[0, :, 2, 3] = torch.tensor([1.0, 5.0])
    truth[0, :, 4, 4] = torch.tensor([4.0, 4.0])
    identity = warp.identity_px(2, 8, 6, truth)
    found = warp.end_point_error(identity, truth)
    assert found[0] == pytest.approx((math.hypot(3 - 1, 2 - 5) + 0) / 2)
    assert found[1].isnan()
    scaled = warp.end_point_error(identity, truth, (256, 192))[0]
    assert scaled == pytest.approx(math.hypot(2 * 192 / 6, 3 * 256 / 8) / 2)
    grid = TPSGrid(8, 6, 3)(torch.zeros(1, 18))
    assert torch.allclose(warp.to_pixels(grid, 8, 6), identity[:1], atol=1e-5)
    with pytest.raises(ValueError, match="wanted equal"):
        warp.end_point_error(identity[:1], truth)


def hidden(field: torch.Tensor) -> torch.Tensor:
    """The field where a garment might be, NaN elsewhere."""
    field = field.clone()
    field[:, :, :10], field[:, :, 50:], field[..., :8], field[..., 38:] = (torch.nan,) * 4
    return field


def test_best_affine_finds_an_affine_map_and_nothing_more():
    identity = warp.identity_px(1, 64, 48, torch.zeros(()))
    matrix = torch.tensor([[0.9, 0.2], [-0.1, 1.2]])
    affine = torch.einsum("ij,bjhw->bihw", matrix, identity) + torch.tensor([3.0, -5.0]).view(1, 2, 1, 1)
    assert warp.end_point_error(warp.best_affine(hidden(affine)), hidden(affine)).item() < 1e-3
    bent = hidden(affine + 3 * torch.sin(identity / 8))
    assert 0.5 < warp.end_point_error(warp.best_affine(bent), bent).item() < warp.end_point_error(affine, bent).item()


def test_best_tps_finds_a_spline_and_beats_the_affine_map():
    theta = 0.2 * torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    spline = warp.to_pixels(TPSGrid(64, 48, 5)(theta), 64, 48)
    assert warp.end_point_error(warp.best_tps(hidden(spline)), hidden(spline)).max() < 0.05
    errors = [warp.end_point_error(f(hidden(spline)), hidden(spline)) for f in (warp.best_tps, warp.best_affine)]
    assert (errors[0] < 0.2 * errors[1]).all()
    empty = torch.full((1, 2, 64, 48), torch.nan)
    for best in (warp.best_affine, warp.best_tps):
        assert best(empty).isfinite().all() and warp.end_point_error(best(empty), empty).isnan().all()


def test_lpips_is_its_formula_over_the_real_trunk():
    metric = LPIPS()
    a, b = pictures(1)
    value, spatial = metric(a, b)
    features, info = trunk("alexnet")
    assert metric.info == info and len(info.sha256) == 64
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x, y = (((2 * p - 1) - shift.view(1, 3, 1, 1)) / scale.view(1, 3, 1, 1) for p in (a, b))
    expected, heads = torch.zeros(2), iter(metric.net.lins)
    with torch.no_grad():
        for layer in features[:12]:  # the last pooling is not part of it
            x, y = layer(x), layer(y)
            if isinstance(layer, torch.nn.ReLU):
                weight = next(heads).model[-1].weight.flatten()
                assert (weight >= 0).all() and weight.max() > 0
                difference = (F.normalize(x, dim=1, eps=1e-10) - F.normalize(y, dim=1, eps=1e-10)).square()
                expected += torch.einsum("bchw,c->bhw", difference, weight).flatten(1).mean(1)
    assert torch.allclose(value, expected, atol=1e-5) and (value > 0.05).all()
    assert spatial.shape == (2, 1, 64, 48)
    same, same_map = metric(a, a)
    assert same.abs().max() == 0 and same_map.abs().max() == 0
    assert not metric.train().net.training  # its heads have dropout
    with pytest.raises(ValueError, match="wanted two equal"):
        metric(a, b[:, :1])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_viton(tmp_path_factory.mktemp("world"), 4, 6, truth=True)


def measure(predict, dataset, protocol="unpaired", **settings):
    settings = {"learned": False, "batch": 4} | settings
    return evaluate(predict, dataset, model="m", profile=SMOKE, protocol=protocol, **settings)


def test_knowing_the_truth_is_perfect_and_nobody_is_told_it(world):
    dataset = open_dataset(world, "test", "unpaired", SMOKE.size)
    truth = {dataset[i]["name"]: dataset[i] for i in range(len(dataset))}

    def cheat(batch):
        assert not any(k.startswith("truth_") for k in batch)
        rows = [truth[n] for n in batch["name"]]
        parse = torch.stack([r["truth_parse"] for r in rows])
        field = torch.stack([r["truth_warp"] for r in rows]).nan_to_num()  # (B, 2, H, W)
        grid = (field / torch.tensor([47 / 2, 63 / 2]).view(1, 2, 1, 1) - 1).permute(0, 2, 3, 1)
        return Prediction(torch.stack([r["truth_image"] for r in rows]), has_label(parse, (5,)).float(), grid)

    found = measure(cheat, dataset, learned=True)
    assert found.protocol.n == 6 and found.protocol.extractor == "alexnet" and len(found.values["ssim"]) == 6
    perfect = {"ssim": 1, "ssim_garment": 1, "psnr": 100, "lpips": 0, "mask_iou": 1, "epe_px": 0, "boundary_f_warp": 1}
    perfect |= dict.fromkeys(("mae_arms", "ciede2000", "ciede2000_mean", "sharpness", "texture_error"), 0)
    for metric, value in perfect.items():
        assert found.array(metric) == pytest.approx(value, abs=1e-4), metric
    assert found.interval("epe_256_px_none").mean > 1
    assert found.protocol != measure(copy_person, dataset, learned=False).protocol  # no extractor: not comparable


def test_floors_and_batches(world):
    dataset = open_dataset(world, "test", "unpaired", SMOKE.size)
    copied = measure(copy_person, dataset)
    assert copied.interval("ssim").mean < 0.99 and "epe_px" not in copied.values
    assert measure(copy_person, dataset, batch=5).values == copied.values
    cached = measure(copy_person, Cached(dataset))
    assert cached.protocol == copied.protocol
    assert np.allclose(cached.array("ssim"), copied.array("ssim"), atol=1e-4)
    assert measure(copy_person, dataset, limit=2).array("ssim").tolist() == copied.array("ssim")[:2].tolist()
    assert measure(paste_flat_cloth, dataset).array("ssim") != pytest.approx(copied.array("ssim"))
    warped = measure(paste_warped_cloth(build_gmm(SMOKE).eval(), SMOKE.person), dataset)
    for metric in ("mask_iou", "epe_px", "epe_256_px", "epe_256_px_tps"):
        assert np.isfinite(warped.array(metric)).all()
    assert np.allclose(warped.array("epe_256_px"), 4 * warped.array("epe_px"), rtol=1e-3)
    paired = open_dataset(world, "test", "paired", SMOKE.size)
    assert measure(copy_person, paired, "paired").interval("ssim").mean == pytest.approx(1)


def test_the_garment_in_the_picture_is_seen_by_a_labeller(world):
    dataset = open_dataset(world, "test", "unpaired", SMOKE.size)
    parses = torch.stack([dataset[i]["truth_parse"] for i in range(len(dataset))])
    shown = []

    def right(made: torch.Tensor) -> torch.Tensor:
        assert made.abs().max() <= 1
        shown.append(len(made))
        return parses[sum(shown) - len(made) : sum(shown)]

    found = measure(copy_person, dataset, labeller=Labeller(right, "ab"))
    assert found.array("boundary_f").tolist() == [1.0] * 6 and found.protocol.parser_sha256 == "ab"
    nothing = measure(copy_person, dataset, labeller=Labeller(lambda made: parses[: len(made)] * 0, "cd"))
    assert nothing.array("boundary_f").tolist() == [0.0] * 6
    assert "boundary_f" not in measure(copy_person, dataset).values


def test_sets_are_of_all_images_and_need_no_truth(world, tmp_path):
    dataset, sets = open_dataset(world, "test", "unpaired", SMOKE.size), SetDistance("lite0")
    copied, pasted = (measure(p, dataset, sets=sets) for p in (copy_person, paste_flat_cloth))
    assert list(copied.sets) == ["is_lite0", "fd_lite0", "kd_lite0"] and copied.sets["kd_lite0"].n == 6
    assert copied.protocol.set_extractor == "lite0" and len(copied.protocol.set_extractor_sha256) == 64
    assert abs(copied.sets["fd_lite0"].mean) < 1e-3 * pasted.sets["fd_lite0"].mean
    assert "kd_lite0" not in copied.values and "ssim" in copied.values
    plain = open_dataset(write_viton(tmp_path / "viton", 2, 4), "test", "unpaired", SMOKE.size)
    found = measure(copy_person, plain, sets=sets)
    assert not found.values and found.sets["fd_lite0"].n == 4


def test_what_cannot_be_measured_is_refused(world, tmp_path):
    dataset = open_dataset(world, "test", "unpaired", SMOKE.size)
    with pytest.raises(ValueError, match="pairs are 'unpaired'"):
        measure(copy_person, dataset, "paired")
    with pytest.raises(ValueError, match="wanted 'paired' or 'unpaired'"):
        measure(copy_person, dataset, "both")
    with pytest.raises(ValueError, match="limit: found 0, wanted at least 1"):
        measure(copy_person, dataset, limit=0)
    with pytest.raises(ValueError, match="not finite"):
        measure(lambda batch: Prediction(batch["image"] * math.nan), dataset)
    plain = open_dataset(write_viton(tmp_path / "viton", 2, 2), "test", "unpaired", SMOKE.size)
    with pytest.raises(ValueError, match="does not know the true picture"):
        measure(copy_person, plain)
    only_warp = dataclasses.replace(SMOKE, name="other")
    record = evaluate(
        lambda batch: Prediction(None, batch["cloth_mask"]), dataset, model="m", profile=only_warp,
        protocol="unpaired", learned=False,
    )  # fmt: skip
    assert set(record.values) == {"mask_iou", "mask_iou_plain", "boundary_f_warp"}
    assert record.protocol.profile == "other"
