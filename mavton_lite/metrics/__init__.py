"""How good is a try-on: pictures, warps, and the evaluator that turns them into a `Record`."""

from mavton_lite.metrics.distribution import SetDistance
from mavton_lite.metrics.evaluator import Evaluation, evaluate
from mavton_lite.metrics.outline import Labeller
from mavton_lite.metrics.predictors import (
    Prediction,
    copy_person,
    from_pipeline,
    paste_flat_cloth,
    paste_warped_cloth,
)
from mavton_lite.metrics.shards import evaluate_shard, read_shard

__all__ = [
    "Evaluation",
    "Labeller",
    "Prediction",
    "SetDistance",
    "copy_person",
    "evaluate",
    "evaluate_shard",
    "from_pipeline",
    "paste_flat_cloth",
    "paste_warped_cloth",
    "read_shard",
]
