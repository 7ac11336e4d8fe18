"""Teaching an agent where to look, from right and wrong alone: REINFORCE, straight-through Gumbel, soft attention.

The reader is trained first and then left alone, so what it says of every cell of every scene is worked out once, in a
table. A search then costs a look-up, and since all rewards are known the exact gradient is too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.attention.hard import cell_centres, choose, entropy, glimpse, log_probability, score_function_loss
from mavton_lite.data.scenes import Scenes
from mavton_lite.models.glimpse import (
    GLIMPSE_PX,
    Reader,
    Searcher,
    answer,
    cells_a_side,
    new_memory,
    overview,
    remember,
)

METHODS = ("reinforce", "reinforce, no baseline", "gumbel", "soft")


@dataclass(frozen=True)
class GlimpseSettings:
    """Everything about lesson 03 that a profile changes."""

    garments: tuple[int, int]  # train, test
    scenes: tuple[int, int]
    reader_steps: int
    search_steps: int
    seeds: int = 3
    batch: int = 64
    reader_lr: float = 1e-2  # peaks of one-cycle schedules
    search_lr: float = 6e-3
    glimpses: int = 3
    entropy: float = 0.04  # weight of the policy's entropy, falls to zero: do not settle before you have looked around
    jitter_px: float = 8.0  # the reader's training glimpses lie this far off the garment's middle


SETTINGS = {
    "smoke": GlimpseSettings((64, 48), (128, 64), reader_steps=12, search_steps=8, seeds=2, batch=32),
    "lite": GlimpseSettings((800, 400), (1000, 400), reader_steps=500, search_steps=250),
    "paper": GlimpseSettings((4000, 1000), (12000, 1000), reader_steps=4000, search_steps=2000, seeds=5, batch=128),
}


def train_reader(scenes: Scenes, classes: int, settings: GlimpseSettings, seed: int) -> Reader:
    """A reader of glimpses: near the garment's middle it says the class, far from it "nothing".

    This is the catalogue clerk: it was shown where the garments are. The searcher never is.
    """
    torch.manual_seed(seed)
    reader, side = Reader(classes), scenes.pictures.shape[2]
    optimiser = torch.optim.Adam(reader.parameters(), settings.reader_lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.reader_lr, settings.reader_steps)
    unit = 2 / (side - 1)  # a pixel
    for _ in range(settings.reader_steps):
        which = torch.randint(len(scenes.labels), (settings.batch,))
        middle = scenes.centres[which]
        near = middle + (torch.rand_like(middle) * 2 - 1) * settings.jitter_px * unit
        far = torch.rand_like(middle) * 2 - 1
        nothing = (torch.rand(len(which)) < 0.4) & ((far - middle).abs().amax(1) > GLIMPSE_PX / 2 * unit)
        at = torch.where(nothing[:, None], far, near)
        wanted = (scenes.labels[which] + 1).masked_fill(nothing, 0)
        loss = F.cross_entropy(reader(glimpse(scenes.pictures[which], at, GLIMPSE_PX)), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return reader.eval()


@torch.no_grad()
def vote_table(reader: Reader, pictures: Tensor, chunk: int = 128) -> Tensor:
    """What the reader says of every cell of every scene.   Shape: (n, 3, S, S) -> (n, cells, classes)."""
    side = cells_a_side(pictures)
    centres = cell_centres(side, side, *pictures.shape[2:])

    def scene(part: Tensor) -> Tensor:  # (b, cells, classes)
        return torch.stack([reader.votes(glimpse(part, c.expand(len(part), 2), GLIMPSE_PX)) for c in centres], 1)

    return torch.cat([scene(part) for part in pictures.split(chunk)])


@dataclass
class Lesson:
    """One training of a searcher."""

    method: str
    searcher: Searcher
    right: list[float] = field(default_factory=list)  # share of right answers, a step
    entropies: list[float] = field(default_factory=list)  # of the first policy, nats; none for gumbel
    seconds: float = 0.0


def train_searcher(method: str, scenes: Scenes, votes: Tensor, settings: GlimpseSettings, seed: int) -> Lesson:
    """Teach a searcher by one of METHODS; nobody tells it where the garment is.

    The reward of a search is the probability its last answer gives to the right class; where a gradient can pass, the
    loss is the cross entropy of that answer.
    Raises: ValueError for an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    started = time.perf_counter()
    torch.manual_seed(seed)
    lesson = Lesson(method, Searcher("gumbel" if method == "gumbel" else "policy"))
    optimiser = torch.optim.Adam(lesson.searcher.parameters(), settings.search_lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.search_lr, settings.search_steps)
    low = overview(scenes.pictures)  # (n, 3, 2 h, 2 w)
    for step in range(settings.search_steps):
        which = torch.randint(len(low), (settings.batch,))
        weight = settings.entropy * (1 - step / settings.search_steps)
        loss = _step(lesson, low[which], votes[which], scenes.labels[which], settings.glimpses, weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    lesson.searcher.eval()
    lesson.seconds = time.perf_counter() - started
    return lesson


def _step(lesson: Lesson, low: Tensor, votes: Tensor, labels: Tensor, glimpses: int, weight: float) -> Tensor:
    """The loss of one batch, from one search of it."""
    method, searcher, rows = lesson.method, lesson.searcher, torch.arange(len(low))
    seen, memory = searcher.see(low), new_memory(len(low), low.shape[2] // 2)
    total = torch.zeros(len(low), votes.shape[2])
    likely = [answer(total)[rows, labels]]  # before the first glimpse: all classes alike
    loss, taken = torch.zeros(()), []
    for _ in range(1 if method == "soft" else glimpses):
        where, value = searcher(seen, memory)
        if method in ("soft", "gumbel"):  # a weighted sum of all cells, differentiable
            seen_votes = (where.flatten(1)[:, :, None] * votes).sum(1)
            cell = where.flatten(1).argmax(1)
        else:
            cell = choose(where)
            seen_votes = votes[rows, cell]
            taken.append((log_probability(where, cell), value, entropy(where)))
        total, memory = total + seen_votes, remember(memory, cell, seen_votes)
        likely.append(answer(total)[rows, labels])
        if len(likely) == 2 and method != "gumbel":
            lesson.entropies.append(float(entropy(where.detach()).mean()))
    lesson.right.append(float((total.argmax(1) == labels).float().mean()))
    if not taken:
        return -likely[-1].log().mean()
    for log_p, value, undecided in taken:
        reward = likely[-1].detach()
        baseline = value.detach() if method == "reinforce" else 0.0
        loss = loss + score_function_loss(log_p, reward, baseline) + F.mse_loss(value, reward)
        loss = loss - weight * undecided.mean()
    return loss
