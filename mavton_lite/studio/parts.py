"""What the studio's panels are made of: pictures with a text for those who do not see them, messages, labels.

Nothing that somebody typed or uploaded gets into the page unescaped.
"""

from __future__ import annotations

import base64
import functools
import html
import io
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image
from traitlets import List, Unicode

# a click on a picture needs it; without it the sliders beside the picture do the same
anywidget: Any = import_module("anywidget") if find_spec("anywidget") else None

STYLE = """<style>
.studio h2 { margin: 0.2em 0; font-size: 1.25em; line-height: 1.3; }
.studio h3 { margin: 0.9em 0 0.1em; font-size: 1.05em; line-height: 1.3; }
.studio p { margin: 0.25em 0; max-width: 62em; line-height: 1.45; }
.studio img { max-width: 100%; height: auto; display: block; border-radius: 2px; }
.studio .studio-error { color: #8a1c00; background: #fff1ec; border-left: 4px solid #d55e00; padding: 0.45em 0.8em; }
.studio .studio-remark { background: #eef4fa; border-left: 4px solid #0072b2; padding: 0.35em 0.8em; }
.studio a.studio-download { display: inline-block; margin: 0.3em 0.6em 0.3em 0; padding: 0.35em 0.9em; color: #fff;
  background: #0072b2; border-radius: 3px; text-decoration: none; }
.studio button:focus-visible, .studio select:focus-visible, .studio input:focus-visible, .studio a:focus-visible,
.studio img:focus-visible, .studio .noUi-handle:focus-visible { outline: 3px solid #e69f00; outline-offset: 1px; }
.studio-tabs { --jp-widgets-horizontal-tab-width: 240px; }
.studio .widget-label, .studio .jupyter-widget-label { min-width: 5.2em; }
</style>"""
WIDE = "245px"


def jpeg(picture: np.ndarray, quality: int = 90) -> bytes:
    """A picture for the page: quick to make and small.   Shape: (H, W, 3) uint8."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()


def data_link(content: bytes, kind: str) -> str:
    """A file inside a link, so that nothing has to be served."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


class Shown(ipywidgets.HTML):
    """A picture with a text for those who do not see it; `name` is its CSS class.

    `pointed`: it takes the keyboard, also from JupyterLab, and looks as if it could be clicked; see `Pointer`.
    """

    def __init__(self, name: str, pointed: bool = False, **how):
        super().__init__(**how)
        self.name = name
        self._more = ' tabindex="0" style="cursor: crosshair" data-lm-suppress-shortcuts="true"' if pointed else ""

    def show(self, picture: np.ndarray, text: str) -> None:
        """Shape: (H, W, 3) uint8."""
        source = data_link(jpeg(picture), "jpeg")
        size = f'width="{picture.shape[1]}"{self._more}'
        self.value = f'<img class="{self.name}" alt="{html.escape(text)}" {size} src="{source}">'


class Message(ipywidgets.HTML):
    """One line that a screen reader speaks when it changes."""

    def say(self, sentence: str) -> None:
        self.value = f'<p role="status">{html.escape(sentence)}</p>' if sentence else ""

    def remark(self, sentence: str) -> None:
        self.value = f'<p role="status" class="studio-remark">{html.escape(sentence)}</p>'

    def complain(self, sentence: str) -> None:
        self.value = f'<p role="alert" class="studio-error">{html.escape(sentence)}</p>'


def guarded(method: Callable) -> Callable:
    """For what a control calls: an error becomes a sentence in `self.message`, never a traceback."""

    @functools.wraps(method)
    def safe(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except ValueError as error:
            self.message.complain(" ".join(str(error).split()))
        except Exception as error:  # a defect of ours; the page lives on
            self.message.complain(f"Something went wrong inside ({type(error).__name__}); please report it.")
        return None

    return safe


def dropdown(label: str, options, hint: str, **how) -> ipywidgets.Dropdown:
    """A labelled choice; `hint` is shown on hovering and spoken."""
    layout = ipywidgets.Layout(width=how.pop("width", WIDE))
    return ipywidgets.Dropdown(options=options, description=label, tooltip=hint, layout=layout, **how)


def slider(label: str, value, low, high, hint: str, step=1) -> ipywidgets.IntSlider | ipywidgets.FloatSlider:
    """A labelled slider that acts when it comes to rest."""
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    how = {"readout_format": "d"} if kind is ipywidgets.IntSlider else {}
    return kind(value=value, min=low, max=high, step=step, description=label, tooltip=hint, continuous_update=False,
                layout=ipywidgets.Layout(width=WIDE), **how)  # fmt: skip


def words(text: str) -> ipywidgets.HTML:
    """Our own HTML."""
    return ipywidgets.HTML(text)


def wrapped(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """In a row that wraps on a narrow page."""
    layout = ipywidgets.Layout(flex_flow="row wrap", grid_gap="2px 14px", align_items="flex-start")
    return ipywidgets.HBox(widgets, layout=layout)


def half(*widgets: ipywidgets.Widget) -> ipywidgets.VBox:
    """A column of half a wide page, of the whole of a narrow one."""
    return ipywidgets.VBox(widgets, layout=ipywidgets.Layout(flex="1 1 600px"))


def uploaded(value) -> list[tuple[str, bytes]]:
    """Names and contents of a FileUpload's value, of ipywidgets 8 or 7."""
    if isinstance(value, dict):
        return [(name, bytes(file["content"])) for name, file in value.items()]
    return [(file["name"], bytes(file["content"])) for file in value]


class Panel(ipywidgets.VBox):
    """A part of the page; where there is no kernel, a forge or an exported page, its still picture stands for it."""

    def __init__(self, children):
        super().__init__([words(STYLE), *children])
        self.add_class("studio")

    def still(self) -> np.ndarray:
        """What a page without a kernel shows.   Shape: -> (H, W, 3) uint8."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        out = io.BytesIO()
        Image.fromarray(self.still()).save(out, "PNG", optimize=True)
        still = {"text/plain": "(run this cell in a notebook to use the controls)",
                 "image/png": base64.b64encode(out.getvalue()).decode()}  # fmt: skip
        return {**bundle, **still} if isinstance(bundle, dict) else ({**bundle[0], **still}, *bundle[1:])


def _pointer() -> Any:
    """The class of `Pointer`, or None: the panels ask."""
    if anywidget is None:
        return None

    class Pointer(anywidget.AnyWidget):
        """Tells where a picture of its panel was clicked, as shares of width and height; arrow keys take steps.

        The picture itself is a `Shown` of the name `target`: its pictures come also where this one is slow to start.
        """

        _esm = """
        function render({ model, el }) {
          const listens = new AbortController(), how = { signal: listens.signal };
          const panel = () => el.closest(".studio");
          const find = () => panel()?.querySelector("img." + model.get("target"));
          const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
          let focused = false;
          document.addEventListener("click", (event) => {
            if (event.target !== find()) return;
            const box = event.target.getBoundingClientRect();
            model.set("at", [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
            model.save_changes();
          }, how);
          document.addEventListener("keydown", (event) => {
            if (event.target !== find() || !(event.key in steps)) return;
            event.preventDefault();
            model.set("step", [...steps[event.key], model.get("step")[2] + 1]);
            model.save_changes();
          }, how);
          document.addEventListener("focusin", (event) => { focused = event.target === find(); }, how);
          const keeps = new MutationObserver(() => {  // a new picture takes the keyboard over from the old one
            if (focused && document.activeElement === document.body) find()?.focus({ preventScroll: true });
          });
          keeps.observe(document.body, { childList: true, subtree: true });
          return () => { listens.abort(); keeps.disconnect(); };
        }
        export default { render };
        """
        target = Unicode().tag(sync=True)
        at: Any = List([]).tag(sync=True)  # x, y in [0, 1]
        step = List([0, 0, 0]).tag(sync=True)  # right, down, and a number that makes every step another

    return Pointer


Pointer = _pointer()
