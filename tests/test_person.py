"""The person representation against the original's own recipe, made with Pillow; mirroring against geometry."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from worlds import random_batch

from mavton_lite.config import LITE, PersonSettings
from mavton_lite.data.augment import MIRRORED_KEYPOINTS, MIRRORED_LABELS, mirror
from mavton_lite.data.person import blur_silhouette, plain_ground, pose_maps, represent

SIZE = (256, 192)
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


def pillow_person(image, parse, keypoints, radius=5):
    """One example the way CP-VTON's loader makes it.   (3, H, W), (H, W), (18, 3) -> (22, H, W), (3, H, W)."""
    height, width = parse.shape
    normalise = lambda grey: (np.asarray(grey, np.float32) / 255 - 0.5) / 0.5  # noqa: E731
    shape = Image.fromarray(((parse > 0) * 255).astype(np.uint8))
    shape = shape.resize((width // 16, height // 16), Image.BILINEAR).resize((width, height), Image.BILINEAR)
    head = np.isin(parse, [1, 2, 4, 13]).astype(np.float32)
    garment = np.isin(parse, [5, 6, 7]).astype(np.float32)
    maps = []
    for x, y, _ in keypoints:
        one = Image.new("L", (width, height))
        if x > 1 and y > 1:
            ImageDraw.Draw(one).rectangle((x - radius, y - radius, x + radius, y + radius), "white", "white")
        maps.append(normalise(one))
    agnostic = np.concatenate([normalise(shape)[None], image * head - (1 - head), np.stack(maps)])
    return agnostic, image * garment + (1 - garment)


@pytest.mark.parametrize("device", DEVICES)
def test_represent_equals_the_originals_recipe(device):
    batch = random_batch(3, SIZE, seed=3)
    batch["keypoints"][0, 0] = torch.tensor([1.0, 40.0, 0.9])  # x <= 1: missing
    batch["keypoints"][0, 1] = torch.tensor([40.0, 0.7, 0.9])  # y <= 1: missing
    batch["keypoints"][0, 2] = torch.tensor([1.5, 254.6, 0.9])  # cut at two borders
    person = represent({k: v.to(device) if torch.is_tensor(v) else v for k, v in batch.items()})
    assert person.agnostic.shape == (3, 22, *SIZE) and person.agnostic.device.type == device
    for i in range(3):
        agnostic, worn = pillow_person(*(batch[k][i].numpy() for k in ("image", "parse", "keypoints")))
        difference = np.abs(person.agnostic[i].cpu().numpy() - agnostic)
        assert difference.max() < 1e-6, "not one grey level may differ"
        np.testing.assert_allclose(person.worn_cloth[i].cpu().numpy(), worn, atol=1e-6)
        assert torch.equal(person.worn_mask[i, 0].cpu() > 0, batch["parse"][i] == 5)
    assert (person.pose[0, :2] == -1).all()
    assert torch.equal(person.agnostic, torch.cat([person.silhouette, person.head, person.pose], 1))


@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([(256, 192), (128, 96), (64, 48), (50, 37)]))
@settings(max_examples=40, deadline=None)
def test_silhouette_equals_pillow_on_any_mask(seed, size):
    body = np.random.default_rng(seed).random((size[0] // 4 + 1, size[1] // 4 + 1)) > 0.5
    body = np.kron(body, np.ones((4, 4), bool))[: size[0], : size[1]]
    grey = Image.fromarray((body * 255).astype(np.uint8))
    grey = grey.resize((12, 16), Image.BILINEAR).resize(size[::-1], Image.BILINEAR)
    ours = (blur_silhouette(torch.tensor(body)[None, None], (16, 12))[0, 0] + 1) * 127.5
    assert np.array_equal(ours.round().numpy(), np.asarray(grey, np.float32))


@given(
    st.lists(st.tuples(*[st.floats(-20, 90, width=32)] * 2, st.floats(0, 1, width=32)), min_size=1, max_size=6),
    st.integers(0, 6),
)
@settings(max_examples=60, deadline=None)
def test_pose_squares_equal_pillows_rectangles(points, radius):
    height, width = 64, 48
    maps = pose_maps(torch.tensor(points)[None], (height, width), radius)[0]
    for ours, (x, y, _) in zip(maps, points, strict=True):
        drawn = Image.new("L", (width, height))
        if x > 1 and y > 1:
            ImageDraw.Draw(drawn).rectangle((x - radius, y - radius, x + radius, y + radius), "white", "white")
        assert np.array_equal(ours.numpy() > 0, np.asarray(drawn) > 0), (x, y, radius)


def test_settings_are_followed():
    batch = random_batch(2, (128, 96))
    lite = represent(batch, dataclasses.replace(LITE.person, lower_from_hips=False))
    trousers = (batch["parse"] == 9)[:, None].expand(-1, 3, -1, -1)
    assert torch.equal(lite.head[trousers], batch["image"][trousers])
    assert (represent(batch).head[trousers] == -1).all()
    changed = PersonSettings(kept_fill=0.25, worn_fill=-0.5, garment_labels=(9,), shape_ignores=(1, 2, 4, 13))
    person = represent(batch, changed)
    kept = torch.isin(batch["parse"], torch.tensor([1, 2, 4, 13]))[:, None].expand(-1, 3, -1, -1)
    assert (person.head[~kept] == 0.25).all() and (person.worn_cloth[~trousers] == -0.5).all()
    assert person.silhouette.sum() < represent(batch).silhouette.sum()
    point = batch["keypoints"].clone()
    point[:] = torch.tensor([50.0, 60.0, 1.0])
    for radius in (1, 3, 5):
        maps = represent(batch | {"keypoints": point}, dataclasses.replace(changed, pose_radius_px=radius)).pose
        assert ((maps > 0).sum((-1, -2)) == (2 * radius + 1) ** 2).all()


def test_the_matching_module_may_be_shown_other_parts():
    """CP-VTON+ hides hair and lower body from its matching module; nothing else differs between the two."""
    batch = random_batch(2, (64, 48))
    plain = represent(batch, PersonSettings())
    assert plain.matching is plain.agnostic
    plus = represent(batch, PersonSettings(kept_labels=(2, 9, 13), matching_kept_labels=(13,)))
    assert torch.equal(plus.agnostic, represent(batch, PersonSettings(kept_labels=(2, 9, 13))).agnostic)
    assert torch.equal(plus.matching, represent(batch, PersonSettings(kept_labels=(13,))).agnostic)
    hidden = torch.isin(batch["parse"], torch.tensor([2, 9]))  # (B, H, W)
    assert hidden.any() and (plus.matching[:, 1:4].movedim(1, -1)[hidden] == -1).all()
    assert not (plus.agnostic[:, 1:4].movedim(1, -1)[hidden] == -1).all()


@pytest.mark.parametrize("key, value", [("image", torch.zeros(3, 64, 48)), ("parse", torch.zeros(2, 64, 47)),
                                        ("keypoints", torch.zeros(2, 25, 3))])  # fmt: skip
def test_wrong_shapes_are_named(key, value):
    with pytest.raises(ValueError, match=rf"^{key}: found shape .* wanted"):
        represent(random_batch(2) | {key: value})


def test_mirror_tells_left_from_right():
    assert [MIRRORED_LABELS[i] for i in (5, 13, 14, 15, 16, 17, 18, 19, 20)] == [5, 13, 15, 14, 17, 16, 19, 18, 20]
    assert MIRRORED_KEYPOINTS == [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]
    batch = random_batch(2, truth=True)
    batch["keypoints"][:, 4] = torch.tensor([10.0, 20.0, 0.5])  # right wrist
    batch["keypoints"][:, 7] = 0  # left wrist is missing
    done = mirror(batch, torch.tensor([True, False]))
    for key in batch:
        if torch.is_tensor(batch[key]):
            assert torch.equal(done[key][1].nan_to_num(), batch[key][1].nan_to_num()), key
    assert torch.equal(done["image"][0], batch["image"][0].flip(-1))
    assert torch.equal(done["cloth_mask"][0], batch["cloth_mask"][0].flip(-1))
    assert torch.equal(done["parse"][0] == 14, (batch["parse"][0] == 15).flip(-1))
    assert done["keypoints"][0, 7].tolist() == [47 - 10, 20, 0.5] and not done["keypoints"][0, 4].any()
    assert done["name"] == batch["name"]


def test_a_mirrored_warp_points_at_the_mirrored_cloth():
    batch = random_batch(1, truth=True)
    done = mirror(batch, torch.tensor([True]))
    row, column = torch.nonzero(batch["truth_warp"][0, 0].isfinite())[7].tolist()
    x, y = batch["truth_warp"][0, :, row, column]
    assert torch.allclose(done["truth_warp"][0, :, row, 47 - column], torch.stack([47 - x, y]))
    assert torch.equal(done["truth_warp"][0, 0].isnan(), batch["truth_warp"][0, 0].isnan().flip(-1))


@given(st.integers(0, 2**16), st.lists(st.booleans(), min_size=3, max_size=3))
@settings(max_examples=15, deadline=None)
def test_mirror_commutes_with_represent_and_undoes_itself(seed, which):
    which = torch.tensor(which)
    batch = random_batch(3, truth=True, seed=seed)
    batch["keypoints"] = batch["keypoints"].round()  # between whole pixels Pillow's squares lean to one side
    batch["keypoints"][..., 0].clamp_(max=45)  # at 46 and 47 the mirrored point would count as missing
    batch["keypoints"][..., :2].clamp_(min=0)
    mirrored, person = mirror(batch, which), represent(batch)
    again = mirror(mirrored, which)
    for key in ("image", "parse", "keypoints", "truth_warp"):
        assert torch.allclose(again[key].nan_to_num(-9), batch[key].nan_to_num(-9), atol=1e-4), key
    flipped = person.agnostic[:, [0, 1, 2, 3, *(4 + k for k in MIRRORED_KEYPOINTS)]].flip(-1)
    wanted = torch.where(which[:, None, None, None], flipped, person.agnostic)
    assert (represent(mirrored).agnostic - wanted).abs().max() <= 2.01 / 255


def test_mirror_refuses_what_it_does_not_know():
    batch = random_batch(2)
    with pytest.raises(ValueError, match="grid: found a tensor"):
        mirror(batch | {"grid": torch.zeros(2, 64, 48, 2)}, torch.tensor([True, True]))
    with pytest.raises(ValueError, match="which: found"):
        mirror(batch, torch.tensor([1, 0]))


def test_the_old_hem_is_not_given_away():
    """Of the lower body only what lies below the line through the hips is kept; without hips, all of it."""
    batch = random_batch(3, (128, 96))
    batch["parse"][:] = 9  # trousers everywhere
    batch["keypoints"][:, [8, 11]] = 0
    batch["keypoints"][0, [8, 11]] = torch.tensor([[30.0, 70.0, 1.0], [60.0, 80.0, 1.0]])
    batch["keypoints"][1, 8] = torch.tensor([30.0, 50.0, 0.5])
    head = represent(batch, dataclasses.replace(LITE.person, ground=False)).head
    for example, line in ((0, 75), (1, 50), (2, 0)):
        assert (head[example, :, :line] == -1).all()
        assert torch.equal(head[example, :, line:], batch["image"][example, :, line:])
    everything = represent(batch, dataclasses.replace(LITE.person, lower_from_hips=False)).head
    assert torch.equal(everything, batch["image"])


def test_the_wall_is_guessed_from_what_is_seen_of_it():
    """A wall of quadratic light is found behind the person, whose colour and outline leave no trace."""
    batch = random_batch(2, (128, 96))
    y, x = torch.meshgrid(torch.linspace(-1, 1, 128), torch.linspace(-1, 1, 96), indexing="ij")
    wall = torch.stack([0.6 + 0.2 * x - 0.1 * y, 0.5 - 0.2 * x * y, 0.7 - 0.3 * y**2 + 0.1 * x**2])  # (3, H, W)
    batch["parse"][:] = 0
    batch["parse"][0, 30:, 30:70] = 5
    batch["parse"][0, 10:30, 40:60] = 13
    batch["parse"][1, 50:, 10:50] = 5
    person = (batch["parse"] > 0)[:, None]
    noise = torch.rand(2, 3, 128, 96) * 2 - 1
    batch["image"] = torch.where(person, noise, wall)
    batch["image"][:, :, 29:31] = torch.where(person[:, :, 30:31], noise[:, :, 29:31], wall[:, 29:31])  # a blurred edge
    seen = represent(batch, LITE.person)
    face = (batch["parse"] == 13)[:, None].expand(-1, 3, -1, -1)
    assert torch.equal(seen.head[face], batch["image"][face])
    assert (seen.head - wall)[~face].abs().max() < 0.01
    assert torch.equal(seen.agnostic[:, 1:4], seen.head)
    # the matching module paints nothing: it is shown what it always was
    assert (seen.matching[:, 1:4][~face] == -1).all()
    assert torch.equal(seen.matching[:, 4:], seen.pose)
    # two people before one wall: what is seen of it tells nothing of them
    both = plain_ground(torch.where(person, noise, wall), batch["parse"] == 0)
    assert (both[0] - both[1]).abs().max() < 0.01
    # autocast would add thousands of pixels up in half precision
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(represent(batch, LITE.person).head, seen.head)


def test_a_wall_that_is_not_seen_is_white():
    picture, nowhere = torch.zeros(1, 3, 64, 48), torch.zeros(1, 64, 48, dtype=torch.bool)
    assert (plain_ground(picture, nowhere) == 1).all()
    corner = nowhere.clone()
    corner[:, :6, :6] = True  # too little to tell a slope from
    assert plain_ground(picture + 0.5, corner).sub(0.5).abs().max() < 1e-5
