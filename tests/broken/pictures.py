"""Broken pictures, for whoever reads persons, masks, parses and photographs."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from broken.case import ODD, Case, odd_file, written
from PIL import Image

from mavton_lite.data.decode import open_picture, read_mask, read_parse, read_picture
from mavton_lite.data.garment_picture import read_garment
from mavton_lite.data.photo_file import read_photo

SIZE = (64, 48)
READERS = {
    "picture": partial(read_picture, size=SIZE), "mask": partial(read_mask, size=SIZE),
    "parse": partial(read_parse, size=SIZE), "photograph": read_photo, "garment": read_garment,
}  # fmt: skip


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (48, 64)) -> bytes:
    """A grey gradient as a file of that kind."""
    grey = np.linspace(0, 255, size[0] * size[1]).astype(np.uint8).reshape(size[1], size[0])
    out = io.BytesIO()
    Image.fromarray(grey).convert(mode).save(out, kind)
    return out.getvalue()


def giant_png(width: int, height: int, filled: bool) -> bytes:
    """A PNG of a few kilobytes that says it is that large, with all of its pixels or none."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) if filled else b""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = rows + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def changed(content: bytes, at: int, new: bytes) -> bytes:
    """Other bytes in the middle."""
    return content[:at] + new + content[at + len(new) :]


_PNG, _JPEG = encoded("PNG", "L"), encoded("JPEG")
_EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 64\n(touch sprung) (w) file\n%%EOF\n"
CONTENTS = {
    "empty": b"", "one byte": b"\xff", "a text": b"not a picture", "HTML": b"<html><script>alert(1)</script></html>",
    "PDF": b"%PDF-1.7\n", "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "PostScript": _EPS,
    "an archive": b"PK\x03\x04" + bytes(40), "HEIC": b"\0\0\0\x18ftypheic" + bytes(40),
    "PNG cut in its head": _PNG[:20], "PNG cut in its pixels": _PNG[:-40],
    "PNG with a wrong sum": changed(_PNG, 45, b"\xaa\xbb\xcc"), "PNG of no width": changed(_PNG, 16, bytes(4)),
    "JPEG cut in its head": _JPEG[:60], "JPEG cut in its pixels": _JPEG[: len(_JPEG) // 2],
    "JPEG without tables": _JPEG[:2] + _JPEG[-200:], "giant PNG without pixels": giant_png(60_000, 60_000, False),
    "PNG of 64 megapixels": giant_png(8_000, 8_000, True), "PNG as wide as a signed number":
    giant_png(2**31 - 1, 1, False),
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Every broken content before every reader, and what is no file at all."""
    for reader in READERS:
        for name, content in CONTENTS.items():
            yield Case("pictures", f"{name}, as a {reader}", partial(_read, reader, content), (r"odd\.png: ", "wanted"))
        for what in ODD:
            yield Case("pictures", f"{what}, as a {reader}", partial(_read_odd, reader, what), ("wanted",))
    for mode, kind in (("RGB", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"), ("1", "PNG"), ("I;16", "PNG"), ("RGB", "JPEG")):
        yield Case("parses", f"{mode} {kind}", partial(_mode, mode, kind), (r"odd\.png: found", "label ids"))
    for label in (21, 77, 255):
        yield Case("parses", f"label {label}", partial(_label, label), (rf"odd\.png: found labels \[{label}\]",))
    for kind in ("GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO"):
        yield Case("pictures", f"{kind} in a data set", partial(_kind, kind), (r"odd\.png: ", "JPEG or PNG"))
    for name, picture in GARMENTS.items():
        yield Case("garments", name, partial(_garment, picture), (r"odd\.png: found", "wanted"))
    for name in ("atelier:", "atelier:test", "atelier:test/", "atelier:test/-1", "atelier:test/1.5", "atelier:../1",
                 "atelier:test/../../etc", "atelier:dev/1", "atelier:test/1/2", "atelier:test/x"):  # fmt: skip
        yield Case("garments", name, partial(_named, name), ("found the garment", "atelier:SPLIT/INDEX"))


def _read(reader: str, content: bytes, folder: Path):
    return partial(READERS[reader], written(folder, "odd.png", content))


def _read_odd(reader: str, what: str, folder: Path):
    return partial(READERS[reader], odd_file(folder / "odd.png", what))


def _mode(mode: str, kind: str, folder: Path):
    if mode == "I;16":
        Image.fromarray(np.zeros(SIZE, np.uint16)).save(folder / "odd.png")
        return partial(read_parse, folder / "odd.png", SIZE)
    return partial(read_parse, written(folder, "odd.png", encoded(kind, mode)), SIZE)


def _label(label: int, folder: Path):
    Image.fromarray(np.full(SIZE, label, np.uint8)).save(folder / "odd.png")
    return partial(read_parse, folder / "odd.png", SIZE)


def _kind(kind: str, folder: Path):
    return partial(open_picture, written(folder, "odd.png", encoded(kind)))


GARMENTS = {
    "nothing on white": np.full((80, 60, 3), 255, np.uint8),
    "all black": np.zeros((80, 60, 3), np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (80, 60, 3)).astype(np.uint8),
    "a speck": np.pad(np.zeros((3, 3, 3), np.uint8), ((90, 90), (70, 70), (0, 0)), constant_values=255),
    "a thumbnail": np.full((16, 12, 3), 255, np.uint8),
}


def _garment(picture: np.ndarray, folder: Path):
    Image.fromarray(picture).save(folder / "odd.png")
    return partial(read_garment, folder / "odd.png")


def _named(name: str, folder: Path):
    return partial(read_garment, name)
