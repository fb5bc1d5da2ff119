"""Values by claim id: complete, right on small cases, equal to plain pandas on real data."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from restudy import claims
from restudy.traces import (
    arrivals,
    calibration,
    datasets,
    experiments,
    generator,
    hardware,
    measures,
    power,
)
from restudy.traces.datasets import LISA_CLOCK, PowerSeries, WeekLoad
from restudy.traces.experiments import Setup
from restudy.traces.findings import PowerFit
from restudy.traces.jobs import COLUMNS, PAPER_GPU_NODES, JobTrace, TraceError
from restudy.traces.measures import lisa, printed
from restudy.traces.measures.drawn import curve_superiority

ROOT = Path(__file__).parents[2]
PAPER = claims.read_paper(ROOT / "book" / "claims" / "2409.08949.toml")
SETUP = Setup(scale=0.01, replicates=200)

# Function -> datasets that it needs.
NEEDS = {
    "drawn": (),
    "halfyear": ("lisa-halfyear-tasks",),
    "week_power": ("lisa-week-power",),
    "week": ("lisa-week-tasks", "lisa-week-fragments", "lisa-week-power"),
    "phillips": ("xdmod-phillips",),
    "pozidriv": ("xdmod-pozidriv",),
    "dumps": ("xdmod-phillips", "xdmod-pozidriv"),
    "acme": ("acme-summary",),
    "slurm_table": ("lisa-slurm-table",),
    "node_hardware": ("lisa-node-hardware", "lisa-node-metrics"),
}


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def fails(values: Mapping[str, float]) -> set[str]:
    """Ids whose claim does not hold with these values."""
    return {claim for claim, value in values.items() if not PAPER.claim(claim).holds(value)}


def trace_of(columns: Mapping[str, Any], *, clock: str = "local", parts: int = 2) -> JobTrace:
    """Job table with the given columns, the others null."""
    rows = len(next(iter(columns.values())))
    null = {name: pd.array([None] * rows, dtype="object") for name in COLUMNS}
    jobs = pd.DataFrame(null | dict(columns))[list(COLUMNS)].astype(COLUMNS)
    return JobTrace(
        name="test",
        title="a test",
        jobs=dd.from_pandas(jobs, npartitions=parts, sort=False),
        clock=clock,
        real=False,
        dataset=None,
        rejected=pd.DataFrame({"line": [], "reason": [], "text": []}),
    )


# ------------------------------------------------------------------------------- small cases


@pytest.fixture(scope="module")
def working_halfyear() -> JobTrace:
    """A job of 100 s at each local hour from 9 to 17 in summer time; and the printed ones."""
    days = pd.date_range("2022-07-01", "2022-10-29", unit="s")
    starts = {
        f"{day:%m%d}-{hour}": day + pd.Timedelta(hours=hour - 4)
        for day in days
        for hour in range(9, 18)
    }
    for job, time in printed.SUMMER_STARTS.items():
        starts[job] = pd.Timestamp(time) - pd.Timedelta(hours=2)
    for job, time in printed.WINTER_STARTS.items():
        starts[job] = pd.Timestamp(time) - pd.Timedelta(hours=1)
    start = pd.Series(starts).sort_values()
    return trace_of(
        {
            "job_id": start.index,
            "start": start.to_numpy(),
            "end": (start + pd.Timedelta(seconds=100)).to_numpy(),
            "is_ml": np.zeros(len(start), bool),
        },
        clock=LISA_CLOCK,
    )


def test_halfyear_of_regular_days(working_halfyear: JobTrace) -> None:
    found = measures.halfyear(working_halfyear, rng=rng())
    jobs = 121 * 9 + 5
    assert found["halfyear-jobs"] == jobs
    assert found["halfyear-within-months"] == pytest.approx(100 * (31 * 9 + 3) / 93_539)
    assert found["clock-shift-local"] == 4
    # The nine hours from 12 to 20 h have the largest sum under the wave, which falls slowly.
    assert found["clock-shift-rhythm"] == 4 + 3
    assert (found["clock-shift-summer"], found["clock-shift-winter"]) == (2, 1)
    assert found["halfyear-run-p05"] == found["halfyear-run-max"] == 100
    assert found["halfyear-short-jobs-hours"] == 0
    assert found["halfyear-longest-jobs-hours"] == pytest.approx(100 * round(0.05 * jobs) / jobs)
    assert found["halfyear-zero-gaps"] == pytest.approx(100 / (jobs - 1))  # both winter jobs
    # Hours 5 to 13 come first, then 18 and 19: no bar stands at its place.
    assert found["hour-labels-wrong"] == 11
    # From 25 August 00:00 UTC, 24 August 22:00 on the file's clock.
    since = (66 * 9 + 2) / jobs
    assert found["common-window-jobs"] == pytest.approx(100 * since)
    assert found["common-window-runtime"] == pytest.approx(100 * since)
    assert found["common-window-ml-submissions"] == pytest.approx(
        100 * 27_287 / (27_287 + 266_604 * since)
    )


def test_halfyear_days_have_the_offset_of_their_season(working_halfyear: JobTrace) -> None:
    """A job at 21:30 on the file's clock starts on the next day, UTC: July in summer only."""
    jobs = working_halfyear.jobs.compute()
    times = pd.to_datetime(["2022-07-31 22:30", "2022-10-31 22:30"]).astype("datetime64[s]")
    more = jobs.iloc[:2].assign(job_id=["a", "b"], start=times, end=times)
    both = dd.from_pandas(pd.concat([jobs, more], ignore_index=True), npartitions=1)
    trace = dataclasses.replace(working_halfyear, jobs=both)
    starts = lisa.in_utc(arrivals.arrivals(trace.jobs, "start"))
    months = dict(zip(*(x.tolist() for x in starts.per("month")), strict=True))
    assert {begin.isoformat(): n for begin, n in months.items()} == {
        "2022-07-01": 31 * 9 + 3,
        "2022-08-01": 31 * 9 + 1,
        "2022-09-01": 30 * 9,
        "2022-10-01": 29 * 9 + 1,
        "2022-11-01": 2,
    }


def test_halfyear_refuses_another_clock_and_missing_jobs(working_halfyear: JobTrace) -> None:
    moved = dataclasses.replace(working_halfyear, clock="UTC")
    with pytest.raises(TraceError, match=r"the clock of test is 'UTC' and should be 'UTC minus"):
        measures.halfyear(moved, rng=rng())
    jobs = working_halfyear.jobs
    cut = dataclasses.replace(working_halfyear, jobs=jobs[jobs["job_id"] != "1603441"])
    with pytest.raises(TraceError, match=r"lacks the jobs 1603441, whose true start"):
        measures.halfyear(cut, rng=rng())


def test_hours_behind_refuses_jobs_that_disagree() -> None:
    starts = pd.Series(pd.to_datetime(["2022-07-01 10:00", "2022-07-01 10:30"]), index=["a", "b"])
    true = {"a": "2022-07-01T12:00:00", "b": "2022-07-01T11:30:00"}
    with pytest.raises(TraceError, match=r"of the jobs a, b are shifted by 1, 2 h"):
        lisa.hours_behind(starts, true)


@pytest.fixture(scope="module")
def linear_week() -> tuple[PowerSeries, WeekLoad]:
    """P = 1000 W + 160 W U, with U of one job that rises and one that is constant."""
    slots = 3000
    start = np.datetime64("2022-10-06T22:00:00", "ms")
    rising = np.linspace(0, 1, slots)
    watts = PowerSeries(start, 30.0, 1000 + 160 * (rising + 0.5), 277)
    load = WeekLoad(
        start=start,
        seconds=30.0,
        job_id=np.array([1, 2]),
        first_slot=np.array([0, 0]),
        length=np.array([slots, slots]),
        job=np.repeat([0, 1], slots),
        usage=np.concatenate((rising, np.full(slots, 0.5))),
    )
    return watts, load


@pytest.fixture(scope="module")
def linear_fit(linear_week: tuple[PowerSeries, WeekLoad]) -> dict[str, float]:
    measured, load = linear_week
    series = power.series(
        measured.power,
        measured.seconds,
        first_slot=load.first_slot,
        length=load.length,
        job=load.job,
        usage=load.usage,
    )
    model = power.fit(series.power, {"U": series.busy}, block=100, replicates=50, rng=rng())
    held = power.hold_out(series.power, {"U": series.busy}, 2000)
    return measures.week(PowerFit(series, model, model, held, held))


def test_week_of_a_straight_line(
    linear_fit: dict[str, float], linear_week: tuple[PowerSeries, WeekLoad]
) -> None:
    assert linear_fit == pytest.approx(
        {
            "power-model-r2": 1.0,
            "power-model-mape": 0.0,
            "power-model-forecast": 0.0,
            "power-per-core": 10.0,
        },
        abs=1e-9,
    )
    assert measures.week_power(linear_week[0]) == pytest.approx(
        {"week-energy": 1.160 * 3000 / 120, "week-mean-power": 1.160}
    )


def dump(runs: Mapping[str, list[int]], *, users: list[str], lost: list[str]) -> JobTrace:
    """Sacct dump: run times by state, users of the failed jobs, states of jobs without a node."""
    state = [name for name, times in runs.items() for _ in times]
    run = [seconds for times in runs.values() for seconds in times]
    user = ["x"] * len(state)
    for at, name in zip([i for i, s in enumerate(state) if s == "FAILED"], users, strict=True):
        user[at] = name
    submit = np.array(["2016-12-30T00:00:00"] * (len(state) + len(lost)), "datetime64[s]")
    # A completed job waits for 10 s, a failed one for 5 s.
    wait = [5 if name == "FAILED" else 10 for name in state] + [0] * len(lost)
    start = submit + np.array(wait, "timedelta64[s]")
    return trace_of(
        {
            "job_id": [str(i) for i in range(len(submit))],
            "submit": submit,
            "start": start,
            "end": start + np.array(run + [0] * len(lost), "timedelta64[s]"),
            "state": state + lost,
            "nodes": [1] * (len(submit) - 1) + [2],
            "node_list": ["n1"] * len(state) + ["None assigned"] * len(lost),
            "user": user + ["x"] * len(lost),
            "is_ml": [False] * len(submit),
        }
    )


@pytest.fixture(scope="module")
def two_dumps() -> tuple[JobTrace, JobTrace]:
    first = dump(
        {"COMPLETED": [100, 100, 100, 100], "FAILED": [10, 20, 30]},
        users=["a", "a", "b"],
        lost=["CANCELLED"],
    )
    second = dump(
        {"COMPLETED": [10], "FAILED": [40], "TIMEOUT": [50], "PREEMPTED": [0]},
        users=["a"],
        lost=["CANCELLED", "FAILED"],
    )
    return first, second


def test_dumps_by_hand(two_dumps: tuple[JobTrace, JobTrace]) -> None:
    first, second = two_dumps
    assert measures.dumps(first, second) == pytest.approx(
        {
            "dumps-single-node": 100 * 5 / 6,  # the second has 6 jobs
            "dumps-failed-run-shorter": 4.0,  # 40 / 10 against 20 / 100
            "dumps-failed-wait-longer": 0.5,
            "dumps-unsuccessful-time": (60 / 460) / (3 / 7),
            "dumps-one-user-fails": 50.0,  # of the second's failed jobs one never had a node
            "dumps-unassigned-cancelled": 100 * 2 / 3,
            "dumps-unassigned-share": 100 / 8,
        }
    )
    assert measures.dumps(second, first) == measures.dumps(first, second)
    assert measures.phillips(first) == {
        "phillips-jobs": 8.0,
        "phillips-completed": 50.0,
        "phillips-failed": 37.5,
        "phillips-cancelled": 12.5,
    }
    assert measures.pozidriv(second)["pozidriv-timeout"] == pytest.approx(100 / 6)


def test_dump_without_failures_is_refused() -> None:
    calm = dump({"COMPLETED": [1, 2]}, users=[], lost=["CANCELLED"])
    with pytest.raises(TraceError, match=r"no FAILED job"):
        measures.dumps(calm, calm)


@pytest.fixture
def summary() -> pd.DataFrame:
    """Three clusters with CPU jobs, of which the second is the worst for every claim."""
    gpu = {"fail_rate": 0.4, "med_run_time": 60.0, "avg_run_time": 90.0, "avg_que_time": 2.0}
    rows = {f"{name}_gpu": [value] * 4 for name, value in gpu.items()}
    cpus = {"fail_rate": 0.8, "med_run_time": 120.0, "avg_run_time": 30.0, "avg_que_time": 0.5}
    for name, value in cpus.items():
        rows[f"{name}_cpu"] = [gpu[name], value, gpu[name], math.nan]
    rows["complete_rate_gpu"] = [0.5, 0.6, 0.5, 0.6]
    rows["complete_rate_gpu_time"] = [0.5, 0.7, 0.2, 0.2]
    return pd.DataFrame(rows, index=["Seren", "Kalos", "Helios", "Philly"])


def test_acme_gives_the_worst_cluster(summary: pd.DataFrame) -> None:
    assert measures.acme(summary) == pytest.approx(
        {
            "acme-gpu-fails-more": 0.5,
            "acme-gpu-median-run": 0.5,
            "acme-gpu-mean-run": 1.0,
            "acme-gpu-waits-less": 4.0,
            "acme-unsuccessful-time": 0.3 / 0.4,
            "acme-unsuccessful-third": 30.0,
        }
    )
    with pytest.raises(TraceError, match=r"lacks the columns fail_rate_gpu; give the whole table"):
        measures.acme(summary.drop(columns="fail_rate_gpu"))
    with pytest.raises(TraceError, match=r"lacks the clusters Philly"):
        measures.acme(summary.drop(index="Philly"))


# --------------------------------------------------------------------- the paper against itself


def test_the_paper_agrees_with_itself_but_for_the_order_of_its_bars() -> None:
    assert fails(measures.drawn(rng=rng())) == {"hour-labels-chance-ml"}


@pytest.mark.parametrize("kind", ["generic", "ml"])
def test_fitted_counts_do_not_enter_the_totals(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = measures.drawn(rng=rng())
    table = calibration.daily_submissions()
    days = pd.to_datetime(list(printed.NO_CORNER[kind]))
    assert table.loc[days, "restored"].all()
    table.loc[days, kind] = 1_000_000
    monkeypatch.setattr(calibration, "daily_submissions", lambda: table)
    assert measures.drawn(rng=rng()) == before


def test_every_restored_day_is_one_without_a_corner() -> None:
    table = calibration.daily_submissions()
    listed = {day for days in printed.NO_CORNER.values() for day in days}
    assert set(table.index[table["restored"]].strftime("%Y-%m-%d")) == listed


def test_printed_months_and_starts_add_up() -> None:
    # Ten months, 102 jobs of December and 630 of November (notebook 5a) make all generic jobs.
    assert sum(printed.GENERIC_BY_MONTH.values()) + 102 + 630 == printed.GENERIC_JOBS
    assert sum(printed.JOINED_RUNTIME_SHARE.values()) == pytest.approx(1)


def test_superiority_of_curves_is_that_of_samples() -> None:
    p = (np.arange(20_001) + 0.5) / 20_001
    samples = [
        calibration.quantile(*calibration.curve("fig6b", f"{kind}_failed"), p)
        for kind in ("ml", "generic")
    ]
    u = stats.mannwhitneyu(*samples, method="asymptotic").statistic
    found = curve_superiority(
        calibration.curve("fig6b", "ml_failed"), calibration.curve("fig6b", "generic_failed")
    )
    assert found == pytest.approx(u / len(p) ** 2, abs=1e-4)


def test_totals_need_the_nodes_with_telemetry() -> None:
    nodes = hardware.inventory()
    kinds = nodes.groupby(["cpu_model", "gpu_model"])["node"].apply(list)
    dark = [
        *kinds["gold_6130", "n/a"][-2:],
        *kinds["bronze_3104", "NVIDIA_GeForce_GTX_1080_Ti"][-2:],
        *kinds["gold_5118", "NVIDIA_TITAN_RTX"][-1:],
    ]
    seen = set(nodes["node"]) - set(dark)
    assert fails(measures.node_hardware(nodes, seen)) == set()
    assert measures.node_hardware(nodes, set(nodes["node"]))["total-cores"] == 5952
    with pytest.raises(TraceError, match=r"none of the 343 nodes .* is among the 1 nodes"):
        measures.node_hardware(nodes, ["elsewhere"])


# ------------------------------------------------------------------------- the published table


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Generated jobs in the columns of the published table, and some that are hard to count."""
    jobs = generator.generate(generator.Recipe(seed=3, scale=0.01)).rename(
        columns={
            "job_id": "id",
            "submit": "submit_date",
            "start": "start_date",
            "end": "end_date",
            "nodes": "numnodes",
            "cores": "numcores",
            "node_list": "node",
            "partition": "nodetypes",
        }
    )
    odd = pd.DataFrame(
        [
            ("2021-12-31 20:00:00", "2022-01-01 04:00:00", "r10n1", "COMPLETED", 1),
            ("2021-12-31 23:59:00", "2022-01-01 00:01:00", "r28n1", "FAILED", 1),
            ("2022-10-30 02:59:58", "2022-10-30 02:00:03", "r10n1", "COMPLETED", 1),
            ("2022-03-01 12:00:00", "2022-03-01 12:00:00", "None assigned", "CANCELLED", 0),
            ("2022-03-01 12:00:00", "2022-03-01 12:00:20", "software2", "FAILED", 1),
        ],
        columns=["start_date", "end_date", "node", "state", "numnodes"],
    )
    for name in ("start_date", "end_date"):
        odd[name] = pd.to_datetime(odd[name])
    odd = odd.assign(submit_date=odd["start_date"], numcores=16, nodetypes="normal")
    odd["id"] = [str(i) for i in range(9_000_000, 9_000_005)]
    names = ["id", *list(odd.columns.drop("id"))]
    whole = pd.concat([jobs[names], odd[names]], ignore_index=True)
    times = dict.fromkeys(("submit_date", "start_date", "end_date"), "datetime64[us]")
    return whole.astype({**times, "id": "int64", "numnodes": "int32", "numcores": "int32"})


@pytest.fixture(scope="module")
def zenodo(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> JobTrace:
    path = tmp_path_factory.mktemp("zenodo") / "slurm_table_cleaned.parquet"
    written = table.assign(state=table["state"].replace("CANCELLED", "CANCELLED by 4711"))
    written.to_parquet(path)
    return datasets.zenodo_jobs(path)


@pytest.fixture(scope="module")
def measured(zenodo: JobTrace) -> dict[str, float]:
    return measures.slurm_table(zenodo, SETUP, rng=rng())


def by_pandas(table: pd.DataFrame) -> dict[str, float]:
    """Every claim but the two ends of intervals, on a whole table in memory."""
    jobs = table.assign(
        ml=table["node"].map(on_gpu),
        run=(table["end_date"] - table["start_date"]).dt.total_seconds(),
        wait=(table["start_date"] - table["submit_date"]).dt.total_seconds(),
    )
    jobs["run"] += 3600 * (jobs["run"] < 0)
    jobs["node_hours"] = jobs["run"] * jobs["numnodes"] / 3600
    generic, ml = jobs[~jobs["ml"]], jobs[jobs["ml"]]
    parts = {"all": jobs, "generic": generic, "ml": ml}
    for kind in ("generic", "ml"):
        for state in ("completed", "failed"):
            parts[f"{kind}-{state}"] = parts[kind][parts[kind]["state"] == state.upper()]
    first, last = jobs["start_date"].min(), jobs["end_date"].max()
    start_day, end_day = (jobs[f"{name}_date"].dt.day_of_year for name in ("start", "end"))
    later, same = end_day > start_day, end_day == start_day
    short = jobs["run"] < 30
    months = generic["submit_date"].dt.strftime("%Y-%m").value_counts()
    no_node = generic["node"].str.match("None assigned|software") | (generic["numnodes"] == 0)
    with_node = generic[~no_node]
    u = stats.mannwhitneyu(ml["run"], generic["run"], method="asymptotic").statistic
    rate = {name: (part["state"] == "FAILED").mean() for name, part in parts.items()}
    values: dict[str, float] = {
        "jobs": len(jobs),
        "job-days": (last - first).days + 1,
        "generic-june": months["2022-06"],
        "generic-february": months["2022-02"],
        "generic-busiest-day": generic["submit_date"].dt.date.value_counts().max(),
        "busiest-node": with_node["node"].value_counts().max(),
        "software-node-jobs": (generic["node"] == "software2").sum(),
        "short-jobs": 100 * short.mean(),
        "short-jobs-hours": 100 * jobs["run"][short].sum() / jobs["run"].sum(),
        "multi-day-jobs": 100 * later.mean(),
        "multi-day-hours": 100 * jobs["run"][later].sum() / jobs["run"][later | same].sum(),
        "run-p80": jobs["run"].quantile(0.8) / 60,
        "run-max": jobs["run"].max(),
        "nodes-min-generic": generic["numnodes"].min(),
        "node-hours-max-generic": generic["node_hours"].max(),
        "ml-run-superiority": u / len(ml) / len(generic),
        "unassigned-effect": 100 * abs(rate["generic"] - (with_node["state"] == "FAILED").mean()),
    }
    for name, part in parts.items():
        for time in ("run", "wait"):
            values[f"{time}-median-{name}"] = part[time].median()
            values[f"{time}-mean-{name}"] = part[time].mean()
        if name != "all":
            values[f"{name}-jobs"] = len(part)
            values[f"run-1h-{name}"] = 100 * (part["run"] <= 3600).mean()
        if name.endswith("-failed"):
            hours = part["submit_date"].dt.hour.value_counts().reindex(range(24), fill_value=0)
            values[f"run-6min-{name}"] = 100 * (part["run"] <= 360).mean()
            values[f"{name}-peak"] = hours.max()
            values[f"{name}-peak-hour"] = hours.idxmax()
            values[f"{name}-quiet-hour"] = hours.idxmin()
    del values["generic-failed-quiet-hour"]  # no claim
    for kind in ("generic", "ml"):
        part = parts[kind]
        days = part["submit_date"].dt.date.value_counts()
        values[f"{kind}-per-day"] = days.mean()
        values[f"run-q75-{kind}"] = part["run"].quantile(0.75)
        values[f"wait-1h-{kind}"] = 100 * (part["wait"] <= 3600).mean()
        values[f"failed-share-{kind}"] = 100 * rate[kind]
        values[f"completed-share-{kind}"] = 100 * (part["state"] == "COMPLETED").mean()
        values[f"single-node-{kind}"] = 100 * (part["numnodes"] == 1).mean()
        values[f"nodes-max-{kind}"] = part["numnodes"].max()
        values[f"cores-mean-{kind}"] = part["numcores"].mean()
        values[f"cores-median-{kind}"] = part["numcores"].median()
        values[f"node-hours-mean-{kind}"] = part["node_hours"].mean()
    for cores, name in [
        (16, "generic-completed"),
        (2, "generic-failed"),
        (16, "generic-failed"),
        (3, "ml-completed"),
        (3, "ml-failed"),
    ]:
        values[f"cores-{cores}-{name}"] = 100 * (parts[name]["numcores"] == cores).mean()
    return values


def on_gpu(text: str) -> bool:
    """Rule of the paper, with the node list expanded by hand."""
    names = re.sub(r"\w+\[[^\]]*\]", "", text).split(",")
    for prefix, ranges in re.findall(r"(\w+)\[([^\]]*)\]", text):
        for one in ranges.split(","):
            low, _, high = one.partition("-")
            names += [f"{prefix}{n}" for n in range(int(low), int(high or low) + 1)]
    return not PAPER_GPU_NODES.isdisjoint(names)


def test_slurm_table_is_finite(measured: dict[str, float]) -> None:
    assert [claim for claim, value in measured.items() if not math.isfinite(value)] == []


def test_slurm_table_equals_pandas(measured: dict[str, float], table: pd.DataFrame) -> None:
    expected = by_pandas(table)
    assert set(measured) - set(expected) == {"ml-runs-longer-low", "ml-fails-more-low"}
    assert {claim: measured[claim] for claim in expected} == pytest.approx(expected, rel=1e-9)


def test_slurm_table_lower_ends_lie_below_the_effects(
    measured: dict[str, float], table: pd.DataFrame
) -> None:
    plain = by_pandas(table)
    ratio = plain["run-median-ml"] / max(1.0, plain["run-median-generic"])
    assert 0 < measured["ml-runs-longer-low"] < ratio
    difference = plain["failed-share-ml"] - plain["failed-share-generic"]
    assert -100 < measured["ml-fails-more-low"] < difference


def test_slurm_table_does_not_depend_on_partitions(
    measured: dict[str, float], zenodo: JobTrace
) -> None:
    cut = dataclasses.replace(zenodo, jobs=zenodo.jobs.repartition(npartitions=5))
    assert measures.slurm_table(cut, SETUP, rng=rng()) == measured


def test_slurm_table_of_one_class_is_refused(zenodo: JobTrace) -> None:
    generic = dataclasses.replace(zenodo, jobs=zenodo.jobs[~zenodo.jobs["is_ml"]])
    with pytest.raises(TraceError, match=r"the trace zenodo has no ml job; .* both"):
        measures.slurm_table(generic, SETUP, rng=rng())


# ----------------------------------------------------------------------------- completeness


def test_every_claim_is_measured_once(
    measured: dict[str, float],
    working_halfyear: JobTrace,
    linear_week: tuple[PowerSeries, WeekLoad],
    linear_fit: dict[str, float],
    two_dumps: tuple[JobTrace, JobTrace],
    summary: pd.DataFrame,
) -> None:
    nodes = hardware.inventory()
    found = {
        "drawn": measures.drawn(rng=rng()),
        "halfyear": measures.halfyear(working_halfyear, rng=rng()),
        "week_power": measures.week_power(linear_week[0]),
        "week": linear_fit,
        "phillips": measures.phillips(two_dumps[0]),
        "pozidriv": measures.pozidriv(two_dumps[1]),
        "dumps": measures.dumps(*two_dumps),
        "acme": measures.acme(summary),
        "slurm_table": measured,
        "node_hardware": measures.node_hardware(nodes, set(nodes["node"])),
    }
    assert set(found) == set(NEEDS) <= set(measures.__all__)
    jobs_only = [claim for claim in PAPER.claims if claim.section != "energy-of-jobs"]
    for name, names in NEEDS.items():
        needs = {f"data:{one}" for one in names}
        ids = {claim.id for claim in jobs_only if set(claim.needs) == needs}
        assert set(found[name]) == ids, name
    small = {f"data:{one}" for names in NEEDS.values() for one in names}
    small -= {"data:lisa-node-metrics"}
    covered = {claim for name in NEEDS if name != "node_hardware" for claim in found[name]}
    assert covered == {claim.id for claim in jobs_only if set(claim.needs) <= small}


# -------------------------------------------------------------------------------- real data


def reference(part: str) -> dict[str, float]:
    path = ROOT / "validation" / "2409.08949" / "lisa.json"
    values: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))[part]
    return values


def on_halfyear() -> dict[str, float]:
    return measures.halfyear(datasets.lisa_halfyear(), rng=rng())


def on_week() -> dict[str, float]:
    watts = datasets.lisa_week_power()
    fit = experiments.power_model(watts, datasets.lisa_week_load(), SETUP, rng=rng())
    return measures.week(fit) | measures.week_power(watts)


def on_dumps() -> dict[str, float]:
    first, second = datasets.xdmod("phillips"), datasets.xdmod("pozidriv")
    return measures.phillips(first) | measures.pozidriv(second) | measures.dumps(first, second)


def on_acme() -> dict[str, float]:
    return measures.acme(datasets.acme_summary())


@pytest.mark.data
@pytest.mark.parametrize(
    ("part", "measure", "differ"),
    [
        ("halfyear", on_halfyear, set()),
        ("week", on_week, set()),
        ("dumps", on_dumps, {"dumps-failed-wait-longer"}),
        ("acme", on_acme, {"acme-gpu-waits-less"}),
    ],
)
def test_real_data_equals_plain_pandas(
    part: str, measure: Callable[[], dict[str, float]], differ: set[str]
) -> None:
    found, expected = measure(), reference(part)
    assert found == pytest.approx(expected, rel=1e-8, abs=2e-4)
    assert fails(found) == differ
