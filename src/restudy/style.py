"""How the book's figures and tables look: one style sheet, one colour per meaning.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any
colour vision can tell apart. What a paper says is black wherever it is drawn, and dashed or marked
with a cross, so that it stands out in print as well.
"""

from importlib import resources

import matplotlib.pyplot as plt
import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes

PAPER = "#000000"  # published values
OURS = "#009E73"  # what was measured here
BASELINE = "#5A5A5A"  # a peer, a null value, a naive way
FAULT = "#CC79A7"  # as a fault of the original shows it
GENERIC = "#0072B2"
ML = "#D55E00"
BAND = "#DDDDDD"  # an interval or a range behind other things

# For more than two things without a meaning of their own, in this order.
SERIES: tuple[str, ...] = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#5A5A5A",
)

PAPER_LINE: tuple[str, float] = ("--", 1.3)  # line style and width of published curves
PAPER_MARKER = "x"


def use() -> None:
    """Draw all figures from here on in the style of the book, and cut no text in tables."""
    pd.set_option("display.max_colwidth", None)
    with resources.as_file(resources.files("restudy") / "restudy.mplstyle") as path:
        matplotlib.style.use(path)


def axes(ax: Axes | None) -> Axes:
    """Give the Axes to draw on: the given ones or those of a new figure."""
    return plt.subplots()[1] if ax is None else ax


def legend_above(ax: Axes, columns: int = 3) -> None:
    """Put the legend above the Axes, where it hides nothing."""
    count = len(ax.get_legend_handles_labels()[0])
    if count:
        ax.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=min(count, columns),
            columnspacing=1.2,
            borderaxespad=0.2,
        )
