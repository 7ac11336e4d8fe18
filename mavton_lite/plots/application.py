"""Section 4.7 on paper: a photograph and an Atelier person of similar pose, through the same stages, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.data.person import Person
from mavton_lite.data.sample import COCO18
from mavton_lite.models.cpvton import TryOn
from mavton_lite.models.gmm import Warp
from mavton_lite.plots.colours import as_array
from mavton_lite.plots.gmm import outlook
from mavton_lite.plots.photo import close_up, draw_parse, draw_picture, draw_pose
from mavton_lite.plots.style import set_gaps
from mavton_lite.tryon import PhotoTryOn

UPPER = ("nose", "neck", "right shoulder", "left shoulder", "right elbow", "left elbow", "right wrist", "left wrist")
"""Joints that make a pose similar."""


def similar(keypoints: Tensor, others: Tensor, size: tuple[int, int]) -> int:
    """Which of the others stands most like somebody: least mean distance of the upper body's joints that both show.

    Shape: keypoints (18, 3) px at `size` (height, width), others (N, 18, 3) px at the same size.
    Raises: ValueError when nobody shares four joints.
    """
    which = [COCO18.index(name) for name in UPPER]
    one, rest = keypoints[which], others[:, which]
    both = (one[None, :, 2] > 0) & (rest[..., 2] > 0)  # (N, J)
    span = torch.tensor([size[1], size[0]], dtype=one.dtype)
    apart = ((one[None, :, :2] - rest[..., :2]) / span).norm(dim=-1)  # (N, J)
    mean = (apart * both).sum(1) / both.sum(1).clamp(min=1)
    mean[both.sum(1) < 4] = torch.inf
    if not torch.isfinite(mean).any():
        raise ValueError("found nobody who shares four joints of the upper body, wanted another photograph")
    return int(mean.argmin())


def application(
    tryons: Sequence[PhotoTryOn],
    sample: Mapping,
    person: Person,
    made: Mapping[str, tuple[Warp, TryOn, Tensor]],
    second: Sequence[PhotoTryOn] = (),
) -> Figure:
    """Left, a photograph in several garments with all stages; right, an Atelier person in the same ones with the truth.

    `sample` and `person` are the Atelier person's, batches of one; `made`: garment -> warp, try-on and truth (3, H, W).
    `second`: another photograph in the same garments, results only, as a last row.
    Raises: ValueError when there is no try-on, or a garment is missing on one side.
    """
    names = [t.garment.name for t in tryons]
    if not names or set(names) - set(made):
        raise ValueError(f"application wants at least one garment on both sides, found {names} and {list(made)}")
    rows = 1 + len(names) + bool(second)
    figure = Figure(figsize=(13.6, 1.68 * rows + 0.75), layout="constrained")
    set_gaps(figure, w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    halves: Any = figure.subfigures(1, 2, width_ratios=[5.9, 4], wspace=0.025)
    left, right = halves
    left.suptitle("a photograph 照片", fontsize=11)
    right.suptitle("an Atelier person of similar pose", fontsize=11)
    axes = left.subplots(rows, 5, squeeze=False, width_ratios=[0.9, 0.75, 0.75, 0.75, 1])
    facing = right.subplots(rows, 4, squeeze=False)
    for ax in (*axes.flat, *facing.flat):
        ax.set_axis_off()
        ax.set_anchor("N")  # titles of a row at one height, whatever the shapes below them
    photo = tryons[0].photo
    draw_picture(axes[0, 0], photo.original, "photograph 照片")
    draw_pose(axes[0, 1], photo)
    axes[0, 1].set_title("pose 姿势", fontsize=9)
    draw_parse(axes[0, 2], photo)
    axes[0, 2].set_title("parse 人体解析", fontsize=9)
    if axes[0, 2].get_legend():
        axes[0, 2].get_legend().remove()
    axes[0, 2].set_ylim(photo.labels.shape[0], 0)
    draw_picture(axes[0, 3], outlook(tryons[0].person), "person 人物表示")
    draw_picture(facing[0, 0], as_array(sample["image"][0]), "person 人物")
    draw_picture(facing[0, 1], outlook(person), "representation")
    columns = ("garment 服装", "warped 变形服装", "mask 掩码", "network's picture", "result 试穿结果")
    for row, tryon in enumerate(tryons, 1):
        flat = close_up(np.where(tryon.garment.mask[..., None], tryon.garment.picture, 255), tryon.garment.mask)
        cells = [flat, as_array(tryon.warp.cloth[0]), _mask(tryon.drawn), tryon.network, tryon.image]
        for ax, picture, title in zip(axes[row], cells, columns, strict=True):
            draw_picture(ax, picture, title if row == 1 else "")
        warp, drawn, truth = made[tryon.garment.name]
        cells = [as_array(warp.cloth[0]), _mask(drawn), as_array(drawn.image[0]), as_array(truth)]
        for ax, picture, title in zip(facing[row], cells, ("warped", "mask", "result", "truth 真值"), strict=True):
            draw_picture(ax, picture, title if row == 1 else "")
    if second:
        cells = [second[0].photo.original, *(t.image for t in second)]
        for k, (ax, picture) in enumerate(zip((*axes[-1], *facing[-1]), cells, strict=False)):
            draw_picture(ax, picture, "another photograph" if k == 0 else "")
    return figure


def _mask(drawn: TryOn) -> np.ndarray:
    return drawn.mask[0].expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()
