"""Node tables: one row a node and time, one column a metric (arXiv 2409.08949, 91 columns)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from restudy.telemetry import clocks, rows, runs
from restudy.telemetry.clocks import Clock
from restudy.telemetry.metrics import TelemetryError, metric
from restudy.telemetry.rows import Layout
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.source import (
    Source,
    distinct,
    find,
    is_number,
    require,
    row_groups,
    telling,
)
from restudy.traces.jobs import PAPER_GPU_NODES

PART_ROWS = 2**20

_TIMES = ("timestamp", "time")
_NO_METRICS = frozenset({"id", "slurm_id", "numnodes", "numcores"})
# Zero is no value of a working sensor here, but what the published cleaning put for unknown ones.
_NEVER_ZERO = ("nvidia_gpu_temperature_celsius", "nvidia_gpu_power_usage_milliwatts")


@dataclass(frozen=True)
class ParquetPart:
    """Some row groups of a Parquet file with one row a node and time.

    Attributes
    ----------
    source : Source
        The file.
    groups : tuple of int
        The row groups.
    layout : Layout
        Which columns are what.
    gpu_column : str
        Column that is 1 on nodes with GPUs; empty if there is none.
    gpu_nodes : tuple of str
        Nodes with GPUs, used where there is no such column; empty if nothing is filled with 0.
    own : bool
        The whole file is a part of the package's own store, whose metadata may tell its `runs`.
    """

    source: Source
    groups: tuple[int, ...]
    layout: Layout
    gpu_column: str = ""
    gpu_nodes: tuple[str, ...] = ()
    own: bool = False

    def rows(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the rows as they lie in the file; only the columns needed are read."""
        layout = self.layout
        known = dict(layout.columns)
        filled = [name for name in columns if name.startswith("nvidia_gpu_")]
        wanted = [layout.time, layout.node, *(known[name] for name in columns)]
        if filled and self.gpu_column:
            wanted.append(self.gpu_column)
        found = list(dict.fromkeys(wanted))
        table = self.source.read(found, self.groups, names=layout.node)
        frame = rows.as_read(table, layout, columns)
        if filled and (self.gpu_column or self.gpu_nodes):
            self._unfill(frame, table, filled)
        return frame

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the samples in order of node and time."""
        found = self._in_runs(columns) if self.own else None
        return rows.tidy(self.rows(columns)) if found is None else found

    def _in_runs(self, columns: Sequence[str]) -> pd.DataFrame | None:
        """Read the metrics alone where the file says when and where its samples are."""
        with self.source.open() as file, telling(self.source.name):
            known = runs.noted(file.schema_arrow.metadata, file.metadata.num_rows, self.source.name)
            if known is None:
                return None
            named = dict(self.layout.columns)
            table = file.read(columns=[named[name] for name in columns], use_threads=False)
        arrays = {name: rows.numbers(table[named[name]], name) for name in columns}
        return rows.frame(known.times(), known.nodes(), arrays)

    def _unfill(self, frame: pd.DataFrame, table: pa.Table, filled: Sequence[str]) -> None:
        """Make the zeros unknown that stand for a GPU which is not there, in place."""
        if self.gpu_column:
            without = ~(rows.numbers(table[self.gpu_column], "gpu_node") > 0)
        else:
            names = frame["node"].cat.categories
            flags = np.append(~names.isin(self.gpu_nodes), True)
            without = flags[frame["node"].cat.codes.to_numpy()]
        for name in filled:
            values = frame[name].to_numpy()
            absent = without if not name.startswith(_NEVER_ZERO) else without | (values == 0)
            frame[name] = np.where(absent, np.float32(np.nan), values)


def node_table(
    path: Path,
    *,
    clock: str = "UTC",
    timezone: str = "",
    interval_s: int | None = None,
    gpu_nodes: frozenset[str] = PAPER_GPU_NODES,
    part_rows: int = PART_ROWS,
) -> Telemetry:
    """Give the node metrics of a table with one row a node and time.

    Parameters
    ----------
    path : pathlib.Path
        A Parquet file of any size, a folder of parts, or a zip archive of them. Columns
        ``timestamp`` or ``time``, ``node``, and metrics under their present or older names;
        others are left aside.
    clock : str
        What the times are; becomes UTC with `timezone`.
    timezone : str
        Zone of times that have none.
    interval_s : int, optional
        Seconds between two samples of a node; by default the most frequent one in the first
        part.
    gpu_nodes : frozenset of str
        Nodes with GPUs, where the table has no column ``gpu_node``; the others' GPU metrics,
        published as 0, become unknown.
    part_rows : int
        A part has at most as many rows, but one row group at least.

    Returns
    -------
    Telemetry
        Lazy parts. Nodes are named from the statistics of row groups, or by one pass over the
        column of their names.

    Raises
    ------
    TelemetryError
        If a file is absent, damaged, or lacks or mistypes columns.
    """
    return wide_table(
        find(path),
        name=f"nodes:{path.name}",
        clock=Clock(timezone),
        said="UTC" if timezone else clock,
        interval_s=interval_s,
        gpu_nodes=gpu_nodes,
        part_rows=part_rows,
    )


def wide_table(
    sources: Sequence[Source],
    *,
    name: str,
    clock: Clock,
    said: str,
    interval_s: int | None,
    gpu_nodes: frozenset[str],
    part_rows: int,
) -> Telemetry:
    """Make telemetry of files with one column a metric; see `node_table`."""
    schemas = [source.schema() for source in sources]
    layout = wide_layout(sources[0], schemas[0], clock)
    kinds = {layout.time: "times", layout.node: "text"}
    for source, schema in zip(sources, schemas, strict=True):
        require(source, schema, {**kinds, **{column: "numbers" for _, column in layout.columns}})
    clocks.same_kind(sources, schemas, layout.time)
    gpu = "gpu_node" if "gpu_node" in schemas[0].names else ""
    parts = tuple(
        ParquetPart(source, groups, layout, gpu, () if gpu else tuple(sorted(gpu_nodes)))
        for source in sources
        for groups in row_groups(source, part_rows)
    )
    if not parts:
        raise TelemetryError(f"{sources[0].name} holds no sample; expected at least one row.")
    aware = getattr(schemas[0].field(layout.time).type, "tz", None) is not None
    return Telemetry(
        name=name,
        title=name.partition(":")[2],
        parts=parts,
        metrics=tuple(metric for metric, _ in layout.columns),
        nodes=tuple(sorted(distinct(sources, layout.node))),
        interval_s=interval_s or usual_interval(parts[0].read([])),
        clock="UTC" if aware else said,
        real=True,
        dataset=None,
    )


def wide_layout(source: Source, schema: pa.Schema, clock: Clock) -> Layout:
    """Tell what the columns of a wide table are, by their present or older names.

    Raises
    ------
    TelemetryError
        If two columns are the same metric under two names, or there is no metric.
    """
    time = next((name for name in _TIMES if name in schema.names), _TIMES[0])
    columns: dict[str, str] = {}
    for field in schema:
        if field.name in {time, "node", *_NO_METRICS} or not is_number(field.type):
            continue
        name = metric(field.name).name
        if name in columns:
            raise TelemetryError(
                f"{source.name} has {name} twice, as {columns[name]} and as {field.name}; "
                "remove one of them."
            )
        columns[name] = field.name
    if not columns:
        raise TelemetryError(
            f"{source.name} has no column of numbers besides {time} and node; expected metrics."
        )
    return Layout(time, "node", tuple(columns.items()), clock)


def usual_interval(frame: pd.DataFrame) -> int:
    """Give the most frequent time between two samples of a node, s; 0 if no node has two.

    Examples
    --------
    >>> node = pd.Categorical.from_codes([0, 0, 0, 1], ["a", "b"])
    >>> usual_interval(rows.frame(np.array([0, 30, 60, 90]), node, {}))
    30
    """
    time = frame["time"].to_numpy().view("int64")
    code = frame["node"].cat.codes.to_numpy()
    steps, often = np.unique(np.diff(time)[code[1:] == code[:-1]], return_counts=True)
    return int(steps[often.argmax()]) if len(steps) else 0
