"""How every figure looks, and how it becomes the same bytes every time."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.rcsetup import cycler

from mavton_lite.files import replacing

FONT = Path(__file__).parent / "fonts" / "NotoSansSC-subset.ttf"
FAMILIES = ["DejaVu Sans", "Noto Sans SC"]  # the second is asked only for glyphs the first lacks: Chinese

# Okabe and Ito's colours, distinguishable by everyone, in an order that also reads in grey.
INK = "#1f2430"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")

# One colour a model in every figure and table of the project.
MODEL_COLOURS = {
    "copy": "#B0B0B0",
    "paste": "#7F7F7F",
    "gmm": "#009E73",
    "viton": "#CC79A7",
    "cp_vton_plus": "#56B4E9",
    "cp_vton": "#0072B2",
    "ma_vton": "#D55E00",
    "ma_vton_no_gan": "#E69F00",
}

RC = {
    "font.family": FAMILIES,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "normal",  # the Chinese subset has one weight
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#d9dce3",
    "grid.linewidth": 0.6,
    "axes.prop_cycle": cycler(color=COLOURS),
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "savefig.facecolor": "white",
    "svg.hashsalt": "mavton_lite",
    "svg.fonttype": "path",
    "mathtext.fontset": "dejavusans",
}

NO_LAYOUT: Any = "none"  # matplotlib takes it, and its types do not say so

# Whatever would put a date or a version into the file.
_METADATA = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def use() -> None:
    """Make the project's style the current one, with the Chinese font registered."""
    if FONT.exists() and FAMILIES[1] not in font_manager.fontManager.get_font_names():
        font_manager.fontManager.addfont(FONT)
    settings: Any = RC
    matplotlib.rcParams.update(settings)


def set_gaps(figure: Figure, **gaps: Any) -> None:
    """Distances between the parts of a figure, as `ConstrainedLayoutEngine.set` names them; other layouts have none."""
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(**gaps)


def save(figure: Figure, path: Path, dpi: int | None = None) -> Path:
    """Write a figure atomically and without anything that changes from run to run.

    Raises: ValueError for an ending other than .png, .svg or .pdf, or when a glyph is in none of the fonts; Chinese in
    the same text as $mathematics$ has none.
    """
    path = Path(path)
    if path.suffix not in _METADATA:
        raise ValueError(f"{path}: cannot save a figure as {path.suffix!r}; wanted one of {', '.join(_METADATA)}")
    hashed = matplotlib.rc_context({"svg.hashsalt": RC["svg.hashsalt"]})
    try:
        with replacing(path) as partial, _missing_glyphs_as_errors(), hashed:
            metadata = _METADATA[path.suffix]
            figure.savefig(partial, format=path.suffix[1:], dpi=dpi or RC["savefig.dpi"], metadata=metadata)
    except UserWarning as missing:
        raise ValueError(f"{path}: {missing}; plots/fonts/README.md says how to add a character") from None
    return path


@contextlib.contextmanager
def _missing_glyphs_as_errors() -> Iterator[None]:
    """Raise UserWarning for a character that would be drawn as a box; mathematics only logs it."""
    boxes: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "does not have a glyph" in record.getMessage():
                boxes.append(record.getMessage())

    listener, logger = Listener(), logging.getLogger("matplotlib.mathtext")
    logger.addHandler(listener)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Glyph .* missing from")
            yield
    finally:
        logger.removeHandler(listener)
    if boxes:
        raise UserWarning(boxes[0])
