"""The job table: one row a job, the same columns for every trace.

A job table is a pandas or Dask DataFrame with the columns of `COLUMNS`; a column that the source
does not have is there and null. Times are naive: which clock they follow is said by the trace.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from restudy.errors import UserError
from restudy.traces import nodelist

COLUMNS: dict[str, str] = {
    "job_id": "string",
    "submit": "datetime64[s]",
    "start": "datetime64[s]",
    "end": "datetime64[s]",
    "state": "string",
    "nodes": "Int32",
    "cores": "Int32",
    "node_list": "string",
    "partition": "string",
    "user": "string",
    "is_ml": "boolean",
}

# Every state that sacct can print, by its base name ("CANCELLED by 123" is CANCELLED).
STATES: tuple[str, ...] = (
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "NODE_FAIL",
    "PREEMPTED",
    "REQUEUED",
    "BOOT_FAIL",
    "DEADLINE",
    "PENDING",
    "RUNNING",
    "SUSPENDED",
    "RESIZING",
    "REVOKED",
    "CONFIGURING",
    "COMPLETING",
    "STOPPED",
    "SIGNALING",
    "STAGE_OUT",
    "SPECIAL_EXIT",
    "LAUNCH_FAILED",
    "RECONFIG_FAIL",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESV_DEL_HOLD",
    "EXPIRED",
)

# The 56 GPU nodes of Lisa as named in the paper's code; 51 of them have telemetry.
PAPER_GPU_NODES: frozenset[str] = frozenset(
    f"r{rack}n{node}"
    for rack, nodes in {
        28: range(1, 6),
        29: range(1, 6),
        30: range(1, 8),
        31: range(1, 7),
        32: range(1, 8),
        33: (2, 3, 5, 6),
        34: range(1, 8),
        35: range(1, 6),
        36: range(1, 6),
        38: range(1, 6),
    }.items()
    for node in nodes
)

# A job that never got a node; "software" nodes are Lisa's service machines.
_UNASSIGNED = re.compile(r"\s*(none assigned|none|\(null\)|software.*)?\s*", re.IGNORECASE)


class TraceError(UserError):
    """A job trace that cannot answer the question; the message is one sentence."""


@dataclass(frozen=True)
class JobTrace:
    """A job table and what has to be known to read it.

    Attributes
    ----------
    name : str
        Short name for files and keys: ``"lisa-halfyear"``, ``"sacct:my.log"``.
    title : str
        Name for legends: ``"Lisa, July-October 2022 (16-core jobs)"``.
    jobs : dask.dataframe.DataFrame
        The job table, lazy.
    clock : str
        ``"UTC"``, ``"local"`` or ``"UTC minus local offset (x2)"``.
    real : bool
        False for generated jobs.
    dataset : str or None
        Name in the data registry.
    rejected : pandas.DataFrame
        Rows kept aside by the reader: columns ``line``, ``reason``, ``text``.
    """

    name: str
    title: str
    jobs: dd.DataFrame
    clock: str
    real: bool
    dataset: str | None
    rejected: pd.DataFrame


def validate(frame: pd.DataFrame | dd.DataFrame) -> None:
    """Refuse a table that is not a job table.

    Only names and types are looked at, so a Dask DataFrame is not computed.

    Parameters
    ----------
    frame : pandas.DataFrame or dask.dataframe.DataFrame
        The table. Any text type (also categorical), any integer width and any resolution of
        naive times is accepted; further columns are allowed.

    Raises
    ------
    TraceError
        If columns are missing or of another kind; the message names all of them.

    Examples
    --------
    >>> validate(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()}))
    >>> validate(pd.DataFrame({"job_id": ["1"]}))
    Traceback (most recent call last):
        ...
    restudy.traces.jobs.TraceError: the job table lacks the columns submit, start, end, state, \
nodes, cores, node_list, partition, user, is_ml; add them, null where the source has none.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise TraceError(
            f"the job table lacks the columns {', '.join(missing)}; "
            "add them, null where the source has none."
        )
    wrong = [
        f"{name} is {frame[name].dtype} and should be {kind}"
        for name, kind in COLUMNS.items()
        if not _is_kind(frame[name].dtype, kind)
    ]
    if wrong:
        raise TraceError(f"the job table has mistyped columns: {'; '.join(wrong)}.")


def _is_kind(dtype: np.dtype[Any] | ExtensionDtype, kind: str) -> bool:
    if kind == "string":
        if isinstance(dtype, pd.CategoricalDtype):
            dtype = dtype.categories.dtype
        return isinstance(dtype, pd.StringDtype) or dtype == np.dtype(object)
    if kind.startswith("datetime64"):
        return isinstance(dtype, np.dtype) and dtype.kind == "M"
    if kind == "boolean":
        return bool(pd.api.types.is_bool_dtype(dtype))
    return bool(pd.api.types.is_integer_dtype(dtype))


def times(frame: pd.DataFrame) -> pd.DataFrame:
    """Add each job's wait and run time.

    The paper adds an hour to a negative run time, which the change from summer to winter time
    makes; so does this function, for both times. One that is negative even then is unknown.

    Parameters
    ----------
    frame : pandas.DataFrame
        A job table, or one partition of it, with ``submit``, ``start`` and ``end``.

    Returns
    -------
    pandas.DataFrame
        The table with ``wait_s`` (start - submit) and ``run_s`` (end - start), whole seconds as
        float64, NaN where unknown.

    Examples
    --------
    >>> at = lambda text: pd.Series(pd.to_datetime([text])).astype("datetime64[s]")
    >>> day = {"submit": "2022-10-30 02:00:00", "start": "2022-10-30 02:59:58",
    ...        "end": "2022-10-30 02:00:03"}
    >>> times(pd.DataFrame({name: at(text) for name, text in day.items()}))[["wait_s", "run_s"]]
       wait_s  run_s
    0  3598.0    5.0
    """
    wait = seconds_between(frame["submit"], frame["start"])
    run = seconds_between(frame["start"], frame["end"])
    return frame.assign(
        wait_s=np.where(wait < 0, np.nan, wait), run_s=np.where(run < 0, np.nan, run)
    )


def seconds_between(begin: pd.Series, end: pd.Series) -> np.ndarray:
    """Whole seconds from begin to end, int64, negative ones as in `times`; -1 if unknown."""
    first = begin.to_numpy("datetime64[s]").view("int64")
    last = end.to_numpy("datetime64[s]").view("int64")
    seconds = last - first
    nat = np.iinfo("int64").min
    unknown = (first == nat) | (last == nat)
    if (seconds < 0).any():
        seconds[(seconds < 0) & (seconds >= -3600)] += 3600
        unknown |= seconds < 0
    if unknown.any():
        seconds[unknown] = -1
    return seconds


def unassigned(frame: pd.DataFrame) -> np.ndarray:
    """Tell jobs that never had a compute node.

    Parameters
    ----------
    frame : pandas.DataFrame
        A job table, or one partition of it, with ``node_list`` and ``nodes``.

    Returns
    -------
    numpy.ndarray of bool, shape (jobs,)
        True where the list says ``None assigned``, names a ``software`` service machine, or
        ``nodes`` is 0. A job of which neither column is known counts as assigned.

    Examples
    --------
    >>> lists = ["r10n1", "None assigned", None, "software2", "r10n2"]
    >>> unassigned(pd.DataFrame({"node_list": lists, "nodes": [1, 1, 1, 1, 0]})).tolist()
    [False, True, False, True, True]
    """
    codes, distinct = pd.factorize(frame["node_list"], use_na_sentinel=True)
    flags = np.array([_UNASSIGNED.fullmatch(str(text)) is not None for text in distinct] + [False])
    none = frame["nodes"].to_numpy("float64", na_value=np.nan) == 0
    return np.asarray(flags[codes] | none, dtype=bool)


def is_ml(node_list: pd.Series, gpu_nodes: Collection[str]) -> pd.Series:
    """Tell ML jobs by the paper's rule: any node of the job is a GPU node.

    Parameters
    ----------
    node_list : pandas.Series of str
        Slurm node lists such as ``r28n[1-3],r10n7``.
    gpu_nodes : collection of str
        Single node names, for example `PAPER_GPU_NODES`.

    Returns
    -------
    pandas.Series of boolean
        A job without a node is not an ML job, as in the paper.

    Raises
    ------
    restudy.traces.nodelist.NodeListError
        If a list is not a Slurm node list.

    Notes
    -----
    Each distinct list is expanded once: 1.6 million jobs on Lisa share some 10,000 lists.

    Examples
    --------
    >>> is_ml(pd.Series(["r28n[1-3],r10n7", "r10n7", "None assigned"]), PAPER_GPU_NODES).tolist()
    [True, False, False]
    """
    gpu = frozenset(gpu_nodes)
    codes, distinct = pd.factorize(node_list, use_na_sentinel=True)
    flags = np.array([_on_gpu(str(text), gpu) for text in distinct] + [False])
    return pd.Series(flags[codes], index=node_list.index, dtype="boolean")


def gpu_names(gpu_nodes: str) -> frozenset[str]:
    """Name the GPU nodes that a user gives as a node list; raises TraceError if there is none.

    Examples
    --------
    >>> sorted(gpu_names("gpu[1-2]"))
    ['gpu1', 'gpu2']
    """
    names = frozenset(nodelist.expand(gpu_nodes))
    if not names:
        raise TraceError(f"gpu_nodes={gpu_nodes!r} names no node; expected a list as gpu[1-40].")
    return names


def _on_gpu(text: str, gpu: frozenset[str]) -> bool:
    if _UNASSIGNED.fullmatch(text):
        return False
    return not gpu.isdisjoint(nodelist.expand(text))
