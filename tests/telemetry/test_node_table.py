import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from restudy.telemetry.clocks import localise, seconds
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.node_table import node_table
from restudy.telemetry.rows import tidy
from restudy.telemetry.samples import fold

BEGIN = pd.Timestamp("2022-07-01")
GPU = "r28n1"


def published(rows: int = 8) -> pd.DataFrame:
    """Rows of two nodes, one with GPUs, by time, as the cleaned table has them."""
    time = [BEGIN + pd.Timedelta(seconds=30 * i) for i in range(rows) for _ in range(2)]
    gpu = np.tile([0, 1], rows)
    return pd.DataFrame(
        {
            "id": np.arange(2 * rows),
            "timestamp": time,
            "node": np.where(gpu == 1, GPU, "r10n1"),
            "surfsara_power_usage": 100.0 + np.arange(2 * rows),
            "node_load1": np.arange(2 * rows) / 4,
            "nvidia_gpu_temperature_celsius_0": gpu * 50.0,
            "nvidia_gpu_power_usage_milliwatts_3": gpu * 0.0,
            "nvidia_gpu_duty_cycle_max": gpu * 0.0,
            "gpu_node": gpu,
        }
    )


def written(frame: pd.DataFrame, path: Path, **kwargs: object) -> Path:
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, **kwargs)
    return path


def whole(telemetry, metrics):
    frames = [part.read(metrics) for part in telemetry.parts]
    return tidy(
        pd.concat(
            [frame.assign(node=frame["node"].astype(str)) for frame in frames], ignore_index=True
        ).astype({"node": "category"})
    )


def test_old_and_new_names_give_the_same_samples(tmp_path):
    old = written(published(), tmp_path / "old.parquet")
    new = published().rename(
        columns={"surfsara_power_usage": "node_power_usage", "timestamp": "time"}
    )
    new = written(new, tmp_path / "new.parquet")
    first, second = node_table(old), node_table(new)
    assert first.metrics == second.metrics
    pd.testing.assert_frame_equal(whole(first, first.metrics), whole(second, first.metrics))


def test_samples_are_those_planted_in_order_of_node_and_time(tmp_path):
    found = node_table(written(published(3), tmp_path / "a.parquet"))
    assert (found.nodes, found.interval_s, found.clock) == (("r10n1", GPU), 30, "UTC")
    frame = found.parts[0].read(["node_power_usage"])
    assert frame["time"].dtype == "datetime64[s]"
    assert frame["node"].tolist() == ["r10n1"] * 3 + [GPU] * 3
    assert frame["node_power_usage"].tolist() == [100.0, 102.0, 104.0, 101.0, 103.0, 105.0]


def test_zero_stands_for_no_gpu_only_where_the_node_has_none(tmp_path):
    found = node_table(written(published(1), tmp_path / "a.parquet"))
    frame = found.parts[0].read([name for name in found.metrics if name.startswith("nvidia")])
    assert frame["nvidia_gpu_temperature_celsius_0"].tolist()[1] == 50.0
    assert np.isnan(frame["nvidia_gpu_temperature_celsius_0"][0])
    assert np.isnan(frame["nvidia_gpu_duty_cycle_max"][0])
    assert frame["nvidia_gpu_duty_cycle_max"][1] == 0.0  # an idle GPU
    assert frame["nvidia_gpu_power_usage_milliwatts_3"].isna().all()  # 0 mW: no such slot


def test_without_a_column_of_gpu_nodes_their_names_decide(tmp_path):
    path = written(published(1).drop(columns="gpu_node"), tmp_path / "a.parquet")
    frame = node_table(path).parts[0].read(["nvidia_gpu_duty_cycle_max"])
    assert frame["nvidia_gpu_duty_cycle_max"].isna().tolist() == [True, False]
    frame = (
        node_table(path, gpu_nodes=frozenset({"r10n1"}))
        .parts[0]
        .read(["nvidia_gpu_duty_cycle_max"])
    )
    assert frame["nvidia_gpu_duty_cycle_max"].isna().tolist() == [False, True]


@pytest.mark.parametrize("part_rows", [1, 4, 6, 1000])
def test_any_cutting_into_parts_gives_the_same_samples(tmp_path, part_rows):
    path = written(published(), tmp_path / "a.parquet", row_group_size=3)
    found = node_table(path, part_rows=part_rows)
    assert len(found.parts) == {1: 6, 4: 5, 6: 3, 1000: 1}[part_rows]
    one = node_table(path).parts[0].read(found.metrics)
    pd.testing.assert_frame_equal(whole(found, found.metrics), one)


def test_a_folder_of_files_is_read_by_files(tmp_path):
    frame = published()
    for i in range(4):
        written(frame[i * 4 : i * 4 + 4], tmp_path / f"part-{i}.parquet")
    found = node_table(tmp_path)
    assert len(found.parts) == 4
    single = node_table(written(frame, tmp_path / "all.parq")).parts[0]
    pd.testing.assert_frame_equal(whole(found, found.metrics), single.read(found.metrics))


def test_only_the_columns_asked_for_are_read(tmp_path):
    """The bytes of the other columns are destroyed; asking for them is refused in a sentence."""
    path = written(published(), tmp_path / "a.parquet", compression="zstd", use_dictionary=False)
    row_group = pq.read_metadata(path).row_group(0)
    content = bytearray(path.read_bytes())
    for at in range(row_group.num_columns):
        chunk = row_group.column(at)
        if chunk.path_in_schema == "node_load1":
            begin = chunk.data_page_offset
            content[begin : begin + chunk.total_compressed_size] = (
                b"\xff" * chunk.total_compressed_size
            )
    path.write_bytes(content)
    found = node_table(path)
    assert found.parts[0].read(["node_power_usage"])["node_power_usage"].sum() == 16 * 107.5
    with pytest.raises(TelemetryError, match=r"a\.parquet is damaged"):
        found.parts[0].read(["node_load1"])


def test_parts_travel_to_other_processes(tmp_path):
    found = node_table(written(published(), tmp_path / "a.parquet"))
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert fold(again, ["node_load1"], len) == 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="node"), r"a\.parquet lacks the columns node; it has id, "),
        (lambda f: f.assign(timestamp="noon"), r"timestamp is (large_)?string, expected times"),
        (lambda f: f.assign(node=1), "node is int64, expected text"),
        (lambda f: f[["timestamp", "node"]], "no column of numbers besides timestamp and node"),
        (lambda f: f[:0], "holds no sample"),
        (lambda f: f.assign(node_power_usage=1.0), "node_power_usage twice"),
    ],
)
def test_a_wrong_table_is_refused_in_one_sentence(tmp_path, change, message):
    path = written(change(published()), tmp_path / "a.parquet")
    with pytest.raises(TelemetryError, match=message) as error:
        node_table(path)
    assert str(error.value).count(". ") == 0


def test_absent_empty_and_truncated_files_are_refused(tmp_path):
    with pytest.raises(TelemetryError, match="there is no file"):
        node_table(tmp_path / "absent")
    with pytest.raises(TelemetryError, match=r"holds no \*\.parquet"):
        node_table(tmp_path)
    path = written(published(), tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TelemetryError, match="cannot be read as Parquet"):
        node_table(path)


def test_a_second_file_with_another_type_is_named(tmp_path):
    written(published(), tmp_path / "a.parquet")
    written(published().assign(node_load1="high"), tmp_path / "b.parquet")
    with pytest.raises(TelemetryError, match=r"b\.parquet has mistyped columns: node_load1"):
        node_table(tmp_path)


def test_times_with_and_without_zone_are_not_mixed(tmp_path):
    frame = published()
    written(frame, tmp_path / "a.parquet")
    frame["timestamp"] = frame["timestamp"].dt.tz_localize("UTC")
    written(frame, tmp_path / "b.parquet")
    with pytest.raises(TelemetryError, match=r"b\.parquet has times with a time zone and a\.p"):
        node_table(tmp_path)


@pytest.mark.parametrize("power", [0, 3, 6, 9])
def test_numbers_are_seconds_or_smaller_units(tmp_path, power):
    frame = published()
    epoch = frame["timestamp"].to_numpy("datetime64[s]").astype("int64") * 10**power
    path = written(frame.assign(timestamp=epoch), tmp_path / "a.parquet")
    plain = written(frame, tmp_path / "b.parquet")
    first, second = node_table(path).parts[0], node_table(plain).parts[0]
    pd.testing.assert_frame_equal(first.read(["node_load1"]), second.read(["node_load1"]))


def test_times_with_a_zone_become_utc(tmp_path):
    frame = published()
    local = frame["timestamp"].dt.tz_localize("UTC").dt.tz_convert("Europe/Amsterdam")
    path = written(frame.assign(timestamp=local), tmp_path / "a.parquet")
    read = node_table(path, clock="local").parts[0].read([])
    assert node_table(path, clock="local").clock == "UTC"
    assert read["time"].min() == BEGIN


def test_local_times_become_utc_with_a_zone(tmp_path):
    path = written(published(), tmp_path / "a.parquet")
    found = node_table(path, timezone="Europe/Amsterdam")
    assert found.clock == "UTC"
    assert found.parts[0].read([])["time"].min() == BEGIN - pd.Timedelta(hours=2)
    with pytest.raises(TelemetryError, match="Europe/Amsterdum"):
        node_table(path, timezone="Europe/Amsterdum")


@pytest.mark.parametrize("by_time", [False, True])
def test_every_second_of_the_end_of_summer_time_is_told_apart(by_time):
    """A day around the change, written as local time, comes back; also with nodes interleaved."""
    utc = np.arange(
        pd.Timestamp("2022-10-29T22:00").timestamp(),
        pd.Timestamp("2022-10-30T06:00").timestamp(),
        30,
        dtype="int64",
    )
    stamps = pd.DatetimeIndex(utc.astype("datetime64[s]")).tz_localize("UTC")
    wall = stamps.tz_convert("Europe/Amsterdam").tz_localize(None)
    local = np.repeat(wall.to_numpy("datetime64[s]").astype("int64"), 2)
    node = np.tile([0, 1], len(utc))
    truth = np.repeat(utc, 2)
    if by_time:  # sorted by local time: the two passes lie side by side
        order = np.argsort(local, kind="stable")
        local, node, truth = local[order], node[order], truth[order]
    found = localise(local, node, "Europe/Amsterdam")
    np.testing.assert_array_equal(found.seconds, truth)
    assert (found.ambiguous, found.shifted) == (2 * 2 * 120, 0)


def test_times_that_do_not_exist_are_moved_an_hour_on():
    local = np.array(["2022-03-27T02:30", "2022-03-27T03:30"], "datetime64[s]").astype("int64")
    found = localise(local, np.array([0, 1]), "Europe/Amsterdam")
    assert found.seconds.tolist() == [local[1] - 7200] * 2
    assert (found.ambiguous, found.shifted) == (0, 1)


def test_times_before_1970_are_cut_downwards():
    column = pa.chunked_array([pa.array([-1500, None], pa.timestamp("ms"))])
    assert seconds(column).tolist() == [-2, np.iinfo("int64").min]


def test_rows_of_one_node_and_time_are_joined_to_the_known_and_largest(tmp_path):
    frame = published(1)
    frame = pd.concat([frame, frame.assign(node_load1=np.nan, surfsara_power_usage=[90.0, 900.0])])
    read = (
        node_table(written(frame, tmp_path / "a.parquet"), interval_s=30)
        .parts[0]
        .read(["node_load1", "node_power_usage"])
    )
    assert read["node_load1"].tolist() == [0.0, 0.25]
    assert read["node_power_usage"].tolist() == [100.0, 900.0]
