"""Pearson's correlation among the metrics of all samples, and what all coefficients share.

Every coefficient is a function of exact sums, so it has the same bits however the samples are cut
into parts and spread over workers. A sample counts for a pair of metrics if both are known.

Sources:

L. Versluis et al., A holistic analysis of datacenter operations, arXiv 2107.11832 (2021): all
pairs of metrics on 50 separate days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import copysign, sqrt
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd

from restudy.telemetry.gram import Gram, columns, gram, steps
from restudy.telemetry.metrics import Metric, TelemetryError
from restudy.telemetry.samples import Telemetry, codes, fold, host, times, values

T = TypeVar("T")
DAY_S = 86_400


class Periods(Protocol):
    """Which samples are taken together."""

    def of(self, time: Any) -> Any:
        """Give the number of each time's period, int64; -1 for a time that is left out."""
        ...


@dataclass(frozen=True)
class Whole:
    """All samples together, as period 0."""

    def of(self, time: Any) -> Any:
        """Give period 0."""
        return np.zeros_like(time)


@dataclass(frozen=True)
class ByDay:
    """Each day of the telemetry's clock by itself, numbered from 1970-01-01.

    Attributes
    ----------
    chosen : frozenset of int
        Days that count; all if empty.
    """

    chosen: frozenset[int] = frozenset()

    def of(self, time: Any) -> Any:
        """Give the number of the day since 1970-01-01."""
        day = time // DAY_S
        if not self.chosen:
            return day
        wanted = np.asarray(sorted(self.chosen), like=day)
        return np.where(np.isin(day, wanted), day, -1)


@dataclass(frozen=True)
class Correlations:
    """Coefficients of all pairs of metrics in each period.

    Attributes
    ----------
    metrics : tuple of str
        Names of the M metrics.
    periods : numpy.ndarray of int64, shape (periods,)
        Numbers of the periods, ascending.
    coefficient : numpy.ndarray of float64, shape (periods, M, M)
        NaN where a metric does not vary or there is no common sample.
    n : numpy.ndarray of int64, shape (periods, M, M)
        Samples in which both are known.
    """

    metrics: tuple[str, ...]
    periods: np.ndarray
    coefficient: np.ndarray
    n: np.ndarray

    def of(self, first: str, second: str) -> np.ndarray:
        """Coefficient of two metrics in each period."""
        return self.coefficient[:, self.metrics.index(first), self.metrics.index(second)]


@dataclass(frozen=True)
class Strong:
    """Pairs of different metrics with a strong correlation.

    Attributes
    ----------
    threshold : float
        Least absolute value.
    pairs : numpy.ndarray of int64, shape (periods,)
        Number of strong pairs in each period.
    always : tuple of (str, str)
        Pairs that are strong in every period.
    """

    threshold: float
    pairs: np.ndarray
    always: tuple[tuple[str, str], ...]


def pearson(
    telemetry: Telemetry, metrics: Sequence[Metric], periods: Periods, nodes: Sequence[str]
) -> Correlations:
    """Correlate all pairs of metrics after Pearson.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    metrics : sequence of Metric
        The M metrics; each is counted in steps of its resolution.
    periods : Periods
        `Whole()` or `ByDay()`.
    nodes : sequence of str
        Nodes whose samples count.

    Returns
    -------
    Correlations
        Pearson's r of the samples, pair by pair.

    Raises
    ------
    TelemetryError
        If metrics are missing or no sample is left.

    Notes
    -----
    One pass. Four whole numbers a pair and period are kept: 1.3 MB a period for 90 metrics.
    """
    measure = partial(_gram, metrics=tuple(metrics), periods=periods, nodes=tuple(nodes))
    sums: dict[int, Gram] = fold(telemetry, names_of(metrics), measure, merge=merged)
    return correlations(telemetry, metrics, {at: (s.n, coefficients(s)) for at, s in sums.items()})


def strong(found: Correlations, threshold: float) -> Strong:
    """Count the pairs of different metrics with a strong correlation.

    Parameters
    ----------
    found : Correlations
        Coefficients in each period.
    threshold : float
        Least absolute value: 0.9 for Spearman and 0.7 for Pearson in arXiv 2107.11832.

    Returns
    -------
    Strong
        How many pairs in each period, and which in all.

    Examples
    --------
    >>> r = np.array([[[1, 0.95], [0.95, 1]], [[1, np.nan], [np.nan, 1]]])
    >>> strong(Correlations(("a", "b"), np.arange(2), r, np.ones_like(r)), 0.9).pairs.tolist()
    [1, 0]
    """
    i, j = np.triu_indices(len(found.metrics), 1)
    over = np.abs(found.coefficient[:, i, j]) >= threshold  # (periods, pairs); NaN is not
    always = np.flatnonzero(over.all(axis=0))
    names = tuple((found.metrics[i[at]], found.metrics[j[at]]) for at in always)
    return Strong(threshold, over.sum(axis=1), names)


def names_of(metrics: Sequence[Metric]) -> list[str]:
    """Names of metrics."""
    return [metric.name for metric in metrics]


def no_sample(telemetry: Telemetry) -> TelemetryError:
    """Say that no sample is left."""
    return TelemetryError(
        f"the telemetry {telemetry.name} has no sample of the chosen nodes and periods; "
        "choose nodes and periods that it covers."
    )


def merged(left: dict[int, T], right: dict[int, T]) -> dict[int, T]:
    """Add what two parts say of each period."""
    joined: dict[int, Any] = dict(left)
    for at, result in right.items():
        joined[at] = joined[at] + result if at in joined else result
    return joined


def cut_periods(
    frame: pd.DataFrame, metrics: Sequence[Metric], periods: Periods, nodes: Sequence[str]
) -> dict[int, tuple[Any, Any]]:
    """Give the steps and what is known of each period, each (rows, M)."""
    period = np.where(codes(frame, nodes) >= 0, periods.of(times(frame)), -1)
    X, known = columns([steps(values(frame, metric.name), metric) for metric in metrics])
    found = {}
    for at in host(np.unique(period)).tolist():
        rows = period == at
        if at >= 0:
            found[at] = X[rows], known[rows]
    return found


def _gram(frame: pd.DataFrame, **bound: Any) -> dict[int, Gram]:
    return {at: gram(X, known) for at, (X, known) in cut_periods(frame, **bound).items()}


def coefficients(s: Gram) -> np.ndarray:
    """Pearson's r, (M, M), correctly rounded but for the last root."""
    covariance = s.n * s.product - s.total * s.total.T
    spread = s.n * s.square - s.total**2  # n**2 times the variance
    r = np.full(covariance.shape, np.nan)
    for i, j in np.ndindex(r.shape):
        if below := spread[i, j] * spread[j, i]:
            c = covariance[i, j]
            r[i, j] = copysign(sqrt(c * c / below), c)
    return r


def correlations(
    telemetry: Telemetry,
    metrics: Sequence[Metric],
    found: dict[int, tuple[np.ndarray, np.ndarray]],
) -> Correlations:
    """Put the samples and coefficients of each period together."""
    if not found:
        raise no_sample(telemetry)
    at = sorted(found)
    return Correlations(
        metrics=tuple(names_of(metrics)),
        periods=np.array(at, "int64"),
        coefficient=np.stack([found[key][1] for key in at]),
        n=np.stack([found[key][0] for key in at]).astype("int64"),
    )
