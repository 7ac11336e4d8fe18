"""The Markovian discriminator: one logit for every patch of the picture."""

from __future__ import annotations

from torch import Tensor, nn


def _init_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class PatchGAN(nn.Module):
    """Fully convolutional discriminator; with 3 layers each logit sees 70 x 70 px.

    Source: Isola et al. 2017 (pix2pix), appendix 6.1; the thesis's "Markovian discriminator" (its section 3.4 is lost).
    `layers` 1, 2, 3, 4, 5 see 16, 34, 70, 142, 286 px.
    Shape: (B, in, H, W) -> logits (B, 1, h, w), no sigmoid; 256 x 192 with 3 layers -> 30 x 22.
    Differs: InstanceNorm (pix2pix: BatchNorm), as pix2pixHD and the conditional try-on discriminators have it.
    Raises: ValueError when `layers` < 1 or the input has other channels.
    """

    def __init__(self, in_channels: int, width: int = 64, layers: int = 3):
        super().__init__()
        if layers < 1:
            raise ValueError(f"PatchGAN wants layers >= 1, got {layers}")
        self.in_channels = in_channels
        blocks: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        before = width
        for i in range(1, layers + 1):
            after = width * min(2**i, 8)
            stride = 2 if i < layers else 1
            blocks += [nn.Conv2d(before, after, 4, stride, 1), nn.InstanceNorm2d(after), nn.LeakyReLU(0.2)]
            before = after
        blocks += [nn.Conv2d(before, 1, 4, 1, 1)]
        self.layers = nn.Sequential(*blocks).apply(_init_normal)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"PatchGAN wants (B, {self.in_channels}, H, W), got {tuple(x.shape)}")
        return self.layers(x)
