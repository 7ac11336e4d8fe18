"""What the attention explorer looks at: a few people and garments, and what each network made of every pair.

Nothing is computed twice: a slider that changes neither person nor garment redraws from what is kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.attention import record
from mavton_lite.attention.self_attention import alignment, tokens
from mavton_lite.cases import first_with
from mavton_lite.config import SEED
from mavton_lite.data.lessons import drawn_series
from mavton_lite.data.person import represent
from mavton_lite.data.sample import Sample, collate
from mavton_lite.models.cpvton import TryOn
from mavton_lite.models.gmm import Warp
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.models.unet import instance_norm
from mavton_lite.studio.dressing import sample_of
from mavton_lite.switching import ALL, average_maps, switched
from mavton_lite.warp import correlation, l2_normalise
from mavton_lite.warp_study import by_place

POSES = ("arm in front", "long hair over cloth", "raised arm", "turned torso", "sleeve shorter", "sleeve longer")
PRINTS = ("lettering", "stripes", "checks", "logo", "plain", "colour blocks")


class Switch(NamedTuple):
    """What is done to the gates of one network: see `switching.switched`."""

    gate: str = ALL
    part: str = ALL
    way: str = "open"
    strength: float = 1.0  # 1: as trained


class Seen(NamedTuple):
    """One pair through one network.   Shape: a batch of one; `brings` and `passes` by level, (h, w)."""

    agnostic: Tensor
    warp: Warp
    made: TryOn
    maps: Mapping[str, Tensor]  # of the gates; empty where there are none
    brings: Mapping[int, Tensor]  # mean size of the features on each skip
    passes: Mapping[int, Tensor]  # the same after the gate


class Matches(NamedTuple):
    """Who answers whom in the matching module.   Shape: (h, w, h, w), the asking row and column first."""

    garment: Tensor  # GMM's correlation with the garment, in [-1, 1]
    person: Tensor  # attention of the person's features to themselves, each map sums to 1


class Room:
    """People, garments and networks, with everything that was computed about them.

    `truth(person, garment)` draws the person in the garment, (3, H, W) in [-1, 1], where that is known.
    """

    def __init__(
        self,
        networks: Mapping[str, TryOnPipeline],
        people: Mapping[str, Sample],
        garments: Mapping[str, Sample],
        truth: Callable[[str, str], Tensor] | None = None,
    ):
        self.networks, self.people, self.garments = dict(networks), dict(people), dict(garments)
        self.seen = lru_cache(maxsize=128)(self._seen)
        self.changed = lru_cache(maxsize=128)(self._changed)
        self.matches = lru_cache(maxsize=64)(self._matches)
        self.averages = lru_cache(maxsize=8)(self._averages)
        self.truth = lru_cache(maxsize=64)(truth) if truth else None

    def levels(self, network: str) -> list[int]:
        """The skips of a network, the widest first."""
        return list(range(1, self.networks[network].tom.unet.downs))

    def gated(self, network: str) -> bool:
        """Whether its skips carry gates."""
        return len(self.networks[network].tom.unet.gates) > 0

    def batch(self, person: str, garment: str) -> dict:
        """One person and one garment as a batch.   Raises: ValueError for a name that is not there."""
        for name, known in ((person, self.people), (garment, self.garments)):
            if name not in known:
                raise ValueError(f"found {name!r}, wanted one of {', '.join(known)}")
        cloth = {key: dict(self.garments[garment])[key] for key in ("cloth", "cloth_mask", "cloth_name")}
        dressed: Any = {**self.people[person], **cloth}
        return collate([dressed])

    @torch.inference_mode()
    def _seen(self, network: str, person: str, garment: str) -> Seen:
        pipeline = self.networks[network]
        unet = pipeline.tom.unet
        brings: dict[int, Tensor] = {}
        passes: dict[int, Tensor] = {}

        def keep(kept: dict[int, Tensor], level: int, is_conv: bool):
            def hook(_module, _inputs, output: Tensor) -> None:
                if is_conv:  # what the U-Net does before the skip
                    output = F.leaky_relu(instance_norm(output) if level > 1 else output, 0.2)
                kept[level] = output[0].abs().mean(0)

            return hook

        handles = [unet.down[k - 1].register_forward_hook(keep(brings, k, True)) for k in self.levels(network)]
        handles += [g.register_forward_hook(keep(passes, int(n[5:]), False)) for n, g in unet.gates.items()]
        try:
            with record(unet) as maps:
                representation, warp, made = pipeline(self.batch(person, garment))
        finally:
            for handle in handles:
                handle.remove()
        return Seen(representation.agnostic, warp, made, maps, brings, passes or brings)

    @torch.inference_mode()
    def _changed(self, network: str, person: str, garment: str, switch: Switch) -> Tensor:
        """The try-on with gates changed, as trained where there are none.   Shape: -> (3, H, W) in [-1, 1]."""
        seen, pipeline = self.seen(network, person, garment), self.networks[network]
        if not self.gated(network) or switch.strength == 1:
            return seen.made.image[0]
        averages = self.averages(network) if switch.way == "fixed" else None
        with switched(pipeline.tom.unet, switch.gate, switch.way, averages, switch.strength, switch.part):
            return pipeline.tom(seen.agnostic, seen.warp.cloth, seen.warp.mask).image[0]

    @torch.inference_mode()
    def _averages(self, network: str) -> dict[str, Tensor]:
        pairs = [self.batch(p, g) for p, g in zip(self.people, [*self.garments] * len(self.people), strict=False)]
        whole = {k: torch.cat([b[k] for b in pairs]) for k in pairs[0] if torch.is_tensor(pairs[0][k])}
        return average_maps(self.networks[network], whole)

    @torch.inference_mode()
    def _matches(self, network: str, person: str, garment: str) -> Matches:
        pipeline, batch = self.networks[network], self.batch(person, garment)
        gmm = pipeline.gmm
        asking = gmm.person(represent(batch, pipeline.person).matching)  # (1, C, h, w)
        shown = batch["cloth"] if gmm.settings.cloth_input == "cloth" else batch["cloth_mask"]
        volume = correlation(l2_normalise(asking), l2_normalise(gmm.cloth(shown)))
        rows, columns = asking.shape[2:]
        own = tokens(asking)  # (1, h * w, C)
        return Matches(by_place(volume)[0], alignment(own, own)[0].view(rows, columns, rows, columns))


def atelier_room(networks: Mapping[str, TryOnPipeline], people: int = 6, garments: int = 6, seed: int = SEED) -> Room:
    """People and garments of the Atelier's test split, one for each of `POSES` and `PRINTS`, at the networks' size.

    Code picks them: the first person who carries the tag. What was drawn once is kept under `runs/lessons`.
    Raises: ValueError when the networks want different sizes.
    """
    sizes = {tuple(n.size) for n in networks.values()}
    if len(sizes) != 1:
        raise ValueError(f"found networks for pictures of {sorted(sizes)}, wanted one size")
    (height, width), = sizes  # fmt: skip
    worn = {tag: i ^ 1 for tag, i in first_with(PRINTS[:garments], seed=seed).items()}  # person i tries garment i ^ 1
    who = _kept("room-people", first_with(POSES[:people], seed=seed), height, width, seed)
    what = _kept("room-garments", worn, height, width, seed)
    index = {name: int(s["name"][:6]) for name, s in who.items()}
    cloth = {name: int(s["cloth_name"][:6]) for name, s in what.items()}

    def truth(person: str, garment: str) -> Tensor:
        return sample_of("test", index[person], cloth[garment], (height, width), seed)["truth_image"]

    return Room(networks, who, what, truth)


def _kept(what: str, chosen: Mapping[str, int], height: int, width: int, seed: int) -> dict[str, Sample]:
    """Each chosen person in their own garment (which is also the garment to try on), drawn or read."""
    numbers = list(chosen.values())

    def draw(k: int) -> dict[str, np.ndarray]:
        sample = sample_of("test", numbers[k], numbers[k], (height, width), seed)
        return {key: value.numpy() for key, value in sample.items() if torch.is_tensor(value) and key[:5] != "truth"}

    stem = f"{what}-{zlib.crc32(repr(numbers).encode()):08x}"
    kept = drawn_series(stem, len(numbers), height, width, "test", seed, draw)
    names: list[dict[str, Any]] = [{"name": f"{i:06d}_0", "cloth_name": f"{i:06d}_1"} for i in numbers]
    return {
        f"{k + 1} · {tag}": cast(Sample, names[k] | {key: torch.from_numpy(v[k]) for key, v in kept.items()})
        for k, tag in enumerate(chosen)
    }

