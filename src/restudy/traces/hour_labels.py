"""Failed jobs by hour of the day, and the shuffled labels of the paper's Figure 7."""

from dataclasses import dataclass

import dask.dataframe as dd
import numpy as np
import pandas as pd

from restudy.traces.arrivals import DAY, HOUR, Clock, clock_column, seconds_since_epoch
from restudy.traces.counting import Kind, groups, select
from restudy.traces.jobs import TraceError


@dataclass(frozen=True)
class HourBars:
    """Jobs by hour of the day, and as the paper's code draws them.

    The original takes ``value_counts(sort=False)``, whose rows come in order of first appearance,
    and draws them at 0, 1, 2, ...: the heights are right, their labels are shuffled.

    Attributes
    ----------
    clock : str
        Column the hours come from.
    by_hour : numpy.ndarray of int64, shape (24,)
        Jobs at each hour of the day.
    labels : numpy.ndarray of int64, shape (hours that occur,)
        Hour that each drawn bar really shows, in drawing order.
    """

    clock: Clock
    by_hour: np.ndarray
    labels: np.ndarray

    @property
    def as_drawn(self) -> np.ndarray:
        """Heights in drawing order, shape (hours that occur,)."""
        return self.by_hour[self.labels]

    @property
    def misplaced(self) -> int:
        """Number of drawn bars that stand at a wrong hour."""
        return int((self.labels != np.arange(len(self.labels))).sum())


def hour_bars(
    jobs: dd.DataFrame, kind: Kind = "all", state: str | None = None, clock: Clock | None = None
) -> HourBars:
    """Jobs of one class and state by hour of the day, with and without the original's fault.

    Parameters
    ----------
    jobs : dask.dataframe.DataFrame
        A job table in its original order, on which the fault depends.
    kind : str
        Class, ``all``, ``generic`` or ``ml``.
    state : str, optional
        State, by default any; the paper draws the ``FAILED`` jobs of each class.
    clock : str, optional
        ``submit`` (as in the paper) or ``start``; by default `clock_column`.

    Returns
    -------
    HourBars
        The jobs at each hour, and the order in which the original draws them.

    Raises
    ------
    TraceError
        If there is no such job.

    Notes
    -----
    One pass. Each partition gives its hours in order of first appearance, and partitions are joined
    in their order, so the result does not depend on how the table is cut.
    """
    column = clock_column(jobs) if clock is None else clock
    first = jobs[[column, "state", "is_ml"]].map_partitions(
        _hours_seen,
        column=column,
        kind=kind,
        state=state,
        meta=pd.DataFrame({"hour": np.empty(0, "int64"), "n": np.empty(0, "int64")}),
    )
    seen = first.compute()
    if seen.empty:
        what = " ".join(["no", *([state] if state else []), *([kind] if kind != "all" else [])])
        raise TraceError(
            f"the trace has {what} job with a {column} time; use a trace that has some or leave "
            "this statistic out."
        )
    by_hour = np.bincount(seen["hour"], weights=seen["n"], minlength=DAY).astype("int64")
    return HourBars(
        clock=column,
        by_hour=by_hour,
        labels=pd.unique(seen["hour"]),
    )


def _hours_seen(frame: pd.DataFrame, column: str, kind: Kind, state: str | None) -> pd.DataFrame:
    """Hours of a partition's jobs and their number, in order of first appearance."""
    seconds, known = seconds_since_epoch(frame[column])
    hours = (seconds // HOUR % DAY)[known & select(groups(frame), kind, state)]
    distinct = pd.unique(hours)
    return pd.DataFrame({"hour": distinct, "n": np.bincount(hours, minlength=DAY)[distinct]})


def roughness(bars: np.ndarray) -> np.ndarray:
    """How much neighbouring bars of a day differ.

    Parameters
    ----------
    bars : numpy.ndarray, shape (..., hours)
        Jobs at each hour; the last hour is the neighbour of the first.

    Returns
    -------
    numpy.ndarray, shape (...)
        Mean of the absolute difference of log(1 + jobs).

    Examples
    --------
    >>> float(roughness(np.array([0, 0, 0]))), float(roughness(np.array([0, 1, 0, 1]))) > 0.6
    (0.0, True)
    """
    logs = np.log1p(bars)
    return np.abs(logs - np.roll(logs, 1, axis=-1)).mean(axis=-1)


def as_smooth(bars: np.ndarray, *, replicates: int, rng: np.random.Generator) -> float:
    """Share of random orders that are at least as smooth as the given one.

    People's days are smooth, so bars at their right hours give a share near 0; bars in any other
    order give a share like that of a random number between 0 and 1.

    Parameters
    ----------
    bars : numpy.ndarray, shape (hours,)
        Jobs at each hour.
    replicates : int
        Number of random orders.
    rng : numpy.random.Generator
        Source of the random orders.

    Returns
    -------
    float
        The p-value of a permutation test, so never 0.
    """
    orders = rng.permuted(np.tile(bars, (replicates, 1)), axis=1)
    smoother = int((roughness(orders) <= roughness(bars) + 1e-12).sum())
    return (1 + smoother) / (1 + replicates)
