"""What a try-on folder shows, in numbers: framing, poses, hair, colours and coverage, measured on its files.

The same code measures the Atelier and a user's copy of VITON: only pictures, parses and key points are read. What the
Atelier knows besides (`examples.jsonl`) is added where it is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from mavton_lite.data import detect_layout
from mavton_lite.data.atelier.tags import hidden_shares, torso_mask
from mavton_lite.data.facts import FACTS, read_facts
from mavton_lite.data.folder import FolderDataset, Split
from mavton_lite.data.sample import COCO18

HEAD, GARMENT, ARMS, LOWER, HAIR, FACE = (1, 2, 4, 13), (5, 6, 7), (14, 15), (9, 12, 16, 17), 2, 13
ARM_POSES = ("down", "bent", "hip", "front", "raised", "not seen")
BENT_RAD = np.radians(50)  # of the elbow
ON_HIP = 0.75  # shoulder widths from the wrist to the hip
LUMA = np.array([0.299, 0.587, 0.114])

# Source: CP-VTON's files and lists; Han et al. 2018 for what the pictures show. `-` is what nobody has published.
VITON: dict[str, str] = {
    "size": "256 x 192",
    "training pairs": "14,221 (6,824 different)",
    "test pairs": "2,032 (416 not in training)",
    "people in a picture": "one woman",
    "view": "frontal, head to thigh",
    "ground": "plain",
    "garment": "upper, flat on white",
    "labels": "LIP, without a neck",
    "key points": "OpenPose, COCO-18",
    "truth of another garment": "none",
    "true warp": "none",
}
# What was measured -> how it is written in tables.
QUANTITIES: dict[str, str] = {
    "head_top": "top of the head, of the height",
    "shoulder_width": "between the shoulders, of the width",
    "shoulder_row": "shoulders, of the height",
    "hip_row": "hips, of the height",
    "centre": "neck, of the width",
    "garment": "garment, of the picture",
    "arms": "bare arms, of the picture",
    "hair": "hair, of the picture",
    "lower": "clothes and legs below, of the picture",
    "ground": "ground, of the picture",
    "arm_hides": "arms, of the torso",
    "hair_hides": "hair, of the torso",
    "ground_luma": "lightness of the ground",
    "ground_spread": "its standard deviation",
    "face_luma": "lightness of the face",
    "cloth_luma": "lightness of the garment",
    "cloth_fill": "flat garment, of its picture",
}


@dataclass(frozen=True)
class Statistics:
    """A split of a folder, measured: a row an example."""

    name: str
    size: tuple[int, int]  # of the pictures as they were measured
    rows: pd.DataFrame  # QUANTITIES in 0..1, NaN where a part is missing; left and right arm, as in ARM_POSES
    facts: pd.DataFrame  # what the Atelier knows: hair, sleeve, neck, cloth, lower, tone ...; no columns elsewhere
    tags: dict[str, float]  # share of unpaired examples with each tag; empty elsewhere

    def poses(self) -> pd.Series:
        """Share of arms in each pose."""
        arms = pd.concat([self.rows["left arm"], self.rows["right arm"]])
        return arms.value_counts(normalize=True).reindex(ARM_POSES, fill_value=0.0)


def measure(
    root: Path, split: Split = "train", limit: int | None = None, name: str = "", progress: bool = False
) -> Statistics:
    """Measure a split of an Atelier, VITON, CP-VTON or VITON-HD folder; pictures are read at 256 x 192.

    Raises: ValueError naming the file, what was found and what was wanted.
    """
    size = (256, 192)
    dataset = FolderDataset(detect_layout(root), Path(root), split, "paired", size)
    count = len(dataset) if limit is None else min(limit, len(dataset))
    numbers = tqdm(range(count), desc="measure", disable=not progress)
    rows = pd.DataFrame([measure_example(dataset.arrays(k)) for k in numbers])
    path = Path(root) / split / FACTS
    facts: list[dict[str, Any]] = list(read_facts(path)) if path.is_file() else []
    known = {int(dataset.names(k)[0][:6]) for k in range(count)} if facts else set()
    facts = [f for f in facts if f["index"] in known]
    return Statistics(name or Path(root).name, size, rows, pd.DataFrame([_plain(f) for f in facts]), _tag_shares(facts))


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts["person"], **facts["garment"]}


def _tag_shares(facts: list[dict[str, Any]]) -> dict[str, float]:
    counts: dict[str, int] = {}
    for f in facts:
        for tag in f["tags"]["unpaired"]:
            counts[tag] = counts.get(tag, 0) + 1
    return {tag: counts[tag] / len(facts) for tag in sorted(counts, key=lambda t: (-counts[t], t))}


def measure_example(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The numbers of one example, given as `FolderDataset.arrays` gives it."""
    parse, points = np.asarray(arrays["parse"]), np.asarray(arrays["keypoints"], float)
    image, cloth = (np.asarray(arrays[k], float) / 255 for k in ("image", "cloth"))
    height, width = parse.shape
    at = dict(zip(COCO18, points, strict=True))
    share = lambda labels: float(np.isin(parse, labels).mean())  # noqa: E731
    head = np.flatnonzero(np.isin(parse, HEAD).any(1))
    luma, ground = np.tensordot(LUMA, image, 1), parse == 0
    on_cloth = np.asarray(arrays["cloth_mask"])[0] > 0
    shoulders, hips = _seen(at, "right shoulder", "left shoulder"), _seen(at, "right hip", "left hip")
    hidden = hidden_shares(points, np.isin(parse, ARMS), parse == HAIR)
    return {
        "head_top": head[0] / height if len(head) else np.nan,
        "shoulder_width": np.hypot(*(shoulders[0] - shoulders[1])) / width if len(shoulders) else np.nan,
        "shoulder_row": shoulders[:, 1].mean() / height if len(shoulders) else np.nan,
        "hip_row": hips[:, 1].mean() / height if len(hips) else np.nan,
        "centre": at["neck"][0] / width if at["neck"][2] > 0 else np.nan,
        "garment": share(GARMENT),
        "arms": share(ARMS),
        "hair": share((HAIR,)),
        "lower": share(LOWER),
        "ground": share((0,)),
        "arm_hides": hidden.arm if hidden else np.nan,
        "hair_hides": hidden.hair if hidden else np.nan,
        "ground_luma": luma[ground].mean() if ground.any() else np.nan,
        "ground_spread": luma[ground].std() if ground.any() else np.nan,
        "face_luma": float(np.median(luma[parse == FACE])) if (parse == FACE).any() else np.nan,
        "cloth_luma": np.tensordot(LUMA, cloth, 1)[on_cloth].mean() if on_cloth.any() else np.nan,
        "cloth_fill": on_cloth.mean(),
        "left arm": arm_pose(points, "left", parse.shape),
        "right arm": arm_pose(points, "right", parse.shape),
    }


def _seen(at: dict[str, np.ndarray], *names: str) -> np.ndarray:
    """The places (N, 2) of key points, none when one of them is missing."""
    points = np.array([at[k] for k in names])
    return points[:, :2] if (points[:, 2] > 0).all() else np.zeros((0, 2))


def arm_pose(keypoints: np.ndarray, side: str, shape: tuple[int, int]) -> str:
    """One of ARM_POSES, told from key points (18, 3) alone, as it can be for any photograph.

    Raised: elbow or wrist above the shoulder. Front: wrist before the torso (`tags.torso_mask`). Hip: elbow bent, wrist
    within ON_HIP shoulder widths of the hip. Bent: elbow bent beyond BENT_RAD. Down: the rest.
    """
    at = dict(zip(COCO18, np.asarray(keypoints, float), strict=True))
    shoulder, elbow, wrist, hip = (at[f"{side} {k}"] for k in ("shoulder", "elbow", "wrist", "hip"))
    if shoulder[2] > 0 and any(k[2] > 0 and k[1] < shoulder[1] for k in (elbow, wrist)):
        return "raised"
    if min(shoulder[2], elbow[2], wrist[2]) <= 0:
        return "not seen"
    upper, fore = elbow[:2] - shoulder[:2], wrist[:2] - elbow[:2]
    cosine = upper @ fore / max(np.hypot(*upper) * np.hypot(*fore), 1e-9)
    bent = np.arccos(np.clip(cosine, -1, 1)) > BENT_RAD
    torso = torso_mask(keypoints, *shape)
    x, y = (int(round(k)) for k in wrist[:2])
    if torso is not None and 0 <= y < shape[0] and 0 <= x < shape[1] and torso[y, x]:
        return "front"
    across = np.hypot(*(at["left shoulder"] - at["right shoulder"])[:2])
    if bent and hip[2] > 0 and np.hypot(*(wrist - hip)[:2]) < ON_HIP * across:
        return "hip"
    return "bent" if bent else "down"


def table(measured: Iterable[Statistics]) -> pd.DataFrame:
    """Median and, in brackets, the range of nine tenths of the examples, of every quantity; a column a folder."""
    columns = {}
    for s in measured:
        low, middle, high = (s.rows[list(QUANTITIES)].quantile(q) for q in (0.05, 0.5, 0.95))
        columns[s.name] = {
            "examples": f"{len(s.rows):,}",
            **{
                text: "-" if np.isnan(middle[k]) else f"{middle[k]:.3f} ({low[k]:.3f} to {high[k]:.3f})"
                for k, text in QUANTITIES.items()
            },
            **{f"arms: {pose}": f"{share:.3f}" for pose, share in s.poses().items()},
        }
    return pd.DataFrame(columns).rename_axis("quantity").reset_index()


def beside_viton(size: tuple[int, int], counts: dict[str, int]) -> pd.DataFrame:
    """What a world of the Atelier is, beside what is known of VITON.   Shape: size (H, W); examples a split."""
    atelier = {
        "size": f"{size[0]} x {size[1]}",
        "training pairs": f"{counts.get('train', 0):,} (all different)",
        "test pairs": f"{counts.get('test', 0):,} (none in training)",
        "people in a picture": "one adult",
        "view": "frontal, head to thigh; orthographic",
        "ground": "plain",
        "garment": "upper, flat on white",
        "labels": "LIP, 10 for the skin of neck and chest",
        "key points": "exact, COCO-18, hidden ones marked",
        "truth of another garment": "for every example",
        "true warp": "for every pixel of cloth",
    }
    return pd.DataFrame({"": list(VITON), "VITON": list(VITON.values()), "Atelier": [atelier[k] for k in VITON]})


TRANSFERS = pd.DataFrame(
    [
        ("file layout, readers, checks", "yes", "the same files and the same command"),
        ("networks, losses, schedules", "yes", "nothing in them knows where pictures come from"),
        ("how a pipeline fails", "partly", "exact truth shows it here; photographs add causes of their own"),
        ("which of two models is better", "partly", "a hypothesis to test on photographs, not a result about them"),
        ("where cloth goes when an arm bends", "partly", "bodies bend alike; cloth hangs by rule, not by physics"),
        ("weights of a parser", "partly", "with the look `randomised`; measure on photographs of your own"),
        ("scores: SSIM, LPIPS, FD", "no", "drawn pictures are smoother and have fewer causes of error"),
        ("texture of skin, hair and cloth", "no", "light is simple; no film grain, fur, lace or transparency"),
        ("shares of poses, bodies, skin tones", "no", "they are drawn by design, not counted anywhere"),
        ("fit, size and comfort", "no", "no cloth is simulated and no one was measured"),
    ],
    columns=["what", "carries over to photographs", "why"],
)  # fmt: skip
