"""Jobs from the output of Slurm's `sacct`, of any layout it prints.

The rules, the same for every layout:

- A line is a job, a step of a job (``123.batch``, left out and counted), blank or a header
  (counted), or rejected: kept aside with its number, the reason and its text.
- Times stay as printed: the cluster's local clock, or UTC where the file has seconds since 1970.
  A job may end up to an hour before its start, as the change to winter time makes it. Where the
  file has the elapsed time, ``end - start - elapsed - suspended`` may be off by such an hour;
  a larger contradiction rejects the line.
- A job that was requeued has a line for each execution (``sacct --duplicates``): all are kept.
- Only the fields that make a job table are read; a damaged time limit or name rejects nothing.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from restudy.traces import jobs as job_table
from restudy.traces.sacct_block import LINE_BYTES, SCHEMA, Block, parse, refuse_long
from restudy.traces.sacct_layout import BOM, Layout, SacctError, sniff

__all__ = ["SacctError", "SacctTrace", "read_sacct", "sacct_to_parquet"]

_BLOCK_BYTES = 4 * 2**20
_PART_ROWS = 250_000
_PANDAS_TYPES = {
    pa.string(): pd.StringDtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


@dataclass(frozen=True)
class SacctTrace:
    """The jobs of one `sacct` file.

    Attributes
    ----------
    jobs : pandas.DataFrame
        The job table, in the order of the file.
    rejected : pandas.DataFrame
        Lines that could not be read: ``line`` (from 1), ``reason``, ``text``.
    rows : int
        Lines of the file: ``len(jobs) + len(rejected) + steps + skipped``.
    steps : int
        Lines that are steps of a job.
    skipped : int
        Header and blank lines.
    requeued : int
        Lines whose job id was seen before: further executions of a job.
    clock : str
        ``"local"``, or ``"UTC"`` where times are seconds since 1970.
    """

    jobs: pd.DataFrame
    rejected: pd.DataFrame
    rows: int
    steps: int
    skipped: int
    requeued: int
    clock: str


def read_sacct(
    path: str | Path, *, columns: Sequence[str] | None = None, gpu_nodes: str | None = None
) -> SacctTrace:
    """Read a file printed by `sacct`.

    Parameters
    ----------
    path : path
        Text of ``sacct --parsable2`` or ``--parsable`` (any fields, order and ``--delimiter``),
        the fixed-width table that sacct prints by default, or an Open XDMoD dump without header.
    columns : sequence of str, optional
        Names of the fields of a ``|`` separated file without a header; by default the 26 of
        Open XDMoD.
    gpu_nodes : str, optional
        Node list of the GPU nodes, as ``gpu[1-40]``: a job with any of them is an ML job (the
        paper's rule). Without it a job is an ML job if its trackable resources (AllocTRES, else
        ReqTRES) hold a GPU, and ``is_ml`` is null where the file does not say.

    Returns
    -------
    SacctTrace
        Jobs, rejected lines and counts.

    Raises
    ------
    SacctError
        If there is no such file, it is no text of sacct, lacks the fields of a job, or holds no
        readable job.
    TraceError
        If `gpu_nodes` names no node.
    restudy.traces.nodelist.NodeListError
        If `gpu_nodes` is no node list.

    Notes
    -----
    One pass; about 350,000 lines of 26 fields a second on one core.
    `sacct_to_parquet` needs less memory.
    """
    gpu = None if gpu_nodes is None else job_table.gpu_names(gpu_nodes)
    layout = _layout(Path(path), columns, gpu_nodes)
    blocks = list(_blocks(Path(path), layout, _BLOCK_BYTES))
    jobs = _frame(pa.concat_tables([SCHEMA.empty_table(), *(block.jobs for block in blocks)]), gpu)
    rejected = [row for block in blocks for row in block.rejected]
    _refuse_no_jobs(Path(path), len(jobs), rejected)
    return SacctTrace(
        jobs=jobs,
        rejected=_rejected_frame(rejected),
        rows=sum(block.rows for block in blocks),
        steps=sum(block.steps for block in blocks),
        skipped=sum(block.skipped for block in blocks),
        requeued=int(jobs["job_id"].duplicated().sum()),
        clock="UTC" if layout.epoch else "local",
    )


def sacct_to_parquet(
    path: str | Path,
    folder: str | Path,
    *,
    columns: Sequence[str] | None = None,
    gpu_nodes: str | None = None,
    block_bytes: int = _BLOCK_BYTES,
) -> pd.DataFrame:
    """Write the jobs of a `sacct` file of any size as Parquet files for Dask.

    Parameters
    ----------
    path : path
        As in `read_sacct`.
    folder : path
        Where ``part-00000.parquet`` and so on go, 250,000 jobs each. It appears when all is
        written; a former result there is replaced.
    columns : sequence of str, optional
        As in `read_sacct`.
    gpu_nodes : str, optional
        As in `read_sacct`.
    block_bytes : int
        Bytes of text read at once. It bounds the memory and does not change the result.

    Returns
    -------
    pandas.DataFrame
        The rejected lines: ``line``, ``reason``, ``text``.

    Raises
    ------
    SacctError
        As `read_sacct`, and if the files cannot be written or `folder` holds other files.
    """
    path, folder = Path(path), Path(folder).absolute()
    gpu = None if gpu_nodes is None else job_table.gpu_names(gpu_nodes)
    layout = _layout(path, columns, gpu_nodes)
    if folder.exists() and not (folder.is_dir() and _holds_only_parts(folder)):
        raise SacctError(f"{folder} holds other files; expected a new or empty folder.")
    temporary = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        rejected, rows = _write_parts(_blocks(path, layout, block_bytes), temporary, gpu)
        _refuse_no_jobs(path, rows, rejected)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except OSError as error:
        raise SacctError(
            f"the jobs of {path} cannot be written to {folder} ({error.strerror or error}); "
            "expected a writable folder with free space."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _rejected_frame(rejected)


def _write_parts(
    blocks: Iterator[Block], folder: Path, gpu: frozenset[str] | None
) -> tuple[list[tuple[int, str, str]], int]:
    """Write files of exactly `_PART_ROWS` jobs, so that blocks leave no trace in them."""
    rejected: list[tuple[int, str, str]] = []
    waiting = SCHEMA.empty_table()
    rows = parts = 0
    for block in blocks:
        rejected += block.rejected
        rows += len(block.jobs)
        waiting = pa.concat_tables([waiting, block.jobs])
        while len(waiting) >= _PART_ROWS:
            _write_part(waiting[:_PART_ROWS], folder, parts, gpu)
            waiting = waiting[_PART_ROWS:]
            parts += 1
    if len(waiting):
        _write_part(waiting, folder, parts, gpu)
    return rejected, rows


def _write_part(table: pa.Table, folder: Path, number: int, gpu: frozenset[str] | None) -> None:
    frame = _frame(table, gpu)
    pq.write_table(
        pa.Table.from_pandas(frame, preserve_index=False), folder / f"part-{number:05d}.parquet"
    )


def _holds_only_parts(folder: Path) -> bool:
    return all(child.match("part-*.parquet") for child in folder.iterdir())


def _layout(path: Path, columns: Sequence[str] | None, gpu_nodes: str | None) -> Layout:
    try:
        with path.open("rb") as file:
            sample = file.read(LINE_BYTES).removeprefix(BOM)
    except OSError as error:
        raise SacctError(
            f"{path} cannot be read ({error.strerror}); expected a file printed by sacct."
        ) from error
    layout = sniff(sample, path.name, columns)
    if gpu_nodes is not None and "node_list" not in layout.roles:
        raise SacctError(
            f"{path.name} lacks the field NodeList, which gpu_nodes={gpu_nodes!r} is looked up "
            "in; print it with sacct --format=...,NodeList."
        )
    return layout


def _refuse_no_jobs(path: Path, jobs: int, rejected: list[tuple[int, str, str]]) -> None:
    if jobs:
        return
    if not rejected:
        raise SacctError(f"{path.name} holds no job; expected at least one line of a job.")
    line, reason, _ = rejected[0]
    raise SacctError(
        f"none of the {len(rejected)} lines of {path.name} is a job, the first for this reason: "
        f"line {line}, {reason}"
    )


def _rejected_frame(rejected: list[tuple[int, str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rejected, columns=["line", "reason", "text"])
    return frame.astype({"line": "int64", "reason": "string", "text": "string"})


def _frame(table: pa.Table, gpu: frozenset[str] | None) -> pd.DataFrame:
    """Make the job table, with `is_ml` by node or by trackable resources."""
    frame = table.to_pandas(types_mapper=_PANDAS_TYPES.get)
    if gpu is None:
        frame["is_ml"] = frame["gpu"]
    else:
        frame["is_ml"] = job_table.is_ml(frame["node_list"], gpu).mask(frame["cut"])
    return frame[list(job_table.COLUMNS)].astype(job_table.COLUMNS)


def _blocks(path: Path, layout: Layout, block_bytes: int) -> Iterator[Block]:
    """Read whole lines, about `block_bytes` at once."""
    line = 1
    rest = b""
    with path.open("rb") as file:
        while text := file.read(max(block_bytes, 1)):
            text = rest + text
            end = text.rfind(b"\n") + 1
            text, rest = text[:end], text[end:]
            if text:
                block = parse(text, line, layout)
                line += block.rows
                yield block
            refuse_long(len(rest), line)
    if rest:
        yield parse(rest, line, layout)
