"""Claims that need no data: the paper against itself, figure against printed number.

Figures 5 to 8 were read from the vector plots (`restudy.traces.calibration`); the printed numbers
are in `restudy.traces.measures.printed`.
"""

import numpy as np

from restudy.traces import calibration, hardware, inference
from restudy.traces.measures import printed
from restudy.traces.measures.hours import chance, largest_step
from restudy.traces.measures.machines import tables


def drawn(*, rng: np.random.Generator) -> dict[str, float]:
    """Measure everything that the packaged tables of the paper can tell.

    Parameters
    ----------
    rng : numpy.random.Generator
        For the random orders of the hourly bars.

    Returns
    -------
    dict of str to float
        Claim id to value in the claim's unit.
    """
    return {
        **tables(hardware.inventory()),
        **_submissions(),
        **_wait_and_run(),
        **_failures(rng),
        **_job_size(),
    }


def daily_total(days: np.ndarray, counts: np.ndarray, no_corner: np.ndarray) -> float:
    """Jobs under a curve whose logarithm is straight where it has no corner.

    Parameters
    ----------
    days : numpy.ndarray of datetime64[D], shape (days,)
        Ascending.
    counts : numpy.ndarray, shape (days,)
        Jobs; those of a day without a corner are not looked at.
    no_corner : numpy.ndarray of datetime64[D]
        Days whose count is read off the line between their neighbours; a day without a job has no
        place on a logarithmic axis and is no neighbour.

    Returns
    -------
    float
        Jobs on all days, those without a corner as the line has them.

    Examples
    --------
    >>> days = np.arange(5).astype("datetime64[D]")
    >>> round(daily_total(days, np.array([1, 777, 100, 0, 5]), days[[1]]), 9)
    116.0
    """
    off = np.isin(days, no_corner)
    known = ~off & (counts > 0)
    at = days.astype("int64")
    filled = 10 ** np.interp(at[off], at[known], np.log10(counts[known]))
    return float(counts[~off].sum() + filled.sum())


def _submissions() -> dict[str, float]:
    table = calibration.daily_submissions()
    days = table.index.to_numpy().astype("datetime64[D]")
    values: dict[str, float] = {}
    for kind, dates in printed.NO_CORNER.items():
        counts = table[kind].to_numpy("float64")
        no_corner = np.array(dates, "datetime64[D]")
        values[f"drawn-{kind}-total"] = daily_total(days, counts, no_corner)
        busy = counts[(counts > 0) & ~np.isin(days, no_corner)]
        values[f"drawn-{kind}-dispersion"] = float(busy.var(ddof=1) / busy.mean())
    months = table["generic"].groupby(days.astype("datetime64[M]").astype(str)).sum()
    unsure = {day[:7] for day in printed.NO_CORNER["generic"]}
    values["drawn-months"] = max(
        abs(float(months[month]) - jobs)
        for month, jobs in printed.GENERIC_BY_MONTH.items()
        if month not in unsure
    )
    return values


def _wait_and_run() -> dict[str, float]:
    names = tuple(calibration.CURVES)
    run = {name: calibration.curve("fig6b", name) for name in names}
    wait = {name: calibration.curve("fig6a", name) for name in names}
    values = {f"drawn-run-median-{name.replace('_', '-')}": _median(*run[name]) for name in names}
    values["drawn-wait-medians"] = 100 * max(
        abs(_median(*wait[name]) / median - 1) for name, median in printed.WAIT_MEDIAN_S.items()
    )
    for claim, curves, means in (
        ("drawn-run-means", run, printed.RUN_MEAN_S),
        ("drawn-wait-means", wait, printed.WAIT_MEAN_S),
    ):
        values[claim] = 100 * max(
            abs(calibration.mean(*curves[name]) / mean - 1) for name, mean in means.items()
        )
    values["drawn-run-shares"] = 100 * max(
        abs(float(np.interp(seconds, *run[name])) - share)
        for (name, seconds), share in printed.RUN_SHARE.items()
    )
    for state in ("completed", "failed"):
        values[f"drawn-superiority-{state}"] = curve_superiority(
            run[f"ml_{state}"], run[f"generic_{state}"]
        )
    return values


def _median(x: np.ndarray, F: np.ndarray) -> float:
    return float(calibration.quantile(x, F, np.array(0.5)))


def curve_superiority(
    ml: tuple[np.ndarray, np.ndarray], generic: tuple[np.ndarray, np.ndarray]
) -> float:
    """Probability that a time from one curve is larger than one from another, ties half.

    Parameters
    ----------
    ml, generic : tuple of numpy.ndarray
        Curves of times in whole seconds: x and F of `calibration.curve`.

    Returns
    -------
    float
        Between 0 and 1; one half where the curves agree.

    Examples
    --------
    Uniform on 0, 1, 2 against always 1:

    >>> thirds = np.array([0.0, 1.0, 2.0]), np.array([1, 2, 3]) / 3
    >>> round(curve_superiority(thirds, (np.array([0.0, 1.0]), np.array([0.0, 1.0]))), 9)
    0.5
    """
    seconds = np.arange(int(max(ml[0][-1], generic[0][-1])) + 1)
    shares = [np.diff(np.interp(seconds, x, F, left=0.0), prepend=0.0) for x, F in (ml, generic)]
    return float(inference.superiority(shares[0], shares[1]))


def _failures(rng: np.random.Generator) -> dict[str, float]:
    bars = calibration.failed_bars()
    values: dict[str, float] = {}
    for kind in ("generic", "ml"):
        heights = bars[f"{kind}_failed"].to_numpy("int64")
        values[f"drawn-bars-{kind}"] = float(heights.sum())
        values[f"hour-labels-chance-{kind}"] = chance(heights, rng)
    values["hour-labels-jump-drawn"] = largest_step(bars["ml_failed"].to_numpy("int64"))
    return values


def _job_size() -> dict[str, float]:
    nodes = calibration.node_counts()["generic"]
    return {
        "drawn-nodes-mean": float((nodes.index * nodes).sum()) / printed.GENERIC_JOBS,
        "drawn-core-shares": max(
            abs(_step(name, cores) - percent)
            for (name, cores), percent in printed.CORES_PERCENT.items()
        ),
        "drawn-node-hours-median": _node_seconds_median(),
    }


def _step(name: str, cores: int) -> float:
    """Percent of the jobs with exactly so many cores."""
    x, F = calibration.curve("fig8b", name)
    below, upto = np.searchsorted(np.rint(x), [cores, cores + 1])  # points below, points up to
    levels = np.concatenate(([0.0], F))
    return float(100 * (levels[upto] - levels[below]))


def _node_seconds_median() -> float:
    """Median of the completed jobs of both classes, whole node-seconds."""
    curves = {name: calibration.curve("fig8c", name) for name in printed.COMPLETED_JOBS}
    seconds = np.arange(int(max(x[-1] for x, _ in curves.values()) * 3600) + 1)
    jobs = sum(
        n * np.interp(seconds, curves[name][0] * 3600, curves[name][1])
        for name, n in printed.COMPLETED_JOBS.items()
    )
    half = sum(printed.COMPLETED_JOBS.values()) / 2
    return float(np.searchsorted(jobs, half))
