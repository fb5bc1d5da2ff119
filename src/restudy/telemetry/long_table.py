"""Long tables: one row a time, node and metric, as Prometheus exports them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from restudy.telemetry import clocks, rows
from restudy.telemetry.clocks import Clock
from restudy.telemetry.metrics import TelemetryError, dtype, metric
from restudy.telemetry.node_table import PART_ROWS, usual_interval
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.source import Source, distinct, find, require, row_groups


@dataclass(frozen=True)
class Names:
    """Which column of a long table is what; the first name that the table has is taken."""

    time: tuple[str, ...] = ("timestamp", "time")
    node: tuple[str, ...] = ("instance", "node")
    metric: tuple[str, ...] = ("__name__", "metric")
    value: tuple[str, ...] = ("value",)

    def among(self, columns: Sequence[str]) -> tuple[str, str, str, str]:
        """Give the columns of time, node, metric and value; the first choice where none is."""
        roles = (self.time, self.node, self.metric, self.value)
        time, node, name, value = (
            next((one for one in role if one in columns), role[0]) for role in roles
        )
        return time, node, name, value


@dataclass(frozen=True)
class LongPart:
    """Some row groups of a long table.

    Attributes
    ----------
    source : Source
        The file.
    groups : tuple of int
        The row groups.
    columns : tuple of str
        Columns of time, node, metric and value.
    published : tuple of (str, str)
        Each metric and a name that the table calls it.
    clock : Clock
        What its times mean.
    """

    source: Source
    groups: tuple[int, ...]
    columns: tuple[str, str, str, str]
    published: tuple[tuple[str, str], ...]
    clock: Clock

    def rows(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return one row a node and time in order of their first row; unknown metrics NaN."""
        time, node, name, value = self.columns
        names = {called: known for known, called in self.published if known in columns}
        reading = self.columns if names else self.columns[:2]
        table = self.source.read(reading, self.groups, names=node)
        if names:
            called = pc.cast(table[name], pa.string())
            table = table.filter(pc.is_in(called, pa.array(list(names), pa.string())))
        who = bare(rows.categories(table[node]))
        series, called = _series(table, who, name if names else "")
        moved = clocks.to_utc(table[time], series, self.clock)
        row, first = _keys(moved.seconds, who.codes.astype("int64"))
        arrays = {known: np.full(len(first), np.nan, dtype(known)) for known in columns}
        for at, text in enumerate(called):
            chosen = series % len(called) == at
            values = rows.numbers(table[value].filter(pa.array(chosen)), names[text])
            np.fmax.at(arrays[names[text]], row[chosen], values)
        made = rows.frame(moved.seconds[first], who[first], arrays)
        made.attrs["clock"] = moved.counts()
        return made

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the samples in order of node and time."""
        return rows.tidy(self.rows(columns))


def long_table(
    path: Path,
    *,
    names: Names | None = None,
    clock: str = "UTC",
    timezone: str = "",
    interval_s: int | None = None,
    part_rows: int = 4 * PART_ROWS,
) -> Telemetry:
    """Give the node metrics of a table with one row a time, node and metric.

    Parameters
    ----------
    path : pathlib.Path
        Parquet file, or a folder or zip archive of parts.
    names : Names, optional
        What the four columns are called; by default as Prometheus does. A port after a node's
        name is cut off: ``r10n1:9100`` is r10n1.
    clock : str
        What the times are; becomes UTC with `timezone`.
    timezone : str
        Zone of times that have none.
    interval_s : int, optional
        Seconds between two samples of a node; by default the most frequent one.
    part_rows : int
        A part has at most as many rows, but one row group at least.

    Returns
    -------
    Telemetry
        Of several series of one metric and node (devices, sensors) the largest value is taken.
        Where the metrics of one sample lie in several parts, `ingest` joins them.

    Raises
    ------
    TelemetryError
        If a file is absent, damaged, or lacks or mistypes columns.
    """
    sources = find(path)
    schemas = [source.schema() for source in sources]
    columns = (names or Names()).among(schemas[0].names)
    kinds = dict(zip(columns, ("times", "text", "text", "numbers"), strict=True))
    for source, schema in zip(sources, schemas, strict=True):
        require(source, schema, kinds)
    clocks.same_kind(sources, schemas, columns[0])
    called = sorted(distinct(sources, columns[2]))
    published = tuple((metric(name).name, name) for name in called)
    parts = tuple(
        LongPart(source, groups, columns, published, Clock(timezone))
        for source in sources
        for groups in row_groups(source, part_rows)
    )
    if not parts:
        raise TelemetryError(f"{sources[0].name} holds no sample; expected at least one row.")
    aware = getattr(schemas[0].field(columns[0]).type, "tz", None) is not None
    return Telemetry(
        name=f"long:{path.name}",
        title=path.name,
        parts=parts,
        metrics=tuple(dict.fromkeys(name for name, _ in published)),
        nodes=tuple(sorted({_host(name) for name in distinct(sources, columns[1])})),
        interval_s=interval_s or usual_interval(parts[0].read([])),
        clock="UTC" if timezone or aware else clock,
        real=True,
        dataset=None,
    )


def bare(node: pd.Categorical) -> pd.Categorical:
    """Cut the ports off nodes' names.

    Examples
    --------
    >>> bare(pd.Categorical(["r10n1:9100", "r10n1:9400", "r9n1"])).tolist()
    ['r10n1', 'r10n1', 'r9n1']
    """
    return rows.ordered(node.codes.astype("int64"), [_host(name) for name in node.categories])


def _host(name: str) -> str:
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdigit() else name


def _series(table: pa.Table, node: pd.Categorical, name: str) -> tuple[np.ndarray, list[str]]:
    """Give the number of each row's series (node and metric) and the names of the metrics."""
    code = node.codes.astype("int64")
    if not name:
        return code, []
    place, called = pd.factorize(pc.cast(table[name], pa.string()).to_numpy(zero_copy_only=False))
    return code * max(len(called), 1) + place, list(called)


def _keys(time: np.ndarray, node: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the number of each row's pair of node and time, and the first row of each pair."""
    keys = pd.DataFrame({"time": time, "node": node})
    row = keys.groupby(["node", "time"], sort=False).ngroup().to_numpy()
    first = np.flatnonzero(~keys.duplicated().to_numpy())
    return row, first
