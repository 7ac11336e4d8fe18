"""Records: they come back as they were, and tables refuse to compare what is not comparable."""

import dataclasses
import json
import math

import numpy as np
import pytest

from mavton_lite import records
from mavton_lite.records import Protocol, Record, bootstrap, difference, readable, table

PROTOCOL = Protocol("unpaired", "test", 4, 64, 48, (0.0, 1.0), "ab12", "alexnet", "cd34", 2, 3, "smoke")


def record(model="ma_vton", values=(0.5, 0.6, None, 0.7), protocol=PROTOCOL, metric="ssim") -> Record:
    return Record(model, protocol, {metric: list(values)}, 2024, "abc", {"note": 1})


def test_round_trip_through_a_file(tmp_path):
    written = record()
    path = written.save(tmp_path)
    assert path.name == "smoke-unpaired-ma_vton-2024.json"
    assert records.load(path) == written
    assert records.load_all(tmp_path) == [written]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing temporary left
    summary = json.loads(path.read_text())["summary"]["ssim"]
    assert summary["mean"] == pytest.approx(0.6) and summary["n"] == 3
    assert summary["low"] <= 0.6 <= summary["high"]


TAGS = [["lettering"], ["lettering", "coat"], [], ["lettering"]]


def test_tags_are_kept_and_reported_by_case(tmp_path):
    tagged = dataclasses.replace(record(), tags=TAGS)
    path = tagged.save(tmp_path)
    assert records.load(path) == tagged
    by_case = json.loads(path.read_text())["by_case"]
    assert list(by_case) == ["lettering", "coat"], "the most frequent first"
    assert by_case["lettering"]["ssim"]["mean"] == pytest.approx(0.6) and by_case["lettering"]["ssim"]["n"] == 3
    assert tagged.interval("ssim", case="coat").mean == pytest.approx(0.6)
    assert tagged.interval("ssim", case="all") == tagged.interval("ssim") == record().interval("ssim")
    with pytest.raises(ValueError, match="ma_vton has no case 'hat'; it has lettering, coat"):
        tagged.interval("ssim", case="hat")
    assert "tags" not in record().to_json() and "by_case" not in record().to_json()


def test_a_table_by_case_has_a_row_a_case_and_record():
    a = dataclasses.replace(record(), tags=TAGS)
    b = dataclasses.replace(record("cp_vton", (0.1, 0.2, 0.3, 0.4)), tags=TAGS)
    found = records.case_table([a, b])
    assert list(found.columns) == ["case", "n", "model", "seed", "ssim", "ssim_low", "ssim_high"]
    assert found[["case", "n", "model"]].values.tolist() == [
        [case, n, model] for case, n in (("all", 4), ("lettering", 3), ("coat", 1)) for model in ("ma_vton", "cp_vton")
    ]
    assert found["ssim"].tolist() == pytest.approx([0.6, 0.25, 0.6, 0.7 / 3, 0.6, 0.2])
    with pytest.raises(ValueError, match="cp_vton: measured without tags"):
        records.case_table([a, record("cp_vton")])
    with pytest.raises(ValueError, match="cp_vton: found other tags than ma_vton has"):
        records.case_table([a, dataclasses.replace(b, tags=TAGS[::-1])])


@pytest.mark.parametrize(
    ("tags", "message"),
    [(TAGS[:3], "the tags of 3 images, wanted 4"), (["a", "b", "c", "d"], "wanted a list of names for every image"),
     ([[1], [], [], []], "wanted a list of names"), ({"a": [0]}, "wanted a list of names")],
)  # fmt: skip
def test_tags_that_are_none_are_refused(tmp_path, tags, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(record(), tags=tags)
    path = dataclasses.replace(record(), tags=TAGS).save(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tags": tags}))
    with pytest.raises(ValueError, match=rf"2024\.json: not a record \(ma_vton: .*{message}"):
        records.load(path)


def test_other_splits_have_folders_of_their_own(tmp_path):
    hard = record(protocol=dataclasses.replace(PROTOCOL, split="hard"))
    assert hard.save(tmp_path) == tmp_path / "hard" / "smoke-unpaired-ma_vton-2024.json"
    test = record()
    test.save(tmp_path)
    assert records.load_all(tmp_path) == [test] and records.load_all(tmp_path / "hard") == [hard]


def test_values_that_json_lacks_become_none(tmp_path):
    assert records.rounded([0.1234567, math.nan, math.inf]) == [0.12346, None, None]
    empty = record(values=(None,) * 4)
    assert records.load(empty.save(tmp_path)) == empty
    assert empty.interval("ssim").n == 0 and math.isnan(empty.interval("ssim").mean)


def test_broken_records_are_named(tmp_path):
    path = record().save(tmp_path)
    content = json.loads(path.read_text())
    del content["protocol"]["pairs"]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"ma_vton-2024\.json: not a record"):
        records.load(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a record"):
        records.load(path)


def first_schema() -> dict:
    """A record as it was written before there was a `schema`."""
    content = record().to_json()
    for name in ("schema", "sets", "training"):
        del content[name]
    added = ("subset", "outline_px", "parser_sha256", "set_extractor", "set_extractor_sha256", "reading")
    return content | {"protocol": {k: v for k, v in content["protocol"].items() if k not in added}}


def test_earlier_schemas_are_read_and_later_ones_refused():
    assert record().to_json()["schema"] == 3
    assert Record.from_json(first_schema()) == record()
    second = record().to_json() | {"schema": 2}
    del second["protocol"]["reading"]  # all garments were read bilinearly then
    assert Record.from_json(second) == record()
    with pytest.raises(ValueError, match="measured differently: reading 'bilinear' and 'bicubic'"):
        table([Record.from_json(second), record(protocol=dataclasses.replace(PROTOCOL, reading="bicubic"))])
    new = record("cp_vton", protocol=dataclasses.replace(PROTOCOL, outline_px=2))
    with pytest.raises(ValueError, match="measured differently: outline_px 0 and 2"):
        table([Record.from_json(first_schema()), new])
    with pytest.raises(ValueError, match="a.json: not a record .found schema 4, wanted 1 to 3"):
        Record.from_json(record().to_json() | {"schema": 4}, "a.json")


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("values", "ssim"), [0.5], "values.ssim: found 1 values, wanted one for each of 4 images"),
        (("values", "ssim"), [0.5, "x", None, 1], "values.ssim: found 'x', wanted finite numbers or null"),
        (("values", "ssim"), {}, "values.ssim: found dict"),
        (("protocol", "n"), "4", "protocol.n: found '4', wanted int"),
        (("protocol", "n"), True, "protocol.n: found 'True', wanted int"),
        (("protocol", "pairs"), "both", "protocol.pairs: found 'both', wanted 'paired' or 'unpaired'"),
        (("protocol", "mood"), 1, "protocol.mood: unknown, wanted one of pairs, split"),
        (("sets", "kd_lite0"), {"mean": 1}, "sets.kd_lite0: found"),
        (("seed",), "x", "seed: found 'x', wanted int"),
        (("training",), [], "training: found"),
    ],
)
def test_a_record_that_is_not_sound_is_told_where(where, value, message):
    content = json.loads(json.dumps(record().to_json()))
    inner = content
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(ValueError, match=message):
        Record.from_json(content)


def test_numbers_of_the_whole_set_are_kept_and_stand_in_tables(tmp_path):
    sets = {"kd_lite0": records.Interval(0.5, 0.25, 0.75, 4), "is_lite0": records.Interval(2.0, math.nan, math.nan, 4)}
    written = dataclasses.replace(record(), sets=sets, tags=TAGS, training={"steps": 9})
    found = records.load(written.save(tmp_path))
    assert found.sets["kd_lite0"] == sets["kd_lite0"] and math.isnan(found.sets["is_lite0"].low)
    assert found.training == {"steps": 9}
    numbers = table([found, record("cp_vton")], ["kd_lite0", "ssim"])
    assert numbers["kd_lite0"][0] == 0.5 and numbers["kd_lite0_high"][0] == 0.75 and math.isnan(numbers["kd_lite0"][1])
    assert "kd_lite0" in table([found]).columns
    by_case = records.case_table([found], ["kd_lite0"])
    assert by_case["kd_lite0"][0] == 0.5 and by_case["kd_lite0"][1:].isna().all(), "a case is no whole set"


def test_subsets_have_folders_of_their_own_and_do_not_mix(tmp_path):
    clean = record(protocol=dataclasses.replace(PROTOCOL, subset="leak-free"))
    assert clean.save(tmp_path) == tmp_path / "leak-free" / "smoke-unpaired-ma_vton-2024.json"
    with pytest.raises(ValueError, match="subset 'all' and 'leak-free'"):
        table([record("cp_vton"), clean])


def test_budgets_do_not_mix():
    short, long = (dataclasses.replace(record(f"m{n}"), training={"steps": n}) for n in (800, 2600))
    floor = record("copy_person")
    assert records.same_budget([floor, short]) == 800 and records.same_budget([floor]) is None
    with pytest.raises(ValueError, match="m800 800, m2600 2,600; wanted one budget"):
        records.same_budget([floor, short, long])


def test_bootstrap_interval_has_the_width_of_the_normal_one():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = bootstrap(values)
    half = 1.96 * values.std() / 20  # of a mean of 400
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(found.mean - half, abs=0.03)
    assert found.high == pytest.approx(found.mean + half, abs=0.03)
    assert bootstrap(values) == found and bootstrap(values, seed=1) != found
    assert bootstrap(np.full(5, 2.0)) == records.Interval(2.0, 2.0, 2.0, 5)


def test_a_paired_difference_sees_what_two_intervals_cannot():
    hard = np.random.default_rng(0).uniform(0.3, 0.9, 100)  # images differ far more than models do
    a = Record("a", PROTOCOL, {"ssim": (hard + 0.01).tolist()}, 1, "c")
    b = Record("b", PROTOCOL, {"ssim": hard.tolist()}, 1, "c")
    found = difference(a, b, "ssim")
    assert found.low == pytest.approx(0.01) and found.high == pytest.approx(0.01)
    assert a.interval("ssim").low < b.interval("ssim").high
    two = Record("c", PROTOCOL, {"epe": [1.0, 2.0], "bound": [3.0, 3.0]}, 1, "c")
    assert difference(two, two, "epe", "bound").mean == pytest.approx(-1.5)


@pytest.mark.parametrize(
    ("field", "value"), [("pairs", "paired"), ("n", 5), ("extractor_sha256", "x"), ("images", "y"), ("profile", "lite")]
)
def test_mixed_protocols_are_refused_by_name(field, value):
    other = record("cp_vton", protocol=dataclasses.replace(PROTOCOL, **{field: value}))
    with pytest.raises(ValueError, match=rf"ma_vton and cp_vton were measured differently: {field} "):
        table([record(), other])
    with pytest.raises(ValueError, match=field):
        difference(record(), other, "ssim")


def test_tables_have_a_row_a_record_and_leave_gaps():
    epe = record("gmm", (3.0, 5.0, 4.0, 4.0), metric="epe")
    numbers = table([record(), epe])
    assert list(numbers.columns) == [
        "model", "seed", "ssim", "ssim_low", "ssim_high", "epe", "epe_low", "epe_high",
    ]  # fmt: skip
    assert numbers["ssim"][0] == pytest.approx(0.6) and math.isnan(numbers["ssim"][1])
    assert numbers["epe"][1] == pytest.approx(4.0)
    text = readable([record(), epe], ["epe"], digits=1)
    assert text["epe"].tolist()[0] == "" and text["epe"][1].startswith("4.0 [")
    with pytest.raises(ValueError, match="no records"):
        table([])
    with pytest.raises(ValueError, match="has no metric 'psnr'; it has ssim"):
        record().array("psnr")
