"""Hard attention: look at one place, throw the rest away, and learn where to look all the same.

A choice has no gradient, so the policy that makes it is trained with the score function (REINFORCE) or, for comparison,
straight through a Gumbel softmax. A place is a cell of a regular grid over the picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.attention.base import AttentionMap


def cell_centres(rows: int, columns: int, height: int, width: int) -> Tensor:
    """Centre of every cell of a grid laid over a picture of height x width px, row by row.

    Shape: -> (rows * columns, 2), (x, y) in corner-aligned [-1, 1].
    Raises: ValueError for an empty grid or a picture with a side of fewer than 2 px.
    """
    if rows < 1 or columns < 1 or height < 2 or width < 2:
        found = f"{rows} x {columns} over {height} x {width}"
        raise ValueError(f"wanted a grid of at least 1 x 1 over a picture of 2 x 2 px, got {found}")
    x_px = (torch.arange(columns) + 0.5) * width / columns - 0.5
    y_px = (torch.arange(rows) + 0.5) * height / rows - 0.5
    y, x = torch.meshgrid(y_px / (height - 1) * 2 - 1, x_px / (width - 1) * 2 - 1, indexing="ij")
    return torch.stack([x, y], -1).view(-1, 2)


def glimpse(picture: Tensor, centre: Tensor, side_px: int) -> Tensor:
    """A square cut out around one place of each picture, at full resolution; zeros beyond the border.

    Bilinear, and so differentiable in `centre` too; where the corners fall on pixels it is the plain crop.
    Source: Mnih et al. 2014, section 3 (one scale).
    Shape: (B, C, H, W), centre (B, 2) as (x, y) in corner-aligned [-1, 1] -> (B, C, side_px, side_px).
    Raises: ValueError when the shapes do not fit or `side_px` < 1.
    """
    if picture.ndim != 4 or centre.shape != (len(picture), 2):
        found = f"{tuple(picture.shape)} and {tuple(centre.shape)}"
        raise ValueError(f"glimpse wants pictures (B, C, H, W) and one (x, y) for each, got {found}")
    if side_px < 1:
        raise ValueError(f"glimpse wants side_px >= 1, got {side_px}")
    scale = 2 / (torch.tensor(picture.shape[:1:-1], dtype=centre.dtype, device=centre.device) - 1)  # (2,): x, y a px
    steps = torch.arange(side_px, dtype=centre.dtype, device=centre.device) - (side_px - 1) / 2
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    grid = centre[:, None, None] + torch.stack([x, y], -1) * scale  # (B, side, side, 2)
    return F.grid_sample(picture, grid.to(picture.dtype), align_corners=True)


class PlacePolicy(AttentionMap):
    """Where to look next: a probability for every cell, softmax over the cells of a linear score.

    Shape: (B, C, h, w) -> (B, 1, h, w), sums to 1.   Raises: ValueError when C is not `channels`.
    """

    def __init__(self, channels: int):
        super().__init__(channels)
        self.score = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return self.score(x).flatten(1).softmax(1).view(len(x), 1, *x.shape[2:])


class GumbelChoice(AttentionMap):
    """One cell, chosen at random by a linear score: 1 there, 0 elsewhere; backwards a softmax ("straight through").

    Source: Jang et al. 2017 and Maddison et al. 2017: argmax of score plus Gumbel noise samples the softmax of the
    scores; its gradient is replaced by that of softmax((score + noise) / temperature). Biased: the forward pass looks
    at one cell, the gradient speaks of all. In evaluation mode the likeliest cell, without noise.
    Shape: (B, C, h, w) -> (B, 1, h, w).   Raises: ValueError when C is not `channels` or `temperature` <= 0.
    """

    def __init__(self, channels: int, temperature: float = 1.0):
        super().__init__(channels)
        if temperature <= 0:
            raise ValueError(f"GumbelChoice wants temperature > 0, got {temperature}")
        self.score, self.temperature = nn.Conv2d(channels, 1, 1), temperature

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        scores = self.score(x).flatten(1)
        if self.training:
            chosen = straight_through(scores, self.temperature)
        else:
            chosen = F.one_hot(scores.argmax(1), scores.shape[1]).to(scores)
        return chosen.view(len(x), 1, *x.shape[2:])


def straight_through(scores: Tensor, temperature: float = 1.0) -> Tensor:
    """A one-hot sample of softmax(scores) with the gradient of a softmax at that temperature.

    Shape: (B, K) -> (B, K).   Raises: ValueError for `temperature` <= 0 or scores that are not (B, K).
    """
    if scores.ndim != 2 or temperature <= 0:
        raise ValueError(f"wanted scores (B, K) and temperature > 0, got {tuple(scores.shape)} and {temperature}")
    noise = -torch.empty_like(scores).exponential_().log()  # Gumbel
    soft = ((scores + noise) / temperature).softmax(1)
    hard = F.one_hot(soft.argmax(1), scores.shape[1]).to(soft)
    return hard - soft.detach() + soft  # the value of `hard`, the gradient of `soft`


def choose(policy: Tensor) -> Tensor:
    """One cell for each example, drawn from the policy.   Shape: (B, 1, h, w) -> (B,) int64, counted row by row."""
    return torch.multinomial(_flat(policy), 1)[:, 0]


def log_probability(policy: Tensor, cell: Tensor) -> Tensor:
    """Logarithm of the probability of the chosen cell.   Shape: (B, 1, h, w), (B,) -> (B,).

    Raises: ValueError when the shapes do not fit.
    """
    flat = _flat(policy)
    if cell.shape != flat.shape[:1]:
        raise ValueError(f"log_probability wants one cell for each of {len(flat)} policies, got {tuple(cell.shape)}")
    return flat.gather(1, cell[:, None])[:, 0].clamp_min(1e-12).log()


def entropy(policy: Tensor) -> Tensor:
    """How undecided the policy is, in nats: log(h * w) when it does not care.   Shape: (B, 1, h, w) -> (B,)."""
    flat = _flat(policy)
    return -(flat * flat.clamp_min(1e-12).log()).sum(1)


def score_function_loss(log_probability: Tensor, reward: Tensor, baseline: Tensor | float = 0.0) -> Tensor:
    """A number whose gradient is the REINFORCE estimate of minus the gradient of the expected reward.

    Source: Williams 1992: E[(r - b) d log p]. Any baseline b that does not depend on the choice leaves the expectation
    as it is; a good one takes away most of the variance.
    Shape: (B,), (B,), (B,) or a number -> ().   Raises: ValueError when the shapes differ.
    """
    baseline = torch.as_tensor(baseline, dtype=reward.dtype, device=reward.device)
    if log_probability.shape != reward.shape or baseline.shape not in (reward.shape, torch.Size()):
        found = ", ".join(str(tuple(t.shape)) for t in (log_probability, reward, baseline))
        raise ValueError(f"score_function_loss wants log-probabilities, rewards and baselines alike, got {found}")
    return -((reward - baseline).detach() * log_probability).mean()


def _flat(policy: Tensor) -> Tensor:
    if policy.ndim != 4 or policy.shape[1] != 1:
        raise ValueError(f"a policy is (B, 1, h, w), got {tuple(policy.shape)}")
    return policy.flatten(1)
