"""The Atelier on paper: contact sheets of people, garments and truths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from mavton_lite.data.sample import COCO18, LIP, LIP_COLOURS, Sample
from mavton_lite.plots.colours import as_array, parse_colours, warp_colours, warp_lines
from mavton_lite.plots.photo import LIMBS
from mavton_lite.plots.style import INK, set_gaps

FAINT = 0.55  # share of a parse's colours under a skeleton
_COLUMNS = (
    ("person", "人物"),
    ("parse and pose", "解析与姿态"),
    ("own garment", "服装"),
    ("true warp", "变形"),
    ("another garment", "目标服装"),
    ("true try-on", "试穿真值"),
    ("its true warp", "变形"),
)


def contact_sheet(own: Sequence[Sample], other: Sequence[Sample]) -> Figure:
    """One row an example: the person and all that is known, then the same person in another garment.

    `own` are the people with the garment they wear, `other` the same people with one to try on; both with truth.
    Raises: ValueError when the two lists do not show the same people.
    """
    if not own or [s["name"] for s in own] != [s["name"] for s in other]:
        raise ValueError("contact_sheet wants two lists of samples of the same people")
    height, width = own[0]["image"].shape[1:]
    cell = 1.32
    figure = Figure(figsize=(cell * 7.3, cell * height / width * len(own) + 1.3), layout="constrained")
    set_gaps(figure, w_pad=0.015, h_pad=0.015, wspace=0, hspace=0)
    grid = figure.add_gridspec(len(own) + 1, 8, width_ratios=[1, 1, 1, 1, 0.12, 1, 1, 1],
                               height_ratios=[*[1] * len(own), 0.4])  # fmt: skip
    for row, (mine, new) in enumerate(zip(own, other, strict=True)):
        axes = [figure.add_subplot(grid[row, column]) for column in (0, 1, 2, 3, 5, 6, 7)]
        picture(axes[0], mine["image"])
        parse_and_pose(axes[1], mine["parse"], mine["keypoints"])
        for base, sample in ((2, mine), (4, new)):
            picture(axes[base], sample["cloth"])
        picture(axes[5], new["truth_image"])
        for column, sample in ((3, mine), (6, new)):
            axes[column].imshow(warp_colours(sample["truth_warp"]), interpolation="antialiased")
        for axis, (english, chinese) in zip(axes, _COLUMNS, strict=True):
            _bare(axis)
            if row == 0:
                axis.set_title(f"{english}\n{chinese}", fontsize=9, loc="center")
    labels = sorted({int(k) for s in own for k in s["parse"].unique()} - {0})
    legend = figure.add_subplot(grid[-1, :4])
    legend.set_axis_off()
    patches = [Patch(color=_faint(LIP_COLOURS[k]), label=LIP[k]) for k in labels]
    legend.legend(handles=patches, loc="center", ncol=4, fontsize=8.5, handlelength=1.1, columnspacing=1.2)
    _colour_key(figure.add_subplot(grid[-1, 5:]), own[-1]["cloth_mask"])
    return figure


def _colour_key(axes: Axes, cloth_mask: Tensor) -> None:
    height, width = cloth_mask.shape[1:]
    y, x = np.mgrid[:height, :width].astype(float)
    place = np.where(cloth_mask[0].numpy() > 0, np.stack([x, y]), np.nan)
    rows, columns = (np.nonzero(cloth_mask[0].numpy().any(axis))[0] for axis in (1, 0))
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    axes.imshow(warp_colours(place)[cut], interpolation="antialiased")
    axes.set_ylim(rows[-1] - rows[0] + 4, -8)
    axes.set_axis_off()
    axes.set_anchor("W")
    axes.annotate(
        "true warp: each pixel in the colour\nof its place on the flat garment", (1.12, 0.5), xycoords="axes fraction",
        fontsize=8.5, va="center", annotation_clip=False,
    )  # fmt: skip


def anyone_in_anything(truths: Sequence[Sequence[Tensor]], cloths: Sequence[Tensor]) -> Figure:
    """A table of people (rows) and garments (columns): every person in every garment.

    Shape: pictures (3, H, W) in [-1, 1].
    """
    rows, columns = len(truths), len(cloths)
    height, width = cloths[0].shape[1:]
    figure = Figure(figsize=(1.4 * columns, 1.4 * height / width * (rows + 0.8)), layout="constrained")
    set_gaps(figure, w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    axes = figure.subplots(rows + 1, columns, squeeze=False, height_ratios=[0.8, *[1] * rows])
    for column, cloth in enumerate(cloths):
        picture(axes[0, column], cloth)
        for row in range(rows):
            picture(axes[row + 1, column], truths[row][column])
    return figure


def strip(pictures: Sequence[tuple[str, Tensor | np.ndarray]], side: float = 1.75) -> Figure:
    """Pictures in one row, a title over each.   Shape: tensors (3, H, W) in [-1, 1] or arrays (H, W[, 3]) in [0, 1]."""
    first = pictures[0][1]
    height, width = first.shape[1:] if isinstance(first, Tensor) else first.shape[:2]
    figure = Figure(figsize=(side * len(pictures), side * height / width + 0.35), layout="constrained")
    for axes, (title, content) in zip(figure.subplots(1, len(pictures), squeeze=False)[0], pictures, strict=True):
        picture(axes, content, title)
    return figure


def strip_rows(columns: Sequence[tuple[str, Tensor]], side: float = 1.7) -> Figure:
    """A row an example of a batch, a column a kind of picture.   Shape: (B, 3, H, W) in [-1, 1] each."""
    count, _, height, width = columns[0][1].shape
    figure = Figure(figsize=(side * len(columns), side * height / width * count + 0.35), layout="constrained")
    set_gaps(figure, w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    for row, line in enumerate(figure.subplots(count, len(columns), squeeze=False)):
        for axes, (title, pictures) in zip(line, columns, strict=True):
            picture(axes, pictures[row], title if row == 0 else "")
    return figure


def warp_story(sample: Sample, every_px: float | None = None) -> Figure:
    """The true warp told four ways: the flat garment's grid, its colours, and both on the person."""
    height, width = sample["cloth"].shape[1:]
    every_px = every_px or height / 20
    y, x = np.mgrid[:height, :width].astype(float)
    place = np.where(sample["cloth_mask"][0].numpy() > 0, np.stack([x, y]), np.nan)
    flat, worn = as_array(sample["cloth"]), as_array(sample["truth_image"])
    return strip(
        [
            ("flat garment", warp_lines(flat, place, every_px)),
            ("on the person", warp_lines(worn, sample["truth_warp"], every_px)),
            ("flat, by place", warp_colours(place)),
            ("on the person", warp_colours(sample["truth_warp"])),
        ],
        2.2,
    )


def picture(axes: Axes, content: Tensor | np.ndarray, title: str = "") -> None:
    """A picture with a thin frame.   Shape: tensor (3, H, W) in [-1, 1] or array (H, W[, 3]) in [0, 1]."""
    array = as_array(content) if isinstance(content, Tensor) else content
    axes.imshow(array, cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
    _bare(axes)
    if title:
        axes.set_title(title, fontsize=9.5, loc="center")


def parse_and_pose(axes: Axes, parse: Tensor, keypoints: Tensor) -> None:
    """A parse in pale colours with the skeleton over it; hidden key points are hollow."""
    axes.imshow(FAINT * parse_colours(parse) + 1 - FAINT, interpolation="antialiased")
    points = dict(zip(COCO18, keypoints.tolist(), strict=True))
    for a, b in LIMBS:
        (x0, y0, c0), (x1, y1, c1) = points[a], points[b]
        if c0 > 0 and c1 > 0:
            axes.plot((x0, x1), (y0, y1), color=INK, lw=1.1, solid_capstyle="round")
    for x, y, confidence in points.values():
        if confidence > 0:
            axes.plot(x, y, "o", ms=2.8, mew=0.7, mec=INK, mfc=INK if confidence > 0.5 else "white")
    axes.set_xlim(-0.5, parse.shape[1] - 0.5)
    axes.set_ylim(parse.shape[0] - 0.5, -0.5)
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(True)
        side.set_linewidth(0.5)
        side.set_color("#c9ccd4")


def _faint(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    red, green, blue = (FAINT * k / 255 + 1 - FAINT for k in rgb)
    return red, green, blue
