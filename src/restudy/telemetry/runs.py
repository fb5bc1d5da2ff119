"""Times and nodes of a part in few words, where samples are regular.

Most samples follow the one before at the usual interval. So a part of the package's own store
says in its file's metadata which runs of regular samples it is made of; then neither the times
nor the names have to be read, decoded, or put in order.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from restudy.telemetry.metrics import TelemetryError

KEY = b"restudy.runs"

_LEAST_ROWS = 256  # of a run on average; shorter ones are no fewer words than the columns


@dataclass(frozen=True)
class Runs:
    """Runs of samples of one node, each `step` seconds after the one before.

    Attributes
    ----------
    step : int
        Time between the samples of a run, s.
    names : list of str
        Nodes of the part, in order.
    node : list of int
        Place in `names` of each run's node.
    first : list of int
        Time of each run's first sample, s since 1970.
    rows : list of int
        Samples of each run.
    """

    step: int
    names: list[str]
    node: list[int]
    first: list[int]
    rows: list[int]

    def times(self) -> np.ndarray:
        """Time of every row, s since 1970, (rows,)."""
        rows = np.asarray(self.rows, "int64")
        begin = np.cumsum(rows) - rows
        found = np.arange(rows.sum()) * self.step
        found += np.repeat(np.asarray(self.first) - begin * self.step, rows)
        return found

    def nodes(self) -> pd.Categorical:
        """Node of every row, (rows,)."""
        kind = "int16" if len(self.names) < 2**15 else "int32"
        codes = np.repeat(np.asarray(self.node, kind), self.rows)
        return pd.Categorical.from_codes(
            codes, categories=pd.Index(self.names, dtype="str"), validate=False
        )


def find(time: np.ndarray, node: np.ndarray, names: Sequence[str]) -> Runs | None:
    """Cut rows into runs.

    Parameters
    ----------
    time : numpy.ndarray of int64, shape (rows,)
        Times, s since 1970.
    node : numpy.ndarray of int, shape (rows,)
        Place of each row's node in `names`.
    names : sequence of str
        Names of nodes.

    Returns
    -------
    Runs or None
        None if the rows are not in order of node and time, a pair is there twice, a node is
        unknown, or the runs are so many that the columns say the same in fewer words.

    Examples
    --------
    >>> time = np.append(np.arange(0, 9000, 30), np.arange(9600, 18600, 30))
    >>> found = find(time, np.zeros(600, int), ["n1"])
    >>> found.first, found.rows, (found.times() == time).all()
    ([0, 9600], [300, 300], np.True_)
    """
    if len(time) < 2:
        return None
    passed, other = np.diff(time), np.diff(node)
    same = other == 0
    if node[0] < 0 or (other < 0).any() or (passed[same] <= 0).any():
        return None
    step = int(np.median(passed[same])) if same.any() else 1
    begin = np.append(0, 1 + np.flatnonzero(~same | (passed != step)))
    if len(begin) * _LEAST_ROWS > len(time):
        return None
    used, place = np.unique(node[begin], return_inverse=True)
    kept = [str(names[code]) for code in used]
    if kept != sorted(set(kept)):
        return None
    return Runs(
        step=step,
        names=kept,
        node=place.tolist(),
        first=time[begin].tolist(),
        rows=np.diff(begin, append=len(time)).tolist(),
    )


def note(time: np.ndarray, node: np.ndarray, names: Sequence[str]) -> dict[bytes, bytes]:
    """Give the metadata of a file with these rows; empty if `find` finds no runs."""
    found = find(time, node, names)
    return {} if found is None else {KEY: json.dumps(asdict(found)).encode()}


def noted(metadata: Mapping[bytes, bytes] | None, rows: int, name: str) -> Runs | None:
    """Read `note` from the metadata of a file of that many rows; None if there is none.

    Raises
    ------
    TelemetryError
        If it says something else than the file.
    """
    if metadata is None or KEY not in metadata:
        return None
    found = Runs(**json.loads(metadata[KEY]))
    if sum(found.rows) != rows:
        raise TelemetryError(
            f"{name} has {rows:,} rows and says that it has {sum(found.rows):,}; it was changed "
            "by another program, so ingest the source again."
        )
    return found
