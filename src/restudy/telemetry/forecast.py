"""Forecasts of a load or power series: simple rules to be beaten, and what they are judged by.

A forecaster is fitted to the begin of a series and then predicts from origins in the rest, each
time from what lies before the origin only.

Sources:

L. Versluis et al., A holistic analysis of datacenter operations, arXiv 2107.11832 (2021): from 480
samples the next 80.
R. J. Hyndman and A. B. Koehler, Another look at measures of forecast accuracy, International
Journal of Forecasting 22, 679 (2006), doi:10.1016/j.ijforecast.2006.03.001.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from restudy.telemetry.metrics import TelemetryError
from restudy.traces.bootstrap import block_weights, percentile_interval


class Predictor(Protocol):
    """A fitted forecaster."""

    def predict(self, series: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Predict from each origin t the slots t, t + 1, ...: (origins, horizon)."""
        ...


class Forecaster(Protocol):
    """A way to forecast; `needs` slots must lie before an origin."""

    @property
    def name(self) -> str:
        """Name for tables."""
        ...

    @property
    def needs(self) -> int:
        """Slots that must lie before an origin."""
        ...

    def fit(self, past: np.ndarray, horizon: int) -> Predictor:
        """Fit to a series from its first slot on."""
        ...


@dataclass(frozen=True)
class SeasonalNaive:
    """The value a season ago; a season of one slot is persistence, the last value for ever.

    Attributes
    ----------
    name : str
        Name for tables.
    season : int
        Slots of a season: a day's or a week's.
    """

    name: str
    season: int

    @property
    def needs(self) -> int:
        """One season."""
        return self.season

    def fit(self, past: np.ndarray, horizon: int) -> Predictor:
        """Learn nothing."""
        return _Repeat(self.season, horizon)


PERSISTENCE = SeasonalNaive("persistence", 1)


@dataclass(frozen=True)
class _Repeat:
    season: int
    horizon: int

    def predict(self, series: np.ndarray, origins: np.ndarray) -> np.ndarray:
        ahead = np.arange(self.horizon) % self.season
        return series[origins[:, None] - self.season + ahead]


@dataclass(frozen=True)
class DampedClimatology:
    """Mean of the time of day plus what is left of the present deviation from it.

    The deviation h slots ahead is a share rho_h of the present one, by least squares. With one bin
    and an AR(1) process rho_h is phi**h and the forecast the best there is.

    Attributes
    ----------
    season : int
        Slots of a day; slot 0 of the series is its begin.
    bins : int
        Means a day: 24 for hours of the day, 1 for one mean.
    name : str
        Name for tables.
    """

    season: int
    bins: int
    name: str = "damped climatology"

    @property
    def needs(self) -> int:
        """One value."""
        return 1

    def fit(self, past: np.ndarray, horizon: int) -> Predictor:
        """Take the means of the bins and, for each step ahead, the share that is left."""
        place = np.arange(len(past)) % self.season * self.bins // self.season
        n = np.bincount(place, minlength=self.bins)
        mean = np.bincount(place, past, self.bins) / np.maximum(n, 1)
        mean = np.where(n > 0, mean, past.mean())
        rest = past - mean[place]
        share = np.array([_share_left(rest, h) for h in range(1, horizon + 1)])
        return _Damped(self.season, self.bins, mean, share)


def _share_left(rest: np.ndarray, h: int) -> float:
    below = rest[:-h] @ rest[:-h]
    return float(rest[h:] @ rest[:-h] / below) if below > 0 else 0.0


@dataclass(frozen=True)
class _Damped:
    season: int
    bins: int
    mean: np.ndarray
    share: np.ndarray

    def _mean(self, slot: np.ndarray) -> np.ndarray:
        return self.mean[slot % self.season * self.bins // self.season]

    def predict(self, series: np.ndarray, origins: np.ndarray) -> np.ndarray:
        last = origins - 1
        ahead = origins[:, None] + np.arange(len(self.share))
        return self._mean(ahead) + (series[last] - self._mean(last))[:, None] * self.share


@dataclass(frozen=True)
class Scores:
    """Errors of a forecaster, by steps ahead.

    Attributes
    ----------
    name : str
        The forecaster.
    mae, rmse, mase : numpy.ndarray, shape (horizon,)
        Mean absolute error, root of the mean square, and the first over that of the last value one
        step ahead in the fitted part.
    """

    name: str
    mae: np.ndarray
    rmse: np.ndarray
    mase: np.ndarray


@dataclass(frozen=True)
class Contest:
    """Forecasters on the part of a series that none was fitted to.

    Attributes
    ----------
    scores : tuple of Scores
        The baselines and then the candidate.
    best : str
        The baseline with the smallest error over all steps; chosen on the tested part, to the
        advantage of the baselines.
    difference : float
        Mean absolute error of the candidate minus that of `best`, over all steps: negative where
        the candidate wins.
    interval : tuple of float
        95 % interval of the difference that draws blocks of origins.
    origins : int
        Number of origins.
    """

    scores: tuple[Scores, ...]
    best: str
    difference: float
    interval: tuple[float, float]
    origins: int


def contest(
    candidate: Forecaster,
    baselines: Sequence[Forecaster],
    series: np.ndarray,
    *,
    fitted: int,
    horizon: int,
    every: int,
    block: int,
    replicates: int,
    rng: np.random.Generator,
) -> Contest:
    """Fit forecasters to the begin of a series and try them on the rest from rolling origins.

    Parameters
    ----------
    candidate : Forecaster
        The one in question.
    baselines : sequence of Forecaster
        Those to be beaten.
    series : numpy.ndarray of float64, shape (slots,)
        Series in equal slots without gaps.
    fitted : int
        Slots that are fitted; the first origin is the slot after them.
    horizon : int
        Slots predicted from each origin.
    every : int
        Slots between two origins.
    block : int
        Origins drawn together, longer than the errors remember.
    replicates : int
        Bootstrap replicates.
    rng : numpy.random.Generator
        Source of the bootstrap.

    Returns
    -------
    Contest
        Errors of all, and the candidate's difference to the best baseline.

    Raises
    ------
    TelemetryError
        If there are gaps, or the series is too short for a forecaster or for two blocks.

    Notes
    -----
    Nothing is refitted. An origin hands the whole series over, and a predictor reads what lies
    before it; the tests change what follows and find the same forecasts.
    """
    if gaps := int(np.isnan(series).sum()):
        raise TelemetryError(
            f"the series has {gaps} unknown slots; a forecast needs a value in each."
        )
    everyone = (*baselines, candidate)
    needs = max(one.needs for one in everyone)
    origins = np.arange(fitted, len(series) - horizon + 1, every)
    if fitted < needs + horizon or len(origins) < 2 * block:
        raise TelemetryError(
            f"the series has {len(series)} slots, {fitted} of them fitted, and {len(origins)} "
            f"origins; expected at least {needs + horizon} fitted slots and {2 * block} origins."
        )
    truth = series[origins[:, None] + np.arange(horizon)]  # (origins, horizon)
    past = series[:fitted]
    scale = np.abs(np.diff(past)).mean()
    errors = [one.fit(past, horizon).predict(series, origins) - truth for one in everyone]
    absolute = [np.abs(error).mean(axis=1) for error in errors]  # (origins,) each
    best = int(np.argmin([one.mean() for one in absolute[:-1]]))
    difference = absolute[-1] - absolute[best]
    draws = block_weights(len(origins), replicates, block=block, rng=rng)
    return Contest(
        scores=tuple(_scores(*pair, scale) for pair in zip(everyone, errors, strict=True)),
        best=everyone[best].name,
        difference=float(difference.mean()),
        interval=percentile_interval(draws @ difference / len(origins)),
        origins=len(origins),
    )


def _scores(forecaster: Forecaster, error: np.ndarray, scale: float) -> Scores:
    mae = np.abs(error).mean(axis=0)
    rmse = np.sqrt((error**2).mean(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return Scores(forecaster.name, mae, rmse, mae / scale)
