"""A small classifier of pictures that judges what generators drew: is it what was asked for, how far from real?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.image.kid import poly_mmd

from mavton_lite.picture_game import batches
from mavton_lite.threads import one_thread


class Judge(nn.Module):
    """Three halvings, the mean over places, a linear layer.

    Shape: (B, 3, H, W) in [-1, 1] -> logits (B, classes).   Raises: ValueError for another shape.
    """

    def __init__(self, classes: int, width: int = 24):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1), nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1), nn.BatchNorm2d(4 * width), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.LazyLinear(classes)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != 3:
            raise ValueError(f"wanted pictures (B, 3, H, W), got {tuple(x.shape)}")
        return self.head(F.dropout(self.features(x).flatten(1), 0.3, self.training))

    def seen(self, x: Tensor) -> Tensor:
        """The last features, averaged over places.   Shape: (B, 3, H, W) -> (B, C)."""
        with torch.no_grad():
            return self.features(x).mean((2, 3))


@one_thread()
def fit_judge(
    pictures: Tensor, labels: Tensor, classes: int, steps: int, seed: int, batch: int = 64, rate: float = 2e-3
) -> Judge:
    """Train a judge on real pictures, mirrored half of the time; it comes back in evaluation mode.

    Shape: (N, 3, H, W), (N,) int64.
    """
    dice = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        judge = Judge(classes)
        judge(pictures[:2])
        adam = torch.optim.Adam(judge.parameters(), rate, fused=True)
        slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
        feed = batches(len(pictures), batch, dice)
        for _ in range(steps):
            picks = next(feed)
            shown = pictures[picks]
            shown = torch.where(torch.rand(len(shown), 1, 1, 1, generator=dice) < 0.5, shown, shown.flip(3))
            loss = F.cross_entropy(judge(shown), labels[picks])
            adam.zero_grad()
            loss.backward()
            adam.step()
            slower.step()
    return judge.eval()


def verdicts(judge: Judge, pictures: Tensor) -> Tensor:
    """The class a judge sees in each picture.   Shape: (N, 3, H, W) -> (N,) int64."""
    with torch.no_grad():
        return judge(pictures).argmax(1)


def feature_distance(judge: Judge, a: Tensor, b: Tensor) -> float:
    """Squared maximum mean discrepancy of two sets of pictures in the judge's features: 0 on average for equal sources.

    Source: Binkowski et al. 2018 (KID), the same cubic kernel through torchmetrics.   Differs: the features are this
    judge's, so the number is comparable with none but those of the same judge; it is not a KID.
    Shape: (N, 3, H, W), (M, 3, H, W); the first min(N, M) of each are compared.
    """
    n = min(len(a), len(b))
    features = [judge.seen(x[:n]) for x in (a, b)]
    scale = features[1].std(0).clamp_min(1e-6)  # the reference's own spread, so that no channel dominates
    return float(poly_mmd(features[0] / scale, features[1] / scale))
