"""The Atelier's truth is held to itself: warp, parse, masks, depth order, key points, bytes."""

import dataclasses
import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion, map_coordinates

from mavton_lite.data import decode
from mavton_lite.data.atelier import Stage, encode, flat_lay, garment_of, person_of, write_world
from mavton_lite.data.atelier.body import load_body, rotation, vertex_normals
from mavton_lite.data.atelier.raster import rasterise
from mavton_lite.data.atelier.render import LEFT_ARM, PARTS, RIGHT_ARM, UPPER
from mavton_lite.data.atelier.write import keypoints_of
from mavton_lite.data.sample import COCO18

H, W, SEED = 128, 96, 7


@pytest.fixture(scope="module")
def examples():
    """(stage, garment, other garment) of a dozen people."""
    return [
        (Stage(person_of(SEED, "test", i), H, W), garment_of(SEED, "test", i), garment_of(SEED, "test", i ^ 1))
        for i in range(12)
    ]


def test_rasteriser_agrees_with_a_plain_loop():
    rng = np.random.default_rng(0)
    points = rng.uniform(-3, 23, (30, 3))
    faces = rng.integers(0, 30, (25, 3))
    seen = rasterise(points, faces, 20, 20, cull=False)
    for y in range(20):
        for x in range(20):
            best, nearest = -1, np.inf
            for t, face in enumerate(faces):
                (ax, ay, az), (bx, by, bz), (cx, cy, cz) = points[face]
                area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
                if abs(area) < 1e-12:
                    continue
                u = ((bx - x) * (cy - y) - (cx - x) * (by - y)) / area
                v = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) / area
                if min(u, v, 1 - u - v) >= 0 and (depth := u * az + v * bz + (1 - u - v) * cz) < nearest:
                    best, nearest = t, depth
            assert seen.triangle[y, x] == best
            assert np.isclose(seen.depth[y, x], nearest)


def test_rasteriser_discards_before_it_sorts():
    points = np.array([[0, 0, 1], [9, 0, 1], [0, 9, 1], [0, 0, 2], [9, 0, 2], [0, 9, 2]], float)
    faces = np.array([[0, 1, 2], [3, 4, 5]])
    near = rasterise(points, faces, 10, 10, cull=False)
    assert set(near.triangle[near.hit]) == {0}
    far = rasterise(points, faces, 10, 10, cull=False, keep=lambda rows, weight: rows != 0)
    assert set(far.triangle[far.hit]) == {1}
    np.testing.assert_array_equal(near.hit, far.hit)


def test_body_poses():
    body = load_body()
    np.testing.assert_allclose(body.pose(), body.canonical, atol=1e-6)
    matrix = rotation((0.3, -0.2, 0.9))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.isclose(np.linalg.det(matrix), 1)
    # a turn of the root is a rigid motion of everything
    turned = body.pose(None, {"root": (0, 0, 0.4)})
    d = lambda v: np.linalg.norm(v[::50, None] - v[None, ::50], axis=-1)  # noqa: E731
    np.testing.assert_allclose(d(turned), d(body.canonical), atol=1e-5)
    with pytest.raises(ValueError, match="unknown bones.*tail"):
        body.pose(None, {"tail": (0, 0, 1)})


def test_bent_elbow_moves_the_wrist_and_not_the_shoulder():
    body = load_body()
    straight, bent = body.keypoints(body.pose()), body.keypoints(body.pose(None, {"lowerarm01.L": (1.5, 0, 0)}))
    assert np.linalg.norm(straight["left_wrist"] - bent["left_wrist"]) > 0.15
    for name in ("left_shoulder", "right_wrist", "nose"):
        np.testing.assert_allclose(straight[name], bent[name], atol=1e-5)


def test_last_bits_of_the_arithmetic_do_not_matter():
    """Another processor rounds sums and sines differently; the posed body must come out the same."""
    body = load_body()
    shaken = dataclasses.replace(
        body, canonical=body.canonical * (1 + 2**-52), components=body.components * (1 - 2**-52), weights=body.weights
    )
    turns = {"upperarm01.L": (0.1, 0, -0.5), "spine03": (0.02, 0.05, 0.01)}
    shape = body.sample_shape(np.random.default_rng(3))[0]
    np.testing.assert_array_equal(body.pose(shape, turns), shaken.pose(shape, turns))


def test_normals_point_out():
    body = load_body()
    normal = vertex_normals(body.canonical, body.faces["body"])
    chest = np.argmin(np.abs(body.canonical - [0, -0.12, 0.6]).sum(1))
    assert normal[chest, 1] < -0.5  # towards the camera


def at(picture, x, y):
    """Values of a picture (H, W, C) at places in its pixels."""
    return np.stack([map_coordinates(picture[..., k], [y, x], order=1, mode="nearest") for k in range(3)], -1)


def chroma(colour):
    return colour / (colour.sum(-1, keepdims=True) + 1e-6)


def test_the_true_warp_brings_the_flat_garment_to_where_it_is_worn(examples):
    """Fetching the flat picture along the true warp gives the worn colours up to light, which has no hue of its own."""
    for stage, garment, _ in examples:
        worn, flat = stage.wear(garment), flat_lay(garment, 4 * H, 4 * W).image
        inside = binary_erosion(np.isfinite(worn.warp[0]), iterations=2)
        assert inside.sum() > 200
        x, y = ((k[inside] + 0.5) * 4 - 0.5 for k in worn.warp)
        fetched, colour = at(flat, x, y), worn.image[inside]
        error = np.abs(chroma(fetched) - chroma(colour)).max(-1)
        assert np.median(error) < 0.01
        assert 0.5 < np.median(colour.sum(-1) / fetched.sum(-1)) < 1.2
        wrong = np.median(np.abs(chroma(at(flat, x + 60, y + 60)) - chroma(colour)).max(-1))
        if wrong > 0.05:  # a print that tells places apart
            assert np.median(error) < 0.2 * wrong


def test_the_flat_lay_is_its_own_coordinates(examples):
    for _, garment, _ in examples:
        flat = flat_lay(garment, H, W)
        inside = binary_erosion(flat.parse == garment.label)
        y, x = np.nonzero(inside)
        assert np.isfinite(flat.warp[0][inside]).all()
        assert np.abs(flat.warp[0][inside] - x).max() < 0.6  # the mean of the covered samples of a pixel
        assert np.abs(flat.warp[1][inside] - y).max() < 0.6
        assert (flat.image[flat.cover == 0] == 1).all()


def test_the_flat_garment_is_whole_in_its_picture(examples):
    for _, garment, _ in examples:
        rows, columns = (np.flatnonzero((flat_lay(garment, H, W).parse > 0).any(k)) for k in (1, 0))
        assert rows[0] >= 2 and rows[-1] < H - 2 and columns[0] >= 1 and columns[-1] < W - 1
        assert (rows[-1] - rows[0]) / H > 0.4


def test_warp_points_into_the_flat_garment(examples):
    for stage, garment, _ in examples:
        worn, flat = stage.wear(garment), flat_lay(garment, H, W)
        x, y = (np.round(k[np.isfinite(k)]) for k in worn.warp)
        grown = binary_dilation(flat.parse == garment.label, iterations=2)
        hit = grown[np.clip(y, 0, H - 1).astype(int), np.clip(x, 0, W - 1).astype(int)]
        assert hit.mean() > 0.97  # the rest are undersides of sleeves, out of sight on the flat lay


def test_the_true_warp_is_stored_exactly_at_every_size(tmp_path):
    """At 1024 x 768 it reaches 1023 px, or 65,472 steps of 1/64 px: more than 16 bits hold."""
    for height, kind in ((128, np.int16), (1024, np.int32)):
        y, x = np.mgrid[:height, : height * 3 // 4] + 0.25
        picture = SimpleNamespace(warp=np.stack([x, y]))
        picture.warp[:, :2] = np.nan
        stored = encode._warp(picture)
        assert stored.dtype == kind
        np.savez(tmp_path / "warp.npz", warp=stored)
        np.testing.assert_allclose(decode.read_warp(tmp_path / "warp.npz", x.shape), picture.warp, atol=1 / 128)


def test_parse_and_warp_agree(examples):
    lining = total = 0
    for stage, garment, _ in examples:
        worn = stage.wear(garment)
        cloth = worn.parse == garment.label
        assert not (np.isfinite(worn.warp[0]) & ~cloth).any()
        lining, total = lining + (cloth & ~np.isfinite(worn.warp[0])).sum(), total + cloth.sum()
        assert (worn.cover[cloth] > 0).all()
        assert set(np.unique(worn.parse)) <= {0, 2, 5, 9, 10, 12, 13, 14, 15, 16, 17}
        assert {0, 5, 13} <= set(np.unique(worn.parse))
    assert 0 < lining < 0.01 * total  # the inside of an armhole has no place on the flat lay


def test_only_the_garments_differ(examples):
    """The parse differs under the garments only; the picture also where their shadows fall, and no further."""
    for stage, own, other in examples:
        a, b = stage.wear(own), stage.wear(other)
        changed = (a.cover > 0) | (b.cover > 0)
        np.testing.assert_array_equal(a.parse[~changed], b.parse[~changed])
        reach = int(np.ceil(0.12 * stage.camera.scale))  # of shadows: 7 cm along the light, 5 cm around
        far = ~binary_dilation(changed, np.ones((3, 3)), iterations=reach)
        assert far.any()
        np.testing.assert_allclose(a.image[far], b.image[far], atol=1e-12)  # running sums round
        assert np.abs(a.image - b.image)[changed].mean() > 0.01
        ratio = ((b.image + 0.02) / (a.image + 0.02))[~changed]
        assert ratio.min() > 0.5 and ratio.max() < 2  # a shadow, not another colour


def test_depth_order(examples):
    """What is seen is what is nearest: an arm is nearer than the cloth behind it, the cloth nearer than the torso."""
    n_arm = 0
    for stage, garment, _ in examples:
        worn = stage.wear(garment)
        waist_z, faces = stage.person.lower.waist_z, garment.faces
        draped = garment.drape(stage.person.vertices, waist_z)
        cloth = rasterise(stage.camera.project(draped), faces, 2 * H, 2 * W, keep=garment.keep(faces, waist_z)).depth
        near = lambda depth: depth.reshape(H, 2, W, 2).min((1, 3))  # noqa: E731
        arm = binary_erosion(np.isin(worn.parse, (LEFT_ARM, RIGHT_ARM)))
        behind = arm & np.isfinite(near(cloth))
        n_arm += behind.sum()
        assert (near(stage.depth)[behind] < near(cloth)[behind] + 0.012).all()
        hair = binary_erosion(worn.parse == 2) & np.isfinite(near(cloth))
        assert (near(stage.depth)[hair] < near(cloth)[hair] + 0.012).all()
        assert (worn.depth <= near(stage.depth) + 1e-9).all()
    assert n_arm > 100


def test_depth_is_known_where_there_is_somebody(examples):
    for stage, garment, _ in examples:
        worn = stage.wear(garment)
        np.testing.assert_array_equal(np.isfinite(worn.depth) | (worn.parse == 0), np.ones((H, W), bool))
        inside = worn.depth[np.isfinite(worn.depth)]
        assert inside.max() - inside.min() < 1.2  # one adult


def test_parts_are_below_the_clothes(examples):
    for stage, garment, _ in examples:
        part, parse = stage.part, stage.wear(garment).parse
        assert set(np.unique(part)) <= set(range(len(PARTS)))
        names = np.array(PARTS)[part]
        for side, label in (("left", LEFT_ARM), ("right", RIGHT_ARM)):
            bare = binary_erosion(parse == label)
            on_arm = np.char.startswith(names, side) & ~np.char.endswith(names, "leg")
            assert on_arm[bare].mean() > 0.95 if bare.any() else True
        face = binary_erosion(parse == 13)
        assert (names[face] == "head").mean() > 0.95
        shirt = parse == UPPER
        assert np.isin(names[shirt], ("torso", "background")).mean() > 0.3
        x, y = np.round(keypoints_of(stage)[COCO18.index("nose"), :2]).astype(int)
        assert names[y, x] == "head" or parse[y, x] in (LEFT_ARM, RIGHT_ARM)


def test_arms_are_in_front_of_the_torso_in_a_fifth_of_the_examples():
    """Counted on hands and forearms of a short-sleeved torso, not on the name of the pose."""
    count = 0
    for i in range(60):
        stage = Stage(person_of(SEED, "train", i), 64, 48)
        garment = garment_of(SEED, "train", i)
        worn = stage.wear(garment)
        points = keypoints_of(stage)
        left, right = sorted((points[2, 0], points[5, 0]))
        top, bottom = points[1, 1], max(points[8, 1], points[11, 1])
        arm = np.isin(worn.parse, (LEFT_ARM, RIGHT_ARM))
        y, x = np.nonzero(arm)
        middle = (x > left + 0.15 * (right - left)) & (x < right - 0.15 * (right - left)) & (y > top) & (y < bottom)
        count += middle.sum() >= 12
    assert count >= 12


def test_keypoints_lie_on_their_parts(examples):
    nose, neck = COCO18.index("nose"), COCO18.index("neck")
    right, left = COCO18.index("right shoulder"), COCO18.index("left shoulder")
    for stage, garment, _ in examples:
        points, worn = keypoints_of(stage), stage.wear(garment)
        assert worn.parse[tuple(np.round(points[nose, 1::-1]).astype(int))] in (13, 2, 14, 15)
        assert worn.parse[tuple(np.round(points[neck, 1::-1]).astype(int))] in (5, 10, 2, 14, 15)
        assert points[left, 0] > points[right, 0]  # the person's left is on the picture's right
        assert points[nose, 1] < points[neck, 1]
        inside = points[points[:, 2] > 0]
        assert (inside[:, 0] < W).all() and (inside[:, 1] < H).all() and set(inside[:, 2]) <= {0.5, 1.0}
        for wrist, label in ((4, RIGHT_ARM), (7, LEFT_ARM)):
            if points[wrist, 2] == 1.0:
                x, y = np.round(points[wrist, :2]).astype(int)
                near = worn.parse[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4]
                assert np.isin(near, (label, UPPER)).any()


def test_any_size_shows_the_same_scene():
    person, garment = person_of(SEED, "test", 3), garment_of(SEED, "test", 3)
    small, large = Stage(person, 64, 48).wear(garment), Stage(person, 256, 192).wear(garment)
    shrunk = large.image.reshape(64, 4, 48, 4, 3).mean((1, 3))
    assert np.abs(shrunk - small.image).mean() < 0.02
    with pytest.raises(ValueError, match="4:3"):
        flat_lay(garment, 64, 64)


def digests(root):
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file() and p.name != "journal.jsonl"
    }


def test_world_is_the_same_bytes_whatever_the_order_and_the_processes(tmp_path):
    one = write_world(tmp_path / "one", 6, 4, 64, 48, seed=3, workers=1, progress=False).parent
    two = write_world(tmp_path / "two", 6, 4, 64, 48, seed=3, workers=2, progress=False).parent
    assert digests(one) == digests(two)
    other = write_world(tmp_path / "other", 2, 2, 64, 48, seed=4, workers=1, progress=False).parent
    name = "train/image/000000_0.jpg"
    assert digests(other)[name] != digests(one)[name]


def test_an_interrupted_world_continues(tmp_path, monkeypatch):
    from mavton_lite.data.atelier import write

    whole = digests(write_world(tmp_path / "whole", 6, 2, 64, 48, workers=1, progress=False).parent)
    real, calls = write._write_pair, []

    def stop_at_third(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(write, "_write_pair", stop_at_third)
    root = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        write_world(root, 6, 2, 64, 48, workers=1, progress=False)
    assert not (root / "manifest.json").exists()
    with (root / "journal.jsonl").open("a") as log:
        log.write('{"train/2": "cut o')  # what a crash in the middle of a line leaves
    calls.clear()
    monkeypatch.setattr(write, "_write_pair", lambda *args: calls.append(args) or real(*args))
    write_world(root, 6, 2, 64, 48, workers=1, progress=False)
    assert len(calls) == 2  # of four pairs two were done
    assert digests(root) == whole
    calls.clear()
    write_world(root, 6, 2, 64, 48, workers=1, progress=False)
    assert not calls


def test_world_layout_and_manifest(tmp_path):
    root = write_world(tmp_path, 2, 4, 64, 48, workers=1, progress=False).parent
    assert (root / "test_pairs.txt").read_text().splitlines()[:2] == [
        "000000_0.jpg 000001_1.jpg",
        "000001_0.jpg 000000_1.jpg",
    ]
    assert (root / "test_pairs_same.txt").read_text().splitlines()[1] == "000001_0.jpg 000001_1.jpg"
    parse = Image.open(root / "test/image-parse/000000_0.png")
    assert parse.mode == "P" and parse.size == (48, 64)
    pose = json.loads((root / "test/pose/000000_0_keypoints.json").read_text())
    assert len(pose["people"][0]["pose_keypoints"]) == 54
    manifest = json.loads((root / "manifest.json").read_text())
    assert len(manifest["sha256"]) == 6
    with pytest.raises(ValueError, match="manifest.json: holds the world"):
        write_world(tmp_path, 2, 4, 128, 96, workers=1, progress=False)
    with pytest.raises(ValueError, match="pairs"):
        write_world(tmp_path, 3, 4, 64, 48)
