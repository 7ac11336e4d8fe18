"""The fitting room without its page: from an upload to try-ons, the stages between, the sheet, the download."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from drawn_person import DrawnBackend, drawing
from PIL import Image

from mavton_lite.config import SMOKE
from mavton_lite.data.garment_picture import GarmentPicture
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.studio import fitting
from mavton_lite.studio.intake import Upload, UploadError, uploaded_garment


@pytest.fixture(scope="module")
def made():
    """Two try-ons, and what was said while they were made."""
    torch.manual_seed(0)
    pipeline = TryOnPipeline(build_gmm(SMOKE), build_tom(SMOKE, "cbam"), SMOKE.person).eval().requires_grad_(False)
    rgb, said = drawing(3.0)[0], []
    portrait = fitting.read_portrait(Upload("drawn", rgb, (480, 360)), SMOKE.size, DrawnBackend(), say=_note(said))
    shirt = np.full((400, 300, 3), 255, np.uint8)
    shirt[80:300, 80:220] = (200, 40, 40)
    garments = [uploaded_garment(Upload(name, shirt, (400, 300)), 20) for name in ("one", "two")]
    return fitting.fit(portrait, garments, pipeline, "ma_vton", _note(said)), said


def _note(said: list):
    return lambda share, what: said.append((share, what))


def test_every_garment_is_tried_on_and_progress_goes_forward(made):
    results, said = made
    assert [r.garment.name for r in results] == ["one", "two"]
    shares = [share for share, _ in said]
    assert shares == sorted(shares) and shares[0] > 0 and shares[-1] < 1
    assert [what for _, what in said] == ["looking for the person", "trying on garment 1 of 2",
                                          "trying on garment 2 of 2"]  # fmt: skip


def test_what_is_not_painted_is_the_photographs_own(made):
    for result in made[0]:
        photo = result.photo
        assert result.image.shape == photo.original.shape
        assert (result.image == photo.original)[~result.changed].all()
        assert not result.changed[np.isin(photo.labels, (2, 13))].any(), "face and hair are never painted"


def test_all_stages_are_shown_and_named(made):
    result = made[0][0]
    stages = fitting.stages(result, height=120)
    assert list(stages) == ["pose and frame", "parse", "person representation", "garment", "warped garment",
                            "composition mask", "network's picture"]  # fmt: skip
    for name, picture in stages.items():
        assert picture.dtype == np.uint8 and picture.shape[0] == 120 and picture.shape[2] == 3, name
        assert picture.std() > 1, f"{name} is blank"
    mask = fitting.stages(result, height=SMOKE.size[0])["composition mask"][..., 0]
    assert np.abs(mask - 255 * result.drawn.mask[0, 0].numpy()).max() < 1
    assert fitting.stage_sheet(result, 80).shape[0] > 2 * 80
    words = fitting.parts_found(result.photo)
    assert "upper clothes" in words and "face" in words and "background" not in words


def test_several_garments_make_a_sheet(made):
    one, two = fitting.contact_sheet(made[0][:1], 100), fitting.contact_sheet(made[0], 100)
    assert two.shape[1] > one.shape[1]
    many = fitting.contact_sheet(made[0] * 3, 100)
    assert many.shape[0] > two.shape[0], "wraps into rows"
    with pytest.raises(ValueError, match="at least one"):
        fitting.contact_sheet([])


def test_the_file_to_take_home_is_the_result_pixel_by_pixel(made):
    image = made[0][0].image
    ending, content = fitting.download(image)
    assert ending == "png" and (np.asarray(Image.open(io.BytesIO(content))) == image).all()
    ending, content = fitting.download(image, largest=100)
    again = np.asarray(Image.open(io.BytesIO(content))).astype(int)
    assert ending == "jpg" and again.shape == image.shape and np.abs(again - image).mean() < 6


def test_no_garment_is_a_sentence():
    with pytest.raises(UploadError, match="Choose a garment"):
        fitting.chosen({}, [])
    kept = GarmentPicture("a", np.zeros((4, 3, 3), np.uint8), np.ones((4, 3), bool))
    assert fitting.chosen({"a": kept}, ["a"]) == [kept]
