"""The game on points in the plane: who plays it, its optimum, its gradients, what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.data.mixture import Mixture
from mavton_lite.models.game import HALF_VIEW, SIDE, History
from mavton_lite.models.gan import GENERATOR_LOSSES, generator_slope
from mavton_lite.plots.style import COLOURS, INK, set_gaps
from mavton_lite.seeds import over_seeds

REAL, MADE = COLOURS[2], COLOURS[1]  # data, generated
LOSS_COLOURS = dict(zip(GENERATOR_LOSSES, (COLOURS[1], COLOURS[0]), strict=True))
GREY = "#5b6170"


def plane(axes: Axes, half: float = HALF_VIEW) -> None:
    """A square piece of the plane without ticks."""
    axes.set(xlim=(-half, half), ylim=(-half, half), xticks=[], yticks=[], aspect="equal")
    for spine in axes.spines.values():
        spine.set(visible=True, color="#c9ccd4")


def belief(axes: Axes, field: Tensor) -> None:
    """D over the plane: red where it says real, blue where it says generated.   Shape: (side * side,)."""
    side = round(len(field) ** 0.5)
    extent = (-HALF_VIEW, HALF_VIEW, -HALF_VIEW, HALF_VIEW)
    axes.imshow(field.view(side, side).numpy(), origin="lower", extent=extent, cmap="RdBu_r", vmin=-0.2, vmax=1.2,
                interpolation="bilinear", alpha=0.8)  # fmt: skip


def dots(axes: Axes, points: Tensor, colour: str = INK, size: float = 3) -> None:
    """Samples as small dots.   Shape: (n, 2)."""
    x, y = points.T.numpy()
    axes.scatter(x, y, s=size, c=colour, lw=0, alpha=0.7)


def optimum(p: Mixture, q: Mixture, fields: Sequence[Tensor], titles: Sequence[str]) -> Figure:
    """Data and generated points, then D over the plane: one panel for every field.

    Shape: fields (side * side,) probabilities at `view()`.
    """
    figure = Figure(figsize=(2.6 * (1 + len(fields)), 3.0), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(fields))
    dice = torch.Generator().manual_seed(0)
    dots(first, q.sample(800, dice), MADE)
    dots(first, p.sample(800, dice), REAL)
    first.set_title("data green, generated orange", fontsize=9.5)
    plane(first)
    for axes, field, title in zip(others, fields, titles, strict=True):
        belief(axes, field)
        plane(axes)
        axes.set_title(title, fontsize=9.5)
    bar = figure.colorbar(others[-1].images[0], ax=others, shrink=0.75, boundaries=np.linspace(0, 1, 101))
    bar.set_ticks([0, 0.5, 1], labels=["0\ngenerated", "½", "1\nreal"], fontsize=8)
    return figure


def values(curves: Mapping[str, Sequence[tuple[int, float]]], bounds: Mapping[str, float]) -> Figure:
    """V(D, G) while the discriminator learns, one line a generator, under the bound that theory sets it."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    for i, (name, curve) in enumerate(curves.items()):
        steps, heights = zip(*curve, strict=True)
        axes.plot(steps, heights, color=COLOURS[i], marker="o", ms=3, label=f"against {name}")
        axes.axhline(bounds[name], color=COLOURS[i], ls="--", lw=1.2)
        axes.annotate(f"−log 4 + 2 JSD = {bounds[name]:.2f}", (steps[-1], bounds[name]), xytext=(0, 3), ha="right",
                      textcoords="offset points", fontsize=8.5, color=COLOURS[i])  # fmt: skip
    axes.set(xlabel="step of the discriminator", ylabel="V(D, G)", title="D climbs towards the bound and never above")
    axes.margins(y=0.14)
    axes.grid(axis="y")
    figure.legend(fontsize=8.5, loc="outside lower center", ncols=len(curves), handlelength=1.6)
    return figure


def slopes(measured: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """The pull on a sample against D(G(z)): lines by formula, dots by autograd; linear and logarithmic.

    Shape: by loss, (n,) beliefs and (n,) absolute gradients of one sample's loss by its logit.
    """
    figure = Figure(figsize=(7, 3.1), layout="constrained")
    for axes, scale in zip(figure.subplots(1, 2), ("linear", "log"), strict=True):
        at = torch.linspace(0, 1, 400) if scale == "linear" else torch.logspace(-6, 0, 400)[:-1]
        for kind, (beliefs, sizes) in measured.items():
            colour = LOSS_COLOURS[kind]
            axes.plot(at, generator_slope(at, kind), color=colour, label=f"{kind}, formula")
            axes.scatter(beliefs, sizes, s=9, color=colour, alpha=0.6, lw=0, label=f"{kind}, autograd")
        axes.set(xscale=scale, yscale=scale, xlabel="D(G(z)): how real the sample looks to D")
        axes.grid(True)
    figure.axes[0].set(ylabel="|∂ loss / ∂ logit|", title="the pull on one sample")
    figure.axes[1].set(title="where training starts: D is sure", ylim=(1e-6, 3))
    figure.axes[0].legend(fontsize=8)
    return figure


def stuck(runs: Mapping[str, History]) -> Figure:
    """Games against a discriminator with a head start: what it thinks of the samples, and what pull they feel."""
    figure = Figure(figsize=(7, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, history in runs.items():
        colour = LOSS_COLOURS[history.settings.loss]
        dash = "-" if history.settings.optimiser == "adam" else "--"
        steps = [frame.step for frame in history.frames]
        for axes, key in ((left, "belief"), (right, "pull")):
            each = torch.stack([getattr(f, key) for f in history.frames])  # (frames, games)
            axes.plot(steps, each.log().mean(1).exp(), color=colour, ls=dash, marker="o", ms=3, label=name)
    left.set(title="mean D(G(z))", xlabel="step", yscale="log")
    right.set(title="norm of the generator's gradient", xlabel="step", yscale="log")
    for axes in (left, right):
        axes.grid(axis="y")
    right.legend(fontsize=8)
    return figure


def strip(games: Mapping[str, History], frames: Sequence[int], seed: int = 0) -> Figure:
    """A row a game, a column a moment: D as colour, generated points as dots, the number of modes beside the step."""
    figure = Figure(figsize=(1.55 * len(frames) + 0.3, 1.85 * len(games)), layout="constrained")
    set_gaps(figure, w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.02)
    grid = figure.subplots(len(games), len(frames), squeeze=False)
    for row, (name, history) in zip(grid, games.items(), strict=True):
        for axes, number in zip(row, frames, strict=True):
            frame = history.frames[number]
            belief(axes, frame.field[seed])
            dots(axes, frame.samples[seed], size=2)
            plane(axes)
            modes = history.coverages(number)[seed].modes
            axes.set_title(f"step {frame.step}: {modes} of {len(history.mixture.centres)}", fontsize=8.5, loc="center")
        row[0].set_ylabel(name, fontsize=8.5)
    return figure


def recipes(games: Mapping[str, History]) -> Figure:
    """Modes covered and quality at the end, a dot a seed, the mean and its 95 % interval over seeds as a bar."""
    figure = Figure(figsize=(7, 0.42 * len(games) + 0.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    total = len(next(iter(games.values())).mixture.centres)
    for i, history in enumerate(games.values()):
        ends = history.coverages()
        for axes, numbers in ((left, [c.modes for c in ends]), (right, [100 * c.quality for c in ends])):
            shift = np.linspace(-0.18, 0.18, len(numbers))
            axes.scatter(numbers, i + shift, s=16, color=COLOURS[0], alpha=0.75, lw=0, zorder=3)
            found = over_seeds(numbers)
            axes.plot([found.low, found.high], [i, i], color=INK, lw=1.2)
            axes.plot([found.mean], [i], "|", color=INK, ms=13, mew=1.8)
    left.set_yticks(range(len(games)), list(games), fontsize=8.5)
    left.invert_yaxis()
    left.set(title=f"modes covered, of {total}", xlim=(-0.5, total + 0.5), xticks=range(0, total + 1, 2))
    right.set(title="samples within 3 std of a mode, %", xlim=(-3, 103))
    for axes in (left, right):
        axes.grid(axis="x")
    return figure


def field_of(logits: Tensor) -> Tensor:
    """Logits at `view()` as beliefs.   Shape: (side * side,) -> same.   Raises: ValueError for another number."""
    if logits.shape != (SIDE * SIDE,):
        raise ValueError(f"wanted {SIDE * SIDE} logits, got {tuple(logits.shape)}")
    return torch.sigmoid(logits)
