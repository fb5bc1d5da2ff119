"""Whether ML jobs differ from generic ones, and how sure that is; the paper leaves it out.

Every effect comes with an interval from drawing days (`restudy.traces.bootstrap`) and, for
contrast, with the naive one from drawing jobs. The ratio of the two variances is the design effect:
how many jobs are worth one independent job.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from restudy.traces import bootstrap
from restudy.traces.daily import Days


@dataclass(frozen=True)
class Effect:
    """One difference between ML and generic jobs.

    Attributes
    ----------
    quantity : str
        ``failed``, ``run_s`` or ``wait_s``.
    measure : str
        ``risk difference``, ``risk ratio``, ``ratio of medians`` or ``superiority``.
    generic, ml : float
        The two values compared (risk or median); for ``superiority`` the probability that the job
        of this class is the larger of two random ones.
    estimate : float
        The effect, ML against generic.
    low, high : float
        95 % interval from drawing days.
    p : float
        Two-sided bootstrap p-value of "no difference".
    naive_low, naive_high : float
        95 % interval from drawing jobs, for contrast.
    design_effect : float
        Variance from drawing days over that from drawing jobs; NaN where drawing jobs never
        changes the estimate.
    null : float
        Value of no difference: 0, 1 or 0.5.
    """

    quantity: str
    measure: str
    generic: float
    ml: float
    estimate: float
    low: float
    high: float
    p: float
    naive_low: float
    naive_high: float
    design_effect: float
    null: float

    @property
    def differs(self) -> bool:
        """Whether the interval from drawing days leaves out the value of no difference."""
        return not self.low <= self.null <= self.high

    @property
    def delta(self) -> float:
        """Cliff's delta, 2 P - 1; only for ``superiority``."""
        if self.measure != "superiority":
            raise ValueError(f"Cliff's delta of a {self.measure}; it is one of superiority")
        return 2 * self.estimate - 1


@dataclass(frozen=True)
class _Measure:
    """How two histograms become an effect."""

    name: str
    null: float
    of: Callable[[np.ndarray, np.ndarray], np.ndarray]  # value of a class, given (own, other)
    effect: Callable[[np.ndarray, np.ndarray], np.ndarray]  # given (ML, generic)


def compare(
    days: Days, *, replicates: int, block: int, rng: np.random.Generator
) -> tuple[Effect, ...]:
    """Effects of the class on failing, running and waiting.

    Parameters
    ----------
    days : Days
        From `restudy.traces.daily.summarise_days`.
    replicates : int
        Bootstrap replicates, at least 100.
    block : int
        Days drawn together.
    rng : numpy.random.Generator
        Source of the bootstrap.

    Returns
    -------
    tuple of Effect
        Risk difference and risk ratio of failing; ratio of medians and superiority of run and wait
        time. What the trace does not know for both classes is left out.

    Notes
    -----
    A median under one second counts as one second in a ratio.
    """
    if replicates < 100:
        raise ValueError(f"{replicates} replicates and should be at least 100")
    weights = bootstrap.block_weights(len(days.day), replicates, block=block, rng=rng)
    effects: list[Effect] = []
    if days.failed.any() and (days.jobs.sum(axis=1) > 0).all():
        outcomes = np.stack((days.jobs - days.failed, days.failed), axis=-1)
        effects += _effects("failed", outcomes, _RISKS, weights, rng)
    for quantity, histogram in (("run_s", days.run), ("wait_s", days.wait)):
        if (histogram.sum(axis=(1, 2)) > 0).all():
            used = histogram.any(axis=(0, 1))  # the bins that never occur only cost time
            measures = _time_measures(days.lower[used], days.upper[used])
            effects += _effects(quantity, histogram[..., used], measures, weights, rng)
    return tuple(effects)


def risk(outcomes: np.ndarray) -> np.ndarray:
    """Share of failed jobs.

    Parameters
    ----------
    outcomes : numpy.ndarray, shape (..., 2)
        Jobs that did not fail and jobs that did.

    Returns
    -------
    numpy.ndarray, shape (...)
        NaN where there is no job.
    """
    jobs = outcomes.sum(axis=-1)
    return np.divide(outcomes[..., 1], jobs, out=np.full(np.shape(jobs), np.nan), where=jobs > 0)


def medians(histogram: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Medians of binned times.

    Parameters
    ----------
    histogram : numpy.ndarray, shape (..., bins)
        Jobs in each bin.
    lower, upper : numpy.ndarray, shape (bins,)
        First and last second of each bin.

    Returns
    -------
    numpy.ndarray, shape (...)
        Lower median, s; in a bin of several seconds a place in proportion to the rank, so at most
        1 % off for bins of 1 %. NaN for an empty histogram.

    Examples
    --------
    >>> medians(np.array([2, 3, 1]), np.array([0, 1, 2]), np.array([0, 1, 2])).tolist()
    1.0
    """
    ends = np.cumsum(histogram, axis=-1, dtype="float64")
    half = ends[..., -1] / 2
    at = np.minimum((ends < half[..., None]).sum(axis=-1), len(lower) - 1)
    inside = np.take_along_axis(histogram, at[..., None], axis=-1)[..., 0]
    above = np.take_along_axis(ends, at[..., None], axis=-1)[..., 0] - half  # jobs of the bin
    part = 1 - np.divide(above, inside, out=np.ones_like(half), where=inside > 0)
    return np.where(ends[..., -1] > 0, lower[at] + part * (upper - lower)[at], np.nan)


def superiority(ml: np.ndarray, generic: np.ndarray) -> np.ndarray:
    """Probability that an ML job is larger than a generic one, from histograms.

    Parameters
    ----------
    ml, generic : numpy.ndarray, shape (..., bins)
        Jobs in each bin.

    Returns
    -------
    numpy.ndarray, shape (...)
        U / (n m) of Mann and Whitney, jobs of one bin counting half; NaN where a class is empty.

    Examples
    --------
    >>> float(superiority(np.array([0, 1, 1]), np.array([0, 3, 0])))
    0.75
    """
    below = np.cumsum(generic, axis=-1, dtype="float64") - generic / 2
    pairs = ml.sum(axis=-1, dtype="float64") * generic.sum(axis=-1, dtype="float64")
    wins = (ml * below).sum(axis=-1)
    return np.divide(wins, pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0)


def _ratio(ml: np.ndarray, generic: np.ndarray) -> np.ndarray:
    return np.divide(ml, generic, out=np.full(np.shape(ml), np.inf), where=generic > 0)


_RISKS = (
    _Measure(
        name="risk difference",
        null=0.0,
        of=lambda own, _: risk(own),
        effect=lambda ml, generic: risk(ml) - risk(generic),
    ),
    _Measure(
        name="risk ratio",
        null=1.0,
        of=lambda own, _: risk(own),
        effect=lambda ml, generic: _ratio(risk(ml), risk(generic)),
    ),
)


def _time_measures(lower: np.ndarray, upper: np.ndarray) -> tuple[_Measure, ...]:
    def median_of(own: np.ndarray, _other: np.ndarray) -> np.ndarray:
        return medians(own, lower, upper)

    def ratio(ml: np.ndarray, generic: np.ndarray) -> np.ndarray:
        both = [np.maximum(medians(own, lower, upper), 1.0) for own in (ml, generic)]
        return _ratio(both[0], both[1])

    return (
        _Measure(name="ratio of medians", null=1.0, of=median_of, effect=ratio),
        _Measure(name="superiority", null=0.5, of=superiority, effect=superiority),
    )


def _effects(
    quantity: str,
    histogram: np.ndarray,  # (2, days, bins): generic, ML
    measures: tuple[_Measure, ...],
    weights: np.ndarray,  # (replicates, days)
    rng: np.random.Generator,
) -> list[Effect]:
    generic, ml = histogram.sum(axis=1)  # (bins,) each
    by_day = _replicate(bootstrap.draw_days(histogram, weights), measures)
    by_job = _replicate(bootstrap.draw_jobs(histogram, len(weights), rng), measures)
    effects = []
    for measure, days, jobs in zip(measures, by_day, by_job, strict=True):
        low, high = bootstrap.percentile_interval(days)
        naive_low, naive_high = bootstrap.percentile_interval(jobs)
        effects.append(
            Effect(
                quantity=quantity,
                measure=measure.name,
                generic=float(measure.of(generic, ml)),
                ml=float(measure.of(ml, generic)),
                estimate=float(measure.effect(ml, generic)),
                low=low,
                high=high,
                p=bootstrap.two_sided_p(days, measure.null),
                naive_low=naive_low,
                naive_high=naive_high,
                design_effect=bootstrap.variance_ratio(days, jobs),
                null=measure.null,
            )
        )
    return effects


def _replicate(batches: Iterator[np.ndarray], measures: tuple[_Measure, ...]) -> list[np.ndarray]:
    """Effects (measures) x (replicates,) of histograms (2, batch, bins)."""
    rows = [[m.effect(ml, generic) for m in measures] for generic, ml in batches]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]
