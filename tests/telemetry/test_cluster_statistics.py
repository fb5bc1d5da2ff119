"""Sums over nodes, racks, strips and the change at a date, against pandas on planted samples."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry import racks, shift, strips
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.percentiles import GPU_NODES_AS_CODED
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.series import Grid
from restudy.telemetry.sums import extent, metric_sums
from restudy.traces.jobs import PAPER_GPU_NODES

NODES = ("login1", "r10n1", "r10n2", "r31n6", "r34n1", "r34n2")
START, STOP = "2020-01-01", "2020-01-03"


@dataclass(frozen=True)
class Piece:
    frame: pd.DataFrame

    def read(self, columns):
        return self.frame[["time", "node", *columns]].reset_index(drop=True)


def telemetry(frame, cuts=(), interval=900):
    edges = [0, *sorted(cuts), len(frame)]
    parts = tuple(Piece(frame.iloc[a:b]) for a, b in pairwise(edges))
    nodes = tuple(frame["node"].cat.categories)
    metrics = tuple(frame.columns[2:])
    return Telemetry("t", "T", parts, metrics, nodes, interval, "UTC", False, None)


def planted(seed=0, nodes=NODES):
    rng = np.random.default_rng(seed)
    steps = 2 * 96
    time = np.datetime64(START, "s") + np.arange(steps) * np.timedelta64(900, "s")
    frame = pd.DataFrame(
        {
            "time": np.tile(time, len(nodes)),
            "node": pd.Categorical(np.repeat(nodes, steps), categories=nodes),
        }
    )
    rows = len(frame)
    for name, low, high in (
        ("node_power_usage", 80, 6000),
        ("node_load1", 0, 20),
        ("node_ambient_temp", 20, 30),
    ):
        x = np.rint(rng.uniform(low, high, rows) * 10) / 10
        x[rng.random(rows) < 0.05] = np.nan
        frame[name] = x.astype("float32")
    frame["node_memory_MemFree_bytes"] = 2.0**20 * rng.integers(0, 9e4, rows)
    frame["node_disk_written_bytes_total_sum_delta"] = 4096.0 * rng.integers(0, 4e8, rows)
    frame["node_disk_read_bytes_total_sum_delta"] = 4096.0 * rng.integers(0, 4e8, rows)
    return frame[rng.random(rows) > 0.1]


def wide(frame, metric):
    """Times by nodes, as the original's tables."""
    table = frame.astype({"node": str}).set_index(["time", "node"])[metric]
    table = table.unstack("node")  # noqa: PD010
    return table.astype("float64").round(1)


CUTS = (1, 77, 300, 301, 640)


@pytest.mark.parametrize("step_s", [900, 3600])
def test_rack_power_is_the_sum_of_columns(step_s):
    frame = planted()
    grid = Grid.between(START, STOP, step_s)
    found = racks.rack_power(telemetry(frame, CUTS), grid)
    assert found.racks == ("r10", "r31", "r34")
    table = wide(frame, "node_power_usage")
    for name, power in zip(found.racks, found.power, strict=True):
        columns = [c for c in table if c.startswith(name + "n")]
        total = table[columns].sum(axis=1, min_count=1).reindex(grid.times)
        if step_s > 900:
            quarter = table[columns].sum(axis=1).resample("1h").sum() * 900 / step_s
            known = table[columns].notna().any(axis=1).resample("1h").max()
            total = quarter.where(known).reindex(grid.times)
        np.testing.assert_allclose(power, total)
    same = racks.rack_power(telemetry(frame), grid)
    turned = telemetry(frame, CUTS)
    turned = Telemetry(**{**turned.__dict__, "parts": turned.parts[::-1]})
    for other in (same, racks.rack_power(turned, grid)):
        np.testing.assert_array_equal(other.power, found.power)


def test_samples_off_the_grid_are_left_out():
    frame = planted()
    part = Grid.between("2020-01-01T06:00", "2020-01-01T12:00", 900)
    inside = frame[(frame["time"] >= part.times[0]) & (frame["time"] <= part.times[-1])]
    np.testing.assert_array_equal(
        racks.rack_power(telemetry(frame, CUTS), part).power,
        racks.rack_power(telemetry(inside), part).power,
    )
    with pytest.raises(TelemetryError, match="no known value"):
        racks.rack_power(telemetry(frame), Grid.between("2021-01-01", "2021-01-02", 900))
    with pytest.raises(TelemetryError, match="no multiple"):
        racks.rack_power(telemetry(frame), Grid.between(START, STOP, 1000))
    nameless = planted(nodes=("login1", "c1"))
    with pytest.raises(TelemetryError, match="login1"):
        racks.rack_power(telemetry(nameless), Grid.between(START, STOP, 900))
    with pytest.raises(TelemetryError, match="longer steps"):
        racks.rack_power(telemetry(frame, interval=1), Grid.between("2000", "2020", 1))
    assert extent(telemetry(frame, CUTS), 3600) == Grid.between(START, STOP, 3600)


def test_episodes_above_the_cooling_line():
    power = np.array([[6e3, 6e3, 5e3, np.nan, 7e3, 5.5e3, 6e3]])
    found = racks.RackPower(("r9",), Grid(0, 60, 7), power).table().loc["r9"]
    assert found["above"] == 4 / 6
    assert (found["episodes"], found["longest"], found["mean"]) == (3, 120, 80)
    assert (found["median"], found["max"]) == (6e3, 7e3)


def test_strips_are_those_of_the_wide_tables():
    frame = planted()
    made = telemetry(frame, CUTS)
    grid = Grid.between(START, STOP, 900)
    drawn = [
        strip
        for strip in strips.published_strips(made, strips.PublishedCores())
        if "GPU" not in strip.name  # metrics that these nodes do not have
    ]
    loads = strips.loads(made, drawn, grid)
    found = {strip.name: load for strip, load in zip(drawn, loads, strict=True)}
    load = wide(frame, "node_load1").sum(axis=1) / 4350
    np.testing.assert_allclose(found["System Load"], load.clip(upper=1))
    power = wide(frame, "node_power_usage").sum(axis=1) / (5500 * 3)
    np.testing.assert_allclose(found["Server Power Usage"], power.clip(upper=1))
    assert (found["Server Power Usage"] == 1).any()
    warm = wide(frame, "node_ambient_temp").mean(axis=1) / 77
    np.testing.assert_allclose(found["Server Temperature"], warm)
    free = frame[frame["node"] != "login1"]
    total = free["node"].map({"r10n1": 96, "r10n2": 96, "r31n6": 256, "r34n1": 192, "r34n2": 192})
    used = 1 - free["node_memory_MemFree_bytes"] / total.astype("float64") / 2**30
    assert used.min() > 0
    mean = used.groupby(free["time"]).mean()
    np.testing.assert_allclose(found["Server RAM Usage"], mean, atol=1e-6)
    disk = frame.groupby("time")[list(strips.DiskRate.metrics)].sum().sum(axis=1)
    expected = (disk / 900 / (1.8e9 * len(NODES))).clip(upper=1)
    np.testing.assert_allclose(found["Disk I/O"], expected, atol=1e-6)


def test_the_published_cores_forget_the_second_processor():
    from restudy.traces import hardware

    table = hardware.inventory()
    nodes = table["node"].tolist()
    assert strips.HardwareCores()(nodes) == table["cpu_core_count_total"].sum()
    assert strips.HardwareCores()(nodes) / strips.PublishedCores()(nodes) > 1.3


def test_fifths_add_up_unless_full_load_is_left_out():
    load = np.array([0, 0.19, 0.2, 0.59, 0.8, 1.0, 1.0, np.nan])
    assert strips.fifths(load).tolist() == pytest.approx([2 / 7, 1 / 7, 1 / 7, 0, 3 / 7])
    assert strips.fifths_as_printed(load).sum() == pytest.approx(5 / 7)
    with pytest.raises(TelemetryError, match="99th"):
        strips.arrivals(np.array([], "datetime64[s]"), Grid.between(START, STOP, 900))


DAYS = 56
LEAP = np.datetime64("2020-02-27", "D")


def moved(step=40.0, noise=5.0, seed=0, nodes=NODES[1:]):
    """Hourly power: a node's own level, hour of the day, weekday, and a step at the date."""
    rng = np.random.default_rng(seed)
    start = LEAP.astype("datetime64[s]") - np.timedelta64(DAYS // 2 * 24 + 1, "h")  # local 00:00
    time = start + np.arange(DAYS * 24) * np.timedelta64(1, "h")
    local = time + np.timedelta64(1, "h")
    hour = local.astype("int64") // 3600 % 24
    by_day = rng.normal(0, noise, DAYS).repeat(24)
    frames = []
    for at, node in enumerate(nodes):
        level = 100.0 + 100 * at + 10 * np.cos(2 * np.pi * hour / 24) + by_day
        power = level + step * (local >= LEAP) * (node in PAPER_GPU_NODES)
        frames.append(pd.DataFrame({"time": time, "node": node, "node_power_usage": power}))
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(
        node=pd.Categorical(frame["node"], categories=nodes),
        node_power_usage=frame["node_power_usage"].round(1).astype("float32"),
    ), (str(time[0]), str(time[-1] + np.timedelta64(1, "h")))


def changes(frame, span, seed=1, **options):
    hours = shift.node_hours(
        telemetry(frame, (5, 999, 3001), interval=3600), "node_power_usage", *span
    )
    return shift.before_after(hours, rng=np.random.default_rng(seed), replicates=300, **options)


def test_a_planted_step_is_found_in_its_class_only():
    frame, span = moved(noise=0.0)
    found = changes(frame, span)
    ml, generic = found["ml"], found["generic"]
    assert ml.node.before == pytest.approx(400, abs=0.02)
    assert ml.node.difference == pytest.approx(40, abs=1e-6)
    assert ml.cluster.difference == pytest.approx(120, abs=1e-6)
    assert ml.cluster.before == pytest.approx(1200, abs=0.1)
    assert generic.node.difference == pytest.approx(0, abs=1e-6)
    assert (generic.cluster.low, generic.cluster.high) == pytest.approx((0, 0), abs=1e-6)
    assert ml.hour_range()[0] == pytest.approx([-30 / 1200, 30 / 1200], abs=1e-4)
    assert ml.hours[0].argmax() == 0  # local midnight
    assert shift.table(found).loc[("ml", "node"), "difference"] == ml.node.difference


def test_intervals_hold_the_step_as_often_as_they_say():
    held = 0
    for seed in range(20):
        ml = changes(*moved(noise=20.0, seed=seed, nodes=NODES[2:5]), seed=seed)["ml"].node
        held += ml.low <= 40 <= ml.high
        assert ml.low < ml.difference < ml.high
    assert held >= 15


def test_merged_names_move_a_gpu_node_to_the_generic_class():
    assert {"r31n6", "r32n1"} == PAPER_GPU_NODES - GPU_NODES_AS_CODED
    frame, span = moved(noise=0.0)
    correct = changes(frame, span)["generic"].cluster
    coded = changes(frame, span, gpu_nodes=GPU_NODES_AS_CODED)["generic"].cluster
    assert coded.before == pytest.approx(correct.before + 300, abs=0.05)
    assert coded.difference == pytest.approx(40, abs=1e-6)


def test_lost_samples_are_not_power_of_zero():
    frame, span = moved(noise=0.0)
    hours = frame["time"].dt.hour.isin([3, 4, 5])
    gaps = frame[~(hours & (frame["time"].dt.day == 5))]
    whole, some = changes(frame, span)["ml"].cluster, changes(gaps, span)["ml"].cluster
    assert some.before == pytest.approx(whole.before, rel=1e-3)
    with pytest.raises(TelemetryError, match="blocks of 40 days"):
        changes(frame, span, block=40)


def test_sums_count_samples():
    frame = planted()
    grid = Grid.between(START, STOP, 3600)
    place = np.array([0, 1, 1, -1, 0, 0])
    found = metric_sums(telemetry(frame, CUTS), "node_load1", grid, group=place, groups=("a", "b"))
    names = frame["node"].astype(str)
    for at, members in enumerate((["login1", "r34n1", "r34n2"], ["r10n1", "r10n2"])):
        mine = frame[names.isin(members)].set_index("time")["node_load1"].astype("float64")
        np.testing.assert_array_equal(found.n[at], mine.resample("1h").count())
        np.testing.assert_allclose(found.mean[at], mine.resample("1h").mean())
