"""Times of samples: from any published form to seconds since 1970, UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.source import Source

UNKNOWN = np.iinfo("int64").min  # as NaT
_HOUR = 3600


@dataclass(frozen=True)
class Clock:
    """What the times of a file mean.

    Attributes
    ----------
    timezone : str
        Zone of times without one (``"Europe/Amsterdam"``); empty where they are UTC or unknown.
    """

    timezone: str = ""

    def __post_init__(self) -> None:
        if self.timezone:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise TelemetryError(
                    f"timezone={self.timezone!r} is not known on this machine; expected a name "
                    "such as Europe/Amsterdam (install tzdata if that is refused too)."
                ) from error


@dataclass(frozen=True)
class Localised:
    """Local times as UTC.

    Attributes
    ----------
    seconds : numpy.ndarray of int64, shape (rows,)
        Seconds since 1970, UTC.
    ambiguous : int
        Rows in the hour that a change to winter time repeats.
    shifted : int
        Rows in the hour that a change to summer time skips, moved an hour on.
    """

    seconds: np.ndarray
    ambiguous: int
    shifted: int

    def counts(self) -> dict[str, int]:
        """Name the two counts."""
        return {"ambiguous": self.ambiguous, "shifted": self.shifted}


def same_kind(sources: Sequence[Source], schemas: Sequence[pa.Schema], column: str) -> None:
    """Refuse files of which some have times with and some without time zone.

    Raises
    ------
    TelemetryError
        Naming the first file of each kind.
    """
    seen: dict[bool, str] = {}
    for source, schema in zip(sources, schemas, strict=True):
        kind = schema.field(column).type
        if pa.types.is_timestamp(kind):
            seen.setdefault(kind.tz is not None, source.name)
    if len(seen) == 2:
        raise TelemetryError(
            f"{seen[True]} has times with a time zone and {seen[False]} has times without one; "
            "write all files with the same kind of times."
        )


def seconds(column: pa.ChunkedArray) -> np.ndarray:
    """Seconds since 1970 of a column of times, `UNKNOWN` where null.

    Times with a zone become UTC; numbers are seconds, or milliseconds (micro-, nanoseconds) if
    they are too large to be seconds before the year 5000. Fractions of a second are cut.

    Examples
    --------
    >>> seconds(pa.chunked_array([[1_600_000_000_500, None]])).tolist()[0]
    1600000000
    """
    kind = column.type
    if pa.types.is_timestamp(kind):
        try:
            whole = pc.cast(column, pa.timestamp("s", kind.tz))
        except pa.ArrowInvalid:  # there are fractions, or times that no calendar has
            whole = pc.cast(pc.floor_temporal(column, unit="second"), pa.timestamp("s", kind.tz))
        return pc.fill_null(pc.cast(whole, pa.int64()), UNKNOWN).to_numpy()
    if pa.types.is_integer(kind):
        known = pc.is_valid(column).to_numpy(zero_copy_only=False)
        values = pc.cast(pc.fill_null(column, 0), pa.int64()).to_numpy()
    else:
        values = pc.fill_null(pc.cast(column, pa.float64()), np.nan).to_numpy()
        known = np.isfinite(values)
    size = float(np.abs(values[known]).max(initial=0))
    power = next((power for power in (9, 6, 3) if size > 1e8 * 10.0**power), 0)
    found = np.full(len(values), UNKNOWN)
    found[known] = (values[known] // 10**power).astype("int64")
    return found


def to_utc(column: pa.ChunkedArray, node: np.ndarray, clock: Clock) -> Localised:
    """Seconds of a column in UTC; those of a calendar without zone are of the clock's."""
    found = seconds(column)
    naive = pa.types.is_timestamp(column.type) and column.type.tz is None
    return (
        localise(found, node, clock.timezone)
        if clock.timezone and naive
        else Localised(found, 0, 0)
    )


def localise(local: np.ndarray, node: np.ndarray, timezone: str) -> Localised:
    """Turn local times into UTC.

    Parameters
    ----------
    local : numpy.ndarray of int64, shape (rows,)
        Seconds since 1970 of the clock on the wall, in the order in which they were read.
    node : numpy.ndarray of int64, shape (rows,)
        Node of each row.
    timezone : str
        Name of the zone.

    Returns
    -------
    Localised
        In the hour that comes twice, a row is of the second one if its node already had the same
        time, or if the node's time has stepped back within that hour; other rows are of the
        first. Rows in the hour that does not exist are moved an hour on.

    Examples
    --------
    >>> at = np.array(["2022-10-30T02:30", "2022-10-30T02:00"], "datetime64[s]").astype("int64")
    >>> localise(at, np.array([0, 0]), "Europe/Amsterdam").seconds - at
    array([-7200, -3600])
    """
    found = local.copy()
    known = local != UNKNOWN
    inverse, distinct = pd.factorize(local[known])
    at = pd.DatetimeIndex(distinct.astype("datetime64[s]"))
    zone: Any = ZoneInfo(timezone)
    first = _utc(at.tz_localize(zone, ambiguous=np.ones(len(at), bool), nonexistent="NaT"))
    later = _utc(at.tz_localize(zone, ambiguous=np.zeros(len(at), bool), nonexistent="NaT"))
    moved = _utc((at + pd.Timedelta(hours=1)).tz_localize(zone, ambiguous=np.ones(len(at), bool)))
    skipped, twice = first == UNKNOWN, first != later
    first = np.where(skipped, moved, first)
    double = twice[inverse]
    second = np.zeros(len(inverse), bool)
    second[double] = _again(local[known][double], node[known][double])
    found[known] = np.where(second, later[inverse], first[inverse])
    return Localised(found, int(double.sum()), int(skipped[inverse].sum()))


def _utc(index: pd.DatetimeIndex) -> np.ndarray:
    return index.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[s]").astype("int64")


def _again(local: np.ndarray, node: np.ndarray) -> np.ndarray:
    """Tell the rows of the second pass through an hour, see `localise`."""
    if not len(local):
        return np.zeros(0, bool)
    day = local // 86400
    order = np.lexsort((np.arange(len(local)), day, node))  # as read within node and day
    time, who, date = local[order], node[order], day[order]
    new = np.append(True, (who[1:] != who[:-1]) | (date[1:] != date[:-1]))
    back = np.append(False, time[1:] < time[:-1]) & ~new
    steps = np.cumsum(back)
    begin = np.maximum.accumulate(np.where(new, np.arange(len(time)), 0))
    again = steps > steps[begin]
    keys = pd.DataFrame({"node": who, "time": time})
    again |= keys.duplicated().to_numpy()
    found = np.zeros(len(local), bool)
    found[order] = again
    return found
