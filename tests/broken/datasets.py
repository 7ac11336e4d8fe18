"""Broken poses, warps, pair lists, facts and manifests of a data set."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from broken.case import ODD, Case, odd_file, written

from mavton_lite.config import SEED
from mavton_lite.data import open_dataset
from mavton_lite.data.atelier import write_world
from mavton_lite.data.atelier.example import World
from mavton_lite.data.decode import read_body, read_keypoints, read_warp
from mavton_lite.data.facts import read_facts
from mavton_lite.data.folder import read_pairs
from mavton_lite.data.viton import VITON
from mavton_lite.trained import data_digest

SIZE = (64, 48)


class Trap:
    """Pickled, it makes a folder when it is read by a reader that runs what files say."""

    def __reduce__(self):
        return (Path("sprung").mkdir, ())


def _person(numbers, key: str = "pose_keypoints_2d"):
    return {"people": [{key: numbers}]}


POSES = {
    "nothing": b"", "a text": b"hello", "cut": b'{"people": [', "not UTF-8": b'{"people": "\xff\xfe"}',
    "nested": b"[" * 200_000, "a giant number": b'{"people": ' + b"9" * 10_000 + b"}", "null": None, "a number": 3,
    "a list": [], "no people": {}, "empty people": {"people": []}, "people null": {"people": None},
    "people a text": {"people": "me"}, "person a number": {"people": [1]}, "person empty": {"people": [{}]},
    "points null": _person(None), "points a text": _person("x" * 54), "points an object": _person({"0": 1}),
    "no points": _person([]), "53 numbers": _person([1.0] * 53), "57 numbers": _person([1.0] * 57),
    "a million numbers": _person([1] * 1_000_000), "texts": _person(["1"] * 54), "truths": _person([True] * 54),
    "nulls": _person([None] * 54), "lists": _person([[1, 2, 3]] * 18), "lists of 54": _person([[1.0]] * 54),
    "NaN": _person([float("nan")] * 54), "infinite": _person([float("inf")] * 54), "huge": _person([1e300] * 54),
    "beyond any float": _person([10**400] * 54), "face only": _person([1.0] * 54, "face_keypoints_2d"),
    "5 megabytes of blanks": b" " * (5 << 20),
}  # fmt: skip
LINES = {
    "one field": "a_0.jpg", "three fields": "a_0.jpg a_1.jpg x", "up": "../a_0.jpg a_1.jpg",
    "up in the middle": "x/../../a_0.jpg a_1.jpg", "a folder": "image/a_0.jpg a_1.jpg",
    "absolute": "/etc/a_0.jpg a_1.jpg",
    "Windows drive": "C:a_0.jpg a_1.jpg", "Windows path": "..\\a_0.jpg a_1.jpg", "two dots": ".. a_1.jpg",
    "home": "~/a_0.jpg a_1.jpg", "cloth up": "a_0.jpg ../../etc/passwd.jpg", "cloth absolute": "a_0.jpg /dev/zero.jpg",
    "NUL": "a_0\0.jpg a_1.jpg", "an address": "https://x/a_0.jpg a_1.jpg", "no ending": "a_0 a_1",
    "another ending": "a_0.jpg a_1.svg", "a script": "a_0.jpg a_1.jpg.sh", "HTML": "<script>.jpg <b>/x.jpg",
    "megabytes": "x" * (1 << 20),
}  # fmt: skip
FACTS = {
    "a text": "hello", "an empty line": "\n", "a list": "[]", "no tags": '{"index": 0}', "tags null":
    '{"index": 0, "tags": null}', "tags of one kind": '{"index": 0, "tags": {"paired": []}}',
    "another index": '{"index": 7, "tags": {"paired": [], "unpaired": []}}',
    "tags of numbers": '{"index": 0, "tags": {"paired": [1], "unpaired": []}}', "nested": "[" * 100_000,
}  # fmt: skip
_WORLD = {"world": World(SEED, *SIZE).card(), "counts": {}, "bytes": 1, "sha256": {}}
MANIFESTS = {
    "a text": ("hello", "JSON"), "a list": ("[]", "list"), "empty": ("{}", "world"),
    "world null": (json.dumps(_WORLD | {"world": None}), "world: found 'None'"),
    "counts a number": (json.dumps(_WORLD | {"counts": 3}), "counts: found '3'"),
    "bytes a text": (json.dumps(_WORLD | {"bytes": "x"}), "bytes: found 'x'"),
    "bytes true": (json.dumps(_WORLD | {"bytes": True}), "bytes: found 'True'"),
    "no digests": (json.dumps({k: v for k, v in _WORLD.items() if k != "sha256"}), "sha256: found none"),
    "another world": (json.dumps(_WORLD | {"world": {}}), "holds the world"),
}
JOURNALS = {
    "a text": "hello\n", "a list": "[]\n", "no world": "{}\n", "world null": '{"world": null}\n',
    "another world": '{"world": {}}\n', "not UTF-8": b"\xff\xfe\n",
}  # fmt: skip


def packed(kind: str) -> bytes:
    """An npz that is none, or not that of a warp."""
    out = io.BytesIO()
    if kind == "bomb":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("warp.npy", "w") as entry:
            head = {"descr": "<i2", "fortran_order": False, "shape": (2, 16_384, 16_384)}
            np.lib.format.write_array_header_1_0(entry, head)
            for _ in range(1024):
                entry.write(bytes(1 << 20))
    elif kind == "says it is giant":
        with zipfile.ZipFile(out, "w") as archive, archive.open("warp.npy", "w") as entry:
            np.lib.format.write_array_header_1_0(
                entry, {"descr": "<i2", "fortran_order": False, "shape": (2, 2**30, 2**10)}
            )
    elif kind == "pickle":
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("warp.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, "
                             b"'shape': (1,), }".ljust(127) + b"\n" + pickle.dumps(Trap()))  # fmt: skip
            archive.writestr("warp", pickle.dumps(Trap()))
    else:
        arrays = {
            "floats": np.zeros((2, 4, 4)), "three layers": np.zeros((3, 4, 4), np.int16), "flat": np.zeros(8, np.int16),
            "nothing": np.zeros((2, 0, 4), np.int16), "a number": np.int16(3), "objects": np.array([object()]),
            "texts": np.array(["a"]),
        }  # fmt: skip
        np.savez(out, **({"other": np.zeros(1)} if kind == "no warp" else {"warp": arrays[kind]}))
    return out.getvalue()


ARCHIVES = ("bomb", "says it is giant", "pickle", "floats", "three layers", "flat", "nothing", "a number", "objects",
            "texts", "no warp")  # fmt: skip


def cases() -> Iterator[Case]:
    """Every broken file of a data set that is no picture."""
    for name, content in POSES.items():
        yield Case("poses", name, partial(_pose, content), (r"a_0_keypoints\.json: found", "54 or 75 numbers"))
    for what in ODD:
        yield Case("poses", what, partial(_odd_pose, what), ("found", "54 or 75 numbers"))
    for kind in ARCHIVES:
        yield Case("warps", kind, partial(_warp, packed(kind), read_warp), (r"a\.npz: found", "wanted an npz"))
    for name, content in {"empty": b"", "a text": b"PK", "half": packed("flat")[:90]}.items():
        yield Case("warps", name, partial(_warp, content, read_warp), (r"a\.npz: found", "wanted an npz"))
        yield Case("bodies", name, partial(_warp, content, _body), (r"a\.npz: found", "'depth'"))
    for name, line in LINES.items():
        content = f"a_0.jpg a_1.jpg\n{line}\n".encode()
        yield Case("pairs", name, partial(_pairs, content), (r"train_pairs\.txt, line 2",))
    for name, content in {"empty": b"", "blank": b"\n \n", "not UTF-8": b"\xff\xfe\xfa"}.items():
        yield Case("pairs", name, partial(_pairs, content), (r"train_pairs\.txt: found", "wanted"))
    for name, line in FACTS.items():
        yield Case("facts", name, partial(_facts, line), (r"examples\.jsonl: found", "line 1", "wanted facts"))
    for name, (content, field) in MANIFESTS.items():
        yield Case("manifests", name, partial(_world, "manifest.json", content), (r"manifest\.json: ", field))
    for name, content in {"a list": "[]", "digests a text": '{"sha256": "x"}', "empty": ""}.items():
        yield Case("manifests", f"{name}, for a digest", partial(_digest, content), (r"manifest\.json: ",))
    for name, content in JOURNALS.items():
        yield Case("manifests", f"journal: {name}", partial(_world, "journal.jsonl", content), (r"journal\.jsonl",))
    for name in ("nothing", "a file", "empty"):
        yield Case("folders", name, partial(_folder, name), ("found", "wanted"))


def _pose(content, folder: Path):
    path = written(folder, "a_0_keypoints.json", json.dumps(content) if not isinstance(content, bytes) else content)
    return partial(read_keypoints, path, SIZE, SIZE)


def _odd_pose(what: str, folder: Path):
    return partial(read_keypoints, odd_file(folder / "a_0_keypoints.json", what), SIZE, SIZE)


def _body(path: Path, size: tuple[int, int]):
    return read_body(path)


def _warp(content: bytes, read, folder: Path):
    return partial(read, written(folder, "a.npz", content), SIZE)


def _pairs(content: bytes, folder: Path):
    written(folder, "train_pairs.txt", content)
    return partial(read_pairs, VITON, folder, "train", "paired")


def _facts(line: str, folder: Path):
    path = written(folder, "examples.jsonl", line + "\n")
    return lambda: list(read_facts(path))


def _world(name: str, content, folder: Path):
    written(folder, f"world/{name}", content)
    return partial(write_world, folder / "world", 2, 2, *SIZE, workers=1, progress=False)


def _digest(content: str, folder: Path):
    written(folder, "manifest.json", content)
    return partial(data_digest, folder)


def _folder(name: str, folder: Path):
    root = folder / "set"
    if name == "a file":
        root.write_bytes(b"")
    elif name == "empty":
        root.mkdir()
    return partial(open_dataset, root, "train", "paired", SIZE)
