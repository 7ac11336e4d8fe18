"""Pictures side by side: a column a kind, a row an example."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.plots.style import NO_LAYOUT


def picture_grid(
    columns: dict[str, Tensor],
    rows: Sequence[str] = (),
    notes: dict[str, Sequence[str]] | None = None,
    width_in: float = 1.35,
) -> Figure:
    """One row an example, one column a kind of picture, under the columns' names.

    `rows` are written to the left, `notes[column][row]` below a picture.
    Shape: each column (N, 3, H, W) in [0, 1].   Raises: ValueError when columns or labels do not agree in number.
    """
    shapes = {name: tuple(c.shape) for name, c in columns.items()}
    if not columns or len(set(shapes.values())) != 1 or next(iter(shapes.values()))[1] != 3:
        raise ValueError(f"picture_grid wants columns of one shape (N, 3, H, W), got {shapes or 'none'}")
    count, _, height, width = next(iter(shapes.values()))
    notes = notes or {}
    for name, labels in (("rows", rows), *notes.items()):
        if len(labels) not in (count, 0) or (name != "rows" and name not in columns):
            raise ValueError(f"picture_grid: found {len(labels)} labels for {name!r}, wanted {count}, or none")
    margin = 1.1 if len(rows) else 0.0
    line = 0.19 if notes else 0.0
    tall = width_in * height / width + line
    head = 0.11 + 0.15 * max(name.count("\n") + 1 for name in columns)
    figure = Figure(figsize=(margin + width_in * len(columns), head + tall * count), layout=NO_LAYOUT)
    axes = figure.subplots(count, len(columns), squeeze=False)
    total_w, total_h = figure.get_size_inches()
    for c, (name, pictures) in enumerate(columns.items()):
        for r, picture in enumerate(pictures):
            ax = axes[r, c]
            bottom = total_h - head - (r + 1) * tall + line
            ax.set_position(
                ((margin + c * width_in + 0.02) / total_w, (bottom + 0.02) / total_h,
                 (width_in - 0.04) / total_w, (tall - line - 0.04) / total_h)
            )  # fmt: skip
            ax.imshow(picture.detach().float().clamp(0, 1).permute(1, 2, 0).cpu().numpy(), interpolation="antialiased")
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set(visible=True, color="#d9dce3", linewidth=0.6)
            if r == 0:
                ax.set_title(name, fontsize=9.5, loc="center", pad=4)
            if c == 0 and len(rows):
                ax.text(-0.08, 0.5, rows[r], transform=ax.transAxes, ha="right", va="center", fontsize=8.5)
            if notes.get(name):
                ax.text(0.5, -0.015, notes[name][r], transform=ax.transAxes, ha="center", va="top", fontsize=8)
    return figure


def painted(mask: Tensor) -> Tensor:
    """A mask as a grey picture.   Shape: (N, 1, H, W) -> (N, 3, H, W)."""
    return mask.expand(-1, 3, -1, -1).float().clamp(0, 1)


def stacked(pictures: Sequence[Tensor]) -> Tensor:
    """Pictures of one column as a batch.   Shape: each (3, H, W) -> (N, 3, H, W)."""
    return torch.stack([p.detach().cpu() for p in pictures])
