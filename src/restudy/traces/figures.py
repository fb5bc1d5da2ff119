"""The chapter's figures: a result and Axes in, Axes out, published values in black.

Every function takes a result of `restudy.traces.experiments` or a `Missing`, whose reason is then
written into the Axes, so that a trace without states or waits leaves a sentence and no empty plot.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator, NullLocator, PercentFormatter

from restudy import style
from restudy.answers import Missing, say
from restudy.style import axes, legend_above
from restudy.traces.arrivals import Unit
from restudy.traces.counting import Kind
from restudy.traces.distributions import Distribution, Ecdf
from restudy.traces.results import (
    CLASSES,
    FailuresByHour,
    JobSize,
    StateShares,
    Submissions,
    WaitAndRun,
)

Curve = tuple[np.ndarray, np.ndarray]
COLOURS: dict[Kind, str] = {"generic": style.GENERIC, "ml": style.ML}
NAMES: dict[Kind, str] = {"generic": "generic", "ml": "ML"}
_STATES = {"COMPLETED": "-", "FAILED": (0, (4, 1.5))}
_TICKS = {
    1: "1 s",
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3600: "1 h",
    21_600: "6 h",
    86_400: "1 d",
    432_000: "5 d",
    2_592_000: "30 d",
}


def submissions_per_day(
    result: Submissions | Missing, ax: Axes | None = None, paper: Mapping[Kind, Curve] | None = None
) -> Axes:
    """Draw jobs per day, Figure 5 left.

    Parameters
    ----------
    result : Submissions or Missing
        What to draw, or why there is nothing to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    paper : mapping of class to (dates, counts), optional
        Published days, drawn in black.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    for kind in result.kinds:
        days, counts = result.arrivals.per("day", kind)
        ax.plot(days, counts, color=COLOURS[kind], lw=1.3, label=f"{NAMES[kind]} jobs")
        ax.axhline(counts.mean(), color=COLOURS[kind], lw=1, ls=":")
    for days, counts in (paper or {}).values():
        published(ax, days, counts)
    ax.set_yscale("symlog", linthresh=1, subs=range(2, 10))
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(FuncFormatter(_thousands))
    ax.set_ylabel(
        "jobs submitted per day" if result.arrivals.clock == "submit" else "jobs started per day"
    )
    legend_above(ax)
    return ax


def submissions_boxes(result: Submissions | Missing, ax: Axes | None = None) -> Axes:
    """Draw boxplots of jobs per month, week, day and hour, Figure 5 right.

    All bins are in the boxes, also the empty ones, and a dot shows the largest count; the cross in
    a box is the mean over the bins that are not empty, which the paper prints.
    """
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    units: tuple[Unit, ...] = ("month", "week", "day", "hour")
    shift = dict(zip(result.kinds, (-0.19, 0.19) if len(result.kinds) > 1 else (0.0,), strict=True))
    for kind in result.kinds:
        for at, unit in enumerate(units):
            box = result.box(unit, kind, empty=True)
            x = at + shift[kind]
            drawn = ax.bxp(
                [
                    {
                        "med": box.median,
                        "q1": box.q25,
                        "q3": box.q75,
                        "whislo": box.low,
                        "whishi": box.high,
                    }
                ],
                positions=[x],
                widths=0.3,
                showfliers=False,
                patch_artist=True,
                manage_ticks=False,
                medianprops={"color": "black"},
            )
            drawn["boxes"][0].set_facecolor(COLOURS[kind])
            drawn["boxes"][0].set_alpha(0.75)
            ax.plot(x, box.max, "o", color=COLOURS[kind], ms=4)
            mean = result.box(unit, kind, empty=False).mean
            ax.plot(x, mean, "x", color="black", ms=6, mew=1.5)
        ax.plot([], [], "s", color=COLOURS[kind], label=f"{NAMES[kind]} jobs")
    ax.plot([], [], "x", color="black", label="mean, empty bins left out")
    ax.set_xticks(range(4), [f"per {unit}" for unit in units])
    ax.set_yscale("symlog", linthresh=1)
    ax.set_ylim(0, 2 * max(result.box("month", kind, empty=True).max for kind in result.kinds))
    ax.yaxis.set_major_formatter(FuncFormatter(_thousands))
    ax.set_ylabel("jobs")
    legend_above(ax)
    return ax


def wait_times(
    result: WaitAndRun | Missing, ax: Axes | None = None, paper: Mapping[str, Curve] | None = None
) -> Axes:
    """Draw the distributions of wait times, Figure 6a.

    Parameters
    ----------
    result : WaitAndRun or Missing
        What to draw, or why there is nothing to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    paper : mapping of name to (seconds, share), optional
        Published curves, drawn in black.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    if result.wait.n() == 0:
        reason = f"{result.title} has no submission times, so how long jobs waited is not known."
        return say(Missing(reason), ax)
    return _times(result.wait, "wait time", ax, paper)


def run_times(
    result: WaitAndRun | Missing, ax: Axes | None = None, paper: Mapping[str, Curve] | None = None
) -> Axes:
    """Draw the distributions of run times, Figure 6b; parameters as of `wait_times`."""
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    return _times(result.run, "run time", ax, paper)


def failures_by_hour(
    result: FailuresByHour | Missing, kind: Kind = "generic", ax: Axes | None = None
) -> Axes:
    """Draw the failed jobs of a class at their hours, and where the original's code puts them.

    Parameters
    ----------
    result : FailuresByHour or Missing
        What to draw, or why there is nothing to draw.
    kind : str
        ``generic`` or ``ml``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    if kind not in result.bars:
        return say(Missing(f"{result.title} has no failed {NAMES[kind]} job."), ax)
    bars = result.bars[kind]
    ax.bar(np.arange(24), bars.by_hour, width=0.8, color=COLOURS[kind], label="at their hours")
    drawn = bars.as_drawn
    ax.step(
        np.arange(-0.5, len(drawn) + 0.5),
        np.append(drawn, drawn[-1]),
        where="post",
        color=style.FAULT,
        lw=2,
        label="as the paper's code labels them",
    )
    ax.xaxis.set_major_locator(MultipleLocator(3))
    ax.set_xlim(-0.7, 23.7)
    ax.set_xlabel(f"hour of the day ({_arrived(bars.clock)})")
    ax.set_ylabel(f"failed {NAMES[kind]} jobs")
    ax.yaxis.set_major_formatter(FuncFormatter(_thousands))
    ax.grid(visible=False, axis="x")
    legend_above(ax)
    return ax


def node_counts(
    result: JobSize | Missing, ax: Axes | None = None, paper: Mapping[Kind, Curve] | None = None
) -> Axes:
    """Draw jobs by number of nodes, Figure 8a.

    Parameters
    ----------
    result : JobSize or Missing
        What to draw, or why there is nothing to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    paper : mapping of class to (nodes, jobs), optional
        Published counts, drawn as black crosses.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    kinds = _kinds(result.nodes)
    for at, kind in enumerate(kinds):
        ecdf = result.nodes.ecdf(kind)
        x = ecdf.values + (at - (len(kinds) - 1) / 2) * 0.4
        ax.bar(x, ecdf.counts, width=0.4, color=COLOURS[kind], label=f"{NAMES[kind]} jobs")
        if paper and kind in paper:
            nodes, jobs = paper[kind]
            x = nodes + (at - (len(kinds) - 1) / 2) * 0.4
            label = "paper" if at == 0 else None
            ax.plot(x, jobs, style.PAPER_MARKER, color=style.PAPER, ms=5, label=label)
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.6)
    ax.yaxis.set_major_formatter(FuncFormatter(_thousands))
    ax.set_xlabel("nodes of a job")
    ax.set_ylabel("jobs")
    ax.grid(visible=False, axis="x")
    legend_above(ax)
    return ax


def core_counts(
    result: JobSize | Missing, ax: Axes | None = None, paper: Mapping[str, Curve] | None = None
) -> Axes:
    """Draw the distributions of cores, Figure 8b; `paper` holds (cores, share) by name."""
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    if result.cores.n() == 0:
        return say(Missing(f"{result.title} does not say how many cores its jobs had."), ax)
    largest = max(result.cores.ecdf().max, 2)
    _curves(result.cores, ax, paper, low=0.8, high=largest * 1.3, scale=1.0, steps=True)
    powers = 2 ** np.arange(0, int(np.log2(largest)) + 1, 2)
    ax.set_xticks(powers, [f"{power:,}" for power in powers])
    ax.set_xlabel("cores of a job")
    return ax


def node_hours(
    result: JobSize | Missing, ax: Axes | None = None, paper: Mapping[str, Curve] | None = None
) -> Axes:
    """Draw the distributions of node-hours, Figure 8c; `paper` holds (hours, share) by name."""
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    if result.node_seconds.n() == 0:
        return say(Missing(f"{result.title} does not say how long its jobs ran."), ax)
    high = max(result.node_seconds.ecdf().max / 3600, 1e-2) * 1.3
    _curves(result.node_seconds, ax, paper, low=2e-4, high=high, scale=1 / 3600)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}"))
    ax.set_xlabel("node-hours of a job [h]")
    return ax


def state_shares(result: StateShares | Missing, ax: Axes | None = None) -> Axes:
    """Draw the states' shares of jobs, run time and node-hours, the job part of Figure 9."""
    ax = axes(ax)
    if isinstance(result, Missing):
        return say(result, ax)
    shares = result.shares
    states = list(dict.fromkeys(shares.index.get_level_values(1)))
    rows = [
        (kind, name)
        for kind in CLASSES
        if kind in shares.index.get_level_values(0)
        for name in shares.columns
        if shares[name].xs(kind).notna().all()
    ]
    colours = [style.OURS, style.ML, style.SERIES[4], style.GENERIC, style.FAULT, style.SERIES[5]]
    for y, (kind, name) in enumerate(rows):
        left = 0.0
        for at, state in enumerate(states):
            share = float(shares[name].loc[(kind, state)])
            colour = colours[at] if at < len(colours) else style.BASELINE
            label = state.lower().replace("_", " ") if y == 0 else None
            ax.barh(y, share, left=left, color=colour, height=0.7, label=label)
            if share > 0.08:
                x = left + share / 2
                ink = "black" if colour in (style.SERIES[4], style.SERIES[5]) else "white"
                ax.text(x, y, f"{share:.0%}", ha="center", va="center", color=ink, size=10)
            left += share
    ax.set_yticks(range(len(rows)), [f"{NAMES[kind]}: {name}" for kind, name in rows])
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel("share of the class")
    ax.grid(visible=False)
    legend_above(ax)
    return ax


def _times(found: Distribution, name: str, ax: Axes, paper: Mapping[str, Curve] | None) -> Axes:
    high = max(found.ecdf().max, 60) * 1.3
    _curves(found, ax, paper, low=0.9, high=high, scale=1.0)
    ticks = [second for second in _TICKS if second <= high]
    ax.set_xticks(ticks, [_TICKS[second] for second in ticks])
    ax.set_xlabel(f"{name} of a job")
    return ax


def _curves(
    found: Distribution,
    ax: Axes,
    paper: Mapping[str, Curve] | None,
    *,
    low: float,
    high: float,
    scale: float,
    steps: bool = False,
) -> None:
    """Cumulative shares by class and, where known, for completed and failed jobs."""
    for kind in _kinds(found):
        states: list[str | None] = [state for state in _STATES if found.n(kind, state)]
        for state in states or [None]:
            x, share = _thin(found.ecdf(kind, state), scale, low, high)
            label = NAMES[kind] + (f", {state.lower()}" if state else " jobs")
            line = _STATES[state] if state else "-"
            ax.plot(x, share, color=COLOURS[kind], ls=line, drawstyle="steps-post", label=label)
    for x, share in (paper or {}).values():
        grid = x[x >= low] if steps else _grid(scale, low, high) * scale
        published(ax, grid, share[x >= low] if steps else np.interp(grid, x, share), steps=True)
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(low, high)
    ax.set_ylim(0, 1.01)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_ylabel("share of jobs up to this")
    legend_above(ax)


def _thin(ecdf: Ecdf, scale: float, low: float, high: float) -> Curve:
    """At most 1,200 steps that look like the whole curve, from the left edge of the Axes."""
    x = _grid(scale, low, high)
    return x * scale, ecdf.cdf(x)


def _grid(scale: float, low: float, high: float) -> np.ndarray:
    """Whole numbers in equal steps of the logarithm, and both edges of the Axes."""
    edges = np.array([low, high]) / scale
    whole = np.unique(np.floor(np.geomspace(low / scale, high / scale, 1200)))
    return np.concatenate((edges[:1], whole[whole > edges[0]], edges[1:]))


def _kinds(found: Distribution) -> list[Kind]:
    return [kind for kind in CLASSES if found.n(kind)]


def published(ax: Axes, x: np.ndarray, y: np.ndarray, *, steps: bool = False) -> None:
    """Draw a published curve; all of one Axes share one entry of the legend."""
    line, width = style.PAPER_LINE
    first = "paper" not in ax.get_legend_handles_labels()[1]
    label = "paper" if first else None
    drawn = ax.plot(x, y, color=style.PAPER, ls=line, lw=width if steps else 0.7, label=label)
    drawn[0].set_drawstyle("steps-post" if steps else "default")


def _arrived(clock: str) -> str:
    return "by submission" if clock == "submit" else "by start"


def _thousands(value: float, _position: int) -> str:
    return f"{value:,.0f}"
