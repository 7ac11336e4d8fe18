"""`represent`: what the networks may know of a person, without the garment they wear (22 channels).

Computed for a whole batch on its device. Pillow's arithmetic, which made the original's inputs, is reproduced: its
bilinear reduction weighs areas and rounds to whole grey levels after each pass, its rectangles cut coordinates to whole
pixels and include both ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mavton_lite.config import LOWER_BODY, PersonSettings
from mavton_lite.data.sample import COCO18

POSE_CHANNELS = len(COCO18)
AGNOSTIC_CHANNELS = 1 + 3 + POSE_CHANNELS  # 22
LABELS = 256  # a parse is a picture of bytes
HIPS = [COCO18.index("right hip"), COCO18.index("left hip")]


class Person(NamedTuple):
    """The person representation and the garment worn in the picture.   Shape: see each line; pictures in [-1, 1]."""

    agnostic: Tensor  # (B, 22, H, W): silhouette, head, pose
    silhouette: Tensor  # (B, 1, H, W) blurred body shape
    head: Tensor  # (B, 3, H, W) the kept labels' colours, with `ground` in front of the wall
    pose: Tensor  # (B, 18, H, W) a square a key point
    worn_cloth: Tensor  # (B, 3, H, W) the worn garment on `worn_fill`
    worn_mask: Tensor  # (B, 1, H, W) 0 or 1
    matching: Tensor  # (B, 22, H, W): what the matching module is shown; `agnostic`, unless its kept parts differ


def represent(batch: dict, settings: PersonSettings | None = None) -> Person:
    """The person representation of a batch of `Sample`s.

    Source: Han et al. 2018, section 3.1; Wang et al. 2018, section 3.1; values as in CP-VTON's data loader.
    Differs: with `ground` the kept parts stand before the wall (`plain_ground`), for the try-on networks alone: the
    matching module paints nothing.
    Shape: image (B, 3, H, W), parse (B, H, W), keypoints (B, 18, 3) px -> `Person`.
    Raises: ValueError naming the key with another shape.
    """
    settings = settings or PersonSettings()
    image, parse, keypoints = _checked(batch)
    other = settings.matching_kept_labels
    groups = [settings.garment_labels, _others(settings.shape_ignores), settings.kept_labels]
    groups += [LOWER_BODY] * settings.lower_from_hips + ([other] if other is not None else [])
    garment, body, kept, *more = label_masks(parse, *groups)  # each (B, 1, H, W)

    def keep(colours: Tensor, mask: Tensor, behind: Tensor | float) -> None:
        if settings.lower_from_hips:
            mask = mask & ~(more[0] & above_hips(keypoints, parse.shape[1]))
        _laid_over(behind, image, mask, out=colours)  # (B, 3, H, W)

    # every channel is written where it stays: what is computed here is little beside what has to be stored
    agnostic = image.new_empty(len(image), AGNOSTIC_CHANNELS, *parse.shape[1:])  # (B, 22, H, W)
    silhouette, head, pose = agnostic[:, :1], agnostic[:, 1:4], agnostic[:, 4:]
    blur_silhouette(body, settings.shape_grid, out=silhouette)
    keep(head, kept, plain_ground(image, parse == 0) if settings.ground else settings.kept_fill)
    _draw_squares(pose, keypoints, settings.pose_radius_px)
    matching = agnostic
    if settings.ground or other is not None:
        matching = agnostic.clone()
        keep(matching[:, 1:4], kept if other is None else more[-1], settings.kept_fill)
    return Person(
        agnostic=agnostic,
        silhouette=silhouette,
        head=head,
        pose=pose,
        worn_cloth=_laid_over(settings.worn_fill, image, garment),  # (B, 3, H, W)
        worn_mask=_number(garment, torch.float32),
        matching=matching,
    )


def _laid_over(behind: Tensor | float, image: Tensor, mask: Tensor, out: Tensor | None = None) -> Tensor:
    """The image where the mask is, elsewhere what is behind.   Shape: (B, 3, H, W), (B, 1, H, W) bool -> (B, 3, H, W).

    A blend with weights 0 and 1: `torch.where`, to the last bit, at an eighth of its time, which broadcasts slowly.
    """
    behind = torch.as_tensor(behind, dtype=image.dtype, device=image.device)
    return torch.lerp(behind.expand_as(image), image, _number(mask, image.dtype).expand_as(image), out=out)


def _number(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as 0 and 1; of its bytes, which become numbers in a fifth of the time that truth values take."""
    return mask.view(torch.uint8).to(dtype)


def _checked(batch: dict) -> tuple[Tensor, Tensor, Tensor]:
    image = batch["image"]
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"image: found shape {tuple(image.shape)}, wanted (B, 3, H, W); batch samples with collate()")
    b, _, h, w = image.shape
    for key, wanted in (("parse", (b, h, w)), ("keypoints", (b, POSE_CHANNELS, 3))):
        if tuple(batch[key].shape) != wanted:
            raise ValueError(f"{key}: found shape {tuple(batch[key].shape)}, wanted {wanted}")
    return image.float(), batch["parse"], batch["keypoints"].float()


def label_mask(parse: Tensor, labels: tuple[int, ...]) -> Tensor:
    """Where a parse has one of some labels.   Shape: (B, H, W) -> (B, 1, H, W) bool."""
    return label_masks(parse, labels)[0]


def label_masks(parse: Tensor, *groups: Iterable[int]) -> list[Tensor]:
    """`label_mask` of up to eight groups of labels, for one look at the parse."""
    table = _flags(tuple(map(tuple, groups)), parse.device)  # (LABELS,) uint8
    flags = table.index_select(0, parse.flatten().int()).view(parse.shape)[:, None]  # (B, 1, H, W)
    return [(flags & (1 << i)).bool() for i in range(len(groups))]


@cache
def _others(ignored: tuple[int, ...]) -> tuple[int, ...]:
    """All labels of somebody, without some."""
    return tuple(label for label in range(1, LABELS) if label not in ignored)


@cache
def _flags(groups: tuple[tuple[int, ...], ...], device: torch.device) -> Tensor:
    """Of every label, bit i: is it in group i?   Shape: -> (LABELS,) uint8."""
    bits = [sum(1 << i for i, labels in enumerate(groups) if label in labels) for label in range(LABELS)]
    return torch.tensor(bits, dtype=torch.uint8, device=device)


def plain_ground(image: Tensor, ground: Tensor) -> Tensor:
    """The wall behind the person, guessed everywhere: the quadratic in x and y nearest to what is seen of it.

    Six numbers a colour: the light of a studio is in them, the outline of a person is not. What is nearer to the person
    than a 64th of the height has some of the person's colour and is not looked at. White where no wall is seen.
    Differs: not in CP-VTON, whose pictures have a white ground.
    Shape: image (B, 3, H, W) in [-1, 1], ground (B, H, W) bool: where the wall is seen -> (B, 3, H, W).
    """
    h, w = image.shape[-2:]
    edge = max(1, h // 64)  # px
    far = 1 - F.max_pool2d((~ground[:, None]).float(), 2 * edge + 1, 1, edge).flatten(1)  # (B, HW) 0 or 1
    colours = image.flatten(2).mT  # (B, HW, 3)
    count = far.sum(1)[:, None, None]  # (B, 1, 1)
    basis = _quadratic(h, w, image.device)  # (HW, 6)
    seen = far[..., None] * basis  # (B, HW, 6)
    ridge = torch.eye(6, device=image.device)  # as heavy as one pixel: where nothing is seen, nothing is bent
    with torch.autocast(image.device.type, enabled=False):  # sums over thousands of pixels
        mean = (far[:, None] @ colours) / count.clamp(min=1) + (count == 0)  # (B, 1, 3)
        bent = torch.linalg.solve(seen.mT @ basis + ridge, seen.mT @ (colours - mean))  # (B, 6, 3)
        wall = mean + basis @ bent  # (B, HW, 3)
    return wall.clamp(-1, 1).mT.unflatten(2, (h, w))


@cache
def _quadratic(height: int, width: int, device: torch.device) -> Tensor:
    """1, x, y, xx, xy, yy of every pixel, x and y in [-1, 1].   Shape: (H * W, 6)."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    return torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], -1).flatten(0, 1).to(device)


def above_hips(keypoints: Tensor, height: int) -> Tensor:
    """Rows above the line through the hips; none where no hip is known.   Shape: (B, 18, 3) px -> (B, 1, H, 1) bool."""
    hips = keypoints[:, HIPS]  # (B, 2, 3)
    there = (hips[..., 2] > 0).float()  # (B, 2)
    line = (hips[..., 1] * there).sum(1) / there.sum(1).clamp(min=1)  # (B,), 0 where no hip is known
    rows = torch.arange(height, device=keypoints.device)
    return (rows < line[:, None])[:, None, :, None]  # (B, 1, H, 1)


def blur_silhouette(body: Tensor, grid: tuple[int, int], out: Tensor | None = None) -> Tensor:
    """A body mask reduced to `grid` (rows, columns) and enlarged again, so that the garment's outline is forgotten.

    Source: CP-VTON's data loader (Pillow's BILINEAR both ways on 0..255).
    Shape: (B, 1, H, W) bool -> same, float32 in [-1, 1].
    """
    h, w = body.shape[-2:]
    # Sums of grey levels and Pillow's weights are exact in double precision, so ties round as Pillow's do.
    exact = (torch.float32 if body.device.type == "mps" else torch.float64, body.device)
    grey, white = _number(body, exact[0]), 255
    for rows, columns in (grid, (h, w)):  # reduced, then enlarged
        grey = _rounded((grey @ _pillow_bilinear(grey.shape[-1], columns, *exact).T).mul_(white))  # across
        white = 1
        grey = _rounded(_pillow_bilinear(grey.shape[-2], rows, *exact) @ grey)  # then down
    return torch.sub(grey.float().div_(127.5), 1, out=out)


def _rounded(grey: Tensor) -> Tensor:
    # in place: it is a product that nobody else has; a mean of grey levels, so nothing lies outside of 0..255
    return grey.add_(0.5).floor_()


@cache
def _pillow_bilinear(source: int, target: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix of Pillow's BILINEAR resize along one side, in steps of 2**-22.   Shape: (target, source)."""
    scale = source / target
    reach = max(scale, 1.0)  # pixels the triangle reaches to each side; wider when reducing: antialiasing
    centres = (torch.arange(target, dtype=torch.float64)[:, None] + 0.5) * scale  # (target, 1)
    distance = (torch.arange(source, dtype=torch.float64) + 0.5 - centres).abs() / reach  # (target, source)
    weights = (1 - distance).clamp(min=0)
    weights = weights / weights.sum(1, keepdim=True)
    return ((weights * 2**22 + 0.5).floor() / 2**22).to(device, dtype)


def pose_maps(keypoints: Tensor, size: tuple[int, int], radius_px: int) -> Tensor:
    """A map a key point: +1 in the square of `radius_px` around it, -1 elsewhere and everywhere where it is missing.

    A key point is missing at x <= 1 or y <= 1; its confidence is not looked at; squares are cut at the border.
    Source: CP-VTON's data loader (Pillow's `ImageDraw.rectangle`).
    Shape: (B, K, 3) x px, y px, confidence -> (B, K, H, W).
    """
    maps = keypoints.new_empty(*keypoints.shape[:2], *size)
    _draw_squares(maps, keypoints, radius_px)
    return maps


def _draw_squares(maps: Tensor, keypoints: Tensor, radius_px: int) -> None:
    """`pose_maps`, written into `maps`: few pixels of a map are not -1, so only these are computed."""
    h, w = maps.shape[2:]
    last, reach = _square(h, w, radius_px, keypoints.dtype, keypoints.device)  # (2,), (2 r + 1,)
    xy = keypoints[..., :2]  # (B, K, 2)
    there = (xy > 1).all(-1)
    # Pillow cuts x - r and x + r towards zero: the same inside the picture
    xy = torch.where(there[..., None], xy, 0.0).floor()
    shows = there & (xy <= last + radius_px).all(-1)  # some of the square is in the picture
    # (B, K, 2, 2 r + 1): what is cut falls on the border's pixels
    at = (xy[..., None] + reach).clamp_(min=0).minimum(last[:, None]).long()
    pixels = (at[:, :, 1, :, None] * w + at[:, :, 0, None, :]).flatten(2)  # (B, K, (2 r + 1)^2)
    colour = torch.where(shows, 1.0, -1.0).to(maps.dtype)[..., None].expand_as(pixels)
    maps.fill_(-1).view(*maps.shape[:2], h * w).scatter_(2, pixels, colour)


@cache
def _square(height: int, width: int, radius_px: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The last pixel, (x, y), and how far a square reaches around its middle: sent to the device once."""
    last = torch.tensor([width - 1, height - 1], dtype=dtype, device=device)
    return last, torch.arange(-radius_px, radius_px + 1, dtype=dtype, device=device)
