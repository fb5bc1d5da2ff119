"""Where jobs come from: registered files, a user's own, or the generator.

Every reader gives a `JobTrace` whose jobs are lazy and whose clock is told, not mended; `to_local`
mends it. Registered files come from the cache or the mirror (`restudy.data`).
"""

import dataclasses
import hashlib
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from restudy import data
from restudy.traces import generator, hardware, parquet, sacct, sacct_layout
from restudy.traces.jobs import (
    COLUMNS,
    PAPER_GPU_NODES,
    JobTrace,
    TraceError,
    gpu_names,
    is_ml,
)
from restudy.traces.lisa_week import (
    TASKS,
    PowerSeries,
    WeekLoad,
    lisa_week_load,
    lisa_week_power,
)
from restudy.traces.prepared import no_rejected, prepare, required, write_frames
from restudy.traces.summertime import LISA_CLOCK, to_local

__all__ = [
    "CHOICES",
    "LISA_CLOCK",
    "XDMOD",
    "NodeHardware",
    "PowerSeries",
    "WeekLoad",
    "acme_summary",
    "generated",
    "lisa_halfyear",
    "lisa_week",
    "lisa_week_load",
    "lisa_week_power",
    "node_hardware",
    "to_local",
    "traces",
    "user_sacct",
    "user_table",
    "xdmod",
    "zenodo_jobs",
]

CHOICES: tuple[str, ...] = ("auto", "generated", "lisa", "xdmod", "zenodo")
XDMOD: tuple[str, ...] = ("phillips", "pozidriv")

_ZENODO = {
    "id": "text or whole numbers",
    "start_date": "times without time zone",
    "end_date": "times without time zone",
    "node": "text",
    "nodetypes": "text",
    "numnodes": "whole numbers",
    "numcores": "whole numbers",
    "state": "text",
}


@dataclass(frozen=True)
class NodeHardware:
    """Hardware of each node of Lisa.

    Attributes
    ----------
    table : pandas.DataFrame
        Columns of `hardware.COLUMNS`.
    title : str
        Where it comes from.
    dataset : str or None
        Name in the data registry; None for the table printed in the authors' notebook.
    """

    table: pd.DataFrame
    title: str
    dataset: str | None


def traces(choice: str, *, gpu_nodes: str, seed: int, scale: float) -> tuple[JobTrace, ...]:
    """Give the job traces that a chapter runs on.

    Parameters
    ----------
    choice : str
        ``"auto"``: every real source at hand, and the generator; ``"lisa"``, ``"xdmod"``,
        ``"zenodo"``, ``"generated"``: these only; or the path of a file printed by sacct, of a
        Parquet job table, or of the published table under another name.
    gpu_nodes : str
        Node list of the GPU nodes of a trace given by path (``gpu[1-40]``); else empty.
    seed, scale : int, float
        For the generator.

    Returns
    -------
    tuple of JobTrace
        Real ones first.

    Raises
    ------
    TraceError
        If the choice is unknown, its file is absent, damaged or empty, or `gpu_nodes` has no
        meaning.
    """
    if choice not in CHOICES:
        return (_by_path(choice, gpu_nodes),)
    if gpu_nodes:
        raise TraceError(
            f"gpu_nodes={gpu_nodes!r} belongs to a trace of your own, but trace={choice!r}; "
            "give trace=PATH, or leave gpu_nodes empty."
        )
    if choice == "lisa":
        return (lisa_halfyear(),)
    if choice == "xdmod":
        return tuple(xdmod(name) for name in XDMOD)
    if choice == "zenodo":
        return (zenodo_jobs(),)
    real: list[JobTrace] = []
    if choice == "auto":
        if data.available("lisa-slurm-table"):
            real.append(zenodo_jobs())
        if data.available("lisa-halfyear-tasks"):
            real.append(lisa_halfyear())
        real += [xdmod(name) for name in XDMOD if data.available(f"xdmod-{name}")]
    return (*real, generated(scale, seed))


def _by_path(choice: str, gpu_nodes: str) -> JobTrace:
    path = Path(choice).expanduser()
    if not path.exists():
        raise TraceError(
            f"trace={choice!r} is no file and no known source; "
            f"use {', '.join(CHOICES)} or the path of a job trace."
        )
    if path.is_dir() or _is_parquet(path):
        names = parquet.arrow_schema(parquet.files(path)[0]).names
        if {"start_date", "nodetypes"} <= set(names):
            return zenodo_jobs(path, gpu_nodes=gpu_nodes)
        return user_table(path, gpu_nodes=gpu_nodes)
    return user_sacct(path, gpu_nodes)


def _is_parquet(path: Path) -> bool:
    if path.suffix == ".parquet":
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError as error:
        raise TraceError(
            f"{path} cannot be read ({error.strerror}); give a readable file."
        ) from error


def lisa_halfyear() -> JobTrace:
    """Give the 16-core jobs of Lisa's CPU nodes, July to October 2022.

    Start, end and cores only; the clock is that of the published joined table, which took the
    offset from local time off twice.

    Raises
    ------
    TraceError
        If the file is not at hand or not the expected one.
    """
    return _lisa("lisa-halfyear", "lisa-halfyear-tasks", "Lisa, July-October 2022 (16-core jobs)")


def lisa_week() -> JobTrace:
    """Give Lisa's 16-core jobs of the week of the power measurement, 7 to 13 October 2022.

    Jobs that were running at its begin start there. Raises as `lisa_halfyear`.
    """
    return _lisa("lisa-week", "lisa-week-all-tasks", "Lisa, 7-13 October 2022 (16-core jobs)")


def _lisa(name: str, dataset: str, title: str) -> JobTrace:
    path = required(dataset)

    def build(folder: Path) -> pd.DataFrame:
        write_frames(map(_from_tasks, _task_frames(path)), folder)
        return no_rejected()

    jobs, rejected = prepare(name, {"sha256": data.fingerprint(dataset)}, build)
    return JobTrace(name, title, jobs, LISA_CLOCK, True, dataset, rejected)


def _task_frames(path: Path) -> Iterator[pd.DataFrame]:
    found = parquet.arrow_schema(path)
    parquet.require(found, {**TASKS}, path.name)
    numeric = "submission_time" in found.names and str(
        found.field("submission_time").type
    ).startswith("int")
    kind = "whole numbers" if numeric else "times without time zone"
    return parquet.frames([path], {**TASKS, "submission_time": kind})


def _from_tasks(tasks: pd.DataFrame) -> pd.DataFrame:
    start = tasks["submission_time"]  # named so, but it is the start (the source says)
    begin = start.to_numpy()
    if begin.dtype.kind == "M":
        begin = begin.astype("datetime64[ms]").astype("int64")
    end = (begin + tasks["duration"].to_numpy()) // 1000
    return _job_table(
        len(tasks),
        job_id=tasks["id"].astype("string").to_numpy(),
        start=(begin // 1000).astype("datetime64[s]"),
        end=end.astype("datetime64[s]"),
        cores=tasks["cpu_count"].to_numpy(),
        is_ml=np.zeros(len(tasks), bool),
    )


def _job_table(rows: int, **columns: object) -> pd.DataFrame:
    """Job table with the given columns, the others null."""
    null = dict.fromkeys(COLUMNS, pd.array([None] * rows, dtype="object"))
    return pd.DataFrame(null | columns)[list(COLUMNS)].astype(COLUMNS)


def xdmod(name: str) -> JobTrace:
    """Give the jobs of a real cluster that Open XDMoD publishes for its tests.

    Parameters
    ----------
    name : str
        ``"phillips"`` or ``"pozidriv"``.

    Returns
    -------
    JobTrace
        Times in local time.

    Raises
    ------
    TraceError
        If the name is unknown or the file is not at hand.
    """
    if name not in XDMOD:
        raise TraceError(f"there is no xdmod trace {name!r}; use {' or '.join(XDMOD)}.")
    dataset = f"xdmod-{name}"
    title = f"{name} (Open XDMoD), jobs ended at the turn of 2016"
    trace = user_sacct(required(dataset), "")
    return dataclasses.replace(trace, name=dataset, title=title, dataset=dataset)


def user_sacct(path: Path, gpu_nodes: str) -> JobTrace:
    """Give the jobs of a file printed by sacct.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    gpu_nodes : str
        Node list of the GPU nodes; if empty, a job is an ML job if it was given a GPU.

    Returns
    -------
    JobTrace
        Times as printed: in local time, or in UTC where they are seconds since 1970.

    Raises
    ------
    TraceError
        If the file is no output of sacct or holds no job.
    """

    def build(folder: Path) -> pd.DataFrame:
        return sacct.sacct_to_parquet(path, folder, gpu_nodes=gpu_nodes or None)

    inputs = {"sha256": _digest([path]), "gpu_nodes": gpu_nodes}
    jobs, rejected = prepare("sacct", inputs, build)
    with path.open("rb") as file:
        sample = file.read(2**20).removeprefix(sacct_layout.BOM)
    clock = "UTC" if sacct_layout.sniff(sample, path.name, None).epoch else "local"
    return JobTrace(f"sacct:{path.name}", path.name, jobs, clock, True, None, rejected)


def user_table(path: Path, *, gpu_nodes: str = "") -> JobTrace:
    """Give the jobs of a Parquet job table (a file or a folder of parts).

    Parameters
    ----------
    path : pathlib.Path
        Columns of `jobs.COLUMNS`; whole numbers of any width, times of any resolution.
    gpu_nodes : str
        Node list of the GPU nodes: tells ML jobs anew, and `is_ml` may be absent.

    Returns
    -------
    JobTrace
        Times as in the file, taken for local time.

    Raises
    ------
    TraceError
        If a file is damaged, empty, or lacks or mistypes columns.
    """
    paths = parquet.files(path)
    gpu = gpu_names(gpu_nodes) if gpu_nodes else None
    kinds = {
        name: kind for name, kind in parquet.JOB_TABLE.items() if not (gpu and name == "is_ml")
    }

    def adapt(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(is_ml=is_ml(frame["node_list"], gpu)) if gpu else frame

    def build(folder: Path) -> pd.DataFrame:
        write_frames(map(adapt, parquet.frames(paths, kinds)), folder)
        return no_rejected()

    jobs, rejected = prepare("table", {"sha256": _digest(paths), "gpu_nodes": gpu_nodes}, build)
    return JobTrace(f"table:{path.name}", path.name, jobs, "local", True, None, rejected)


def zenodo_jobs(path: Path | None = None, *, gpu_nodes: str = "") -> JobTrace:
    """Give the paper's own job table, ``slurm_table_cleaned.parquet``.

    Both published namings are read: time of submission ``submit_date`` or ``submit``, partitions
    ``normal`` or ``normal(1)``.

    Parameters
    ----------
    path : pathlib.Path, optional
        The file, or a folder of its parts; by default the registered one.
    gpu_nodes : str
        Node list of the GPU nodes; by default the paper's.

    Returns
    -------
    JobTrace
        Times in UTC.

    Raises
    ------
    TraceError
        If the file is not at hand, damaged, empty, or lacks or mistypes columns.
    """
    dataset = "lisa-slurm-table" if path is None else None
    paths = parquet.files(path or required("lisa-slurm-table"))
    names = parquet.arrow_schema(paths[0]).names
    submit = "submit" if "submit" in names and "submit_date" not in names else "submit_date"
    gpu = gpu_names(gpu_nodes) if gpu_nodes else PAPER_GPU_NODES

    def adapt(frame: pd.DataFrame) -> pd.DataFrame:
        return _job_table(
            len(frame),
            job_id=frame["id"].astype("string").to_numpy(),
            submit=frame[submit].to_numpy("datetime64[s]"),
            start=frame["start_date"].to_numpy("datetime64[s]"),
            end=frame["end_date"].to_numpy("datetime64[s]"),
            # "CANCELLED by 1234": the state is the first word.
            state=frame["state"].astype("string").str.split().str[0].str.upper().to_numpy(),
            nodes=frame["numnodes"].astype("Int32").array,
            cores=frame["numcores"].astype("Int32").array,
            node_list=frame["node"].astype("string").array,
            partition=_partition(frame["nodetypes"]),
            is_ml=is_ml(frame["node"], gpu).array,
        )

    def build(folder: Path) -> pd.DataFrame:
        kinds = {**_ZENODO, submit: "times without time zone"}
        write_frames(map(adapt, parquet.frames(paths, kinds)), folder)
        return no_rejected()

    inputs = {"sha256": _digest(paths), "gpu_nodes": gpu_nodes}
    jobs, rejected = prepare("zenodo", inputs, build)
    title = "Lisa, December 2021 - November 2022 (published table)"
    return JobTrace("zenodo", title, jobs, "UTC", True, dataset, rejected)


def _partition(nodetypes: pd.Series) -> object:
    return nodetypes.astype("string").str.replace(r"\(\d+\)", "", regex=True).array


def generated(scale: float, seed: int, *, executor: Executor | None = None) -> JobTrace:
    """Give generated jobs with the published distributions; not real ones.

    Parameters
    ----------
    scale : float
        Times 1,596,963 jobs.
    seed : int
        Same seed, same jobs.
    executor : concurrent.futures.Executor, optional
        Makes the files in parallel.

    Returns
    -------
    JobTrace
        Times in UTC.

    Raises
    ------
    TraceError
        If scale or seed is out of range.
    """
    recipe = generator.Recipe(seed=seed, scale=scale)

    def build(folder: Path) -> pd.DataFrame:
        generator.write(folder, recipe, executor=executor)
        return no_rejected()

    jobs, rejected = prepare("generated", dataclasses.asdict(recipe), build)
    title = "generated (published distributions)"
    return JobTrace("generated", title, jobs, "UTC", False, None, rejected)


def node_hardware(path: Path | None = None) -> NodeHardware:
    """Give the hardware of Lisa's nodes for Tables 1 and 2.

    Parameters
    ----------
    path : pathlib.Path, optional
        A ``node_hardware_info.parquet``; by default the registered file if it is at hand, else
        the table printed in the authors' notebook.

    Returns
    -------
    NodeHardware
        The table and where it comes from.

    Raises
    ------
    TraceError
        If the file is damaged or lacks or mistypes columns.
    """
    dataset = "lisa-node-hardware"
    found = path or data.available(dataset)
    if found is None:
        return NodeHardware(hardware.inventory(), "printed in the authors' notebook", None)
    text = {"node", "cpu_model", "gpu_model"}
    kinds = {name: "text" if name in text else "numbers" for name in hardware.COLUMNS}
    table = parquet.read(found, kinds)
    hardware.validate(table)
    return NodeHardware(table, found.name, dataset if path is None else None)


def acme_summary() -> pd.DataFrame:
    """Give the outcome of CPU and GPU jobs on five other GPU clusters, an outside check.

    Returns
    -------
    pandas.DataFrame
        The published table, index: cluster. Rates are shares of jobs or of GPU time, times are
        seconds; NaN where a cluster has no such jobs or does not tell.

    Raises
    ------
    TraceError
        If the file is not at hand or is not this table.
    """
    path = required("acme-summary")
    table = pd.read_csv(path)
    if "id" not in table.columns:
        found = ", ".join(table.columns)
        raise TraceError(f"{path.name} has the columns {found}; expected id and rates by cluster.")
    return table.set_index("id")


def _digest(paths: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise TraceError(
                f"{path} cannot be read ({error.strerror}); give a readable file."
            ) from error
    return whole.hexdigest()
