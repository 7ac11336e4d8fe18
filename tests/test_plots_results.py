"""Figures and tables of training and results, claims and cases: right numbers in the right places."""

from __future__ import annotations

import dataclasses
import math
import typing

import numpy as np
import pandas as pd
import pytest
import torch

from mavton_lite.cases import arm_in_front, describe
from mavton_lite.claims import checks, checks_table, compare, verdict
from mavton_lite.config import PAPER, SEED, SMOKE, LossSettings, TrainSettings
from mavton_lite.data.sample import COCO18
from mavton_lite.models.summary import NetworkRow
from mavton_lite.plots import style
from mavton_lite.plots.grid import picture_grid
from mavton_lite.plots.results import (
    case_table,
    cases_figure,
    cell,
    comparison_table,
    difference_figure,
    floors_figure,
    learnt_table,
    pick_examples,
    qualitative_figure,
    sets_table,
    warp_table,
)
from mavton_lite.plots.training import curves_figure, rate_figure, rates, read_log, settings_table, smoothed
from mavton_lite.records import Interval, Protocol, Record, rounded

PROTOCOL = Protocol("unpaired", "test", 8, 64, 48, (0.0, 1.0), "digest", "alexnet", "sha", 2, 3, "smoke")
SUFFIXES = ("", "_garment", "_arms")


def record(model: str, pairs: str = "unpaired", **values: float) -> Record:
    """Eight images around the given means, the same spread for every model."""
    spread = np.linspace(-0.01, 0.01, 8)
    means = {m + s: 0.5 for m in ("ssim", "psnr", "lpips") for s in SUFFIXES} | values
    protocol = dataclasses.replace(PROTOCOL, pairs=pairs)
    return Record(model, protocol, {k: rounded(v + spread) for k, v in means.items()}, SEED, "commit")


@pytest.fixture(autouse=True)
def _style():
    style.use()


# training


def test_settings_stand_beside_the_papers():
    table = settings_table(SMOKE)
    assert list(table.columns) == ["part", "setting", "smoke", "paper"]
    rows = table.set_index(["part", "setting"])
    assert rows.loc[("data", "picture size")].tolist() == ["64 × 48 px", "256 × 192 px"]
    assert rows.loc[("GMM", "size"), "paper"].startswith("19,057,650 ")
    assert "patches of 70 × 70 px" in rows.loc[("try-on", "discriminator (MA-VTON)"), "paper"]
    assert "patches of 16 × 16 px" in rows.loc[("try-on", "discriminator (MA-VTON)"), "smoke"]
    bent = dataclasses.replace(SMOKE, loss=LossSettings(warp_l1=1, warp_mask=0, warp_bend=0.5, mask=0))
    changed = settings_table(bent).set_index(["part", "setting"])["smoke"]
    assert changed[("GMM", "loss")] == "1 L1 + 0.5 bend" and rows.loc[("GMM", "loss"), "paper"] == "1 L1"
    assert changed[("try-on", "loss")] == "1 L1 + 1 perceptual + 0.1 adversarial (MA-VTON)"
    assert "200,000 steps of 4" in rows.loc[("GMM", "training"), "paper"]
    assert list(settings_table(PAPER).columns) == ["part", "setting", "paper"]


# neither decides what a training comes to, or is the same in every profile by definition of the 22 channels
UNLISTED = {"name", "save_every", "compile", "kept_fill", "worn_fill", "garment_labels", "shape_ignores"}


def test_no_setting_can_differ_without_showing_in_the_table(monkeypatch):
    from mavton_lite.plots import training

    names = ("GMM", "TOM", "MA-UNet", "PatchGAN")
    monkeypatch.setattr(training, "summarise", lambda _: [NetworkRow(n, 1, 1, "") for n in names])
    before = training._settings(SMOKE)
    unseen = []
    for path, value in leaves(SMOKE):
        head, _, leaf = path.rpartition(".")
        if leaf in UNLISTED or (leaf == "silhouette_noise" and head not in ("train_tom", "train_coarse")):
            continue
        part = getattr(SMOKE, head) if head else SMOKE
        changed = dataclasses.replace(part, **{leaf: another(part, leaf, value)})
        profile = dataclasses.replace(SMOKE, **{head: changed}) if head else changed
        if training._settings(profile) == before:
            unseen.append(path)
    assert not unseen


def leaves(settings, prefix=""):
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, f"{field.name}.")
        else:
            yield prefix + field.name, value


def another(part, name, value):
    kind = typing.get_type_hints(type(part))[name]
    if typing.get_origin(kind) is typing.Literal:
        return next(v for v in typing.get_args(kind) if v != value)
    if value is None:
        return (1,)
    if isinstance(value, tuple):
        return (*value[:-1], value[0] if not isinstance(value[0], float) else 0.123) if len(value) > 1 else value * 2
    return not value if isinstance(value, bool) else value + 1


def test_rates_are_the_schedulers_and_long_trainings_are_thinned():
    linear = rates(TrainSettings(steps=10, lr=0.5, schedule="linear"))
    assert linear.tolist() == pytest.approx([0.5] * 6 + [0.4, 0.3, 0.2, 0.1])
    long = rates(TrainSettings(steps=10**9, lr=1e-4, schedule="linear"), points=100)
    assert len(long) == 100 and long.iloc[0] == 1e-4 and long.iloc[-1] < 5e-6
    axes = rate_figure({"a": SMOKE.train_gmm, "b": PAPER.train_tom}).axes[0]
    assert max(axes.lines[0].get_ydata()) == pytest.approx(1e-3, rel=0.05)
    assert [line.get_label() for line in axes.lines] == ["a: 30 steps", "b: 200,000 steps"]


def test_smoothing_keeps_constants_and_slopes_and_calms_noise():
    assert smoothed(pd.Series([2.0] * 50)).tolist() == pytest.approx([2.0] * 50)
    slope = pd.Series(np.arange(75.0))
    assert smoothed(slope)[5:-5].tolist() == pytest.approx(slope[5:-5].tolist()), "no lag"
    noisy = pd.Series(np.random.default_rng(0).normal(1, 0.2, 400))
    assert len(smoothed(noisy)) == 400 and smoothed(noisy).std() < 0.4 * noisy.std()


def test_logs_are_read_by_step_or_refused(tmp_path):
    (tmp_path / "log.csv").write_text("step,lr,seconds,loss,l1\n1,0.1,0,2,2\n2,0.1,1,1,1\n")
    assert read_log(tmp_path / "log.csv")["l1"].to_dict() == {1: 2, 2: 1}
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="other.csv: found columns a, b"):
        read_log(tmp_path / "other.csv")
    with pytest.raises(ValueError, match="absent.csv"):
        read_log(tmp_path / "absent.csv")


def log_of(**terms: float) -> pd.DataFrame:
    steps = np.arange(1, 21)
    columns = {k: v / np.sqrt(steps) for k, v in terms.items()}
    return pd.DataFrame({"lr": 1e-3, "loss": 1.0, **columns}, index=pd.Index(steps, name="step"))


def test_curves_show_every_term_and_the_game_unweighted(tmp_path):
    logs = {
        "gmm": log_of(warp_l1=0.3, warp_mask=0.2, warp_bend=1.5),
        "cp_vton": log_of(l1=0.5, perceptual=3, mask=0.5),
        "ma_vton": log_of(discriminator=0.5, l1=0.5, perceptual=3, mask=0.5, adversarial=0.1),
    }
    figure = curves_figure(logs, LossSettings(adversarial=0.1, gan="lsgan"))
    by_title = {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_visible()}
    assert list(by_title) == [
        "garment: L1", "garment mask: L1", "bending of the warp", "learning rate",
        "picture: L1", "picture: perceptual", "composition mask: L1", "the game, unweighted",
    ]  # fmt: skip
    game = {line.get_label(): line.get_ydata() for line in by_title["the game, unweighted"].lines}
    assert game["a coin toss"][0] == pytest.approx(0.25)
    weighted = smoothed(logs["ma_vton"]["adversarial"])
    assert game["G (MA-VTON)"] == pytest.approx(10 * weighted.to_numpy()), "the weight 0.1 is taken out"
    style.save(figure, tmp_path / "curves.png", dpi=40)

    alone = curves_figure({"cp_vton": logs["cp_vton"]}, LossSettings())
    titles = [axes.get_title(loc="left") for axes in alone.axes if axes.get_visible()]
    assert titles == ["learning rate", "picture: L1", "picture: perceptual", "composition mask: L1"]
    bce = curves_figure({"ma_vton": logs["ma_vton"]}, LossSettings(gan="bce"))
    (toss,) = (line for axes in bce.axes for line in axes.lines if line.get_label() == "a coin toss")
    assert toss.get_ydata()[0] == pytest.approx(math.log(2), abs=1e-6)
    with pytest.raises(ValueError, match="at least one log"):
        curves_figure({}, LossSettings())


# claims


def test_verdicts_from_intervals():
    assert verdict(Interval(0.2, 0.1, 0.3, 9)) == "replicated"
    assert verdict(Interval(-0.2, -0.3, -0.1, 9)) == "not replicated"
    assert verdict(Interval(0.0, -0.1, 0.1, 9)) == "inconclusive"
    assert verdict(Interval(-0.2, -0.3, -0.1, 9), higher=False) == "replicated"
    assert verdict(Interval(0.2, 0.1, 0.3, 9), higher=False) == "not replicated"
    assert verdict(Interval(0.1, 0.0, 0.3, 9)) == "inconclusive", "zero itself is no gain"
    assert verdict(Interval(math.nan, math.nan, math.nan, 0)) == "inconclusive"


def test_comparison_knows_which_way_is_better():
    ours, theirs = record("ma_vton", ssim=0.6, lpips=0.4, psnr=0.3), record("cp_vton")
    rows = compare(ours, theirs, ["ssim", "lpips", "psnr", "ssim_arms"]).set_index("metric")
    assert rows["verdict"].to_dict() == {
        "ssim": "replicated", "lpips": "replicated", "psnr": "not replicated", "ssim_arms": "inconclusive",
    }  # fmt: skip
    assert rows.loc["lpips", "difference"] == pytest.approx(-0.1, abs=1e-4)
    with pytest.raises(ValueError, match="measured differently"):
        compare(ours, record("cp_vton", pairs="paired"), ["ssim"])


def test_numbers_of_whole_sets_are_named_after_what_saw_them():
    looked = {"is_lite0": Interval(2.0, 1.9, 2.1, 9), "kd_lite0": Interval(0.01, 0.0, 0.02, 9)}
    some = dataclasses.replace(record("ma_vton"), sets=looked)
    (row,) = sets_table([some, record("cp_vton")]).to_dict("records")
    assert row == {
        "pairs": "unpaired", "model": "MA-VTON",
        "IS-lite0 ↑": "2.00 [1.90, 2.10]", "KD-lite0 ↓": "0.0100 [0.0000, 0.0200]",
    }  # fmt: skip
    with pytest.raises(ValueError, match="no numbers of whole sets"):
        sets_table([record("cp_vton")])


def test_the_same_models_on_several_sets_of_pictures():
    known = [record("cp_vton", "paired", ssim_garment=0.7), record("ma_vton", "paired", lpips=0.05)]
    new = [record("cp_vton", ssim_garment=0.6)]
    rows = learnt_table({"known": known, "new": new}).set_index("pictures")
    what = ("garment region, SSIM ↑", "picture, LPIPS ↓")
    assert list(rows.columns) == [f"{model}: {w}" for w in what for model in ("CP-VTON", "MA-VTON")]
    assert rows.loc["known", "CP-VTON: garment region, SSIM ↑"].startswith("0.700 [")
    assert rows.loc["known", "MA-VTON: picture, LPIPS ↓"].startswith("0.050 [")
    assert rows.loc["new", "CP-VTON: garment region, SSIM ↑"].startswith("0.600 [")
    with pytest.raises(ValueError, match="measured differently"):
        learnt_table({"mixed": [record("cp_vton"), record("ma_vton", "paired")]})


def test_checks_hold_exactly_when_the_numbers_do():
    def chain(epe=2.9, iou=0.89, cp=0.8, ma=0.8, whole=0.7, seen=0.06):
        warp = {"epe_256_px": epe, "epe_256_px_affine": 4.0, "epe_256_px_tps": 2.0, "mask_iou": iou}
        return {
            "copy_person": record("copy_person", ssim_garment=0.5, ssim=0.6),
            "paste_flat_cloth": record("paste_flat_cloth", ssim_garment=0.4, ssim=0.65),
            "paste_warped_cloth": record("paste_warped_cloth", ssim_garment=0.6, ssim=0.5, **warp),
            "cp_vton": record("cp_vton", ssim_garment=cp, ssim=0.7, lpips=0.06),
            "ma_vton": record("ma_vton", ssim_garment=ma, ssim=whole, lpips=seen),
        }

    def missed(**numbers):
        found = checks(chain(**numbers))
        assert len(found) == 11
        return [i for i, c in enumerate(found) if not c.ok]

    assert missed() == []
    assert missed(epe=3.5) == [1], "below the affine map's, and beyond half-way"
    assert missed(epe=4.5) == [0, 1]
    assert missed(iou=0.87) == [2]
    assert missed(cp=0.75) == [3], "0.15 above pasting, 0.25 above copying"
    assert missed(ma=0.69) == [7, 8]
    assert missed(whole=0.64) == [9], "pasting the flat cloth is a floor as well"
    assert missed(seen=0.08) == [10]
    assert checks_table(checks(chain(iou=0.5)))[""].tolist() == ["ok", "ok", "not ok"] + ["ok"] * 8
    with pytest.raises(ValueError, match="no record of ma_vton"):
        checks({k: v for k, v in chain().items() if k != "ma_vton"})


# tables and figures of results


def test_a_cell_is_a_mean_and_its_interval_without_minus_zero():
    assert cell(Interval(0.12345, 0.1, 0.2, 8)) == "0.123 [0.100, 0.200]"
    assert cell(Interval(-0.001, -0.004, 0.004, 8), digits=2) == "0.00 [0.00, 0.00]"
    assert cell(Interval(math.nan, math.nan, math.nan, 0)) == ""


def test_comparison_table_puts_comparable_rows_together():
    records = [record("cp_vton", "paired", ssim=0.9), record("copy_person"), record("cp_vton", ssim=0.7)]
    table = comparison_table(records)
    assert table["pairs"].tolist() == ["unpaired"] * 6 + ["paired"] * 3
    assert table["region"].tolist()[:6:2] == ["picture", "garment region", "arm band"]
    assert table["model"].tolist()[:2] == ["copy the person", "CP-VTON"]
    assert table.loc[1, "SSIM ↑"].startswith("0.700 [0.69") and table.loc[6, "SSIM ↑"].startswith("0.900 [")
    other = dataclasses.replace(records[1], protocol=dataclasses.replace(PROTOCOL, n=9))
    with pytest.raises(ValueError, match="measured differently: n"):
        comparison_table([records[2], other])
    with pytest.raises(ValueError, match="no records"):
        comparison_table([])


def test_warp_table_quotes_bounds_and_masks():
    warp = {"mask_iou": 0.83, "mask_iou_plain": 0.7, "epe_256_px": 3.5, "epe_256_px_none": 9.0}
    gmm = record("paste_warped_cloth", **warp, epe_256_px_affine=5.0, epe_256_px_tps=2.0)
    table = warp_table([gmm, record("paste_flat_cloth", mask_iou=0.6, mask_iou_plain=0.5)])
    error = table["end-point error, px at 256 × 192 ↓"].str[:4].tolist()
    assert table["warp"].tolist()[0] == "no warp" and error == ["9.00", "5.00", "2.00", "3.50"]
    assert table["mask IoU ↑"].str[:5].tolist() == ["0.600", "", "", "0.830"]
    plus = record("cp_vton_plus", mask_iou=0.8, mask_iou_plain=0.7, epe_256_px=4.5, epe_256_px_none=1.0)
    rows = warp_table([gmm, plus, record("ma_vton")]).set_index("warp").iloc[:, -1].str[:4]
    assert rows["CP-VTON+: GMM on masks"] == "4.50" and rows["no warp"] == "9.00" and len(rows) == 5
    with pytest.raises(ValueError, match="no record of paste_warped_cloth"):
        warp_table([record("cp_vton")])


def test_case_table_splits_the_images():
    cases = pd.DataFrame({"arms": ["in front"] * 6 + ["elsewhere"] * 2})
    table = case_table([record("cp_vton")], "ssim", cases).set_index("case")
    values = record("cp_vton").array("ssim")
    assert table["n"].to_dict() == {"arms: elsewhere": 2, "arms: in front": 6}
    assert table.loc["arms: in front", "CP-VTON"].startswith(f"{values[:6].mean():.3f} [")
    assert table.loc["arms: elsewhere", "CP-VTON"] == f"{values[6:].mean():.3f}", "two images have no interval"
    with pytest.raises(ValueError, match="3 cases for 8 images"):
        case_table([record("cp_vton")], "ssim", cases[:3])


def test_cases_are_drawn_hardest_first():
    tags = [["lettering", "plain"]] * 3 + [["plain"]] * 3 + [["coat"], []]
    both = [dataclasses.replace(record(m), tags=tags) for m in ("cp_vton", "ma_vton")]
    axes = cases_figure(both, "ssim_garment", least=3).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["lettering  (3)", "plain  (6)", "all  (8)"]
    values = both[1].array("ssim_garment")
    last = next(line for line in axes.lines if line.get_label() == "MA-VTON")
    assert last.get_xdata() == pytest.approx([values[:3].mean(), values[:6].mean(), values.mean()])
    assert "garment region" in axes.get_xlabel()
    lpips = cases_figure(both, "lpips_garment", least=3).axes[0]  # lower is better
    assert [t.get_text() for t in lpips.get_yticklabels()] == ["plain  (6)", "lettering  (3)", "all  (8)"]
    with pytest.raises(ValueError, match="measured without tags"):
        cases_figure([record("cp_vton")])


def test_examples_are_picked_by_the_rule():
    scores = np.linspace(0, 1, 21)
    even = np.arange(21) % 2 == 0
    picked = pick_examples(scores, {"even": even, "never": np.zeros(21, bool), "just 10": np.arange(21) == 10})
    assert [i for _, i in picked][:3] == [19, 10, 1]
    assert [label.split("\n")[0] for label, _ in picked] == ["near the best", "median", "near the worst", "even"]
    # the median of the even ones is number 10, which is shown already: its neighbour, and nobody twice
    assert picked[3][1] in (8, 12) and len({i for _, i in picked}) == len(picked) == 4
    without = pick_examples(np.where(np.arange(21) == 19, np.nan, scores), {})
    assert [i for _, i in without] == [18, 9, 1] or [i for _, i in without] == [18, 10, 1]


def test_pictures_stand_in_their_places_without_touching(tmp_path):
    columns = {name: torch.full((2, 3, 8, 6), shade) for name, shade in (("dark", 0.0), ("grey", 0.5), ("light", 1.0))}
    figure = qualitative_figure(columns, ["first", "second"], {"light": [0.1234, 0.9]})
    shades = [float(np.asarray(axes.images[0].get_array()).mean()) for axes in figure.axes]
    assert shades == [0, 0.5, 1, 0, 0.5, 1]
    assert [axes.get_title(loc="center") for axes in figure.axes[:3]] == list(columns)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["first", "SSIM 0.123", "second", "SSIM 0.900"]
    boxes = [axes.get_position() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert min(b.x0 for b in boxes) > 0 and max(b.y1 for b in boxes) < 1
    style.save(figure, tmp_path / "grid.png", dpi=40)
    with pytest.raises(ValueError, match="columns of one shape"):
        picture_grid({"a": torch.zeros(1, 3, 8, 6), "b": torch.zeros(2, 3, 8, 6)})
    with pytest.raises(ValueError, match="found 1 labels for 'rows', wanted 2"):
        picture_grid(columns, ["only one"])


def test_figures_of_scores(tmp_path):
    records = [record("copy_person", ssim=0.9, ssim_garment=0.4), record("ma_vton", ssim=0.8, ssim_garment=0.7)]
    axes = floors_figure(records).axes[0]
    dots = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "o"]
    assert dots == pytest.approx([0.9, 0.4, 0.8, 0.7], abs=1e-4)
    names = [m + s for m in ("ssim", "psnr", "lpips") for s in SUFFIXES]
    figure = difference_figure(compare(record("ma_vton", lpips=0.4), record("cp_vton"), names))
    left, _, right = (axes.get_xlim() for axes in figure.axes)
    assert left[0] < left[1] and right[0] > right[1], "the good side of LPIPS, the negative one, is drawn to the right"
    style.save(figure, tmp_path / "difference.png", dpi=40)


# cases


def test_an_arm_is_in_front_between_shoulders_neck_and_hips():
    def pose(**moved: tuple[float, float, float]) -> torch.Tensor:
        points = {
            "neck": (50, 30, 1), "right shoulder": (30, 32, 1), "left shoulder": (70, 32, 1),
            "right hip": (38, 90, 1), "left hip": (62, 92, 1), "right wrist": (20, 85, 1), "left wrist": (80, 85, 1),
        }  # fmt: skip
        points |= {k.replace("_", " "): v for k, v in moved.items()}
        return torch.tensor([points.get(name, (0, 0, 0)) for name in COCO18], dtype=torch.float32)

    people = [
        pose(),
        pose(left_wrist=(50, 60, 1)),
        pose(right_wrist=(50, 60, 0.5)),  # hidden is still in front
        pose(right_wrist=(50, 95, 1)),  # hands folded below the hips
        pose(right_wrist=(50, 20, 1)),  # at the chin
        pose(left_wrist=(50, 60, 0)),  # not in the picture
        pose(left_wrist=(50, 95, 1), right_hip=(0, 0, 0), left_hip=(0, 0, 0)),  # hips unknown
    ]
    assert arm_in_front(torch.stack(people)).tolist() == [False, True, True, False, False, False, True]


def test_cases_describe_atelier_garments():
    from mavton_lite.data.atelier import garment_of

    found = describe(torch.zeros(2, 18, 3), ["000003_1", "000000_1"])
    assert found["arms"].tolist() == ["elsewhere"] * 2
    assert found["sleeve"].tolist() == [garment_of(SEED, "test", i).sleeve for i in (3, 0)]
    assert found["print"].tolist() == [garment_of(SEED, "test", i).cloth.kind for i in (3, 0)]
    with pytest.raises(ValueError, match="'shirt', wanted an Atelier name"):
        describe(torch.zeros(1, 18, 3), ["shirt"])


# exercises


def test_exercises_tell_right_from_wrong():
    from mavton_lite import answers_results as answers
    from mavton_lite.exercise import NOT_YET, check

    def schedule(step, steps, peak):
        return peak * min(1, 2 * (steps - step) / steps)

    assert check(schedule, answers.schedule_cases(), tolerance=1e-9)
    assert not check(lambda step, steps, peak: peak, answers.schedule_cases(), tolerance=1e-9)
    assert answers.coin_toss() == 0.25 and answers.coin_toss("bce") == pytest.approx(math.log(2), abs=1e-6)
    assert answers.times_seen(PAPER) == pytest.approx(56.25, abs=0.01)
    assert answers.images_for(200, 2) == 800

    def mine(low, high, higher):
        low, high = (low, high) if higher else (-high, -low)
        return "replicated" if low > 0 else "not replicated" if high < 0 else "inconclusive"

    assert check(mine, answers.verdict_cases())
    assert not check(lambda low, high, higher: mine(low, high, True), answers.verdict_cases()), "LPIPS was forgotten"

    cloth_mask = torch.zeros(1, 64, 48)
    cloth_mask[:, 16:48, 8:40] = 1
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(48.0), indexing="ij")
    true = torch.stack([x, y]).masked_fill(cloth_mask == 0, torch.nan)
    mirrored = torch.stack([47 - true[0], true[1]])
    assert answers.fooled(mirrored, true, cloth_mask).startswith("✓")
    assert answers.fooled(true, true, cloth_mask).startswith("✗ 100% "), "the print is still right"
    assert answers.fooled(true + 40, true, cloth_mask).startswith("✗"), "the outline is lost"
    assert answers.fooled(true[:1], true, cloth_mask).startswith("✗ wanted a tensor of shape (2, 64, 48)")
    assert answers.fooled(None, true, cloth_mask) == NOT_YET
