"""A U-Net whose skip connections can carry a gate."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def instance_norm(x: Tensor) -> Tensor:
    """Instance normalisation, without weights.   Shape: (B, C, H, W) -> same."""
    # One group a channel is instance normalisation, and unlike torch's own keeps channels-last: an eighth of a step.
    return F.group_norm(x, x.shape[1])


class UNet(nn.Module):
    """Encoder and decoder joined by `downs - 1` skips, each through a gate if one is given.

    Source: CP-VTON's code (its try-on module: width 64, 6 downs, bilinear, final norm); thesis figures 2.11 and 3.1.
    The gate reads the skip after LeakyReLU, which is what CP-VTON's in-place activation leaves on its skips; ungated,
    the ReLU that follows makes this choice invisible.
    Names: `gates.level1` is the widest skip (half the picture's side), the last one the deepest. `gated` names the
    levels that carry the gate, all by default. `bottleneck`, of so many channels, follows the innermost convolution.
    Shape: (B, in, H, W) -> (B, out, H, W), no last activation.
    Raises: ValueError when H or W cannot be halved `downs` times.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int,
        downs: int,
        gate: Callable[[int], nn.Module] | None = None,
        upsample: str = "bilinear",
        final_norm: bool = True,
        gated: Collection[int] | None = None,
        bottleneck: Callable[[int], nn.Module] | None = None,
    ):
        super().__init__()
        if downs < 2 or upsample not in ("bilinear", "nearest"):
            raise ValueError(f"wanted downs >= 2 and upsample bilinear or nearest, got {downs} and {upsample!r}")
        self.in_channels, self.downs, self.upsample, self.final_norm = in_channels, downs, upsample, final_norm
        sizes = [width * min(2**i, 8) for i in range(downs)]  # channels after each halving
        inputs = [in_channels, *sizes[:-1]]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(inputs, sizes, strict=True))
        # From the innermost outwards: what comes up plus the skip of the same size goes in.
        outputs = [*sizes[-2::-1], out_channels]
        joined = [sizes[-1], *(2 * c for c in sizes[-2::-1])]
        self.up = nn.ModuleList(nn.Conv2d(a, b, 3, 1, 1) for a, b in zip(joined, outputs, strict=True))
        carry = dict(enumerate(sizes[:-1], 1)) if gate else {}
        carry = {level: c for level, c in carry.items() if gated is None or level in gated}
        self.gates = nn.ModuleDict({f"level{level}": gate(c) for level, c in carry.items() if gate})
        self.bottleneck = bottleneck(sizes[-1]) if bottleneck else None

    def forward(self, x: Tensor) -> Tensor:
        step = 2**self.downs
        if x.ndim != 4 or x.shape[1] != self.in_channels or x.shape[2] % step or x.shape[3] % step:
            raise ValueError(
                f"U-Net wants (B, {self.in_channels}, H, W) with H and W divisible by {step}, got {tuple(x.shape)}"
            )
        skips = []
        for level, conv in enumerate(self.down):
            x = conv(x)  # (B, c, H / 2, W / 2)
            if level == self.downs - 1:
                break  # the innermost has neither norm nor skip
            if level:
                x = instance_norm(x)
            x = F.leaky_relu(x, 0.2)  # not in place: the skip keeps this tensor
            name = f"level{level + 1}"
            skips.append(self.gates[name](x) if name in self.gates else x)
        if self.bottleneck is not None:
            x = self.bottleneck(x)
        raising: Any = self.up
        for level, enlarging in enumerate(raising):
            x = self._raise(F.relu(x), enlarging)  # (B, c', 2 H, 2 W)
            last = level == self.downs - 1
            if not last or self.final_norm:
                x = instance_norm(x)
            if not last:
                x = torch.cat([skips.pop(), x], 1)  # (B, 2 c, H, W)
        return x

    def _raise(self, x: Tensor, conv: nn.Conv2d) -> Tensor:
        """Enlarged, then convolved.   Shape: (B, c, H, W) -> (B, c', 2 H, 2 W)."""
        watched = conv._forward_hooks or conv._forward_pre_hooks
        if x.device.type != "cpu" or watched or not _pays(conv, *x.shape[2:]):
            return conv(self._enlarge(x))
        return _mix_then_place(x, conv, self._enlarge)

    def _enlarge(self, x: Tensor) -> Tensor:
        # CP-VTON was trained with align_corners=False here; pictures' geometry (corner aligned) is the warp's business.
        corners = False if self.upsample == "bilinear" else None
        return F.interpolate(x, scale_factor=2, mode=self.upsample, align_corners=corners)


def _pays(conv: nn.Conv2d, height: int, width: int) -> bool:
    """Whether `_mix_then_place` is faster: placing takes at most half of the multiplications that mixing saves.

    An output and pixel of (height, width) takes 36 c multiplications directly, 9 c to mix and 18 W + 12 H to place.
    """
    saved, placing = 27 * conv.in_channels, 18 * width + 12 * height
    few = 18 * conv.out_channels <= conv.in_channels  # of few outputs convolutions are slow, whatever they multiply
    return 2 * placing <= saved or few


def _mix_then_place(x: Tensor, conv: nn.Conv2d, enlarge: Callable[[Tensor], Tensor]) -> Tensor:
    """`conv(enlarge(x))` for a 3 x 3 convolution, with about a quarter of its multiplications.

    Enlarging treats every channel alike, so the channels may be mixed before it: one product for each output and tap of
    the kernel, on a quarter of the pixels. What is left is the same for every channel and separable: across, then down,
    each place takes what its three taps would have read in the enlarged line.
    Shape: (B, c, H, W) -> (B, c', 2 H, 2 W).
    """
    b, into, h, w = x.shape
    out = conv.out_channels
    if conv.kernel_size != (3, 3) or conv.padding != (1, 1) or conv.bias is None:
        raise ValueError(f"wanted a 3 x 3 convolution with a border of 1 and a bias, got {conv}")
    taps = conv.weight.permute(3, 2, 0, 1).reshape(9 * out, into)  # (across, down, c')
    mixed = F.linear(x.permute(0, 2, 3, 1), taps)  # (B, H, W, 9 c')
    across = _placing(w, enlarge, mixed) @ mixed.view(b, h, 3 * w, 3 * out)  # (B, H, 2 W, 3 c')
    lines = across.view(b, h, 2 * w, 3, out).transpose(2, 3).reshape(b, 3 * h, 2 * w * out)
    placed = (_placing(h, enlarge, mixed) @ lines).view(b, 2 * h, 2 * w, out)
    return (placed + conv.bias.to(placed.dtype)).permute(0, 3, 1, 2)  # channels last in memory


def _placing(length: int, enlarge: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """What each place of an enlarged line takes of its pixels' three taps.   Shape: -> (2 length, length * 3)."""
    pixels = torch.eye(length, dtype=like.dtype, device=like.device)[None, :, :, None]  # a channel a pixel
    line = F.pad(enlarge(pixels)[0, ..., 0], (1, 1))  # (length, 2 length + 2): nothing beyond the ends
    return line.unfold(1, 2 * length, 1).flatten(0, 1).T  # tap k reads k - 1 to the right of the place
