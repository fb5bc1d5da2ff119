"""Metrics by hour of the day and by weekday, on the clock on the wall."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from restudy.telemetry.counting import Counts, classes, count, of_node
from restudy.telemetry.metrics import metric
from restudy.telemetry.samples import Telemetry, codes, fold, times, values
from restudy.traces.jobs import PAPER_GPU_NODES
from restudy.traces.results import CLASSES
from restudy.traces.summertime import hours_ahead

Clock = Callable[[np.ndarray], np.ndarray]  # UTC, datetime64[s] -> seconds ahead of it, int64

_QUARTER = 900  # clocks change at whole quarters of an hour


def utc(time: np.ndarray) -> np.ndarray:
    """Keep UTC: no second ahead."""
    return np.zeros(len(time), "int64")


def amsterdam(time: np.ndarray) -> np.ndarray:
    """Seconds by which Amsterdam is ahead of UTC, summer time included.

    Examples
    --------
    >>> amsterdam(np.array(["2020-03-29T00:59:59", "2020-03-29T01:00:00"], "datetime64[s]"))
    array([3600, 7200])
    """
    return 3600 * hours_ahead(time)


@dataclass(frozen=True)
class Ahead:
    """A clock that is always the same number of seconds ahead of UTC."""

    seconds: int

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """Give the seconds."""
        return np.full(len(time), self.seconds, "int64")


@dataclass(frozen=True)
class Zone:
    """The clock of a time zone such as ``Europe/Amsterdam``."""

    name: str

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """Give the seconds ahead of UTC."""
        there = pd.DatetimeIndex(time).tz_localize("UTC").tz_convert(ZoneInfo(self.name))
        ahead = there.tz_localize(None).to_numpy() - time
        return np.asarray(ahead.astype("timedelta64[s]").astype("int64"))


def local_seconds(time: Any, clock: Clock) -> Any:
    """Turn UTC into the reading of a clock.

    Parameters
    ----------
    time : array of int64, shape (rows,)
        Seconds since 1970, UTC; on a GPU too.
    clock : callable
        `amsterdam`, `utc`, ``Zone(name)``, ``Ahead(seconds)``.

    Returns
    -------
    array of int64, shape (rows,)
        Seconds between 1970-01-01 00:00 and the date and time that the clock shows.

    Notes
    -----
    The clock is asked once for each quarter of an hour, not for each row.

    Examples
    --------
    >>> winter = np.array([0])
    >>> local_seconds(winter, Ahead(3600)).tolist()
    [3600]
    """
    if len(time) == 0:
        return time
    quarter = time // _QUARTER
    first, last = int(quarter.min()), int(quarter.max())
    begins = _QUARTER * np.arange(first, last + 1, dtype="int64")
    ahead = clock(begins.astype("datetime64[s]"))
    return time + np.take(np.asarray(ahead, like=time), quarter - first)


@dataclass(frozen=True)
class Cycle:
    """Something that comes round.

    Attributes
    ----------
    labels : tuple of str
        Names of its phases.
    phase : callable
        Gives the phase of local seconds since 1970.
    """

    labels: tuple[str, ...]
    phase: Callable[[Any], Any]


def hour_of_day(local: Any) -> Any:
    """Hour, 0 to 23."""
    return local // 3600 % 24


def weekday(local: Any) -> Any:
    """Day of the week, Monday 0.

    Examples
    --------
    >>> monday = np.datetime64("2024-01-01", "s").astype("int64")
    >>> int(weekday(monday)), int(weekday(monday - 1))
    (0, 6)
    """
    return (local // 86400 + 3) % 7  # 1970-01-01 was a Thursday


HOURS = Cycle(tuple(map(str, range(24))), hour_of_day)
WEEKDAYS = Cycle(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), weekday)


@dataclass(frozen=True)
class Profile:
    """Counts of metrics by class of node and phase of a cycle.

    Attributes
    ----------
    labels : tuple of str
        Phases.
    metrics : dict of str to Counts
        By name of the metric; group ``"generic 5"`` is phase ``"5"`` of the class ``generic``.
    """

    labels: tuple[str, ...]
    metrics: dict[str, Counts]

    def __add__(self, other: "Profile") -> "Profile":
        added = {name: mine + other.metrics[name] for name, mine in self.metrics.items()}
        return Profile(self.labels, added)

    def table(self, name: str, kind: str) -> pd.DataFrame:
        """Give samples, mean, standard deviation and median by phase; NaN where none is known."""
        counts = self.metrics[name]
        rows: dict[str, dict[str, float]] = {}
        for label in self.labels:
            group = f"{kind} {label}"
            rows[label] = {"samples": counts.known(group)}
            if rows[label]["samples"]:
                rows[label] |= {
                    "mean": counts.mean(group),
                    "sd": counts.std(group),
                    "median": float(counts.quantile(group, 0.5)),
                }
        columns = ["samples", "mean", "sd", "median"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def profile(
    telemetry: Telemetry,
    metrics: Sequence[str],
    cycle: Cycle = HOURS,
    *,
    clock: Clock = amsterdam,
    gpu_nodes: Collection[str] = PAPER_GPU_NODES,
) -> Profile:
    """Count metrics by phase of a cycle and class of node, all in one pass.

    Parameters
    ----------
    telemetry : Telemetry
        The samples, in UTC; give `utc` as `clock` if they are in local time already.
    metrics : sequence of str
        Names of gauges.
    cycle : Cycle
        `HOURS` or `WEEKDAYS`.
    clock : callable
        Gives the seconds by which local time is ahead of UTC.
    gpu_nodes : collection of str
        Nodes of the class ``ml``.

    Returns
    -------
    Profile
        Mean, standard deviation and median are exact to the metric's resolution, and over all
        samples of the phase: a node with more samples weighs more.

    Raises
    ------
    TelemetryError
        If metrics are missing.
    """
    measure = partial(
        _measure,
        metrics=tuple(metrics),
        cycle=cycle,
        clock=clock,
        nodes=telemetry.nodes,
        kind=classes(telemetry.nodes, gpu_nodes),
    )
    return fold(telemetry, metrics, measure)


def _measure(
    frame: pd.DataFrame,
    *,
    metrics: tuple[str, ...],
    cycle: Cycle,
    clock: Clock,
    nodes: tuple[str, ...],
    kind: np.ndarray,
) -> Profile:
    of = of_node(kind, codes(frame, nodes))
    phase = cycle.phase(local_seconds(times(frame), clock))
    group = np.where(of >= 0, of * len(cycle.labels) + phase, -1)
    groups = tuple(f"{kind} {label}" for kind in CLASSES for label in cycle.labels)
    counts = {
        name: count(values(frame, name), group, groups, metric(name).resolution) for name in metrics
    }
    return Profile(cycle.labels, counts)
