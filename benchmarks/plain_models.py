"""CP-VTON's networks and MA-UNet said plainly: torch's own layers one after the other, default memory layout.

What a reader of the papers would write first, in CP-VTON's order of layers, so that weights carry over one by one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.weights import layer_names, trunk


def carry_over(source: nn.Module, target: nn.Module) -> None:
    """Copy weights and running statistics layer by layer.   Raises: ValueError when the two do not correspond."""
    ours, theirs = _convolutions(source), _convolutions(target)
    if [m.weight.shape for m in ours] != [m.weight.shape for m in theirs]:
        raise ValueError("the two networks have other layers, or the same in another order")
    for a, b in zip(ours, theirs, strict=True):
        b.load_state_dict(a.state_dict())


def _convolutions(network: nn.Module) -> list[nn.Module]:
    kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
    return [m for m in network.modules() if isinstance(m, kinds)]


def extraction(into: int, width: int = 64) -> nn.Sequential:
    """Four halvings, then two layers of 8 * width."""
    layers: list[nn.Module] = []
    for out in (width, 2 * width, 4 * width, 8 * width):
        layers += [nn.Conv2d(into, out, 4, 2, 1), nn.ReLU(True), nn.BatchNorm2d(out)]
        into = out
    layers += [nn.Conv2d(into, into, 3, 1, 1), nn.ReLU(True), nn.BatchNorm2d(into)]
    return nn.Sequential(*layers, nn.Conv2d(into, into, 3, 1, 1), nn.ReLU(True))


class GMM(nn.Module):
    """CP-VTON's geometric matching module.   Shape: (B, 22, H, W), (B, 3, H, W), (B, 1, H, W) -> cloth, mask, grid."""

    def __init__(self, height: int = 256, width: int = 192, channels: int = 64, grid: int = 5):
        super().__init__()
        self.person, self.cloth = extraction(22, channels), extraction(3, channels)
        rows, columns, layers, into = height // 16, width // 16, [], (height // 16) * (width // 16)
        for out, kernel, stride in ((8, 4, 2), (4, 4, 2), (2, 3, 1), (1, 3, 1)):
            out *= channels
            layers += [nn.Conv2d(into, out, kernel, stride, 1), nn.BatchNorm2d(out), nn.ReLU(True)]
            into = out
        self.regression = nn.Sequential(*layers)
        self.linear = nn.Linear(into * (rows // 4) * (columns // 4), 2 * grid * grid)
        self.spline = Spline(height, width, grid)

    def forward(self, person: Tensor, cloth: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b = (f / (f.pow(2).sum(1, keepdim=True) + 1e-6).sqrt() for f in (self.person(person), self.cloth(cloth)))
        batch, channels, h, w = a.shape
        a = a.transpose(2, 3).contiguous().view(batch, channels, h * w)
        b = b.view(batch, channels, h * w).transpose(1, 2)
        pairs = torch.bmm(b, a).view(batch, h, w, h * w).transpose(2, 3).transpose(1, 2)
        theta = torch.tanh(self.linear(self.regression(pairs).flatten(1)))
        grid = self.spline(theta)
        read = F.grid_sample(cloth, grid, padding_mode="border", align_corners=True)
        return read, F.grid_sample(mask, grid, padding_mode="zeros", align_corners=True), grid


class Spline(nn.Module):
    """Control offsets -> sampling grid; distances of all pixels to all control points are taken in every call."""

    def __init__(self, height: int, width: int, grid: int):
        super().__init__()
        line = torch.linspace(-1, 1, grid)
        points = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)
        y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        n = grid * grid
        rows = torch.cat([torch.ones(n, 1), points], 1).double()
        system = torch.zeros(n + 3, n + 3, dtype=torch.float64)
        system[:n, :n], system[:n, n:], system[n:, :n] = self.kernel(points.double(), points.double()), rows, rows.T
        self.register_buffer("points", points)
        self.register_buffer("pixels", torch.stack([x, y], -1))
        self.register_buffer("inverse", torch.linalg.inv(system)[:, :n].float())

    @staticmethod
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squared = (a[..., None, :] - b).pow(2).sum(-1)
        squared = torch.where(squared == 0, torch.ones_like(squared), squared)
        return squared * squared.log()

    def forward(self, theta: Tensor) -> Tensor:
        moved = self.points + theta.view(len(theta), 2, -1).transpose(1, 2)  # (B, n, 2)
        weights = self.inverse @ moved  # (B, n + 3, 2)
        pixels = self.pixels.expand(len(theta), -1, -1, -1)
        bent = torch.einsum("bhwn,bnc->bhwc", self.kernel(pixels, self.points), weights[:, :-3])
        ones = torch.ones_like(pixels[..., :1])
        return bent + torch.einsum("bhwn,bnc->bhwc", torch.cat([ones, pixels], -1), weights[:, -3:])


class CBAM(nn.Module):
    """Channel attention, then spatial attention, by pooling layers.   Shape: (B, C, H, W) -> same."""

    def __init__(self, channels: int, reduction: int = 16, kernel: int = 7):
        super().__init__()
        hidden = channels // reduction
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, channels, bias=False)
        )
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        average, largest = F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)
        gate = torch.sigmoid(self.mlp(average.flatten(1)) + self.mlp(largest.flatten(1)))
        x = x * gate[:, :, None, None]
        pooled = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
        return x * torch.sigmoid(self.conv(pooled))


class TOM(nn.Module):
    """CP-VTON's try-on module, with CBAM on its five skips when `attention`.

    Shape: (B, 22, H, W), (B, 3, H, W) -> image, mask.
    """

    def __init__(self, attention: bool = False, width: int = 64):
        super().__init__()
        sizes = [width, 2 * width, 4 * width, 8 * width, 8 * width, 8 * width]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip([25, *sizes], sizes, strict=False))
        joined, outputs = [sizes[-1], *(2 * c for c in sizes[-2::-1])], [*sizes[-2::-1], 4]
        self.up = nn.ModuleList(nn.Conv2d(a, b, 3, 1, 1) for a, b in zip(joined, outputs, strict=True))
        self.gates = nn.ModuleList(CBAM(c) if attention else nn.Identity() for c in sizes[:-1])
        self.norms = nn.ModuleList(nn.InstanceNorm2d(c) for c in sizes[1:-1])
        self.up_norms = nn.ModuleList(nn.InstanceNorm2d(c) for c in outputs)
        self.leaky, self.relu = nn.LeakyReLU(0.2), nn.ReLU()
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear")

    def forward(self, person: Tensor, cloth: Tensor) -> tuple[Tensor, Tensor]:
        x, skips = torch.cat([person, cloth], 1), []
        for level, conv in enumerate(self.down[:-1]):
            x = conv(x)
            x = self.leaky(self.norms[level - 1](x) if level else x)
            skips.append(self.gates[level](x))
        x = self.down[-1](x)
        for conv, norm in zip(self.up, self.up_norms, strict=True):
            x = norm(conv(self.enlarge(self.relu(x))))
            if skips:
                x = torch.cat([skips.pop(), x], 1)
        rendered, mask = torch.tanh(x[:, :3]), torch.sigmoid(x[:, 3:])
        return cloth * mask + rendered * (1 - mask), mask


class VGGLoss(nn.Module):
    """CP-VTON's perceptual term: five levels of VGG19, in single precision.   Shape: two (B, 3, H, W) -> ()."""

    def __init__(self):
        super().__init__()
        self.features, _ = trunk("vgg19")
        self.features.requires_grad_(False)
        names = layer_names(self.features)
        self.levels = {names[f"relu{i}_1"]: weight for i, weight in enumerate((1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), 1)}

    def forward(self, drawn: Tensor, photographed: Tensor) -> Tensor:
        total = drawn.new_zeros(())
        for i, layer in enumerate(self.features[: max(self.levels) + 1]):
            drawn, photographed = layer(drawn), layer(photographed)
            if i in self.levels:
                total = total + self.levels[i] * F.l1_loss(drawn, photographed.detach())
        return total
