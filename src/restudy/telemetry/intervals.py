"""Samples summed over the intervals in which the jobs of a node stay the same.

This takes the place of the join of samples with jobs (Fig. 2 of arXiv 2409.08949). Everything the
paper takes from the joined table depends on a sample only through the set of jobs that run on its
node, and that set is constant between two events. So one pass sums the samples of each interval;
the jobs then are a matter of the intervals, of which there are at most two a job and node.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numba import njit

from restudy.telemetry.metrics import Metric
from restudy.telemetry.samples import coded, codes, host, times, values
from restudy.telemetry.windows import Window


@dataclass(frozen=True)
class Intervals:
    """Intervals of time of every node, without gaps from begin to end of the window.

    Attributes
    ----------
    nodes : tuple of str
        The nodes.
    window : Window
        What they cover.
    key : numpy.ndarray of int64, shape (intervals,)
        Place of the node times `Window.seconds` plus the seconds from the begin of the window to
        that of the interval; ascending, so intervals are in order of node and time.
    """

    nodes: tuple[str, ...]
    window: Window
    key: np.ndarray

    @property
    def offset(self) -> np.ndarray:
        """First interval of each node, and at last the number of intervals, (nodes + 1,)."""
        return np.searchsorted(self.key, np.arange(len(self.nodes) + 1) * self.window.seconds)

    @property
    def node(self) -> np.ndarray:
        """Place of the node of each interval, (intervals,)."""
        return self.key // self.window.seconds

    @property
    def begin(self) -> np.ndarray:
        """First second of each interval since 1970, (intervals,)."""
        return self.key % self.window.seconds + self.window.first

    @property
    def seconds(self) -> np.ndarray:
        """Length of each interval, (intervals,)."""
        return np.diff(self.key, append=len(self.nodes) * self.window.seconds)


@dataclass(frozen=True)
class IntervalSums:
    """Sums over the samples of each interval that has any; exact, so the order never matters.

    Attributes
    ----------
    interval : numpy.ndarray of int64, shape (filled,)
        The interval, ascending.
    n : numpy.ndarray of int64, shape (filled,)
        Samples whose value is known.
    total : numpy.ndarray of int64, shape (filled,)
        Sum of the values, in steps of the metric's resolution.
    squares : numpy.ndarray of int64, shape (filled,)
        Sum of their squares, in steps squared.
    """

    interval: np.ndarray
    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray

    def __add__(self, other: "IntervalSums") -> "IntervalSums":
        interval = np.concatenate([self.interval, other.interval])
        if not len(interval):
            return self
        order = np.argsort(interval, kind="stable")  # merges two ascending runs
        interval = interval[order]
        first = np.flatnonzero(np.diff(interval, prepend=-1))
        pairs = ((self.n, other.n), (self.total, other.total), (self.squares, other.squares))
        sums = (np.add.reduceat(np.concatenate(pair)[order], first) for pair in pairs)
        return IntervalSums(interval[first], *sums)

    def spread(self, intervals: int) -> np.ndarray:
        """Give ``n``, ``total`` and ``squares`` of all intervals, int64, (3, intervals)."""
        full = np.zeros((3, intervals), "int64")
        full[:, self.interval] = self.n, self.total, self.squares
        return full


def accumulate(
    frame: pd.DataFrame,
    intervals: Intervals,
    metric: Metric,
    above: np.ndarray | None = None,
) -> IntervalSums:
    """Sum the samples of one part over the intervals; the measure of a `samples.fold`.

    Parameters
    ----------
    frame : pandas.DataFrame
        Samples: ``time``, ``node`` and the metric, on a host or a GPU. Unknown values, nodes that
        are not among those of `intervals`, and times outside of the window are left out.
    intervals : Intervals
        The intervals.
    metric : Metric
        What to sum.
    above : numpy.ndarray of float64, shape (nodes,), optional
        Sum only samples above this threshold of their node, in steps of the metric's resolution.

    Returns
    -------
    IntervalSums
        Of the intervals that have a sample.

    Notes
    -----
    In a part that is in order of node and time the samples of an interval are neighbours. On a
    host one compiled walk over the samples takes the intervals along, O(samples). On a GPU, and
    for a part in another order, which is sorted first, the borders are searched in the samples,
    O(events log samples). Both give the same numbers.

    Examples
    --------
    >>> frame = pd.DataFrame({"time": np.array([10, 40, 70], "M8[s]"),
    ...                       "node": pd.Categorical(["n1"] * 3), "watt": [100.0, 200.0, 50.0]})
    >>> two = Intervals(("n1",), Window(0, 99), np.array([0, 50]))
    >>> sums = accumulate(frame, two, Metric("watt", "W", 0.1, 0.0, 5000.0))
    >>> sums.n.tolist(), sums.total.tolist()
    ([2, 1], [3000, 500])
    """
    if isinstance(frame, pd.DataFrame):
        found = _walked(frame, intervals, metric, above)
        if found is not None:
            return found
    key, steps = known_rows(frame, intervals.nodes, intervals.window, metric)
    if above is not None:
        limit = np.asarray(above, like=key)
        keep = steps > np.take(limit, key // intervals.window.seconds)
        key, steps = key[keep], steps[keep]
    return _sums(key, steps, intervals)


def _walked(
    frame: pd.DataFrame, intervals: Intervals, metric: Metric, above: np.ndarray | None
) -> IntervalSums | None:
    """Sum in one walk over the samples; None if they are not in order of node and time."""
    value = values(frame, metric.name)
    code, place = coded(frame, intervals.nodes)
    limit = np.full(len(intervals.nodes), -np.inf) if above is None else above
    out = np.empty((4, len(frame)), "int64")  # memory is taken where it is written
    window = intervals.window
    filled = _walk(
        *(code, place, times(frame), value, value.dtype.type(metric.resolution), limit),
        *(window.first, window.last, window.seconds, intervals.key, out),
    )
    return None if filled < 0 else IntervalSums(*out[:, :filled].copy())


@njit(cache=True, nogil=True)
def _walk(code, place, time, value, resolution, limit, first, last, width, borders, out):  # type: ignore[no-untyped-def]
    """Write interval, number, sum and sum of squares into `out`; give how many, or -1."""
    filled, before = 0, -1
    here, at, until = -1, -1, -1  # node, interval, and the key at which the next one begins
    n, total, squares = 0, 0, 0
    for row in range(len(code)):
        who, when, amount = place[code[row]], time[row], value[row]
        if who < 0 or when < first or when > last or not np.isfinite(amount):
            continue
        key = who * width + (when - first)
        if key < before:
            return -1
        before = key
        steps = int(np.rint(amount / resolution))
        if not steps > limit[who]:
            continue
        if key >= until:
            if n:
                out[:, filled] = at, n, total, squares
                filled, n, total, squares = filled + 1, 0, 0, 0
            if who != here:
                here, at = who, int(np.searchsorted(borders, key, side="right")) - 1
            else:
                while at + 1 < len(borders) and borders[at + 1] <= key:
                    at += 1
            until = borders[at + 1] if at + 1 < len(borders) else np.iinfo(np.int64).max
        n += 1
        total += steps
        squares += steps * steps
    if n:
        out[:, filled] = at, n, total, squares
        filled += 1
    return filled


def known_rows(
    frame: pd.DataFrame, nodes: tuple[str, ...], window: Window, metric: Metric
) -> tuple[Any, Any]:
    """Give the known samples in order of node and time, where the frame lives.

    Parameters
    ----------
    frame : pandas.DataFrame
        Samples of one part, in any order.
    nodes : tuple of str
        Nodes to keep.
    window : Window
        Times to keep.
    metric : Metric
        The metric.

    Returns
    -------
    key : array of int64, shape (known,)
        Place of the node times `Window.seconds` plus seconds since the begin of the window.
    steps : array of int32, shape (known,)
        Values in steps of the metric's resolution.
    """
    node, at, value = codes(frame, nodes), times(frame), values(frame, metric.name)
    keep = np.isfinite(value)
    keep &= node >= 0
    keep &= at >= window.first
    keep &= at <= window.last
    if not keep.all():
        node, at, value = node[keep], at[keep], value[keep]
    # Below 2**63 for 4 million nodes even in the window EVER, of 2**41 s.
    key = node * window.seconds
    key += at
    key -= window.first
    # All metrics are less than 2**31 steps high.
    steps = np.rint(value / metric.resolution).astype("int32")
    if (key[1:] < key[:-1]).any():
        order = np.argsort(key, kind="stable")
        key, steps = np.take(key, order), np.take(steps, order)
    return key, steps


def _sums(key: Any, steps: Any, intervals: Intervals) -> IntervalSums:
    """Sum sorted samples; power has 50,000 steps: 2**63 holds 3.6e9 squares an interval."""
    borders = np.asarray(np.arange(len(intervals.nodes) + 1) * intervals.window.seconds, like=key)
    edge = host(np.searchsorted(key, borders))  # first sample of each node
    here = np.flatnonzero(np.diff(edge))
    first_key = host(np.take(key, np.asarray(edge[here], like=key)))
    last_key = host(np.take(key, np.asarray(edge[here + 1] - 1, like=key)))
    touched = ranges(
        np.searchsorted(intervals.key, first_key, side="right") - 1,
        np.searchsorted(intervals.key, last_key, side="right"),
    )
    begin = host(np.searchsorted(key, np.asarray(intervals.key[touched], like=key)))
    n = np.diff(begin, append=len(key))
    filled = n > 0
    begin, n = begin[filled], n[filled]
    total = _between(np.cumsum(steps, dtype="int64"), begin, n)
    squares = _between(np.cumsum(np.square(steps, dtype="int64")), begin, n)
    return IntervalSums(touched[filled], n, total, squares)


def _between(running: Any, begin: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Sum neighbouring pieces that tile an array, from its running sum."""
    return np.diff(host(np.take(running, np.asarray(begin + n - 1, like=running))), prepend=0)


def ranges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Join the ranges ``low[i] .. high[i] - 1``.

    Examples
    --------
    >>> ranges(np.array([3, 10]), np.array([5, 11])).tolist()
    [3, 4, 10]
    """
    length = high - low
    return np.repeat(low - (np.cumsum(length) - length), length) + np.arange(length.sum())
