import zipfile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from restudy import data
from restudy.telemetry.datasets import REGISTERED, telemetry
from restudy.telemetry.ingest import ingest
from restudy.telemetry.metrics import METRICS, TelemetryError
from restudy.telemetry.node_table import node_table

NODES = pd.DataFrame(
    {
        "timestamp": pd.to_datetime(["2022-07-01 00:00:00", "2022-07-01 00:00:30"] * 2),
        "node": ["r10n1"] * 2 + ["r10n2"] * 2,
        "node_power_usage": [100.0, 101.0, 102.0, 103.0],
    }
)
LONG = pd.DataFrame(
    {
        "timestamp": NODES["timestamp"],
        "instance": NODES["node"] + ":9100",
        "__name__": "node_power_usage",
        "value": NODES["node_power_usage"],
    }
)


def write(frame, path, size=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=size)
    return path


def folders(root):
    table = NODES.pivot_table(index="timestamp", columns="node", values="node_power_usage")
    table.index = table.index.to_numpy("datetime64[s]").astype("int64")
    (root / "surfsara_power_usage").mkdir(parents=True)
    table.to_parquet(root / "surfsara_power_usage" / "1656633600_1656720000.parquet")
    return root


def paths(tmp_path):
    """A path of each layout, of the same samples."""
    joined = write(NODES.assign(slurm_id=1), tmp_path / "joined" / "part-0.parquet")
    with zipfile.ZipFile(tmp_path / "joined.zip", "w") as archive:
        archive.write(joined, "x/part-0.parquet")
    nodes = write(NODES, tmp_path / "nodes.parquet")
    ingest(node_table(nodes), tmp_path / "store")
    return [
        nodes,
        write(LONG, tmp_path / "long.parquet"),
        joined.parent,
        tmp_path / "joined.zip",
        folders(tmp_path / "processed-surf-dataset"),
        tmp_path / "store",
    ]


def test_each_layout_is_known_by_its_path_and_gives_the_same_samples(tmp_path):
    truth = None
    for path in paths(tmp_path):
        found = telemetry(str(path))
        (part,) = found.parts
        frame = part.read(["node_power_usage"])
        truth = frame if truth is None else truth
        pd.testing.assert_frame_equal(frame, truth)
        assert (found.nodes, found.interval_s) == (("r10n1", "r10n2"), 30)
        assert found.clock == ("UTC" if "joined" not in str(path) else found.clock)
    assert truth["node_power_usage"].tolist() == [100, 101, 102, 103]


def test_a_sample_is_the_first_parts_and_says_so(tmp_path):
    for i in range(3):
        write(NODES, tmp_path / "nodes" / f"part-{i}.parquet")
    found = telemetry(str(tmp_path / "nodes"), sample=2)
    assert [part.source.name for part in found.parts] == ["part-0.parquet", "part-1.parquet"]
    assert found.title == "nodes, 2 of 3 parts"
    assert telemetry(str(tmp_path / "nodes"), sample=3).title == "nodes"
    with pytest.raises(TelemetryError, match="sample=0 leaves no part; expected 1 to 3"):
        telemetry(str(tmp_path / "nodes"), sample=0)


@pytest.mark.parametrize("choice", ["lisa-nodes", "lisa-joined"])
def test_registered_files_have_their_name_and_title(tmp_path, monkeypatch, choice):
    frame = NODES.assign(slurm_id=1) if choice == "lisa-joined" else NODES
    path = write(frame, tmp_path / "a.parquet")
    dataset, title = REGISTERED[choice]
    monkeypatch.setattr(data, "available", lambda name: path if name == dataset else None)
    for asked in (choice, "auto"):
        found = telemetry(asked)
        assert (found.name, found.title, found.dataset) == (choice, title, dataset)
        assert found.real


def test_the_tar_of_2020_is_read_where_it_was_unpacked(tmp_path, monkeypatch):
    archive = tmp_path / "surf-lisa.tar"
    archive.touch()
    monkeypatch.setattr(data, "available", lambda name: archive)
    with pytest.raises(TelemetryError, match=r"has to be unpacked .* `tar -xf "):
        telemetry("surf-2020")
    folders(tmp_path / "surf-lisa" / "processed-surf-dataset")
    found = telemetry("surf-2020")
    assert found.parts[0].read(["node_power_usage"])["node_power_usage"].sum() == 406
    assert found.dataset == "surf-2020"


def test_absent_sources_are_told_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "available", lambda name: None)
    for choice in ("lisa-nodes", "lisa-joined", "surf-2020"):
        with pytest.raises(TelemetryError, match=r"not at hand: run `restudy fetch "):
            telemetry(choice)
    with pytest.raises(TelemetryError, match="no node metrics are at hand"):
        telemetry("auto")
    with pytest.raises(TelemetryError, match="is no file and no known source; use auto, "):
        telemetry(str(tmp_path / "absent"))
    with pytest.raises(TelemetryError, match="timezone='Europe/Amsterdam' belongs to"):
        telemetry("auto", timezone="Europe/Amsterdam")


def test_an_unknown_layout_is_refused_with_the_known_ones(tmp_path):
    path = write(NODES.rename(columns={"node": "machine"}), tmp_path / "a.parquet")
    with pytest.raises(
        TelemetryError, match=r"columns timestamp, machine, .*expected a node table"
    ):
        telemetry(str(path))


def test_the_registry_describes_all_columns_of_the_published_tables():
    columns = data.registry()["lisa-node-metrics"].columns
    assert set(columns) == {"id", "timestamp", "node", *METRICS}
    assert set(columns) < set(data.registry()["lisa-joined"].columns)
    entry = data.registry()["surf-2020"]
    assert entry.file.endswith(".tar")
    assert entry.record == "https://zenodo.org/api/records/4459519"
    for name, one in METRICS.items():
        if one.unit != "1":
            assert f"[{one.unit.replace('°', 'deg')}]" in columns[name], name


def test_timezone_reaches_every_reader_that_has_naive_times(tmp_path):
    for frame in (NODES, LONG, NODES.assign(slurm_id=1)):
        path = write(frame, tmp_path / "a.parquet")
        found = telemetry(str(path), timezone="Europe/Amsterdam")
        assert found.clock == "UTC"
        first = found.parts[0].read([])["time"].min()
        assert first == pd.Timestamp("2022-06-30 22:00")
