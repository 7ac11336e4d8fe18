"""A contact sheet of any data set on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mavton_lite.data import open_dataset
from mavton_lite.data.decode import open_picture
from mavton_lite.data.folder import PICTURE_ENDINGS, Split, index_folder
from mavton_lite.data.sample import Sample
from mavton_lite.plots.atelier import contact_sheet, parse_and_pose, picture
from mavton_lite.plots.style import set_gaps

SIZE = (256, 192)  # larger pictures are shown at that


def folder_sheet(root: Path, split: Split = "test", count: int = 8) -> Figure:
    """`count` examples, spread evenly over a split: all that the folder knows of each.

    An Atelier shows its truth, VITON and VITON-HD the person, the parse, and both garments.
    Raises: ValueError as `open_dataset` does, or for a count below 1.
    """
    if count < 1:
        raise ValueError(f"count: found {count}, wanted at least 1")
    root = Path(root)
    size = min(_picture_size(root / split / "image"), SIZE)
    own, other = (open_dataset(root, split, pairs, size) for pairs in ("paired", "unpaired"))
    rows = np.unique(np.linspace(0, len(own) - 1, min(count, len(own))).round().astype(int)).tolist()
    mine, new = [own[i] for i in rows], [other[i] for i in rows]
    if all("truth_warp" in sample for sample in (mine[0], new[0])):
        return contact_sheet(mine, new)
    return _plain_sheet(mine, new)


def _picture_size(folder: Path) -> tuple[int, int]:
    """(height, width) of the first picture of a folder."""
    names = index_folder(folder, *PICTURE_ENDINGS) if folder.is_dir() else {}
    if not names:
        raise ValueError(f"{folder}: found no pictures, wanted those of the persons")
    return open_picture(folder / next(iter(names.values()))[0]).size[::-1]


def _plain_sheet(own: list[Sample], other: list[Sample]) -> Figure:
    height, width = own[0]["image"].shape[1:]
    cell = 1.32
    figure = Figure(figsize=(cell * 5, cell * height / width * len(own) + 0.35), layout="constrained")
    set_gaps(figure, w_pad=0.015, h_pad=0.015, wspace=0, hspace=0)
    titles = ("person", "parse and pose", "own garment", "its mask", "another garment")
    for row, (axes, mine, new) in enumerate(
        zip(figure.subplots(len(own), len(titles), squeeze=False), own, other, strict=True)
    ):
        picture(axes[0], mine["image"])
        parse_and_pose(axes[1], mine["parse"], mine["keypoints"])
        picture(axes[2], mine["cloth"])
        picture(axes[3], mine["cloth_mask"][0].numpy())
        picture(axes[4], new["cloth"])
        if row == 0:
            for axis, title in zip(axes, titles, strict=True):
                axis.set_title(title, fontsize=9, loc="center")
    return figure
