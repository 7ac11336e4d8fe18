"""Examples as the Atelier's, drawn in no time: noise in the shape of people, for tests of how worlds are written."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from mavton_lite import files
from mavton_lite.data.atelier import write
from mavton_lite.data.atelier.example import SPLITS, Example, World
from mavton_lite.data.atelier.render import PARTS, Picture

write_pair = write._write_pair


def _picture(rng: np.random.Generator, height: int, width: int) -> Picture:
    parse = rng.choice([0, 2, 5, 9, 10, 13, 14, 15], (height, width)).astype(np.uint8)
    warp = np.where(parse == 5, rng.uniform(0, width - 1, (2, height, width)), np.nan)
    depth = np.where(parse > 0, rng.uniform(-0.4, 0.3, (height, width)), np.inf)
    return Picture(image=rng.random((height, width, 3)), parse=parse, warp=warp, cover=parse == 5, depth=depth)


def drawn_pair(world: World, split: str, pair: int) -> list[Example]:
    """In place of `example.draw_pair`: as pure a function of its arguments."""
    out = []
    for index in (2 * pair, 2 * pair + 1):
        rng = np.random.default_rng([world.seed, SPLITS.index(split), index])
        own, other, flat = (_picture(rng, world.height, world.width) for _ in range(3))
        keypoints = np.column_stack([rng.uniform(2, 40, 18), rng.uniform(2, 60, 18), rng.choice([0.5, 1.0], 18)])
        part = rng.integers(0, len(PARTS), own.parse.shape).astype(np.uint8)
        tags = {"paired": ["plain"], "unpaired": ["plain", "arm in front"] if index % 3 else ["lettering"]}
        facts = {"index": index, "person": {"arms": ["down", "front"]}, "garment": {"cloth": "solid"}, "tags": tags}
        out.append(Example(index, own, other, flat, keypoints.round(3), part, facts))
    return out


def slowly(world: World, split: str, pair: int) -> list[Example]:
    """`drawn_pair` with time to be interrupted."""
    time.sleep(0.05)
    return drawn_pair(world, split, pair)


def dying(world: World, root: Path, split: str, pair: int) -> list[str]:
    """In place of `write._write_pair`: the process that draws training pair 3 is killed, once."""
    write.draw_pair = drawn_pair
    met = root / "met"
    if (split, pair) == ("train", 3) and not met.exists():
        met.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return write_pair(world, root, split, pair)


def writing(root: Path) -> None:
    """A process of the pool in the middle of a file, for as long as it is let."""
    write._begin(root)
    with files.replacing(root / "train/image/000000_0.jpg") as half:
        half.write_bytes(b"half")
        (root / "met").touch()
        time.sleep(60)


if __name__ == "__main__":  # a process of its own, for a test to kill
    write.draw_pair = slowly
    write.write_world(Path(sys.argv[1]), 40, 4, 64, 48, seed=5, workers=1, progress=False)
