"""How much memory a training takes with 1,000 and with 20,000 examples: one process each, on hard-linked examples."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

COUNTS = (1_000, 5_000, 20_000)
HOLDS = {"held": 64.0, "decoded step by step": 0.0}  # GB


def linked(source: Path, root: Path, count: int) -> Path:
    """A training set of `count` examples, each file another name of one of `source`'s.   Returns its folder."""
    lines = [line.split() for line in (source / "train_pairs.txt").read_text().splitlines()]
    for folder in ("image", "cloth", "cloth-mask", "image-parse", "pose"):
        (root / "train" / folder).mkdir(parents=True)
    pairs = []
    for i in range(count):
        person, cloth = (Path(name).stem for name in lines[i % len(lines)])
        new = f"{i:06}_0", f"{i:06}_1"
        pairs.append(f"{new[0]}.jpg {new[1]}.jpg\n")
        for folder, old, name in (
            ("image", f"{person}.jpg", f"{new[0]}.jpg"), ("image-parse", f"{person}.png", f"{new[0]}.png"),
            ("pose", f"{person}_keypoints.json", f"{new[0]}_keypoints.json"),
            ("cloth", f"{cloth}.jpg", f"{new[1]}.jpg"), ("cloth-mask", f"{cloth}.jpg", f"{new[1]}.jpg"),
        ):  # fmt: skip
            os.link(source / "train" / folder / old, root / "train" / folder / name)
    (root / "train_pairs.txt").write_text("".join(pairs))
    return root


def train(root: Path, hold_gb: float) -> None:
    """Twenty steps; prints the most memory this process has had, in MiB."""
    from mavton_lite.config import SMOKE
    from mavton_lite.experiments import retimed
    from mavton_lite.train import fit

    # at lite's size of pictures, so that an example weighs what it weighs there
    profile = retimed(replace(SMOKE, height=128, width=96), steps=20)
    with tempfile.TemporaryDirectory() as out:
        fit("gmm", profile, root, Path(out), device="cpu", progress=False, hold=int(hold_gb * 2**30))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def main() -> None:
    """Measure every number of examples both ways, and print or keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="a file with lines <!-- memory --> and <!-- end of memory -->")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--hold-gb", type=float, default=0.0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        return train(given.one, given.hold_gb)
    from mavton_lite.config import SMOKE
    from mavton_lite.plan import put
    from mavton_lite.world import prepare

    source, rows = prepare(SMOKE), []
    with tempfile.TemporaryDirectory(dir=source.parent) as scratch:
        for count in COUNTS:
            root = linked(source, Path(scratch) / str(count), count)
            row: dict[str, str] = {"examples": f"{count:,}"}
            for name, hold in HOLDS.items():
                command = [sys.executable, __file__, "--one", str(root), "--hold-gb", str(hold)]
                told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                row[f"{name}: most memory"] = f"{int(told):,} MiB"
            rows.append(row)
    text = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    print(put(given.out, "memory", text) if given.out else text)


if __name__ == "__main__":
    main()
