"""Quoted numbers: every one has its source, and ours stand beside them only where they mean the same."""

import dataclasses

import pytest

from mavton_lite.quoted import COLUMNS, QUOTED, beside_ours, spread
from mavton_lite.records import Interval, Protocol, Record

PROTOCOL = Protocol("paired", "test", 2, 128, 96, (0.0, 1.0), "ab", "alexnet", "cd", 2, 3, "lite")


def record(**changes) -> Record:
    values = {"ssim": [0.8, 0.9], "lpips": [0.1, 0.3], "psnr": [20.0, 21.0]}
    return dataclasses.replace(Record("cp_vton", PROTOCOL, values, 1, "c"), **changes)


def test_every_quoted_number_has_a_source_and_a_sane_size():
    for q in QUOTED:
        assert len(q.source) > 10, q
        found = {k: getattr(q, k) for k in COLUMNS if getattr(q, k) is not None}
        assert found, q
        for key, (low, high) in {"ssim": (0.5, 1), "lpips": (0, 0.5), "inception": (2, 4), "fid": (5, 100)}.items():
            assert key not in found or low < found[key] < high, q


def test_one_method_has_many_numbers():
    assert spread("CP-VTON", "ssim") == (0.698, 0.784) and spread("CP-VTON", "fid") == (20.331, 24.43)
    with pytest.raises(ValueError, match="no psnr of 'VITON' is quoted"):
        spread("VITON", "psnr")


def test_ours_stand_below_with_their_protocol():
    sets = {"is_lite0": Interval(9.0, 8.0, 10.0, 2), "fid": Interval(12.345, 12.0, 13.0, 2)}
    found = beside_ours([record(), record(model="copy_person"), record(model="ma_vton", sets=sets)],
                        {"cp_vton": "CP-VTON", "ma_vton": "MA-VTON"})  # fmt: skip
    assert len(found) == len(QUOTED) + 2
    ours, best = found.iloc[-2], found.iloc[-1]
    assert ours["SSIM ↑"] == "0.850" and ours["LPIPS ↓"] == "0.200" and ours["source"] == "measured here"
    assert ours["on"] == "lite, 128 × 96, n = 2" and ours["FID ↓"] == ""
    assert best["FID ↓"] == "12.35" and best["IS ↑"] == "", "IS-lite0 is no IS"
    assert found["source"].str.startswith("quoted: ").sum() == len(QUOTED)
    assert found["source"].str.contains("unconfirmed").sum() == sum(not q.seen for q in QUOTED) > 0
    with pytest.raises(ValueError, match="found unpaired records, wanted paired"):
        beside_ours([record(protocol=dataclasses.replace(PROTOCOL, pairs="unpaired"))], {})
