"""Sums over nodes in equal steps of time: what a rack, a class or a cluster draws at a moment.

A rack or a step may be cut over parts, so its sum is kept as whole steps of the resolution until
all parts are added. A result covers only the groups and the times that its part has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from restudy.telemetry.counting import of_node
from restudy.telemetry.metrics import TelemetryError, metric
from restudy.telemetry.samples import Telemetry, codes, fold, host, times, values
from restudy.telemetry.series import Grid, Series

_MOST_CELLS = 2**26  # 1.6 GB of sums, numbers and values


@dataclass(frozen=True)
class Sums:
    """Sums and numbers of samples by group and step of time; added with ``+``.

    Attributes
    ----------
    group : numpy.ndarray of int64, shape (groups,)
        Groups that occur, ascending.
    first : int
        First step covered.
    total, n : numpy.ndarray of int64, shape (groups, width)
        Sum in steps of the resolution, and samples.
    """

    group: np.ndarray
    first: int
    total: np.ndarray
    n: np.ndarray

    def __add__(self, other: "Sums") -> "Sums":
        if not self.n.size or not other.n.size:
            return self if self.n.size else other
        group = np.union1d(self.group, other.group)
        first = min(self.first, other.first)
        width = max(s.first + s.n.shape[1] for s in (self, other)) - first
        joined = Sums(group, first, *np.zeros((2, len(group), width), "int64"))
        for part in (self, other):
            rows = np.searchsorted(group, part.group)
            at = slice(part.first - first, part.first - first + part.n.shape[1])
            joined.total[rows, at] += part.total
            joined.n[rows, at] += part.n
        return joined

    def dense(self, groups: int, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """Give totals and numbers of all groups and steps, int64 (groups, steps)."""
        full = np.zeros((2, groups, grid.steps), "int64")
        if self.n.size:
            at = slice(self.first, self.first + self.n.shape[1])
            full[0, self.group, at], full[1, self.group, at] = self.total, self.n
        return full[0], full[1]


@dataclass(frozen=True)
class Quantity:
    """What is summed.

    Attributes
    ----------
    metrics : tuple of str
        Metrics that it needs.
    of : callable
        Takes the frame of a part and the place of its rows' nodes, and gives the value of each
        row, NaN where unknown; picklable.
    resolution : float
        It is summed in whole multiples of this.
    """

    metrics: tuple[str, ...]
    of: Callable[[pd.DataFrame, Any], Any]
    resolution: float


@dataclass(frozen=True)
class Value:
    """The values of a metric."""

    metric: str

    def __call__(self, frame: pd.DataFrame, place: Any) -> Any:
        """Give the value of each row."""
        return values(frame, self.metric)


def of_metric(name: str) -> Quantity:
    """Make a quantity of a metric."""
    return Quantity((name,), Value(name), metric(name).resolution)


def sums(
    telemetry: Telemetry,
    quantities: Sequence[Quantity],
    grid: Grid,
    *,
    group: np.ndarray,
    groups: Sequence[str],
) -> list[Series]:
    """Sum quantities over groups of nodes in steps of time, all in one pass.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    quantities : sequence of Quantity
        What is summed.
    grid : Grid
        Steps of time; samples outside are left out.
    group : numpy.ndarray of int64, shape (nodes,)
        Group of each of ``telemetry.nodes``; -1 leaves a node out.
    groups : sequence of str
        Names of the groups.

    Returns
    -------
    list of Series
        One a quantity. Three arrays of 8 B a cell while they are made: 20 racks in steps of 15 s
        over seven months take 600 MB, in steps of 60 s 150 MB.

    Raises
    ------
    TelemetryError
        If metrics are missing, no sample is on the grid, or quantities times groups times steps
        exceed 2**26.

    Notes
    -----
    Exact, so no bit depends on the parts. A sum of steps stays below 2**63 for ``2**63 / 2**53`` =
    1,024 samples a cell of the largest value, and for a million samples of 2**43 steps.
    """
    if (cells := len(quantities) * len(groups) * grid.steps) > _MOST_CELLS:
        raise TelemetryError(
            f"{len(groups)} groups times {grid.steps} steps of {grid.step_s} s are {cells} sums; "
            f"at most {_MOST_CELLS} fit in memory: use longer steps or a shorter time."
        )
    measure = partial(
        _measure, quantities=tuple(quantities), grid=grid, nodes=telemetry.nodes, group=group
    )
    names = list(dict.fromkeys(name for one in quantities for name in one.metrics))
    found = fold(telemetry, names, measure, merge=_added)
    return [
        _series(telemetry, quantity, grid, groups, one)
        for quantity, one in zip(quantities, found, strict=True)
    ]


def metric_sums(
    telemetry: Telemetry, name: str, grid: Grid, *, group: np.ndarray, groups: Sequence[str]
) -> Series:
    """Sum a metric over groups of nodes in steps of time, as `sums` does."""
    return sums(telemetry, [of_metric(name)], grid, group=group, groups=groups)[0]


def _series(
    telemetry: Telemetry, quantity: Quantity, grid: Grid, groups: Sequence[str], found: Sums
) -> Series:
    total, n = found.dense(len(groups), grid)
    if not n.any():
        raise TelemetryError(
            f"the telemetry {telemetry.name} has no known value of {', '.join(quantity.metrics)} "
            f"from {grid.times[0]} on for {grid.steps} steps of {grid.step_s} s; choose another "
            "time."
        )
    scaled = np.where(n > 0, total * quantity.resolution, np.nan)
    return Series(tuple(groups), grid, scaled, n)


def _added(left: Sequence[Sums], right: Sequence[Sums]) -> list[Sums]:
    return [a + b for a, b in zip(left, right, strict=True)]


def _measure(
    frame: pd.DataFrame,
    *,
    quantities: tuple[Quantity, ...],
    grid: Grid,
    nodes: tuple[str, ...],
    group: np.ndarray,
) -> list[Sums]:
    place = codes(frame, nodes)
    of = of_node(group, place)
    at = (times(frame) - grid.start) // grid.step_s
    inside = (of >= 0) & (at >= 0) & (at < grid.steps)
    found = []
    for quantity in quantities:
        value = quantity.of(frame, place)
        keep = inside & np.isfinite(value)
        step = np.rint(value[keep].astype("float64") / quantity.resolution).astype("int64")
        found.append(_sum(of[keep], at[keep], step))
    return found


def _sum(of: Any, at: Any, step: Any) -> Sums:
    """Sum whole numbers by group and step of time."""
    if len(of) == 0:
        return Sums(np.empty(0, "int64"), 0, *np.zeros((2, 0, 0), "int64"))
    present, first = np.unique(of), int(at.min())
    width = int(at.max()) - first + 1
    cell = np.searchsorted(present, of) * width + (at - first)
    shape = len(present), width
    # In two limbs: float64 sums of 26 bits are exact to 2**27 rows.
    low, high = (
        host(np.bincount(cell, weights=limb, minlength=shape[0] * width)).astype("int64")
        for limb in (np.bitwise_and(step, 2**26 - 1), np.right_shift(step, 26))
    )
    n = host(np.bincount(cell, minlength=shape[0] * width))
    return Sums(host(present), first, (low + (high << 26)).reshape(shape), n.reshape(shape))


def extent(telemetry: Telemetry, step_s: int) -> Grid:
    """Grid from the first to the last sample, beginning at a whole multiple of `step_s`."""
    first, last = fold(telemetry, (), _first_and_last, merge=_widest)
    if first > last:
        raise TelemetryError(f"the telemetry {telemetry.name} has no samples.")
    start = first // step_s * step_s
    return Grid(start, step_s, (last - start) // step_s + 1)


def _first_and_last(frame: pd.DataFrame) -> tuple[int, int]:
    at = times(frame)
    return (int(at.min()), int(at.max())) if len(at) else (2**62, -(2**62))


def _widest(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return min(a[0], b[0]), max(a[1], b[1])
