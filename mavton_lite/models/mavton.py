"""MA-VTON's try-on network: CP-VTON's, with mixed attention on the skip of every scale."""

from __future__ import annotations

from mavton_lite.config import TOMSettings
from mavton_lite.models.cpvton import TOM


class MAUNet(TOM):
    """CP-VTON's try-on module whose every skip passes channel attention, then spatial attention (CBAM).

    Source: the thesis, abstract, chapter 1 (contribution 1), sections 2.2.2 and 3.3, eqs. 2-4 and 2-5: attention "on
    the skip connection of every scale", channel and spatial in series. Section 3.2 also says "multi-level
    self-attention", but what is described is this.
    Shape: as `TOM`; at width 64 and 6 downs five skips and 76,778 parameters more than CP-VTON.
    Differs: the thesis does not give the number of levels, the reduction ratio and the kernel; here all five skips of
    CP-VTON's network, 16 and 7 as in CBAM. It does not say which tensor the attention reads; here the activated one.
    """

    def __init__(self, settings: TOMSettings):
        super().__init__(settings, gate="cbam")
