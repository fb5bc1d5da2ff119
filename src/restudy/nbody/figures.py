"""Figures of the chapter on the neural N-body integrator: results in, axes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

from restudy import style
from restudy.nbody.system import System

COLOURS: Final[Mapping[str, str]] = {
    "exact": style.SERIES[0],
    "zero kick": style.BASELINE,
    "paper's network": style.SERIES[4],
    "pair network": style.OURS,
    "narrow pair network": style.FAULT,
}
"""One colour for each kick, in all figures."""


def systems(shown: Mapping[str, System]) -> Sequence[Axes]:
    """Draw planetary systems: mass over distance, all of them on one scale.

    Parameters
    ----------
    shown : mapping of str to System
        By the name in the legend.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One panel.
    """
    _, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for number, (name, system) in enumerate(shown.items()):
        a = system.semi_major_axes()
        ax.plot(a, system.masses[1:], "o", color=style.SERIES[number], ms=5, alpha=0.8, label=name)
    ax.set(xscale="log", yscale="log", xlabel="semi-major axis [au]", ylabel="mass [solar masses]")
    _decades(ax)
    style.legend_above(ax, 3)
    return [ax]


def convergence(table: pd.DataFrame) -> Sequence[Axes]:
    """Draw the error of positions over the step, one line for each integrator.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``integrator``, ``step`` [yr], ``error`` [au] and ``order``, the fitted power.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One panel.
    """
    _, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for number, (name, rows) in enumerate(table.groupby("integrator", sort=False)):
        label = f"{name}: order {rows['order'].iloc[0]:.1f}"
        ax.plot(rows["step"], rows["error"], "o-", color=style.SERIES[number], ms=4, label=label)
    ax.set(xscale="log", yscale="log", xlabel="step [yr]", ylabel="error of positions [au]")
    _decades(ax)
    style.legend_above(ax, 2)
    return [ax]


def energy_laws(table: pd.DataFrame) -> Sequence[Axes]:
    """Draw the energy error over time beside the laws of round-off.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``integrator``, ``time`` [yr] and ``error``, the largest so far, relative.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One panel.
    """
    _, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for number, (name, rows) in enumerate(table.groupby("integrator", sort=False)):
        ax.plot(rows["time"], rows["error"], color=style.SERIES[number], label=name)
    _laws(ax, table["time"].to_numpy(), 1e-16)
    ax.set(xscale="log", yscale="log", xlabel="time [yr]", ylabel="relative energy error")
    _decades(ax)
    style.legend_above(ax, 3)
    return [ax]


def published_energy(table: pd.DataFrame, published: Mapping[str, float]) -> Sequence[Axes]:
    """Draw the energy error of the Sun, Jupiter and Saturn beside the sizes that are printed.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``kick``, ``time`` [yr] and ``error``, signed and relative, its middle at 0.
    published : mapping of str to float
        Peak to peak, for ``"exact"`` and ``"paper's network"``.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        A panel for the exact kick, and one for the network and no kick.
    """
    _, panels = plt.subplots(2, 1, figsize=(6.4, 4.8), sharex=True, layout="constrained")
    groups = (("exact", ("exact",)), ("paper's network", ("zero kick", "paper's network")))
    ls, lw = style.PAPER_LINE
    for ax, (of, names) in zip(panels, groups, strict=True):
        for name in names:
            rows = table[table["kick"] == name]
            thick = 2.5 if name == "zero kick" else 0.8
            ax.plot(rows["time"], 1e6 * rows["error"], color=COLOURS[name], lw=thick, label=name)
        half = 1e6 * published[of] / 2
        for edge in (-half, half):
            ax.axhline(edge, color=style.PAPER, ls=ls, lw=lw, label="printed" if edge > 0 else None)
        ax.set_ylabel("energy error [10⁻⁶]")
        style.legend_above(ax, 3)
    panels[-1].set_xlabel("time [yr]")
    return list(panels)


def kicks(table: pd.DataFrame) -> Sequence[Axes]:
    """Draw how large the kick of networks is over how large the true one is, body by body.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``kick``, ``true`` and ``found``, sizes of accelerations [au/yr2].

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One panel.
    """
    _, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for name, rows in table.groupby("kick", sort=False):
        ax.plot(rows["true"], rows["found"], ".", color=COLOURS[str(name)], ms=4, label=str(name))
    ends = [table["true"].min(), table["true"].max()]
    ax.plot(ends, ends, color=COLOURS["exact"], lw=1.3, label="as large as the true one")
    ax.set(xscale="log", yscale="log", xlabel="true kick [au/yr²]", ylabel="kick [au/yr²]")
    _decades(ax)
    style.legend_above(ax)
    return [ax]


def eccentricities(table: pd.DataFrame) -> Sequence[Axes]:
    """Draw the eccentricities of Jupiter and Saturn over time.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``kick``, ``time`` [yr], and one for each planet.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        A panel for each planet.
    """
    planets = [name for name in table.columns if name not in ("kick", "time")]
    _, panels = plt.subplots(len(planets), 1, figsize=(6.4, 4.4), sharex=True, layout="constrained")
    styles = {"exact": ("-", 2.6), "pair network": ("--", 1.2)}
    for ax, planet in zip(panels, planets, strict=True):
        for name, rows in table.groupby("kick", sort=False):
            ls, lw = styles.get(str(name), ("-", 1.2))
            ax.plot(
                rows["time"], rows[planet], color=COLOURS[str(name)], ls=ls, lw=lw, label=str(name)
            )
        ax.set_ylabel(f"e, {planet}")
    panels[-1].set_xlabel("time [yr]")
    style.legend_above(panels[0], 4)
    return list(panels)


def ladder(table: pd.DataFrame) -> Sequence[Axes]:
    """Draw energy error over time for networks of equal error of force.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model``, ``time`` [yr], ``energy`` and ``momentum``, relative and the largest so
        far, and ``phase`` [rad].

    Returns
    -------
    sequence of matplotlib.axes.Axes
        A panel for each.
    """
    wanted = {"energy": "energy error", "momentum": "angular momentum", "phase": "phase [rad]"}
    _, panels = plt.subplots(3, 1, figsize=(6.4, 7.0), sharex=True, layout="constrained")
    for ax, (column, label) in zip(panels, wanted.items(), strict=True):
        for number, (name, rows) in enumerate(table.groupby("model", sort=False)):
            values = rows[column].where(rows[column] > 0)
            ax.plot(rows["time"], values, color=style.SERIES[number], label=str(name))
        ax.set(xscale="log", yscale="log", ylabel=label)
        _decades(ax)
    panels[-1].set_xlabel("time [yr]")
    style.legend_above(panels[0], 2)
    return list(panels)


def growth(table: pd.DataFrame) -> Sequence[Axes]:
    """Draw what is conserved and what is not over time, with the laws of t and its root.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``kick``, ``time`` [yr], ``energy`` and ``momentum``, relative, ``phase`` [rad] and
        ``eccentricity``: the largest differences so far. Rows of exact WH have no phase and no
        eccentricity.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        Four panels.
    """
    wanted = (
        ("energy", "energy error"),
        ("momentum", "angular momentum"),
        ("phase", "phase [rad]"),
        ("eccentricity", "eccentricity"),
    )
    _, panels = plt.subplots(2, 2, figsize=(6.4, 5.6), sharex=True, layout="constrained")
    for ax, (column, label) in zip(panels.flat, wanted, strict=True):
        for name, rows in table.groupby("kick", sort=False):
            values = rows[column].where(rows[column] > 0)
            ls = "--" if name == "pair network" and column == "energy" else "-"
            ax.plot(rows["time"], values, ls, color=COLOURS[str(name)], label=str(name))
        ax.set(xscale="log", yscale="log", ylabel=label)
        _decades(ax)
    times = table["time"].to_numpy()
    _laws(panels[0, 1], times, 2e-16)
    phases = table[(table["kick"] == "pair network") & (table["phase"] > 0)]
    if len(phases):
        last = phases.iloc[-1]
        panels[1, 0].plot(
            times[[0, -1]],
            last["phase"] * times[[0, -1]] / last["time"],
            ":",
            color=style.BASELINE,
            lw=1,
        )
    for ax in panels[1]:
        ax.set_xlabel("time [yr]")
    figure = panels[0, 0].figure
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return list(panels.flat)


def pair_errors(table: pd.DataFrame, ranges: Mapping[str, tuple[float, float]]) -> Sequence[Axes]:
    """Draw the relative error of the pair force over the separation.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``kick``, ``separation`` [au] and ``error``, relative.
    ranges : mapping of str to pair of float
        Separations of the training [au].

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One panel.
    """
    _, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for name, rows in table.groupby("kick", sort=False):
        ax.plot(rows["separation"], rows["error"], color=COLOURS[str(name)], label=str(name))
        low, high = ranges[str(name)]
        y = 3e-11 if name == "pair network" else 1e-11
        ax.plot([low, high], [y, y], color=COLOURS[str(name)], lw=5, solid_capstyle="butt")
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="separation [au]; bars: that of the training",
        ylabel="error of the pair force",
    )
    _decades(ax)
    style.legend_above(ax, 2)
    return [ax]


def chart(table: pd.DataFrame, x: str, y: str, value: str, labels: Mapping[str, str]) -> Axes:
    """Draw a quantity over two others as a chart of tiles, each with its number.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns `x`, `y` and `value`; one row for each tile.
    x, y, value : str
        Columns.
    labels : mapping of str to str
        What the columns are called.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    grid = table.set_index([y, x])[value].unstack()  # noqa: PD010, as every tile is there once
    _, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    logs = np.log10(grid.to_numpy(dtype=float))
    picture = ax.imshow(logs, origin="lower", cmap="viridis_r", aspect="auto")
    middle = (np.nanmin(logs) + np.nanmax(logs)) / 2
    for (row, column), power in np.ndenumerate(logs):
        if np.isfinite(power):
            colour = "white" if power > middle else "black"
            ax.text(column, row, f"{power:.1f}", ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(grid.shape[1]), [f"{v:g}" for v in grid.columns])
    ax.set_yticks(range(grid.shape[0]), [f"{v:g}" for v in grid.index])
    ax.set(xlabel=labels[x], ylabel=labels[y])
    ax.grid(visible=False)
    ax.figure.colorbar(picture, ax=ax, label=f"log₁₀ of {labels[value]}")
    return ax


def learning(
    table: pd.DataFrame, power: float, fitted: Sequence[int], half_width: float | None = None
) -> Sequence[Axes]:
    """Draw the error of the pair force over the number of systems of the training.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``systems`` and ``error``, relative.
    power : float
        Of the law that was fitted.
    fitted : sequence of int
        The numbers of systems that it was fitted to.
    half_width : float, optional
        Of its interval of 95 %.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One panel.
    """
    _, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    ax.plot(table["systems"], table["error"], "D", color=style.OURS, ms=5, label="trainings")
    x = np.array([min(fitted), max(fitted)], dtype=float)
    part = table[table["systems"].isin(fitted)]
    factor = np.exp(np.mean(np.log(part["error"]) - power * np.log(part["systems"])))
    interval = "" if half_width is None else f" ± {half_width:.1g}"
    label = f"power {power:.2g}{interval}"
    ax.plot(x, factor * x**power, color=style.BASELINE, lw=1, label=label)
    ax.set(
        xscale="log", yscale="log", xlabel="systems in the training", ylabel="error of the force"
    )
    _decades(ax)
    counts = sorted(set(table["systems"]))
    ax.set_xticks(counts, [f"{count}" for count in counts])
    ax.minorticks_off()
    style.legend_above(ax)
    return [ax]


def prediction(table: pd.DataFrame, observed: float) -> Sequence[Axes]:
    """Draw how far a prediction is off with and without the learned term.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model``, ``time`` [yr] and ``error`` [au].
    observed : float
        Until when there were observations [yr].

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One panel.
    """
    _, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    colours = {"without": style.BASELINE, "learned": style.OURS, "true form": style.SERIES[0]}
    for name, rows in table.groupby("model", sort=False):
        ax.plot(rows["time"], rows["error"], color=colours[str(name)], lw=1, label=str(name))
    ax.axvspan(table["time"].min(), observed, color=style.BAND, lw=0, zorder=0, label="observed")
    ax.set(xscale="log", yscale="log", xlabel="time [yr]", ylabel="error of positions [au]")
    _decades(ax)
    style.legend_above(ax, 4)
    return [ax]


def cost(table: pd.DataFrame) -> Sequence[Axes]:
    """Draw accuracy over cost: every integrator, at every step that was run.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``integrator``, ``ours`` (whether it is of this package), ``seconds`` of the CPU
        for a thousand years, and ``error`` of energy, relative.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One panel.
    """
    figure, ax = plt.subplots(figsize=(6.4, 6.6), layout="constrained")
    place = {True: 0, False: 0}
    markers = "oD^vsP*X<>"
    for name, rows in table.groupby("integrator", sort=False):
        ours = bool(rows["ours"].iloc[0])
        ordered = rows.sort_values("seconds")
        colour = style.OURS if ours else style.BASELINE
        marker = markers[place[ours] % len(markers)]
        place[ours] += 1
        ax.plot(
            ordered["seconds"],
            ordered["error"],
            marker=marker,
            ls="-" if ours else ":",
            lw=1,
            ms=5,
            color=colour,
            label=str(name),
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="CPU seconds for 10,000 years of Sun, Jupiter, Saturn",
        ylabel="largest relative energy error",
    )
    _decades(ax)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2, fontsize=9)
    return [ax]


def _laws(ax: Axes, times: NDArray[np.float64], start: float) -> None:
    """Draw the laws of round-off: the root of the time, and the time itself."""
    ends = np.array([times[times > 0].min(), times.max()])
    for power, name in ((0.5, "√t"), (1.0, "t")):
        line = start * (ends / ends[0]) ** power
        ax.plot(ends, line, ":", color=style.BASELINE, lw=1)
        ax.annotate(name, (ends[1], line[1]), color=style.BASELINE, fontsize=10)


def _decades(ax: Axes) -> None:
    """Leave ticks at powers of ten only."""
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(numticks=8))
        axis.set_minor_formatter(NullFormatter())
