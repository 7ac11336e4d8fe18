"""Poses on paper: confidence maps, affinity fields, skeletons of groups, and how many joints were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from mavton_lite.data.sample import COCO18
from mavton_lite.plots.atelier import picture
from mavton_lite.plots.colours import as_array, heat_over
from mavton_lite.plots.style import COLOURS, INK, set_gaps
from mavton_lite.pose.maps import LIMBS, STRIDE
from mavton_lite.pose.score import Found

Maps = tuple[Tensor, Tensor]  # (18, H, W) confidence, (38, H, W) fields, of one picture
DPI = 80  # inline: many pictures in one figure, and a notebook has a size to keep
PEOPLE = (COLOURS[1], COLOURS[0], COLOURS[2], COLOURS[3], COLOURS[4], COLOURS[5])
CHINESE = {"nose": "鼻", "neck": "颈", "shoulder": "肩", "elbow": "肘", "wrist": "腕"}


def joint_figure(shown: Tensor, rows: Mapping[str, Maps], joints: Sequence[str]) -> Figure:
    """The thesis's figure 1.2: a group, and the map of each joint over it; one row a source of maps.

    Shape: picture (3, H, W) in [-1, 1].   Raises: ValueError naming a joint that is unknown.
    """
    if unknown := sorted(set(joints) - set(COCO18)):
        raise ValueError(f"unknown joint {', '.join(unknown)}; known: {', '.join(COCO18)}")
    figure, axes = _sheet(shown, len(rows), 1 + len(joints))
    image = as_array(shown)
    for line, (name, (confidence, _)) in zip(axes, rows.items(), strict=True):
        picture(line[0], image)
        line[0].set_ylabel(name, fontsize=9.5)
        for ax, joint in zip(line[1:], joints, strict=True):
            heat = _enlarged(confidence[COCO18.index(joint)][None], image.shape[:2])[0]
            picture(ax, heat_over(image, heat, 0, 1, "jet"))
    titles = ["group", *(f"{joint} {CHINESE.get(joint.split()[-1], '')}" for joint in joints)]
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=9.5, loc="center")
    return figure


def field_figure(shown: Tensor, rows: Mapping[str, Maps], limbs: Sequence[tuple[str, str]], people: Tensor) -> Figure:
    """The thesis's figure 1.3: the fields of some limbs, of all limbs, and of one limb as arrows on its cells.

    A colour is a direction (the wheel), its strength the length of the vector. Arrows are those of the first limb of
    `limbs`, around the first of `people` who has it.
    Shape: picture (3, H, W) in [-1, 1], people (P, 18, 3) px.
    """
    rows_of = [LIMBS.index((COCO18.index(a), COCO18.index(b))) for a, b in limbs]
    figure, axes = _sheet(shown, len(rows), 3 + len(limbs))
    image = as_array(shown)
    for line, (name, (_, fields)) in zip(axes, rows.items(), strict=True):
        picture(line[0], image)
        line[0].set_ylabel(name, fontsize=9.5)
        pairs = fields.view(-1, 2, *fields.shape[1:])
        for ax, limb in zip(line[1:-2], rows_of, strict=True):
            picture(ax, field_over(image, pairs[limb]))
        strongest = pairs.norm(dim=1).argmax(0)[None, None].expand(1, 2, -1, -1)
        picture(line[-2], field_over(image, pairs.gather(0, strongest)[0]))
        _arrows(line[-1], image, pairs[rows_of[0]], people, LIMBS[rows_of[0]])
    titles = ["group", *(f"{a}\nto {b}" for a, b in limbs), "all 19 limbs", f"{limbs[0][0]}\nto {limbs[0][1]}, near"]
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=9.5, loc="center")
    _wheel(axes[0][-2])
    return figure


def skeletons(axes: Axes, shown: Tensor, people: Tensor, title: str = "", within: float = 1.0) -> None:
    """A picture with everybody's limbs and joints, one colour a person.

    `within` is the picture's own strength under the lines.   Shape: (3, H, W) in [-1, 1], (P, 18, 3) px.
    """
    picture(axes, within * as_array(shown) + 1 - within, title)
    there = people[..., 2:] > 0
    across = (people[..., :1] * there).sum((1, 2)) / there.sum((1, 2)).clamp(min=1)
    for k, person in enumerate(people[across.argsort()].cpu().numpy()):  # colours run from left to right
        colour = PEOPLE[k % len(PEOPLE)]
        for a, b in LIMBS[:17]:  # from shoulder to ear is a help in decoding, not a limb
            if min(person[a, 2], person[b, 2]) > 0:
                axes.plot(*person[[a, b], :2].T, color="white", lw=3.4, solid_capstyle="round")
                axes.plot(*person[[a, b], :2].T, color=colour, lw=2, solid_capstyle="round")
        x, y = person[person[:, 2] > 0, :2].T
        axes.plot(x, y, "o", ms=3.6, mfc=colour, mec="white", mew=0.7)
    axes.set_xlim(-0.5, shown.shape[2] - 0.5)
    axes.set_ylim(shown.shape[1] - 0.5, -0.5)


def skeleton_rows(pictures: Tensor, rows: Mapping[str, Sequence[Tensor]], side: float = 1.3) -> Figure:
    """One column a picture, one row a source of skeletons.   Shape: (n, 3, H, W), n x (P, 18, 3) px."""
    height, width = pictures.shape[2:]
    tall = side * height / width * len(rows) + 0.1
    figure = Figure(figsize=(side * len(pictures) + 0.25, tall), dpi=DPI, layout="constrained")
    set_gaps(figure, w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    axes = figure.subplots(len(rows), len(pictures), squeeze=False)
    for line, (name, people) in zip(axes, rows.items(), strict=True):
        for ax, shown, found in zip(line, pictures, people, strict=True):
            skeletons(ax, shown, found)
        line[0].set_ylabel(name, fontsize=9.5)
    return figure


def found_bars(results: Mapping[str, Mapping[int, Found]], goal: float) -> Figure:
    """Share of the joints found, by source of the maps and by how many people are in the picture."""
    figure = Figure(figsize=(6.4, 2.7), layout="constrained")
    axes = figure.subplots()
    counts = sorted({n for found in results.values() for n in found})
    width = 0.8 / len(results)
    for k, (name, found) in enumerate(results.items()):
        places = np.arange(len(counts)) + (k - (len(results) - 1) / 2) * width
        shares = [found[n].recall for n in counts]
        bars = axes.bar(places, shares, width * 0.92, color=COLOURS[k], label=name)
        axes.bar_label(bars, [f"{s:.1%}" for s in shares], label_type="center", fontsize=9, color="white")
    axes.axhline(goal, color=INK, lw=0.9, ls=(0, (4, 3)))
    axes.text(len(counts) - 0.48, goal, f"goal\n{goal:.0%}", fontsize=8.5, va="center", ha="left")
    axes.set_xticks(range(len(counts)), [f"{n} {'person' if n == 1 else 'people'}" for n in counts])
    axes.set_ylim(0, 1.12)
    axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.set_ylabel("joints found")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncol=len(results), fontsize=9)
    return figure


def field_over(image: np.ndarray, field: Tensor) -> np.ndarray:
    """A field of vectors as colours over a grey picture.   Shape: (H, W, 3) in [0, 1], (2, h, w) -> (H, W, 3)."""
    x, y = _enlarged(field, image.shape[:2])
    grey = np.repeat((image @ np.array([0.299, 0.587, 0.114]))[..., None], 3, 2) * 0.5 + 0.4
    length = np.clip(np.hypot(x, y), 0, 1)[..., None]
    return grey * (1 - length) + _direction(x, y) * length


def _direction(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A hue a direction."""
    return matplotlib.colormaps["hsv"]((np.arctan2(y, x) / (2 * np.pi)) % 1)[..., :3]


def _enlarged(maps: Tensor, size: tuple[int, int]) -> np.ndarray:
    large = F.interpolate(maps[None].float().cpu(), size, mode="bilinear", align_corners=False)
    return large[0].numpy()


def _sheet(shown: Tensor, rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    height, width = shown.shape[1:]
    side = 8.75 / columns
    figure = Figure(figsize=(9, side * height / width * rows + 0.3), dpi=DPI, layout="constrained")
    set_gaps(figure, w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _arrows(axes: Axes, image: np.ndarray, field: Tensor, people: Tensor, limb: tuple[int, int]) -> None:
    """The part of a picture around one limb, with the vector of every cell that has one."""
    there = (people[:, list(limb), 2] > 0).all(1).nonzero().flatten()
    ends = people[there[0]][list(limb), :2].cpu().numpy()  # of the first who has it
    middle, reach = ends.mean(0), max(np.abs(ends[0] - ends[1]).max() * 0.5 + 6 * STRIDE, 8 * STRIDE)
    picture(axes, 0.35 * image + 0.65)
    vectors = field.cpu().numpy()
    rows, columns = np.nonzero(np.hypot(*vectors) > 0.15)
    x, y = (columns + 0.5) * STRIDE - 0.5, (rows + 0.5) * STRIDE - 0.5
    u, v = vectors[:, rows, columns]
    axes.quiver(
        x,
        y,
        u,
        v,
        color=_direction(u, v) * 0.85,
        angles="xy",
        scale_units="xy",
        scale=0.25,
        width=0.007,
        headwidth=4.5,
        headlength=5,
    )
    axes.plot(*ends.T, "o", ms=6, mfc="none", mec=INK, mew=1.4)
    height, width = image.shape[:2]
    axes.set_xlim(middle[0] - reach * width / height, middle[0] + reach * width / height)
    axes.set_ylim(middle[1] + reach, middle[1] - reach)


def _wheel(axes: Axes) -> None:
    """Which colour is which direction."""
    inset = axes.inset_axes((0.76, 0.8, 0.22, 0.18))
    y, x = np.mgrid[-1:1:41j, -1:1:41j]
    inside = (np.hypot(x, y) <= 1) & (np.hypot(x, y) > 0.45)
    inset.imshow(np.dstack([_direction(x, y), inside * 1.0]))
    inset.set_axis_off()
    axes.add_patch(Rectangle((0.74, 0.79), 0.26, 0.21, transform=axes.transAxes, fc="white", ec="none", alpha=0.7))
