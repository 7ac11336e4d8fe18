"""The fitting room: a photograph, garments and a network -> try-ons, with everything that lies between."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from mavton_lite.data.garment_picture import GarmentPicture
from mavton_lite.data.photo import Photo, Relabel, photo_of
from mavton_lite.data.photo_backend import Backend, BackendMissingError, NoPersonError, get_backend
from mavton_lite.data.photo_suitable import Careful, Remark, UnsuitableError
from mavton_lite.data.sample import COCO18, LIP, LIP_COLOURS, to_unit
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.plots.gmm import outlook
from mavton_lite.plots.photo import HELD_COLOUR, LIMBS
from mavton_lite.studio.intake import Upload, UploadError
from mavton_lite.studio.panels import as_bytes, fitted, row, stacked
from mavton_lite.tryon import PhotoTryOn, try_on

LARGEST_PNG = 2_000_000  # bytes; more would not pass through a notebook server's own limit, see `download`
Say = Callable[[float, str], None]  # share done, what is being done


@dataclass(frozen=True)
class Portrait:
    """A photograph that a garment can be tried on in."""

    name: str
    photo: Photo
    remarks: list[Remark]  # what will not look right


def quiet(_share: float, _what: str) -> None:
    """Says nothing."""


def read_portrait(
    upload: Upload, size: tuple[int, int], backend: str | Backend = "auto", relabel: Relabel | None = None,
    say: Say = quiet,
) -> Portrait:  # fmt: skip
    """Find the person in an upload.

    Raises: UploadError in one sentence: nobody in it, several people, a back, a side, no torso, or no detector here.
    """
    say(0.1, "looking for the person")
    try:
        careful = Careful(get_backend(backend) if isinstance(backend, str) else backend)
        photo = photo_of(upload.rgb, size, careful, relabel=relabel)
    except UnsuitableError as error:
        raise UploadError(f"{upload.name} does not suit a try-on. {error}") from error
    except NoPersonError as error:
        wanted = "wanted one person seen from the front, head to hips"
        raise UploadError(f"Nobody was found in {upload.name} ({error}); {wanted}.") from error
    except BackendMissingError as error:
        raise UploadError(f"No person detector is installed here. {error}") from error
    return Portrait(upload.name, photo, careful.passed)


def fit(
    portrait: Portrait, garments: Sequence[GarmentPicture], pipeline: TryOnPipeline, model: str = "", say: Say = quiet
) -> list[PhotoTryOn]:
    """Every garment on one photograph, one after the other."""
    made = []
    for k, garment in enumerate(garments):
        which = f" {k + 1} of {len(garments)}" if len(garments) > 1 else ""
        say(0.4 + 0.6 * k / len(garments), f"trying on garment{which}")
        made.append(try_on(portrait.photo, garment, pipeline, model))
    return made


def stages(made: PhotoTryOn, height: int = 260) -> dict[str, np.ndarray]:
    """What lies between photograph and result, by name.   Shape: each (height, W, 3) uint8."""
    mask = np.repeat(made.drawn.mask[0].cpu().numpy().transpose(1, 2, 0), 3, 2)
    pictures = {
        "pose and frame": pose_over(made.photo),
        "parse": parse_over(made.photo),
        "person representation": as_bytes(outlook(made.person)),
        "garment": np.where(made.garment.mask[..., None], made.garment.picture, 255).astype(np.uint8),
        "warped garment": _unit(made.warp.cloth),
        "composition mask": as_bytes(mask),
        "network's picture": as_bytes(made.network),
    }
    return {name: fitted(picture, height) for name, picture in pictures.items()}


def stage_sheet(made: PhotoTryOn, height: int = 260, columns: int = 4) -> np.ndarray:
    """`stages` in rows, a title above each."""
    panels = list(stages(made, height).items())
    return stacked([row(panels[k : k + columns]) for k in range(0, len(panels), columns)])


def parts_found(photo: Photo) -> str:
    """The parse in words, for those who cannot tell its colours: "face 4 %, hair 6 %, ..." of the picture."""
    ids, counts = np.unique(photo.labels[photo.labels > 0], return_counts=True)
    words = [f"{LIP[i]} {100 * n / photo.labels.size:.0f} %" for i, n in zip(ids, counts, strict=True)]
    return ", ".join(words + (["something held in front"] if photo.held.any() else [])) or "nothing"


def contact_sheet(made: Sequence[PhotoTryOn], height: int = 420, columns: int = 4) -> np.ndarray:
    """The photograph and its try-ons side by side, each under its garment's name.

    Raises: ValueError when there is nothing to show.
    """
    if not made:
        raise ValueError("contact_sheet wants at least one try-on, got none")
    panels = [("photograph", fitted(made[0].photo.original, height))]
    panels += [(one.garment.name, fitted(one.image, height)) for one in made]
    return stacked([row(panels[k : k + columns]) for k in range(0, len(panels), columns)])


def pose_over(photo: Photo) -> np.ndarray:
    """Joints and limbs over the photograph, thin where the detector is unsure, and the frame that the networks see."""
    box, (height, width) = photo.box, photo.labels.shape
    left, top = min(box.left, 0), min(box.top, 0)
    size = max(box.left + box.width, width) - left, max(box.top + box.height, height) - top
    paper = Image.new("RGB", size, "white")
    paper.paste(Image.fromarray(photo.original), (-left, -top))
    draw, unit = ImageDraw.Draw(paper), max(size[1] / 260, 1)
    points = {name: (p[0] - left, p[1] - top, p[2]) for name, p in zip(COCO18, photo.keypoints, strict=True)}
    for a, b in LIMBS:
        sure = min(points[a][2], points[b][2])
        if sure > 0.02:
            draw.line([points[a][:2], points[b][:2]], (86, 180, 233), round((3 if sure > 0.5 else 1) * unit))
    for x, y, sure in points.values():
        if sure > 0.02:
            r = 2.5 * unit
            draw.ellipse([x - r, y - r, x + r, y + r], (240, 228, 66), (31, 36, 48))
    frame = [box.left - left, box.top - top, box.left + box.width - left - 1, box.top + box.height - top - 1]
    draw.rectangle(frame, outline=(213, 94, 0), width=round(2 * unit))
    return np.asarray(paper)


def parse_over(photo: Photo) -> np.ndarray:
    """The labels' colours over the photograph; grey is held in front and never painted."""
    colours = np.array(LIP_COLOURS, np.float32)[photo.labels]
    colours[photo.held] = HELD_COLOUR
    shown = (photo.labels > 0) | photo.held
    mixed = np.where(shown[..., None], 0.35 * photo.original + 0.65 * colours, 0.35 * photo.original + 165)
    return mixed.clip(0, 255).astype(np.uint8)


def download(picture: np.ndarray, largest: int = LARGEST_PNG) -> tuple[str, bytes]:
    """A picture as a file to take home: its ending and its bytes.

    PNG, the photograph's own pixels untouched; JPEG at high quality where a PNG would be larger than `largest`.
    """
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=6)
    if out.tell() <= largest:
        return "png", out.getvalue()
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=95)
    return "jpg", out.getvalue()


def chosen(garments: Mapping[str, GarmentPicture], names: Sequence[str]) -> list[GarmentPicture]:
    """Garments by name.   Raises: UploadError when none is chosen."""
    if not names:
        raise UploadError("Choose a garment, or upload one.")
    return [garments[name] for name in names]


def _unit(picture) -> np.ndarray:
    return as_bytes(to_unit(picture)[0].permute(1, 2, 0).cpu().numpy())
