"""Small try-on worlds of random rectangles for tests: folders in every published layout, and batches in memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mavton_lite.data.sample import LIP_COLOURS, collate

WARP_NONE = -32768
ARM_LEFT, ARM_RIGHT, FACE, HAIR, TOP, TROUSERS, TORSO_SKIN = 14, 15, 13, 2, 5, 9, 10


def figure_parse(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A parse of a standing figure made of rectangles, slightly moved at random.   Shape: (H, W) uint8."""
    parse = np.zeros((height, width), np.uint8)
    dx, dy = rng.uniform(-0.05, 0.05, 2)

    def fill(label: int, left: float, top: float, right: float, bottom: float) -> None:
        rows = slice(max(0, int((top + dy) * height)), max(0, int((bottom + dy) * height)))
        columns = slice(max(0, int((left + dx) * width)), max(0, int((right + dx) * width)))
        parse[rows, columns] = label

    fill(TROUSERS, 0.32, 0.7, 0.68, 1.1)
    fill(HAIR, 0.38, 0.06, 0.62, 0.26)
    fill(TORSO_SKIN, 0.44, 0.24, 0.56, 0.32)
    fill(FACE, 0.42, 0.1, 0.58, 0.25)
    fill(TOP, 0.3, 0.3, 0.7, 0.72)
    fill(ARM_RIGHT, 0.18, 0.32, 0.3, 0.7)  # the person's right is on the left of the picture
    fill(ARM_LEFT, 0.7, 0.32, 0.82, 0.7)
    return parse


def figure_keypoints(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """COCO-18 key points; about one in six is missing.   Shape: (18, 3) float64 in px."""
    points = np.column_stack([rng.uniform(2, width - 2, 18), rng.uniform(2, height - 2, 18), rng.uniform(0.3, 1, 18)])
    points[rng.random(18) < 1 / 6] = 0
    return points.round(3)


def paint(rng: np.random.Generator, parse: np.ndarray) -> np.ndarray:
    """A picture with one colour a label and a soft gradient.   Shape: (H, W) uint8 -> (H, W, 3) uint8."""
    colours = rng.integers(20, 236, (21, 3))
    shade = np.linspace(-15, 15, parse.shape[1])[None, :, None]
    return (colours[parse] + shade).clip(0, 255).astype(np.uint8)


def save_parse(path: Path, parse: np.ndarray, mode: str = "P") -> None:
    """A parse as a palette (P) or grey (L) PNG of ids."""
    picture = Image.fromarray(parse)
    if mode == "P":
        picture.putpalette([c for colour in LIP_COLOURS for c in colour])
    picture.save(path)


def save_keypoints(path: Path, points: np.ndarray, key: str = "pose_keypoints") -> None:
    """OpenPose JSON; with BODY_25 in mind any number of points goes."""
    person = {key: np.asarray(points).ravel().tolist(), "hand_left_keypoints": []}
    path.write_text(json.dumps({"version": 1.0, "people": [person]}))


def coco18_to_body25(points: np.ndarray) -> np.ndarray:
    """The same person in BODY_25: the middle of the hips put in, six points of the feet added.   (18, 3) -> (25, 3)."""
    middle = (points[8] + points[11]) / 2
    return np.concatenate([points[:8], middle[None], points[8:], np.full((6, 3), 5.0)])


def _dirs(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)


def _garment(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((height, width), np.uint8)
    mask[height // 5 : height - height // 6, width // 5 : width - width // 6] = 255
    cloth = np.full((height, width, 3), 255, np.uint8)
    cloth[mask > 0] = rng.integers(0, 220, 3)
    return cloth, mask


def _warp(rng: np.random.Generator, parse: np.ndarray) -> np.ndarray:
    height, width = parse.shape
    y, x = np.mgrid[:height, :width] + rng.uniform(-2, 2, (2, 1, 1))
    warp = np.stack([x, y]).clip(0, [[[width - 1]], [[height - 1]]]) * 64
    return np.where(parse == TOP, warp.round(), WARP_NONE).astype(np.int16)


def write_viton(
    root: Path,
    n_train: int = 6,
    n_test: int = 4,
    size: tuple[int, int] = (64, 48),
    *,
    parse_mode: str = "P",
    pose_key: str = "pose_keypoints",
    body25: bool = False,
    truth: bool = False,
    same_list: bool = True,
    seed: int = 0,
) -> Path:
    """A VITON / CP-VTON folder; `truth` adds the Atelier's warp-truth and tryon-truth (even counts only)."""
    rng = np.random.default_rng(seed)
    height, width = size
    for split, n in (("train", n_train), ("test", n_test)):
        base = root / split
        _dirs(base, "image", "cloth", "cloth-mask", "image-parse", "pose")
        if truth:
            _dirs(base, "warp-truth", "tryon-truth/image", "tryon-truth/image-parse", "tryon-truth/warp")
        for i in range(n):
            person, cloth = f"{i:06}_0", f"{i:06}_1"
            parse, points = figure_parse(rng, height, width), figure_keypoints(rng, height, width)
            Image.fromarray(paint(rng, parse)).save(base / f"image/{person}.jpg", quality=95)
            save_parse(base / f"image-parse/{person}.png", parse, parse_mode)
            save_keypoints(
                base / f"pose/{person}_keypoints.json", coco18_to_body25(points) if body25 else points, pose_key
            )
            garment, mask = _garment(rng, height, width)
            Image.fromarray(garment).save(base / f"cloth/{cloth}.jpg", quality=95)
            Image.fromarray(mask).save(base / f"cloth-mask/{cloth}.jpg")
            if truth:
                np.savez_compressed(base / f"warp-truth/{person}.npz", warp=_warp(rng, parse))
                Image.fromarray(paint(rng, parse)).save(base / f"tryon-truth/image/{person}.jpg", quality=95)
                save_parse(base / f"tryon-truth/image-parse/{person}.png", parse, parse_mode)
                np.savez_compressed(base / f"tryon-truth/warp/{person}.npz", warp=_warp(rng, parse))
        own = [f"{i:06}_0.jpg {i:06}_1.jpg\n" for i in range(n)]
        other = [f"{i:06}_0.jpg {i ^ 1 if i ^ 1 < n else 0:06}_1.jpg\n" for i in range(n)]
        (root / f"{split}_pairs.txt").write_text("".join(own if split == "train" else other))
        if split == "test" and same_list:
            (root / "test_pairs_same.txt").write_text("".join(own))
    return root


def write_viton_hd(
    root: Path,
    n_train: int = 6,
    n_test: int = 4,
    size: tuple[int, int] = (64, 48),
    *,
    generation: int = 2,
    seed: int = 0,
) -> Path:
    """A VITON-HD folder of the first code's (1) or the full release's (2) folder names."""
    rng = np.random.default_rng(seed)
    height, width = size
    parse_dir, pose_dir = {1: ("image-parse", "openpose-json"), 2: ("image-parse-v3", "openpose_json")}[generation]
    rendered_dir = pose_dir.replace("json", "img")
    for split, n in (("train", n_train), ("test", n_test)):
        base = root / split
        _dirs(base, "image", "cloth", "cloth-mask", parse_dir, pose_dir, rendered_dir)
        names = [f"{i:05}_00" for i in range(n)]
        for name in names:
            parse, points = figure_parse(rng, height, width), figure_keypoints(rng, height, width)
            Image.fromarray(paint(rng, parse)).save(base / f"image/{name}.jpg", quality=95)
            Image.fromarray(paint(rng, parse)).save(base / f"{rendered_dir}/{name}_rendered.png")
            save_parse(base / f"{parse_dir}/{name}.png", parse)
            save_keypoints(base / f"{pose_dir}/{name}_keypoints.json", coco18_to_body25(points), "pose_keypoints_2d")
            garment, mask = _garment(rng, height, width)
            Image.fromarray(garment).save(base / f"cloth/{name}.jpg", quality=95)
            Image.fromarray(mask).save(base / f"cloth-mask/{name}.jpg")
        lines = [f"{name}.jpg {names[(i + 1) % n]}.jpg\n" for i, name in enumerate(names)]
        (root / f"{split}_pairs.txt").write_text("".join(lines))
    return root


def random_batch(batch: int = 2, size: tuple[int, int] = (64, 48), *, truth: bool = False, seed: int = 0) -> dict:
    """A batch of `Sample`s made in memory, for tests that need no files."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(batch):
        parse, points = figure_parse(rng, *size), figure_keypoints(rng, *size)
        cloth, mask = _garment(rng, *size)
        row = {
            "image": torch.tensor(paint(rng, parse)).permute(2, 0, 1) / 127.5 - 1,
            "cloth": torch.tensor(cloth).permute(2, 0, 1) / 127.5 - 1,
            "cloth_mask": torch.tensor(mask)[None] / 255.0,
            "parse": torch.tensor(parse).long(),
            "keypoints": torch.tensor(points).float(),
            "name": f"{i:06}_0",
            "cloth_name": f"{i:06}_1",
        }
        if truth:
            stored = torch.tensor(_warp(rng, parse))
            row["truth_image"], row["truth_parse"] = row["image"].clone(), row["parse"].clone()
            row["truth_warp"] = (stored / 64).masked_fill(stored == WARP_NONE, torch.nan)
        rows.append(row)
    return collate(rows)


def network_inputs(size: tuple[int, int] = (64, 48), batch: int = 2, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Noise in place of a person representation, a cloth and its mask: what GMM and the try-on modules read."""
    generator = torch.Generator().manual_seed(seed)
    agnostic = torch.rand(batch, 22, *size, generator=generator) * 2 - 1
    cloth = torch.rand(batch, 3, *size, generator=generator) * 2 - 1
    mask = (torch.rand(batch, 1, *size, generator=generator) > 0.5).float()
    return agnostic, cloth, mask
