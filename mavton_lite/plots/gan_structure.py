"""Figure 2.1: the two players of a GAN, with shapes and pictures taken from a live game."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import Tensor, nn

from mavton_lite.models.game import History
from mavton_lite.models.summary import count_parameters
from mavton_lite.plots.gan import REAL, belief, dots, plane
from mavton_lite.plots.style import COLOURS, INK

GENERATOR, DISCRIMINATOR = COLOURS[0], COLOURS[3]


def layers(network: nn.Module, x: Tensor) -> list[str]:
    """Every layer in passing order, with the width that a forward hook saw.   Shape: x as the network wants it."""
    found: list[str] = []

    def note(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        if list(module.parameters(recurse=False)):
            found.append(f"linear {given[0].shape[-1]} → {output.shape[-1]}")
        else:
            found[-1] += f", {type(module).__name__}" if getattr(module, "negative_slope", 1) else ", ReLU"

    handles = [m.register_forward_hook(note) for m in network.modules() if not list(m.children())]
    try:
        with torch.no_grad():
            network(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def gan_structure(history: History, seed: int = 0) -> Figure:
    """Noise, generator, real and generated samples, discriminator, and who learns from what (figure 2.1)."""
    figure = Figure(figsize=(8.8, 4.08), layout=PlaceHolderLayoutEngine(True, True))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 11), ylim=(0, 5.1))
    axes.set_axis_off()
    dice = torch.Generator().manual_seed(7)
    noise = torch.randn(600, history.settings.latent, generator=dice)
    with torch.no_grad():
        made = history.generator(noise.expand(len(history.seeds), -1, -1))[seed]
    real = history.mixture.sample(600, dice)
    angle = torch.atan2(noise[:, 1], noise[:, 0]).numpy()

    def panel(x: float, y: float, side: float = 1.5):
        return figure.add_axes((x / 11, y / 5.1, side / 11, side / 5.1))

    z = panel(0.25, 1.15)
    z.scatter(*noise[:, :2].T, s=4, c=angle, cmap="twilight", lw=0)
    plane(z)
    fake = panel(4.95, 1.15)
    fake.scatter(*made.T, s=4, c=angle, cmap="twilight", lw=0)
    plane(fake)
    data = panel(4.95, 3.38)
    dots(data, real, REAL, 4)
    plane(data)
    field = panel(9.25, 1.95)
    belief(field, history.frames[-1].field[seed])
    plane(field)
    for x, y, english, chinese in (
        (1.0, 0.98, "noise $z \\sim p_z$", "随机噪声"), (5.7, 0.98, "generated $G(z)$", "生成样本"),
        (5.7, 3.21, "real $x \\sim p_{data}$", "真实样本"), (10.0, 1.78, "$D$: real 1, generated 0", "真或假"),
    ):  # fmt: skip
        axes.text(x, y, english, ha="center", va="top", fontsize=9.5)
        axes.text(x, y - 0.22, chinese, ha="center", va="top", fontsize=9.5)
    games = len(history.seeds)
    boxes = (
        (2.25, 1.15, 2.2, GENERATOR, "Generator G", "生成器", history.generator, torch.zeros(games, 1, noise.shape[1])),
        (6.8, 1.95, 2.22, DISCRIMINATOR, "Discriminator D", "判别器", history.discriminator, torch.zeros(games, 1, 2)),
    )
    for x, y, wide, colour, english, chinese, network, shown in boxes:
        axes.add_patch(FancyBboxPatch((x, y), wide, 1.5, boxstyle="round,pad=0.02,rounding_size=0.08",
                                      fc="white", ec=colour, lw=1.6))  # fmt: skip
        axes.text(x + 0.1, y + 1.42, f"{english}  {chinese}", fontsize=10, color=colour, va="top")
        body = [*layers(network, shown), f"{count_parameters(network) // games:,} parameters"]
        body[-2] += ", sigmoid" if network is history.discriminator else ""
        axes.text(x + 0.1, y + 1.1, "\n".join(body), fontsize=8.5, va="top", linespacing=1.55)
    for start, end in (((1.8, 1.9), (2.2, 1.9)), ((4.5, 1.9), (4.9, 1.9)), ((6.5, 4.0), (7.2, 3.5)),
                       ((6.5, 1.7), (6.8, 2.05)), ((9.04, 2.7), (9.24, 2.7))):  # fmt: skip
        axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=14, lw=1.6, color=INK))
    feedback = (
        (((10.0, 3.5), (10.0, 4.05), (7.9, 4.05), (7.9, 3.52)), DISCRIMINATOR, (8.95, 4.15),
         r"(2-2)  $\max_D\;E\,\log D(x) + E\,\log(1 - D(G(z)))$"),
        (((10.0, 1.28), (10.0, 0.3), (3.35, 0.3), (3.35, 1.1)), GENERATOR, (8.0, 0.4),
         r"(2-3)  $\min_G\;E\,\log(1 - D(G(z)))$"),
    )  # fmt: skip
    for corners, colour, place, text in feedback:
        axes.plot(*zip(*corners[:-1], strict=True), ls="--", lw=1.4, color=colour)
        axes.add_patch(FancyArrowPatch(*corners[-2:], arrowstyle="-|>", mutation_scale=14, lw=1.4, ls="--",
                                       color=colour, shrinkA=0))  # fmt: skip
        axes.text(*place, text, ha="center", va="bottom", fontsize=9.5, color=colour)
    axes.text(0.25, 4.85, "Two networks, one number", fontsize=12, va="top")
    axes.text(0.25, 4.5, "$V(D, G) = E_x\\,\\log D(x) + E_z\\,\\log(1 - D(G(z)))$   (2-1)\n"
              "D wants it large, G wants it small; they take turns.", fontsize=10,
              va="top", linespacing=1.6)  # fmt: skip
    return figure
