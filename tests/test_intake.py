"""Uploads: every kind that is taken, every kind that is refused in one sentence; photographs that do not suit."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_person import DrawnBackend, drawing, keypoints
from PIL import Image
from uploads import content, head_only

from mavton_lite.config import SMOKE
from mavton_lite.data.photo_backend import BackendMissingError, Reading
from mavton_lite.data.photo_suitable import remarks
from mavton_lite.data.sample import COCO18
from mavton_lite.studio import intake
from mavton_lite.studio.fitting import read_portrait
from mavton_lite.studio.intake import WORKED_ON_PX, Upload, UploadError, read_upload, uploaded_garment

J = {name: i for i, name in enumerate(COCO18)}


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(drawing(2.0)[0])  # 240 x 320


def test_what_phones_and_programs_write_is_read(picture):
    rgb = np.asarray(picture)
    assert (read_upload("a.png", content(picture)).rgb == rgb).all()
    for kind, how in (("JPEG", {"quality": 95}), ("WEBP", {"lossless": True})):
        read = read_upload("a", content(picture, kind, **how)).rgb
        assert np.abs(read.astype(int) - rgb).mean() < 4, kind
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned a quarter
    for kind in ("JPEG", "PNG", "WEBP"):
        turned = read_upload("t", content(picture.transpose(Image.Transpose.ROTATE_90), kind, exif=exif))
        assert turned.rgb.shape == rgb.shape and turned.sent == (320, 240), kind
        assert np.abs(turned.rgb.astype(int) - rgb).mean() < 4, kind
    alpha = picture.convert("RGBA")
    alpha.putalpha(Image.fromarray(np.where(np.arange(240) < 120, 255, 0)[None].repeat(320, 0).astype(np.uint8)))
    for kind in ("PNG", "WEBP"):
        assert (read_upload("a", content(alpha, kind, lossless=True)).rgb[:, 125:] == 255).all(), kind
    cmyk = read_upload("print.jpg", content(picture.convert("CMYK"), "JPEG", quality=95)).rgb
    assert cmyk.shape == rgb.shape and np.abs(cmyk.astype(int) - rgb).mean() < 12
    grey = np.asarray(picture.convert("L"))
    sixteen = read_upload("deep.png", content(Image.fromarray(grey.astype(np.uint16) * 257))).rgb
    assert np.abs(sixteen[..., 0].astype(int) - grey).max() <= 1
    for mode in ("L", "P", "1", "LA"):
        assert read_upload("m.png", content(picture.convert(mode))).rgb.shape == rgb.shape, mode


def test_a_photograph_of_20_megapixels_is_taken_and_made_smaller(picture):
    large = picture.resize((3872, 5162))
    assert 19.9e6 < large.width * large.height < 20e6
    upload = read_upload("phone.jpg", content(large, "JPEG", quality=60))
    assert upload.sent == (5162, 3872) and max(upload.rgb.shape) == WORKED_ON_PX
    assert abs(upload.rgb.shape[0] / upload.rgb.shape[1] - 5162 / 3872) < 0.01
    deep = Image.fromarray(np.full((1400, 700), 30000, np.uint16))
    assert read_upload("deep.png", content(deep)).rgb.shape == (WORKED_ON_PX, 640, 3)


def test_what_cannot_be_used_is_refused_in_one_sentence(picture):
    whole = content(picture, "JPEG")
    frames = [picture, picture.rotate(90), picture.rotate(180)]
    cases = {
        "empty": (b"", r"empty \(0 bytes\)"),
        "text": (b"hello, world" * 9, "is no picture; wanted a JPEG, PNG or WebP"),
        "pdf": (b"%PDF-1.7 ...", "is a PDF"),
        "zip": (b"PK\x03\x04" + bytes(60), "is an archive"),
        "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
        "heic": (b"\0\0\0\x18ftypheic" + bytes(60), "HEIC .*export it as JPEG"),
        "gif": (content(picture.convert("P"), "GIF"), "is a GIF file; wanted a JPEG"),
        "bmp": (content(picture, "BMP"), "is a BMP file"),
        "cut off": (whole[: len(whole) // 2], "cut off or damaged"),
        "nearly nothing": (whole[:3], "a damaged JPEG"),
        "cut png": (content(picture)[:2000], "cut off or damaged"),
        "bomb": (head_only(60_000, 60_000), "would unpack to a giant picture; at most 20"),
        "large": (head_only(6000, 4000), r"24 megapixels \(6000 x 4000\); at most 20"),
        "strip": (head_only(9000, 100), "a strip"),
        "tiny": (content(picture.resize((31, 40))), "31 x 40 px; wanted at least 32"),
        "apng": (content(picture, save_all=True, append_images=frames[1:]), "animated; wanted a still"),
        "webp": (content(picture, "WEBP", save_all=True, append_images=frames[1:]), "animated"),
        "lying": (head_only(400, 300), "cut off or damaged"),
    }  # fmt: skip
    for name, (sent, said) in cases.items():
        with pytest.raises(UploadError, match=said) as refused:
            read_upload(f"{name}.jpg", sent)
        text = str(refused.value)
        assert text.startswith(f"{name}.jpg") and text.endswith(".") and "\n" not in text, name


def test_nothing_is_unpacked_of_a_picture_that_is_too_large(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("unpacked"))
    with pytest.raises(UploadError, match="100 megapixels"):
        read_upload("big.png", head_only(10_000, 10_000))


def test_a_garment_is_cut_out_and_its_threshold_matters():
    rgb = np.full((400, 300, 3), 250, np.uint8)
    rgb[80:300, 80:220] = (200, 40, 40)
    rgb[80:300, 220:240] = 215  # a shadow beside it
    upload = Upload("shirt <b>", rgb, (400, 300))
    narrow, wide = (uploaded_garment(upload, t) for t in (45, 15))
    ratio = [np.ptp(np.nonzero(g.mask.any(0))[0]) / np.ptp(np.nonzero(g.mask.any(1))[0]) for g in (narrow, wide)]
    assert abs(ratio[0] - 140 / 220) < 0.02 and abs(ratio[1] - 160 / 220) < 0.02
    with pytest.raises(UploadError, match=r"^shirt <b>: .*plain white or light ground.*flat on white"):
        uploaded_garment(Upload("shirt <b>", rgb // 3, (400, 300)), 20)
    with pytest.raises(UploadError, match="nothing on the ground"):
        uploaded_garment(Upload("wall", np.full((80, 60, 3), 250, np.uint8), (80, 60)), 20)


def reading(change=None, people: int = 1) -> Reading:
    points = keypoints(2.0)
    if change:
        change(points)
    return Reading(points, np.ones((320, 240), np.float32), None, {}, people)


def test_a_photograph_that_does_not_suit_says_which_and_why():
    def turn(points):
        points[:, 0] = 240 - points[:, 0]

    def side(points):
        points[[J["right shoulder"], J["left shoulder"]], 0] = 118, 128

    def looks_away(points):
        points[J["nose"], 0] = points[J["left shoulder"], 0] + 5

    def hide(points):
        points[J["left shoulder"], 2] = 0.1

    def outside(points):
        points[J["right shoulder"], 0] = -60

    assert remarks(reading(), (320, 240)) == []
    cases = {"several": reading(people=3), "back": reading(turn), "side": reading(side), "shoulders": reading(hide)}
    for kind, found in cases.items():
        assert [r.kind for r in remarks(found, (320, 240)) if r.fatal] == [kind]
    assert remarks(reading(people=0), (320, 240))[0].kind == "back"
    assert remarks(reading(looks_away), (320, 240))[0].kind == "side"
    assert "shoulders" in [r.kind for r in remarks(reading(outside), (320, 240))]
    neck = float(keypoints(2.0)[J["neck"], 1])
    at_neck, at_chest = remarks(reading(), (round(neck + 10), 240)), remarks(reading(), (round(neck + 60), 240))
    assert [(r.kind, r.fatal) for r in at_neck + at_chest] == [("cropped", True), ("cropped", False)]


class Several(DrawnBackend):
    def read(self, rgb):
        found = super().read(rgb)
        return Reading(found.keypoints, found.person, found.face, found.info, people=2)


def test_portraits_are_refused_in_sentences(monkeypatch):
    upload = Upload("me & you.jpg", drawing(2.0)[0], (320, 240))
    portrait = read_portrait(upload, SMOKE.size, DrawnBackend())
    assert portrait.remarks == [] and (portrait.photo.original == upload.rgb).all()
    with pytest.raises(UploadError, match=r"^me & you.jpg does not suit a try-on. 2 people are in it"):
        read_portrait(upload, SMOKE.size, Several())
    with pytest.raises(UploadError, match=r"^Nobody was found in me & you.jpg \(the wall is empty\); wanted one"):
        read_portrait(upload, SMOKE.size, DrawnBackend(found=False))

    def missing(name):
        raise BackendMissingError("pip install it")

    monkeypatch.setattr("mavton_lite.studio.fitting.get_backend", missing)
    with pytest.raises(UploadError, match="No person detector is installed here. pip install it"):
        read_portrait(upload, SMOKE.size)


def test_mediapipe_sees_who_suits():
    pytest.importorskip("mediapipe")
    pytest.importorskip("skimage")
    from mavton_lite.studio.wardrobe import portraits

    astronaut = read_upload("a", next(iter(portraits().values())).read_bytes()).rgb

    def refused(rgb: np.ndarray) -> str:
        with pytest.raises(UploadError) as error:
            read_portrait(intake.Upload("x", np.ascontiguousarray(rgb), rgb.shape[:2]), SMOKE.size, "mediapipe")
        return str(error.value)

    assert "2 people" in refused(np.concatenate([astronaut, astronaut[:, ::-1]], 1))
    assert "ends at the neck" in refused(astronaut[60:230, 120:340])
    assert "Nobody was found" in refused(np.full((200, 200, 3), 128, np.uint8))
    assert "from the side" in refused(read_upload("c", (portraits_of("camera"))).rgb)


def portraits_of(name: str) -> bytes:
    from mavton_lite.data.photo import example_photo

    return example_photo(name).read_bytes()
