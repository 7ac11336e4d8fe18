"""The try-on studio as a panel of a page: whom, what, by which network; then the result, its stages, a download."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Mapping

import ipywidgets
import numpy as np
from traitlets import TraitError

from mavton_lite.data.garment_picture import GROUND_TOLERANCE, GarmentPicture
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.plots.photo import close_up
from mavton_lite.studio import fitting
from mavton_lite.studio.intake import ACCEPTED, LARGEST_MEGAPIXELS, Upload, read_upload, uploaded_garment
from mavton_lite.studio.panels import fitted, row, stacked
from mavton_lite.studio.parts import Message, Panel, Shown, dropdown, guarded, slider, uploaded, words, wrapped
from mavton_lite.studio.parts import data_link as link
from mavton_lite.studio.wardrobe import portrait, portraits, wardrobe
from mavton_lite.tryon import PhotoTryOn, relabel_by
from mavton_lite.zoo import released

HEAD = f"""<h2>Try-on studio · 虚拟试衣间</h2>
<p>A photograph of one person from the front (人物), one or more garments laid flat on white (服装), and a network: the
result is a picture in which only the clothes are new. Nothing is sent anywhere; page and networks run on the computer
that shows this notebook. JPEG, PNG or WebP, up to {LARGEST_MEGAPIXELS} megapixels.</p>"""
THUMB_PX, RESULT_PX = 150, 460
PARSERS = {"rules around the joints": "rules", "parser taught on the Atelier": "atelier"}


class FittingPanel(Panel):
    """Choose or upload, press the button, look, take it home."""

    def __init__(self, networks: Mapping[str, TryOnPipeline], backend: str = "auto"):
        self.networks, self.backend, self.message = dict(networks), backend, Message()
        self.garments: dict[str, GarmentPicture] = dict(wardrobe())
        self.examples = portraits()
        self.photographs: dict[str, Upload] = {}
        self._raw: dict[str, Upload] = {}  # garments as uploaded: another threshold cuts them anew
        self._read: dict[tuple, fitting.Portrait] = {}
        self.made: list[PhotoTryOn] = []
        names = list(self.garments)
        parsers = {k: v for k, v in PARSERS.items() if v == "rules" or "parser" in released()}
        self.controls = {
            "photograph": dropdown("photograph", list(self.examples), "照片: whom to dress", width="330px"),
            "garments": ipywidgets.SelectMultiple(
                options=names, value=names[:1], rows=7, description="garments", layout=ipywidgets.Layout(width="330px"),
                tooltip="服装: several with Ctrl or Shift make a contact sheet",
            ),
            "threshold": slider("ground", GROUND_TOLERANCE, 4, 60, "how much the ground's colour may vary"),
            "network": dropdown("network", list(self.networks), "网络"),
            "parse": dropdown("parse by", parsers, "人体解析: who tells hair, skin and cloth apart", width="330px"),
        }  # fmt: skip
        layout = ipywidgets.Layout(width="240px")
        self.photo_upload = ipywidgets.FileUpload(
            accept=ACCEPTED, description="Upload a photograph", tooltip="JPEG, PNG or WebP", layout=layout
        )
        self.garment_upload = ipywidgets.FileUpload(
            accept=ACCEPTED, multiple=True, description="Upload garments", tooltip="on white ground", layout=layout
        )
        self.button = ipywidgets.Button(description="Try on · 试穿", button_style="primary", layout=layout)
        self.progress = ipywidgets.FloatProgress(min=0, max=1, description="progress", layout={"width": "330px"})
        self.whom, self.what, self.result, self.between = (
            Shown(f"studio-{name}") for name in ("photograph", "garments", "result", "stages")
        )
        self.links, self.found = words(""), words("")
        self.photo_upload.observe(self._photo_came, names="value")
        self.garment_upload.observe(self._garments_came, names="value")
        self.controls["photograph"].observe(self._show_whom, names="value")
        self.controls["garments"].observe(self._show_what, names="value")
        self.controls["threshold"].observe(self._cut_anew, names="value")
        self.button.on_click(lambda _: self.try_on())
        if not self.examples:
            self.message.remark("Upload a photograph to begin.")
        self._show_whom()
        self._show_what()
        column = ipywidgets.Layout(width="auto", margin="0 18px 0 0")
        c = self.controls
        super().__init__([
            words(HEAD),
            wrapped(
                ipywidgets.VBox([words("<h3>1 · Whom?</h3>"), c["photograph"], self.photo_upload,
                                 self.whom], layout=column),
                ipywidgets.VBox([words("<h3>2 · In what?</h3>"), c["garments"], self.garment_upload, c["threshold"],
                                 self.what], layout=column),
                ipywidgets.VBox([words("<h3>3 · By which network?</h3>"), c["network"], c["parse"], self.button,
                                 self.progress], layout=column),
            ),
            self.message, self.result, self.links, self.between, self.found,
        ])  # fmt: skip

    @guarded
    def try_on(self) -> None:
        """What the button does."""
        self.button.disabled = True
        try:
            chosen = fitting.chosen(self.garments, self.controls["garments"].value)
            upload = self._photograph()
            network = self.controls["network"].value
            found = self._portrait(upload, self.networks[network].size)
            self.made = fitting.fit(found, chosen, self.networks[network], network, self._say)
            self._show_result(found)
        finally:
            self.button.disabled = False
            self.progress.value = 0.0

    def still(self) -> np.ndarray:
        if self.made:
            return stacked([fitting.contact_sheet(self.made, 300), fitting.stage_sheet(self.made[0], 200, 7)])
        garments = [(name, fitted(close_up(g.picture, g.mask), THUMB_PX)) for name, g in self.garments.items()]
        return row(garments)

    def _say(self, share: float, what: str) -> None:
        self.progress.value = share
        self.message.say(f"{what} …")

    def _photograph(self) -> Upload:
        name = self.controls["photograph"].value
        if name is None:
            raise ValueError("Choose a photograph, or upload one.")
        if name not in self.photographs:
            self.photographs[name] = portrait(name)
        return self.photographs[name]

    def _portrait(self, upload: Upload, size: tuple[int, int]) -> fitting.Portrait:
        """Understood once for all garments and networks."""
        parse = self.controls["parse"].value
        key = (id(upload), size, parse)
        if key not in self._read:
            relabel = relabel_by(parse)
            self._read[key] = fitting.read_portrait(upload, size, self.backend, relabel, self._say)
        return self._read[key]

    def _show_result(self, found: fitting.Portrait) -> None:
        names = ", ".join(one.garment.name for one in self.made)
        self.result.show(fitting.contact_sheet(self.made, RESULT_PX, 3), f"{found.name} in: {names}")
        self.between.show(fitting.stage_sheet(self.made[0]), f"Stages between {found.name} and the result")
        links: list[str] = []
        for one in self.made:
            ending, content = fitting.download(one.image)
            file = f"try-on-{len(links) + 1}.{ending}"
            kind = {"jpg": "jpeg"}.get(ending, ending)
            links.append(f'<a class="studio-download" download="{file}" href="{link(content, kind)}">'
                         f"Download: {html.escape(one.garment.name)} ({ending.upper()})</a>")  # fmt: skip
        self.links.value = "".join(links)
        photo = self.made[0].photo
        self.found.value = (f"<p>Parse (人体解析), shares of the picture: {fitting.parts_found(photo)}. Detector: "
                            f"{html.escape(str(photo.info.get('backend', 'given')))}.</p>")  # fmt: skip
        said = " ".join(remark.sentence for remark in found.remarks)
        if said:
            self.message.remark(said)
        else:
            self.message.say("Done.")

    @guarded
    def _photo_came(self, change) -> None:
        files = uploaded(change["new"])
        if not files:
            return
        _forget(self.photo_upload)
        name, content = files[-1]
        upload = read_upload(name, content)
        self.photographs[name] = upload
        control = self.controls["photograph"]
        control.options = [n for n in control.options if n != name] + [name]
        control.value = name
        self._show_whom()
        self.message.say(f"{name}: {upload.sent[1]} x {upload.sent[0]} px, read.")

    @guarded
    def _garments_came(self, change) -> None:
        files = uploaded(change["new"])
        if not files:
            return
        _forget(self.garment_upload)
        new = []
        for name, content in files:
            upload = read_upload(name, content)
            self.garments[name] = uploaded_garment(upload, self.controls["threshold"].value)
            self._raw[name] = upload
            new.append(name)
        self.controls["garments"].options = list(self.garments)
        self.controls["garments"].value = new
        self._show_what()
        self.message.say(f"{', '.join(new)}: cut out from the ground.")

    @guarded
    def _cut_anew(self, change) -> None:
        for name, upload in self._raw.items():
            self.garments[name] = uploaded_garment(upload, change["new"])
        self._show_what()
        self.message.say("")

    @guarded
    def _show_whom(self, _change=None) -> None:
        if self.controls["photograph"].value is not None:
            upload = self._photograph()
            self.whom.show(fitted(upload.rgb, THUMB_PX), f"The photograph: {upload.name}")

    @guarded
    def _show_what(self, _change=None) -> None:
        names = self.controls["garments"].value
        self.controls["threshold"].disabled = not any(name in self._raw for name in names)  # the wardrobe's are cut out
        chosen = [self.garments[name] for name in names]
        if chosen:
            panels = [(g.name, fitted(close_up(g.picture, g.mask), THUMB_PX - 30)) for g in chosen]
            rows = [row(panels[k : k + 3]) for k in range(0, len(panels), 3)]
            self.what.show(stacked(rows), f"Chosen: {', '.join(g.name for g in chosen)}")


def _forget(upload: ipywidgets.FileUpload) -> None:
    """Empty the control, so that the same file can come again; ipywidgets 7, as on Colab, does not let us."""
    with contextlib.suppress(TraitError):
        upload.value = type(upload.value)()
