"""Files of a metric: an index of seconds since 1970, a column a node or GPU (2107.11832)."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from restudy.telemetry import clocks, rows
from restudy.telemetry.metrics import TelemetryError, dtype
from restudy.telemetry.source import Source, is_number

SLOTS = 4

_STATISTICS = {"min": np.fmin, "max": np.fmax}


@dataclass(frozen=True)
class Matrices:
    """Values of one published metric.

    Attributes
    ----------
    time : numpy.ndarray, shape (times,)
        Seconds since 1970.
    nodes : list of str
        In order.
    values : numpy.ndarray, shape (slots, nodes, times)
        One slot, or those of the GPUs; NaN where unknown.
    """

    time: np.ndarray
    nodes: list[str]
    values: np.ndarray


def unpack_gpu(values: np.ndarray) -> np.ndarray:
    """Take the values of four GPUs out of 64 bits, 16 bits each, the first one lowest.

    Parameters
    ----------
    values : numpy.ndarray of int64, any shape
        Packed values. Power is in W, although the metric's name says milliwatts.

    Returns
    -------
    numpy.ndarray of int64, shape (4, ...)
        One plane a GPU; 0 where there is no measurement.

    References
    ----------
    ``about_archive.md`` of the authors' repository sara-nl/SURFace.

    Examples
    --------
    >>> unpack_gpu(np.array([250 + (60 << 16) + (1 << 48)])).ravel().tolist()
    [250, 60, 0, 1]
    """
    bits = values.astype("uint64") if values.dtype.kind == "u" else values.view("uint64")
    shift = np.arange(SLOTS, dtype="uint64").reshape(-1, *([1] * values.ndim)) * np.uint64(16)
    return ((bits >> shift) & np.uint64(0xFFFF)).astype("int64")


def matrices(base: str, path: str) -> Matrices:
    """Read the values of a metric (by its present name) from a file.

    Raises
    ------
    TelemetryError
        If the file is damaged, has no index of times, or a column is not of numbers.
    """
    source = Source(path)
    columns = node_columns(source, base)
    with source.open() as file:
        index = _index(source, file.schema_arrow)
    table = source.read([index, *(column for _, column in columns)])
    time = clocks.seconds(table[index])
    gpu = base.startswith("nvidia_")
    packed = gpu and all(
        pa.types.is_integer(table[column].type) and not column.startswith("(")
        for _, column in columns
    )
    nodes = sorted({node for node, _ in columns})
    kind = "float64" if dtype(base) == "float64" else "float32"
    values = np.full((SLOTS if gpu else 1, len(nodes), len(time)), np.nan, dtype=kind)
    place = {node: at for at, node in enumerate(nodes)}
    slots = dict.fromkeys(nodes, 0)
    for node, column in columns:
        if packed:
            values[:, place[node]] = _packed(table[column], base)
        elif slots[node] < len(values):
            values[slots[node], place[node]] = rows.numbers(table[column], base)
            slots[node] += 1
    values[values == -1] = np.nan
    if gpu:
        values[values == 0] = np.nan
    return Matrices(time, nodes, values)


def node_columns(source: Source, base: str) -> list[tuple[str, str]]:
    """Give node and column of each column of values, in the file's order.

    Raises
    ------
    TelemetryError
        If a column is not of numbers.
    """
    schema = source.schema()
    index = _index(source, schema)
    found = []
    for field in schema:
        if field.name == index:
            continue
        if not is_number(field.type):
            raise TelemetryError(
                f"{base}/{source.name} has mistyped columns: {field.name} is {field.type}, "
                "expected numbers."
            )
        found.append((_node(field.name), field.name))
    return found


def pick(one: Matrices, slot: str) -> np.ndarray:
    """Give the values of a slot, or a statistic of the known slots."""
    if slot in {"", *map(str, range(SLOTS))}:
        return one.values[int(slot or 0)]
    if slot in _STATISTICS:
        return _STATISTICS[slot].reduce(one.values, axis=0)
    count = (~np.isnan(one.values)).sum(axis=0)
    total = np.where(count > 0, np.nansum(one.values, axis=0), np.nan)
    return total if slot == "sum" else total / np.maximum(count, 1)


def _node(column: str) -> str:
    """Give the node of a column, which is its name or, of GPUs, the first of a tuple."""
    if not column.startswith("("):
        return column
    return str(ast.literal_eval(column)[0])


def _index(source: Source, schema: pa.Schema) -> str:
    said: Mapping[str, list[object]] = schema.pandas_metadata or {}
    stored = [name for name in said.get("index_columns", []) if isinstance(name, str)]
    names = [*stored, "__index_level_0__", "timestamp", "time", "index"]
    for name in names:
        if name in schema.names:
            return name
    raise TelemetryError(
        f"{source.name} has no index of times; expected seconds since 1970 as its index."
    )


def _packed(column: pa.ChunkedArray, base: str) -> np.ndarray:
    whole = column.fill_null(0).to_numpy()
    values = unpack_gpu(np.where(whole == -1, 0, whole))
    return values * 1000 if base.endswith("_milliwatts") else values
