"""Teach the small pose network on groups of Atelier people.

`python -m mavton_lite.pose.training` makes the weights that come with the package.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import trange

from mavton_lite import checkpoint
from mavton_lite.config import SEED
from mavton_lite.data.atelier.example import VERSION
from mavton_lite.data.augment import MIRRORED_KEYPOINTS
from mavton_lite.data.groups import Groups, group_pictures
from mavton_lite.pose.decode import decode
from mavton_lite.pose.maps import true_maps
from mavton_lite.pose.network import SIZE, PoseNet, predict_maps
from mavton_lite.pose.score import NOTHING, WITHIN_PX, Found, joints_found

WEIGHTS = Path(__file__).parent / "weights.safetensors"


@dataclass(frozen=True)
class PoseSettings:
    """Everything about the lesson on poses that a profile changes."""

    groups: int  # pictures to learn from
    test: int  # and to be tried on, one third each of one, two and three people
    steps: int
    batch: int = 16
    lr: float = 4e-3  # peak of a one-cycle schedule
    width: int = 48
    joints: float = 3.0  # weight of the confidence maps, which cover less of the picture than the fields
    zoom: float = 0.2  # of the side that a training picture may lose


SETTINGS = {
    "smoke": PoseSettings(groups=6, test=6, steps=4, batch=4, width=8),
    "lite": PoseSettings(groups=450, test=36, steps=2000),
    "paper": PoseSettings(groups=10_000, test=600, steps=40_000, width=64),
}


def train(settings: PoseSettings, groups: Groups, seed: int = SEED, progress: bool = False) -> tuple[PoseNet, list]:
    """A network taught on groups in pictures of SIZE, in evaluation mode, and its loss at every step.

    Raises: ValueError for pictures of another size.
    """
    if tuple(groups.pictures.shape[2:]) != SIZE:
        raise ValueError(f"wanted pictures of {SIZE}, got {tuple(groups.pictures.shape[2:])}")
    torch.manual_seed(seed)
    network = PoseNet(settings.width).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), settings.lr, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.lr, settings.steps, pct_start=0.2)
    dice, losses = torch.Generator().manual_seed(seed), []
    for _ in trange(settings.steps, desc="pose", leave=False, disable=not progress, mininterval=5):
        which = torch.randint(len(groups.pictures), (settings.batch,), generator=dice)
        pictures, keypoints = varied(groups.pictures[which], groups.keypoints[which], settings.zoom, dice)
        confidence, fields = true_maps(keypoints, SIZE, 2)
        said = network(pictures.to(memory_format=torch.channels_last))
        loss = settings.joints * F.mse_loss(said[0], confidence) + F.mse_loss(said[1], fields)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return network.eval().requires_grad_(False), losses


def varied(pictures: Tensor, keypoints: Tensor, zoom: float, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Training pictures seen anew: some mirrored, each a part of itself, in other light.

    Shape: (B, 3, H, W) in [-1, 1], (B, P, 18, 3) px -> same.
    """
    count, _, height, width = pictures.shape
    flip = torch.rand(count, generator=dice) < 0.5
    x, y, there = keypoints.unbind(-1)
    other = torch.stack([width - 1 - x, y, there], -1)[:, :, MIRRORED_KEYPOINTS]
    pictures = torch.where(flip[:, None, None, None], pictures.flip(-1), pictures)
    x, y, there = torch.where(flip[:, None, None, None], other, keypoints).unbind(-1)
    share = 1 - zoom * torch.rand(count, generator=dice)  # of the side that stays
    left, top = ((1 - share) * (2 * torch.rand(count, generator=dice) - 1) for _ in "xy")  # of its middle, [-1, 1]
    zero = torch.zeros(count)
    matrix = torch.stack([torch.stack([share, zero, left], 1), torch.stack([zero, share, top], 1)], 1)
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=True)
    pictures = F.grid_sample(pictures, grid, padding_mode="border", align_corners=True)

    def moved(v: Tensor, middle: Tensor, side: int) -> Tensor:  # the other way round: where a point comes to lie
        return ((v * 2 / (side - 1) - 1 - middle[:, None, None]) / share[:, None, None] + 1) * (side - 1) / 2

    x, y = moved(x, left, width), moved(y, top, height)
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5) & (there > 0)
    light = 1 + 0.15 * torch.randn(count, 3, 1, 1, generator=dice)
    shade = 0.1 * torch.randn(count, 1, 1, 1, generator=dice)
    return (pictures * light + shade).clamp(-1, 1), torch.stack([x, y, there], -1) * inside[..., None]


def evaluate(groups: Groups, network: PoseNet | None = None, threshold: float = 0.1) -> dict[int, Found]:
    """Joints found, by how many people are in the picture; decoded from the network's maps, or from true ones.

    Distances are in pixels of the pictures; 4 px count as found at a height of 256, fewer in smaller ones.
    """
    size = groups.pictures.shape[2], groups.pictures.shape[3]
    stride = size[0] // 64
    out: dict[int, Found] = {}
    for picture, keypoints, people in zip(groups.pictures, groups.keypoints, groups.people.tolist(), strict=True):
        maps = true_maps(keypoints[None], size, stride) if network is None else predict_maps(network, picture[None])
        people_found = decode(maps[0][0], maps[1][0], stride, threshold)
        found = joints_found(people_found, keypoints, WITHIN_PX * size[0] / 256)
        out[people] = out.get(people, NOTHING) + found
    return dict(sorted(out.items()))


def load_weights(path: Path = WEIGHTS) -> tuple[PoseNet, dict]:
    """The network that comes with the package, in evaluation mode, and the card that tells how it was taught.

    Raises: ValueError naming the file when it is missing, broken or not its card's.
    """
    card = checkpoint.read_json(path.with_suffix(".json"))
    tensors, _ = checkpoint.load_tensors(path)
    if (found := checkpoint.file_digest(path)) != card["sha256"]:
        raise ValueError(f"{path}: sha256 is {found}, its card says {card['sha256']}")
    network = PoseNet(card["settings"]["width"])
    checkpoint.load_weights(network, {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}, path)
    return network.eval().requires_grad_(False), card


def save_weights(network: PoseNet, settings: PoseSettings, seconds: float, path: Path = WEIGHTS) -> dict:
    """Write a network in half precision, and its card; returns the card."""
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    checkpoint.save_tensors(path, tensors)
    card = {
        "settings": asdict(settings),
        "seed": SEED,
        "world": VERSION,
        "seconds": round(seconds),
        "parameters": sum(p.numel() for p in network.parameters()),
        "sha256": checkpoint.file_digest(path),
    }
    checkpoint.write_json(path.with_suffix(".json"), card)
    return card


def main() -> None:
    """Train at lite and keep the weights."""
    settings, started = SETTINGS["lite"], time.perf_counter()
    groups = group_pictures(settings.groups, *SIZE)
    network, losses = train(settings, groups, progress=True)
    card = save_weights(network, settings, time.perf_counter() - started)
    found = evaluate(group_pictures(settings.test, 256, 192, "test"), load_weights()[0])
    print(f"{card['parameters']:,} parameters, loss {losses[0]:.4f} to {sum(losses[-50:]) / 50:.4f}")
    for people, counts in found.items():
        print(f"{people} in the picture: {counts.recall:.1%} of the joints, {counts.precision:.1%} of the said right")


if __name__ == "__main__":
    main()
