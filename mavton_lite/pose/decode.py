"""From maps to skeletons: peaks, how well a field supports each candidate limb, who belongs to whom.

Source: Cao et al. 2017, "Realtime multi-person 2D pose estimation using part affinity fields".
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mavton_lite.data.sample import COCO18
from mavton_lite.pose.maps import LIMBS, STRIDE, cells

ALIGNED = 0.05  # a sample of the line integral below this speaks against the limb ...
AGREEING = 0.8  # ... and so many must speak for it; both are OpenPose's
REACH = 0.8  # of a skeleton's diagonal: how far a stray may be from what it hangs on; a straight arm has 0.6
_PARENT = {second: first for first, second in reversed(LIMBS[:17])}  # towards the neck; two limbs only help
Solver = Literal["hungarian", "greedy"]


class Peaks(NamedTuple):
    """Candidate joints of everybody.   Shape: N candidates, in cells."""

    joint: Tensor  # (N,) int64, row of COCO18
    xy: Tensor  # (N, 2) float32
    score: Tensor  # (N,) float32


class Link(NamedTuple):
    """A limb that was chosen: two rows of `Peaks`, and how well the field supports it."""

    limb: int  # row of LIMBS
    first: int
    second: int
    score: float


def decode(
    confidence: Tensor,
    fields: Tensor,
    stride: float = STRIDE,
    threshold: float = 0.1,
    solver: Solver = "hungarian",
    least: int = 3,
) -> Tensor:
    """Everybody's skeleton from the maps of one picture: key points with their scores, 0 where a joint was not found.

    People with fewer than `least` joints are dropped.
    Shape: (18, H, W), (38, H, W) -> (P, 18, 3) x px, y px, score.
    """
    peaks = find_peaks(confidence, threshold)
    people = adopt(assemble(peaks, connect(fields, peaks, solver), least), peaks)
    return torch.where(people[..., 2:] > 0, cells(people, 1 / stride), 0.0)


def find_peaks(confidence: Tensor, threshold: float = 0.1, radius: float = 1.5) -> Peaks:
    """Non-maximum suppression: cells that none of their eight neighbours exceeds, to a fraction of a cell.

    Of peaks within `radius` cells of each other, as of two equal neighbours, the higher or first one stays.
    Shape: (K, H, W) -> `Peaks`, sorted by joint, the highest first.   Raises: ValueError for another shape.
    """
    if confidence.ndim != 3:
        raise ValueError(f"find_peaks wants (K, H, W), got {tuple(confidence.shape)}")
    highest = F.max_pool2d(confidence[None], 3, 1, 1)[0]
    joint, row, column = torch.nonzero((confidence == highest) & (confidence > threshold), as_tuple=True)
    score = confidence[joint, row, column]
    kept: list[int] = []
    for i in sorted(range(len(score)), key=lambda i: (int(joint[i]), -float(score[i]))):
        near = (j for j in kept if joint[j] == joint[i])
        if all((row[i] - row[j]) ** 2 + (column[i] - column[j]) ** 2 > radius**2 for j in near):
            kept.append(i)
    joint, row, column, score = (t[kept] for t in (joint, row, column, score))
    return Peaks(joint, refine(confidence, joint, row, column), score)


def refine(confidence: Tensor, joint: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The top of a parabola through the logarithm of a peak and its two neighbours, across and down.

    The logarithm of a Gaussian *is* a parabola, so a lone bump is found exactly. At the border, where a neighbour is
    missing, the cell's middle is taken.
    Shape: (K, H, W), 3 x (N,) -> (N, 2) x, y.
    """
    log = confidence.clamp(min=1e-6).log()
    height, width = confidence.shape[1:]

    def shift(dy: int, dx: int) -> Tensor:  # (N,)
        inside = (row >= dy) & (row < height - dy) & (column >= dx) & (column < width - dx)
        r, c = row.clamp(dy, height - 1 - dy), column.clamp(dx, width - 1 - dx)
        before, at, after = log[joint, r - dy, c - dx], log[joint, r, c], log[joint, r + dy, c + dx]
        bend = before - 2 * at + after
        top = 0.5 * (before - after) / torch.where(bend < 0, bend, -torch.ones_like(bend))
        return torch.where(inside & (bend < 0), top.clamp(-0.5, 0.5), 0.0)

    return torch.stack([column + shift(0, 1), row + shift(1, 0)], 1)


def limb_scores(field: Tensor, starts: Tensor, ends: Tensor, samples: int = 10) -> Tensor:
    """The line integral of a limb's field from every start to every end: 1 where it points along the line all the way.

    0 for pairs that too few samples support.
    Source: Cao et al. 2017, eqs. 10 and 11; the limit is OpenPose's code's.
    Shape: (2, H, W), (A, 2), (B, 2) in cells -> (A, B).
    """
    height, width = field.shape[1:]
    along = ends[None] - starts[:, None]  # (A, B, 2)
    unit = along / along.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    share = torch.linspace(0, 1, samples, device=field.device)[:, None]  # (S, 1)
    points = starts[:, None, None] + share * along[:, :, None]  # (A, B, S, 2)
    grid = points * 2 / torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=field.device) - 1
    found = F.grid_sample(field[None], grid.flatten(0, 1)[None], align_corners=True)[0]  # (2, A * B, S), bilinear
    agreement = torch.einsum("cabs,abc->abs", found.view(2, *grid.shape[:3]), unit)
    supported = (agreement > ALIGNED).float().mean(-1) >= AGREEING
    return agreement.mean(-1).clamp(min=0) * supported


def assign(scores: Tensor, solver: Solver = "hungarian") -> list[tuple[int, int]]:
    """Pairs of rows and columns with a positive score, each row and each column at most once.

    "hungarian" makes the sum of the scores as large as it can be; "greedy" takes the best pair, then the best of the
    rest, as OpenPose's code does.   Shape: (A, B).   Raises: ValueError for another solver.
    """
    table = scores.detach().cpu().double().numpy()
    if solver == "hungarian":
        pairs = zip(*linear_sum_assignment(table, maximize=True), strict=True)
        return [(int(a), int(b)) for a, b in pairs if table[a, b] > 0]
    if solver != "greedy":
        raise ValueError(f"unknown solver {solver!r}; known: hungarian, greedy")
    chosen: list[tuple[int, int]] = []
    for place in np.argsort(-table, axis=None, kind="stable"):
        a, b = (int(k) for k in np.unravel_index(place, table.shape))
        if table[a, b] > 0 and all(a != i and b != j for i, j in chosen):
            chosen.append((a, b))
    return chosen


def connect(fields: Tensor, peaks: Peaks, solver: Solver = "hungarian") -> list[Link]:
    """The limbs of everybody: for each kind its own assignment of first joints to second joints.

    Shape: (38, H, W).   Raises: ValueError for another number of fields.
    """
    if fields.ndim != 3 or len(fields) != 2 * len(LIMBS):
        raise ValueError(f"connect wants ({2 * len(LIMBS)}, H, W) fields, got {tuple(fields.shape)}")
    links = []
    for limb, (first, second) in enumerate(LIMBS):
        ones, others = (torch.nonzero(peaks.joint == k).flatten() for k in (first, second))
        if len(ones) and len(others):
            scores = limb_scores(fields[2 * limb : 2 * limb + 2], peaks.xy[ones], peaks.xy[others])
            links += [Link(limb, int(ones[a]), int(others[b]), float(scores[a, b])) for a, b in assign(scores, solver)]
    return links


def assemble(peaks: Peaks, links: list[Link], least: int = 3) -> Tensor:
    """People: candidates joined by links, the best supported link first.

    A link that would give somebody two joints of a kind contradicts a better one and is left out.
    Source: Cao et al. 2019, section 3.4.   Shape: -> (P, 18, 3) x, y in cells, score; those with most joints first.
    """
    person = {i: {int(k): i} for i, k in enumerate(peaks.joint)}  # candidate -> joint -> candidate, shared by a person
    for link in sorted(links, key=lambda link: -link.score):
        one, other = person[link.first], person[link.second]
        if one is not other and not one.keys() & other.keys():
            one |= other
            person |= dict.fromkeys(other.values(), one)
    everybody = sorted({id(p): p for p in person.values()}.values(), key=lambda p: (-len(p), min(p.values())))
    everybody = [p for p in everybody if len(p) >= least]
    out = peaks.xy.new_zeros(len(everybody), len(COCO18), 3)
    for row, joints in zip(out, everybody, strict=True):
        for joint, i in joints.items():
            row[joint] = torch.cat([peaks.xy[i], peaks.score[i, None]])
    return out


def adopt(people: Tensor, peaks: Peaks) -> Tensor:
    """The same people, with candidates that nobody has given to somebody near who lacks such a joint.

    A wrist whose elbow is hidden hangs on no field. Of one kind of joint, strays and people are paired so that the
    distances to where the joint would hang (elbow, else shoulder, else neck) are smallest.
    Differs: OpenPose drops them.   Shape: (P, 18, 3) in cells -> same.
    """
    people = people.clone()
    taken = {tuple(xy) for xy in people[..., :2][people[..., 2] > 0].tolist()}
    for kind in range(len(COCO18)):
        strays = [i for i in torch.nonzero(peaks.joint == kind).flatten() if tuple(peaks.xy[i].tolist()) not in taken]
        lacking = [p for p in people if p[kind, 2] == 0]  # views
        table = torch.tensor([[_closeness(peaks.xy[i], p, kind) for p in lacking] for i in strays])
        for a, b in assign(table) if table.numel() else ():
            lacking[b][kind] = torch.cat([peaks.xy[strays[a]], peaks.score[strays[a], None]])
    return people


def _closeness(xy: Tensor, person: Tensor, kind: int) -> float:
    """1 where the joint would hang, less with distance, 0 out of reach or where it hangs on nothing."""
    seen = person[:, 2] > 0
    while kind in _PARENT and not seen[kind]:
        kind = _PARENT[kind]
    if not seen[kind]:
        return 0.0
    diagonal = (person[seen, :2].amax(0) - person[seen, :2].amin(0)).norm()
    reach = REACH * float(diagonal)
    return max(0.0, 1 - float((xy - person[kind, :2]).norm()) / reach) if reach else 0.0
