"""Uploads: the bytes of a file somebody chose -> a picture that is safe to work with, or one sentence why not."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from mavton_lite.data.garment_picture import GarmentPicture, garment_mask, reframe
from mavton_lite.data.photo_file import SMALLEST_PX, upright_rgb

KINDS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WebP"}  # MPO: a phone's JPEG with a second picture
ACCEPTED = ".jpg,.jpeg,.png,.webp"
LARGEST_MEGAPIXELS = 20
LONGEST_RATIO = 8
WORKED_ON_PX = 1280  # longer side; networks that see 128 x 96 tell no more from more, and a page stays quick
WANTED = "wanted a JPEG, PNG or WebP picture"


class UploadError(ValueError):
    """An upload that cannot be used; the message is one sentence for the person who chose it."""


@dataclass(frozen=True)
class Upload:
    """A picture somebody chose.   Shape: rgb (H, W, 3) uint8, upright, at most `WORKED_ON_PX` a side."""

    name: str
    rgb: np.ndarray
    sent: tuple[int, int]  # height and width as sent


def read_upload(name: str, content: bytes) -> Upload:
    """Check a file before it is unpacked, then unpack it, turn it upright and shrink it.

    CMYK, 16-bit, grey, palette and transparent pictures become RGB, transparency white.
    Raises: UploadError for anything else than a JPEG, PNG or WebP, an empty, cut off or animated file, more than
    `LARGEST_MEGAPIXELS`, a very small picture, or one more than `LONGEST_RATIO` times as long as wide.
    """
    if not content:
        raise UploadError(f"{name} is empty (0 bytes); {WANTED}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is judged below, in our own words
        try:
            with Image.open(io.BytesIO(content)) as picture:
                _judge(name, picture)
                picture.draft("RGB", (2 * WORKED_ON_PX, 2 * WORKED_ON_PX))  # a JPEG is unpacked smaller, and faster
                sent = picture.size if picture.getexif().get(0x0112, 1) < 5 else picture.size[::-1]
                picture.load()
                if max(picture.size) > WORKED_ON_PX and picture.mode in ("L", "RGB", "RGBA", "CMYK"):
                    picture.thumbnail((WORKED_ON_PX, WORKED_ON_PX), Image.Resampling.LANCZOS, reducing_gap=3.0)
                rgb = upright_rgb(picture)
        except UploadError:
            raise
        except UnidentifiedImageError:
            raise UploadError(f"{name} is {_kind_of(content)}; {WANTED}.") from None
        except Image.DecompressionBombError:
            raise UploadError(f"{name} would unpack to a giant picture; {_at_most()}.") from None
        except Exception as error:  # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error ...
            what = "is cut off or damaged" if isinstance(error, OSError | SyntaxError) else "could not be unpacked"
            raise UploadError(f"{name} {what}; {WANTED}.") from error
    if max(rgb.shape[:2]) > WORKED_ON_PX:  # palettes and 16 bits, which Pillow shrinks only after conversion
        small = Image.fromarray(rgb)
        small.thumbnail((WORKED_ON_PX, WORKED_ON_PX), Image.Resampling.LANCZOS)
        rgb = np.array(small)
    return Upload(name, rgb, (sent[1], sent[0]))


def _judge(name: str, picture: Image.Image) -> None:
    """What a file's head says of it, before anything is unpacked."""
    width, height = picture.size
    if picture.format not in KINDS:
        raise UploadError(f"{name} is a {picture.format} file; {WANTED}.")
    if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
        raise UploadError(f"{name} is animated; wanted a still picture.")
    if width * height > LARGEST_MEGAPIXELS * 1e6:
        raise UploadError(f"{name} has {width * height / 1e6:,.0f} megapixels ({width} x {height}); {_at_most()}.")
    if min(width, height) < SMALLEST_PX:
        raise UploadError(f"{name} is {width} x {height} px; wanted at least {SMALLEST_PX} px a side.")
    if max(width, height) > LONGEST_RATIO * min(width, height):
        raise UploadError(f"{name} is {width} x {height} px, a strip; wanted a picture of usual proportions.")


def _at_most() -> str:
    return f"at most {LARGEST_MEGAPIXELS} megapixels can be used"


def _kind_of(content: bytes) -> str:
    """What a file that is no picture Pillow knows seems to be, by its first bytes."""
    if content[4:8] == b"ftyp" and content[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"avif"):
        return "a HEIC or AVIF picture, as phones write them (export it as JPEG)"
    known = {b"%PDF": "a PDF", b"PK\x03\x04": "an archive", b"<svg": "an SVG drawing", b"<?xm": "an XML file"}
    for start, kind in known.items():
        if content.lstrip()[:4].lower() == start.lower():
            return kind
    for start, kind in ((b"\xff\xd8", "a damaged JPEG"), (b"\x89PNG", "a damaged PNG"), (b"RIFF", "a damaged WebP")):
        if content.startswith(start):
            return kind
    return "no picture"


def uploaded_garment(upload: Upload, tolerance: int) -> GarmentPicture:
    """A garment cut from its plain light ground; `tolerance`: grey levels by which the ground may differ.

    Raises: UploadError when the ground is not plain and light, or there is nothing on it.
    """
    try:
        mask = garment_mask(upload.rgb, tolerance)
    except ValueError as error:
        raise UploadError(f"{upload.name}: {error}; wanted a garment laid flat on white or light ground.") from None
    return GarmentPicture(upload.name, *reframe(upload.rgb, mask))
