"""Small pictures side by side with a line of text above each, drawn without matplotlib: quick enough for a slider."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from mavton_lite.data.sample import to_unit

INK, PAPER = (31, 36, 48), (255, 255, 255)
TITLE_PX, TEXT_PX = 22, 13
GAP_PX = 10


@lru_cache(maxsize=8)
def font(size: int = TEXT_PX) -> ImageFont.FreeTypeFont:
    """matplotlib's DejaVu Sans, there on every machine."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def enlarged(picture: Tensor, height: int) -> np.ndarray:
    """A network's picture, larger.   Shape: (3, h, w) in [-1, 1] -> (height, W, 3) uint8."""
    size = (height, round(height * picture.shape[2] / picture.shape[1]))
    large = F.interpolate(picture[None].float(), size, mode="bilinear", align_corners=False)
    return as_bytes(to_unit(large)[0].permute(1, 2, 0).cpu().numpy())


def as_bytes(picture: np.ndarray) -> np.ndarray:
    """[0, 1] -> uint8."""
    return np.floor(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def fitted(picture: np.ndarray, height: int) -> np.ndarray:
    """A finished picture at another height.   Shape: (h, w, 3) uint8 -> (height, W, 3) uint8."""
    width = max(1, round(height * picture.shape[1] / picture.shape[0]))
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def row(panels: Sequence[tuple[str, np.ndarray]], notes: Sequence[str] = ()) -> np.ndarray:
    """Pictures of one height in a row, a title above each, a note below where there are notes.

    Shape: each (h, w, 3) uint8 -> (h + text, sum of w + gaps, 3) uint8.
    """
    height = panels[0][1].shape[0]
    widths = [picture.shape[1] for _, picture in panels]
    paper = Image.new("RGB", (sum(widths) + GAP_PX * (len(panels) - 1), height + TITLE_PX * (1 + bool(notes))), PAPER)
    draw, x = ImageDraw.Draw(paper), 0
    for k, ((title, picture), width) in enumerate(zip(panels, widths, strict=True)):
        draw.text((x, 2), _shortened(title, width), INK, font())
        paper.paste(Image.fromarray(picture), (x, TITLE_PX))
        if k < len(notes):
            draw.text((x, TITLE_PX + height + 3), _shortened(notes[k], width), INK, font())
        x += width + GAP_PX
    return np.asarray(paper)


def stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows below each other on white.   Shape: (h, w, 3) uint8 each -> (sum of h + gaps, widest, 3) uint8."""
    width = max(r.shape[1] for r in rows)
    out = []
    for picture in rows:
        out += [np.pad(picture, ((0, GAP_PX), (0, width - picture.shape[1]), (0, 0)), constant_values=255)]
    return np.concatenate(out)[:-GAP_PX]


def _shortened(text: str, width: int) -> str:
    while len(text) > 1 and font().getlength(text) > width + GAP_PX / 2:
        text = text[:-2].rstrip() + "…"
    return text
