"""One panel a trace, and the paper's own curves as the figures take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from textwrap import fill
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from restudy import style
from restudy.answers import Missing
from restudy.quantities import number, readable
from restudy.style import axes, legend_above
from restudy.traces import calibration
from restudy.traces.counting import Kind
from restudy.traces.figures import Curve
from restudy.traces.jobs import JobTrace
from restudy.traces.results import Submissions

_NAMES = {
    "generic_completed": "generic, completed",
    "generic_failed": "generic, failed",
    "ml_completed": "ML, completed",
    "ml_failed": "ML, failed",
}


def panels(
    draw: Callable[..., Axes],
    answers: Mapping[str, Any],
    *,
    paper: Callable[[Any], Mapping[Any, Curve]] | None = None,
    height: float = 3.2,
) -> Sequence[Axes]:
    """Draw each trace's answer in a panel of its own, one below the other.

    Traces that cannot answer get no panel; a line at the foot says why.

    Parameters
    ----------
    draw : callable
        A function of `restudy.traces.figures`.
    answers : mapping of str to result or Missing
        Result of each trace by its name.
    paper : callable, optional
        Gives the published values to draw over a result; by default none.
    height : float
        Height of a panel, inches.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One a panel.
    """
    answered = {name: found for name, found in answers.items() if not isinstance(found, Missing)}
    silent = "\n".join(
        fill(f"{name}: {found.reason}", 100)
        for name, found in answers.items()
        if isinstance(found, Missing)
    )
    foot = 0.12 + 0.19 * (silent.count("\n") + 1) if silent else 0.0
    heights = [*(height for _ in answered), *([foot] if silent else [])]
    figure = plt.figure(figsize=(7.2, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    drawn = []
    for part, found in zip(parts, answered.values(), strict=False):
        part.suptitle(found.title, x=0.01, ha="left", size="medium", weight="bold")
        values = {} if paper is None else {"paper": paper(found)}
        drawn.append(draw(found, ax=part.subplots(), **values))
    if silent:
        parts[-1].text(0.01, 0.95, silent, va="top", size="small", color=style.BASELINE)
    return drawn


def tables(answers: Mapping[str, Any], *, axis: Literal[0, 1] = 0) -> pd.DataFrame:
    """Put the tables of all traces that answer below (0) or beside (1) each other, as text."""
    answered = {
        name: found.table() for name, found in answers.items() if not isinstance(found, Missing)
    }
    return readable(pd.concat(answered, axis=axis)) if answered else pd.DataFrame()


def kept_aside(traces: Sequence[JobTrace], *, most: int = 10) -> pd.DataFrame:
    """Give the rows that a reader could not use, with line and reason: the first few a trace."""
    shown = [
        trace.rejected.head(most).assign(
            trace=trace.name, text=lambda rows: rows["text"].str.slice(0, 120)
        )
        for trace in traces
        if len(trace.rejected)
    ]
    counts = pd.DataFrame(
        {
            "trace": [trace.name for trace in traces],
            "line": "",
            "reason": [f"{len(trace.rejected)} rows kept aside" for trace in traces],
            "text": "",
        }
    )
    return pd.concat([counts, *shown])[["trace", "line", "reason", "text"]].reset_index(drop=True)


def published_curves(figure: str) -> dict[str, Curve]:
    """Give the four curves of a published figure by what they show, as the figures take them."""
    return {title: calibration.curve(figure, name) for name, title in _NAMES.items()}


def published_days(found: Submissions) -> dict[Kind, Curve]:
    """Give the paper's jobs per day for the classes and, if it is of that time, the trace."""
    days = calibration.daily_submissions()
    mine = found.arrivals.per("day")[0]
    if mine[-1] < days.index[0] or mine[0] > days.index[-1]:
        return {}
    return {kind: (days.index.to_numpy(), days[kind].to_numpy("float64")) for kind in found.kinds}


def published_nodes() -> dict[Kind, Curve]:
    """Give the paper's jobs by number of nodes."""
    counts = calibration.node_counts()
    kinds: tuple[Kind, ...] = ("generic", "ml")
    found = {}
    for kind in kinds:
        jobs = counts[kind][counts[kind] > 0]
        found[kind] = (jobs.index.to_numpy("float64"), jobs.to_numpy("float64"))
    return found


def read_back(medians: Sequence[float], ax: Axes | None = None) -> Axes:
    """Draw the published run-time curves, and on them the medians that the paper prints.

    Parameters
    ----------
    medians : sequence of float
        Printed medians, s.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    colours = (style.GENERIC, style.GENERIC, style.ML, style.ML)
    lines = ("-", "--", "-", "--")
    curves = published_curves("fig6b").items()
    for (title, (x, share)), colour, line in zip(curves, colours, lines, strict=True):
        ax.plot(np.maximum(x, 0.5), share, color=colour, ls=line, label=title)
    halves = np.full(len(medians), 0.5)
    marker = style.PAPER_MARKER
    ax.plot(medians, halves, marker, color=style.PAPER, ms=8, mew=2, label="printed median")
    ax.axhline(0.5, color=style.BAND, zorder=0)
    ax.set_xscale("log")
    ax.set_xlim(left=0.5)
    ax.set_xlabel("run time of a job [s]")
    ax.set_ylabel("share of jobs")
    legend_above(ax)
    return ax


def banner(traces: Sequence[JobTrace]) -> str:
    """Say in one box of HTML which jobs are real and which are made up."""
    real = [trace.title for trace in traces if trace.real]
    made = [trace.title for trace in traces if not trace.real]
    lines = []
    if not real:
        lines.append(
            "<strong>No real jobs here.</strong> The real traces are not on this machine, so the "
            "figures show jobs drawn from the paper's published curves. They can confirm nothing; "
            "claims that need real data read <em>not measured here</em>. "
            "<code>restudy fetch</code> lists what can be fetched."
        )
    else:
        lines.append(f"<strong>Real jobs:</strong> {escape('; '.join(real))}.")
        if made:
            lines.append(
                f"<strong>Made up</strong> from the paper's published curves, for comparison: "
                f"{escape('; '.join(made))}."
            )
    kind = "note" if real else "warning"
    return f'<div class="admonition {kind}"><p>{"<br>".join(lines)}</p></div>'


def scaling(results: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw seconds and peak memory over the number of jobs, ours beside plain pandas and DuckDB.

    Parameters
    ----------
    results : mapping
        What ``benchmarks/traces.py`` wrote into ``benchmarks/results/traces.json``.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        Seconds, and peak memory.
    """
    scales = list(results["scales"].values())
    engines = list(dict.fromkeys(name for scale in scales for name in scale["engines"]))
    colours = (style.OURS, style.SERIES[5], style.BASELINE, style.SERIES[4])
    _, both = plt.subplots(2, 1, figsize=(7.2, 7.2), sharex=True, layout="constrained")
    measures = (("median_s", 1.0, "median seconds [s]"), ("peak_bytes", 2**30, "peak memory [GiB]"))
    for ax, (measure, unit, label) in zip(both, measures, strict=True):
        for name, colour, mark in zip(engines, colours, "osD^", strict=False):
            done = [one for one in scales if measure in one["engines"].get(name, {})]
            jobs = [one["rows"] for one in done]
            values = [one["engines"][name][measure] / unit for one in done]
            ax.plot(jobs, values, marker=mark, color=colour, label=name)
        ax.set(xscale="log", yscale="log", ylabel=label)
    both[1].set_xlabel("jobs in the trace")
    legend_above(both[0], 4)
    return list(both)


def scaling_table(results: Mapping[str, Any]) -> pd.DataFrame:
    """Give the numbers of `scaling` as text; what an engine could not do says why."""
    rows: dict[int, dict[str, str]] = {}
    for scale in results["scales"].values():
        for name, found in scale["engines"].items():
            row = {"jobs": number(scale["rows"]), "engine": name}
            if "median_s" in found:
                low, middle, high = found["time_over_restudy"]
                row |= {
                    "seconds": number(found["median_s"]),
                    "million jobs/s": number(found["rows_per_s"] / 1e6),
                    "peak memory [MiB]": number(round(found["peak_bytes"] / 2**20)),
                    "time over ours (range)": f"{middle:.2f} ({low:.2f} to {high:.2f})",
                }
            else:
                row |= {
                    "seconds": f"failed: {found['failed'].partition(':')[0].rpartition('.')[2]}"
                }
            rows[len(rows)] = row
    return pd.DataFrame.from_dict(rows, orient="index").fillna("").set_index(["jobs", "engine"])
