"""A real photograph through the whole chain: what was found in it, and the try-ons that came out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from mavton_lite.data.photo import Photo
from mavton_lite.data.sample import COCO18, LIP, LIP_COLOURS
from mavton_lite.plots.colours import unit_colour
from mavton_lite.plots.style import INK
from mavton_lite.tryon import PhotoTryOn

HELD_COLOUR = (150, 150, 150)
MODEL_NAMES = {"mavton": "MA-VTON", "ma_vton": "MA-VTON", "cpvton": "CP-VTON", "cp_vton": "CP-VTON"}
LIMBS = (
    ("nose", "neck"), ("neck", "right shoulder"), ("neck", "left shoulder"), ("right shoulder", "right elbow"),
    ("right elbow", "right wrist"), ("left shoulder", "left elbow"), ("left elbow", "left wrist"),
    ("neck", "right hip"), ("neck", "left hip"), ("right hip", "right knee"), ("left hip", "left knee"),
    ("nose", "right eye"), ("nose", "left eye"), ("right eye", "right ear"), ("left eye", "left ear"),
)  # fmt: skip


def photo_figure(tryons: Sequence[PhotoTryOn]) -> Figure:
    """One band a photograph: picture, pose and frame, parse; then a column a garment and a row a model.

    Raises: ValueError when there is nothing to draw.
    """
    if not tryons:
        raise ValueError("photo_figure wants at least one try-on, got none")
    bands: dict[int, list[PhotoTryOn]] = {}
    for tryon in tryons:
        bands.setdefault(id(tryon.photo), []).append(tryon)
    columns = max(len({t.garment.name for t in band}) for band in bands.values())
    rows = [len({t.model for t in band}) for band in bands.values()]
    heights = [2.4 + 2.3 * r for r in rows]
    figure = Figure(figsize=(2.3 * (2 + columns), sum(heights)), layout="constrained")
    made: Any = figure.subfigures(len(bands), 1, height_ratios=heights)
    parts = np.atleast_1d(made)
    for part, band in zip(parts, bands.values(), strict=True):
        _band(part, band)
    return figure


def _band(part, band: list[PhotoTryOn]) -> None:
    photo = band[0].photo
    garments = list(dict.fromkeys(t.garment.name for t in band))
    models = list(dict.fromkeys(t.model for t in band))
    left, right = part.subfigures(1, 2, width_ratios=[2, len(garments)], wspace=0.02)
    upper, lower = left.subfigures(2, 1, height_ratios=[1, 1.1])
    draw_picture(upper.subplots(), photo.original, f"photograph, {photo.original.shape[1]} × {photo.original.shape[0]}")
    pose, parse = lower.subplots(1, 2)
    draw_pose(pose, photo)
    draw_parse(parse, photo)
    axes = right.subplots(1 + len(models), len(garments), squeeze=False, height_ratios=[0.8, *[1] * len(models)])
    by = {(t.model, t.garment.name): t for t in band}
    for column, name in enumerate(garments):
        garment = next(t.garment for t in band if t.garment.name == name)
        draw_picture(axes[0, column], close_up(garment.picture, garment.mask), name)
        for row, model in enumerate(models, 1):
            axes[row, column].set_axis_off()
            if (model, name) in by:
                title = MODEL_NAMES.get(model, model) if column == 0 else ""
                draw_picture(axes[row, column], by[model, name].image, title)


def close_up(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The garment with a small margin, the rest of its white ground cut off."""
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    margin = round(0.03 * mask.shape[0])
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    return picture[top : rows[-1] + margin, left : columns[-1] + margin]


def draw_picture(axes, picture: np.ndarray, title: str = "") -> None:
    """A picture without axes."""
    axes.imshow(picture, interpolation="antialiased")
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def draw_pose(axes, photo: Photo) -> None:
    """Key points and limbs, faint where the backend is unsure, and the frame the networks see."""
    height, width = photo.labels.shape
    draw_picture(axes, photo.original, f"pose ({photo.info.get('backend', 'given')}) and frame")
    points = dict(zip(COCO18, photo.keypoints, strict=True))
    for a, b in LIMBS:
        p, q = points[a], points[b]
        if min(p[2], q[2]) > 0.02:
            axes.plot((p[0], q[0]), (p[1], q[1]), color="#56B4E9", lw=1.4, alpha=max(min(p[2], q[2]), 0.25))
    seen = np.array([p for p in points.values() if p[2] > 0.02])
    axes.scatter(seen[:, 0], seen[:, 1], s=9, color="#F0E442", edgecolors=INK, linewidths=0.4, zorder=3)
    box = photo.box
    axes.add_patch(Rectangle((box.left, box.top), box.width, box.height, fill=False, edgecolor="#D55E00", lw=1.2))
    axes.set_xlim(min(box.left, 0) - 4, max(box.left + box.width, width) + 4)
    axes.set_ylim(max(box.top + box.height, height) + 4, min(box.top, 0) - 4)


def draw_parse(axes, photo: Photo) -> None:
    """Labels laid over the photograph, with the names of those that occur."""
    colours = np.array(LIP_COLOURS, np.float32)[photo.labels]
    colours[photo.held] = HELD_COLOUR
    shown = (photo.labels > 0) | photo.held
    mixed = np.where(shown[..., None], 0.35 * photo.original + 0.65 * colours, 0.35 * photo.original + 165)
    draw_picture(axes, mixed.clip(0, 255).astype(np.uint8), "parse")
    smallest = 0.0005 * photo.labels.size
    found = [i for i in np.unique(photo.labels) if i > 0 and (photo.labels == i).sum() >= smallest]
    patches = [Patch(color=unit_colour(LIP_COLOURS[i]), label=LIP[i]) for i in found]
    if photo.held.any():
        patches.append(Patch(color=unit_colour(HELD_COLOUR), label="kept in front"))
    axes.set_ylim(photo.labels.shape[0] * (1 + 0.13 * -(-len(patches) // 2)), 0)  # room for the names
    axes.legend(handles=patches, loc="lower center", ncol=2, fontsize=6.5, handlelength=1, borderpad=0)
