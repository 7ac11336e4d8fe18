"""ipywidgets around the studio's pure functions; every widget also shows a picture where there is no kernel."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image
from torch import Tensor

from mavton_lite.data.sample import COCO18
from mavton_lite.models.game import History
from mavton_lite.plots.attention import levels
from mavton_lite.plots.pose import Maps
from mavton_lite.pose.maps import LIMB_NAMES
from mavton_lite.studio.attention import Gaze, look
from mavton_lite.studio.bending import Bench, Point, Scene
from mavton_lite.studio.composition import EDGES, Layers, Mix, costs, mix
from mavton_lite.studio.dressing import LAYERS, Dressing, dress
from mavton_lite.studio.game import Moment, watch
from mavton_lite.studio.heads import LAYERS as LAYERS_OF_HEADS
from mavton_lite.studio.heads import MEAN, Question, answer
from mavton_lite.studio.outlines import STIFFNESS, Table, lay
from mavton_lite.studio.pose import PoseView, view_pose


def png(picture: np.ndarray) -> bytes:
    """A picture as a PNG file.   Shape: (H, W, 3) uint8."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", optimize=True)
    return out.getvalue()


class Explorer(ipywidgets.VBox):
    """Controls over a picture that is drawn anew when one of them moves.

    A front end without widgets (a notebook on a forge, an exported page) shows the picture as it was when stored.
    """

    def __init__(self, controls: Mapping[str, ipywidgets.Widget], draw: Callable[..., np.ndarray], caption: str):
        self.controls, self._draw = dict(controls), draw
        self.image = ipywidgets.Image(
            format="png", layout=ipywidgets.Layout(max_width="100%", max_height="640px", object_fit="contain")
        )
        self.image.add_class("explorer-image")
        for control in self.controls.values():
            control.observe(self.redraw, names="value")
        self.redraw()
        row = ipywidgets.HBox(list(self.controls.values()), layout=ipywidgets.Layout(flex_flow="row wrap"))
        super().__init__([row, self.image, ipywidgets.Label(caption)])

    def redraw(self, _change=None) -> None:
        """Draw the picture of the controls' present values."""
        self.image.value = png(self._draw(**{name: c.value for name, c in self.controls.items()}))

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        still = {"text/plain": "(run this cell in a notebook to use the controls)",
                 "image/png": base64.b64encode(self.image.value).decode()}  # fmt: skip
        return {**bundle, **still} if isinstance(bundle, dict) else ({**bundle[0], **still}, *bundle[1:])


def dressing_room(people: int = 200, garments: int = 200, size: tuple[int, int] = (256, 192)) -> Explorer:
    """Pick a person and a garment of the Atelier's test split, and what to see of them."""
    controls = {
        "person": ipywidgets.IntSlider(0, 0, people - 1, description="person", continuous_update=False),
        "garment": ipywidgets.IntSlider(1, 0, garments - 1, description="garment", continuous_update=False),
        "layer": ipywidgets.Dropdown(options=LAYERS, value="warp lines", description="show"),
    }
    caption = "as photographed · the garment, flat · the same person in it"
    return Explorer(controls, lambda **values: dress(Dressing(**values), size), caption)


def attention_explorer(
    pictures: Tensor, maps: Mapping[str, Tensor], shown: str = "try-on", level: str = "skip"
) -> Explorer:
    """Pick an example and a skip, and see both gates.   Shape: pictures (B, 3, H, W) in [0, 1]; maps of `record`.

    `shown` and `level` are what the pictures and the places of the gates are called.
    """
    controls = {
        "example": ipywidgets.IntSlider(0, 0, len(pictures) - 1, description="example", continuous_update=False),
        "level": ipywidgets.Dropdown(options=levels(maps), description=level),
    }
    caption = f"{shown} · where the spatial gate opens · the channel gate's weights, sorted, the line is 0.5"
    return Explorer(controls, lambda **values: look(Gaze(**values), pictures, maps), caption)


def head_picker(pictures: Mapping[str, Tensor], maps: Mapping[str, Tensor], grid: tuple[int, int]) -> Explorer:
    """Pick who asks whom, a head and the asking patch, and see which patches answer.

    Shape: pictures (B, 3, H, W) in [-1, 1] by name; maps of `record`; grid (rows, columns) of patches.
    """
    start, heads = Question(row=grid[0] // 2 - 1, column=grid[1] // 2), maps["map"].shape[1]

    def slider(name: str, value: int, end: int) -> ipywidgets.IntSlider:
        return ipywidgets.IntSlider(value, 0, end - 1, description=name, continuous_update=False)

    controls = {
        "example": slider("example", 0, len(maps["map"])),
        "layer": ipywidgets.Dropdown(options=list(LAYERS_OF_HEADS), description="show"),
        "head": ipywidgets.Dropdown(options=[MEAN, *range(1, heads + 1)], description="head"),
        "row": slider("row", start.row, grid[0]),
        "column": slider("column", start.column, grid[1]),
    }
    caption = "the patch that asks, framed · the patches that answer, bright"
    return Explorer(controls, lambda **values: answer(Question(**values), pictures, maps, grid), caption)


def matching_table(people: Tensor, cloths: Tensor, cloth_masks: Tensor, targets: Tensor) -> Explorer:
    """Pick an example, how many points of its outlines are matched and how stiff the spline is.

    Shape: pictures (B, 3, H, W) in [-1, 1], masks (B, 1, H, W) in [0, 1].
    """
    controls = {
        "example": ipywidgets.IntSlider(0, 0, len(people) - 1, description="example", continuous_update=False),
        "points": ipywidgets.Dropdown(options=[10, 20, 40, 60, 100], value=60, description="points"),
        "stiffness": ipywidgets.Dropdown(options=list(STIFFNESS), value="as VITON", description="spline"),
    }
    caption = "garment and wanted mask, partners joined · the garment through the spline · inside the mask"
    return Explorer(controls, lambda **values: lay(Table(**values), people, cloths, cloth_masks, targets), caption)


def pose_explorer(pictures: Tensor, maps: Mapping[str, Sequence[Maps]], shown: str = "right wrist") -> Explorer:
    """Pick a group, whose maps, a joint or limb and the lowest peak, and see the skeletons that come out.

    Shape: pictures (n, 3, H, W) in [-1, 1], n pairs of maps by name.
    """
    controls = {
        "group": ipywidgets.IntSlider(0, 0, len(pictures) - 1, description="group", continuous_update=False),
        "maps": ipywidgets.Dropdown(options=list(maps), description="maps"),
        "shown": ipywidgets.Dropdown(options=[*COCO18, *LIMB_NAMES], value=shown, description="show"),
        "threshold": ipywidgets.FloatSlider(
            0.1, min=0.02, max=0.9, step=0.02, description="threshold", continuous_update=False
        ),
    }
    caption = "one map over the group · everybody as decoded from all maps, peaks below the threshold left out"
    return Explorer(controls, lambda **values: view_pose(PoseView(**values), pictures, maps), caption)


def mixing_desk(layers: Layers) -> Explorer:
    """Push the mask of a try-on towards the painting or the cloth, or cut it hard, and see picture and error."""
    known = costs(layers)
    controls = {
        "example": ipywidgets.IntSlider(0, 0, len(layers.mask) - 1, description="example", continuous_update=False),
        "push": ipywidgets.FloatSlider(0.0, min=-1.0, max=1.0, step=0.1, description="push", continuous_update=False),
        "edge": ipywidgets.Dropdown(options=EDGES, description="edge"),
    }
    caption = "painting · warped cloth · mask · mixture · truth; below: error in the garment region"
    return Explorer(controls, lambda **values: mix(Mix(**values), layers, known), caption)


class BendingBench(Explorer):
    """Hold one control point after the other and move where it reads; every point keeps its offset."""

    def __init__(self, scene: Scene, reach: float = 25.0):
        self.bench = Bench(scene)
        self._at: Any = None

        def slider(name: str, value: int, count: int) -> ipywidgets.IntSlider:
            return ipywidgets.IntSlider(value, 0, count - 1, description=name, continuous_update=False)

        def mover(name: str) -> ipywidgets.FloatSlider:
            return ipywidgets.FloatSlider(0.0, min=-reach, max=reach, step=1, description=name, continuous_update=False)

        middle = self.bench.grid // 2
        controls = {
            "example": slider("example", 0, len(scene.cloth)),
            "start": ipywidgets.Dropdown(options=list(scene.starts), description="start"),
            "row": slider("row", middle, self.bench.grid),
            "column": slider("column", middle, self.bench.grid),
            "right": mover("right, %"),
            "down": mover("down, %"),
        }
        super().__init__(controls, self._bend, "where the points read · bent · on the person · truth")

    def _bend(self, right: float, down: float, **point) -> np.ndarray:
        at = Point(**point)
        if at == self._at:
            self.bench.move(at, right, down)
        else:  # another point is held: the sliders show its offset, and nothing has moved
            self._at = at
            for control, value in zip(("right", "down"), self.bench.offset(at), strict=True):
                self.controls[control].unobserve(self.redraw, names="value")
                self.controls[control].value = value
                self.controls[control].observe(self.redraw, names="value")
        return self.bench.draw(at)


def game_playback(games: Mapping[str, History], frame: int = -1) -> Explorer:
    """Play recorded games back: a slider for the moment, with a play button, and a choice of game and seed.

    `frame` is what a page without a kernel shows.
    """
    history = next(iter(games.values()))
    last = len(history.frames) - 1
    controls = {
        "frame": ipywidgets.IntSlider(frame % (last + 1), 0, last, description="frame"),
        "game": ipywidgets.Dropdown(options=list(games), description="game"),
        "seed": ipywidgets.IntSlider(0, 0, len(history.seeds) - 1, description="seed"),
    }
    caption = "red: D says real · blue: D says generated · rings: the modes of the data · dots: generated"
    explorer = Explorer(controls, lambda **values: watch(Moment(**values), games), caption)
    button = ipywidgets.Play(min=0, max=last, interval=250)
    ipywidgets.jslink((button, "value"), (controls["frame"], "value"))
    explorer.children = (button, *explorer.children)
    return explorer
