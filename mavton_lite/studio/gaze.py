"""Widgets of lessons 03 and 04: step through an agent's glimpses; change the kernel of a spatial gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from mavton_lite.data.scenes import Scenes
from mavton_lite.models.gaze import Gaze
from mavton_lite.models.glimpse import GlimpseAgent, Search
from mavton_lite.plots.glimpse import search_steps
from mavton_lite.plots.spatial import gaze_of


def drawn(figure: Figure, dpi: int = 90) -> np.ndarray:
    """A figure as pixels.   Shape: -> (H, W, 3) uint8."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def step_through(scene: int, glimpses: int, scenes: Scenes, search: Search, names: Sequence[str]) -> np.ndarray:
    """The first `glimpses` looks at one scene, with the entropy of the policy before each.

    Shape: `search` of all `scenes` -> (H, W, 3) uint8.   Raises: ValueError when there were fewer glimpses.
    """
    alone = Search(*(part[scene : scene + 1] for part in search))
    return drawn(search_steps(scenes.pictures[scene], alone, names, glimpses, int(scenes.labels[scene])))


def look_with(kernel: int, scene: int, row: int, column: int, scenes: Scenes, gazes: Mapping[int, Gaze]) -> np.ndarray:
    """What one place of the gate of that kernel sees of a scene, and the whole gate.   Shape: -> (H, W, 3) uint8.

    Raises: ValueError for a kernel that was not trained.
    """
    if kernel not in gazes:
        raise ValueError(f"no gate of kernel {kernel}; there are {', '.join(map(str, gazes))}")
    gate = gazes[kernel].maps[scene, 0]
    place = (min(row, gate.shape[0] - 1), min(column, gate.shape[1] - 1))
    return drawn(gaze_of(scenes.pictures[scene], gate, kernel, place, f"{float(gate[place]):.2f} at the marked place"))


def glimpse_stepper(agent: GlimpseAgent, scenes: Scenes, names: Sequence[str], shown: int = 12):
    """A widget: pick a scene, step through the glimpses of a trained agent."""
    import ipywidgets

    from mavton_lite.studio.widgets import Explorer

    few = Scenes(*(part[:shown] for part in scenes))
    with torch.no_grad():
        search = agent(few.pictures)
    last = search.cells.shape[1]
    controls = {
        "scene": ipywidgets.IntSlider(0, 0, len(few.labels) - 1, description="scene", continuous_update=False),
        "glimpses": ipywidgets.IntSlider(last, 1, last, description="glimpses", continuous_update=False),
    }
    caption = "above: where the policy wants to look · below: what it saw, and the answer so far (green is right)"
    return Explorer(controls, lambda **values: step_through(**values, scenes=few, search=search, names=names), caption)


def kernel_explorer(scenes: Scenes, gazes: Mapping[int, Gaze]):
    """A widget: change the kernel of the gate, and the place that is asked what it sees."""
    import ipywidgets

    from mavton_lite.studio.widgets import Explorer

    side = next(iter(gazes.values())).maps.shape[2]
    middle: Tensor = ((scenes.centres[0] + 1) / 2 * side).int()  # of the first garment
    slider = {"min": 0, "max": side - 1, "continuous_update": False}
    last = len(scenes.labels) - 1
    kernels = list(gazes)
    controls = {
        "kernel": ipywidgets.SelectionSlider(options=kernels, value=kernels[-2], description="kernel"),
        "scene": ipywidgets.IntSlider(0, 0, min(last, 11), description="scene", continuous_update=False),
        "row": ipywidgets.IntSlider(value=int(middle[1]), description="row", **slider),
        "column": ipywidgets.IntSlider(value=int(middle[0]), description="column", **slider),
    }
    caption = "scene · the pixels that one place of the gate depends on · how far the gate is open"
    return Explorer(controls, lambda **values: look_with(**values, scenes=scenes, gazes=gazes), caption)
