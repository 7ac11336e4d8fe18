"""Worlds on disk: the same bytes however they are written, and everything that is known reaches reader and record."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from drawn_world import drawn_pair
from worlds import write_viton

from mavton_lite import records
from mavton_lite.config import PAPER, SEED, SMOKE
from mavton_lite.data import Cached, open_dataset
from mavton_lite.data.atelier import Stage, garment_of, person_of, write
from mavton_lite.data.atelier.example import SPLITS, World, keypoints_of, stream_of
from mavton_lite.data.atelier.layer import see
from mavton_lite.data.atelier.render import PARTS
from mavton_lite.data.atelier.tags import HARD, is_hard
from mavton_lite.data.atelier.write import write_world
from mavton_lite.data.check import check
from mavton_lite.data.decode import read_body
from mavton_lite.data.facts import read_facts
from mavton_lite.data.sample import COCO18
from mavton_lite.metrics import copy_person, evaluate
from mavton_lite.world import counts, put_aside


def small_world(root: Path, n_train: int = 8, n_test: int = 4, **settings) -> Path:
    """The folder of a world of 64 x 48 px."""
    settings = {"seed": 5, "workers": 1, "progress": False} | settings
    return write_world(root, n_train, n_test, 64, 48, **settings).parent


def digests(root: Path) -> dict[str, str]:
    """Of every file but the journals, which name the order of the work."""
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file() and not p.name.startswith("journal")
    }


@pytest.fixture
def drawn(monkeypatch):
    """Pairs drawn in no time; the list of those that were asked for."""
    asked = []
    monkeypatch.setattr(write, "draw_pair", lambda *a: asked.append(a[1:]) or drawn_pair(*a))
    return asked


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A world of all four splits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "draw_pair", drawn_pair)
        return small_world(tmp_path_factory.mktemp("world"), 4, 6, n_val=2, n_hard=4)


def test_every_part_of_an_example_has_a_generator_of_its_own():
    draws = {
        (split, index, name, attempt): stream_of(7, split, index, attempt)(name).random()
        for split in SPLITS for index in (0, 1) for name in ("hair", "pose") for attempt in (0, 1)
    }  # fmt: skip
    assert len(set(draws.values())) == len(draws)
    assert stream_of(7, "test", 1)("hair").random() == draws["test", 1, "hair", 0], "asking twice gives the same"
    assert SPLITS[:2] == ("train", "test"), "their places are part of the seed"
    with pytest.raises(ValueError, match="split: found 'dev', wanted one of train, test, val, hard"):
        stream_of(7, "dev", 0)


def test_a_world_that_was_killed_goes_on_to_the_same_bytes(tmp_path, drawn):
    whole = digests(small_world(tmp_path / "whole", 40))
    root = tmp_path / "cut"
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("drawn_world.py")), str(root)])
    try:
        journal, deadline = root / "journal.jsonl", time.monotonic() + 60
        while time.monotonic() < deadline and not (journal.exists() and journal.read_bytes().count(b"\n") > 5):
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (root / "manifest.json").exists()
    finished = journal.read_bytes().count(b"\n") - 1
    assert 4 < finished < 44
    with journal.open("a") as log:
        log.write('{"split": "train", "ind')  # what a crash in the middle of a line leaves
    (root / "train/pose/.000009_0_keypoints.json.1.tmp").write_text("{")  # and in the middle of a file
    (root / "train/cloth/000000_1.jpg").unlink()  # what a disk may lose
    drawn.clear()
    assert digests(small_world(root, 40)) == whole
    assert len(drawn) == (44 - finished) // 2 + 1 and ("train", 0) in drawn
    drawn.clear()
    small_world(root, 40)
    assert not drawn


def test_a_world_can_grow(tmp_path, drawn):
    root = small_world(tmp_path / "grown", 4)
    drawn.clear()
    small_world(root, 8, n_val=2)
    assert drawn == [("train", 2), ("train", 3), ("val", 0)]
    assert digests(root) == digests(small_world(tmp_path / "whole", 8, n_val=2))


def test_parts_together_are_the_world(tmp_path, drawn):
    counts = {"n_train": 14, "n_test": 4, "n_hard": 2}
    whole = digests(small_world(tmp_path / "whole", **counts))
    drawn.clear()
    shared = tmp_path / "shared"
    for part in (3, 1, 2):
        assert not (shared / "manifest.json").exists()
        small_world(shared, **counts, shard=(part, 3))
    assert len(drawn) == 10 and len(set(drawn)) == 10, "every pair once"
    assert digests(shared) == whole
    apart = [small_world(tmp_path / f"part{k}", **counts, shard=(k, 2)) for k in (1, 2)]
    assert not any((root / "manifest.json").exists() for root in apart)
    shutil.copytree(apart[1], apart[0], dirs_exist_ok=True)
    drawn.clear()
    assert digests(small_world(apart[0], **counts)) == whole
    assert not drawn, "nothing is left but to put the parts together"
    with pytest.raises(ValueError, match="shard: found 4/3, wanted i/n"):
        small_world(shared, **counts, shard=(4, 3))


def test_parts_of_different_worlds_do_not_mix(tmp_path, drawn):
    small_world(tmp_path, shard=(1, 2))
    with pytest.raises(ValueError, match=r"journal-1-of-2\.jsonl: holds the world"):
        small_world(tmp_path, shard=(2, 2), look="randomised")


def test_memory_does_not_grow_with_the_number_of_examples(tmp_path, drawn):
    def peak(n: int) -> int:
        tracemalloc.start()
        try:
            small_world(tmp_path / str(n), n, 2)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)  # what is allocated once
    few, many = peak(8), peak(64)
    assert many - few < 64 * 2_000, "no more than a line or two an example, where a picture alone is 64 x 48 x 3 floats"


def test_pairs_are_handed_out_a_few_at_a_time(tmp_path, monkeypatch):
    handed_out, most = [], [0]

    class Pool:
        """Does a job when it is waited for."""

        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, job, *arguments):
            handed_out.append(future := Future())
            future.work = lambda: future.set_result(job(*arguments))
            most[0] = max(most[0], len(handed_out))
            return future

    def wait(waiting, return_when):
        first = handed_out.pop(0)
        first.work()
        return {first}, waiting - {first}

    monkeypatch.setattr(write, "draw_pair", drawn_pair)
    monkeypatch.setattr(write, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(write, "wait", wait)
    root = small_world(tmp_path / "pool", 60, workers=2)
    assert 2 < most[0] <= 10
    assert digests(root) == digests(small_world(tmp_path / "here", 60))


def test_what_a_full_disk_leaves_is_whole(tmp_path, monkeypatch, drawn):
    calls, real = [], os.replace

    def full(source, target):
        calls.append(target)
        if len(calls) > 25:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left on device; once that is mended, the same command goes on"):
        small_world(tmp_path / "full")
    assert not list((tmp_path / "full").rglob("*.tmp"))
    monkeypatch.setattr(os, "replace", real)
    assert digests(small_world(tmp_path / "full")) == digests(small_world(tmp_path / "whole"))


def test_the_manifest_names_the_world_and_refuses_another(tmp_path, drawn):
    root = small_world(tmp_path, look="randomised", options=("dresses", "coats"), n_hard=2)
    manifest = json.loads((root / "manifest.json").read_text())
    assert manifest["world"] == {
        "version": write.VERSION, "seed": 5, "height": 64, "width": 48, "look": "randomised",
        "options": ["coats", "dresses"],
    }  # fmt: skip
    assert manifest["counts"] == {"train": 8, "test": 4, "hard": 2} and not (root / "val").exists()
    assert manifest["bytes"] == sum(p.stat().st_size for s in manifest["counts"] for p in (root / s).glob("*/**/*.*"))
    assert tuple(manifest["parts"]) == PARTS
    same = {"look": "randomised", "options": ("coats", "dresses"), "n_hard": 2}
    small_world(root, **same)
    for other in ({"look": "studio"}, {"options": ("coats",)}, {"seed": 6}):
        with pytest.raises(ValueError, match=r"manifest\.json: holds the world .* wanted .* choose another folder"):
            small_world(root, **(same | other))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_train": 7}, "train: found 7 examples, wanted an even number, at least 2.*the next is 8"),
        ({"n_test": 0}, "test: found 0 examples"),
        ({"n_hard": -2}, "hard: found -2 examples.*the next is 0"),
        ({"look": "night"}, "look: found 'night', wanted one of studio, randomised"),
        ({"options": ("hats",)}, "options: found hats, wanted some of coats, dresses"),
    ],
)
def test_worlds_that_cannot_be_are_refused(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        small_world(tmp_path / "none", **wrong)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("height", "width"), [(64, 64), (72, 54), (0, 0), (256, 193)])
def test_sizes_are_4_to_3_and_whole_after_halvings(height, width):
    with pytest.raises(ValueError, match=f"size: found {height} x {width}, wanted height : width = 4 : 3"):
        World(1, height, width)


def test_profiles_have_all_splits_in_pairs():
    assert counts(PAPER) == {"train": 14_222, "test": 2_032, "val": 500, "hard": 500}
    assert counts(SMOKE) == {"train": 48, "test": 16, "val": 8, "hard": 8}


def test_an_earlier_versions_world_is_put_aside(tmp_path, drawn, monkeypatch):
    old = tmp_path / "atelier"
    old.mkdir()
    (old / "manifest.json").write_text('{"world": {"version": 1, "seed": 5, "height": 64, "width": 48}, "counts": {}}')
    with pytest.raises(ValueError, match="holds the world"):
        small_world(old)
    assert put_aside(old) == tmp_path / "atelier-v1" and not old.exists()
    new = digests(small_world(old))
    assert put_aside(old) is None and digests(old) == new
    for name, content in (("manifest.json", "{"), ("journal.jsonl", "[1]\n")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(content)
        assert put_aside(folder) is None and (folder / name).read_text() == content, "not ours to touch"


def test_all_splits_are_read(world):
    assert check(world) == []
    assert (world / "hard_pairs.txt").read_text().splitlines()[2:] == [
        "000002_0.jpg 000003_1.jpg", "000003_0.jpg 000002_1.jpg",
    ]  # fmt: skip
    for split, n in (("train", 4), ("test", 6), ("val", 2), ("hard", 4)):
        for pairs in ("paired", "unpaired"):
            dataset = open_dataset(world, split, pairs, (64, 48))
            assert len(dataset) == n and {"truth_image", "truth_warp"} <= dataset[0].keys()
            person, cloth = dataset.examples[1]
            assert (person, cloth) == ("000001_0.jpg", "000001_1.jpg" if pairs == "paired" else "000000_1.jpg")


def test_depth_and_parts_come_back(world):
    for example in drawn_pair(World(5, 64, 48), "hard", 1):
        depth, part = read_body(world / f"hard/body-truth/{example.index:06d}_0.npz")
        np.testing.assert_array_equal(part, example.part)
        true = example.own.depth - example.own.depth.min()
        np.testing.assert_array_equal(np.isnan(depth), np.isinf(true))
        assert np.abs(depth - true)[np.isfinite(true)].max() <= 0.00051  # half a millimetre


def test_broken_truths_and_facts_are_found(world, tmp_path):
    root = Path(shutil.copytree(world, tmp_path / "broken"))
    (root / "test/body-truth/000001_0.npz").unlink()
    np.savez(root / "val/body-truth/000000_0.npz", depth=np.zeros((64, 48)), part=np.zeros((64, 48), np.uint8))
    lines = (root / "hard/examples.jsonl").read_text().splitlines()
    (root / "hard/examples.jsonl").write_text("\n".join([lines[0], '{"index": 1}', *lines[2:]]))
    (root / "test/examples.jsonl").write_text("\n".join(lines[:2]) + "\n")
    found = {p.path: str(p) for p in check(root)}
    assert set(found) == {
        "hard/examples.jsonl", "test/body-truth/000001_0.npz", "test/examples.jsonl", "val/body-truth/000000_0.npz",
    }  # fmt: skip
    assert "in line 2, wanted facts" in found["hard/examples.jsonl"]
    assert "found 2 examples, wanted 6" in found["test/examples.jsonl"]
    assert "found float64 of shape (64, 48)" in found["val/body-truth/000000_0.npz"]
    with pytest.raises(ValueError, match=r"hard/examples\.jsonl: found .* in line 2, wanted facts"):
        open_dataset(root, "hard", "paired", (64, 48))
    with pytest.raises(ValueError, match=r"test/examples\.jsonl: found 2 examples, wanted one for 000002_0"):
        open_dataset(root, "test", "paired", (64, 48))


def test_tags_reach_sample_batch_and_record(world, tmp_path):
    facts = list(read_facts(world / "test/examples.jsonl"))
    assert [f["index"] for f in facts] == list(range(6)) and facts[1]["person"]["arms"] == ["down", "front"]
    dataset = open_dataset(world, "test", "unpaired", SMOKE.size)
    assert [dataset[i]["tags"] for i in (0, 1)] == [["lettering"], ["plain", "arm in front"]]
    assert open_dataset(world, "test", "paired", SMOKE.size)[0]["tags"] == ["plain"]
    assert Cached(dataset).batch([1, 3])["tags"] == [["plain", "arm in front"], ["lettering"]]

    def unprompted(batch: dict):
        assert "tags" not in batch, "the answer depends on nothing that a photograph would not tell"
        return copy_person(batch)

    settings = {"model": "copy_person", "profile": SMOKE, "protocol": "unpaired", "learned": False, "batch": 4}
    found = evaluate(unprompted, dataset, **settings)
    assert found.tags == [f["tags"]["unpaired"] for f in facts]
    assert {k: v.sum() for k, v in found.cases.items()} == {"arm in front": 4, "plain": 4, "lettering": 2}
    lettering = found.array("ssim")[[0, 3]]
    assert found.interval("ssim", case="lettering").mean == pytest.approx(lettering.mean())
    table = records.case_table([found], ["ssim"]).set_index("case")
    assert table["n"].to_dict() == {"all": 6, "arm in front": 4, "plain": 4, "lettering": 2}
    assert table.loc["lettering", "ssim"] == pytest.approx(lettering.mean())
    again = records.load(found.save(tmp_path))
    assert again == found
    hard = evaluate(unprompted, open_dataset(world, "hard", "unpaired", SMOKE.size), **settings)
    assert hard.save(tmp_path) == tmp_path / "hard" / "smoke-unpaired-copy_person-2024.json"
    assert records.load_all(tmp_path) == [found], "another split is no part of the same table"
    plain = open_dataset(write_viton(tmp_path / "viton", 2, 2, truth=True), "test", "unpaired", SMOKE.size)
    assert "tags" not in plain[0] and evaluate(unprompted, plain, **settings).tags is None


def test_hard_cases_are_all_hard():
    indices = range(6)
    for i in indices:
        person, own, new = person_of(3, "hard", i), garment_of(3, "hard", i), garment_of(3, "hard", i ^ 1)
        assert is_hard(person, own, new)
    easy = [is_hard(person_of(3, "test", i), garment_of(3, "test", i), garment_of(3, "test", i ^ 1)) for i in indices]
    assert not all(easy), "elsewhere nobody chooses"
    assert len(HARD) > 1


def test_a_key_point_is_hidden_where_something_else_is_nearer():
    """Against a depth of its own: the body alone, seen again, and the joints' places in it."""
    hidden = seen = 0
    for i in range(24):
        stage = Stage(person_of(SEED, "train", i), 64, 48)
        points, body = keypoints_of(stage), stage.body
        skin = see(stage.camera, stage.person.vertices, body.faces["body"], np.zeros(len(body.canonical)))
        for side in ("left", "right"):
            x, y, confidence = points[COCO18.index(f"{side} wrist")]
            if confidence == 0:
                continue
            column, row, depth = stage.camera.project(stage.person.keypoints[f"{side}_wrist"])
            near = stage.part[max(round(y) - 1, 0) : round(y) + 2, max(round(x) - 1, 0) : round(x) + 2]
            own = {f"{side} lower arm", f"{side} hand"} & {PARTS[k] for k in near.ravel()}
            at = round(row), round(column)
            if confidence == 1:
                seen += 1
                assert own, f"{side} wrist of person {i}"
            else:
                hidden += 1
                assert min(skin.depth[at], stage.depth[at]) < depth - 0.05
                assert PARTS[stage.part[round(y), round(x)]] not in own or stage.depth[at] < skin.depth[at] - 0.05
    assert seen > 15 and hidden
