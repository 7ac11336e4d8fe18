"""The thin-plate spline that bends the garment: control offsets -> sampling grid."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def full_precision(at: Tensor) -> AbstractContextManager:
    """A block without autocast: half precision would move pixels."""
    kind = at.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def radial(squared: Tensor) -> Tensor:
    """Thin-plate kernel U = d^2 log d^2 of squared distances, 0 at 0.   Source: CP-VTON's code."""
    return torch.where(squared == 0, torch.zeros_like(squared), squared * squared.clamp_min(1e-300).log())


def control_points(grid: int) -> Tensor:
    """Regular `grid` x `grid` points on [-1, 1]^2, x slow and y fast.   Shape: -> (grid^2, 2) float64, (x, y)."""
    line = torch.linspace(-1, 1, grid, dtype=torch.float64)
    return torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)


def pixel_grid(height: int, width: int) -> Tensor:
    """Corner-aligned [-1, 1] coordinates of every pixel: the identity warp.   Shape: -> (H, W, 2) float64, (x, y)."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=torch.float64),
        torch.linspace(-1, 1, width, dtype=torch.float64),
        indexing="ij",
    )
    return torch.stack([x, y], -1)


def influence(height: int, width: int, grid: int) -> Tensor:
    """How far each pixel moves when one control point moves by 1.   Shape: -> (H * W, grid^2) float64.

    Source: Bookstein 1989: [[K, P], [P^T, 0]] [w; a] = [offsets; 0], no regularisation. The spline is linear in the
    offsets, so the system is solved here once, for unit offsets, and never in a forward pass.
    """
    points, pixels = control_points(grid), pixel_grid(height, width).view(-1, 2)
    n = len(points)

    def rows(at: Tensor) -> Tensor:  # [U(|at - points|^2), 1, x, y]
        squared = (at[:, None] - points[None]).square().sum(-1)
        return torch.cat([radial(squared), torch.ones(len(at), 1, dtype=at.dtype), at], 1)

    system = torch.zeros(n + 3, n + 3, dtype=torch.float64)
    system[:n] = rows(points)
    system[n:, :n] = system[:n, n:].T
    unit = torch.eye(n + 3, n, dtype=torch.float64)
    return rows(pixels) @ torch.linalg.solve(system, unit)


class TPSGrid(nn.Module):
    """Offsets of the control points -> where each output pixel reads, through a thin-plate spline.

    Source: CP-VTON's geometric matching module; 5 x 5 points there. Zero offsets are the identity, exactly.
    Shape: theta (B, 2 * grid^2), x offsets then y offsets, x slow and y fast -> (B, H, W, 2), (x, y) in corner-aligned
    [-1, 1], for `grid_sample(align_corners=True)`; float32 also under autocast.
    Raises: ValueError for fewer than 2 points a side or a theta of another shape.
    """

    pixels: Tensor
    weights: Tensor

    def __init__(self, height: int, width: int, grid: int = 5):
        super().__init__()
        if grid < 2 or height < 2 or width < 2:
            raise ValueError(f"wanted grid, height and width >= 2, got {grid}, {height} and {width}")
        self.height, self.width, self.grid = height, width, grid
        self.register_buffer("pixels", pixel_grid(height, width).float(), persistent=False)
        self.register_buffer("weights", influence(height, width, grid).float(), persistent=False)

    def forward(self, theta: Tensor) -> Tensor:
        if theta.ndim != 2 or theta.shape[1] != 2 * self.grid**2:
            raise ValueError(f"TPSGrid wants theta (B, {2 * self.grid**2}), got {tuple(theta.shape)}")
        with full_precision(theta):
            offsets = theta.float().view(-1, 2, self.grid**2)  # (B, 2, grid^2)
            moved = offsets @ self.weights.float().T  # (B, 2, H * W)
            moved = moved.view(-1, 2, self.height, self.width).permute(0, 2, 3, 1)  # (B, H, W, 2)
            return self.pixels.float() + moved


def resample(picture: Tensor, grid: Tensor, padding: str = "border", reading: str = "bilinear") -> Tensor:
    """The picture read at `grid`: corner-aligned, float32 also under autocast.

    `padding`: "border" for cloth, "zeros" for masks. `reading`: "bilinear", the mean of the four pixels around, or
    "bicubic", Keys' cubic convolution of sixteen (1981; a = -0.75), which blurs less; where that overshoots, at sharp
    edges, it is cut off at [-1, 1].
    Shape: (B, C, H', W'), (B, H, W, 2) -> (B, C, H, W); with "bicubic" the picture in [-1, 1].
    """
    with full_precision(picture):
        read = F.grid_sample(picture.float(), grid.float(), mode=reading, padding_mode=padding, align_corners=True)
        return read.clamp(-1, 1) if reading == "bicubic" else read
