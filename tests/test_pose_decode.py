"""The bottom-up decoder, piece by piece: by hand, and against SciPy and brute force."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates, maximum_filter

from mavton_lite.data.sample import COCO18
from mavton_lite.pose.decode import Link, Peaks, adopt, assemble, assign, connect, decode, find_peaks, limb_scores
from mavton_lite.pose.maps import LIMB_NAMES, LIMBS, confidence_maps, true_maps
from mavton_lite.pose.score import NOTHING, Found, joints_found

STANDING = {
    "nose": (0, -40), "neck": (0, -20), "right shoulder": (-18, -19), "right elbow": (-24, 12),
    "right wrist": (-20, 40), "left shoulder": (18, -19), "left elbow": (25, 10), "left wrist": (8, 22),
    "right hip": (-10, 44), "left hip": (10, 44), "right eye": (-4, -44), "left eye": (4, -44),
    "right ear": (-9, -42), "left ear": (9, -42),
}  # fmt: skip


def standing(x: float, y: float) -> torch.Tensor:
    out = torch.zeros(18, 3)
    for name, (dx, dy) in STANDING.items():
        out[COCO18.index(name)] = torch.tensor([x + dx, y + dy, 1.0])
    return out


def test_peaks_are_scipys_maxima():
    noise = torch.rand(4, 20, 15, generator=torch.Generator().manual_seed(0))
    peaks = find_peaks(noise, threshold=0.6, radius=0)
    filtered = maximum_filter(noise.numpy(), size=(1, 3, 3), mode="nearest")
    wanted = np.argwhere((noise.numpy() == filtered) & (noise.numpy() > 0.6))
    found = sorted((int(j), round(float(y)), round(float(x))) for j, (x, y) in zip(peaks.joint, peaks.xy, strict=True))
    # refinement moves a peak by at most half a cell, which rounding may turn either way
    assert len(found) == len(wanted) > 20
    assert all(abs(a - b).max() <= 1 for a, b in zip(np.array(found), wanted, strict=True))
    assert torch.equal(peaks.joint, peaks.joint.sort().values)
    assert all(noise[j].max() == s for j, s in zip(peaks.joint, peaks.score, strict=True)
               if s == peaks.score[peaks.joint == j].max())  # fmt: skip


def test_a_lone_bump_is_found_to_a_thousandth_of_a_cell():
    dice = torch.Generator().manual_seed(3)
    for _ in range(20):
        where = torch.rand(2, generator=dice) * 8 + 2
        bump = torch.zeros(1, 18, 3)
        bump[0, 0] = torch.tensor([*where, 1.0])
        peaks = find_peaks(confidence_maps(bump, (13, 13), 1.75))
        assert peaks.joint.tolist() == [0]
        torch.testing.assert_close(peaks.xy[0], where, atol=1e-3, rtol=0)


def test_two_equal_neighbours_are_one_peak_and_the_border_is_safe():
    map_ = torch.zeros(1, 6, 6)
    map_[0, 2, 2:4] = 0.8
    assert find_peaks(map_).xy.tolist() == [[2.5, 2.0]]
    map_ = torch.zeros(2, 6, 6)
    map_[1, 0, 5] = 0.9
    peaks = find_peaks(map_)
    assert peaks.joint.tolist() == [1] and peaks.xy.tolist() == [[5.0, 0.0]]
    assert not len(find_peaks(map_, threshold=0.95).joint)
    with pytest.raises(ValueError, match=r"wants \(K, H, W\), got \(6, 6\)"):
        find_peaks(map_[0])


def test_the_line_integral_by_hand():
    field = torch.zeros(2, 9, 9)
    field[0] = 1  # everything points to the right
    starts, ends = torch.tensor([[1.0, 4]]), torch.tensor([[7.0, 4], [4, 7], [1, 8], [0, 4], [1, 4]])
    # along it, at 45 degrees, across it, against it, nowhere
    assert limb_scores(field, starts, ends)[0].tolist() == pytest.approx([1, math.sqrt(0.5), 0, 0, 0])
    field[0, :, 4:] = 0
    assert limb_scores(field, starts, ends[:1], samples=7).item() == 0, "three of seven samples are too few"
    field[0, :, :7] = 1
    assert limb_scores(field, starts, ends[:1], samples=7).item() == pytest.approx(6 / 7)


def test_the_line_integral_is_scipys():
    dice = torch.Generator().manual_seed(1)
    field = torch.rand(2, 10, 8, generator=dice) + 0.2  # all samples speak for limbs that go right and down
    starts, ends = torch.rand(3, 2, generator=dice) * 3, torch.rand(4, 2, generator=dice) * 3 + 4
    found = limb_scores(field, starts, ends, samples=6)
    for a, start in enumerate(starts.numpy()):
        for b, end in enumerate(ends.numpy()):
            points = start + np.linspace(0, 1, 6)[:, None] * (end - start)
            values = np.stack([map_coordinates(f.numpy(), points.T[::-1], order=1) for f in field], 1)
            wanted = (values @ ((end - start) / np.linalg.norm(end - start))).mean()
            assert found[a, b].item() == pytest.approx(wanted, abs=1e-5)


def test_greedy_takes_the_best_and_hungarian_the_best_sum():
    scores = torch.tensor([[0.9, 0.8], [0.8, 0.1]])
    assert assign(scores, "greedy") == [(0, 0), (1, 1)]
    assert sorted(assign(scores)) == [(0, 1), (1, 0)]
    assert assign(torch.zeros(2, 3)) == [] == assign(torch.zeros(2, 3), "greedy"), "no support, no limb"
    with pytest.raises(ValueError, match="unknown solver 'best'; known: hungarian, greedy"):
        assign(scores, "best")


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
def test_hungarian_is_brute_force(shape):
    dice = torch.Generator().manual_seed(sum(shape))
    for _ in range(10):
        table = torch.rand(shape, generator=dice)
        small, large = sorted(shape)
        wide = table if shape[0] <= shape[1] else table.T
        best = max(sum(wide[i, p[i]] for i in range(small)) for p in permutations(range(large), small))
        chosen = assign(table)
        assert len(chosen) == small and sum(table[a, b] for a, b in chosen) == pytest.approx(float(best))
        assert sum(table[a, b] for a, b in assign(table, "greedy")) <= best + 1e-6


def test_a_link_that_contradicts_a_better_one_is_left_out():
    names = ["neck", "right shoulder", "right elbow", "neck", "right shoulder"]
    peaks = Peaks(torch.tensor([COCO18.index(n) for n in names]), torch.arange(10.0).view(5, 2), torch.full((5,), 0.5))
    first, upper_arm = LIMB_NAMES.index("neck to right shoulder"), LIMB_NAMES.index("right shoulder to right elbow")
    links = [Link(first, 0, 1, 0.9), Link(upper_arm, 1, 2, 0.8), Link(first, 3, 4, 0.7), Link(upper_arm, 4, 2, 0.3)]
    people = assemble(peaks, links, least=2)
    assert [(p[:, 2] > 0).sum().item() for p in people] == [3, 2]
    assert people[0, COCO18.index("right elbow")].tolist() == [4, 5, 0.5]
    assert people[1, COCO18.index("right shoulder")].tolist() == [8, 9, 0.5]
    assert len(assemble(peaks, links)) == 1, "two joints are no person"
    assert assemble(peaks, []).shape == (0, 18, 3)


@pytest.mark.parametrize("solver", ["hungarian", "greedy"])
def test_people_beside_and_into_each_other_come_back_exactly(solver):
    everybody = torch.stack([standing(50, 120), standing(84, 131), standing(140, 100)])
    people = decode(*true_maps(everybody, (256, 192)), solver=solver)
    assert people.shape == (3, 18, 3)
    found = joints_found(people, everybody, within_px=0.5)
    assert (found.right, found.true, found.said) == (42, 42, 42)
    assert decode(torch.zeros(18, 64, 48), torch.zeros(38, 64, 48)).shape == (0, 18, 3)


def test_without_fields_nobody_is_found_and_swapped_fields_swap_people():
    two = torch.stack([standing(60, 120), standing(130, 120)])
    confidence, fields = true_maps(two, (256, 192))
    assert len(decode(confidence, torch.zeros_like(fields))) == 0
    limb = LIMBS.index((COCO18.index("right elbow"), COCO18.index("right wrist")))
    crossed = two.clone()  # the fields say that each forearm ends in the other's wrist
    crossed[:, COCO18.index("right wrist")] = two[[1, 0], COCO18.index("right wrist")]
    fields[2 * limb : 2 * limb + 2] = true_maps(crossed, (256, 192))[1][2 * limb : 2 * limb + 2]
    people = decode(confidence, fields)
    assert joints_found(people, two).right == 26 and joints_found(people, crossed).right == 28
    peaks = find_peaks(confidence)
    with pytest.raises(ValueError, match=r"wants \(38, H, W\) fields, got \(37, 64, 48\)"):
        connect(fields[:-1], peaks)


def test_joints_count_in_the_right_place_on_the_right_person():
    two = torch.stack([standing(60, 120), standing(130, 120)])
    said = two[[1, 0]].clone()
    said[0, 0, 0] += 3.0  # near enough
    said[0, 1, 0] += 5.0  # not
    said[1, 2] = 0  # missing
    found = joints_found(said, two)
    assert (found.right, found.true, found.said) == (26, 28, 27) and found.error_px == pytest.approx(3)
    assert (found.recall, found.precision) == (26 / 28, 26 / 27)
    assert found.mean_error_px == pytest.approx(3 / 26)
    assert joints_found(said[:0], two) == Found(0, 28, 0, 0.0)
    assert found + NOTHING == found and (found + found).true == 56
    wrong = two.clone()
    wrong[0, 4], wrong[1, 4] = two[1, 4], two[0, 4]
    assert joints_found(wrong, two).right == 26, "a wrist on the other person is not found"


def test_a_wrist_whose_elbow_is_hidden_finds_its_arm():
    elbow, wrist = COCO18.index("right elbow"), COCO18.index("right wrist")
    left, right = standing(40, 60), standing(100, 60)
    lacking = left.clone()
    lacking[[elbow, wrist]] = 0
    strays = torch.stack([left[wrist], torch.tensor([300.0, 300.0, 1.0])])  # the second is far from everybody
    peaks = Peaks(torch.tensor([wrist, wrist]), strays[:, :2], strays[:, 2])
    whole = adopt(torch.stack([lacking, right]), peaks)
    assert torch.equal(whole[0, wrist], left[wrist]) and whole[0, elbow, 2] == 0
    assert torch.equal(whole[1], right), "who has a wrist takes no other"
    assert torch.equal(adopt(torch.stack([right]), peaks), right[None])
    nothing = torch.zeros(1, 18, 3)
    assert torch.equal(adopt(nothing, peaks), nothing), "there is nothing to hang it on"


def test_strays_and_people_are_paired_by_distance():
    wrist = COCO18.index("left wrist")
    people = torch.stack([standing(40, 60), standing(70, 60)])
    true = people[:, wrist].clone()
    people[:, wrist] = 0
    order = [1, 0]
    peaks = Peaks(torch.tensor([wrist, wrist]), true[order, :2], true[order, 2])
    assert torch.equal(adopt(people, peaks)[:, wrist], true)
