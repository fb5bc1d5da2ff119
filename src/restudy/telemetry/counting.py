"""Exact counts of whole steps by group: what every distribution of node metrics is made of.

A value is rounded to a whole multiple of a resolution, its step, and the steps are counted. Counts
of parts add up to the counts of the whole whatever the cut, and they take the room of the distinct
steps, never that of the samples.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.samples import host
from restudy.traces.counting import add_counts
from restudy.traces.distributions import Ecdf
from restudy.traces.results import CLASSES

_FARTHEST = 2.0**40  # a step beyond is a broken value; with it keys and sums stay below 2**63
_DENSE = 2**24  # cells that are counted without sorting: 128 MB


@dataclass(frozen=True)
class Counts:
    """How often each step occurs in each group; counts of two parts are added with ``+``.

    Attributes
    ----------
    resolution : float
        Size of a step, in the unit of the values.
    groups : tuple of str
        Names of the groups.
    group, step, n : numpy.ndarray of int64, shape (distinct,)
        Place of the group in `groups`, step, and number of samples; ordered by group and step.
    unknown : numpy.ndarray of int64, shape (groups,)
        Samples whose value is unknown.

    Examples
    --------
    >>> watts = count(np.array([100.0, 100.04, 300.0]), np.array([0, 0, 1]), ("a", "b"), 0.1)
    >>> watts.n.tolist(), watts.mean("a"), watts.std("a"), float(watts.quantile("b", 0.5))
    ([2, 1], 100.0, 0.0, 300.0)
    """

    resolution: float
    groups: tuple[str, ...]
    group: np.ndarray
    step: np.ndarray
    n: np.ndarray
    unknown: np.ndarray

    def __add__(self, other: "Counts") -> "Counts":
        if (self.resolution, self.groups) != (other.resolution, other.groups):
            raise ValueError(
                f"counts of {len(self.groups)} groups in steps of {self.resolution} and of "
                f"{len(other.groups)} in steps of {other.resolution} cannot be added"
            )
        return _gather(
            self,
            np.concatenate([self.group, other.group]),
            np.concatenate([self.step, other.step]),
            np.concatenate([self.n, other.n]),
            self.unknown + other.unknown,
        )

    def known(self, group: str) -> int:
        """Count the samples of a group whose value is known."""
        return int(self.n[self._rows(group)].sum())

    def ecdf(self, group: str) -> Ecdf:
        """Distribution of a group's steps.

        Raises
        ------
        TelemetryError
            If no value of the group is known.
        """
        rows = self._rows(group)
        if rows.start == rows.stop:
            raise TelemetryError(
                f"no sample of the group {group!r} has a known value; leave the group out or use "
                "telemetry that has it."
            )
        return Ecdf(self.step[rows], self.n[rows])

    def quantile(self, group: str, q: ArrayLike) -> np.ndarray:
        """Quantiles of a group, linear between order statistics as in `Ecdf.quantile`."""
        return np.asarray(self._value(self.ecdf(group).quantile(q)))

    def mean(self, group: str) -> float:
        """Mean of a group: the exact sum of its steps, divided once."""
        return float(self._value(self.ecdf(group).mean))

    def std(self, group: str) -> float:
        """Give the standard deviation with n - 1 from exact sums; 0 for a single sample."""
        steps = self.ecdf(group)
        if steps.n == 1:
            return 0.0
        v, c = steps.values.astype("object"), steps.counts.astype("object")
        squares = steps.n * int((v * v * c).sum()) - int((v * c).sum()) ** 2
        return float(self._value((squares / (steps.n * (steps.n - 1))) ** 0.5))

    def max(self, group: str) -> float:
        """Largest value of a group."""
        return float(self._value(self.ecdf(group).max))

    def share_above(self, group: str, x: float) -> float:
        """Share of a group's samples whose step is above `x`."""
        steps = self.ecdf(group)
        return int(steps.counts[steps.values > self._steps(x)].sum()) / steps.n

    def histogram(self, group: str, edges: np.ndarray) -> np.ndarray:
        """Count a group's samples between edges; a bin has its lower edge, the last one both."""
        steps = self.ecdf(group)
        ends = np.concatenate(([0], np.cumsum(steps.counts)))
        below = ends[np.searchsorted(steps.values, self._steps(edges), side="left")]
        below[-1] = ends[np.searchsorted(steps.values, self._steps(edges[-1]), side="right")]
        return np.diff(below)

    def coarser(self, resolution: float) -> "Counts":
        """Round to larger steps, halves to even as NumPy does."""
        step = np.rint(self.step * self.resolution / resolution).astype("int64")
        return _gather(replace(self, resolution=resolution), self.group, step, self.n, self.unknown)

    def clipped(self, q: float) -> "Counts":
        """Set the values of each group above its quantile `q` to the step nearest to it."""
        most = np.zeros(len(self.groups))
        for at in np.unique(self.group):
            most[at] = np.rint(self.ecdf(self.groups[at]).quantile(q))
        step = np.minimum(self.step, most[self.group]).astype("int64")
        return _gather(self, self.group, step, self.n, self.unknown)

    def pooled(self, name: str) -> "Counts":
        """All groups as one."""
        one = replace(self, groups=(name,))
        return _gather(one, np.zeros_like(self.group), self.step, self.n, self.unknown.sum()[None])

    def _rows(self, group: str) -> slice:
        at = self.groups.index(group)
        begin, end = np.searchsorted(self.group, [at, at + 1])
        return slice(int(begin), int(end))

    def _value(self, step: Any) -> Any:
        """Give the value of a step; dividing by 10 keeps the last bit, multiplying by 0.1 not."""
        inverse = round(1 / self.resolution) if self.resolution < 1 else 0
        return step / inverse if inverse * self.resolution == 1 else step * self.resolution

    def _steps(self, x: ArrayLike) -> np.ndarray:
        """Values in steps, free of rounding where they are whole."""
        steps = np.asarray(x, dtype="float64") / self.resolution
        whole = np.rint(steps)
        return np.where(np.abs(steps - whole) < 1e-6, whole, steps)


def count(
    value: Any,
    group: Any,
    groups: Sequence[str],
    resolution: float,
    *,
    weight: Any | None = None,
) -> Counts:
    """Count the steps of values by group.

    Parameters
    ----------
    value : array of float, shape (rows,)
        Values; those that are not finite are unknown.
    group : array of int64, shape (rows,)
        Place of each row's group in `groups`; rows with -1 are left out.
    groups : sequence of str
        Names of the groups.
    resolution : float
        Size of a step.
    weight : array of int, shape (rows,), optional
        How often each row counts; once if not given.

    Returns
    -------
    Counts
        In main memory, also where the arrays are on a GPU.

    Raises
    ------
    TelemetryError
        If a value is more than 2**40 steps from 0.

    Notes
    -----
    One ``bincount`` where group times range of steps is small, else one sort of the keys.

    Examples
    --------
    >>> found = count(np.array([1.0, 2.0, np.nan]), np.array([0, 0, 0]), ("a",), 1.0)
    >>> found.step.tolist(), found.n.tolist(), found.unknown.tolist()
    ([1, 2], [1, 1], [1])
    """
    times = None if weight is None else weight[group >= 0]
    value, group = value[group >= 0], group[group >= 0]
    finite = np.isfinite(value)
    unknown = _bincount(group[~finite], None if times is None else times[~finite], len(groups))
    scaled = np.rint(value[finite].astype("float64") / resolution)
    empty = Counts(resolution, tuple(groups), *(np.empty(0, "int64"),) * 3, host(unknown))
    if len(scaled) == 0:
        return empty
    if (far := float(np.abs(scaled).max())) > _FARTHEST:
        raise TelemetryError(
            f"a value of {far * resolution:g} cannot be counted in steps of {resolution:g}; values "
            f"of up to {_FARTHEST * resolution:g} can: set what no sensor gives to NaN."
        )
    step = scaled.astype("int64")
    low = int(step.min())
    span = int(step.max()) - low + 1
    keys = group[finite] * span + (step - low)
    key, n = _count_keys(keys, None if times is None else times[finite], span * len(groups))
    return replace(empty, group=key // span, step=key % span + low, n=n)


def _count_keys(key: Any, times: Any | None, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Count keys below `cells`; the keys come back ascending."""
    if cells <= min(_DENSE, max(2**20, 2 * len(key))):
        dense = _bincount(key, times, cells)
        distinct = np.flatnonzero(dense)
        return host(distinct), host(dense[distinct])
    distinct, inverse = np.unique(key, return_inverse=True)
    n = _bincount(inverse, times, len(distinct))
    return host(distinct[n > 0]), host(n[n > 0])  # a weight of 0 leaves nothing


def _bincount(key: Any, times: Any | None, cells: int) -> Any:
    """Count keys in int64; weighted sums are whole numbers below 2**53, exact as floats."""
    if times is None:
        return np.bincount(key, minlength=cells)
    return np.rint(np.bincount(key, weights=times, minlength=cells)).astype("int64")


def _gather(
    like: Counts, group: np.ndarray, step: np.ndarray, n: np.ndarray, unknown: np.ndarray
) -> Counts:
    """Put equal steps of a group together."""
    low = int(step.min()) if len(step) else 0
    span = (int(step.max()) if len(step) else 0) - low + 1
    key, n = add_counts(group * span + (step - low), n)
    return replace(like, group=key // span, step=key % span + low, n=n, unknown=unknown)


def classes(nodes: Sequence[str], gpu_nodes: Collection[str]) -> np.ndarray:
    """Place of each node's class in `CLASSES`, int64: ml on a GPU node, else generic.

    Examples
    --------
    >>> [CLASSES[at] for at in classes(("r10n1", "r28n1"), {"r28n1"})]
    ['generic', 'ml']
    """
    ml = [node in gpu_nodes for node in nodes]
    return np.where(ml, CLASSES.index("ml"), CLASSES.index("generic")).astype("int64")


def of_node(per_node: np.ndarray, place: Any) -> Any:
    """Take a node's entry for each row; `place` -1 takes -1, or NaN of floats.

    Examples
    --------
    >>> of_node(np.array([7, 8]), np.array([1, -1, 0])).tolist()
    [8, -1, 7]
    """
    nobody = np.nan if per_node.dtype.kind == "f" else -1
    return np.take(np.asarray(np.append(per_node, nobody), like=place), place)
