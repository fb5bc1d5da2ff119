"""The questions of both chapters to node metrics and jobs: a cluster in, plain results out."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import pandas as pd

from restudy.telemetry import cotermination, shares, state_moments
from restudy.telemetry.attribution import (
    Accounting,
    Attribution,
    Integrated,
    MeanTimesDuration,
    attribute,
)
from restudy.telemetry.cotermination import Cotermination
from restudy.telemetry.intervals import IntervalSums, accumulate
from restudy.telemetry.lstm import Lstm
from restudy.telemetry.metrics import METRICS
from restudy.telemetry.residency import Residency, residency
from restudy.telemetry.samples import Telemetry, fold
from restudy.telemetry.shares import ClassShares, Reported, StateShares, common_window
from restudy.telemetry.splits import PerCore, PerCoreAboveIdle, PerJob, Split, mean_idle_power
from restudy.telemetry.state_moments import PAPER_STATES, Moments
from restudy.telemetry.windows import EVER, Window
from restudy.traces.jobs import PAPER_GPU_NODES
from restudy.traces.results import CLASSES

POWER = METRICS["node_power_usage"]

PAPER = "per job, mean × run time (paper)"
PER_JOB = "per job"
PER_CORE = "per core"
ABOVE_IDLE = "per core, above idle"


@dataclass(frozen=True)
class Setup:
    """How much is computed; the method never depends on it.

    Attributes
    ----------
    nodes : int
        Nodes of the generated clusters.
    days, interval_s : int
        Days of the cluster of 2020, and seconds between two samples.
    joined_days, joined_interval_s : int
        The same of the cluster of 2022, whose jobs are joined with its nodes.
    replicates : int
        Bootstrap replicates.
    lstm : Lstm
        The load predictor.
    """

    nodes: int
    days: int
    interval_s: int
    joined_days: int
    joined_interval_s: int
    replicates: int
    lstm: Lstm

    @classmethod
    def quick(cls) -> Self:
        """Make a setup that takes half a minute on two cores."""
        return cls(338, 28, 900, 10, 120, 1000, Lstm(hidden=16, epochs=8, batches=10, step=5e-3))

    @classmethod
    def full(cls) -> Self:
        """Make a setup that takes some minutes on two cores."""
        return cls(338, 84, 120, 42, 60, 4000, Lstm(hidden=32, epochs=20, batches=25, step=5e-3))

    @classmethod
    def paper(cls) -> Self:
        """Take the sizes of the published data and the published predictor."""
        return cls(338, 223, 15, 124, 30, 10_000, Lstm())


@dataclass(frozen=True)
class EnergyStudy:
    """Energy of jobs by several rules in one window.

    Attributes
    ----------
    jobs : pandas.DataFrame
        The job table.
    residency : Residency
        Who was where.
    sums : IntervalSums
        Power over its intervals.
    found : dict of str to Attribution
        By rule.
    gpu_nodes : frozenset of str
        The ML nodes.
    """

    jobs: pd.DataFrame
    residency: Residency
    sums: IntervalSums
    found: Mapping[str, Attribution]
    gpu_nodes: frozenset[str]

    def classes(self, rule: str) -> ClassShares:
        """Give Figure 1 and Table 5 by a rule."""
        return shares.class_shares(self.jobs, self.residency, self.found[rule], self.gpu_nodes)

    def states(self, rule: str) -> StateShares:
        """Give Figure 9 by a rule."""
        return shares.state_shares(self.jobs, self.residency, self.found[rule])

    def ml(self, rule: str) -> dict[str, float]:
        """Share of ML in racks, nodes, jobs, run time and energy, per cent."""
        found = self.classes(rule).ml
        return {name.partition(" [")[0]: 100 * float(found[name]) for name in map(str, found.index)}

    def table(self) -> pd.DataFrame:
        """Energy of jobs and of nobody, and ML's share of that of jobs, by rule."""
        rows = {
            rule: {
                "jobs [kWh]": one.jobs_j / 3.6e6,
                "nobody [kWh]": (one.idle_nodes_j + one.idle_part_j) / 3.6e6,
                "measured [kWh]": one.total_j / 3.6e6,
                "share of ML [%]": self.ml(rule)["energy"],
            }
            for rule, one in self.found.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")


def energy(
    telemetry: Telemetry,
    jobs: pd.DataFrame,
    *,
    window: Window = EVER,
    gpu_nodes: Collection[str] = PAPER_GPU_NODES,
) -> EnergyStudy:
    """Attribute the energy of the nodes to the jobs by the paper's rule and by three others.

    Parameters
    ----------
    telemetry : Telemetry
        Samples with ``node_power_usage``.
    jobs : pandas.DataFrame
        The job table, on the clock of the telemetry.
    window : Window
        Time to look at; jobs that cross its border are left out, as in the paper.
    gpu_nodes : collection of str
        The ML nodes.

    Returns
    -------
    EnergyStudy
        Energies by rule.

    Raises
    ------
    TelemetryError
        If there is no power or no core is known.
    """
    who = residency(jobs, telemetry.nodes, window=window)
    measure = partial(accumulate, intervals=who.intervals, metric=POWER)
    sums = fold(telemetry, [POWER.name], measure)
    n, total, _ = sums.spread(len(who.running))
    idle = _idle(who, n, total * POWER.resolution, frozenset(gpu_nodes))
    integrated, extended = (
        Integrated(telemetry.interval_s),
        MeanTimesDuration(telemetry.interval_s),
    )
    rules: dict[str, tuple[Split, Accounting]] = {
        PAPER: (PerJob(), extended),
        PER_JOB: (PerJob(), integrated),
        PER_CORE: (PerCore(), integrated),
    }
    if idle:
        rules[ABOVE_IDLE] = (PerCoreAboveIdle(idle), integrated)
    found = {
        name: attribute(who, sums, POWER, split=split, accounting=accounting)
        for name, (split, accounting) in rules.items()
    }
    return EnergyStudy(jobs, who, sums, found, frozenset(gpu_nodes) & set(telemetry.nodes))


def _idle(
    who: Residency, n: np.ndarray, total: np.ndarray, gpu_nodes: frozenset[str]
) -> dict[str, float]:
    """Idle power of each node, W; of one that was never idle, the median of its class.

    Empty if a class was never idle.
    """
    known = mean_idle_power(who, n, total)
    found: dict[str, float] = {}
    for kind in (True, False):
        mine = [node for node in who.intervals.nodes if (node in gpu_nodes) == kind]
        measured = [known[node] for node in mine if node in known]
        if mine and not measured:
            return {}
        found |= {node: known.get(node, float(np.median(measured))) for node in mine}
    return found


def windows(
    telemetry: Telemetry, *, gpu_nodes: Collection[str] = PAPER_GPU_NODES
) -> tuple[Reported, Window]:
    """Find when each node reports power, and the window that both classes of nodes share."""
    measure = partial(shares.reported, nodes=telemetry.nodes, metric=POWER)
    found = fold(telemetry, [POWER.name], measure)
    ml = np.array([node in gpu_nodes for node in telemetry.nodes])
    return found, common_window(found, ml)


_COUNTED: dict[str, Callable[..., Moments]] = {
    "per sample (paper)": state_moments.per_sample,
    "per job": state_moments.per_job,
    "per episode": state_moments.per_episode,
}


def terminating_together(
    telemetry: Telemetry, study: EnergyStudy, *, replicates: int, rng: np.random.Generator
) -> dict[str, dict[str, Cotermination]]:
    """Figure 10: correlate the states in which jobs on one node end.

    Parameters
    ----------
    telemetry : Telemetry
        Samples with ``node_power_usage``.
    study : EnergyStudy
        From `energy`, on the same samples.
    replicates : int
        Bootstrap replicates; nodes are drawn.
    rng : numpy.random.Generator
        Source of the bootstrap.

    Returns
    -------
    dict of str to dict of str to Cotermination
        By what counts as one observation (every sample as in the paper, every job, every episode),
        and by class of node.
    """
    who = study.residency
    above = cotermination.job_weighted_threshold(who, study.sums)
    measure = partial(accumulate, intervals=who.intervals, metric=POWER, above=above)
    high = fold(telemetry, [POWER.name], measure)
    ml = np.array([node in study.gpu_nodes for node in telemetry.nodes])
    found: dict[str, dict[str, Cotermination]] = {}
    for name, count in _COUNTED.items():
        moments = count(who, study.jobs, high, PAPER_STATES)
        found[name] = {
            kind: cotermination.correlate(moments, nodes, replicates=replicates, rng=rng)
            for kind, nodes in zip(CLASSES, (~ml, ml), strict=True)
        }
    return found
