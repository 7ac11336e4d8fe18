"""Do try-ons look like photographs, as a set: inception score, Frechet and kernel distance, named for what sees them.

A picture can look real and show the wrong garment; copying the person unchanged has distance 0.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from mavton_lite.records import Interval
from mavton_lite.weights import WeightInfo, lite0_classifier, sha256, trunk

INCEPTION_VARIABLE = "MAVTON_INCEPTION"
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_SHA256 = "6726825d"  # how the digest of torch-fidelity's file begins: its name says so
GROUPS = 10  # of the jackknife
SUBSET = 1_000  # pictures of a set that the kernel distance compares at once, 100 times; all of a smaller set, once
BATCH = 32


class SetDistance:
    """Inception score, Frechet distance and kernel distance of a set of pictures, with 95 % intervals.

    "inception": the network behind IS, FID and KID; its weights are the user's own file, by `weights` or by the
    environment variable `MAVTON_INCEPTION`. Any other file than torch-fidelity's gives other names. "lite0":
    EfficientNet-lite0, which a package carries: IS-lite0, FD-lite0 and KD-lite0 are never to be compared with IS, FID
    and KID. "auto": the first where there is a file, else the second.
    Pictures are seen at their own size by lite0, at 299 x 299 by Inception. The numbers are torch-fidelity's, IS of one
    split.
    Frechet distances of few pictures are much too large, the same for all: compare those of one protocol only.
    Intervals: delete-a-group jackknife over `GROUPS` groups of pictures, made and real together.
    Source: Salimans et al. 2016; Heusel et al. 2017; Binkowski et al. 2018.
    Raises: ValueError for an unknown network, or a file that is not plain weights; FileNotFoundError without weights.
    """

    def __init__(
        self,
        network: Literal["auto", "inception", "lite0"] = "auto",
        weights: Path | None = None,
        device: str | torch.device = "cpu",
    ):
        if network not in ("auto", "inception", "lite0"):
            raise ValueError(f"unknown network {network!r}; known: auto, inception, lite0")
        given = weights or os.environ.get(INCEPTION_VARIABLE)
        if network == "auto":
            network = "inception" if given else "lite0"
        self.device = torch.device(device)
        self._seen: dict[str, tuple[Tensor, Tensor]] = {}
        self.extractor, self.info = _inception(given) if network == "inception" else _lite0()
        self.extractor.to(self.device)
        original = network == "inception" and self.info.sha256.startswith(INCEPTION_SHA256)
        self.names = ("is", "fid", "kid") if original else tuple(f"{k}_{self.info.name}" for k in ("is", "fd", "kd"))

    def __call__(self, made: Tensor, real: Tensor) -> dict[str, Interval]:
        """The three numbers by name.   Shape: (N, 3, H, W) uint8 twice, picture i of the same person.

        Raises: ValueError when the sets are not two such, of at least two pictures.
        """
        if made.shape != real.shape or made.ndim != 4 or made.shape[1] != 3 or len(made) < 2:
            raise ValueError(f"found {tuple(made.shape)} and {tuple(real.shape)}, wanted two equal (N > 1, 3, H, W)")
        if made.dtype != torch.uint8 or real.dtype != torch.uint8:
            raise ValueError(f"found {made.dtype} and {real.dtype} pictures, wanted uint8")
        (ours, logits), (theirs, _) = self._features(made), self._features(real, keep=True)
        metrics = (
            lambda kept: inception_score(logits[kept]),
            lambda kept: frechet(ours[kept], theirs[kept]),
            lambda kept: kernel_distance(ours[kept], theirs[kept]),
        )
        values = (inception_score(logits), _frechet_by_library(ours, theirs), kernel_distance(ours, theirs))
        found = zip(self.names, values, metrics, strict=True)
        return {name: jackknife(value, metric, len(made)) for name, value, metric in found}

    def _features(self, pictures: Tensor, keep: bool = False) -> tuple[Tensor, Tensor]:
        """Averaged features and logits of every picture; those of the real set are kept for the next model."""
        key = hashlib.sha256(pictures.numpy().tobytes()).hexdigest() if keep else ""
        if key and key in self._seen:
            return self._seen[key]
        parts = []
        with torch.no_grad():
            for some in pictures.split(BATCH):
                parts.append([f.cpu() for f in self.extractor(some.to(self.device))])
        pooled, logits = (torch.cat(p) for p in zip(*parts, strict=True))
        if key:
            self._seen = {key: (pooled, logits)}  # of the last set only
        return pooled, logits


def inception_score(logits: Tensor) -> float:
    """exp of the mean over pictures x of KL(p(y | x) || p(y)), one split.   Shape: (N, classes) logits."""
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    return isc_features_to_metric(logits, splits=1, shuffle=False)[KEY_METRIC_ISC_MEAN]


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x y / D + 1)^3.   Shape: (N, D), (M, D)."""
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    size = min(len(a), len(b))
    settings = {"kid_subsets": 1, "kid_subset_size": size} if size <= SUBSET else {"kid_subset_size": SUBSET}
    return kid_features_to_metric(a.double(), b.double(), verbose=False, **settings)[KEY_METRIC_KID_MEAN]


def frechet(a: Tensor, b: Tensor) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the two sets' means and covariances.

    The trace of the root is the sum of the singular values of A B^T, A and B the centred features over sqrt(N - 1):
    a matrix as large as there are pictures or features, whichever are fewer.   Shape: (N, D), (M, D).
    """
    a, b = _rotated(a.double(), b.double())
    centred = [(x - x.mean(0)) / math.sqrt(len(x) - 1) for x in (a, b)]
    if len(a) > a.shape[1]:  # triangular factors have the same products, and fewer rows
        centred = [torch.linalg.qr(x, mode="r").R for x in centred]
    root = torch.linalg.svdvals(centred[0] @ centred[1].T).sum()
    spread = sum(x.square().sum() for x in centred)
    return float((a.mean(0) - b.mean(0)).square().sum() + spread - 2 * root)


def _frechet_by_library(a: Tensor, b: Tensor) -> float:
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    statistics = [fid_features_to_statistics(x) for x in _rotated(a.double(), b.double())]
    return fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]


def _rotated(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets in axes of their own, where there are fewer pictures than features: no distance changes by it."""
    both = torch.cat([a, b])
    if len(both) > both.shape[1]:
        return a, b
    # rows of the triangular factor's transpose are the pictures in an orthonormal basis of what they span
    turned = torch.linalg.qr(both.T, mode="r").R.T
    return turned[: len(a)], turned[len(a) :]


def jackknife(value: float, metric: Callable[[Tensor], float], count: int, groups: int = GROUPS) -> Interval:
    """A number and its 95 % interval: how much it changes when a group of the pictures is left out.

    variance = (G - 1) / G * sum over groups g of (metric without g - their mean)^2.
    Source: Efron 1982; delete-a-group: Kott 2001.   Shape: metric of kept (K,) int64 indices.
    """
    groups = min(groups, count // 2)
    if groups < 2:
        return Interval(value, math.nan, math.nan, count)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    parts = [order[g::groups] for g in range(groups)]
    without = np.array([metric(torch.cat(parts[:g] + parts[g + 1 :])) for g in range(groups)])
    half = 1.96 * math.sqrt((groups - 1) / groups * float(((without - without.mean()) ** 2).sum()))
    return Interval(value, value - half, value + half, count)


@cache
def _registered() -> dict[str, Any]:
    """torch-fidelity's registry of feature extractors, with lite0 in it."""
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

    class Lite0(FeatureExtractorBase):
        """EfficientNet-lite0: 1,280 features averaged over places, and ImageNet's logits."""

        def __init__(self, name: str, features_list: list[str], **kwargs: Any):
            super().__init__(name, features_list)
            features, self.weights_info = trunk("lite0")
            self.features = features.to(memory_format=torch.channels_last)
            self.classifier = lite0_classifier()
            self.requires_grad_(False).eval()

        def forward(self, input: Tensor) -> tuple[Tensor, ...]:
            x = (input.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
            pooled = self.features(x).mean((2, 3))
            seen = {"1280": pooled, "logits": self.classifier(pooled)}
            return tuple(seen[name] for name in self.features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return "1280", "logits"

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "logits" if metric == "isc" else "1280"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        @staticmethod
        def get_dummy_input_for_compile() -> Tensor:
            return torch.zeros(1, 3, 64, 64, dtype=torch.uint8)

    if "lite0" not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor("lite0", Lite0)
    return FEATURE_EXTRACTORS_REGISTRY


def _lite0() -> tuple[nn.Module, WeightInfo]:
    extractor = _registered()["lite0"]("lite0", ["1280", "logits"])
    return extractor, extractor.weights_info


def _inception(weights: str | Path | None) -> tuple[nn.Module, WeightInfo]:
    if weights is None:
        raise FileNotFoundError(f"no Inception weights: set {INCEPTION_VARIABLE} to a file such as {INCEPTION_FILE}")
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: found no such file, wanted {INCEPTION_FILE} (from torch-fidelity's releases)")
    try:
        torch.load(path, map_location="cpu", weights_only=True)  # torch-fidelity itself would run what a pickle says
        extractor = _registered()["inception-v3-compat"](
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
        )
    except (RuntimeError, pickle.UnpicklingError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"{path}: found no weights of Inception ({reason}), wanted {INCEPTION_FILE}") from None
    return extractor, WeightInfo("inception", path.name, sha256(path))
