"""Series of a node's samples: rates of counters, resets, stretches of one value."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Stretch:
    """Stretches of one value.

    Attributes
    ----------
    begin : numpy.ndarray of int64, shape (stretches,)
        First row of each.
    rows : numpy.ndarray of int64, shape (stretches,)
        Rows of each.
    inside : numpy.ndarray of bool, shape (rows,)
        Rows within any of them.
    """

    begin: np.ndarray
    rows: np.ndarray
    inside: np.ndarray


def starts(code: np.ndarray) -> np.ndarray:
    """Give the first row of each run of equal codes."""
    return np.flatnonzero(np.append(True, code[1:] != code[:-1])[: len(code)])


def rates(frame: pd.DataFrame, counter: str) -> np.ndarray:
    """Give the increase of a counter per second since the sample before.

    Parameters
    ----------
    frame : pandas.DataFrame
        Samples in order of node and time: ``time``, ``node`` and the counter.
    counter : str
        Its column, of the unit u.

    Returns
    -------
    numpy.ndarray of float64, shape (rows,)
        Increase, u/s. Where the counter falls it was reset, and has grown from 0 to its value
        (Prometheus' rule). NaN in the first row of a node and where either value is unknown.

    References
    ----------
    Prometheus documentation, function ``rate``.

    Examples
    --------
    >>> time = pd.to_datetime([0, 10, 20], unit="s")
    >>> node = pd.Categorical(["a", "a", "a"])
    >>> rates(pd.DataFrame({"time": time, "node": node, "c": [5.0, 25.0, 10.0]}), "c").tolist()
    [nan, 2.0, 1.0]
    """
    values = frame[counter].to_numpy().astype("float64")
    time = frame["time"].to_numpy("datetime64[s]").view("int64").astype("float64")
    rise = np.diff(values, prepend=np.nan)
    rise = np.where(rise < 0, values, rise)
    rise[starts(frame["node"].cat.codes.to_numpy())] = np.nan
    return np.asarray(rise / np.diff(time, prepend=np.nan))


def known_resets(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Tell the rows whose counter is below the last known value of its node."""
    known = np.flatnonzero(~np.isnan(values))
    falls = np.append(False, np.diff(values[known]) < 0)[: len(known)]
    falls[starts(code[known])] = False
    found = np.zeros(len(values), bool)
    found[known] = falls
    return found


def stuck_stretches(values: np.ndarray, code: np.ndarray, others: np.ndarray, most: int) -> Stretch:
    """Find stretches of one known value, not 0, of more than `most` intervals of a node.

    Parameters
    ----------
    values : numpy.ndarray, shape (rows,)
        A sensor's values in order of node and time; an unknown one ends a stretch.
    code : numpy.ndarray of int64, shape (rows,)
        Node of each row.
    others : numpy.ndarray of int64, shape (rows,)
        How many other metrics differ from the row before. A stretch in which none ever does is
        that of an idle node, not of a stuck sensor.
    most : int
        Longest stretch in intervals that a working sensor gives. Times without samples do not
        count.

    Returns
    -------
    Stretch
        Those that are too long.

    Examples
    --------
    >>> values = np.array([1.0, 7.0, 7.0, 7.0, 7.0])
    >>> stuck_stretches(values, np.zeros(5, "int64"), np.ones(5, "int64"), 2).inside.tolist()
    [False, True, True, True, True]
    """
    if not len(values):
        return Stretch(np.zeros(0, "int64"), np.zeros(0, "int64"), np.zeros(0, bool))
    new = np.append(True, (values[1:] != values[:-1]) | (code[1:] != code[:-1]))
    begin = np.flatnonzero(new)
    size = np.diff(np.append(begin, len(values)))
    total = np.append(0, np.cumsum(others, dtype="int64"))
    moved = total[begin + size] - total[np.minimum(begin + 1, len(values))] > 0
    long = (size - 1 > most) & moved & (values[begin] != 0) & ~np.isnan(values[begin])
    return Stretch(begin[long], size[long], np.repeat(long, size))
