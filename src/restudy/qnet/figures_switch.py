"""Figure 4: capacity and fidelity of the quantum switch."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from restudy import style
from restudy.qnet.experiments_switch import SwitchStudy


def capacity(result: SwitchStudy, ax: Axes | None = None) -> Axes:
    """Draw the capacity over the buffer; crosses are closed forms, where there is one.

    Parameters
    ----------
    result : SwitchStudy
        Of `restudy.qnet.experiments_switch.figure4`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    for (name, rows), colour in zip(_cases(result.capacity), style.SERIES, strict=False):
        at = rows["buffer_size"]
        ax.errorbar(at, rows["capacity_hz"], 2 * rows["error_hz"], color=colour, fmt="o-")
        ax.plot([], [], "o-", color=colour, label=name)
        ax.plot(at, rows["expected_hz"], style.PAPER_MARKER, color=style.PAPER, ms=8, zorder=3)
    ax.plot([], [], style.PAPER_MARKER, color=style.PAPER, ms=8, label="closed form")
    ax.set_xscale("log")
    buffers = sorted(set(result.capacity["buffer_size"]))
    ax.set_xticks(buffers, [f"{size:g}" for size in buffers])
    ax.minorticks_off()
    ax.set_ylim(bottom=0)
    ax.set(xlabel="buffer [pairs a leaf]", ylabel="capacity [GHZ states/s]")
    style.legend_above(ax, 2)
    return ax


def fidelity(result: SwitchStudy, buffer_size: int, ax: Axes | None = None) -> Axes:
    """Draw the mean fidelity over the coherence time, with one buffer.

    Parameters
    ----------
    result : SwitchStudy
        Of `restudy.qnet.experiments_switch.figure4`.
    buffer_size : int
        Pairs that a leaf can store.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    shown = result.fidelity[result.fidelity["buffer_size"] == buffer_size]
    for (name, rows), colour in zip(_cases(shown), style.SERIES, strict=False):
        ax.errorbar(rows["t2_s"], rows["fidelity"], 2 * rows["error"], color=colour, fmt="o-")
        ax.plot([], [], "o-", color=colour, label=name)
    ax.set_xscale("log")
    ax.set_ylim(0.48, 1.01)
    ax.set_yticks(np.linspace(0.5, 1, 6))
    ax.set(xlabel="coherence time T2 [s]", ylabel="mean fidelity")
    style.legend_above(ax, 3)
    return ax


def _cases(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows of each case, in the order of the table."""
    return [(str(name), rows) for name, rows in table.groupby("case", sort=False)]
