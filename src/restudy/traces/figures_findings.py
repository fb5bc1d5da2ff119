"""Figures of what the paper does not show: tests, checks of its analysis, a model of power."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator, NullFormatter, PercentFormatter

from restudy import style
from restudy.answers import Missing, say
from restudy.style import axes, legend_above
from restudy.traces.findings import ClockShifts, MlAgainstGeneric, PowerFit, Unassigned
from restudy.traces.inference import Effect

_TITLES = {
    ("failed", "risk ratio"): "risk of failing",
    ("run_s", "ratio of medians"): "median run time",
    ("run_s", "superiority"): "odds to run longer",
    ("wait_s", "ratio of medians"): "median wait time",
    ("wait_s", "superiority"): "odds to wait longer",
}


def effects(result: MlAgainstGeneric | Missing, ax: Axes | None = None) -> Axes:
    """Draw ML over generic as ratios, with intervals from drawing days and from drawing jobs.

    The probability P that an ML job is the larger of two is shown as the odds P / (1 - P), so that
    all rows are ratios and 1 is no difference.
    """
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    found = [e for e in result.effects if (e.quantity, e.measure) in _TITLES]
    values = np.clip([_as_ratios(e) for e in found], 1e-4, 1e4)  # (effects, 5)
    y = np.arange(len(found))
    ax.hlines(
        y - 0.17, values[:, 3], values[:, 4], color=style.BASELINE, lw=2, label="95 %, drawing jobs"
    )
    ax.hlines(y, values[:, 1], values[:, 2], color=style.OURS, lw=3.5, label="95 %, drawing days")
    ax.plot(values[:, 0], y, "o", color=style.OURS, ms=7)
    ax.axvline(1, color="#222222", lw=1)
    for at, row in enumerate(values):
        ax.annotate(
            f"{row[0]:.2g}", (row[0], at), (0, -15), textcoords="offset points", ha="center"
        )
    ax.set_yticks(y, [_TITLES[e.quantity, e.measure] for e in found])
    ax.set_ylim(len(found) - 0.35, -0.6)
    ax.set_xscale("log")
    low, high = values.min(), values.max()
    ax.set_xlim(min(low, 1) / 1.5, max(high, 1) * 1.5)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("ML over generic (1: no difference)")
    legend_above(ax)
    return ax


def _as_ratios(effect: Effect) -> tuple[float, ...]:
    five = (effect.estimate, effect.low, effect.high, effect.naive_low, effect.naive_high)
    if effect.measure != "superiority":
        return five
    return tuple(p / (1 - p) if p < 1 else np.inf for p in five)


def clock_shift(
    result: ClockShifts | Missing, ax: Axes | None = None, expected: int | None = None
) -> Axes:
    """Draw how well the trace, turned by some hours, fits each reference in local time.

    Parameters
    ----------
    result : ClockShifts or Missing
        What to draw, or why there is nothing to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    expected : int, optional
        Shift that follows from the documented conversions, drawn in black.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    for colour, (name, shift) in zip(style.SERIES, result.shifts.items(), strict=False):
        label = f"{name}: {shift.shift:+d} h"
        ax.plot(shift.lags, shift.correlation, color=colour, label=label)
        ax.plot(shift.shift, shift.best, "o", color=colour, ms=8)
    if expected is not None:
        line, width = style.PAPER_LINE
        ax.axvline(
            expected, color=style.PAPER, ls=line, lw=width, label=f"expected: {expected:+d} h"
        )
    ax.xaxis.set_major_locator(MultipleLocator(4))
    ax.set_xlim(-11.5, 12.5)
    ax.set_xlabel("hours added to the trace's clock [h]")
    ax.set_ylabel("correlation with local hours")
    legend_above(ax, columns=1)
    return ax


def hours_of_work(result: ClockShifts | Missing, ax: Axes | None = None) -> Axes:
    """Draw the trace's hours as they are and turned to fit the first reference."""
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    name, shift = next(iter(result.shifts.items()))
    reference = result.references[name]
    profile = result.profile / result.profile.sum()
    turned = np.roll(profile, shift.shift)
    hours = np.arange(24)
    ax.step(hours, profile, where="mid", color=style.FAULT, label="trace's clock")
    ax.step(hours, turned, where="mid", color=style.OURS, label=f"{shift.shift:+d} h")
    scaled = reference / reference.sum()
    line, width = style.PAPER_LINE
    ax.plot(hours, scaled, color=style.PAPER, ls=line, lw=width, label="reference")
    ax.xaxis.set_major_locator(MultipleLocator(3))
    ax.set_xlim(-0.5, 23.5)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel("hour of the day [h]")
    ax.set_ylabel("share of jobs")
    legend_above(ax)
    return ax


def unassigned(result: Unassigned | Missing, ax: Axes | None = None) -> Axes:
    """Draw the states of generic jobs with and without the jobs that never had a node."""
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    shares = result.table().filter(like="share ", axis=0).drop(index="share of all jobs")
    if shares.empty:
        reason = f"{result.title} has no states, so only the number of jobs without a node is known"
        return say(Missing(f"{reason}: {result.jobs:,}."), ax)
    y = np.arange(len(shares))
    colours = (style.FAULT, style.OURS)
    for at, (name, colour) in enumerate(zip(shares.columns, colours, strict=True)):
        ax.barh(y + (at - 0.5) * 0.38, shares[name], height=0.38, color=colour, label=name)
        for row, share in enumerate(shares[name]):
            ax.annotate(
                f"{share:.1%}",
                (share, row + (at - 0.5) * 0.38),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=10,
            )
    states = [label.removeprefix("share ").lower().replace("_", " ") for label in shares.index]
    ax.set_yticks(y, states)
    ax.invert_yaxis()
    ax.set_xlim(0, min(1.0, float(shares.to_numpy().max())) * 1.18)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel("share of generic jobs")
    ax.grid(visible=False, axis="y")
    legend_above(ax)
    return ax


def power_fit(result: PowerFit | Missing, ax: Axes | None = None) -> Axes:
    """Draw measured power over the load in busy nodes, with the fitted line."""
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    a, b = result.busy.coefficients
    busy, kilowatts = result.series.busy, result.series.power / 1000
    ax.plot(busy, kilowatts, ".", color=style.OURS, ms=2, alpha=0.12, rasterized=True)
    ax.plot([], [], ".", color=style.OURS, ms=8, label="measured, 30 s each")
    ends = np.array([0.0, busy.max()])
    ax.plot(
        ends,
        (a + b * ends) / 1000,
        color=style.ML,
        label=f"P = {a:,.0f} W + {b:,.0f} W · U, R² {result.busy.r2:.3f}",
    )
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("load U in fully busy nodes")
    ax.set_ylabel("measured power P [kW]")
    legend_above(ax, columns=1)
    return ax


def power_residuals(result: PowerFit | Missing, ax: Axes | None = None) -> Axes:
    """Draw what each model leaves unexplained over time, hourly means."""
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    per_hour = round(3600 / result.series.slot_s)
    hours = len(result.series.power) // per_hour
    for model, colour, name in (
        (result.busy, style.BASELINE, "a + b U"),
        (result.jobs_and_busy, style.OURS, "a + b A + c U"),
    ):
        residual = (result.series.power - model.predicted)[: hours * per_hour] / 1000
        hourly = residual.reshape(hours, per_hour).mean(axis=1)
        label = f"P = {name}, mean error {model.mape:.1%}"
        ax.plot(np.arange(hours) / 24, hourly, color=colour, lw=1.5, label=label)
    ax.axhline(0, color="#222222", lw=1)
    ax.set_xlim(0, hours / 24)
    ax.set_xlabel("day of the measurement [d]")
    ax.set_ylabel("measured - model [kW]")
    legend_above(ax, columns=1)
    return ax
