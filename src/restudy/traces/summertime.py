"""The clock on the wall beside Lisa: central European time, without a time zone database."""

import dataclasses

import numpy as np
import pandas as pd

from restudy.traces.jobs import JobTrace, TraceError

# Epochs of the Lisa tasks are UTC minus the offset of local time; local time is 2 offsets later.
LISA_CLOCK = "UTC minus local offset (x2)"

_HOUR = np.timedelta64(1, "h")


def hours_ahead(utc: np.ndarray) -> np.ndarray:
    """Hours by which Amsterdam is ahead of UTC: 2 in summer, else 1.

    Summer time begins on the last Sunday of March and ends on that of October, both at 01:00 UTC
    (directive 2000/84/EC).

    Parameters
    ----------
    utc : numpy.ndarray of datetime64
        Times in UTC; NaT gives 1.

    Returns
    -------
    numpy.ndarray of int64
        Hours, of the shape of `utc`.

    Examples
    --------
    >>> hours_ahead(np.array(["2022-10-30T00:59:59", "2022-10-30T01:00:00"], "datetime64[s]"))
    array([2, 1])
    """
    year = utc.astype("datetime64[Y]")
    begin = _last_sunday(year, 2) + _HOUR
    end = _last_sunday(year, 9) + _HOUR
    return 1 + ((utc >= begin) & (utc < end)).astype("int64")


def _last_sunday(year: np.ndarray, months: int) -> np.ndarray:
    """Give the last Sunday of the month that many months after January."""
    following = (year.astype("datetime64[M]") + (months + 1)).astype("datetime64[D]")
    last = following - np.timedelta64(1, "D")
    since_sunday = (last.astype("int64") + 4) % 7  # 1970-01-01 was a Thursday
    return last - since_sunday.astype("timedelta64[D]")


def to_local(trace: JobTrace) -> JobTrace:
    """Move a trace of Lisa to the clock on the wall beside it.

    Parameters
    ----------
    trace : JobTrace
        A trace whose clock is ``"UTC"``, ``"local"`` or ``"UTC minus local offset (x2)"``, of a
        cluster in the Netherlands.

    Returns
    -------
    JobTrace
        The same jobs, clock ``"local"``.

    Raises
    ------
    TraceError
        If the clock has another name.
    """
    if trace.clock == "local":
        return trace
    if trace.clock not in {"UTC", LISA_CLOCK}:
        raise TraceError(f"the clock {trace.clock!r} of {trace.name} is unknown; use UTC or local.")
    moved = trace.jobs.map_partitions(_move, trace.clock == LISA_CLOCK, meta=trace.jobs._meta)
    return dataclasses.replace(trace, jobs=moved, clock="local")


def _move(jobs: pd.DataFrame, twice: bool) -> pd.DataFrame:
    moved = {}
    for name in ("submit", "start", "end"):
        time = jobs[name].to_numpy("datetime64[s]")
        if twice:  # the offset was taken off UTC; one at the time itself is right within hours
            time = time + hours_ahead(time) * np.timedelta64(3600, "s")
        moved[name] = time + hours_ahead(time) * np.timedelta64(3600, "s")
    return jobs.assign(**moved)
