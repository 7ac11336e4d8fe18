"""CP-VTON's forward passes said again from its description, on tensors in its own names; an oracle for the importer.

Written without the package's networks and in another way: names lead from layer to layer, every order is spelled out
place by place, the spline is SciPy's, pictures are read by SciPy.
"""

from __future__ import annotations

import re

import numpy as np
import torch
import torch.nn.functional as F
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import map_coordinates
from torch import Tensor

State = dict[str, Tensor]


def gmm_shapes(width: int, height_px: int, width_px: int, grid: int = 5) -> dict[str, list[int]]:
    """Name -> shape of a gmm_final.pth whose first layer has `width` channels."""
    w, rows, columns = width, height_px // 16, width_px // 16
    shapes: dict[str, list[int]] = {}

    def layer(name: str, place: int, norm: int | None, *weight: int) -> None:
        shapes[f"{name}.{place}.weight"], shapes[f"{name}.{place}.bias"] = [*weight], [weight[0]]
        for kind in () if norm is None else ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{norm}.{kind}"] = [weight[0]]
        if norm is not None:
            shapes[f"{name}.{norm}.num_batches_tracked"] = []

    for side, channels in (("A", 22), ("B", 3)):
        name = f"extraction{side}.model"
        for i, (out, into) in enumerate([(w, channels), (2 * w, w), (4 * w, 2 * w), (8 * w, 4 * w)]):
            layer(name, 3 * i, 3 * i + 2, out, into, 4, 4)
        layer(name, 12, 14, 8 * w, 8 * w, 3, 3)
        layer(name, 15, None, 8 * w, 8 * w, 3, 3)
    chain = [rows * columns, 8 * w, 4 * w, 2 * w, w]
    for i, (into, out, side) in enumerate(zip(chain, chain[1:], (4, 4, 3, 3), strict=False)):
        layer("regression.conv", 3 * i, 3 * i + 1, out, into, side, side)
    layer("regression", "linear", None, 2 * grid**2, w * (rows // 4) * (columns // 4))
    return shapes


def tom_shapes(width: int, downs: int = 6) -> dict[str, list[int]]:
    """Name -> shape of a tom_final.pth whose first layer has `width` channels."""

    def block(level: int, prefix: str) -> dict[str, list[int]]:
        outer = 25 if level == 0 else width * min(2 ** (level - 1), 8)
        inner, first, last = width * min(2**level, 8), level == 0, level == downs - 1
        down, inside, up = (0, 1, 4) if first else (1, None, 4) if last else (1, 3, 6)
        shapes = {f"{prefix}.{down}.weight": [inner, outer, 4, 4], f"{prefix}.{down}.bias": [inner]}
        if not last:
            shapes |= block(level + 1, f"{prefix}.{inside}.model")
        back = 4 if first else outer
        return shapes | {
            f"{prefix}.{up}.weight": [back, inner if last else 2 * inner, 3, 3],
            f"{prefix}.{up}.bias": [back],
        }

    return block(0, "model.model")


def random_state(shapes: dict[str, list[int]], seed: int = 0) -> State:
    """Random weights that keep activations near 1, so that every layer matters."""
    generator = torch.Generator().manual_seed(seed)
    norms = {name.rsplit(".", 1)[0] for name in shapes if name.endswith("running_mean")}
    state: State = {}
    for name, shape in shapes.items():
        noise, (place, kind) = torch.randn(shape, generator=generator), name.rsplit(".", 1)
        if kind == "num_batches_tracked":
            state[name] = torch.tensor(200_000)
        elif kind == "running_var" or (kind == "weight" and place in norms):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        elif kind == "weight":
            state[name] = noise * (2 / noise[0].numel()) ** 0.5
        else:
            state[name] = noise * 0.2
    return state


def gmm(state: State, person: Tensor, cloth: Tensor, mask: Tensor, learn: bool = False) -> dict[str, Tensor]:
    """The geometric matching module: offsets, sampling grid, warped cloth and mask.

    `learn`: put the statistics of these inputs into the state, as a training would.
    """
    a, b = features(state, "extractionA.model", person, learn), features(state, "extractionB.model", cloth, learn)
    a, b = (f / (f**2).sum(1, keepdim=True).add(1e-6).sqrt() for f in (a, b))
    # the channel says where in the person, counted column by column; the pixel says where on the garment
    pairs = torch.einsum("bcyx,bcij->bxyij", a, b)
    x = pairs.reshape(len(a), -1, *a.shape[2:])
    for place, stride in ((0, 2), (3, 2), (6, 1), (9, 1)):
        name = "regression.conv"
        x = F.conv2d(x, state[f"{name}.{place}.weight"], state[f"{name}.{place}.bias"], stride, 1)
        x = normalised(state, f"{name}.{place + 1}", x, learn).clamp_min(0)
    theta = torch.tanh(x.flatten(1) @ state["regression.linear.weight"].T + state["regression.linear.bias"])
    grid = spline(theta, *person.shape[2:])
    warped = {"cloth": read(cloth, grid, "nearest"), "warped mask": read(mask, grid, "grid-constant")}
    return {"theta": theta, "grid": grid} | warped


def features(state: State, name: str, x: Tensor, learn: bool) -> Tensor:
    """Convolution, ReLU, then batch norm where there is one; 4 x 4 kernels halve."""
    places = sorted(int(m[1]) for key in state if (m := re.fullmatch(rf"{re.escape(name)}\.(\d+)\.weight", key)))
    for place in places:
        weight = state[f"{name}.{place}.weight"]
        if weight.ndim == 4:
            x = F.conv2d(x, weight, state[f"{name}.{place}.bias"], 2 if weight.shape[-1] == 4 else 1, 1).clamp_min(0)
        else:
            x = normalised(state, f"{name}.{place}", x, learn)
    return x


def normalised(state: State, name: str, x: Tensor, learn: bool) -> Tensor:
    """Batch norm by the statistics of the training."""
    if learn:
        var, mean = torch.var_mean(x, (0, 2, 3))
        state |= {f"{name}.running_mean": mean, f"{name}.running_var": var}
    weight, bias, mean, var = (
        state[f"{name}.{kind}"][:, None, None] for kind in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / (var + 1e-5) ** 0.5 * weight + bias


def spline(theta: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel reads: a thin-plate spline through the control points, which theta moves."""
    half = theta.shape[1] // 2
    line = np.linspace(-1, 1, round(half**0.5))
    points = np.array([(x, y) for x in line for y in line])  # x slowest
    pixels = np.array([(x, y) for y in np.linspace(-1, 1, height) for x in np.linspace(-1, 1, width)])
    moved = [points + np.stack([t[:half], t[half:]], 1) for t in theta.double().numpy()]  # all x offsets, then all y
    grids = [RBFInterpolator(points, m, kernel="thin_plate_spline", degree=1)(pixels) for m in moved]
    return torch.tensor(np.stack(grids)).view(len(theta), height, width, 2).float()


def read(picture: Tensor, grid: Tensor, outside: str) -> Tensor:
    """The picture at the grid: -1 is the middle of the first pixel, 1 of the last."""
    height, width = picture.shape[2:]
    x, y = ((grid[..., 0] + 1) / 2 * (width - 1)).numpy(), ((grid[..., 1] + 1) / 2 * (height - 1)).numpy()
    rows = [[map_coordinates(c.numpy(), [y[i], x[i]], order=1, mode=outside) for c in p] for i, p in enumerate(picture)]
    return torch.tensor(np.array(rows))


def tom(state: State, person: Tensor, cloth: Tensor) -> dict[str, Tensor]:
    """The try-on module: rendered person, composition mask and their picture."""
    painted = block(state, "model.model", torch.cat([person, cloth], 1))
    rendered, mask = torch.tanh(painted[:, :3]), 1 / (1 + torch.exp(-painted[:, 3:]))
    return {"rendered": rendered, "composition mask": mask, "image": cloth * mask + rendered * (1 - mask)}


def block(state: State, name: str, x: Tensor, outermost: bool = True) -> Tensor:
    """One level of the U-Net and those inside it; all but the outermost return [their input, activated; the way up]."""
    places = {int(m[1]) for key in state if (m := re.match(rf"{re.escape(name)}\.(\d+)\.", key))}
    innermost = places == {1, 4} and not outermost
    if not outermost:
        x = torch.where(x > 0, x, 0.2 * x)  # in place there: the skip is activated too
    first, last = (0, 4) if outermost else (1, 4 if innermost else 6)
    below = F.conv2d(x, state[f"{name}.{first}.weight"], state[f"{name}.{first}.bias"], 2, 1)
    if not innermost:
        below = below if outermost else by_picture(below)
        below = block(state, f"{name}.{1 if outermost else 3}.model", below, outermost=False)
    above = F.interpolate(below.clamp_min(0), scale_factor=2, mode="bilinear", align_corners=False)
    above = by_picture(F.conv2d(above, state[f"{name}.{last}.weight"], state[f"{name}.{last}.bias"], 1, 1))
    return above if outermost else torch.cat([x, above], 1)


def by_picture(x: Tensor) -> Tensor:
    """Instance norm without weights."""
    mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), unbiased=False, keepdim=True)
    return (x - mean) / (var + 1e-5) ** 0.5
