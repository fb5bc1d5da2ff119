"""When jobs are submitted, and how bursty that is (Figure 5)."""

from dataclasses import dataclass
from typing import Literal

import dask.dataframe as dd
import numpy as np
import pandas as pd

from restudy.traces.counting import GROUPS, Kind, add_counts, count, groups, select
from restudy.traces.distributions import Ecdf
from restudy.traces.jobs import TraceError

Clock = Literal["submit", "start"]
Unit = Literal["hour", "day", "week", "month"]

HOUR = 3600
DAY = 24  # hours
_MONDAY = 4  # day 4 of the epoch, 5 January 1970, was a Monday


def clock_column(jobs: dd.DataFrame) -> Clock:
    """Column that tells when a job arrived: ``submit``, or ``start`` where that is null everywhere.

    Raises
    ------
    TraceError
        If neither is known for any job.
    """
    known = jobs[["submit", "start"]].count().compute()
    if known["submit"]:
        return "submit"
    if known["start"]:
        return "start"
    raise TraceError(
        "the trace has no job with a submit or start time; use a trace with at least one of them."
    )


def seconds_since_epoch(times: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Naive times as int64 seconds since 1970-01-01 and the mask of the known ones."""
    seconds = times.to_numpy("datetime64[s]").view("int64")
    return seconds, seconds != np.iinfo("int64").min


@dataclass(frozen=True)
class Boxplot:
    """Five numbers and the mean of the counts of one calendar unit.

    Attributes
    ----------
    mean, q25, median, q75 : float
        Over the bins that were given.
    low, high : float
        Whiskers: the last counts within 1.5 interquartile ranges of the box.
    max : float
        Largest count; the paper hides it with the other fliers.
    bins : int
        Number of bins.
    """

    mean: float
    q25: float
    median: float
    q75: float
    low: float
    high: float
    max: float
    bins: int


def boxplot(counts: np.ndarray) -> Boxplot:
    """Boxplot statistics as matplotlib and seaborn draw them.

    Parameters
    ----------
    counts : numpy.ndarray, shape (bins,)
        Jobs in each bin, at least one bin.

    Returns
    -------
    Boxplot
        Mean, quartiles and the ends of the whiskers, within 1.5 quartile distances.

    Examples
    --------
    >>> boxplot(np.array([1, 2, 3, 4, 100]))
    Boxplot(mean=22.0, q25=2.0, median=3.0, q75=4.0, low=1.0, high=4.0, max=100.0, bins=5)
    """
    q25, median, q75 = np.quantile(counts, [0.25, 0.5, 0.75])
    reach = 1.5 * (q75 - q25)
    return Boxplot(
        mean=float(counts.mean()),
        q25=float(q25),
        median=float(median),
        q75=float(q75),
        low=float(counts[counts >= q25 - reach].min()),
        high=float(counts[counts <= q75 + reach].max()),
        max=float(counts.max()),
        bins=len(counts),
    )


@dataclass(frozen=True)
class Arrivals:
    """Jobs by the hour in which they arrived, class and state.

    Attributes
    ----------
    clock : str
        Column the hours come from: ``submit``, or ``start`` where a trace has no submission times.
    hour : numpy.ndarray of int64, shape (distinct,)
        Hours since 1970-01-01 on the clock of the trace.
    group, counts : numpy.ndarray of int64, shape (distinct,)
        Code of class and state, and number of jobs.
    """

    clock: Clock
    hour: np.ndarray
    group: np.ndarray
    counts: np.ndarray

    @property
    def first_day(self) -> np.datetime64:
        """First day with a job of any class."""
        return np.datetime64(int(self.hour.min()) // DAY, "D")

    def n(self, kind: Kind = "all", state: str | None = None) -> int:
        """Count the jobs of a class and a state."""
        return int(self.counts[select(self.group, kind, state)].sum())

    def per(
        self, unit: Unit, kind: Kind = "all", state: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Jobs in every calendar bin between the first and the last of the whole trace.

        Parameters
        ----------
        unit : str
            ``hour``, ``day``, ``week`` (from Monday) or ``month``.
        kind, state : str
            Class and state (None: of all states).

        Returns
        -------
        begin : numpy.ndarray of datetime64, shape (bins,)
            Begin of each bin.
        counts : numpy.ndarray of int64, shape (bins,)
            Empty bins are there with a 0; leave them out to do as the paper does.
        """
        bins = _bin(self.hour, unit)
        keep = select(self.group, kind, state)
        first, last = int(bins.min()), int(bins.max())
        counts = _sums(bins[keep] - first, self.counts[keep], last - first + 1)
        return _begin(np.arange(first, last + 1), unit), counts

    def hour_of_day(self, kind: Kind = "all", state: str | None = None) -> np.ndarray:
        """Jobs by hour of the day, shape (24,)."""
        keep = select(self.group, kind, state)
        return _sums(self.hour[keep] % DAY, self.counts[keep], DAY)

    def weekday(self, kind: Kind = "all", state: str | None = None) -> np.ndarray:
        """Jobs by day of the week, Monday first, shape (7,)."""
        keep = select(self.group, kind, state)
        return _sums((self.hour[keep] // DAY - _MONDAY) % 7, self.counts[keep], 7)

    def days_by_hour(self, kind: Kind = "all", state: str | None = None) -> np.ndarray:
        """Jobs of every day of the trace by hour of the day, shape (days, 24)."""
        keep = select(self.group, kind, state)
        first, last = int(self.hour.min()) // DAY, int(self.hour.max()) // DAY
        flat = _sums(self.hour[keep] - first * DAY, self.counts[keep], (last - first + 1) * DAY)
        return flat.reshape(-1, DAY)


def arrivals(jobs: dd.DataFrame, clock: Clock | None = None) -> Arrivals:
    """Count the jobs by hour, class and state.

    Parameters
    ----------
    jobs : dask.dataframe.DataFrame
        A job table.
    clock : str, optional
        ``submit`` or ``start``; by default `clock_column`.

    Returns
    -------
    Arrivals
        Jobs whose time is unknown are left out.

    Raises
    ------
    TraceError
        If no job has a time.

    Notes
    -----
    One pass; days, weeks, months, weekdays and hours of the day all follow from the hours.
    """
    column = clock_column(jobs) if clock is None else clock

    def keys(frame: pd.DataFrame) -> np.ndarray:
        seconds, known = seconds_since_epoch(frame[column])
        return (seconds // HOUR * GROUPS + groups(frame))[known]

    key, n = count(jobs, keys, [column, "state", "is_ml"])
    if len(key) == 0:
        raise TraceError(f"the trace has no job with a {column} time; use another column or trace.")
    return Arrivals(clock=column, hour=key // GROUPS, group=key % GROUPS, counts=n)


@dataclass(frozen=True)
class Burstiness:
    """How uneven arrivals are; for a Poisson process `cv` and `dispersion` would be 1.

    Attributes
    ----------
    clock : str
        Column the times come from.
    gaps : Ecdf
        Seconds between one arrival and the next.
    cv : float
        Standard deviation of the gaps over their mean.
    zero_share : float
        Share of arrivals in the same second as the one before.
    dispersion : float
        Variance over mean of the arrivals per hour.
    """

    clock: Clock
    gaps: Ecdf
    cv: float
    zero_share: float
    dispersion: float


def burstiness(jobs: dd.DataFrame, kind: Kind = "all", clock: Clock | None = None) -> Burstiness:
    """Statistics of the gaps between arrivals.

    Parameters
    ----------
    jobs : dask.dataframe.DataFrame
        A job table, in any order.
    kind : str
        Class of jobs.
    clock : str, optional
        ``submit`` or ``start``; by default `clock_column`.

    Returns
    -------
    Burstiness
        Gaps between arrivals and how unequal they are.

    Raises
    ------
    TraceError
        If fewer than three jobs have a time, or all of them the same.

    Notes
    -----
    The gaps follow exactly from the number of arrivals in each second, whatever the order of the
    rows. Memory: the distinct seconds, at most 32 million a year.
    """
    column = clock_column(jobs) if clock is None else clock

    def keys(frame: pd.DataFrame) -> np.ndarray:
        seconds, known = seconds_since_epoch(frame[column])
        if kind != "all":
            known &= frame["is_ml"].to_numpy("bool", na_value=False) == (kind == "ml")
        return seconds[known]

    second, n = count(jobs, keys, [column, "is_ml"])
    if n.sum() < 3 or len(second) < 2:
        what = "" if kind == "all" else f" {kind}"
        raise TraceError(
            f"the trace has {n.sum()}{what} jobs at {len(second)} different times; gaps between "
            "arrivals need at least 3 jobs at 2 times."
        )
    steps = np.diff(second)
    zeros = int(n.sum()) - len(second)
    if zeros:
        value, many = add_counts(np.append(steps, 0), np.append(np.ones_like(steps), zeros))
    else:
        value, many = add_counts(steps, np.ones_like(steps))
    gaps = Ecdf(value, many)
    hourly = _sums(
        second // HOUR - second[0] // HOUR, n, int((second[-1] // HOUR) + 1 - second[0] // HOUR)
    )
    return Burstiness(
        clock=column,
        gaps=gaps,
        cv=gaps.std / gaps.mean,
        zero_share=zeros / gaps.n,
        dispersion=float(hourly.var() / hourly.mean()),
    )


def _sums(at: np.ndarray, n: np.ndarray, size: int) -> np.ndarray:
    """Add `n` into bins; float64 holds whole numbers up to 2^53 exactly."""
    return np.bincount(at, weights=n, minlength=size).astype("int64")


def _bin(hour: np.ndarray, unit: Unit) -> np.ndarray:
    if unit == "hour":
        return hour
    if unit == "week":
        return (hour // DAY - _MONDAY) // 7
    code = {"day": "datetime64[D]", "month": "datetime64[M]"}[unit]
    return hour.astype("datetime64[h]").astype(code).astype("int64")


def _begin(bins: np.ndarray, unit: Unit) -> np.ndarray:
    if unit == "week":
        return (bins * 7 + _MONDAY).astype("datetime64[D]")
    return bins.astype(
        {"hour": "datetime64[h]", "day": "datetime64[D]", "month": "datetime64[M]"}[unit]
    )
