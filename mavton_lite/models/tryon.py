"""From a batch of raw examples to try-ons: representation, warp, try-on."""

from __future__ import annotations

from torch import Tensor, nn

from mavton_lite.config import PersonSettings, Reading
from mavton_lite.data.person import Person, represent
from mavton_lite.models.cpvton import TOM, TryOn
from mavton_lite.models.gmm import GMM, Warp


class TryOnPipeline(nn.Module):
    """Both stages as one module, without a picture written between them.

    Source: CP-VTON, figure 2.   Shape: a batch of `Sample` (see `data.sample.collate`) -> (`Person`, `Warp`, `TryOn`).
    Training and evaluation mode, gradients and device are the caller's: CP-VTON's own second stage reads the warps of a
    geometric matching module in evaluation mode. `reading` is `Profile.reading`.
    """

    def __init__(self, gmm: GMM, tom: TOM, person: PersonSettings, reading: Reading = "bilinear"):
        super().__init__()
        self.gmm, self.tom, self.person, self.reading = gmm, tom, person, reading

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures it takes."""
        return self.gmm.size

    def warp(self, agnostic: Tensor, cloth: Tensor, cloth_mask: Tensor) -> Warp:
        """The warp alone.   Shape: as `GMM`."""
        return self.gmm(agnostic, cloth, cloth_mask, self.reading)

    def forward(self, batch: dict) -> tuple[Person, Warp, TryOn]:
        person = represent(batch, self.person)
        warp = self.warp(person.matching, batch["cloth"], batch["cloth_mask"])
        return person, warp, self.tom(person.agnostic, warp.cloth, warp.mask)
