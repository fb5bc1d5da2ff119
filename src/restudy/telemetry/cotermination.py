"""Do jobs that share a busy node end in the same state? Fig. 10 of arXiv 2409.08949.

A row is a job on a node at a sample, with other jobs beside it and with high power. X is 1 for the
state in which the job ends, Y is the number of other jobs there that end in each state, and the
figure shows Pearson's correlation of X and Y over the rows.

One long stay of two jobs side by side gives thousands of equal rows, so the number of rows says
nothing of how sure a correlation is. `state_moments.per_job` and `per_episode` count a job or a
stay once, and the intervals here draw whole nodes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from restudy.telemetry.intervals import IntervalSums
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.residency import Residency
from restudy.telemetry.state_moments import Moments
from restudy.traces.bootstrap import block_weights, percentile_interval


def sample_threshold(residency: Residency, sums: IntervalSums) -> np.ndarray:
    """Mean plus one standard deviation (of n - 1) of each node over its samples.

    Parameters
    ----------
    residency : Residency
        Who was where.
    sums : IntervalSums
        Power of all samples.

    Returns
    -------
    numpy.ndarray of float64, shape (nodes,)
        In steps of the metric's resolution, for `intervals.accumulate`; NaN, which no sample is
        above, for a node with fewer than two samples.
    """
    return _threshold(residency, sums, np.ones_like(residency.running))


def job_weighted_threshold(residency: Residency, sums: IntervalSums) -> np.ndarray:
    """Mean plus one standard deviation of each node over its rows of the joined table.

    A sample counts once for each job that runs then, and not at all on an idle node: the paper's
    choice, which makes the threshold that of the crowded times.

    Parameters
    ----------
    residency : Residency
        Who was where.
    sums : IntervalSums
        Power of all samples.

    Returns
    -------
    numpy.ndarray of float64, shape (nodes,)
        As `sample_threshold`.
    """
    return _threshold(residency, sums, residency.running)


def _threshold(residency: Residency, sums: IntervalSums, times: np.ndarray) -> np.ndarray:
    counted = sums.spread(len(times)) * times  # (3, intervals)
    offset = residency.intervals.offset
    found = np.full(len(offset) - 1, np.nan)
    for at, moments in enumerate(np.add.reduceat(counted, offset[:-1], axis=1).T.tolist()):
        n, total, squares = moments  # Python's integers: no overflow
        if n > 1:
            found[at] = total / n + ((n * squares - total * total) / (n * (n - 1))) ** 0.5
    return found


@dataclass(frozen=True)
class Cotermination:
    """Correlation of a job's own state with the states of the jobs beside it.

    Attributes
    ----------
    states : tuple of str
        The S states.
    correlation : numpy.ndarray of float64, shape (S, S)
        Pearson's; rows: own state, columns: number of others. NaN where a state does not vary.
    interval : numpy.ndarray of float64, shape (S, 2)
        95 % intervals of the diagonal, by drawing nodes with replacement.
    rows, episodes, nodes : int
        Rows (job, node, high sample), intervals of constant jobs, and nodes that they come from.
    """

    states: tuple[str, ...]
    correlation: np.ndarray
    interval: np.ndarray
    rows: int
    episodes: int
    nodes: int

    def table(self) -> pd.DataFrame:
        """Rows: own state; columns: others, and the interval of the diagonal."""
        block = pd.DataFrame(
            self.correlation, index=list(self.states), columns=[f"~ {s}" for s in self.states]
        )
        return block.assign(**{"low": self.interval[:, 0], "high": self.interval[:, 1]})


def correlate(
    moments: Moments, nodes: np.ndarray, *, replicates: int, rng: np.random.Generator
) -> Cotermination:
    """Correlate the rows of a class of nodes.

    Parameters
    ----------
    moments : Moments
        From `per_sample`, `per_job` or `per_episode`.
    nodes : numpy.ndarray of bool, shape (nodes,)
        Nodes of the class.
    replicates : int
        Bootstrap replicates; a node is drawn with all its rows.
    rng : numpy.random.Generator
        Source of the bootstrap.

    Returns
    -------
    Cotermination
        Undefined correlations, and intervals of which fewer than half of the replicates are
        defined, are NaN.

    Raises
    ------
    TelemetryError
        If the nodes have no row.
    """
    used = np.flatnonzero(nodes & (moments.rows > 0))
    if not len(used):
        raise TelemetryError(
            f"none of the {int(np.sum(nodes))} nodes has a sample of high power with two jobs or "
            "more; co-termination needs shared nodes."
        )
    weights = block_weights(len(used), replicates, block=1, rng=rng)
    drawn = np.diagonal(_pearson(moments, used, weights), axis1=1, axis2=2)
    interval = np.full((len(moments.states), 2), np.nan)
    for state, column in enumerate(drawn.T):
        if np.isfinite(column).mean() >= 0.5:
            interval[state] = percentile_interval(column)
    return Cotermination(
        states=moments.states,
        correlation=_pearson(moments, used, np.ones((1, len(used))))[0],
        interval=interval,
        rows=int(moments.rows[used].sum()),
        episodes=int(moments.episodes[used].sum()),
        nodes=len(used),
    )


def _pearson(moments: Moments, used: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Correlate, (replicates, S, S), with nodes counted `weights` times, (replicates, nodes)."""
    n, x, y, yy, xy = (
        np.tensordot(weights, part[used].astype("float64"), axes=1)
        for part in (moments.n, moments.x, moments.y, moments.yy, moments.xy)
    )
    n = n[:, None]
    var_x, var_y = n * x - x**2, n * yy - y**2
    # Rounding leaves some 1e-16 of the terms of a variance that is zero.
    var_x[var_x <= 1e-12 * n * x] = np.nan
    var_y[var_y <= 1e-12 * n * yy] = np.nan
    covariance = n[:, :, None] * xy - x[:, :, None] * y[:, None, :]
    return covariance / np.sqrt(var_x)[:, :, None] / np.sqrt(var_y)[:, None, :]
