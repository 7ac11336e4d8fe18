"""One to three people of the Atelier in one picture, beside and in front of each other: who is where, who hides whom?

A body ends at the thighs, so everybody is framed to be cut by the lower border. Pictures once drawn are kept under
`runs/lessons`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mavton_lite.config import SEED
from mavton_lite.data.atelier import Stage, garment_of, person_of
from mavton_lite.data.atelier.example import keypoints_of, stream_of
from mavton_lite.data.atelier.hair import rise_m
from mavton_lite.data.atelier.layer import SUPERSAMPLE
from mavton_lite.data.atelier.people import Person
from mavton_lite.data.lessons import drawn_series
from mavton_lite.data.sample import COCO18

MOST = 3  # people in a picture
SIZES = {1: (0.78, 0.95), 2: (0.68, 0.86), 3: (0.60, 0.72)}  # by how many there are: picture heights a metre
PLACES = {1: (0.5,), 2: (0.30, 0.70), 3: (0.19, 0.50, 0.81)}  # of the shoulders, picture widths
CLOSER = 0.75  # what is left of these distances when people stand closest


class Groups(NamedTuple):
    """Pictures of groups.   Shape: n pictures of H x W pixels; the last rows of `keypoints` are 0 where fewer stand."""

    pictures: Tensor  # (n, 3, H, W) float32 in [-1, 1]
    keypoints: Tensor  # (n, MOST, 18, 3) x px, y px; 1 seen, 0.5 behind their own body, 0 behind another or not there
    owners: Tensor  # (n, H, W) int64, 0 for the ground, else 1 + the row of `keypoints`

    @property
    def people(self) -> Tensor:
        """How many stand in each picture.   Shape: -> (n,) int64."""
        return self.owners.flatten(1).amax(1)


def group_pictures(n: int, height: int, width: int, split: str = "train", seed: int = SEED) -> Groups:
    """The first `n` groups of a split, of one, two and three people in turn; nobody is in two of them.

    Raises: ValueError for n < 1, an unknown split, or a size that is not 4:3.
    """
    kept = drawn_series("groups", n, height, width, split, seed, lambda i: draw_group(i, height, width, split, seed))
    pictures = torch.from_numpy(kept["pictures"]).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()
    return Groups(pictures, torch.from_numpy(kept["keypoints"]), torch.from_numpy(kept["owners"]).long())


def draw_group(index: int, height: int, width: int, split: str = "train", seed: int = SEED) -> dict[str, np.ndarray]:
    """Group `index` of a split, painted from the back to the front: `pictures`, `keypoints` and `owners` of one.

    Who is painted later hides who is behind: key points there become 0. In one studio everybody has the same light.
    """
    rng = stream_of(seed, split, index)("group")
    count = 1 + index % MOST
    people = [person_of(seed, split, MOST * index + k) for k in range(count)]
    centres = 0.5 + (np.array(PLACES[count]) - 0.5) * rng.uniform(CLOSER, 1) + rng.uniform(-0.03, 0.03, count)
    picture, owners = np.zeros((0, 0, 3)), np.zeros((height, width), np.uint8)
    keypoints = np.zeros((MOST, len(COCO18), 3), np.float32)
    for k, place in enumerate(rng.permutation(count)):
        stage = Stage(_framed(people[k], people[0], centres[place], count, rng), height, width)
        if picture.size:  # the people behind are this one's wall
            wall = ~np.isfinite(stage.depth)
            stage.colour[wall] = picture.repeat(SUPERSAMPLE, 0).repeat(SUPERSAMPLE, 1)[wall]
        seen = stage.wear(garment_of(seed, split, MOST * index + k))
        picture = seen.image
        _hide(keypoints[:k], seen.parse > 0)
        owners[seen.parse > 0] = k + 1
        keypoints[k] = keypoints_of(stage)
    return {"pictures": np.floor(picture * 255 + 0.5).astype(np.uint8), "keypoints": keypoints, "owners": owners}


def _framed(person: Person, first: Person, centre: float, count: int, rng: np.random.Generator) -> Person:
    """The person in the first one's studio, at a place and a size, and so low that the body's end is not seen."""
    scale = person.look.scale / first.look.scale * rng.uniform(*SIZES[count])
    tall = np.ptp(person.vertices[:, 2]) + rise_m(person.hair)
    margin = max(1 - scale * (tall - 0.08), 0.03) + rng.uniform(0, 0.08)
    return replace(person, look=replace(first.look, scale=scale, shift=centre - 0.5, head_margin=margin))


def _hide(keypoints: np.ndarray, mask: np.ndarray) -> None:
    """Forget, in place, the joints that lie under a mask.   Shape: (P, 18, 3), (H, W) bool."""
    columns, rows = np.rint(keypoints[..., 0]).astype(int), np.rint(keypoints[..., 1]).astype(int)
    keypoints[(keypoints[..., 2] > 0) & mask[rows, columns]] = 0
