import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from restudy.telemetry.joined_table import joined_jobs, joined_table
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.node_table import node_table
from restudy.traces.jobs import COLUMNS, validate
from restudy.traces.summertime import LISA_CLOCK

AT = pd.Timestamp("2022-07-01 12:00")
# number, submit, start, end (minutes after AT), nodes, state
JOBS = [
    (7, -9, 0, 2, ["r10n1"], "COMPLETED"),
    (8, -5, 0, 1, ["r10n1", "r10n2"], "CANCELLED by 1234"),
    (9, -1, 1, 2, ["r28n1"], "FAILED"),
]


def samples() -> pd.DataFrame:
    """Metrics of three nodes at each half minute of two minutes."""
    time = np.repeat([AT + pd.Timedelta(seconds=30 * i) for i in range(5)], 3)
    node = np.tile(["r10n1", "r10n2", "r28n1"], 5)
    power = np.arange(15.0)
    return pd.DataFrame({"timestamp": time, "node": node, "node_power_usage": power})


def joined() -> pd.DataFrame:
    """The published join, by the slow obvious loop."""
    rows = []
    for sample in samples().itertuples(index=False):
        for number, submit, start, end, nodes, state in JOBS:
            begin, finish = AT + pd.Timedelta(minutes=start), AT + pd.Timedelta(minutes=end)
            if sample.node in nodes and begin <= sample.timestamp <= finish:
                job = {
                    "slurm_id": number,
                    "submit_date": AT + pd.Timedelta(minutes=submit),
                    "start_date": begin,
                    "end_date": finish,
                    "nodetypes": "normal",
                    "numnodes": len(nodes),
                    "numcores": 16 * len(nodes),
                    "state": state,
                    "slurm_nodes": nodes,
                }
                rows.append({**sample._asdict(), **job})
    return pd.DataFrame(rows)


def parts(folder: Path, frame: pd.DataFrame, count: int = 3) -> Path:
    folder.mkdir()
    for i, chosen in enumerate(np.array_split(np.arange(len(frame)), count)):
        table = pa.Table.from_pandas(frame.iloc[chosen], preserve_index=False)
        pq.write_table(table, folder / f"part-{i:05d}.snappy.parquet", compression="snappy")
    return folder


def zipped(folder: Path, compression: int) -> Path:
    path = folder.with_suffix(f".{compression}.zip")
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"prom_slurm_joined/{file.name}")
        archive.writestr("prom_slurm_joined/_SUCCESS", "")
    return path


def expected() -> pd.DataFrame:
    """Samples with at least one job."""
    keys = ["timestamp", "node", "node_power_usage"]
    return joined()[keys].drop_duplicates().sort_values(["node", "timestamp"], ignore_index=True)


def test_fan_out_of_jobs_is_undone(tmp_path):
    found = joined_table(parts(tmp_path / "joined", joined(), 1))
    frame = found.parts[0].read(["node_power_usage"])
    assert (len(joined()), len(expected())) == (14, 11)
    assert frame["time"].tolist() == expected()["timestamp"].tolist()
    assert frame["node"].tolist() == expected()["node"].tolist()
    assert frame["node_power_usage"].tolist() == expected()["node_power_usage"].tolist()
    assert found.metrics == ("node_power_usage",)
    assert (found.interval_s, found.clock) == (30, LISA_CLOCK)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_is_read_in_place(tmp_path, compression):
    folder = parts(tmp_path / "joined", joined())
    archive = zipped(folder, compression)
    plain, packed = joined_table(folder), joined_table(archive)
    assert packed.nodes == plain.nodes
    for one, other in zip(plain.parts, packed.parts, strict=True):
        pd.testing.assert_frame_equal(one.read(plain.metrics), other.read(plain.metrics))
    pd.testing.assert_frame_equal(joined_jobs(folder), joined_jobs(archive))
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([folder.name, archive.name])


@pytest.mark.parametrize("count", [1, 3, 11])
def test_jobs_come_back_whatever_the_parts(tmp_path, count):
    jobs = joined_jobs(parts(tmp_path / "joined", joined().sample(frac=1, random_state=1), count))
    validate(jobs)
    assert list(jobs.columns) == list(COLUMNS)
    assert jobs["job_id"].tolist() == ["7", "8", "9"]
    assert jobs["state"].tolist() == ["COMPLETED", "CANCELLED", "FAILED"]
    assert jobs["node_list"].tolist() == ["r10n1", "r10n[1-2]", "r28n1"]
    assert jobs["is_ml"].tolist() == [False, False, True]
    assert jobs["start"].tolist() == [AT, AT, AT + pd.Timedelta(minutes=1)]
    assert jobs["cores"].tolist() == [16, 32, 16]


def test_the_first_version_has_other_names(tmp_path):
    frame = joined().rename(columns={"submit_date": "submit"})
    frame["nodetypes"] = "normal(1)"
    frame["slurm_id"] = frame["slurm_id"].astype("int32")
    frame["slurm_nodes"] = [",".join(nodes) for nodes in frame["slurm_nodes"]]
    old = joined_jobs(parts(tmp_path / "old", frame))
    new = joined_jobs(parts(tmp_path / "new", joined()))
    assert old["node_list"].tolist() == ["r10n1", "r10n1,r10n2", "r28n1"]
    pd.testing.assert_frame_equal(old.drop(columns="node_list"), new.drop(columns="node_list"))


def test_samples_are_those_of_the_node_table(tmp_path):
    path = tmp_path / "nodes.parquet"
    pq.write_table(pa.Table.from_pandas(samples(), preserve_index=False), path)
    nodes = node_table(path).parts[0].read(["node_power_usage"])
    found = (
        joined_table(parts(tmp_path / "joined", joined(), 1)).parts[0].read(["node_power_usage"])
    )
    both = nodes.merge(found.astype({"node": "str"}), on=["time", "node"])
    assert len(both) == len(found)
    assert (both["node_power_usage_x"] == both["node_power_usage_y"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="slurm_id"), "lacks the columns slurm_id"),
        (lambda f: f.assign(state=3), "state is int64, expected text"),
        (lambda f: f.assign(slurm_nodes=3), "slurm_nodes of type int64"),
        (lambda f: f.assign(numcores=np.arange(len(f))), "job 7 has two descriptions"),
    ],
)
def test_wrong_jobs_are_refused(tmp_path, change, message):
    with pytest.raises(TelemetryError, match=message):
        joined_jobs(parts(tmp_path / "joined", change(joined())))


def test_a_damaged_archive_is_refused(tmp_path):
    archive = zipped(parts(tmp_path / "joined", joined()), zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(TelemetryError, match="cannot be read as a zip archive"):
        joined_table(archive)
