"""Pictures that generators drew, how their discriminators fared, and what a PatchGAN says place by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.utils import make_grid

from mavton_lite.losses import gan_discriminator, gan_generator
from mavton_lite.picture_game import PictureHistory
from mavton_lite.plots.colours import as_array
from mavton_lite.plots.style import COLOURS, INK, NO_LAYOUT

KINDS = {"bce": ("cross entropy", COLOURS[1]), "lsgan": ("least squares", COLOURS[0])}


def rows(
    pictures: Mapping[str, Tensor], marks: Mapping[str, Sequence[bool]] | None = None, side: float = 0.62
) -> Figure:
    """A named row of pictures each; `marks` frames a picture green where right, orange where wrong.

    Shape: each (n, 3, H, W) in [-1, 1].   Raises: ValueError when rows differ in number.
    """
    counts = {len(p) for p in pictures.values()}
    if len(counts) != 1:
        raise ValueError(f"rows wants equally many pictures in every row, got {sorted(counts)}")
    (count,) = counts
    height, width = next(iter(pictures.values())).shape[2:]
    margin = 1.5
    figure = Figure(figsize=(margin + side * count, side * height / width * len(pictures)), layout=NO_LAYOUT)
    total_w, total_h = figure.get_size_inches()
    tall = total_h / len(pictures)
    for r, (name, row) in enumerate(pictures.items()):
        for c, picture in enumerate(row):
            axes = figure.add_axes(((margin + c * side + 0.02) / total_w, (total_h - (r + 1) * tall + 0.02) / total_h,
                                    (side - 0.04) / total_w, (tall - 0.04) / total_h))  # fmt: skip
            axes.imshow(as_array(picture), interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            right = marks[name][c] if marks and name in marks else None
            colour = "#d9dce3" if right is None else COLOURS[2] if right else COLOURS[1]
            for spine in axes.spines.values():
                spine.set(visible=True, color=colour, linewidth=0.6 if right is None else 2)
            if c == 0:
                axes.text(-0.12, 0.5, name, transform=axes.transAxes, ha="right", va="center", fontsize=9)
    return figure


def fates(histories: Mapping[str, PictureHistory]) -> Figure:
    """How the players fared with each loss: D's loss, G's loss, and the share that D gets right.

    Losses are divided by what they are when D only guesses, so that two kinds of loss share an axis.
    """
    figure = Figure(figsize=(7.4, 2.7), layout="constrained")
    panels = figure.subplots(1, 3)
    for kind, history in histories.items():
        name, colour = KINDS[kind]
        for axes, key in zip(panels, ("discriminator", "generator", "right"), strict=True):
            values = torch.tensor([step[key] for step in history.losses])
            wide = max(1, len(values) // 20)
            smooth = torch.nn.functional.avg_pool1d(values[None], wide, 1)[0]
            scale = 1.0 if key == "right" else guess(kind, key)
            axes.plot(torch.arange(len(smooth)) + wide / 2, smooth / scale, color=colour, label=name)
    for axes, title in zip(panels, ("D's loss / guessing", "G's loss / guessing", "share D gets right"), strict=True):
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step")
        axes.grid(axis="y")
        axes.axhline(0.5 if "share" in title else 1.0, color=INK, lw=0.9, ls=":")
        axes.set_ylim(bottom=0)
    panels[0].legend(fontsize=8.5)
    return figure


def guess(kind: str, player: str) -> float:
    """The loss of a player while D answers "one half" to everything."""
    half = torch.full((1,), 0.5 if kind == "lsgan" else 0.0)
    return float(gan_discriminator(half, half, kind) if player == "discriminator" else gan_generator(half, kind))


def patch_answers(shown: Sequence[tuple[str, Tensor]], answers: Sequence[Tensor]) -> Figure:
    """Pictures above, a discriminator's answer at every place below; red says real, blue says generated.

    Shape: pictures (3, H, W) in [-1, 1]; answers (1, h, w), where 1 is real and 0 generated.
    """
    figure = Figure(figsize=(1.45 * len(shown) + 0.5, 3.9), layout="constrained")
    grid = figure.subplots(2, len(shown), squeeze=False)
    for (title, picture), answer, (above, below) in zip(shown, answers, grid.T, strict=True):
        above.imshow(as_array(picture), interpolation="nearest")
        above.set_title(title, fontsize=9, loc="center")
        image = below.imshow(answer[0].detach().numpy(), cmap="RdBu_r", vmin=-0.2, vmax=1.2)
        below.set_title(f"mean {answer.mean():.2f}", fontsize=9, loc="center")
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(visible=True, color="#d9dce3")
    bar = figure.colorbar(image, ax=list(grid[1]), shrink=0.8)
    bar.set_ticks([0, 0.5, 1], labels=["made", "½", "real"], fontsize=8)
    return figure


def sheet(pictures: Tensor, columns: int = 16) -> Figure:
    """Many small pictures in one.   Shape: (n, 3, H, W) in [-1, 1]."""
    picture = make_grid((pictures + 1) / 2, nrow=columns, padding=1, pad_value=0.85)
    figure = Figure(figsize=(7.4, 7.4 * picture.shape[1] / picture.shape[2]), layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture.permute(1, 2, 0).numpy(), interpolation="nearest")
    axes.set_axis_off()
    return figure
