"""The clock on the wall beside Lisa: central European time, without a time zone database."""

import numpy as np

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
