"""Frames of samples: from columns of a file as read, and in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from restudy.telemetry import clocks
from restudy.telemetry.clocks import Clock
from restudy.telemetry.metrics import dtype


@dataclass(frozen=True)
class Layout:
    """Which columns of a wide table are what.

    Attributes
    ----------
    time, node : str
        Columns of the time and of the node's name.
    columns : tuple of (str, str)
        Each metric and the column that has it.
    clock : Clock
        What its times mean.
    """

    time: str
    node: str
    columns: tuple[tuple[str, str], ...]
    clock: Clock


def as_read(table: pa.Table, layout: Layout, metrics: Sequence[str]) -> pd.DataFrame:
    """Give the rows of a table in their order, times in UTC, metrics as floats.

    Rows whose time or node is null stay, as NaT and as a missing category. The attribute
    ``clock`` of the frame counts the ambiguous and the shifted local times.
    """
    columns = dict(layout.columns)
    node = categories(table[layout.node])
    arrays = {name: numbers(table[columns[name]], name) for name in metrics}
    moved = clocks.to_utc(table[layout.time], node.codes, layout.clock)
    made = frame(moved.seconds, node, arrays)
    made.attrs["clock"] = moved.counts()
    return made


def frame(time: np.ndarray, node: pd.Categorical, arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Make a frame of times (s since 1970), nodes and metrics, without copying."""
    columns = {"time": time.view("datetime64[s]"), "node": node, **arrays}
    return pd.DataFrame(columns, copy=False)


def categories(column: pa.ChunkedArray) -> pd.Categorical:
    """Give names as categories that are in order."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.DictionaryArray.from_arrays([], [])
    names = np.asarray(whole.dictionary.to_pylist(), dtype=object)
    return ordered(pc.fill_null(whole.indices, -1).to_numpy(zero_copy_only=False), names)


def ordered(codes: np.ndarray, names: Sequence[str] | np.ndarray) -> pd.Categorical:
    """Make a categorical of codes of names, in the names' order, without unused or double ones."""
    used = np.flatnonzero(_used(codes, len(names)))
    texts = [str(names[code]) for code in used.tolist()]
    kept = sorted(set(texts))
    rank = {name: at for at, name in enumerate(kept)}
    if texts == kept and len(kept) == len(names):
        return pd.Categorical.from_codes(codes, categories=pd.Index(kept, dtype="str"))
    place = np.full(len(names) + 1, -1)
    place[used] = [rank[text] for text in texts]
    return pd.Categorical.from_codes(place[codes], categories=pd.Index(kept, dtype="str"))


def _is_ordered(node: pd.Categorical, code: np.ndarray) -> bool:
    """Tell whether `ordered` would change nothing."""
    names = node.categories
    used = _used(code, len(names)).all()
    return names.dtype == "str" and names.is_monotonic_increasing and bool(used)


@njit(cache=True, nogil=True)
def _used(codes, names):  # type: ignore[no-untyped-def]
    """Tell which of the names have a row; some times faster than to count the rows of each."""
    found = np.zeros(names, np.bool_)
    for code in codes:
        if code >= 0:
            found[code] = True
    return found


def numbers(column: pa.ChunkedArray, metric: str) -> np.ndarray:
    """Give a column as floats, NaN where null, in the metric's type."""
    kind = dtype(metric)
    wide = (
        column if pa.types.is_floating(column.type) else pc.cast(column, pa.float64(), safe=False)
    )
    return pc.fill_null(wide, np.nan).to_numpy().astype(kind, copy=False)


def tidy(rows: pd.DataFrame) -> pd.DataFrame:
    """Put rows in order of node and time and join those of the same node and time.

    Of several values of a metric the largest known one is kept, so that the order of the rows
    does not matter, nor which other metrics are read. Rows without time or node are left out.

    Examples
    --------
    >>> node = pd.Categorical.from_codes([1, 0, 0], ["a", "b"])
    >>> tidy(frame(np.array([30, 60, 60]), node, {"up": np.array([1.0, np.nan, 1.0])}))
                     time node   up
    0 1970-01-01 00:01:00    a  1.0
    1 1970-01-01 00:00:30    b  1.0
    """
    time = rows["time"].to_numpy().view("int64")
    code = rows["node"].cat.codes.to_numpy().astype("int64")
    good = (time != clocks.UNKNOWN) & (code >= 0)
    order = _order(code, time, good)
    if order is not None:
        time, code = time[order], code[order]
    new = np.append(True, (code[1:] != code[:-1]) | (time[1:] != time[:-1]))[: len(time)]
    begin = np.flatnonzero(new)
    arrays = {}
    for name in rows.columns.drop(["time", "node"]):
        values = rows[name].to_numpy()
        values = values if order is None else values[order]
        arrays[name] = values if new.all() else np.fmax.reduceat(values, begin)
    if len(begin) == len(rows) and order is None and _is_ordered(rows["node"].array, code):
        return frame(time, rows["node"].array, arrays)
    node = ordered(code[begin], rows["node"].cat.categories.to_numpy())
    return frame(time[begin], node, arrays)


def _order(code: np.ndarray, time: np.ndarray, good: np.ndarray) -> np.ndarray | None:
    """Give the rows in order, without bad ones; None if they are already."""
    if good.all():
        step = np.diff(code)
        if (step >= 0).all() and (np.diff(time)[step == 0] >= 0).all():
            return None
    kept = np.flatnonzero(good)
    return kept[np.lexsort((time[kept], code[kept]))]
