"""Chains: waiting times, and what their states cost; results in, axes out."""

import pandas as pd
from matplotlib.axes import Axes

from restudy import style


def waiting(result: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the mean waiting time over the number of links: dots are simulated, crosses exact.

    Parameters
    ----------
    result : pandas.DataFrame
        Of `restudy.qnet.experiments_chain.waiting`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    protocols = result.groupby("protocol", sort=False)
    for (name, rows), colour in zip(protocols, style.SERIES, strict=False):
        links = rows["links"]
        ax.errorbar(links, rows["simulated"], 2 * rows["error"], fmt="o", color=colour, ms=7)
        ax.plot([], [], "o", color=colour, ms=7, label=name)
        ax.plot(links, rows["exact"], style.PAPER_MARKER, color=style.PAPER, ms=9, zorder=3)
        ax.plot(links, rows["rule"], ":", color=style.BASELINE)
    ax.plot([], [], style.PAPER_MARKER, color=style.PAPER, ms=9, label="exact")
    ax.plot([], [], ":", color=style.BASELINE, label="rule of three halves")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    spans = sorted(set(result["links"]))
    ax.set_xticks(spans, [str(span) for span in spans])
    ax.set(xlabel="links that the pair spans", ylabel="mean waiting time [attempts]")
    style.legend_above(ax, 2)
    return ax


def states(result: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw Figure 8(b): the CPU time of a chain's states, split (lines) or in place (dotted).

    Parameters
    ----------
    result : pandas.DataFrame
        Of `restudy.qnet.experiments_speed.chains`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    names = list(dict.fromkeys(result["formalism"]))
    for (way, name), rows in result.groupby(["way", "formalism"], sort=False):
        line = "o-" if way == "split" else "o:"
        colour = style.SERIES[names.index(name)]
        ax.plot(rows["nodes"], rows["cpu_s"], line, color=colour, label=f"{name}, {way}")
    ax.set(xscale="log", yscale="log", xlabel="nodes", ylabel="CPU time [s]")
    sizes = sorted(set(result["nodes"]))
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    style.legend_above(ax, 2)
    return ax
