"""Lines of the settings table for the systems beside the thesis's own: VITON and the parser."""

from __future__ import annotations

from collections.abc import Callable

from mavton_lite.config import Profile, TrainSettings, as_dict

Lines = dict[tuple[str, str], str]


def viton_lines(p: Profile, training: Callable[[TrainSettings], str]) -> Lines:
    """Every setting of VITON, as (part, setting) -> words."""
    v = p.viton
    pooling = "average" if v.average_pool else "maximum"
    refined = f"{v.refine_l1:g} L1 + {v.refine_perceptual:g} perceptual - {v.take:g} alpha + {v.smooth:g} variation"
    noise = p.train_coarse.silhouette_noise
    return {
        ("VITON", "encoder-decoder"): f"width {v.width}, {v.downs} halvings, dropout {v.dropout:g}, "
        f"batch norm's momentum {v.norm_momentum:g}" + (", a fifth output: what is kept" if v.keep else ""),
        ("VITON", "coarse loss"): f"{v.l1:g} L1 + {v.perceptual:g} perceptual + {v.mask:g} mask",
        ("VITON", "coarse levels"): f"{_levels(v.levels)}; {pooling} pooling",
        ("VITON", "coarse training"): training(p.train_coarse) + (f", silhouette noise {noise:g}" if noise else ""),
        ("VITON", "shape contexts"): f"{v.points} points, kept as {v.warp_grid} × {v.warp_grid} control points",
        ("VITON", "refinement"): f"width {v.refine_width}",
        ("VITON", "refinement loss"): refined,
        ("VITON", "refinement levels"): _levels(v.refine_levels),
        ("VITON", "refinement training"): training(p.train_refine),
    }


def parser_lines(p: Profile, training: Callable[[TrainSettings], str]) -> Lines:
    """Every setting of the parser, as (part, setting) -> words."""
    return {
        ("parser", "U-Net and pictures"): ", ".join(f"{name} {value:g}" for name, value in as_dict(p.parser).items()),
        ("parser", "training"): training(p.train_parse),
    }


def _levels(levels: tuple[tuple[str, float], ...]) -> str:
    return ", ".join(f"{weight:.3g} {name}" for name, weight in levels)
