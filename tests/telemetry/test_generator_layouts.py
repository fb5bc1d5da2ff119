"""Generated telemetry on disk: the same bytes for any executor, resumed, spoiled as listed."""

import dataclasses
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from restudy.telemetry.generator import cluster, faults, layouts, physics, published_layouts
from restudy.telemetry.generator.recipe import Faults, Recipe
from restudy.telemetry.metrics import METRICS, TelemetryError
from restudy.telemetry.store import open_store
from restudy.traces.jobs import COLUMNS

SMALL = Recipe(seed=1, nodes=8, days=2, interval_s=300, gpu_delay_days=1)
SOME = ("node_load1", "node_power_usage", "node_forks_total", "nvidia_gpu_temperature_celsius_0")
ALL = Faults(3, 2, 3, 1, 1, 1, 2)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files(folder)}


def files(folder, pattern="*"):
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


class Backwards(ThreadPoolExecutor):
    """Runs the tasks in the opposite order, several at a time."""

    def map(self, function, *columns):
        done = list(super().map(function, *(list(column)[::-1] for column in columns)))
        return done[::-1]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return layouts.write_node_table(tmp_path_factory.mktemp("store"), SMALL, metrics=SOME)


def read(folder):
    return pd.concat([pq.read_table(p).to_pandas() for p in files(folder, "part-*")])


@pytest.mark.parametrize("writer", [layouts.write_node_table, published_layouts.write_long])
def test_bytes_do_not_depend_on_the_executor(tmp_path, monkeypatch, writer):
    monkeypatch.setattr(layouts, "GROUP_ROWS", 3 * SMALL.samples)
    monkeypatch.setattr(layouts, "FILE_VALUES", 0)  # a day a file
    alone = writer(tmp_path / "a", SMALL, metrics=SOME)
    with Backwards(3) as executor:
        other = writer(tmp_path / "b", SMALL, metrics=SOME, executor=executor)
    assert digests(alone) == digests(other)
    assert len(digests(alone)) >= 7


def test_rows_do_not_depend_on_the_groups(tmp_path, monkeypatch, store):
    monkeypatch.setattr(layouts, "GROUP_ROWS", 2 * SMALL.samples)
    monkeypatch.setattr(layouts, "FILE_VALUES", 0)
    cut = layouts.write_node_table(tmp_path, SMALL, metrics=SOME)
    assert len(files(cut)) > len(files(store))
    keys = ["time", "node"]
    one, other = (read(folder).sort_values(keys, ignore_index=True) for folder in (store, cut))
    pd.testing.assert_frame_equal(one, other)


def test_store_is_as_agreed(store):
    about = json.loads((store / "telemetry.json").read_text())
    assert about["metrics"] == list(SOME)
    assert about["nodes"] == sorted(node.name for node in cluster.nodes(SMALL))
    assert (about["interval_s"], about["clock"], about["real"]) == (300, "UTC", False)
    for path in files(store, "part-*"):
        frame = pq.read_table(path).to_pandas()
        assert list(frame) == ["time", "node", *SOME]
        assert frame["node"].cat.categories.tolist() == about["nodes"]
        rows = frame[["node", "time"]].astype({"node": str})
        assert rows.equals(rows.sort_values(["node", "time"]))
        assert not rows.duplicated().any()
        assert frame.dtypes[list(SOME)].astype(str).tolist() == ["float32"] * 2 + [
            "float64",
            "float32",
        ]
    assert list(pq.read_table(store / "jobs.parquet").to_pandas()) == list(COLUMNS)


def test_store_opens(store):
    telemetry = open_store(store)
    found = pd.concat([part.read(SOME) for part in telemetry.parts], ignore_index=True)
    wanted = read(store).reset_index(drop=True)
    for name in SOME:
        np.testing.assert_array_equal(found[name], wanted[name])
    assert found["time"].dtype == "datetime64[s]"
    assert (found["time"] == wanted["time"]).all()
    assert found["node"].astype(str).equals(wanted["node"].astype(str))


def test_gpu_nodes_begin_later(store):
    frame = read(store)
    gpu = frame["node"].isin(cluster.gpu_nodes(SMALL))
    day = pd.Timestamp(SMALL.start) + pd.Timedelta(days=1)
    assert frame["time"][gpu].min() == day
    assert frame["time"][~gpu].min() == pd.Timestamp(SMALL.start)
    assert frame[SOME[-1]].notna().equals(gpu)
    assert Recipe().gpu_delay == 56


def test_a_second_call_makes_only_what_is_missing(tmp_path, monkeypatch):
    folder = layouts.write_node_table(tmp_path, SMALL, metrics=SOME)
    before = digests(folder)
    gone = files(folder, "part-*")[1]
    gone.unlink()
    calls = []
    made = physics.metrics
    monkeypatch.setattr(physics, "metrics", lambda *given: calls.append(given) or made(*given))
    layouts.write_node_table(folder, SMALL, metrics=SOME)
    assert digests(folder) == before
    assert len(calls) == 1


def test_an_interrupted_file_leaves_nothing_under_its_name(tmp_path, monkeypatch):
    def broken(table, path, **settings):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", broken)
    with pytest.raises(KeyboardInterrupt):
        layouts.write_node_table(tmp_path, SMALL, metrics=SOME)
    assert files(tmp_path) == []


def test_another_recipe_is_refused(store):
    with pytest.raises(TelemetryError, match="made from another recipe"):
        layouts.write_node_table(store, dataclasses.replace(SMALL, seed=2), metrics=SOME)
    with pytest.raises(TelemetryError, match="has no metrics speed"):
        layouts.write_node_table(store, SMALL, metrics=["speed"])


def test_published_table_has_its_91_columns(tmp_path):
    folder = published_layouts.write_published_node_table(tmp_path, SMALL)
    table = pq.read_table(folder, filters=None) if False else read(folder)
    assert list(table) == ["id", "timestamp", "node", *METRICS]
    assert len(table.columns) == 91
    assert table["id"].is_unique
    assert not table.isna().any().any()
    cpu = table[table["gpu_node"] == 0]
    assert (cpu["nvidia_gpu_temperature_celsius_max"] == 0).all()


def test_metric_folders_hold_the_same_values(tmp_path, store):
    names = ("node_power_usage", "nvidia_gpu_temperature_celsius_0")
    published_layouts.write_metric_folders(tmp_path, SMALL, metrics=names)
    begin = SMALL.first + 86_400
    rows = read(store)
    for name, unknown in zip(names, (-1.0, 0.0), strict=True):
        wide = pq.read_table(tmp_path / name / f"{begin}_{begin + 86_100}.parquet").to_pandas()
        assert wide.index[0] == begin
        for node in wide.columns:
            mine = rows[(rows["node"] == node) & (rows["time"] >= pd.Timestamp(begin, unit="s"))]
            np.testing.assert_array_equal(wide[node], mine[name])
        first = pq.read_table(tmp_path / name / f"{SMALL.first}_{begin - 300}.parquet").to_pandas()
        late = sorted(cluster.gpu_nodes(SMALL))
        assert (first[late] == unknown).all(axis=None)


def test_long_table_holds_the_same_values(tmp_path, store):
    long = read(published_layouts.write_long(tmp_path, SMALL, metrics=SOME))
    wide = long.astype({"node": str, "metric": str})
    wide = wide.set_index(["timestamp", "node", "metric"])["value"].sort_index()
    rows = read(store).astype({"node": str}).set_index(["time", "node"]).sort_index()
    for name in SOME:
        mine = rows[name].dropna().astype("float64")
        np.testing.assert_array_equal(wide.xs(name, level="metric"), mine)


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory):
    recipe = dataclasses.replace(SMALL, faults=ALL, days=3)
    folder = layouts.write_node_table(tmp_path_factory.mktemp("bad"), recipe, metrics=SOME)
    return recipe, faults.planted(recipe), read(folder)


def clean_rows(recipe):
    """Rows with restarts and no other fault: of each node and day, from the metrics."""
    frames = []
    for node in cluster.nodes(recipe):
        for day in range(recipe.gpu_delay if node.is_gpu else 0, recipe.days):
            made = physics.metrics(recipe, (node,), day, SOME)
            time = recipe.first + day * 86_400 + recipe.interval_s * np.arange(recipe.samples)
            values = {name: row[0] for name, row in made.items()}
            frames.append(pd.DataFrame({"node": node.name, "time": time.astype("M8[s]"), **values}))
    return pd.concat(frames, ignore_index=True)


def test_planted_faults_are_all_there_and_no_others(spoiled):
    recipe, planted, rows = spoiled
    assert set(planted["kind"]) == set(vars(ALL))
    step = np.timedelta64(recipe.interval_s, "s")
    length = ((planted["last"] - planted["first"]) / step + 1).astype(int)
    count = length.groupby(planted["kind"]).sum()
    whole = sum(
        recipe.samples * (recipe.days - (recipe.gpu_delay if node.is_gpu else 0))
        for node in cluster.nodes(recipe)
    )
    assert len(rows) == whole - count["gaps"] + count["duplicates"]
    assert rows.duplicated(["node", *SOME, "time"]).sum() == count["duplicates"]
    power = planted[(planted["kind"] == "absurd") & (planted["metric"] == "node_power_usage")]
    assert (rows["node_power_usage"] > 5000).sum() == len(power) > 0
    jumped = planted[planted["kind"] == "clock_jumps"]
    for fault in planted[planted["kind"] == "gaps"].itertuples():
        inside = (rows["node"] == fault.node) & rows["time"].between(fault.first, fault.last)
        hour = pd.Timedelta(hours=1)  # rows of a later time whose clock was behind
        for jump in jumped[jumped["node"] == fault.node].itertuples():
            inside &= ~rows["time"].between(jump.first - hour, jump.last - hour)
        assert not inside.any()


def test_restarts_set_counters_back(spoiled):
    recipe, planted, _ = spoiled
    for fault in planted[planted["kind"] == "resets"].itertuples():
        node = next(node for node in cluster.nodes(recipe) if node.name == fault.node)
        day = int((fault.first - pd.Timestamp(recipe.start)).days)
        found = physics.metrics(recipe, (node,), day)
        at = int((fault.first - pd.Timestamp(recipe.start)).seconds) // recipe.interval_s
        forks = found["node_forks_total"][0]
        assert forks[at] < forks[at - 1]
        assert forks[at] < 2 * recipe.interval_s
        assert found["node_boot_time_seconds"][0, at] == fault.first.timestamp()


def test_other_values_are_untouched(spoiled):
    recipe, planted, rows = spoiled
    plain = clean_rows(recipe)
    taken = rows.astype({"node": str}).drop_duplicates(["node", "time"])
    met = taken.merge(plain, on=["node", "time"], suffixes=("", "_plain"))
    step = np.timedelta64(recipe.interval_s, "s")
    length = ((planted["last"] - planted["first"]) / step + 1).astype(int)
    moved = length[planted["kind"] == "clock_jumps"].sum()
    assert len(met) > 0.8 * len(plain)
    assert (met["node_forks_total"] != met["node_forks_total_plain"]).sum() <= moved
    wrong = length[planted["metric"] == "node_power_usage"].sum()
    differ = met["node_power_usage"] != met["node_power_usage_plain"]
    assert 0 < differ.sum() <= moved + wrong
