"""Metrics joined with jobs: a row a node, time and job (arXiv 2409.08949), back in two tables.

Memory is that of one part's columns in need; of a deflated member of a zip archive also the
unpacked member, some 100 MB in the published one of 200 members. The jobs are held as a whole:
some 300,000 rows.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from restudy.telemetry import clocks
from restudy.telemetry.clocks import Clock
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.node_table import PART_ROWS, wide_table
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.source import Source, find, is_text, require, telling
from restudy.traces import nodelist
from restudy.traces.jobs import COLUMNS, PAPER_GPU_NODES, is_ml
from restudy.traces.summertime import LISA_CLOCK

_PLAIN = ("start_date", "end_date", "nodetypes", "numnodes", "numcores", "state")
_KINDS = {
    "start_date": "times",
    "end_date": "times",
    "nodetypes": "text",
    "numnodes": "numbers",
    "numcores": "numbers",
    "state": "text",
}


def joined_table(
    path: Path,
    *,
    clock: str = LISA_CLOCK,
    timezone: str = "",
    interval_s: int | None = None,
    gpu_nodes: frozenset[str] = PAPER_GPU_NODES,
    part_rows: int = PART_ROWS,
) -> Telemetry:
    """Give the node metrics of the joined table, one row a node and time.

    Parameters
    ----------
    path : pathlib.Path
        Folder of Parquet parts, or the zip archive of them, which is read in place.
    clock : str
        What the times are; those of the published table are UTC minus the local offset.
    timezone : str
        Zone of times that have none.
    interval_s : int, optional
        Seconds between two samples of a node; by default the most frequent one.
    gpu_nodes : frozenset of str
        Nodes with GPUs, where there is no column ``gpu_node``.
    part_rows : int
        A part has at most as many rows, but one row group at least.

    Returns
    -------
    Telemetry
        The rows of a node and time are joined within a part. Where the jobs of one sample lie in
        several files, `ingest` joins them.

    Raises
    ------
    TelemetryError
        If a file is absent, damaged, or lacks or mistypes columns.
    """
    sources = find(path)
    require(sources[0], sources[0].schema(), {"slurm_id": "numbers"})
    return wide_table(
        sources,
        name=f"joined:{path.name}",
        clock=Clock(timezone),
        said="UTC" if timezone else clock,
        interval_s=interval_s,
        gpu_nodes=gpu_nodes,
        part_rows=part_rows,
    )


def joined_jobs(
    path: Path, *, gpu_nodes: frozenset[str] = PAPER_GPU_NODES, part_rows: int = PART_ROWS
) -> pd.DataFrame:
    """Give the distinct jobs of the joined table.

    Parameters
    ----------
    path : pathlib.Path
        As for `joined_table`.
    gpu_nodes : frozenset of str
        A job with one of these nodes is an ML job.
    part_rows : int
        Rows that are read at a time.

    Returns
    -------
    pandas.DataFrame
        Columns of `restudy.traces.jobs.COLUMNS`, in order of the jobs' numbers; times as in the
        table. Jobs without a sample are not in the table.

    Raises
    ------
    TelemetryError
        If a file is absent, damaged, lacks or mistypes columns, or parts differ about a job.
    """
    sources = find(path)
    found: list[pd.DataFrame] = []
    for source in sources:
        schema = source.schema()
        columns = _columns(source, schema)
        with source.open() as file, telling(source.name):
            batches = file.iter_batches(part_rows, columns=columns)
            found.extend(_distinct(pa.Table.from_batches([batch])) for batch in batches)
        found = [pd.concat(found, ignore_index=True).drop_duplicates(ignore_index=True)]
    jobs = found[0].sort_values("number", ignore_index=True)
    if (twice := jobs["number"][jobs["number"].duplicated()]).any():
        raise TelemetryError(
            f"job {twice.iloc[0]} has two descriptions in {path.name}; expected the same start, "
            "end, nodes and state in all of its rows."
        )
    return _job_table(jobs, gpu_nodes)


def _columns(source: Source, schema: pa.Schema) -> list[str]:
    """Name the columns of the jobs in either published naming."""
    submit = "submit" if "submit" in schema.names else "submit_date"
    require(source, schema, {"slurm_id": "numbers", submit: "times", **_KINDS})
    kind = schema.field("slurm_nodes").type if "slurm_nodes" in schema.names else pa.null()
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or is_text(kind)):
        raise TelemetryError(
            f"{source.name} has slurm_nodes of type {kind}; expected a list of node names or a "
            "Slurm node list."
        )
    return ["slurm_id", submit, *_PLAIN, "slurm_nodes"]


def _distinct(table: pa.Table) -> pd.DataFrame:
    """One row a job of a batch; node names as one text."""
    number = pd.Series(table["slurm_id"].cast(pa.int64()).to_numpy())
    first = table.take(pa.array((~number.duplicated()).to_numpy().nonzero()[0]))
    submit = "submit" if "submit" in first.column_names else "submit_date"
    times = {
        name: clocks.seconds(first[column]).view("datetime64[s]")
        for name, column in (("submit", submit), ("start", "start_date"), ("end", "end_date"))
    }
    plain = {name: first[name].to_pandas().astype("string") for name in ("nodetypes", "state")}
    counts = {name: first[name].to_pandas().astype("Int32") for name in ("numnodes", "numcores")}
    jobs = pd.DataFrame({**times, **plain, **counts})
    jobs["number"] = first["slurm_id"].cast(pa.int64()).to_numpy()
    jobs["node_list"] = [_text(nodes) for nodes in first["slurm_nodes"].to_pylist()]
    return jobs


def _text(nodes: Sequence[str] | str | None) -> str | None:
    if nodes is None or isinstance(nodes, str):
        return nodes
    return nodelist.compress(nodes)


def _job_table(jobs: pd.DataFrame, gpu_nodes: frozenset[str]) -> pd.DataFrame:
    lists = jobs["node_list"].astype("string")
    columns = {
        "job_id": jobs["number"].astype("string"),
        "submit": jobs["submit"],
        "start": jobs["start"],
        "end": jobs["end"],
        "state": jobs["state"].str.split().str[0].str.upper(),  # "CANCELLED by 1234"
        "nodes": jobs["numnodes"],
        "cores": jobs["numcores"],
        "node_list": lists,
        "partition": jobs["nodetypes"].str.replace(r"\(\d+\)", "", regex=True),
        "user": pd.array([None] * len(jobs), dtype="string"),
        "is_ml": is_ml(lists, gpu_nodes),
    }
    return pd.DataFrame(columns).astype(COLUMNS)
