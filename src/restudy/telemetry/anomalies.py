"""Anomalies of a time series by the z-scores of arXiv 2107.11832, and by robust ones.

The code of 2107.11832 takes the mean of 5 min windows, compares each with the 10 before it and
calls the 3 % with the largest score anomalies. That share is an input: noise has 3 % too. A fixed
limit of the score instead has a false-positive rate that is known in closed form.

Sources:

L. Versluis et al., A holistic analysis of datacenter operations, arXiv 2107.11832 (2021).
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from restudy.telemetry.metrics import TelemetryError

WINDOWS = 10  # windows before, of WINDOW_S each
WINDOW_S = 300
TOP = 0.03  # share called anomalies
_SIGMA = 1.482602218505602  # standard deviation of a normal variable over its MAD


def window_means(value: np.ndarray, slots: int) -> np.ndarray:
    """Mean of the known values of consecutive windows.

    Parameters
    ----------
    value : numpy.ndarray, shape (n,)
        A series in equal slots, NaN where unknown.
    slots : int
        Slots of a window; a last, shorter one is left out.

    Returns
    -------
    numpy.ndarray of float64, shape (n // slots,)
        NaN where a window has no known value.

    Examples
    --------
    >>> window_means(np.array([1.0, 3.0, np.nan, 5.0, 9.0]), 2).tolist()
    [2.0, 5.0]
    """
    windows = value[: len(value) // slots * slots].reshape(-1, slots)
    known = ~np.isnan(windows)
    n = known.sum(axis=1)
    return np.where(n, np.where(known, windows, 0).sum(axis=1) / np.maximum(n, 1), np.nan)


def z_scores(value: np.ndarray, windows: int = WINDOWS) -> np.ndarray:
    """Distance of each value from the mean of those before it, in their standard deviations.

    Parameters
    ----------
    value : numpy.ndarray, shape (n,)
        A series in equal steps.
    windows : int
        Values before it that are compared.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        NaN for the first `windows` values, near unknown ones and where nothing changes; infinite
        for a change after none.

    Raises
    ------
    TelemetryError
        If there are not more values than `windows`.

    Notes
    -----
    As the code of arXiv 2107.11832: the standard deviation divides by `windows`, and the value
    itself is in neither moment.

    Examples
    --------
    >>> z_scores(np.array([1.0, 3.0, 4.0]), 2).tolist()
    [nan, nan, 2.0]
    """
    before = _before(value, windows)
    # A constant stretch has spread 0, which a rounded mean would miss.
    spread = np.where(np.ptp(before, axis=1) == 0, 0.0, before.std(axis=1))
    return _scores(value, before.mean(axis=1), spread)


def robust_scores(value: np.ndarray, windows: int = WINDOWS) -> np.ndarray:
    """Distance of each value from the median of those before it, in scaled MADs.

    Parameters
    ----------
    value : numpy.ndarray, shape (n,)
        A series in equal steps.
    windows : int
        Values before it that are compared.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        As `z_scores`; one anomaly among the values before hides no second one.

    Raises
    ------
    TelemetryError
        If there are not more values than `windows`.

    Examples
    --------
    >>> robust_scores(np.array([1.0, 2.0, 3.0, 90.0, 2.0]), 3).round(1).tolist()
    [nan, nan, nan, 59.4, -0.7]
    """
    before = _before(value, windows)
    middle = np.median(before, axis=1)
    spread = _SIGMA * np.median(np.abs(before - middle[:, None]), axis=1)
    return _scores(value, middle, spread)


def _before(value: np.ndarray, windows: int) -> np.ndarray:
    """Give the values before each value but the first ones, (n - windows, windows)."""
    if len(value) <= windows:
        raise TelemetryError(
            f"the series has {len(value)} windows; a score needs more than the {windows} that it "
            "is compared with: give a longer series."
        )
    return np.lib.stride_tricks.sliding_window_view(value, windows)[:-1]


def _scores(value: np.ndarray, middle: np.ndarray, spread: np.ndarray) -> np.ndarray:
    distance = value[len(value) - len(middle) :] - middle
    with np.errstate(divide="ignore", invalid="ignore"):
        score = distance / spread
    return np.concatenate((np.full(len(value) - len(middle), np.nan), score))


def top_share(score: np.ndarray, share: float = TOP) -> np.ndarray:
    """Flag the given share of values with the largest scores, as arXiv 2107.11832.

    Parameters
    ----------
    score : numpy.ndarray, shape (n,)
        Scores, NaN where unknown.
    share : float
        Share of the known scores.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        True for an anomaly. Pure noise gets the same share.

    Examples
    --------
    >>> top_share(np.array([np.nan, -9.0, 1.0, 2.0, 3.0]), 0.25).tolist()
    [False, True, False, False, False]
    """
    flags = np.zeros(len(score), bool)
    known = np.flatnonzero(~np.isnan(score))
    rank = stats.rankdata(np.abs(score[known]))
    flags[known] = rank > round((1 - share) * len(known), 9)
    return flags


def beyond(score: np.ndarray, limit: float) -> np.ndarray:
    """Flag the values whose score is beyond a limit.

    Examples
    --------
    >>> beyond(np.array([np.nan, -9.0, 1.0]), 4.0).tolist()
    [False, True, False]
    """
    return np.abs(np.nan_to_num(score, nan=0.0)) > limit


def false_positive_rate(limit: float, windows: int = WINDOWS) -> float:
    """Share of independent normal values that `z_scores` puts beyond a limit.

    Parameters
    ----------
    limit : float
        Limit of the score.
    windows : int
        Values before it that are compared, n.

    Returns
    -------
    float
        P(abs(t) > limit sqrt((n - 1) / (n + 1))) with Student's t of n - 1 degrees of freedom: a
        mean and a standard deviation of ten values are uncertain themselves.

    Examples
    --------
    >>> round(false_positive_rate(3.0), 4), round(false_positive_rate(3.0, 10**6), 4)
    (0.0239, 0.0027)
    """
    scaled = limit * np.sqrt((windows - 1) / (windows + 1))
    return float(2 * stats.t.sf(scaled, windows - 1))


@dataclass(frozen=True)
class Detection:
    """How well flags find known anomalies.

    Attributes
    ----------
    precision : float
        Share of the flags that are anomalies; NaN without a flag.
    recall : float
        Share of the anomalies that are flagged; NaN without an anomaly.
    flagged : float
        Share of the values that are flagged.
    """

    precision: float
    recall: float
    flagged: float


def detection(flags: np.ndarray, truth: np.ndarray) -> Detection:
    """Compare flags with known anomalies.

    Parameters
    ----------
    flags : numpy.ndarray of bool, shape (n,)
        Values called anomalies.
    truth : numpy.ndarray of bool, shape (n,)
        Values that are anomalies.

    Returns
    -------
    Detection
        Precision and recall.

    Examples
    --------
    >>> detection(np.array([True, True, False, False]), np.array([True, False, False, False]))
    Detection(precision=0.5, recall=1.0, flagged=0.5)
    """
    hits, found, real = (flags & truth).sum(), flags.sum(), truth.sum()
    return Detection(
        precision=float(hits / found) if found else float("nan"),
        recall=float(hits / real) if real else float("nan"),
        flagged=float(flags.mean()),
    )
