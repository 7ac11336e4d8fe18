"""Pictures inside stored notebooks: a palette makes them less than half as large."""

from __future__ import annotations

import base64
import io

from PIL import Image

SMALL = 15_000  # bytes: not worth a palette


def shrunk(encoded: str) -> str:
    """A PNG with a palette of 256 colours, where that is smaller; pictures of few colours lose nothing.

    `encoded` is the base64 text of a notebook's `image/png` output, and so is the result. Equal pictures become equal
    bytes.
    """
    before = base64.b64decode(encoded)
    if len(before) < SMALL:
        return encoded
    picture = Image.open(io.BytesIO(before))
    if picture.mode == "P":
        return encoded
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A") if "A" in picture.getbands() else None)
    out = io.BytesIO()
    flat.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode() if out.tell() < len(before) else encoded
