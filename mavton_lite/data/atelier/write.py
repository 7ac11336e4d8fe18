"""Write the world to disk in CP-VTON's layout, with its truth beside it.

Every example is a pure function of (seed, split, index): person `i` wears garment `i`, and its other garment is garment
`i ^ 1`, so examples come in pairs that share two garments. Files are written under a temporary name and renamed; a
journal of what is done makes an interrupted run continue, in any number of processes, to the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from mavton_lite.config import SEED
from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.garment import Garment, sample_garment
from mavton_lite.data.atelier.people import Person, sample_person
from mavton_lite.data.atelier.render import SUPERSAMPLE, Picture, Stage, flat_lay
from mavton_lite.data.sample import COCO18, LIP_COLOURS

VERSION = 1  # of the world: bump when the same seed would give other pictures
SPLITS = ("train", "test")
WARP_STEPS = 64  # steps a pixel in which the true warp is stored
NO_WARP = -32768
FOLDERS = ("image", "cloth", "cloth-mask", "image-parse", "pose", "warp-truth",
           "tryon-truth/image", "tryon-truth/image-parse", "tryon-truth/warp")  # fmt: skip
_HIDDEN_M = 0.11  # a joint this far behind what the camera sees is hidden


def person_of(seed: int, split: str, index: int) -> Person:
    """Person `index` of a split."""
    return sample_person(load_body(), np.random.default_rng([seed, SPLITS.index(split), index, 0]))


def garment_of(seed: int, split: str, index: int) -> Garment:
    """Garment `index` of a split: what person `index` wears, and person `index ^ 1` tries on."""
    return sample_garment(np.random.default_rng([seed, SPLITS.index(split), index, 1]))


def keypoints_of(stage: Stage) -> np.ndarray:
    """COCO-18 key points (18, 3): x px, y px, confidence 1 (seen) or 0.5 (hidden); zeros outside the picture."""
    named = {name.replace("_", " "): point for name, point in stage.person.keypoints.items()}
    named["neck"] = (named["left shoulder"] + named["right shoulder"]) / 2
    out = np.zeros((len(COCO18), 3))
    for k, name in enumerate(COCO18):
        if name in named:  # knees and ankles are never in the picture
            x, y, depth = stage.project(named[name])
            x, y = (x + 0.5) / SUPERSAMPLE - 0.5, (y + 0.5) / SUPERSAMPLE - 0.5
            if 0 <= round(x) < stage.width and 0 <= round(y) < stage.height:
                seen = depth - stage.depth[round(y) * SUPERSAMPLE, round(x) * SUPERSAMPLE] < _HIDDEN_M
                out[k] = round(x, 3), round(y, 3), 1.0 if seen else 0.5
    return out


def render_pair(seed: int, split: str, pair: int, height: int, width: int) -> list[dict]:
    """Examples 2 * pair and 2 * pair + 1: each with person in own and other garment, flat cloth, and key points."""
    indices = (2 * pair, 2 * pair + 1)
    garments = [garment_of(seed, split, i) for i in indices]
    flats = [flat_lay(g, height, width) for g in garments]
    out = []
    for k, index in enumerate(indices):
        stage = Stage(person_of(seed, split, index), height, width)
        out.append(
            dict(index=index, own=stage.wear(garments[k]), other=stage.wear(garments[1 - k]), flat=flats[k],
                 keypoints=keypoints_of(stage))
        )  # fmt: skip
    return out


def encode(example: dict) -> dict[str, bytes]:
    """The files of one example, by path below the split's folder."""
    own, other, flat, person, cloth = (
        *(example[k] for k in ("own", "other", "flat")),
        f"{example['index']:06d}_0",
        f"{example['index']:06d}_1",
    )
    pose = {
        "version": 1.0,
        "people": [
            {"face_keypoints": [], "pose_keypoints": [float(k) for k in example["keypoints"].ravel()],
             "hand_right_keypoints": [], "hand_left_keypoints": []}
        ],
    }  # fmt: skip
    return {
        f"image/{person}.jpg": _jpeg(own.image),
        f"cloth/{cloth}.jpg": _jpeg(flat.image),
        f"cloth-mask/{cloth}.jpg": _jpeg((flat.parse > 0).astype(float)),
        f"image-parse/{person}.png": _palette_png(own.parse),
        f"pose/{person}_keypoints.json": json.dumps(pose).encode(),
        f"warp-truth/{person}.npz": _warp(own),
        f"tryon-truth/image/{person}.jpg": _jpeg(other.image),
        f"tryon-truth/image-parse/{person}.png": _palette_png(other.parse),
        f"tryon-truth/warp/{person}.npz": _warp(other),
    }


def write_world(
    root: Path,
    n_train: int,
    n_test: int,
    height: int,
    width: int,
    seed: int = SEED,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write a world of `n_train` + `n_test` examples under `root` -> its manifest.json; returns at once if it is there.

    Raises: ValueError for odd counts, or when `root` holds another world (other seed, size or version).
    """
    if n_train % 2 or n_test % 2 or n_train < 2 or n_test < 2:
        raise ValueError(
            f"examples come in pairs: n_train and n_test must be even and at least 2, got {n_train}, {n_test}"
        )
    root = Path(root)
    world = {"version": VERSION, "seed": seed, "height": height, "width": width}
    counts = {"train": n_train, "test": n_test}
    manifest, journal = root / "manifest.json", root / "journal.jsonl"
    if manifest.exists():
        found = json.loads(manifest.read_text())
        _same_world(manifest, found["world"], world)
        if found["counts"] == counts:
            return manifest
    for split in SPLITS:
        for folder in FOLDERS:
            (root / split / folder).mkdir(parents=True, exist_ok=True)
    digests = _read_journal(journal, world, root)
    todo = [
        (s, p)
        for s in SPLITS
        for p in range(counts[s] // 2)
        if not {f"{s}/{2 * p}", f"{s}/{2 * p + 1}"} <= digests.keys()
    ]
    with (
        journal.open("a") as log,
        tqdm(
            total=n_train + n_test,
            initial=n_train + n_test - 2 * len(todo),
            desc="Atelier",
            unit="example",
            disable=not progress,
        ) as bar,
    ):
        if not log.tell():
            log.write(json.dumps({"world": world}) + "\n")
        for done in _run(todo, (seed, height, width, str(root)), workers):
            digests |= done
            log.write(json.dumps(done) + "\n")
            log.flush()
            bar.update(len(done))
    for name, other in (("train_pairs", 0), ("test_pairs", 1), ("test_pairs_same", 0)):
        n = counts[name.split("_")[0]]
        lines = "".join(f"{i:06d}_0.jpg {i ^ other:06d}_1.jpg\n" for i in range(n))
        _write(root / f"{name}.txt", lines.encode())
    wanted = {f"{s}/{i}": digests[f"{s}/{i}"] for s in SPLITS for i in range(counts[s])}
    _write(manifest, json.dumps({"world": world, "counts": counts, "sha256": wanted}, indent=0).encode())
    return manifest


def _run(todo: list, world: tuple, workers: int | None):
    """Results of `_write_pair` as they come, from worker processes or from here."""
    workers = min(workers or os.cpu_count() or 1, len(todo))
    if workers <= 1:
        for split, pair in todo:
            yield _write_pair(split, pair, *world)
        return
    # Spawned, not forked: the caller may hold threads and an accelerator.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_ignore_interrupts) as pool:
        jobs = [pool.submit(_write_pair, split, pair, *world) for split, pair in todo]
        try:
            for job in as_completed(jobs):
                yield job.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # after Ctrl-C the pair at hand is finished, and no other is begun


def _write_pair(split: str, pair: int, seed: int, height: int, width: int, root: str) -> dict[str, str]:
    """Write two examples -> {"split/index": digest of its files}."""
    out = {}
    for example in render_pair(seed, split, pair, height, width):
        digest = hashlib.sha256()
        for name, data in sorted(encode(example).items()):
            _write(Path(root) / split / name, data)
            digest.update(name.encode() + b"\0" + data)
        out[f"{split}/{example['index']}"] = digest.hexdigest()
    return out


def _read_journal(journal: Path, world: dict, root: Path) -> dict[str, str]:
    """Digests of the examples that an earlier run finished; a line cut off by a crash is dropped."""
    digests: dict[str, str] = {}
    if journal.exists():
        whole = journal.read_text()
        lines = whole[: whole.rfind("\n") + 1].splitlines()
        journal.write_text("".join(line + "\n" for line in lines))
        for k, line in enumerate(lines):
            row = json.loads(line)
            if k == 0:
                _same_world(journal, row["world"], world)
            else:
                digests |= row
    return {
        key: d
        for key, d in digests.items()
        if (root / key.split("/")[0] / f"image/{int(key.split('/')[1]):06d}_0.jpg").exists()
    }


def _same_world(path: Path, found: dict, wanted: dict) -> None:
    if found != wanted:
        raise ValueError(f"{path}: holds the world {found}, wanted {wanted}; choose another folder or remove this one")


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def _uint8(image: np.ndarray) -> np.ndarray:
    return np.floor(image * 255 + 0.5).astype(np.uint8)


def _jpeg(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(_uint8(image)).save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def _palette_png(labels: np.ndarray) -> bytes:
    picture = Image.fromarray(labels)
    picture.putpalette([k for colour in LIP_COLOURS for k in colour])
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _warp(picture: Picture) -> bytes:
    warp = np.floor(picture.warp * WARP_STEPS + 0.5)
    out = io.BytesIO()
    np.savez_compressed(out, warp=np.where(np.isfinite(warp), warp, NO_WARP).astype(np.int16))
    return out.getvalue()
