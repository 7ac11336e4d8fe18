"""A photograph of anybody -> a `Sample` framed like the training pictures, and the way back into the photograph."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .inpaint import fill_from
from .photo_backend import Backend, NoPersonError, Reading, get_backend
from .photo_file import read_photo, resize
from .photo_parse import SURE, J, PhotoParse, body_unit_px, parse_photo, polygon
from .photo_parse import capsule as capsule_mask
from .sample import Sample

ANALYSED_PX = 1024  # longer side at which a photograph is parsed; labels are enlarged again
Relabel = Callable[[np.ndarray, Reading, PhotoParse], np.ndarray]  # picture, pose and person, labels -> labels
PLAIN_TROUSERS = (62, 66, 80)  # what a body below the photograph's border wears, RGB


@dataclass(frozen=True)
class Framing:
    """Where the model expects a person.   Source: measured on the Atelier, whose framing is VITON's."""

    shoulders: float = 0.39  # shoulder width over picture width
    head_top: float = 0.04  # top of the hair over picture height


@dataclass(frozen=True)
class Box:
    """A rectangle in whole pixels of the photograph; it may reach outside."""

    left: int
    top: int
    width: int
    height: int

    def inside(self, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Rows and columns the box shares with a picture: in the picture, and in the box."""
        top, bottom = max(self.top, 0), min(self.top + self.height, height)
        left, right = max(self.left, 0), min(self.left + self.width, width)
        here = slice(top, max(bottom, top)), slice(left, max(right, left))
        there = (
            slice(here[0].start - self.top, here[0].stop - self.top),
            slice(here[1].start - self.left, here[1].stop - self.left),
        )
        return here, there

    def cut(self, picture: np.ndarray, outside: float | None = None) -> np.ndarray:
        """What a picture shows in the box; outside of it a constant, or the nearest border pixel when None."""
        rows = np.arange(self.top, self.top + self.height)
        columns = np.arange(self.left, self.left + self.width)
        height, width = picture.shape[:2]
        out = picture[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)]
        if outside is not None:
            beyond = ((rows < 0) | (rows >= height))[:, None] | ((columns < 0) | (columns >= width))
            out = out.copy()
            out[beyond] = outside
        return out


@dataclass(frozen=True)
class Photo:
    """A photograph understood: everything the try-on needs and everything it must give back.

    Shape: original (H, W, 3) uint8; labels (H, W) uint8 LIP ids and held (H, W) bool (things in front of the person),
    of the whole picture; keypoints (18, 3) in its pixels.   `sample.cloth` is white until `with_cloth` gives one.
    """

    path: Path
    sample: Sample
    original: np.ndarray
    labels: np.ndarray
    held: np.ndarray
    keypoints: np.ndarray
    box: Box
    info: dict  # backend, version, digests of its weights


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resample label ids with smooth outlines: every pixel takes the label that covers most of it."""
    if labels.shape == tuple(size):
        return labels
    ids = np.unique(labels)
    how = Image.Resampling.BILINEAR
    shares = [resize((labels == i).astype(np.float32), size, how) for i in ids]
    return ids[np.argmax(shares, axis=0)].astype(labels.dtype)


def understand(
    rgb: np.ndarray, backend: Backend, relabel: Relabel | None = None
) -> tuple[Reading, np.ndarray, np.ndarray]:
    """Pose, labels and held things of a photograph, looked for at no more than `ANALYSED_PX`.

    `relabel` may change the labels that the rules of `photo_parse` gave.
    Shape: (H, W, 3) uint8 -> `Reading` in the photograph's pixels, (H, W) uint8, (H, W) bool.   Raises: NoPersonError.
    """
    height, width = rgb.shape[:2]
    shrink = max(1.0, max(height, width) / ANALYSED_PX)
    size = (max(round(height / shrink), 1), max(round(width / shrink), 1))
    small = rgb if shrink == 1 else resize(rgb, size)
    reading = backend.read(small)
    nose, neck = reading.keypoints[J["nose"]], reading.keypoints[J["neck"]]
    seen = [0 <= p[0] < size[1] and 0 <= p[1] < size[0] and p[2] >= 0.3 for p in (nose, neck)]
    if not all(seen):
        raise NoPersonError("face or shoulders are outside the picture")
    parse = parse_photo(small, reading)
    labels = parse.labels if relabel is None else relabel(small, reading, parse)
    back = np.array((width / size[1], height / size[0]), np.float32)
    keypoints = reading.keypoints.copy()
    keypoints[:, :2] = (keypoints[:, :2] + 0.5) * back - 0.5
    held = resize_labels(parse.held.astype(np.uint8), (height, width)).astype(bool)
    return dataclasses.replace(reading, keypoints=keypoints), resize_labels(labels, (height, width)), held


def with_hips(keypoints: np.ndarray) -> np.ndarray:
    """Key points in which hips and knees that nobody saw hang below the shoulders as on a standing person."""
    out, unit = keypoints.copy(), body_unit_px(keypoints)
    neck = out[J["neck"], :2]
    turned = out[J["right shoulder"], 0] > out[J["left shoulder"], 0]  # seen from behind
    for side, sign in (("right", 1 if turned else -1), ("left", -1 if turned else 1)):
        hip = out[J[f"{side} hip"]]
        if hip[2] < 0.05 or hip[1] < neck[1] + 0.6 * unit:
            hip[:2] = neck + np.array((sign * 0.3 * unit, 1.4 * unit))
    right, left = out[J["right hip"]], out[J["left hip"]]
    if max(right[2], left[2]) < SURE:  # guesses below the picture tilt: level them
        right[1] = left[1] = (right[1] + left[1]) / 2
    for side in ("right", "left"):
        hip, knee = out[J[f"{side} hip"]], out[J[f"{side} knee"]]
        if knee[2] < 0.05 or knee[1] < hip[1] + 0.6 * unit:
            knee[:2] = hip[:2] + np.array((0, 1.4 * unit))
    return out


def frame(keypoints: np.ndarray, labels: np.ndarray, size: tuple[int, int], framing: Framing | None = None) -> Box:
    """The part of a photograph (and of what would be around it) that the model is shown, of the aspect of `size`."""
    framing = framing or Framing()
    width = max(body_unit_px(keypoints) / framing.shoulders, 8.0)
    height = width * size[0] / size[1]
    head = np.nonzero(np.isin(labels, (1, 2, 4, 13)).any(1))[0]
    top = float(head[0]) if len(head) else float(keypoints[J["nose"], 1] - 0.6 * body_unit_px(keypoints))
    centre = keypoints[J["neck"], 0]
    return Box(round(centre - width / 2), round(top - framing.head_top * height), round(width), round(height))


def extend_below(labels: np.ndarray, first_unseen: int, keypoints: np.ndarray) -> np.ndarray:
    """Continue a body below the photograph's border: the garment down to the hips, then two trouser legs.

    Shape: (H, W) ids, keypoints in their pixels -> (H, W); rows from `first_unseen` on are new.
    """
    if first_unseen <= 0 or first_unseen >= len(labels):
        return labels
    out, shape, unit = labels.copy(), labels.shape, body_unit_px(keypoints)
    hips = np.array([keypoints[J["right hip"], :2], keypoints[J["left hip"], :2]])
    hips = hips[hips[:, 0].argsort()]
    wide = hips + np.array([(-0.27 * unit, 0.15 * unit), (0.27 * unit, 0.15 * unit)])
    new = np.zeros(shape, np.uint8)
    for side in ("right", "left"):
        hip, knee = keypoints[J[f"{side} hip"], :2], keypoints[J[f"{side} knee"], :2]
        new[capsule_mask(shape, hip, knee + 2 * (knee - hip), 0.3 * unit, 0.24 * unit)] = 9
    last = labels[first_unseen - 1]
    garment = np.nonzero(last == 5)[0]
    if len(garment):
        middle = hips[:, 0].mean()
        left, right = max(garment[0], middle - 0.7 * unit), min(garment[-1], middle + 0.7 * unit)
        corners = [(left, first_unseen - 1), (right, first_unseen - 1), tuple(wide[1]), tuple(wide[0])]
        if wide[:, 1].mean() > first_unseen:
            new[polygon(shape, np.array(corners))] = 5
    out[first_unseen:] = new[first_unseen:]
    return out


def make_sample(
    name: str, rgb: np.ndarray, labels: np.ndarray, held: np.ndarray, keypoints: np.ndarray, box: Box,
    size: tuple[int, int], outside_joints: str = "keep",
) -> Sample:  # fmt: skip
    """The framed picture at the model's size, its surroundings invented where the photograph ends.

    Joints the backend placed outside the photograph are kept where the frame has room for them ("keep": the networks
    have only seen whole upper bodies) or marked missing ("drop"); joints outside the frame are missing.
    """
    height, width = rgb.shape[:2]
    scale = np.array((size[1] / box.width, size[0] / box.height), np.float32)
    whole = with_hips(keypoints)
    points = whole.copy()
    points[:, :2] = (whole[:, :2] + 0.5 - (box.left, box.top)) * scale - 0.5  # pixel centres are whole numbers
    picture = resize(box.cut(rgb), size)
    seen = resize(box.cut(np.ones((height, width), np.float32), 0), size) > 0.5
    parse = resize_labels(box.cut(labels, 0), size)
    parse = extend_below(parse, round((height - box.top) * scale[1]), points)

    ground = seen & (parse == 0) & ~(resize(box.cut(held.astype(np.float32), 0), size) > 0.1)
    if ground.any() and not seen.all():
        picture = np.where((seen | (parse == 5))[..., None], picture, fill_from(picture, ground))
        picture = np.where((~seen & (parse == 9))[..., None], PLAIN_TROUSERS, picture).astype(np.uint8)
    inside = ((points[:, :2] >= 0) & (points[:, :2] < size[::-1])).all(1)
    if outside_joints == "drop":
        inside &= ((keypoints[:, :2] >= 0) & (keypoints[:, :2] < (width, height))).all(1)
    points[~inside] = 0
    return Sample(
        name=name,
        cloth_name="",
        image=torch.from_numpy(picture.astype(np.float32).transpose(2, 0, 1) / 127.5 - 1),  # (3, H, W)
        cloth=torch.ones(3, *size),
        cloth_mask=torch.zeros(1, *size),
        parse=torch.from_numpy(parse.astype(np.int64)),  # (H, W)
        keypoints=torch.from_numpy(points.astype(np.float32)),  # (18, 3)
    )


def photo_to_sample(
    path: Path, size: tuple[int, int], backend: str | Backend = "auto", framing: Framing | None = None,
    outside_joints: str = "keep", relabel: Relabel | None = None,
) -> Photo:  # fmt: skip
    """Read a photograph, find the person, parse and frame it.

    `relabel` gives labels in the place of the rules' own, such as `parsing.relabelled` with a trained parser.
    Raises: ValueError naming the file when it is broken, too small, or shows no person; BackendMissingError (a
    ValueError) with the command to run when no detector is installed.
    """
    path = Path(path)
    try:
        return photo_of(read_photo(path), size, backend, framing, outside_joints, relabel, path)
    except NoPersonError as error:
        wanted = "wanted one person seen from the front, head to hips"
        raise ValueError(f"no person found in {path}: {error}; {wanted}") from error


def photo_of(
    rgb: np.ndarray, size: tuple[int, int], backend: str | Backend = "auto", framing: Framing | None = None,
    outside_joints: str = "keep", relabel: Relabel | None = None, path: Path = Path("photograph"),
) -> Photo:  # fmt: skip
    """`photo_to_sample` of a picture that was already read.   Shape: rgb (H, W, 3) uint8.   Raises: NoPersonError."""
    if outside_joints not in ("keep", "drop"):
        raise ValueError(f"outside_joints is {outside_joints!r}, wanted 'keep' or 'drop'")
    reader = get_backend(backend) if isinstance(backend, str) else backend
    reading, labels, held = understand(rgb, reader, relabel)
    box = frame(reading.keypoints, labels, size, framing)
    sample = make_sample(path.stem, rgb, labels, held, reading.keypoints, box, size, outside_joints)
    return Photo(path, sample, rgb, labels, held, reading.keypoints, box, reading.info)


def example_photo(name: str = "astronaut") -> Path:
    """A freely usable portrait that ships with a library: "astronaut", "camera" (scikit-image), "hopper" (matplotlib).

    Source: NASA (Eileen Collins, 1993), public domain; Lav Varshney (a photographer at work), CC0; U.S. Navy (Grace
    Hopper, 1984), public domain.   Raises: ValueError when it is not there.
    """
    places = {
        "astronaut": ("skimage", "data/astronaut.png"),
        "camera": ("skimage", "data/camera.png"),
        "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    }
    if name not in places:
        raise ValueError(f"unknown example photograph {name!r}; known: {', '.join(places)}")
    package, file = places[name]
    found = importlib.util.find_spec(package)
    path = Path(found.origin).parent / file if found and found.origin else None
    if path is None or not path.is_file():
        raise ValueError(f"the photograph {name!r} ships with {package}, which is not installed")
    return path
