"""The study: equal budgets, runs that go on where they stopped, and nothing mixed."""

import dataclasses
import json
import shutil

import pytest
from trainings import shortened
from worlds import write_viton

from mavton_lite import records, study
from mavton_lite.cli import main
from mavton_lite.config import LITE, PAPER, SMOKE
from mavton_lite.data import Cached, open_dataset
from mavton_lite.experiments import EXPERIMENTS
from mavton_lite.feed import feed, kept_open
from mavton_lite.models.summary import count_parameters
from mavton_lite.stages import build_network
from mavton_lite.study import pictures, plan, run
from mavton_lite.study.cost import forward_cost, measure_steps
from mavton_lite.study.report import ablation_numbers, report


def brief():
    """Smoke with every stage cut to a few steps."""
    profile = shortened(3)
    stages = ("train_coarse", "train_refine", "train_parse")
    return dataclasses.replace(
        profile, **{s: dataclasses.replace(getattr(profile, s), steps=2, batch=2) for s in stages}
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_viton(tmp_path_factory.mktemp("world"), 7, 4, truth=True)


def a_study(data, root, steps=3, **changes) -> run.Study:
    profile = brief()
    return run.Study(
        profile, plan.budgeted(profile, steps), data, root / "checkpoints", root / "runs", root / "records", **changes
    )


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """A study of two models and two seeds."""
    done = a_study(data, tmp_path_factory.mktemp("study"), shown=1)
    assert [o.how for o in run.run_study(done, ["cp_vton", "viton"], [1, 2])] == ["made"] * 6
    return done


# --- which runs, how long


@pytest.mark.parametrize("profile", [SMOKE, LITE, PAPER])
def test_every_try_on_trains_equally_long(profile):
    for steps in (None, 50):
        cut = plan.budgeted(profile, steps)
        wanted = profile.train_tom.steps if steps is None else steps
        assert {plan.budget_of(name, cut) for name in plan.EVERYTHING} == {wanted}
        assert cut.name == f"{profile.name}-{wanted}" and cut.train_gmm == profile.train_gmm
        assert cut.reading == "bilinear", "as in the released records"
        share = cut.train_refine.steps / wanted
        assert share == pytest.approx(
            profile.train_refine.steps / (profile.train_refine.steps + profile.train_coarse.steps), abs=0.02
        )
    assert plan.budgeted(profile, 2).train_refine.steps == plan.budgeted(profile, 2).train_coarse.steps == 1
    with pytest.raises(ValueError, match="found 1 steps, wanted at least 2"):
        plan.budgeted(profile, 1)


def test_groups_of_experiments():
    assert plan.chosen() == plan.EVERYTHING and len(set(plan.EVERYTHING)) == len(plan.EVERYTHING)
    assert set(plan.EVERYTHING) <= set(EXPERIMENTS) and len(plan.SEEDS) == len(set(plan.SEEDS)) >= 3
    assert plan.chosen(["baselines"]) == ("viton", "cp_vton", "cp_vton_plus", "ma_vton")
    assert plan.chosen(["cp_vton", "loss", "cp_vton"])[:2] == ("cp_vton", "cp_vton_gan")
    assert set(plan.chosen(["baselines", "ablations"])) == set(plan.EVERYTHING)
    with pytest.raises(ValueError, match="unknown experiment 'cp'"):
        plan.chosen(["cp"])
    with pytest.raises(ValueError, match="gmm is no try-on network"):
        plan.chosen(["gmm"])


# --- running


def test_every_run_leaves_a_record(made, data):
    found = study.read_study(made.records)
    assert {(r.model, r.seed) for r in found if r.training} == {(m, s) for m in ("cp_vton", "viton") for s in (1, 2)}
    assert {r.model for r in found if not r.training} == set(run.FLOORS)
    rules = records.same_protocol(found)
    assert rules.profile == "smoke-3" and len(rules.parser_sha256) == 64 and rules.set_extractor == "lite0"
    assert records.same_budget(found) == 3
    assert study.title(found) == "smoke, 3 steps, 2 seeds, 4 images, unpaired test"
    tom = study.by_model(found)["cp_vton"][1]
    assert set(tom.values) <= set(run.CHIEF) and {"boundary_f", "ciede2000", "mae_arms"} <= set(tom.values)
    assert tom.training["parameters"] == count_parameters(build_network(EXPERIMENTS["cp_vton"], made.budget))
    assert tom.training["multiply_adds"] > 1e6 and tom.training["batch"] == 4 and tom.training["seconds"] > 0
    assert tom.array("ssim").tolist() != study.by_model(found)["cp_vton"][2].array("ssim").tolist(), "seeds differ"
    size = sum(p.stat().st_size for p in made.records.glob("*.json"))
    assert size < 6 * 3000, "without what can be computed"


def test_the_first_seed_leaves_pictures(made):
    strips = pictures.read(made.pictures, ["cp_vton", "viton", "tom_se"], 48)
    assert list(strips) == ["person", "flat cloth", "cp_vton", "viton", "truth"], "what was not run is left out"
    examples = run._pictures(made.data, "test", SMOKE.size)
    batch = examples.batch(list(pictures.shown(examples).values()))
    assert pictures.cases_of(made.pictures) == list(pictures.shown(examples))
    for name, key in (("person", "image"), ("truth", "truth_image")):
        wanted = (batch[key] + 1) / 2
        assert strips[name].shape == wanted.shape == (4, 3, 64, 48)
        assert (strips[name] - wanted).abs().mean() < 0.02
    with pytest.raises(ValueError, match="found a strip 192 px wide, wanted pictures of 50 px"):
        pictures.read(made.pictures, [], 50)


def test_examples_are_shown_by_a_rule_that_knows_no_result(atelier):
    examples = Cached(open_dataset(atelier, "test", "unpaired", SMOKE.size))
    found = pictures.shown(examples)
    assert found and len(set(found.values())) == len(found)
    for case, i in found.items():
        tagged = [k for k in range(len(examples)) if case in examples.dataset.words(k)["tags"]]
        assert i in tagged and all(k in found.values() for k in tagged if k < i)


def test_what_is_there_is_kept(made, monkeypatch):
    shutil.rmtree(made.folder(1))  # the records alone will do
    monkeypatch.setattr("mavton_lite.train.fabric_for", lambda *a: pytest.fail("trained again"))
    before = {p: p.stat().st_mtime_ns for p in made.records.glob("*.json")}
    monkeypatch.setattr(run.metrics, "evaluate", lambda *a, **k: pytest.fail("measured again"))
    assert {o.how for o in run.run_study(made, ["cp_vton", "viton"], [1, 2])} == {"there"}
    assert {p: p.stat().st_mtime_ns for p in made.records.glob("*.json")} == before


def test_another_length_is_another_study(made, data):
    longer = dataclasses.replace(made, budget=plan.budgeted(made.profile, 4))
    assert run.run_one(longer, "cp_vton", 1).how == "made"
    assert longer.folder(1) != made.folder(1) and longer.path("cp_vton", 1) != made.path("cp_vton", 1)
    with pytest.raises(ValueError, match="budgets smoke-3, smoke-4, wanted the records of one"):
        study.read_study(made.records)
    assert {r.protocol.profile for r in study.read_study(made.records, "smoke-4")} == {"smoke-4"}
    longer.path("cp_vton", 1).unlink()


def test_a_changed_setting_makes_the_record_anew(made):
    other = dataclasses.replace(made.budget, loss=dataclasses.replace(made.budget.loss, l1=0.5))
    with pytest.warns(UserWarning, match="holds a training with another settings.loss.l1"):
        assert run.run_one(dataclasses.replace(made, budget=other), "cp_vton", 2).how == "made"
    with pytest.warns(UserWarning, match="holds a training"):
        assert run.run_one(made, "cp_vton", 2).how == "made"


def test_an_interrupted_run_goes_on(made, data, tmp_path, monkeypatch):
    broken = dataclasses.replace(made, runs=tmp_path / "runs", records=tmp_path / "records")
    real, seen = run.fit, []

    def stopped(name, *where, **how):
        if name == "cp_vton" and not seen:
            seen.append(real(name, *where, **how, max_seconds=0))
            raise KeyboardInterrupt
        return real(name, *where, **how)

    monkeypatch.setattr(run, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        run.run_study(broken, ["cp_vton"], [1])
    assert seen[0].step == 1 and not broken.path("cp_vton", 1).exists()
    assert [o.how for o in run.run_study(broken, ["cp_vton"], [1])] == ["there", "there", "made"]
    whole, resumed = (records.load(s.path("cp_vton", 1)) for s in (made, broken))
    assert resumed.values == whole.values, "as if it had never stopped"


def test_a_training_that_explodes_ends_its_run_only(made, tmp_path, capsys):
    wild = dataclasses.replace(made.budget.train_tom, lr=1e30, schedule="constant")
    broken = dataclasses.replace(
        made, runs=tmp_path / "runs", records=tmp_path / "records",
        budget=dataclasses.replace(made.budget, train_tom=wild),
    )  # fmt: skip
    outcomes = run.run_study(broken, ["cp_vton", "viton"], [1])
    assert [o.how for o in outcomes] == ["made", "made", "failed", "made"]
    assert "loss term" in outcomes[2].why and "cp_vton                seed 1  failed: step" in capsys.readouterr().out


def test_a_training_of_a_notebook_is_taken_over(made, tmp_path):
    shared = tmp_path / "checkpoints"
    shutil.copytree(made.shared, shared)
    shutil.copytree(made.folder(2) / "cp_vton", shared / "cp_vton")
    other = dataclasses.replace(made, shared=shared, runs=tmp_path / "runs", records=tmp_path / "records")
    assert run.run_one(other, "cp_vton", 2).how == "made"
    assert not other.folder(2).exists(), "nothing was trained"
    assert records.load(other.path("cp_vton", 2)).values == records.load(made.path("cp_vton", 2)).values


def test_runs_beside_each_other_are_those_one_after_the_other(made, tmp_path):
    both = dataclasses.replace(made, runs=tmp_path / "runs", records=tmp_path / "records")
    assert [o.how for o in run.run_study(both, ["cp_vton"], [1, 2], jobs=2)] == ["made"] * 4
    for seed in (1, 2):
        alone, beside = (records.load(s.path("cp_vton", seed)).array("ssim") for s in (made, both))
        assert alone == pytest.approx(beside, abs=2e-3)
    with pytest.raises(ValueError, match="found 0 jobs"):
        run.run_study(both, [], [], jobs=0)


@pytest.mark.parametrize("name", ["tom_self", "tom_reversed", "tom_cbam_wide", "tom_cbam_deep"])
def test_ablations_of_the_gates_can_be_trained(name, made, tmp_path):
    done = run.fit(name, made.budget, made.data, tmp_path, base=made.shared / "gmm", device="cpu", progress=False)
    assert done.finished and (tmp_path / name / "gradients.csv").exists()


def test_the_validation_split_has_records_of_its_own(made, tmp_path):
    tuned = dataclasses.replace(made, split="val", records=tmp_path)
    assert tuned.path("cp_vton", 1).parent == tmp_path / "val"


def test_a_training_set_may_stay_open(data, monkeypatch):
    opened = []

    def counted(*where):
        opened.append(where)
        return open_dataset(*where)

    monkeypatch.setattr("mavton_lite.feed.open_dataset", counted)
    settings = brief().train_tom
    for _ in range(2):
        feed(data, SMOKE.size, settings, 1)
    assert len(opened) == 2
    with kept_open():
        for seed in (1, 2):
            feed(data, SMOKE.size, settings, seed)
        assert len(opened) == 3
        feed(data, (32, 32), settings, 1)
        assert len(opened) == 4
    feed(data, SMOKE.size, settings, 1)
    assert len(opened) == 5


def test_a_study_made_here_comes_before_the_released_one(made, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "RECORDS", tmp_path / "released" / "records")
    monkeypatch.setenv("MAVTON_ROOT", str(tmp_path))
    assert study.find_study("smoke") is None
    shutil.copytree(made.records, study.RECORDS)
    shutil.copytree(made.records.parent / "pictures", study.RECORDS.parent / "pictures")
    released = study.find_study("smoke")
    assert released.source == "released" and released.budget == "smoke-3" and released.cost == {}
    assert (released.pictures / "cp_vton.jpg").exists()
    own = study.own_folder("smoke")
    one, other = (records.load(made.path("cp_vton", s)) for s in (1, 2))
    run.write(one, own / "a.json")
    assert study.find_study("smoke").source.startswith("made here") and study.find_study("smoke").records == [one]
    for name, record in (("b", one), ("c", other)):
        longer = dataclasses.replace(record.protocol, profile="smoke-9")
        run.write(dataclasses.replace(record, protocol=longer), own / f"{name}.json")
    assert study.find_study("smoke").budget == "smoke-9", "the one with most records"
    assert study.find_study("smoke", "smoke-3").records == [one], "unless another is asked for"
    assert study.find_study("smoke", "smoke-4") is None


# --- cost and report


def test_cost_counts_what_makes_the_picture(data):
    profile = brief()
    plain, gated, viton = (forward_cost(n, profile) for n in ("cp_vton", "ma_vton", "viton"))
    assert gated["parameters"] > plain["parameters"]
    networks = [build_network(EXPERIMENTS[n], profile) for n in ("viton_coarse", "viton")]
    assert viton["parameters"] == sum(count_parameters(n) for n in networks) and viton["multiply_adds"] > 1e6
    assert forward_cost("cp_vton", PAPER)["parameters"] == 21_349_252
    times = measure_steps(["cp_vton", "ma_vton", "viton"], profile, data, rounds=2)
    assert set(times["seconds_a_step"]) == {"cp_vton", "ma_vton", "viton"}
    assert all(0 < t < 60 for t in times["seconds_a_step"].values()) and times["machine"]["batch"] == 4


def test_the_report_names_the_protocol_and_the_seeds(made):
    found = study.read_study(made.records)
    numbers = ablation_numbers(found, ["ssim_garment", "kd_lite0"]).set_index("model")
    assert numbers["seeds"]["viton"] == 2 and numbers["parameters"]["cp_vton"] > 0
    runs = study.by_model(found)["cp_vton"].values()
    assert numbers["ssim_garment"]["cp_vton"] == pytest.approx(sum(r.interval("ssim_garment").mean for r in runs) / 2)
    assert numbers["kd_lite0"]["cp_vton"] == pytest.approx(sum(r.sets["kd_lite0"].mean for r in runs) / 2)
    text = report(made.records)
    assert text.startswith("smoke, 3 steps, 2 seeds") and "no verdicts" in text and "| viton " in text
    with pytest.raises(ValueError, match="no records, wanted the records of one"):
        study.read_study(made.records / "nowhere")
    twice = [found[-1], found[-1]]
    with pytest.raises(ValueError, match="two records of seed"):
        study.by_model(twice)


def test_released_records_are_of_whole_studies_and_small():
    files = sorted(study.RECORDS.glob("*.json"))
    if not files:
        pytest.skip("no study is released yet")
    assert sum(p.stat().st_size for p in files) < 3_000_000
    assert all(set(json.loads(p.read_text())) >= {"schema", "values"} for p in files)
    budgets = {records.load(p).protocol.profile for p in files}
    for found in map(study.read_study, [study.RECORDS] * len(budgets), budgets):
        for model, runs in study.by_model(found).items():
            assert model in run.FLOORS or len(runs) >= 3, model


def test_the_command_runs_reports_and_times(made, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mavton_lite.commands_study.get_profile", lambda name: made.profile)
    where = ["--data", str(data), "--out", str(tmp_path), "--checkpoints", str(made.shared), "--profile", "smoke"]

    def study_command(*more: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["study", "--only", "cp_vton", "--seeds", "7", "--steps", "2", *where, *more])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    code, out, _ = study_command()
    assert code == 0 and "cp_vton                seed 7  made" in out and "smoke, 2 steps, 1 seed, 4 images" in out
    assert records.load(tmp_path / "records" / "smoke-2-unpaired-cp_vton-7.json").seed == 7
    assert (tmp_path / "pictures" / "smoke-2" / "cp_vton.jpg").exists()
    assert "cp_vton                seed 7  there" in study_command()[1]
    code, out, _ = study_command("--cost")
    assert code == 0 and json.loads((tmp_path / "cost.json").read_text())["seconds_a_step"]["cp_vton"] > 0
    code, _, told = study_command("--release", "--split", "val")
    assert code == 1 and "wanted test" in told
