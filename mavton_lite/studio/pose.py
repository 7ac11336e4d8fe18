"""The pose explorer: the maps of one group, and the skeletons that come out of them at a threshold of your choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from PIL import Image, ImageColor, ImageDraw
from torch import Tensor

from mavton_lite.data.sample import COCO18
from mavton_lite.plots.colours import as_array, heat_over
from mavton_lite.plots.pose import PEOPLE, Maps, field_over
from mavton_lite.pose.decode import decode
from mavton_lite.pose.maps import LIMB_NAMES, LIMBS


@dataclass(frozen=True)
class PoseView:
    """Which group, whose maps, which joint or limb is shown, and how high a peak must be."""

    group: int = 0
    maps: str = ""  # a name of what `work` is given; the first when empty
    shown: str = "right wrist"  # a name of COCO18 or of LIMB_NAMES
    threshold: float = 0.1


def view_pose(state: PoseView, pictures: Tensor, maps: Mapping[str, Sequence[Maps]], scale: int = 2) -> np.ndarray:
    """The chosen map over the picture, and beside it what the decoder makes of all maps.

    Shape: pictures (n, 3, H, W) in [-1, 1], n pairs of maps by name -> (scale * H, about 2 * scale * W, 3) uint8.
    Raises: ValueError naming a source, joint or limb that is not there.
    """
    name = state.maps or next(iter(maps))
    if name not in maps:
        raise ValueError(f"no maps {name!r}; there are {', '.join(maps)}")
    confidence, fields = maps[name][state.group]
    picture = pictures[state.group]
    image = as_array(F.interpolate(picture[None], scale_factor=scale, mode="bilinear", align_corners=False)[0])
    if state.shown in COCO18:
        bump = confidence[COCO18.index(state.shown)][None, None]
        heat = F.interpolate(bump, (image.shape[0], image.shape[1]), mode="bilinear", align_corners=False)[0, 0].numpy()
        left = heat_over(image, heat, 0, 1, "jet")
    elif state.shown in LIMB_NAMES:
        k = LIMB_NAMES.index(state.shown)
        left = field_over(image, fields[2 * k : 2 * k + 2])
    else:
        raise ValueError(f"no joint or limb {state.shown!r}; there are {', '.join((*COCO18, *LIMB_NAMES))}")
    people = decode(confidence, fields, picture.shape[1] / confidence.shape[1], state.threshold)
    row = np.concatenate([left, np.ones((len(image), 8, 3)), 0.6 * image + 0.4], 1)
    canvas = Image.fromarray(np.floor(np.clip(row, 0, 1) * 255 + 0.5).astype(np.uint8))
    _draw(ImageDraw.Draw(canvas), people, scale, image.shape[1] + 8)
    return np.asarray(canvas)


def _draw(draw: ImageDraw.ImageDraw, people: Tensor, scale: int, left: int) -> None:
    for k, person in enumerate(people.numpy()):
        colour = ImageColor.getrgb(PEOPLE[k % len(PEOPLE)])
        places = [(left + (x + 0.5) * scale, (y + 0.5) * scale) for x, y, _ in person]
        for a, b in LIMBS[:17]:
            if min(person[a, 2], person[b, 2]) > 0:
                draw.line([places[a], places[b]], colour, width=2 * scale)
        for (x, y), (_, _, score) in zip(places, person, strict=True):
            if score > 0:
                draw.ellipse([x - 2 * scale, y - 2 * scale, x + 2 * scale, y + 2 * scale], colour, "white")
