"""Figure 7: key, errors and attempts with two memories of atomic ensembles."""

import pandas as pd
from matplotlib.axes import Axes

from restudy import style

_COLOURS = {"EIT": style.SERIES[0], "AFC": style.SERIES[1]}
_LABELS = {
    "key_rate": "secret bits an attempt",
    "attempts": "attempts a success",
    "qber_x": "error rate",
    "qber_z": "error rate",
}


def over_distance(
    exactly: pd.DataFrame,
    drawn: pd.DataFrame,
    *figures: str,
    crossing_km: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw figures of merit over the distance: lines are exact, dots are sampled.

    Parameters
    ----------
    exactly, drawn : pandas.DataFrame
        Of `exact` and `sampled` in `restudy.qnet.experiments_ensembles`.
    *figures : str
        Of `restudy.qnet.experiments_ensembles.FIGURES`; the second and later ones are dotted.
    crossing_km : float, optional
        Where the paper has the key rates cross, km.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    if crossing_km is not None:
        ls, lw = style.PAPER_LINE
        printed = ax.axvline(
            crossing_km, color=style.PAPER, ls=ls, lw=lw, label="paper: AFC beyond"
        )
        printed.set_zorder(3)
    for line, figure in zip(("-", ":"), figures, strict=False):
        for memory, colour in _COLOURS.items():
            name = memory if len(figures) == 1 else f"{memory}, {figure[-1].upper()} basis"
            known, found = _rows(exactly, memory, figure), _rows(drawn, memory, figure)
            ax.plot(known["distance_km"], known["value"], line, color=colour, label=name)
            ax.errorbar(
                found["distance_km"], found["value"], 2 * found["error"], color=colour, fmt="o"
            )
    if figures[0].startswith("qber"):
        ax.set_ylim(bottom=0)
    else:
        ax.set_yscale("log")
    ax.set(xlabel="distance [km]", ylabel=_LABELS[figures[0]])
    style.legend_above(ax, 2 if len(figures) > 1 else 3)
    return ax


def _rows(table: pd.DataFrame, memory: str, figure: str) -> pd.DataFrame:
    """Return one curve; a key rate of 0 is left out, for the axis is logarithmic."""
    shown = (table["memory"] == memory) & (table["figure"] == figure) & (table["value"] > 0)
    return table[shown]
