"""The studio as it is served, by Voila, in a headless browser: by keyboard and mouse, with good and broken uploads."""

from __future__ import annotations

import os

import numpy as np
import pytest
from lab import ROOT, free_port, missing, page, serving
from PIL import Image
from uploads import content, head_only

from mavton_lite.studio import serve

REASON = missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=str(REASON))
SHOTS = os.environ.get("MAVTON_SHOTS")
PATIENCE_MS = 120_000  # a busy machine
# Notes every sentence of a status and every width of the progress bar.
WATCH = """() => {
  window.told = []; window.widths = [];
  new MutationObserver(() => {
    for (const s of document.querySelectorAll("[role=status]")) window.told.push(s.innerText);
    for (const b of document.querySelectorAll(".progress-bar")) window.widths.push(parseFloat(b.style.width));
  }).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What a visitor uploads: a photograph, a garment on white, half a JPEG, a name that would like to be HTML."""
    skimage = pytest.importorskip("skimage")
    folder = tmp_path_factory.mktemp("files")
    astronaut = Image.open(os.path.join(skimage.__path__[0], "data", "astronaut.png")).convert("RGB")
    astronaut.resize((1000, 1000)).save(folder / "me.jpg", quality=92)
    shirt = np.full((480, 360, 3), 255, np.uint8)
    shirt[90:380, 100:260] = shirt[90:190, 50:310] = (20, 120, 90)
    shirt[200:240, 130:230] = (250, 200, 40)
    shirt[190:380, 260:290] = 232  # a shadow beside it
    Image.fromarray(shirt).save(folder / "<b>shirt.png")
    Image.fromarray(shirt // 4).save(folder / "dark.webp")
    small = astronaut.resize((600, 600))
    noise = np.random.default_rng(0).integers(0, 60, (4400, 4400, 3), dtype=np.uint8)
    grainy = Image.fromarray(np.asarray(astronaut.resize((4400, 4400))) // 2 + noise)
    grainy.save(folder / "phone.jpg", quality=95)
    for name, broken in {
        "notes.png": b"no picture at all",
        "half.jpg": (folder / "me.jpg").read_bytes()[:9000],
        "empty.jpg": b"",
        "bomb.png": head_only(60_000, 60_000),
        "huge.png": head_only(6000, 4000),
        "moving.webp": content(small, "WEBP", save_all=True, append_images=[small.rotate(9)]),
        "drawing.gif": content(small, "GIF"),
        "print.jpg": content(small.convert("CMYK"), "JPEG"),
        "deep.png": content(Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257)),
        "pair.jpg": content(Image.fromarray(np.concatenate([small, small.transpose(0)], 1)), "JPEG"),
        "head.jpg": content(astronaut.crop((120, 60, 340, 230)), "JPEG"),
    }.items():
        (folder / name).write_bytes(broken)
    return folder


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    pytest.importorskip("voila")
    pytest.importorskip("mediapipe")
    folder, port = tmp_path_factory.mktemp("studio"), free_port()
    env = serve.write(folder) | {"PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(folder / ".config")}
    command = serve.command(folder, port)
    with (
        serving(command, folder, port, "/voila/static/voila.js", env) as address,
        page(SHOTS, "studio_end", 1380, 1250) as opened,
    ):
        opened.outside = []
        opened.on("request", lambda request: opened.outside.extend(_elsewhere(request.url, address)))
        opened.goto(address, timeout=PATIENCE_MS)
        opened.get_by_role("button", name="Try on").wait_for(timeout=PATIENCE_MS)
        yield opened


def _elsewhere(url: str, address: str) -> list[str]:
    """The address of a request, unless it goes to the page's own server."""
    return [url] if url.startswith(("http", "ws")) and not url.split("://")[1].startswith(address[7:]) else []


def shoot(opened, name: str) -> None:
    """A picture of the whole page, which is longer than the window."""
    if SHOTS:
        size = opened.viewport_size
        opened.set_viewport_size({**size, "height": 1900})
        opened.wait_for_timeout(300)
        opened.screenshot(path=f"{SHOTS}/studio_{name}.png")
        opened.set_viewport_size(size)


def source(opened, name: str) -> str | None:
    picture = opened.locator(f"img.studio-{name}")
    return picture.first.get_attribute("src") if picture.count() else None


def another(opened, name: str, act) -> str:
    """Do something, wait until the picture of that name is another one; its address."""
    before = source(opened, name)
    act()
    opened.wait_for_function(
        "([name, before]) => { const i = document.querySelector('img.studio-' + name); return i && i.src !== before; }",
        arg=[name, before], timeout=PATIENCE_MS,
    )  # fmt: skip
    return source(opened, name)


def control(opened, label: str):
    """The part of a control that takes the keyboard."""
    box = opened.locator(f'.widget-inline-hbox:has(> label:text-is("{label}")):visible').first
    return box.locator(".noUi-handle, select").first


def press(opened, label: str, key: str, times: int = 1) -> None:
    handle = control(opened, label)
    handle.scroll_into_view_if_needed()
    handle.focus()
    for _ in range(times):
        opened.keyboard.press(key)


def try_on(opened, key: str | None = None) -> str:
    """Press the button, by mouse or by a key; the address of the new result, once everything of it is there."""
    button = opened.get_by_role("button", name="Try on")
    result = another(opened, "result", (lambda: button.press(key)) if key else button.click)
    opened.wait_for_function("[...document.querySelectorAll('.studio button')].every((b) => !b.disabled)",
                             timeout=PATIENCE_MS)  # fmt: skip
    return result


def upload(opened, button: str, *paths) -> None:
    with opened.expect_file_chooser() as chooser:
        opened.get_by_role("button", name=button).click()
    chooser.value.set_files([str(p) for p in paths])


def complaint(opened) -> str:
    """The sentence of an error in the page."""
    alert = opened.locator("[role=alert]:visible")
    alert.wait_for(timeout=PATIENCE_MS)
    return alert.inner_text()


def test_the_page_is_there_and_asks_nobody_else(opened):
    assert opened.locator("h2:has-text('Try-on studio')").is_visible()
    assert source(opened, "photograph") and source(opened, "garments")
    assert opened.outside == [], "the page has to work without a network"
    for kind, role in (("select", "combobox"), ("select[multiple]", "listbox"), (".noUi-handle", "slider")):
        boxes = opened.locator(f".studio {kind}:visible").all()
        for box in [b for b in boxes if kind != "select" or b.get_attribute("multiple") is None]:
            named = box.evaluate("e => e.getAttribute('aria-label') || e.labels?.[0]?.innerText")
            assert named, f"a {kind} that a screen reader cannot name"
            assert opened.get_by_role(role, name=named, exact=True).count()
    assert all(i.get_attribute("alt") for i in opened.locator(".studio img").all())
    shoot(opened, "1_open")


def test_broken_uploads_are_sentences_in_the_page(opened, files):
    before = source(opened, "photograph")
    for name, said in {
        "half.jpg": "half.jpg is cut off or damaged",
        "notes.png": "notes.png is no picture",
        "empty.jpg": "empty.jpg is empty (0 bytes)",
        "bomb.png": "bomb.png would unpack to a giant picture; at most 20 megapixels",
        "huge.png": "huge.png has 24 megapixels (6000 x 4000)",
        "moving.webp": "moving.webp is animated; wanted a still picture",
        "drawing.gif": "drawing.gif is a GIF file; wanted a JPEG, PNG or WebP",
    }.items():
        upload(opened, "Upload a photograph", files / name)
        opened.locator(f"[role=alert]:has-text('{name}')").wait_for(timeout=PATIENCE_MS)
        assert said in complaint(opened) and "Traceback" not in opened.content()
    shoot(opened, "2_refused")
    assert source(opened, "photograph") == before, "what was refused is not shown"
    upload(opened, "Upload garments", files / "dark.webp")
    opened.locator("[role=alert]:has-text('dark.webp')").wait_for(timeout=PATIENCE_MS)
    assert "no plain white or light ground" in complaint(opened)


def test_unusual_pictures_are_read_and_unsuitable_ones_say_why(opened, files):
    for name in ("print.jpg", "deep.png"):  # CMYK, 16 bits
        another(opened, "photograph", lambda name=name: upload(opened, "Upload a photograph", files / name))
        opened.get_by_text(f"{name}: 600 x 600 px, read.").wait_for(timeout=PATIENCE_MS)
    assert (files / "phone.jpg").stat().st_size > 10 * 2**20, "more than a server takes by itself"
    another(opened, "photograph", lambda: upload(opened, "Upload a photograph", files / "phone.jpg"))
    opened.get_by_text("phone.jpg: 4400 x 4400 px, read.").wait_for(timeout=PATIENCE_MS)
    for name, said in {"pair.jpg": "2 people are in it", "head.jpg": "ends at the neck"}.items():
        another(opened, "photograph", lambda name=name: upload(opened, "Upload a photograph", files / name))
        opened.get_by_role("button", name="Try on").click()
        opened.locator(f"[role=alert]:has-text('{name}')").wait_for(timeout=PATIENCE_MS)
        assert said in complaint(opened)
    shoot(opened, "3_unsuitable")


def test_an_upload_is_tried_on_and_can_be_taken_home(opened, files, tmp_path):
    another(opened, "photograph", lambda: upload(opened, "Upload a photograph", files / "me.jpg"))
    another(opened, "garments", lambda: upload(opened, "Upload garments", files / "<b>shirt.png"))
    assert opened.locator(".studio b").count() == 0, "a file's name is text, not HTML"
    another(opened, "garments", lambda: press(opened, "ground", "ArrowRight", 5))
    shoot(opened, "4_uploaded")
    first = try_on(opened)
    assert opened.locator("img.studio-stages").is_visible()
    shoot(opened, "5_result")
    with opened.expect_download(timeout=PATIENCE_MS) as coming:
        opened.locator("a.studio-download").first.click()
    coming.value.save_as(tmp_path / "mine.png")
    mine, me = Image.open(tmp_path / "mine.png"), Image.open(files / "me.jpg")
    assert mine.size == me.size and coming.value.suggested_filename.startswith("try-on-1.")
    changed = (np.asarray(mine.convert("RGB")) != np.asarray(me)).any(2)
    assert 0.1 < changed.mean() < 0.7 and not changed[150:250, 420:480].any(), "the clothes, and not the face"
    press(opened, "garments", "Home")
    press(opened, "network", "ArrowDown")
    second = try_on(opened, "Enter")
    press(opened, "parse by", "ArrowDown")  # from the rules to the parser taught on the Atelier
    assert len({first, second, try_on(opened)}) == 3
    press(opened, "parse by", "ArrowUp")
    control(opened, "garments").select_option(["lettering", "stripes", "checks", "plain"])
    assert opened.locator(".noUi-target[disabled]:visible").count() == 1, "the wardrobe's garments are cut out already"
    opened.evaluate(WATCH)
    try_on(opened, "Space")
    told, widths = opened.evaluate("[window.told, window.widths]")
    assert {f"trying on garment {k} of 4 …" for k in (1, 2, 3, 4)} <= set(told) and told[-1] == "Done."
    assert len({w for w in widths if 0 < w < 100}) >= 4, "the bar moved while the networks worked"
    assert opened.locator("a.studio-download").count() == 4
    shoot(opened, "6_sheet")


def test_the_explorer_answers_keyboard_and_mouse(opened):
    opened.get_by_role("tab", name="Try-on studio").focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("Enter")
    opened.locator("img.studio-gates").wait_for(timeout=PATIENCE_MS)
    shoot(opened, "7_explorer")
    gates = source(opened, "gates")
    swipe = another(opened, "swipe", lambda: opened.get_by_role("button", name="Switch off").click())
    assert source(opened, "gates") != gates
    shoot(opened, "8_gate_off")
    another(opened, "difference", lambda: press(opened, "strength, %", "ArrowRight"))
    shoot(opened, "9_gate_scaled")
    another(opened, "gates", lambda: press(opened, "skip", "ArrowRight"))
    assert another(opened, "swipe", lambda: press(opened, "swipe, %", "ArrowLeft", 3)) != swipe
    another(opened, "inputs", lambda: press(opened, "person", "ArrowDown"))
    another(opened, "inputs", lambda: press(opened, "garment", "ArrowDown"))
    another(opened, "difference", lambda: control(opened, "right").select_option("CP-VTON"))
    shoot(opened, "10_compared")
    another(opened, "answer", lambda: press(opened, "row", "ArrowRight"))
    another(opened, "answer", lambda: control(opened, "answers").select_option(index=1))
    body = opened.locator("img.studio-body")
    if body.get_attribute("tabindex") == "0":  # with anywidget
        another(opened, "answer", lambda: body.click(position={"x": 60, "y": 200}))
        another(opened, "body", lambda: body.press("ArrowUp"))
    opened.get_by_text("of the attention, the asking place itself").wait_for(timeout=PATIENCE_MS)
    shoot(opened, "11_attended")
    another(opened, "answer", lambda: control(opened, "answers").select_option(index=0))
    opened.get_by_text("The strongest correlation is").wait_for(timeout=PATIENCE_MS)
    shoot(opened, "12_matched")


def test_nothing_was_complained_about(opened):
    assert opened.complaints == [] and opened.outside == []
    assert "Traceback" not in opened.content() and opened.locator("[role=alert]:visible").count() == 0
