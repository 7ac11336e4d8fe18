"""Files on disk: written whole or not at all, and read with one clear error where they are not what they should be."""

from __future__ import annotations

import json
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from PIL import Image

MENDED = "once that is mended, the same command goes on from here"
MOST_PIXELS = 50_000_000  # of a picture: a telephone's largest; in colour 150 MB, and a few copies are made
LARGEST_TEXT = 256 << 20  # bytes: the longest text of this project, a manifest of a million examples, is a third of it


@contextmanager
def replacing(path: Path, flush: bool = False) -> Iterator[Path]:
    """Inside, a new empty file beside `path` to write to; it becomes `path` when the block ends without an error.

    Whatever happens, `path` is the old file or the new one. `flush` waits until the disk has it.
    Raises: OSError naming `path` when disk or folder refuse; then nothing of the new file is left.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)  # of a process that was killed and had the same number
        # new, so that no link is followed out of the folder; the mode is the umask's
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        if flush:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise refused(path, error) from None
        raise


def write_bytes(path: Path, content: bytes, flush: bool = False) -> Path:
    """Write a file atomically.   Raises: OSError as `replacing` does."""
    with replacing(path, flush) as temporary:
        temporary.write_bytes(content)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a text file atomically, as UTF-8 with plain line feeds.   Raises: OSError as `replacing` does."""
    return write_bytes(path, text.encode())


@contextmanager
def appending(path: Path) -> Iterator[None]:
    """Inside, an OSError that names no file, as those of a full disk, is one about `path`."""
    try:
        yield
    except OSError as error:
        raise refused(path, error) from None


def refused(path: Path, error: OSError) -> OSError:
    """An error of writing `path`, with its name and what to do."""
    reason = error.strerror or str(error)
    return error if MENDED in reason else OSError(error.errno, f"{reason}; {MENDED}", str(path))


def open_picture(path: Path, kinds: tuple[str, ...], wanted: str) -> Image.Image:
    """The completely decoded picture of a file of one of Pillow's `kinds`, of at most `MOST_PIXELS`.

    Others are not tried: to draw a PostScript file Pillow would run a program.
    Raises: ValueError naming the file, what was found and what was `wanted`.
    """
    regular(path, wanted)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # judged here, in our own words
            with Image.open(path, formats=kinds) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise ValueError(f"{picture.width} x {picture.height} pixels, more than {MOST_PIXELS:,}")
                picture.load()
                return picture
    except Exception as error:  # Pillow's plugins raise OSError, SyntaxError, struct.error, zlib.error and others
        raise ValueError(f"{path}: found {error or type(error).__name__}, {wanted}") from error


def sweep(folder: Path, process: int | None = None) -> None:
    """Remove what killed processes left half-written in a folder that nobody else writes to now; or what one left."""
    for path in folder.glob(".*.tmp" if process is None else f".*.{process}.tmp"):
        path.unlink(missing_ok=True)


def regular(path: Path, wanted: str, most: int | None = None) -> Path:
    """The path itself, when there is a file of at most `most` bytes: a pipe would be waited for without end.

    Raises: ValueError naming the file, what was found and what was `wanted`.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: found no such file, {wanted}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ValueError(f"{path}: found {getattr(error, 'strerror', None) or error}, {wanted}") from None
    if not stat.S_ISREG(found.st_mode):
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "pipe or device"
        raise ValueError(f"{path}: found a {kind}, {wanted}")
    if most is not None and found.st_size > most:
        raise ValueError(f"{path}: found {found.st_size:,} bytes, {wanted} of at most {most:,}")
    return Path(path)


def read_text(path: Path, wanted: str = "wanted a text", most: int = LARGEST_TEXT) -> str:
    """A UTF-8 text, with or without a byte order mark.   Raises: ValueError as `regular` does, and for other bytes."""
    try:
        return regular(path, wanted, most).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: found {error.strerror or error}, {wanted}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: found bytes that are no UTF-8 text ({error.reason}), {wanted}") from None


def read_json(path: Path, wanted: str = "wanted a JSON file", most: int = LARGEST_TEXT) -> Any:
    """What a JSON file holds.   Raises: ValueError naming the file when it is missing or broken."""
    text = read_text(path, wanted, most)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise ValueError(f"{path}: found broken JSON ({error}), {wanted}") from None


def read_object(path: Path, **fields: type | tuple[type, ...]) -> dict[str, Any]:
    """A JSON object that has these fields, each of its type.

    Raises: ValueError naming the file and the field that is missing or another.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: found a {type(content).__name__}, wanted a JSON object")
    for name, kinds in fields.items():
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        value = content.get(name)
        if name not in content or not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            found = f"found {str(value)[:40]!r}" if name in content else "found none"
            raise ValueError(f"{path}: {name}: {found}, wanted {' or '.join(k.__name__ for k in kinds)}")
    return content
