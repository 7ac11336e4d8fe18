"""The map of the field: every system of the thesis's chapter 1, what is not confirmed, and its drawing."""

from __future__ import annotations

import dataclasses

import pytest

from mavton_lite.experiments import EXPERIMENTS
from mavton_lite.field import INPUTS, PRODUCTS, SYSTEMS, WARPS, field_table
from mavton_lite.plots import field, style

# as chapter 1 writes them
NAMED = (
    "特征点匹配 计算机辅助设计 动态捕捉 DRAPE 单镜头深度图像 Mesh-VAE-GAN 虚拟试衣间 线上服装商店 VITON CP-VTON "
    "Clo-VTON ACGPN 知识蒸馏 Kedan_等人 ALIAS_生成器 MG-VTON Fashion_On FW-GAN M2E-Try_On LGVTON 人体图像合成 "
    "多姿态图像虚拟试衣"
)


def test_every_system_of_chapter_1_has_a_row():
    chapter = [s for s in SYSTEMS if s.in_thesis]
    named = [name.replace("_", " ") for name in NAMED.split()]
    assert {s.chinese for s in chapter} == set(named) and len(chapter) == len(named)
    assert len({s.name for s in SYSTEMS}) == len(SYSTEMS) and len(PRODUCTS) == 4


def test_every_row_is_whole_and_says_where_it_was_read():
    for system in SYSTEMS:
        row = dataclasses.asdict(system)
        wanted = ("name", "goes_in", "warps", "composes", "needs", "paper", "read_at")
        assert all(row[key] for key in wanted), system.name
        assert system.shown in INPUTS and system.warp in WARPS
        assert system.year is None or 2002 <= system.year <= 2024
        doubtful = system.year is None or "not known" in (system.warps, system.composes, system.needs)
        assert not (doubtful and system.confirmed), f"{system.name} has a gap and is called confirmed"
        assert not system.runs or system.runs in EXPERIMENTS, f"{system.name}: no experiment {system.runs!r}"


def test_the_table_tells_what_is_not_confirmed():
    table = field_table()
    assert len(table) == len(SYSTEMS) and table["in the thesis"].tolist()[-1] == ""
    marks = dict(zip(table["system"], table["confirmed"], strict=True))
    assert marks["CP-VTON"] == "yes" and marks["Kinect fitting"].startswith("not: ")
    first = [y for y, zh in zip(table["year"], table["in the thesis"], strict=True) if zh and y != "?"]
    assert first == sorted(first)


def test_the_map_draws_every_system_once(tmp_path):
    style.use()
    drawn = field.field_map()
    words = [t.get_text() for t in drawn.axes[0].texts]
    for system in SYSTEMS:
        assert words.count(system.name + ("" if system.confirmed else " *")) == 1
    boxed = {t.get_text().rstrip(" *") for t in drawn.axes[0].texts if t.get_bbox_patch()}
    assert boxed == {s.name for s in SYSTEMS if s.runs}
    assert style.save(drawn, tmp_path / "map.png", dpi=40).stat().st_size > 10_000
    strange = dataclasses.replace(SYSTEMS[0], warp="magic")
    with pytest.raises(ValueError, match="virtual fitting room"):
        field.field_map((strange,))
    with pytest.raises(ValueError, match="no systems"):
        field.field_map(())
