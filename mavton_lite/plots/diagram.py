"""A sheet of paper measured in inches: boxes, arrows, feature maps and real matrices, for drawings of modules."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from mavton_lite.plots.style import INK

GREY = "#5b6170"
Point = tuple[float, float]


class Sheet:
    """A figure whose coordinates are inches from the lower left corner.

    `dpi` is that of a notebook; with photographs in it a coarser one keeps the file small.
    """

    def __init__(self, width: float, height: float, dpi: float | None = None):
        self.figure = Figure(figsize=(width, height), dpi=dpi, layout=PlaceHolderLayoutEngine(True, True))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.size = width, height
        self._frame()

    def _frame(self) -> None:
        self.axes.set_xlim(0, self.size[0])
        self.axes.set_ylim(0, self.size[1])

    def text(self, x: float, y: float, words: str, size: float = 9.5, colour: str = INK, ha: str = "center",
             va: str = "center") -> None:  # fmt: skip
        """Words around a point."""
        self.axes.text(x, y, words, fontsize=size, color=colour, ha=ha, va=va, linespacing=1.3, zorder=6)

    def arrow(self, *points: Point, colour: str = INK, head: bool = True) -> None:
        """A line through points, with a head at the last one."""
        *_, start, end = points
        self.axes.plot(*zip(*points[:-1], strict=True), color=colour, lw=1.3, zorder=2, solid_joinstyle="round")
        style = "-|>" if head else "-"
        self.axes.add_patch(FancyArrowPatch(start, end, arrowstyle=style, mutation_scale=11, color=colour, lw=1.3,
                                            shrinkA=0, shrinkB=0, zorder=2))  # fmt: skip

    def box(self, x: float, y: float, w: float, h: float, words: str = "", colour: str = INK, fill: str = "white",
            size: float = 9.5) -> None:  # fmt: skip
        """A rounded box around its middle."""
        self.axes.add_patch(FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle="round,pad=0,rounding_size=0.07",
                                           fc=fill, ec=colour, lw=1.1, zorder=3))  # fmt: skip
        if words:
            self.text(x, y, words, size)

    def panel(self, x: float, y: float, w: float, h: float, fill: str, colour: str) -> None:
        """A rounded ground under other things, around its middle."""
        self.axes.add_patch(FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle="round,pad=0,rounding_size=0.07",
                                           fc=fill, ec=colour, lw=1.1, zorder=1))  # fmt: skip

    def operation(self, x: float, y: float, sign: str, colour: str = INK) -> None:
        """A sum or a product: a sign in a circle."""
        self.axes.add_patch(Circle((x, y), 0.14, fc="white", ec=colour, lw=1.2, zorder=4))
        self.text(x, y - 0.005, sign, 12, colour)

    def bottleneck(self, x: float, y: float, w: float, h: float, words: str, colour: str) -> None:
        """A perceptron that narrows in the middle."""
        for sign in (-1, 1):
            outer, inner = x + sign * w / 2, x
            corners = [(outer, y + h / 2), (inner, y + h / 4), (inner, y - h / 4), (outer, y - h / 2)]
            self.axes.add_patch(Polygon(corners, fc="white", ec=colour, lw=1.1, zorder=3))
        self.text(x, y - h / 2 - 0.08, words, 9, va="top")

    def slab(self, x: float, y: float, w: float, h: float, deep: float, colour: str) -> None:
        """A feature map around the middle of its front: `w` and `h` are its places, `deep` its channels."""
        d = deep * 0.6
        left, right, low, top = x - w / 2, x + w / 2, y - h / 2, y + h / 2
        roof = [(left, top), (left + d, top + d), (right + d, top + d), (right, top)]
        side = [(right, low), (right + d, low + d), (right + d, top + d), (right, top)]
        for corners, alpha in ((roof, 0.75), (side, 0.5)):
            self.axes.add_patch(Polygon(corners, fc=colour, ec=INK, lw=0.7, alpha=alpha, zorder=3))
        self.axes.add_patch(Rectangle((left, low), w, h, fc=colour, ec=INK, lw=0.8, zorder=3))

    def matrix(self, x: float, y: float, w: float, h: float, values: np.ndarray, cmap: str = "viridis",
               limits: tuple[float, float] | None = None, edge: str = INK) -> None:  # fmt: skip
        """Numbers as colours, or a picture, around a middle.   Shape: (rows, columns) or (H, W, 3) in [0, 1]."""
        low, high = limits or (float(values.min()), float(values.max()))
        extent = (x - w / 2, x + w / 2, y - h / 2, y + h / 2)
        self.axes.imshow(values, cmap=cmap, vmin=low, vmax=high, extent=extent, aspect="auto", zorder=3)
        self.axes.add_patch(Rectangle((extent[0], extent[2]), w, h, fill=False, ec=edge, lw=0.8, zorder=4))
        self._frame()  # imshow moves the limits


def times(*numbers: int) -> str:
    """A shape as people write it: 16 × 12."""
    return " × ".join(str(n) for n in numbers)
