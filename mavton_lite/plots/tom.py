"""The try-on module on paper: figure 2.11 from a live module, what its mask is taught, what each loss term does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.data.person import Person
from mavton_lite.models.cpvton import TOM
from mavton_lite.models.gmm import Warp
from mavton_lite.plots.architecture import UNetShapes, trace
from mavton_lite.plots.colours import as_array
from mavton_lite.plots.diagram import GREY, Sheet, times
from mavton_lite.plots.style import COLOURS

CLOTH, PAINTED, MASK, LOSS = COLOURS[2], COLOURS[0], COLOURS[1], COLOURS[3]
ENCODER, DECODER = "#9cc3e6", "#f5c08a"
_SIDE, _TALL = 0.84, 1.12  # inches, of a picture


@torch.no_grad()
def try_on_module(tom: TOM, person: Person, warp: Warp, target: Tensor, mask_target: Tensor) -> Figure:
    """The thesis's figure 2.11: what goes in, the U-Net with the shapes of the running module, (2-11), the losses.

    Every picture is what the module made of the first example.   Shape: target (B, 3, H, W), mask_target (B, 1, H, W).
    """
    made = tom(person.agnostic[:1], warp.cloth[:1], warp.mask[:1])
    sheet = Sheet(11.8, 5.3)
    _inputs(sheet, tom, person, warp)
    _network(sheet, trace(tom, (target.shape[2], target.shape[3])), sum(p.numel() for p in tom.parameters()))
    masked, painted = made.mask * (warp.cloth[:1] + 1) - 1, (1 - made.mask) * (made.rendered + 1) - 1
    top, low, middle = 4.05, 1.75, 2.9
    _picture(sheet, 6.75, top, made.rendered[0], "painted person $I_r$", "tanh, 3 channels", PAINTED)
    _picture(sheet, 6.75, low, _grey(made.mask)[0], "mask $M$", "sigmoid, 1 channel", MASK, below=True)
    for y, sign, colour in ((top, "⊙", PAINTED), (low, "⊙", CLOTH)):
        sheet.arrow((7.2, y), (7.71, y), colour=PAINTED if y == top else MASK)
        sheet.operation(7.85, y, sign)
        sheet.arrow((7.99, y), (8.24, y), colour=colour)
    sheet.arrow((7.45, low), (7.45, middle), (7.85, middle), (7.85, top - 0.14), colour=MASK)
    sheet.text(7.93, middle + 0.1, "$1 - M$", 9, MASK, "left")
    _picture(sheet, 8.68, top, painted[0], "$(1 - M) \\odot I_r$", edge=PAINTED)
    _picture(sheet, 8.68, low, masked[0], "$M \\odot \\hat c$", edge=CLOTH, below=True)
    sheet.arrow((0.62, 1.15), (0.62, 0.32), (7.85, 0.32), (7.85, low - 0.14), colour=CLOTH)
    sheet.text(4.2, 0.18, "warped cloth, as it is: lettering and stripes stay sharp 细节", 8.5, CLOTH)
    for y in (top, low):
        sheet.arrow((9.1, y), (9.42, y), (9.42, middle + (0.14 if y == top else -0.14)))
    sheet.operation(9.42, middle, "+")
    sheet.arrow((9.56, middle), (9.86, middle))
    _picture(sheet, 10.3, middle, made.image[0], "try-on $I_o$")
    sheet.text(10.3, middle - 0.68, "(2-11)", 9, GREY)
    _losses(sheet, target, mask_target, middle)
    return sheet.figure


def _grey(mask: Tensor) -> Tensor:
    return mask.expand(-1, 3, -1, -1) * 2 - 1


def _picture(sheet: Sheet, x: float, y: float, picture: Tensor, title: str, note: str = "", edge: str = GREY,
             below: bool = False, scale: float = 1.0) -> None:  # fmt: skip
    """A picture around its middle, its title above it or below."""
    wide, tall = _SIDE * scale, _TALL * scale
    sheet.matrix(x, y, wide, tall, as_array(picture), edge=edge)
    sign = -1 if below else 1
    words = [w for w in ((note, title) if not below else (title, note)) if w]
    sheet.text(x, y + sign * (tall / 2 + 0.07), "\n".join(words), 9, va="top" if below else "bottom")


def _inputs(sheet: Sheet, tom: TOM, person: Person, warp: Warp) -> None:
    """The person representation as three small pictures, the warped cloth, and its mask where that is shown."""
    pose = person.pose[0].amax(0, keepdim=True).expand(3, -1, -1)
    parts = (person.silhouette[0].expand(3, -1, -1), person.head[0], pose)
    for i, part in enumerate(parts):
        sheet.matrix(0.42 + 0.6 * i, 3.95, 0.56, 0.56 * _TALL / _SIDE, as_array(part), edge=COLOURS[5])
    channels = person.agnostic.shape[1]
    sheet.text(1.02, 4.42, f"person representation $p$\n1 + 3 + 18 = {channels} channels", 9, va="bottom")
    sheet.text(1.02, 4.86, "人物表示", 9, GREY, va="bottom")
    _picture(sheet, 0.62, 1.78, warp.cloth[0], "warped cloth $\\hat c$", "3 channels", CLOTH)
    total = channels + 3
    if tom.settings.mask_input:
        _picture(sheet, 1.62, 1.78, _grey(warp.mask[:1])[0], "its mask", "1 channel", CLOTH)
        total += 1
    for start in ((2.0, 3.95), (2.1 if tom.settings.mask_input else 1.1, 1.78)):
        sheet.arrow(start, (2.28, start[1]), (2.28, 2.9), (2.5, 2.9))
    sheet.text(2.34, 3.08, f"{total}", 9, ha="left")


def _network(sheet: Sheet, shapes: UNetShapes, weights: int) -> None:
    """The U-Net as a row of slabs that shrink and grow again, with its skips above."""
    encoder, decoder = shapes.down, shapes.up[:-1]
    count = len(encoder) + len(decoder)
    step, y = 3.35 / count, 2.9
    xs = 2.72 + step * np.arange(count)
    sizes = [*encoder, *decoder]

    def tall(shape: tuple[int, ...]) -> float:
        return 0.34 * np.log2(shape[1]) * 0.62

    for i, (x, shape) in enumerate(zip(xs, sizes, strict=True)):
        colour = ENCODER if i < len(encoder) else DECODER
        sheet.slab(x, y, 0.09, tall(shape), 0.1 + 0.02 * np.log2(shape[0]), colour)
        sheet.text(x + 0.05, y - tall(shape) / 2 - 0.06, f"{shape[0]}", 7.6, GREY, va="top")
    for level, shape in enumerate(encoder[:-1]):
        mirror = count - 1 - level
        height = y + tall(encoder[0]) / 2 + 0.62 - 0.11 * level
        sheet.arrow((xs[level] + 0.08, y + tall(shape) / 2 + 0.1), (xs[level] + 0.08, height),
                    (xs[mirror] + 0.08, height), (xs[mirror] + 0.08, y + tall(sizes[mirror]) / 2 + 0.14),
                    colour="#8a90a0")  # fmt: skip
    sheet.text(xs.mean(), y + tall(encoder[0]) / 2 + 0.68, "skips 跳跃连接", 8.5, GREY, va="bottom")
    first, last = encoder[0], encoder[-1]
    text = f"{times(*first[1:])} px at the first level, {times(*last[1:])} at the last\n{weights:,} weights"
    sheet.text(xs.mean(), y - tall(first) / 2 - 0.3, text, 8.5, va="top")
    end = xs[-1] + 0.27
    for target in (4.05, 1.75):
        sheet.arrow((end, y), (end + 0.08, y), (end + 0.08, target), (6.31, target))


def _losses(sheet: Sheet, target: Tensor, mask_target: Tensor, middle: float) -> None:
    """What the try-on and the mask are compared with while the module learns."""
    sheet.matrix(11.32, middle, _SIDE, _TALL, as_array(target[0]), edge=LOSS)
    sheet.text(11.32, middle + 0.63, "photograph $I_t$", 9, va="bottom")
    sheet.arrow((10.74, middle), (10.88, middle), colour=LOSS, head=False)
    sheet.text(10.85, middle - 1.0, "$|I_o - I_t|_1$  +  perceptual", 9, LOSS)
    sheet.text(10.85, middle - 1.26, "(2-12)", 9, GREY)
    sheet.matrix(11.3, 0.85, 0.5, 0.5 * _TALL / _SIDE, as_array(_grey(mask_target)[0]), edge=LOSS)
    sheet.text(10.98, 0.98, "mask term: $M$ against", 9, LOSS, "right")
    sheet.text(10.98, 0.72, "what it is taught 掩码", 9, LOSS, "right")


def composed(columns: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    """Columns for `atelier.strip_rows`, masks of one channel painted grey."""
    return [(name, _grey(p) if p.shape[1] == 1 else p) for name, p in columns.items()]


def roles_figure(table: pd.DataFrame, measures: Mapping[str, str]) -> Figure:
    """Every variant of a loss by what it does: a dot a seed, a bar their mean, dotted the mean of the first variant."""
    names = list(dict.fromkeys(table["variant"]))
    figure = Figure(figsize=(11, 0.36 * len(names) + 1.2), layout="constrained")
    for axes, (measure, title) in zip(figure.subplots(1, len(measures), sharey=True), measures.items(), strict=True):
        means = table.groupby("variant")[measure].mean()
        axes.axvline(means[names[0]], color=COLOURS[0], lw=0.9, ls=(0, (2, 3)), zorder=0)
        for y, name in enumerate(names):
            values = table.loc[table["variant"] == name, measure]
            colour = COLOURS[0] if y == 0 else COLOURS[1] if name.startswith("without") else COLOURS[3]
            axes.plot(values, [y] * len(values), "o", ms=5, color=colour, mfc="white", mew=1.2)
            axes.plot([means[name]] * 2, [y - 0.28, y + 0.28], color=colour, lw=2)
        axes.set_yticks(range(len(names)), names, fontsize=9)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_title(title, fontsize=9.5)
        axes.grid(axis="x")
        axes.margins(x=0.15)
        axes.locator_params(axis="x", nbins=4)
        axes.tick_params(labelsize=8.5)
    return figure


def differences(table: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Every variant minus the first one, mean over seeds (each seed compared with itself)."""
    names = list(dict.fromkeys(table["variant"]))
    wide = table.set_index(["variant", "seed"])[list(measures)]
    gaps = {name: (wide.loc[name] - wide.loc[names[0]]).mean() for name in names[1:]}
    return pd.DataFrame(gaps).T
