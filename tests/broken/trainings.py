"""Broken checkpoints, cards, weights of others, records, notebooks and the list of figures."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from broken.case import ODD, Case, odd_file, written
from broken.datasets import Trap
from torch import nn

from mavton_lite import checkpoint, notebook_files, records, zoo
from mavton_lite.config import SMOKE, as_dict
from mavton_lite.convert import read_original
from mavton_lite.experiments import get_experiment
from mavton_lite.models.build import build_gmm
from mavton_lite.plots.publish import read_manifest
from mavton_lite.study import read_study
from mavton_lite.trained import finished, load, prepare_folder

_GONE = object()


def changed(content: dict, dotted: str, value: Any) -> dict:
    """A deep copy with another value at that place, or without it."""
    content = json.loads(json.dumps(content))
    *path, last = dotted.split(".")
    inner = content
    for name in path:
        inner = inner[name]
    if value is _GONE:
        del inner[last]
    else:
        inner[last] = value
    return content


def header_of(length: int, text: bytes, rest: bytes = b"") -> bytes:
    """A safetensors file of any head."""
    return struct.pack("<Q", length) + text + rest


_WHOLE = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
TENSORS = {
    "empty": b"", "a text": b"no tensors", "a giant head": header_of(2**62, b"{}"),
    "a head cut": header_of(100, b'{"a":'),
    "tensors cut": header_of(len(_WHOLE), _WHOLE, b"1234"), "too much": header_of(len(_WHOLE), _WHOLE, bytes(80)),
    "head no JSON": header_of(4, b"abcd"), "a pickle": pickle.dumps(Trap()),
    "not UTF-8": header_of(4, b"\xff\xfe\xfd\xfc"),
    "a giant tensor": header_of(66, b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,8]}}  ', bytes(8)),
    "backward": header_of(58, b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}    ', bytes(8)),
    "another type": header_of(58, b'{"a":{"dtype":"X99","shape":[2],"data_offsets":[0,8]}}    ', bytes(8)),
}  # fmt: skip
_HEADER = {"step": 1, "seconds": 1.0, "groups": {"n": []}, "schedulers": {}}
STATES = {
    "no head": None, "a list": [], "no step": {"seconds": 1.0}, "step a text": _HEADER | {"step": "x"},
    "step below zero": _HEADER | {"step": -1}, "seconds a text": _HEADER | {"seconds": "x"},
    "no groups": _HEADER | {"groups": {}}, "groups a list": _HEADER | {"groups": []},
    "other schedulers": _HEADER | {"schedulers": {"x": {}}}, "empty groups": _HEADER,
    "group a number": _HEADER | {"groups": {"n": [3]}},
}  # fmt: skip
_CONFIG = {"experiment": {}, "settings": {}, "seed": 1, "data": None, "gmm": None}
_FINAL = {"experiment": "gmm", "steps": 1, "seconds": 1.0, "weights_sha256": "x"}
FINALS = {
    "a list": ([], "list"), "a text": (b"hello", "JSON"), "no steps": (changed(_FINAL, "steps", _GONE),
    "steps: found none"),
    "steps a text": (_FINAL | {"steps": "1"}, "steps: found '1'"), "steps true": (_FINAL | {"steps": True},
    "steps: found"),
    "no experiment": (changed(_FINAL, "experiment", _GONE), "experiment: found none"),
    "digest null": (_FINAL | {"weights_sha256": None}, "weights_sha256: found 'None'"),
    "seconds a list": (_FINAL | {"seconds": []}, "seconds: found"),
}  # fmt: skip
_CARD = {"name": "odd", "experiment": "gmm", "profile": as_dict(SMOKE), "sha256": "0" * 64}
CARDS = {
    "no experiment": ("experiment", _GONE, "experiment: found none"), "experiment a list": ("experiment", [],
    "experiment"),
    "unknown experiment": ("experiment", "../x", "unknown experiment"),
    "no profile": ("profile", _GONE, "profile: found"),
    "profile a text": ("profile", "lite", "profile: found"), "no digest": ("sha256", _GONE, "sha256: found none"),
    "other weights": ("sha256", "0" * 64, "its card says"), "unknown setting": ("profile.gmm.mood", 1,
    "profile.gmm: unknown"),
    "name up": ("profile.name", "../../up", "profile.name: found"), "name absolute": ("profile.name", "/x",
    "profile.name"),
    "name empty": ("profile.name", "", "profile.name: found"), "no height": ("profile.height", _GONE, "profile.height"),
    "height a text": ("profile.height", "64", "profile.height: found '64'"), "height zero": ("profile.height", 0,
    "1 to 4096"),
    "height true": ("profile.height", True, "profile.height: found 'True'"),
    "height a giant": ("profile.height", 10**9, "4096"),
    "width below zero": ("profile.gmm.width", -8, "profile.gmm.width: found '-8'"),
    "width a giant": ("profile.gmm.width", 10**7, "profile.gmm.width"), "layers without end":
    ("profile.gmm.downs", 10**6, "profile.gmm.downs"), "grid a list": ("profile.gmm.grid", [5],
    "profile.gmm.grid: found"),
    "gmm null": ("profile.gmm", None, "profile.gmm: found 'None'"),
    "upsample unknown": ("profile.tom.upsample", "magic", "profile.tom.upsample: found 'magic'"),
    "labels a number": ("profile.person.kept_labels", 3, "kept_labels: found '3'"),
    "labels of texts": ("profile.person.kept_labels", ["a"], "kept_labels: found"),
    "grid of one number": ("profile.person.shape_grid", [16], "shape_grid: found"),
    "weight not finite": ("profile.loss.l1", float("inf"), "profile.loss.l1: found 'inf'"),
    "weight a text": ("profile.loss.l1", "1", "profile.loss.l1: found '1'"),
}  # fmt: skip
_RULES = {"pairs": "unpaired", "split": "test", "n": 2, "height": 64, "width": 48, "value_range": [0.0, 1.0],
"images": "a",
          "extractor": "", "extractor_sha256": "", "region_grow_px": 2, "band_px": 3, "profile": "smoke"}  # fmt: skip
_RECORD = {"model": "m", "protocol": _RULES, "values": {"ssim": [0.5, 0.6]}, "seed": 1, "commit": "c"}
RECORDS = {
    "no model": ("model", _GONE, "model: not there"), "model up": ("model", "../../x", "model: found"),
    "model absolute": ("model", "/etc/x", "model: found"), "model empty": ("model", "", "model: found"),
    "profile up": ("protocol.profile", "../x", "protocol.profile: found"),
    "split up": ("protocol.split", "../../x", "protocol.split: found"),
    "subset up": ("protocol.subset", "..", "protocol.subset: found"),
    "no protocol": ("protocol", _GONE, "protocol: not"),
    "protocol a list": ("protocol", [], "protocol: found"), "n below one": ("protocol.n", 0, "protocol.n: found"),
    "n a text": ("protocol.n", "2", "protocol.n: found"), "pairs unknown": ("protocol.pairs", "x", "protocol.pairs"),
    "no height": ("protocol.height", _GONE, "protocol.height: not there"), "values a list": ("values", [],
    "values: found"),
    "too few values": ("values.ssim", [1.0], "values.ssim: found 1"), "a text among values": ("values.ssim", [1.0,
    "x"], "x"),
    "NaN among values": ("values.ssim", [1.0, float("nan")], "values.ssim: found nan"),
    "seed a text": ("seed", "x", "seed: found"), "seed true": ("seed", True, "seed: found"),
    "schema of the future": ("schema", 99, "schema 99"), "schema a text": ("schema", "2", "schema '2'"),
    "unknown field": ("mood", 1, "mood: unknown"), "tags a text": ("tags", "x", "tags"),
    "tags too few": ("tags", [["a"]], "1"),
    "tags of numbers": ("tags", [[1], [2]], "tags"), "sets half": ("sets", {"fd": {"mean": 1}}, "sets.fd"),
    "steps a text": ("training", {"steps": "x"}, "training.steps: found 'x'"), "training a list": ("training", [],
    "training"),
}  # fmt: skip
_CELL = {"cell_type": "code", "source": "", "metadata": {"tags": ["parameters"]}}
NOTEBOOKS: dict[str, Any] = {
    "empty": b"", "a text": b"hello", "a list": [], "no cells": {}, "cells a number": {"cells": 3}, "cell a text":
    {"cells": ["x"]}, "no source": {"cells": [{"cell_type": "code"}]},
    "source a number": {"cells": [_CELL | {"source": 3}]},
    "metadata a list": {"cells": [_CELL | {"metadata": []}]},
    "tags of numbers": {"cells": [_CELL | {"metadata": {"tags": [1]}}]},
    "no type": {"cells": [{"source": ""}]}, "nested": b"[" * 100_000, "not UTF-8": b"\xff",
}  # fmt: skip
PARAMETERS = {
    "no Python": "profile = ", "a call": "profile = open('sprung', 'w')", "an import": "import os", "a loop":
    "for i in range(9):\n    pass", "two at once": "a = b = 1", "a tuple of names": "a, b = 1, 2",
    "an attribute": "a.b = 1",
    "NUL": "a = '\0'", "nested": "a = " + "[" * 5000 + "]" * 5000, "a name": "a = b",
    "a formatted text": "a = f'{open}'",
}  # fmt: skip
_ITEM = 'id = "fig-1"\nthesis = "1"\ntitle = "T"\nfile = "fig-1.png"\nnotebook = "n"\nstatus = "cited"\n'
ITEMS = {
    "no TOML": ("[[item", "TOML"), "not UTF-8": (b"\xff", "UTF-8"), "item a table": ("[item]\na = 1", "item: found"),
    "no fields": ("[[item]]\n", "an item without an id"), "unknown field": (f"[[item]]\n{_ITEM}mood = 1\n", "mood"),
    "twice": (f"[[item]]\n{_ITEM}[[item]]\n{_ITEM}", "fig-1 is listed twice"),
    "unknown status": (f"[[item]]\n{_ITEM}".replace("cited", "new"), "status 'new'"),
    "title a number": (f"[[item]]\n{_ITEM}".replace('"T"', "3"), "title is '3'"),
    "made a text": (f'[[item]]\n{_ITEM}made = "yes"\n', "made is 'yes'"),
    "id with markup": (f"[[item]]\n{_ITEM}".replace("fig-1", "<b>x"), "no id"),
    "id up": (f"[[item]]\n{_ITEM}".replace("fig-1", "../x"), "no id"),
    "another file": (f"[[item]]\n{_ITEM}".replace("fig-1.png", "../x.png"), "file is '../x.png'"),
}  # fmt: skip


def pth(kind: str) -> bytes:
    """A .pth that is no state dict of CP-VTON's."""
    out = io.BytesIO()
    contents = {
        "a list": [1], "a number": 3, "a tensor": torch.zeros(2), "texts": {"a": "b"}, "numbered": {1: torch.zeros(1)},
        "nested": {"model": {"a": torch.zeros(1)}}, "other names": {"a": torch.zeros(1)},
        "a whole network": nn.Linear(1, 1),
        "a trap": {"a": Trap()}, "nothing": {}, "a giant without memory":
        {"extractionA.model.0.weight": torch.zeros(1).expand(10**6, 10**6)},
    }  # fmt: skip
    if kind == "a bomb":
        plain = io.BytesIO()
        torch.save({"a": torch.zeros(8 << 20)}, plain)
        with zipfile.ZipFile(plain) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            for member in old.infolist():
                new.writestr(member.filename, old.read(member))
        return out.getvalue()
    if kind == "an old pickle":
        return pickle.dumps(Trap(), protocol=2)
    if kind == "a deep pickle":
        return b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    torch.save(contents[kind], out)
    return out.getvalue()


PTH = ("a list", "a number", "a tensor", "texts", "numbered", "nested", "other names", "a whole network", "a trap",
       "nothing", "a giant without memory", "a bomb", "an old pickle", "a deep pickle")  # fmt: skip


def cases() -> Iterator[Case]:
    """Every broken file of a training, an evaluation or a notebook."""
    for name, content in TENSORS.items():
        yield _one("tensors", name, "a.safetensors", content, checkpoint.load_tensors, "whole safetensors")
    for what in ODD:
        yield Case("tensors", what, partial(_odd, what, "a.safetensors", checkpoint.load_tensors), ("wanted",))
        yield Case("records", what, partial(_odd, what, "a.json", records.load), ("wanted",))
        yield Case("weights of others", what, partial(_odd, what, "a.pth", _original), ("wanted",))
    for name, header in STATES.items():
        yield Case("checkpoints", name, partial(_state, header), (r"last\.safetensors: ", "--fresh"))
    for name, (content, says) in FINALS.items():
        yield Case("finished trainings", name, partial(_final, content, finished), (r"final\.json: ", says))
    for name, content in {"a list": [], "empty": b"", "cut": b'{"experiment": '}.items():
        yield Case("finished trainings", f"config {name}", partial(_config, content), (r"config\.json: ",))
        yield Case("finished trainings", f"config {name}, to read", partial(_loaded, content), (r"config\.json: ",))
    for name, (where, value, says) in CARDS.items():
        yield Case("cards", name, partial(_card, where, value), (r"odd\.(json|safetensors): ", says))
    for name, content in {"a list": [], "a text": b"x", "nested": b"{" * 9, "not UTF-8": b"\xff\xfe"}.items():
        yield _one("cards", name, "odd.json", content, lambda path: zoo.load_released("odd", folder=path.parent),
        "wanted")
    for kind in PTH:
        yield _one("weights of others", kind, "odd.pth", partial(pth, kind), _original, "wanted")
    for name, (where, value, says) in RECORDS.items():
        yield _one("records", name, "odd.json", changed(_RECORD, where, value), records.load, says)
    for name, content in {"a list": [], "null": None, "a text": "x", "cut": b'{"model":', "empty": b""}.items():
        yield _one("records", name, "odd.json", content, records.load, "odd.json")
        yield _one("study records", name, "odd.json", content, lambda path: read_study(path.parent), "odd.json")
    for name, content in NOTEBOOKS.items():
        yield _one("notebooks", name, "odd.ipynb", content, notebook_files.read, "notebook")
    for name, source in PARAMETERS.items():
        content = {"cells": [_CELL | {"source": source}]}
        yield _one("parameters", name, "odd.ipynb", content, _parameters, "parameters cell")
    for name, (content, says) in ITEMS.items():
        yield _one("lists of figures", name, "odd.toml", content, read_manifest, says)


def _one(kind: str, name: str, file: str, content: Any, read: Callable[[Path], Any], says: str) -> Case:
    """A case of one file, which the error has to name."""

    def make(folder: Path):
        return partial(read, written(folder, file, content() if callable(content) else content))

    return Case(kind, name, make, (file.replace(".", r"\."), says))


def _odd(what: str, name: str, read: Callable, folder: Path):
    return partial(read, odd_file(folder / name, what))


def _original(path: Path):
    return read_original(path, build_gmm(SMOKE))


def _parameters(path: Path):
    return notebook_files.parameters(notebook_files.read(path), path.name)


def _state(header: Any, folder: Path):
    network = nn.Linear(2, 1)
    tensors = {f"net.n.{k}": v for k, v in network.state_dict().items()} | {"opt.n.7.step": torch.zeros(())}
    path = checkpoint.save_tensors(folder / "last.safetensors", tensors, header)
    return partial(checkpoint.load_state, path, {"n": network}, {"n": torch.optim.Adam(network.parameters())}, {})


def _final(content: Any, read: Callable, folder: Path):
    written(folder, "config.json", _CONFIG)
    written(folder, "final.json", content)
    written(folder, "final.safetensors", b"")
    return partial(read, folder, _CONFIG)


def _config(content: Any, folder: Path):
    written(folder, "config.json", content)
    return partial(prepare_folder, folder, _CONFIG)


def _loaded(content: Any, folder: Path):
    written(folder, "gmm/config.json", content)
    written(folder, "gmm/final.json", _FINAL)
    return partial(load, get_experiment("gmm").name, SMOKE, folder)


def _card(where: str, value: Any, folder: Path):
    weights = checkpoint.save_tensors(folder / "odd.safetensors", {"a": torch.zeros(1)})
    card = _CARD | {"sha256": checkpoint.file_digest(weights)}
    written(folder, "odd.json", changed(card, where, value))
    return partial(zoo.load_released, "odd", folder=folder)


