"""Playing a game back: what the generator drew and what the discriminator believed at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np

from mavton_lite.models.game import HALF_VIEW, SIDE, History

POINT, CENTRE = np.array([0.12, 0.14, 0.19]), np.array([0.0, 0.62, 0.45])


@dataclass(frozen=True)
class Moment:
    """Which of the recorded games, which seed of it (by position) and which frame."""

    game: str
    seed: int = 0
    frame: int = 0


def watch(state: Moment, games: Mapping[str, History], side: int = 384) -> np.ndarray:
    """D as colour (red: real, blue: generated), the data's modes as rings, the generated points as dots.

    Shape: -> (side, side, 3) uint8.   Raises: ValueError for a game, seed or frame that was not recorded.
    """
    if state.game not in games:
        raise ValueError(f"no game {state.game!r}; recorded: {', '.join(games)}")
    history = games[state.game]
    if not 0 <= state.frame < len(history.frames) or not 0 <= state.seed < len(history.seeds):
        raise ValueError(
            f"{state.game} has {len(history.frames)} frames of {len(history.seeds)} seeds, "
            f"got frame {state.frame}, seed {state.seed}"
        )
    frame = history.frames[state.frame]
    field = frame.field[state.seed].view(SIDE, SIDE).numpy()
    at = np.arange(side) * SIDE // side
    colour = matplotlib.colormaps["RdBu_r"](0.15 + 0.7 * field[at[::-1, None], at[None]])[..., :3]  # top is large y
    picture = 0.75 * colour + 0.25
    y, x = np.mgrid[side - 1 : -1 : -1, 0:side] / (side - 1) * 2 * HALF_VIEW - HALF_VIEW
    for cx, cy in history.mixture.centres:
        distance = np.hypot(x - cx, y - cy) - 3 * history.mixture.std
        picture[np.abs(distance) < 1.5 * HALF_VIEW / side] = CENTRE
    points = frame.samples[state.seed].numpy()
    column = np.round((points[:, 0] + HALF_VIEW) / (2 * HALF_VIEW) * (side - 1)).astype(int)
    row = np.round((HALF_VIEW - points[:, 1]) / (2 * HALF_VIEW) * (side - 1)).astype(int)
    for dr, dc in ((0, 0), (0, 1), (1, 0), (1, 1)):
        r, c = row + dr, column + dc
        inside = (r >= 0) & (r < side) & (c >= 0) & (c < side)
        picture[r[inside], c[inside]] = POINT
    return np.floor(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
