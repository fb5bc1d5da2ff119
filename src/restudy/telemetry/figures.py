"""Figures of the node side of arXiv 2409.08949: results in, axes out.

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
from restudy.telemetry.gpu_heat import HeatCurves
from restudy.telemetry.state_moments import PAPER_STATES
from restudy.telemetry.utilisation import Utilisation, drawn_bars
from restudy.traces.figures import Curve, published
from restudy.traces.results import CLASSES

COLOURS = {"generic": style.GENERIC, "ml": style.ML}
NAMES = {"generic": "CPU nodes", "ml": "GPU nodes"}
_JOBS = {"generic": "generic", "ml": "ML"}

_RATIOS = {
    "load1": "load / cores",
    "cpu_power": "processors: power",
    "memory": "memory in use",
    "package_temperature": "processors: temperature",
    "core_temperature": "cores: temperature",
    "gpu_power": "GPUs: power",
    "gpu_memory": "GPUs: memory in use",
    "gpu_temperature": "hottest GPU: temperature",
}
_MIDDLES = np.arange(2.5, 110, 5)  # of the bars, per cent


def utilisation(
    result: Utilisation, paper: Mapping[tuple[str, str], np.ndarray] | None = None
) -> Sequence[Axes]:
    """Figure 3: share of time by utilisation, in bars of 5 %.

    Parameters
    ----------
    result : Utilisation
        Ratios to capacity by class of node.
    paper : mapping of (str, str) to numpy.ndarray, optional
        Published bars by ratio and class, shares of 1, (22,).

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One a ratio.
    """
    _, grid = plt.subplots(4, 2, figsize=(7.2, 9.6), sharex=True, layout="constrained")
    for ax, (name, title) in zip(grid.flat, _RATIOS.items(), strict=True):
        ax.set_title(title)
        counts = result.ratios.get(name)
        for kind in CLASSES:
            if counts is not None and counts.known(kind):
                share = 100 * drawn_bars(counts, kind)
                ax.bar(_MIDDLES, share, 5, color=COLOURS[kind], alpha=0.55, label=NAMES[kind])
            if paper and (name, kind) in paper:
                x, y = np.arange(0, 111, 5), 100 * paper[name, kind]
                ax.stairs(y, x, color=style.PAPER, ls="--" if kind == "generic" else "-", lw=1)
    for ax in grid[:, 0]:
        ax.set_ylabel("share of time [%]")
    for ax in grid[-1]:
        ax.set_xlabel("of the possible [%]")
    if paper:
        grid[0, 0].plot([], [], color=style.PAPER, ls="--", lw=1, label="paper, CPU nodes")
        grid[0, 0].plot([], [], color=style.PAPER, lw=1, label="paper, GPU nodes")
    grid[0, 0].legend(fontsize="small")
    return list(grid.flat)


def gpu_heat(result: HeatCurves, paper: Mapping[str, Curve] | None = None) -> Sequence[Axes]:
    """Figure 4: mean temperature by power, one panel a slot.

    Parameters
    ----------
    result : HeatCurves
        Sums by power and slot.
    paper : mapping of str to Curve, optional
        Published power and mean temperature by slot, per cent.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One a slot.
    """
    table = result.table()
    _, grid = plt.subplots(2, 2, figsize=(7.2, 6.0), sharex=True, sharey=True, layout="constrained")
    for k, (ax, slot) in enumerate(zip(grid.flat, table.columns, strict=True)):
        ax.plot(table.index, table[slot], color=style.SERIES[k], label="ours")
        if paper and slot in paper:
            published(ax, *paper[slot])
        ax.axvline(100, color=style.BAND, zorder=0)
        ax.set_title(slot)
        ax.set_xlim(0, 130)
        ax.set_ylim(-5, 105)
    for ax in grid[:, 0]:
        ax.set_ylabel("temperature [% of limit]")
    for ax in grid[1]:
        ax.set_xlabel("power [% of limit]")
    grid[0, 0].legend()
    return list(grid.flat)


def shares(
    rows: Mapping[str, Mapping[str, float]],
    paper: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Figure 1 and Table 5: ML's share of resources, jobs and energy.

    Parameters
    ----------
    rows : mapping of str to mapping of str to float
        ML's share, per cent, by variant (legend) and quantity (axis).
    paper : mapping of str to float, optional
        Published shares by quantity.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    quantities = list(next(iter(rows.values())))
    middle = np.arange(len(quantities), dtype="float64")
    height = 0.8 / len(rows)
    for k, (variant, values) in enumerate(rows.items()):
        at = middle + (k - (len(rows) - 1) / 2) * height
        shown = [values[name] for name in quantities]
        ax.barh(at, shown, height * 0.9, color=style.SERIES[(k + 1) % 7], label=variant)
    if paper:
        printed = [paper.get(name, np.nan) for name in quantities]
        ax.plot(printed, middle, style.PAPER_MARKER, color=style.PAPER, ms=9, mew=2, label="paper")
    ax.set_yticks(range(len(quantities)), quantities)
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    ax.set_xlabel("share of ML [%]")
    ax.grid(axis="y", visible=False)
    legend_above(ax, 2)
    return ax


def state_shares(
    result: pd.DataFrame, paper: pd.DataFrame | None = None, ax: Axes | None = None
) -> Axes:
    """Figure 9: share of each final state in jobs, run time and energy of its class.

    Parameters
    ----------
    result : pandas.DataFrame
        Shares, 0 to 1; index (class, state), one column a quantity.
    paper : pandas.DataFrame, optional
        Published shares, 0 to 1, in the same form; framed, below ours. NaN is not printed.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    rows = [(kind, name) for kind in result.index.unique(0) for name in result.columns]
    states = [state for state in PAPER_STATES if state in result.index.get_level_values(1)]
    colours = dict(zip(PAPER_STATES, style.SERIES, strict=False))
    drawn = [(result, -0.2, 0.0), (paper, 0.2, 1.0)]
    for table, offset, frame in drawn:
        if table is None:
            continue
        for y, (kind, name) in enumerate(rows):
            left = 0.0
            for state in states:
                share = 100 * float(np.nan_to_num(table[name].get((kind, state), 0.0)))
                label = state.replace("_", " ").lower() if y == 0 and table is result else None
                bar = ax.barh(y + offset, share, 0.36, left=left, color=colours[state], label=label)
                bar.patches[0].set(linewidth=frame, edgecolor=style.PAPER)
                left += share
    if paper is not None:
        ax.bar(0, 0, color="none", edgecolor=style.PAPER, label="paper (framed)")
    names = [f"{_JOBS[kind]}: {str(name).partition(' [')[0]}" for kind, name in rows]
    ax.set_yticks(range(len(rows)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    ax.set_xlabel("share of the class [%]")
    ax.grid(visible=False)
    legend_above(ax, 3)
    return ax


def cotermination(
    result: Mapping[str, pd.DataFrame], paper: Mapping[str, pd.DataFrame] | None = None
) -> Sequence[Axes]:
    """Figure 10: correlation of a job's state with the states of the jobs beside it.

    Parameters
    ----------
    result : mapping of str to pandas.DataFrame
        Pearson coefficients by class; rows own state, columns state of the others.
    paper : mapping of str to pandas.DataFrame, optional
        Published coefficients, NaN where not printed; small, below ours.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One a class.
    """
    high = 3.9 * len(result)
    _, grid = plt.subplots(len(result), 1, figsize=(7.2, high), layout="constrained", squeeze=False)
    for ax, (kind, found) in zip(grid.flat, result.items(), strict=True):
        values = found.to_numpy("float64")
        ax.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            text = "–" if np.isnan(value) else f"{value:.2f}"
            printed = paper[kind].to_numpy("float64")[i, j] if paper else np.nan
            if not np.isnan(printed):
                text += f"\n({printed:.2f})"
            colour = "white" if abs(np.nan_to_num(value)) > 0.6 else "black"
            ax.text(j, i, text, ha="center", va="center", fontsize=9, color=colour)
        names = [str(state).replace("_", " ").lower() for state in found.index]
        ax.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names])
        ax.set_yticks(range(len(names)), names)
        ax.set_title(f"{NAMES[kind]}: own state (row) and other jobs (column)")
        ax.grid(visible=False)
    return list(grid.flat)
