"""VITON's two networks: a coarse try-on with a mask, and how much of the warped garment to lay over it."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.config import VITONSettings
from mavton_lite.models.gmm import KEPT, PERSON_CHANNELS
from mavton_lite.shares import dropout


class Coarse(NamedTuple):
    """What the encoder-decoder gives.   Shape: see each line."""

    image: Tensor  # (B, 3, H, W) in [-1, 1]: the person in the garment, without its details
    mask: Tensor  # (B, 1, H, W) in [-1, 1]: where the garment will be seen; taught 0 and 1
    kept: Tensor | None = None  # (B, 1, H, W) in [0, 1]: where `image` is the kept parts as they are

    @property
    def where(self) -> Tensor:
        """The mask as pixels: garment or not.   Shape: (B, 1, H, W), 0 or 1."""
        return (self.mask > 0.5).to(self.mask.dtype)


def _init_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)


class EncoderDecoder(nn.Module):
    """Multi-task encoder-decoder: one network paints the person and draws the garment's mask.

    Source: Han et al. 2018 (VITON), section 3.2 and its code; thesis figure 2.9. No convolution has a bias; every one
    but the first and the last is followed by batch norm; dropout only in the innermost step of the decoder; the last
    activation is tanh for the mask too, which comes first as in the code.
    Differs: `keep` takes kept parts as they are where a fifth output says so, as in `TOM`.
    Shape: agnostic (B, 22, H, W), cloth (B, 3, H, W) -> `Coarse`.
    Raises: ValueError when H or W cannot be halved `downs` times, or an input has other channels.
    """

    def __init__(self, settings: VITONSettings):
        super().__init__()
        self.settings = settings
        if settings.downs < 2:
            raise ValueError(f"EncoderDecoder wants downs >= 2, got {settings.downs}")
        sizes = [settings.width * min(2**i, 8) for i in range(settings.downs)]  # channels after each halving
        inputs = [PERSON_CHANNELS + 3, *sizes[:-1]]
        pairs = zip(inputs, sizes, strict=True)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1, bias=False) for a, b in pairs)
        self.down_norm = nn.ModuleList(self._norm(c) for c in sizes[1:])
        # from the innermost outwards: what comes up plus the skip of the same size goes in
        outputs = [*sizes[-2::-1], 4 + settings.keep]
        joined = [sizes[-1], *(2 * c for c in sizes[-2::-1])]
        pairs = zip(joined, outputs, strict=True)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False) for a, b in pairs)
        self.up_norm = nn.ModuleList(self._norm(c) for c in outputs[:-1])
        self.apply(_init_normal)

    def _norm(self, channels: int) -> nn.BatchNorm2d:
        return nn.BatchNorm2d(channels, momentum=self.settings.norm_momentum)

    def forward(self, agnostic: Tensor, cloth: Tensor) -> Coarse:
        step = 2**self.settings.downs
        for name, given, channels in (("agnostic", agnostic, PERSON_CHANNELS), ("cloth", cloth, 3)):
            if given.ndim != 4 or given.shape[1] != channels or given.shape[2] % step or given.shape[3] % step:
                raise ValueError(
                    f"EncoderDecoder wants {name} (B, {channels}, H, W) with H and W divisible by {step}, "
                    f"got {tuple(given.shape)}"
                )
        x = self.down[0](torch.cat([agnostic, cloth], 1))  # (B, c, H / 2, W / 2)
        skips = [x]
        for conv, norm in zip(self.down[1:], self.down_norm, strict=True):
            x = norm(conv(F.leaky_relu(x, 0.2)))  # (B, c, h / 2, w / 2)
            skips.append(x)
        skips.pop()  # the innermost is where the decoder begins
        for level, (conv, norm) in enumerate(zip(self.up[:-1], self.up_norm, strict=True)):
            x = norm(conv(F.relu(x)))  # (B, c, 2 h, 2 w)
            if level == 0:
                x = dropout(x, self.settings.dropout, self.training)
            x = torch.cat([x, skips.pop()], 1)  # (B, 2 c, 2 h, 2 w)
        painted = self.up[-1](F.relu(x))  # (B, 4, H, W), with `keep` 5
        image, mask, kept = torch.tanh(painted[:, 1:4]), torch.tanh(painted[:, :1]), None
        if self.settings.keep:
            kept = torch.sigmoid(painted[:, 4:])  # (B, 1, H, W)
            image = torch.lerp(image, agnostic[:, KEPT], kept)
        return Coarse(image, mask, kept)


class Refinement(nn.Module):
    """How much of the warped garment is taken at each pixel: alpha.

    Source: Han et al. 2018, section 3.3 and its code: three 3 x 3 layers, layer norm over the whole picture, LeakyReLU.
    Shape: warped_cloth (B, 3, H, W), coarse (B, 3, H, W) -> alpha (B, 1, H, W) in (0, 1).
    Raises: ValueError when an input has other channels or another size than the other.
    """

    def __init__(self, settings: VITONSettings):
        super().__init__()
        layers: list[nn.Module] = []
        before, width = 6, settings.refine_width
        for _ in range(3):
            layers += [nn.Conv2d(before, width, 3, 1, 1, bias=False), nn.GroupNorm(1, width), nn.LeakyReLU(0.2)]
            before = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 1))

    def forward(self, warped_cloth: Tensor, coarse: Tensor) -> Tensor:
        if warped_cloth.shape != coarse.shape or coarse.ndim != 4 or coarse.shape[1] != 3:
            raise ValueError(
                f"Refinement wants two pictures (B, 3, H, W), got {tuple(warped_cloth.shape)} and {tuple(coarse.shape)}"
            )
        return torch.sigmoid(self.layers(torch.cat([warped_cloth, coarse], 1)))


def compose(alpha: Tensor, warped_cloth: Tensor, coarse: Coarse, warped_mask: Tensor) -> tuple[Tensor, Tensor]:
    """The try-on and the alpha that was used: alpha c' + (1 - alpha) I', inside both garment masks.

    Source: thesis eq. 2-9; the masks: VITON's code, which multiplies alpha by a garment mask.
    Differs: while it learns, the code takes the photograph's own mask, which nobody has for another garment; here the
    coarse network's, always. Where the warped garment ends there is nothing to take.
    Shape: (B, 1, H, W), (B, 3, H, W), `Coarse`, (B, 1, H, W) -> (B, 3, H, W), (B, 1, H, W).
    """
    alpha = alpha * coarse.where * warped_mask  # (B, 1, H, W)
    return alpha * warped_cloth + (1 - alpha) * coarse.image, alpha
