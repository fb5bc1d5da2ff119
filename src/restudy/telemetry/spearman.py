"""Spearman's correlation among the metrics of all samples: Pearson's of the midranks.

A sample counts for a pair of metrics if both are known, and it is ranked among such samples. The
coefficients are functions of exact counts and sums and do not depend on how samples are cut into
parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from restudy.telemetry.correlation import (
    Correlations,
    Periods,
    coefficients,
    correlations,
    cut_periods,
    merged,
    names_of,
    no_sample,
)
from restudy.telemetry.gram import Gram, alike, cross
from restudy.telemetry.levels import Counts, Levels, count
from restudy.telemetry.metrics import Metric
from restudy.telemetry.samples import Telemetry, fold


def spearman(
    telemetry: Telemetry,
    metrics: Sequence[Metric],
    periods: Periods,
    nodes: Sequence[str],
    levels: Levels,
) -> Correlations:
    """Correlate all pairs of metrics after Spearman: Pearson's r of the midranks.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    metrics : sequence of Metric
        The M metrics.
    periods : Periods
        `Whole()` or `ByDay()`.
    nodes : sequence of str
        Nodes whose samples count.
    levels : Levels
        Distinct values counted one by one; the result is exact for metrics with no more.

    Returns
    -------
    Correlations
        Spearman's rho of the samples, pair by pair.

    Raises
    ------
    TelemetryError
        If metrics are missing or no sample is left.

    Notes
    -----
    Three passes: which metrics are known together, the counts of the values, the products of the
    ranks. Metrics known in the same samples form a class; a metric is ranked once in each class,
    so that a metric of all nodes has ranks of its own beside those of GPU nodes. At most
    16 bytes x ``levels.most`` x M x classes a period are kept: 24 MB for 90 metrics, one class and
    2**14 levels.
    """
    bound: dict[str, Any] = {"metrics": tuple(metrics), "periods": periods, "nodes": tuple(nodes)}
    names = names_of(metrics)
    together = fold(telemetry, names, partial(_known, **bound), merge=merged)
    if not together:
        raise no_sample(telemetry)
    first, place = alike(np.sum(list(together.values()), axis=0))
    grouped: dict[str, Any] = {**bound, "first": first, "place": place}
    counts = fold(telemetry, names, partial(_counts, levels=levels, **grouped), merge=merged)
    products = fold(telemetry, names, partial(_products, counts=counts, **grouped), merge=merged)
    found = {
        at: (together[at], _spearman(counts[at], products[at], place)) for at in sorted(products)
    }
    return correlations(telemetry, metrics, found)


def _known(frame: pd.DataFrame, **bound: Any) -> dict[int, np.ndarray]:
    cuts = cut_periods(frame, **bound)
    ones = {at: known.astype("int64") for at, (_, known) in cuts.items()}
    return {at: cross(one, one) for at, one in ones.items()}


@dataclass(frozen=True)
class _Table:
    """Counts of each metric among the samples of each class: (M, classes) `Counts`."""

    counts: tuple[tuple[Counts, ...], ...]

    def __add__(self, other: "_Table") -> "_Table":
        rows = zip(self.counts, other.counts, strict=True)
        return _Table(tuple(tuple(a + b for a, b in zip(*row, strict=True)) for row in rows))


def _counts(
    frame: pd.DataFrame, *, levels: Levels, first: np.ndarray, place: np.ndarray, **bound: Any
) -> dict[int, _Table]:
    found = {}
    for at, (X, known) in cut_periods(frame, **bound).items():
        rows = tuple(
            tuple(count(X[known[:, i] & known[:, c], i], levels) for c in first)
            for i in range(len(place))
        )
        found[at] = _Table(rows)
    return found


def _products(
    frame: pd.DataFrame,
    *,
    counts: dict[int, _Table],
    first: np.ndarray,
    place: np.ndarray,
    **bound: Any,
) -> dict[int, np.ndarray]:
    """Sum the products of twice the midranks, (M, M) a period."""
    found = {}
    for at, (X, known) in cut_periods(frame, **bound).items():
        sums = np.full((len(place), len(place)), 0, dtype=object)
        for c in range(len(first)):
            for d in range(c, len(first)):
                both = known[:, first[c]] & known[:, first[d]]
                here, there = np.flatnonzero(place == c), np.flatnonzero(place == d)
                left = _ranks(X[both], here, d, counts[at])
                right = left if c == d else _ranks(X[both], there, c, counts[at])
                product = cross(left, right)
                sums[np.ix_(here, there)] = product
                sums[np.ix_(there, here)] = product.T
        found[at] = sums
    return found


def _ranks(X: Any, which: np.ndarray, among: int, table: _Table) -> Any:
    """Twice the midranks of some columns among the samples of a class, (rows, which)."""
    ranked = []
    for i in which:
        counts = table.counts[i][among]
        rank = np.asarray(counts.twice_midrank(), like=X)
        ranked.append(np.take(rank, counts.code(X[:, i])) if len(rank) else X[:, i])
    return np.stack(ranked, axis=1)


def _spearman(table: _Table, product: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Spearman's rho, (M, M), from the products of twice the midranks."""
    n = np.array([[int(c.n.sum()) for c in row] for row in table.counts], dtype=object)
    square = np.array([[_square_sum(c) for c in row] for row in table.counts], dtype=object)
    n, square = n[:, place], square[:, place]  # (M, classes) -> (M, M)
    return coefficients(Gram(n, n * (n + 1), square, product))


def _square_sum(counts: Counts) -> int:
    """Sum of the squares of twice the midranks as a Python whole number."""
    rank = counts.twice_midrank()
    return int((counts.n.astype(object) * rank.astype(object) ** 2).sum())
