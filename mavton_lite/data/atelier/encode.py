"""The files of one example: CP-VTON's layout, and the truth beside it.

What is not in CP-VTON's data: `warp-truth/*.npz` and `tryon-truth/warp/*.npz` hold `warp`, (2, H, W), x and y on the
flat lay in 1/64 px, `NO_WARP` where no garment is seen, int16, in tall pictures int32; `body-truth/*.npz` holds, for
the person as photographed, `depth`, uint16 (H, W), millimetres behind the nearest point of the picture, `NO_DEPTH` on
the ground, and `part`, uint8 (H, W), rows of `render.PARTS`: which part of the body is there, clothes or not.
"""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
from PIL import Image

from mavton_lite.data.atelier.example import Example
from mavton_lite.data.atelier.render import Picture
from mavton_lite.data.sample import LIP_COLOURS

WARP_STEPS = 64  # steps a pixel in which the true warp is stored
TALL_PX = 400  # from this height on warps are stored in 32 bits: 16 end at 512 px
NO_WARP = -32768
NO_DEPTH = 65535
FOLDERS = ("image", "cloth", "cloth-mask", "image-parse", "pose", "warp-truth", "body-truth",
           "tryon-truth/image", "tryon-truth/image-parse", "tryon-truth/warp")  # fmt: skip
_ZIP_LEVEL = 3  # level 6 is a twentieth smaller and takes half as long again


def encode(example: Example) -> dict[str, bytes]:
    """The files of one example, by path below the split's folder."""
    own, other, flat = example.own, example.other, example.flat
    person, cloth = f"{example.index:06d}_0", f"{example.index:06d}_1"
    pose = {
        "version": 1.0,
        "people": [
            {"face_keypoints": [], "pose_keypoints": [float(k) for k in example.keypoints.ravel()],
             "hand_right_keypoints": [], "hand_left_keypoints": []}
        ],
    }  # fmt: skip
    return {
        f"image/{person}.jpg": _jpeg(own.image),
        f"cloth/{cloth}.jpg": _jpeg(flat.image),
        f"cloth-mask/{cloth}.jpg": _jpeg((flat.parse > 0).astype(float)),
        f"image-parse/{person}.png": _palette_png(own.parse),
        f"pose/{person}_keypoints.json": json.dumps(pose).encode(),
        f"warp-truth/{person}.npz": _npz(warp=_warp(own)),
        f"body-truth/{person}.npz": _npz(depth=_depth(own), part=example.part),
        f"tryon-truth/image/{person}.jpg": _jpeg(other.image),
        f"tryon-truth/image-parse/{person}.png": _palette_png(other.parse),
        f"tryon-truth/warp/{person}.npz": _npz(warp=_warp(other)),
    }


def index_of(name: str) -> int | None:
    """The example to which a file of that name belongs; None for a file that is not one's."""
    number = name[:6]
    return int(number) if number.isdecimal() and name[6:8] in ("_0", "_1") else None


def _jpeg(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.floor(image * 255 + 0.5).astype(np.uint8)).save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def _palette_png(labels: np.ndarray) -> bytes:
    picture = Image.fromarray(labels)
    picture.putpalette([k for colour in LIP_COLOURS for k in colour])
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _warp(picture: Picture) -> np.ndarray:
    warp = np.floor(picture.warp * WARP_STEPS + 0.5)
    return np.where(np.isfinite(warp), warp, NO_WARP).astype(np.int16 if warp.shape[1] < TALL_PX else np.int32)


def _depth(picture: Picture) -> np.ndarray:
    here = np.isfinite(picture.depth)
    behind = np.where(here, picture.depth, 0) - np.min(picture.depth)
    return np.where(here, np.clip(np.floor(behind * 1000 + 0.5), 0, NO_DEPTH - 1), NO_DEPTH).astype(np.uint16)


def _npz(**arrays: np.ndarray) -> bytes:
    """What `np.savez_compressed` writes, at a compression level of one's choice."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_ZIP_LEVEL) as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
    return out.getvalue()
