"""What a cluster draws before and after a date, by class of node (arXiv 2107.11832).

The original splits at 2020-02-27 and calls the parts non-covid and covid. Before and after also
differ in season, in the nodes that run, and in users who were still moving in: a difference that
is sure is not yet an effect of what happened on the date.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from restudy.telemetry.counting import classes
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.profiles import Clock, amsterdam
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.series import Grid
from restudy.telemetry.sums import metric_sums
from restudy.traces.bootstrap import block_weights, percentile_interval
from restudy.traces.jobs import PAPER_GPU_NODES
from restudy.traces.results import CLASSES

SPLIT = "2020-02-27"
HOUR = 3600


@dataclass(frozen=True)
class NodeHours:
    """Mean of a metric on each node in each hour.

    Attributes
    ----------
    metric : str
        Its name.
    nodes : tuple of str
        Nodes.
    day, hour : numpy.ndarray of int64, shape (hours,)
        Local date (days since 1970) and hour of the day.
    total : numpy.ndarray of float64, shape (nodes, hours)
        Sum over the samples; 0 without one.
    n : numpy.ndarray of int64, shape (nodes, hours)
        Samples.
    """

    metric: str
    nodes: tuple[str, ...]
    day: np.ndarray
    hour: np.ndarray
    total: np.ndarray
    n: np.ndarray


def node_hours(
    telemetry: Telemetry, name: str, start: str, stop: str, *, clock: Clock = amsterdam
) -> NodeHours:
    """Add up a metric on each node in each hour.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    name : str
        Name of a gauge.
    start, stop : str
        First moment and the one after the last, UTC.
    clock : callable
        Gives the seconds by which local time is ahead of UTC, whole hours.

    Returns
    -------
    NodeHours
        343 nodes over seven months take 30 MB.

    Raises
    ------
    TelemetryError
        If the metric is missing or unknown in this time.
    """
    grid = Grid.between(start, stop, HOUR)
    nodes = telemetry.nodes
    found = metric_sums(telemetry, name, grid, group=np.arange(len(nodes)), groups=nodes)
    local = grid.times.astype("int64") + clock(grid.times)
    total = np.where(found.n > 0, found.total, 0.0)
    return NodeHours(name, nodes, local // 86400, local // HOUR % 24, total, found.n)


@dataclass(frozen=True)
class Change:
    """A statistic before and after a date.

    Attributes
    ----------
    before, after : float
        The statistic.
    low, high : float
        95 % interval of the difference, from days drawn in blocks.
    """

    before: float
    after: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before


@dataclass(frozen=True)
class Shift:
    """How one class of nodes changed.

    Attributes
    ----------
    node : Change
        Median over the nodes of each node's mean.
    cluster : Change
        Mean over the days of the sum over the nodes.
    hours : numpy.ndarray, shape (2, 24)
        Sum over the nodes by local hour of the day, before and after.
    """

    node: Change
    cluster: Change
    hours: np.ndarray

    def hour_range(self) -> np.ndarray:
        """Lowest and highest hour of the day against their mean, shape (2, 2): before, after."""
        mean = self.hours.mean(axis=1, keepdims=True)
        return np.column_stack([self.hours.min(axis=1), self.hours.max(axis=1)]) / mean - 1


def before_after(
    hours: NodeHours,
    split: str = SPLIT,
    *,
    gpu_nodes: Collection[str] = PAPER_GPU_NODES,
    block: int = 7,
    replicates: int = 1000,
    rng: np.random.Generator,
) -> dict[str, Shift]:
    """Compare the time before a date with the time from it on.

    Parameters
    ----------
    hours : NodeHours
        From `node_hours`.
    split : str
        Local date, the first of the time after.
    gpu_nodes : collection of str
        Nodes of the class ``ml``; `restudy.telemetry.percentiles.GPU_NODES_AS_CODED` for the
        original's, in which two of them count as generic.
    block : int
        Days drawn together; 7 keeps the week.
    replicates : int
        Bootstrap replicates.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    dict of str to Shift
        By class; a class without a sample before or after is left out.

    Raises
    ------
    TelemetryError
        If there are fewer than two blocks of days before or after.

    Notes
    -----
    A node's mean is over its samples. The sum over the nodes is that of their hourly means, so a
    lost sample does not count as no power; a node that is off in an hour adds nothing. The days of
    the two times are drawn apart, all nodes of a day together. The interval says how firm the
    difference is for days such as these; it does not know of season or of other changes, with
    which the date is confounded.
    """
    day = int(np.datetime64(split, "D").astype("int64"))
    sides = [hours.day < day, hours.day >= day]
    days = [np.unique(hours.day[side]) for side in sides]
    if min(map(len, days)) < 2 * block:
        raise TelemetryError(
            f"there are {len(days[0])} days before {split} and {len(days[1])} from it on; "
            f"blocks of {block} days need {2 * block} of both."
        )
    weights = [block_weights(len(d), replicates, block=block, rng=rng) for d in days]
    kind = classes(hours.nodes, gpu_nodes)
    found: dict[str, Shift] = {}
    for at, name in enumerate(CLASSES):
        mine = kind == at
        if all(hours.n[mine][:, side].any() for side in sides):
            found[name] = _shift(hours, mine, sides, weights)
    return found


def _shift(
    hours: NodeHours, mine: np.ndarray, sides: list[np.ndarray], weights: list[np.ndarray]
) -> Shift:
    nodes, cluster, by_hour = [], [], []
    for side, drawn in zip(sides, weights, strict=True):
        total, n = hours.total[mine][:, side], hours.n[mine][:, side]
        once_and_drawn = np.vstack([np.ones(drawn.shape[1]), drawn])  # (1 + replicates, days)
        of_day = np.unique(hours.day[side], return_inverse=True)[1]
        nodes.append(_median_of_nodes(total, n, of_day, once_and_drawn))
        known = n.any(axis=0)  # an hour without any sample is unknown, not 0
        power = (total / np.where(n, n, 1)).sum(axis=0)
        cluster.append(_mean_of_days(power, known, of_day, once_and_drawn))
        by_hour.append(_mean_by(power[known], hours.hour[side][known], 24))
    return Shift(_change(*nodes), _change(*cluster), np.array(by_hour))


def _median_of_nodes(
    total: np.ndarray, n: np.ndarray, of_day: np.ndarray, draws: np.ndarray
) -> np.ndarray:
    """Median over nodes of each node's mean over the drawn days, shape (draws,)."""
    days = draws.shape[1]
    daily = np.stack([[np.bincount(of_day, row, days) for row in part] for part in (total, n)])
    sums, counts = draws @ daily[0].T, draws @ daily[1].T  # (draws, nodes)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    median = np.full(len(draws), np.nan)  # NaN stays where no drawn day has a sample
    some = np.isfinite(means).any(axis=1)
    median[some] = np.nanmedian(means[some], axis=1)
    return median


def _mean_of_days(
    power: np.ndarray, known: np.ndarray, of_day: np.ndarray, draws: np.ndarray
) -> np.ndarray:
    """Mean of the known hours of the drawn days, shape (draws,)."""
    days = draws.shape[1]
    daily = np.bincount(of_day[known], power[known], days)
    hours = np.bincount(of_day[known], minlength=days)
    return np.asarray((draws @ daily) / np.maximum(draws @ hours, 1.0))


def _mean_by(value: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    n = np.bincount(group, minlength=groups)
    return np.bincount(group, value, groups) / np.where(n, n, np.nan)


def _change(before: np.ndarray, after: np.ndarray) -> Change:
    """Statistics of the days as they were (first entry) and of the draws."""
    low, high = percentile_interval((after - before)[1:])
    return Change(float(before[0]), float(after[0]), low, high)


def table(found: dict[str, Shift]) -> pd.DataFrame:
    """Rows (class, ``node`` or ``cluster``); columns before, after, difference, low, high."""
    rows = {
        (kind, what): {
            "before": change.before,
            "after": change.after,
            "difference": change.difference,
            "low": change.low,
            "high": change.high,
        }
        for kind, shift in found.items()
        for what, change in (("node", shift.node), ("cluster", shift.cluster))
    }
    return pd.DataFrame.from_dict(rows, orient="index")
