"""VITON's leak: the list, who is told apart, and results for both from a folder in VITON's layout."""

import pytest
from trainings import shortened
from worlds import write_viton, write_viton_hd

from mavton_lite import records
from mavton_lite.cli import main
from mavton_lite.config import SMOKE
from mavton_lite.data import open_dataset
from mavton_lite.data.leak_free import LIST, leak_free, leak_free_people
from mavton_lite.metrics import SetDistance, copy_person, evaluate
from mavton_lite.train import fit


@pytest.fixture(scope="module")
def viton(tmp_path_factory):
    """A folder as VITON's, drawn: of its 60 test people two are on the list, 000038_0 and 000057_0."""
    return write_viton(tmp_path_factory.mktemp("viton"), 6, 60)


def test_the_list_has_the_416_people_and_says_where_it_is_from():
    people = leak_free_people()
    assert len(people) == 416 and all(len(p) == 8 and p.endswith("_0") and p[:6].isdecimal() for p in people)
    head = [line for line in LIST.read_text().splitlines() if line.startswith("#")]
    assert "DM-VTON" in " ".join(head) and "416" in head[0]


def test_only_vitons_test_split_has_a_leak_free_part(viton, tmp_path):
    for pairs in ("paired", "unpaired"):
        whole = open_dataset(viton, "test", pairs, SMOKE.size)
        part = leak_free(whole)
        assert [part[i]["name"] for i in range(len(part))] == ["000038_0", "000057_0"]
        assert part.subset == "leak-free" and part.dataset is whole
    assert leak_free(open_dataset(viton, "train", "paired", SMOKE.size)) is None
    assert leak_free(open_dataset(write_viton(tmp_path / "few", 2, 4), "test", "paired", SMOKE.size)) is None
    assert leak_free(open_dataset(write_viton_hd(tmp_path / "hd"), "test", "paired", SMOKE.size)) is None


def test_the_ateliers_people_are_not_vitons(viton, tmp_path):
    atelier = write_viton(tmp_path / "atelier", 2, 60)
    (atelier / "manifest.json").write_text("{}")
    assert leak_free(open_dataset(atelier, "test", "paired", SMOKE.size)) is None


def test_both_are_measured_and_never_mixed(viton):
    whole = open_dataset(viton, "test", "paired", SMOKE.size)
    part, settings = leak_free(whole), {"model": "m", "profile": SMOKE, "protocol": "paired", "learned": False}
    everyone, clean = (evaluate(copy_person, d, **settings) for d in (whole, part))
    assert (everyone.protocol.n, clean.protocol.n) == (60, 2)
    assert (everyone.protocol.subset, clean.protocol.subset) == ("all", "leak-free")
    assert clean.array("ssim").tolist() == everyone.array("ssim")[[38, 57]].tolist()
    with pytest.raises(ValueError, match="measured differently: n 60 and 2; images"):
        records.table([everyone, clean])


def test_unpaired_without_truth_the_sets_are_compared(viton):
    part = leak_free(open_dataset(viton, "test", "unpaired", SMOKE.size))
    found = evaluate(copy_person, part, model="m", profile=SMOKE, protocol="unpaired", sets=SetDistance("lite0"))
    assert not found.values and found.sets["kd_lite0"].n == 2


def test_the_command_reports_both(viton, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mavton_lite.commands.get_profile", lambda name: shortened(2))
    for name in ("gmm", "cp_vton"):
        fit(name, shortened(2), viton, tmp_path / "out", device="cpu", progress=False)
    where = ["--data", str(viton), "--out", str(tmp_path / "out"), "--records", str(tmp_path / "records")]
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "cp_vton", "--profile", "smoke", "--sets", "lite0", *where])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert "unpaired test, 60 images\n" in out and "unpaired test, 2 images (leak-free: of people" in out
    assert "kd_lite0" in out and " fid" not in out
    monkeypatch.setenv("MAVTON_INCEPTION", str(tmp_path / "nothing.pth"))
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "cp_vton", "--profile", "smoke", "--pairs", "paired", *where])
    out, told = capsys.readouterr()
    assert ended.value.code == 0 and "paired test, 2 images (leak-free" in out and "kd_lite0" not in out
    assert "no distances of sets: " in told and "nothing.pth" in told
    assert records.load(tmp_path / "records" / "leak-free" / "smoke-unpaired-cp_vton-2024.json").protocol.n == 2
