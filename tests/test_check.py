"""The validator names every planted fault at once, has nothing to say about sound folders, and never raises."""

import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from worlds import save_keypoints, save_parse, write_viton, write_viton_hd

from mavton_lite.data import open_dataset
from mavton_lite.data.check import Problem, check


@pytest.fixture
def world(tmp_path):
    return write_viton(tmp_path / "world", 4, 2, truth=True)


def test_sound_folders_have_no_problems(world, tmp_path):
    assert check(world) == []
    assert check(write_viton(tmp_path / "grey", 2, 2, parse_mode="L", body25=True, same_list=False)) == []
    for generation in (1, 2):
        assert check(write_viton_hd(tmp_path / f"hd{generation}", 2, 2, generation=generation)) == []


def break_everything(root):
    """Plant one fault of every kind; returns path -> what the problem's text has to say."""
    train = root / "train"
    parse = np.asarray(Image.open(train / "image-parse/000000_0.png")).copy()
    (train / "image/000000_0.jpg").write_bytes((train / "image/000000_0.jpg").read_bytes()[:-500])
    (train / "cloth/000001_1.jpg").write_bytes(b"not a picture")
    (train / "image/000003_0.jpg").write_bytes(b"")
    Image.new("RGB", (40, 64)).save(train / "cloth/000002_1.jpg")
    Image.new("L", (48, 64)).save(train / "cloth-mask/000000_1.jpg")
    (train / "cloth-mask/000003_1.jpg").unlink()
    parse[0, 0], parse[5, 5] = 77, 21
    save_parse(train / "image-parse/000000_0.png", parse)
    Image.new("RGB", (48, 64)).save(train / "image-parse/000001_0.png")
    (train / "pose/000000_0_keypoints.json").write_text("{")
    save_keypoints(train / "pose/000001_0_keypoints.json", np.ones((17, 3)))
    (train / "pose/000002_0_keypoints.json").write_text(json.dumps({"people": []}))
    (train / "warp-truth/000001_0.npz").unlink()
    (train / "warp-truth/000002_0.npz").write_bytes(b"PK")
    shutil.copy(train / "image/000002_0.jpg", train / "image/000002_0.png")
    shutil.rmtree(root / "test/pose")
    Image.new("RGB", (48, 64)).save(train / "cloth/000009_1.jpg")
    with (root / "train_pairs.txt").open("a") as lines:
        lines.write("000000_0.jpg 000000_1.jpg\none_field\n../../etc/x.jpg 000000_1.jpg\n/etc/x.jpg 000000_1.jpg\n")
        lines.write("000000_0.txt 000000_1.jpg\n000008_0.jpg 000000_1.jpg\n")
    return {
        "train/image/000000_0.jpg": "truncated",
        "train/cloth/000001_1.jpg": "cannot identify",
        "train/image/000003_0.jpg": "wanted a readable JPEG or PNG",
        "train/cloth/000002_1.jpg": "40 x 64 pixels, wanted 48 x 64",
        "train/cloth-mask/000000_1.jpg": "an empty mask",
        "train/cloth-mask/000003_1.jpg": "no such file, wanted a file for every pair",
        "train/cloth-mask/000009_1.jpg": "no such file, wanted a partner of the other cloth files",
        "train/image-parse/000000_0.png": "labels [21, 77], wanted VITON label ids 0..20",
        "train/image-parse/000001_0.png": "a RGB picture",
        "train/pose/000000_0_keypoints.json": "broken JSON",
        "train/pose/000001_0_keypoints.json": "51 numbers",
        "train/pose/000002_0_keypoints.json": "no person",
        "train/warp-truth/000001_0.npz": "no such file",
        "train/warp-truth/000002_0.npz": "wanted an npz",
        "train/image/000002_0.png": "a double of 000002_0.jpg",
        "test/pose": "no such folder",
        "train_pairs.txt:5": "the pair of line 1 again",
        "train_pairs.txt:6": "1 fields in 'one_field'",
        "train_pairs.txt:7": "points outside the folder",
        "train_pairs.txt:8": "points outside the folder",
        "train_pairs.txt:9": "'000000_0.txt', wanted a name ending in .jpg",
        "train/image/000008_0.jpg": "no such file, wanted a file for every pair",
        "train/image-parse/000008_0.png": "no such file",
        "train/pose/000008_0_keypoints.json": "no such file",
    }


def test_every_fault_is_reported_at_once(world):
    planted = break_everything(world)
    problems = check(world)
    said = {p.path: str(p) for p in problems}
    for path, words in planted.items():
        assert path in said, f"{path} is not among {sorted(said)}"
        assert words in said[path] and said[path].startswith(f"{path}: found ")
    derived = {f"train/{f}/000008_0{e}" for f, e in [("warp-truth", ".npz"), ("tryon-truth/image", ".jpg"),
               ("tryon-truth/image-parse", ".png"), ("tryon-truth/warp", ".npz")]}  # fmt: skip
    assert set(said) - derived == set(planted)
    assert len(said) == len(problems), "one problem a fault"
    lines = [p.path for p in problems if p.path.startswith("train_pairs")]
    assert lines == [f"train_pairs.txt:{n}" for n in range(5, 10)]


def test_links_out_of_the_folder_are_reported(world, tmp_path):
    secret = tmp_path / "secret.jpg"
    Image.new("RGB", (48, 64)).save(secret)
    inside, outside = world / "train/image/000000_0.jpg", world / "train/image/000001_0.jpg"
    outside.unlink()
    outside.symlink_to(secret)
    shutil.move(inside, world / "kept.jpg")
    inside.symlink_to(world / "kept.jpg")
    shutil.move(world / "test/cloth", tmp_path / "cloth")
    (world / "test/cloth").symlink_to(tmp_path / "cloth")
    assert [(p.path, p.found) for p in check(world)] == [
        ("test/cloth", "a link that leads out of the data set"),
        ("train/image/000001_0.jpg", "a link that leads out of the data set"),
    ]
    (tmp_path / "link").symlink_to(world)
    assert len(check(tmp_path / "link")) == 2


def test_folders_that_are_hardly_there(tmp_path):
    assert "no such folder" in str(check(tmp_path / "nowhere")[0])
    assert len(check(tmp_path)) == 1
    root = write_viton(tmp_path / "a", 2, 2)
    shutil.rmtree(root / "train")
    (root / "test_pairs.txt").unlink()
    (root / "test_pairs_same.txt").write_bytes(b"\xff\xfe\x00")
    assert [p.path for p in check(root)] == ["test_pairs.txt", "test_pairs_same.txt", "train"]
    for split in ("train", "test"):
        shutil.rmtree(root / split / "pose", ignore_errors=True)
    (root / "test/image/000000_0.jpg").write_bytes(b"x")
    assert {"test/pose", "test/image/000000_0.jpg"} < {p.path for p in check(root)}


def test_own_garments_are_asked_for_too(tmp_path):
    root = write_viton_hd(tmp_path / "hd", 2, 3)
    (root / "test_pairs.txt").write_text("00000_00.jpg 00001_00.jpg\n")
    for folder in ("cloth", "cloth-mask"):
        (root / f"test/{folder}/00000_00.jpg").unlink()
    assert {p.path for p in check(root)} == {"test/cloth/00000_00.jpg", "test/cloth-mask/00000_00.jpg"}
    named = write_viton(tmp_path / "named", 2, 2, same_list=False)
    os.rename(named / "test/image/000000_0.jpg", named / "test/image/anna.jpg")
    (named / "test_pairs.txt").write_text("anna.jpg 000001_1.jpg\n")
    assert any("found no '_0' at the end of the person's name 'anna.jpg'" in str(p) for p in check(named))


def test_problem_reads_as_a_sentence():
    assert str(Problem("a/b.jpg", "12 x 9 pixels", "48 x 64")) == "a/b.jpg: found 12 x 9 pixels, wanted 48 x 64"


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_never_stop_the_check_and_sound_ones_can_be_read(tmp_path_factory, data):
    root = write_viton(tmp_path_factory.mktemp("damaged"), 2, 2, (24, 16), truth=True)
    files = sorted(p for p in root.rglob("*") if p.is_file())
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["cut", "scribble", "delete"]))
    if how == "cut":
        path.write_bytes(content[:start])
    elif how == "scribble":
        content[start : start + 8] = data.draw(st.binary(min_size=8, max_size=8))
        path.write_bytes(content)
    else:
        path.unlink()
    problems = check(root)
    if not problems:  # then every example can be read
        for split in ("train", "test"):
            for pairs in ("paired", "unpaired"):
                dataset = open_dataset(root, split, pairs, (24, 16))
                assert all(dataset[i]["image"].shape == (3, 24, 16) for i in range(len(dataset)))
