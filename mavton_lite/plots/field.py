"""The map of the field: systems by year and by how the garment gets its shape, coloured by what they are shown."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import FancyBboxPatch, Rectangle

from mavton_lite.field import INPUTS, SYSTEMS, WARPS, System
from mavton_lite.plots.style import COLOURS, INK

GREY, LATER = "#5b6170", "#8a90a0"
_COLOURS = dict(zip(INPUTS, (COLOURS[4], COLOURS[0], COLOURS[1], COLOURS[2]), strict=True))
_MARKERS = dict(zip(INPUTS, "s^oD", strict=True))
WIDTH, LEFT, ROW, GAP, HEAD, FOOT = 10.6, 0.72, 0.225, 0.14, 0.66, 0.78  # inches


def field_map(systems: tuple[System, ...] = SYSTEMS) -> Figure:
    """Years downwards, a column for every way to give the garment its shape.

    Raises: ValueError for a system of an unknown way or input, or without systems.
    """
    unknown = [s.name for s in systems if s.warp not in WARPS or s.shown not in INPUTS]
    if unknown or not systems:
        raise ValueError(f"field_map wants systems of known kinds; found others: {unknown or 'no systems'}")
    years: list[int | None] = [*sorted({s.year for s in systems if s.year})]
    years += [None] * any(s.year is None for s in systems)
    cells = {(y, w): [s for s in systems if (s.year, s.warp) == (y, w)] for y in years for w in WARPS}
    lines = {y: max(1, *(len(cells[y, w]) for w in WARPS)) for y in years}
    height = HEAD + sum(ROW * n + GAP for n in lines.values()) + FOOT
    figure = Figure(figsize=(WIDTH, height), layout=PlaceHolderLayoutEngine(True, True))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    step = (WIDTH - LEFT - 0.1) / len(WARPS)
    at = {warp: LEFT + 0.12 + step * i for i, warp in enumerate(WARPS)}
    for warp, (english, chinese) in WARPS.items():
        axes.text(at[warp], 0.14, english, fontsize=8.8, va="top")
        axes.text(at[warp], 0.36, chinese, fontsize=9.2, va="top", color=GREY)
    top, before = HEAD, None
    for i, year in enumerate(years):
        tall = ROW * lines[year] + GAP
        if i % 2 == 0:
            axes.add_patch(Rectangle((0, top), WIDTH, tall, fc="#f3f4f7", ec="none", zorder=0))
        if year and before and year - before > 1:  # years without a system are left out
            axes.text(LEFT - 0.12, top, "⋮", fontsize=11, ha="right", va="center", color=GREY)
        axes.text(LEFT - 0.12, top + tall / 2, str(year or "year ?"), fontsize=9.5, ha="right", va="center")
        for warp in WARPS:
            for k, system in enumerate(cells[year, warp]):
                _entry(axes, at[warp], top + GAP / 2 + ROW * (k + 0.5), system)
        top, before = top + tall, year
    _legend(axes, top + 0.24)
    return figure


def _entry(axes: Axes, x: float, y: float, system: System) -> None:
    colour = _COLOURS[system.shown]
    axes.plot(x, y, _MARKERS[system.shown], color=colour, ms=5.5, mfc=colour if system.in_thesis else "white")
    name = system.name + ("" if system.confirmed else " *")
    ink = INK if system.in_thesis or system.runs else LATER
    text = axes.text(x + 0.13, y, name, fontsize=8.8, va="center", color=ink)
    if system.runs:
        text.set_bbox({"boxstyle": "round,pad=0.18", "fc": "#fff3c9", "ec": COLOURS[4], "lw": 1.0})


def _legend(axes: Axes, y: float) -> None:
    x = 0.2
    for shown, (english, chinese) in INPUTS.items():
        axes.plot(x, y, _MARKERS[shown], color=_COLOURS[shown], ms=5.5)
        axes.text(x + 0.13, y, f"{english} {chinese}", fontsize=8.4, va="center")
        x += 0.48 + 0.062 * len(english) + 0.118 * len(chinese)
    y += 0.27
    axes.add_patch(FancyBboxPatch((0.12, y - 0.075), 0.3, 0.15, boxstyle="round,pad=0.02", fc="#fff3c9", ec=COLOURS[4]))
    axes.text(0.52, y, "runs in this project 本项目可运行", fontsize=8.4, va="center")
    axes.plot(3.1, y, "^", color=GREY, mfc="white", ms=5.5)
    axes.text(3.23, y, "not in the thesis's chapter 1", fontsize=8.4, va="center", color=LATER)
    axes.text(5.4, y, "* something is not confirmed: see the table", fontsize=8.4, va="center")
