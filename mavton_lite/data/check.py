"""`check`: everything that is wrong with a data set folder, at once and by name, before a training run finds out."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from mavton_lite.data import decode, detect_layout
from mavton_lite.data.facts import FACTS, read_facts
from mavton_lite.data.folder import (
    KEYPOINTS_ENDING,
    PICTURE_ENDINGS,
    SPLITS,
    TRUTH_ENDING,
    Layout,
    index_folder,
    numbered_lines,
    parse_pair,
    stem,
)
from mavton_lite.data.viton import VITON
from mavton_lite.terminal import printable

PUBLISHED = ("train", "test")  # the splits that every data set has
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: where, what was found, what was wanted."""

    path: str  # relative to the data set where it lies inside; a pair list has its line: `train_pairs.txt:7`
    found: str
    wanted: str

    def __str__(self) -> str:
        return printable(f"{self.path}: found {self.found}, wanted {self.wanted}")


@dataclass(frozen=True)
class _Folder:
    """One folder of a split, what its files are and whose partners they have to be."""

    path: Path
    kind: str  # picture, mask, parse, keypoints, warp, body
    of: str  # person or cloth: files of one name in folders of one `of` are partners
    endings: tuple[str, ...]
    parents: bool = True  # do its files ask for partners, or are they only asked for?


def check(root: Path, progress: bool = False) -> list[Problem]:
    """Every problem of a VITON, CP-VTON, VITON-HD or Atelier folder, sorted by file; an empty list means it is sound.

    Looks at every file: missing folders, partners and lists; malformed, doubled or outward-pointing pair lines; links
    out of the folder; unreadable, truncated or differently sized pictures; unknown labels; bad JSON, wrong numbers of
    key points; empty garment masks; bad warps, body truths and facts.
    """
    root = Path(root)
    problems: list[Problem] = []
    try:
        layout = detect_layout(root)
    except ValueError as error:
        problems.append(_problem(root, root, error))
        if not any((root / split).is_dir() for split in SPLITS):
            return problems
        layout = VITON  # the most common one: the rest can be looked at all the same
    jobs: list[tuple[_Folder, Path]] = []
    for split in SPLITS:
        if split not in PUBLISHED and not (root / split).is_dir() and not any(root.glob(f"{split}_pairs*.txt")):
            continue
        people, clothes = _check_lists(root, layout, split, problems)
        if (root / split).is_dir():
            jobs += _check_folders(root, layout, split, {"person": people, "cloth": clothes}, problems)
        else:
            problems.append(Problem(split, "no such folder", f"the {split} split of the {layout.name} layout"))
        _check_facts(root, split, people, problems)
    problems += _check_contents(root, layout, jobs, progress)
    return sorted(set(problems), key=lambda p: ([int(t) if t.isdigit() else t for t in _DIGITS.split(p.path)], p.found))


def _relative(root: Path, path: Path | str) -> str:
    return os.path.relpath(path, root)


def _check_lists(root: Path, layout: Layout, split: str, problems: list[Problem]) -> tuple[set[str], set[str]]:
    """The names of persons and garments that the split's pair lists ask for, a person's own garment included."""
    people: set[str] = set()
    clothes: set[str] = set()
    for name in (f"{split}_pairs.txt", f"{split}_pairs_same.txt"):
        path = root / name
        if not path.is_file():
            if not name.endswith("_same.txt"):
                problems.append(Problem(name, "no such file", "a list of lines 'person.jpg cloth.jpg'"))
            continue
        try:
            lines = numbered_lines(path)
        except ValueError as error:
            problems.append(_problem(root, path, error))
            continue
        if not lines:
            problems.append(Problem(name, "no pairs", "at least one line 'person.jpg cloth.jpg'"))
        names_own = layout.lists_are_paired and (split == "train" or (root / f"{split}_pairs_same.txt").is_file())
        seen: dict[tuple[str, str], int] = {}
        for number, line in lines:
            try:
                pair = parse_pair(line)
            except ValueError as error:
                problems.append(_problem(root, f"{path}:{number}", error))
                continue
            if (first := seen.setdefault(pair, number)) != number:
                problems.append(Problem(f"{name}:{number}", f"the pair of line {first} again", "every pair once"))
            people.add(stem(pair[0]))
            clothes.add(stem(pair[1]))
            try:
                clothes |= set() if names_own else {stem(layout.own_cloth(pair[0]))}
            except ValueError as error:
                problems.append(_problem(root, f"{path}:{number}", error))
    return people, clothes


def _check_facts(root: Path, split: str, people: set[str], problems: list[Problem]) -> None:
    """The Atelier's facts, where a split has them: sound, and one for every person."""
    path = root / split / FACTS
    if not path.is_file():
        return
    try:
        count = sum(1 for _ in read_facts(path))
    except ValueError as error:
        problems.append(_problem(root, path, error))
        return
    if count != len(people):
        problems.append(Problem(_relative(root, path), f"{count} examples", f"{len(people)}, as many as are listed"))


def _problem(root: Path, path: Path | str, error: ValueError) -> Problem:
    """A reader's error, 'path: found x, wanted y', as a problem."""
    found, _, wanted = str(error).removeprefix(f"{path}: ").removeprefix("found ").rpartition(", wanted ")
    where = str(root) if path == root else _relative(root, path)
    return Problem(where, found.replace(str(root) + os.sep, ""), wanted)


def _folders(root: Path, layout: Layout, split: str) -> Iterator[_Folder]:
    base = root / split
    yield _Folder(base / "image", "picture", "person", PICTURE_ENDINGS)
    yield _Folder(layout.folder(base, "parse"), "parse", "person", (".png",))
    yield _Folder(layout.folder(base, "pose"), "keypoints", "person", (KEYPOINTS_ENDING,))
    yield _Folder(base / "cloth", "picture", "cloth", PICTURE_ENDINGS)
    yield _Folder(base / "cloth-mask", "mask", "cloth", PICTURE_ENDINGS)
    truths = (
        ("warp-truth", "warp", TRUTH_ENDING),
        ("body-truth", "body", TRUTH_ENDING),
        ("tryon-truth/image", "picture", PICTURE_ENDINGS),
        ("tryon-truth/image-parse", "parse", ".png"),
        ("tryon-truth/warp", "warp", TRUTH_ENDING),
    )
    for name, kind, endings in truths:
        if (base / name.split("/")[0]).is_dir():
            those = (endings,) if isinstance(endings, str) else endings
            yield _Folder(base / name, kind, "person", those, parents=False)


def _check_folders(
    root: Path, layout: Layout, split: str, listed: dict[str, set[str]], problems: list[Problem]
) -> list[tuple[_Folder, Path]]:
    """Missing folders and partners, doubles and links; returns the files whose contents are to be looked at."""
    found: dict[_Folder, dict[str, list[str]]] = {}
    for folder in _folders(root, layout, split):
        if folder.path.is_dir():
            found[folder] = index_folder(folder.path, *folder.endings)
        else:
            problems.append(Problem(_relative(root, folder.path), "no such folder", f"the {layout.name} layout"))
    jobs = []
    for folder, files in found.items():
        listed_here = listed[folder.of]
        others = {n for f, names in found.items() if f.of == folder.of and f.parents and f != folder for n in names}
        for name in sorted((listed_here | others) - set(files)):
            why = "a file for every pair" if name in listed_here else f"a partner of the other {folder.of} files"
            problems.append(Problem(_relative(root, folder.path / (name + folder.endings[0])), "no such file", why))
        outside_folder = _leads_out(root, folder.path)
        if outside_folder:
            problems.append(_link_problem(root, folder.path))
        for names in files.values():
            for double in names[1:]:
                where = _relative(root, folder.path / double)
                problems.append(Problem(where, f"a double of {names[0]}", "one file for every name"))
            for name in names:
                path = folder.path / name
                if not outside_folder and path.is_symlink() and _leads_out(root, path):
                    problems.append(_link_problem(root, path))
                else:
                    jobs.append((folder, path))
    return jobs


def _leads_out(root: Path, path: Path) -> bool:
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _link_problem(root: Path, path: Path) -> Problem:
    return Problem(_relative(root, path), "a link that leads out of the data set", "files inside it")


def _check_contents(root: Path, layout: Layout, jobs: list, progress: bool) -> list[Problem]:
    """Decode every file, by threads; sizes are compared with the most frequent size of a person's picture."""

    def look(job: tuple[_Folder, Path]) -> tuple[tuple[int, int] | None, list[tuple[str, str]]]:
        folder, path = job
        try:
            return _LOOKS[folder.kind](path, layout)
        except ValueError as error:
            problem = _problem(root, path, error)
            return None, [(problem.found, problem.wanted)]

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        results = list(tqdm(pool.map(look, jobs), "checking", len(jobs), unit="file", disable=not progress))
    people = Counter(size for (folder, _), (size, _) in zip(jobs, results, strict=True) if size and _is_person(folder))
    usual = people.most_common(1)[0][0] if people else None
    problems = []
    for (_, path), (size, complaints) in zip(jobs, results, strict=True):
        if size and usual and size != usual:
            complaints = [
                *complaints,
                (f"{size[1]} x {size[0]} pixels", f"{usual[1]} x {usual[0]} (width x height), as most pictures have"),
            ]
        problems += [Problem(_relative(root, path), *complaint) for complaint in complaints]
    return problems


def _is_person(folder: _Folder) -> bool:
    return folder.kind == "picture" and folder.of == "person" and folder.parents


def _look_at_picture(path: Path, layout: Layout) -> tuple:
    return decode.open_picture(path).size[::-1], []


def _look_at_mask(path: Path, layout: Layout) -> tuple:
    size = decode.open_picture(path).size[::-1]
    empty = not decode.read_mask(path, size).any()
    return size, [("an empty mask", f"a garment of grey values >= {decode.MASK_THRESHOLD}")] if empty else []


def _look_at_parse(path: Path, layout: Layout) -> tuple:
    labels = decode.read_labels(path)
    unknown = decode.unknown_labels(labels, layout.highest_label)
    wanted = f"{layout.name} label ids 0..{layout.highest_label}"
    return labels.shape, [(f"labels {unknown}", wanted)] if unknown else []


def _look_at_keypoints(path: Path, layout: Layout) -> tuple:
    decode.read_keypoints(path, (1, 1), (1, 1))
    return None, []


def _look_at_body(path: Path, layout: Layout) -> tuple:
    return decode.read_body(path)[0].shape, []


def _look_at_warp(path: Path, layout: Layout) -> tuple:
    return decode.read_stored_warp(path).shape[1:], []


_LOOKS: dict[str, Callable[[Path, Layout], tuple]] = {
    "picture": _look_at_picture,
    "mask": _look_at_mask,
    "parse": _look_at_parse,
    "keypoints": _look_at_keypoints,
    "warp": _look_at_warp,
    "body": _look_at_body,
}
