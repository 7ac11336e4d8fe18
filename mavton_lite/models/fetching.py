"""Cross-attention from person to garment as an experiment: does each patch look at the garment part it needs?

A person with the garment cut out asks; a flat garment, moved and resized at random, answers. In training every garment
carries random prints, and the network has to reproduce them where they are worn: only the output is scored, never the
attention. What the attention found is then measured against the true warp, on people and garments never seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from mavton_lite.attention import record
from mavton_lite.data.lessons import People
from mavton_lite.models.vit import Fetcher
from mavton_lite.records import Interval
from mavton_lite.seeds import judge, over_seeds, paired, written
from mavton_lite.threads import one_thread


@dataclass(frozen=True)
class FetchSettings:
    """Everything about the experiment that a profile changes.   Units: px at `height` x `width`."""

    n_train: int
    n_test: int
    seeds: int
    steps: int
    batch: int = 16
    lr: float = 3e-3  # the peak of a one-cycle schedule
    height: int = 48
    width: int = 36
    patch: int = 4
    channels: int = 48  # of a token
    depth: int = 1  # blocks of each ViT
    heads: int = 4
    prints: int = 8  # random values a garment patch carries in training
    smallest: float = 0.6  # of the flat garment's size when it is moved


SETTINGS = {
    "smoke": FetchSettings(n_train=16, n_test=8, seeds=2, steps=6),
    "lite": FetchSettings(n_train=240, n_test=80, seeds=3, steps=200),
    "paper": FetchSettings(n_train=4000, n_test=500, seeds=5, steps=4000),
}


def at(profile: str, **changes) -> FetchSettings:
    """The settings of a profile, with changes.   Raises: ValueError for an unknown profile."""
    if profile not in SETTINGS:
        raise ValueError(f"no settings for profile {profile!r}; there are {', '.join(SETTINGS)}")
    return dataclasses.replace(SETTINGS[profile], **changes)


class Pairs(NamedTuple):
    """What the network sees of people and garments, and what it does not.   Shape: n pairs of H x W px."""

    person: Tensor  # (n, 4, H, W): picture with the garment cut out, and where it was cut
    garment: Tensor  # (n, 4, H, W): flat picture and its mask, in [-1, 1]
    warp: Tensor  # (n, 2, H, W) px, the truth; 0 where nothing is worn
    worn: Tensor  # (n, 1, H, W), 1 where the garment is seen
    photograph: Tensor  # (n, 3, H, W)


def pairs_of(people: People) -> Pairs:
    """People and what they wear as examples: the worn garment is cut out of the photograph."""
    worn = people.warps.isfinite().all(1, keepdim=True).float()
    person = torch.cat([people.pictures * (1 - worn), worn], 1)
    garment = torch.cat([people.cloths, people.cloth_masks * 2 - 1], 1)
    return Pairs(person, garment, people.warps.nan_to_num(0.0), worn, people.pictures)


def mirrored(pairs: Pairs) -> Pairs:
    """Left and right exchanged, in the truth as well."""
    person, garment, warp, worn, photograph = (t.flip(3) for t in pairs)
    x, y = warp.unbind(1)
    return Pairs(person, garment, torch.stack([warp.shape[3] - 1 - x, y], 1) * worn, worn, photograph)


def moved(pairs: Pairs, smallest: float, generator: torch.Generator | None = None) -> Pairs:
    """Each flat garment resized to between `smallest` and 1 of its size and put anywhere on white, its truth with it.

    Without this, garment and person are framed so alike that "look at the same place" is nearly right.
    """
    n, _, height, width = pairs.garment.shape
    scale = smallest + (1 - smallest) * torch.rand(n, generator=generator)  # (n,)
    shift = (1 - scale)[:, None] * (torch.rand(n, 2, generator=generator) * 2 - 1)  # (n, 2), in halves of the picture
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / scale
    theta[:, :, 2] = -shift / scale[:, None]
    grid = F.affine_grid(theta, list(pairs.garment.shape), align_corners=True)
    empty = torch.tensor([1.0, 1.0, 1.0, -1.0]).view(1, 4, 1, 1)  # white, no garment
    garment = F.grid_sample(pairs.garment - empty, grid, align_corners=True) + empty
    half = torch.tensor([width - 1, height - 1]).view(1, 2, 1, 1) / 2
    warp = ((pairs.warp / half - 1) * scale.view(-1, 1, 1, 1) + shift[:, :, None, None] + 1) * half
    return pairs._replace(garment=garment, warp=warp * pairs.worn)


def patches(x: Tensor, patch: int) -> Tensor:
    """The values of every patch in a row.   Shape: (n, C, H, W) -> (n, N, C patch**2)."""
    return F.unfold(x, patch, stride=patch).transpose(1, 2)


def centres(height: int, width: int, patch: int) -> Tensor:
    """Where the patches' middles lie.   Shape: -> (N, 2), x and y in px."""
    y, x = torch.meshgrid(*(torch.arange(n // patch) * patch + (patch - 1) / 2 for n in (height, width)), indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)


def true_places(pairs: Pairs, patch: int) -> tuple[Tensor, Tensor]:
    """The flat-lay place that each patch of the person shows, on average, and the share of the patch that is garment.

    Shape: -> (n, N, 2) px, (n, N).
    """
    seen = patches(pairs.worn, patch)  # (n, N, patch**2)
    sums = [(patches(pairs.warp[:, i : i + 1], patch) * seen).sum(2) for i in (0, 1)]
    return torch.stack(sums, 2) / seen.sum(2).clamp(min=1)[..., None], seen.mean(2)


def true_weights(places: Tensor, middles: Tensor, patch: int) -> Tensor:
    """What ideal attention would be: bilinear weights of the garment patches around each true place; rows sum to 1.

    Shape: (n, N, 2) px, (M, 2) px -> (n, N, M).
    """
    places = places.clamp(middles.amin(0), middles.amax(0))  # beyond the outermost middles there is nothing to mix with
    near = (1 - (places[:, :, None] - middles).abs() / patch).clamp(min=0)  # (n, N, M, 2)
    return near.prod(3)


def build(settings: FetchSettings, seed: int, positions: bool = True) -> Fetcher:
    """An untrained network."""
    torch.manual_seed(seed)
    s = settings
    return Fetcher(4, 4, (s.height, s.width), s.patch, s.channels, s.depth, s.heads, positions)


@one_thread()
def train(network: Fetcher, pairs: Pairs, settings: FetchSettings, seed: int) -> list[float]:
    """Teach a network to carry random prints from the flat garment to the person -> the loss of each step.

    The loss is the mean squared error of the prints on the patches that show garment.
    """
    s, generator = settings, torch.Generator().manual_seed(seed)
    adam = torch.optim.AdamW(network.parameters(), s.lr, weight_decay=0.01, fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, s.lr, total_steps=s.steps)
    middles, losses = centres(s.height, s.width, s.patch), []
    for step in tqdm(range(s.steps), desc=f"training, seed {seed}", leave=False, delay=2, mininterval=2):
        chosen = torch.randint(len(pairs.person), (s.batch,), generator=generator)
        batch = Pairs(*(t[chosen] for t in pairs))
        batch = moved(mirrored(batch) if step % 2 else batch, s.smallest, generator)
        places, share = true_places(batch, s.patch)
        prints = torch.randn(s.batch, len(middles), s.prints, generator=generator)
        wanted = true_weights(places, middles, s.patch) @ prints  # (B, N, prints)
        made = network(batch.person, batch.garment, prints)
        loss = (((made - wanted) ** 2).mean(2) * share).sum() / share.sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
        cycle.step()
        losses.append(float(loss.detach()))
    return losses


@torch.no_grad()
def attention_of(network: Fetcher, pairs: Pairs) -> Tensor:
    """Which garment patches each patch of the person takes from, by head.   Shape: -> (n, heads, N, M)."""
    nothing = torch.zeros(len(pairs.person), network.garment.embedding.positions.shape[0], 1)
    with record(network) as maps:
        network.eval()(pairs.person, pairs.garment, nothing)
    return maps["map"]


def on_target(weights: Tensor, pairs: Pairs, patch: int) -> Tensor:
    """How much of its attention a garment patch of the person gives to where it belongs: within one patch's side of it.

    Averaged over the patches that are at least 3/4 garment.   Shape: (n, N, M) -> (n,).
    """
    places, share = true_places(pairs, patch)
    middles = centres(pairs.worn.shape[2], pairs.worn.shape[3], patch)
    near = (places[:, :, None] - middles).norm(dim=3) <= patch  # (n, N, M)
    asked = (share >= 0.75).float()
    return ((weights * near).sum(2) * asked).sum(1) / asked.sum(1).clamp(min=1)


def controls(test: Pairs, train_set: Pairs, patch: int) -> dict[str, Tensor]:
    """Attention that has learnt nothing of this person and this garment.   Shape: each (n, N, M).

    everywhere on the garment; its middle; the same place as in the photograph; the place where this patch's garment
    lies on average in the training flats, before they are moved.
    """
    middles = centres(test.worn.shape[2], test.worn.shape[3], patch)
    n, count = len(test.worn), len(middles)
    cloth = patches((test.garment[:, 3:] + 1) / 2, patch).mean(2)  # (n, M)
    uniform = cloth / cloth.sum(1, keepdim=True)

    def nearest(points: Tensor) -> Tensor:
        return F.one_hot((points[..., None, :] - middles).norm(dim=-1).argmin(-1), count).float()

    places, share = true_places(train_set, patch)
    mean = (places * share[..., None]).sum(0) / share.sum(0)[:, None].clamp(min=1e-6)  # (N, 2)
    return {
        "uniform": uniform[:, None].expand(n, count, count),
        "centre": nearest(uniform @ middles)[:, None].expand(n, count, count),
        "same place": torch.eye(count).expand(n, count, count),
        "mean place": nearest(mean).expand(n, count, count),
    }


def trials(settings: FetchSettings, train_set: Pairs, test: Pairs) -> tuple[pd.DataFrame, Fetcher]:
    """Networks from several seeds -> a row each with the attention on target, and the first network with positions.

    Columns: untrained; trained; no positions (trained without them); another asks (trained, but each garment is asked
    by the next person in line, while the truth stays).
    """
    rows: list[dict[str, float]] = []
    first: Fetcher | None = None
    for seed in range(settings.seeds):
        row: dict[str, float] = {"seed": seed}
        network = build(settings, seed)
        row["untrained"] = _mean_on_target(network, test, settings)
        train(network, train_set, settings, seed)
        row["trained"] = _mean_on_target(network, test, settings)
        row["another asks"] = _mean_on_target(network, test, settings, test.person.roll(1, 0))
        blind = build(settings, seed, positions=False)
        train(blind, train_set, settings, seed)
        row["no positions"] = _mean_on_target(blind, test, settings)
        rows.append(row)
        first = first or network
    if first is None:
        raise ValueError(f"seeds: found {settings.seeds}, wanted at least 1")
    return pd.DataFrame(rows), first


def _mean_on_target(network: Fetcher, test: Pairs, settings: FetchSettings, asking: Tensor | None = None) -> float:
    asked_by = test if asking is None else test._replace(person=asking)
    return float(on_target(attention_of(network, asked_by).mean(1), test, settings.patch).mean())


def shares(runs: pd.DataFrame, rivals: Mapping[str, Tensor], test: Pairs, patch: int) -> dict[str, float | Interval]:
    """Attention on target of every control, then of the networks over their seeds; what `verdict` judges."""
    found: dict[str, float | Interval] = {k: float(on_target(w, test, patch).mean()) for k, w in rivals.items()}
    for column in ("untrained", "no positions", "another asks", "trained"):
        found[column] = over_seeds(runs[column])
    return found


def verdict(runs: pd.DataFrame, found: Mapping[str, float | Interval]) -> str:
    """Does attention concentrate where it should?  Trained minus the best control, seed by seed, as a sentence."""
    name, best = max(((k, v) for k, v in found.items() if isinstance(v, float)), key=lambda item: item[1])
    gain = over_seeds(runs["trained"] - best)
    return f"trained minus the best control ({name}): {written(gain, sign=True)} % points: {judge(gain)}"


def knows_the_person(runs: pd.DataFrame) -> str:
    """Does it matter who asks?  Trained minus the same network asked by another person, seed by seed, as a sentence."""
    gain = paired(runs["trained"], runs["another asks"])
    return f"trained minus another asks: {written(gain, sign=True)} % points: {judge(gain)}"
