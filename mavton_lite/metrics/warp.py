"""How well does a warp fit: mask overlap, end-point error, and the best that simpler families of maps could do."""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.metrics.regions import ARM_LABELS, HAIR_LABELS, has_label
from mavton_lite.warp.tps import TPSGrid

REFERENCE_SIZE = (256, 192)  # height, width in which end-point errors are quoted, whatever the profile


def iou(a: Tensor, b: Tensor, ignore: Tensor | None = None) -> Tensor:
    """Intersection over union of two masks, pixels in `ignore` left out; NaN where both are empty.

    Shape: bool (B, 1, H, W) each -> (B,).
    """
    if ignore is not None:
        a, b = a & ~ignore, b & ~ignore
    union = (a | b).flatten(1).sum(1)
    both = (a & b).flatten(1).sum(1)
    return torch.where(union > 0, both / union.clamp(min=1), torch.full_like(both, torch.nan, dtype=torch.float32))


def in_front(truth_parse: Tensor) -> Tensor:
    """Pixels where an arm or hair may hide the garment: a warp of the whole garment is neither right nor wrong there.

    Shape: (B, H, W) -> (B, 1, H, W) bool.
    """
    return has_label(truth_parse, ARM_LABELS + HAIR_LABELS)


def to_pixels(grid: Tensor, height: int, width: int) -> Tensor:
    """A sampling grid in cloth pixels.   Shape: (B, H, W, 2) x, y in [-1, 1] -> (B, 2, H, W) px."""
    scale = grid.new_tensor([(width - 1) / 2, (height - 1) / 2])
    return ((grid + 1) * scale).permute(0, 3, 1, 2)


def end_point_error(warp_px: Tensor, truth_px: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Mean distance to the true cloth position over the garment's visible pixels; NaN where none is visible.

    `size` (height, width) rescales the distances, as if the pictures had that size.
    Shape: (B, 2, H, W) px, truth NaN where no garment is visible -> (B,) px.
    """
    if warp_px.shape != truth_px.shape:
        raise ValueError(f"found warps {tuple(warp_px.shape)} and {tuple(truth_px.shape)}, wanted equal (B, 2, H, W)")
    height, width = truth_px.shape[-2:]
    scale = (1.0, 1.0) if size is None else (size[1] / width, size[0] / height)
    known = truth_px.isfinite().all(1, keepdim=True)  # (B, 1, H, W)
    delta = (warp_px - truth_px.nan_to_num()) * truth_px.new_tensor(scale).view(1, 2, 1, 1)
    distance = torch.where(known, delta.norm(dim=1, keepdim=True), 0.0).flatten(1).sum(1)
    count = known.flatten(1).sum(1)
    return torch.where(count > 0, distance / count.clamp(min=1), torch.nan)


def identity_px(batch: int, height: int, width: int, like: Tensor) -> Tensor:
    """No warp: every pixel shows the cloth's pixel at its own place.   Shape: -> (B, 2, H, W) px."""
    y, x = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=like.dtype),
        torch.arange(width, device=like.device, dtype=like.dtype),
        indexing="ij",
    )
    return torch.stack([x, y]).expand(batch, 2, height, width)


def _best(truth_px: Tensor, basis: Tensor, base: Tensor, ridge: float) -> Tensor:
    """Least squares over the visible pixels: `base + basis @ coefficients` nearest to the truth, x and y apart.

    Shape: truth (B, 2, H, W), basis (H*W, K), base (2, H*W) -> (B, 2, H, W).
    """
    batch, _, height, width = truth_px.shape
    truth = truth_px.double().flatten(2)  # (B, 2, HW)
    known = truth.isfinite().all(1)  # (B, HW)
    wanted = torch.where(known.unsqueeze(1), truth - base, 0.0)  # (B, 2, HW)
    # known pixels only, one example after the other: B systems of K unknowns
    gram = torch.stack([basis[k].T @ basis[k] for k in known])  # (B, K, K)
    gram = gram + ridge * torch.eye(basis.shape[1], dtype=gram.dtype, device=gram.device)
    right = torch.einsum("nk,bcn->bkc", basis, wanted)  # (B, K, 2)
    coefficients = torch.linalg.solve(gram, right)  # (B, K, 2)
    fitted = base + torch.einsum("nk,bkc->bcn", basis, coefficients)  # (B, 2, HW)
    return fitted.view(batch, 2, height, width).to(truth_px.dtype)


def best_affine(truth_px: Tensor, ridge: float = 1e-6) -> Tensor:
    """The affine map nearest to each true warp (least squares over its visible pixels): a bound on affine stages.

    Shape: (B, 2, H, W) px, NaN where no garment is visible -> (B, 2, H, W) px.
    """
    height, width = truth_px.shape[-2:]
    base = identity_px(1, height, width, truth_px.double())[0].flatten(1)  # (2, HW)
    centre = base.mean(1, keepdim=True)
    unit = (base - centre) / max(height, width)  # about one: keeps the system well conditioned
    basis = torch.stack([unit[0], unit[1], torch.ones_like(unit[0])], dim=1)  # (HW, 3)
    return _best(truth_px, basis, base, ridge)


def best_tps(truth_px: Tensor, grid: int = 5, ridge: float = 1e-4) -> Tensor:
    """The thin-plate spline of `grid` x `grid` control points nearest to each true warp: a bound on GMM's family.

    Offsets are not bounded here, as GMM's tanh bounds them. The ridge only settles control points that no visible pixel
    feels.   Shape: (B, 2, H, W) px, NaN where no garment is visible -> (B, 2, H, W) px.
    """
    height, width = truth_px.shape[-2:]
    count = grid**2
    spline = TPSGrid(height, width, grid).to(truth_px.device)
    offsets = torch.cat([torch.zeros(1, count), torch.eye(count)]).to(truth_px.device)  # none, then one at a time
    with torch.no_grad():
        moved = spline(torch.cat([offsets, torch.zeros_like(offsets)], dim=1))[..., 0].double()  # (1 + K, H, W): x only
    basis = (moved[1:] - moved[:1]).flatten(1).T  # (HW, K): the grid is linear in the offsets, and the same for y
    base = identity_px(1, height, width, truth_px.double())[0].flatten(1)
    return _best(truth_px, basis, base, ridge)
