import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from restudy.telemetry import rows
from restudy.telemetry.ingest import ingest
from restudy.telemetry.long_table import long_table
from restudy.telemetry.metric_folders import metric_folders
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.node_table import node_table
from restudy.telemetry.quality import Rules, apply
from restudy.telemetry.store import open_quality, open_store

METRICS = ("node_power_usage", "node_load1", "node_rapl_package_joules_total_sum")
BEGIN = pd.Timestamp("2022-07-01")
NODES = ["r9n1", "r10n1", "r10n2", "r28n1", "r28n2"]
INTERVAL = 600


def source(days: int = 3) -> pd.DataFrame:
    """Samples with duplicates, a gap, impossible values, a sensor stuck over midnight."""
    rng = np.random.default_rng(0)
    steps = days * 86400 // INTERVAL
    time = np.tile(INTERVAL * np.arange(steps), len(NODES))
    frame = pd.DataFrame({"node": np.repeat(NODES, steps)})
    frame.insert(0, "timestamp", BEGIN + pd.to_timedelta(time, unit="s"))
    size = len(frame)
    frame["node_power_usage"] = rng.integers(80, 300, size).astype("float64")
    frame["node_load1"] = rng.uniform(0, 16, size)
    joules = rng.integers(0, 100, size).reshape(len(NODES), steps).cumsum(axis=1)
    reset = min(300, steps // 2)
    joules[1, reset:] -= joules[1, reset]
    frame["node_rapl_package_joules_total_sum"] = joules.ravel().astype("float64")
    frame.loc[100:120, "node_power_usage"] = 9000.0
    frame.loc[2 * steps + 130 : 2 * steps + 330, "node_power_usage"] = 150.0  # 33 h
    frame.loc[5, "node_load1"] = np.nan
    frame = frame.drop(range(3 * steps + 50, 3 * steps + 60))
    return pd.concat([frame, frame[7:9].assign(node_power_usage=299.5)], ignore_index=True)


def parquet(frame: pd.DataFrame, path: Path, size: int) -> Path:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, path, row_group_size=size)
    return path


def telemetry(path: Path, frame: pd.DataFrame, size: int):
    return node_table(parquet(frame, path, size), part_rows=size, interval_s=INTERVAL)


def digests(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted((folder / "parts").iterdir())
    }


def whole(store) -> pd.DataFrame:
    frames = [part.read(store.metrics).astype({"node": str}) for part in store.parts]
    joined = pd.concat(frames, ignore_index=True)
    return rows.tidy(joined.astype({"node": "category"}))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return ingest(telemetry(folder / "a.parquet", source(), 200), folder / "store")


def test_the_store_is_the_source_cleaned_at_once(made, tmp_path):
    """Borders of parts, days and buckets leave no trace."""
    one = telemetry(tmp_path / "a.parquet", source(), 10**6)
    (part,) = one.parts
    truth, quality = apply(part.rows(one.metrics), one.metrics, INTERVAL, Rules())
    pd.testing.assert_frame_equal(whole(made), truth)
    folder = Path(made.parts[0].source.path).parents[1]
    found = open_quality(folder)
    assert found.rows == quality.rows
    for one, other in ((found.counts, quality.counts), (found.examples, quality.examples)):
        # A row that is late only after a row of another part is in order within its own.
        assert {k: v for k, v in one.items() if k[0] != "unordered"} == {
            k: v for k, v in other.items() if k[0] != "unordered"
        }
    assert quality.counts["stuck", "node_power_usage"] == 1
    assert quality.counts["range", "node_power_usage"] == 21
    assert quality.counts["reset", METRICS[2]] == 1
    assert quality.counts["gap", "time"] == 1
    assert quality.counts["duplicate", "time"] == 2
    assert quality.counts["conflict", "node_power_usage"] == 2


@pytest.mark.parametrize(("size", "shuffle"), [(10**6, False), (61, False), (500, True)])
def test_any_order_and_cutting_of_the_source_gives_the_same_bytes(made, tmp_path, size, shuffle):
    frame = source()
    if shuffle:
        frame = frame.sample(frac=1, random_state=3)
    store = ingest(telemetry(tmp_path / "b.parquet", frame, size), tmp_path / "store")
    assert digests(tmp_path / "store") == digests(Path(made.parts[0].source.path).parents[1])
    assert store.nodes == made.nodes == tuple(sorted(NODES))


def test_parts_are_bounded_by_days_and_nodes(tmp_path):
    row = 144  # samples of a node and day
    one = telemetry(tmp_path / "a.parquet", source(), 10**6)
    store = ingest(one, tmp_path / "store", part_rows=2 * row, bucket_bytes=3 * row * 24 * 2)
    assert len(store.parts) == 3 * 3  # two nodes and one day each
    for part in store.parts:
        frame = part.read([])
        assert len(frame) <= 2 * row
        assert frame["node"].nunique() <= 2
        assert len(set(frame["time"].dt.date)) == 1
    usual = ingest(one, tmp_path / "usual")
    pd.testing.assert_frame_equal(whole(store), whole(usual))


def test_every_layout_gives_the_same_store(tmp_path):
    frame = source()[["timestamp", "node", "node_power_usage", "node_load1"]]
    frame = frame.drop_duplicates(["timestamp", "node"])
    kept = frame.columns[2:].tolist()
    stores = [telemetry(tmp_path / "wide.parquet", frame, 300)]
    long = frame.melt(["timestamp", "node"], var_name="metric").sample(frac=1, random_state=1)
    path = parquet(long, tmp_path / "long.parquet", 500)
    stores.append(long_table(path, part_rows=500, interval_s=INTERVAL))
    for name in kept:
        for day, piece in frame.groupby(frame["timestamp"].dt.floor("D")):
            begin = int(day.timestamp())
            table = piece.pivot_table(index="timestamp", columns="node", values=name)
            table.index = table.index.to_numpy("datetime64[s]").astype("int64")
            (tmp_path / "folders" / name).mkdir(parents=True, exist_ok=True)
            file = tmp_path / "folders" / name / f"{begin}_{begin + 86400}.parquet"
            table.fillna(-1).to_parquet(file)
    stores.append(metric_folders(tmp_path / "folders"))
    found = []
    for number, one in enumerate(stores):
        assert one.interval_s == INTERVAL
        ingest(one, tmp_path / f"store{number}", metrics=kept)
        found.append(digests(tmp_path / f"store{number}"))
    assert found[0] == found[1] == found[2]


@dataclass(frozen=True)
class Failing:
    """A part that is killed while it is read, as long as a file says so and others were read."""

    part: object
    switch: str
    log: str

    def rows(self, columns):
        if Path(self.switch).exists() and Path(self.log).exists():
            raise KeyboardInterrupt
        with Path(self.log).open("a") as log:
            log.write("read\n")
        return self.part.rows(columns)

    def read(self, columns):
        return rows.tidy(self.rows(columns))


def test_a_killed_ingestion_goes_on_where_it_stopped(made, tmp_path):
    one = telemetry(tmp_path / "a.parquet", source(), 200)
    switch, log = tmp_path / "switch", tmp_path / "log"
    switch.touch()
    # Dask's order of parts is not ours: whichever comes first is read, the second is killed.
    parts = tuple(Failing(part, str(switch), str(log)) for part in one.parts)
    flaky = dataclasses.replace(one, parts=parts)
    with dask.config.set(scheduler="synchronous"), pytest.raises(KeyboardInterrupt):
        ingest(flaky, tmp_path / "store")
    before = len(log.read_text().split())
    with pytest.raises(TelemetryError, match=r"no complete store"):
        open_store(tmp_path / "store")
    switch.unlink()
    ingest(flaky, tmp_path / "store")
    assert len(log.read_text().split()) == len(parts)
    assert before == 1 < len(parts)
    assert digests(tmp_path / "store") == digests(Path(made.parts[0].source.path).parents[1])


def test_finished_buckets_are_kept(made, tmp_path, monkeypatch):
    one = telemetry(tmp_path / "a.parquet", source(), 200)
    small = {"bucket_bytes": 3 * 144 * 24}
    written = []
    true = dask.config.set(scheduler="synchronous")
    from restudy.telemetry import store

    write = store.write_part

    def dying(frame, metrics, path):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path.name)
        write(frame, metrics, path)

    monkeypatch.setattr(store, "write_part", dying)
    with true, pytest.raises(KeyboardInterrupt):
        ingest(one, tmp_path / "store", **small)
    monkeypatch.setattr(
        store, "write_part", lambda f, m, path: (written.append(path.name), write(f, m, path))
    )
    found = ingest(one, tmp_path / "store", **small)
    assert len(written) == len(set(written)) == len(found.parts) == len(NODES)
    pd.testing.assert_frame_equal(whole(found), whole(made))


def test_a_complete_store_is_opened_and_another_source_refused(tmp_path):
    one = telemetry(tmp_path / "a.parquet", source(), 200)
    first = ingest(one, tmp_path / "store")
    assert ingest(one, tmp_path / "store") == first == open_store(tmp_path / "store")
    assert not (tmp_path / "store" / "pieces").exists()
    with pytest.raises(TelemetryError, match="another ingestion"):
        ingest(one, tmp_path / "store", metrics=["node_load1"])


def test_a_store_can_be_moved_and_knows_what_it_is(tmp_path):
    one = telemetry(tmp_path / "a.parquet", source(), 200)
    one = dataclasses.replace(one, real=False, clock="local", title="Small", dataset="x")
    first = ingest(one, tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "moved")
    again = open_store(tmp_path / "moved")
    assert (again.real, again.clock, again.title, again.dataset) == (False, "local", "Small", "x")
    assert again.metrics == METRICS
    assert len(again.parts) == len(first.parts)
    frame = again.parts[0].read(METRICS)
    kinds = frame[list(METRICS)].dtypes.astype(str).tolist()
    assert kinds == ["float32", "float32", "float64"]


def test_a_store_is_also_read_as_a_node_table(made):
    folder = Path(made.parts[0].source.path).parent
    again = node_table(folder)
    pd.testing.assert_frame_equal(whole(again), whole(made))


def test_a_damaged_description_is_refused(tmp_path):
    folder = tmp_path / "store"
    ingest(telemetry(tmp_path / "a.parquet", source(1), 200), folder)
    saved = json.loads((folder / "telemetry.json").read_text())
    del saved["clock"]
    (folder / "telemetry.json").write_text(json.dumps(saved))
    with pytest.raises(TelemetryError, match=r"no complete store.*clock"):
        open_store(folder)
