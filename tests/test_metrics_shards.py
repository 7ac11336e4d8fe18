"""An evaluation in parts ends with the record of an undivided one, to the last digit."""

import json

import pytest
from worlds import write_viton

from mavton_lite.config import SMOKE
from mavton_lite.data import open_dataset
from mavton_lite.metrics import (
    Evaluation,
    SetDistance,
    copy_person,
    evaluate,
    evaluate_shard,
    paste_flat_cloth,
    read_shard,
)


@pytest.fixture
def dataset(tmp_path):
    return open_dataset(write_viton(tmp_path / "world", 2, 10, truth=True), "test", "unpaired", SMOKE.size)


def test_the_joined_record_is_that_of_one_evaluation(dataset, tmp_path):
    how = {"model": "m", "profile": SMOKE, "protocol": "unpaired", "batch": 2, "learned": False}
    how["sets"] = SetDistance("lite0")
    whole = evaluate(paste_flat_cloth, dataset, **how)
    parts, weights = tmp_path / "parts", "a digest"
    evaluation = Evaluation(dataset, **how)
    for shard in ((2, 3), (3, 3), (3, 3)):
        assert evaluate_shard(paste_flat_cloth, evaluation, shard, parts, weights) is None
    assert evaluate_shard(paste_flat_cloth, evaluation, (1, 3), parts, "other weights") is None  # not joined
    joined = evaluate_shard(paste_flat_cloth, evaluation, (1, 3), parts, weights)
    assert json.dumps(joined.to_json()) == json.dumps(whole.to_json())
    assert len(list(parts.glob("*.safetensors"))) == 1  # that of the other weights


def test_more_parts_than_batches_and_the_first_images_only(dataset, tmp_path):
    how = {"model": "m", "profile": SMOKE, "protocol": "unpaired", "batch": 4, "learned": False, "limit": 5}
    found = [evaluate_shard(copy_person, Evaluation(dataset, **how), (k, 4), tmp_path, None) for k in (4, 3, 2, 1)]
    assert found[:3] == [None] * 3 and found[3] == evaluate(copy_person, dataset, **how)


def test_a_shard_is_one_of_so_many():
    assert read_shard("1/4") == (1, 4) and read_shard("4/4") == (4, 4)
    for text in ("0/4", "5/4", "1", "1/0", "a/b", "1/4/2", "-1/4", ""):
        with pytest.raises(ValueError, match="wanted K/N such as 1/4"):
            read_shard(text)


def test_a_part_that_is_none_is_told(dataset, tmp_path):
    how = {"model": "m", "profile": SMOKE, "protocol": "unpaired", "learned": False, "limit": 2, "batch": 1}
    evaluate_shard(copy_person, Evaluation(dataset, **how), (1, 2), tmp_path, None)
    (part,) = tmp_path.glob("*1-of-2.safetensors")
    part.write_bytes(b"half")
    with pytest.raises(ValueError, match="1-of-2.safetensors"):
        evaluate_shard(copy_person, Evaluation(dataset, **how), (2, 2), tmp_path, None)
