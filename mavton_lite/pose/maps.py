"""What a pose network learns to draw: a confidence map a joint, a field of directions a limb, for everybody at once.

Maps are smaller than the picture by a stride: cell c covers pixels c * stride to (c + 1) * stride - 1, as a strided
convolution's output does. Everything below but `true_maps` and `cells` counts in cells.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mavton_lite.data.sample import COCO18

STRIDE = 4  # pixels of a 256 x 192 picture a cell: maps of 64 x 48
SIGMA_PX = 7.0  # of a joint's bump; OpenPose's is as large for its pictures, 368 px high
WIDTH_PX = 6.0  # how far a limb's field reaches to either side

# The pairs that OpenPose links, in its order; the last two only help to tell people apart.
_LINKED = (
    ("neck", "right shoulder"), ("neck", "left shoulder"), ("right shoulder", "right elbow"),
    ("right elbow", "right wrist"), ("left shoulder", "left elbow"), ("left elbow", "left wrist"),
    ("neck", "right hip"), ("right hip", "right knee"), ("right knee", "right ankle"), ("neck", "left hip"),
    ("left hip", "left knee"), ("left knee", "left ankle"), ("neck", "nose"), ("nose", "right eye"),
    ("right eye", "right ear"), ("nose", "left eye"), ("left eye", "left ear"), ("right shoulder", "right ear"),
    ("left shoulder", "left ear"),
)  # fmt: skip
LIMBS: tuple[tuple[int, int], ...] = tuple((COCO18.index(a), COCO18.index(b)) for a, b in _LINKED)
LIMB_NAMES: tuple[str, ...] = tuple(f"{a} to {b}" for a, b in _LINKED)


def cells(keypoints: Tensor, stride: float) -> Tensor:
    """Key points in pixels as key points in cells, and with 1 / stride back.   Shape: (..., 3) -> same."""
    xy = (keypoints[..., :2] + 0.5) / stride - 0.5
    return torch.cat([xy, keypoints[..., 2:]], -1)


def true_maps(keypoints: Tensor, size: tuple[int, int], stride: int = STRIDE) -> tuple[Tensor, Tensor]:
    """Both kinds of maps of key points in pixels of a picture `size` (height, width) large.

    Sigma and width are those of a 256 px high picture, and shrink with it.
    Shape: (..., P, 18, 3) -> (..., 18, H, W) and (..., 2 * 19, H, W), with H, W = size / stride.
    Raises: ValueError when the stride does not divide the size.
    """
    if size[0] % stride or size[1] % stride:
        raise ValueError(f"a stride of {stride} does not divide {size[0]} x {size[1]} px")
    grid, scale = (size[0] // stride, size[1] // stride), size[0] / 256 / stride
    inside = cells(keypoints, stride)
    return confidence_maps(inside, grid, SIGMA_PX * scale), affinity_fields(inside, grid, WIDTH_PX * scale)


def confidence_maps(keypoints: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """A map a joint: a bump exp(-d^2 / sigma^2) at every person's joint, the larger one where two overlap.

    The maximum, not the mean or the sum, keeps two near peaks apart and as high as they are alone.
    Source: Cao et al. 2017, eqs. 6 and 7.
    Shape: (..., P, K, 3) in cells, missing where the last is 0 -> (..., K, H, W) in [0, 1].
    """
    x, y, there = keypoints.unbind(-1)  # (..., P, K)
    columns, rows = (torch.arange(n, device=x.device, dtype=x.dtype) for n in (size[1], size[0]))
    # a bump is a product of one across and one down, which is cheaper than a distance a cell
    across = torch.exp(-((columns - x[..., None]) ** 2) / sigma**2)  # (..., P, K, W)
    down = torch.exp(-((rows - y[..., None]) ** 2) / sigma**2) * (there > 0)[..., None]  # (..., P, K, H)
    return (down[..., :, None] * across[..., None, :]).amax(-4)  # (..., K, H, W)


def affinity_fields(keypoints: Tensor, size: tuple[int, int], width: float) -> Tensor:
    """Part affinity fields: on every limb the unit vector from its first joint to its second, elsewhere 0.

    A cell is on a limb when it lies between its ends and at most `width` beside it. Where limbs of several people
    cross, their vectors are averaged. A limb with a missing joint has no field.
    Source: Cao et al. 2017, eqs. 8 and 9.   Shape: (..., P, 18, 3) in cells -> (..., 2 * 19, H, W): x, y of each limb.
    """
    first, second = (keypoints[..., [limb[k] for limb in LIMBS], :] for k in (0, 1))  # (..., P, L, 3)
    along = second[..., :2] - first[..., :2]
    length = along.norm(dim=-1)  # (..., P, L)
    unit = along / length.clamp(min=1e-6)[..., None]
    there = (first[..., 2] > 0) & (second[..., 2] > 0) & (length > 1e-6)
    columns, rows = (torch.arange(n, device=unit.device, dtype=unit.dtype) for n in (size[1], size[0]))
    dx = (columns - first[..., 0, None])[..., None, :]  # (..., P, L, 1, W)
    dy = (rows - first[..., 1, None])[..., :, None]  # (..., P, L, H, 1)
    ux, uy = (u[..., None, None] for u in unit.unbind(-1))
    forward, sideways = ux * dx + uy * dy, ux * dy - uy * dx  # (..., P, L, H, W)
    on = (forward >= 0) & (forward <= length[..., None, None]) & (sideways.abs() <= width) & there[..., None, None]
    count = on.sum(-4).clamp(min=1)  # (..., L, H, W): how many people's limbs share a cell
    fields = [(on * u).sum(-4) / count for u in (ux, uy)]
    return torch.stack(fields, -3).flatten(-4, -3)  # (..., 2 L, H, W)
