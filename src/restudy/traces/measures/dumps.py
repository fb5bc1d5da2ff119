"""Claims on other clusters: two sacct dumps with states, and the summary of Acme."""

from dataclasses import dataclass

import pandas as pd

from restudy.traces import distributions
from restudy.traces.distributions import Distribution
from restudy.traces.jobs import JobTrace, TraceError

# Clusters of the summary with both kinds of jobs, and those with shares of the GPU time.
_BOTH_KINDS = ("Seren", "Kalos", "Helios")
_GPU_TIME = ("Seren", "Kalos", "Philly", "Helios")
_ACME_COLUMNS = (
    "fail_rate_gpu",
    "fail_rate_cpu",
    "med_run_time_gpu",
    "med_run_time_cpu",
    "avg_run_time_gpu",
    "avg_run_time_cpu",
    "avg_que_time_gpu",
    "avg_que_time_cpu",
    "complete_rate_gpu",
    "complete_rate_gpu_time",
)


def phillips(trace: JobTrace) -> dict[str, float]:
    """Measure the claims on ``xdmod-phillips`` alone.

    Parameters
    ----------
    trace : JobTrace
        From ``restudy.traces.datasets.xdmod("phillips")``.

    Returns
    -------
    dict of str to float
        Claim id to value in the claim's unit.
    """
    return _states("phillips", trace, ("completed", "failed", "cancelled"))


def pozidriv(trace: JobTrace) -> dict[str, float]:
    """Measure the claims on ``xdmod-pozidriv`` alone; as `phillips`."""
    states = ("completed", "failed", "cancelled", "preempted", "timeout")
    return _states("pozidriv", trace, states)


def _states(name: str, trace: JobTrace, states: tuple[str, ...]) -> dict[str, float]:
    jobs = distributions.measure(trace.jobs, ["jobs"])["jobs"]
    values = {f"{name}-jobs": float(jobs.n())}
    return values | {f"{name}-{s}": 100 * jobs.n(state=s.upper()) / jobs.n() for s in states}


def dumps(first: JobTrace, second: JobTrace) -> dict[str, float]:
    """Measure the claims that hold on both sacct dumps or on none.

    Parameters
    ----------
    first, second : JobTrace
        The two dumps, ``restudy.traces.datasets.xdmod(...)``, in any order.

    Returns
    -------
    dict of str to float
        Claim id to the value, in the claim's unit, of the dump that is worse for the claim.

    Raises
    ------
    TraceError
        If a dump has no completed or no failed job with a node.
    """
    both = (_look(first), _look(second))
    without = sum(dump.unassigned for dump in both)
    cancelled = sum(dump.unassigned_cancelled for dump in both)
    return {
        "dumps-single-node": min(100 * dump.nodes.ecdf().share_of(1) for dump in both),
        "dumps-failed-run-shorter": max(_median_ratio(dump.assigned["run_s"]) for dump in both),
        "dumps-failed-wait-longer": min(_median_ratio(dump.assigned["wait_s"]) for dump in both),
        "dumps-unsuccessful-time": min(_unsuccessful(dump.assigned["run_s"]) for dump in both),
        "dumps-one-user-fails": min(100 * dump.largest_user for dump in both),
        "dumps-unassigned-cancelled": 100 * cancelled / without if without else 0.0,
        "dumps-unassigned-share": min(100 * dump.unassigned / dump.jobs for dump in both),
    }


@dataclass(frozen=True)
class _Dump:
    """What one dump says.

    Attributes
    ----------
    jobs, unassigned, unassigned_cancelled : int
        All jobs, those that never had a node, and the cancelled ones of these.
    nodes : Distribution
        Of all jobs.
    assigned : dict of str to Distribution
        ``jobs``, ``run_s`` and ``wait_s`` of the jobs with a node.
    largest_user : float
        Largest share of one user in the failed jobs.
    """

    jobs: int
    unassigned: int
    unassigned_cancelled: int
    nodes: Distribution
    assigned: dict[str, Distribution]
    largest_user: float


def _look(trace: JobTrace) -> _Dump:
    everything, assigned, _ = distributions.by_assignment(trace.jobs)
    jobs, with_node = everything["jobs"], assigned["jobs"]
    failed = trace.jobs[trace.jobs["state"] == "FAILED"]["user"].value_counts().compute()
    if failed.empty:
        raise TraceError(f"the trace {trace.name} has no FAILED job with a user; one is needed.")
    return _Dump(
        jobs=jobs.n(),
        unassigned=jobs.n() - with_node.n(),
        unassigned_cancelled=jobs.n(state="CANCELLED") - with_node.n(state="CANCELLED"),
        nodes=distributions.measure(trace.jobs, ["nodes"])["nodes"],
        assigned=assigned,
        largest_user=float(failed.max() / failed.sum()),
    )


def _median_ratio(times: Distribution) -> float:
    """Median of the failed jobs over that of the completed ones."""
    failed, completed = (times.ecdf(state=state) for state in ("FAILED", "COMPLETED"))
    return float(failed.quantile(0.5)) / float(completed.quantile(0.5))


def _unsuccessful(run: Distribution) -> float:
    """Share of the run time over share of the jobs of what did not complete."""
    everything, completed = run.ecdf(), run.ecdf(state="COMPLETED")
    time = 1 - completed.total / everything.total
    return time / (1 - completed.n / everything.n)


def acme(summary: pd.DataFrame) -> dict[str, float]:
    """Measure the claims on ``acme-summary``.

    Parameters
    ----------
    summary : pandas.DataFrame
        As given by `restudy.traces.datasets.acme_summary`: the file's columns, index cluster.

    Returns
    -------
    dict of str to float
        Claim id to the value, in the claim's unit, of the cluster that is worst for the claim.

    Raises
    ------
    TraceError
        If clusters or columns are missing.
    """
    if missing := [name for name in _ACME_COLUMNS if name not in summary.columns]:
        raise TraceError(
            f"the summary lacks the columns {', '.join(missing)}; give the whole table of "
            "acme-summary."
        )
    if missing := [name for name in _GPU_TIME if name not in summary.index]:
        raise TraceError(
            f"the summary lacks the clusters {', '.join(missing)}; its index should be the cluster."
        )
    both = summary.loc[list(_BOTH_KINDS)]

    def gpu_over_cpu(column: str) -> pd.Series:
        return both[f"{column}_gpu"] / both[f"{column}_cpu"]

    gpus = summary.loc[list(_GPU_TIME)]
    time, jobs = 1 - gpus["complete_rate_gpu_time"], 1 - gpus["complete_rate_gpu"]
    return {
        "acme-gpu-fails-more": float(gpu_over_cpu("fail_rate").min()),
        "acme-gpu-median-run": float(gpu_over_cpu("med_run_time").min()),
        "acme-gpu-mean-run": float(gpu_over_cpu("avg_run_time").min()),
        "acme-gpu-waits-less": float(gpu_over_cpu("avg_que_time").max()),
        "acme-unsuccessful-time": float((time / jobs).min()),
        "acme-unsuccessful-third": 100 * float(time.min()),
    }
