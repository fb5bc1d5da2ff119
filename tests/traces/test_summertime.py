import zoneinfo

import numpy as np
import pytest

from restudy.traces.summertime import hours_ahead


def test_offsets_are_those_of_the_time_zone_database() -> None:
    try:
        zone = zoneinfo.ZoneInfo("Europe/Amsterdam")
    except zoneinfo.ZoneInfoNotFoundError:
        pytest.skip("this machine has no time zone database")
    import datetime

    hours = np.arange("2015-01-01", "2031-01-01", dtype="datetime64[h]")
    known = [
        datetime.datetime.fromtimestamp(int(second), zone).utcoffset().total_seconds() / 3600
        for second in hours.astype("datetime64[s]").astype("int64")
    ]
    np.testing.assert_array_equal(hours_ahead(hours), known)


def test_unknown_times_have_winter_time() -> None:
    assert hours_ahead(np.array(["NaT", "2022-07-01"], "datetime64[s]")).tolist() == [1, 2]
