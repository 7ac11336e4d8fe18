"""Pictures in, LIP labels out: the trained parser at work on pictures of any size, and its score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.config import SEED
from mavton_lite.data.atelier import Stage, garment_of, person_of
from mavton_lite.data.lessons import drawn_series
from mavton_lite.data.photo import frame
from mavton_lite.data.photo_backend import Reading
from mavton_lite.data.photo_parse import PhotoParse
from mavton_lite.metrics.parsing import Overlap, ParsingScore, overlap, score
from mavton_lite.models.parser import Parser
from mavton_lite.objective_parse import lip_labels
from mavton_lite.seeds import written

BATCH = 32  # pictures at once
VARIED = {"smoke": 8, "lite": 64, "paper": 200}  # people that the lesson scores before other walls


@torch.no_grad()
def parse(pictures: Tensor, parser: Parser) -> Tensor:
    """The LIP label of every pixel.

    Pictures of another size than the parser's are fitted into its frame, whole and undistorted, and what it says is
    enlarged again before the likeliest label is taken, so that outlines stay smooth.
    Shape: (B, 3, H, W) in [-1, 1] -> (B, H, W) int64.   Raises: ValueError for another shape or values outside.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3 or not pictures.is_floating_point():
        raise ValueError(f"wanted float pictures (B, 3, H, W), got {pictures.dtype} {tuple(pictures.shape)}")
    if pictures.numel() and not pictures.abs().max() <= 1.001:
        raise ValueError(f"wanted pictures in [-1, 1], found {float(pictures.min()):.3g}..{float(pictures.max()):.3g}")
    return torch.cat([_logits(some, parser).argmax(1) for some in pictures.split(BATCH)]).to(pictures.device)


def _logits(pictures: Tensor, parser: Parser) -> Tensor:
    """What the parser says of every pixel.   Shape: (B, 3, H, W) -> (B, 20, H, W)."""
    pictures = pictures.to(next(parser.parameters()).device)
    size = pictures.shape[2:]
    if tuple(size) == parser.size:
        return parser(pictures)
    ratio = min(wanted / given for wanted, given in zip(parser.size, size, strict=True))
    inner = [min(max(1, round(given * ratio)), wanted) for given, wanted in zip(size, parser.size, strict=True)]
    small = F.interpolate(pictures, inner, mode="bilinear", align_corners=False, antialias=True)
    above, left = ((wanted - used) // 2 for wanted, used in zip(parser.size, inner, strict=True))
    around = (left, parser.size[1] - inner[1] - left, above, parser.size[0] - inner[0] - above)
    logits = parser(F.pad(small, around, mode="replicate"))
    logits = logits[..., above : above + inner[0], left : left + inner[1]]
    return F.interpolate(logits, size, mode="bilinear", align_corners=False)


@torch.no_grad()
def relabelled(rgb: np.ndarray, reading: Reading, found: PhotoParse, parser: Parser) -> np.ndarray:
    """A photograph's labels, the parser's for what is on the person that `found` has cut out.

    Who is person and who is wall, a detector that has seen many photographs knows better than a parser that has seen
    one studio; what on the person is hair, skin or cloth is what the parser has learnt. It is shown the person framed
    as in the studio; outside of that frame `found` stays.
    Shape: (H, W, 3) uint8 -> (H, W) uint8.
    """
    labels = found.labels.copy()
    box = frame(reading.keypoints, labels, parser.size)
    picture = torch.from_numpy(box.cut(rgb).astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]  # (1, 3, h, w)
    worn = _logits(picture, parser)[0, 1:].argmax(0).cpu().numpy().astype(np.uint8) + 1  # any label but the background
    here, there = box.inside(*labels.shape)
    labels[here] = np.where(labels[here] > 0, worn[there], 0)
    return labels


def score_on(parser: Parser, pictures: Tensor, truth: Tensor) -> ParsingScore:
    """IoU by class of the parser on pictures whose labels are known.   Shape: (n, 3, H, W), (n, H, W)."""
    counts = [
        overlap(parse(some, parser), lip_labels(true))
        for some, true in zip(pictures.split(BATCH), truth.split(BATCH), strict=True)
    ]
    return score(Overlap(*map(torch.cat, zip(*counts, strict=True))))


def varied_people(n: int, height: int, width: int, split: str = "test", seed: int = SEED) -> tuple[Tensor, Tensor]:
    """The first `n` people of a split before other walls, in other light, by other cameras (the randomised look).

    The same people and garments as in the studio. What was drawn once is kept under `runs/lessons`.
    Shape: -> (n, 3, H, W) in [-1, 1], (n, H, W) int64.   Raises: ValueError as `lessons.drawn_series` does.
    """

    def draw(i: int) -> dict[str, np.ndarray]:
        stage = Stage(person_of(seed, split, i, look="randomised"), height, width)
        seen = stage.wear(garment_of(seed, split, i))
        return {"pictures": np.rint(seen.image * 255).astype(np.uint8), "parses": seen.parse.astype(np.uint8)}

    kept = drawn_series("varied-people", n, height, width, split, seed, draw)
    pictures = torch.from_numpy(kept["pictures"]).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return pictures.contiguous(), torch.from_numpy(kept["parses"]).long()


def table(scores: Mapping[str, ParsingScore]) -> pd.DataFrame:
    """A row a class and the mean last, a column a set of pictures: IoU in per cent with its 95 % interval."""
    rows = {
        title: {**{name: written(c) for name, c in found.classes.items()}, "mean": written(found.mean)}
        for title, found in scores.items()
    }
    texts = pd.DataFrame(rows).fillna("")
    order = [name for name in texts.index if name != "mean"] + ["mean"]
    return texts.loc[order].rename_axis("IoU %")
