"""Which clock a trace follows, told from the hours at which people work.

People submit by day. If the hours of a trace must be turned by k hours until they look like a
working day in local time, then the trace's clock runs k hours behind local time.
"""

from dataclasses import dataclass

import numpy as np

_HOURS = np.arange(24)


@dataclass(frozen=True)
class ClockShift:
    """How many hours must be added to a trace's clock to get local time.

    Attributes
    ----------
    lags : numpy.ndarray of int64, shape (24,)
        Hours added to the trace, -11 to 12.
    correlation : numpy.ndarray, shape (24,)
        Pearson correlation of the turned profile with the reference.
    shift : int
        Lag of the largest correlation.
    replicates : numpy.ndarray of int64, shape (replicates,)
        The shift again, with the days of the trace drawn with replacement.
    """

    lags: np.ndarray
    correlation: np.ndarray
    shift: int
    replicates: np.ndarray

    @property
    def best(self) -> float:
        """The largest correlation."""
        return float(self.correlation.max())

    def share(self, lag: int) -> float:
        """Share of the replicates with this shift."""
        return float((self.replicates == lag).mean())

    def interval(self, level: float = 0.95) -> tuple[int, int]:
        """Percentile interval of the shift, hours; meaningful while it is far from 12."""
        low, high = np.quantile(
            self.replicates, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf"
        )
        return int(low), int(high)


def working_day(begin: int = 9, end: int = 18) -> np.ndarray:
    """Make a reference profile of one sentence: people work from `begin` to `end`, local time.

    Returns
    -------
    numpy.ndarray, shape (24,)
        1 for the hours within, 0 for the others. The default is the daytime named in an
        independent report on the same logs (Vrije Universiteit Amsterdam, 2024).

    Examples
    --------
    >>> working_day().nonzero()[0].tolist()
    [9, 10, 11, 12, 13, 14, 15, 16, 17]
    """
    return ((begin <= _HOURS) & (end > _HOURS)).astype("float64")


def trough_and_peak(
    trough: tuple[int, int] = (5, 6), peak: tuple[int, int] = (14, 17)
) -> np.ndarray:
    """Make a reference profile of two facts: the hours of least and of most submissions.

    Half a cosine leads from the middle of the trough up to the middle of the peak and another one
    back.

    Parameters
    ----------
    trough, peak : tuple of int
        First and last hour, both inclusive. The defaults are the local hours in an independent
        report on the same logs (Vrije Universiteit Amsterdam, 2024).

    Returns
    -------
    numpy.ndarray, shape (24,)
        From 0 to 1.

    Examples
    --------
    >>> profile = trough_and_peak((0, 0), (12, 12))
    >>> round(float(profile[0]), 3), round(float(profile[6]), 3), round(float(profile[12]), 3)
    (0.0, 0.5, 1.0)
    """
    low, high = sum(trough) / 2, sum(peak) / 2
    rise = (high - low) % 24
    after = (_HOURS - low) % 24
    climbing = (1 - np.cos(np.pi * after / rise)) / 2
    falling = (1 + np.cos(np.pi * (after - rise) / (24 - rise))) / 2
    return np.asarray(np.where(after <= rise, climbing, falling))


def circular_correlation(profile: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Correlate hour profiles at every shift.

    Parameters
    ----------
    profile : numpy.ndarray, shape (..., 24)
        Jobs by hour of the trace's clock.
    reference : numpy.ndarray, shape (24,)
        Profile in local time.

    Returns
    -------
    numpy.ndarray, shape (..., 24)
        Pearson correlation when k = 0 ... 23 hours are added to the trace's clock.

    Raises
    ------
    ValueError
        If the reference is the same at every hour.

    Notes
    -----
    By the discrete Fourier transform: the sum over h of p(h) r(h + k) is the inverse transform of
    conj(P) R. A profile that is the same at every hour correlates 0.
    """
    if np.ptp(reference) == 0:
        raise ValueError(f"the reference is {reference[0]} at every hour and has no phase")
    p = profile - profile.mean(axis=-1, keepdims=True)
    r = reference - reference.mean()
    product = np.fft.irfft(np.conj(np.fft.rfft(p)) * np.fft.rfft(r), n=24)
    norm = np.sqrt((p**2).sum(axis=-1, keepdims=True) * (r**2).sum())
    return np.divide(product, norm, out=np.zeros_like(product), where=norm > 0)


def clock_shift(
    days: np.ndarray, reference: np.ndarray, *, replicates: int, rng: np.random.Generator
) -> ClockShift:
    """Estimate the hours between a trace's clock and local time.

    Parameters
    ----------
    days : numpy.ndarray, shape (days, 24)
        Jobs by day and hour of the trace's clock.
    reference : numpy.ndarray, shape (24,)
        Profile in local time: `working_day`, `trough_and_peak`, or that of another trace.
    replicates : int
        Times the days are drawn again, to see how firm the answer is.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    ClockShift
        The correlation at every lag, and the lag at which it is largest.
    """
    correlation = circular_correlation(days.sum(axis=0).astype("float64"), reference)
    drawn = rng.multinomial(len(days), np.full(len(days), 1 / len(days)), size=replicates)
    again = circular_correlation((drawn @ days).astype("float64"), reference).argmax(axis=-1)
    order = np.roll(_HOURS, 11)  # 13 ... 23, 0 ... 12, that is -11 ... 12
    return ClockShift(
        lags=_signed(order),
        correlation=correlation[order],
        shift=int(_signed(correlation.argmax())),
        replicates=_signed(again),
    )


def hours_between(profile: np.ndarray, reference: np.ndarray) -> int:
    """Hours to add to one profile until it fits the other best, -11 to 12.

    Two references that describe the same people should give 0; what they give is how far they
    disagree about the same clock.

    Examples
    --------
    >>> hours_between(working_day(8, 17), working_day(9, 18))
    1
    """
    return int(_signed(circular_correlation(profile, reference).argmax()))


def _signed(lag: np.ndarray | np.intp) -> np.ndarray:
    """Hours 0 ... 23 as -11 ... 12."""
    return (np.asarray(lag) + 11) % 24 - 11
