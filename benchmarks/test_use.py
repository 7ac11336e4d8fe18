"""What a trained model is used for: one try-on, and an evaluation."""

from __future__ import annotations

import pytest
import torch

from benchmarks import plain_models as plain
from benchmarks import plain_person
from benchmarks.side_by_side import Target, in_turns
from mavton_lite import metrics
from mavton_lite.config import PAPER
from mavton_lite.data import open_dataset
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.notebook_times import read_times

PART = "Using a trained model at paper"
FIGURES = "The last whole `make figures` at lite: notebooks run side by side"


def _pipeline() -> TryOnPipeline:
    torch.manual_seed(0)
    pipeline = TryOnPipeline(build_gmm(PAPER), build_tom(PAPER), PAPER.person)
    return pipeline.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def test_one_try_on(benchmark, rows, batch):
    pipeline = _pipeline()
    gmm, tom = plain.GMM(*PAPER.size).eval(), plain.TOM().eval()
    plain.carry_over(pipeline.gmm, gmm)
    plain.carry_over(pipeline.tom, tom)
    one = {k: v[:1] for k, v in batch.items()}

    @torch.inference_mode()
    def ours():
        return pipeline(one)

    @torch.no_grad()
    def theirs():
        agnostic, _, _ = plain_person.people(one)
        warped, _, _ = gmm(agnostic, one["cloth"], one["cloth_mask"])
        return tom(agnostic, warped)

    # the plain spline is in single precision
    torch.testing.assert_close(ours()[2].image, theirs()[0], rtol=0, atol=0.02)
    fast, slow = in_turns(benchmark, ours, theirs, rounds=15)
    what = "one try-on: representation, warp, picture"
    rows.add(PART, what, fast / slow, "x", Target(0.8), fast, "Pillow and plain modules", slow, 15)


def test_evaluation(benchmark, rows, world):
    dataset = open_dataset(world, "test", "unpaired", PAPER.size)
    predict = metrics.from_pipeline(_pipeline())

    def evaluate(batch: int):
        return metrics.evaluate(
            predict, dataset, model="ma_vton", profile=PAPER, protocol="unpaired", batch=batch, limit=8
        )  # fmt: skip

    together, alone = in_turns(benchmark, lambda: evaluate(8), lambda: evaluate(1), rounds=3)
    what = "evaluation of 8 try-ons, every metric"
    rows.add(PART, what, together / alone, "x", None, together, "one by one", alone, 3)


def test_figures(rows):
    """The last whole `make figures`: forty minutes are not measured anew here."""
    seconds, whole = read_times("lite")
    if whole is None:
        pytest.skip("no whole run at lite to tell of: make clean figures PROFILE=lite")
    rows.add(FIGURES, "the whole of it", whole / 60, "min", Target(45), whole)
    for name, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        rows.add(FIGURES, name, taken / sum(seconds.values()), "of the sum", None, taken)
