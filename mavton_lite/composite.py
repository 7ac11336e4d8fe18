"""Laying a try-on back into the photograph at full resolution: what changes is painted, all else stays byte for byte.

Everything here works on float32 pictures in 0..255 of one box of the photograph.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage

from mavton_lite.data.inpaint import fill_from
from mavton_lite.data.photo import PLAIN_TROUSERS
from mavton_lite.data.photo_file import resize
from mavton_lite.data.photo_parse import ARMS, SURE, J, body_unit_px, capsule, hand_of, polygon, to_ycbcr

HEAD = (1, 2, 4, 13)  # hat, hair, sunglasses, face
GARMENT = (5, 6, 7)
LOWER = (9, 12)  # trousers, skirt
COARSE_PX = 200  # shoulder width at which light and zones are worked out


class Scene(NamedTuple):
    """The photograph inside the box; `known` is inside the photograph, key points are in pixels of the box.

    Shape: rgb (h, w, 3) uint8; labels (h, w) uint8; held, known (h, w) bool; keypoints (18, 3).
    """

    rgb: np.ndarray
    labels: np.ndarray
    held: np.ndarray
    known: np.ndarray
    keypoints: np.ndarray


class Layers(NamedTuple):
    """The networks' answer at the box's resolution.

    Shape: cloth, rendered (h, w, 3) float32 in 0..255; mask, warped_mask (h, w) float32 in [0, 1].
    """

    cloth: np.ndarray
    rendered: np.ndarray
    mask: np.ndarray
    warped_mask: np.ndarray


def enlarge(picture: torch.Tensor, size: tuple[int, int], mode: str = "bicubic") -> torch.Tensor:
    """Resample a batch without moving it: pixel centres to pixel centres.   Shape: (B, C, h, w) -> (B, C, H, W)."""
    return F.interpolate(picture.float(), size, mode=mode, align_corners=False)


def warp_sharp(picture: np.ndarray, mask: np.ndarray, grid: torch.Tensor, size: tuple[int, int]):
    """Warp a garment's own pixels by a small sampling grid: the network moves them, it does not blur them.

    The garment's colours are first continued beyond its outline, so no white of the ground bleeds in.
    Shape: (Hc, Wc, 3) uint8, (Hc, Wc) bool, grid (h, w, 2) -> cloth (H, W, 3) float32 0..255, mask (H, W) in [0, 1].
    """
    small = torch.tensor(grid.shape[1::-1], dtype=torch.float32)  # w, h
    pixels = (grid.float().cpu() + 1) / 2 * (small - 1)  # corner-aligned -> pixels of the small garment
    own = torch.stack(torch.meshgrid(*(torch.arange(n).float() for n in grid.shape[:2]), indexing="ij")[::-1], -1)
    moved = enlarge((pixels - own).permute(2, 0, 1)[None], size)[0].permute(1, 2, 0)  # (H, W, 2): a smooth field
    ys, xs = ((torch.arange(n) + 0.5) * s / n - 0.5 for n, s in zip(size, grid.shape[:2], strict=True))
    at = moved + torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], -1)
    normal = (2 * at + 1) / small - 1  # (H, W, 2): edges of the picture at -1 and 1
    inner = ndimage.binary_erosion(mask, iterations=2)
    filled = fill_from(picture, inner if inner.any() else mask)
    stack = np.concatenate([filled, mask[..., None].astype(np.float32) * 255], -1).transpose(2, 0, 1)
    source = torch.from_numpy(np.ascontiguousarray(stack))[None]
    shrink = max(mask.shape[0] / size[0], 1.0)
    if shrink > 1.3:  # the photograph is coarser than the garment's picture: average first
        source = F.interpolate(source, [max(round(n / shrink), 1) for n in mask.shape], mode="area")
    read = F.grid_sample(source, normal[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
    return read[:3].permute(1, 2, 0).numpy(), (read[3] / 255).numpy()


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 up to `low`, 1 from `high`, smooth between."""
    t = ((x - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)


def body_zones(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where skin could be bared (neck, chest, arms), where it must be when nothing covers it (neck), and where trousers
    could begin, by the joints alone.
    """
    shape, k, unit = scene.labels.shape, scene.keypoints, body_unit_px(scene.keypoints)
    skin = capsule(shape, k[J["nose"]], k[J["neck"]], 0.16 * unit, 0.32 * unit)
    for side, _ in ARMS:
        shoulder, elbow, wrist = (k[J[f"{side} {n}"]] for n in ("shoulder", "elbow", "wrist"))
        skin |= capsule(shape, shoulder, elbow, 0.17 * unit, 0.14 * unit)
        skin |= capsule(shape, elbow, wrist, 0.14 * unit, 0.1 * unit) | hand_of(shape, k, side)
    hips = np.array([k[J["right hip"], :2], k[J["left hip"], :2]])
    wide = np.array([k[J["right shoulder"], :2], k[J["left shoulder"], :2]])
    torso = polygon(shape, np.array([wide[0], wide[1], hips[1], hips[0]]))
    for hip, other in ((hips[0], hips[1]), (hips[1], hips[0])):
        torso |= capsule(shape, hip, hip + (0, 1.4 * unit), 0.3 * unit) | capsule(shape, hip, other, 0.3 * unit)
    down = k[J["neck"], :2] + 0.15 * (k[J["neck"], :2] - k[J["nose"], :2])
    neck = capsule(shape, k[J["nose"]], down, 0.12 * unit, 0.2 * unit)
    return skin | neck, neck, torso


def kept(scene: Scene) -> np.ndarray:
    """What is never painted over: head, things held, and hands."""
    out = np.isin(scene.labels, HEAD) | scene.held | ~scene.known
    for side, label in ARMS:
        wrist = scene.keypoints[J[f"{side} wrist"]]
        if wrist[2] >= SURE:
            out |= (scene.labels == label) & hand_of(scene.labels.shape, scene.keypoints, side)
    return out


def shrunk(scene: Scene) -> Scene:
    """The scene at a size where a shoulder width is at most `COARSE_PX`: enough for smooth things."""
    factor = COARSE_PX / body_unit_px(scene.keypoints)
    if factor >= 1:
        return scene
    size = tuple(max(round(n * factor), 1) for n in scene.labels.shape)
    keypoints = scene.keypoints.copy()
    keypoints[:, :2] = (keypoints[:, :2] + 0.5) * factor - 0.5
    nearest = Image.Resampling.NEAREST
    labels = resize(scene.labels, size, nearest)
    held, known = (resize(m.astype(np.uint8), size, nearest) > 0 for m in (scene.held, scene.known))
    return Scene(resize(scene.rgb, size), labels, held, known, keypoints)


def grown(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A smooth (h, w) picture or a mask enlarged to `size`, as float32."""
    same = picture.shape == tuple(size)
    return picture.astype(np.float32) if same else resize(picture.astype(np.float32), size, Image.Resampling.BILINEAR)


def garment_light(scene: Scene, strength: float) -> np.ndarray:
    """Folds and shade of the garment in the photograph as a factor around 1, prints and straps left out.

    Shape: -> (h, w) float32.
    """
    old = np.isin(scene.labels, GARMENT)
    if strength == 0 or old.sum() < 64:
        return np.ones(old.shape, np.float32)
    ycbcr, unit = to_ycbcr(scene.rgb), body_unit_px(scene.keypoints)
    colour = np.median(ycbcr[old], axis=0)
    spread = np.abs(ycbcr - colour)
    plain = old & (spread[..., 1:].max(-1) < 18) & (spread[..., 0] < 70)
    plain = ndimage.binary_erosion(plain, iterations=max(1, round(0.015 * unit)))  # rims of prints are mixed colours

    def mean(sigma: float) -> np.ndarray:
        weight = ndimage.gaussian_filter(plain.astype(np.float32), sigma)
        return (ndimage.gaussian_filter(ycbcr[..., 0] * plain, sigma) + 1e-3 * colour[0]) / (weight + 1e-3)

    folds = mean(0.025 * unit) / np.maximum(mean(0.35 * unit), 1)
    shade = mean(0.12 * unit) / max(float(colour[0]), 1)
    trust = smoothstep(ndimage.gaussian_filter(plain.astype(np.float32), 0.03 * unit), 0.1, 0.6)
    strength = strength * float(smoothstep(colour[0], 25, 90))  # in a black garment there is only noise to copy
    light = (folds**strength * shade ** (0.5 * strength)).clip(0.55, 1.2)
    return (1 + trust * (light - 1)).astype(np.float32)


def continued(scene: Scene, source: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The photograph's colours at `source` continued everywhere, smoothly.   Shape: -> `size` (H, W, 3) float32."""
    filled = fill_from(scene.rgb, source)
    return np.stack([grown(filled[..., c], size) for c in range(3)], -1)


def background(scene: Scene, size: tuple[int, int]) -> np.ndarray | None:
    """What could be behind the person, continued from the background around; None when none is to be seen."""
    old = np.isin(scene.labels, GARMENT)
    reach = max(2, round(0.07 * body_unit_px(scene.keypoints)))  # the old garment's rim would tint it
    clean = (scene.labels == 0) & ~scene.held & scene.known & ~ndimage.binary_dilation(old, iterations=reach)
    return continued(scene, clean, size) if clean.any() else None


def trousers(scene: Scene, size: tuple[int, int]) -> np.ndarray:
    """What comes out below a shorter garment: the trousers of the photograph, or plain ones when it shows none."""
    rim = max(1, round(0.05 * body_unit_px(scene.keypoints)))  # the hem is never found to the pixel
    seen = ndimage.binary_erosion(np.isin(scene.labels, LOWER) & scene.known, iterations=rim)
    if seen.sum() < 64:
        return np.broadcast_to(np.array(PLAIN_TROUSERS, np.float32), (*size, 3))
    return continued(scene, seen, size)


def painted_body(rendered: np.ndarray) -> np.ndarray:
    """Where the network painted somebody: what differs from the studio wall in the picture's upper corners."""
    height, width = rendered.shape[:2]
    corner = max(height // 12, 1), max(width // 8, 1)
    wall = np.concatenate([rendered[: corner[0], : corner[1]], rendered[: corner[0], -corner[1] :]], 1)
    return np.abs(rendered - np.median(wall, axis=(0, 1))).max(-1) > 32


def match_skin(rendered: np.ndarray, zone: np.ndarray, scene: Scene) -> np.ndarray:
    """Skin in the colour of the face in the photograph, lighter and darker where the network painted it so."""
    face = scene.labels == 13
    if face.sum() < 16 or zone.sum() < 16:
        return rendered
    luma = rendered @ np.array((0.299, 0.587, 0.114), np.float32)
    tone = (luma / max(float(np.median(luma[zone])), 1.0)).clip(0.6, 1.25) ** 0.6
    return np.median(scene.rgb[face], axis=0).astype(np.float32) * tone[..., None]


def compose(scene: Scene, layers: Layers, shading: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """The photograph with the new garment, and where it was painted.

    From the bottom: the photograph; where the old garment was, the background behind, trousers, or skin where the
    network painted a body; then the new garment's own pixels, lit like the old one. Head, hands and held things stay
    on top.
    Shape: -> (h, w, 3) uint8, (h, w) bool; where it is False the picture is the photograph's, byte for byte.
    """
    unit = body_unit_px(scene.keypoints)
    keep = kept(scene)
    old = np.isin(scene.labels, GARMENT)
    ground = (scene.labels == 0) & ~scene.held
    person = ndimage.gaussian_filter((~ground).astype(np.float32), 0.01 * unit)
    alpha = smoothstep(layers.mask, 0.4, 0.6) * smoothstep(layers.warped_mask, 0.02, 0.3)
    alpha = alpha * smoothstep(person, 0.1, 0.4) * ~keep
    coarse = shrunk(scene)
    light = grown(garment_light(coarse, shading), old.shape)
    cloth = layers.cloth * light[..., None]

    rim = max(2, round(0.04 * unit))
    spill = ndimage.binary_dilation(old, iterations=rim) & ground  # the old garment's soft edge
    gone = (old | spill) & ~keep
    under = ndimage.gaussian_filter(gone.astype(np.float32), 0.8) * ~keep * (old | spill)
    skin_zone, neck, lower_zone = (grown(z, old.shape) > 0.5 for z in body_zones(coarse))
    bare = skin_zone & gone & (alpha < 0.5) & (painted_body(layers.rendered) | neck)
    lower = lower_zone & gone & (alpha < 0.5) & ~bare
    torn = lower & (layers.warped_mask > 0.5)  # neither arm nor hem: a hole in the network's mask
    alpha = np.maximum(alpha, ndimage.gaussian_filter(torn.astype(np.float32), 1.0)) * ~keep
    lower &= ~torn
    behind = background(coarse, old.shape)
    behind = layers.rendered if behind is None else behind
    fill = behind.astype(np.float32)
    for zone, colours in ((lower, trousers(coarse, old.shape)), (bare, match_skin(layers.rendered, bare, scene))):
        soft = ndimage.gaussian_filter(zone.astype(np.float32), max(1.0, 0.01 * unit))[..., None]
        fill = fill + soft * (colours - fill)

    base = scene.rgb.astype(np.float32)
    out = base + under[..., None] * (fill - base)
    out = out + alpha[..., None] * (cloth - out)
    changed = (alpha > 0) | (under > 0)
    out = np.where(changed[..., None], out.round().clip(0, 255), base).astype(np.uint8)
    return out, changed
