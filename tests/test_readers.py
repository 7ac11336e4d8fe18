"""Both published layouts become the same `Sample`, exactly; the cache serves what the data set reads."""

import json
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from worlds import coco18_to_body25, figure_keypoints, save_keypoints, save_parse, write_viton, write_viton_hd

from mavton_lite.data import Cached, collate, detect_layout, open_dataset
from mavton_lite.data.decode import read_keypoints, read_mask, read_parse, read_warp
from mavton_lite.data.folder import is_plain_name, parse_pair
from mavton_lite.data.sample import from_unit, to_unit

SIZE = (64, 48)
SAMPLE_KEYS = {"name", "cloth_name", "image", "cloth", "cloth_mask", "parse", "keypoints"}
TRUTH = {"truth_image", "truth_parse", "truth_warp"}


@pytest.fixture(scope="module")
def atelier(tmp_path_factory):
    return write_viton(tmp_path_factory.mktemp("atelier"), truth=True)


def assert_is_sample(sample, size=SIZE):
    types = {k: (tuple(v.shape), v.dtype) for k, v in sample.items() if torch.is_tensor(v)}
    wanted = {
        "image": ((3, *size), torch.float32),
        "cloth": ((3, *size), torch.float32),
        "cloth_mask": ((1, *size), torch.float32),
        "parse": (tuple(size), torch.int64),
        "keypoints": ((18, 3), torch.float32),
        "truth_image": ((3, *size), torch.float32),
        "truth_parse": (tuple(size), torch.int64),
        "truth_warp": ((2, *size), torch.float32),
    }
    assert types == {k: wanted[k] for k in types}
    assert set(sample) >= SAMPLE_KEYS
    assert sample["image"].min() >= -1 and sample["image"].max() <= 1 and sample["image"].min() < -0.2
    assert set(sample["cloth_mask"].unique().tolist()) == {0, 1}


@pytest.mark.parametrize("options", [{}, {"parse_mode": "L"}, {"pose_key": "pose_keypoints_2d"}, {"body25": True}])
def test_viton_reads_what_is_in_the_files(tmp_path, options):
    root = write_viton(tmp_path, 2, 2, **options)
    plain = write_viton(tmp_path / "plain", 2, 2)
    sample = open_dataset(root, "train", "paired", SIZE)[1]
    assert_is_sample(sample)
    assert (sample["name"], sample["cloth_name"]) == ("000001_0", "000001_1")
    file = np.asarray(Image.open(root / "train/image/000001_0.jpg"))
    assert torch.equal(((sample["image"] + 1) * 127.5).round().byte().permute(1, 2, 0), torch.tensor(file))
    grey = np.asarray(Image.open(root / "train/cloth-mask/000001_1.jpg").convert("L"))
    assert torch.equal(sample["cloth_mask"][0], torch.tensor(grey >= 128).float())
    person = json.loads((plain / "train/pose/000001_0_keypoints.json").read_text())["people"][0]
    assert torch.allclose(sample["keypoints"], torch.tensor(person["pose_keypoints"]).view(18, 3))
    assert torch.equal(sample["parse"], torch.tensor(np.array(Image.open(plain / "train/image-parse/000001_0.png"))))
    assert set(sample["parse"].unique().tolist()) == {0, 2, 5, 9, 10, 13, 14, 15}


def test_paired_and_unpaired_lists(atelier, tmp_path):
    pairs = {
        (s, p): open_dataset(atelier, s, p, SIZE).examples for s in ("train", "test") for p in ("paired", "unpaired")
    }
    assert pairs["train", "paired"][2] == ("000002_0.jpg", "000002_1.jpg")
    assert pairs["train", "unpaired"][2] == ("000002_0.jpg", "000003_1.jpg")  # no published list: neighbours exchange
    assert pairs["test", "paired"][3] == ("000003_0.jpg", "000003_1.jpg")
    assert pairs["test", "unpaired"][3] == ("000003_0.jpg", "000002_1.jpg")
    original = write_viton(tmp_path / "original", 3, 2, same_list=False)  # CP-VTON's data has no test_pairs_same.txt
    assert open_dataset(original, "test", "paired", SIZE).examples == pairs["test", "paired"][:2]
    odd = open_dataset(original, "train", "unpaired", SIZE).examples
    assert [c for _, c in odd] == ["000001_1.jpg", "000000_1.jpg", "000000_1.jpg"]


def test_truth_is_given_where_it_is_known(atelier, tmp_path):
    paired = open_dataset(atelier, "test", "paired", SIZE)[0]
    assert_is_sample(paired)
    assert set(paired) == SAMPLE_KEYS | TRUTH
    assert torch.equal(paired["truth_image"], paired["image"]) and torch.equal(paired["truth_parse"], paired["parse"])
    stored = np.load(atelier / "test/warp-truth/000000_0.npz")["warp"]
    garment = paired["parse"] == 5
    assert torch.equal(paired["truth_warp"].isfinite().all(0), garment)
    assert torch.equal(paired["truth_warp"][:, garment] * 64, torch.tensor(stored)[:, garment].float())
    unpaired = open_dataset(atelier, "test", "unpaired", SIZE)[0]
    other = np.asarray(Image.open(atelier / "test/tryon-truth/image/000000_0.jpg"))
    assert torch.equal(((unpaired["truth_image"] + 1) * 127.5).round().byte().permute(1, 2, 0), torch.tensor(other))
    assert set(unpaired) == SAMPLE_KEYS | TRUTH
    viton = write_viton(tmp_path, 2, 4)
    assert set(open_dataset(viton, "test", "paired", SIZE)[0]) == SAMPLE_KEYS | {"truth_image", "truth_parse"}
    assert set(open_dataset(viton, "test", "unpaired", SIZE)[0]) == SAMPLE_KEYS


def test_truth_of_another_garment_is_not_taken_for_this_one(tmp_path):
    root = write_viton(tmp_path, 2, 4, truth=True)
    (root / "test_pairs.txt").write_text("000000_0.jpg 000001_1.jpg\n000001_0.jpg 000003_1.jpg\n")
    assert set(open_dataset(root, "test", "unpaired", SIZE)[0]) == SAMPLE_KEYS


@pytest.mark.parametrize("generation", [1, 2])
def test_viton_hd_is_the_same_sample(tmp_path, generation):
    root = write_viton_hd(tmp_path, 3, 3, generation=generation)
    assert detect_layout(root).name == "VITON-HD"
    paired, unpaired = (open_dataset(root, "test", p, SIZE)[0] for p in ("paired", "unpaired"))
    assert_is_sample(paired)
    assert (paired["name"], paired["cloth_name"]) == ("00000_00", "00000_00")
    assert (unpaired["name"], unpaired["cloth_name"]) == ("00000_00", "00001_00")
    pose = root / "test" / {1: "openpose-json", 2: "openpose_json"}[generation] / "00000_00_keypoints.json"
    body25 = np.array(json.loads(pose.read_text())["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
    np.testing.assert_allclose(paired["keypoints"][8], body25[9], rtol=1e-6)  # right hip, past the middle of the hips
    np.testing.assert_allclose(paired["keypoints"][17], body25[18], rtol=1e-6)  # left ear
    assert paired["keypoints"].shape == (18, 3)


def test_png_pictures_serve_as_well(tmp_path):
    root = write_viton(tmp_path, 2, 2)
    for folder in ("image", "cloth", "cloth-mask"):
        for path in (root / "train" / folder).iterdir():
            Image.open(path).save(path.with_suffix(".png"))
            path.unlink()
    assert_is_sample(open_dataset(root, "train", "paired", SIZE)[0])


def test_another_size_scales_everything_together(atelier):
    native, double = (open_dataset(atelier, "test", "paired", s)[0] for s in (SIZE, (128, 96)))
    assert_is_sample(double, (128, 96))
    assert torch.equal(double["parse"][::2, ::2], native["parse"]) and torch.equal(
        double["parse"][1::2, 1::2], native["parse"]
    )
    there = native["keypoints"][:, 0] > 0
    assert not double["keypoints"][~there].any()
    # Pixel centres: the middle of pixel 0 is at 0.5 of the doubled picture.
    assert torch.allclose(double["keypoints"][there, :2], native["keypoints"][there, :2] * 2 + 0.5, atol=1e-4)
    warp, large = native["truth_warp"], double["truth_warp"][:, ::2, ::2]
    assert torch.equal(large.isnan(), warp.isnan())
    assert torch.allclose(large.nan_to_num(), (warp * 2 + 0.5).nan_to_num(), atol=1e-4)
    smaller = open_dataset(atelier, "test", "paired", (32, 24))[0]
    picture = Image.open(atelier / "test/image/000000_0.jpg").resize((24, 32), Image.BILINEAR)
    assert torch.equal(
        ((smaller["image"] + 1) * 127.5).round().byte().permute(1, 2, 0), torch.tensor(np.array(picture))
    )


@pytest.mark.parametrize("pairs", ["paired", "unpaired"])
@pytest.mark.parametrize("max_bytes", [1 << 30, 0])
def test_cache_equals_reading(atelier, pairs, max_bytes):
    dataset = open_dataset(atelier, "train", pairs, SIZE)
    cached = Cached(dataset, max_bytes)
    assert cached.held == bool(max_bytes) and len(cached) == 6
    ours, wanted = cached.batch([4, 0, 4]), collate([dataset[i] for i in (4, 0, 4)])
    assert set(ours) == set(wanted)
    for key, value in wanted.items():
        if torch.is_tensor(value):
            assert ours[key].dtype == value.dtype and torch.equal(ours[key].nan_to_num(-9), value.nan_to_num(-9)), key
        else:
            assert ours[key] == value
    assert torch.equal(cached[1]["image"], dataset[1]["image"]) and cached[-1]["name"] == "000005_0"
    assert torch.equal(cached.batch(torch.tensor([2]))["parse"][0], dataset[2]["parse"])
    for bad in ([], [6], [-1]):
        with pytest.raises(ValueError, match=r"indices: found .* wanted at least one in 0\.\.5"):
            cached.batch(bad)


def test_cache_holds_every_picture_once(atelier):
    per_example = (3 + 3 + 1 + 1) * 64 * 48 + 2 * 2 * 64 * 48 + 18 * 3 * 4
    assert Cached(open_dataset(atelier, "train", "paired", SIZE)).nbytes == 6 * per_example


def test_a_data_set_travels_to_other_processes(atelier):
    dataset = pickle.loads(pickle.dumps(open_dataset(atelier, "test", "unpaired", SIZE)))
    assert torch.equal(dataset[0]["image"], open_dataset(atelier, "test", "unpaired", SIZE)[0]["image"])


def test_units():
    assert to_unit(torch.tensor([-1.0, 0.0, 1.0, 1.5])).tolist() == [0, 0.5, 1, 1]
    assert from_unit(torch.tensor([0.0, 0.25, 1.0])).tolist() == [-1, -0.5, 1]


def test_body25_keeps_every_named_joint(tmp_path):
    points = figure_keypoints(np.random.default_rng(1), *SIZE)
    save_keypoints(tmp_path / "a.json", points)
    save_keypoints(tmp_path / "b.json", coco18_to_body25(points), "pose_keypoints_2d")
    assert np.array_equal(*(read_keypoints(tmp_path / f, SIZE, SIZE) for f in ("a.json", "b.json")))


def test_masks_are_cut_at_128(tmp_path):
    Image.fromarray(np.array([[0, 127, 128, 255]], np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", (1, 4)).tolist() == [[[0, 0, 1, 1]]]


BAD_POSES = {
    "no people": {"people": []},
    "people is no list": {"people": {"a": 1}},
    "no key points": {"people": [{"face_keypoints": []}]},
    "17 points": {"people": [{"pose_keypoints": [1.0] * 51}]},
    "words": {"people": [{"pose_keypoints": ["a"] * 54}]},
    "nan": {"people": [{"pose_keypoints": [float("nan")] * 54}]},
    "a list": [1, 2],
}


@pytest.mark.parametrize("content", BAD_POSES.values(), ids=BAD_POSES)
def test_bad_key_points_are_explained(tmp_path, content):
    path = tmp_path / "x_keypoints.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"{path}: found .*, wanted .* 54 or 75 numbers"):
        read_keypoints(path, SIZE, SIZE)
    path.write_text('{"people": [')
    with pytest.raises(ValueError, match="broken JSON"):
        read_keypoints(path, SIZE, SIZE)


def test_bad_parses_are_explained(tmp_path):
    path = tmp_path / "p.png"
    save_parse(path, np.full(SIZE, 21, np.uint8))
    with pytest.raises(ValueError, match=r"p.png: found labels \[21\], wanted LIP ids 0\.\.20"):
        read_parse(path, SIZE)
    Image.new("RGB", (48, 64)).save(path)
    with pytest.raises(ValueError, match="found a RGB picture, wanted label ids"):
        read_parse(path, SIZE)


def test_bad_warps_are_explained_and_pickles_refused(tmp_path):
    path = tmp_path / "w.npz"
    for arrays in ({"warp": np.zeros((2, 4, 4))}, {"other": np.zeros(1)}, {"warp": np.array([object()])}):
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=r"w.npz: found .*, wanted an npz with 'warp', int16"):
            read_warp(path, (4, 4))


def test_missing_things_are_named(tmp_path):
    root = write_viton(tmp_path / "world", 4, 2)
    with pytest.raises(ValueError, match="split: found 'dev'"):
        open_dataset(root, "dev", "paired", SIZE)
    with pytest.raises(ValueError, match="found none of val_pairs_same.txt, val_pairs.txt"):
        open_dataset(root, "val", "paired", SIZE)
    with pytest.raises(ValueError, match="pairs: found 'mixed'"):
        open_dataset(root, "test", "mixed", SIZE)
    with pytest.raises(ValueError, match="no such folder, wanted one of VITON"):
        open_dataset(tmp_path / "nowhere", "test", "paired", SIZE)
    (root / "train/image-parse/000002_0.png").unlink()
    (root / "train/image-parse/000003_0.png").unlink()
    with pytest.raises(ValueError, match=r"000002_0.png: found no such file and 1 more.*mavton data check"):
        open_dataset(root, "train", "paired", SIZE)
    picture = root / "test/image/000001_0.jpg"
    picture.write_bytes(picture.read_bytes()[:400])
    with pytest.raises(ValueError, match=r"000001_0.jpg: found .*, wanted a readable JPEG or PNG"):
        open_dataset(root, "test", "paired", SIZE)[1]
    (root / "test_pairs.txt").write_text("000000_0.jpg 000001_1.jpg\n000000_0.jpg ../../etc/passwd.jpg\n")
    with pytest.raises(ValueError, match="test_pairs.txt, line 2: found .* points outside the folder"):
        open_dataset(root, "test", "unpaired", SIZE)
    (root / "test_pairs.txt").unlink()
    with pytest.raises(ValueError, match=r"found none of test_pairs.txt"):
        open_dataset(root, "test", "unpaired", SIZE)


@given(st.text(max_size=40) | st.from_regex(r"[./\\a-c:~]{1,12}\.(jpg|png) [./\\a-c:~]{1,12}\.jpg", fullmatch=True))
def test_no_pair_line_leads_out_of_the_folder(line):
    try:
        names = parse_pair(line)
    except ValueError:
        return
    for name in names:
        assert is_plain_name(name) and name.endswith((".jpg", ".jpeg", ".png", ".JPG", ".PNG", ".JPEG"))
        assert "/" not in name and "\\" not in name and name not in (".", "..")
