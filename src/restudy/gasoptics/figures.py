"""Figures of the chapter on gas optics: results in, axes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from restudy import style
from restudy.gasoptics.atmosphere import Atmosphere

GROUPS: Final[Mapping[str, tuple[str, str]]] = {
    "authors": (style.SERIES[0], "o"),
    "Ukkonen": (style.SERIES[4], "s"),
    "ours": (style.OURS, "D"),
}
"""Colour and marker of whose network it is."""

_PANELS: Final = {"longwave": "long wave", "shortwave": "short wave"}


def columns(atmosphere: Atmosphere) -> Sequence[Axes]:
    """Draw the columns of air: temperature, water and ozone over pressure.

    Parameters
    ----------
    atmosphere : Atmosphere
        The columns.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        Three panels.
    """
    _, panels = plt.subplots(1, 3, figsize=(6.4, 4.2), sharey=True, layout="constrained")
    p = atmosphere.p_lay.numpy() / 100
    gases = atmosphere.gases
    shown = (
        (atmosphere.t_lay, "temperature [K]", "linear"),
        (gases["h2o"], "water vapour [mol/mol]", "log"),
        (1e6 * gases["o3"], "ozone [ppm]", "linear"),
    )
    for ax, (quantity, label, scale) in zip(panels, shown, strict=True):
        ax.plot(quantity.numpy().T, p.T, color=style.OURS, lw=0.6, alpha=0.35)
        ax.set(xlabel=label, xscale=scale)
    _pressure(panels[0], 0.08)
    return list(panels)


def errors(
    tables: Mapping[str, pd.DataFrame],
    own: Mapping[str, float],
    published: Mapping[str, float],
) -> Sequence[Axes]:
    """Draw the error of the downwelling flux of every network, its largest and its typical size.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        For ``"longwave"`` and ``"shortwave"``, of
        `restudy.gasoptics.experiments_networks.setup_errors`.
    own : mapping of str to float
        RRTMGP's own error against line by line [W/m2]; empty where it is not known.
    published : mapping of str to float
        What the paper says its networks stay within [W/m2].

    Returns
    -------
    sequence of matplotlib.axes.Axes
        A panel for each spectral range.
    """
    _, panels = plt.subplots(1, 2, figsize=(6.4, 4.8), sharey=True, layout="constrained")
    for ax, (spectrum, table) in zip(panels, tables.items(), strict=True):
        rows = np.arange(len(table))[::-1]
        for y, (_, row) in zip(rows, table.iterrows(), strict=True):
            colour, marker = GROUPS[row["group"]]
            largest = max(row["down_max"], row["up_max"])
            ax.plot([row["down_rmse"], largest], [y, y], color=colour, lw=1.2, alpha=0.6)
            ax.plot(row["down_rmse"], y, marker, color=colour, ms=6)
            ax.plot(largest, y, "|", color=colour, ms=10, mew=2)
        ls, lw = style.PAPER_LINE
        ax.axvline(published[spectrum], color=style.PAPER, ls=ls, lw=lw, label="paper, at most")
        if spectrum in own:
            ax.axvline(own[spectrum], color=style.BASELINE, lw=1.3, label="RRTMGP's own (rms)")
        ax.set(xscale="log", xlabel=f"{_PANELS[spectrum]} [W/m²]")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_yticks(rows, list(table.index))
    figure = panels[0].figure
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return list(panels)


def profiles(shown: Mapping[str, pd.DataFrame]) -> Sequence[Axes]:
    """Draw the flux error of the worst column of each network over pressure.

    Parameters
    ----------
    shown : mapping of str to pandas.DataFrame
        For each spectral range, of `restudy.gasoptics.experiments_networks.worst_profile`:
        columns ``network``, ``group``, ``pressure`` [hPa], ``up`` and ``down`` [W/m2].

    Returns
    -------
    sequence of matplotlib.axes.Axes
        A panel for each spectral range.
    """
    _, panels = plt.subplots(1, 2, figsize=(6.4, 4.6), sharey=True, layout="constrained")
    for ax, (spectrum, table) in zip(panels, shown.items(), strict=True):
        for name, rows in table.groupby("network", sort=False):
            colour = GROUPS[rows["group"].iloc[0]][0]
            ax.plot(rows["down"], rows["pressure"], color=colour, label=f"{name}, down")
            ax.plot(rows["up"], rows["pressure"], color=colour, ls=":", label=f"{name}, up")
        ax.axvline(0, color=style.BASELINE, lw=0.8)
        ax.set_xlabel(f"{_PANELS[spectrum]} [W/m²]")
    _pressure(panels[0], 0.009)
    style.legend_above(panels[0], 2)
    return list(panels)


def bands(tables: Mapping[str, pd.DataFrame]) -> Sequence[Axes]:
    """Draw the error of each band of our networks beside that of the authors' largest.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        For each spectral range, of `restudy.gasoptics.experiments_networks.errors_of_bands`: one
        row for each band, one column for each network [W/m2].

    Returns
    -------
    sequence of matplotlib.axes.Axes
        A panel for each spectral range.
    """
    _, panels = plt.subplots(2, 1, figsize=(6.4, 5.6), layout="constrained")
    for ax, (spectrum, table) in zip(panels, tables.items(), strict=True):
        for place, name in enumerate(table.columns):
            colour = style.OURS if name == "ours" else style.SERIES[0]
            x = np.arange(len(table)) + 0.36 * place - 0.18
            ax.bar(x, table[name], width=0.36, color=colour, label=name)
        ax.set_xticks(np.arange(len(table)), list(table.index), rotation=60, fontsize=9)
        ax.set_ylabel(f"{_PANELS[spectrum]} [W/m²]")
        ax.grid(visible=False, axis="x")
    panels[-1].set_xlabel("first wavenumber of the band [1/cm]")
    style.legend_above(panels[0], 2)
    return list(panels)


def forcing(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what each way to compute fluxes makes of the forcings, less RRTMGP's.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `restudy.gasoptics.experiments_reference.forcings`; its first column is RRTMGP.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = plt.subplots(figsize=(6.4, 5.6))[1] if ax is None else ax
    rows = np.arange(len(table))[::-1]
    marks = {
        "line by line": (style.BASELINE, "x"),
        "Ukkonen": GROUPS["Ukkonen"],
        "ours": GROUPS["ours"],
    }
    exact = table.iloc[:, 0]
    for name in table.columns[1:]:
        colour, marker = marks[name]
        ax.plot(table[name] - exact, rows, marker, color=colour, ms=6, label=name)
    ax.axvline(0, color=style.BASELINE, lw=0.8)
    ax.set_yticks(rows, [f"{n} ({f:+.2f})" for n, f in zip(_short(table), exact, strict=True)])
    ax.set_xlabel("forcing less RRTMGP's [W/m²]")
    style.legend_above(ax)
    return ax


def speed(table: pd.DataFrame, spectrum: str, ax: Axes | None = None) -> Axes:
    """Draw error over speed, every network and every way to run it.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `restudy.gasoptics.experiments_speed.pareto`: columns ``group``, ``columns_per_s`` and
        ``down_rmse`` [W/m2].
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    for group, rows in table.groupby("group", sort=False):
        colour, marker = GROUPS[str(group)]
        ax.plot(rows["columns_per_s"] / 1000, rows["down_rmse"], marker, color=colour, label=group)
        for name, row in rows.iterrows():
            right = group == "ours"  # they lie to the right of the others
            ax.annotate(
                str(name).removeprefix("ours, "),
                (row["columns_per_s"] / 1000, row["down_rmse"]),
                xytext=(6 if right else -6, -3),
                ha="left" if right else "right",
                textcoords="offset points",
                fontsize=9,
            )
    _error_over(ax, f"{_PANELS[spectrum]}, thousand columns a second on one core", 0.35)
    ax.set_ylabel("downwelling flux, rms error [W/m²]")
    style.legend_above(ax)
    return ax


def search(table: pd.DataFrame, spectrum: str, ax: Axes | None = None) -> Axes:
    """Draw the networks of a search, error over cost, and the front of those that none beats.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `restudy.gasoptics.experiments.search`.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    front = table[table["front"]].sort_values("multiply_adds")
    ax.plot(front["multiply_adds"] / 1000, front["error"], color=style.OURS, lw=1.2, zorder=1)
    for _, row in table.iterrows():
        colour = style.OURS if row["front"] else style.BASELINE
        ax.plot(row["multiply_adds"] / 1000, row["error"], "D", color=colour, ms=5)
        ax.annotate(
            row["network"],
            (row["multiply_adds"] / 1000, row["error"]),
            xytext=(6, 3),
            textcoords="offset points",
            fontsize=8.5,
        )
    _error_over(ax, f"{_PANELS[spectrum]}, thousand multiply-adds a layer", 0.25)
    ax.set_ylabel("flux, rms error in validation [W/m²]")
    return ax


def history(losses: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """Draw how the losses fell in the training, that of roots and then that of fluxes.

    Parameters
    ----------
    losses : mapping of str to pandas.DataFrame
        For each spectral range, of `restudy.gasoptics.experiments.Training.history`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    for (spectrum, table), colour in zip(losses.items(), style.SERIES, strict=False):
        name = _PANELS[spectrum]
        ax.plot(table["steps"], table["roots"], color=colour, ls=":", label=f"{name}, roots")
        later = table[table["fluxes"] > 0]
        ax.plot(later["steps"], later["fluxes"], color=colour, label=f"{name}, fluxes")
    ax.set(yscale="log", xlabel="steps", ylabel="loss [W²/m⁴]")
    style.legend_above(ax, 2)
    return ax


def _pressure(ax: Axes, top: float) -> None:
    """Turn an axis of pressure upside down, up to a pressure, with numbers as people say them."""
    ax.set(yscale="log", ylabel="pressure [hPa]")
    ax.set_yticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "1000"])
    ax.set_ylim(1100, top)


def _error_over(ax: Axes, label: str, margin: float) -> None:
    """Make both axes logarithmic, with round numbers and a label below, and room at the sides."""
    ax.set(xscale="log", yscale="log", xlabel=label)
    ax.margins(x=margin, y=0.1)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())


def _short(table: pd.DataFrame) -> list[str]:
    """Give the names of the experiments without their longest words."""
    return [str(name).replace("greenhouse gas concentrations", "gases") for name in table.index]
