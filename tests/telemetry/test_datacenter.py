"""A cluster by path: its samples are cleaned once, counted, and asked the chapters' questions."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from restudy.answers import Missing
from restudy.telemetry import joined, operations, planted_faults
from restudy.telemetry.datacenter import datacenter
from restudy.telemetry.experiments import Setup
from restudy.telemetry.generator import faults, published_layouts
from restudy.telemetry.generator.cluster import gpu_nodes, hardware_table
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.strips import PublishedCores, published_strips
from restudy.traces.jobs import TraceError

RECIPE = planted_faults.recipe(seed=11)
METRICS = (*planted_faults.METRICS, "node_procs_running")


def rng():
    return np.random.default_rng(0)


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


@pytest.fixture
def hardware(mine, tmp_path):
    """Write the generated cluster's hardware as a user would, racks by names of one's own."""
    path = tmp_path / "hardware.csv"
    table = hardware_table(RECIPE)
    table.assign(rack="row-" + table["node"].str.extract(r"r(\d+)n")[0]).to_csv(path, index=False)
    return path


def test_hardware_of_a_users_cluster_gives_racks_and_capacities(mine, hardware, tmp_path):
    folder, jobs = mine
    center = datacenter(
        str(folder),
        str(jobs),
        RECIPE,
        metrics=METRICS,
        hardware=str(hardware),
        gpu_nodes="r28n[1-9]",
    )
    assert set(operations.racks(center).racks) == {f"row-{r}" for r in (1, 28)}
    assert operations.ml_racks(center) == {"row-28"}
    strips = published_strips(
        center.telemetry, PublishedCores(), hardware=center.hardware, racks=center.racks
    )
    assert strips[1].full.capacity(center.telemetry.nodes) == 2 * 5500  # of two racks
    with pytest.raises(TelemetryError, match="no rack of the 1 nodes is known"):
        strips[1].full.capacity(["elsewhere"])
    side = joined.node_side(center, dataclasses.replace(Setup.quick(), replicates=20), rng=rng())
    lacking = {name for name, found in vars(side).items() if isinstance(found, Missing)}
    assert lacking == {"utilisation", "heat", "slots"}  # no metric of GPUs was exported
    assert "lacks the metrics" in side.utilisation.reason
    assert side.energy.ml("per job")["energy"] > 0
    assert set(side.ml_shares()) >= {"as published", "common window"}
    with pytest.raises(TelemetryError, match="lacks the metrics"):
        joined.heat_table(side)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("node,cores\nn1,4\n", "the node hardware table lacks the columns cpu_model"),
        ("", r"hardware='.*' cannot be read \(No columns"),
    ],
)
def test_hardware_that_is_no_such_table(mine, tmp_path, text, message):
    folder, jobs = mine
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(TraceError, match=message):
        datacenter(str(folder), str(jobs), RECIPE, metrics=METRICS, hardware=str(path))


def test_generated_metrics_take_no_hardware():
    with pytest.raises(
        TelemetryError, match=r"hardware='x.csv' belongs to node metrics of your own"
    ):
        datacenter("generated", "", RECIPE, metrics=METRICS, hardware="x.csv")
