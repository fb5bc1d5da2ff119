from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry.metrics import Metric, TelemetryError
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.series import time_series

POWER = Metric("power", "W", 0.1, 0, 5000)
NODES = ("n1", "n2", "n3")


@dataclass(frozen=True)
class Table:
    frame: pd.DataFrame

    def read(self, columns):
        return self.frame[["time", "node", *columns]]


def telemetry(frame, cuts):
    frame = frame.assign(node=pd.Categorical(frame["node"]))
    ends = [0, *cuts, len(frame)]
    cut = [frame.iloc[a:b] for a, b in pairwise(ends)]
    return Telemetry("t", "T", tuple(map(Table, cut)), ("power",), NODES, 30, "UTC", False, None)


def samples(rng, scale=400.0):
    time = (1_600_000_020 + 30 * np.arange(50)).astype("datetime64[s]")
    frame = pd.DataFrame({"time": np.tile(time, 3), "node": np.repeat(NODES, 50)})
    frame["power"] = (rng.random(150) * scale).round(1).astype("float32")
    frame.loc[rng.random(150) < 0.2, "power"] = np.nan
    frame.loc[frame["time"] == time[7], "power"] = np.nan
    return frame


def test_sums_and_gaps_equal_a_pivot_of_the_table():
    frame = samples(np.random.default_rng(0))
    truth = frame.pivot_table(
        index="time", columns="node", values="power", dropna=False, aggfunc="first"
    )
    found = time_series(telemetry(frame, (10, 60, 61)), POWER, NODES[:2], seconds=30)
    some = truth[["n1", "n2"]]
    np.testing.assert_allclose(found.total, some.sum(axis=1, min_count=1), rtol=1e-6)
    np.testing.assert_array_equal(found.samples, some.notna().sum(axis=1))
    np.testing.assert_allclose(found.mean(), some.mean(axis=1), rtol=1e-6)
    assert found.start == frame["time"].iloc[0]
    assert np.isnan(found.total[7])


def test_no_bit_depends_on_the_parts():
    frame = samples(np.random.default_rng(1), scale=1e12)
    one = time_series(telemetry(frame, ()), POWER, NODES, seconds=60)
    for cuts in ((1,), (50, 100), tuple(range(1, 150))):
        other = time_series(telemetry(frame, cuts), POWER, NODES, seconds=60)
        assert one.total.tobytes() == other.total.tobytes()
        np.testing.assert_array_equal(one.samples, other.samples)


def test_nodes_without_a_value_are_refused():
    frame = samples(np.random.default_rng(2))
    with pytest.raises(TelemetryError, match="no value of power on the 1 chosen nodes"):
        time_series(telemetry(frame, ()), POWER, ("n9",), seconds=30)
