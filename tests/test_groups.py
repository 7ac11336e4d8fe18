"""Groups of Atelier people: who hides whom, what is kept, and that no body ends in mid-air."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mavton_lite.data import groups
from mavton_lite.data.groups import draw_group, group_pictures

SIZE = (64, 48)


@pytest.fixture(scope="module")
def drawn() -> list[dict[str, np.ndarray]]:
    return [draw_group(i, *SIZE, "test") for i in range(9)]


def test_one_two_three_people_in_turn(drawn):
    for i, group in enumerate(drawn):
        assert set(np.unique(group["owners"])) == set(range(2 + i % 3)), "everybody is seen, and the wall"
        assert (group["keypoints"][1 + i % 3 :] == 0).all()
        seen = (group["keypoints"][..., 2] > 0).sum(1)
        assert (seen[: 1 + i % 3] >= 3).all(), "somebody has nearly vanished"


def test_joints_behind_somebody_else_are_gone_and_the_front_keeps_its_own(drawn):
    hidden = 0
    for group in drawn:
        count = int(group["owners"].max())
        for k, person in enumerate(group["keypoints"][:count]):
            there = person[person[:, 2] > 0]
            columns, rows = np.rint(there[:, 0]).astype(int), np.rint(there[:, 1]).astype(int)
            assert (group["owners"][rows, columns] <= k + 1).all(), "a joint lies under somebody further in front"
        hidden += sum((p[:, 2] > 0).sum() < 10 for p in group["keypoints"][:count])
        assert (group["keypoints"][count - 1, [0, 1], 2] > 0).all(), "the one in front shows face and neck"
    assert hidden, "nobody hides anybody: the scenes are too easy"


def test_nobodys_thighs_end_in_mid_air(drawn):
    for group in drawn:
        owners = group["owners"]
        for k in range(1, owners.max() + 1):
            columns = np.nonzero((owners == k).any(0))[0]
            lowest = [np.nonzero(owners[:, c] == k)[0].max() for c in columns]
            below = [owners[low + 1, c] if low + 1 < SIZE[0] else k for low, c in zip(lowest, columns, strict=True)]
            on_the_border = [low == SIZE[0] - 1 for low in lowest]
            assert any(on_the_border) or any(b > k for b in below)


def test_a_group_is_a_function_of_its_number(drawn):
    again = draw_group(2, *SIZE, "test")
    assert all(np.array_equal(drawn[2][key], again[key]) for key in again)


def test_series_is_kept_and_read_as_tensors(tmp_path, monkeypatch):
    monkeypatch.setenv("MAVTON_ROOT", str(tmp_path))
    two = group_pictures(2, *SIZE, "test")
    assert two.pictures.shape == (2, 3, *SIZE) and two.keypoints.shape == (2, 3, 18, 3)
    assert two.people.tolist() == [1, 2] and two.owners.dtype == torch.int64
    assert two.pictures.min() >= -1 and two.pictures.max() <= 1
    monkeypatch.setattr(groups, "draw_group", lambda *_: pytest.fail("drawn again"))
    again = group_pictures(2, *SIZE, "test")
    assert all(torch.equal(a, b) for a, b in zip(two, again, strict=True))
    with pytest.raises(ValueError, match="4:3"):
        group_pictures(1, 64, 64)
