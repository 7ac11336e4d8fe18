"""Exercises of the notebooks: try the reader's answer on cases, say right or wrong and why, never stop the notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

NOT_YET = "… not yet: replace None with your answer and run this cell again"


def check(answer: Any, cases: Iterable[tuple[tuple, Any]] | Any, *, tolerance: float = 1e-5) -> bool:
    """Print whether an answer is right, and return that; None, or a function that returns None, is "not yet".

    `answer` is a value, compared with `cases`; or a function, tried on every (arguments, wanted result) of `cases`.
    Numbers and tensors may differ by `tolerance`, relative to 1 or to the wanted value if that is larger. An error in
    the reader's function is reported, not raised.
    """
    if answer is None:
        print(NOT_YET)
        return False
    problem = _try(answer, cases, tolerance) if callable(answer) else _differs(answer, cases, tolerance)
    print(problem if problem == NOT_YET else f"✗ not right: {problem}" if problem else "✓ right")
    return not problem


def _try(function: Callable, cases: Iterable[tuple[tuple, Any]], tolerance: float) -> str:
    for arguments, wanted in cases:
        try:
            found = function(*arguments)
        except Exception as error:  # whatever the reader's code raises is an answer to talk about
            return f"it raised {type(error).__name__}: {error}"
        if found is None:
            return NOT_YET
        if problem := _differs(found, wanted, tolerance):
            return problem
    return ""


def _differs(found: Any, wanted: Any, tolerance: float) -> str:
    """What is wrong with `found`, without telling what is wanted; empty when it agrees."""
    if isinstance(wanted, torch.Tensor):
        if not isinstance(found, torch.Tensor):
            return f"wanted a tensor, got {type(found).__name__}"
        if found.shape != wanted.shape:
            return f"wanted the shape {tuple(wanted.shape)}, got {tuple(found.shape)}"
    elif isinstance(wanted, (str, set, frozenset, tuple, list)) or wanted is None:
        return "" if found == wanted else "that is another answer"
    try:
        a, b = (torch.as_tensor(v).detach().double() for v in (found, wanted))
        error = (a - b).abs()
    except (TypeError, ValueError, RuntimeError):
        return f"cannot compare {type(found).__name__} with what is wanted"
    wrong = ~(error <= tolerance * b.abs().clamp_min(1)) & ~(a.isnan() & b.isnan())  # NaN is wrong unless wanted
    if not wrong.any():
        return ""
    if a.numel() == 1:
        return "too large" if a > b else "too small"
    return f"{int(wrong.sum())} of {wrong.numel()} values differ, the most by {error.nan_to_num().max():.3g}"
