"""A small network that draws the maps of everybody in a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.data.sample import COCO18
from mavton_lite.models.unet_classic import ClassicUNet
from mavton_lite.pose.maps import LIMBS

SIZE = (128, 96)  # of the pictures it reads; its maps are half as large: STRIDE cells of a 256 x 192 picture
FOLD = 4  # pixels a side that become channels before the first layer
JOINTS, FIELDS = len(COCO18), 2 * len(LIMBS)


class PoseNet(nn.Module):
    """Picture to confidence maps and part affinity fields.

    Squares of 4 x 4 pixels become channels, a U-Net works at a quarter of the side, and 2 x 2 cells come back out of
    channels. Its first level is wide: the 224 maps before the last step are mixtures of that many features.
    Source: Cao et al. 2017. Differs: one U-Net in one go instead of VGG and six stages that correct each other.
    Shape: (B, 3, 128, 96) in [-1, 1] -> (B, 18, 64, 48), (B, 38, 64, 48).
    """

    def __init__(self, width: int = 48):
        super().__init__()
        self.unet = ClassicUNet(3 * FOLD**2, 4 * (JOINTS + FIELDS), width, levels=2, norm=True)
        # Maps are nearly empty: from random ones it takes longer to come back to nothing than to learn the rest.
        nn.init.zeros_(self.unet.last.weight)
        if self.unet.last.bias is not None:
            nn.init.zeros_(self.unet.last.bias)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        maps = F.pixel_shuffle(self.unet(F.pixel_unshuffle(pictures, FOLD)), 2)  # (B, 56, H / 2, W / 2)
        return maps[:, :JOINTS], maps[:, JOINTS:]


@torch.no_grad()
def predict_maps(network: PoseNet, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The maps of pictures of any 4:3 size, which are first reduced to SIZE.   Shape: (B, 3, H, W) -> as `PoseNet`."""
    return network(F.interpolate(pictures, SIZE, mode="area"))
