"""What kind of example is it: an arm in front of the garment, which sleeve, which print. To ask where a model fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mavton_lite.config import SEED
from mavton_lite.data.sample import COCO18

_JOINT = {name: i for i, name in enumerate(COCO18)}


def arm_in_front(keypoints: Tensor) -> Tensor:
    """Whether a wrist lies between the shoulders and between neck and hips: where CP-VTON fails, says the thesis.

    Any data set's key points can tell; a wrist outside the picture is not in front.
    Shape: (N, 18, 3) px -> (N,) bool.
    """
    x, y, seen = keypoints.unbind(-1)
    across = x[:, [_JOINT["right shoulder"], _JOINT["left shoulder"]]].sort(1).values  # (N, 2)
    hips = [_JOINT["right hip"], _JOINT["left hip"]]
    low = torch.where(seen[:, hips] > 0, y[:, hips], torch.inf).amin(1)
    front = torch.zeros(len(keypoints), dtype=torch.bool, device=keypoints.device)
    for side in ("right wrist", "left wrist"):
        k = _JOINT[side]
        between = (x[:, k] > across[:, 0]) & (x[:, k] < across[:, 1])
        front |= between & (y[:, k] > y[:, _JOINT["neck"]]) & (y[:, k] < low) & (seen[:, k] > 0)
    return front


def describe(keypoints: Tensor, cloth_names: Sequence[str], split: str = "test", seed: int = SEED) -> pd.DataFrame:
    """One row an Atelier example: `arms` (in front, elsewhere), `sleeve` and `print` of the garment to be worn.

    Raises: ValueError for garment names that are not the Atelier's.
    """
    from mavton_lite.data.atelier import garment_of

    rows = []
    for name, front in zip(cloth_names, arm_in_front(keypoints).tolist(), strict=True):
        index, _, kind = name.partition("_")
        if not index.isdecimal() or kind != "1":
            raise ValueError(f"found the garment {name!r}, wanted an Atelier name such as '000003_1'")
        garment = garment_of(seed, split, int(index))
        rows.append(
            {"arms": "in front" if front else "elsewhere", "sleeve": garment.sleeve, "print": garment.cloth.kind}
        )
    return pd.DataFrame(rows)


SIX: dict[str, tuple[str, ...]] = {  # case -> kinds of print, or tags of the Atelier, any of which makes it one
    "a solid": ("solid",),
    "stripes": ("stripes",),
    "lettering": ("lettering",),
    "another sleeve": ("sleeve shorter", "sleeve longer"),
    "arm in front": ("arm in front",),
    "long hair": ("long hair over cloth",),
}


def six_cases(prints: Sequence[str], tags: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """Which examples are each of the SIX cases.   Shape: N kinds of print and N lists of tags -> (N,) bool a case.

    Raises: ValueError when the two are not equally many.
    """
    if len(prints) != len(tags):
        raise ValueError(f"found {len(prints)} prints and tags of {len(tags)} examples, wanted one each")
    facts = [{kind, *names} for kind, names in zip(prints, tags, strict=True)]
    return {case: np.array([not known.isdisjoint(any_of) for known in facts]) for case, any_of in SIX.items()}


def one_each(scores: np.ndarray, cases: Mapping[str, np.ndarray], share: float = 0.5) -> dict[str, int]:
    """One example of every case: the one whose score is nearest to that quantile of its case.

    None is taken twice, and rare cases choose first; cases that nobody is are left out.
    Shape: scores (N,), each case (N,) bool -> case -> index, in the order of `cases`.
    """
    free, found = np.isfinite(scores), {}
    for case in sorted(cases, key=lambda name: cases[name].sum()):
        members = np.isfinite(scores) & cases[case]
        if (pool := members & free).any():
            wanted = np.quantile(scores[members], share)
            found[case] = int(np.argmin(np.where(pool, np.abs(scores - wanted), np.inf)))
            free[found[case]] = False
    return {case: found[case] for case in cases if case in found}


def first_with(tags: Sequence[str], split: str = "test", seed: int = SEED, people: int = 200) -> dict[str, int]:
    """For each tag the first person of a split who, in the garment to try on, carries it; nobody twice.

    Person i tries garment i ^ 1 on. Tags are told from attributes alone, so nothing is drawn.
    Raises: ValueError for a tag that nobody carries, or that there is not.
    """
    from mavton_lite.data.atelier import garment_of, person_of
    from mavton_lite.data.atelier.tags import TAGS, tags_of

    found: dict[str, int] = {}
    for tag in tags:
        if tag not in TAGS:
            raise ValueError(f"unknown tag {tag!r}; known: {', '.join(TAGS)}")
        for i in range(people):
            carried = tags_of(person_of(seed, split, i), garment_of(seed, split, i), garment_of(seed, split, i ^ 1))
            if tag in carried and i not in found.values():
                found[tag] = i
                break
        else:
            raise ValueError(f"none of the first {people} people of {split!r} carries {tag!r}")
    return found
