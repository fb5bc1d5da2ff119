"""Utilisation, GPU heat, percentiles and profiles against pandas on planted samples."""

from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry import gpu_heat, percentiles, profiles, ratios, utilisation
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.samples import Telemetry
from restudy.traces import hardware
from restudy.traces.results import CLASSES

NODES = ("login1", "r10n1", "r10n2", "r30n2", "r31n6", "r34n1", "r38n2")
STEPS = 300


@dataclass(frozen=True)
class Piece:
    frame: pd.DataFrame

    def read(self, columns):
        return self.frame[["time", "node", *columns]].reset_index(drop=True)


def planted(seed=0):
    """Samples of seven nodes: one without hardware, two CPU nodes, three of 4 GPUs, one of 2."""
    rng = np.random.default_rng(seed)
    start = np.datetime64("2022-10-29T20:00:00", "s")  # summer time ends on the 30th, 01:00 UTC
    time = start + np.arange(STEPS) * np.timedelta64(300, "s")
    rows = len(NODES) * STEPS
    node = np.repeat(NODES, STEPS)
    gpu = np.char.startswith(node, "r3")
    frame = pd.DataFrame({"time": np.tile(time, len(NODES)), "node": pd.Categorical(node)})

    def uniform(low, high, step, where=True):
        x = np.rint(rng.uniform(low, high, rows) / step) * step
        x[rng.random(rows) < 0.03] = np.nan
        return np.where(where, x, np.nan).astype("float32")

    frame["node_load1"] = uniform(0, 60, 0.01)
    frame["node_power_usage"] = uniform(80, 300, 0.1)
    frame["node_ambient_temp"] = uniform(20, 30, 0.1)
    frame["node_rapl_package_power_sum"] = uniform(10, 260, 0.1)
    frame["node_memory_Active_bytes"] = 2.0**20 * np.rint(rng.uniform(0, 9e4, rows))
    frame["node_thermal_zone_temp_max"] = uniform(18, 90, 0.1)
    frame["node_hwmon_temp_celsius_max"] = uniform(18, 90, 0.1)
    frame["nvidia_gpu_memory_used_bytes_sum"] = uniform(0, 9e10, 2.0**20, gpu)
    power = [uniform(-20_000, 420_000, 100, gpu).clip(0) for _ in range(4)]
    for slot in range(4):
        frame[f"nvidia_gpu_power_usage_milliwatts_{slot}"] = power[slot]
        frame[f"nvidia_gpu_temperature_celsius_{slot}"] = uniform(20, 95, 1, gpu)
    frame["nvidia_gpu_power_usage_milliwatts_sum"] = np.sum(power, axis=0)
    frame["nvidia_gpu_temperature_celsius_max"] = uniform(20, 95, 1, gpu)
    return frame


def telemetry(frame, cuts=()):
    edges = [0, *sorted(cuts), len(frame)]
    parts = [Piece(frame.iloc[a:b]) for a, b in pairwise(edges) if b > a]
    metrics = tuple(frame.columns[2:])
    return Telemetry("t", "T", tuple(parts), metrics, NODES, 300, "UTC", False, None)


def same(a, b):
    if is_dataclass(a):
        for field in fields(a):
            same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key, value in a.items():
            same(value, b[key])
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


def jobs_of(frame):
    return frame["time"].dt.minute.to_numpy().astype("int64") // 5 % 3


MEASURES = {
    "utilisation": utilisation.utilisation,
    "heat": gpu_heat.heat_curves,
    "busy heat": lambda t: gpu_heat.heat_curves(t, rows=gpu_heat.all_busy),
    "slots": gpu_heat.slot_power,
    "slots by job": lambda t: gpu_heat.slot_power_per_job(t, jobs_of),
    "percentiles": lambda t: percentiles.percentiles(t, ("node_power_usage", "node_load1")),
    "hours": lambda t: profiles.profile(t, ("node_power_usage",)),
    "weekdays": lambda t: profiles.profile(t, ("node_load1",), profiles.WEEKDAYS),
}


@pytest.mark.parametrize("name", MEASURES)
def test_any_cut_and_order_give_the_same_bits(name):
    frame = planted()
    whole = MEASURES[name](telemetry(frame))
    cut = telemetry(frame, (3, 250, 700, 701, 1300, 1999))
    same(MEASURES[name](cut), whole)
    turned = Telemetry(**{**cut.__dict__, "parts": cut.parts[::-1]})
    same(MEASURES[name](turned), whole)


def with_hardware(frame):
    table = hardware.inventory().replace({0: np.nan})
    joined = frame.astype({"node": str}).merge(table, on="node", how="left")
    number = joined.select_dtypes("number").columns
    joined[number] = joined[number].astype("float64")
    return joined


def slow_ratios(d):
    def heat(t, limit):
        return ((d[t] - d.node_ambient_temp) / (d[limit] - d.node_ambient_temp)).clip(lower=0)

    mib = d.nvidia_gpu_memory_used_bytes_sum / d.gpu_memory_bytes_total
    return {
        "load1": (d.node_load1 / d.cpu_core_count_total).clip(upper=1),
        "cpu_power": d.node_rapl_package_power_sum / d.cpu_tdp_total,
        "memory": d.node_memory_Active_bytes / d.cpu_memory_bytes_total,
        "package_temperature": heat("node_thermal_zone_temp_max", "cpu_t_case_max"),
        "core_temperature": heat("node_hwmon_temp_celsius_max", "cpu_per_core_temp_max"),
        "gpu_power": d.nvidia_gpu_power_usage_milliwatts_sum / 1000 / d.gpu_tdp_total,
        "gpu_memory": mib,
        "gpu_temperature": heat("nvidia_gpu_temperature_celsius_max", "gpu_temp_max"),
    }


def test_ratios_are_those_of_pandas():
    frame = planted()
    found = utilisation.utilisation(telemetry(frame))
    assert found.without_hardware == STEPS  # the node login1
    joined = with_hardware(frame)
    ml = joined.node.str.startswith("r3")
    table = found.table()
    for name, ratio in slow_ratios(joined).items():
        for kind, rows in {"generic": ~ml & (joined.node != "login1"), "ml": ml}.items():
            mine = ratio[rows].dropna()
            if mine.empty:
                assert (name, kind) not in table.index
                continue
            row = table.loc[(name, kind)]
            assert row["samples"] == len(mine)
            assert row["mean"] == pytest.approx(100 * mine.mean(), abs=0.005)
            assert row["50 %"] == pytest.approx(100 * mine.median(), abs=0.006)
            assert row["max"] == pytest.approx(100 * mine.max(), abs=0.006)
    hot = slow_ratios(joined)["gpu_temperature"].dropna()
    assert found.over_limit(0.9) == pytest.approx((hot > 0.9).mean(), abs=0.003)


def test_outliers_are_cut_and_bars_drawn_as_in_the_paper():
    found = utilisation.utilisation(telemetry(planted()))
    counts = found.ratios["load1"]
    joined = with_hardware(planted())
    joined = joined[joined.node.isin(["r10n1", "r10n2"])]
    ratio = (100 * slow_ratios(joined)["load1"].dropna()).round(2)
    exact = np.histogram(ratio, np.arange(0, 111, 5))[0] / len(ratio)
    drawn = np.histogram(ratio.round(0), np.arange(0, 111, 5))[0] / len(ratio)
    np.testing.assert_allclose(utilisation.bars(counts, "generic"), exact, atol=2 / len(ratio))
    np.testing.assert_allclose(utilisation.drawn_bars(counts, "generic"), drawn, atol=1e-12)
    assert np.abs(exact - drawn).max() > 3 / len(ratio)
    cut = found.without_outliers().ratios["gpu_power"]
    assert cut.max("ml") <= found.ratios["gpu_power"].quantile("ml", 0.9999) + 1e-4
    assert cut.known("ml") == found.ratios["gpu_power"].known("ml")


@pytest.mark.parametrize("busy", [False, True])
def test_heat_curves_are_those_of_cut_and_groupby(busy):
    joined = with_hardware(planted())
    joined = joined[joined.gpu_count >= 4]
    power = [joined[f"nvidia_gpu_power_usage_milliwatts_{s}"].round() for s in range(4)]
    share = pd.DataFrame({s: 100 * power[s] / 1000 / joined.gpu_tdp_per_card for s in range(4)})
    keep = (share >= 95).all(axis=1) if busy else pd.Series(True, index=share.index)
    rows = gpu_heat.all_busy if busy else gpu_heat.every_sample
    found = gpu_heat.heat_curves(telemetry(planted()), rows=rows).table()
    for slot in range(4):
        t = joined[f"nvidia_gpu_temperature_celsius_{slot}"]
        ratio = (
            100 * (t - joined.node_ambient_temp) / (joined.gpu_temp_max - joined.node_ambient_temp)
        )
        bins = pd.cut(share[slot].round(9), np.arange(0, 171))
        mean = ratio[keep].groupby(bins[keep], observed=False).mean()
        np.testing.assert_allclose(found[f"GPU{slot}"], mean, atol=1e-4)
    assert found.notna().any().all()


def test_a_bin_has_its_upper_edge():
    frame = planted()
    frame = frame[frame["node"] == "r34n1"].iloc[:3].assign(node_ambient_temp=np.float32(29))
    for slot in range(4):  # a TITAN RTX: 280 W, limit 89 °C
        frame[f"nvidia_gpu_power_usage_milliwatts_{slot}"] = np.array([0, 280_000, 280_001.0])
        frame[f"nvidia_gpu_temperature_celsius_{slot}"] = np.float32(59)
    found = gpu_heat.heat_curves(telemetry(frame))
    assert found.n.sum(axis=0).nonzero()[0].tolist() == [99, 100]
    assert found.at_full_power().tolist() == [50.0] * 4


def test_slot_power_counts_samples_or_jobs():
    joined = with_hardware(planted())
    joined = joined[joined.gpu_count >= 4]
    once = gpu_heat.slot_power(telemetry(planted()))
    by_job = gpu_heat.slot_power_per_job(telemetry(planted()), jobs_of)
    jobs = jobs_of(joined)
    for slot in range(4):
        power = joined[f"nvidia_gpu_power_usage_milliwatts_{slot}"]
        ratio = power / 1000 / joined.gpu_tdp_per_card
        name = f"GPU{slot}"
        assert once.mean(name) == pytest.approx(ratio.mean(), abs=1e-5)
        assert once.std(name) == pytest.approx(ratio.std(), abs=1e-5)
        each = ratio.repeat(jobs)
        assert by_job.known(name) == each.notna().sum()
        assert by_job.mean(name) == pytest.approx(each.mean(), abs=1e-5)


@pytest.mark.parametrize("as_coded", [False, True])
def test_percentiles_by_class_with_and_without_the_merged_names(as_coded):
    frame = planted()
    found = (
        percentiles.percentiles(
            telemetry(frame),
            ("node_power_usage",),
            gpu_nodes=percentiles.GPU_NODES_AS_CODED,
        )
        if as_coded
        else percentiles.percentiles(telemetry(frame), ("node_power_usage",))
    )
    ml = frame["node"].isin(["r30n2", "r34n1", "r38n2"] + ([] if as_coded else ["r31n6"]))
    for kind, rows in {"all": ml | True, "generic": ~ml, "ml": ml}.items():
        mine = frame["node_power_usage"][rows].astype("float64").round(1).dropna()
        row = found.table().loc[("node_power_usage", kind)]
        assert row["samples"] == len(mine)
        for p in (1, 25, 50, 75, 90, 99):
            assert row[f"{p} %"] == pytest.approx(np.percentile(mine, p), abs=1e-6)
        assert row["mean"] == pytest.approx(mine.mean())


def test_hours_and_weekdays_are_local_across_the_end_of_summer_time():
    frame = planted()
    local = frame["time"].dt.tz_localize("UTC").dt.tz_convert("Europe/Amsterdam")
    ml = frame["node"].astype(str).str.startswith("r3")
    hours = profiles.profile(telemetry(frame), ("node_power_usage",))
    days = profiles.profile(telemetry(frame), ("node_power_usage",), profiles.WEEKDAYS)
    for kind in CLASSES:
        mine = frame["node_power_usage"].astype("float64").round(1)[ml == (kind == "ml")]
        for found, phase in ((hours, local.dt.hour), (days, local.dt.day_of_week)):
            by = mine.groupby(phase)
            table = found.table("node_power_usage", kind)
            table = table[table["samples"] > 0]
            assert table["samples"].tolist() == by.count().tolist()
            np.testing.assert_allclose(table["mean"], by.mean())
            np.testing.assert_allclose(table["sd"], by.std())
            np.testing.assert_allclose(table["median"], by.median())


def test_clocks_agree():
    time = np.arange(1_577_836_800, 1_609_459_200, 1234)
    zone = profiles.local_seconds(time, profiles.Zone("Europe/Amsterdam"))
    np.testing.assert_array_equal(profiles.local_seconds(time, profiles.amsterdam), zone)
    assert np.unique(zone - time).tolist() == [3600, 7200]
    np.testing.assert_array_equal(profiles.local_seconds(time, profiles.utc), time)
    half = profiles.local_seconds(time, profiles.Zone("Asia/Kolkata"))
    np.testing.assert_array_equal(half, profiles.local_seconds(time, profiles.Ahead(19800)))


def test_another_cluster_needs_its_hardware_table():
    with pytest.raises(TelemetryError, match="none of the 1 nodes"):
        ratios.capacities(("c1",), ["cpu_tdp_total"])
