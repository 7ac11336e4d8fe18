"""Contact sheets: many pictures close together, pixel for pixel, as a catalogue shows them.

Figures are sized so that a picture's pixel is a pixel of the saved file (style.RC, 160 a inch).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.data.sample import Sample
from mavton_lite.plots.colours import as_array
from mavton_lite.plots.style import NO_LAYOUT, RC

DPI = RC["savefig.dpi"]
GAP_PX, MARGIN_PX, TITLE_PX, NAME_PX = 6, 14, 44, 300
SOFT = "#5c6475"


def people_sheet(samples: Sequence[Sample], columns: int = 8) -> Figure:
    """People as they were photographed, in rows.   Raises: ValueError without samples."""
    return _sheet([_mosaic([s["image"] for s in samples], columns)])


def garment_sheet(samples: Sequence[Sample], columns: int = 8) -> Figure:
    """Flat garments in rows.   Raises: ValueError without samples."""
    return _sheet([_mosaic([s["cloth"] for s in samples], columns)])


def pairs_sheet(others: Sequence[Sample], columns: int = 3) -> Figure:
    """Triples in rows: a person, another garment, and the true picture of the person in it.

    `others` are unpaired samples with their truth.   Raises: ValueError without samples, or for one without truth.
    """
    return _sheet([_mosaic([_triple(s) for s in others], columns, gap=3 * GAP_PX)])


def hard_sheet(cases: Mapping[str, tuple[str, Sequence[Sample]]]) -> Figure:
    """A row a tag: its name and meaning, then triples as in `pairs_sheet`.

    `cases` maps a tag to its meaning and unpaired samples with truth.   Raises: ValueError as `pairs_sheet`.
    """
    rows = {tag: samples for tag, (_, samples) in cases.items() if samples}
    columns = max((len(s) for s in rows.values()), default=1)
    titles = [(tag, cases[tag][0]) for tag in rows]
    return _sheet([_mosaic([_triple(k) for k in s], columns, gap=3 * GAP_PX) for s in rows.values()], titles)


def by_tag(samples: Sequence[Sample], tags: Sequence[Sequence[str]], names: Sequence[str], each: int) -> dict:
    """The first `each` samples of every tag, no sample twice, rare tags first; tags nobody has are left out."""
    taken: set[int] = set()
    found: dict[str, list[Sample]] = {}
    for name in sorted(names, key=lambda n: (sum(n in row for row in tags), n)):
        rows = [k for k, row in enumerate(tags) if name in row and k not in taken][:each]
        taken.update(rows)
        found[name] = [samples[k] for k in rows]
    return {name: found[name] for name in names if found[name]}


def _triple(sample: Sample) -> np.ndarray:
    if "truth_image" not in sample:
        raise ValueError(f"{sample['name']}: found no truth, wanted the person in the other garment")
    return _mosaic([sample[k] for k in ("image", "cloth", "truth_image")], 3, gap=2)


def _mosaic(pictures: Sequence[Tensor | np.ndarray], columns: int, gap: int = GAP_PX) -> np.ndarray:
    """Pictures of one size in rows on white.   Shape: (3, H, W) in [-1, 1] or (H, W, 3) in [0, 1] -> (H', W', 3)."""
    if not pictures:
        raise ValueError("found no pictures, wanted at least one for a sheet")
    arrays = [as_array(p) if isinstance(p, Tensor) else p for p in pictures]
    height, width = arrays[0].shape[:2]
    columns = min(columns, len(arrays))
    rows = -(-len(arrays) // columns)
    out = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 1.0)
    for k, array in enumerate(arrays):
        top, left = k // columns * (height + gap), k % columns * (width + gap)
        out[top : top + height, left : left + width] = array
    return out


def _sheet(mosaics: Sequence[np.ndarray], titles: Sequence[tuple[str, str]] = ()) -> Figure:
    """Mosaics below each other, each under its title: a name and what it means."""
    above = TITLE_PX if titles else 0
    width = max(m.shape[1] for m in mosaics) + 2 * MARGIN_PX
    height = sum(m.shape[0] + above + MARGIN_PX for m in mosaics) + MARGIN_PX
    figure = Figure(figsize=(width / DPI, height / DPI), layout=NO_LAYOUT)
    left, top = MARGIN_PX / width, MARGIN_PX
    for k, mosaic in enumerate(mosaics):
        tall, wide = mosaic.shape[:2]
        if titles:
            line = 1 - (top + 0.5 * above) / height
            figure.text(left, line, titles[k][0], fontsize=11.5, va="center")
            figure.text(left + NAME_PX / width, line, titles[k][1], fontsize=9.5, color=SOFT, va="center")
        axes = figure.add_axes((left, 1 - (top + above + tall) / height, wide / width, tall / height))
        axes.imshow(mosaic, interpolation="none", aspect="auto")
        axes.set_axis_off()
        top += above + tall + MARGIN_PX
    return figure
