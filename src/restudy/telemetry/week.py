"""Questions of arXiv 2107.11832 to a single series of power, such as the week measured on Lisa."""

from dataclasses import dataclass

import numpy as np

from restudy.telemetry.anomalies import (
    beyond,
    robust_scores,
    top_share,
    window_means,
    z_scores,
)
from restudy.telemetry.forecast import (
    PERSISTENCE,
    Contest,
    DampedClimatology,
    SeasonalNaive,
    contest,
)
from restudy.telemetry.lstm import Lstm
from restudy.telemetry.sampling import Loss, Means, Points, sampling_loss

INTERVALS_S = (60, 300, 900)
WINDOW_S = 300  # of an anomaly
ROBUST_LIMIT = 4.0
AHEAD = 80  # slots that a forecast covers
EXCURSION = 0.99  # quantile above which power counts as an excursion


@dataclass(frozen=True)
class SamplingStudy:
    """Losses at several sampling intervals.

    Attributes
    ----------
    points, means : tuple of Loss
        By points and by means, in order of the interval.
    """

    points: tuple[Loss, ...]
    means: tuple[Loss, ...]


def sampling_study(
    power: np.ndarray, seconds: float, *, replicates: int, rng: np.random.Generator
) -> SamplingStudy:
    """Say what is lost if power [W] in slots of some seconds is read every 1, 5 or 15 min.

    Raises
    ------
    TelemetryError
        If the slots do not fit into a minute, or there are less than two days.
    """
    limit = float(np.nanquantile(power, EXCURSION))
    points, means = (
        tuple(
            sampling_loss(
                power, seconds, interval, sampler, limit=limit, replicates=replicates, rng=rng
            )
            for interval in INTERVALS_S
        )
        for sampler in (Points(), Means())
    )
    return SamplingStudy(points, means)


def flagged(power: np.ndarray, seconds: float) -> dict[str, np.ndarray]:
    """Flag windows of 5 min by the rule of the report and by a robust one.

    Parameters
    ----------
    power : numpy.ndarray, shape (slots,)
        Power or another load, NaN where unknown.
    seconds : float
        Length of a slot; divides 300 s.

    Returns
    -------
    dict of str to numpy.ndarray of bool, shape (windows,)
        By rule. The report flags the 3 % of the windows that differ most, in standard deviations,
        from the ten before; the robust rule those beyond four deviations from their median.
    """
    value = window_means(power, round(WINDOW_S / seconds))
    return {
        "3 % with the largest z-score": top_share(z_scores(value)),
        f"robust score above {ROBUST_LIMIT:g}": beyond(robust_scores(value), ROBUST_LIMIT),
    }


def forecast_study(
    power: np.ndarray, seconds: float, lstm: Lstm, *, replicates: int, rng: np.random.Generator
) -> Contest:
    """Forecast the next 80 slots with an LSTM and with simple rules; five sevenths are fitted.

    Raises
    ------
    TelemetryError
        If there are gaps, or the series is too short.
    """
    day = round(86_400 / seconds)
    baselines = (
        PERSISTENCE,
        SeasonalNaive("yesterday", day),
        DampedClimatology(day, 24),
        DampedClimatology(day, 1, "damped mean"),
    )
    return contest(
        lstm,
        baselines,
        power,
        fitted=len(power) * 5 // 7,
        horizon=AHEAD,
        every=AHEAD // 8,
        block=48,  # origins: four hours
        replicates=replicates,
        rng=rng,
    )


def measured(
    power: np.ndarray, seconds: float, study: SamplingStudy, found: Contest
) -> dict[str, float]:
    """Measure what the claims say of the week: claim id to value in its unit."""
    slots = round(INTERVALS_S[-1] / seconds)
    whole = power[: len(power) // slots * slots].reshape(-1, slots)
    mean = float(whole.mean())
    errors = {one.name: float(one.mae.mean()) for one in found.scores}
    flags = flagged(power, seconds)
    return {
        "sampling-energy-15min": 100 * float(np.abs(whole.mean(axis=0) / mean - 1).max()),
        "sampling-peak-15min": 100
        * float((whole.max() - whole.mean(axis=1).max()) / (whole.max() - mean)),
        "sampling-excursions-15min": 100 * study.points[-1].excursions_missed.value,
        "forecast-lstm": errors["LSTM"] / errors[found.best],
        "forecast-seasonal": errors["yesterday"] / errors["persistence"],
        "anomaly-share": 100 * float(next(iter(flags.values())).mean()),
    }


def noise_share(*, rng: np.random.Generator) -> float:
    """Share of windows, per cent, that the rule of the report flags in 100,000 of white noise."""
    return 100 * float(top_share(z_scores(rng.standard_normal(100_000))).mean())
