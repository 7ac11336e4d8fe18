"""Shape contexts: histograms by hand, partners that are known, warps of garment masks that are known."""

import numpy as np
import pytest
import torch

from mavton_lite.config import SEED
from mavton_lite.data.atelier import flat_lay, garment_of
from mavton_lite.warp import TPSGrid, control_points, pixel_grid, resample
from mavton_lite.warp.moments import affine_between
from mavton_lite.warp.shape_context import (
    ANGLES,
    CHOICE,
    DUMMY_COST,
    RADII,
    assign,
    boundary,
    chi_squared,
    match,
    shape_context,
    warp_between,
)

SIZE = (256, 192)


@pytest.fixture(scope="module")
def garments() -> torch.Tensor:
    """Flat masks of four garments of the Atelier.   Shape: (4, 1, 256, 192)."""
    covers = [flat_lay(garment_of(SEED, "test", i), *SIZE).cover for i in (0, 1, 4, 6)]
    return torch.tensor(np.stack(covers)).float()[:, None]


def smooth_warps(count: int, seed: int, affine: float = 0.06, bend: float = 0.03) -> torch.Tensor:
    """Backward warps: a random affine map, bent by nine control points.   Shape: -> (count, 256, 192, 2)."""
    chance = torch.Generator().manual_seed(seed)
    at = control_points(3).float()
    matrix = torch.eye(2) + affine * torch.randn(count, 2, 2, generator=chance)
    shift = affine * torch.randn(count, 1, 2, generator=chance)
    moved = at @ matrix.mT + shift - at  # (count, 9, 2)
    theta = moved.mT + bend * torch.randn(count, 2, 9, generator=chance)
    return TPSGrid(*SIZE, 3)(theta.flatten(1))


def errors_px(found: torch.Tensor, truth: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean distance in px inside each mask.   Shape: (B, H, W, 2), (B, H, W, 2), (B, 1, H, W) -> (B,)."""
    distance = ((found - truth) * torch.tensor([(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])).norm(dim=-1)
    inside = mask[:, 0] > 0.5
    return torch.stack([d[i].mean() for d, i in zip(distance, inside, strict=True)])


def rectangle(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    mask[rows, columns] = 1
    return mask


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_known_smooth_warps_of_garments_are_recovered(garments, seed):
    truth = smooth_warps(len(garments), seed)
    worn = resample(garments, truth, "zeros")
    found = warp_between(garments, worn, *SIZE)
    assert found.dtype == torch.float32 and found.shape == truth.shape
    error = errors_px(found, truth, worn)
    unmoved = errors_px(pixel_grid(*SIZE).float().expand_as(truth), truth, worn)
    assert unmoved.mean() > 6  # there was something to recover
    assert error.max() < 3 and error.mean() < unmoved.mean() / 3


def test_bent_garments_are_followed_further_than_an_affine_map_can(garments):
    truth = smooth_warps(len(garments), 3, affine=0.0, bend=0.1)
    worn = resample(garments, truth, "zeros")
    stiff, soft = [], []
    for source, target, true in zip(garments, worn, truth, strict=True):
        for found, bending in ((stiff, (1000.0,) * 6), (soft, (1000.0, 1.0, 1.0, 1.0, 1.0, 1.0))):
            y, x = np.nonzero(target[0].numpy() > 0.5)
            spline = match(source[0].numpy(), target[0].numpy(), bending=bending).spline
            there = ((true[y, x] + 1).numpy() / 2) * [SIZE[1] - 1, SIZE[0] - 1]
            found.append(np.linalg.norm(spline(np.stack([x, y], 1).astype(float)) - there, axis=1).mean())
    assert np.mean(soft) < 0.85 * np.mean(stiff)


def test_a_mask_onto_itself_is_the_identity(garments):
    found = warp_between(garments[:1], garments[:1], *SIZE)
    assert errors_px(found, pixel_grid(*SIZE).float()[None], garments[:1]) < 1


def test_masks_and_grid_may_have_different_sizes(garments):
    """Coordinates are relative: what is found at half size bends the full picture."""
    truth = smooth_warps(2, 5)
    worn = resample(garments[:2], truth, "zeros")
    half = torch.nn.functional.interpolate(worn, (128, 96), mode="bilinear", align_corners=True)
    assert errors_px(warp_between(garments[:2], half, *SIZE), truth, worn).max() < 4


def test_an_outline_is_sampled_evenly_and_runs_round_the_garment():
    found = boundary(rectangle(60, 50, slice(10, 41), slice(10, 31)), 100)
    assert found.points.shape == found.tangents.shape == (100, 2)
    # the edge of a pixel mask runs through the middle between its pixels and the next
    assert np.allclose(found.points.min(0), [9.5, 9.5], atol=0.3)
    assert np.allclose(found.points.max(0), [30.5, 40.5], atol=0.3)
    steps = np.linalg.norm(np.diff(found.points, axis=0), axis=1)
    assert steps.max() < 1.1 * np.median(steps)
    assert np.allclose(np.linalg.norm(found.tangents, axis=1), 1)
    top, bottom = found.points[:, 1] < 11, found.points[:, 1] > 39
    assert np.median(found.tangents[top, 0]) * np.median(found.tangents[bottom, 0]) < -0.9  # there and back


def test_holes_are_filled_and_parts_are_kept():
    whole = rectangle(60, 50, slice(10, 50), slice(5, 45))
    holed = whole - rectangle(60, 50, slice(20, 30), slice(20, 30))
    assert np.array_equal(boundary(whole).points, boundary(holed).points)
    parts = rectangle(60, 50, slice(5, 20), slice(5, 45)) + rectangle(60, 50, slice(30, 55), slice(5, 45))
    low = boundary(parts).points[:, 1] > 25
    assert 0.4 < low.mean() < 0.7  # in proportion to the length of each outline


def test_histograms_by_hand():
    """Four points of a square: each sees two at one side's length and one across, in known directions."""
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    seen = shape_context(square)
    assert seen.shape == (4, RADII, ANGLES)
    # the first point sees its neighbours along +x and +y, on the borders of sectors 11 | 0 and 2 | 3, and the fourth in
    # the middle of sector 1: past the middle of the last ring, so that a part of it is counted nowhere
    across = np.sqrt(2) / ((2 + np.sqrt(2)) / 4)  # in mean distances
    ring = 4 * np.log(across / (1 / 8)) / np.log(2 / (1 / 8)) + 0.5
    expected = np.zeros(ANGLES)
    expected[[11, 0, 2, 3, 1]] = 0.5, 0.5, 0.5, 0.5, 1 - (ring - 4)
    assert 4 < ring < 5 and np.allclose(seen[0].sum(0) * 3, expected)
    assert np.allclose(shape_context(7 * square + 3), seen)  # place and size do not matter
    assert not np.allclose(shape_context(square @ [[0.8, 0.6], [-0.6, 0.8]]), seen)  # a turn does


def test_chi_squared_by_hand():
    a, b = np.zeros((1, RADII, ANGLES)), np.zeros((2, RADII, ANGLES))
    a[0, 0, 0], b[0, 0, 0], b[1, 0, 1] = 1, 1, 1
    assert np.allclose(chi_squared(a, b), [[0, 1]])
    b[0, 0, 0] = 0.5
    assert np.allclose(chi_squared(a, b)[0, 0], 0.5 * 0.25 / 1.5)


def test_partners_are_the_cheapest_and_strangers_stay_alone():
    cost = np.full((4, 4), 0.9)
    cost[[0, 1, 2], [2, 0, 1]] = 0.1
    assert {tuple(pair) for pair in assign(cost)} == {(0, 2), (1, 0), (2, 1)}  # 0.9 is dearer than staying alone
    cost[3, 3] = DUMMY_COST / 2
    assert {tuple(pair) for pair in assign(cost)} == {(0, 2), (1, 0), (2, 1), (3, 3)}
    greedy_trap = np.array([[0.1, 0.2], [0.11, 0.9]])
    assert {tuple(pair) for pair in assign(greedy_trap)} == {(0, 1), (1, 0)}


def test_a_matching_tells_its_partners(garments):
    worn = resample(garments[:1], smooth_warps(1, 6), "zeros")
    found = match(garments[0, 0].numpy(), worn[0, 0].numpy(), 60)
    assert len(found.target.points) == 60 and len(found.source.points) == 60 * CHOICE
    assert len(found.pairs) > 45
    for side in (0, 1):
        assert len(set(found.pairs[:, side])) == len(found.pairs)  # one to one
    gap = found.moved[found.pairs[:, 1]] - found.source.points[found.pairs[:, 0]]
    assert np.median(np.linalg.norm(gap, axis=1)) < 3


def test_empty_masks_are_refused_or_left_alone(garments):
    nothing = torch.zeros_like(garments[:1])
    both = torch.cat([garments[:1], nothing])
    for source, target in ((both, garments[:2]), (garments[:2], both)):
        with pytest.raises(ValueError, match="example 1: found a mask of 0 pixels"):
            warp_between(source, target, 64, 48)
        found = warp_between(source, target, 64, 48, empty="identity")
        torch.testing.assert_close(found[1].double(), pixel_grid(64, 48), atol=1e-6, rtol=0)


def test_odd_masks_are_matched_or_refused_by_name():
    dust = np.zeros((64, 48), np.float32)
    dust[::4, ::4] = 1
    shirt = rectangle(64, 48, slice(10, 50), slice(10, 40))
    full = np.ones((64, 48), np.float32)
    with pytest.raises(ValueError, match="single pixels"):
        match(shirt, dust)
    assert np.isfinite(match(shirt, full).moved).all()
    with pytest.raises(ValueError, match=r"wanted \(B, 1, H, W\)"):
        warp_between(torch.ones(1, 64, 48), torch.ones(1, 1, 64, 48), 64, 48)
    with pytest.raises(ValueError, match="wanted 'raise' or 'identity'"):
        warp_between(torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8), 8, 8, empty="skip")


def test_moments_find_shift_and_scale(garments):
    at = pixel_grid(*SIZE).float()
    truth = (at * torch.tensor([1.2, 0.9]) + torch.tensor([0.1, -0.05])).expand(len(garments), -1, -1, -1)
    worn = resample(garments, truth, "zeros")
    assert errors_px(affine_between(garments, worn, *SIZE), truth, worn).max() < 1
    # sizes do not matter, and what is lost to the frame or bent away is not found
    half = torch.nn.functional.interpolate(worn, (128, 96), mode="bilinear", align_corners=True)
    assert errors_px(affine_between(garments, half, *SIZE), truth, worn).max() < 1
    with pytest.raises(ValueError, match="no garment in mask 1"):
        affine_between(garments[:2], torch.stack([worn[0], torch.zeros_like(worn[0])]), *SIZE)
