"""The questions of the chapter, one function each: a trace in, a plain result out.

Every result has ``table()`` for reading. A function raises `TraceError` with one sentence when the
trace cannot answer, for example when it has no states; `restudy.answers.attempt` turns that into a
`Missing`, which the figures show as text, so that one chapter serves every trace.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from restudy.traces import (
    arrivals,
    clock,
    daily,
    datasets,
    distributions,
    hardware,
    hour_labels,
    inference,
    power,
)
from restudy.traces.counting import Kind, select
from restudy.traces.distributions import Distribution
from restudy.traces.findings import ClockShifts, HourLabels, MlAgainstGeneric, PowerFit, Unassigned
from restudy.traces.jobs import JobTrace, TraceError
from restudy.traces.results import (
    CLASSES,
    FailuresByHour,
    Hardware,
    JobSize,
    Overview,
    StateShares,
    Submissions,
    WaitAndRun,
)


@dataclass(frozen=True)
class Setup:
    """How much is computed; the method never depends on it.

    Attributes
    ----------
    scale : float
        Size of the generated trace, 1 being the paper's 1,596,963 jobs.
    replicates : int
        Bootstrap replicates.
    block_days : int
        Consecutive days drawn together; 7 keeps the week whole.
    power_block_s : float
        Length of the blocks of time drawn for the power model, s.
    """

    scale: float
    replicates: int
    block_days: int = 7
    power_block_s: float = 6 * 3600.0

    @classmethod
    def quick(cls) -> Self:
        """Make a setup that takes seconds on two cores."""
        return cls(scale=1.0, replicates=1000)

    @classmethod
    def full(cls) -> Self:
        """Make a setup that takes a minute on two cores."""
        return cls(scale=1.0, replicates=4000)

    @classmethod
    def paper(cls) -> Self:
        """Take the paper's number of jobs, and intervals that no longer move."""
        return cls(scale=1.0, replicates=10_000)


def present(trace: JobTrace) -> tuple[Kind, ...]:
    """Classes that have jobs, of ``generic`` and ``ml``; raises TraceError for an empty trace."""
    jobs = distributions.measure(trace.jobs, ["jobs"])["jobs"]
    return _present(trace, jobs)


def _present(trace: JobTrace, found: Distribution) -> tuple[Kind, ...]:
    if found.n() == 0:
        raise TraceError(f"the trace {trace.name} has no jobs; choose a trace with at least one.")
    return tuple(kind for kind in CLASSES if found.n(kind))


def overview(trace: JobTrace) -> Overview:
    """Count the jobs by class and state and look how they lie on the calendar."""
    jobs = distributions.measure(trace.jobs, ["jobs"])["jobs"]
    _present(trace, jobs)
    return Overview(trace.title, jobs, distributions.spans(trace.jobs), len(trace.rejected))


def machines(nodes: pd.DataFrame) -> Hardware:
    """Tables 1 and 2 from a table with one row a node (`restudy.traces.hardware.COLUMNS`)."""
    return Hardware(hardware.node_table(nodes), hardware.rack_table(nodes))


def submissions(trace: JobTrace) -> Submissions:
    """Figure 5: jobs submitted per day, week, month and hour."""
    kinds = present(trace)
    found = arrivals.arrivals(trace.jobs)
    bursts = {
        kind: arrivals.burstiness(trace.jobs, kind, found.clock)
        for kind in kinds
        if np.count_nonzero(select(found.group, kind)) > 2
    }
    return Submissions(trace.title, kinds, found, bursts)


def wait_and_run(trace: JobTrace) -> WaitAndRun:
    """Figure 6: how long jobs wait and run."""
    found = distributions.measure(trace.jobs, ["jobs", "wait_s", "run_s"])
    _present(trace, found["jobs"])
    if found["run_s"].n() == 0:
        raise TraceError(
            f"the trace {trace.name} has no job with a start and an end; run times need both."
        )
    return WaitAndRun(trace.title, found["wait_s"], found["run_s"])


def failures_by_hour(trace: JobTrace) -> FailuresByHour:
    """Figure 7: failed jobs by hour of submission, and as the paper's code labels them."""
    jobs = distributions.measure(trace.jobs, ["jobs"])["jobs"]
    kinds = [kind for kind in _present(trace, jobs) if jobs.n(kind, "FAILED")]
    if not kinds:
        raise TraceError(
            f"the trace {trace.name} has no FAILED job, so there are no failures to count by hour."
        )
    column = arrivals.clock_column(trace.jobs)
    bars = {kind: hour_labels.hour_bars(trace.jobs, kind, "FAILED", column) for kind in kinds}
    return FailuresByHour(trace.title, bars)


def job_size(trace: JobTrace) -> JobSize:
    """Figure 8: nodes, cores and node-hours of a job."""
    found = distributions.measure(trace.jobs, ["jobs", "nodes", "cores", "node_s"])
    _present(trace, found["jobs"])
    if found["nodes"].n() == 0:
        raise TraceError(f"the trace {trace.name} does not say how many nodes its jobs had.")
    return JobSize(trace.title, found["nodes"], found["cores"], found["node_s"])


def state_shares(trace: JobTrace) -> StateShares:
    """Share of each state in the jobs, the run time and the node-hours of each class."""
    found = distributions.measure(trace.jobs, ["jobs", "run_s", "node_s"])
    kinds = _present(trace, found["jobs"])
    states = found["jobs"].states
    if not states:
        raise TraceError(f"the trace {trace.name} has no job states, so their shares are unknown.")
    columns = {"jobs": found["jobs"], "run time": found["run_s"], "node-hours": found["node_s"]}
    rows = {
        (kind, state): {
            name: _state_share(part, kind, state, by_job=name == "jobs")
            for name, part in columns.items()
        }
        for kind in kinds
        for state in states
    }
    return StateShares(trace.title, pd.DataFrame.from_dict(rows, orient="index"))


def _state_share(found: Distribution, kind: Kind, state: str, *, by_job: bool) -> float:
    mine = select(found.group, kind, state)
    known = select(found.group, kind) & (found.group % 64 > 0)
    weight = found.counts if by_job else found.counts * found.value.astype("float64")
    total = float(weight[known].sum())
    return float(weight[mine].sum()) / total if total else float("nan")


def labels_checked(
    bars: dict[str, np.ndarray], setup: Setup, *, rng: np.random.Generator
) -> HourLabels:
    """Quirk Q1: tell whether bars by hour come in the order of a day or in a random one.

    Parameters
    ----------
    bars : dict of str to numpy.ndarray, shape (hours,)
        Bars in the order in which they are drawn, by any name: the paper's own, ours.
    setup : Setup
        Number of random orders.
    rng : numpy.random.Generator
        Source of the random orders.

    Returns
    -------
    HourLabels
        Roughness of the bars and the share of random orders that are as smooth.

    Raises
    ------
    TraceError
        If there are bars of fewer than three hours.
    """
    if short := [name for name, heights in bars.items() if len(heights) < 3]:
        raise TraceError(
            f"the bars {', '.join(short)} have fewer than 3 hours; give a longer trace."
        )
    chances = {
        name: hour_labels.as_smooth(heights, replicates=setup.replicates, rng=rng)
        for name, heights in bars.items()
    }
    return HourLabels({n: float(hour_labels.roughness(b)) for n, b in bars.items()}, chances)


def ml_against_generic(
    trace: JobTrace, setup: Setup, *, rng: np.random.Generator
) -> MlAgainstGeneric:
    """Effects of the class with intervals that draw days, and the naive ones beside them."""
    present(trace)
    days = daily.summarise_days(trace.jobs)
    effects = inference.compare(
        days,
        replicates=setup.replicates,
        block=min(setup.block_days, len(days.day) // 2),
        rng=rng,
    )
    return MlAgainstGeneric(trace.title, len(days.day), days.clock, effects)


def clock_shift(
    trace: JobTrace,
    setup: Setup,
    *,
    rng: np.random.Generator,
    others: dict[str, np.ndarray] | None = None,
) -> ClockShifts:
    """Quirk Q3: count the hours that the trace's clock is behind local time.

    Parameters
    ----------
    trace : JobTrace
        The trace, on a clock that need not be known.
    setup : Setup
        Number of bootstrap replicates.
    rng : numpy.random.Generator
        Source of the bootstrap.
    others : dict of str to numpy.ndarray, shape (24,)
        Further reference profiles in local time by name, for example those of traces whose clock
        is local.

    Returns
    -------
    ClockShifts
        One estimate a reference. The two built-in references are the two published statements on
        when people submit on this machine; they were fixed before the trace was looked at.
    """
    present(trace)
    found = arrivals.arrivals(trace.jobs)
    days = found.days_by_hour()
    references = {
        "least at 5-6 h, most at 14-17 h": clock.trough_and_peak(),
        "work from 9 to 18 h": clock.working_day(),
        **(others or {}),
    }
    shifts = {
        name: clock.clock_shift(days, reference, replicates=setup.replicates, rng=rng)
        for name, reference in references.items()
    }
    return ClockShifts(trace.title, found.clock, days.sum(axis=0), references, shifts)


def unassigned(trace: JobTrace) -> Unassigned:
    """Quirk Q4: jobs that never had a node count as generic; statistics with and without them."""
    everything, assigned, unknown = distributions.by_assignment(trace.jobs)
    _present(trace, everything["jobs"])
    if unknown == everything["jobs"].n():
        raise TraceError(
            f"the trace {trace.name} does not say on which nodes its jobs ran, so jobs without a "
            "node cannot be told."
        )
    return Unassigned(trace.title, everything, assigned)


def power_model(
    measured: datasets.PowerSeries,
    load: datasets.WeekLoad,
    setup: Setup,
    *,
    rng: np.random.Generator,
) -> PowerFit:
    """Fit measured power to the load of the jobs, and try the fit on the last two sevenths."""
    if measured.seconds != load.seconds:
        raise TraceError(
            f"the power has slots of {measured.seconds} s and the load of {load.seconds} s; give "
            "both in equal slots."
        )
    offset = round((measured.start - load.start) / np.timedelta64(1, "ms") / 1000 / load.seconds)
    series = power.series(
        measured.power,
        measured.seconds,
        first_slot=load.first_slot - offset,
        length=load.length,
        job=load.job,
        usage=load.usage,
    )
    block = round(setup.power_block_s / series.slot_s)
    fitted = len(series.power) * 5 // 7
    models, held = [], []
    for loads in ({"U": series.busy}, {"A": series.running, "U": series.busy}):
        models.append(
            power.fit(series.power, loads, block=block, replicates=setup.replicates, rng=rng)
        )
        held.append(power.hold_out(series.power, loads, fitted))
    return PowerFit(series, models[0], models[1], held[0], held[1])
