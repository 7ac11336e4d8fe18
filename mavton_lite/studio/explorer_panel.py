"""The attention explorer as a panel of a page: controls, six pictures, and sentences below them."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np

from mavton_lite.data.sample import COCO18
from mavton_lite.studio.explorer import ANSWERS, CHANGED, MOST_DIFFERENT, TRAINED, Explorer, View
from mavton_lite.studio.panels import stacked
from mavton_lite.studio.parts import Message, Panel, Pointer, Shown, dropdown, guarded, half, slider, words, wrapped
from mavton_lite.studio.room import Room, Switch
from mavton_lite.switching import ALL, PARTS
from mavton_lite.threads import one_thread

ASKED = "left wrist"  # the joint that asks first
OFF = {"everything passes": "open", "nothing passes": "closed", "the average gate": "fixed"}
EVERY = ("inputs", "gates", "swipe", "difference", "body", "answer")
NEEDS = {  # control -> pictures that show it
    **dict.fromkeys(("person", "garment", "network"), EVERY),
    **dict.fromkeys(("level", "gate", "part", "way", "strength"), ("gates", "swipe", "difference")),
    **dict.fromkeys(("left", "right"), ("swipe", "difference")),
    "swipe": ("swipe",),
    **dict.fromkeys(("row", "column"), ("body", "answer")),
    "answers": ("answer",),
}
ASK_BY = ". Click, or press the arrow keys, to ask another place" if Pointer is not None else ""
TEXTS = {
    "inputs": "{person} and {garment}: person, flat garment, bent garment",
    "gates": "Skip {level} of {network}: what it brings, where the gate opens, what passes, weights of the channels",
    "swipe": "{left} to the left of a line at {swipe} per cent, {right} to its right",
    "difference": "Where {left} and {right} differ, bright where most",
    "body": "The person, row {row}, column {column} framed" + ASK_BY,
    "answer": "Who answers row {row}, column {column}: {answers}. Bright where most",
}  # fmt: skip
HEAD = """<h2>Attention explorer · 注意力图</h2>
<p>What do the gates on the skips of MA-VTON see, and does the picture need them? Choose a person and a garment that the
networks have never been shown together, a network (网络) and one of its skips (跳跃连接).</p>"""
GATES = """<h3>Switch a gate (注意力)</h3>
<p>At 100 % a gate is as trained; at 0 % it is off, and <i>off</i> may mean that everything passes, that nothing does,
or that everybody gets the average gate. Gold bars are the changed weights.</p>"""
COMPARE = f"""<h3>Compare (对比)</h3>
<p>Two results in one frame; the slider moves the line between them. Beside it, where they differ: dark where they are
the same, bright where they differ by {MOST_DIFFERENT} of the range or more.</p>"""
HOW = ("Click on the person, or use the arrow keys, the sliders or the list of joints." if Pointer is not None else
       "Use the sliders or the list of joints.")  # fmt: skip
MATCH = f"""<h3>Ask a place of the body (匹配)</h3>
<p>{HOW} The ring is the strongest answer; the
cross is where the finished warp reads. The correlation layer (关联层) compares features of person and garment in GMM;
self-attention (自注意力) compares those of the person among themselves, formula 2-7 without learnt projections.</p>"""


class ExplorerPanel(Panel):
    """Controls over the pictures of `Explorer`; only those that a control concerns are drawn anew.

    `still`: which pictures of `Explorer` a page without a kernel shows; `start`: what controls say at first, by name.
    """

    def __init__(self, room: Room, level: int = 2, still: Sequence[str] = ("inputs", "gates"), **start):
        self.explorer, self.message, self._held, self._still = Explorer(room), Message(), False, tuple(still)
        first = next((n for n in room.networks if room.gated(n)), next(iter(room.networks)))
        rows, columns = self.explorer.grid()
        row, column = self.explorer.place_of(ASKED)
        levels = room.levels(first)
        c = self.controls = {
            "person": dropdown("person", list(room.people), "人物: whom to dress"),
            "garment": dropdown("garment", list(room.garments), "服装: what to put on"),
            "network": dropdown("network", list(room.networks), "网络: whose gates", value=first),
            "level": slider("skip", min(level, levels[-1]), levels[0], levels[-1], "跳跃连接: 1 is the widest"),
            "gate": dropdown("change", {"this skip": "this", "all skips": ALL}, "which gates are changed"),
            "part": dropdown("part", {"both": ALL, **{p: p for p in PARTS}}, "通道 channel, 空间 spatial, or both"),
            "way": dropdown("off means", OFF, "what a gate does that is switched off"),
            "strength": slider("strength, %", 100, 0, 200, "100: as trained, 0: off", 10),
            "left": dropdown("left", self.explorer.results(), "to the left of the line", value=TRAINED),
            "right": dropdown("right", self.explorer.results(), "to the right of the line", value=CHANGED),
            "swipe": slider("swipe, %", 50, 0, 100, "how much of the left one is seen", 5),
            "joint": dropdown("joint", ["", *COCO18], "关节: go to the place of a joint", value=ASKED),
            "row": slider("row", row, 0, rows - 1, "0 is on top"),
            "column": slider("column", column, 0, columns - 1, "0 is at the left"),
            "answers": dropdown("answers", list(ANSWERS), "who answers", width="330px"),
        }
        for name, value in start.items():
            c[name].value = value
        self.off = ipywidgets.Button(description="Switch off", tooltip="strength to 0 %", layout={"width": "110px"})
        self.on = ipywidgets.Button(description="As trained", tooltip="strength to 100 %", layout={"width": "110px"})
        self.off.on_click(lambda _: self._turn(0))
        self.on.on_click(lambda _: self._turn(100))
        pointed = Pointer is not None
        self.pictures = {name: Shown(f"studio-{name}", pointed and name == "body") for name in EVERY}
        self.pointer = Pointer(target="studio-body") if pointed else words("")
        if pointed:
            self.pointer.observe(self._clicked, names="at")
            self.pointer.observe(self._stepped, names="step")
        self.apart, self.told = words(""), words("")
        for name in NEEDS:
            c[name].observe(lambda change, name=name: self._moved(name), names="value")
        c["joint"].observe(self._to_joint, names="value")
        self.draw()
        p = self.pictures
        super().__init__([
            words(HEAD), wrapped(c["person"], c["garment"], c["network"], c["level"]), self.message,
            wrapped(p["inputs"], p["gates"]), words(GATES),
            wrapped(c["gate"], c["part"], c["way"], c["strength"], self.off, self.on),
            wrapped(
                half(words(COMPARE), wrapped(c["left"], c["right"], c["swipe"]), wrapped(p["swipe"], p["difference"]),
                     self.apart),
                half(words(MATCH), wrapped(c["joint"], c["answers"], c["row"], c["column"]),
                     wrapped(p["body"], p["answer"]), self.told, self.pointer),
            ),
        ])  # fmt: skip

    def view(self) -> View:
        """The state of the controls."""
        v = {name: control.value for name, control in self.controls.items()}
        switch = Switch(v.pop("gate"), v.pop("part"), v.pop("way"), v.pop("strength") / 100)
        v.pop("joint")
        return View(**{**v, "switch": switch, "swipe": v["swipe"] / 100})

    @guarded
    def draw(self, names: tuple[str, ...] = EVERY) -> None:
        """Draw some of the pictures anew."""
        view = self.view()
        facts = {name: control.value for name, control in self.controls.items()}
        with one_thread():
            for name in names:
                self.pictures[name].show(getattr(self.explorer, name)(view), TEXTS[name].format(**facts))
            if "difference" in names:
                self.apart.value = f"<p>{self.explorer.how_different(view)}</p>"
            if "answer" in names:
                self.told.value = f"<p>{self.explorer.how_answered(view)}</p>"
        self.message.say("")

    def still(self) -> np.ndarray:
        view = self.view()
        return stacked([getattr(self.explorer, name)(view) for name in self._still])

    def _moved(self, name: str) -> None:
        if self._held:
            return
        if name == "network":
            gated = self.explorer.room.gated(self.controls["network"].value)
            for control in (*(self.controls[k] for k in ("gate", "part", "way", "strength")), self.off, self.on):
                control.disabled = not gated
        if name in ("row", "column"):
            self._without_joint()
        if name == "person" and self.controls["joint"].value:
            self._follow(self.controls["joint"].value)
        self.draw(NEEDS[name])

    def _turn(self, strength: int) -> None:
        self.controls["strength"].value = strength

    def _without_joint(self) -> None:
        self._held = True
        self.controls["joint"].value = ""
        self._held = False

    @guarded
    def _to_joint(self, change) -> None:
        if self._held or not change["new"]:
            return
        self._follow(change["new"])
        self.draw(NEEDS["row"])

    @guarded
    def _follow(self, joint: str) -> None:
        """Set row and column to where a joint of the person is."""
        row, column = self.explorer.place_of(joint, self.controls["person"].value)
        self._held = True
        self.controls["row"].value, self.controls["column"].value = row, column
        self._held = False

    def _clicked(self, change) -> None:
        x, y = change["new"]
        rows, columns = self.explorer.grid()
        self._go(int(y * rows), int(x * columns))

    def _stepped(self, change) -> None:
        right, down, _ = change["new"]
        self._go(self.controls["row"].value + down, self.controls["column"].value + right)

    def _go(self, row: int, column: int) -> None:
        rows, columns = self.explorer.grid()
        self._held = True  # three controls, one drawing
        self.controls["row"].value = min(max(row, 0), rows - 1)
        self.controls["column"].value = min(max(column, 0), columns - 1)
        self.controls["joint"].value = ""
        self._held = False
        self.draw(NEEDS["row"])
