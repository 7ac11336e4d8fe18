"""The shape-context warps that VITON's refinement is trained on: computed once, kept beside the training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm import tqdm

from mavton_lite import checkpoint
from mavton_lite.data import Cached, open_dataset
from mavton_lite.objective_viton import RefineObjective, example_names
from mavton_lite.schedule import batch_indices
from mavton_lite.warp import shape_context

if TYPE_CHECKING:
    from mavton_lite.train import Job

BLOCK = 64  # examples a file: what an interruption costs at most


def prepare_warps(objective: RefineObjective, job: Job, device: torch.device) -> None:
    """Give the objective the control points of every example that its training will meet.

    They are read from `warps-<digest>` beside the training's folder, whose name tells what they depend on (the coarse
    network, the examples, the settings, the code that matches shapes); what is missing is computed and written there,
    a block at a time, each file whole or not at all.
    """
    dataset = open_dataset(job.data, "train", "paired", job.profile.size)
    pictures, settings = Cached(dataset, max_bytes=0), job.experiment.training(job.profile)
    steps = (batch_indices(job.seed, step, len(dataset), settings.batch) for step in range(settings.steps))
    wanted = torch.cat(list(steps)).unique().tolist()
    folder = job.folder.with_name(f"warps-{_key(job)[:12]}")
    with tqdm(total=len(wanted), desc="matching shapes", unit="example", disable=not job.progress) as bar:
        for block, indices in _blocks(wanted):
            path = folder / f"{block:05}.safetensors"
            known = _read(path)
            missing = [i for i in indices if _name(dataset, i) not in known]
            if missing:
                batch = pictures.batch(missing, device)
                known |= dict(zip(example_names(batch), objective.matched(batch).cpu(), strict=True))
                header = list(known)
                checkpoint.save_tensors(path, {"control": torch.stack(list(known.values()))}, header)
            objective.control.update(known)
            bar.update(len(indices))


def _key(job: Job) -> str:
    settings = job.fingerprint["settings"]
    network = {k: v for k, v in settings["viton"].items() if k != "refine_width"}
    return checkpoint.digest(
        {
            "coarse": job.fingerprint["coarse"],
            "data": job.fingerprint["data"],
            "settings": [settings["size"], settings["person"], network],
            "code": checkpoint.file_digest(Path(shape_context.__file__)),
        }
    )


def _blocks(indices: list[int]) -> Iterator[tuple[int, list[int]]]:
    for block in sorted({i // BLOCK for i in indices}):
        yield block, [i for i in indices if i // BLOCK == block]


def _name(dataset, index: int) -> str:
    words = dataset.words(index)
    return f"{words['name']} {words['cloth_name']}"


def _read(path: Path) -> dict[str, Tensor]:
    if not path.exists():
        return {}
    tensors, names = checkpoint.load_tensors(path)
    return dict(zip(names, tensors["control"], strict=True))
