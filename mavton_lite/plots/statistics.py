"""What a world shows, in one figure and in its data card: framing, coverage, poses, cloth, hair, lightness and tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mavton_lite.data.statistics import Statistics, table
from mavton_lite.files import write_text
from mavton_lite.plots.style import COLOURS, INK, set_gaps

COVERAGE = ("garment", "arms", "hair", "lower", "ground")
FRAME_ROWS = {"head_top": "top of the head", "shoulder_row": "shoulders", "hip_row": "hips"}
CARD_MARKS = ("<!-- composition -->", "<!-- end of composition -->")
FACTS = {"cloth": "cloth", "sleeve": "sleeves", "neck": "necklines", "hair": "hair"}


def statistics_figure(measured: Sequence[Statistics]) -> Figure:
    """Measured folders beside each other; what only the Atelier knows is that of the first folder that knows it.

    Raises: ValueError without folders.
    """
    if not measured:
        raise ValueError("found no statistics, wanted those of at least one folder")
    knowing = next((s for s in measured if len(s.facts.columns)), None)
    rows = 2 if knowing is None else 4
    figure = Figure(figsize=(11, 2.9 * rows), layout="constrained")
    set_gaps(figure, w_pad=0.06, h_pad=0.06)
    grid = figure.add_gridspec(rows, 6)
    _framing(figure.add_subplot(grid[:2, :2]), measured)
    _coverage(figure.add_subplot(grid[0, 2:4]), measured)
    _bars(figure.add_subplot(grid[0, 4:]), {s.name: s.poses() for s in measured}, "arms")
    for k, (column, title) in enumerate((("face_luma", "lightness of the face"), ("cloth_luma", "of the garment"))):
        _histogram(figure.add_subplot(grid[1, 2 + 2 * k : 4 + 2 * k]), measured, column, title)
    if knowing is not None:
        places = (grid[2:, :2], grid[2, 2:4], grid[2, 4:], grid[3, 2:4])
        for (column, title), place in zip(FACTS.items(), places, strict=True):
            shares = knowing.facts[column].value_counts(normalize=True)
            _bars(figure.add_subplot(place), {knowing.name: shares}, title)
        tags = pd.Series(knowing.tags)
        _bars(figure.add_subplot(grid[3, 4:]), {knowing.name: tags[:10]}, "tags, unpaired")
    if len(measured) > 1:
        names = [Rectangle((0, 0), 1, 1, color=COLOURS[k]) for k in range(len(measured))]
        figure.legend(names, [s.name for s in measured], loc="outside upper center", ncol=len(measured))
    return figure


def _framing(axes: Axes, measured: Sequence[Statistics]) -> None:
    """The picture's frame with the rows and the width that people take in it."""
    height, width = measured[0].size
    axes.add_patch(Rectangle((0, 0), width, height, fill=False, ec=INK, lw=1))
    for k, s in enumerate(measured):
        colour = COLOURS[k]
        for column, text in FRAME_ROWS.items():
            low, middle, high = s.rows[column].quantile([0.05, 0.5, 0.95]) * height
            if np.isnan(middle):
                continue
            axes.add_patch(Rectangle((0, low), width, high - low, color=colour, alpha=0.14, lw=0))
            axes.plot((0, width), (middle, middle), color=colour, lw=1.2)
            if k == 0:
                axes.annotate(text, (4, middle + 3), fontsize=8.5, va="top")
        low, middle, high = s.rows["shoulder_width"].quantile([0.05, 0.5, 0.95]) * width
        row, centre = s.rows["shoulder_row"].median() * height, s.rows["centre"].median() * width
        if not np.isnan(middle + row + centre):
            axes.hlines(row + 12, centre - high / 2, centre + high / 2, color=colour, lw=1)
            axes.hlines(row + 12, centre - low / 2, centre + low / 2, color=colour, lw=4)
    axes.set_title("framing")
    axes.set_xlim(-2, width + 2)
    axes.set_ylim(height + 2, -2)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _coverage(axes: Axes, measured: Sequence[Statistics]) -> None:
    step = 0.8 / len(measured)
    for k, s in enumerate(measured):
        at = np.arange(len(COVERAGE)) - 0.4 + (k + 0.5) * step
        low, middle, high = (s.rows[list(COVERAGE)].quantile(q).to_numpy() for q in (0.05, 0.5, 0.95))
        axes.hlines(at, low, high, color=COLOURS[k], lw=2)
        axes.plot(middle, at, "o", color=COLOURS[k], ms=5)
    axes.set_yticks(range(len(COVERAGE)), ["garment", "bare arms", "hair", "below", "ground"])
    axes.set_ylim(len(COVERAGE) - 0.4, -0.6)
    axes.set_xlim(0, None)
    axes.set_title("share of the picture")
    _percent(axes)
    axes.tick_params(axis="y", length=0)


def _bars(axes: Axes, shares: dict[str, pd.Series], title: str) -> None:
    names = list(next(iter(shares.values())).index)
    step = 0.76 / len(shares)
    for k, series in enumerate(shares.values()):
        at = np.arange(len(names)) - 0.38 + (k + 0.5) * step
        axes.barh(at, series.reindex(names, fill_value=0), height=0.92 * step, color=COLOURS[k])
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_title(title)
    _percent(axes)
    axes.tick_params(axis="y", length=0)


def _percent(axes: Axes, which: str = "x") -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(4))
    axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _histogram(axes: Axes, measured: Sequence[Statistics], column: str, title: str) -> None:
    for k, s in enumerate(measured):
        values = s.rows[column].dropna()
        share, alpha = np.full(len(values), 1 / max(len(values), 1)), 1 if len(measured) == 1 else 0.5
        axes.hist(values, np.linspace(0, 1, 21).tolist(), weights=share, color=COLOURS[k], alpha=alpha)
    axes.set_xlim(0, 1)
    axes.set_title(title)
    _percent(axes, "y")


def card_section(measured: Statistics, command: str) -> str:
    """The composition of a world for a data card, in Markdown: what was measured, and what the Atelier knows."""
    known = [
        f"- {title}: "
        + ", ".join(f"{k} {v:.1%}" for k, v in measured.facts[column].value_counts(normalize=True).items())
        for column, title in (FACTS | {"lower": "worn below"}).items()
        if column in measured.facts
    ]
    tags = ", ".join(f"{k} {v:.1%}" for k, v in measured.tags.items())
    numbers = table([measured]).to_markdown(index=False, disable_numparse=True)
    head = f"Measured on {len(measured.rows):,} examples made by `{command}`; median (5 % to 95 %)."
    return "\n".join([head, "", numbers, "", *known, *([f"- tags, unpaired: {tags}"] if tags else []), ""])


def update_card(card: Path, measured: Statistics, command: str) -> None:
    """Put the composition between the two marks of a data card.   Raises: ValueError when a mark is missing."""
    text = Path(card).read_text(encoding="utf-8")
    before, begun, rest = text.partition(CARD_MARKS[0])
    _, ended, after = rest.partition(CARD_MARKS[1])
    if not begun or not ended:
        raise ValueError(f"{card}: found no {CARD_MARKS[0]} ... {CARD_MARKS[1]}, wanted both marks")
    section = card_section(measured, command)
    write_text(Path(card), f"{before}{CARD_MARKS[0]}\n{section}{CARD_MARKS[1]}{after}")
