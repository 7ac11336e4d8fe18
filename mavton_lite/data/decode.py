"""What one file of a try-on data set holds: pictures, garment masks, parses, key points and true warps as arrays.

Every function takes the path and the wanted (height, width), and raises ValueError naming the file, what was found and
what was wanted. Where a file has another size it is resampled: pictures and masks bilinear, labels and warps nearest.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from mavton_lite import files
from mavton_lite.data.sample import LIP

# BODY_25 index of each COCO-18 key point: BODY_25 has the middle of the hips at 8 and six points of the feet after 18.
BODY25_TO_COCO18 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
POSE_KEYS = ("pose_keypoints_2d", "pose_keypoints")  # newer and older OpenPose
KEYPOINT_COUNTS = {54: None, 75: BODY25_TO_COCO18}  # numbers of one person -> how to pick COCO-18's
MASK_THRESHOLD = 128  # JPEG masks hold many greys; this one and above is garment
WARP_STEPS_PER_PX = 64  # warps are stored in 1/64 of a cloth pixel
WARP_NONE = -32768  # no garment visible here
DEPTH_NONE = 65535  # nobody there
LARGEST_POSE = 4 << 20  # bytes; a crowd with hands and faces takes a tenth of it
LARGEST_ARRAYS = 128 << 20  # bytes, packed and unpacked; a warp of 1024 x 768 takes 6 MB


def open_picture(path: Path) -> Image.Image:
    """The completely decoded picture of a file.   Raises: ValueError when it is missing, truncated or no picture."""
    return files.open_picture(path, ("JPEG", "PNG"), "wanted a readable JPEG or PNG")


def _resized(picture: Image.Image, size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    height, width = size
    return picture if picture.size == (width, height) else picture.resize((width, height), how)


def read_picture(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A colour picture.   Shape: (3, H, W) uint8."""
    return as_picture(open_picture(path), size)


def as_picture(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """`read_picture` of a file that is open already."""
    picture = _resized(picture.convert("RGB"), size, Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))  # (3, H, W)


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A garment mask: 1 where the grey value is at least 128.   Shape: (1, H, W) uint8."""
    picture = _resized(open_picture(path).convert("L"), size, Image.Resampling.BILINEAR)
    return (np.asarray(picture) >= MASK_THRESHOLD).astype(np.uint8)[None]  # (1, H, W)


def read_labels(path: Path) -> np.ndarray:
    """The label ids of a parse at its own size: palette indices or grey values, never converted colours.

    Shape: (h, w) uint8.   Raises: ValueError when the picture is neither palette nor grey.
    """
    picture = open_picture(path)
    if picture.mode not in ("P", "L"):
        raise ValueError(f"{path}: found a {picture.mode} picture, wanted label ids as a palette (P) or grey (L) PNG")
    return np.asarray(picture)  # (h, w)


def unknown_labels(labels: np.ndarray, highest: int) -> list[int]:
    """The ids above `highest`, ascending."""
    return [] if labels.size == 0 or labels.max() <= highest else np.unique(labels[labels > highest]).tolist()


def read_parse(path: Path, size: tuple[int, int], highest: int = max(LIP)) -> np.ndarray:
    """A parse as LIP ids.   Shape: (H, W) uint8.   Raises: ValueError on ids above `highest`."""
    labels = read_labels(path)
    if unknown := unknown_labels(labels, highest):
        raise ValueError(f"{path}: found labels {unknown}, wanted LIP ids 0..{highest}")
    if labels.shape != tuple(size):
        labels = np.asarray(_resized(Image.fromarray(labels), size, Image.Resampling.NEAREST))
    return labels  # (H, W)


def _rescaled(centres: np.ndarray, scale: float) -> np.ndarray:
    """Pixel coordinates after a resize by `scale`: pixel centres are at whole numbers, picture borders at -0.5."""
    return (centres + 0.5) * scale - 0.5


def read_keypoints(path: Path, from_size: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The first person's key points in COCO-18's order, from COCO-18 (54 numbers) or BODY_25 (75 numbers).

    Shape: (18, 3) float32, x px, y px, confidence in a picture of `size`; all 0 where missing.
    Raises: ValueError when the JSON is broken, has no person, or another number of key points.
    """
    wanted = f"wanted people[0].{POSE_KEYS[0]} (or {POSE_KEYS[1]}) with 54 or 75 numbers"
    content = files.read_json(path, wanted, LARGEST_POSE)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not people or not isinstance(people[0], dict):
        raise ValueError(f"{path}: found no person, {wanted}")
    key = next((k for k in POSE_KEYS if people[0].get(k)), None)
    if key is None:
        raise ValueError(f"{path}: found no key points, {wanted}")
    numbers = people[0][key]
    if not isinstance(numbers, list) or len(numbers) not in KEYPOINT_COUNTS:
        count = f"{len(numbers)} numbers" if isinstance(numbers, list) else repr(numbers)[:40]
        raise ValueError(f"{path}: found {count} in {key}, {wanted}")
    plain = (isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers)
    if not all(plain) or not all(abs(n) < 1e6 for n in numbers):  # NaN and infinity fail too
        raise ValueError(f"{path}: found something else than finite numbers in {key}, {wanted}")
    points = np.array(numbers, np.float64).reshape(-1, 3)
    if (order := KEYPOINT_COUNTS[len(numbers)]) is not None:
        points = points[list(order)]  # (18, 3)
    missing = (points[:, :2] == 0).all(1)
    if tuple(from_size) != tuple(size):
        points[:, 0] = _rescaled(points[:, 0], size[1] / from_size[1])
        points[:, 1] = _rescaled(points[:, 1], size[0] / from_size[0])
    points[missing] = 0
    return points.astype(np.float32)


def read_stored_warp(path: Path) -> np.ndarray:
    """A true warp as it is stored.   Shape: (2, h, w) int16 or int32.   Raises: ValueError when it is anything else."""
    wanted = "wanted an npz with 'warp', int16 or int32 of shape (2, height, width)"
    (stored,) = _read_npz(path, ("warp",), wanted)
    if stored.dtype not in (np.int16, np.int32) or stored.ndim != 3 or len(stored) != 2 or 0 in stored.shape:
        raise ValueError(f"{path}: found {stored.dtype} of shape {stored.shape}, {wanted}")
    return stored


def _read_npz(path: Path, names: tuple[str, ...], wanted: str) -> list[np.ndarray]:
    files.regular(path, wanted, LARGEST_ARRAYS)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > LARGEST_ARRAYS:  # told before it is unpacked
            raise ValueError(f"{unpacked:,} bytes when unpacked, more than {LARGEST_ARRAYS:,}")
        with np.load(path, allow_pickle=False) as arrays:
            found = [arrays[name] for name in names]
        if odd := [name for name, array in zip(names, found, strict=True) if not isinstance(array, np.ndarray)]:
            raise ValueError(f"bytes that are no array as {odd[0]!r}")
        return found
    except Exception as error:  # zipfile, zlib, KeyError, ValueError (pickles are refused): all mean a bad file
        raise ValueError(f"{path}: found {error or type(error).__name__}, {wanted}") from error


def read_body(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The Atelier's truth about the person as photographed: depth, and the body part below the clothes.

    Shape: depth (h, w) float32, metres behind the nearest point, NaN where nobody is; part (h, w) uint8, rows of
    `atelier.render.PARTS`.   Raises: ValueError when it is anything else.
    """
    wanted = "wanted an npz with 'depth', uint16, and 'part', uint8, both of shape (height, width)"
    depth, part = _read_npz(path, ("depth", "part"), wanted)
    if (depth.dtype, part.dtype) != (np.uint16, np.uint8) or depth.ndim != 2 or depth.shape != part.shape:
        raise ValueError(
            f"{path}: found {depth.dtype} of shape {depth.shape} and {part.dtype} of shape {part.shape}, {wanted}"
        )
    return np.where(depth == DEPTH_NONE, np.nan, depth / 1000).astype(np.float32), part


def read_warp(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A true backward warp.   Shape: (2, H, W) float32, x and y in cloth pixels of `size`, NaN where nothing shows."""
    stored = read_stored_warp(path)
    (h, w), (height, width) = stored.shape[1:], size
    warp = np.where((stored == WARP_NONE).any(0), np.nan, stored.astype(np.float32) / WARP_STEPS_PER_PX)
    if (h, w) != (height, width):
        rows = ((np.arange(height) + 0.5) * h / height).astype(int)
        columns = ((np.arange(width) + 0.5) * w / width).astype(int)
        warp = warp[:, rows[:, None], columns]  # (2, H, W)
        warp = np.stack([_rescaled(warp[0], width / w), _rescaled(warp[1], height / h)])
    return warp.astype(np.float32)
