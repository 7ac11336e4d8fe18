"""What a searcher is worth: accuracy against controls and cost, and how good its gradient estimates are."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.attention.hard import cell_centres, choose, log_probability, straight_through
from mavton_lite.data.scenes import Scenes
from mavton_lite.models.glimpse import (
    CELL_PX,
    GLIMPSE_PX,
    OVERVIEW,
    Reader,
    Searcher,
    answer,
    new_memory,
    overview,
    remember,
)
from mavton_lite.models.glimpse_training import (
    METHODS,
    GlimpseSettings,
    Lesson,
    train_reader,
    train_searcher,
    vote_table,
)
from mavton_lite.models.summary import count_multiply_adds
from mavton_lite.seeds import over_seeds, paired


@dataclass
class Trial:
    """One seed of the whole experiment: a reader, a searcher by every method, and what each got right."""

    reader: Reader
    lessons: dict[str, Lesson]
    right: dict[tuple[str, int], float]  # (who, glimpses) -> share of right answers on the test scenes
    votes: Tensor  # (n, cells, classes), of the test scenes


def run_trial(train: Scenes, test: Scenes, classes: int, settings: GlimpseSettings, seed: int) -> Trial:
    """Train a reader, then a searcher by each of METHODS, and the controls: same reader, same test scenes."""
    reader = train_reader(train, classes, settings, seed)
    votes, known = vote_table(reader, test.pictures), vote_table(reader, train.pictures)
    lessons = {m: train_searcher(m, train, known, settings, seed) for m in METHODS}
    right = controls(test, votes, settings.glimpses, seed)
    low = overview(test.pictures)
    right["overview only", 0] = _overview_only(train, test, classes, settings, seed)
    for method, lesson in lessons.items():
        if method == "soft":
            right[method, low.shape[2] ** 2 // OVERVIEW**2] = soft_accuracy(lesson.searcher, low, votes, test.labels)
        else:
            for t, share in enumerate(search_accuracy(lesson.searcher, low, votes, test.labels, settings.glimpses), 1):
                right[method, t] = share
    return Trial(reader, lessons, right, votes)


@torch.no_grad()
def search_accuracy(searcher: Searcher, low: Tensor, votes: Tensor, labels: Tensor, glimpses: int) -> list[float]:
    """Share of right answers after 1, 2, ... glimpses, always at the likeliest cell."""
    seen, memory = searcher.see(low), new_memory(len(low), low.shape[2] // OVERVIEW)
    total, shares = votes.new_zeros(()), []
    for _ in range(glimpses):
        cell = searcher(seen, memory)[0].flatten(1).argmax(1)
        found = votes[torch.arange(len(low)), cell]
        total, memory = total + found, remember(memory, cell, found)
        shares.append(_share(total, labels))
    return shares


@torch.no_grad()
def soft_accuracy(searcher: Searcher, low: Tensor, votes: Tensor, labels: Tensor) -> float:
    """Share of right answers when every cell is read and the policy weighs the votes."""
    where = searcher(searcher.see(low), new_memory(len(low), low.shape[2] // OVERVIEW))[0]
    return _share((where.flatten(1)[:, :, None] * votes).sum(1), labels)


def controls(test: Scenes, votes: Tensor, glimpses: int, seed: int) -> dict[tuple[str, int], float]:
    """The same reader looking without a searcher: at random, at the middle, everywhere, and where the garment is."""
    dice = torch.Generator().manual_seed(seed)
    rows, cells = torch.arange(len(votes)), votes.shape[1]
    side = round(cells**0.5)
    found = {("commonest class", 0): float(torch.bincount(test.labels).max() / len(rows))}
    shuffled = torch.rand(len(rows), cells, generator=dice).argsort(1)
    places = cell_centres(side, side, *test.pictures.shape[2:])
    inner = places.square().sum(1).argsort()
    nearest = (places[None] - test.centres[:, None]).norm(dim=-1).argmin(1)
    for t in range(1, glimpses + 1):
        found["random", t] = _share(votes[rows[:, None], shuffled[:, :t]].sum(1), test.labels)
        found["centre", t] = _share(votes[:, inner[:t]].sum(1), test.labels)
    found["everywhere", cells] = _share(votes.sum(1), test.labels)
    found["told where", 1] = _share(votes[rows, nearest], test.labels)
    return found


def _overview_only(train: Scenes, test: Scenes, classes: int, settings: GlimpseSettings, seed: int) -> float:
    """A classifier that sees nothing but the overview: what could be told without looking closely."""
    torch.manual_seed(seed)
    low, width = overview(train.pictures), 16
    network = nn.Sequential(
        nn.Conv2d(3, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(2 * width, 2 * width, 3, 2, 1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(2 * width, classes),
    )  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(settings.search_steps):
        which = torch.randint(len(low), (settings.batch,))
        loss = F.cross_entropy(network(low[which]), train.labels[which])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return _share(network(overview(test.pictures)), test.labels)


def _share(votes: Tensor, labels: Tensor) -> float:
    return float((votes.argmax(1) == labels).float().mean())


def costs(classes: int, side_px: int) -> dict[str, int]:
    """Multiply-adds of one glimpse read and of one decision where to look, counted by torch."""
    cells, width = side_px // CELL_PX, side_px // CELL_PX * OVERVIEW
    shapes = ((1, 16, cells, cells), (1, 2, cells, cells))
    searcher = Searcher()
    return {
        "glimpse": count_multiply_adds(Reader(classes), (1, 3, GLIMPSE_PX, GLIMPSE_PX)),
        "overview": count_multiply_adds(searcher.see, (1, 3, width, width)),
        "decision": count_multiply_adds(Searcher(), *shapes),
    }


def table(trials: list[Trial], classes: int, side_px: int) -> pd.DataFrame:
    """A row for everybody who answered: accuracy over seeds with its interval, and multiply-adds an answer."""
    cost, rows = costs(classes, side_px), []
    for who, glimpses in trials[0].right:
        shares = [t.right[who, glimpses] for t in trials]
        found = over_seeds(shares)
        searched = 0 if who in ("random", "centre", "everywhere", "told where", "commonest class") else cost["overview"]
        decisions = 1 if who == "soft" else glimpses
        work = glimpses * cost["glimpse"] + (searched + decisions * cost["decision"] if searched else 0)
        rows.append({"who": who, "glimpses": glimpses, "accuracy": found.mean, "low": found.low, "high": found.high,
                     "multiply_adds": work})  # fmt: skip
    return pd.DataFrame(rows)


def gain(trials: list[Trial], ours: tuple[str, int], theirs: tuple[str, int]):
    """By how much `ours` is right more often than `theirs`, seed by seed, with its interval."""
    return paired([t.right[ours] for t in trials], [t.right[theirs] for t in trials])


@dataclass
class Estimates:
    """Gradient estimates of one searcher's first decision on a batch, every way from the same choices.

    Shape: `exact` (B, cells), the gradient of the expected reward by the scores; `samples` name -> (S, B, cells).
    """

    exact: Tensor
    samples: dict[str, Tensor]

    def variance(self, name: str) -> float:
        """Mean squared distance of an estimate from the estimates' mean, summed over scores."""
        values = self.samples[name]
        return float((values - values.mean(0)).square().sum(2).mean())

    def bias(self, name: str) -> float:
        """Distance of the estimates' mean from the exact gradient, relative to the exact one's length."""
        return float((self.samples[name].mean(0) - self.exact).norm() / self.exact.norm())

    def chance(self, name: str) -> float:
        """The `bias` that an unbiased estimate of this variance shows from so few samples."""
        values = self.samples[name]
        return float((values.var(0).sum() / len(values)).sqrt() / self.exact.norm())


def estimate(searcher: Searcher, low: Tensor, votes: Tensor, labels: Tensor, samples: int, seed: int = 0) -> Estimates:
    """Estimate the gradient of the expected reward of one glimpse in four ways, and compute it exactly.

    The reward of a cell is the probability the reader would give to the right class; the table knows all of them.
    """
    torch.manual_seed(seed)
    rows = torch.arange(len(low))
    with torch.no_grad():
        policy, value = searcher(searcher.see(low), new_memory(len(low), low.shape[2] // OVERVIEW))
    reward = answer(votes.flatten(0, 1))[torch.arange(votes[..., 0].numel()), labels.repeat_interleave(votes.shape[1])]
    reward = reward.view(votes.shape[:2])  # (B, cells)
    scores = policy.flatten(1).log().requires_grad_()  # up to a constant that no softmax sees
    side = low.shape[2] // OVERVIEW

    def gradient(objective: Tensor) -> Tensor:
        return torch.autograd.grad(objective, scores)[0]

    exact = gradient((scores.softmax(1) * reward).sum())
    one_number = float((scores.detach().softmax(1) * reward).sum(1).mean())
    kinds = {"no baseline": 0.0, "one number": one_number, "learned value": value}
    found: dict[str, list[Tensor]] = {k: [] for k in (*kinds, "straight-through Gumbel")}
    for _ in range(samples):
        where = scores.softmax(1).view(len(low), 1, side, side)
        cell = choose(where.detach())
        log_p = log_probability(where, cell)
        score = gradient(log_p.sum())  # d log p; the same choice serves every baseline
        for name, baseline in kinds.items():
            advantage = reward[rows, cell] - baseline
            found[name].append(advantage[:, None] * score)
        weights = straight_through(scores)
        mixed = answer((weights[:, :, None] * votes).sum(1))[rows, labels]
        found["straight-through Gumbel"].append(gradient(mixed.sum()))
    return Estimates(exact, {k: torch.stack(v) for k, v in found.items()})
