"""Files that somebody might upload, made in a few lines."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def content(picture: Image.Image, kind: str = "PNG", **how) -> bytes:
    """A picture as a file of that kind."""
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def head_only(width: int, height: int) -> bytes:
    """A PNG whose head promises a size that its few bytes do not hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
