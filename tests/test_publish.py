"""Publishing, the manifest and the gallery."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mavton_lite import notebook as nb
from mavton_lite.config import LITE, SMOKE, Profile, project_root
from mavton_lite.plots import style
from mavton_lite.plots.gallery import build
from mavton_lite.plots.publish import figures_dir, publish, published, read_manifest

MANIFEST = """
[[item]]
id = "fig-a"
thesis = "3.3 MA-UNet 网络"
title = "A <figure>"
file = "fig-a.png"
notebook = "11_ma_vton"
status = "redrawn"

[[item]]
id = "tab-b"
thesis = "4.4"
title = "A table"
file = "tab-b.md"
notebook = "13_results"
status = "scaled-down"
note = "Unpaired."
"""


@dataclass
class Run:
    notebook: str
    profile: Profile = SMOKE


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "manifest.toml").write_text(MANIFEST, encoding="utf8")
    monkeypatch.setenv("MAVTON_ROOT", str(tmp_path))
    return tmp_path


def draw():
    style.use()
    figure, axes = plt.subplots(figsize=(2, 1.5))
    axes.plot([0, 1], [1, 0])
    axes.set_title("U-Net 跳跃连接")
    return figure


@pytest.fixture
def figure():
    yield draw()
    plt.close("all")


def test_a_figure_goes_where_its_profile_belongs(root, figure):
    (path,) = publish("fig-a", figure, Run("11_ma_vton"))
    assert path == root / "runs" / "smoke" / "figures" / "fig-a.png"
    assert Image.open(path).size == (320, 240)
    (path,) = publish("fig-a", figure, Run("11_ma_vton", LITE))
    assert path == root / "figures" / "fig-a.png" and path.exists()
    record = json.loads((root / "figures" / "published" / "fig-a.json").read_text())
    assert record["notebook"] == "11_ma_vton" and list(record["files"]) == ["fig-a.png"]
    assert published("lite", "fig-a") == record
    path.unlink()
    assert published("lite", "fig-a") is None and published("lite", "tab-b") is None
    assert not list(root.rglob("*partial*"))


def test_equal_figures_are_equal_bytes(root, figure, tmp_path):
    for ending in (".png", ".svg", ".pdf"):
        one, two = style.save(draw(), tmp_path / f"one{ending}"), style.save(draw(), tmp_path / f"two{ending}")
        assert one.read_bytes() == two.read_bytes()
    with pytest.raises(ValueError, match=r"'.bmp'; wanted one of .png"):
        style.save(figure, tmp_path / "x.bmp")


def test_chinese_is_drawn_and_an_unknown_glyph_is_an_error(root, figure, tmp_path):
    characters = (style.FONT.parent / "characters.txt").read_text(encoding="utf8").split()
    thesis = "多级注意力机制虚拟试衣模型服装变形模块改进的试穿模块联合损失函数马尔可夫判别器感知定量实验结果消融"
    assert set(thesis) <= set("".join(characters))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = np.asarray(Image.open(style.save(figure, tmp_path / "a.png")))
    figure.axes[0].set_title("U-Net")
    assert (np.asarray(Image.open(style.save(figure, tmp_path / "b.png"))) != plain).any()
    for text in ("龘", r"训练 $\lambda$"):
        figure.axes[0].set_title(text)
        with pytest.raises(ValueError, match="[Gg]lyph.*README"):
            style.save(figure, tmp_path / "c.png")
        assert not (tmp_path / "c.png").exists()


def test_a_table_keeps_its_digits(root):
    table = pd.DataFrame({"model": ["CP", "MA"], "SSIM": ["0.870 [0.860, 0.880]", "0.9"], "steps": [1200, 1200]})
    markdown, csv = publish("tab-b", table, Run("13_results"))
    text = markdown.read_text(encoding="utf8")
    assert all(x in text for x in ("# A table", "0.870 [0.860, 0.880]", "1200", "scaled-down: Unpaired."))
    assert pd.read_csv(csv).equals(table)
    texts = pd.DataFrame({"value": ["0.870", "1e-4"]}, index=pd.Index(["a", "b"], name="key"))
    markdown, csv = publish("tab-b", texts, Run("13_results"))
    assert "0.870" in markdown.read_text(encoding="utf8") and "1e-4" in markdown.read_text(encoding="utf8")
    assert csv.read_text(encoding="utf8").startswith("key,value\na,0.870\n")


def test_publish_refuses_what_the_manifest_does_not_say(root, figure):
    with pytest.raises(ValueError, match="no 'fig-z'; it has fig-a, tab-b"):
        publish("fig-z", figure, Run("11_ma_vton"))
    with pytest.raises(ValueError, match="gives it to notebook '11_ma_vton', not to '12_train'"):
        publish("fig-a", figure, Run("12_train"))
    with pytest.raises(ValueError, match="tab-b wants a DataFrame, got Figure"):
        publish("tab-b", figure, Run("13_results"))
    assert not (root / "runs").exists()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"tab-b"', '"fig-a"', "fig-a is listed twice"),
        ('"redrawn"', '"fine"', "unknown status 'fine'"),
        ('file = "fig-a.png"', 'file = "a.png"', "file is 'a.png'; wanted 'fig-a.png'"),
        ('title = "A table"\n', "", "title"),
    ],
)
def test_a_bad_manifest_is_named(root, before, after, message):
    path = root / "figures" / "manifest.toml"
    path.write_text(MANIFEST.replace(before, after), encoding="utf8")
    with pytest.raises(ValueError, match=message) as error:
        read_manifest()
    assert str(path) in str(error.value)


def test_the_gallery_shows_what_is_there_and_what_is_not(root, figure):
    publish("tab-b", pd.DataFrame({"model": ["<b>"], "SSIM": ["0.870"]}), Run("13_results"))
    page = build("smoke").read_text(encoding="utf8")
    assert "1 of 2 made" in page and "Not made yet: notebook 11_ma_vton" in page and "<img" not in page
    assert "0.870" in page and "&lt;b&gt;" in page and "A &lt;figure&gt;" in page
    publish("fig-a", figure, Run("11_ma_vton"))
    page = build("smoke").read_text(encoding="utf8")
    assert "2 of 2 made" in page and 'src="fig-a.png"' in page


def test_a_run_checks_that_it_published_everything(root, figure, capsys):
    run = nb.Run(SMOKE, "11_ma_vton", root / "data", root / "out", "cpu", budget_s=0.0)
    with pytest.raises(RuntimeError, match="11_ma_vton did not publish fig-a"):
        run.done()
    assert run.publish("fig-a", figure) is figure
    run.done()  # over budget: said, not raised
    said = capsys.readouterr()
    assert "done" in said.out and "slower than planned" in said.err and " s of a budget" not in said.out


def test_setup_prepares_a_notebook(root, monkeypatch, capsys):
    (root / "data").mkdir()
    monkeypatch.setenv("MAVTON_DATA", str(root / "data"))
    monkeypatch.delenv("MAVTON_PROFILE", raising=False)
    first, draw = nb.setup("smoke", "11_ma_vton"), np.random.rand()
    second = nb.setup("smoke", "11_ma_vton")
    assert np.random.rand() == draw, "seeded"
    assert first.profile is SMOKE and second.data == root / "data" and second.out == root / "runs/smoke/checkpoints"
    assert "64 x 48" in capsys.readouterr().out
    monkeypatch.setenv("MAVTON_PROFILE", "lite")
    assert nb.setup("smoke", "11_ma_vton").profile is LITE
    with pytest.raises(ValueError, match="unknown profile"):
        monkeypatch.delenv("MAVTON_PROFILE")
        nb.setup("tiny", "11_ma_vton")
    monkeypatch.setenv("MAVTON_DATA", str(root / "nowhere"))
    with pytest.raises(ValueError, match="nowhere, which is no folder"):
        nb.setup("smoke", "11_ma_vton")


def test_the_projects_manifest_and_notebooks_agree():
    items = read_manifest().values()
    folder = project_root() / "notebooks"
    for notebook in sorted({item.notebook for item in items}):
        cells = json.loads((folder / f"{notebook}.ipynb").read_text(encoding="utf8"))["cells"]
        source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for item in items:
            times = source.count(f'publish("{item.id}"')
            assert times == (item.notebook == notebook), f"{notebook} publishes {item.id} {times} times"


def test_what_is_committed_in_figures_is_in_the_manifest_and_unchanged():
    items = read_manifest()
    folder: Path = figures_dir("lite")
    items = {item_id: item for item_id, item in items.items() if item.made}
    known = {item.file for item in items.values()} | {f"{i}.csv" for i in items if i.startswith("tab-")}
    assert {p.name for p in folder.glob("fig-*")} | {p.name for p in folder.glob("tab-*")} == known
    for item_id in items:
        for name, digest in published("lite", item_id)["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, f"{name} was edited by hand"
