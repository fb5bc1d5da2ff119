"""Figures 5 and 6: chains of nitrogen-vacancy centres."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from restudy import style
from restudy.qnet.experiments_nv import PARAMETERS, Scheme
from restudy.qnet.optimise import Optimum

_COLOURS = {
    Scheme.DIRECT: style.BASELINE,
    Scheme.SWAP_ASAP: style.SERIES[0],
    Scheme.NESTED: style.SERIES[1],
}
_GREENS = ("#9ED9C5", style.OURS, "#00543D")
_MARKERS = {0: "s", 1: "^", 3: "o", 7: "D"}


def distance(result: pd.DataFrame, crossing_km: float | None = None) -> Sequence[Axes]:
    """Draw Figure 5(a): fidelity above, rate below, over the distance.

    Parameters
    ----------
    result : pandas.DataFrame
        Of `restudy.qnet.experiments_nv.figure5a`.
    crossing_km : float, optional
        Where the paper has the fidelity of 10x hardware without repeaters fall below 1/2, km.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        The two panels.
    """
    _, panels = plt.subplots(2, 1, figsize=(6.4, 6.6), sharex=True, layout="constrained")
    for _, rows in result.groupby(["improvement", "repeaters"], sort=False):
        factor, repeaters = rows["improvement"].iloc[0], rows["repeaters"].iloc[0]
        near = factor == 1
        name = "near-term" if near else f"{factor:g}x improved"
        _points(
            panels,
            rows,
            "distance_km",
            color=style.SERIES[0] if near else style.SERIES[1],
            ls="-" if repeaters else ":",
            marker=_MARKERS[repeaters],
            label=f"{name}, {repeaters} repeaters" if repeaters else f"{name}, no repeater",
        )
    if crossing_km is not None:
        ls, lw = style.PAPER_LINE
        for ax in panels:
            ax.axvline(crossing_km, color=style.PAPER, ls=ls, lw=lw, zorder=1)
        panels[0].plot([], [], color=style.PAPER, ls=ls, lw=lw, label="paper: direct F = 1/2")
    panels[0].set_ylabel("mean fidelity")
    panels[1].set(xlabel="distance [km]", ylabel="rate [1/s]", yscale="log")
    panels[0].axhline(0.5, color=style.BASELINE, lw=0.8)
    style.legend_above(panels[0], 2)
    return list(panels)


def improvement(result: pd.DataFrame, distance_km: float) -> Sequence[Axes]:
    """Draw Figure 5(b, c): fidelity above, rate below, over the factor of improvement.

    Parameters
    ----------
    result : pandas.DataFrame
        Of `restudy.qnet.experiments_nv.figure5bc`.
    distance_km : float
        Which of its distances, km.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        The two panels.
    """
    _, panels = plt.subplots(2, 1, figsize=(6.4, 6.8), sharex=True, layout="constrained")
    shown = result[result["distance_km"] == distance_km]
    for _, rows in shown.groupby(["scheme", "repeaters"], sort=False):
        scheme, repeaters = rows["scheme"].iloc[0], rows["repeaters"].iloc[0]
        _points(
            panels,
            rows,
            "improvement",
            color=_COLOURS[Scheme(scheme)],
            ls="-" if repeaters else ":",
            marker=_MARKERS[repeaters],
            label=f"{scheme}, {repeaters}" if repeaters else str(scheme),
        )
    panels[0].axhline(0.5, color=style.BASELINE, lw=0.8)
    panels[0].set_ylabel("mean fidelity")
    panels[1].set(xlabel="factor of improvement", ylabel="rate [1/s]", yscale="log")
    style.legend_above(panels[0], 2)
    return list(panels)


def _points(
    panels: Sequence[Axes],
    rows: pd.DataFrame,
    over: str,
    *,
    color: str,
    ls: str,
    marker: str,
    label: str,
) -> None:
    """Draw fidelity and rate with two standard errors."""
    for ax, value, error in (
        (panels[0], "fidelity", "fidelity_error"),
        (panels[1], "rate_hz", "rate_error_hz"),
    ):
        at, found = rows[over], rows[value]
        ax.errorbar(at, found, 2 * rows[error], color=color, ls=ls, marker=marker, ms=4, lw=1.6)
    panels[0].plot([], [], color=color, ls=ls, marker=marker, ms=5, lw=1.6, label=label)


def sensitivity(result: pd.DataFrame, paper: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw Figure 6: the fidelity with one parameter or two improved by 2, 10 and 50.

    Parameters
    ----------
    result : pandas.DataFrame
        Of `restudy.qnet.experiments_nv.figure6`.
    paper : float, optional
        Published fidelity with all hardware improved three times.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = plt.subplots(figsize=(6.4, 5.2), layout="constrained")[1] if ax is None else ax
    changed = result[result["first"] != ""]
    cases = list(dict.fromkeys(zip(changed["first"], changed["second"], strict=True)))
    shades = dict(
        zip(sorted(set(changed["factor"])), ("#9ED9C5", style.OURS, "#00543D"), strict=True)
    )
    for row, (first, second) in enumerate(cases):
        mine = changed[(changed["first"] == first) & (changed["second"] == second)]
        ax.plot(mine["fidelity"], np.full(len(mine), row), color=style.BAND, lw=3, zorder=1)
        for fidelity, factor in zip(mine["fidelity"], mine["factor"], strict=True):
            ax.plot(fidelity, row, "o", color=shades[factor], ms=8)
    for factor, shade in shades.items():
        ax.plot([], [], "o", color=shade, ms=8, label=f"improved {factor:g}x")
    if paper is not None:
        ls, lw = style.PAPER_LINE
        ax.axvline(paper, color=style.PAPER, ls=ls, lw=lw, label="paper: all 3x")
    ax.axvline(0.5, color=style.BASELINE, lw=0.8, zorder=1)
    names = [first if not second else f"{first} + {second}" for first, second in cases]
    ax.set_yticks(range(len(cases)), names)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.xaxis.set_major_locator(MultipleLocator(0.05))
    ax.set_xlabel("mean fidelity, everything else 3x")
    style.legend_above(ax, 2)
    return ax


def search(result: Optimum, ax: Axes | None = None) -> Axes:
    """Draw what the search tried: fidelity over cost, and the cheapest that is good enough.

    Parameters
    ----------
    result : Optimum
        Of `restudy.qnet.experiments.cheapest`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    tried = result.candidates
    dots = ax.scatter(
        tried["cost"], tried["fidelity"], c=tried["generation"], s=14, label="candidates"
    )
    ax.axhline(0.5, color=style.BASELINE, lw=0.8)
    best = tried[tried["excess"] == 0].nsmallest(1, "cost")
    ax.plot(best["cost"], best["fidelity"], "*", color=style.ML, ms=15, label="cheapest above 1/2")
    names = {field: name for name, field in PARAMETERS.items()}
    text = "\n".join(f"{names[field]} {factor:.1f}x" for field, factor in result.parameters.items())
    ax.text(0.98, 0.04, text, transform=ax.transAxes, ha="right", va="bottom", fontsize=10)
    ax.figure.colorbar(dots, ax=ax, label="generation")
    ax.set(xlabel="cost: sum of the factors", ylabel="mean fidelity")
    style.legend_above(ax, 2)
    return ax
