"""Which files of a folder form one try-on example: the mechanism behind every data set on disk.

A `Layout` names the folders and the naming rules of one published data set (`viton.py`, `viton_hd.py`); a
`FolderDataset` follows a layout's pair list and returns a `Sample` an index.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch.utils.data import Dataset

from mavton_lite.data import decode
from mavton_lite.data.facts import FACTS, read_tags
from mavton_lite.data.sample import Sample
from mavton_lite.files import read_text

Split = Literal["train", "test", "val", "hard"]  # published data sets have the first two
Pairs = Literal["paired", "unpaired"]
SPLITS: tuple[Split, ...] = get_args(Split)

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png")
KEYPOINTS_ENDING = "_keypoints.json"
TRUTH_ENDING = ".npz"


@dataclass(frozen=True)
class Layout:
    """Folders and names of one published data set; of alternative folder names the first that exists is read."""

    name: str
    parse: tuple[str, ...]
    pose: tuple[str, ...]
    highest_label: int
    own_cloth: Callable[[str], str]  # file name of a person -> file name of the garment in the picture
    lists_are_paired: bool  # do train_pairs.txt and SPLIT_pairs_same.txt name a person's own garment?

    def lists(self, split: Split, pairs: Pairs) -> tuple[str, ...]:
        """The pair lists that may answer, the best first."""
        if split != "train" and pairs == "paired" and self.lists_are_paired:
            return (f"{split}_pairs_same.txt", f"{split}_pairs.txt")
        return (f"{split}_pairs.txt",)

    def folder(self, split_dir: Path, kind: Literal["parse", "pose"]) -> Path:
        """The folder of that kind; where none exists, the path of the preferred one."""
        names = getattr(self, kind)
        return next((split_dir / n for n in names if (split_dir / n).is_dir()), split_dir / names[0])


def is_plain_name(name: str) -> bool:
    """Is this a bare file name, one that cannot lead out of its folder?"""
    return name not in ("", ".", "..") and not re.search(r"[/\\\0]", name) and not re.match(r"[A-Za-z]:", name)


def parse_pair(line: str) -> tuple[str, str]:
    """The person's and the garment's file name of one line of a pair list.   Raises: ValueError when malformed."""
    fields = line.split()
    if len(fields) != 2:
        raise ValueError(f"found {len(fields)} fields in {line.strip()[:80]!r}, wanted 'person.jpg cloth.jpg'")
    for name in fields:
        if not is_plain_name(name):
            raise ValueError(f"found {name[:80]!r}, which points outside the folder, wanted a plain file name")
        if not name.lower().endswith(PICTURE_ENDINGS):
            raise ValueError(f"found {name[:80]!r}, wanted a name ending in {', '.join(PICTURE_ENDINGS)}")
    return fields[0], fields[1]


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The non-empty lines of a text file with their numbers from 1.   Raises: ValueError when it cannot be read."""
    lines = read_text(path, "wanted a list of pairs").splitlines()
    return [(i, line) for i, line in enumerate(lines, 1) if line.strip()]


def read_pairs(layout: Layout, root: Path, split: Split, pairs: Pairs) -> list[tuple[str, str]]:
    """The (person, garment) file names of one split, in the order of its list.

    Where every line of a list is a person's own garment (VITON's training split), `unpaired` exchanges the garments of
    neighbours: line k gets the garment of line k XOR 1.
    Raises: ValueError naming the list and the line.
    """
    names = layout.lists(split, pairs)
    path = next((root / n for n in names if (root / n).is_file()), None)
    if path is None:
        raise ValueError(f"{root}: found none of {', '.join(names)}, wanted the pairs of the {split} split")
    result = []
    for number, line in numbered_lines(path):
        try:
            result.append(parse_pair(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    if not result:
        raise ValueError(f"{path}: found no pairs, wanted at least one line 'person.jpg cloth.jpg'")
    as_listed = layout.lists_are_paired and (split == "train" or path.name.endswith("_same.txt"))
    if pairs == "paired":
        return result if as_listed else [(person, layout.own_cloth(person)) for person, _ in result]
    if as_listed or (not layout.lists_are_paired and all(c == layout.own_cloth(p) for p, c in result)):
        if len(result) < 2:
            raise ValueError(f"{path}: found one line, wanted at least two to exchange garments between")
        last = len(result) - 1
        return [(person, result[k ^ 1 if k ^ 1 <= last else 0][1]) for k, (person, _) in enumerate(result)]
    return result


def index_folder(folder: Path, *endings: str) -> dict[str, list[str]]:
    """Name without its ending -> the files of that name in a folder; hidden files and other endings are left out."""
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):
        ending = next((e for e in endings if name.lower().endswith(e)), None)
        if ending and not name.startswith("."):
            found.setdefault(name[: -len(ending)], []).append(name)
    return found


def stem(name: str) -> str:
    """A file name without its ending."""
    return os.path.splitext(name)[0]


def is_other_garment(person: str, cloth: str) -> bool:
    """Is this the garment of the Atelier's other picture of this person: the number with its lowest bit flipped?"""
    mine, given = (re.match(r"\d+", name) for name in (person, cloth))
    return bool(mine and given and int(mine[0]) ^ 1 == int(given[0]))


class FolderDataset(Dataset):
    """The examples of one split of a data set on disk, read when asked for.

    Every item is a `Sample` of `size`; all items have the same keys. `truth_*` keys: on paired examples the person's
    own picture and parse, and the true warp where `warp-truth/` has it; on unpaired ones what `tryon-truth/` knows.
    `tags`: where the Atelier wrote down what makes the example hard.
    Raises: ValueError naming the file, what was found and what was wanted.
    """

    def __init__(self, layout: Layout, root: Path, split: Split, pairs: Pairs, size: tuple[int, int]):
        self.layout, self.root, self.split, self.pairs = layout, Path(root), split, pairs
        self.size = (int(size[0]), int(size[1]))
        if min(self.size) < 1:
            raise ValueError(f"size: found {size}, wanted (height, width) in pixels")
        self.examples = read_pairs(layout, self.root, split, pairs)
        split_dir = self.root / split
        people, clothes = ([stem(e[i]) for e in self.examples] for i in (0, 1))
        self._files = {
            "image": self._find(split_dir / "image", people, *PICTURE_ENDINGS),
            "parse": self._find(layout.folder(split_dir, "parse"), people, ".png"),
            "pose": self._find(layout.folder(split_dir, "pose"), people, KEYPOINTS_ENDING),
            "cloth": self._find(split_dir / "cloth", clothes, *PICTURE_ENDINGS),
            "cloth_mask": self._find(split_dir / "cloth-mask", clothes, *PICTURE_ENDINGS),
        }
        truth = split_dir / "tryon-truth"
        if pairs == "paired":
            self._find_truth("truth_warp", split_dir / "warp-truth", people, TRUTH_ENDING)
        elif truth.is_dir() and all(is_other_garment(*e) for e in self.examples):
            self._find_truth("truth_image", truth / "image", people, *PICTURE_ENDINGS)
            self._find_truth("truth_parse", truth / "image-parse", people, ".png")
            self._find_truth("truth_warp", truth / "warp", people, TRUTH_ENDING)
        # tags of an unpaired example are about the person and the Atelier's other garment for them
        told = (split_dir / FACTS).is_file() and (pairs == "paired" or all(is_other_garment(*e) for e in self.examples))
        self._tags = read_tags(split_dir / FACTS, people, pairs) if told else None

    def _find_truth(self, key: str, folder: Path, names: list[str], *endings: str) -> None:
        if folder.is_dir():
            self._files[key] = self._find(folder, names, *endings)

    def _find(self, folder: Path, names: list[str], *endings: str) -> list[str]:
        """The path of each name in a folder; the listing is read once, whatever the number of examples."""
        if not folder.is_dir():
            raise ValueError(f"{folder}: found no such folder, wanted the {self.layout.name} layout")
        found = index_folder(folder, *endings)
        missing = sorted({n for n in names if n not in found})
        if missing:
            others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise ValueError(
                f"{folder / (missing[0] + endings[0])}: found no such file{others}, wanted one for every pair; "
                f"`mavton data check {self.root}` lists all problems"
            )
        return [os.path.join(folder, found[n][0]) for n in names]

    def __len__(self) -> int:
        return len(self.examples)

    def arrays(self, index: int) -> dict:
        """The example as it is best kept: pictures uint8, labels uint8, key points and warps float32."""
        files, size = {k: v[index] for k, v in self._files.items()}, self.size
        image = decode.open_picture(Path(files["image"]))
        readers = {
            "image": lambda f: decode.as_picture(image, size),
            "cloth": lambda f: decode.read_picture(f, size),
            "cloth_mask": lambda f: decode.read_mask(f, size),
            "parse": lambda f: decode.read_parse(f, size, self.layout.highest_label),
            "pose": lambda f: decode.read_keypoints(f, image.size[::-1], size),
            "truth_image": lambda f: decode.read_picture(f, size),
            "truth_parse": lambda f: decode.read_parse(f, size, self.layout.highest_label),
            "truth_warp": lambda f: decode.read_warp(f, size),
        }
        arrays = {k: readers[k](f) for k, f in files.items()}
        arrays["keypoints"] = arrays.pop("pose")
        if self.pairs == "paired":  # the person wears this cloth: the picture is its own truth
            arrays["truth_image"], arrays["truth_parse"] = arrays["image"], arrays["parse"]
        return arrays

    def names(self, index: int) -> tuple[str, str]:
        """The person's and the garment's file name without their endings."""
        return stem(self.examples[index][0]), stem(self.examples[index][1])

    def words(self, index: int) -> dict[str, Any]:
        """What of a `Sample` is no tensor."""
        name, cloth_name = self.names(index)
        tags = {} if self._tags is None else {"tags": list(self._tags[index])}
        return {"name": name, "cloth_name": cloth_name, **tags}

    def __getitem__(self, index: int) -> Sample:
        tensors = {k: torch.tensor(v) for k, v in self.arrays(index).items()}
        example: Any = {**self.words(index), **to_sample_types(tensors)}
        return example


def _signed(grey: torch.Tensor) -> torch.Tensor:
    return grey.float().div_(127.5).sub_(1)  # 0..255 -> [-1, 1] in place: this is most of a batch's cost


def to_sample_types(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compact tensors, one example's or a batch's, with the types and ranges of a `Sample`."""
    convert = {
        "image": _signed,
        "cloth": _signed,
        "truth_image": _signed,
        "cloth_mask": torch.Tensor.float,
        "parse": torch.Tensor.long,
        "truth_parse": torch.Tensor.long,
    }
    return {k: convert[k](t) if k in convert else t for k, t in tensors.items()}
