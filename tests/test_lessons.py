"""Pictures for the lessons: equal to what the Atelier draws, kept, continued, and read again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mavton_lite.config import SEED
from mavton_lite.data import lessons
from mavton_lite.data.atelier import Stage, flat_lay, garment_of, person_of
from mavton_lite.data.lessons import KIND_NAMES, NECK_NAMES, SLEEVE_NAMES, garment_pictures, people_pictures

SIZE = (32, 24)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MAVTON_ROOT", str(tmp_path))
    return tmp_path / "runs" / "lessons"


def test_garments_are_the_ateliers_with_their_attributes(root):
    garments = garment_pictures(3, *SIZE, split="test")
    assert garments.pictures.shape == (3, 3, *SIZE) and garments.pictures.dtype == torch.float32
    assert garments.masks.shape == (3, 1, *SIZE) and {v.dtype for v in garments[2:]} == {torch.int64}
    for i in range(3):
        drawn = garment_of(SEED, "test", i)
        flat = flat_lay(drawn, *SIZE)
        shown = garments.pictures[i].permute(1, 2, 0).double().numpy()
        assert np.abs(shown - (flat.image * 2 - 1)).max() <= 1 / 255 + 1e-6
        assert np.abs(garments.masks[i, 0].numpy() - flat.cover).max() <= 0.5 / 255 + 1e-6
        named = SLEEVE_NAMES[garments.sleeve[i]], NECK_NAMES[garments.neck[i]], KIND_NAMES[garments.kind[i]]
        assert named == (drawn.sleeve, drawn.neck_shape, drawn.cloth.kind)


def test_people_wear_the_garment_that_lies_beside_them(root):
    people = people_pictures(2, *SIZE)
    assert people.pictures.shape == people.cloths.shape == (2, 3, *SIZE)
    drawn = garment_of(SEED, "train", 1)
    seen = Stage(person_of(SEED, "train", 1), *SIZE).wear(drawn)
    assert torch.equal(people.parses[1], torch.from_numpy(seen.parse).long())
    np.testing.assert_allclose(people.warps[1].numpy(), seen.warp, atol=1e-5)
    for shown, wanted in ((people.pictures[1], seen.image), (people.cloths[1], flat_lay(drawn, *SIZE).image)):
        assert np.abs(shown.permute(1, 2, 0).double().numpy() - (wanted * 2 - 1)).max() < 1 / 254
    # the true warp leads from worn cloth to cloth
    x, y = people.warps[1][:, people.warps[1].isfinite().all(0)].round().long()
    assert len(x) > 20 and (people.cloth_masks[1, 0, y, x] > 0).float().mean() > 0.97


def test_a_series_is_kept_continued_and_survives_a_broken_file(root, monkeypatch):
    drawn = []
    real = lessons.flat_lay
    monkeypatch.setattr(lessons, "flat_lay", lambda *args: drawn.append(1) or real(*args))
    first = garment_pictures(2, *SIZE)
    again = garment_pictures(2, *SIZE)
    assert len(drawn) == 2 and all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    longer = garment_pictures(4, *SIZE)
    assert len(drawn) == 4, "only what is new is drawn"
    assert all(torch.equal(a, b[:2]) for a, b in zip(first, longer, strict=True))
    assert torch.equal(garment_pictures(1, *SIZE).pictures, first.pictures[:1]) and len(drawn) == 4
    assert not torch.equal(garment_pictures(1, *SIZE, split="test").pictures, first.pictures[:1])
    assert not torch.equal(garment_pictures(1, *SIZE, seed=1).pictures, first.pictures[:1])
    assert not [p for p in root.iterdir() if "partial" in p.name]
    for path in root.glob("garments-*-4.npz"):
        path.write_bytes(b"half a file")
    assert torch.equal(garment_pictures(4, *SIZE).pictures, longer.pictures)
    monkeypatch.setattr(lessons, "VERSION", -1)  # another world: nothing of the old one is used
    before = len(drawn)
    garment_pictures(1, *SIZE)
    assert len(drawn) == before + 1
    monkeypatch.setattr(lessons, "NECK_NAMES", NECK_NAMES[::-1])  # numbers kept before would name other necklines
    assert NECK_NAMES[::-1][garment_pictures(1, *SIZE).neck[0]] == garment_of(SEED, "train", 0).neck_shape
    assert len(drawn) == before + 2


def test_bad_arguments(root):
    with pytest.raises(ValueError, match="at least 1 picture, got 0"):
        garment_pictures(0, *SIZE)
    with pytest.raises(ValueError, match="split: found 'val'"):
        people_pictures(1, *SIZE, split="val")
    with pytest.raises(ValueError, match="4:3, got 32 x 32"):
        garment_pictures(1, 32, 32)
    assert not root.exists(), "nothing was drawn"


def test_names_are_unique_and_cover_what_is_drawn():
    for names in (SLEEVE_NAMES, NECK_NAMES, KIND_NAMES):
        assert len(set(names)) == len(names) >= 3
    drawn = [garment_of(SEED, "test", i) for i in range(300)]
    assert {g.sleeve for g in drawn} <= set(SLEEVE_NAMES)
    assert {g.neck_shape for g in drawn} <= set(NECK_NAMES) and {g.cloth.kind for g in drawn} <= set(KIND_NAMES)
