"""CP-VTON's try-on module: person and warped garment -> the person wearing it."""

from __future__ import annotations

import re
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mavton_lite.attention import ResidualSelfAttention, make_gate
from mavton_lite.config import TOMSettings
from mavton_lite.models.gmm import KEPT, PERSON_CHANNELS
from mavton_lite.models.unet import UNet


class TryOn(NamedTuple):
    """What the try-on module gives.   Shape: see each line."""

    image: Tensor  # (B, 3, H, W) in [-1, 1]: mask * warped cloth + (1 - mask) * rendered
    rendered: Tensor  # (B, 3, H, W) in [-1, 1]: the person as the network paints it
    mask: Tensor  # (B, 1, H, W) in [0, 1]: where the warped cloth is taken as it is
    kept: Tensor | None = None  # (B, 1, H, W) in [0, 1]: where `rendered` is the kept parts as they are


def gated_levels(gate: str, levels: int) -> tuple[str, range]:
    """What a gate's name says: the gate, and the levels that carry it; "cbam@2-" of 4 levels is cbam on 2, 3 and 4.

    Raises: ValueError for an unknown gate, or levels that are not among 1 to `levels`.
    """
    name, at, span = gate.partition("@")
    if name != "self":
        make_gate(name, 8)
    if not at:
        return name, range(1, levels + 1)
    found = re.fullmatch(r"(\d+)(-(\d*))?", span)
    if not found or name in ("none", "self"):
        raise ValueError(f"gate {gate!r}: wanted one such as 'cbam', 'cbam@1', 'cbam@1-2' or 'cbam@3-'")
    first = int(found[1])
    last = first if found[2] is None else int(found[3] or levels)
    if not 1 <= first <= last <= levels:
        raise ValueError(f"gate {gate!r}: found levels {first} to {last}, wanted some of 1 to {levels}")
    return name, range(first, last + 1)


class TOM(nn.Module):
    """Try-on module: a U-Net paints a person and a mask, the mask lays the warped cloth over it.

    Source: Wang et al. 2018 (CP-VTON), section 3.2 and its code; thesis eq. 2-11: I_o = M c + (1 - M) I_r.
    `gate` names what every skip carries (`attention.make_gate`); "none" is CP-VTON, "cbam" the thesis's MA-UNet.
    "cbam@2-3": on the skips of these levels alone, 1 the widest; "cbam@2-": on the second and all deeper ones. "self":
    nothing on the skips, self-attention between the places of the bottleneck.
    Shape: agnostic (B, 22, H, W), warped_cloth (B, 3, H, W), warped_mask (B, 1, H, W) -> `TryOn`.
    Differs: `mask_input` also shows the warped mask (CP-VTON+); `final_norm=False` leaves the mask free to be near 0 or
    1 everywhere; `upsample="nearest"` is the paper's text; `keep` adds to (2-11) what it does for the cloth once more,
    for the kept parts p of the person representation: I_r = K p + (1 - K) painted.
    Raises: ValueError for an unknown gate, or levels that the network has not.
    """

    def __init__(self, settings: TOMSettings, gate: str = "none"):
        super().__init__()
        name, gated = gated_levels(gate, settings.downs - 1)
        self.settings, self.gate = settings, gate
        factory = partial(make_gate, name, reduction=settings.gate_reduction, kernel=settings.gate_kernel)
        self.unet = UNet(
            PERSON_CHANNELS + 3 + settings.mask_input,
            4 + settings.keep,
            settings.width,
            settings.downs,
            None if name in ("none", "self") else factory,
            settings.upsample,
            settings.final_norm,
            gated,
            ResidualSelfAttention if name == "self" else None,
        )

    def forward(self, agnostic: Tensor, warped_cloth: Tensor, warped_mask: Tensor) -> TryOn:
        shown = [agnostic, warped_cloth] + ([warped_mask] if self.settings.mask_input else [])
        painted = self.unet(torch.cat(shown, 1))  # (B, 4, H, W), with `keep` 5
        rendered, mask = torch.tanh(painted[:, :3]), torch.sigmoid(painted[:, 3:4])
        kept = None
        if self.settings.keep:
            kept = torch.sigmoid(painted[:, 4:])  # (B, 1, H, W)
            rendered = torch.lerp(rendered, agnostic[:, KEPT], kept)
        return TryOn(mask * warped_cloth + (1 - mask) * rendered, rendered, mask, kept)
