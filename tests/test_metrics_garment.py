"""Colour, texture, outline: each against an independent library or a plain loop, and against values known by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from skimage.color import deltaE_ciede2000, rgb2lab

from mavton_lite.metrics import colour, outline, texture
from mavton_lite.metrics.regions import grow


def coloured(seed: int = 0, batch: int = 3) -> torch.Tensor:
    """Noise with all kinds of colours: greys, blacks and pure primaries among them."""
    x = torch.rand(batch, 3, 24, 18, generator=torch.Generator().manual_seed(seed))
    x[0, :, :4] = x[0, :1, :4]  # greys have no hue
    x[0, :, 4:6] = 0
    x[1, :2, :3] = 0
    x[1, 2, :3] = 1
    return x


def channels_last(x: torch.Tensor) -> np.ndarray:
    return x.permute(0, 2, 3, 1).double().numpy()


def test_lab_is_scikit_images():
    x = coloured()
    assert np.allclose(channels_last(colour.to_lab(x)), rgb2lab(channels_last(x)), atol=2e-3)
    with pytest.raises(ValueError, match="wants pictures"):
        colour.to_lab(x[:, :2])


def test_ciede2000_is_scikit_images():
    labs = [torch.from_numpy(rgb2lab(channels_last(coloured(s)))).permute(0, 3, 1, 2) for s in (0, 1)]
    found = colour.ciede2000(*labs)[:, 0].numpy()
    assert np.allclose(found, deltaE_ciede2000(*(channels_last(lab) for lab in labs)), atol=1e-9)
    assert found.max() > 60 and colour.ciede2000(labs[0], labs[0]).max() == 0
    with pytest.raises(ValueError, match="wanted two equal"):
        colour.ciede2000(labs[0], labs[1][:1])


# Source: Sharma, Wu and Dalal 2005, table 1, pairs 1, 7, 9, 17, 25 and 34: the corners of the formula.
SHARMA = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
]


def test_ciede2000_gives_the_published_values():
    first, second = (torch.tensor([pair[k] for pair in SHARMA]).double()[:, :, None, None] for k in (0, 1))
    for x, y in ((first, second), (second, first)):
        assert colour.ciede2000(x, y).flatten().tolist() == pytest.approx([pair[2] for pair in SHARMA], abs=1e-4)


def test_colour_is_measured_on_the_garment_alone():
    truth = torch.full((2, 3, 8, 6), 0.5)
    made, garment = truth.clone(), torch.zeros(2, 1, 8, 6, dtype=torch.bool)
    garment[0, 0, :4] = True
    made[0, :, 4:] = 0  # outside
    found = colour.colour_errors(made, truth, garment)
    assert found["ciede2000"][0] == 0 and found["ciede2000_mean"][0] == 0
    assert all(v[1].isnan() for v in found.values())  # no garment there
    made[0, :, :2] = 0.7
    made[0, :, 2:4] = 0.3
    found, lab = colour.colour_errors(made, truth, garment), rgb2lab([[[0.7] * 3, [0.3] * 3, [0.5] * 3]])[0]
    by_pixel = [deltaE_ciede2000(lab[i], lab[2]) for i in (0, 1)]
    assert found["ciede2000"][0] == pytest.approx(np.mean(by_pixel), abs=1e-3)
    assert found["ciede2000_mean"][0] == pytest.approx(deltaE_ciede2000(lab[:2].mean(0), lab[2]), abs=1e-3)
    assert found["ciede2000_mean"][0] < 0.1 * found["ciede2000"][0]  # light and dark in turn: right on average


def test_the_gradient_is_numpys():
    x = coloured(2)
    luma = (0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]).double().numpy()
    along, across = np.gradient(luma, axis=(1, 2))
    found = texture.gradient(x)[:, 0].numpy()
    assert np.allclose(found[:, 1:-1, 1:-1], np.hypot(along, across)[:, 1:-1, 1:-1], atol=1e-6)
    assert found[:, 0].max() == 0
    with pytest.raises(ValueError, match="wants pictures"):
        texture.gradient(x[:, :1])


def test_sharpness_by_a_plain_loop_and_in_words():
    truth = coloured(3, 2)
    garment = torch.zeros(2, 1, 24, 18, dtype=torch.bool)
    garment[:, :, 3:20, 2:15] = True
    garment[1] = False
    garment[1, 0, 5:9, 5:9] = True  # nothing of it is 2 px from the outline
    made = F.avg_pool2d(truth, 3, 1, 1)
    found = texture.sharpness(made, truth, garment)
    inner = ndimage.binary_erosion(garment[0, 0].numpy(), np.ones((5, 5)), border_value=1)
    means = []
    for p in (made, truth):
        steep = texture.gradient(p)[0, 0].numpy()
        means.append(np.mean([steep[y, x] for y in range(24) for x in range(18) if inner[y, x]]))
    assert found[0] == pytest.approx(math.log2((means[0] + 1 / 255) / (means[1] + 1 / 255)), abs=1e-4)
    assert found[0] < -0.5 and found[1].isnan()
    assert texture.sharpness(truth, truth, garment)[0] == 0
    plain = torch.full_like(truth, 0.5)
    assert texture.sharpness(plain, plain, garment)[0] == 0, "plain cloth drawn plainly is right"
    faint = 0.5 + 0.25 * (truth - 0.5)
    assert texture.sharpness(0.5 + 2 * (faint - 0.5), faint, garment)[0] == pytest.approx(1, abs=0.15)


def boundary_by_distance(found: np.ndarray, truth: np.ndarray, radius: int, ignore: np.ndarray) -> float:
    """The score by Euclidean distance transforms, as others write it."""
    cross = ndimage.generate_binary_structure(2, 1)
    lines = [m & ~ndimage.binary_erosion(m, cross, border_value=1) for m in (found, truth)]
    left_out = ndimage.binary_dilation(ignore, np.ones((2 * radius + 1, 2 * radius + 1)))
    shares = []
    for own, other in (lines, lines[::-1]):
        distance = ndimage.distance_transform_edt(~other) if other.any() else np.full(other.shape, np.inf)
        counted = own & ~left_out
        shares.append((counted & (distance <= radius)).sum() / max(counted.sum(), 1))
    return 0.0 if sum(shares) == 0 else 2 * shares[0] * shares[1] / sum(shares)


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_boundary_f_is_that_of_distance_transforms(radius):
    noise = torch.rand(4, 1, 12, 9, generator=torch.Generator().manual_seed(radius))
    blobs = F.interpolate(noise, (64, 48), mode="bilinear")
    truth, found = blobs > 0.5, blobs.roll((2, 1), (2, 3)) > 0.55
    ignore = torch.zeros_like(truth)
    ignore[:, :, :12] = True
    for left_out in (torch.zeros_like(truth), ignore):
        score = outline.boundary_f(found, truth, radius, left_out)
        wanted = [boundary_by_distance(f, t, radius, i) for f, t, i in
                  zip(*(m[:, 0].numpy() for m in (found, truth, left_out)), strict=True)]  # fmt: skip
        assert score.tolist() == pytest.approx(wanted, abs=1e-6)
        assert score.min() > 0.05 and score.max() < 0.999
    nothing = torch.zeros_like(ignore)
    assert torch.equal(outline.boundary_f(found, truth, radius), outline.boundary_f(found, truth, radius, nothing))


def test_boundary_f_by_hand():
    truth = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    truth[..., 8:24, 8:24] = True
    assert outline.outline(truth).sum() == 4 * 16 - 4
    assert outline.boundary_f(truth, truth, 1).item() == 1
    assert outline.boundary_f(grow(truth, 1), truth, 1).item() == pytest.approx(1, abs=0.05)
    assert outline.boundary_f(grow(truth, 4), truth, 2).item() == 0  # overlap 0.44, and no outline in place
    empty = truth & False
    assert outline.boundary_f(empty, truth, 2).item() == 0 and outline.boundary_f(empty, empty, 2).isnan().all()
    assert not outline.outline(~empty).any(), "the picture's edge is no outline"
    assert (outline.tolerance_px(128, 96), outline.tolerance_px(480, 854)) == (2, 8)
    with pytest.raises(ValueError, match="wanted two equal"):
        outline.boundary_f(truth, truth[..., :-1], 1)
    with pytest.raises(ValueError, match="wants masks"):
        outline.outline(truth[0])
