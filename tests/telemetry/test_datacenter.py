"""A cluster by path: its samples are cleaned once, counted, and asked the chapters' questions."""

from pathlib import Path

import pytest

from restudy.telemetry import operations, planted_faults
from restudy.telemetry.datacenter import datacenter
from restudy.telemetry.generator import faults, published_layouts
from restudy.telemetry.generator.cluster import gpu_nodes
from restudy.telemetry.metrics import TelemetryError

RECIPE = planted_faults.recipe(seed=11)
METRICS = (*planted_faults.METRICS, "node_procs_running")


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """Write metrics as a Prometheus export has them, and a job table."""
    folder = tmp_path_factory.mktemp("mine")
    published_layouts.write_long(folder, RECIPE, metrics=METRICS)
    (folder / "jobs.parquet").rename(folder.parent / "mine-jobs.parquet")
    return folder, folder.parent / "mine-jobs.parquet"


@pytest.fixture
def center(mine, monkeypatch, tmp_path):
    monkeypatch.setenv("RESTUDY_DATA", str(tmp_path / "cache"))
    folder, jobs = mine
    nodes = ",".join(sorted(gpu_nodes(RECIPE)))
    return datacenter(str(folder), str(jobs), RECIPE, metrics=METRICS, gpu_nodes=nodes)


def test_faults_of_a_users_samples_are_counted_and_gone(center):
    planted = faults.planted(RECIPE)
    absurd = planted[(planted["kind"] == "absurd") & (planted["metric"] == METRICS[0])]
    assert center.quality.counts["range", METRICS[0]] == len(absurd) > 0
    power = center.telemetry.frame([METRICS[0]]).compute()
    assert power[METRICS[0]].max() < 5000
    assert not power.duplicated(["node", "time"]).any()
    assert {"rule", "metric", "count"} <= set(center.quality_table())


def test_users_samples_are_cleaned_once(center, mine):
    folder, jobs = mine
    parts = [part.source.path for part in center.telemetry.parts]
    before = {path: Path(path).stat().st_mtime_ns for path in parts}
    again = datacenter(str(folder), str(jobs), RECIPE, metrics=METRICS)
    assert [part.source.path for part in again.telemetry.parts] == parts
    assert {path: Path(path).stat().st_mtime_ns for path in parts} == before


def test_a_users_cluster_answers(center):
    table = operations.node_percentiles(center)
    assert not table.empty
    found = operations.correlations(center)
    assert set(found) == {"pearson", "spearman", "kendall"}


def test_metrics_without_any_that_are_asked_for(mine):
    folder, jobs = mine
    with pytest.raises(TelemetryError, match="lacks the metrics node_arp_entries_sum"):
        datacenter(str(folder), str(jobs), RECIPE, metrics=("node_arp_entries_sum",))


def test_metrics_of_ones_own_need_jobs(mine):
    with pytest.raises(TelemetryError, match="comes without jobs"):
        datacenter(str(mine[0]), "", RECIPE, metrics=METRICS)
