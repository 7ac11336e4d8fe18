"""What was trained and how it went: the table of settings, learning rates, and loss curves read from log.csv."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mavton_lite.config import PAPER, LossSettings, Profile, TrainSettings
from mavton_lite.data.sample import LIP
from mavton_lite.losses import gan_discriminator
from mavton_lite.models.summary import summarise
from mavton_lite.plots.other_settings import parser_lines, viton_lines
from mavton_lite.plots.style import COLOURS, INK, MODEL_COLOURS
from mavton_lite.schedule import build_scheduler

STAGES = {"gmm": "warping module (GMM)", "cp_vton": "CP-VTON", "ma_vton": "MA-VTON"}
TERMS = {
    "warp_l1": "garment: L1",
    "warp_mask": "garment mask: L1",
    "warp_contrast": "garment: local contrast",
    "warp_bend": "bending of the warp",
    "warp_interval": "grid interval",
    "l1": "picture: L1",
    "perceptual": "picture: perceptual",
    "mask": "composition mask: L1",
}
MASKS = {"warped": "the warped mask", "worn": "the worn garment", "ones": "ones"}
GAMES = {"lsgan": "least squares", "bce": "cross entropy"}
NETS = {"vgg19": "VGG19", "vgg16": "VGG16", "lite0": "EfficientNet-Lite0"}


def settings_table(profile: Profile, paper: Profile = PAPER) -> pd.DataFrame:
    """Every setting of this run beside the paper profile's; the device, which differs by reader, is left out."""
    columns = {profile.name: profile, paper.name: paper} if profile.name != paper.name else {paper.name: paper}
    lines = {name: _settings(p) for name, p in columns.items()}
    first = next(iter(lines.values()))
    table = pd.DataFrame([{"part": part, "setting": setting} for part, setting in first])
    for name, values in lines.items():
        table[name] = list(values.values())
    return table


def _settings(p: Profile) -> dict[tuple[str, str], str]:
    sizes = {row.name: f"{row.parameters:,} parameters" for row in summarise(p)}
    person, tom, loss, judge = p.person, p.tom, p.loss, p.discriminator
    kept = ", ".join(LIP[i] for i in person.kept_labels)
    if person.matching_kept_labels is not None:
        kept += f" (matching: {', '.join(LIP[i] for i in person.matching_kept_labels)})"
    square, patch = 2 * person.pose_radius_px + 1, _receptive_field(judge.layers)
    levels = ", ".join(f"{weight:g} {name}" for name, weight in loss.perceptual_levels)
    statistics = "ImageNet statistics" if loss.perceptual_normalise else "as they are"
    blur = p.train_tom.silhouette_noise
    return {
        ("environment", "made for"): "GPUs, bf16" if p.name == "paper" else "two CPU cores, 32-bit floats",
        ("environment", "software"): "PyTorch, Lightning Fabric",
        ("data", "picture size"): f"{p.height} × {p.width} px",
        ("data", "examples, training + test"): f"{p.n_train:,} + {p.n_test:,}",
        ("data", "examples to choose by + hard cases"): f"{p.n_val:,} + {p.n_hard:,}",
        ("data", "kept of the person"): kept + ("; the lower body below the hips" if person.lower_from_hips else ""),
        ("data", "behind what is kept"): "the wall, guessed (matching: nothing)" if person.ground else "nothing",
        ("data", "silhouette"): f"through {person.shape_grid[0]} × {person.shape_grid[1]} px"
        + (f", with smooth noise of {blur:g} while the try-on learns" if blur else ""),
        ("data", "key points"): f"squares of {square} × {square} px",
        ("GMM", "size"): f"{sizes['GMM']}, width {p.gmm.width}, sees the {p.gmm.cloth_input}",
        ("GMM", "correlation"): f"{p.height >> p.gmm.downs} × {p.width >> p.gmm.downs} positions",
        ("GMM", "thin-plate spline"): f"{p.gmm.grid} × {p.gmm.grid} control points",
        ("GMM", "loss"): _weights(loss, warping=True),
        ("GMM", "training"): _training(p.train_gmm),
        ("try-on", "CP-VTON's TOM"): f"{sizes['TOM']}, width {tom.width}, {tom.downs} halvings",
        ("try-on", "MA-UNet"): f"{sizes['MA-UNet']}, CBAM with r = {tom.gate_reduction}, {tom.gate_kernel} × "
        f"{tom.gate_kernel}",
        ("try-on", "input"): "person, warped garment" + (" and its mask" if tom.mask_input else ""),
        ("try-on", "garment is read"): "bilinearly" if p.reading == "bilinear" else "bicubically, bilinearly to train",
        ("try-on", "output"): f"{tom.upsample} upsampling, {'normalised' if tom.final_norm else 'not normalised'}, "
        f"{'colours, mask, what is kept' if tom.keep else 'colours and mask'}",
        ("try-on", "loss"): _weights(loss, warping=False),
        ("try-on", "perceptual network"): f"{NETS[loss.perceptual_net]}, pictures × {loss.perceptual_scale:g}, "
        f"{statistics}: {levels}",
        ("try-on", "mask is taught"): MASKS[loss.mask_target],
        ("try-on", "discriminator (MA-VTON)"): f"{sizes['PatchGAN']}, width {judge.width}, "
        f"patches of {patch} × {patch} px, {GAMES[loss.gan]}, learning rate × {judge.rate:g}",
        ("try-on", "training"): _training(p.train_tom),
        **viton_lines(p, _training),
        **parser_lines(p, _training),
    }


def _weights(loss: LossSettings, warping: bool) -> str:
    tryon = {"l1": "L1", "mask": "mask", "perceptual": "perceptual", "adversarial": "adversarial (MA-VTON)"}
    warp = {"warp_l1": "L1", "warp_mask": "mask", "warp_contrast": "contrast", "warp_bend": "bend"}
    names = warp | {"warp_interval": "interval"} if warping else tryon
    return " + ".join(f"{getattr(loss, k):g} {v}" for k, v in names.items() if getattr(loss, k))


def _training(s: TrainSettings) -> str:
    shape = {"onecycle": "one cycle", "linear": "constant, then linearly to 0", "constant": "constant"}[s.schedule]
    mirrored = ", half of the examples mirrored" if s.flip else ""
    return f"{s.steps:,} steps of {s.batch}, Adam({s.betas[0]}, {s.betas[1]}), rate {s.lr:g}, {shape}{mirrored}"


def _receptive_field(layers: int) -> int:
    """Side of the patch that one answer of the PatchGAN judges.   Source: Isola et al. 2017, 4 x 4 kernels."""
    field = 1
    for stride in (1, 1, *[2] * layers):  # from the answer back to the picture
        field = (field - 1) * stride + 4
    return field


def rates(settings: TrainSettings, points: int = 500) -> pd.Series:
    """The rate over the share of a training that is done, asked of the real scheduler; long trainings are thinned."""
    short = dataclasses.replace(settings, steps=min(settings.steps, points))
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], settings.lr, settings.betas)
    scheduler = build_scheduler(optimiser, short)
    values = []
    for _ in range(short.steps):
        values.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    return pd.Series(values, index=[i / short.steps for i in range(short.steps)])


def rate_figure(trainings: dict[str, TrainSettings]) -> Figure:
    """One line a training, over the share of it that is done."""
    figure = Figure(figsize=(6.2, 2.5), layout="constrained")
    axes = figure.subplots()
    for i, (name, settings) in enumerate(trainings.items()):
        rate = rates(settings)
        label = f"{name}: {settings.steps:,} steps"
        axes.plot(rate.index * 100, rate.to_numpy(), label=label, color=COLOURS[i], ls=("-", "--", ":")[i % 3])
    axes.set(xlabel="done, %", ylabel="learning rate", title="The learning rate is part of the recipe")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(fontsize=8.5)
    return figure


def read_log(path: Path) -> pd.DataFrame:
    """A training's log.csv by step.   Raises: ValueError naming the file when it is not one."""
    try:
        log = pd.read_csv(path)
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path}: found {error}, wanted the log.csv of a training") from None
    if not {"step", "lr", "loss"} <= set(log.columns):
        raise ValueError(f"{path}: found columns {', '.join(log.columns)}, wanted step, lr, loss, ...")
    return log.set_index("step")


def smoothed(values: pd.Series) -> pd.Series:
    """The mean over the steps around, a twenty-fifth of the training wide: it does not lag where a curve is steep."""
    return values.rolling(max(3, len(values) // 25), center=True, min_periods=1).mean()


def curves_figure(logs: dict[str, pd.DataFrame], loss: LossSettings) -> Figure:
    """Weighted loss terms of both stages: the matching module above, the try-on networks and their game below.

    `logs` by experiment: gmm, and any of cp_vton, ma_vton.   Raises: ValueError when there is no log.
    """
    if not logs:
        raise ValueError("curves_figure wants at least one log, got none")
    tryons = {name: log for name, log in logs.items() if name != "gmm"}
    warp_terms = [t for t in TERMS if "gmm" in logs and t in logs["gmm"].columns]
    terms = [t for t in ("l1", "perceptual", "mask") if any(t in log.columns for log in tryons.values())]
    games = {name: log for name, log in tryons.items() if "discriminator" in log.columns}
    columns = max(len(warp_terms) + 1, len(terms) + bool(games), 1)
    figure = Figure(figsize=(2.75 * columns, 5.0), layout="constrained")
    above, below = figure.subplots(2, columns, squeeze=False)
    for axes, term in zip(above, warp_terms, strict=False):
        _curve(axes, logs["gmm"][term], MODEL_COLOURS["gmm"], STAGES["gmm"])
        axes.set_title(TERMS[term])
    rate = above[len(warp_terms)]
    for (label, log), dash in zip(_stages(logs).items(), ("-", "--"), strict=False):
        rate.plot(log.index / log.index[-1] * 100, log["lr"], color=INK, label=label, ls=dash)
    rate.set(title="learning rate", xlabel="done, %", ylim=(0, None))
    rate.yaxis.set_major_formatter("{x:g}")
    rate.tick_params(labelsize=8)
    rate.legend(fontsize=8)
    for axes, term in zip(below, terms, strict=False):
        for name, log in tryons.items():
            if term in log.columns:
                _curve(axes, log[term], _colour(name), STAGES.get(name, name))
        axes.set_title(TERMS[term])
    if games:
        _game(below[len(terms)], games, loss)
    for axes in (*above[len(warp_terms) + 1 :], *below[len(terms) + bool(games) :]):
        axes.set_visible(False)
    above[0].set_ylabel("warping module (GMM)\nweighted loss")
    below[0].set_ylabel("try-on module\nweighted loss")
    below[0].legend(fontsize=8, loc="upper right")
    return figure


def _stages(logs: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """One log a stage: all try-on networks share their schedule."""
    tryon = next((name for name in logs if name != "gmm"), None)
    found = {"warping": logs.get("gmm"), "try-on": logs.get(tryon or "")}
    return {stage: log for stage, log in found.items() if log is not None}


def _curve(axes, values: pd.Series, colour: str, label: str) -> None:
    axes.plot(values.index, values, color=colour, lw=0.7, alpha=0.28)
    axes.plot(values.index, smoothed(values), color=colour, label=label)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(_sparse(values))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel("step")
    axes.grid(axis="y", which="both", alpha=0.6)
    axes.tick_params(axis="both", which="both", labelsize=8)


def _sparse(values: pd.Series):
    """Names for 2 and 5 between the powers of ten, more where a curve spans little."""
    wide = values.max() / max(values.min(), 1e-9) > 8
    leads = (2, 5) if wide else (2, 3, 4, 5, 6, 8)

    def name(value: float, _position=None) -> str:
        lead = f"{value:e}"[0]
        return f"{value:g}" if int(lead) in leads else ""

    return name


def _game(axes, games: dict[str, pd.DataFrame], loss: LossSettings) -> None:
    for name, log in games.items():
        _plain(axes, log["discriminator"], INK, "D: real or made?")
        if loss.adversarial and "adversarial" in log.columns:
            _plain(axes, log["adversarial"] / loss.adversarial, _colour(name), f"G ({STAGES.get(name, name)})")
    unsure = torch.full((1,), 0.5 if loss.gan == "lsgan" else 0.0)
    toss = float(gan_discriminator(unsure, unsure, loss.gan))
    axes.axhline(toss, color="#7F7F7F", ls=":", lw=1.2, label="a coin toss")
    axes.set(title="the game, unweighted", xlabel="step", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _plain(axes, values: pd.Series, colour: str, label: str) -> None:
    axes.plot(values.index, values, color=colour, lw=0.7, alpha=0.28)
    axes.plot(values.index, smoothed(values), color=colour, label=label)


def _colour(name: str) -> str:
    return MODEL_COLOURS.get(name, INK)
