"""The energy of every job, from the power of the nodes that it ran on."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from restudy.telemetry.intervals import IntervalSums
from restudy.telemetry.metrics import Metric, TelemetryError
from restudy.telemetry.residency import Residency
from restudy.telemetry.splits import Split

_WATTS = {"W": 1.0, "mW": 1e-3}


@dataclass(frozen=True)
class Attribution:
    """Energy by job.

    Attributes
    ----------
    energy_j : numpy.ndarray of float64, shape (jobs,)
        Energy of each row of the job table, J; NaN for a job without a sample.
    samples : numpy.ndarray of int64, shape (jobs,)
        Samples of its nodes while it ran.
    unsampled : int
        Jobs that were on nodes with telemetry and have no sample: most are shorter than the
        interval between two.
    idle_nodes_j : float
        Energy of nodes on which no job ran, J.
    idle_part_j : float
        Energy of other nodes that the split gives to nobody, J.
    total_j : float
        All energy measured: power times the interval of the samples, J.
    """

    energy_j: np.ndarray
    samples: np.ndarray
    unsampled: int
    idle_nodes_j: float
    idle_part_j: float
    total_j: float

    @property
    def jobs_j(self) -> float:
        """Energy of all jobs, J."""
        return float(np.nansum(self.energy_j))

    @property
    def excess(self) -> float:
        """Energy of jobs and of nobody over the total, minus 1: zero if energy is conserved."""
        return (self.jobs_j + self.idle_nodes_j + self.idle_part_j) / self.total_j - 1

    def table(self) -> pd.DataFrame:
        """Energy of jobs, of nobody, and in total, kWh and share."""
        parts = {
            "jobs": self.jobs_j,
            "nodes without jobs": self.idle_nodes_j,
            "idle part of nodes with jobs": self.idle_part_j,
            "measured": self.total_j,
        }
        energy = pd.Series(parts)
        return pd.DataFrame({"energy [kWh]": energy / 3.6e6, "share": energy / self.total_j})


class Accounting(Protocol):
    """A rule that makes energies from the power of jobs."""

    def energy(self, residency: Residency, power: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """Energy of each pair of a job and a node, J; NaN without a sample, (pairs,).

        `power` is the sum of the job's part over its samples on the node, W, `samples` their
        number, both (pairs,).
        """
        ...

    @property
    def interval_s(self) -> float:
        """Usual time between two samples of a node, s."""
        ...


@dataclass(frozen=True)
class Integrated:
    """Power times the interval of the samples, summed: conserves energy.

    Attributes
    ----------
    interval_s : float
        Time that a sample stands for, s.
    """

    interval_s: float

    def energy(self, residency: Residency, power: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """Energy while there are samples, J, (pairs,)."""
        return np.where(samples > 0, power * self.interval_s, np.nan)


@dataclass(frozen=True)
class MeanTimesDuration:
    """Mean of the job's power on each node, times its whole run time: the paper's accounting.

    It goes on through gaps of the telemetry, and does not conserve energy.

    Attributes
    ----------
    interval_s : float
        Time that a sample stands for, s: only for the energy measured in total.
    """

    interval_s: float

    def energy(self, residency: Residency, power: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """Mean power times run time, J, (pairs,)."""
        mean = np.divide(power, samples, out=np.full(len(power), np.nan), where=samples > 0)
        return mean * residency.seconds[residency.job]


def attribute(
    residency: Residency,
    sums: IntervalSums,
    metric: Metric,
    *,
    split: Split,
    accounting: Accounting,
) -> Attribution:
    r"""Attribute the energy of nodes to the jobs on them.

    With the sum :math:`S_k` of the power that the jobs of an interval k share, the weight
    :math:`w_j` of job j and the sum :math:`W_k` of the weights in k, its power summed over samples
    is :math:`w_j \sum_k S_k / W_k`: for each pair of a job and a node a difference of a running
    sum.

    Parameters
    ----------
    residency : Residency
        Who was where.
    sums : IntervalSums
        Power summed over its intervals.
    metric : Metric
        What was summed: power in W or mW.
    split : Split
        Who gets which part of a node's power.
    accounting : Accounting
        How power becomes energy: `Integrated`, or the paper's `MeanTimesDuration`.

    Returns
    -------
    Attribution
        Energies of jobs and of nobody.

    Raises
    ------
    TelemetryError
        If the metric is not a power, there is no sample, or the split lacks something.

    Notes
    -----
    The paper joins samples with jobs, 94 million rows (arXiv 2409.08949); here the cost is
    O(jobs + intervals) once the samples are summed. Rounding is that of a running sum over one
    node, some 1e-6 J a job.

    Examples
    --------
    >>> from restudy.telemetry.residency import residency
    >>> from restudy.telemetry.splits import PerJob
    >>> from restudy.telemetry.windows import Window
    >>> from restudy.traces.jobs import COLUMNS
    >>> rows = {"job_id": ["1", "2"], "start": [10, 20], "end": [29, 39], "node_list": "n1"}
    >>> jobs = pd.DataFrame(dict.fromkeys(COLUMNS) | rows).astype(COLUMNS)
    >>> where = residency(jobs, ["n1"], window=Window(0, 99))
    >>> one = np.ones(3, "int64")  # a sample of 100 W in intervals 1, 2 and 3
    >>> sums = IntervalSums(np.array([1, 2, 3]), one, 1000 * one, 1000_000 * one)
    >>> watt = Metric("watt", "W", 0.1, 0.0, 5000.0)
    >>> found = attribute(where, sums, watt, split=PerJob(), accounting=Integrated(10))
    >>> found.energy_j.tolist(), found.total_j
    ([1500.0, 1500.0], 3000.0)
    """
    n, total, weight, shared, W = _shared(residency, sums, metric, split)
    each = np.divide(shared, W, out=np.zeros_like(shared), where=W > 0)
    samples = residency.summed(n)
    energy = accounting.energy(residency, weight * residency.summed(each), samples)
    jobs = len(residency.seconds)
    sampled = np.bincount(residency.job, weights=samples, minlength=jobs).astype("int64")
    known = np.bincount(residency.job, weights=np.nan_to_num(energy), minlength=jobs)
    present = ~np.isnan(residency.seconds)
    seconds = float(accounting.interval_s)
    busy = W > 0
    return Attribution(
        energy_j=np.where(sampled > 0, known, np.nan),
        samples=sampled,
        unsampled=int((present & (sampled == 0)).sum()),
        idle_nodes_j=float(total[~busy].sum()) * seconds,
        idle_part_j=float((total - shared)[busy].sum()) * seconds,
        total_j=float(total.sum()) * seconds,
    )


def _shared(
    residency: Residency, sums: IntervalSums, metric: Metric, split: Split
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give samples, power, pairs' weights, shared power, weights of intervals."""
    if metric.unit not in _WATTS:
        raise TelemetryError(
            f"the metric {metric.name} has the unit {metric.unit}; energy needs a power in "
            f"{' or '.join(_WATTS)}."
        )
    n, steps, _ = sums.spread(len(residency.running))
    if not n.any():
        raise TelemetryError(
            f"no sample of {metric.name} is known in the window; give telemetry of the jobs' time."
        )
    total = steps * (metric.resolution * _WATTS[metric.unit])
    weight = split.weight(residency)
    return n, total, weight, split.shared(residency, n, total), residency.load(weight)
