"""Warping one garment mask onto another without learning: shape contexts, an assignment, a thin-plate spline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import contourpy
import numpy as np
import torch
from scipy import ndimage
from scipy.interpolate import RBFInterpolator
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mavton_lite.warp.tps import TPSGrid, control_points

RADII, ANGLES = 5, 12
INNER, OUTER = 1 / 8, 2.0  # where the rings begin and end, in mean distances between points
DUMMIES, DUMMY_COST = 0.25, 0.25  # so many points may stay alone, each at this cost
TANGENT_WEIGHT = 0.1
BENDING = (1000.0, 1.0, 1.0, 1.0, 1.0, 1.0)  # penalty of each round, in squared mean distances: first nearly affine
CHOICE = 2  # points on the source for each on the target
SMALLEST_PX = 16  # fewer garment pixels have no shape


class Boundary(NamedTuple):
    """Points along the outline of a mask.   Shape: n points."""

    points: np.ndarray  # (n, 2) x, y in px
    tangents: np.ndarray  # (n, 2) unit vectors along the outline, the garment always on the same hand


class Matching(NamedTuple):
    """Which point of one outline belongs to which of another, and the spline through the pairs."""

    source: Boundary  # (CHOICE * n) points
    target: Boundary  # (n) points
    pairs: np.ndarray  # (k, 2) index of the source's point, index of the target's; the others stayed alone
    moved: np.ndarray  # (n, 2) where the spline puts the target's points on the source, px
    spline: RBFInterpolator  # (m, 2) px of the target -> (m, 2) px of the source


def boundary(mask: np.ndarray, points: int = 100) -> Boundary:
    """The outline of a mask, sampled evenly along its length; holes are filled first, as in VITON.

    Shape: (H, W), garment above 0.5 -> `points` points.   Raises: ValueError when fewer than 16 pixels are garment.
    """
    solid = ndimage.binary_fill_holes(np.asarray(mask) > 0.5)
    if solid.sum() < SMALLEST_PX:
        raise ValueError(f"found a mask of {int(solid.sum())} pixels, wanted at least {SMALLEST_PX} to match its shape")
    # a blur of a pixel takes the stairs out of the outline; the frame closes outlines that touch the border
    soft = ndimage.gaussian_filter(np.pad(solid, 3).astype(np.float32), 1.0)
    found: Any = contourpy.contour_generator(z=soft).lines(0.5)
    lines: list[np.ndarray] = [line - 3 for line in found]
    if not lines:
        raise ValueError("found a mask of single pixels only, wanted an area whose outline can be matched")
    travelled = [np.concatenate([[0], np.hypot(*np.diff(line, axis=0).T).cumsum()]) for line in lines]
    starts = np.concatenate([[0], np.cumsum([t[-1] for t in travelled])])  # all outlines, one after the other
    at = (np.arange(points) + 0.5) * starts[-1] / points
    places, tangents = [], []
    for line, along, start in zip(lines, travelled, starts, strict=False):
        here = at[(at >= start) & (at < start + along[-1])] - start
        before, place, after = (_on(line, along, here + step) for step in (-2, 0, 2))
        places.append(place)
        tangents.append(_unit(after - before))
    return Boundary(np.concatenate(places), np.concatenate(tangents))


def _on(line: np.ndarray, along: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Places on a closed line at given lengths from its start."""
    return np.stack([np.interp(at % along[-1], along, line[:, k]) for k in (0, 1)], 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.hypot(*vectors.T), 1e-9)[:, None]


def shape_context(points: np.ndarray) -> np.ndarray:
    """What each point sees of the others: a histogram over the logarithm of the distance and the angle.

    Distances count in mean distances, so that size does not matter; angles count from the x axis, because garments
    hang upright. A point is shared between the nearest bins, which calms histograms of few points.
    Source: Belongie et al. 2002, section 3.1; 5 rings x 12 sectors as in VITON.
    Shape: (n, 2) px -> (n, 5, 12), the sum over all bins at most 1.
    """
    n = len(points)
    away = points[None] - points[:, None]  # (n, n, 2): from row to column
    distance = np.hypot(away[..., 0], away[..., 1])
    others = distance > 0
    with np.errstate(divide="ignore"):
        log_distance = np.log(distance / max(distance.mean(), 1e-9))
    # in units of bins; ring 0 is all within the inner radius
    ring = (log_distance - np.log(INNER)) / (np.log(OUTER) - np.log(INNER)) * (RADII - 1) + 0.5
    ring = np.maximum(ring, 0)
    sector = np.arctan2(away[..., 1], away[..., 0]) / (2 * np.pi) * ANGLES - 0.5
    rows = np.broadcast_to(np.arange(n)[:, None], (n, n))
    seen = np.zeros(n * RADII * ANGLES)
    for outward in (0, 1):
        for onward in (0, 1):
            r, a = np.floor(ring) + outward, np.floor(sector) + onward
            share = (1 - np.abs(ring - r)) * (1 - np.abs(sector - a))
            counted = others & (r < RADII)
            bins = (rows[counted] * RADII + r[counted]) * ANGLES + a[counted] % ANGLES
            seen += np.bincount(bins.astype(np.int64), share[counted], minlength=len(seen))
    return (seen / max(1, n - 1)).reshape(n, RADII, ANGLES)


def chi_squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances between histograms, 0 (equal) to 1.   Source: Belongie et al. 2002, section 3.1.

    Shape: (n, 5, 12), (m, 5, 12) -> (n, m).
    """
    left, right = (h.reshape(len(h), -1).astype(np.float32) for h in (a, b))
    difference = left[:, None] - right[None]  # (n, m, 60)
    total = left[:, None] + right[None] + 1e-12
    return 0.5 * (difference * difference / total).sum(-1)


def assign(cost: np.ndarray) -> np.ndarray:
    """The cheapest one-to-one partners; a point may stay alone at the price of a dummy.

    Source: Belongie et al. 2002, section 3.2; a quarter as many dummies as points, at cost 0.25, as in VITON.
    Shape: (n, m) -> (k, 2) row and column of each pair.
    """
    n, m = cost.shape
    dummies = round(DUMMIES * min(n, m))
    padded = np.full((n + dummies, m + dummies), DUMMY_COST)
    padded[:n, :m] = cost
    rows, columns = linear_sum_assignment(padded)
    real = (rows < n) & (columns < m)
    return np.stack([rows[real], columns[real]], 1)


def match(source: np.ndarray, target: np.ndarray, points: int = 100, bending: Sequence[float] = BENDING) -> Matching:
    """Bring the outline of `target` onto that of `source`: match, fit a spline, move, and again.

    `bending` is the penalty of each round. The spline smooths over wrong partners and is SciPy's, because the
    package's own passes through its points and wants them on a grid.
    Source: Belongie et al. 2002, section 4; VITON, section 3.2 and its code.
    Differs: the source has twice as many points, so that partners slide along the outline; histograms share.
    Shape: (H, W), (H', W'), garment above 0.5.   Raises: ValueError when a mask is too small to have an outline.
    """
    there, here = boundary(source, CHOICE * points), boundary(target, points)
    context = shape_context(there.points)
    scale = np.hypot(*(there.points[:, None] - there.points[None]).reshape(-1, 2).T).mean()
    moved, tangents = here.points, here.tangents
    for penalty in bending:
        turned = (1 - there.tangents @ tangents.T) / 2  # 0 where both outlines run the same way
        cost = (1 - TANGENT_WEIGHT) * chi_squared(context, shape_context(moved)) + TANGENT_WEIGHT * turned
        pairs = assign(cost)
        # SciPy's kernel is half of Bookstein's, and so is its penalty
        spline = RBFInterpolator(
            here.points[pairs[:, 1]], there.points[pairs[:, 0]], smoothing=penalty * scale**2 / 2, degree=1
        )
        moved = spline(here.points)
        tangents = _unit(spline(here.points + here.tangents) - moved)
    return Matching(there, here, pairs, moved, spline)


@torch.no_grad()
def warp_between(
    source_mask: Tensor,
    target_mask: Tensor,
    height: int,
    width: int,
    points: int = 100,
    grid: int = 10,
    empty: Literal["raise", "identity"] = "raise",
) -> Tensor:
    """The sampling grid that bends `source_mask` onto `target_mask`, found from the two outlines alone.

    The spline is kept as `grid` x `grid` control points, as in VITON.   `empty`: what to do for a mask without an
    outline, as a network in its first steps gives them: raise, or leave that garment where it is.
    Shape: (B, 1, h, w), (B, 1, h', w') in [0, 1] -> (B, height, width, 2) float32, (x, y) in corner-aligned [-1, 1],
    for `resample`.   Raises: ValueError for other shapes, and for a mask of fewer than 16 pixels unless "identity".
    """
    for name, mask in (("source_mask", source_mask), ("target_mask", target_mask)):
        if mask.ndim != 4 or mask.shape[1] != 1 or len(mask) != len(source_mask):
            raise ValueError(f"found {name} {tuple(mask.shape)}, wanted (B, 1, H, W) with {len(source_mask)} masks")
    if empty not in ("raise", "identity"):
        raise ValueError(f"empty: found {empty!r}, wanted 'raise' or 'identity'")
    at = control_points(grid).numpy()
    theta = np.zeros((len(source_mask), grid**2, 2))
    for i, (source, target) in enumerate(zip(source_mask[:, 0], target_mask[:, 0], strict=True)):
        try:
            found = match(source.cpu().numpy(), target.cpu().numpy(), points)
        except ValueError as error:
            if empty == "raise":
                raise ValueError(f"example {i}: {error}") from error
            continue
        theta[i] = _norm(found.spline(_px(at, target)), source) - at
    offsets = torch.from_numpy(theta).transpose(1, 2).flatten(1).float()  # (B, 2 * grid^2)
    return _spline(height, width, grid)(offsets).to(source_mask.device)


@lru_cache(maxsize=4)
def _spline(height: int, width: int, grid: int) -> TPSGrid:
    """Setting up a spline of 100 control points takes ten times longer than a match."""
    return TPSGrid(height, width, grid)


def _px(at: np.ndarray, picture: Tensor) -> np.ndarray:
    return (at + 1) / 2 * [picture.shape[1] - 1, picture.shape[0] - 1]


def _norm(at_px: np.ndarray, picture: Tensor) -> np.ndarray:
    return at_px / [picture.shape[1] - 1, picture.shape[0] - 1] * 2 - 1
