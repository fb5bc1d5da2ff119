"""Generated telemetry in the layouts in which the papers' data were published."""

import json
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from restudy.telemetry.generator import cluster
from restudy.telemetry.generator.layouts import (
    NOTE,
    Task,
    columns,
    days_a_file,
    groups,
    node_column,
    replace,
    write_jobs,
    write_parts,
)
from restudy.telemetry.generator.recipe import Recipe
from restudy.telemetry.metrics import METRICS, TelemetryError

# A selection for the layouts that take much more room a value.
FEW: tuple[str, ...] = ("node_power_usage", "node_load1", "node_ambient_temp", "node_procs_running")


def write_published_node_table(
    folder: Path, recipe: Recipe, *, executor: Executor | None = None
) -> Path:
    """Write the 91 columns of ``prom_table_cleaned.parquet`` (doi:10.5281/zenodo.11028933).

    ``id``, ``timestamp``, ``node`` and 88 metrics, all floats; a GPU metric of a node or slot
    without a GPU is 0. In a folder of ``part-<first day>-<group>.parquet``, with ``jobs.parquet``.
    Raises TelemetryError as `write_node_table` does.
    """
    write_parts(folder, recipe, tuple(METRICS), _published, executor=executor)
    write_jobs(folder / "jobs.parquet", recipe)
    return folder


def write_long(
    folder: Path,
    recipe: Recipe,
    *,
    metrics: Sequence[str] = FEW,
    executor: Executor | None = None,
) -> Path:
    """Write one row a value: ``timestamp``, ``node``, ``metric``, ``value``; unknown ones left out.

    Raises TelemetryError as `write_node_table` does.
    """
    write_parts(folder, recipe, metrics, _long, executor=executor)
    write_jobs(folder / "jobs.parquet", recipe)
    return folder


def write_metric_folders(
    folder: Path,
    recipe: Recipe,
    *,
    metrics: Sequence[str] = FEW,
    executor: Executor | None = None,
) -> Path:
    """Write the layout of the data of arXiv 2107.11832 (doi:10.5281/zenodo.4459519).

    One file a metric and day, ``<metric>/<first>_<last>.parquet``: the index is s since 1970, one
    column a node, -1 (for metrics of GPUs 0) where unknown. Of the planted faults it has
    restarts, gaps, absurd and stuck values. Raises TelemetryError as `write_node_table` does.
    """
    if unknown := [name for name in metrics if name not in METRICS]:
        raise TelemetryError(f"the generator has no metrics {', '.join(unknown)}.")
    work = [(metric, day) for metric in metrics for day in range(recipe.days)]
    for metric in metrics:
        (folder / metric).mkdir(parents=True, exist_ok=True)
    run = map if executor is None else executor.map
    count = len(work)
    for _ in run(
        _write_metric, [folder] * count, [recipe] * count, *map(list, zip(*work, strict=True))
    ):
        pass
    write_jobs(folder / "jobs.parquet", recipe)
    return folder


def _published(task: Task) -> pa.Table:
    made, place = columns(task)
    every, step = cluster.nodes(task.recipe), days_a_file(task.recipe, len(task.metrics))
    before = task.days.start // step * len(every) + every.index(task.nodes[0])
    first = before * step * 2 * task.recipe.samples  # faults double a row at most
    ids = pa.array(first + np.arange(len(place))).cast(pa.decimal128(20, 0))
    arrays = {
        "id": ids,
        "timestamp": pa.array(made["time"] * 1_000_000).cast(pa.timestamp("us")),
        "node": node_column(task, place).cast(pa.string()),
    }
    kinds = {
        "timestamp_seconds": "int64",
        "timestamp_seconds_delta": "float32",
        "gpu_node": "int32",
    }
    absent = np.zeros(len(place))
    for name in task.metrics:
        values = np.nan_to_num(made.get(name, absent)) if name.startswith("nvidia") else made[name]
        arrays[name] = pa.array(values.astype(kinds.get(name, "float64")))
    return pa.table(arrays)


def _long(task: Task) -> pa.Table:
    made, place = columns(task)
    nodes = node_column(task, place)
    time = pa.array(made["time"] * 1000).cast(pa.timestamp("ms"))
    names = pa.array(task.metrics)
    pieces = []
    for code, name in enumerate(task.metrics):
        if name not in made:
            continue
        codes = pa.array(np.full(len(place), code, "int32"))
        piece = {
            "timestamp": time,
            "node": nodes,
            "metric": pa.DictionaryArray.from_arrays(codes, names),
            "value": pa.array(made[name].astype("float64"), from_pandas=True),
        }
        pieces.append(pa.table(piece).drop_null())
    return pa.concat_tables(pieces) if pieces else pa.table({"timestamp": time[:0]})


def _write_metric(folder: Path, recipe: Recipe, metric: str, day: int) -> None:
    begin = recipe.first + day * 86_400
    last = begin + 86_400 - recipe.interval_s
    path = folder / metric / f"{begin}_{last}.parquet"
    note = json.dumps([asdict(recipe), metric], sort_keys=True).encode()
    if path.exists():
        if (pq.read_schema(path).metadata or {}).get(NOTE) != note:
            raise TelemetryError(
                f"{path} was made from another recipe; take another folder or delete it."
            )
        return
    unknown = 0.0 if metric.startswith("nvidia") else -1.0
    index = pd.Index(begin + recipe.interval_s * np.arange(recipe.samples))
    wide: dict[str, np.ndarray] = {}
    for nodes in groups(recipe):
        if metric.startswith("nvidia") and not nodes[0].is_gpu:
            continue
        values = np.full((len(nodes), recipe.samples), unknown)
        if not nodes[0].is_gpu or day >= recipe.gpu_delay:
            made, place = columns(Task(recipe, nodes, range(day, day + 1), (metric,), path))
            row = (made["time"] - begin) // recipe.interval_s
            inside = row >= 0
            values[place[inside], row[inside]] = made[metric][inside]
        wide |= {node.name: values[i] for i, node in enumerate(nodes)}
    frame = pd.DataFrame(wide, index=index).fillna(unknown)
    table = pa.Table.from_pandas(frame)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), NOTE: note})
    replace(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))
