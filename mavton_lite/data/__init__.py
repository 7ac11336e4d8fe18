"""Where examples come from: `open_dataset` reads a folder, `Cached` keeps it in memory."""

from __future__ import annotations

from pathlib import Path

from mavton_lite.data.cache import Cached
from mavton_lite.data.folder import SPLITS, FolderDataset, Layout, Pairs, Split
from mavton_lite.data.sample import Sample, collate
from mavton_lite.data.viton import VITON
from mavton_lite.data.viton_hd import VITON_HD

__all__ = ["LAYOUTS", "Cached", "Sample", "collate", "detect_layout", "open_dataset"]

LAYOUTS = (VITON, VITON_HD)


def detect_layout(root: Path) -> Layout:
    """The published layout a folder follows, told by the name of its key point folder.

    Raises: ValueError naming the folders that were looked for.
    """
    root = Path(root)
    for layout in LAYOUTS:
        if any((root / split / name).is_dir() for split in SPLITS for name in layout.pose):
            return layout
    wanted = "; ".join(f"{layout.name}: train|test/{' or '.join(layout.pose)}" for layout in LAYOUTS)
    found = "no such folder" if not root.is_dir() else "no known folder of key points"
    raise ValueError(f"{root}: found {found}, wanted one of {wanted}")


def open_dataset(root: Path, split: Split, pairs: Pairs, size: tuple[int, int]) -> FolderDataset:
    """One split of a VITON, CP-VTON, VITON-HD or Atelier folder, as `Sample`s of `size` (height, width).

    `paired`: everybody with the garment of the picture; `unpaired`: with another one.
    Raises: ValueError naming the file, what was found and what was wanted.
    """
    if split not in SPLITS:
        raise ValueError(f"split: found {split!r}, wanted one of {', '.join(SPLITS)}")
    if pairs not in ("paired", "unpaired"):
        raise ValueError(f"pairs: found {pairs!r}, wanted 'paired' or 'unpaired'")
    return FolderDataset(detect_layout(root), Path(root), split, pairs, size)
