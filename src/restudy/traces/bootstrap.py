"""Drawing days with replacement, in blocks of consecutive days.

Jobs are not independent: one user submits a thousand copies of one job in a minute, and all fail.
An interval that takes each job for a new observation is far too narrow. Here days are drawn, in
blocks, and each day brings all its jobs with it: the moving-block bootstrap of Kuensch, on a
circle so that the first and the last days are drawn as often as the others.

References
----------
H. R. Kuensch, Annals of Statistics 17, 1217 (1989), doi:10.1214/aos/1176347265.
D. N. Politis and J. P. Romano, A circular block-resampling procedure, in Exploring the Limits of
Bootstrap (1992).
"""

from collections.abc import Iterator

import numpy as np

_BATCH = 1000  # replicates at a time; bounds the memory at some 20 MB for 1,300 bins


def block_weights(
    days: int, replicates: int, *, block: int, rng: np.random.Generator
) -> np.ndarray:
    """How often each day is drawn in each replicate of the circular block bootstrap.

    Parameters
    ----------
    days : int
        Number of days.
    replicates : int
        Number of replicates.
    block : int
        Consecutive days drawn together; 1 draws single days, 7 keeps the week.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    numpy.ndarray of float64, shape (replicates, days)
        Each row sums to `days`; the last block of a replicate is cut to fit.
    """
    if not 1 <= block <= days:
        raise ValueError(f"a block of {block} days and should be 1 to {days} days")
    blocks = -(-days // block)
    starts = rng.integers(days, size=(replicates, blocks))
    drawn = ((starts[..., None] + np.arange(block)) % days).reshape(replicates, -1)[:, :days]
    rows = np.arange(replicates)[:, None] * days
    flat = np.bincount((rows + drawn).ravel(), minlength=replicates * days)
    return flat.reshape(replicates, days).astype("float64")


def draw_days(histogram: np.ndarray, weights: np.ndarray) -> Iterator[np.ndarray]:
    """Histograms of the replicates that draw days.

    Parameters
    ----------
    histogram : numpy.ndarray, shape (classes, days, bins)
        Jobs of each day.
    weights : numpy.ndarray, shape (replicates, days)
        From `block_weights`; all classes get the same days.

    Yields
    ------
    numpy.ndarray of float64, shape (classes, batch, bins)
        One matrix product for a thousand replicates.
    """
    days = histogram.astype("float64")
    for at in range(0, len(weights), _BATCH):
        yield weights[at : at + _BATCH] @ days


def draw_jobs(
    histogram: np.ndarray, replicates: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Histograms of the replicates that draw single jobs, as if these were independent.

    Parameters
    ----------
    histogram : numpy.ndarray of int64, shape (classes, days, bins)
        Jobs of each day; only their sum over the days is used.
    replicates : int
        Number of replicates.
    rng : numpy.random.Generator
        Source of the draws.

    Yields
    ------
    numpy.ndarray of float64, shape (classes, batch, bins)
        Drawing n jobs with replacement is one multinomial draw of n over the bins.
    """
    total = histogram.sum(axis=1)
    share = total / total.sum(axis=-1, keepdims=True)
    for at in range(0, replicates, _BATCH):
        size = min(_BATCH, replicates - at)
        drawn = [rng.multinomial(n, p, size) for n, p in zip(total.sum(-1), share, strict=True)]
        yield np.stack(drawn).astype("float64")


def percentile_interval(replicates: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of finite or infinite replicates; NaN replicates are left out.

    Examples
    --------
    >>> percentile_interval(np.arange(1.0, 101.0), level=0.9)
    (5.0, 95.0)
    """
    known = replicates[~np.isnan(replicates)]
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)


def two_sided_p(replicates: np.ndarray, null: float) -> float:
    """Two-sided bootstrap p-value: twice the smaller tail beyond `null`, never 0.

    Examples
    --------
    >>> two_sided_p(np.full(999, 2.0), 0.0)
    0.002
    """
    known = replicates[~np.isnan(replicates)]
    tail = min((known <= null).sum(), (known >= null).sum())
    return float(min(1.0, 2 * (1 + tail) / (1 + len(known))))


def variance_ratio(days: np.ndarray, jobs: np.ndarray) -> float:
    """Variance of the first replicates over that of the second; NaN if the second never varies."""
    below = float(np.var(jobs[np.isfinite(jobs)]))
    return float(np.var(days[np.isfinite(days)])) / below if below > 0 else float("nan")
