"""The improved try-on module and its joint loss: structure, how hard each term pulls, and what the gates are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from mavton_lite.config import LossSettings
from mavton_lite.gradients import ALONG, TOTAL
from mavton_lite.losses import PerceptualLoss
from mavton_lite.models.patchgan import PatchGAN
from mavton_lite.plots.diagram import GREY, Sheet, times
from mavton_lite.plots.mavton import BODY, CLOTH, GATE, SHOWN_DPI, PipelineShapes, Scene, Shape
from mavton_lite.plots.style import COLOURS, INK
from mavton_lite.plots.training import smoothed
from mavton_lite.switching import SAYS, TOO_FEW

TERMS = {  # term -> (name, colour, in mathematics)
    "l1": ("L1", COLOURS[2], r"$\|I_o - I_t\|_1$"),
    "perceptual": ("perceptual 感知", COLOURS[3], r"$\sum_i \lambda_i \|\phi_i(I_o) - \phi_i(I_t)\|_1$"),
    "mask": ("mask 掩码", COLOURS[4], r"$\|M_t - M\|_1$"),
    "adversarial": ("adversarial 对抗", COLOURS[0], r"$(D(p, \hat c, I_o) - 1)^2$"),
}


def tryon_module(shapes: PipelineShapes, scenes: Mapping[str, Scene]) -> Figure:
    """Section 3.2.2: what goes in, four channels out, the composition; a row a network on the same example."""
    first = next(iter(scenes.values()))
    ratio = first.image.shape[0] / first.image.shape[1]
    w, step, left = 1.05, 1.26, 2.0
    tall = w * ratio + 0.18
    sheet = Sheet(11, 1.8 + tall * len(scenes), SHOWN_DPI)
    top = sheet.size[1]
    given, out = shapes.seen["unet"][0][0], shapes.seen["unet"][1]
    sheet.box(1.15, top - 0.62, 1.9, 0.62, "person representation 22\n+ warped garment 3", size=8.8)
    sheet.arrow((2.1, top - 0.62), (2.75, top - 0.62))
    sheet.box(4.0, top - 0.62, 2.5, 0.95, colour=GATE, fill="#f3f6fb")
    sheet.text(4.0, top - 0.36, "MA-UNet 试穿模块", 9.5)
    sheet.text(4.0, top - 0.62, f"{times(*given)} → {times(*out)}", 8, GREY)
    sheet.text(4.0, top - 0.86, f"{shapes.skips} gated skips, + {shapes.gates:,} parameters", 8, GREY)
    for y, words in ((top - 0.36, "3 channels, tanh: $I_r$"), (top - 0.88, "1 channel, sigmoid: $M$")):
        sheet.arrow((5.25, top - 0.62), (6.15, y))
        sheet.box(7.0, y, 1.65, 0.36, words, size=8.8)
        sheet.arrow((7.85, y), (8.45, top - 0.62))
    sheet.box(9.6, top - 0.62, 2.2, 0.5, r"$I_o = M\,\hat c + (1 - M)\, I_r$", colour=CLOTH, fill="#eef7f2", size=10)
    heads = (r"$\hat c$ warped", "$I_r$ painted", "$M$ mask", r"$M\,\hat c$", "$(1-M)\\,I_r$", "$I_o$ try-on", "truth")
    for k, words in enumerate(heads):
        sheet.text(left + step * k, top - 1.5, words, 9.5)
        sheet.text(left + step * (k + 0.5), top - 1.5, {3: "+", 4: "="}.get(k, ""), 11)
    for row, (name, shown) in enumerate(scenes.items()):
        y = top - 1.65 - tall * row - w * ratio / 2
        mask = shown.mask[..., None]
        columns = (shown.warped, shown.rendered, shown.mask, mask * shown.warped, (1 - mask) * shown.rendered,
                   shown.tryon, shown.truth)  # fmt: skip
        for k, content in enumerate(columns):
            sheet.matrix(left + step * k, y, w, w * ratio, content, "gray", (0, 1), edge="#8a90a0")
        sheet.text(0.2, y, name, 10, ha="left")
    return sheet.figure


@dataclass
class JudgeShapes:
    """What hooks saw of the discriminator and of the perceptual network."""

    judge: list[Shape] = field(default_factory=list)  # input, then after each convolution
    levels: list[tuple[float, Shape]] = field(default_factory=list)  # weight and shape of each level compared


def trace_judges(judge: PatchGAN, perceptual: PerceptualLoss, size: tuple[int, int]) -> JudgeShapes:
    """Run both once on empty pictures of that size and note every shape.   Shape: size is (height, width)."""
    seen = JudgeShapes([(judge.in_channels, *size)])

    def note(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.judge.append(tuple(output.shape[1:]))

    handles = [m.register_forward_hook(note) for m in judge.layers if isinstance(m, nn.Conv2d)]
    try:
        with torch.no_grad():
            judge(torch.zeros(1, judge.in_channels, *size, device=next(judge.parameters()).device))
            levels: list[Tensor] = perceptual.levels(torch.zeros(1, 3, *size))
    finally:
        for handle in handles:
            handle.remove()
    weights = [perceptual.weights[i] for i in sorted(perceptual.weights)]
    seen.levels = [(weight, tuple(level.shape[1:])) for weight, level in zip(weights, levels, strict=True)]
    return seen


def joint_loss(shapes: JudgeShapes, shown: Scene, worn: np.ndarray, loss: LossSettings) -> Figure:
    """Section 3.4: the four terms from their pictures to one sum; the discriminator layer by layer.

    `worn` is the mask that the mask term teaches.   Shape: (H, W) in [0, 1].
    """
    sheet = Sheet(11, 6.3, SHOWN_DPI)
    ratio = shown.image.shape[0] / shown.image.shape[1]
    rows = dict(zip(TERMS, (5.45, 4.0, 2.55, 0.95), strict=True))

    def photo(x: float, y: float, content: np.ndarray, words: str, w: float = 0.72) -> None:
        sheet.matrix(x, y, w, w * ratio, content, "gray", (0, 1), edge="#8a90a0")
        sheet.text(x, y - w * ratio / 2 - 0.04, words, 8.8, va="top")

    for term, y in rows.items():
        name, colour, formula = TERMS[term]
        weight = getattr(loss, term)
        sheet.text(0.12, y, name.replace(" ", "\n"), 9.5, colour, ha="left")
        sheet.text(8.55, y + 0.2, formula, 9.5)
        sheet.text(8.55, y - 0.17, f"× {weight:g}", 9.5, colour)
        sheet.arrow((9.3, y), (9.8, 3.3 + 0.12 * np.sign(y - 3.3)), colour=colour)
    sheet.operation(9.95, 3.3, "+")
    sheet.text(10.16, 3.3, "joint loss\n联合损失", 9.5, ha="left")
    y = rows["l1"]
    photo(1.65, y, shown.tryon, "$I_o$")
    photo(2.6, y, shown.truth, "$I_t$")
    sheet.arrow((3.05, y), (7.2, y), colour=TERMS["l1"][1])
    y = rows["perceptual"]
    photo(1.65, y, shown.tryon, "$I_o$")
    photo(2.6, y, shown.truth, "$I_t$")
    sheet.arrow((3.05, y), (3.35, y), colour=TERMS["perceptual"][1])
    words = [f"× {_fraction(weight)}" for weight, _ in shapes.levels]
    _row_of_slabs(sheet, 3.6, y, [shape for _, shape in shapes.levels], words, 0.78)
    sheet.arrow((3.35 + 0.78 * len(shapes.levels), y), (7.6, y), colour=TERMS["perceptual"][1])
    y = rows["mask"]
    photo(1.65, y, shown.mask, "$M$")
    photo(2.6, y, worn, "$M_t$")
    sheet.arrow((3.05, y), (7.8, y), colour=TERMS["mask"][1])
    y = rows["adversarial"]
    for k, content in enumerate(shown.parts.values()):
        photo(1.35 + 0.13 * k, y - 0.06 * k, content, "$p$" if k == 2 else "", 0.55)
    photo(2.2, y - 0.06, shown.warped, r"$\hat c$", 0.55)
    photo(2.82, y - 0.06, shown.tryon, "$I_o$", 0.55)
    sheet.arrow((3.15, y), (3.4, y), colour=TERMS["adversarial"][1])
    _row_of_slabs(sheet, 3.62, y, shapes.judge, [""] * len(shapes.judge), 0.62)
    sheet.text(3.4, y + 0.88, "Markovian discriminator 马尔可夫判别器: one logit a patch", 9, ha="left")
    sheet.arrow((3.5 + 0.62 * len(shapes.judge), y), (7.6, y), colour=TERMS["adversarial"][1])
    size = times(*shapes.judge[0][1:])
    sheet.text(10.85, 0.14, f"shapes at {size}; weights of the same profile", 8.5, GREY, ha="right")
    return sheet.figure


def _fraction(weight: float) -> str:
    return str(Fraction(weight).limit_denominator(64))


def _row_of_slabs(sheet: Sheet, x: float, y: float, layers: Sequence[Shape], words: Sequence[str], step: float) -> None:
    for shape, word in zip(layers, words, strict=True):
        tall, deep = 0.11 * np.log2(max(shape[1], 2)), 0.03 * np.log2(max(shape[0], 2))
        sheet.slab(x, y, 0.07, tall, deep, BODY)
        text = f"{shape[0]}\n{shape[1]} × {shape[2]}" + (f"\n{word}" if word else "")
        sheet.text(x + 0.06, y - tall / 2 - 0.05, text, 7, GREY, va="top")
        x += step


def read_gradients(path: Path) -> pd.DataFrame:
    """A gradients.csv by step.   Raises: ValueError naming the file when it is not one."""
    try:
        log = pd.read_csv(path)
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path}: found {error}, wanted the gradients.csv of a training") from None
    if not {"step", TOTAL} <= set(log.columns):
        raise ValueError(f"{path}: found columns {', '.join(log.columns)}, wanted step, the terms and {TOTAL!r}")
    return log.set_index("step")


def pulls(log: pd.DataFrame) -> Figure:
    """Gradients through a training: norm and direction of every term's on the try-on network; the norm of D's own."""
    terms = [t for t in TERMS if t in log.columns]
    figure = Figure(figsize=(10.4, 3.9), dpi=94, layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.25, 1.25, 1))
    for term in terms:
        name, colour, _ = TERMS[term]
        for axes, column in ((left, term), (middle, ALONG + term)):
            axes.plot(log.index, log[column], color=colour, lw=0.6, alpha=0.3)
            axes.plot(log.index, smoothed(log[column]), color=colour, label=name)
    left.plot(log.index, smoothed(log[TOTAL]), color=INK, ls="--", lw=1.1, label="their sum's")
    left.set(yscale="log", title="how hard: gradient norm 梯度范数")
    middle.axhline(0, color=INK, lw=0.8, ls=":")
    middle.set(ylim=(-0.75, 1), title="which way: cosine with the others'")
    right.plot(log.index, log["discriminator"], color=COLOURS[1], lw=0.6, alpha=0.3)
    right.plot(log.index, smoothed(log["discriminator"]), color=COLOURS[1])
    right.set(yscale="log", title="the discriminator's own")
    for axes in (left, middle, right):
        axes.set_xlabel("step")
        axes.grid(True, axis="y")
        axes.tick_params(labelsize=8)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncol=len(terms) + 1, fontsize=8.5)
    return figure


def pull_table(log: pd.DataFrame, parts: int = 3) -> pd.DataFrame:
    """Median norms and cosines in the first, middle and last part of a training; a term's share is of all norms."""
    terms = [t for t in TERMS if t in log.columns]
    rows = []
    for k, steps in enumerate(np.array_split(np.arange(len(log)), parts)):
        part = log.iloc[steps]
        norms = part[terms].median()
        for term in terms:
            rows.append(
                {"steps": f"{part.index[0]} to {part.index[-1]}", "part": k + 1, "term": TERMS[term][0],
                 "norm": norms[term], "share": norms[term] / norms.sum(), "cosine": part[ALONG + term].median()}
            )  # fmt: skip
    return pd.DataFrame(rows)


def silences(log: pd.DataFrame, below: float = 0.1, player: str = "discriminator") -> list[tuple[int, int]]:
    """First and last steps of every spell in which a player's gradient stays below that share of its median."""
    quiet = (log[player] < below * log[player].median()).to_numpy()
    spells: list[tuple[int, int]] = []
    for i in np.nonzero(quiet)[0]:
        if i and quiet[i - 1]:
            spells[-1] = spells[-1][0], int(log.index[i])
        else:
            spells.append((int(log.index[i]), int(log.index[i])))
    return spells


METRICS = {"ssim_garment": "inside the garment region", "ssim_arms": "where arms meet cloth", "ssim": "whole picture"}


def switch_figure(table: pd.DataFrame, ways: Mapping[str, str]) -> Figure:
    """What each gate is worth: mean paired differences of SSIM with their intervals, a row a metric, a column a way.

    `table` is `switching.switch_table`, of several metrics one below the other.
    """
    kinds = [way for way in ways if way in set(table["way"])]
    gates, metrics = list(dict.fromkeys(table["gate"])), list(dict.fromkeys(table["metric"]))
    figure = Figure(figsize=(10.4, (0.3 + 0.29 * len(gates) + 0.3) * len(metrics) + 0.75), layout="constrained")
    panels = figure.subplots(len(metrics), len(kinds), sharey=True, squeeze=False)
    colours = dict(zip((*SAYS.values(), TOO_FEW), (COLOURS[2], COLOURS[1], COLOURS[6], "#c9ccd4"), strict=True))
    colours = {verdict: colour for verdict, colour in colours.items() if verdict in set(table["verdict"])}
    for line, metric in zip(panels, metrics, strict=True):
        for axes, way in zip(line, kinds, strict=True):
            rows = table[(table["way"] == way) & (table["metric"] == metric)].set_index("gate")
            for y, gate in enumerate(gates):
                row = rows.loc[gate]
                colour = colours[row["verdict"]]
                axes.plot([row["low"], row["high"]], [y, y], color=colour, lw=2.2, solid_capstyle="round")
                axes.plot(row["difference"], y, "o", color=colour, ms=5.5)
            axes.axvline(0, color=INK, lw=0.9, ls=":")
            axes.set_yticks(range(len(gates)), labels=[g.replace("level", "skip ") for g in gates])
            axes.set_ylim(len(gates) - 0.5, -0.5)
            axes.grid(True, axis="x")
            axes.tick_params(labelsize=8.5)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.margins(x=0.12)
        line[0].set_ylabel(METRICS.get(metric, metric), fontsize=9)
    for axes, way in zip(panels[0], kinds, strict=True):
        axes.set_title(way, fontsize=10)
    figure.supxlabel(f"SSIM as trained minus SSIM switched, mean and 95 % interval of {int(table['n'].max())} examples",
                     fontsize=9.5)  # fmt: skip
    handles = [Line2D([], [], marker="o", color=colour, lw=2.2) for colour in colours.values()]
    figure.legend(handles, colours, loc="outside upper right", ncol=3, fontsize=8.5)
    return figure
