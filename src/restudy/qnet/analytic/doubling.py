"""Waiting time and Werner weight of a repeater chain that doubles its span level by level."""

from dataclasses import dataclass

import numpy as np
from scipy import fft, signal

from restudy.qnet.arguments import chance, probability, whole
from restudy.qnet.errors import QnetError

_ALIAS = 1e-15  # weight of the coefficients that a circle of FFT nodes folds onto wanted ones


@dataclass(frozen=True)
class Level:
    """A pair over :math:`2^l` links.

    Attributes
    ----------
    waiting : numpy.ndarray of float64, shape (steps + 1,)
        Probability that the pair is there after exactly t steps, t = 0, 1, ...
    weighted : numpy.ndarray of float64, shape (steps + 1,)
        That probability times the mean Werner weight of the pair at delivery, given t.
    """

    waiting: np.ndarray
    weighted: np.ndarray

    @property
    def missing(self) -> float:
        """Probability that the pair takes longer than the steps that were kept."""
        return float(1.0 - self.waiting.sum())

    def mean_steps(self, *, missing: float = 1e-9) -> float:
        """Mean waiting time in steps.

        Parameters
        ----------
        missing : float
            Probability beyond the kept steps that is tolerated; the mean is then too small by
            about that, times some waiting time.

        Returns
        -------
        float
            The mean, conditioned on the kept steps.

        Raises
        ------
        QnetError
            If more than `missing` lies beyond the kept steps.

        Examples
        --------
        >>> round(doubling_chain(0.5, 1.0, levels=1, steps=100)[1].mean_steps(), 9)
        2.666666667
        """
        self._require(missing)
        return float(np.arange(len(self.waiting)) @ self.waiting) / float(self.waiting.sum())

    def mean_werner(self, *, missing: float = 1e-9) -> float:
        """Mean Werner weight at delivery; arguments and errors as for `mean_steps`."""
        self._require(missing)
        return float(self.weighted.sum() / self.waiting.sum())

    def _require(self, missing: float) -> None:
        if self.missing > missing:
            raise QnetError(
                f"{self.missing:.3g} of the probability lies beyond {len(self.waiting) - 1} steps, "
                f"more than {missing:g}; keep more steps."
            )


def doubling_chain(
    success: float,
    swap: float,
    *,
    levels: int,
    steps: int,
    werner: float = 1.0,
    keep: float = 1.0,
) -> list[Level]:
    r"""Distribution of the waiting time, and mean Werner weights, of :math:`2^l` links.

    Two pairs of level l, made side by side, are swapped as soon as both are there; a failed swap
    loses both:

    .. math:: T_{l+1} = \sum_{i=1}^{K} \max(T_l, T_l'), \quad K \sim \mathrm{Geom}(s), \quad
              w_{l+1} = w_l\, w_l'\, e^{-|T_l - T_l'| / T_\mathrm{coh}}

    with times and weights of the last, successful, round in the second equation.

    Parameters
    ----------
    success : float
        Probability p that a link is made in a step, above 0.
    swap : float
        Probability s that a swap succeeds, above 0.
    levels : int
        Number of doublings.
    steps : int
        Longest waiting time that is kept. What is kept does not depend on it.
    werner : float
        Werner weight of a new link.
    keep : float
        Factor by which a pair's Werner weight falls in a step of waiting for the other,
        :math:`e^{-1/T_\mathrm{coh}}`.

    Returns
    -------
    list of Level
        ``levels + 1`` of them, from a single link upwards.

    Raises
    ------
    QnetError
        If an argument is out of range.

    Notes
    -----
    Algorithms 1 and 2 of the reference. The maximum comes from the square of the cumulative
    distribution; the decay of the waiting pair is a first-order recursion; the random number of
    rounds is :math:`sV / (1 - (1-s)M)` between generating functions, with M of a round's time
    and V the same weighted. They are evaluated on a circle inside the unit circle, where
    what lies beyond `steps` is damped to 1e-15 before the FFT folds it back; each probability is
    good to some 1e-14. Cost:
    O(levels steps log steps).

    References
    ----------
    Brand, Coopmans, Elkouss, arXiv:1912.07688.

    Examples
    --------
    >>> chain = doubling_chain(0.1, 0.5, levels=3, steps=8000)
    >>> [round(level.mean_steps(), 4) for level in chain]
    [10.0, 29.4737, 84.8176, 242.3484]
    """
    p, s = chance("success", success), chance("swap", swap)
    w, decay = probability("werner", werner), probability("keep", keep)
    n, last = whole("levels", levels), whole("steps", steps, least=1)
    waiting = np.zeros(last + 1)
    waiting[1:] = p * (1.0 - p) ** np.arange(last)
    chain = [Level(waiting, w * waiting)]
    for _ in range(n):
        chain.append(_doubled(chain[-1], s, decay))
    return chain


def three_halves_rule(success: float, swap: float, *, levels: int) -> float:
    r"""Mean waiting time by the rule of thumb :math:`(3 / (2 s))^l / p`, in steps.

    Parameters
    ----------
    success : float
        Probability p that a link is made in a step, above 0.
    swap : float
        Probability s that a swap succeeds, above 0.
    levels : int
        Number l of doublings.

    Returns
    -------
    float
        Mean waiting time; exact for small p at l = 1, too large above.

    Raises
    ------
    QnetError
        If an argument is out of range.

    References
    ----------
    Sangouard, Simon, de Riedmatten, Gisin, doi:10.1103/RevModPhys.83.33.

    Examples
    --------
    >>> three_halves_rule(0.1, 0.5, levels=3)
    270.0
    """
    p, s = chance("success", success), chance("swap", swap)
    return float((1.5 / s) ** whole("levels", levels) / p)


def _doubled(level: Level, s: float, decay: float) -> Level:
    """Return the level above."""
    u, v = level.waiting, level.weighted
    before = np.cumsum(u) - u  # P(T < t)
    larger = u * (2.0 * before + u)
    stored = signal.lfilter([0.0, decay], [1.0, -decay], v)  # sum of v(t') decay^(t - t'), t' < t
    swapped = v * (2.0 * stored + v)
    waiting, weighted = repeated(s * np.stack([larger, swapped]), (1.0 - s) * larger)
    return Level(waiting, weighted)


def repeated(last: np.ndarray, failed: np.ndarray) -> np.ndarray:
    r"""Distribution of the total time of rounds until one succeeds.

    .. math:: G(z) = \frac{V(z)}{1 - M(z)}

    Parameters
    ----------
    last : numpy.ndarray of float64, shape (quantities, steps + 1)
        V: probability that a round takes t steps and succeeds, and the same weighted.
    failed : numpy.ndarray of float64, shape (steps + 1,)
        M: probability that a round takes t steps and fails.

    Returns
    -------
    numpy.ndarray of float64, shape (quantities, steps + 1)
        G: probability that all rounds together take t steps, and the same weighted.

    Examples
    --------
    >>> step = np.array([0.0, 1.0, 0.0, 0.0])  # a round takes one step and succeeds half the time
    >>> repeated(0.5 * step[None], 0.5 * step).round(12).tolist()
    [[0.0, 0.5, 0.25, 0.125]]
    """
    if not failed.any():
        return last
    steps = len(failed)
    size = fft.next_fast_len(4 * steps, real=True)
    damping = _ALIAS ** (np.arange(steps) / size)
    rounds = 1.0 - fft.rfft(failed * damping, size)
    total = fft.irfft(fft.rfft(last * damping, size) / rounds, size)[:, :steps] / damping
    total[:, 0] = 0.0  # at least one step
    return total
