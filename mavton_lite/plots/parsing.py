"""Labels beside the truth, where they are wrong, and how good they are by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from mavton_lite.data.sample import LIP, LIP_COLOURS, to_unit
from mavton_lite.metrics.parsing import ParsingScore
from mavton_lite.plots.colours import parse_colours, unit_colour
from mavton_lite.plots.grid import picture_grid
from mavton_lite.plots.style import COLOURS, INK

WRONG = (0.84, 0.0, 0.35)
DPI = 70  # inline: many pictures in one figure, and a notebook has a size to keep


def labelled(pictures: Tensor, columns: Mapping[str, Tensor], truth: str | None = None) -> Figure:
    """A row a person: the picture, then each column's labels; those of `truth`, if named, show the others' errors.

    Shape: (n, 3, H, W) in [-1, 1]; each column (n, H, W) ids.   Raises: ValueError when the truth is no column.
    """
    if truth is not None and truth not in columns:
        raise ValueError(f"no column {truth!r} to compare with; there are {', '.join(columns)}")
    shown = {"picture": to_unit(pictures)}
    notes: dict[str, Sequence[str]] = {}
    for name, labels in columns.items():
        shown[name] = coloured(labels)
        if truth is not None and name != truth:
            wrong = labels != columns[truth]  # (n, H, W)
            grey = 0.55 + 0.45 * to_unit(pictures).mean(1, keepdim=True)  # (n, 1, H, W)
            shown["wrong"] = torch.where(wrong[:, None], torch.tensor(WRONG).view(1, 3, 1, 1), grey)
            notes["wrong"] = [f"{share:.1%} of the pixels" for share in wrong.float().mean((1, 2)).tolist()]
    figure = picture_grid(shown, notes=notes or None, width_in=1.5)
    present = torch.unique(torch.cat([labels.flatten() for labels in columns.values()])).tolist()
    handles = [Patch(color=unit_colour(LIP_COLOURS[c]), label=LIP[c]) for c in present if c]
    figure.set_dpi(DPI)
    width, height = figure.get_size_inches()
    below = 0.3 * -(-len(handles) // 4)
    for axes in figure.axes:  # make room for the names
        place = axes.get_position()
        axes.set_position((place.x0, (place.y0 * height + below) / (height + below), place.width,
                           place.height * height / (height + below)))  # fmt: skip
    figure.set_size_inches(width, height + below)
    figure.legend(handles=handles, loc="lower center", ncol=4, fontsize=8.5, handlelength=1.2)
    return figure


def coloured(labels: Tensor) -> Tensor:
    """Labels in LIP's colours.   Shape: (B, H, W) -> (B, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.stack([parse_colours(one) for one in labels.cpu()])).permute(0, 3, 1, 2)


def class_scores(scores: Mapping[str, ParsingScore]) -> Figure:
    """Intersection over union by class with its interval, one colour a set of pictures; the mean at the foot.

    Raises: ValueError when there is nothing to draw.
    """
    if not scores:
        raise ValueError("class_scores wants at least one score, got none")
    names = list(dict.fromkeys(name for score in scores.values() for name in score.classes))
    rows = [*names, "mean"]
    figure = Figure(figsize=(7.2, 0.36 * len(rows) + 1.0))
    axes = figure.subplots()
    for k, (title, score) in enumerate(scores.items()):
        found = {**score.classes, "mean": score.mean}
        offset = (k - (len(scores) - 1) / 2) * 0.26
        for y, name in enumerate(rows):
            if name in found:
                value, where = found[name], y + offset
                axes.plot((value.low, value.high), (where, where), color=COLOURS[k], lw=2.2, alpha=0.55)
                axes.plot(value.mean, where, "o", ms=5, color=COLOURS[k], label=title if y == len(rows) - 1 else None)
    axes.axhline(len(names) - 0.5, color=INK, lw=0.6)
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("intersection over union, with its 95 % interval over people")
    axes.grid(axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=len(scores), fontsize=8.5, borderaxespad=0.2)
    return figure


def before_and_after(pictures: Tensor, labels: Tensor, varied: Tensor, moved: Tensor) -> Figure:
    """A row a person: the picture and its labels as they are, and as a network learns from them.

    Shape: (n, 3, H, W) in [-1, 1], (n, H, W) ids, and both once more.
    """
    columns = {"as drawn": to_unit(pictures), "labels": coloured(labels), "as learnt from": to_unit(varied)}
    figure = picture_grid(columns | {"its labels": coloured(moved)}, width_in=1.2)
    figure.set_dpi(DPI)
    return figure
