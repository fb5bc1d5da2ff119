"""How the power of a node is split among the jobs that share it.

A split gives each job a weight on each of its nodes, constant while the job runs there, and says
which part of a node's power the jobs share. A job's power is that part times its weight over the
weights of all jobs on the node.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.residency import Residency


class Split(Protocol):
    """A rule that splits power."""

    def weight(self, residency: Residency) -> np.ndarray:
        """Weight of each pair of a job and a node, whole multiples of 2**-30, (pairs,)."""
        ...

    def shared(self, residency: Residency, n: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Part of each interval's sum of power that its jobs share, W, (intervals,).

        `n` is the number of samples of each interval, `total` the sum of their power, W.
        """
        ...


@dataclass(frozen=True)
class PerJob:
    """Equal parts for the jobs on a node: the paper's rule (its energy by class, Fig. 1 and 9)."""

    def weight(self, residency: Residency) -> np.ndarray:
        """Weights of 1, (pairs,)."""
        return np.ones(len(residency.job))

    def shared(self, residency: Residency, n: np.ndarray, total: np.ndarray) -> np.ndarray:
        """All of the power, W, (intervals,)."""
        return total


@dataclass(frozen=True)
class PerCore:
    """Parts in proportion to the cores that a job has on the node."""

    def weight(self, residency: Residency) -> np.ndarray:
        """Cores of each pair, (pairs,); raises TelemetryError if some are unknown."""
        if unknown := int(np.isnan(residency.cores).sum()):
            raise TelemetryError(
                f"{unknown} of {len(residency.cores)} pairs of a job and a node have an unknown "
                "number of cores; split per job, or leave these jobs out."
            )
        # Rounded so that sums of them are exact, and nothing is left on an empty node.
        return np.rint(residency.cores * 2**30) / 2**30

    def shared(self, residency: Residency, n: np.ndarray, total: np.ndarray) -> np.ndarray:
        """All of the power, W, (intervals,)."""
        return total


@dataclass(frozen=True)
class PerCoreAboveIdle:
    """The power above that of the idle node, in proportion to cores; the rest is nobody's.

    Attributes
    ----------
    idle_w : mapping of str to float
        Power of each node without jobs, W.
    """

    idle_w: Mapping[str, float]

    def weight(self, residency: Residency) -> np.ndarray:
        """Cores of each pair, (pairs,); raises TelemetryError if some are unknown."""
        return PerCore().weight(residency)

    def shared(self, residency: Residency, n: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Sum of the power above idle, never negative, W; raises TelemetryError for a lack."""
        nodes = residency.intervals.nodes
        if missing := [name for name in nodes if name not in self.idle_w]:
            raise TelemetryError(
                f"the idle power of {len(missing)} of {len(nodes)} nodes is unknown "
                f"({', '.join(missing[:3])}, ...); give a value in W for each node."
            )
        idle = np.array([self.idle_w[name] for name in nodes])
        return np.maximum(total - n * idle[residency.intervals.node], 0.0)


def mean_idle_power(residency: Residency, n: np.ndarray, total: np.ndarray) -> dict[str, float]:
    """Mean power of each node while no job ran on it, W; nodes that were never idle are left out.

    `n` and `total` as in `Split.shared`. A job that the job table lacks makes it too high.
    """
    idle, node = residency.running == 0, residency.intervals.node
    nodes = residency.intervals.nodes
    samples = np.bincount(node[idle], weights=n[idle], minlength=len(nodes))
    power = np.bincount(node[idle], weights=total[idle], minlength=len(nodes))
    return {
        name: float(power[at] / samples[at]) for at, name in enumerate(nodes) if samples[at] > 0
    }
