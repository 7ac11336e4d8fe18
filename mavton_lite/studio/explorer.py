"""The attention explorer: a state of its controls -> four pictures, and the sentences below them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from mavton_lite.data.sample import COCO18
from mavton_lite.plots.attention import enlarge, gate
from mavton_lite.plots.colours import heat_over
from mavton_lite.studio.panels import GAP_PX, INK, as_bytes, enlarged, font, row, stacked
from mavton_lite.studio.room import Room, Switch
from mavton_lite.switching import ALL

HEAT = "cividis"  # the same to everybody, and in grey
TRAINED, CHANGED, TRUTH, PERSON = "as trained", "gate changed", "truth", "the photograph"
ANSWERS = ("garment, by GMM's correlation", "person, by self-attention")
MOST_DIFFERENT = 0.3  # of the full range: where the difference picture is brightest
BLUE, GOLD, ORANGE = (0, 114, 178), (230, 159, 0), (213, 94, 0)


@dataclass(frozen=True)
class View:
    """What the explorer shows; empty names are the room's first."""

    person: str = ""
    garment: str = ""
    network: str = ""
    level: int = 1
    switch: Switch = field(default_factory=Switch)
    left: str = TRAINED
    right: str = CHANGED
    swipe: float = 0.5  # share of the width that shows `left`
    row: int = 7
    column: int = 5
    answers: str = ANSWERS[0]


class Explorer:
    """Draws views of one room.   Raises: ValueError naming what a view wants and the room has not."""

    def __init__(self, room: Room):
        self.room = room
        self.other = next((n for n in room.networks if not room.gated(n)), None)  # to compare with

    def results(self) -> list[str]:
        """Names of what can be compared."""
        return [TRAINED, CHANGED, *([self.other] if self.other else []), *([TRUTH] if self.room.truth else []), PERSON]

    def grid(self) -> tuple[int, int]:
        """Rows and columns of places that the matching module compares."""
        network, person, garment = self._pair(View())
        rows, columns, *_ = self.room.matches(network, person, garment).garment.shape
        return rows, columns

    def place_of(self, joint: str, person: str = "") -> tuple[int, int]:
        """Row and column of the place where a joint of a person is.   Raises: ValueError for a joint that is not."""
        points = self.room.people[person or next(iter(self.room.people))]["keypoints"]
        if joint not in COCO18:
            raise ValueError(f"found the joint {joint!r}, wanted one of {', '.join(COCO18)}")
        height, width = next(iter(self.room.networks.values())).size
        x, y, seen = points[COCO18.index(joint)].tolist()
        rows, columns = self.grid()
        if not seen:
            raise ValueError(f"the {joint} of this person is not in the picture")
        return min(int(max(y, 0) / height * rows), rows - 1), min(int(max(x, 0) / width * columns), columns - 1)

    def result(self, view: View, name: str) -> Tensor:
        """One of `results`.   Shape: -> (3, H, W) in [-1, 1]."""
        network, person, garment = self._pair(view)
        if name == TRAINED:
            return self.room.seen(network, person, garment).made.image[0]
        if name == CHANGED:
            return self.room.changed(network, person, garment, self._switch(view))
        if name == TRUTH and self.room.truth:
            return self.room.truth(person, garment)
        if name == PERSON:
            return self.room.people[person]["image"]
        if name in self.room.networks:
            return self.room.seen(name, person, garment).made.image[0]
        raise ValueError(f"found the result {name!r}, wanted one of {', '.join(self.results())}")

    def inputs(self, view: View, height: int = 200) -> np.ndarray:
        """Person, flat garment and bent garment."""
        network, person, garment = self._pair(view)
        warped = self.room.seen(network, person, garment).warp.cloth[0]
        shown = {"person": self.room.people[person]["image"], "garment": self.room.garments[garment]["cloth"],
                 "garment, bent by GMM": warped}  # fmt: skip
        return row([(title, enlarged(picture, height)) for title, picture in shown.items()])

    def gates(self, view: View, height: int = 200) -> np.ndarray:
        """A row a network: its try-on, what the skip brings, where the gate opens, what passes, the channels' weights.

        Heat runs from the least to the most of each map; below it, the numbers.
        """
        network, person, _ = self._pair(view)
        names = [network] + ([self.other] if self.other and self.other != network else [])
        return stacked([self._gates_of(name, view, height) for name in names])

    def _gates_of(self, name: str, view: View, height: int) -> np.ndarray:
        network, person, garment = self._pair(view)
        seen, gated = self.room.seen(name, person, garment), self.room.gated(name)
        if view.level not in seen.brings:
            raise ValueError(f"{name} has no skip {view.level}; it has {', '.join(map(str, seen.brings))}")
        shown = name == network and gated and view.switch.strength != 1
        made = self.result(view, CHANGED) if shown else seen.made.image[0]
        under = as_bytes((self.room.people[person]["image"].permute(1, 2, 0).numpy() + 1) / 2) / 255
        brings, passes = seen.brings[view.level], seen.passes[view.level]
        high = float(torch.maximum(brings.max(), passes.max()))
        side = round(height * under.shape[1] / under.shape[0])
        panels = [(f"{name}{', changed' if shown else ''}", enlarged(made, height))]
        notes = [f"skip {view.level}: {brings.shape[0]} × {brings.shape[1]}"]

        def heat(title: str, values: Tensor, low: float, top: float) -> None:
            over = heat_over(under, enlarge(values.float().cpu().numpy(), under.shape[:2]), low, top, HEAT)
            panels.append((title, np.asarray(Image.fromarray(as_bytes(over)).resize((side, height)))))
            notes.append(f"{float(values.min()):.2f} to {float(values.max()):.2f}")

        heat("the skip brings", brings, 0.0, high)
        if gated:
            where = gate(seen.maps, view.level, "spatial")[0, 0]
            heat("gate: where", where, float(where.min()), float(where.max()))
            heat("passes", passes, 0.0, high)
            weights = gate(seen.maps, view.level, "channel")[0].flatten()
            panels.append(("gate: which channels", bars(weights, view, (height, side))))
            notes.append(f"{len(weights)}: {float(weights.min()):.2f} to {float(weights.max()):.2f}")
        else:
            panels.append(("no gate", _words(("all of it", "passes"), (height, side))))
            notes.append("")
            heat("passes", passes, 0.0, high)
        return row(panels, notes)

    def swipe(self, view: View, height: int = 384) -> np.ndarray:
        """Two results in one frame, `left` up to the line."""
        left, right = (enlarged(self.result(view, name), height) for name in (view.left, view.right))
        width = left.shape[1]
        at = round(min(max(view.swipe, 0.0), 1.0) * width)
        out = np.where((np.arange(width) < at)[None, :, None], left, right)
        out[:, max(at - 2, 0) : at + 2] = 255
        out[:, max(at - 1, 0) : at + 1] = INK
        return row([(f"{view.left} | {view.right}", out)])

    def difference(self, view: View, height: int = 384) -> np.ndarray:
        """Where the two results of the swipe differ: mean over the colours, from 0 to `MOST_DIFFERENT`."""
        apart = self._apart(view).cpu().numpy()
        colour = matplotlib.colormaps[HEAT](np.clip(apart / MOST_DIFFERENT, 0, 1))[..., :3]
        size = (round(height * apart.shape[1] / apart.shape[0]), height)
        larger = Image.fromarray(as_bytes(colour)).resize(size, Image.Resampling.NEAREST)
        return row([("difference", np.asarray(larger))])

    def how_different(self, view: View) -> str:
        """The difference in words."""
        apart = self._apart(view)
        return (f"{view.left} and {view.right} differ by {float(apart.mean()):.3f} on average and by "
                f"{float(apart.max()):.2f} at most, of a range of 1.")  # fmt: skip

    def compared(self, view: View, height: int = 200) -> np.ndarray:
        """`swipe` and `difference` side by side, for a page without a kernel."""
        left, right = self.swipe(view, height), self.difference(view, height)
        gap = np.full((left.shape[0], GAP_PX, 3), 255, np.uint8)
        return np.concatenate([left, gap, right], 1)

    def _apart(self, view: View) -> Tensor:
        return (self.result(view, view.left) - self.result(view, view.right)).abs().mean(0) / 2  # (H, W)

    def body(self, view: View, height: int = 384) -> np.ndarray:
        """The person with the asking place framed."""
        _, person, _ = self._pair(view)
        picture = Image.fromarray(enlarged(self.room.people[person]["image"], height))
        self._frame(picture, view)
        return np.asarray(picture)

    def answer(self, view: View, height: int = 384) -> np.ndarray:
        """Who answers that place: bright where most. A ring is the strongest, a cross where the warp reads."""
        network, person, garment = self._pair(view)
        on_garment = view.answers == ANSWERS[0]
        asked = self._asked(view).cpu().numpy()
        rows, columns = asked.shape
        shown = self.room.garments[garment]["cloth"] if on_garment else self.room.people[person]["image"]
        large = enlarged(shown, height) / 255
        heat = heat_over(large, enlarge(asked, large.shape[:2]), float(asked.min()), float(asked.max()), HEAT)
        picture = Image.fromarray(as_bytes(heat))
        draw, (wide, tall) = ImageDraw.Draw(picture), picture.size
        best = np.unravel_index(asked.argmax(), asked.shape)
        _mark(draw, (best[1] + 0.5) * wide / columns, (best[0] + 0.5) * tall / rows, "ring")
        if on_garment:
            x, y = self._read(view)
            _mark(draw, x * (wide - 1), y * (tall - 1), "cross")
        else:
            self._frame(picture, view)
        return np.asarray(picture)

    def how_answered(self, view: View) -> str:
        """The answer in words."""
        asked = self._asked(view)
        if view.answers == ANSWERS[0]:
            (rows, columns), (x, y) = asked.shape, self._read(view)
            there = asked[min(int(max(y, 0) * rows), rows - 1), min(int(max(x, 0) * columns), columns - 1)]
            return (f"The strongest correlation is {float(asked.max()):.2f}, at the cross it is {float(there):.2f}, "
                    f"on average {float(asked.mean()):.2f}.")  # fmt: skip
        own = float(asked[view.row, view.column])
        return f"The strongest answer has {float(asked.max()):.0%} of the attention, the asking place itself {own:.0%}."

    def _asked(self, view: View) -> Tensor:
        """The answers to one place.   Shape: -> (h, w)."""
        if view.answers not in ANSWERS:
            raise ValueError(f"found the answers {view.answers!r}, wanted one of {', '.join(ANSWERS)}")
        matches = self.room.matches(*self._pair(view))
        maps = matches.garment if view.answers == ANSWERS[0] else matches.person
        rows, columns = maps.shape[:2]
        if not (0 <= view.row < rows and 0 <= view.column < columns):
            raise ValueError(f"found the place {view.row, view.column}, wanted one of {rows} x {columns}")
        return maps[view.row, view.column]

    def _read(self, view: View) -> tuple[float, float]:
        """Where on the garment the finished warp reads for the asking place: shares of width and height."""
        grid, (rows, columns) = self.room.seen(*self._pair(view)).warp.grid[0], self.grid()  # (H, W, 2)
        at = (view.row + 0.5) * grid.shape[0] / rows, (view.column + 0.5) * grid.shape[1] / columns
        x, y = grid[int(at[0]), int(at[1])].tolist()
        return (x + 1) / 2, (y + 1) / 2

    def asked(self, view: View, height: int = 288) -> np.ndarray:
        """The asking place and everybody's answers side by side, for a page without a kernel."""
        answers = [(name, self.answer(replace(view, answers=name), height)) for name in ANSWERS]
        return row([("who asks", self.body(view, height)), *answers])

    def _frame(self, picture: Image.Image, view: View) -> None:
        (rows, columns), (wide, tall) = self.grid(), picture.size
        corner = view.column * wide / columns, view.row * tall / rows
        box = [*corner, corner[0] + wide / columns, corner[1] + tall / rows]
        draw = ImageDraw.Draw(picture)
        draw.rectangle(box, outline=(255, 255, 255), width=5)
        draw.rectangle(box, outline=ORANGE, width=3)

    def _pair(self, view: View) -> tuple[str, str, str]:
        """Network, person, garment."""
        room = self.room
        network, person = view.network or next(iter(room.networks)), view.person or next(iter(room.people))
        return network, person, view.garment or next(iter(room.garments))

    def _switch(self, view: View) -> Switch:
        return view.switch if view.switch.gate == ALL else view.switch._replace(gate=f"level{view.level}")


def bars(weights: Tensor, view: View, size: tuple[int, int]) -> np.ndarray:
    """Channel weights, longest on top, a line at 0.5; gold where changed.   Shape: (C,) -> (*size, 3)."""
    height, width = size
    order = torch.argsort(weights, descending=True)
    switch, changed = view.switch, weights
    if switch.part != "spatial" and switch.way != "fixed":
        off = float(switch.way == "open")
        changed = (off + switch.strength * (weights - off)).clamp(0, 1)
    lines = (torch.arange(height) * len(order)) // height
    out = np.full((height, width, 3), 237, np.uint8)
    across = (np.arange(width) + 0.5) / width
    drawn = ((changed, GOLD, 1.0), (weights, BLUE, 0.6))
    for values, colour, share in drawn if not torch.equal(changed, weights) else ((weights, BLUE, 1.0),):
        ends = values[order][lines].cpu().numpy()[:, None]
        thin = np.abs((np.arange(height) * len(order) / height) % 1 - 0.5)[:, None] <= share / 2
        out[(across[None] < ends) & (thin | (len(order) > height // 3))] = colour
    out[:, width // 2] = INK
    return out


def _words(lines: tuple[str, ...], size: tuple[int, int]) -> np.ndarray:
    paper = Image.new("RGB", size[::-1], (237, 237, 237))
    draw = ImageDraw.Draw(paper)
    for k, line in enumerate(lines):
        draw.text((size[1] / 2, size[0] / 2 + 20 * (k - len(lines) / 2 + 0.5)), line, INK, font(14), "mm")
    return np.asarray(paper)


def _mark(draw: ImageDraw.ImageDraw, x: float, y: float, kind: str, size: float = 10) -> None:
    for colour, width in (((255, 255, 255), 6), (ORANGE, 3)):
        if kind == "ring":
            draw.ellipse([x - size, y - size, x + size, y + size], outline=colour, width=width)
        else:
            draw.line([x - size, y - size, x + size, y + size], fill=colour, width=width)
            draw.line([x - size, y + size, x + size, y - size], fill=colour, width=width)
