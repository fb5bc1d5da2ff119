"""Times and nodes in few words: the same rows as the columns, and no words where they would lie."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from restudy.telemetry import rows, runs, store
from restudy.telemetry.generator import layouts
from restudy.telemetry.generator.recipe import Faults, Recipe
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.store import open_store

METRICS = ("node_power_usage", "node_load1")


def gappy(seed: int) -> pd.DataFrame:
    """Samples of three nodes at 30 s, with some stretches left out; a fourth has none."""
    rng = np.random.default_rng(seed)
    code = np.repeat([0, 1, 3], 2000)
    time = np.tile(1_600_000_000 + 30 * np.arange(2000), 3)
    for begin in rng.integers(0, 6000, 8):
        code[begin : begin + rng.integers(1, 40)] = -1
    node = pd.Categorical.from_codes(code[code >= 0], ["n1", "n10", "n11", "n2"])
    values = {name: rng.random(len(node)).astype("float32") for name in METRICS}
    return rows.frame(time[code >= 0], node, values)


def write(folder, frame):
    (folder / store.PARTS).mkdir(parents=True)
    path = folder / store.PARTS / "one.parquet"
    store.write_part(frame, METRICS, path)
    return path


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_those_of_the_columns(tmp_path, seed):
    frame = gappy(seed)
    path = write(tmp_path, frame)
    said = json.loads(pq.read_schema(path).metadata[runs.KEY])
    assert 3 < len(said["rows"]) <= 11
    part = store.part(path, METRICS)
    for names in (METRICS, METRICS[:1], ()):
        slow = rows.tidy(part.rows(names))
        assert len(slow) == len(frame)
        pd.testing.assert_frame_equal(part.read(names), slow, check_categorical=False)
        assert part.read(names)["node"].cat.categories.tolist() == ["n1", "n10", "n2"]


def test_without_words_the_columns_are_read(tmp_path):
    frame = gappy(0)
    irregular = frame.iloc[::7]
    irregular = irregular[np.random.default_rng(1).random(len(irregular)) < 0.5]
    part = store.part(write(tmp_path, irregular), METRICS)
    assert runs.KEY not in (pq.read_schema(part.source.path).metadata or {})
    pd.testing.assert_frame_equal(part.read(METRICS), rows.tidy(irregular), check_index_type=False)


@pytest.mark.parametrize(
    "change",
    {
        "a pair twice": lambda time, node: (
            np.insert(time, 9, time[9]),
            np.insert(node, 9, node[9]),
        ),
        "not in order of time": lambda time, node: (np.r_[time[5], time[:5], time[6:]], node),
        "not in order of nodes": lambda time, node: (time, node[::-1]),
        "a node unknown": lambda time, node: (time, np.where(node == 0, -1, node)),
        "names not in order": lambda time, node: (time, (node > 0) * 2 + (node == 0) * 3),
        "too few": lambda time, node: (time[:200], node[:200]),
        "nothing": lambda time, node: (time[:0], node[:0]),
    }.items(),
    ids=lambda case: case[0],
)
def test_rows_that_no_runs_can_tell(change):
    time, node = np.tile(30 * np.arange(1000), 2), np.repeat([0, 1], 1000)
    names = ["n1", "n2", "n9", "n3"]
    assert runs.find(time, node, names) is not None
    assert runs.find(*change[1](time, node), names) is None


def test_spoiled_rows_of_the_generator_have_none(tmp_path):
    recipe = Recipe(seed=1, nodes=8, days=1, interval_s=30, gpu_delay_days=0)
    spoiled = Recipe(
        seed=1, nodes=8, days=1, interval_s=30, gpu_delay_days=0, faults=Faults(3, 2, 3, 1, 1, 1, 2)
    )
    for one, words in ((recipe, True), (spoiled, False)):
        folder = layouts.write_node_table(tmp_path / str(words), one, metrics=METRICS)
        found = [runs.KEY in pq.read_schema(part.source.path).metadata for part in
                 open_store(folder).parts]  # fmt: skip
        assert all(found) == words
        for part in open_store(folder).parts:
            pd.testing.assert_frame_equal(part.read(METRICS), rows.tidy(part.rows(METRICS)))


def test_a_file_changed_by_another_program_is_refused(tmp_path):
    path = write(tmp_path, gappy(0))
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(TelemetryError, match=r"says that it has 5,\d+; it was changed"):
        store.part(path, METRICS).read(METRICS)


def test_only_the_packages_own_parts_are_believed(tmp_path):
    """Arrow keeps the metadata of a table through any change of its rows."""
    from restudy.telemetry.node_table import node_table

    path = write(tmp_path, gappy(0))
    table = pq.read_table(path)
    order = pa.array(np.random.default_rng(0).permutation(len(table)))
    other = tmp_path / "other.parquet"
    pq.write_table(table.take(order), other)
    (part,) = node_table(other).parts
    pd.testing.assert_frame_equal(part.read(METRICS), store.part(path, METRICS).read(METRICS))
