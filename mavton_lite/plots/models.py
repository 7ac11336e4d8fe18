"""Networks from the outside: what goes in, what they see of it, and how they take turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import Tensor

from mavton_lite.data.person import Person
from mavton_lite.data.sample import COCO18, Sample
from mavton_lite.plots.atelier import parse_and_pose, picture
from mavton_lite.plots.colours import as_array
from mavton_lite.plots.style import COLOURS, INK

_KINDS = (COLOURS[1], COLOURS[2], COLOURS[0])  # shape, kept parts, pose
_POINT_COLOURS = matplotlib.colormaps["turbo"](np.linspace(0.06, 0.94, len(COCO18)))[:, :3]


def person_representation(sample: Sample, person: Person, kept_labels: Sequence[int]) -> Figure:
    """From a photograph with its parse and key points to the 22 channels a network gets: the thesis's figure 2.8.

    `person` is a batch whose first example is `sample`.
    """
    height, width = sample["image"].shape[1:]
    ratio = height / width
    figure = Figure(figsize=(10.6, 5.6), layout=PlaceHolderLayoutEngine(True, True))
    canvas = figure.add_axes((0, 0, 1, 1))
    canvas.set_xlim(0, 10.6)
    canvas.set_ylim(0, 5.6)
    canvas.set_axis_off()

    def place(x: float, y: float, w: float) -> Axes:
        return figure.add_axes((x / 10.6, y / 5.6, w / 10.6, w * ratio / 5.6))

    def arrow(start: tuple[float, float], end: tuple[float, float]) -> None:
        canvas.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color="#8a90a0", lw=1.2))

    side, small = 1.75, 1.12
    picture(place(0.15, 1.6, side), sample["image"], "person 人物")
    parse_and_pose(axes := place(2.45, 1.6, side), sample["parse"], sample["keypoints"])
    axes.set_title("parse and key points", fontsize=9.5, loc="center")
    canvas.text(2.45 + side / 2, 1.5, "解析与关键点", fontsize=9.5, ha="center", va="top")
    middle = 1.6 + side * ratio / 2
    arrow((0.15 + side + 0.06, middle), (2.42, middle))

    pose = np.ones((height, width, 3))
    for channel, colour in zip(person.pose[0].cpu().numpy(), _POINT_COLOURS, strict=True):
        pose[channel > 0] = colour
    kept = "face, hair" + (", lower body" if 9 in kept_labels else "")
    rows: tuple[tuple[float, Any, str, str, str], ...] = (
        (3.78, person.silhouette[0, 0], "blurred shape 体型", "so that the cut is forgotten", "1 channel"),
        (2.02, person.head[0], "kept parts 保留", kept, "3 channels"),
        (0.26, pose, "pose 姿态", "one square a key point", "18 channels"),
    )
    for (y, content, title, note, channels), colour in zip(rows, _KINDS, strict=True):
        shown = (content.cpu().numpy() + 1) / 2 if isinstance(content, Tensor) and content.ndim == 2 else content
        picture(place(4.95, y, small), shown)
        centre = y + small * ratio / 2
        arrow((2.45 + side + 0.06, middle), (4.9, centre))
        canvas.text(4.95 + small + 0.1, centre + 0.15, title, fontsize=9.5, va="bottom")
        canvas.text(4.95 + small + 0.1, centre + 0.1, note, fontsize=8.5, va="top", color="#5b6170")
        canvas.text(4.95 + small + 0.1, centre - 0.18, channels, fontsize=8.5, va="top", color=colour)
    _cards(figure, canvas, person.agnostic[0].cpu().numpy(), (8.28, 5.02), ratio)
    arrow((7.82, middle), (8.2, middle))
    return figure


def _cards(figure: Figure, canvas: Axes, channels: np.ndarray, corner: tuple[float, float], ratio: float) -> None:
    """Every channel on its own, four in a row, framed in the colour of its kind."""
    card, step, height = 0.5, 0.55, 0.5 * ratio + 0.05
    for k, channel in enumerate(channels):
        x, y = corner[0] + step * (k % 4), corner[1] - height * (k // 4 + 1)
        axes = figure.add_axes((x / 10.6, y / 5.6, card / 10.6, card * ratio / 5.6))
        axes.imshow(channel, cmap="gray", vmin=-1, vmax=1, interpolation="antialiased")
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(True)
            side.set(color=_KINDS[0] if k == 0 else _KINDS[1] if k < 4 else _KINDS[2], linewidth=1.6)
    size = " × ".join(str(n) for n in channels.shape)
    low = corner[1] - height * -(-len(channels) // 4) - 0.06
    canvas.text(corner[0], corner[1] + 0.09, "person representation", fontsize=9.5, va="bottom")
    canvas.text(corner[0], low, f"人体表征  {size}", fontsize=9.5, va="top")


def receptive_field(sample_picture: Tensor, touched: Tensor, logit: tuple[int, int], logits: tuple[int, int]) -> Figure:
    """The pixels that one logit of a discriminator depends on, and the map of logits it belongs to.

    Shape: picture (3, H, W) in [-1, 1], `touched` (H, W) bool.
    """
    image, touched_ = as_array(sample_picture), touched.cpu().numpy()
    rows, columns = np.nonzero(touched_.any(1))[0], np.nonzero(touched_.any(0))[0]
    high, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    figure = Figure(figsize=(5.6, 3.7), dpi=96, layout="constrained")
    left, right = figure.subplots(1, 2)
    picture(left, np.where(touched_[..., None], image, 0.25 * image + 0.75), f"one logit sees {high} × {wide} px")
    left.add_patch(Rectangle((columns[0] - 0.5, rows[0] - 0.5), wide, high, fill=False, ec=COLOURS[1], lw=2))
    right.imshow(np.ones(logits), cmap="gray", vmin=0, vmax=1)
    right.set_xticks(np.arange(logits[1] + 1) - 0.5, labels=[])
    right.set_yticks(np.arange(logits[0] + 1) - 0.5, labels=[])
    right.grid(True, color="#b9bdc9", lw=0.5)
    right.tick_params(length=0)
    right.add_patch(Rectangle((logit[1] - 0.5, logit[0] - 0.5), 1, 1, color=COLOURS[1]))
    right.set_title(f"{logits[0]} × {logits[1]} logits, real or not", fontsize=9.5, loc="center")
    for spine in right.spines.values():
        spine.set_visible(True)
    return figure


def turns(rows: Sequence[Mapping[str, float]], weights: Mapping[str, float] | None = None) -> Figure:
    """The terms of a joint loss over the first steps: the discriminator's above, the try-on network's below."""
    steps = np.arange(1, len(rows) + 1)
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for name, axes, colour in (("discriminator", upper, COLOURS[1]), ("adversarial", upper, COLOURS[0])):
        scale = (weights or {}).get(name, 1.0)
        axes.plot(steps, [r[name] / scale for r in rows], color=colour, marker="o", ms=3)
    upper.set_title("the two players: what one gains, the other loses", fontsize=10)
    last = rows[-1]
    label = {"discriminator": "D: tell real from made", "adversarial": "G: be taken for real"}
    players = (("discriminator", COLOURS[1]), ("adversarial", COLOURS[0]))
    ends = [(last[name] / (weights or {}).get(name, 1.0), label[name], colour) for name, colour in players]
    _labels(upper, steps[-1], ends, max(max(r[n] / (weights or {}).get(n, 1.0) for r in rows) for n, _ in players))
    others = (("perceptual", "perceptual", COLOURS[3]), ("l1", "L1", COLOURS[2]), ("mask", "mask", COLOURS[4]))
    for name, _, colour in others:
        lower.plot(steps, [r[name] for r in rows], color=colour)
    top = max(r[name] for r in rows for name, _, _ in others)
    _labels(lower, steps[-1], [(last[name], text, colour) for name, text, colour in others], top)
    lower.set_title("G's other terms, weighted", fontsize=10)
    lower.set_xlabel("step")
    for axes in (upper, lower):
        axes.set_ylim(bottom=0)
        axes.grid(True, axis="y")
        axes.set_xlim(0.5, len(rows) + len(rows) * 0.36)
        axes.spines["bottom"].set_color(INK)
        axes.set_xticks([s for s in steps if s == 1 or s % 5 == 0])
    return figure


def _labels(axes: Axes, x: float, ends: Sequence[tuple[float, str, str]], top: float) -> None:
    """Names at the ends of lines, moved apart where they would overlap."""
    floor = -0.06 * top
    for y, text, colour in sorted(ends):
        floor = max(y, floor + 0.11 * top)
        axes.annotate(text, (x, floor), xytext=(8, 0), textcoords="offset points", color=colour, va="center")
