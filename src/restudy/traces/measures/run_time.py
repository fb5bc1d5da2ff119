"""Shares of the run time that short and long jobs hold."""

import numpy as np

from restudy.traces.distributions import Ecdf

SHORT_S = 30  # the paper calls a job short below this


def short_share(run: Ecdf) -> float:
    """Share of the run time that jobs under `SHORT_S` hold.

    Examples
    --------
    Of three jobs of 10, 30 and 60 s the first one has a tenth:

    >>> short_share(Ecdf(np.array([10, 30, 60]), np.array([1, 1, 1])))
    0.1
    """
    seconds = _seconds(run)
    return float(seconds[: np.searchsorted(_distinct(run), SHORT_S)].sum()) / run.total


def longest_share(run: Ecdf, share: float) -> float:
    """Share of the run time that the longest jobs hold.

    Parameters
    ----------
    run : Ecdf
        Run times, s.
    share : float
        Share of the jobs taken, the longest first; rounded to whole jobs.

    Returns
    -------
    float
        Share of the run time, between 0 and 1.

    Examples
    --------
    Of four jobs of 1, 1, 2 and 4 s the longest half holds three quarters:

    >>> longest_share(Ecdf(np.array([1, 2, 4]), np.array([2, 1, 1])), 0.5)
    0.75
    """
    taken = np.minimum(np.cumsum(run.counts[::-1]), round(share * run.n))
    return float(np.diff(taken, prepend=0) @ _distinct(run)[::-1]) / run.total


def _distinct(run: Ecdf) -> np.ndarray:
    return run.values


def _seconds(run: Ecdf) -> np.ndarray:
    """Run time of all jobs of each distinct value."""
    return _distinct(run) * run.counts
