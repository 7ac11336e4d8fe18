"""The probe that reads garments off the person representation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mavton_lite.config import SMOKE
from mavton_lite.leak import MEASURES, LeakSettings, aligned, measure_leaks, probe
from mavton_lite.plots.unet import leak_table


def test_the_probe_reads_what_is_linear_and_nothing_else():
    dice = torch.Generator().manual_seed(0)
    x = torch.randn(120, 30, generator=dice).double()
    told, noise = x[:, :3].sum(1), torch.randn(120, generator=dice).double()
    y = torch.stack([told, told + noise, noise], 1)
    score = probe(x[:90], y[:90], x[90:], y[90:])
    assert score[0] > 0.98 and 0.3 < score[1] < 0.95 and score[2] < 0.2


def test_leaving_one_out_in_closed_form_is_leaving_one_out():
    dice = torch.Generator().manual_seed(1)
    x, y = torch.randn(12, 4, generator=dice).double(), torch.randn(12, 1, generator=dice).double()
    x, y, strength = x - x.mean(0), y - y.mean(0), 2.0

    def ridge(a, b):
        return torch.linalg.solve(a.T @ a + strength * torch.eye(4).double(), a.T @ b)

    hat = x @ torch.linalg.solve(x.T @ x + strength * torch.eye(4).double(), x.T)
    closed = (y - hat @ y) / (1 - hat.diagonal())[:, None]
    others = [[j for j in range(12) if j != i] for i in range(12)]
    slow = torch.stack([y[i] - x[i] @ ridge(x[rest], y[rest]) for i, rest in enumerate(others)])
    torch.testing.assert_close(closed, slow)


def test_everybodys_neck_and_hips_come_to_the_same_places():
    maps, keypoints = torch.zeros(2, 1, 128, 96), torch.zeros(2, 18, 3)
    for k, (x, y, torso) in enumerate(((40, 50, 40), (60, 45, 60))):
        for joint, (dx, dy) in {1: (0, 0), 8: (-10, torso), 11: (10, torso)}.items():
            keypoints[k, joint] = torch.tensor([x + dx, y + dy, 1.0])
        maps[k, 0, y - 2 : y + 3, x - 2 : x + 3] = 1
        maps[k, 0, y + torso - 2 : y + torso + 3, x - 2 : x + 3] = 1
    seen = aligned(maps, keypoints)[:, 0]
    assert seen.shape == (2, 32, 24)
    rows = [torch.nonzero(s.sum(1) > 0.3).flatten() for s in seen]
    middles = [[float(r[r < 16].float().mean()), float(r[r >= 16].float().mean())] for r in rows]
    assert np.allclose(middles[0], middles[1], atol=0.6)


def test_the_garment_tells_most_and_the_pose_nothing(atelier):
    table = measure_leaks(atelier, SMOKE.size, SMOKE.person, LeakSettings(48, 16))
    assert list(table.columns) == list(MEASURES.values()) and ((table >= 0) & (table <= 1)).all(axis=None)
    assert table.loc["the garment's own mask", "sleeve length"] > 0.6 > table.loc["pose", "sleeve length"]
    assert leak_table(table).axes[0].get_yticklabels()[0].get_text() == "pose"


def test_a_data_set_without_measures_is_named(tmp_path):
    with pytest.raises(ValueError, match="examples.jsonl"):
        measure_leaks(tmp_path, SMOKE.size, SMOKE.person, LeakSettings(4, 2))
