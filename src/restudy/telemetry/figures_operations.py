"""Figures of the holistic analysis (arXiv 2107.11832): results in, axes out.

The paper's values are black: crosses, or dashed lines. No function saves or shows anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from restudy import style
from restudy.style import axes, legend_above
from restudy.telemetry.correlation import Correlations
from restudy.telemetry.forecast import Contest
from restudy.telemetry.profiles import Profile
from restudy.telemetry.racks import COOLING_W, RackPower
from restudy.telemetry.shift import Shift
from restudy.telemetry.strips import FIFTHS
from restudy.telemetry.week import SamplingStudy
from restudy.traces.results import CLASSES

COLOURS = {"generic": style.GENERIC, "ml": style.ML}
NAMES = {"generic": "generic nodes", "ml": "ML nodes"}


def profile(
    result: Profile, metric: str, label: str, *, phase: str, ax: Axes | None = None
) -> Axes:
    """Draw mean and standard deviation of a metric over the phases of a cycle, by class of node.

    Parameters
    ----------
    result : Profile
        Counts by phase.
    metric : str
        Which of its metrics.
    label : str
        Name and unit of the metric, for the axis.
    phase : str
        Name of what the cycle counts, for the other axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    at = np.arange(len(result.labels))
    for kind in CLASSES:
        table = result.table(metric, kind)
        if not table["samples"].sum():
            continue
        mean, sd = table["mean"].to_numpy("float64"), table["sd"].to_numpy("float64")
        ax.fill_between(at, mean - sd, mean + sd, color=COLOURS[kind], alpha=0.15, lw=0)
        ax.plot(at, mean, "o-", color=COLOURS[kind], ms=4, label=f"{NAMES[kind]}, mean ± sd")
    step = 3 if len(at) > 12 else 1
    ax.set_xticks(at[::step], [str(name) for name in result.labels[::step]])
    ax.set(xlabel=phase, ylabel=label)
    ax.set_ylim(bottom=0)
    legend_above(ax, 2)
    return ax


def rack_power(
    result: RackPower, ml_racks: Sequence[str], *, limit: float = COOLING_W, ax: Axes | None = None
) -> Axes:
    """Draw the spread of each rack's power, and the line that its cooling is made for.

    Parameters
    ----------
    result : RackPower
        Power of each rack over time, W.
    ml_racks : sequence of str
        Racks of GPU nodes.
    limit : float
        Cooling line, W.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    for at, (rack, power) in enumerate(zip(result.racks, result.power, strict=True)):
        known = power[np.isfinite(power)] / 1e3
        if not len(known):
            continue
        colour = style.ML if rack in ml_racks else style.GENERIC
        low, q25, q50, q75, high = np.quantile(known, [0.01, 0.25, 0.5, 0.75, 0.99])
        ax.plot([at, at], [low, high], color=colour, lw=1.5)
        ax.plot([at, at], [q25, q75], color=colour, lw=7, solid_capstyle="butt")
        ax.plot(at, q50, "_", color="white", ms=9, mew=2)
        ax.plot(at, known.max(), ".", color=colour, ms=6)
    ax.axhline(limit / 1e3, color=style.PAPER, ls=style.PAPER_LINE[0], lw=style.PAPER_LINE[1])
    ax.set_xticks(range(len(result.racks)), result.racks, rotation=90)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("power of the rack [kW]")
    for name, colour in (("generic rack", style.GENERIC), ("ML rack", style.ML)):
        ax.plot([], [], color=colour, lw=5, label=name)
    ax.plot(
        [], [], color=style.PAPER, ls=style.PAPER_LINE[0], lw=style.PAPER_LINE[1], label="cooling"
    )
    legend_above(ax, 3)
    return ax


def strips(result: pd.DataFrame, paper: pd.DataFrame | None = None, ax: Axes | None = None) -> Axes:
    """Draw the share of time that each quantity spends in each fifth of its range.

    Parameters
    ----------
    result : pandas.DataFrame
        Shares, one row a quantity, one column a fifth (`restudy.telemetry.strips.FIFTHS`).
    paper : pandas.DataFrame, optional
        The published shares, in the same form; drawn below ours.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    shades = plt.get_cmap("viridis")(np.linspace(0.95, 0.1, len(FIFTHS)))
    rows = list(result.index)
    for at, name in enumerate(rows):
        both = [(result, -0.19, 0.36)] + ([] if paper is None else [(paper, 0.21, 0.28)])
        for table, shift, height in both:
            if name not in table.index:
                continue
            left = 0.0
            for fifth, shade in zip(FIFTHS, shades, strict=True):
                share = 100 * float(np.nan_to_num(table.loc[name, fifth]))
                ax.barh(at + shift, share, height, left=left, color=shade, lw=0)
                left += share
            if table is paper:
                ax.barh(at + shift, left, height, fill=False, edgecolor=style.PAPER, lw=1)
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    ax.set_xlabel("share of time [%]")
    ax.grid(axis="y", visible=False)
    for fifth, shade in zip(FIFTHS, shades, strict=True):
        ax.barh([0], [0], color=shade, label=fifth)
    if paper is not None:
        ax.barh([0], [0], fill=False, edgecolor=style.PAPER, label="paper (framed)")
    legend_above(ax, 3)
    return ax


def correlations(
    results: Mapping[str, Correlations],
    names: Mapping[str, str],
    paper: Mapping[tuple[str, str], Mapping[str, float]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the coefficients of pairs of metrics, one marker a method, the paper's as crosses.

    Parameters
    ----------
    results : mapping of str to Correlations
        By method (``pearson``, ``spearman``, ``kendall``), over one period.
    names : mapping of str to str
        Short name of each metric.
    paper : mapping, optional
        Published coefficients by pair of metrics and method.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    pairs = list(paper) if paper else _pairs(next(iter(results.values())).metrics)
    for k, (method, found) in enumerate(results.items()):
        at = np.arange(len(pairs)) + (k - 1) * 0.22
        ours = [float(found.of(*pair)[0]) for pair in pairs]
        colour = style.SERIES[k]
        ax.plot(ours, at, "o", color=colour, ms=7, label=method.capitalize())
        if paper:
            printed = [paper[pair][method] for pair in pairs]
            ax.plot(printed, at, style.PAPER_MARKER, color=style.PAPER, ms=6, mew=1.6)
    if paper:
        ax.plot([], [], style.PAPER_MARKER, color=style.PAPER, ms=6, mew=1.6, label="paper")
    ax.axvline(0, color=style.BASELINE, lw=1)
    ax.set_yticks(range(len(pairs)), [f"{names[a]} – {names[b]}" for a, b in pairs])
    ax.invert_yaxis()
    ax.set_xlim(-1, 1)
    ax.set_xlabel("correlation coefficient")
    legend_above(ax, 2)
    return ax


def _pairs(metrics: Sequence[str]) -> list[tuple[str, str]]:
    return [(a, b) for k, a in enumerate(metrics) for b in metrics[k + 1 :]]


def strong_pairs(result: np.ndarray, always: int, label: str, ax: Axes | None = None) -> Axes:
    """Draw how many pairs of metrics are strongly correlated on each day, and on all of them."""
    ax = axes(ax)
    ax.bar(np.arange(1, len(result) + 1), result, color=style.OURS, label=f"pairs with {label}")
    ax.axhline(always, color=style.FAULT, lw=2, label=f"on every day: {always}")
    ax.set_xlabel("day")
    ax.set_ylabel("pairs of metrics")
    legend_above(ax, 2)
    return ax


def before_after(
    result: Mapping[str, Shift],
    unit: str,
    paper: Mapping[str, tuple[float, float]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a median over nodes before and after a date, with the interval of the difference.

    Parameters
    ----------
    result : mapping of str to Shift
        By class of node.
    unit : str
        Unit of the metric.
    paper : mapping of str to (float, float), optional
        Published medians before and after, by class.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    for at, (kind, shift) in enumerate(result.items()):
        change = shift.node
        below = change.difference - change.low
        above = change.high - change.difference
        x = np.array([at - 0.2, at + 0.2])
        ax.plot(x, [change.before, change.after], color=COLOURS[kind], lw=1.5, zorder=1)
        ax.plot(x[0], change.before, "o", mfc="white", color=COLOURS[kind], ms=8)
        ax.errorbar(
            x[1], change.after, [[below], [above]], fmt="o", color=COLOURS[kind], capsize=4, ms=8
        )
        if paper and kind in paper:
            ax.plot(x, paper[kind], style.PAPER_MARKER, color=style.PAPER, ms=9, mew=2)
    ax.set_xticks(range(len(result)), [NAMES[kind] for kind in result])
    ax.set_xlim(-0.6, len(result) - 0.4)
    ax.set_ylim(bottom=0)
    ax.set_ylabel(f"median node [{unit}]")
    ax.plot([], [], "o", mfc="white", color=style.BASELINE, label="before")
    ax.plot([], [], "o", color=style.BASELINE, label="after, 95 % interval of the step")
    if paper:
        ax.plot([], [], style.PAPER_MARKER, color=style.PAPER, mew=2, label="paper")
    legend_above(ax, 3)
    return ax


_ENDS = ("low", "high")


_LOSSES = {
    "energy_error": "energy of a day",
    "peak_lost": "peak of a day",
    "excursions_missed": "excursions above p99",
    "variance_lost": "variance",
}


def sampling(result: SamplingStudy) -> Sequence[Axes]:
    """Draw what is lost against the sampling interval, one panel a quantity."""
    _, grid = plt.subplots(2, 2, figsize=(7.2, 6.0), sharex=True, layout="constrained")
    for ax, (field, title) in zip(grid.flat, _LOSSES.items(), strict=True):
        rows = (("points", result.points, style.SERIES[0]), ("means", result.means, style.OURS))
        for name, losses, colour in rows:
            found = [getattr(loss, field) for loss in losses]
            value = 100 * np.array([one.value for one in found])
            low, high = (100 * np.array([getattr(one, end) for one in found]) for end in _ENDS)
            minutes = [loss.seconds / 60 for loss in losses]
            ax.fill_between(minutes, low, high, color=colour, alpha=0.2, lw=0)
            ax.plot(minutes, value, "o-", color=colour, label=name)
        ax.set_xscale("log")
        ax.set_xticks([1, 5, 15], ["1", "5", "15"])
        ax.minorticks_off()
        ax.set_title(title)
    for ax in grid[:, 0]:
        ax.set_ylabel("lost or wrong [%]")
    for ax in grid[1]:
        ax.set_xlabel("sampling interval [min]")
    grid[0, 0].legend()
    return list(grid.flat)


def anomalies(
    power: np.ndarray,
    seconds: float,
    flags: Mapping[str, np.ndarray],
    slots: int,
    ax: Axes | None = None,
) -> Axes:
    """Draw a series and the windows that each rule flags.

    Parameters
    ----------
    power : numpy.ndarray, shape (slots,)
        The series, W.
    seconds : float
        Length of a slot, s.
    flags : mapping of str to numpy.ndarray of bool, shape (windows,)
        Flagged windows by rule.
    slots : int
        Slots of a window.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    days = np.arange(len(power)) * seconds / 86_400
    ax.plot(days, power / 1e3, color=style.BASELINE, lw=0.8, label="power")
    for k, (name, flagged) in enumerate(flags.items()):
        at = np.flatnonzero(flagged) * slots
        height = np.nanmax(power) / 1e3 * (1.03 + 0.04 * k)
        label = f"{name}: {len(at)}"
        ax.plot(days[at], np.full(len(at), height), "|", color=style.SERIES[k], ms=9, label=label)
    ax.set_xlabel("days")
    ax.set_ylabel("power [kW]")
    legend_above(ax, 3)
    return ax


def forecasts(result: Contest, seconds: float, unit: str, ax: Axes | None = None) -> Axes:
    """Draw the mean absolute error of each forecaster over the time ahead; the candidate thick.

    Parameters
    ----------
    result : Contest
        Scores of the baselines and, last, of the candidate.
    seconds : float
        Length of a slot, s.
    unit : str
        Unit of the series.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    for k, scores in enumerate(result.scores):
        last = k == len(result.scores) - 1
        minutes = seconds / 60 * np.arange(1, len(scores.mae) + 1)
        colour = style.OURS if last else style.SERIES[(0, 1, 3, 4, 5)[k % 5]]
        ax.plot(minutes, scores.mae, color=colour, lw=3 if last else 1.6, label=scores.name)
    ax.set_xlabel("time ahead [min]")
    ax.set_ylabel(f"mean absolute error [{unit}]")
    ax.set_yscale("log")
    legend_above(ax, 3)
    return ax
