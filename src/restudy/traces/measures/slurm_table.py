"""Claims on the paper's own job table, ``slurm_table_cleaned.parquet``.

Run and wait times follow the paper: an hour is added to a negative one.
"""

import dask
import numpy as np
import pandas as pd

from restudy.traces import arrivals, distributions, experiments, hour_labels
from restudy.traces.counting import Kind
from restudy.traces.distributions import Distribution
from restudy.traces.experiments import Setup
from restudy.traces.jobs import JobTrace, TraceError, unassigned
from restudy.traces.measures.run_time import SHORT_S, short_share
from restudy.traces.results import CLASSES

_HOUR_S = 3600
_DAY = np.timedelta64(1, "D")

# Part of a claim's id -> class and state.
_GROUPS: dict[str, tuple[Kind, str | None]] = {
    "all": ("all", None),
    "generic": ("generic", None),
    "ml": ("ml", None),
    "generic-completed": ("generic", "COMPLETED"),
    "generic-failed": ("generic", "FAILED"),
    "ml-completed": ("ml", "COMPLETED"),
    "ml-failed": ("ml", "FAILED"),
}
# Shares of the jobs with exactly so many cores.
_CORES = (
    ("generic-completed", 16),
    ("generic-failed", 2),
    ("generic-failed", 16),
    ("ml-completed", 3),
    ("ml-failed", 3),
)


def slurm_table(trace: JobTrace, setup: Setup, *, rng: np.random.Generator) -> dict[str, float]:
    """Measure the claims on ``lisa-slurm-table``.

    Parameters
    ----------
    trace : JobTrace
        From `restudy.traces.datasets.zenodo_jobs`.
    setup : Setup
        Replicates and block of the bootstrap.
    rng : numpy.random.Generator
        For the bootstrap.

    Returns
    -------
    dict of str to float
        Claim id to value in the claim's unit.

    Raises
    ------
    TraceError
        If the trace lacks one of the classes, a state or a time that a claim is about.
    """
    found = distributions.measure(trace.jobs, ["jobs", "run_s", "wait_s"])
    for kind in CLASSES:
        if found["jobs"].n(kind) == 0:
            raise TraceError(
                f"the trace {trace.name} has no {kind} job; the claims compare both classes."
            )
    return {
        **_counts(trace, found["jobs"]),
        **_submissions(trace),
        **_spans(trace, found["jobs"].n(), found["run_s"]),
        **_run_and_wait(found["run_s"], found["wait_s"]),
        **_failures(trace),
        **_job_size(trace),
        **_ml_against_generic(trace, setup, found["run_s"], rng),
        **_unassigned(trace),
    }


def _counts(trace: JobTrace, jobs: Distribution) -> dict[str, float]:
    first, last = dask.compute(trace.jobs["start"].min(), trace.jobs["end"].max())
    values = {
        "jobs": float(jobs.n()),
        # Days begun, as the paper counts: whole days and the one that is not over.
        "job-days": float((np.datetime64(last, "s") - np.datetime64(first, "s")) // _DAY + 1),
    }
    for name, group in _GROUPS.items():
        if name != "all":
            values[f"{name}-jobs"] = float(jobs.n(*group))
    for kind in CLASSES:
        for state in ("failed", "completed"):
            share = jobs.n(kind, state.upper()) / jobs.n(kind)
            values[f"{state}-share-{kind}"] = 100 * share
    return values


def _submissions(trace: JobTrace) -> dict[str, float]:
    found = arrivals.arrivals(trace.jobs, "submit")
    values = {}
    for kind in CLASSES:
        days = found.per("day", kind)[1]
        values[f"{kind}-per-day"] = float(days[days > 0].mean())
    month, jobs = found.per("month", "generic")
    by_month = dict(zip(month.astype(str).tolist(), jobs.tolist(), strict=True))
    lists = _generic_lists(trace)
    compute_nodes = lists[~unassigned(pd.DataFrame({"node_list": lists.index, "nodes": pd.NA}))]
    return values | {
        "generic-june": float(by_month.get("2022-06", 0)),
        "generic-february": float(by_month.get("2022-02", 0)),
        "generic-busiest-day": float(found.per("day", "generic")[1].max()),
        "busiest-node": float(compute_nodes.max()),
        "software-node-jobs": float(lists.get("software2", 0)),
    }


def _generic_lists(trace: JobTrace) -> pd.Series:
    """Count the generic jobs by node list, as written."""
    generic = trace.jobs[~trace.jobs["is_ml"].fillna(False)]
    lists = generic["node_list"].value_counts().compute()
    if lists.empty:
        raise TraceError(f"the trace {trace.name} has no generic job with a node list.")
    return lists


def _spans(trace: JobTrace, jobs: int, run: Distribution) -> dict[str, float]:
    """Short jobs, and jobs that end on a later day.

    The paper compares days of the year, which puts a job over New Year into neither part.
    """
    all_runs = run.ecdf()
    within_year = trace.jobs[trace.jobs["start"].dt.year == trace.jobs["end"].dt.year]
    spans = distributions.spans(within_year)
    number = seconds = 0
    if spans.overnight is not None:
        number, seconds = spans.overnight.n, spans.overnight.total
    same_day = 0 if spans.same_day is None else spans.same_day.total
    return {
        "short-jobs": 100 * float(all_runs.share_below(SHORT_S)),
        "short-jobs-hours": 100 * short_share(all_runs),
        "multi-day-jobs": 100 * number / jobs,
        "multi-day-hours": 100 * seconds / (seconds + same_day),
    }


def _run_and_wait(run: Distribution, wait: Distribution) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, group in _GROUPS.items():
        runs, waits = run.ecdf(*group), wait.ecdf(*group)
        values[f"run-median-{name}"] = float(runs.quantile(0.5))
        values[f"run-mean-{name}"] = runs.mean
        values[f"wait-median-{name}"] = float(waits.quantile(0.5))
        values[f"wait-mean-{name}"] = waits.mean
        if name == "all":
            values["run-p80"] = float(runs.quantile(0.8)) / 60
            values["run-max"] = float(runs.max)
            continue
        values[f"run-1h-{name}"] = 100 * float(runs.cdf(_HOUR_S))
        if name in CLASSES:
            values[f"run-q75-{name}"] = float(runs.quantile(0.75))
            values[f"wait-1h-{name}"] = 100 * float(waits.cdf(_HOUR_S))
        if name.endswith("failed"):
            values[f"run-6min-{name}"] = 100 * float(runs.cdf(_HOUR_S // 10))
    return values


def _failures(trace: JobTrace) -> dict[str, float]:
    """Hours of Figure 7, each bar at the hour that it shows."""
    values: dict[str, float] = {}
    for kind in CLASSES:
        bars = hour_labels.hour_bars(trace.jobs, kind, "FAILED", "submit").by_hour
        values[f"{kind}-failed-peak"] = float(bars.max())
        values[f"{kind}-failed-peak-hour"] = float(bars.argmax())
        if kind == "ml":
            values["ml-failed-quiet-hour"] = float(bars.argmin())
    return values


def _job_size(trace: JobTrace) -> dict[str, float]:
    size = experiments.job_size(trace)
    values: dict[str, float] = {}
    for kind in CLASSES:
        cores = size.cores.ecdf(kind)
        values[f"single-node-{kind}"] = 100 * size.single_node(kind)
        values[f"nodes-max-{kind}"] = float(size.nodes.ecdf(kind).max)
        values[f"cores-mean-{kind}"] = cores.mean
        values[f"cores-median-{kind}"] = float(cores.quantile(0.5))
        values[f"node-hours-mean-{kind}"] = size.node_seconds.ecdf(kind).mean / _HOUR_S
    for name, cores_each in _CORES:
        share = size.cores.ecdf(*_GROUPS[name]).share_of(cores_each)
        values[f"cores-{cores_each}-{name}"] = 100 * share
    values["nodes-min-generic"] = float(size.nodes.ecdf("generic").min)
    values["node-hours-max-generic"] = size.node_seconds.ecdf("generic").max / _HOUR_S
    return values


def _ml_against_generic(
    trace: JobTrace, setup: Setup, run: Distribution, rng: np.random.Generator
) -> dict[str, float]:
    effects = experiments.ml_against_generic(trace, setup, rng=rng)
    return {
        "ml-runs-longer-low": effects.effect("run_s", "ratio of medians").low,
        "ml-fails-more-low": 100 * effects.effect("failed", "risk difference").low,
        "ml-run-superiority": distributions.superiority(run.ecdf("ml"), run.ecdf("generic")),
    }


def _unassigned(trace: JobTrace) -> dict[str, float]:
    found = experiments.unassigned(trace)
    rates = [
        part["jobs"].n("generic", "FAILED") / part["jobs"].n("generic")
        for part in (found.everything, found.assigned)
    ]
    return {"unassigned-effect": 100 * abs(rates[0] - rates[1])}
