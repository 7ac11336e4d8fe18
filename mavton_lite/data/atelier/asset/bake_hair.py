"""Grow the hair of every style and keep it in `hair.npz`; run by a maintainer after a change to how hair grows.

    python -m mavton_lite.data.atelier.asset.bake_hair
"""

from pathlib import Path

import numpy as np

from mavton_lite.data.atelier.styles import VARIANTS, grown
from mavton_lite.data.atelier.wigs import packed


def main() -> None:
    kept: dict[str, np.ndarray] = {}
    for style, count in VARIANTS.items():
        for variant in range(count) if style != "shaved" else ():
            strands = grown(style, variant)
            kept |= {f"{style}/{variant}/{name}": values for name, values in packed(strands).items()}
            print(f"{style} {variant}: {len(strands.points)} strands of {strands.points.shape[1]} points")
    np.savez_compressed(Path(__file__).with_name("hair.npz"), **kept)


if __name__ == "__main__":
    main()
