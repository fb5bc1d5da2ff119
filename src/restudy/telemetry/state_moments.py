r"""Moments of the rows of Fig. 10 of arXiv 2409.08949, without the rows.

A row is a job on a node at a sample of high power, with other jobs beside it. X is 1 for the state
in which the job ends, Y is the number of other jobs there that end in each state.

With the numbers :math:`c_s` of jobs of state s in an interval of constant jobs, C of all jobs and m
of high samples there, the rows are m copies of :math:`c_s` rows with own state s and others
:math:`c - e_s`. So the moments of all rows follow from the intervals:

.. math:: \sum X_s Y_t = \sum m\, c_s (c_t - \delta_{st}),

.. math::

    \begin{aligned}
    \sum Y_t^2 = \sum m\, \big[ & (C - c_t)\, c_t^2 \\
    & {} + c_t (c_t - 1)^2 \big].
    \end{aligned}
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from restudy.telemetry.intervals import IntervalSums
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.residency import Residency

# The states of Fig. 10.
PAPER_STATES = ("OUT_OF_MEMORY", "TIMEOUT", "FAILED", "CANCELLED", "NODE_FAIL", "COMPLETED")


@dataclass(frozen=True)
class Moments:
    """Sums over the rows of each node, each row with a weight.

    Attributes
    ----------
    states : tuple of str
        The S states told apart.
    n : numpy.ndarray, shape (nodes,)
        Sum of the weights.
    x, y, yy : numpy.ndarray, shape (nodes, S)
        Sums of X, Y and Y squared; X squared is X.
    xy : numpy.ndarray, shape (nodes, S, S)
        Sums of X times Y.
    rows : numpy.ndarray of int64, shape (nodes,)
        Rows: jobs times high samples.
    episodes : numpy.ndarray of int64, shape (nodes,)
        Intervals of constant jobs that have a row.
    """

    states: tuple[str, ...]
    n: np.ndarray
    x: np.ndarray
    y: np.ndarray
    yy: np.ndarray
    xy: np.ndarray
    rows: np.ndarray
    episodes: np.ndarray


def per_sample(
    residency: Residency,
    jobs: pd.DataFrame,
    high: IntervalSums,
    states: tuple[str, ...] = PAPER_STATES,
) -> Moments:
    """Count every job at every high sample, as the paper does.

    Two jobs that share a node for a day count some thousand times.

    Parameters
    ----------
    residency : Residency
        Who was where.
    jobs : pandas.DataFrame
        The job table, for the states.
    high : IntervalSums
        Samples of high power.
    states : tuple of str
        States to tell apart; jobs in others are other jobs without a state.

    Returns
    -------
    Moments
        Exact whole numbers.

    Raises
    ------
    TelemetryError
        If the residency is not of this job table.
    """
    m = _high(residency, high)
    return _moments(residency, _counts(residency, jobs, states), m, m, states)


def per_episode(
    residency: Residency,
    jobs: pd.DataFrame,
    high: IntervalSums,
    states: tuple[str, ...] = PAPER_STATES,
) -> Moments:
    """Count every job once in each interval of constant jobs that has a high sample.

    Parameters
    ----------
    residency, jobs, high, states
        As for `per_sample`.

    Returns
    -------
    Moments
        Exact whole numbers.
    """
    m = _high(residency, high)
    return _moments(residency, _counts(residency, jobs, states), m, np.minimum(m, 1), states)


def per_job(
    residency: Residency,
    jobs: pd.DataFrame,
    high: IntervalSums,
    states: tuple[str, ...] = PAPER_STATES,
) -> Moments:
    """Give every job that has a row the weight 1, spread evenly over its rows on all its nodes.

    Parameters
    ----------
    residency, jobs, high, states
        As for `per_sample`.

    Returns
    -------
    Moments
        Sums of fractions.
    """
    m = _high(residency, high)
    c = _counts(residency, jobs, states)
    own = _own(residency, jobs, states)  # (pairs, S)
    rows, y, yy = (residency.summed(one) for one in (m, m[:, None] * c, m[:, None] * c**2))
    y, yy = y - own * rows[:, None], yy - 2 * own * y + own * rows[:, None]
    of_job = np.bincount(residency.job, weights=rows, minlength=len(residency.seconds))
    weight = 1.0 / np.maximum(of_job[residency.job], 1.0)

    def by_node(amount: np.ndarray) -> np.ndarray:
        """Weighted sum of (pairs, ...) over the pairs of each node."""
        flat = (amount * weight.reshape(-1, *[1] * (amount.ndim - 1))).reshape(len(weight), -1)
        nodes = len(residency.intervals.nodes)
        columns = [np.bincount(residency.node, column, nodes) for column in flat.T]
        return np.stack(columns, axis=1).reshape(nodes, *amount.shape[1:])

    x = own * rows[:, None]
    xy = own[:, :, None] * y[:, None, :]
    return replace(
        _moments(residency, c, m, m, states),  # for its rows and episodes
        n=by_node(rows),
        x=by_node(x),
        y=by_node(y),
        yy=by_node(yy),
        xy=by_node(xy),
    )


def _own(residency: Residency, jobs: pd.DataFrame, states: tuple[str, ...]) -> np.ndarray:
    """One-hot state of the job of each pair, int64, (pairs, S)."""
    if len(jobs) != len(residency.seconds):
        raise TelemetryError(
            f"the job table has {len(jobs)} rows and the residency {len(residency.seconds)}; give "
            "the job table that it was made from."
        )
    state = pd.Index(states).get_indexer(pd.Index(jobs["state"].astype("object")))
    return np.asarray(state[residency.job][:, None] == np.arange(len(states)), dtype="int64")


def _counts(residency: Residency, jobs: pd.DataFrame, states: tuple[str, ...]) -> np.ndarray:
    """Jobs of each state in each interval, int64, (intervals, S)."""
    own = _own(residency, jobs, states).astype("float64")
    return np.stack([residency.load(column) for column in own.T], axis=1).astype("int64")


def _high(residency: Residency, high: IntervalSums) -> np.ndarray:
    """High samples of the intervals with two jobs or more, int64, (intervals,)."""
    n = high.spread(len(residency.running))[0]
    return np.where(residency.running >= 2, n, 0)


def _moments(
    residency: Residency,
    c: np.ndarray,
    m: np.ndarray,
    times: np.ndarray,
    states: tuple[str, ...],
) -> Moments:
    """Sum rows, those of an interval `times`; int64 holds 1,000**3 jobs 9e9 times."""
    offset = residency.intervals.offset[:-1]
    C, k = residency.running, np.flatnonzero(m)
    C, c, t = C[k, None], c[k], times[k, None]
    diagonal = np.eye(len(states), dtype="int64")

    def by_node(amount: np.ndarray) -> np.ndarray:
        """Sum of (busy intervals, ...) over those of each node."""
        full = np.zeros((len(m) + 1, *amount.shape[1:]), "int64")
        full[k + 1] = amount
        np.cumsum(full, axis=0, out=full)
        return np.diff(full[np.append(offset, len(m))], axis=0)

    xy = [by_node(t * c[:, s, None] * (c - diagonal[s])) for s in range(len(states))]
    return Moments(
        states=states,
        n=by_node((t * C)[:, 0]),
        x=by_node(t * c),
        y=by_node(t * c * (C - 1)),
        yy=by_node(t * ((C - c) * c**2 + c * (c - 1) ** 2)),
        xy=np.stack(xy, axis=1),
        rows=by_node(m[k] * C[:, 0]),
        episodes=by_node(np.ones(len(k), "int64")),
    )
