"""Kendall's tau-b among the metrics of all samples, from tables of their levels.

The samples of a pair of metrics are counted in a table of levels; concordant and discordant pairs
follow from sums over its corners. The cost does not grow with the square of the samples.

Sources:

M. G. Kendall, The treatment of ties in ranking problems, Biometrika 33, 239 (1945),
doi:10.1093/biomet/33.3.239.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from restudy.telemetry.correlation import (
    Correlations,
    Periods,
    cut_periods,
    merged,
    names_of,
    no_sample,
)
from restudy.telemetry.gram import cross
from restudy.telemetry.levels import EXACT, Counts, Levels, count, edges, tied_pairs
from restudy.telemetry.metrics import Metric, TelemetryError
from restudy.telemetry.samples import Telemetry, fold, host

LARGEST_TABLES = 2**30  # bytes that the tables of all pairs and periods may take


@dataclass(frozen=True)
class Kendall:
    """Kendall's tau-b of all pairs of metrics, and what the levels cost.

    Attributes
    ----------
    tau : Correlations
        Coefficients.
    newly_tied : numpy.ndarray of float64, shape (periods, M)
        Share of the pairs of samples of a metric that differ in value and share a level; 0 where
        each value has its own.
    """

    tau: Correlations
    newly_tied: np.ndarray


def tau_b(table: np.ndarray) -> float:
    """Kendall's tau-b of a table of counts.

    Parameters
    ----------
    table : numpy.ndarray of int64, shape (levels, levels)
        Samples with each pair of levels, both ascending.

    Returns
    -------
    float
        (C - D) / sqrt((P - T_x)(P - T_y)) with C concordant, D discordant, P all pairs and T tied
        ones; NaN if a variable does not vary.

    Notes
    -----
    C counts for each cell the samples below and to its left, by cumulative sums: O(levels**2). All
    numbers are whole and exact up to the last division and root.

    Examples
    --------
    >>> tau_b(np.array([[2, 0], [0, 3]])), tau_b(np.array([[0, 2], [3, 0]]))
    (1.0, -1.0)
    """
    pairs = tied_pairs([table.sum()])
    x = pairs - tied_pairs(table.sum(axis=1))
    y = pairs - tied_pairs(table.sum(axis=0))
    if x == 0 or y == 0:
        return float("nan")
    difference = _below(table) - _below(table[:, ::-1])
    return difference / (sqrt(x) * sqrt(y)) if x != y else difference / x


def _below(table: np.ndarray) -> int:
    """Pairs of samples of which one is smaller in both variables."""
    corner = np.zeros_like(table)
    corner[1:, 1:] = table[:-1, :-1].cumsum(axis=0).cumsum(axis=1)
    filled = table.ravel() > 0
    return int(cross(table.ravel()[filled][:, None], corner.ravel()[filled][:, None])[0, 0])


def kendall(
    telemetry: Telemetry,
    metrics: Sequence[Metric],
    periods: Periods,
    nodes: Sequence[str],
    levels: Levels,
) -> Kendall:
    """Correlate all pairs of metrics after Kendall.

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
        Size of the tables. A metric with no more distinct values is exact; one with more is cut
        into levels of about equal count.

    Returns
    -------
    Kendall
        Tau-b of the samples, pair by pair.

    Raises
    ------
    TelemetryError
        If metrics are missing, no sample is left, or the tables need more than 1 GiB.

    Notes
    -----
    Two passes. The tables take 8 bytes x ``levels.most**2`` a pair of metrics and period. With
    levels C - D changes by at most the number of newly tied pairs of the two metrics. As they are
    no longer in the denominator, tau-b grows by about ``1 / levels.most`` of itself.
    """
    names = names_of(metrics)
    bound: dict[str, Any] = {"metrics": tuple(metrics), "periods": periods, "nodes": tuple(nodes)}
    kept = Levels(max(levels.most, Levels().most))
    counts = fold(telemetry, names, partial(_counts, levels=kept, **bound), merge=merged)
    if not counts:
        raise no_sample(telemetry)
    level = {at: [edges(one, levels.most) for one in row.counts] for at, row in counts.items()}
    _require_memory(level, levels)
    cells = partial(_cells, counts=counts, level=level, **bound)
    tables = fold(telemetry, names, cells, merge=merged)
    at = sorted(tables)
    tau = Correlations(
        metrics=tuple(names),
        periods=np.array(at, "int64"),
        coefficient=np.stack([_matrix(tables[key], len(names), tau_b) for key in at]),
        n=np.stack([_matrix(tables[key], len(names), np.sum) for key in at]).astype("int64"),
    )
    tied = [
        [_newly_tied(*pair) for pair in zip(counts[k].counts, level[k], strict=True)] for k in at
    ]
    return Kendall(tau, np.array(tied))


def _require_memory(level: dict[int, list[np.ndarray]], levels: Levels) -> None:
    size = 0
    for row in level.values():
        each = np.array([one.max(initial=0) + 1 for one in row])
        size += 4 * int(each.sum() ** 2 + (each**2).sum())  # 8 bytes a cell, pairs i <= j
    if size > LARGEST_TABLES:
        raise TelemetryError(
            f"the tables of {len(row)} metrics in {len(level)} periods with {levels.most} levels "
            f"need {size / 2**30:.1f} GiB and may take 1 GiB; choose fewer metrics, periods or "
            "levels."
        )


@dataclass(frozen=True)
class _Row:
    """Counts of each metric."""

    counts: tuple[Counts, ...]

    def __add__(self, other: "_Row") -> "_Row":
        return _Row(tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))


def _counts(frame: pd.DataFrame, *, levels: Levels, **bound: Any) -> dict[int, _Row]:
    found = {}
    for at, (X, known) in cut_periods(frame, **bound).items():
        found[at] = _Row(tuple(count(X[known[:, i], i], levels) for i in range(X.shape[1])))
    return found


@dataclass(frozen=True)
class _Tables:
    """A table of counts a pair of metrics i <= j."""

    tables: dict[tuple[int, int], np.ndarray]

    def __add__(self, other: "_Tables") -> "_Tables":
        return _Tables({pair: t + other.tables[pair] for pair, t in self.tables.items()})


def _cells(
    frame: pd.DataFrame,
    *,
    counts: dict[int, _Row],
    level: dict[int, list[np.ndarray]],
    **bound: Any,
) -> dict[int, _Tables]:
    found = {}
    for at, (X, known) in cut_periods(frame, **bound).items():
        size = [int(one.max(initial=0)) + 1 for one in level[at]]
        each = zip(X.T, known.T, counts[at].counts, level[at], strict=True)
        code = [_levels(*column) for column in each]
        pairs = {}
        for i, j in zip(*np.triu_indices(len(size)), strict=True):
            both = known[:, i] & known[:, j]
            cell = code[i][both] * size[j] + code[j][both]
            table = host(np.bincount(cell, minlength=size[i] * size[j]))
            pairs[int(i), int(j)] = table.reshape(size[i], size[j])
        found[at] = _Tables(pairs)
    return found


def _levels(step: Any, known: Any, counts: Counts, level: np.ndarray) -> Any:
    """Level of each number, int64; 0 where it is unknown."""
    place = np.minimum(counts.code(step), max(len(level) - 1, 0))
    return np.take(np.asarray(np.append(level, 0), like=step), place) * known


def _matrix(tables: _Tables, metrics: int, of: Any) -> np.ndarray:
    found = np.empty((metrics, metrics))
    for (i, j), table in tables.tables.items():
        found[i, j] = found[j, i] = of(table)
    return found


def _newly_tied(counts: Counts, level: np.ndarray) -> float:
    """Share of pairs that the levels tie; NaN if the values were not counted one by one."""
    pairs = tied_pairs([counts.n.sum()])
    if counts.bits != EXACT or pairs == 0:
        return float("nan")
    in_level = np.bincount(level, weights=counts.n).astype("int64")
    return (tied_pairs(in_level) - tied_pairs(counts.n)) / pairs
