import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from restudy.telemetry.long_table import Names, long_table
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.node_table import node_table
from restudy.telemetry.rows import tidy

BEGIN = pd.Timestamp("2022-10-29 22:00")
METRICS = ["node_load1", "node_power_usage"]


def wide(rows: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    time = np.repeat([BEGIN + pd.Timedelta(seconds=30 * i) for i in range(rows)], 2)
    frame = pd.DataFrame({"timestamp": time, "node": np.tile(["r9n1", "r10n1"], rows)})
    frame["node_power_usage"] = rng.uniform(100, 200, 2 * rows).astype("float32")
    frame["node_load1"] = rng.uniform(0, 16, 2 * rows).astype("float32")
    return frame


def long(frame: pd.DataFrame) -> pd.DataFrame:
    """As Prometheus exports it: series by series."""
    melted = frame.melt(["timestamp", "node"], var_name="__name__")
    melted["instance"] = melted.pop("node") + ":9100"
    return melted.sort_values(["__name__", "instance", "timestamp"], ignore_index=True)


def written(frame, path, **kwargs):
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, **kwargs)
    return path


def test_melting_and_back_gives_the_node_table(tmp_path):
    nodes = node_table(written(wide(), tmp_path / "wide.parquet"))
    found = long_table(written(long(wide()), tmp_path / "long.parquet"))
    assert (found.nodes, found.interval_s) == (nodes.nodes, nodes.interval_s)
    assert set(found.metrics) == set(nodes.metrics)
    pd.testing.assert_frame_equal(found.parts[0].read(METRICS), nodes.parts[0].read(METRICS))


@pytest.mark.parametrize("size", [1, 5, 7])
def test_any_cutting_and_order_gives_the_same_samples(tmp_path, size):
    shuffled = long(wide()).sample(frac=1, random_state=2)
    path = written(shuffled, tmp_path / "long.parquet", row_group_size=size)
    found = long_table(path, part_rows=size, interval_s=30)
    assert len(found.parts) == -(-24 // size)
    pieces = pd.concat(
        [part.read(METRICS).astype({"node": str}) for part in found.parts], ignore_index=True
    )
    nodes = node_table(written(wide(), tmp_path / "wide.parquet"))
    joined = tidy(pieces.astype({"node": "category"}))
    pd.testing.assert_frame_equal(joined, nodes.parts[0].read(METRICS))


def test_only_the_metric_asked_for_makes_rows(tmp_path):
    frame = long(wide())
    frame = frame[(frame["__name__"] == "node_load1") | (frame["instance"] == "r9n1:9100")]
    part = long_table(written(frame, tmp_path / "a.parquet")).parts[0]
    assert set(part.read(["node_power_usage"])["node"]) == {"r9n1"}
    assert set(part.read(["node_load1"])["node"]) == {"r9n1", "r10n1"}


def test_other_names_of_the_columns_are_told(tmp_path):
    other = {"timestamp": "t", "instance": "host", "__name__": "what", "value": "v"}
    path = written(long(wide()).rename(columns=other), tmp_path / "a.parquet")
    with pytest.raises(TelemetryError, match="lacks the columns timestamp, instance, __name__"):
        long_table(path)
    found = long_table(path, names=Names(("t",), ("host",), ("what",), ("v",)))
    plain = long_table(written(long(wide()), tmp_path / "b.parquet"))
    pd.testing.assert_frame_equal(found.parts[0].read(METRICS), plain.parts[0].read(METRICS))


def test_old_names_of_metrics_and_milliseconds(tmp_path):
    frame = long(wide()).replace({"node_power_usage": "surfsara_power_usage"})
    frame["timestamp"] = frame["timestamp"].to_numpy("datetime64[ms]").astype("int64")
    found = long_table(written(frame, tmp_path / "a.parquet"))
    plain = long_table(written(long(wide()), tmp_path / "b.parquet"))
    pd.testing.assert_frame_equal(found.parts[0].read(METRICS), plain.parts[0].read(METRICS))


def test_the_largest_of_several_series_is_taken(tmp_path):
    frame = long(wide(1))
    more = pd.concat([frame, frame.assign(value=frame["value"] / 2)])
    found = long_table(written(more, tmp_path / "a.parquet"), interval_s=30)
    plain = long_table(written(frame, tmp_path / "b.parquet"), interval_s=30)
    pd.testing.assert_frame_equal(found.parts[0].read(METRICS), plain.parts[0].read(METRICS))


def test_local_times_of_every_series_become_utc(tmp_path):
    """Through the hour that comes twice: each series repeats it, and they stay together."""
    frame = wide(rows=600)
    truth = long_table(written(long(frame), tmp_path / "utc.parquet")).parts[0].read(METRICS)
    wall = long(frame)
    wall["timestamp"] = (
        wall["timestamp"]
        .dt.tz_localize("UTC")
        .dt.tz_convert("Europe/Amsterdam")
        .dt.tz_localize(None)
    )
    found = long_table(written(wall, tmp_path / "a.parquet"), timezone="Europe/Amsterdam")
    pd.testing.assert_frame_equal(found.parts[0].read(METRICS), truth)


def test_values_that_are_no_numbers_are_refused(tmp_path):
    path = written(long(wide()).astype({"value": str}), tmp_path / "a.parquet")
    with pytest.raises(TelemetryError, match="expected numbers"):
        long_table(path)
    with pytest.raises(TelemetryError, match="holds no sample"):
        long_table(written(long(wide())[:0], tmp_path / "b.parquet"))
