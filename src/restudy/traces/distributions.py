"""How long jobs wait and run and how large they are: exact distributions (Figures 6, 8 and 9)."""

from collections.abc import Iterable
from dataclasses import dataclass

import dask.dataframe as dd
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from restudy.traces.counting import GROUPS, Kind, add_counts, count, groups, select, states_of
from restudy.traces.jobs import TraceError, seconds_between, unassigned

# Quantity -> (unit, columns it is made of). All are whole numbers, so counts say everything.
QUANTITIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "jobs": ("", ()),
    "run_s": ("s", ("start", "end")),
    "wait_s": ("s", ("submit", "start")),
    "node_s": ("node s", ("start", "end", "nodes")),
    "core_s": ("core s", ("start", "end", "cores")),
    "nodes": ("nodes", ("nodes",)),
    "cores": ("cores", ("cores",)),
}
_NAMES = tuple(QUANTITIES)
_SLOTS = 8  # three bits of a key name the quantity


@dataclass(frozen=True)
class Ecdf:
    """An empirical distribution of whole numbers, exact at any number of jobs.

    Attributes
    ----------
    values : numpy.ndarray of int64, shape (distinct,)
        The values that occur, ascending.
    counts : numpy.ndarray of int64, shape (distinct,)
        How many jobs have each value; at least one job in all.

    Examples
    --------
    >>> runs = Ecdf(np.array([1, 2, 10]), np.array([2, 1, 1]))
    >>> runs.n, runs.total, runs.mean, runs.max
    (4, 14, 3.5, 10)
    >>> float(runs.quantile(0.5)), float(runs.cdf(2)), float(runs.share_below(2))
    (1.5, 0.75, 0.5)
    """

    values: np.ndarray
    counts: np.ndarray

    def __post_init__(self) -> None:
        if len(self.values) == 0 or len(self.values) != len(self.counts):
            raise ValueError(
                f"{len(self.values)} values with {len(self.counts)} counts; "
                "a distribution needs as many of both and at least one"
            )

    @property
    def n(self) -> int:
        """Number of jobs."""
        return int(self.counts.sum())

    @property
    def total(self) -> int:
        """Sum over all jobs, in Python integers where 64 bits are too few."""
        if self.n * self.max < 2**62:
            return int(self.values @ self.counts)
        return sum(int(v) * int(c) for v, c in zip(self.values, self.counts, strict=True))

    @property
    def mean(self) -> float:
        """Mean over the jobs."""
        return self.total / self.n

    @property
    def std(self) -> float:
        """Standard deviation with n - 1, as pandas prints it; 0 for a single job."""
        if self.n == 1:
            return 0.0
        return float(np.sqrt((self.values - self.mean) ** 2 @ self.counts / (self.n - 1)))

    @property
    def min(self) -> int:
        """Smallest value."""
        return int(self.values[0])

    @property
    def max(self) -> int:
        """Largest value."""
        return int(self.values[-1])

    def cdf(self, x: ArrayLike) -> np.ndarray:
        """Share of the jobs with a value of at most `x`."""
        below = np.searchsorted(self.values, np.asarray(x), side="right")
        return self._share(below)

    def share_below(self, x: ArrayLike) -> np.ndarray:
        """Share of the jobs with a value less than `x`."""
        below = np.searchsorted(self.values, np.asarray(x), side="left")
        return self._share(below)

    def share_of(self, value: int) -> float:
        """Share of the jobs with exactly this value."""
        return float(self.cdf(value) - self.share_below(value))

    def quantile(self, q: ArrayLike) -> np.ndarray:
        """Quantiles, linear between order statistics.

        Parameters
        ----------
        q : array_like
            Probabilities in [0, 1].

        Returns
        -------
        numpy.ndarray of float
            The default of NumPy and pandas (type 7 of Hyndman and Fan): the value at position
            ``(n - 1) q`` of the sorted jobs, linear between its two neighbours.
        """
        q = np.asarray(q, dtype="float64")
        if np.any((q < 0) | (q > 1)):
            raise ValueError(f"a probability is {q.min()} to {q.max()} and should be in [0, 1]")
        ends = np.cumsum(self.counts)
        position = (self.n - 1) * q
        low = np.floor(position).astype("int64")
        a = self.values[np.searchsorted(ends, low, side="right")].astype("float64")
        above = np.minimum(low + 1, self.n - 1)
        b = self.values[np.searchsorted(ends, above, side="right")].astype("float64")
        t = position - low
        return np.where(t < 0.5, a + (b - a) * t, b - (b - a) * (1 - t))  # as numpy rounds it

    def _share(self, below: np.ndarray) -> np.ndarray:
        ends = np.concatenate(([0], np.cumsum(self.counts)))
        return ends[below] / ends[-1]


def superiority(a: Ecdf, b: Ecdf) -> float:
    """Probability that a job of `a` has the larger value than one of `b`, ties counting half.

    This is U / (n_a n_b) of the Mann-Whitney test; Cliff's delta is twice it minus one.

    Examples
    --------
    >>> superiority(Ecdf(np.array([1, 2]), np.array([1, 1])), Ecdf(np.array([1]), np.array([3])))
    0.75
    """
    smaller = (b.share_below(a.values) + b.cdf(a.values)) / 2
    return float(smaller @ a.counts / a.n)


@dataclass(frozen=True)
class Distribution:
    """One quantity, counted for every class and state.

    Attributes
    ----------
    quantity, unit : str
        A name of `QUANTITIES` and its unit.
    value, group, counts : numpy.ndarray of int64, shape (distinct,)
        The values, the code of class and state (`restudy.traces.counting`), the number of jobs.
    """

    quantity: str
    unit: str
    value: np.ndarray
    group: np.ndarray
    counts: np.ndarray

    @property
    def states(self) -> tuple[str, ...]:
        """States that occur."""
        return states_of(self.group)

    def n(self, kind: Kind = "all", state: str | None = None) -> int:
        """Jobs of a class and a state whose value is known."""
        return int(self.counts[select(self.group, kind, state)].sum())

    def ecdf(self, kind: Kind = "all", state: str | None = None) -> Ecdf:
        """Distribution over the jobs of one class and one state (None: of all states).

        Raises
        ------
        TraceError
            If there is no such job.
        """
        keep = select(self.group, kind, state)
        if not keep.any():
            what = " ".join(word for word in (state, "" if kind == "all" else kind) if word)
            raise TraceError(
                f"the trace has no {what + ' ' if what else ''}job whose {self.quantity} is known; "
                "use a trace that has some or leave this statistic out."
            )
        return Ecdf(*add_counts(self.value[keep], self.counts[keep]))


def measure(jobs: dd.DataFrame, quantities: Iterable[str]) -> dict[str, Distribution]:
    """Distributions of several quantities, in one pass over the jobs.

    Parameters
    ----------
    jobs : dask.dataframe.DataFrame
        A job table.
    quantities : iterable of str
        Names of `QUANTITIES`: ``run_s`` and ``wait_s`` in seconds, ``node_s`` and ``core_s`` (run
        time times nodes or cores), ``nodes``, ``cores``, and ``jobs``, which only counts.

    Returns
    -------
    dict of str to Distribution
        A job is left out of a quantity that is unknown for it.

    Notes
    -----
    Exact for any number of rows and any partitioning; memory grows with the distinct values
    (0.4 million seconds of run time, 2.9 million of wait time at most on Lisa), not with the rows.
    """
    names = tuple(quantities)
    unknown = [name for name in names if name not in QUANTITIES]
    if unknown:
        raise ValueError(f"unknown quantities {unknown}; known are {', '.join(_NAMES)}")
    columns = {"state", "is_ml"}.union(*(QUANTITIES[name][1] for name in names))

    def keys(frame: pd.DataFrame) -> np.ndarray:
        return _keys(_values(frame, names), names, groups(frame))

    return _decode(names, *count(jobs, keys, sorted(columns)))


def _keys(
    values: dict[str, np.ndarray],
    names: tuple[str, ...],
    group: np.ndarray,
    flags: np.ndarray | None = None,
) -> np.ndarray:
    """One key a job and known quantity: value, quantity, group and, where given, two flags."""
    parts = []
    for name in names:
        key = (values[name] * _SLOTS + _NAMES.index(name)) * GROUPS + group
        if flags is not None:
            key = key * 4 + flags
        parts.append(key if values[name].min(initial=0) >= 0 else key[values[name] >= 0])
    return np.concatenate(parts)


def _decode(names: tuple[str, ...], key: np.ndarray, n: np.ndarray) -> dict[str, Distribution]:
    slot = key // GROUPS % _SLOTS
    found = {}
    for name in names:
        mine = slot == _NAMES.index(name)
        found[name] = Distribution(
            quantity=name,
            unit=QUANTITIES[name][0],
            value=key[mine] // (GROUPS * _SLOTS),
            group=key[mine] % GROUPS,
            counts=n[mine],
        )
    return found


def _values(frame: pd.DataFrame, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Whole numbers (rows,) of each quantity, -1 where unknown."""
    wanted = set(names)
    values: dict[str, np.ndarray] = {"jobs": np.zeros(len(frame), "int64")}
    if wanted & {"run_s", "node_s", "core_s"}:
        values["run_s"] = seconds_between(frame["start"], frame["end"])
    if "wait_s" in wanted:
        values["wait_s"] = seconds_between(frame["submit"], frame["start"])
    for name, product in (("nodes", "node_s"), ("cores", "core_s")):
        if wanted & {name, product}:
            values[name] = frame[name].to_numpy("int64", na_value=-1)
        if product in wanted:
            both = (values["run_s"] >= 0) & (values[name] >= 0)
            values[product] = np.where(both, values["run_s"] * values[name], -1)
    return values


@dataclass(frozen=True)
class Spans:
    """How the jobs lie on the calendar.

    Attributes
    ----------
    overnight : Ecdf or None
        Run times of the jobs that end on a later day than they start, s; None if there is none.
    same_day : Ecdf or None
        Run times of the others, s.
    backwards : int
        Jobs whose day of the year is smaller at the end than at the start: a key made of it, as in
        the paper's join, puts their end before their start.
    """

    overnight: Ecdf | None
    same_day: Ecdf | None
    backwards: int


def spans(jobs: dd.DataFrame) -> Spans:
    """Tell apart jobs within a day, over midnight and over New Year; one exact pass."""

    def keys(frame: pd.DataFrame) -> np.ndarray:
        run = seconds_between(frame["start"], frame["end"])
        start, end = (frame[name].to_numpy("datetime64[D]") for name in ("start", "end"))
        in_year = [
            day - day.astype("datetime64[Y]").astype("datetime64[D]") for day in (start, end)
        ]
        flags = (end > start).astype("int64") + 2 * (in_year[1] < in_year[0])
        return (run * 4 + flags)[run >= 0]

    key, n = count(jobs, keys, ["start", "end"])
    overnight = key % 2 == 1

    def part(keep: np.ndarray) -> Ecdf | None:
        return Ecdf(*add_counts(key[keep] // 4, n[keep])) if keep.any() else None

    return Spans(part(overnight), part(~overnight), int(n[key % 4 >= 2].sum()))


def by_assignment(
    jobs: dd.DataFrame,
) -> tuple[dict[str, Distribution], dict[str, Distribution], int]:
    """Distributions of all jobs and of those that had a node, in one pass.

    Returns
    -------
    everything, assigned : dict of str to Distribution
        ``jobs``, ``run_s`` and ``wait_s``; a job without a node is told by
        `restudy.traces.jobs.unassigned`.
    unknown : int
        Jobs of which neither node list nor number of nodes is known; they count as assigned.
    """
    names = ("jobs", "run_s", "wait_s")
    columns = ["submit", "start", "end", "state", "is_ml", "node_list", "nodes"]

    def keys(frame: pd.DataFrame) -> np.ndarray:
        none = unassigned(frame)
        flags = none + 2 * (frame["node_list"].isna() & frame["nodes"].isna()).to_numpy("int64")
        values = _values(frame, names)
        return _keys(values, names, groups(frame), flags)

    key, n = count(jobs, keys, columns)
    flags = key % 4
    unknown = int(n[(flags >= 2) & (key // 4 // GROUPS % _SLOTS == _NAMES.index("jobs"))].sum())
    everything = _decode(names, *add_counts(key // 4, n))
    with_node = flags % 2 == 0
    return everything, _decode(names, *add_counts(key[with_node] // 4, n[with_node])), unknown
