"""The thin-plate spline against SciPy, the correlation against a loop, resampling by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.interpolate import RBFInterpolator

from mavton_lite.losses import bend, interval
from mavton_lite.warp import TPSGrid, control_points, correlation, l2_normalise, pixel_grid, resample


def offsets(batch: int, grid: int, size: float = 0.2, seed: int = 0) -> torch.Tensor:
    return size * torch.randn(batch, 2 * grid**2, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("height", "width", "grid"), [(256, 192, 5), (64, 48, 5), (17, 23, 3), (16, 12, 10)])
def test_zero_offsets_are_the_identity(height, width, grid):
    sampling = TPSGrid(height, width, grid)(torch.zeros(2, 2 * grid**2))
    torch.testing.assert_close(sampling.double(), pixel_grid(height, width).expand(2, -1, -1, -1), atol=1e-7, rtol=0)
    # float32 places a sample near column 191 to 1.5e-5 px, so pure noise of that size would come back to 2e-5 only
    noise = torch.rand(2, 3, height // 2, width // 2, generator=torch.Generator().manual_seed(1))
    picture = F.interpolate(noise, (height, width), mode="bilinear", align_corners=True)
    for padding in ("border", "zeros"):
        torch.testing.assert_close(resample(picture, sampling, padding), picture, atol=1e-5, rtol=0)


@pytest.mark.parametrize("grid", [3, 5, 10])
def test_spline_equals_scipy(grid):
    height, width = 33, 25
    theta = offsets(2, grid)
    ours = TPSGrid(height, width, grid)(theta)
    points, pixels = control_points(grid).numpy(), pixel_grid(height, width).reshape(-1, 2).numpy()
    for b in range(2):
        moved = points + theta[b].view(2, -1).T.double().numpy()  # where each control point reads
        spline = RBFInterpolator(points, moved, kernel="thin_plate_spline", smoothing=0, degree=1)
        theirs = spline(pixels).reshape(height, width, 2)
        assert np.abs(ours[b].numpy() - theirs).max() < 1e-5


def test_control_points_go_where_they_are_sent():
    """Five points on a picture of 9 x 13 fall on every second row and every third column; x is the slow axis."""
    theta = offsets(1, 5)
    sampling = TPSGrid(9, 13, 5)(theta)[0]
    moved = theta.view(2, 5, 5)
    line = torch.linspace(-1, 1, 5)
    for i in range(5):
        for j in range(5):
            expected = torch.stack([line[i] + moved[0, i, j], line[j] + moved[1, i, j]])
            torch.testing.assert_close(sampling[2 * j, 3 * i], expected, atol=1e-5, rtol=0)


def test_affine_offsets_give_the_affine_warp():
    matrix, shift = torch.tensor([[1.1, 0.2], [-0.1, 0.9]]), torch.tensor([0.05, -0.1])
    points = control_points(5).float()
    theta = (points @ matrix.T + shift - points).T.reshape(1, 50)
    expected = pixel_grid(20, 15).float() @ matrix.T + shift
    torch.testing.assert_close(TPSGrid(20, 15)(theta)[0], expected, atol=1e-5, rtol=0)
    assert bend(theta, 5) < 1e-12 and interval(TPSGrid(20, 15)(theta)) < 1e-5


def test_a_shift_moves_the_picture_by_whole_pixels():
    """Reading one pixel to the right moves the content one to the left: 2 / (W - 1) in corner-aligned units."""
    picture = torch.rand(1, 1, 8, 6)
    theta = torch.cat([torch.full((1, 25), 2 / 5), torch.zeros(1, 25)], 1)
    moved = resample(picture, TPSGrid(8, 6)(theta), "zeros")
    torch.testing.assert_close(moved[..., :-1], picture[..., 1:], atol=1e-5, rtol=0)
    assert moved[..., -1].abs().max() < 1e-5
    border = resample(picture, TPSGrid(8, 6)(theta), "border")
    torch.testing.assert_close(border[..., -1], picture[..., -1], atol=1e-5, rtol=0)


def cubic(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    """Keys 1981, equation 4, with his `a` free."""
    d = np.abs(distance)
    near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def test_bicubic_reading_is_cubic_convolution():
    """Sixteen pixels around every place, those outside repeating the border; overshoots are cut off at [-1, 1]."""
    height, width, rng = 9, 7, np.random.default_rng(0)
    picture = rng.uniform(-1, 1, (height, width))
    at = rng.uniform(-1.2, 1.2, (40, 2))  # (x, y), some outside of the picture
    expected = []
    for x, y in (at + 1) / 2 * [width - 1, height - 1]:
        rows, columns = int(np.floor(y)) + np.arange(-1, 3), int(np.floor(x)) + np.arange(-1, 3)
        around = picture[np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))]
        expected.append(cubic(y - rows) @ around @ cubic(x - columns))
    assert np.abs(expected).max() > 1  # something does overshoot
    read = resample(torch.tensor(picture)[None, None], torch.tensor(at).view(1, 1, -1, 2), reading="bicubic")
    np.testing.assert_allclose(read.flatten().numpy(), np.clip(expected, -1, 1), atol=1e-5)


def test_bicubic_reading_blurs_less():
    """Fine stripes, read half a pixel further and back again: the mean of neighbours has lost more of them."""
    stripes = torch.cos(torch.arange(48) * 1.5).expand(1, 1, 32, 48) * 0.7
    there, back = (pixel_grid(32, 48).float() + torch.tensor([by / 47, 0.0]) for by in (1, -1))
    left = {}
    for reading in ("bilinear", "bicubic"):
        again = resample(resample(stripes, there[None], reading=reading), back[None], reading=reading)
        left[reading] = (again - stripes)[..., 4:-4].abs().mean().item()
    assert left["bicubic"] < 0.5 * left["bilinear"]


def test_the_warp_has_the_gradient_of_its_differences():
    tps, theta = TPSGrid(7, 5, 3), offsets(1, 3).requires_grad_()
    picture = F.interpolate(torch.rand(1, 2, 3, 2), (7, 5), mode="bilinear", align_corners=True)

    def energy(at: torch.Tensor) -> torch.Tensor:
        return resample(picture, tps(at), "border").square().sum()

    energy(theta).backward()
    with torch.no_grad():
        for i in range(18):
            step = torch.zeros(1, 18)
            step[0, i] = 1e-3
            numeric = (energy(theta + step) - energy(theta - step)) / 2e-3
            assert abs(numeric - theta.grad[0, i]) < 0.02 * theta.grad.abs().max()


def test_spline_stays_float32_under_autocast():
    tps, theta = TPSGrid(64, 48), offsets(2, 5)
    exact = tps(theta)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        sampling = tps(theta)
        moved = resample(torch.rand(2, 3, 64, 48).bfloat16(), sampling)
    assert sampling.dtype == moved.dtype == torch.float32
    assert torch.equal(sampling, exact)


def test_constants_are_buffers_that_are_not_saved():
    tps = TPSGrid(16, 12)
    assert dict(tps.named_buffers()).keys() == {"pixels", "weights"}
    assert not tps.state_dict() and not list(tps.parameters())
    assert {b.device.type for b in tps.to("meta").buffers()} == {"meta"}


def test_bad_theta_is_refused():
    with pytest.raises(ValueError, match=r"wants theta \(B, 50\), got \(1, 49\)"):
        TPSGrid(8, 6)(torch.zeros(1, 49))
    with pytest.raises(ValueError, match=">= 2"):
        TPSGrid(8, 6, grid=1)


def test_correlation_equals_a_loop():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(2, 5, 4, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    out = correlation(a, b)
    assert out.shape == (2, 12, 4, 3)
    for n in range(2):
        for y in range(4):
            for x in range(3):
                for i in range(4):
                    for j in range(3):
                        expected = sum(a[n, c, y, x] * b[n, c, i, j] for c in range(5))
                        assert abs(out[n, x * 4 + y, i, j] - expected) < 1e-12
    torch.testing.assert_close(
        correlation(*(t.contiguous(memory_format=torch.channels_last) for t in (a, b))), out, atol=1e-12, rtol=0
    )


def test_correlation_gradient():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1, 2, 3, 2, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(correlation, (a, b))


def test_correlation_of_normalised_features_is_a_cosine():
    a = l2_normalise(torch.randn(1, 16, 4, 3))
    torch.testing.assert_close(a.square().sum(1), torch.ones(1, 4, 3), atol=1e-4, rtol=0)
    volume = correlation(a, a)
    own = torch.stack([volume[0, x * 4 + y, y, x] for x in range(3) for y in range(4)])
    torch.testing.assert_close(own, torch.ones(12), atol=1e-4, rtol=0)
    assert volume.abs().max() <= 1.0001


def test_normalising_nothing_is_finite():
    x = torch.zeros(1, 4, 2, 2, requires_grad=True)
    out = l2_normalise(x)
    out.sum().backward()
    assert torch.equal(out, torch.zeros_like(out)) and x.grad.isfinite().all()
    assert l2_normalise(torch.ones(1, 2, 1, 1, dtype=torch.bfloat16)).dtype == torch.float32


def test_correlation_refuses_unequal_maps():
    with pytest.raises(ValueError, match="one shape"):
        correlation(torch.zeros(1, 4, 3, 2), torch.zeros(1, 4, 2, 3))
