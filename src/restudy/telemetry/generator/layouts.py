"""Generated telemetry on disk: a file holds some days of a group of nodes, written side by side."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from restudy.telemetry import runs, store
from restudy.telemetry.generator import cluster, faults, physics, schedule
from restudy.telemetry.generator.cluster import Node
from restudy.telemetry.generator.recipe import Recipe
from restudy.telemetry.metrics import METRICS, TelemetryError, dtype
from restudy.telemetry.samples import Telemetry
from restudy.traces import parquet

GROUP_ROWS = 46_080  # of a group's day at most: 16 nodes at 30 s
FILE_VALUES = 2**22  # of a file, about: bounds the memory of a task, whatever the number of metrics
GROUP_NODES = 64  # whose jobs `timeline` keeps in memory
RUN_DAYS = 8  # of a group that one call makes at most, so that its jobs are seldom drawn again
NOTE = b"restudy.recipe"  # key in a file's metadata


@dataclass(frozen=True)
class Task:
    """A file to write: the metrics of some nodes on some days."""

    recipe: Recipe
    nodes: tuple[Node, ...]
    days: range
    metrics: tuple[str, ...]
    path: Path


def write_node_table(
    folder: Path,
    recipe: Recipe,
    *,
    metrics: Sequence[str] = tuple(METRICS),
    executor: Executor | None = None,
) -> Path:
    """Write a cluster's metrics and jobs as the package's own store.

    Parameters
    ----------
    folder : pathlib.Path
        Made if absent. It then holds ``parts/part-<first day>-<group>.parquet``,
        ``telemetry.json`` and ``jobs.parquet``.
    recipe : Recipe
        The cluster.
    metrics : sequence of str
        Names in `restudy.telemetry.metrics.METRICS`.
    executor : concurrent.futures.Executor, optional
        Runs one call a file: a thread or process pool, or ``client.get_executor()`` of Dask. The
        bytes do not depend on it.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    TelemetryError
        If a metric is unknown, or the folder holds files of another recipe or other metrics.

    Notes
    -----
    A file is complete when it has its name; a second call makes the missing ones. A task takes
    less than 300 MB. With planted faults the rows are as `faults.spoil` leaves them: a store to
    clean, not one to analyse.
    """
    write_parts(folder / store.PARTS, recipe, metrics, own_table, executor=executor)
    paths = sorted((folder / store.PARTS).glob("part-*.parquet"))
    telemetry = Telemetry(
        name=f"generated-{recipe.nodes}-{recipe.days}-{recipe.seed}",
        title=f"Generated metrics, {recipe.nodes} nodes, {recipe.days} days",
        parts=tuple(store.part(path, metrics) for path in paths),
        metrics=tuple(metrics),
        nodes=tuple(node.name for node in cluster.nodes(recipe)),
        interval_s=recipe.interval_s,
        clock="UTC",
        real=False,
        dataset=None,
    )
    store.describe(telemetry, folder)
    write_jobs(folder / "jobs.parquet", recipe)
    return folder


def write_jobs(path: Path, recipe: Recipe) -> Path:
    """Write the job table of a cluster; kept if it is there."""
    if not path.exists():
        jobs = schedule.job_table(recipe)
        table = pa.Table.from_pandas(jobs, preserve_index=False).cast(parquet.schema())
        parquet.write_parquet(table, path)
    return path


def write_parts(
    folder: Path,
    recipe: Recipe,
    metrics: Sequence[str],
    table: Callable[[Task], pa.Table],
    *,
    executor: Executor | None,
) -> None:
    """Write one file for some days of a group of nodes, in the layout that `table` gives."""
    if unknown := [name for name in metrics if name not in METRICS]:
        raise TelemetryError(
            f"the generator has no metrics {', '.join(unknown)}; it has those of the published "
            "node table, restudy.telemetry.metrics.METRICS."
        )
    folder.mkdir(parents=True, exist_ok=True)
    planned = list(tasks(folder, recipe, tuple(metrics)))
    expected = {task.path: note(task) for task in planned}
    for path in sorted(folder.glob("part-*.parquet")):
        if (pq.read_schema(path).metadata or {}).get(NOTE) != expected.get(path):
            raise TelemetryError(
                f"{path} was made from another recipe or has other metrics; take another folder "
                "or delete it."
            )
    missing = [task for task in planned if not task.path.exists()]
    runs = list(_runs(missing))
    run = map if executor is None else executor.map
    for _ in run(_write_run, runs, [table] * len(runs)):
        pass


def tasks(folder: Path, recipe: Recipe, metrics: tuple[str, ...]) -> Iterator[Task]:
    """Name the files: a group's days follow each other, so that its jobs are drawn once."""
    step = days_a_file(recipe, len(metrics))
    for number, nodes in enumerate(groups(recipe)):
        first = recipe.gpu_delay if nodes[0].is_gpu else 0
        for begin in range(first // step * step, recipe.days, step):
            days = range(max(begin, first), min(begin + step, recipe.days))
            path = folder / f"part-{days.start:04d}-{number:04d}.parquet"
            yield Task(recipe, nodes, days, metrics, path)


def days_a_file(recipe: Recipe, metrics: int) -> int:
    """Give the number of days of a whole group whose rows of so many metrics fit into a file."""
    rows = max(GROUP_ROWS, FILE_VALUES // (metrics + 2))  # and time and node
    return min(RUN_DAYS, max(1, rows // (group_size(recipe) * recipe.samples)))


def group_size(recipe: Recipe) -> int:
    """Give the number of nodes of a whole group."""
    return min(GROUP_NODES, max(1, GROUP_ROWS // recipe.samples))


def groups(recipe: Recipe) -> list[tuple[Node, ...]]:
    """Cut the nodes into groups that all have GPUs or all have none, each in order of names."""
    size = group_size(recipe)
    found = []
    for gpu in (False, True):
        nodes = [node for node in cluster.nodes(recipe) if node.is_gpu == gpu]
        found += [tuple(nodes[at : at + size]) for at in range(0, len(nodes), size)]
    return found


def note(task: Task) -> bytes:
    """Give what a file's metadata say of its origin."""
    return json.dumps([asdict(task.recipe), task.metrics], sort_keys=True).encode()


def columns(task: Task) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Make a task's rows with the planted faults.

    Returns
    -------
    columns : dict of str to numpy.ndarray, shape (rows,)
        ``time`` (s since 1970) and the metrics that the nodes have, in order of node and time.
    place : numpy.ndarray of int64, shape (rows,)
        Place of each row's node in the task.
    """
    days = [_columns_of_day(task, day) for day in task.days]
    made = {name: np.concatenate([day[name] for day in days]) for name in days[0]}
    order = np.argsort(made["place"], kind="stable")  # the days of a node follow each other
    made = {name: values[order] for name, values in made.items()}
    return made, made.pop("place")


def _columns_of_day(task: Task, day: int) -> dict[str, np.ndarray]:
    recipe, nodes = task.recipe, task.nodes
    begin = recipe.first + day * 86_400
    made: dict[str, np.ndarray] = {
        "time": np.tile(begin + recipe.interval_s * np.arange(recipe.samples), len(nodes)),
        "place": np.repeat(np.arange(len(nodes)), recipe.samples),
    }
    for name, values in physics.metrics(recipe, nodes, day, task.metrics).items():
        made[name] = values.ravel()
    return faults.spoil(recipe, nodes, day, made)


def own_table(task: Task) -> pa.Table:
    """Make the table of the package's own store: time, node, metrics, null where not known."""
    made, place = columns(task)
    rows = len(place)
    arrays = {"time": pa.array(made["time"] * 1000).cast(pa.timestamp("ms"))}
    arrays["node"] = node_column(task, place)
    for name in task.metrics:
        kind = pa.from_numpy_dtype(dtype(name))
        known = made.get(name)
        arrays[name] = pa.nulls(rows, kind) if known is None else pa.array(known, kind)
    names = [node.name for node in task.nodes]
    return pa.table(arrays).replace_schema_metadata(runs.note(made["time"], place, names))


def node_column(task: Task, place: np.ndarray) -> pa.Array:
    """Name each row's node; the dictionary is that of the whole cluster."""
    names = [node.name for node in cluster.nodes(task.recipe)]
    codes = np.searchsorted(names, [node.name for node in task.nodes]).astype("int32")
    return pa.DictionaryArray.from_arrays(pa.array(codes[place]), pa.array(names))


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name, then give it its own."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_run(run: Sequence[Task], table: Callable[[Task], pa.Table]) -> None:
    for task in run:
        _write(task, table)


def _runs(missing: Sequence[Task]) -> Iterator[list[Task]]:
    """Cut tasks into runs of some days of one group."""
    for _, group in groupby(missing, key=lambda task: task.nodes):
        whole = list(group)
        files = RUN_DAYS // days_a_file(whole[0].recipe, len(whole[0].metrics))
        for at in range(0, len(whole), files):
            yield whole[at : at + files]


def _write(task: Task, table: Callable[[Task], pa.Table]) -> None:
    made = table(task)
    made = made.replace_schema_metadata({**(made.schema.metadata or {}), NOTE: note(task)})
    repeated = [
        name for name in ("time", "timestamp", "node", "metric") if name in made.schema.names
    ]
    replace(
        task.path,
        lambda path: pq.write_table(
            made, path, compression="zstd", compression_level=1, use_dictionary=repeated
        ),
    )
