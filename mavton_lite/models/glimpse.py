"""An agent that sees a blurred overview of a scene and may look at a few places of it in full resolution."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.attention.hard import GumbelChoice, PlacePolicy, cell_centres, choose, glimpse

GLIMPSE_PX = 32
CELL_PX = 12  # a place every 12 px
OVERVIEW = 2  # pixels of the overview along a cell: it has CELL_PX // OVERVIEW = 6 times fewer a side


class Reader(nn.Module):
    """What is in a glimpse: a probability for "no whole garment here" and for each class.

    Shape: (B, 3, GLIMPSE_PX, GLIMPSE_PX) -> (B, 1 + classes), logits, the first is "nothing".
    Raises: ValueError for another input.
    """

    def __init__(self, classes: int, width: int = 16):
        super().__init__()
        wide = (3, width, 2 * width, 2 * width)
        layers: list[nn.Module] = []
        for before, after in zip(wide[:-1], wide[1:], strict=True):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        side = GLIMPSE_PX // 8
        head = (nn.Linear(2 * width * side**2, 64), nn.ReLU(), nn.Linear(64, 1 + classes))
        self.layers = nn.Sequential(*layers, nn.Flatten(), *head)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (3, GLIMPSE_PX, GLIMPSE_PX):
            raise ValueError(f"Reader wants (B, 3, {GLIMPSE_PX}, {GLIMPSE_PX}), got {tuple(x.shape)}")
        return self.layers(x)

    def votes(self, x: Tensor) -> Tensor:
        """Probability of each class; what is missing to 1 says "nothing here".   Shape: -> (B, classes)."""
        return self(x).softmax(1)[:, 1:]


class Searcher(nn.Module):
    """Where to look: overview and memory in, a map over the cells out.

    `choice` is "policy" (probabilities of the cells) or "gumbel" (one cell, straight through); either is an
    `AttentionMap`, recorded as `where`. The memory is two maps: which cells were looked at, and how much garment was
    seen there.
    Shape: overview (B, 3, 2 h, 2 w), memory (B, 2, h, w) -> map (B, 1, h, w), value (B,).
    """

    def __init__(self, choice: str = "policy", width: int = 16):
        super().__init__()
        kinds = {"policy": PlacePolicy, "gumbel": GumbelChoice}
        if choice not in kinds:
            raise ValueError(f"unknown choice {choice!r}; known: {', '.join(kinds)}")
        self.see = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 3, OVERVIEW, 1), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1),
        )  # fmt: skip
        self.remember = nn.Conv2d(2, width, 3, 1, 1)
        self.where = kinds[choice](width + 1)
        with torch.no_grad():  # inhibition of return, to begin with: where it has looked it does not look again
            self.where.score.weight[:, -1] = -5.0
        self.worth = nn.Linear(width, 1)  # the baseline: what reward to expect from here

    def forward(self, seen: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        features = F.relu(seen + self.remember(memory))
        value = self.worth(features.detach().amax((2, 3)))[:, 0]
        return self.where(torch.cat([features, memory[:, :1]], 1)), value


class Search(NamedTuple):
    """One search of a batch.   Shape: T glimpses, K classes, h x w cells."""

    cells: Tensor  # (B, T) int64, counted row by row
    answers: Tensor  # (B, T, K), probabilities after each glimpse
    maps: Tensor  # (B, T, 1, h, w), the policy before each glimpse
    glimpses: Tensor  # (B, T, 3, GLIMPSE_PX, GLIMPSE_PX)


class GlimpseAgent(nn.Module):
    """Looks `steps` times and adds up the votes; only what it looks at is ever computed.

    Shape: scenes (B, 3, S, S), S a multiple of CELL_PX -> Search.   Raises: ValueError for another size.
    """

    def __init__(self, reader: Reader, searcher: Searcher, steps: int = 3):
        super().__init__()
        self.reader, self.searcher, self.steps = reader, searcher, steps

    def forward(self, x: Tensor, greedy: bool = True) -> Search:
        side = cells_a_side(x)
        centres = cell_centres(side, side, *x.shape[2:]).to(x)
        seen = self.searcher.see(overview(x))
        memory: Tensor = new_memory(len(x), side).to(x)
        total = x.new_zeros(())
        found = []
        for _ in range(self.steps):
            where, _ = self.searcher(seen, memory)
            cell = where.flatten(1).argmax(1) if greedy else choose(where)
            part = glimpse(x, centres[cell], GLIMPSE_PX)
            votes = self.reader.votes(part)
            total, memory = total + votes, remember(memory, cell, votes)
            found.append((cell, answer(total), where, part))
        return Search(*(torch.stack(column, 1) for column in zip(*found, strict=True)))


def cells_a_side(scenes: Tensor) -> int:
    """How many cells lie along a scene.   Raises: ValueError unless (B, 3, S, S) with S a multiple of CELL_PX."""
    if scenes.ndim != 4 or scenes.shape[1] != 3 or scenes.shape[2] != scenes.shape[3] or scenes.shape[2] % CELL_PX:
        raise ValueError(f"wanted square scenes (B, 3, S, S), S a multiple of {CELL_PX}, got {tuple(scenes.shape)}")
    return scenes.shape[2] // CELL_PX


def overview(scenes: Tensor) -> Tensor:
    """The scene with CELL_PX // OVERVIEW times fewer pixels a side.   Shape: (B, 3, S, S) -> (B, 3, S / 6, S / 6)."""
    return F.avg_pool2d(scenes, CELL_PX // OVERVIEW)


def new_memory(batch: int, side: int) -> Tensor:
    """Nothing looked at yet.   Shape: -> (batch, 2, side, side)."""
    return torch.zeros(batch, 2, side, side)


def remember(memory: Tensor, cell: Tensor, votes: Tensor) -> Tensor:
    """Memory with one more look: 1 at the cell, and the share of the vote that says "a garment".

    Shape: (B, 2, h, w), (B,), (B, K) -> (B, 2, h, w).
    """
    there = F.one_hot(cell, memory.shape[2] * memory.shape[3]).to(memory)  # (B, h * w)
    return memory + torch.stack([there, there * votes.detach().sum(1, keepdim=True)], 1).view_as(memory)


def answer(votes: Tensor) -> Tensor:
    """Summed votes as probabilities; 0.02 more for every class, so that no vote at all is "each alike".

    Shape: (B, K) -> (B, K).
    """
    votes = votes + 0.02
    return votes / votes.sum(1, keepdim=True)
