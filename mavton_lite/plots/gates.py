"""Channel and mixed attention as drawings of running modules (figures 2.4 and 2.5), and the comparison of gates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.attention import CBAM, ChannelAttention, record
from mavton_lite.plots.diagram import GREY, Sheet, times
from mavton_lite.plots.style import COLOURS, INK
from mavton_lite.seeds import over_seeds, paired

CHANNEL, SPATIAL, FEATURES = COLOURS[0], COLOURS[1], "#9cc3e6"


def channel_gate(gate: ChannelAttention, x: Tensor) -> Figure:
    """The thesis's figure 2.4: every strip shows the values that the module computes for `x`, one cell a channel.

    Shape: x (1, C, H, W).
    """
    steps = channel_steps(gate, x)
    _, c, h, w = x.shape
    hidden, shape = gate.mlp[0].out_features, times(c, h, w)
    sheet, y, most = Sheet(10, 3.25), 1.7, float(steps["max"].max())
    low, high = float(steps["weights"].min()), float(steps["weights"].max())
    sheet.slab(0.75, y, 0.7, 0.95, 0.5, FEATURES)
    sheet.text(0.8, y - 0.58, f"features $X$\n{shape}", va="top")
    sheet.text(0.8, y - 1.0, "特征图", va="top")
    for side, name, key in ((1, "AvgPool 平均池化", "avg"), (-1, "MaxPool 最大池化", "max")):
        outer, inner = y + 0.72 * side, y + 0.17 * side
        sheet.arrow((1.42, y), (1.62, y), (1.62, outer), (1.9, outer))
        _strip(sheet, 2.75, outer, steps[key], name, (0.0, most))
        sheet.arrow((3.6, outer), (3.8, outer), (3.8, inner), (4.1, inner))
        sheet.arrow((5.0, inner), (5.2, inner), (5.2, outer), (5.45, outer))
        _strip(sheet, 6.3, outer, steps[f"mlp {key}"], f"MLP of the {key}", _around(steps), cmap="RdBu_r")
        sheet.arrow((7.15, outer), (7.4, outer), (7.4, y + 0.14 * side))
    sheet.bottleneck(4.55, y, 0.9, 0.95, f"shared MLP\n{c} → {hidden} → {c}", CHANNEL)
    sheet.text(4.55, y - 1.0, "共享感知机", va="top")
    sheet.operation(7.4, y, "+", CHANNEL)
    sheet.arrow((7.54, y), (7.68, y))
    sheet.box(7.82, y, 0.28, 0.3, "σ", CHANNEL)
    sheet.arrow((7.96, y), (8.1, y))
    sheet.matrix(8.22, y, 0.2, 1.5, steps["weights"][:, None], "Blues", (0, 1))
    sheet.text(8.22, y - 0.8, f"$W_c$\n{times(c, 1, 1)}", va="top")
    sheet.arrow((8.32, y), (8.5, y))
    sheet.operation(8.64, y, "×", CHANNEL)
    sheet.arrow((0.9, y + 0.8), (0.9, 3.05), (8.64, 3.05), (8.64, y + 0.14), colour=GREY)
    sheet.arrow((8.78, y), (8.93, y))
    sheet.slab(9.3, y, 0.7, 0.95, 0.5, FEATURES)
    sheet.text(9.38, y - 0.58, f"weighted\n{shape}", va="top")
    sheet.text(0.15, 0.14, f"a cell is a channel, its colour a value of the running module; $W_c$ is {low:.2f} (pale) "
               f"to {high:.2f}; {sum(p.numel() for p in gate.parameters())} parameters", 9, GREY, "left")  # fmt: skip
    return sheet.figure


@torch.no_grad()
def channel_steps(gate: ChannelAttention, x: Tensor) -> dict[str, np.ndarray]:
    """What formula (2-5) computes on the way, and the gate's own result.   Shape: x (1, C, H, W) -> (C,) each."""
    avg, most = x.mean((2, 3)), x.amax((2, 3))
    found = {"avg": avg, "max": most, "mlp avg": gate.mlp(avg), "mlp max": gate.mlp(most), "weights": gate(x)}
    return {name: value.flatten().cpu().numpy() for name, value in found.items()}


def _around(steps: dict[str, np.ndarray]) -> tuple[float, float]:
    most = float(max(np.abs(steps["mlp avg"]).max(), np.abs(steps["mlp max"]).max(), 1e-6))
    return -most, most


def _strip(sheet: Sheet, x: float, y: float, values: np.ndarray, words: str, limits, cmap: str = "viridis") -> None:
    sheet.matrix(x, y, 1.7, 0.2, values[None], cmap, limits)
    if words:
        sheet.text(x, y + 0.15, words, 9, va="bottom")


def mixed_gate(gate: CBAM, x: Tensor, picture: np.ndarray) -> Figure:
    """The thesis's figure 2.5: channel attention, then spatial attention, with the maps that the module gives for `x`.

    Shape: x (1, C, H, W), the features of `picture` (h, w, 3) in [0, 1].
    """
    with torch.no_grad(), record(gate) as maps:
        gate(x)
    _, c, h, w = x.shape
    weights, where = maps["channel"].flatten().cpu().numpy(), maps["spatial"][0, 0].cpu().numpy()
    k = gate.spatial.conv.kernel_size[0]
    sheet, y, top = Sheet(10, 2.9), 1.15, 2.6
    sheet.matrix(0.5, y, 0.72, 0.96, picture)
    sheet.text(0.5, y - 0.56, "picture", va="top")
    sheet.arrow((0.88, y), (1.12, y))
    for x0, words in ((1.5, "$X$"), (4.85, "$X'$"), (8.85, "$X''$")):
        sheet.slab(x0, y, 0.6, 0.8, 0.5, FEATURES)
        sheet.text(x0 + 0.1, y - 0.5, f"{words}\n{times(c, h, w)}", va="top")
    _branch(sheet, 1.65, y + 0.73, 2.7, 3.95, top, "channel: what\n通道注意力", CHANNEL)
    sheet.matrix(3.95, y + 0.64, 0.18, 0.9, weights[:, None], "Blues", (0, 1))
    sheet.text(3.8, y + 0.66, f"$W_c$\n{times(c, 1, 1)}", ha="right")
    _branch(sheet, 5.0, y + 0.73, 6.1, 7.6, top, f"spatial: where\n空间注意力 {k} × {k}", SPATIAL)
    sheet.matrix(7.6, y + 0.66, 0.66, 0.86, where, "inferno", (float(where.min()), float(where.max())))
    sheet.text(7.2, y + 0.66, f"$W_s$\n{times(1, h, w)}", ha="right")
    for start, at, end, colour in ((2.15, 3.95, 4.5, CHANNEL), (5.5, 7.6, 8.5, SPATIAL)):
        sheet.arrow((start, y), (at - 0.14, y))
        sheet.operation(at, y, "×", colour)
        sheet.arrow((at + 0.14, y), (end, y))
    sheet.text(0.15, 0.12, f"maps of the running module: $W_c$ from {weights.min():.2f} (pale) to {weights.max():.2f}, "
               f"$W_s$ from {where.min():.2f} (dark) to {where.max():.2f}", 9, GREY, "left")  # fmt: skip
    return sheet.figure


def _branch(sheet: Sheet, start: float, low: float, middle: float, end: float, top: float, words: str, colour) -> None:
    """From a feature map up into a gate and down onto its map."""
    sheet.arrow((start, low), (start, top), (middle - 0.8, top), colour=colour)
    sheet.box(middle, top, 1.6, 0.46, words, colour)
    sheet.arrow((middle + 0.8, top), (end, top), (end, top - 0.34), colour=colour)


def accuracies(runs: pd.DataFrame, attribute: str = "all") -> Figure:
    """Left, every training's accuracy and each gate's interval; right, the differences to no gate, paired by seed."""
    gates = list(dict.fromkeys(runs["gate"]))
    figure = Figure(figsize=(8.6, 0.42 * len(gates) + 1.3), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    values = {g: runs[runs["gate"] == g].sort_values("seed")[attribute].to_numpy() * 100 for g in gates}
    for row, gate in enumerate(gates):
        y = len(gates) - 1 - row
        for axes, points, interval in (
            (left, values[gate], over_seeds(values[gate])),
            (right, values[gate] - values["none"], None if gate == "none" else paired(values[gate], values["none"])),
        ):
            if interval is None:
                continue
            axes.scatter(points, np.full(len(points), y + 0.18), s=14, color=COLOURS[6], alpha=0.8, lw=0)
            axes.errorbar(interval.mean, y, xerr=[[interval.mean - interval.low], [interval.high - interval.mean]],
                          fmt="o", ms=5, color=COLOURS[0], capsize=3, lw=1.6)  # fmt: skip
    left.set_yticks(range(len(gates)), labels=gates[::-1])
    left.set_ylim(-0.6, len(gates) - 0.3)
    left.set_xlabel("accuracy, %")
    right.set_xlabel("difference to none, % points")
    right.axvline(0, color=INK, lw=0.9, ls=":")
    left.set_title("grey: one training; blue: mean, 95 %", fontsize=9.5)
    right.set_title("paired by seed", fontsize=9.5)
    for axes in (left, right):
        axes.grid(True, axis="x")
    return figure
