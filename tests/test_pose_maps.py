"""Confidence maps and part affinity fields, against values by hand and against plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from mavton_lite.data.sample import COCO18
from mavton_lite.pose.maps import LIMB_NAMES, LIMBS, affinity_fields, cells, confidence_maps, true_maps


def person(**joints: tuple[float, float]) -> torch.Tensor:
    """One person with these joints only.   Shape: -> (18, 3)."""
    out = torch.zeros(18, 3)
    for name, (x, y) in joints.items():
        out[COCO18.index(name.replace("_", " "))] = torch.tensor([x, y, 1.0])
    return out


def anybody(people: int, seed: int = 0) -> torch.Tensor:
    dice = torch.Generator().manual_seed(seed)
    out = torch.rand(people, 18, 3, generator=dice) * torch.tensor([12.0, 16.0, 1.0])
    out[..., 2] = (out[..., 2] > 0.2).float()
    return out * out[..., 2:]


def test_limbs_are_openposes():
    assert len(LIMBS) == 19 and len(set(LIMBS)) == 19
    ours = [(a + 1, b + 1) for a, b in LIMBS]  # OpenPose's COCO table counts from 1
    assert ours[:6] == [(2, 3), (2, 6), (3, 4), (4, 5), (6, 7), (7, 8)]
    assert ours[12:] == [(2, 1), (1, 15), (15, 17), (1, 16), (16, 18), (3, 17), (6, 18)]
    assert {k for limb in LIMBS for k in limb} == set(range(18)) and LIMB_NAMES[0] == "neck to right shoulder"


def test_a_bump_falls_to_a_half_where_it_should_and_the_larger_one_counts():
    two = torch.stack([person(nose=(5, 7)), person(nose=(9, 7))])
    maps = confidence_maps(two, (16, 14), sigma=2.0)
    assert maps.shape == (18, 16, 14) and maps.dtype == torch.float32
    assert maps[0, 7, 5] == 1 and maps[0, 7, 9] == 1
    assert maps[0, 7, 7] == pytest.approx(math.exp(-1))  # 2 cells from both: the maximum, not the sum
    assert maps[0, 9, 5] == pytest.approx(math.exp(-1)) and not maps[1:].any()
    half = confidence_maps(person(nose=(5.5, 7))[None], (16, 14), 2.0)[0]
    assert half[7, 5] == half[7, 6] == half.max() == pytest.approx(math.exp(-1 / 16))


def test_confidence_maps_are_what_loops_say():
    keypoints, sigma = anybody(3), 1.7
    wanted = torch.zeros(18, 16, 12)
    for k in range(18):
        for y in range(16):
            for x in range(12):
                bumps = [math.exp(-((x - px) ** 2 + (y - py) ** 2) / sigma**2) for px, py, c in keypoints[:, k] if c]
                wanted[k, y, x] = max(bumps, default=0)
    torch.testing.assert_close(confidence_maps(keypoints, (16, 12), sigma), wanted, atol=1e-6, rtol=0)


def test_a_field_points_along_its_limb_and_stays_near_it():
    limb = LIMB_NAMES.index("neck to right shoulder")
    fields = affinity_fields(person(neck=(10, 5), right_shoulder=(4, 5))[None], (12, 14), width=1.5)
    assert fields.shape == (38, 12, 14)
    x, y = fields[2 * limb : 2 * limb + 2]
    assert not y.any() and set(x.unique().tolist()) == {-1.0, 0.0}
    assert (x[4:7, 4:11] == -1).all() and int((x != 0).sum()) == 3 * 7  # rows within 1.5, columns from end to end
    others = [k for k in range(38) if k // 2 != limb]
    assert not fields[others].any(), "limbs with a missing joint have no field"
    slanted = affinity_fields(person(neck=(1, 1), right_shoulder=(7, 9))[None], (12, 14), 1.0)
    assert slanted[:2, 5, 4].tolist() == pytest.approx([0.6, 0.8])


def test_where_limbs_cross_the_mean_is_taken():
    two = torch.stack([person(neck=(1, 5), right_shoulder=(9, 5)), person(neck=(5, 1), right_shoulder=(5, 9))])
    fields = affinity_fields(two, (12, 12), width=0.5)[:2]
    assert fields[:, 5, 5].tolist() == [0.5, 0.5] and fields[:, 5, 2].tolist() == [1, 0]
    assert fields[:, 8, 5].tolist() == [0, 1]


def test_affinity_fields_are_what_loops_say():
    keypoints, width = anybody(3, seed=1), 1.2
    wanted = torch.zeros(38, 16, 12)
    for limb, (a, b) in enumerate(LIMBS):
        for y in range(16):
            for x in range(12):
                vectors = []
                for who in keypoints:
                    (ax, ay, ac), (bx, by, bc) = who[a].tolist(), who[b].tolist()
                    if not (ac and bc):
                        continue
                    length = math.hypot(bx - ax, by - ay)
                    ux, uy = (bx - ax) / length, (by - ay) / length
                    along, beside = ux * (x - ax) + uy * (y - ay), ux * (y - ay) - uy * (x - ax)
                    if 0 <= along <= length and abs(beside) <= width:
                        vectors.append((ux, uy))
                if vectors:
                    wanted[2 * limb : 2 * limb + 2, y, x] = torch.tensor(vectors).mean(0)
    torch.testing.assert_close(affinity_fields(keypoints, (16, 12), width), wanted, atol=1e-5, rtol=0)


def test_batches_are_the_same_as_one_at_a_time():
    many = torch.stack([anybody(2, s) for s in range(3)])
    for both, single in zip(true_maps(many * 2, (64, 48), 2), zip(*(true_maps(k * 2, (64, 48), 2) for k in many),
                                                                  strict=True), strict=True):  # fmt: skip
        assert torch.equal(both, torch.stack(single))


def test_cells_lie_where_a_strided_convolution_puts_them():
    corner = torch.tensor([[1.5, 5.5, 1.0]])  # the middle of pixels 0..3 and 4..7
    assert cells(corner, 4).tolist() == [[0.0, 1.0, 1.0]]
    assert torch.allclose(cells(cells(corner, 4), 1 / 4), corner)
    confidence, fields = true_maps(person(nose=(41.5, 101.5))[None], (256, 192))
    assert confidence.shape == (18, 64, 48) and fields.shape == (38, 64, 48)
    assert confidence[0, 25, 10] == 1
    with pytest.raises(ValueError, match="a stride of 5 does not divide 256 x 192 px"):
        true_maps(anybody(1), (256, 192), 5)
