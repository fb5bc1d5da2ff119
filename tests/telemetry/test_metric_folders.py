from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry.metric_folders import metric_folders
from restudy.telemetry.metric_matrix import unpack_gpu
from restudy.telemetry.metrics import TelemetryError

BEGIN = 1_577_660_400  # 2019-12-29 23:00 UTC
NODES = ["r9n1", "r10n1", "r28n1"]


def store(root: Path, metric: str, day: int, table: pd.DataFrame) -> None:
    folder = root / metric
    folder.mkdir(parents=True, exist_ok=True)
    begin = BEGIN + day * 86400
    table.to_parquet(folder / f"{begin}_{begin + 86400}.parquet")


def table(day: int, rows: int = 4, offset: float = 0.0) -> pd.DataFrame:
    index = BEGIN + day * 86400 + 15 * np.arange(rows)
    values = offset + 100 * day + np.arange(rows * 3.0).reshape(rows, 3)
    return pd.DataFrame(values, index=index, columns=NODES)


def gpus(values: list[list[float]], day: int = 0) -> pd.DataFrame:
    columns = pd.MultiIndex.from_tuples(
        [("r28n1", "TITAN RTX 0"), ("r28n1", "TITAN RTX 1"), ("r28n2", "TITAN V 0")]
    )
    index = BEGIN + day * 86400 + 15 * np.arange(len(values))
    return pd.DataFrame(values, index=index, columns=columns)


def test_each_value_lands_at_its_node_and_time(tmp_path):
    for day in range(2):
        store(tmp_path, "surfsara_power_usage", day, table(day))
        store(tmp_path, "node_load1", day, table(day, offset=0.5))
    found = metric_folders(tmp_path)
    assert found.nodes == ("r10n1", "r28n1", "r9n1")
    assert (found.interval_s, found.clock, len(found.parts)) == (15, "UTC", 2)
    assert set(found.metrics) == {"node_power_usage", "node_load1"}
    for day, part in enumerate(found.parts):
        frame = part.read(["node_load1", "node_power_usage"])
        assert len(frame) == 12
        assert list(frame.columns) == ["time", "node", "node_load1", "node_power_usage"]
        for row in frame.itertuples():
            at = int(row.time.timestamp())
            assert row.node_power_usage == table(day).loc[at, row.node]
            assert row.node_load1 == row.node_power_usage + 0.5
        order = frame[["node", "time"]].astype({"node": str})
        assert order.equals(order.sort_values(["node", "time"], ignore_index=True))


def test_minus_one_is_unknown_and_nodes_differ_between_metrics(tmp_path):
    power = table(0)
    power.iloc[1, 0] = -1
    store(tmp_path, "surfsara_power_usage", 0, power)
    store(tmp_path, "node_load1", 0, table(0).drop(columns="r28n1"))
    part = metric_folders(tmp_path).parts[0]
    both = part.read(["node_power_usage", "node_load1"]).set_index(["node", "time"])
    assert both["node_power_usage"].isna().sum() == 1
    assert both["node_load1"].isna().sum() == 4
    assert both.loc["r28n1", "node_load1"].isna().all()
    # alone, a sample that was not measured is no sample
    assert len(part.read(["node_power_usage"])) == 11


def test_gpu_columns_become_slots_and_statistics(tmp_path):
    store(
        tmp_path, "nvidia_gpu_temperature_celsius", 0, gpus([[40, 60, 30], [50, 0, 0], [-1, 7, 9]])
    )
    found = metric_folders(tmp_path)
    name = "nvidia_gpu_temperature_celsius_{}".format
    wanted = [name(slot) for slot in ("0", "1", "2", "min", "mean", "max", "sum")]
    frame = found.parts[0].read(wanted)
    assert frame["node"].tolist() == ["r28n1"] * 3 + ["r28n2"] * 2
    nan = np.nan
    truth = [
        [40, 60, nan, 40, 50, 60, 100],
        [50, nan, nan, 50, 50, 50, 50],
        [nan, 7, nan, 7, 7, 7, 7],
        [30, nan, nan, 30, 30, 30, 30],
        [9, nan, nan, 9, 9, 9, 9],
    ]
    np.testing.assert_array_equal(frame[wanted].to_numpy(), truth)


def test_unpacking_undoes_packing():
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 2**16, (4, 50, 3))
    packed = sum(planes[slot].astype("uint64") << np.uint64(16 * slot) for slot in range(4))
    np.testing.assert_array_equal(unpack_gpu(packed.view("int64")), planes)
    np.testing.assert_array_equal(unpack_gpu(packed), planes)


def test_packed_power_is_watts_in_spite_of_its_name(tmp_path):
    word = 250 + (60 << 16) + (300 << 48)
    packed = pd.DataFrame({"r28n1": [word, 0]}, index=[BEGIN, BEGIN + 15], dtype="int64")
    store(tmp_path, "nvidia_gpu_power_usage_milliwatts", 0, packed)
    names = [f"nvidia_gpu_power_usage_milliwatts_{slot}" for slot in range(4)]
    frame = metric_folders(tmp_path, interval_s=15).parts[0].read(names)
    np.testing.assert_array_equal(frame[names], [[250_000, 60_000, np.nan, 300_000]])


def test_only_files_of_the_metrics_asked_for_are_opened(tmp_path):
    store(tmp_path, "surfsara_power_usage", 0, table(0))
    store(tmp_path, "node_load1", 0, table(0))
    found = metric_folders(tmp_path)
    next((tmp_path / "node_load1").iterdir()).write_bytes(b"nothing")
    assert len(found.parts[0].read(["node_power_usage"])) == 12
    with pytest.raises(TelemetryError, match="cannot be read as Parquet"):
        found.parts[0].read(["node_load1"])


def test_a_metric_without_a_file_of_the_range_is_unknown(tmp_path):
    for day in range(2):
        store(tmp_path, "surfsara_power_usage", day, table(day))
    store(tmp_path, "node_load1", 0, table(0))
    second = metric_folders(tmp_path).parts[1].read(["node_power_usage", "node_load1"])
    assert len(second) == 12
    assert second["node_load1"].isna().all()


def test_wrong_folders_are_refused(tmp_path):
    with pytest.raises(TelemetryError, match="<metric>/<start>_<end>"):
        metric_folders(tmp_path)
    store(tmp_path, "node_load1", 0, table(0).astype(str))
    with pytest.raises(TelemetryError, match=r"node_load1/.* r9n1 is \w+, expected numbers"):
        metric_folders(tmp_path)
    store(tmp_path, "node_load1", 0, table(0).reset_index(drop=True))
    with pytest.raises(TelemetryError, match="no index of times"):
        metric_folders(tmp_path)
