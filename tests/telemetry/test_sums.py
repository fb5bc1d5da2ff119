from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.series import Grid
from restudy.telemetry.sums import Quantity, Value, extent, sums

POWER = Quantity(("power",), Value("power"), 0.1)
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


def series(table, quantity, seconds, chosen=NODES):
    """Sum over some nodes, from the first to the last sample."""
    group = np.array([0 if node in chosen else -1 for node in NODES])
    grid = extent(table, seconds)
    return sums(table, [quantity], grid, group=group, groups=("chosen",))[0]


def test_sums_and_gaps_equal_a_pivot_of_the_table():
    frame = samples(np.random.default_rng(0))
    truth = frame.pivot_table(
        index="time", columns="node", values="power", dropna=False, aggfunc="first"
    )
    found = series(telemetry(frame, (10, 60, 61)), POWER, 30, NODES[:2])
    some = truth[["n1", "n2"]]
    np.testing.assert_allclose(found.total[0], some.sum(axis=1, min_count=1), rtol=1e-6)
    np.testing.assert_array_equal(found.n[0], some.notna().sum(axis=1))
    np.testing.assert_allclose(found.mean[0], some.mean(axis=1), rtol=1e-6)
    assert found.grid.times[0] == frame["time"].iloc[0]
    assert np.isnan(found.total[0, 7])


def test_no_bit_depends_on_the_parts():
    frame = samples(np.random.default_rng(1), scale=1e12)
    one = series(telemetry(frame, ()), POWER, 60)
    for cuts in ((1,), (50, 100), tuple(range(1, 150))):
        other = series(telemetry(frame, cuts), POWER, 60)
        assert one.total.tobytes() == other.total.tobytes()
        np.testing.assert_array_equal(one.n, other.n)


def test_sums_of_the_largest_numbers_are_exact():
    frame = samples(np.random.default_rng(2))
    rows = np.random.default_rng(3).integers(-(2**53), 2**53, len(frame))
    frame["power"] = rows.astype("float64")
    whole = Quantity(("power",), Value("power"), 1.0)
    table, grid = telemetry(frame, (10, 60)), Grid.between("2020-09-13", "2020-09-14", 86_400)
    group = np.array([0, 0, 1])
    a, b = (float(sum(rows[part].tolist())) for part in (slice(0, 100), slice(100, 150)))
    found = sums(table, [whole], grid, group=group, groups=("two", "one"))[0]
    assert found.total[:, 0].tolist() == [a, b]
    assert abs(a) > 2**54 or abs(b) > 2**54  # where float64 would round on the way


def test_quantities_of_one_pass_are_those_of_their_own():
    frame = samples(np.random.default_rng(4))
    table, kwargs = telemetry(frame, (10, 60)), {"group": np.arange(3), "groups": NODES}
    coarse = Quantity(("power",), Value("power"), 50.0)
    grid = extent(table, 300)
    both = sums(table, [POWER, coarse], grid, **kwargs)
    for one, quantity in zip(both, (POWER, coarse), strict=True):
        alone = sums(table, [quantity], grid, **kwargs)[0]
        assert one.total.tobytes() == alone.total.tobytes()
    assert np.nanmax(np.abs(both[0].total - both[1].total)) > 1


def test_what_has_no_value_is_refused():
    frame = samples(np.random.default_rng(5))
    with pytest.raises(TelemetryError, match="no known value of power"):
        series(telemetry(frame, ()), POWER, 30, chosen=())
