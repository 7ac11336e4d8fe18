"""Figure 1.1: online retail sales in China, year by year, each number with who published it and where it was read."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from mavton_lite.plots.style import COLOURS, INK

NBS, MOFCOM = "National Bureau of Statistics", "Ministry of Commerce"


@dataclass(frozen=True)
class Year:
    """Sales of one year and their growth on the year before, both as published.

    Growth is on a comparable basis, so it need not equal the ratio of two levels.
    """

    year: int
    trillion_yuan: float
    growth_percent: float
    publisher: str
    read_at: str  # where the published number was read, with its date
    unconfirmed: str = ""  # what of it could not be confirmed there


ONLINE_RETAIL = (
    Year(2012, 1.31, 67.5, MOFCOM, "technode.com, 2013-09-29",
         "the second decimal: 1.3 was read; 1.31 is 1.85 / 1.412, from the next year's numbers"),
    Year(2013, 1.85, 41.2, MOFCOM, "digitalcommerce360.com, 2014-05-29"),
    Year(2014, 2.7898, 49.7, NBS, "digitalcommerce360.com, 2015-01-22"),
    Year(2015, 3.8773, 33.3, NBS, "digitalcommerce360.com, 2016-01-27; news.livedoor.com, 2016"),
    Year(2016, 5.1556, 26.2, NBS, "a copy of the Bureau's release of January 2017"),
    Year(2017, 7.18, 32.2, NBS, "quoted by the Ministry of Commerce, 2018-01-25"),
    Year(2018, 9.01, 23.9, NBS, "China Daily through finanz.dk, 2019",
         "the decimals of the level: only \"over 9\" was read; the growth was read"),
    Year(2019, 10.6324, 16.5, NBS, "chinainternetwatch.com, 2020-01-20"),
    Year(2020, 11.7601, 10.9, NBS, "quoted in an article of 2021; scholarmate.com, 2021"),
    Year(2021, 13.0884, 14.1, NBS, "a copy of the Bureau's release of 2022-01-17; the thesis"),
)  # fmt: skip


def sources(years: tuple[Year, ...] = ONLINE_RETAIL) -> pd.DataFrame:
    """One row a year: number, publisher, where it was read, what is not confirmed."""
    return pd.DataFrame(
        {"year": [y.year for y in years], "trillion yuan": [f"{y.trillion_yuan:g}" for y in years],
         "growth, %": [f"{y.growth_percent:.1f}" for y in years], "published by": [y.publisher for y in years],
         "read at": [y.read_at for y in years], "not confirmed": [y.unconfirmed for y in years]}
    )  # fmt: skip


def online_retail(years: tuple[Year, ...] = ONLINE_RETAIL) -> Figure:
    """Bars of sales below, the line of growth above, over the same years; a star where something is not confirmed."""
    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    at = [y.year for y in years]
    above.plot(at, [y.growth_percent for y in years], color=COLOURS[1], marker="o", ms=4.5)
    for y in years:
        above.annotate(f"{y.growth_percent:.1f}", (y.year, y.growth_percent), xytext=(5, 6),
                       textcoords="offset points", ha="center", fontsize=9, color=COLOURS[1])  # fmt: skip
        star = " *" if y.unconfirmed else ""
        below.text(y.year, y.trillion_yuan + 0.2, f"{y.trillion_yuan:.2f}{star}", ha="center", fontsize=9)
        faint = y.publisher == MOFCOM
        below.bar(y.year, y.trillion_yuan, width=0.66, fc="white" if faint else COLOURS[0], ec=COLOURS[0], lw=1.2)
    above.set(ylim=(0, 86), ylabel="growth, %", yticks=[0, 25, 50, 75])
    above.set_title("Online retail sales in China 中国网上零售额, 2012 to 2021, and their growth 增长率", fontsize=10.5)
    below.set(ylim=(0, 14.8), ylabel="trillion yuan 万亿元")
    below.set_xticks(at)
    below.text(0.015, 0.97, "filled: National Bureau of Statistics 国家统计局\nopen: Ministry of Commerce 商务部\n"
               "* not confirmed to the last digit", transform=below.transAxes, va="top", fontsize=8.8,
               linespacing=1.5, color=INK, bbox={"fc": "white", "ec": "none", "pad": 2})  # fmt: skip
    for axes in (above, below):
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=9)
    return figure
