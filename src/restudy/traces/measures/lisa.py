"""Claims on the real jobs of Lisa: the half-year, and the week with measured power."""

from dataclasses import replace

import numpy as np
import pandas as pd

from restudy.traces import arrivals, clock, distributions, hour_labels, power
from restudy.traces.arrivals import Arrivals
from restudy.traces.calibration import daily_submissions
from restudy.traces.distributions import Ecdf
from restudy.traces.findings import PowerFit
from restudy.traces.jobs import JobTrace, TraceError
from restudy.traces.lisa_week import LISA_CLOCK, PowerSeries
from restudy.traces.measures import printed
from restudy.traces.measures.hours import chance, largest_step
from restudy.traces.summertime import hours_ahead

# The half-year's whole days; the first and the last of the file are cut.
_DAYS = pd.date_range("2022-07-01", "2022-10-31", unit="s")
_MONTHS = ("2022-07", "2022-08", "2022-09", "2022-10")
_END_OF_SUMMER_TIME = np.datetime64("2022-10-30", "D")
_HOUR = np.timedelta64(1, "h")
_CORES = 16  # of a CPU node, and of each job of these traces
_SHORT_S = 30
_LONGEST = 0.05


def halfyear(trace: JobTrace, *, rng: np.random.Generator) -> dict[str, float]:
    """Measure the claims on ``lisa-halfyear-tasks``.

    Parameters
    ----------
    trace : JobTrace
        From `restudy.traces.datasets.lisa_halfyear`: starts and ends, on the file's own clock.
    rng : numpy.random.Generator
        For the random orders of the hourly bars.

    Returns
    -------
    dict of str to float
        Claim id to value in the claim's unit.

    Raises
    ------
    TraceError
        If the trace follows another clock, has no job, or lacks the jobs whose start is printed.
    """
    if trace.clock != LISA_CLOCK:
        raise TraceError(
            f"the clock of {trace.name} is {trace.clock!r} and should be {LISA_CLOCK!r}; give the "
            "half-year as it was read."
        )
    starts = arrivals.arrivals(trace.jobs, "start")
    run = distributions.measure(trace.jobs, ["run_s"])["run_s"].ecdf()
    return {
        **_submissions(trace, starts),
        **_run_times(run),
        **_hour_labels(trace, starts, rng),
        **_clocks(trace, starts),
        **_common_window(trace, run),
    }


def in_utc(starts: Arrivals) -> Arrivals:
    """Move arrivals from the file's clock to UTC: one offset of local time later."""
    return replace(starts, hour=starts.hour + hours_ahead(starts.hour.astype("datetime64[h]")))


def _submissions(trace: JobTrace, starts: Arrivals) -> dict[str, float]:
    utc = in_utc(starts)
    local = in_utc(utc)  # the offset once more
    months = pd.Series(*reversed(utc.per("month"))).rename(lambda begin: f"{begin:%Y-%m}")
    daily = _daily(starts)
    submitted = daily_submissions()["generic"].reindex(_DAYS)
    weekday = _daily(local)
    burst = arrivals.burstiness(trace.jobs, clock="start")
    return {
        "halfyear-jobs": float(starts.n()),
        "halfyear-within-months": max(
            100 * float(months.get(month, 0)) / printed.GENERIC_BY_MONTH[month]
            for month in _MONTHS
        ),
        "halfyear-daily-rank-correlation": float(
            _daily(utc).rank().corr(submitted.rank())  # Spearman's: that of the ranks
        ),
        "halfyear-dispersion": float(daily.var() / daily.mean()),
        "halfyear-burstiness": burst.cv,
        "halfyear-zero-gaps": 100 * burst.zero_share,
        "halfyear-weekday-ratio": float(
            weekday[_DAYS.weekday < 5].mean() / weekday[_DAYS.weekday >= 5].mean()
        ),
        "halfyear-whole-node-majority": 100 * starts.n() / printed.JOINED_JOBS["generic"],
    }


def _daily(starts: Arrivals) -> pd.Series:
    """Jobs of each of the whole days, 0 where there is none."""
    day, counts = starts.per("day")
    jobs = pd.Series(counts, index=pd.DatetimeIndex(day.astype("datetime64[s]")))
    return jobs.reindex(_DAYS, fill_value=0)


def _run_times(run: Ecdf) -> dict[str, float]:
    percents = (5, 25, 50, 75, 95, 99)
    quantiles = run.quantile([percent / 100 for percent in percents])
    values = {
        f"halfyear-run-p{percent:02d}": float(value)
        for percent, value in zip(percents, quantiles, strict=True)
    }
    short = run.values < _SHORT_S
    return values | {
        "halfyear-run-mean": run.mean,
        "halfyear-run-max": float(run.max),
        "halfyear-short-jobs-hours": 100
        * float(run.values[short] @ run.counts[short])
        / run.total,
        "halfyear-longest-jobs-hours": 100 * longest_share(run, _LONGEST),
    }


def longest_share(run: Ecdf, share: float) -> float:
    """Share of the run time that the longest jobs hold.

    Parameters
    ----------
    run : Ecdf
        Run times, s.
    share : float
        Share of the jobs taken, the longest first; rounded to whole jobs.

    Examples
    --------
    Of four jobs of 1, 1, 2 and 4 s the longest half holds three quarters:

    >>> longest_share(Ecdf(np.array([1, 2, 4]), np.array([2, 1, 1])), 0.5)
    0.75
    """
    taken = np.minimum(np.cumsum(run.counts[::-1]), round(share * run.n))
    return float(np.diff(taken, prepend=0) @ run.values[::-1]) / run.total


def _hour_labels(
    trace: JobTrace, starts: Arrivals, rng: np.random.Generator
) -> dict[str, float]:
    in_order = starts.hour_of_day()
    # Without states, every job stands for the failed ones of the paper's figure.
    stated = replace_state(trace)
    drawn = hour_labels.hour_bars(stated, "all", "COMPLETED", "start")
    return {
        "hour-labels-wrong": float(drawn.misplaced),
        "hour-labels-jump-real": largest_step(in_order),
        "hour-labels-chance-real": chance(in_order, rng),
    }
