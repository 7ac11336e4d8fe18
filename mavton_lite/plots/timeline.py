"""Figure 2.2: how GANs developed, a line a year, the works by what they were after, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

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
    """One publication: the year and place it appeared in, and what it was after."""

    year: int
    name: str
    source: str  # first author and venue
    lane: str


WORKS = (
    Work(2014, "GAN", "Goodfellow, NeurIPS", "ability"),
    Work(2014, "conditional GAN", "Mirza, arXiv", "ability"),
    Work(2015, "LAPGAN", "Denton, NeurIPS", "ability"),
    Work(2016, "DCGAN", "Radford, ICLR", "ability"),
    Work(2016, "minibatch discrimination", "Salimans, NeurIPS", "stability"),
    Work(2017, "pix2pix, PatchGAN", "Isola, CVPR", "ability"),
    Work(2017, "CycleGAN", "Zhu, ICCV", "ability"),
    Work(2017, "Unrolled GAN", "Metz, ICLR", "stability"),
    Work(2017, "Wasserstein GAN", "Arjovsky, ICML", "stability"),
    Work(2017, "gradient penalty", "Gulrajani, NeurIPS", "stability"),
    Work(2017, "LSGAN", "Mao, ICCV", "stability"),
    Work(2017, "two time scales", "Heusel, NeurIPS", "stability"),
    Work(2017, "CAGAN", "Jetchev, ICCV workshops", "try-on"),
    Work(2018, "progressive growing", "Karras, ICLR", "ability"),
    Work(2018, "pix2pixHD", "Wang, CVPR", "ability"),
    Work(2018, "spectral norm", "Miyato, ICLR", "stability"),
    Work(2018, "R1 penalty", "Mescheder, ICML", "stability"),
    Work(2018, "VITON (no GAN)", "Han, CVPR", "try-on"),
    Work(2018, "CP-VTON (no GAN)", "Wang, ECCV", "try-on"),
    Work(2019, "BigGAN", "Brock, ICLR", "ability"),
    Work(2019, "StyleGAN", "Karras, CVPR", "ability"),
    Work(2019, "self-attention GAN", "Zhang, ICML", "stability"),
    Work(2020, "StyleGAN2", "Karras, CVPR", "ability"),
    Work(2020, "ACGPN", "Yang, CVPR", "try-on"),
    Work(2021, "StyleGAN3", "Karras, NeurIPS", "ability"),
    Work(2021, "VITON-HD", "Choi, CVPR", "try-on"),
    Work(2022, "HR-VITON", "Lee, ECCV", "try-on"),
)


def timeline(works: tuple[Work, ...] = WORKS) -> Figure:
    """Years downwards, a column for every lane.   Raises: ValueError for an unknown lane, or without works."""
    lanes = [lane for lane, *_ in LANES]
    unknown = [w.name for w in works if w.lane not in lanes]
    if unknown or not works:
        raise ValueError(f"timeline wants works in the lanes {', '.join(lanes)}; elsewhere: {unknown or 'no works'}")
    years = range(min(w.year for w in works), max(w.year for w in works) + 1)
    cells = {(year, lane): [w for w in works if (w.year, w.lane) == (year, lane)] for year in years for lane in lanes}
    lines = {year: max(1, *(len(cells[year, lane]) for lane in lanes)) for year in years}
    row, gap, head = 0.215, 0.13, 0.62  # inches
    height = head + sum(row * n + gap for n in lines.values()) + 0.1
    figure = Figure(figsize=(9, height), layout=PlaceHolderLayoutEngine(True, True))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 9), ylim=(height, 0))
    axes.set_axis_off()
    left = {lane: 0.85 + 2.74 * i for i, lane in enumerate(lanes)}
    for lane, english, chinese, colour in LANES:
        axes.text(left[lane], 0.13, english, fontsize=10.5, color=colour, va="top")
        axes.text(left[lane], 0.34, chinese, fontsize=10, color=colour, va="top")
    axes.plot([0.68, 0.68], [head, height - 0.1], color=INK, lw=1.2)
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
                axes.annotate(f"  {work.source}", (1, 0.5), xycoords=axes.texts[-1], fontsize=8.2, color=GREY,
                              va="center", ha="left")  # fmt: skip
        top += tall
    return figure
