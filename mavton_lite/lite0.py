"""EfficientNet-lite0's convolutional part: the ImageNet classifier whose weights a package carries."""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

# kernel, expansion, channels, repeats, first stride.   Source: EfficientNet's B0 without squeeze-excitation.
_STAGES = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)


class _SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow's SAME, where the weights come from: an odd pixel goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for side, kernel, stride in zip(x.shape[:1:-1], self.kernel_size, self.stride, strict=True):  # W, then H
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


def _unit(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True) -> list[nn.Module]:
    conv = _SameConv(before, after, kernel, stride, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(after, eps=1e-3)] + ([nn.ReLU6()] if act else [])


class _Inverted(nn.Module):
    """Widen, filter each channel, narrow; added to its input where the shape allows."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = before * expansion
        widen = _unit(before, inner, 1) if expansion > 1 else []
        self.layers = nn.Sequential(
            *widen, *_unit(inner, inner, kernel, stride, inner), *_unit(inner, after, 1, act=False)
        )
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


def lite0_features() -> nn.Sequential:
    """EfficientNet-lite0 without its classifier: `stem`, `stage1` .. `stage7`, `head`; weights not loaded.

    Source: Tan and Le 2019; Google's EfficientNet-lite (ReLU6, no squeeze-excitation).
    Shape: (B, 3, H, W) in [-1, 1] -> (B, 1280, H / 32, W / 32), rounded up.
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict(stem=nn.Sequential(*_unit(3, 32, 3, 2)))
    before = 32
    for i, (kernel, expansion, after, repeats, stride) in enumerate(_STAGES, 1):
        blocks = []
        for n in range(repeats):
            blocks.append(_Inverted(before, after, kernel, stride if n == 0 else 1, expansion))
            before = after
        parts[f"stage{i}"] = nn.Sequential(*blocks)
    parts["head"] = nn.Sequential(*_unit(before, 1280, 1))
    return nn.Sequential(parts)
