"""A folder a metric, a file a time range, a column a node (arXiv 2107.11832).

``<metric>/<start>_<end>.parquet`` has an index of seconds since 1970 and one column a node; that
of an nvidia metric has one column a node and GPU, named by both. -1 means no measurement, 0 in
nvidia metrics. A row of the frames is a node and time of which at least one of the metrics asked
for is known.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from restudy.telemetry import clocks, rows
from restudy.telemetry.metric_matrix import SLOTS, Matrices, matrices, node_columns, pick
from restudy.telemetry.metrics import TelemetryError, dtype, metric
from restudy.telemetry.node_table import usual_interval
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.source import Source

_FILE = re.compile(r"(\d+)_(\d+)\.parquet")


@dataclass(frozen=True)
class FolderPart:
    """One time range of all metrics.

    Attributes
    ----------
    files : tuple of (str, str)
        Name of each folder (a metric as published) and its file of this range.
    """

    files: tuple[tuple[str, str], ...]

    def rows(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the samples, node by node; only the files and columns needed are read."""
        wanted: dict[str, list[tuple[str, str]]] = {}
        for name in columns:
            base, slot = _of_gpu(name)
            wanted.setdefault(base, []).append((slot, name))
        tables = {
            base: matrices(base, path)
            for base, path in ((metric(folder).name, path) for folder, path in self.files)
            if base in wanted or not columns
        }
        asked = wanted or {base: [("", base)] for base in tables}
        frame = _stacked(tables, asked)
        return frame[["time", "node", *columns]]

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the samples in order of node and time."""
        return rows.tidy(self.rows(columns))


def metric_folders(path: Path, *, interval_s: int | None = None) -> Telemetry:
    """Give the node metrics of a folder with one folder a metric.

    Parameters
    ----------
    path : pathlib.Path
        ``processed-surf-dataset``, or a folder of the old archive, which packs the values of
        four GPUs.
    interval_s : int, optional
        Seconds between two samples of a node; by default the most frequent one.

    Returns
    -------
    Telemetry
        A part is a time range. A GPU metric gives one metric a slot, ``_0`` to ``_3``, in the
        order of a node's columns, and ``_min``, ``_mean``, ``_max`` and ``_sum`` of them.

    Raises
    ------
    TelemetryError
        If there is no such folder, no file in it, or a file is damaged.
    """
    ranges: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for folder, span, found in _files(path):
        ranges.setdefault(span, []).append((folder, str(found)))
    parts = tuple(FolderPart(tuple(files)) for _, files in sorted(ranges.items()))
    if not parts:
        raise TelemetryError(
            f"{path} has no <metric>/<start>_<end>.parquet; give the folder that holds one folder "
            "a metric."
        )
    bases = sorted({metric(folder).name for part in parts for folder, _ in part.files})
    names: set[str] = set()
    for part in parts:
        for folder, file in part.files:
            names.update(node for node, _ in node_columns(Source(file), metric(folder).name))
    small = FolderPart(parts[0].files[:1])
    return Telemetry(
        name=f"folders:{path.name}",
        title=path.name,
        parts=parts,
        metrics=tuple(name for base in bases for name in _given(base)),
        nodes=tuple(sorted(names)),
        interval_s=interval_s or usual_interval(small.read([])),
        clock="UTC",
        real=True,
        dataset=None,
    )


def _files(path: Path) -> Iterator[tuple[str, tuple[int, int], Path]]:
    for folder in sorted(path.iterdir()) if path.is_dir() else []:
        for file in sorted(folder.glob("*.parquet")) if folder.is_dir() else []:
            if match := _FILE.fullmatch(file.name):
                yield folder.name, (int(match[1]), int(match[2])), file


def _given(base: str) -> list[str]:
    """Name the metrics that a published one gives."""
    if not base.startswith("nvidia_"):
        return [base]
    slots = [f"{base}_{slot}" for slot in range(SLOTS)]
    return slots + [f"{base}_{how}" for how in ("min", "mean", "max", "sum")]


def _of_gpu(name: str) -> tuple[str, str]:
    """Split a GPU metric into its published name and the slot or statistic."""
    base, _, slot = name.rpartition("_")
    return (base, slot) if name.startswith("nvidia_") and name in _given(base) else (name, "")


def _stacked(
    tables: Mapping[str, Matrices], wanted: Mapping[str, list[tuple[str, str]]]
) -> pd.DataFrame:
    """Give one row a node and time, node by node, of those with a known value."""
    empty = np.zeros(0, "int64")
    time = np.unique(np.concatenate([empty, *(one.time for one in tables.values())]))
    time = time[time != clocks.UNKNOWN]
    nodes = sorted({node for one in tables.values() for node in one.nodes})
    known = np.zeros((len(nodes), len(time)), bool)
    grids: dict[str, np.ndarray] = {}
    for base, names in wanted.items():
        for slot, name in names:
            grid = np.full((len(nodes), len(time)), np.nan, dtype=dtype(name))
            if one := tables.get(base):
                _place(grid, one, pick(one, slot), time, nodes)
            known |= ~np.isnan(grid)
            grids[name] = grid
    who, when = known.nonzero()
    arrays = {name: grid[who, when] for name, grid in grids.items()}
    return rows.frame(time[when], rows.ordered(who, nodes), arrays)


def _place(
    grid: np.ndarray, one: Matrices, values: np.ndarray, time: np.ndarray, nodes: list[str]
) -> None:
    order = np.argsort(one.time, kind="stable")
    order = order[one.time[order] != clocks.UNKNOWN]
    columns = np.searchsorted(time, one.time[order])
    lines = np.searchsorted(np.array(nodes, dtype=str), one.nodes)
    begin = np.flatnonzero(np.append(True, np.diff(columns) > 0)[: len(columns)])
    if len(begin):  # of a time that is there twice, the largest known value
        largest = np.fmax.reduceat(values[:, order], begin, axis=1)
        grid[np.ix_(lines, columns[begin])] = largest
