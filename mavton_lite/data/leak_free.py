"""VITON without its leak: most of its test people are also training people, and some are not."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from mavton_lite.data.folder import FolderDataset, stem

LIST = Path(__file__).with_name("viton_leak_free.txt")
NAME = "leak-free"


@cache
def leak_free_people() -> frozenset[str]:
    """Names of VITON's 416 test persons who are in no training picture, such as "000038_0"; the file tells its source.

    Raises: ValueError when the file is not there.
    """
    try:
        lines = LIST.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{LIST}: found {error}, wanted the list that comes with the package") from None
    return frozenset(stem(line.strip()) for line in lines if line.strip() and not line.startswith("#"))


class LeakFree:
    """Of VITON's test split the examples whose person is in no training picture; a data set as the whole is.

    Their garment, unpaired, may be a training garment: the list is of people.
    """

    subset = NAME

    def __init__(self, dataset: FolderDataset, indices: list[int]):
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]


def leak_free(dataset: FolderDataset) -> LeakFree | None:
    """The leak-free part of VITON's test split; None for any other data set or split, and where nobody is on the list.

    The Atelier's files have VITON's names and none of its people; its manifest tells the two apart.
    """
    if dataset.layout.name != "VITON" or dataset.split != "test" or (dataset.root / "manifest.json").exists():
        return None
    people = leak_free_people()
    indices = [i for i in range(len(dataset)) if dataset.names(i)[0] in people]
    return LeakFree(dataset, indices) if indices else None
