"""Self-attention drawn from a running module (figure 2.6); where attention looks and where it should; its price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from mavton_lite.attention import MultiHeadAttention, record
from mavton_lite.plots.atelier import picture
from mavton_lite.plots.attention import enlarge
from mavton_lite.plots.colours import as_array, heat_over
from mavton_lite.plots.diagram import GREY, Sheet, times
from mavton_lite.plots.style import COLOURS, INK, set_gaps
from mavton_lite.records import Interval

QUERY, KEY, VALUE = COLOURS[1], COLOURS[0], COLOURS[2]
CELL = 0.1  # inches of one number in the drawing


@torch.no_grad()
def inside(module: MultiHeadAttention, x: Tensor) -> dict[str, Tensor]:
    """Every matrix of formulas (2-6) and (2-7) in the first head.   Shape: x (1, N, C) -> (N, ...) each."""
    with record(module) as maps:
        module(x)
    d = module.width // module.heads
    found = {name: layer(x)[0, :, :d] for name, layer in zip("QKV", (module.query, module.key, module.value),
                                                            strict=True)}  # fmt: skip
    scores = found["Q"] @ found["K"].T / d**0.5
    weights = maps["map"][0, 0]
    return {"X": x[0], **found, "scores": scores, "weights": weights, "H": weights @ found["V"]}


def self_attention(module: MultiHeadAttention, x: Tensor, shown: Tensor, grid: tuple[int, int]) -> Figure:
    """The thesis's figure 2.6, with the numbers that the module computes for the patches of one picture.

    Shape: x (1, N, C), shown (3, H, W) in [-1, 1], whose patches are the N = grid rows x columns tokens.
    """
    m = {name: value.cpu().numpy() for name, value in inside(module, x).items()}
    n, c = m["X"].shape
    d, tall = m["Q"].shape[1], CELL * n
    sheet, rows = Sheet(10, 4.95), {"Q": 4.1, "K": 2.5, "V": 0.9}
    y = rows["K"]
    sheet.matrix(0.62, y, 0.96, 0.96 * shown.shape[1] / shown.shape[2], as_array(shown))
    for k in range(1, grid[0]):
        _line(sheet, (0.14, 1.10), (y - 0.64 + 1.28 * k / grid[0],) * 2)
    for k in range(1, grid[1]):
        _line(sheet, (0.14 + 0.96 * k / grid[1],) * 2, (y - 0.64, y + 0.64))
    sheet.text(0.62, y - 0.72, f"{n} patches\n图像块", va="top")
    sheet.arrow((1.15, y), (1.36, y))
    _numbers(sheet, 1.4 + CELL * c / 2, y, m["X"], f"$X$  {times(n, c)}", INK)
    right = 1.4 + CELL * c
    for name, colour, words in (("Q", QUERY, "query 查询"), ("K", KEY, "key 键"), ("V", VALUE, "value 值")):
        at = rows[name]
        sheet.arrow((right + 0.05, y), (right + 0.25, y), (right + 0.25, at), (right + 0.42, at), colour=colour)
        sheet.box(right + 0.67, at, 0.5, 0.42, f"$W_{name}$", colour)
        sheet.arrow((right + 0.92, at), (right + 1.14, at), colour=colour)
        _numbers(sheet, right + 1.18 + CELL * d / 2, at, m[name], f"{name} {words} {times(n, d)}", colour)
    edge, middle, far = right + 1.23 + CELL * d, (rows["Q"] + rows["K"]) / 2, 5.95
    for name, colour, sign in (("Q", QUERY, 1), ("K", KEY, -1)):
        sheet.arrow((edge, rows[name]), (far - 1.0, rows[name]), (far - 1.0, middle + 0.14 * sign), colour=colour)
    sheet.operation(far - 1.0, middle, "·")
    sheet.arrow((far - 0.86, middle), (far - tall / 2 - 0.04, middle))
    _numbers(sheet, far, middle, m["scores"], r"$q_m \cdot k_n\,/\,\sqrt{d}$", INK, "RdBu_r")
    sheet.arrow((far + tall / 2 + 0.04, middle), (7.0, middle))
    sheet.box(7.35, middle, 0.7, 0.34, "softmax")
    sheet.arrow((7.7, middle), (8.5 - tall / 2 + 0.1, middle))
    last = 8.6
    _numbers(sheet, last, middle, m["weights"], f"weights α  {times(n, n)}", INK, "inferno")
    sheet.arrow((last, middle - tall / 2 - 0.05), (last, rows["V"] + 0.14))
    sheet.arrow((edge, rows["V"]), (last - 0.14, rows["V"]), colour=VALUE)
    sheet.operation(last, rows["V"], "×")
    sheet.arrow((last + 0.14, rows["V"]), (last + 0.36, rows["V"]))
    _numbers(sheet, last + 0.4 + CELL * d / 2, rows["V"], m["H"], f"$H$  {times(n, d)}", INK)
    sheet.text(5.3, 2.3, "every row of α sums to 1:\none patch's question, answered by all", 9.5, GREY, "left")
    sheet.text(4.4, 0.7, "each patch gets a mean of the values, weighted by α", 9.5, GREY, "left")
    return sheet.figure


def _numbers(sheet: Sheet, x: float, y: float, values: np.ndarray, words: str, edge: str, cmap: str = "RdBu_r") -> None:
    high = float(np.abs(values).max())
    limits = (-high, high) if cmap == "RdBu_r" else (0.0, high)
    sheet.matrix(x, y, CELL * values.shape[1], CELL * values.shape[0], values, cmap, limits, edge)
    sheet.text(x, y + CELL * values.shape[0] / 2 + 0.05, words, 9.5, va="bottom")


def _line(sheet: Sheet, x: tuple[float, float], y: tuple[float, float]) -> None:
    sheet.axes.plot(x, y, color=INK, lw=0.6, zorder=5)


def asked(photographs: Tensor, garments: Tensor, weights: Tensor, places: Tensor, queries: Sequence[Sequence[int]],
          patch: int) -> Figure:  # fmt: skip
    """A row a person: the photograph with the asking patches framed, then for each where on the garment it looks.

    A cross marks the true place. Heat runs from 0 to the row's largest weight.
    Shape: pictures (B, 3, H, W) in [-1, 1], weights (B, N, M), places (B, N, 2) px; queries: patch numbers by person.
    """
    count, columns = len(photographs), 2 + len(queries[0])
    height, width = photographs.shape[2:]
    per_row = width // patch
    figure = Figure(figsize=(1.5 * columns, 1.5 * height / width * count + 0.35), layout="constrained")
    set_gaps(figure, w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    axes = figure.subplots(count, columns, squeeze=False)
    for row in range(count):
        picture(axes[row, 0], photographs[row], "who asks" if row == 0 else "")
        picture(axes[row, 1], garments[row], "garment, moved" if row == 0 else "")
        top = float(weights[row, list(queries[row])].max())
        for k, query in enumerate(queries[row]):
            colour, cell = COLOURS[(k + 1) % 5], (query % per_row * patch - 0.5, query // per_row * patch - 0.5)
            axes[row, 0].add_patch(Rectangle(cell, patch, patch, fill=False, ec=colour, lw=2.2))
            heat = weights[row, query].view(height // patch, per_row).cpu().numpy()
            shown = heat_over(as_array(garments[row]), enlarge(heat, (height, width)), 0, top)
            picture(axes[row, 2 + k], shown)
            x, y = places[row, query].tolist()
            axes[row, 2 + k].plot(x, y, marker="x", ms=9, mew=2.4, color="white")
            axes[row, 2 + k].plot(x, y, marker="x", ms=8, mew=1.4, color=colour)
            for side in axes[row, 2 + k].spines.values():
                side.set(visible=True, color=colour, linewidth=2.2)
            if row == 0:
                axes[row, 2 + k].set_title(f"question {k + 1}", fontsize=9.5, loc="center")
    return figure


def concentration(shares: Mapping[str, float | Interval]) -> Figure:
    """How much attention lies where it belongs: controls as grey bars, trained networks in colour with intervals."""
    figure = Figure(figsize=(7.4, 0.4 * len(shares) + 0.9), layout="constrained")
    axes = figure.subplots()
    for row, (_, value) in enumerate(shares.items()):
        y = len(shares) - 1 - row
        mean, end = (value.mean, value.high) if isinstance(value, Interval) else (value, value)
        axes.barh(y, 100 * mean, height=0.62, color=COLOURS[0] if isinstance(value, Interval) else "#b9bdc9")
        if isinstance(value, Interval):
            error = [[100 * (mean - value.low)], [100 * (value.high - mean)]]
            axes.errorbar(100 * mean, y, xerr=error, color=INK, capsize=3, lw=1.4)
        axes.text(100 * max(end, mean) + 1.2, y, f"{100 * mean:.0f} %", va="center", fontsize=9.5)
    axes.set_yticks(range(len(shares)), labels=list(shares)[::-1])
    axes.set_xlim(0, 112)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_xlabel("attention within one patch's side of the true place, %")
    return figure


def growth(
    counts: Sequence[int], seconds: Mapping[str, Sequence[float]], kept: Mapping[str, Sequence[float]]
) -> Figure:
    """Time and memory against the number of tokens, both axes logarithmic, with a line of slope 1 and one of slope 2.

    Units: seconds, bytes.
    """
    figure = Figure(figsize=(8.6, 3.5), layout="constrained")
    for axes, series, scale, words in zip(figure.subplots(1, 2), (seconds, kept), (1e3, 1 / 2**20),
                                          ("forward and backward, ms", "kept for the backward pass, MiB"),
                                          strict=True):  # fmt: skip
        for (name, values), colour in zip(series.items(), COLOURS, strict=False):
            axes.plot(counts, np.array(values) * scale, marker="o", ms=4, color=colour, label=name)
        end = max(values[-1] for values in series.values()) * scale
        for slope, style in ((1, ":"), (2, "--")):
            guide = end * 1.6 * (np.array(counts) / counts[-1]) ** slope
            axes.plot(counts, guide, color=GREY, lw=1, ls=style, label=f"slope {slope}")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel("tokens N")
        axes.set_title(words, fontsize=10)
        axes.set_xticks(counts, labels=[str(n) for n in counts], fontsize=8.5)
        axes.minorticks_off()
        axes.grid(True)
    figure.axes[0].legend(fontsize=8.5)
    return figure
