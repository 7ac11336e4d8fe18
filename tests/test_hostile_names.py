"""Names of files may hold markup, line feeds and terminal codes: none of it is obeyed."""

from __future__ import annotations

import io
import os
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from test_publish import figure, root  # noqa: F401 (fixtures)

from mavton_lite.cli import main
from mavton_lite.data.check import check
from mavton_lite.files import write_text
from mavton_lite.plots import gallery, publish
from mavton_lite.plots.gallery import build
from mavton_lite.studio.intake import UploadError, read_upload
from mavton_lite.studio.parts import Message, Shown
from mavton_lite.terminal import printable

MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(2)>.jpg'


class Tags(HTMLParser):
    """What a browser would make of a text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes


def harmless(text: str) -> bool:
    seen = Tags(text)
    return "script" not in seen.tags and not any(name.startswith("on") for name, _ in seen.attributes) and not any(
        (value or "").lower().startswith("javascript:") for name, value in seen.attributes if name in ("href", "src")
    )


def test_the_page_of_figures_shows_names_and_runs_none(root, figure, monkeypatch):  # noqa: F811
    items = publish.read_manifest()
    record = {"notebook": MARKUP, "files": {MARKUP: "", "javascript:alert(1)": "", "a'b\" onload=x.png": ""}}
    monkeypatch.setattr(gallery, "published", lambda profile, item: record)
    monkeypatch.setattr(gallery, "_table", lambda path: "")
    page = build("smoke").read_text(encoding="utf8")
    assert harmless(page) and len(items) <= page.count("%22%3E%3Cscript%3E")
    links = [value for name, value in Tags(page).attributes if name == "href"]
    assert not any((link or "").startswith("javascript:") for link in links)


def test_tables_of_the_page_escape_their_cells(tmp_path):
    write_text(tmp_path / "tab-1.csv", f'a,"{MARKUP.replace(chr(34), chr(34) * 2)}"\n<script>x</script>,2\n')
    assert harmless(gallery._table(tmp_path / "tab-1.csv"))


@pytest.mark.parametrize("name", [MARKUP, "<b>bold</b>.png", "a\nb.png", "' onclick='x", "&lt;script&gt;"])
def test_widgets_show_names_and_run_none(name):
    picture = np.zeros((8, 8, 3), np.uint8)
    shown, message = Shown("studio-result"), Message()
    shown.show(picture, f"The photograph: {name}")
    assert harmless(shown.value) and Tags(shown.value).tags == ["img"]
    for say in (message.say, message.remark, message.complain):
        say(f"{name} is read.")
        assert harmless(message.value) and Tags(message.value).tags == ["p"]
    with pytest.raises(UploadError) as refusal:
        read_upload(name, b"no picture")
    message.complain(str(refusal.value))
    assert harmless(message.value) and Tags(message.value).tags == ["p"]


def test_a_terminal_obeys_no_name(tmp_path, capsys):
    names = [b"\x1b]0;owned\x07\x1b[2J_0.jpg", b"two\nlines_0.jpg", b"odd\xff\xfe_0.jpg", "衣服_0.jpg".encode()]
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    for split in ("train", "test"):
        for folder in ("image", "pose"):
            (tmp_path / split / folder).mkdir(parents=True)
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path / "train/image"), name), "wb") as file:
            file.write(out.getvalue())
    problems = [str(problem) for problem in check(tmp_path)]
    assert all(printable(line) == line and line.isprintable() for line in problems)
    assert any("衣服_0" in line for line in problems), "what can be read is left as it is"
    assert any(r"\x1b]0;owned\x07" in line for line in problems) and any(r"two\nlines" in line for line in problems)
    with pytest.raises(SystemExit) as ended:
        main(["data", "check", str(tmp_path)])
    said = capsys.readouterr()
    assert ended.value.code == 1 and "\x1b" not in said.out and "Traceback" not in said.err
    with pytest.raises(SystemExit):
        main(["data", "show", f"{tmp_path}/\x1b[2J"])
    assert r"\x1b[2J" in capsys.readouterr().err


def test_a_pipe_among_pictures_is_told_and_not_waited_for(tmp_path):
    for split in ("train", "test"):
        for folder in ("image", "pose"):
            (tmp_path / split / folder).mkdir(parents=True)
    os.mkfifo(tmp_path / "train/image/000000_0.jpg")
    os.mkfifo(tmp_path / "train/pose/000000_0_keypoints.json")
    said = {p.path: p.found for p in check(tmp_path)}
    assert said["train/image/000000_0.jpg"] == "a pipe or device"
    assert said["train/pose/000000_0_keypoints.json"] == "a pipe or device"
