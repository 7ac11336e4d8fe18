"""A real photograph in a new garment: understand it, run the networks, lay the result back at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mavton_lite.composite import Layers, Scene, compose, enlarge, warp_sharp
from mavton_lite.config import Profile
from mavton_lite.data.garment_picture import GarmentPicture, read_garment
from mavton_lite.data.person import Person
from mavton_lite.data.photo import Photo, Relabel, photo_to_sample
from mavton_lite.data.photo_file import read_photo
from mavton_lite.data.sample import collate, to_unit
from mavton_lite.files import replacing
from mavton_lite.models.cpvton import TryOn
from mavton_lite.models.gmm import Warp
from mavton_lite.models.tryon import TryOnPipeline

MODELS = {"mavton": "ma_vton", "cpvton": "cp_vton"}  # name on the command line -> experiment
SAVED = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}  # ending -> Pillow's format


@dataclass(frozen=True)
class PhotoTryOn:
    """A photograph in another garment.

    Shape: image (H, W, 3) uint8, the photograph's size; changed (H, W) bool: where it was painted; network
    (h, w, 3) float32 in [0, 1]: what the network drew, at its own size; the last three as the pipeline gave them.
    """

    photo: Photo
    garment: GarmentPicture
    image: np.ndarray
    changed: np.ndarray
    network: np.ndarray
    model: str
    person: Person
    warp: Warp
    drawn: TryOn

    def save(self, path: Path) -> Path:
        """Write the picture atomically; the ending says the format.   Raises: ValueError for an unknown ending."""
        path = Path(path)
        kind = _kind_of(path)
        with replacing(path) as temporary:
            Image.fromarray(self.image).save(temporary, kind, **({"quality": 95} if kind != "PNG" else {}))
        return path


def _kind_of(path: Path) -> str:
    """Pillow's format for a file's ending.   Raises: ValueError for one that no picture is saved with here."""
    if path.suffix.lower() not in SAVED:
        raise ValueError(f"{path}: cannot save a picture as {path.suffix!r}; wanted .png, .jpg or .webp")
    return SAVED[path.suffix.lower()]


def load_model(
    model: str = "mavton", checkpoints: Path | None = None, profile: Profile | None = None, device: str = "cpu"
) -> TryOnPipeline:
    """A trained pipeline by its name on the command line or its experiment's: released, or from a checkpoint folder.

    `model` may also be a file, NAME.safetensors with its card beside it.
    Raises: ValueError for an unknown name, when there are no weights, or when they end in no picture.
    """
    from mavton_lite.config import LITE
    from mavton_lite.experiments import EXPERIMENTS, get_experiment
    from mavton_lite.stages import stage_of

    if model.endswith(".safetensors"):
        from mavton_lite.zoo import card_of, load_released

        weights, made = Path(model), get_experiment(card_of(Path(model))["experiment"])
        if not stage_of(made).tryon:
            raise ValueError(f"{weights}: found a {stage_of(made).title} alone, wanted a model that ends in a picture")
        return load_released(weights.stem, device, weights.parent)
    experiment = MODELS.get(model, model)
    wearable = [e.name for e in EXPERIMENTS.values() if stage_of(e).tryon]
    if experiment not in wearable:
        known = [*MODELS, *wearable]
        raise ValueError(f"unknown model {model!r}; known: {', '.join(known)}")
    if checkpoints is not None:
        from mavton_lite.trained import load_pipeline

        pipeline = load_pipeline(experiment, profile or LITE, Path(checkpoints), device)
    else:
        from mavton_lite.zoo import load_released

        pipeline = load_released(experiment)
    return pipeline.to(device).eval()


def try_on(photo: Photo, garment: GarmentPicture, pipeline: TryOnPipeline, model: str = "", shading: float = 0.6):
    """Put one garment on one photograph.   Shape: -> `PhotoTryOn` at the photograph's resolution."""
    sample = garment.dress(photo.sample)
    device = next(pipeline.parameters()).device
    batch = {k: v.to(device) if torch.is_tensor(v) else v for k, v in collate([sample]).items()}
    pipeline.eval()
    with torch.inference_mode():
        person, warp, drawn = pipeline(batch)
    size = (photo.box.height, photo.box.width)
    cloth, warped_mask = warp_sharp(garment.picture, garment.mask, warp.grid[0].cpu(), size)
    rendered = enlarge(drawn.rendered.cpu(), size).clamp(-1, 1)[0].permute(1, 2, 0).numpy() * 127.5 + 127.5
    mask = enlarge(drawn.mask.cpu(), size)[0, 0].clamp(0, 1).numpy()

    keypoints = photo.keypoints.copy()
    keypoints[:, :2] -= (photo.box.left, photo.box.top)
    scene = Scene(
        rgb=photo.box.cut(photo.original),
        labels=photo.box.cut(photo.labels, 0),
        held=photo.box.cut(photo.held, False),
        known=photo.box.cut(np.ones(photo.labels.shape, bool), False),
        keypoints=keypoints,
    )
    painted, where = compose(scene, Layers(cloth, rendered, mask, warped_mask), shading)
    image, changed = photo.original.copy(), np.zeros(photo.labels.shape, bool)
    here, there = photo.box.inside(*photo.labels.shape)
    image[here], changed[here] = painted[there], where[there]
    network = to_unit(drawn.image.cpu())[0].permute(1, 2, 0).numpy()
    return PhotoTryOn(photo, garment, image, changed, network, model, person, warp, drawn)


def relabel_by(parse: str) -> Relabel | None:
    """Who tells hair, skin and cloth apart: "rules" (None) or "atelier", the released parser.

    Raises: ValueError for another name, or when no parser was released.
    """
    if parse == "rules":
        return None
    if parse != "atelier":
        raise ValueError(f"unknown parse {parse!r}; known: rules, atelier")
    from mavton_lite.parsing import relabelled
    from mavton_lite.zoo import load_released

    return partial(relabelled, parser=load_released("parser"))


def try_on_photo(
    photo: Path | Photo,
    cloth: str | Path | GarmentPicture,
    model: str = "mavton",
    out: Path | None = None,
    *,
    backend: str = "auto",
    parse: str = "rules",
    pipeline: TryOnPipeline | None = None,
    checkpoints: Path | None = None,
    profile: Profile | None = None,
    device: str = "cpu",
    shading: float = 0.6,
) -> PhotoTryOn:
    """`mavton tryon`: a photograph, a garment (a picture on white, or `atelier:test/3`) and a model -> a picture.

    `pipeline` overrides `model`'s weights; `checkpoints` is a training's folder instead of the released weights.
    `parse` says who tells hair, skin and cloth apart: "rules" around the joints, or "atelier", the released parser.
    Face, hair, background and things held in front stay the photograph's own pixels, byte for byte.
    Raises: ValueError naming the file when photograph or garment cannot be used, or saying what is not installed.
    """
    if out is not None:
        _kind_of(Path(out))  # told before anything is worked out
    relabel = relabel_by(parse)
    if not isinstance(photo, Photo):
        read_photo(Path(photo))  # told before weights are read and a garment is drawn
    pipeline = pipeline or load_model(model, checkpoints, profile, device)
    garment = cloth if isinstance(cloth, GarmentPicture) else read_garment(cloth)
    if not isinstance(photo, Photo):
        photo = photo_to_sample(Path(photo), pipeline.size, backend, relabel=relabel)
    result = try_on(photo, garment, pipeline, model, shading)
    if out is not None:
        result.save(Path(out))
    return result
