"""The studio's panels without a browser: what a message from the page does to pictures, errors and downloads."""

from __future__ import annotations

import base64
import datetime
import html
import io
import re
import socket
import sys
import time
import urllib.request

import numpy as np
import pytest
import torch
from drawn_person import DrawnBackend, drawing
from PIL import Image
from traitlets import TraitError
from worlds import random_batch

from mavton_lite.config import LITE, SMOKE
from mavton_lite.data.garment_picture import GarmentPicture
from mavton_lite.data.sample import Sample
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.studio import fitting_panel, parts, serve
from mavton_lite.studio.explorer_panel import ExplorerPanel
from mavton_lite.studio.room import Room, Switch


def networks() -> dict[str, TryOnPipeline]:
    torch.manual_seed(0)
    gmm = build_gmm(SMOKE)
    made = {n: TryOnPipeline(gmm, build_tom(SMOKE, gate), SMOKE.person) for n, gate in (("MA", "cbam"), ("CP", "none"))}
    return {name: network.eval().requires_grad_(False) for name, network in made.items()}


def png(rgb: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "PNG")
    return out.getvalue()


def sent(*files: tuple[str, bytes]) -> tuple[dict, ...]:
    when = {"type": "", "last_modified": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)}
    return tuple({"name": n, "size": len(c), "content": memoryview(c), **when} for n, c in files)


SHIRT = np.full((200, 150, 3), 255, np.uint8)
SHIRT[40:150, 40:110] = (200, 40, 40)


@pytest.fixture
def panel(monkeypatch):
    garment = GarmentPicture("own", SHIRT, (SHIRT < 255).any(2))
    monkeypatch.setattr(fitting_panel, "wardrobe", lambda: {"own": garment})
    monkeypatch.setattr(fitting_panel, "portraits", dict)
    return fitting_panel.FittingPanel(networks(), DrawnBackend())


def test_from_upload_to_download(panel):
    rgb = drawing(3.0)[0]
    assert "Upload a photograph to begin" in panel.message.value
    panel.try_on()
    assert "role=\"alert\"" in panel.message.value and "Choose a photograph" in panel.message.value
    panel.photo_upload.value = sent(("me <i>.png", png(rgb)))
    assert "me &lt;i&gt;.png: 360 x 480 px" in panel.message.value and panel.photo_upload.value == ()
    panel.garment_upload.value = sent(("a&b.png", png(SHIRT)))
    assert panel.controls["garments"].value == ("a&b.png",)
    panel.controls["garments"].value = ("own", "a&b.png")
    panel.try_on()
    assert "alert" not in panel.message.value and not panel.button.disabled
    links = re.findall(r'download="([^"]+)" href="data:image/png;base64,([^"]+)"', panel.links.value)
    assert [name for name, _ in links] == ["try-on-1.png", "try-on-2.png"] and "a&amp;b.png" in panel.links.value
    made = np.asarray(Image.open(io.BytesIO(base64.b64decode(links[0][1]))))
    assert (made == panel.made[0].image).all() and made.shape == rgb.shape
    assert "<i>" not in panel.result.value + panel.whom.value + panel.message.value
    assert panel._repr_mimebundle_()["image/png"]


def test_broken_uploads_and_inner_defects_are_sentences(panel, monkeypatch):
    for name, content, said in (("a.png", b"", "empty"), ("<script>.jpg", b"nothing", "is no picture")):
        panel.photo_upload.value = sent((name, content))
        assert said in panel.message.value and html.escape(name) in panel.message.value
        assert 'role="alert"' in panel.message.value and "<script>" not in panel.message.value
    panel.garment_upload.value = sent(("dark.png", png(SHIRT // 4)))
    assert "no plain white or light ground" in panel.message.value
    assert list(panel.garments) == ["own"], "what was refused is not in the list"
    panel.photo_upload.value = sent(("me.png", png(drawing(3.0)[0])))
    monkeypatch.setattr(fitting_panel.fitting, "fit", lambda *_: {}["secret"])
    panel.try_on()
    assert "Something went wrong inside (KeyError)" in panel.message.value and "secret" not in panel.message.value
    assert not panel.button.disabled


def test_a_threshold_cuts_uploads_anew(panel):
    shadow = SHIRT.copy()
    shadow[40:150, 110:125] = 230
    panel.garment_upload.value = sent(("s.png", png(shadow)))
    before = panel.garments["s.png"].mask.sum()
    assert not panel.controls["threshold"].disabled
    panel.controls["threshold"].value = 40
    assert panel.garments["s.png"].mask.sum() != before
    panel.controls["garments"].value = ("own",)
    assert panel.controls["threshold"].disabled, "it is cut out already"


@pytest.fixture(scope="module")
def explorer():
    batch = random_batch(2)
    samples = {f"s{k}": Sample(**{key: value[k] for key, value in batch.items()}) for k in range(2)}
    return ExplorerPanel(Room(networks(), samples, samples), level=1)


def shown(panel, name: str) -> str:
    return panel.pictures[name].value


def said(panel, what: str, value: list) -> None:
    """What a message about the picture of the body does; straight to the panel where there is no anywidget."""
    if parts.Pointer is None:
        {"at": panel._clicked, "step": panel._stepped}[what]({"new": value})
    else:
        panel.pointer.set_state({what: value})


def test_explorer_controls_change_pictures(explorer):
    c = explorer.controls
    before = shown(explorer, "swipe")
    explorer.off.click()
    assert c["strength"].value == 0 and shown(explorer, "swipe") != before
    explorer.on.click()
    assert shown(explorer, "swipe") == before
    c["joint"].value = "neck"
    assert (c["row"].value, c["column"].value) == explorer.explorer.place_of("neck", "s0")
    answer = shown(explorer, "answer")
    said(explorer, "at", [0.99, 0.01])
    assert (c["row"].value, c["column"].value) == (0, explorer.explorer.grid()[1] - 1)
    assert c["joint"].value == "" and shown(explorer, "answer") != answer
    said(explorer, "step", [5, 1, 1])
    assert (c["row"].value, c["column"].value) == (1, explorer.explorer.grid()[1] - 1), "stays inside"
    c["network"].value = "CP"
    assert c["strength"].disabled and explorer.off.disabled
    c["network"].value = "MA"
    assert not c["strength"].disabled
    assert 'alt="' in explorer.pictures["gates"].value and explorer._repr_mimebundle_()["image/png"]


def test_a_control_redraws_quickly_at_lite():
    """Processor time, which other programs do not lengthen; jpegs for the page included."""
    gmm = build_gmm(LITE)
    made = {n: TryOnPipeline(gmm, build_tom(LITE, g), LITE.person).eval() for n, g in (("MA", "cbam"), ("CP", "none"))}
    batch = random_batch(4, LITE.size)
    samples = {f"s{k}": Sample(**{key: value[k] for key, value in batch.items()}) for k in range(4)}
    panel = ExplorerPanel(Room(made, samples, samples))
    moves = {"person": ["s1", "s2", "s3"], "strength": [0, 50, 150], "level": [1, 3, 4], "swipe": [10, 20, 30],
             "row": [1, 2, 3]}  # fmt: skip
    for name, values in moves.items():
        taken = []
        for value in values:
            started = time.process_time()
            panel.controls[name].value = value
            taken.append(time.process_time() - started)
        assert min(taken) < 0.3, f"{name}: {taken} s"
    assert panel.message.value == ""


def test_a_lesson_says_how_the_explorer_starts_and_what_it_leaves_behind(explorer):
    room = explorer.explorer.room
    started = ExplorerPanel(room, level=2, still=["asked"], part="channel", strength=0)
    assert started.view().switch == Switch("this", "channel", "open", 0.0) and started.view().level == 2
    assert (started.still() == started.explorer.asked(started.view())).all()
    assert "The strongest correlation" in started.told.value


def test_every_control_has_a_label_and_a_hint(explorer, panel):
    for control in (*explorer.controls.values(), *panel.controls.values()):
        assert control.description and control.tooltip
    for button in (explorer.off, explorer.on, panel.button, panel.photo_upload, panel.garment_upload):
        assert button.description


def test_uploads_of_older_widgets_are_read(panel):
    class Older:  # ipywidgets 7, as on Colab: a dict by name, which only the page may set
        @property
        def value(self):
            return {}

        @value.setter
        def value(self, _new):
            raise TraitError("read-only")

    panel.garment_upload = Older()
    panel._garments_came({"new": {"s.png": {"metadata": {}, "content": png(SHIRT)}}})
    assert "s.png" in panel.garments and "alert" not in panel.message.value
    assert parts.uploaded({"a.png": {"metadata": {}, "content": b"x"}}) == [("a.png", b"x")]
    assert parts.uploaded(sent(("a.png", b"x"))) == [("a.png", b"x")]


def test_the_served_page_asks_no_other_server(tmp_path):
    template = serve.page_template()
    assert "fontawesome" in template and template.count("| replace(") == 2, "what Voila would fetch is taken out"
    environment = serve.write(tmp_path)
    assert environment["JUPYTER_PATH"].startswith(str(tmp_path))
    assert (tmp_path / "voila" / "templates" / "mavton" / "index.html.j2").read_text(encoding="utf8") == template
    compile((tmp_path / "studio.ipynb").read_text(encoding="utf8") and serve.CELL, "cell", "exec")


def test_without_voila_the_command_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(serve.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs Voila: .*\[lab\]"):
        serve.command(tmp_path)
    monkeypatch.setattr(serve.importlib.util, "find_spec", lambda name: True)
    line = serve.command(tmp_path, 1234)
    assert "--port=1234" in line and "--Voila.ip=127.0.0.1" in line


def test_a_port_that_another_program_has_is_named(monkeypatch):
    monkeypatch.setattr(serve, "command", lambda *_: ["false"])
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ValueError, match=rf"port {other.getsockname()[1]} cannot be had .*else --port"):
            serve.serve(other.getsockname()[1])
    with pytest.raises(ValueError, match="found the port 70000, wanted one from 1 to 65535"):
        serve.serve(70_000)


def test_the_browser_is_opened_when_the_page_answers_and_not_before(monkeypatch, capsys, tmp_path):
    opened = []

    def open_(address):
        urllib.request.urlopen(address, timeout=5).read()  # it does answer
        opened.append(address)
        raise KeyboardInterrupt  # Ctrl-C

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    monkeypatch.setattr(serve, "command", lambda *_: line)
    monkeypatch.setattr(serve.webbrowser, "open", open_)
    assert serve.serve(port) == 0 and opened == [f"http://127.0.0.1:{port}"]
    assert f"the studio is at http://127.0.0.1:{port} (Ctrl-C ends it)" in capsys.readouterr().out
    monkeypatch.setattr(serve, "command", lambda *_: [sys.executable, "-c", "import sys; sys.exit(3)"])
    assert serve.serve(port) == 3 and len(opened) == 1, "a server that does not start is said by its own exit"
