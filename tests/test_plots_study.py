"""Tables and figures of the study: right numbers in the right places, drawn from made-up records."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mavton_lite.experiments import EXPERIMENTS
from mavton_lite.plots import study as plots
from mavton_lite.plots import style
from mavton_lite.records import Interval, Protocol, Record
from mavton_lite.study import plan
from mavton_lite.study.claims import CLAIMS, judge_all
from mavton_lite.study.run import CHIEF

N = 40
PROTOCOL = Protocol("unpaired", "test", N, 64, 48, (0.0, 1.0), "ab", "alexnet", "cd", 2, 3, "smoke-9")
METRICS = ("ssim_garment", "lpips_garment", "mae_arms", "ciede2000", "texture_error", "boundary_f")


def study_of(models=("ma_vton", "ma_vton_no_gan", "cp_vton", "tom_se"), seeds=(1, 2, 3), tags=True) -> list[Record]:
    """Image i scores i / 100 and a bit: more for models named first."""
    found = []
    names = [["arm in front"] if i % 4 == 0 else [] for i in range(N)] if tags else None
    for rank, model in enumerate(models):
        for seed in seeds:
            values = [i / 100 + 0.1 * (len(models) - rank) + 0.001 * seed for i in range(N)]
            sets = {"kd_lite0": Interval(0.1 * rank + 0.001 * seed, 0.0, 1.0, N)}
            training = {"steps": 9, "parameters": 1000 * (rank + 1), "multiply_adds": 5_000_000}
            row = Record(model, PROTOCOL, {m: list(values) for m in METRICS}, seed, "c", {}, names, sets, training)
            row.values["mae_arms"][3] = None
            found.append(row)
    floor = Record("copy_person", PROTOCOL, {m: [0.0] * N for m in METRICS}, 1, "c", {}, names)
    return [*found, floor]


def texts(axes) -> list[str]:
    return [t.get_text() for t in axes.get_yticklabels()]


def heading(axes) -> str:
    """The title, wherever the style in force puts it."""
    return axes.get_title("left") + axes.get_title("center")


def test_everything_that_is_run_and_measured_has_a_name():
    assert set(plan.EVERYTHING) <= set(plots.LABELS) and len(set(plots.LABELS.values())) == len(plots.LABELS)
    assert {c.metric for c in CLAIMS} <= set(plots.METRICS)
    assert set(CHIEF) - set(plots.METRICS) == {"mask_iou", "epe_256_px"}  # the warp's have a table of their own
    for name in ("ma_vton_gan_001", "ma_vton_gan_1"):
        ((setting, weight),) = EXPERIMENTS[name].overrides
        assert setting == "loss.adversarial" and plots.LABELS[name].endswith(f"weight {weight:g}")


def test_the_table_has_costs_and_intervals_and_says_what_it_is_of():
    found = plots.ablation_table(study_of(), {"seconds_a_step": {"ma_vton": 0.25}})
    assert found["model"].tolist() == [
        "smoke, 9 steps, 3 seeds, 40 images, unpaired test", "copy the person", "CP-VTON", "MA-VTON",
        "CBAM, no discriminator", "squeeze-excitation",
    ]  # fmt: skip
    rows = found.set_index("model")
    ours = rows.loc["MA-VTON"]
    assert (ours["seeds"], ours["parameters"], ours["MMACs"], ours["s a step"]) == ("3", "1,000", "5", "0.250")
    mean = np.mean([i / 100 for i in range(N)]) + 0.4 + 0.002
    assert ours["SSIM, garment region ↑"].startswith(f"{mean:.3f} [")
    assert rows.loc["copy the person", "parameters"] == "" and rows.loc["CP-VTON", "s a step"] == ""
    assert "s a step" not in plots.ablation_table(study_of())
    sets = plots.ablation_table(study_of(), metrics=["kd_lite0"]).set_index("model")
    assert sets.loc["CP-VTON", "KD-lite0 ↓"] == "0.2020"


def test_gains_are_drawn_where_they_are():
    figure = plots.ablation_figure(study_of(), ["ssim_garment", "ciede2000"])
    up, down = figure.axes
    assert texts(up) == ["MA-VTON", "CBAM, no discriminator", "squeeze-excitation"]
    means = [[line.get_xdata()[0] for line in axes.lines if line.get_marker() == "|"] for axes in (up, down)]
    assert means[0] == pytest.approx([0.2, 0.1, -0.1]) and means[1] == pytest.approx([-0.2, -0.1, 0.1])
    assert heading(up) == "SSIM, garment region" and "3 seeds" in figure._supxlabel.get_text()
    assert sum(len(c.get_offsets()) for c in up.collections) == 9, "a dot a training"


def test_what_is_far_off_stands_at_the_edge():
    records = study_of()
    for record in records:
        if record.model == "ma_vton":
            record.values["ssim_garment"] = [v - 40 for v in record.values["ssim_garment"]]
    axes, other = plots.ablation_figure(records, ["ssim_garment", "ciede2000"]).axes
    arrow = next(line for line in axes.lines if line.get_marker() == "<")
    assert [t.get_text() for t in axes.texts] == ["-39.800"] and not other.texts
    low, high = axes.get_xlim()
    assert low < arrow.get_xdata()[0] < -0.5 and high < 5
    assert texts(axes)[0] == "MA-VTON" and sum(len(c.get_offsets()) for c in axes.collections) == 6


def test_the_forest_has_a_row_a_claim(tmp_path):
    found = judge_all(study_of())
    figure = plots.forest_figure(found, "says")
    axes = figure.axes[0]
    assert len(texts(axes)) == len(found) == len(CLAIMS)
    assert texts(axes)[0].endswith("CBAM, no discriminator against CP-VTON")
    kept = [line for line in axes.lines if line.get_marker() == "|"]
    assert [line.get_color() for line in kept] == [plots.VERDICTS[f.verdict] for f in found]
    assert kept[0].get_xdata()[0] == pytest.approx(0.1 / CLAIMS[0].least)
    assert style.save(figure, tmp_path / "x.png").exists()
    single = plots.forest_figure(judge_all(study_of(seeds=(1,))))
    assert style.save(single, tmp_path / "y.png").exists(), "also where a number has no interval"


def test_the_scatter_counts_who_wins(tmp_path):
    figure = plots.scatter_figure(study_of(), ["ssim_garment", "lpips_garment", "mae_arms"])
    titles = [heading(axes) for axes in figure.axes]
    assert titles[0].endswith("MA-VTON better on 100% of 40") and titles[1].endswith("better on 0% of 40")
    assert titles[2].endswith("of 39"), "one image has no arm band"
    assert figure.axes[1].xaxis_inverted() and not figure.axes[0].xaxis_inverted()
    assert len(figure.legends) == 1
    assert not plots.scatter_figure(study_of(tags=False)).legends
    assert style.save(figure, tmp_path / "x.png").exists()
    with pytest.raises(ValueError, match="no record of viton; found"):
        plots.scatter_figure(study_of(), theirs="viton")


def test_the_worst_cases_are_picked_by_rule():
    records = study_of()
    for record in records:
        if record.model == "ma_vton":
            record.values["ssim_garment"][7] = 0.0  # the worst of all
            record.values["ssim_garment"][39] = 0.55  # still good, and far behind the other
    picked = plots.pick_worst(records, "ssim_garment", count=2)
    assert picked == [("MA-VTON\nworst 1", 7), ("MA-VTON\nworst 2", 0), ("behind\nCP-VTON 1", 39),
                      ("behind\nCP-VTON 2", picked[3][1])]  # fmt: skip
    assert len({i for _, i in picked}) == 4
    worst = plots.pick_worst(study_of(), "ciede2000", count=1)
    assert worst[0] == ("MA-VTON\nworst 1", 39), "where more is worse"


def test_strips_are_titled_within_their_columns():
    strips = {name: torch.rand(2, 3, 64, 48) for name in ("person", "cp_vton", "ma_vton_no_gan", "truth")}
    figure = plots.pictures_figure(strips, ["arm in front", "long hair over cloth"])
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert [" ".join(t.split("\n")) for t in titles] == ["person", "CP-VTON", "CBAM, no discriminator", "truth"]
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [axes.title.get_window_extent(renderer) for axes in figure.axes if axes.get_title()]
    assert all(box.y1 <= figure.bbox.y1 + 1 for box in boxes), "nothing is cut off"
    assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:], strict=False)), "nothing overlaps"
