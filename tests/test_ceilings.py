"""What a better warp is worth: the same numbers as the evaluator's, and bounds in their order."""

import pytest
from worlds import write_viton

from mavton_lite.ceilings import LEARNED, ceilings
from mavton_lite.config import SMOKE
from mavton_lite.data import open_dataset
from mavton_lite.metrics import evaluate, from_pipeline
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline


@pytest.fixture
def pipeline():
    return TryOnPipeline(build_gmm(SMOKE), build_tom(SMOKE, "cbam"), SMOKE.person).eval()


def test_the_learned_row_is_the_record(pipeline, tmp_path):
    dataset = open_dataset(write_viton(tmp_path / "world", 2, 6, truth=True), "test", "unpaired", SMOKE.size)
    how = {"profile": SMOKE, "protocol": "unpaired", "learned": False}
    record = evaluate(from_pipeline(pipeline), dataset, model="m", **how)
    table = ceilings({"MA-VTON": pipeline}, dataset, SMOKE, batch=4).set_index("warp")
    wanted = [record.interval(name).mean for name in ("epe_256_px", "mask_iou", "ssim_garment")]
    assert table.loc[LEARNED].tolist() == pytest.approx(wanted, abs=2e-3)
    errors = table["end-point error, px"]
    assert errors["best affine map"] == pytest.approx(record.interval("epe_256_px_affine").mean, abs=1e-3)
    assert errors["best 5 × 5 spline"] == pytest.approx(record.interval("epe_256_px_tps").mean, abs=1e-3)
    assert errors["best 5 × 5 spline"] <= errors["the same, bent less"] + 1e-6


def test_without_the_true_warps_there_is_no_bound(pipeline, tmp_path):
    dataset = open_dataset(write_viton(tmp_path / "world", 2, 2), "test", "paired", SMOKE.size)
    with pytest.raises(ValueError, match="true warps"):
        ceilings({"MA-VTON": pipeline}, dataset, SMOKE)
