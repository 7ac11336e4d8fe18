"""VITON as one module: coarse try-on, shape-context warp, refinement."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.config import Profile, Reading
from mavton_lite.data.person import Person, represent
from mavton_lite.models.cpvton import TryOn
from mavton_lite.models.gmm import Warp
from mavton_lite.models.viton import Coarse, EncoderDecoder, Refinement, compose
from mavton_lite.warp import TPSGrid, control_points, resample
from mavton_lite.warp.shape_context import warp_between


class VITONPipeline(nn.Module):
    """Both networks and the warp between them, without a picture written in between.

    Source: Han et al. 2018, figure 2; thesis figure 2.7. The coarse network's mask says where the garment is to be;
    the garment's own mask is matched to it, outline to outline, without anything learnt.
    Shape: a batch of `Sample` -> (`Person`, `Warp`, `TryOn`), whose `rendered` is the coarse try-on and whose `mask` is
    alpha.
    """

    def __init__(self, coarse: EncoderDecoder, refine: Refinement | nn.Identity, profile: Profile):
        super().__init__()
        self.coarse, self.refine, self.person = coarse, refine, profile.person
        self.points, self.size, self.reading = profile.viton.points, profile.size, profile.reading
        self.tps = TPSGrid(*profile.size, profile.viton.warp_grid)

    def forward(self, batch: dict) -> tuple[Person, Warp, TryOn]:
        person = represent(batch, self.person)
        coarse = self.coarse(person.agnostic, batch["cloth"])
        control = self.match(batch["cloth_mask"], coarse)
        warp = self.bend(batch["cloth"], batch["cloth_mask"], control, self.reading)
        return person, warp, self.refined(self.refine(warp.cloth, coarse.image), warp, coarse)

    def warp(self, agnostic: Tensor, cloth: Tensor, cloth_mask: Tensor) -> Warp:
        """The warp alone, called as a geometric matching module is.   Shape: as `GMM`."""
        return self.bend(cloth, cloth_mask, self.match(cloth_mask, self.coarse(agnostic, cloth)), self.reading)

    @torch.no_grad()
    def match(self, cloth_mask: Tensor, coarse: Coarse) -> Tensor:
        """Control points of the warp from each garment's mask to the mask of its coarse try-on.

        No warp where one of the two is too small to have a shape: the original gives up there.
        Shape: (B, 1, H, W), `Coarse` -> (B, 2 * grid^2), as `TPSGrid` wants them.
        """
        side = self.tps.grid
        grid = warp_between(cloth_mask, coarse.where, *self.size, points=self.points, grid=side, empty="identity")
        return control_of(grid, side)

    def bend(self, cloth: Tensor, cloth_mask: Tensor, control: Tensor, reading: Reading = "bilinear") -> Warp:
        """The garment read through a warp.   Shape: (B, 3, H, W), (B, 1, H, W), (B, 2 * grid^2) -> `Warp`."""
        grid = self.tps(control)  # (B, H, W, 2)
        return Warp(resample(cloth, grid, "border", reading), resample(cloth_mask, grid, "zeros"), grid, control)

    def refined(self, alpha: Tensor, warp: Warp, coarse: Coarse) -> TryOn:
        """The garment over the coarse try-on.   Shape: alpha (B, 1, H, W) -> `TryOn`."""
        image, alpha = compose(alpha, warp.cloth, coarse, warp.mask)
        return TryOn(image, coarse.image, alpha)


def control_of(grid: Tensor, side: int) -> Tensor:
    """Offsets of the control points of a sampling grid: what `TPSGrid` makes that grid from, if it is smooth enough.

    Shape: (B, H, W, 2) -> (B, 2 * side^2).
    """
    at = control_points(side).to(grid)  # (side^2, 2)
    places = at.expand(len(grid), 1, -1, -1)  # (B, 1, side^2, 2)
    read = F.grid_sample(grid.permute(0, 3, 1, 2), places, mode="bilinear", align_corners=True)  # (B, 2, 1, side^2)
    return (read[:, :, 0] - at.T).flatten(1)
