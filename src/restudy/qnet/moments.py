"""Count, mean and spread of samples, in a form that merges block by block."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from restudy.qnet.errors import QnetError


@dataclass(frozen=True)
class Moments:
    """What is kept of samples.

    Attributes
    ----------
    count : int
        Number of samples.
    mean : float
        Their mean; NaN without samples.
    m2 : float
        Sum of their squared differences from the mean.
    histogram : tuple of int
        Samples below the first edge, in each bin, and from the last edge on; empty without edges.
    """

    count: int
    mean: float
    m2: float
    histogram: tuple[int, ...] = ()

    @property
    def variance(self) -> float:
        """Unbiased variance; NaN with fewer than two samples."""
        return self.m2 / (self.count - 1) if self.count > 1 else math.nan

    @property
    def standard_error(self) -> float:
        """Standard error of the mean; NaN with fewer than two samples."""
        return math.sqrt(self.variance / self.count) if self.count > 1 else math.nan


def moments(samples: np.ndarray, *, edges: Sequence[float] = ()) -> Moments:
    """Moments of samples, and their histogram.

    Parameters
    ----------
    samples : numpy.ndarray, shape (samples,)
        Finite numbers.
    edges : sequence of float
        Increasing edges of bins; a bin has its lower edge and not its upper one.

    Returns
    -------
    Moments
        Of all samples.

    Raises
    ------
    QnetError
        If samples have more than one dimension, or one is not finite, or edges do not increase.

    Examples
    --------
    >>> found = moments(np.array([1.0, 2.0, 3.0, 6.0]), edges=[2, 4])
    >>> found.mean, found.variance, found.histogram
    (3.0, 4.666666666666667, (1, 2, 1))
    """
    x = np.ascontiguousarray(samples, dtype="float64")
    if np.ndim(samples) != 1:
        raise QnetError(f"samples have the shape {np.shape(samples)}; give one dimension.")
    if not np.isfinite(x).all():
        at = int(np.flatnonzero(~np.isfinite(x))[0])
        raise QnetError(f"sample {at} is {x[at]}; give finite numbers.")
    bounds = np.asarray(edges, dtype="float64")
    if not (np.diff(bounds) > 0).all():
        raise QnetError(f"edges are {list(edges)}; give numbers that increase.")
    histogram: tuple[int, ...] = ()
    if len(bounds):
        bins = np.searchsorted(bounds, x, side="right")
        histogram = tuple(np.bincount(bins, minlength=len(bounds) + 1).tolist())
    if not len(x):
        return Moments(0, math.nan, 0.0, histogram)
    mean = float(x.mean())
    return Moments(len(x), mean, float(((x - mean) ** 2).sum()), histogram)


def merged(parts: Sequence[Moments]) -> Moments:
    r"""Moments of all samples together, from those of blocks, merged from the first to the last.

    .. math:: \mu = \mu_a + \delta \frac{n_b}{n}, \quad
              M_2 = M_{2a} + M_{2b} + \delta^2 \frac{n_a n_b}{n}, \quad \delta = \mu_b - \mu_a

    Counts and histograms are exact; the other two have the rounding of this order, so that the
    same blocks in the same order give the same bits.

    Parameters
    ----------
    parts : sequence of Moments
        At least one.

    Returns
    -------
    Moments
        Of all samples.

    Raises
    ------
    QnetError
        If there are no parts, or histograms have different bins.

    References
    ----------
    Chan, Golub, LeVeque, doi:10.1007/978-3-642-51461-6_3.

    Examples
    --------
    >>> merged([moments(np.array([1.0, 2.0])), moments(np.array([3.0, 6.0]))])
    Moments(count=4, mean=3.0, m2=14.0, histogram=())
    """
    if not parts:
        raise QnetError("no moments were given to merge; give those of at least one block.")
    return functools.reduce(_merged, parts)


def _merged(a: Moments, b: Moments) -> Moments:
    if len(a.histogram) != len(b.histogram):
        raise QnetError(
            f"histograms have {len(a.histogram)} and {len(b.histogram)} bins; use the same edges."
        )
    bins = tuple(i + j for i, j in zip(a.histogram, b.histogram, strict=True))
    if a.count == 0 or b.count == 0:
        kept = b if a.count == 0 else a
        return Moments(kept.count, kept.mean, kept.m2, bins)
    n, delta = a.count + b.count, b.mean - a.mean
    mean = a.mean + delta * (b.count / n)
    return Moments(n, mean, a.m2 + b.m2 + delta * delta * (a.count * b.count / n), bins)
