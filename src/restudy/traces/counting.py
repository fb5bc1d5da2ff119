"""Exact counts over a job table of any size, one partition at a time.

Every statistic of this package is a function of how often each whole number occurs: each second
of run time, each hour of submission, each day with each state. A partition is turned into 64-bit
keys, the keys are counted, and the counts of the partitions are added along a tree. The answer is
exact, does not depend on how the table is cut, and needs memory for one partition and for the
distinct keys, never for the rows.

Tried on 1.6 million keys of 0.3 million values (best of three): ``numpy.unique`` 22 ms, a hash
table (``Series.value_counts``) 55 ms, ``factorize`` + ``bincount`` 64 ms, pandas ``groupby`` 92 ms,
a dense ``bincount`` 202 ms. For adding sorted counts: a stable sort of the joined keys, which
finds the sorted runs, and one ``add.reduceat``.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import dask.dataframe as dd
import numpy as np
import pandas as pd

from restudy.traces.jobs import STATES, TraceError, validate

Kind = Literal["all", "generic", "ml"]
KINDS: tuple[Kind, ...] = ("all", "generic", "ml")
GROUPS = 128  # bits 0-5: 1 + index of the state, 0 where it is unknown; bit 6: ML job
_ML = 64
_META = pd.DataFrame({"key": np.empty(0, "int64"), "n": np.empty(0, "int64")})


def count(
    jobs: dd.DataFrame, keys: Callable[[pd.DataFrame], np.ndarray], columns: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Count the keys of all jobs.

    Parameters
    ----------
    jobs : dask.dataframe.DataFrame
        A job table.
    keys : callable
        Turns a partition into int64 keys, shape (any,); zero or several keys a job are allowed.
    columns : sequence of str
        The columns that `keys` reads; the others are not loaded.

    Returns
    -------
    keys : numpy.ndarray of int64, shape (distinct,)
        Ascending.
    counts : numpy.ndarray of int64, shape (distinct,)
        How often each key occurs.

    Raises
    ------
    TraceError
        If `jobs` is not a job table.
    """
    validate(jobs)
    total = (
        jobs[list(columns)]
        .reduction(
            chunk=_count_partition,
            chunk_kwargs={"keys": keys},
            combine=_add,
            aggregate=_add,
            meta=_META,
            split_every=8,
        )
        .compute()
    )
    return total["key"].to_numpy(), total["n"].to_numpy()


def groups(frame: pd.DataFrame) -> np.ndarray:
    """Seven-bit code of each job's class and state, int64, from ``is_ml`` and ``state``.

    A job of unknown class counts as generic, as in the paper, where generic is all that does not
    run on a GPU node.

    Raises
    ------
    TraceError
        If a state is not one of `restudy.traces.jobs.STATES`.
    """
    codes, distinct = pd.factorize(frame["state"], use_na_sentinel=True)
    lookup = np.zeros(len(distinct) + 1, "int64")
    for at, label in enumerate(distinct):
        if label not in STATES:
            raise TraceError(
                f"the job table has the state {str(label)!r}, which is not a base state of Slurm "
                f"such as {', '.join(STATES[:4])}; translate it when the trace is read."
            )
        lookup[at] = 1 + STATES.index(label)
    ml = frame["is_ml"].to_numpy("bool", na_value=False)
    return np.asarray(lookup[codes] + _ML * ml, dtype="int64")


def select(group: np.ndarray, kind: Kind = "all", state: str | None = None) -> np.ndarray:
    """Mask of the group codes that belong to a class and a state (None: all states)."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r} and should be one of {', '.join(KINDS)}")
    keep = np.ones(group.shape, dtype=bool)
    if kind != "all":
        keep &= (group >= _ML) == (kind == "ml")
    if state is not None:
        keep &= group % _ML == 1 + STATES.index(state)
    return keep


def states_of(group: np.ndarray) -> tuple[str, ...]:
    """Names of the states that occur among the group codes, in the order of `STATES`."""
    return tuple(STATES[code - 1] for code in np.unique(group % _ML) if code > 0)


def _count_partition(
    frame: pd.DataFrame, keys: Callable[[pd.DataFrame], np.ndarray]
) -> pd.DataFrame:
    distinct, n = np.unique(keys(frame), return_counts=True)
    return pd.DataFrame({"key": distinct, "n": n.astype("int64", copy=False)})


def _add(parts: pd.DataFrame) -> pd.DataFrame:
    key, n = add_counts(parts["key"].to_numpy(), parts["n"].to_numpy())
    return pd.DataFrame({"key": key, "n": n})


def add_counts(key: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add up the counts of equal keys; the keys come back ascending.

    Examples
    --------
    >>> key, n = add_counts(np.array([3, 5, 3]), np.array([1, 2, 10]))
    >>> key.tolist(), n.tolist()
    ([3, 5], [11, 2])
    """
    if key.size == 0:
        return key, n
    order = np.argsort(key, kind="stable")
    key, n = key[order], n[order]
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    return key[first], np.add.reduceat(n, first)
