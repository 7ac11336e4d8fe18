"""Pictures inside stored notebooks, made small: a palette for drawings, JPEG for what looks like a photograph."""

from __future__ import annotations

import base64
import io

from PIL import Image

SMALL = 15_000  # bytes: not worth the trouble
QUALITY = 78
MUCH = 0.8  # of a PNG, which keeps thin lines clean, a JPEG must be smaller than this


def shrunk(encoded: str) -> tuple[str, str]:
    """The type and the base64 text of a smaller picture that looks the same.

    `encoded` is the base64 text of a notebook's `image/png` output. A PNG with a palette of 256 colours where that is
    smaller (pictures of few colours lose nothing), a JPEG where that is much smaller still. Equal pictures become equal
    bytes.
    """
    before = base64.b64decode(encoded)
    if len(before) < SMALL:
        return "image/png", encoded
    picture = Image.open(io.BytesIO(before))
    if picture.mode == "P":
        return "image/png", encoded
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A") if "A" in picture.getbands() else None)
    palette, photograph = io.BytesIO(), io.BytesIO()
    flat.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(palette, "PNG", optimize=True)
    flat.save(photograph, "JPEG", quality=QUALITY, optimize=True)
    png = min((palette.getvalue(), before), key=len)
    if photograph.tell() < MUCH * len(png):
        return "image/jpeg", base64.b64encode(photograph.getvalue()).decode()
    return "image/png", base64.b64encode(png).decode() if png is not before else encoded
