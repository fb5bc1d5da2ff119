"""What a longer sampling interval loses: energy, peaks, excursions and variance.

Lisa is sampled every 15 s (arXiv 2107.11832) or 30 s (2409.08949); many centres keep minutes. A
finely sampled series is sampled again, by points or by means, and each reading stands for the
interval in which it was taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from restudy.telemetry.metrics import TelemetryError
from restudy.traces.bootstrap import block_weights, percentile_interval


class Sampler(Protocol):
    """A way to read a series once an interval."""

    def read(self, intervals: np.ndarray) -> np.ndarray:
        """Turn (intervals, slots) into readings (phases, intervals)."""
        ...


@dataclass(frozen=True)
class Points:
    """One slot of each interval; every slot of the interval gives a phase."""

    def read(self, intervals: np.ndarray) -> np.ndarray:
        """Give the values at each place in the interval, (slots, intervals)."""
        return intervals.T


@dataclass(frozen=True)
class Means:
    """The mean of each interval's known slots."""

    def read(self, intervals: np.ndarray) -> np.ndarray:
        """Give the means, (1, intervals)."""
        known = ~np.isnan(intervals)
        n = known.sum(axis=1)
        total = np.where(known, intervals, 0.0).sum(axis=1)
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)[None]


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval that draws days with replacement.

    Attributes
    ----------
    value, low, high : float
        NaN if there is nothing to measure.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Loss:
    """What a sampling interval loses; shares of the finely sampled truth.

    Attributes
    ----------
    seconds : float
        Sampling interval.
    energy_error : Estimate
        Mean over days and phases of the absolute value of energy of a day read / true - 1.
    peak_lost : Estimate
        Mean over days and phases of 1 - largest reading of a day / true largest.
    p99_lost : Estimate
        The same for the 99th percentile.
    excursions_missed : Estimate
        Share of the runs of slots above the limit of which no reading tells.
    duration_error : Estimate
        Time above the limit as read / true - 1.
    variance_lost : Estimate
        1 - variance of the readings / true variance, about the true mean.
    """

    seconds: float
    energy_error: Estimate
    peak_lost: Estimate
    p99_lost: Estimate
    excursions_missed: Estimate
    duration_error: Estimate
    variance_lost: Estimate


def sampling_loss(
    value: np.ndarray,
    seconds: float,
    interval: float,
    sampler: Sampler,
    *,
    limit: float,
    replicates: int,
    rng: np.random.Generator,
) -> Loss:
    """Measure what is lost if a series is read once an interval.

    Parameters
    ----------
    value : numpy.ndarray, shape (slots,)
        The series in equal slots, of positive numbers such as power in W; NaN where unknown.
    seconds : float
        Length of a slot.
    interval : float
        Sampling interval in s: a multiple of `seconds` that divides a day.
    sampler : Sampler
        `Points()` or `Means()`.
    limit : float
        Excursions are runs of slots with a value above it.
    replicates : int
        Bootstrap replicates; whole days are drawn.
    rng : numpy.random.Generator
        Source of the bootstrap.

    Returns
    -------
    Loss
        Losses with intervals. Point sampling counts every phase of the interval.

    Raises
    ------
    TelemetryError
        If the interval does not fit, or there are less than two days.

    Notes
    -----
    Days are counted from the first slot; what is missing of the last is unknown. An excursion that
    goes on over midnight counts on both days. A sinusoid of frequency f read as means over T loses
    the share ``1 - sinc(f T)**2`` of its variance, and a pulse of d < T has no reading with
    probability ``1 - d / T``.
    """
    k, day = round(interval / seconds), round(86_400 / seconds)
    if not np.isclose(k * seconds, interval) or k < 1 or day % k:
        raise TelemetryError(
            f"the sampling interval is {interval} s; expected a multiple of the slots of {seconds} "
            "s that divides a day."
        )
    days = -(-len(value) // day)
    if days < 2:
        raise TelemetryError(
            f"the series has {len(value)} slots of {seconds} s; an interval that draws days needs "
            "more than one day."
        )
    truth = np.append(value.astype("float64"), np.full(days * day - len(value), np.nan))
    mean = np.nanmean(truth)
    rows = [
        _day(one, k, sampler, limit, mean)
        for one in truth.reshape(days, day)
        if not np.isnan(one).all()
    ]
    sums = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    draws = block_weights(len(rows), replicates, block=1, rng=rng)

    def estimate(above: str, below: str, finish: Callable[[np.ndarray], np.ndarray]) -> Estimate:
        weights = np.vstack((np.ones(len(rows)), draws))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = finish((weights @ sums[above]) / (weights @ sums[below]))
        if np.isnan(found[0]):
            return Estimate(float("nan"), float("nan"), float("nan"))
        return Estimate(float(found[0]), *percentile_interval(found[1:]))

    return Loss(
        seconds=interval,
        energy_error=estimate("energy", "one", lambda share: share),
        peak_lost=estimate("peak", "one", lambda share: share),
        p99_lost=estimate("p99", "one", lambda share: share),
        excursions_missed=estimate("missed", "runs", lambda share: share),
        duration_error=estimate("above_read", "above", lambda share: share - 1),
        variance_lost=estimate("square_read", "square", lambda share: 1 - share),
    )


def _day(
    truth: np.ndarray, k: int, sampler: Sampler, limit: float, mean: float
) -> dict[str, float]:
    """Give what a day adds to the sums; means over the phases of the readings."""
    read = sampler.read(truth.reshape(-1, k))  # (phases, intervals)
    read = read[~np.isnan(read).all(axis=1)]
    held: np.ndarray = np.repeat(read, k, axis=1)  # (phases, slots)
    held[:, np.isnan(truth)] = np.nan
    runs = run_bounds(truth > limit)
    told = np.concatenate(
        (np.zeros((len(held), 1)), np.cumsum(np.greater(held, limit), axis=1)), axis=1
    )
    seen = told[:, runs[1]] > told[:, runs[0]]
    top, high = np.nanmax(truth), np.nanquantile(truth, 0.99)
    return {
        "one": 1.0,
        "energy": float(np.abs(np.nanmean(read, axis=1) / np.nanmean(truth) - 1).mean()),
        "peak": float(1 - np.nanmax(read, axis=1).mean() / top),
        "p99": float(1 - np.nanquantile(read, 0.99, axis=1).mean() / high),
        "runs": float(len(runs[0])),
        "missed": float((~seen).sum() / len(held)),
        "above": float((truth > limit).sum()),
        "above_read": float(told[:, -1].mean()),
        "square": float(np.nansum((truth - mean) ** 2)),
        "square_read": float(np.nansum((held - mean) ** 2) / len(held)),
    }


def run_bounds(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Begin and end (exclusive) of each run of True.

    Parameters
    ----------
    above : numpy.ndarray of bool, shape (slots,)
        Where a value is above the limit.

    Returns
    -------
    begin : numpy.ndarray of int64, shape (runs,)
        First slot of each run.
    end : numpy.ndarray of int64, shape (runs,)
        First slot after each run.

    Examples
    --------
    >>> [at.tolist() for at in run_bounds(np.array([True, False, True, True]))]
    [[0, 2], [1, 4]]
    """
    change = np.diff(np.concatenate(([0], above.astype("int8"), [0])))
    return np.flatnonzero(change == 1), np.flatnonzero(change == -1)


def variance_above(value: np.ndarray, seconds: float, interval: float) -> float:
    """Share of the variance at frequencies that readings once an interval cannot represent.

    Parameters
    ----------
    value : numpy.ndarray, shape (slots,)
        A series in equal slots without gaps.
    seconds : float
        Length of a slot.
    interval : float
        Time between readings, s.

    Returns
    -------
    float
        Share of the variance above the frequency ``1 / (2 interval)``. Point sampling does not
        remove it but folds it to lower frequencies.

    Raises
    ------
    TelemetryError
        If the series has gaps.

    Examples
    --------
    >>> t = np.arange(1000)
    >>> wave = 3 * np.sin(2 * np.pi * t / 100) + np.sin(2 * np.pi * t / 4)
    >>> round(variance_above(wave, 1.0, 10.0), 9)
    0.1
    """
    if gaps := int(np.isnan(value).sum()):
        raise TelemetryError(f"the series has {gaps} unknown slots; a spectrum needs all of them.")
    power = np.abs(np.fft.rfft(value - value.mean())) ** 2
    power[1 : (len(value) + 1) // 2] *= 2  # all but the mean and the highest have two sides
    frequency = np.fft.rfftfreq(len(value), seconds)
    return float(power[frequency > 1 / (2 * interval)].sum() / power.sum())
