"""A metric of a node or of a group of nodes over time, in equal slots."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from restudy.telemetry.gram import steps
from restudy.telemetry.metrics import Metric, TelemetryError
from restudy.telemetry.samples import Telemetry, codes, fold, host, times, values


@dataclass(frozen=True)
class TimeSeries:
    """Sums over nodes in equal slots of time.

    Attributes
    ----------
    start : numpy.datetime64
        Begin of the first slot.
    seconds : int
        Length of a slot.
    total : numpy.ndarray of float64, shape (slots,)
        Sum of the samples of the slot in the metric's unit, NaN where there is none.
    samples : numpy.ndarray of int64, shape (slots,)
        Samples in the slot: nodes that report, if a slot is as long as the sampling interval.
    """

    start: np.datetime64
    seconds: int
    total: np.ndarray
    samples: np.ndarray

    def mean(self) -> np.ndarray:
        """Mean of the samples of each slot, NaN where there is none."""
        return self.total / np.maximum(self.samples, 1)


@dataclass(frozen=True)
class _Slots:
    """Sums of steps, from slot `first` (since 1970) on."""

    first: int
    total: np.ndarray
    samples: np.ndarray

    def __add__(self, other: "_Slots") -> "_Slots":
        if not len(self.total) or not len(other.total):
            return self if len(self.total) else other
        first = min(self.first, other.first)
        last = max(self.first + len(self.total), other.first + len(other.total))
        total, samples = np.zeros(last - first, "int64"), np.zeros(last - first, "int64")
        for one in (self, other):
            here = slice(one.first - first, one.first - first + len(one.total))
            total[here] += one.total
            samples[here] += one.samples
        return _Slots(first, total, samples)


def time_series(
    telemetry: Telemetry, metric: Metric, nodes: Sequence[str], *, seconds: int
) -> TimeSeries:
    """Sum a metric over nodes, slot by slot.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    metric : Metric
        What is summed, in steps of its resolution.
    nodes : sequence of str
        The nodes; one gives its own series.
    seconds : int
        Length of a slot; slots are counted from 1970-01-01.

    Returns
    -------
    TimeSeries
        From the first to the last slot with a sample.

    Raises
    ------
    TelemetryError
        If the metric is missing or the nodes have no sample of it.

    Notes
    -----
    Exact, so no bit depends on the parts. 16 bytes a slot are kept: 7 MB for 145 days of 30 s. A
    sum of steps stays below 2**63 for ``2**63 / 2**53`` = 1,024 samples a slot of the largest
    value, and for a million samples of 2**43 steps.
    """
    measure = partial(_slots, metric=metric, nodes=tuple(nodes), seconds=seconds)
    found = fold(telemetry, [metric.name], measure)
    if not len(found.total):
        raise TelemetryError(
            f"the telemetry {telemetry.name} has no value of {metric.name} on the "
            f"{len(nodes)} chosen nodes; choose nodes and a metric that it covers."
        )
    return TimeSeries(
        start=np.datetime64(found.first * seconds, "s"),
        seconds=seconds,
        total=np.where(found.samples > 0, found.total * metric.resolution, np.nan),
        samples=found.samples,
    )


def _slots(frame: pd.DataFrame, metric: Metric, nodes: Sequence[str], seconds: int) -> _Slots:
    step, known = steps(values(frame, metric.name), metric)
    keep = known & (codes(frame, nodes) >= 0)
    slot, step = times(frame)[keep] // seconds, step[keep]
    if not len(slot):
        return _Slots(0, np.zeros(0, "int64"), np.zeros(0, "int64"))
    first = int(slot.min())
    low = np.bitwise_and(step, 2**26 - 1)  # float64 sums of 26 bits are exact to 2**27 rows
    high = np.right_shift(step, 26)
    sums = [host(np.bincount(slot - first, weights=w)).astype("int64") for w in (low, high)]
    samples = host(np.bincount(slot - first)).astype("int64")
    return _Slots(first, sums[0] + (sums[1] << 26), samples)
