"""Distances between sets of pictures: torch-fidelity's own numbers, right names, and no foreign code run."""

import math
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.linalg import sqrtm

from mavton_lite.metrics import distribution
from mavton_lite.metrics.distribution import SetDistance, frechet, inception_score, jackknife, kernel_distance


def people(count: int = 12, seed: int = 0) -> torch.Tensor:
    """Smooth pictures as bytes."""
    noise = torch.rand(count, 3, 6, 4, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(noise, (48, 32), mode="bicubic").clamp(0, 1) * 255).round().to(torch.uint8)


class Pictures(torch.utils.data.Dataset):
    def __init__(self, pictures: torch.Tensor):
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.pictures[index]


@pytest.fixture(scope="module")
def lite0():
    return SetDistance("lite0")


def test_the_numbers_are_those_torch_fidelity_computes_with_the_registered_network(lite0):
    import torch_fidelity

    made, real = people(), people(seed=1)
    found = lite0(made, real)
    assert list(found) == ["is_lite0", "fd_lite0", "kd_lite0"], "never IS, FID or KID"
    wanted = torch_fidelity.calculate_metrics(
        input1=Pictures(made), input2=Pictures(real), feature_extractor="lite0", isc=True, fid=True, kid=True,
        isc_splits=1, samples_shuffle=False, kid_subsets=1, kid_subset_size=12, cuda=False, save_cpu_ram=True,
        verbose=False,
    )  # fmt: skip
    keys = ("inception_score_mean", "frechet_inception_distance", "kernel_inception_distance_mean")
    for interval, key in zip(found.values(), keys, strict=True):
        assert interval.mean == pytest.approx(wanted[key], rel=2e-3, abs=1e-6)
        assert interval.low < interval.mean < interval.high and interval.n == 12


def test_the_same_set_has_no_distance_and_a_smeared_one_has(lite0):
    real = people()
    same, smeared = lite0(real, real), lite0(F.avg_pool2d(real.float(), 7, 1, 3).to(torch.uint8), real)
    assert abs(same["fd_lite0"].mean) < 1e-3 * smeared["fd_lite0"].mean
    assert same["kd_lite0"].mean < 1e-6 < smeared["kd_lite0"].mean


def test_frechet_is_its_formula_whichever_are_fewer():
    generator = torch.Generator().manual_seed(0)
    for count, width in ((8, 20), (50, 6)):
        a = torch.randn(count, width, generator=generator).double()
        b = 0.5 + 2 * torch.randn(count + 3, width, generator=generator).double()
        s1, s2 = np.cov(a.numpy(), rowvar=False), np.cov(b.numpy(), rowvar=False)
        # a root of a singular product: shifted by next to nothing
        root = sqrtm((s1 + 1e-9 * np.eye(width)) @ (s2 + 1e-9 * np.eye(width))).real
        wanted = (a.mean(0) - b.mean(0)).square().sum().item() + np.trace(s1 + s2 - 2 * root)
        assert frechet(a, b) == pytest.approx(wanted, rel=1e-3)
        assert distribution._frechet_by_library(a, b) == pytest.approx(frechet(a, b), rel=1e-6)


def test_the_others_by_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(7, 5, generator=generator).double(), torch.randn(7, 5, generator=generator).double() + 0.3

    def k(x, y):
        return (float(x @ y) / 5 + 1) ** 3

    within = [sum(k(s[i], s[j]) for i in range(7) for j in range(7) if i != j) / 42 for s in (a, b)]
    between = sum(k(x, y) for x in a for y in b) / 49
    assert kernel_distance(a, b) == pytest.approx(sum(within) - 2 * between)
    p = a.softmax(1)
    divergence = sum(float(row[c] * (row[c] / p.mean(0)[c]).log()) for row in p for c in range(5)) / 7
    assert inception_score(a) == pytest.approx(math.exp(divergence))


def test_the_jackknife_of_a_mean_is_its_standard_error():
    x = torch.randn(40, generator=torch.Generator().manual_seed(0)).double()
    found = jackknife(float(x.mean()), lambda kept: float(x[kept].mean()), 40, groups=20)
    half = 1.96 * x.std().item() / math.sqrt(40)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.35)
    one = jackknife(float(x.mean()), lambda kept: float(x[kept].mean()), 40, groups=40)  # groups of one or two
    assert (one.high - one.low) / 2 == pytest.approx(half, rel=0.35)
    assert math.isnan(jackknife(1.0, lambda kept: 1.0, 3).low)


def test_what_is_no_set_of_pictures_is_refused(lite0):
    with pytest.raises(ValueError, match="wanted two equal"):
        lite0(people(3), people(4))
    with pytest.raises(ValueError, match="wanted uint8"):
        lite0(people(3).float(), people(3))
    with pytest.raises(ValueError, match="unknown network"):
        SetDistance("vgg16")


def test_a_users_inception_gives_the_true_names(tmp_path, monkeypatch):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with pytest.raises(FileNotFoundError, match="set MAVTON_INCEPTION"):
        monkeypatch.delenv("MAVTON_INCEPTION", raising=False)
        SetDistance("inception")
    path = tmp_path / "inception.pth"
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", lambda *a, **k: {})
    monkeypatch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
    untrained = FeatureExtractorInceptionV3("x", ["2048"])
    monkeypatch.undo()
    torch.save(untrained.state_dict(), path)
    monkeypatch.setenv("MAVTON_INCEPTION", str(path))
    own = SetDistance()
    assert own.names == ("is_inception", "fd_inception", "kd_inception"), "not torch-fidelity's file"
    assert own.info.name == "inception" and len(own.info.sha256) == 64
    monkeypatch.setattr(distribution, "INCEPTION_SHA256", own.info.sha256[:8])
    true = SetDistance()
    assert true.names == ("is", "fid", "kid")
    assert set(true(people(3), people(3, seed=1))) == {"is", "fid", "kid"}


def test_weights_that_would_run_something_are_refused(tmp_path):
    class Bad:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "inception.pth"
    path.write_bytes(pickle.dumps(Bad(), protocol=2))
    with pytest.raises(ValueError, match="no weights of Inception"):
        SetDistance("inception", path)
    assert not (tmp_path / "ran").exists()
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="no weights of Inception"):
        SetDistance("inception", path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        SetDistance("inception", tmp_path / "nothing.pth")
