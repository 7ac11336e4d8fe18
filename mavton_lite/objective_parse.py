"""What the parser minimises."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mavton_lite.config import Profile
from mavton_lite.data.scenery import vary
from mavton_lite.losses import jaccard
from mavton_lite.models.build import build_parser
from mavton_lite.models.parser import CLASSES
from mavton_lite.objectives import Turn

NECK, TORSO_SKIN = 20, 10  # LIP has no neck; CP-VTON+'s label for it joins the skin around it
# One class for what is worn below, as in VITON-HD's code: at the hips, where these pictures end, they look alike. A
# parser that was asked to tell them apart called every skirt of the validation split trousers (lite, one seed).
SKIRT, TROUSERS = 12, 9


class ParserObjective:
    """Every pixel's label should be likely, and every class's area be met.

    Cross entropy counts pixels, so that a neck hardly counts; `losses.jaccard` counts classes.
    Most pictures are varied (`data.scenery`) on their way in, so that what is learnt in a studio serves on photographs.
    """

    def __init__(self, profile: Profile):
        self.varied = profile.parser.varied
        self.networks: dict[str, nn.Module] = {"parse": build_parser(profile)}
        self.helpers: dict[str, nn.Module] = {}

    def turns(self, batch: dict) -> Iterator[Turn]:
        """One turn: the parser's."""
        pictures, labels = vary(batch["image"], lip_labels(batch["parse"]), self.varied)
        logits = self.networks["parse"](pictures).float()  # (B, 20, H, W)
        yield Turn("parse", {"cross_entropy": F.cross_entropy(logits, labels), "jaccard": jaccard(logits, labels)})


def lip_labels(parse: Tensor) -> Tensor:
    """Labels of any of the data sets as LIP's own, with one class, trousers, for trousers and skirts.

    Shape: (B, H, W) -> same, int64.   Raises: ValueError on an id that is none.
    """
    if parse.numel() and not 0 <= int(parse.min()) <= int(parse.max()) <= NECK:
        raise ValueError(f"parse: found labels {int(parse.min())}..{int(parse.max())}, wanted LIP ids 0..{CLASSES - 1}")
    parse = torch.where(parse == NECK, TORSO_SKIN, parse)
    return torch.where(parse == SKIRT, TROUSERS, parse).long()
