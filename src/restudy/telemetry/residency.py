"""Which jobs were on which node, and when.

A job is on a node from its first to its last second, both included, as in the paper's join
(arXiv 2409.08949, Fig. 2). So a job that ends at 12:00:00 and one that begins then share a second.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from restudy.telemetry.intervals import Intervals, ranges
from restudy.telemetry.windows import EVER, Border, Window, wholly_inside
from restudy.traces import nodelist
from restudy.traces.jobs import seconds_between, unassigned, validate


@dataclass(frozen=True)
class Residency:
    """Jobs on nodes, as pairs of a job and a node.

    Attributes
    ----------
    intervals : Intervals
        Maximal intervals of time in which the jobs of a node stay the same.
    running : numpy.ndarray of int64, shape (intervals,)
        Number of jobs in each.
    job : numpy.ndarray of int64, shape (pairs,)
        Row of the pair's job in the job table.
    node : numpy.ndarray of int64, shape (pairs,)
        Place of its node in ``intervals.nodes``.
    first, stop : numpy.ndarray of int64, shape (pairs,)
        First interval of the pair, and the one after its last.
    cores : numpy.ndarray of float64, shape (pairs,)
        Cores of the job on that node: its cores over its nodes; NaN where unknown.
    seconds : numpy.ndarray of float64, shape (jobs,)
        Run time within the window; NaN for a job that does not count.
    quality : mapping of str to int
        How many jobs or nodes have which peculiarity.
    """

    intervals: Intervals
    running: np.ndarray
    job: np.ndarray
    node: np.ndarray
    first: np.ndarray
    stop: np.ndarray
    cores: np.ndarray
    seconds: np.ndarray
    quality: Mapping[str, int]

    def load(self, weight: np.ndarray) -> np.ndarray:
        """Sum a weight of the pairs (pairs,) over those in each interval, (intervals,).

        Exact for whole multiples of 2**-30 below 2**23.
        """
        size = len(self.running) + 1
        begun = np.bincount(self.first, weights=weight, minlength=size)
        return np.cumsum(begun - np.bincount(self.stop, weights=weight, minlength=size))[:-1]

    def summed(self, amount: np.ndarray) -> np.ndarray:
        """Sum an amount of the intervals (intervals, ...) over those of each pair, (pairs, ...).

        Exact for whole numbers. The running sum of others begins anew at each node, to stay small.
        """
        running = np.empty_like(amount)
        offset = self.intervals.offset
        for begin, end in pairwise(offset):
            np.cumsum(amount[begin:end], axis=0, out=running[begin:end])
        return running[self.stop - 1] - running[self.first] + amount[self.first]

    def table(self) -> pd.DataFrame:
        """Give the peculiarities of jobs and nodes, one a row."""
        return pd.DataFrame({"number": pd.Series(self.quality, dtype="int64")})


def residency(
    jobs: pd.DataFrame,
    nodes: Sequence[str],
    *,
    window: Window = EVER,
    border: Border = wholly_inside,
) -> Residency:
    """Find out which jobs were on which node, and when.

    Parameters
    ----------
    jobs : pandas.DataFrame
        A job table (`restudy.traces.jobs.COLUMNS`), in any order, on the clock of the telemetry.
    nodes : sequence of str
        The nodes that have telemetry.
    window : Window
        Time to look at.
    border : callable
        What becomes of jobs that cross its border: `windows.wholly_inside` or `windows.clipped`.

    Returns
    -------
    Residency
        Pairs of jobs and nodes, and the intervals between their events.

    Raises
    ------
    restudy.traces.jobs.TraceError
        If it is not a job table.
    restudy.traces.nodelist.NodeListError
        If a list of nodes is malformed.

    Notes
    -----
    A run time that is negative by less than an hour is mended by an hour
    (`restudy.traces.jobs.times`). A row that repeats both id and start of another is left out; one
    that repeats the id only is a job that Slurm ran again, and counts. Two jobs, three intervals:
    the number of jobs in each is a sum of differences +1 and -1 at the events. O(jobs log jobs);
    195,000 jobs take 0.4 s.

    Examples
    --------
    >>> from restudy.traces.jobs import COLUMNS
    >>> rows = {"job_id": ["1", "2"], "start": [10, 20], "end": [29, 39], "node_list": "n1"}
    >>> jobs = pd.DataFrame(dict.fromkeys(COLUMNS) | rows).astype(COLUMNS)
    >>> found = residency(jobs, ["n1"], window=Window(0, 99))
    >>> found.intervals.begin.tolist(), found.running.tolist()
    ([0, 10, 20, 30, 40], [0, 1, 2, 1, 0])
    """
    validate(jobs)
    quality: Counter[str] = Counter(jobs=len(jobs))
    first, last, keep = _within(jobs, window, border, quality)
    pairs = _pairs(jobs, keep, tuple(nodes), quality)
    job, node = pairs["job"].to_numpy(), pairs["node"].to_numpy()
    base = node * window.seconds - window.first
    begins, ends = base + first[job], base + last[job] + 1
    # The end of the last interval of a node is the begin of the next one's first.
    every = np.arange(len(nodes)) * window.seconds
    border_keys = np.concatenate([every, begins, ends])
    key = np.sort(border_keys[border_keys < len(nodes) * window.seconds])
    key = key[np.diff(key, prepend=-1) > 0]  # np.unique would hash them, far slower
    begun, ended = np.searchsorted(key, begins), np.searchsorted(key, ends)
    change = np.bincount(begun, minlength=len(key) + 1) - np.bincount(ended, minlength=len(key) + 1)
    seconds = np.full(len(jobs), np.nan)
    seconds[job] = last[job] - first[job]
    return Residency(
        intervals=Intervals(tuple(nodes), window, key),
        running=np.cumsum(change)[:-1],
        job=job,
        node=node,
        first=begun,
        stop=ended,
        cores=pairs["cores"].to_numpy(),
        seconds=seconds,
        quality=dict(quality),
    )


def _within(
    jobs: pd.DataFrame, window: Window, border: Border, quality: Counter[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last second of each job in the window, and whether it counts."""
    start = jobs["start"].to_numpy("datetime64[s]").view("int64")
    run = seconds_between(jobs["start"], jobs["end"])
    end = jobs["end"].to_numpy("datetime64[s]").view("int64")
    unknown = jobs["start"].isna().to_numpy() | jobs["end"].isna().to_numpy()
    again = jobs["job_id"].notna().to_numpy() & jobs.duplicated(["job_id", "start"]).to_numpy()
    nowhere = unassigned(jobs) | jobs["node_list"].isna().to_numpy()
    timed = run >= 0
    keep = timed & ~again & ~nowhere
    start, end, run = (np.where(timed, column, 0) for column in (start, end, run))
    first, last, inside = border(start, start + run, window)
    quality["start or end unknown"] = int(unknown.sum())
    quality["run time negative"] = int((~unknown & ~timed).sum())
    quality["run time mended by an hour"] = int((keep & (end < start)).sum())
    quality["run time zero"] = int((keep & (run == 0)).sum())
    quality["job repeated"] = int(again.sum())
    quality["without a node"] = int(nowhere.sum())
    quality["begun before the window"] = int((keep & (start < window.first)).sum())
    quality["ended after the window"] = int((keep & (start + run > window.last)).sum())
    quality["left out at the border of the window"] = int((keep & ~inside).sum())
    return first, last, keep & inside


def _pairs(
    jobs: pd.DataFrame, keep: np.ndarray, nodes: tuple[str, ...], quality: Counter[str]
) -> pd.DataFrame:
    """Pairs of a kept job and a node with telemetry; each distinct list is expanded once."""
    row = np.flatnonzero(keep)
    which, lists = pd.factorize(jobs["node_list"].iloc[row])
    names = [tuple(dict.fromkeys(nodelist.expand(str(text)))) for text in lists]
    flat = [name for some in names for name in some]
    place = pd.Index(nodes, dtype=object).get_indexer(pd.Index(flat, dtype=object))
    length = np.array([len(some) for some in names], "int64")
    begin = np.cumsum(length) - length
    of_job = length[which]
    job = np.repeat(row, of_job)
    node = place[ranges(begin[which], begin[which] + of_job)]
    cores = jobs["cores"].to_numpy("float64", na_value=np.nan)[row] / np.maximum(of_job, 1)
    known = node >= 0
    with_telemetry = np.bincount(job[known], minlength=len(jobs))[row]
    quality["no node with telemetry"] = int((with_telemetry == 0).sum())
    quality["some nodes without telemetry"] = int(
        ((with_telemetry > 0) & (with_telemetry < of_job)).sum()
    )
    quality["nodes of jobs without telemetry"] = len(set(flat) - set(nodes))
    quality["nodes with telemetry without jobs"] = len(set(nodes) - set(flat))
    pairs = pd.DataFrame({"job": job, "node": node, "cores": np.repeat(cores, of_job)})
    return pairs[known]
