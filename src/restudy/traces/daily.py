"""Jobs of every day as one small histogram: what the bootstrap over days draws from."""

from dataclasses import dataclass

import dask.dataframe as dd
import numpy as np
import pandas as pd

from restudy.traces.arrivals import Clock, clock_column, seconds_since_epoch
from restudy.traces.counting import GROUPS, count, groups, select
from restudy.traces.jobs import TraceError, seconds_between

MIN_DAYS = 14
MAX_DAYS = 5000  # 0.2 GB of histograms; a longer span is a wrong date more often than a trace
_DAY = 86_400


def time_bins(resolution: float = 0.01, largest: float = 1e7) -> np.ndarray:
    """Lower edges of the bins for times in whole seconds.

    Every second has its own bin until bins of one percent are wider than a second.

    Parameters
    ----------
    resolution : float
        Ratio of neighbouring edges minus one.
    largest : float
        Largest time, s.

    Returns
    -------
    numpy.ndarray of int64, shape (bins,)
        Ascending, from 0; the last bin is open.

    Examples
    --------
    >>> edges = time_bins()
    >>> edges[:4].tolist(), edges[100].item(), len(edges) < 1300
    ([0, 1, 2, 3], 100, True)
    """
    start = int(np.ceil(1 / resolution))
    steps = int(np.ceil(np.log(largest / start) / np.log1p(resolution)))
    geometric = np.ceil(start * (1 + resolution) ** np.arange(steps + 1)).astype("int64")
    return np.unique(np.concatenate((np.arange(start), geometric)))


@dataclass(frozen=True)
class Days:
    """Jobs of every day, small enough to be drawn thousands of times.

    Attributes
    ----------
    clock : str
        Column that tells a job's day.
    day : numpy.ndarray of datetime64[D], shape (days,)
        Every day from the first to the last, also those without a job.
    jobs, failed : numpy.ndarray of int64, shape (2, days)
        Jobs with a known state and those in state FAILED; row 0 generic, row 1 ML.
    lower, upper : numpy.ndarray of int64, shape (bins,)
        First and last second of the bins of time.
    run, wait : numpy.ndarray of int64, shape (2, days, bins)
        Jobs by run and by wait time.
    """

    clock: Clock
    day: np.ndarray
    jobs: np.ndarray
    failed: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    run: np.ndarray
    wait: np.ndarray


def summarise_days(jobs: dd.DataFrame, clock: Clock | None = None) -> Days:
    """Reduce a job table to one small histogram a day, in one pass.

    Parameters
    ----------
    jobs : dask.dataframe.DataFrame
        A job table.
    clock : str, optional
        ``submit`` or ``start``; by default `restudy.traces.arrivals.clock_column`.

    Returns
    -------
    Days
        One row a day from the first to the last of the trace.

    Raises
    ------
    TraceError
        If the trace has no job, lacks one of the classes, or spans too few or too many days.
    """
    column = clock_column(jobs) if clock is None else clock
    edges = time_bins()
    size = len(edges)

    def keys(frame: pd.DataFrame) -> np.ndarray:
        seconds, known = seconds_since_epoch(frame[column])
        base = seconds // _DAY * 3
        group = groups(frame)
        parts = [(base * size * GROUPS + group)[known]]
        for slot, (begin, end) in enumerate((("start", "end"), ("submit", "start")), 1):
            span = seconds_between(frame[begin], frame[end])
            use = known & (span >= 0)
            at = np.searchsorted(edges, span[use], side="right") - 1
            parts.append(((base[use] + slot) * size + at) * GROUPS + group[use])
        return np.concatenate(parts)

    key, n = count(jobs, keys, sorted({column, "submit", "start", "end", "state", "is_ml"}))
    group, at = key % GROUPS, key // GROUPS % size
    slot, day = key // GROUPS // size % 3, key // GROUPS // size // 3
    _check_days(group[slot == 0], day, n[slot == 0])
    first, length = int(day.min()), int(np.ptp(day)) + 1

    def table(use: np.ndarray, width: int) -> np.ndarray:
        flat = (select(group[use], "ml") * length + day[use] - first) * width
        flat = flat + (at[use] if width > 1 else 0)
        sums = np.bincount(flat, weights=n[use], minlength=2 * length * width)
        return sums.astype("int64").reshape(2, length, width)

    known_state = (slot == 0) & (group % 64 > 0)
    return Days(
        clock=column,
        day=np.arange(first, first + length).astype("datetime64[D]"),
        jobs=table(known_state, 1)[..., 0],
        failed=table(known_state & select(group, state="FAILED"), 1)[..., 0],
        lower=edges,
        upper=np.append(edges[1:] - 1, edges[-1]),
        run=table(slot == 1, size),
        wait=table(slot == 2, size),
    )


def _check_days(group: np.ndarray, day: np.ndarray, n: np.ndarray) -> None:
    ml = int(n[select(group, "ml")].sum())
    generic = int(n.sum()) - ml
    if ml == 0 or generic == 0:
        raise TraceError(
            f"the trace has {generic} generic and {ml} ML jobs; a comparison needs both classes."
        )
    length = int(np.ptp(day)) + 1
    if length > MAX_DAYS:
        first, last = np.array([day.min(), day.max()]).astype("datetime64[D]")
        raise TraceError(
            f"the trace spans {length} days, from {first} to {last}; at most {MAX_DAYS} are drawn, "
            "so look for a wrong date or cut the trace."
        )
    if length < MIN_DAYS:
        raise TraceError(
            f"the trace spans {length} days; drawing days with replacement needs at least "
            f"{MIN_DAYS}."
        )
