"""Figure 2.2: how GANs developed, a line a year, the works by what they were after, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import Rectangle

from mavton_lite.plots.style import COLOURS, INK

LANES = (
    ("ability", "better and other pictures", "性能提升与应用", COLOURS[0]),
    ("stability", "training that works", "训练稳定", COLOURS[1]),
    ("try-on", "image-based try-on", "虚拟试衣", COLOURS[2]),
)
GREY = "#5b6170"


@dataclass(frozen=True)
class Work:
    """One publication: the year and place it appeared in, what it was after, and where year and place were read."""

    year: int
    name: str
    source: str  # first author and venue
    lane: str
    read_at: str
    unconfirmed: str = ""  # what was not read at the publisher's, the authors' or in the paper


_QUOTED = "the place: read only where others quote it"

WORKS = (
    Work(2014, "GAN", "Goodfellow, NeurIPS", "ability", "papers.neurips.cc/paper/5423"),
    Work(2014, "conditional GAN", "Mirza, arXiv", "ability", "a copy of arXiv:1411.1784 (bohrium.dp.tech)"),
    Work(2015, "LAPGAN", "Denton, NeurIPS", "ability", "proceedings.neurips.cc, 2015, p. 1486 to 1494"),
    Work(2016, "DCGAN", "Radford, ICLR", "ability", "research.fb.com/publications"),
    Work(2016, "minibatch discrimination", "Salimans, NeurIPS", "stability", "papers.nips.cc, 2016, p. 2234 to 2242"),
    Work(2017, "pix2pix, PatchGAN", "Isola, CVPR", "ability", "phillipi.github.io/pix2pix"),
    Work(2017, "CycleGAN", "Zhu, ICCV", "ability", "the authors' code (junyanz/pytorch-CycleGAN-and-pix2pix)"),
    Work(2017, "Unrolled GAN", "Metz, ICLR", "stability", "the paper, arXiv:1611.02163v4"),
    Work(2017, "Wasserstein GAN", "Arjovsky, ICML", "stability", "proceedings.mlr.press/v70/arjovsky17a"),
    Work(2017, "gradient penalty", "Gulrajani, NeurIPS", "stability", "papers.nips.cc/paper/7159"),
    Work(2017, "LSGAN", "Mao, ICCV", "stability", "addresses at openaccess.thecvf.com in public code", _QUOTED),
    Work(2017, "two time scales", "Heusel, NeurIPS", "stability", "papers.nips.cc, 2017, p. 6626 to 6637"),
    Work(2017, "CAGAN", "Jetchev, ICCV workshops", "try-on", "the authors' comment at arXiv:1709.04695 (core.ac.uk)"),
    Work(2018, "progressive growing", "Karras, ICLR", "ability", "openreview.net/forum?id=Hk99zCeAb, a submission",
         "that it was accepted: read only where others quote it"),
    Work(2018, "pix2pixHD", "Wang, CVPR", "ability", "the authors' code (NVIDIA/pix2pixHD)"),
    Work(2018, "spectral norm", "Miyato, ICLR", "stability", "the paper, arXiv:1802.05957v1"),
    Work(2018, "R1 penalty", "Mescheder, ICML", "stability", "the authors' code (LMescheder/GAN_stability)"),
    Work(2018, "VITON (no GAN)", "Han, CVPR", "try-on", "addresses at openaccess.thecvf.com in public code", _QUOTED),
    Work(2018, "CP-VTON (no GAN)", "Wang, ECCV", "try-on", "openaccess.thecvf.com/content_ECCV_2018"),
    Work(2019, "BigGAN", "Brock, ICLR", "ability", "its OpenReview entry in lists of references", _QUOTED),
    Work(2019, "StyleGAN", "Karras, CVPR", "ability", "openaccess.thecvf.com/content_CVPR_2019"),
    Work(2019, "self-attention GAN", "Zhang, ICML", "stability", "icml.cc/Conferences/2019; the paper, PMLR 97"),
    Work(2020, "StyleGAN2", "Karras, CVPR", "ability", "paperswithcode.com; lists of references", _QUOTED),
    Work(2020, "ACGPN", "Yang, CVPR", "try-on", "the authors' code (switchablenorms/DeepFashion_Try_On)"),
    Work(2021, "StyleGAN3", "Karras, NeurIPS", "ability", "openreview.net/forum?id=Owggnutk6lE"),
    Work(2021, "VITON-HD", "Choi, CVPR", "try-on", "the authors' code (shadow2496/VITON-HD)"),
    Work(2022, "HR-VITON", "Lee, ECCV", "try-on", "two of its authors' code (shadow2496/VITON-HD)"),
)  # fmt: skip


def sources(works: tuple[Work, ...] = WORKS) -> pd.DataFrame:
    """One row a work: when and where it appeared, where that was read, what is not confirmed."""
    return pd.DataFrame(
        {"year": [w.year for w in works], "work": [w.name for w in works], "published": [w.source for w in works],
         "read at": [w.read_at for w in works], "not confirmed": [w.unconfirmed for w in works]}
    )  # fmt: skip


def timeline(works: tuple[Work, ...] = WORKS) -> Figure:
    """Years downwards, a column for every lane; a star where something is not confirmed.

    Raises: ValueError for an unknown lane, or without works.
    """
    lanes = [lane for lane, *_ in LANES]
    unknown = [w.name for w in works if w.lane not in lanes]
    if unknown or not works:
        raise ValueError(f"timeline wants works in the lanes {', '.join(lanes)}; elsewhere: {unknown or 'no works'}")
    years = range(min(w.year for w in works), max(w.year for w in works) + 1)
    cells = {(year, lane): [w for w in works if (w.year, w.lane) == (year, lane)] for year in years for lane in lanes}
    lines = {year: max(1, *(len(cells[year, lane]) for lane in lanes)) for year in years}
    row, gap, head = 0.215, 0.13, 0.62  # inches
    foot = 0.32 if any(w.unconfirmed for w in works) else 0.1
    height = head + sum(row * n + gap for n in lines.values()) + foot
    figure = Figure(figsize=(9, height), layout=PlaceHolderLayoutEngine(True, True))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 9), ylim=(height, 0))
    axes.set_axis_off()
    left = {lane: 0.85 + 2.74 * i for i, lane in enumerate(lanes)}
    for lane, english, chinese, colour in LANES:
        axes.text(left[lane], 0.13, english, fontsize=10.5, color=colour, va="top")
        axes.text(left[lane], 0.34, chinese, fontsize=10, color=colour, va="top")
    axes.plot([0.68, 0.68], [head, height - foot], color=INK, lw=1.2)
    top = head
    for i, year in enumerate(years):
        tall = row * lines[year] + gap
        if i % 2 == 0:
            axes.add_patch(Rectangle((0, top), 9, tall, fc="#f3f4f7", ec="none", zorder=0))
        axes.text(0.56, top + tall / 2, str(year), fontsize=10, ha="right", va="center")
        axes.plot(0.68, top + tall / 2, "o", color=INK, ms=5)
        for lane, _, _, colour in LANES:
            for k, work in enumerate(cells[year, lane]):
                y = top + gap / 2 + row * (k + 0.5)
                axes.annotate(work.name, (left[lane], y), fontsize=9.2, color=colour, va="center").set_in_layout(False)
                star = " *" if work.unconfirmed else ""
                axes.annotate(f"  {work.source}{star}", (1, 0.5), xycoords=axes.texts[-1], fontsize=8.2, color=GREY,
                              va="center", ha="left")  # fmt: skip
        top += tall
    if any(w.unconfirmed for w in works):
        note = "* not read at the publisher's or the authors', only where others quote it"
        axes.text(left[lanes[0]], top + 0.16, note, fontsize=8.2, color=GREY, va="center")
    return figure
