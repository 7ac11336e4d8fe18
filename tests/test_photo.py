"""From a photograph's file to a sample and back: readers, framing, backends, garments, compositing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_person import SHIRT, WALL, DrawnBackend, drawing, keypoints
from matplotlib.axes import Axes
from PIL import Image

from mavton_lite import composite
from mavton_lite.config import LITE, SMOKE
from mavton_lite.data import photo_backend as pb
from mavton_lite.data.garment_picture import (
    FLAT_SIZE,
    USUAL_LENGTH,
    USUAL_TOP,
    WIDEST,
    garment_mask,
    read_garment,
    reframe,
)
from mavton_lite.data.inpaint import fill_from
from mavton_lite.data.photo import Box, Framing, frame, photo_to_sample, read_photo, resize_labels
from mavton_lite.data.sample import COCO18, collate
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.cpvton import TryOn
from mavton_lite.models.gmm import Warp
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.tryon import MODELS, load_model, try_on_photo

needs_mediapipe = pytest.mark.skipif(importlib.util.find_spec("mediapipe") is None, reason="mediapipe is not installed")
J = {name: i for i, name in enumerate(COCO18)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "drawn.png"
    Image.fromarray(drawing(3.0)[0]).save(path)
    return path


@pytest.fixture(scope="module")
def shirt(tmp_path_factory) -> Path:
    """A red shirt on white, off centre, in a landscape picture."""
    picture = np.full((300, 400, 3), 255, np.uint8)
    picture[60:220, 120:220] = (200, 30, 40)
    picture[60:110, 70:270] = (200, 30, 40)
    picture[120:140, 140:200] = (254, 254, 254)  # a white print: not ground
    path = tmp_path_factory.mktemp("garment") / "shirt.png"
    Image.fromarray(picture).save(path)
    return path


@pytest.fixture(scope="module")
def astronaut() -> Path:
    skimage = pytest.importorskip("skimage")
    return Path(skimage.__file__).parent / "data" / "astronaut.png"


# --- reading -------------------------------------------------------------------------------------------------------


def test_every_kind_of_picture_is_read(tmp_path):
    rgb, _ = drawing(1.0)
    picture = Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned a quarter
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    assert (read_photo(tmp_path / "turned.png") == rgb).all()
    alpha = np.dstack([rgb, np.where(np.arange(120) < 60, 255, 0)[None].repeat(160, 0).astype(np.uint8)])
    Image.fromarray(alpha).save(tmp_path / "alpha.png")
    read = read_photo(tmp_path / "alpha.png")
    assert (read[:, :60] == rgb[:, :60]).all() and (read[:, 60:] == 255).all()
    for mode, name in (
        ("L", "grey.png"),
        ("P", "palette.png"),
        ("1", "bits.png"),
        ("CMYK", "print.jpg"),
        ("LA", "la.png"),
    ):
        picture.convert(mode).save(tmp_path / name)
        assert read_photo(tmp_path / name).shape == (160, 120, 3), mode
    sixteen = np.asarray(picture.convert("L"), np.uint16) * 257
    Image.fromarray(sixteen).save(tmp_path / "deep.png")
    assert np.abs(read_photo(tmp_path / "deep.png")[..., 0].astype(int) - np.asarray(picture.convert("L"))).max() <= 1


@pytest.mark.parametrize("content", [b"", b"no picture at all", None, "cut", "tiny", "folder"])
def test_broken_files_are_named(tmp_path, content):
    path = tmp_path / "broken.png"
    if content == "cut":
        Image.fromarray(drawing(1.0)[0]).save(path)
        path.write_bytes(path.read_bytes()[:300])
    elif content == "tiny":
        Image.new("RGB", (500, 8)).save(path)
    elif content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="broken.png.*found.*wanted"):
        read_photo(path)


# --- understanding -------------------------------------------------------------------------------------------------


def test_drawn_photo_becomes_a_sample(drawn):
    photo = photo_to_sample(drawn, LITE.size, DrawnBackend())
    sample = photo.sample
    assert sample["image"].shape == (3, 128, 96) and sample["image"].dtype == torch.float32
    assert sample["image"].min() >= -1 and sample["image"].max() <= 1
    assert sample["parse"].shape == (128, 96) and sample["parse"].dtype == torch.int64
    assert sample["keypoints"].shape == (18, 3)
    points = sample["keypoints"].numpy()
    wide = np.linalg.norm(points[J["right shoulder"], :2] - points[J["left shoulder"], :2]) / 96
    assert wide == pytest.approx(Framing().shoulders, abs=0.07)
    head = np.nonzero(np.isin(sample["parse"].numpy(), (2, 13)).any(1))[0][0] / 128
    assert head == pytest.approx(Framing().head_top, abs=0.02)
    x, y, _ = points[J["neck"]].round().astype(int)
    assert sample["parse"][y + 20, x] == 5  # key points and parse speak of the same pixels
    assert (points[J["right ankle"]] == 0).all()  # outside the frame
    shirt = sample["image"][:, sample["parse"] == 5].median(1).values
    assert torch.allclose(shirt, torch.tensor(SHIRT) / 127.5 - 1, atol=0.03)


def test_joints_outside_the_photograph(drawn):
    knee = J["right knee"]
    kept = photo_to_sample(drawn, LITE.size, DrawnBackend(), Framing(0.2)).sample["keypoints"]
    dropped = photo_to_sample(drawn, LITE.size, DrawnBackend(), Framing(0.2), outside_joints="drop").sample["keypoints"]
    assert (kept[knee] != 0).any() and (dropped[knee] == 0).all()
    assert torch.equal(kept[J["nose"]], dropped[J["nose"]])
    with pytest.raises(ValueError, match="outside_joints"):
        photo_to_sample(drawn, LITE.size, DrawnBackend(), outside_joints="guess")


def test_what_is_below_the_photograph_is_continued(drawn, tmp_path):
    rgb = np.asarray(Image.open(drawn))[:300]  # cut above the hips (354)
    Image.fromarray(rgb).save(tmp_path / "cut.png")
    backend = DrawnBackend(scale=3.0)
    photo = photo_to_sample(tmp_path / "cut.png", LITE.size, backend)
    parse = photo.sample["parse"].numpy()
    border = round((300 - photo.box.top) * 128 / photo.box.height)
    x = int(photo.sample["keypoints"][J["neck"], 0])
    assert parse[border + 2, x] == 5 and (parse[126] == 9).sum() > 20
    assert (photo.original == rgb).all() and photo.labels.shape == rgb.shape[:2]


def test_large_photographs_are_parsed_small_and_keep_their_pixels(tmp_path):
    rgb, truth = drawing(12.0)  # 1920 x 1440
    Image.fromarray(rgb).save(tmp_path / "large.png")
    photo = photo_to_sample(tmp_path / "large.png", SMOKE.size, DrawnBackend())
    assert photo.labels.shape == truth.shape and (photo.original == rgb).all()
    assert ((photo.labels == 5) & (truth == 5)).sum() / ((photo.labels == 5) | (truth == 5)).sum() > 0.9
    assert np.abs(photo.keypoints - keypoints(12.0)).max() < 1


def test_nobody_is_said_with_the_file(drawn):
    with pytest.raises(ValueError, match="no person found in .*drawn.png: the wall is empty; wanted one person"):
        photo_to_sample(drawn, SMOKE.size, DrawnBackend(found=False))


def test_box_cuts_and_knows_the_way_back():
    picture = np.arange(48, dtype=np.uint8).reshape(6, 8)
    box = Box(-2, 3, 6, 5)
    cut = box.cut(picture, 99)
    here, there = box.inside(6, 8)
    assert cut.shape == (5, 6) and (cut[there] == picture[here]).all() and (cut[:, :2] == 99).all()
    assert (box.cut(picture)[0, :3] == picture[3, 0]).all()  # border pixels go on
    empty, _ = Box(20, 20, 4, 4).inside(6, 8)
    assert picture[empty].size == 0


def test_frame_has_the_aspect_and_follows_the_person():
    _, labels = drawing(2.0)
    box = frame(keypoints(2.0), labels, LITE.size)
    assert box.height / box.width == pytest.approx(128 / 96, rel=0.01)
    moved = keypoints(2.0) + np.array((10, 0, 0), np.float32)
    assert frame(moved, labels, LITE.size).left == box.left + 10


def test_labels_are_enlarged_without_new_ids():
    labels = np.zeros((8, 8), np.uint8)
    labels[2:6, 2:6] = 13
    large = resize_labels(labels, (64, 64))
    assert set(np.unique(large)) == {0, 13} and abs((large == 13).mean() - 0.25) < 0.02


def test_fill_from_keeps_what_is_known():
    picture = np.tile(np.linspace(0, 100, 37, dtype=np.float32)[None, :, None], (29, 1, 3))
    known = np.ones((29, 37), bool)
    known[8:20, 10:25] = False
    filled = fill_from(np.where(known[..., None], picture, 0), known)
    assert (filled[known] == picture[known]).all()
    assert np.abs(filled - picture).max() < 15  # a ramp is continued, roughly
    with pytest.raises(ValueError, match="no pixel is known"):
        fill_from(picture, np.zeros_like(known))


# --- backends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table, count", [(pb.BLAZEPOSE, 33), (pb.COCO17, 17)])
def test_joint_tables_name_every_joint_but_the_neck(table, count):
    assert set(table) == set(COCO18) - {"neck"}
    assert len(set(table.values())) == 17 and max(table.values()) < count
    joints = np.stack([np.arange(count), 10.0 * np.arange(count), np.full(count, 0.5)], 1)
    mapped = pb.to_coco18(joints, table)
    right, left = table["right shoulder"], table["left shoulder"]
    assert mapped[J["neck"]].tolist() == [(right + left) / 2, 5.0 * (right + left), 0.5]
    for name in ("left wrist", "right hip", "nose", "left ear"):
        assert mapped[J[name], 0] == table[name]


@needs_mediapipe
def test_blazepose_table_agrees_with_mediapipe():
    landmarks = pb.get_backend("mediapipe").solutions.pose.PoseLandmark
    for name, index in pb.BLAZEPOSE.items():
        assert landmarks[name.upper().replace(" ", "_")] == index
    oval = {i for edge in pb.get_backend("mediapipe").solutions.face_mesh.FACEMESH_FACE_OVAL for i in edge}
    assert set(pb.FACE_OVAL) == oval


def test_coco17_table_agrees_with_torchvision():
    from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights as Weights

    names = Weights.COCO_V1.meta["keypoint_names"]
    assert {n: names.index(n.replace(" ", "_")) for n in pb.COCO17} == pb.COCO17


def test_torchvision_backend_decodes_the_nearest_person():
    class Pose(torch.nn.Module):
        def forward(self, pictures):
            assert pictures[0].max() <= 1
            points = torch.ones(3, 17, 3)
            points[1, :, 0] = torch.arange(17.0)
            boxes = torch.tensor([[0, 0, 10, 10.0], [0, 0, 60, 60], [0, 0, 90, 90]])
            scores = torch.tensor([0.99, 0.9, 0.2])
            return [{"boxes": boxes, "scores": scores, "keypoints": points, "keypoints_scores": torch.zeros(3, 17)}]

    class Mask(torch.nn.Module):
        def forward(self, x):
            out = torch.zeros(1, 21, 10, 10)
            out[:, 15, 5:] = 20
            return {"out": out}

    backend = pb.Torchvision(Pose(), Mask())
    reading = backend.read(np.zeros((80, 100, 3), np.uint8))
    assert reading.keypoints[J["left wrist"]].tolist() == [9, 1, 0.5]
    assert reading.person.shape == (80, 100) and reading.person[79].min() > 0.9 and reading.person[0].max() < 0.1
    backend.pose_net.forward = lambda _: [{"scores": torch.tensor([0.3])}]
    with pytest.raises(pb.NoPersonError, match="0.7"):
        backend.read(np.zeros((80, 100, 3), np.uint8))


def test_torchvision_without_network_says_what_it_wanted(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise OSError("network is unreachable")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    with pytest.raises(pb.BackendMissingError, match="could not fetch.*unreachable.*https://"):
        pb.Torchvision()


def test_auto_goes_on_to_the_next_backend(monkeypatch):
    def missing():
        raise pb.BackendMissingError("not here: pip install it")

    monkeypatch.setattr(pb, "_started", {})
    monkeypatch.setattr(pb, "BACKENDS", {"mediapipe": missing, "torchvision": DrawnBackend})
    assert pb.get_backend("auto").name == "drawn"
    with pytest.raises(ValueError, match="pip install it"):
        pb.get_backend("mediapipe")
    with pytest.raises(ValueError, match="unknown photo backend 'x'; known: auto, mediapipe, torchvision"):
        pb.get_backend("x")


def test_missing_mediapipe_gives_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(pb.BackendMissingError, match=r"pip install --no-deps mediapipe==0\.10\.21.*protobuf"):
        pb.MediaPipe()


@needs_mediapipe
def test_mediapipe_is_silent_and_right_on_the_astronaut(astronaut):
    code = (
        "from mavton_lite.data.photo import photo_to_sample\n"
        f"p = photo_to_sample({str(astronaut)!r}, (128, 96), 'mediapipe')\n"
        "print((p.labels == 5).mean(), p.held.mean(), sorted(p.info['weights']))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == ""
    garment, held, *names = done.stdout.split(maxsplit=2)
    assert 0.25 < float(garment) < 0.45 and 0.08 < float(held) < 0.2 and "pose_landmark_full.tflite" in names[0]


@needs_mediapipe
def test_astronaut_is_understood(astronaut):
    photo = photo_to_sample(astronaut, LITE.size)
    labels = photo.labels

    def at(x, y):
        return labels[y, x]

    assert photo.info["backend"] == "mediapipe" and len(photo.info["weights"]["selfie_segmentation.tflite"]) == 64
    assert at(222, 130) == 13 and at(222, 40) == 2 and at(150, 300) == 5 and at(250, 350) == 5
    assert at(450, 60) == 0 and at(40, 100) == 0  # shuttle, flag
    assert photo.held[440, 400] and labels[440, 400] == 0  # the helmet is hers, and no part of her
    assert np.abs(photo.keypoints[J["nose"], :2] - (219, 130)).max() < 12
    assert photo.keypoints[J["right shoulder"], 0] < photo.keypoints[J["left shoulder"], 0]


@needs_mediapipe
def test_a_cat_is_no_person(astronaut):
    with pytest.raises(ValueError, match="no person found in .*chelsea.png"):
        photo_to_sample(astronaut.with_name("chelsea.png"), LITE.size)


# --- garments ------------------------------------------------------------------------------------------------------


def test_a_garment_is_cut_from_white_and_reframed(shirt):
    garment = read_garment(shirt)
    assert garment.picture.shape == (*FLAT_SIZE, 3) and garment.name == "shirt"
    outside = ~composite.ndimage.binary_dilation(garment.mask, iterations=8)
    assert (garment.picture[outside] >= 250).all()
    rows = np.nonzero(garment.mask.any(1))[0]
    columns = np.nonzero(garment.mask.any(0))[0]
    assert columns[0] + columns[-1] == pytest.approx(FLAT_SIZE[1] - 1, abs=2)  # in the middle
    assert rows[0] / FLAT_SIZE[0] == pytest.approx(USUAL_TOP, abs=0.01)
    filled = (columns[-1] - columns[0]) / FLAT_SIZE[1] / WIDEST, (rows[-1] - rows[0]) / FLAT_SIZE[0] / USUAL_LENGTH
    assert max(filled) == pytest.approx(1, abs=0.01)
    middle = FLAT_SIZE[1] // 2
    assert garment.mask[rows[0] : rows[-1], middle].all()  # the white print belongs to it
    sample = garment.dress(collate_one())
    assert sample["cloth"].shape == (3, 64, 48) and set(sample["cloth_mask"].unique().tolist()) == {0.0, 1.0}
    assert sample["cloth"][:, 0, 0].tolist() == [1, 1, 1]


def collate_one() -> dict:
    return {"image": torch.zeros(3, 64, 48)}


def test_a_data_sets_own_mask_and_framing_are_kept(tmp_path):
    for folder in ("cloth", "cloth-mask"):
        (tmp_path / folder).mkdir()
    picture, mask = np.full((64, 48, 3), 250, np.uint8), np.zeros((64, 48), np.uint8)
    picture[10:40, 5:20], mask[10:40, 5:20] = (20, 200, 90), 255
    Image.fromarray(picture).save(tmp_path / "cloth" / "a.png")
    Image.fromarray(mask).save(tmp_path / "cloth-mask" / "a.png")
    garment = read_garment(tmp_path / "cloth" / "a.png")
    assert (garment.mask == (mask > 0)).all() and garment.picture[0, 0].tolist() == [255, 255, 255]
    Image.fromarray(mask[:30]).save(tmp_path / "cloth-mask" / "a.png")
    with pytest.raises(ValueError, match="cloth-mask/a.png: found a mask of"):
        read_garment(tmp_path / "cloth" / "a.png")


def test_bad_garments_are_named(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)).save(tmp_path / "noise.png")
    Image.new("RGB", (60, 60), "white").save(tmp_path / "blank.png")
    for name in ("noise.png", "blank.png"):
        with pytest.raises(ValueError, match=f"{name}: found no.*flat on white"):
            read_garment(tmp_path / name)
    for name in ("atelier:test", "atelier:other/3", "atelier:test/x"):
        with pytest.raises(ValueError, match="atelier:test/3"):
            read_garment(name)


def test_built_in_garments():
    garment = read_garment("atelier:test/3")
    assert garment.picture.shape == (*FLAT_SIZE, 3) and garment.picture.dtype == np.uint8
    assert 0.05 < garment.mask.mean() < 0.6 and (garment.picture[0] == 255).all()
    assert garment_mask(garment.picture).sum() == pytest.approx(garment.mask.sum(), rel=0.03)


def test_reframing_puts_garments_where_the_ateliers_camera_sees_them():
    """The usual length and place are those of the Atelier's garments: on average, reframing one changes little."""
    overlap = []
    for index in range(12):
        garment = read_garment(f"atelier:train/{index}")
        again, mask = reframe(garment.picture, garment.mask)
        assert again.shape == garment.picture.shape
        overlap.append((mask & garment.mask).sum() / (mask | garment.mask).sum())
    assert np.mean(overlap) > 0.85 and min(overlap) > 0.7


# --- compositing ---------------------------------------------------------------------------------------------------


def identity_grid(height: int, width: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    return torch.stack([x, y], -1)


def test_sharp_warp_keeps_single_pixels_and_does_not_move():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (256, 192, 3), dtype=np.uint8)
    cloth, mask = composite.warp_sharp(picture, np.ones((256, 192), bool), identity_grid(64, 48), (256, 192))
    inner = np.s_[8:-8, 8:-8]
    assert np.abs(cloth - picture)[inner].mean() < 1.5 and mask[inner].min() > 0.99  # a resize would leave 60


def test_sharp_warp_bleeds_no_white():
    picture = np.full((128, 96, 3), 255, np.uint8)
    mask = np.zeros((128, 96), bool)
    mask[30:90, 20:70] = True
    picture[mask] = (200, 0, 0)
    cloth, warped = composite.warp_sharp(picture, mask, identity_grid(32, 24), (128, 96))
    assert cloth[warped > 0.01, 1:].max() < 2


def scene_of(scale: float = 2.0) -> composite.Scene:
    rgb, labels = drawing(scale)
    nothing = np.zeros(labels.shape, bool)
    return composite.Scene(rgb, labels, nothing, ~nothing, keypoints(scale))


def test_light_follows_folds_and_not_prints():
    scene = scene_of(3.0)
    shaded = scene.rgb.copy()
    shaded[220:240][scene.labels[220:240] == 5] = (28, 63, 119)  # a fold: the same colour, darker
    shaded[255:275, 170:190] = (240, 240, 60)  # a print
    light = composite.garment_light(scene._replace(rgb=shaded), 1.0)
    fold, plain, printed = light[230, 180], light[320, 180], light[265, 180]
    assert fold < 0.9 * plain and abs(printed - plain) < 0.12
    assert (composite.garment_light(scene, 0.0) == 1).all()
    black = np.where((scene.labels == 5)[..., None], 12, scene.rgb).astype(np.uint8)
    assert (composite.garment_light(scene._replace(rgb=black), 1.0) == 1).all()


def test_bared_skin_takes_the_colour_of_the_face():
    scene = scene_of()
    rendered = np.full((*scene.labels.shape, 3), (90, 120, 200), np.float32)
    rendered[200:] *= 0.7
    zone = np.ones(scene.labels.shape, bool)
    skin = composite.match_skin(rendered, zone, scene)
    face = np.median(scene.rgb[scene.labels == 13], axis=0)
    assert np.abs(skin[10, 10] - face).max() < 3 and (skin[210, 10] < 0.9 * face).all()


def test_a_painted_body_differs_from_the_studio_wall():
    rendered = np.full((96, 72, 3), 232, np.float32)
    rendered[40:80, 20:50] = (150, 90, 70)
    body = composite.painted_body(rendered)
    assert body[50, 30] and not body[10, 10] and body.sum() == 40 * 30


def test_trousers_go_on_upwards_or_are_plain():
    scene = scene_of()
    colours = composite.trousers(scene, scene.labels.shape)
    assert np.abs(colours[230, 120] - (50, 50, 55)).max() < 3
    bare = composite.trousers(scene._replace(labels=np.where(scene.labels == 9, 0, scene.labels)), scene.labels.shape)
    assert (bare == np.array(composite.PLAIN_TROUSERS)).all()


def test_smooth_things_are_worked_out_small():
    scene = scene_of(9.0)
    small = composite.shrunk(scene)
    assert composite.body_unit_px(small.keypoints) == pytest.approx(composite.COARSE_PX, rel=0.02)
    x, y = small.keypoints[J["nose"], :2].round().astype(int)
    assert small.labels[y, x] == 13
    assert composite.shrunk(small) is small or abs(composite.shrunk(small).rgb.shape[0] - small.rgb.shape[0]) <= 2
    assert composite.grown(small.labels == 13, scene.labels.shape).shape == scene.labels.shape


class PasteModel(torch.nn.Module):
    """Stands for trained networks: the garment moved onto the torso, everything else skin-coloured."""

    def __init__(self, size, coverage: float = 1.0):
        super().__init__()
        self.gmm = build_gmm(SMOKE)
        self.size, self.coverage = size, coverage

    def forward(self, batch):
        grid = identity_grid(*self.size)[None]
        mask = batch["cloth_mask"] * self.coverage
        rendered = torch.tensor([0.6, 0.2, 0.0]).view(1, 3, 1, 1).expand_as(batch["cloth"])
        image = mask * batch["cloth"] + (1 - mask) * rendered
        return None, Warp(batch["cloth"], mask, grid, torch.zeros(1, 50)), TryOn(image, rendered, mask)


def test_everything_but_the_garment_is_byte_identical(drawn, shirt, tmp_path):
    photo = photo_to_sample(drawn, SMOKE.size, DrawnBackend())
    out = tmp_path / "out" / "worn.png"
    result = try_on_photo(photo, shirt, out=out, pipeline=PasteModel(SMOKE.size))
    saved = np.asarray(Image.open(out))
    truth = drawing(3.0)[1]
    assert saved.shape == photo.original.shape and (saved == result.image).all()
    assert (saved[~result.changed] == photo.original[~result.changed]).all()
    assert (saved != photo.original).any(-1).sum() > 0.1 * truth.size
    for label in (2, 13, 9):
        assert not result.changed[(truth == label) & (photo.labels == label)].any() or label == 9
    head = np.isin(photo.labels, (2, 13))
    assert (saved[head] == photo.original[head]).all()
    far = (truth == 0) & ~composite.ndimage.binary_dilation(truth > 0, iterations=12)
    assert (saved[far] == photo.original[far]).all()
    neck = (photo.keypoints[J["neck"], :2] + (0, 90)).astype(int)
    assert saved[neck[1], neck[0], 0] > 120 and saved[neck[1], neck[0], 2] < 90  # red where it was blue


def test_where_the_old_garment_was_wider_the_wall_comes_back(drawn, shirt):
    photo = photo_to_sample(drawn, SMOKE.size, DrawnBackend())
    result = try_on_photo(photo, shirt, pipeline=PasteModel(SMOKE.size, coverage=0.0))
    blue = np.abs(result.image.astype(int) - SHIRT).max(-1) < 40
    assert (blue & (photo.labels == 5)).sum() < 0.01 * (photo.labels == 5).sum()
    side = np.argwhere((photo.labels == 5) & (np.indices(photo.labels.shape)[1] < 95))  # outside of torso and arm
    colours = result.image[tuple(side.T)]
    assert (np.abs(colours.astype(int) - WALL).max(-1) < 25).any()


def test_holes_in_the_networks_mask_are_cloth():
    scene = scene_of(3.0)
    shape = scene.labels.shape
    cloth, wall = (np.full((*shape, 3), v, np.float32) for v in ((200, 30, 40), 232))
    mask = np.zeros(shape, np.float32)
    mask[180:340, 130:230] = 1
    mask[270:280, 185:195] = 0
    warped = np.zeros(shape, np.float32)
    warped[180:340, 130:230] = 1
    out, changed = composite.compose(scene, composite.Layers(cloth, wall, mask, warped), shading=0)
    assert changed[275, 190] and out[275, 190].tolist() == [200, 30, 40]


def test_held_things_stay_in_front(shirt, tmp_path):
    rgb, truth = drawing(3.0)
    ball = np.hypot(*(np.indices(truth.shape) - np.array((270, 333))[:, None, None])) < 60
    rgb[ball] = (15, 15, 18)
    Image.fromarray(rgb).save(tmp_path / "ball.png")
    photo = photo_to_sample(tmp_path / "ball.png", SMOKE.size, DrawnBackend())
    assert photo.held.sum() > 0.6 * ball.sum()
    result = try_on_photo(photo, shirt, pipeline=PasteModel(SMOKE.size))
    assert (result.image[photo.held] == rgb[photo.held]).all()


def test_an_untrained_pipeline_runs_through(drawn, shirt, tmp_path):
    torch.manual_seed(0)
    for gate in ("none", "cbam"):
        pipeline = TryOnPipeline(build_gmm(SMOKE), build_tom(SMOKE, gate), SMOKE.person)
        photo = photo_to_sample(drawn, SMOKE.size, DrawnBackend())
        result = try_on_photo(photo, shirt, gate, tmp_path / f"{gate}.jpg", pipeline=pipeline)
        assert result.network.shape == (64, 48, 3) and result.network.min() >= 0 and result.network.max() <= 1
        assert (result.image[~result.changed] == photo.original[~result.changed]).all()
        assert (tmp_path / f"{gate}.jpg").exists() and len(list(tmp_path.iterdir())) >= 1
    assert collate([photo.sample])["image"].shape == (1, 3, 64, 48)


def test_models_and_outputs_are_checked(drawn, shirt, tmp_path):
    with pytest.raises(ValueError, match="unknown model 'gpt'; known: mavton, cpvton"):
        load_model("gpt")
    with pytest.raises(ValueError, match="unknown model 'gmm'"):
        load_model("gmm")
    with pytest.raises(ValueError, match="ma_vton.*not finished"):
        load_model("mavton", tmp_path, SMOKE)
    assert set(MODELS) == {"mavton", "cpvton"}
    photo = photo_to_sample(drawn, SMOKE.size, DrawnBackend())
    result = try_on_photo(photo, shirt, pipeline=PasteModel(SMOKE.size))
    with pytest.raises(ValueError, match="cannot save a picture as '.xyz'"):
        result.save(tmp_path / "out.xyz")
    assert not list(tmp_path.iterdir())


def test_figure_has_a_row_a_model_and_a_column_a_garment(drawn, shirt, tmp_path):
    from mavton_lite.plots import style
    from mavton_lite.plots.photo import photo_figure

    photo = photo_to_sample(drawn, SMOKE.size, DrawnBackend())
    tryons = [try_on_photo(photo, shirt, m, pipeline=PasteModel(SMOKE.size)) for m in ("mavton", "cpvton")]
    figure = photo_figure(tryons)
    titles = {axes.get_title(place) for axes in figure.findobj(Axes) for place in ("center", "left")}
    assert {"MA-VTON", "CP-VTON", "shirt", "parse", "pose (drawn) and frame"} <= titles
    assert style.save(figure, tmp_path / "figure.png", dpi=40).stat().st_size > 5000
    with pytest.raises(ValueError, match="at least one"):
        photo_figure([])
