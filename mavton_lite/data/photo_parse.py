"""A photograph's LIP parse from pose, person mask and colour: geometry first, one skin model a photograph second.

Not a learnt parser: it knows where a person's parts are from the joints and what skin looks like from this very face.
Every distance is in units of the person's shoulder width, so size and distance to the camera do not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from .photo_backend import NoPersonError, Reading
from .sample import COCO18

J = {name: i for i, name in enumerate(COCO18)}
SURE = 0.5  # confidence from which a joint is believed
PRINT = 0.02  # skin-coloured spots smaller than this, in squares of the shoulder width, are printed on the sleeve
ARMS = (("left", 14), ("right", 15))
LEGS = (("left", 16), ("right", 17))


class PhotoParse(NamedTuple):
    """Shape: labels (H, W) uint8 LIP ids; held (H, W) bool, things in front of the person (label 0, never painted)."""

    labels: np.ndarray
    held: np.ndarray


class SkinModel(NamedTuple):
    """A Gaussian in YCbCr (units: 0..255)."""

    mean: np.ndarray
    precision: np.ndarray


def body_unit_px(keypoints: np.ndarray) -> float:
    """The shoulder width as it would be seen from the front: the largest of what shoulders, torso and head suggest."""

    def span(a: str, b: str, least: float = 0.3) -> float:
        p, q = keypoints[J[a]], keypoints[J[b]]
        return float(np.linalg.norm(p[:2] - q[:2])) if min(p[2], q[2]) >= least else 0.0

    torso = max(span("neck", "right hip", SURE), span("neck", "left hip", SURE))
    head = max(2.2 * span("right ear", "left ear"), 3.2 * span("right eye", "left eye"), 1.1 * span("nose", "neck"))
    return max(span("right shoulder", "left shoulder"), 0.6 * torso, head, 1.0)


def capsule(shape: tuple[int, int], a, b, radius_a: float, radius_b: float | None = None) -> np.ndarray:
    """Pixels within a radius of the segment a-b (x, y); the radius may change from one end to the other."""
    a, b = np.asarray(a, np.float32)[:2], np.asarray(b, np.float32)[:2]
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    along = b - a
    t = ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max(float(along @ along), 1e-6)
    t = t.clip(0, 1)
    far = np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])
    return far <= radius_a + t * ((radius_a if radius_b is None else radius_b) - radius_a)


def polygon(shape: tuple[int, int], points: np.ndarray) -> np.ndarray:
    """Pixels inside a polygon of (x, y) corners."""
    canvas = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(canvas).polygon([tuple(map(float, p)) for p in points], fill=1)
    return np.array(canvas, bool)


def component_of(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The connected part of a mask that shares most pixels with the seeds (nothing when none does)."""
    parts, count = ndimage.label(mask)
    votes = np.bincount(parts[mask & seeds], minlength=count + 1)
    votes[0] = 0
    return parts == votes.argmax() if votes.any() else np.zeros_like(mask)


def connected_to(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """All connected parts of a mask that touch the seeds."""
    parts, count = ndimage.label(mask)
    touched = np.zeros(count + 1, bool)
    touched[np.unique(parts[mask & seeds])] = True
    touched[0] = False
    return touched[parts]


def larger(mask: np.ndarray, least_px: float) -> np.ndarray:
    """The connected parts of a mask that have at least so many pixels."""
    parts, _ = ndimage.label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return (sizes >= least_px)[parts]


def opened(mask: np.ndarray, radius: int = 1, close: bool = False) -> np.ndarray:
    """Morphological opening (or closing) that takes the mask to go on beyond the picture's border."""
    padded = np.pad(mask, radius, mode="edge")
    operation = ndimage.binary_closing if close else ndimage.binary_opening
    return operation(padded, iterations=radius)[radius:-radius, radius:-radius]


def to_ycbcr(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> float32 YCbCr, 0..255."""
    return np.asarray(Image.fromarray(rgb).convert("YCbCr"), np.float32)


def fit_skin(ycbcr: np.ndarray, face: np.ndarray) -> SkinModel:
    """The colour of this person's skin: the middle of the face pixels' brightness, with room for light and shade.

    Raises: ValueError when fewer than 8 pixels are given.
    """
    pixels = ycbcr[face]
    if len(pixels) < 8:
        raise ValueError(f"a skin model wants at least 8 face pixels, got {len(pixels)}")
    low, high = np.percentile(pixels[:, 0], (15, 95))  # eyes, brows, nostrils out; highlights out
    pixels = pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)]
    covariance = np.cov(pixels.T) + np.diag([10.0**2, 3.0**2, 3.0**2])
    if np.abs(pixels[:, 1:] - 128).mean() > 4:  # a grey photograph has only brightness to tell skin by
        covariance[0, 0] *= 4  # the neck is in shade, the arms may be in the sun
    return SkinModel(pixels.mean(0), np.linalg.inv(covariance))


def skin_distance(ycbcr: np.ndarray, model: SkinModel) -> np.ndarray:
    """Squared Mahalanobis distance of every pixel to the skin model.   Shape: (H, W, 3) -> (H, W)."""
    d = ycbcr - model.mean
    return np.einsum("...i,ij,...j->...", d, model.precision, d)


def face_outline(keypoints: np.ndarray) -> np.ndarray:
    """An ellipse for the face from eyes, ears, nose and neck, for backends that give none.

    Shape: (18, 3) -> (36, 2).
    """
    nose, neck = keypoints[J["nose"], :2], keypoints[J["neck"], :2]
    sides = [keypoints[J[n]] for n in ("right eye", "left eye", "right ear", "left ear")]
    believed = [p[:2] for p in sides if p[2] > 0.3]
    brow = np.mean(believed, axis=0) if believed else nose + 0.25 * (nose - neck)
    up = (brow - neck) / max(float(np.linalg.norm(brow - neck)), 1e-6)
    half = 0.19 * body_unit_px(keypoints)  # half the breadth of a face
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    across = np.array((-up[1], up[0]))
    return (0.6 * nose + 0.4 * brow) + half * (np.cos(angle)[:, None] * across + 1.4 * np.sin(angle)[:, None] * up)


def likelier(quantised: np.ndarray, yes: np.ndarray, no: np.ndarray, bins: int = 16) -> np.ndarray:
    """Pixels whose colour is likelier under the `yes` pixels' smoothed histogram than under the `no` pixels'."""
    score = []
    for mask in (yes, no):
        histogram = np.bincount(quantised[mask], minlength=bins**3).reshape(bins, bins, bins).astype(np.float32)
        score.append((ndimage.gaussian_filter(histogram, 1.2) / max(mask.sum(), 1) + 1e-6).ravel()[quantised])
    return score[0] > score[1]


def skeleton(shape, keypoints: np.ndarray, torso: float, arm: float, unsure: float = 0.6) -> np.ndarray:
    """Torso and arms as solids around the joints, radii in shoulder widths; unsure limbs `unsure` times as thick."""
    unit = body_unit_px(keypoints)
    corners = [keypoints[J[n], :2] for n in ("right shoulder", "left shoulder", "left hip", "right hip")]
    solid = polygon(shape, np.array(corners))
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        solid |= capsule(shape, a, b, torso * unit)
    for side, _ in ARMS:
        chain = [keypoints[J[f"{side} {n}"]] for n in ("shoulder", "elbow", "wrist")]
        for a, b in zip(chain, chain[1:], strict=False):
            thick = 1.0 if min(a[2], b[2]) >= SURE else unsure
            if thick:
                solid |= capsule(shape, a, b, arm * unit * thick)
    return solid


def hand_of(shape: tuple[int, int], keypoints: np.ndarray, side: str) -> np.ndarray:
    """Where a hand can be: from the wrist on along the forearm; nothing when the joints are unsure."""
    elbow, wrist = keypoints[J[f"{side} elbow"]], keypoints[J[f"{side} wrist"]]
    if min(elbow[2], wrist[2]) < 0.3:
        return np.zeros(shape, bool)
    return capsule(shape, wrist, wrist + 0.6 * (wrist - elbow), 0.28 * body_unit_px(keypoints))


def held_things(rgb: np.ndarray, person: np.ndarray, keypoints: np.ndarray, oval: np.ndarray) -> np.ndarray:
    """Parts of a person mask that are no body: what lies far from every limb, and what is joined to it in its colours.

    Shape: (H, W, 3) uint8, (H, W) bool, (18, 3), (N, 2) face outline -> (H, W) bool.
    """
    shape, unit = person.shape, body_unit_px(keypoints)
    head = capsule(shape, keypoints[J["nose"]], keypoints[J["neck"]], 0.6 * unit)
    head |= capsule(shape, oval.mean(0), oval.mean(0), 1.4 * float(np.ptp(oval[:, 1])))
    hips = keypoints[[J["left hip"], J["right hip"]], :2]
    y, x = np.mgrid[: shape[0], : shape[1]]
    legs = (y > hips[:, 1].max()) & (np.abs(x - hips[:, 0].mean()) < 0.9 * unit)
    near = skeleton(shape, keypoints, 0.42, 0.36) | head | legs
    for side, _ in ARMS:
        near |= hand_of(shape, keypoints, side)
    seeds = person & ~near
    if seeds.sum() < 0.02 * person.sum():
        return np.zeros(shape, bool)
    core = person & skeleton(shape, keypoints, 0.08, 0.13, unsure=0)
    quantised = (rgb.astype(np.int64) >> 4) @ np.array((256, 16, 1))
    other = likelier(quantised, seeds, core) & person & ~head & ~legs & ~skeleton(shape, keypoints, 0.0, 0.05, unsure=0)
    radius = max(1, round(0.012 * unit))
    other = opened(ndimage.uniform_filter((other | seeds).astype(np.float32), 2 * radius + 1) > 0.5, radius)
    thing = opened(connected_to(other, seeds), max(1, round(0.04 * unit)), close=True)
    thing = opened(ndimage.binary_fill_holes(thing), max(1, round(0.07 * unit))) & person & ~head
    return thing & ~component_of(person & ~thing, core)  # what it cut off from the body goes with it


def hem_row(ycbcr: np.ndarray, person: np.ndarray, keypoints: np.ndarray) -> float:
    """The row where the upper garment ends: the strongest change of colour near the hips, else just below them."""
    unit = body_unit_px(keypoints)
    hips = (keypoints[J["right hip"], :2] + keypoints[J["left hip"], :2]) / 2
    fallback = float(hips[1] + 0.15 * unit)
    top, bottom = round(hips[1] - 0.45 * unit), round(min(hips[1] + 0.45 * unit, len(person)))
    left, right = (round(hips[0] + s * 0.3 * unit) for s in (-1, 1))
    window = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
    inside = person[window]
    guessed = max(keypoints[J["right hip"], 2], keypoints[J["left hip"], 2]) < SURE
    if guessed or inside.shape[0] < 8 or inside.mean() < 0.7:
        return fallback
    profile = np.median(ycbcr[window], axis=1)  # (rows, 3): robust to arms, buckles and prints
    step = max(2, round(0.05 * unit))
    change = np.linalg.norm(profile[step:] - profile[:-step], axis=1)
    if not len(change) or change.max() < 20 or change.max() < 3 * np.median(change):
        return fallback
    return float(window[0].start + change.argmax() + step / 2)


def split_head(
    ycbcr: np.ndarray, person: np.ndarray, oval: np.ndarray, neck: np.ndarray
) -> tuple[np.ndarray, np.ndarray, SkinModel]:
    """Face and hair: the outline and the skin joined to it, then the rest of the head and what hangs from it.

    Shape: (H, W, 3), (H, W) bool, (N, 2) outline, (2,) -> face (H, W), hair (H, W), the skin model.
    """
    shape = person.shape
    centre = oval.mean(0)
    up = (centre - neck) / max(float(np.linalg.norm(centre - neck)), 1e-6)
    tall = float(np.ptp((oval - centre) @ up))
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    across = np.abs((x - centre[0]) * up[1] - (y - centre[1]) * up[0])
    face = polygon(shape, oval) & ndimage.binary_dilation(person, iterations=2)
    skin = fit_skin(ycbcr, polygon(shape, centre + 0.8 * (oval - centre)))
    height = (x - centre[0]) * up[0] + (y - centre[1]) * up[1]  # above (+) or below (-) the face's centre
    radius = np.hypot(x - centre[0], y - centre[1])
    head = person & (radius < 1.15 * tall) & (height > -0.3 * tall)
    ring = person & (height > 0.45 * tall) & (radius < 1.0 * tall) & ~ndimage.binary_dilation(face, iterations=2)
    to_skin = skin_distance(ycbcr, skin)
    like_skin = to_skin < 8
    if ring.sum() >= 30:
        hair_model = fit_skin(ycbcr, ring)
        to_hair = skin_distance(ycbcr, hair_model)
        like_skin &= to_skin < to_hair
        like_hair = (to_hair < 8) & (to_hair < to_skin)
    else:
        to_hair, like_hair = to_skin, np.zeros(shape, bool)
    ears = head & like_skin & (radius < 0.75 * tall) & (height < 0.5 * tall)
    face |= connected_to(opened(ears) | face, face)
    hair = head & ~face
    low = person & like_hair & (height <= -0.3 * tall) & (radius < 1.6 * tall) & ~face
    low &= (across > 0.45 * tall) | (to_hair < 0.3 * to_skin)  # straight below the face it is neck, unless clearly hair
    return face, hair | (connected_to(opened(low) | hair, hair) & low), skin


def parse_photo(rgb: np.ndarray, reading: Reading) -> PhotoParse:
    """Label a photograph: 2 hair, 5 upper clothes, 9 trousers, 10 torso skin, 13 face, 14/15 arms, 16/17 bare legs.

    Shape: (H, W, 3) uint8 -> labels (H, W) uint8, held (H, W) bool.   Raises: NoPersonError on an empty mask.
    """
    keypoints, shape = reading.keypoints, rgb.shape[:2]
    unit = body_unit_px(keypoints)
    person = component_of(reading.person > 0.5, skeleton(shape, keypoints, 0.1, 0.1))
    if person.sum() < 16:
        raise NoPersonError("the person mask is empty where the pose is")
    oval = face_outline(keypoints) if reading.face is None else reading.face
    held = held_things(rgb, person, keypoints, oval)
    person = component_of(person & ~held, skeleton(shape, keypoints, 0.1, 0.1))
    ycbcr = to_ycbcr(rgb)
    neck = keypoints[J["neck"], :2]
    face, hair, skin = split_head(ycbcr, person, oval, neck)

    labels = np.where(person, 5, 0).astype(np.uint8)
    rows = np.mgrid[: shape[0], : shape[1]][0]
    like_skin = opened((skin_distance(ycbcr, skin) < 9) & person)
    below = rows > hem_row(ycbcr, person, keypoints)
    labels[person & below] = 9
    for side, label in LEGS:
        leg = capsule(shape, keypoints[J[f"{side} hip"]], keypoints[J[f"{side} ankle"]], 0.3 * unit)
        labels[like_skin & leg & below] = label
    chest = capsule(shape, keypoints[J["nose"]], neck, 0.25 * unit, 0.45 * unit)
    labels[connected_to(like_skin & chest, face | capsule(shape, neck, keypoints[J["nose"]], 0.1 * unit))] = 10
    for side, label in ARMS:
        shoulder, elbow, wrist = (keypoints[J[f"{side} {n}"]] for n in ("shoulder", "elbow", "wrist"))
        arm = capsule(shape, shoulder, elbow, 0.16 * unit) | capsule(shape, elbow, wrist, 0.2 * unit)
        bare = like_skin & (arm | hand_of(shape, keypoints, side)) & (labels != 10)
        labels[larger(bare, PRINT * unit**2)] = label
    labels[hair] = 2
    labels[face] = 13
    return PhotoParse(labels, held)
