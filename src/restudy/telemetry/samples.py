"""Samples of node metrics: a lazy table, cut into parts, and the one way to pass over it.

A part gives a data frame with the columns ``time`` (datetime64[s], UTC unless the telemetry's
``clock`` says otherwise), ``node`` (categorical) and metrics (float, NaN where unknown). Within a
part rows are in order of node and time, and a node has one row a time at most; the readers see
to that.

Frames are pandas' or, if Dask's DataFrame backend is ``cudf``, those of cuDF on a GPU: a part is
read and put in order on the host, then moved. Code that works on frames takes arrays from `times`,
`codes` and `values` and calls NumPy's functions on them, which act where the array lives; what is
small comes back with `host`.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import dask
import dask.dataframe as dd
import distributed  # noqa: F401  its settings have to be there before `fold` changes one
import numpy as np
import pandas as pd
from dask.dataframe.utils import clear_known_categories

from restudy.telemetry.metrics import TelemetryError, dtype

T = TypeVar("T")


class Part(Protocol):
    """A piece of telemetry that one task reads: picklable, of bounded size."""

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return ``time``, ``node`` and the named metrics, in order of node and time."""
        ...


@dataclass(frozen=True)
class Telemetry:
    """Node metrics and what has to be known to read them.

    Attributes
    ----------
    name : str
        Short name for files and keys.
    title : str
        Name for legends.
    parts : tuple of Part
        The samples, lazy.
    metrics : tuple of str
        Metrics that it has.
    nodes : tuple of str
        Nodes that it has, sorted as `sorted` does.
    interval_s : int
        Usual time between two samples of a node, s.
    clock : str
        ``"UTC"``, ``"local"``, or another description.
    real : bool
        False for generated samples.
    dataset : str or None
        Name in the data registry.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    metrics: tuple[str, ...]
    nodes: tuple[str, ...]
    interval_s: int
    clock: str
    real: bool
    dataset: str | None

    def require(self, metrics: Sequence[str]) -> None:
        """Raise TelemetryError, naming all, if metrics are missing."""
        if missing := [name for name in metrics if name not in self.metrics]:
            raise TelemetryError(
                f"the telemetry {self.name} lacks the metrics {', '.join(missing)}; "
                f"it has {', '.join(self.metrics)}."
            )

    def frame(self, metrics: Sequence[str]) -> dd.DataFrame:
        """Give the samples as a Dask DataFrame, one partition a part, in the backend's frames."""
        self.require(metrics)
        empty = {name: np.empty(0, dtype(name)) for name in metrics}
        node = pd.Categorical([], categories=pd.Index([], dtype="str"))
        meta = pd.DataFrame({"time": np.empty(0, "M8[s]"), "node": node, **empty})
        meta = moved(clear_known_categories(meta), backend())
        return dd.from_map(_read, self.parts, names=list(metrics), library=backend(), meta=meta)


def _read(part: Part, names: list[str], library: str) -> pd.DataFrame:
    return moved(part.read(names), library)


def fold(
    telemetry: Telemetry,
    metrics: Sequence[str],
    measure: Callable[[pd.DataFrame], T],
    *,
    merge: Callable[[T, T], T] = operator.add,
) -> T:
    """Measure each part and merge the results, eight at a time; memory is that of a few parts.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    metrics : sequence of str
        Metrics that `measure` needs; no other column is read.
    measure : callable
        Takes the frame of one part. Picklable: a function of a module, or `functools.partial`
        of one.
    merge : callable
        Joins two results; associative and commutative.

    Returns
    -------
    T
        The merged result. It runs on the current Dask client, or on threads without one.

    Raises
    ------
    TelemetryError
        If metrics are missing, there is no part, or Dask's DataFrame backend cannot be had.
    """
    telemetry.require(metrics)
    if not telemetry.parts:
        raise TelemetryError(f"the telemetry {telemetry.name} has no samples.")
    join = dask.delayed(_join, pure=False)
    shared = dask.delayed(measure, traverse=False, pure=False)
    level = [
        # Dask would look into every part for something of its own.
        dask.delayed(
            functools.partial(_measure, part, list(metrics), backend()), pure=False, traverse=False
        )(shared)
        for part in telemetry.parts
    ]
    while len(level) > 1:
        level = [join(merge, level[at : at + 8]) for at in range(0, len(level), 8)]
    # In the graph, where a dead worker does not lose it, even if it is some megabytes.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        return dask.compute(level[0])[0]


def _measure(
    part: Part, metrics: list[str], library: str, measure: Callable[[pd.DataFrame], T]
) -> T:
    return measure(moved(part.read(metrics), library))


def _join(merge: Callable[[T, T], T], results: Sequence[T]) -> T:
    joined = results[0]
    for result in results[1:]:
        joined = merge(joined, result)
    return joined


def backend() -> str:
    """Name the library whose frames Dask's DataFrame backend asks for: pandas or cudf.

    Raises
    ------
    TelemetryError
        If it is neither.
    """
    name = str(dask.config.get("dataframe.backend"))
    if name not in {"pandas", "cudf"}:
        raise TelemetryError(
            f"dataframe.backend is {name!r} in Dask's configuration; use pandas or cudf."
        )
    return name


def moved(frame: pd.DataFrame, library: str) -> pd.DataFrame:
    """Give a frame as one of the library that `backend` named, on the GPU for cudf.

    Raises
    ------
    TelemetryError
        If cudf cannot be imported where this runs.
    """
    if library == "pandas":
        return frame
    try:
        import cudf
    except ImportError as error:
        raise TelemetryError(
            f"dataframe.backend is 'cudf' in Dask's configuration, and cudf cannot be imported "
            f"({error}): install it on a machine with a GPU, or set the backend to pandas."
        ) from error
    return cudf.from_pandas(frame)


def times(frame: pd.DataFrame) -> Any:
    """Return the times of the rows: seconds since 1970, int64."""
    if isinstance(frame, pd.DataFrame):
        return frame["time"].to_numpy().view("int64")  # no copy
    return frame["time"].astype("int64").values  # noqa: PD011


def codes(frame: pd.DataFrame, nodes: Sequence[str]) -> Any:
    """Return the place of each row's node in `nodes`, int64; -1 where it is not among them."""
    code, place = coded(frame, nodes)
    return np.take(place, code)


def coded(frame: pd.DataFrame, nodes: Sequence[str]) -> tuple[Any, Any]:
    """Return each row's own code, and the place of each code in `nodes`, int64, at last -1."""
    column = frame["node"].cat
    names = column.categories
    names = names.to_pandas() if hasattr(names, "to_pandas") else names
    place = np.append(_index(tuple(nodes)).get_indexer(names), -1)  # code -1 is a missing name
    code: Any = column.codes.values  # noqa: PD011
    return code, np.asarray(place, like=code)


@functools.lru_cache(maxsize=8)
def _index(nodes: tuple[str, ...]) -> pd.Index:
    """Make the index of the nodes once, not for every part."""
    return pd.Index(nodes)


def values(frame: pd.DataFrame, metric: str) -> Any:
    """Return the values of a metric as floats, NaN where unknown."""
    return frame[metric].values  # noqa: PD011


def host(array: Any) -> np.ndarray:
    """Return an array in main memory."""
    return np.asarray(array.get() if hasattr(array, "get") else array)
