"""Who sees the garment in a picture: the trained parser, as the evaluator wants it."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from torch import nn

from mavton_lite import zoo
from mavton_lite.config import Profile
from mavton_lite.metrics import Labeller
from mavton_lite.obtain import find_released, obtain
from mavton_lite.parsing import parse


def labeller_of(profile: Profile, device: str = "cpu", train_with: tuple[Path, Path] | None = None) -> Labeller | None:
    """The profile's released parser, so that everybody's pictures are seen by the same.

    Where none is released: one trained here, given (data, checkpoints) as `train_with`, else None.
    """
    name = find_released("parser", profile)
    if name:
        parser = zoo.load_released(name, device)
    elif train_with:
        parser = obtain("parser", profile, *train_with, device=device, progress=False).model
    else:
        return None
    return Labeller(partial(parse, parser=parser), network_digest(parser))


def network_digest(network: nn.Module) -> str:
    """SHA-256 of a network's weights, wherever they were read from."""
    total = hashlib.sha256()
    for name, value in network.state_dict().items():
        total.update(name.encode())
        total.update(value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
