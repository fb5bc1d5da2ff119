"""Claims on 2020: which are measured, and that they are what plain pandas finds."""

import dataclasses

import numpy as np
import pytest

from restudy import claims
from restudy.answers import Missing
from restudy.telemetry import operations, report_claims
from restudy.telemetry.datacenter import Datacenter, generated
from restudy.telemetry.experiments import Setup

# What the chapter does not read or keep; see `report_claims.measured`.
NOT_READ = {
    "metrics",
    "measurements",
    "valid-measurements",
    "samples-most",
    "large-node-memory-median",
    "large-node-memory-mean",
    "strong-pairs-a-day",
    "strong-pairs-all-days",
    "pearson-pairs-all-days",
    "strip-power-max",
    "strip-temperature-max",
    *(f"memory-{name}" for name in ("p1", "p25", "p50", "p75", "p90", "p99", "max")),
}
SETUP = dataclasses.replace(Setup.quick(), days=28, interval_s=3600, replicates=20)


@pytest.fixture(scope="module")
def center(tmp_path_factory) -> Datacenter:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTUDY_DATA", str(tmp_path_factory.mktemp("cache")))
        yield generated(operations.recipe(SETUP, seed=4), operations.METRICS)


@pytest.fixture(scope="module")
def found(center) -> dict[str, float]:
    rng = np.random.default_rng(0)
    return report_claims.measured(
        center,
        outcomes=operations.job_outcomes(center),
        hours=operations.by_hour(center),
        racks=operations.racks(center),
        strips=operations.strips(center),
        correlations=operations.correlations(center),
        steps=operations.steps(center, SETUP, rng=rng),
    )


def test_every_claim_that_the_archive_can_judge_is_measured(found):
    wanted = {
        one.id
        for one in claims.open_paper("2107.11832", preset="quick").paper.claims
        if "data:surf-2020" in one.needs
    }
    assert wanted - NOT_READ <= set(found)
    assert not NOT_READ & set(found)
    assert all(np.isfinite(value) for value in found.values())


def test_values_are_those_of_plain_pandas(center, found):
    frame = center.telemetry.frame([operations.POWER, operations.LOAD]).compute()
    frame["node"] = frame["node"].astype(str)
    gpu = frame["node"].isin(center.gpu_nodes)
    merged = gpu & ~frame["node"].isin(["r31n6", "r32n1"])  # the published code's class
    power = frame[operations.POWER].astype("float64")
    assert found["power-ml-p50"] == pytest.approx(power[merged].median(), abs=0.1)
    assert found["power-generic-mean"] == pytest.approx(power[~merged].mean(), rel=1e-5)
    assert found["power-generic-max"] == pytest.approx(power[~merged].max(), abs=0.1)
    pair = frame[[operations.POWER, operations.LOAD]].astype("float64")
    assert found["power-load1-pearson"] == pytest.approx(pair.corr().iloc[0, 1], abs=1e-5)
    jobs = center.jobs
    assert found["state-failed"] == pytest.approx(100 * (jobs["state"] == "FAILED").mean())
    days = jobs["submit"].dt.floor("D").value_counts().sort_index().asfreq("D", fill_value=0)
    assert found["submissions-max"] == days.max()
    mondays = days[days.index.day_of_week == 0]
    assert found["submissions-monday"] == pytest.approx(mondays.mean())
    completed = jobs[jobs["state"] == "COMPLETED"]
    run = (completed["end"] - completed["start"]).dt.total_seconds()
    assert found["completed-5min"] == pytest.approx(100 * (run <= 300).mean())
    rack = frame.assign(rack=frame["node"].str.extract(r"(r34)n")[0]).dropna(subset=["rack"])
    r34 = rack.groupby("time")[operations.POWER].sum()
    assert found["rack-r34-peak"] == pytest.approx(r34.max() / 1000, rel=1e-4)


def test_a_missing_answer_leaves_its_claims_unmeasured(center):
    none = Missing("not asked")
    found = report_claims.measured(
        center, outcomes=none, hours=none, racks=none, strips=none, correlations=none, steps=none
    )
    assert "power-ml-p50" in found
    assert not {name for name in found if name.startswith(("strip", "shift", "rack-", "lost"))}
