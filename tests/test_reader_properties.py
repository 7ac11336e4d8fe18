"""Whatever a file holds, a reader gives what it promises or raises ValueError with the file's name (hypothesis)."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from worlds import random_batch

from mavton_lite import checkpoint, notebook_files
from mavton_lite.config import LITE, PAPER, SMOKE, Profile, as_dict
from mavton_lite.data.decode import KEYPOINT_COUNTS, read_keypoints, read_parse
from mavton_lite.data.folder import is_plain_name, read_pairs
from mavton_lite.data.person import represent
from mavton_lite.data.viton import VITON
from mavton_lite.data.viton_hd import VITON_HD
from mavton_lite.records import Record
from mavton_lite.settings import from_json

ODD = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = st.floats() | st.integers() | st.booleans() | st.none() | st.text(max_size=3)
JSON = st.recursive(
    NUMBERS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@ODD
@given(content=JSON | st.binary(max_size=60) | st.builds(
    lambda numbers, key: {"people": [{key: numbers}]},
    st.sampled_from(sorted(KEYPOINT_COUNTS)).flatmap(lambda n: st.lists(NUMBERS, min_size=n - 1, max_size=n + 1)),
    st.sampled_from(["pose_keypoints", "pose_keypoints_2d"]),
))  # fmt: skip
def test_any_pose_is_18_points_or_refused(tmp_path, content):
    path = tmp_path / "a_0_keypoints.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    try:
        points = read_keypoints(path, (256, 192), (64, 48))
    except ValueError as error:
        assert str(error).startswith(f"{path}: found ") and "wanted" in str(error)
        return
    assert points.shape == (18, 3) and points.dtype == np.float32 and np.isfinite(points).all()


@ODD
@given(
    points=arrays.arrays(np.float64, (18, 3), elements=st.floats(-500, 500, width=32)),
    how=st.sampled_from([((256, 192), (64, 48)), ((64, 48), (256, 192)), ((100, 30), (64, 48))]),
)
def test_key_points_are_where_they_were(tmp_path, points, how):
    path, (old, new) = tmp_path / "a_0_keypoints.json", how
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": points.ravel().tolist()}]}))
    found = read_keypoints(path, old, new)
    missing = (points[:, :2] == 0).all(1)
    assert (found[missing] == 0).all()
    back = (found[~missing, :2] + 0.5) * np.array([old[1] / new[1], old[0] / new[0]]) - 0.5
    assert np.allclose(back, points[~missing, :2], atol=1e-2)


@ODD
@given(text=st.text(max_size=80) | st.lists(
    st.from_regex(r"[./\\a-c:~_01]{1,9}\.(jpg|png) [./\\a-c:~_01]{1,9}\.jpg", fullmatch=True), max_size=4
).map("\n".join), layout=st.sampled_from([VITON, VITON_HD]), pairs=st.sampled_from(["paired", "unpaired"]))  # fmt: skip
def test_any_pair_file_gives_plain_names_or_is_refused(tmp_path, text, layout, pairs):
    path = tmp_path / "test_pairs.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = read_pairs(layout, tmp_path, "test", pairs)
    except ValueError as error:
        assert str(path) in str(error) or "end of the person's name" in str(error)
        return
    assert found and all(is_plain_name(name) for pair in found for name in pair)
    assert all((tmp_path / "x" / name).resolve().parent == tmp_path / "x" for pair in found for name in pair)


@ODD
@given(
    labels=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 30)),
    highest=st.sampled_from([19, 20]),
)
def test_a_parse_keeps_its_labels_or_is_refused(tmp_path, labels, highest):
    path = tmp_path / "p.png"
    Image.fromarray(labels).save(path)
    if labels.max() > highest:
        with pytest.raises(ValueError, match=rf"p\.png: found labels \[.*{labels.max()}\], wanted LIP ids"):
            read_parse(path, labels.shape, highest)
        return
    assert (read_parse(path, labels.shape, highest) == labels).all()
    larger = read_parse(path, (16, 12), highest)
    assert larger.shape == (16, 12) and set(np.unique(larger)) <= set(np.unique(labels))


@settings(max_examples=25, deadline=None)
@given(
    parse=arrays.arrays(np.uint8, (2, 64, 48), elements=st.integers(0, 20), fill=st.integers(0, 20)),
    points=arrays.arrays(np.float32, (2, 18, 3), elements=st.floats(-200, 200, width=32)),
)
def test_a_person_of_any_parse_and_pose_is_22_channels_in_range(parse, points):
    batch = random_batch(2)
    batch["parse"], batch["keypoints"] = torch.tensor(parse).long(), torch.tensor(points)
    person = represent(batch, SMOKE.person)
    channels = torch.cat([person.silhouette, person.head, person.pose], 1)
    assert channels.shape == (2, 22, 64, 48) and channels.isfinite().all() and channels.abs().max() <= 1 + 1e-6


@ODD
@given(name=st.sampled_from([SMOKE, LITE, PAPER]), data=st.data())
def test_any_change_of_a_card_is_a_profile_or_refused_by_the_settings_name(name, data):
    content = json.loads(json.dumps(as_dict(name)))
    assert from_json(Profile, content, "profile") == name
    inner, path = content, "profile"
    while True:
        key = data.draw(st.sampled_from(sorted(inner)))
        path = f"{path}.{key}"
        if not isinstance(inner[key], dict) or data.draw(st.booleans()):
            break
        inner = inner[key]
    inner[key] = data.draw(JSON)
    try:
        found = from_json(Profile, content, "profile")
    except ValueError as error:
        assert str(error).startswith(path), f"{error} instead of one about {path}"
        return
    assert isinstance(found, Profile) and 1 <= found.height <= 4096


@ODD
@given(header=JSON, cut=st.integers(0, 400), scribble=st.binary(max_size=8))
def test_any_tensor_file_comes_back_or_is_refused(tmp_path, header, cut, scribble):
    path = tmp_path / "a.safetensors"
    plain = json.loads(json.dumps(header))
    checkpoint.save_tensors(path, {"a": torch.arange(6.0)}, plain)
    tensors, found = checkpoint.load_tensors(path)
    assert torch.equal(tensors["a"], torch.arange(6.0)) and json.dumps(found) == json.dumps(plain)
    content = path.read_bytes()
    path.write_bytes(content[:cut] + scribble + content[cut + len(scribble) :])
    try:
        tensors, _ = checkpoint.load_tensors(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert all(torch.is_tensor(value) for value in tensors.values())
    path.write_bytes(struct.pack("<Q", cut) + scribble)
    with pytest.raises(ValueError, match=r"a\.safetensors: found .*, wanted a whole safetensors file"):
        checkpoint.load_tensors(path)


@ODD
@given(content=JSON)
def test_any_json_is_a_record_or_refused(content):
    with pytest.raises(ValueError, match="odd.json: not a record"):
        Record.from_json(content, "odd.json")


@ODD
@given(content=JSON | st.fixed_dictionaries({"cells": st.lists(st.fixed_dictionaries(
    {"cell_type": st.just("code"), "source": st.text(max_size=40),
     "metadata": st.just({"tags": ["parameters"]}) | JSON}
), max_size=3)}))  # fmt: skip
def test_any_json_is_a_notebook_of_literals_or_refused(tmp_path, content):
    path: Path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(content))
    try:
        declared = notebook_files.parameters(notebook_files.read(path), str(path))
    except ValueError as error:
        assert str(path) in str(error)
        return
    assert all(isinstance(name, str) for name in declared)
