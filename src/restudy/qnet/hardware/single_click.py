r"""Pairs of spins heralded by clicks at a station half-way: states inserted, or attempts sampled.

Both spins emit a photon if they are in ``|0>`` ("up", bright); a station of a beam splitter and two
detectors, each of which sees a click or none, heralds a pair when exactly one clicks. Two photons
that both arrive leave by the same port with probability :math:`(1 + V)/2`. With the two spins in
the order uu, ud, du, dd this gives the model of Humphreys et al. 2018, which arXiv 2010.12535 uses
("Simulation speedup via state insertion").
"""

from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from restudy.qnet import arguments
from restudy.qnet.errors import QnetError


@dataclass(frozen=True)
class Midpoint:
    """A heralding station, as seen by a photon that one of the spins emits.

    Attributes
    ----------
    p_detection : float
        Probability that an emitted photon reaches and triggers a detector.
    p_dark : float
        Probability of a dark count of one detector in one attempt.
    visibility : float
        Of the interference of the two photons.

    Raises
    ------
    QnetError
        If one of them is no probability.
    """

    p_detection: float
    p_dark: float = 0.0
    visibility: float = 1.0

    def __post_init__(self) -> None:
        for name in ("p_detection", "p_dark", "visibility"):
            arguments.probability(name, getattr(self, name))

    def click(self, photons: int) -> float:
        """Return the probability that exactly one detector clicks when 0, 1 or 2 are emitted."""
        p, quiet = self.p_detection, 1 - self.p_dark
        one_dark = 2 * self.p_dark * quiet
        if photons == 0:
            return one_dark
        if photons == 1:
            return p * quiet + (1 - p) * one_dark
        arrives = 2 * p * (1 - p) + p**2 * (1 + self.visibility) / 2
        return arrives * quiet + (1 - p) ** 2 * one_dark


@dataclass(frozen=True, eq=False)
class HeraldedPair:
    """What one successful attempt makes, and how likely it is.

    Attributes
    ----------
    probabilities : numpy.ndarray of float64, shape (4,)
        Of heralding and the spins being uu, ud, du, dd.
    coherence : float
        Unnormalised element ``<ud|rho|du>`` for the detector "+"; its negative for "-".
    """

    probabilities: np.ndarray = field(repr=False)
    coherence: float

    @property
    def p_success(self) -> float:
        """Probability that an attempt is heralded, by either detector: each is equally likely."""
        return float(self.probabilities.sum())

    def density(self, detector: int) -> np.ndarray:
        """Return the density matrix for the detector +1 or -1, (4, 4) complex128.

        Raises
        ------
        QnetError
            If no attempt can succeed, or the detector is another number.
        """
        if self.p_success <= 0:
            raise QnetError(
                "no attempt can succeed: nothing is emitted or detected, and there are no dark "
                "counts; raise p_detection, p_dark or bright_state."
            )
        if detector not in (1, -1):
            raise QnetError(f"the detector is {detector!r}; give 1 or -1.")
        rho = np.diag(self.probabilities).astype(np.complex128)
        rho[1, 2] = rho[2, 1] = detector * self.coherence
        return rho / self.p_success

    def dephased(self, p: float) -> "HeraldedPair":
        """Return the pair after one of its spins is dephased with probability p."""
        return HeraldedPair(self.probabilities, self.coherence * (1 - 2 * p))


def single_click(midpoint: Midpoint, bright_state: float) -> HeraldedPair:
    r"""Return the pair that one click heralds: each spin is bright with probability alpha.

    .. math:: p_{uu} = \alpha^2 c_2, \quad p_{ud} = p_{du} = \alpha (1 - \alpha) c_1, \quad
       p_{dd} = (1 - \alpha)^2 c_0, \quad \langle ud|\rho|du\rangle = \pm \sqrt{V} p_{ud}

    with the probability :math:`c_n` of one click when n photons are emitted.

    Parameters
    ----------
    midpoint : Midpoint
        The station.
    bright_state : float
        alpha.

    Returns
    -------
    HeraldedPair
        Its probabilities and coherence.

    Raises
    ------
    QnetError
        If alpha is no probability.

    Notes
    -----
    The model gives clicks that are dark counts the same coherence as those of photons.
    That is wrong where dark counts matter, but is what Humphreys et al. (Nature 558, 268) and the
    paper use.

    Examples
    --------
    >>> ideal = single_click(Midpoint(1e-6), 0.1)
    >>> ideal.density(1).real.round(4)  # alpha |uu><uu| + (1 - alpha) |psi+><psi+|
    array([[0.1 , 0.  , 0.  , 0.  ],
           [0.  , 0.45, 0.45, 0.  ],
           [0.  , 0.45, 0.45, 0.  ],
           [0.  , 0.  , 0.  , 0.  ]])
    """
    alpha = arguments.probability("bright_state", bright_state)
    ud = alpha * (1 - alpha) * midpoint.click(1)
    uu, dd = alpha**2 * midpoint.click(2), (1 - alpha) ** 2 * midpoint.click(0)
    return HeraldedPair(np.array([uu, ud, ud, dd]), sqrt(midpoint.visibility) * ud)


def double_click(midpoint: Midpoint) -> HeraldedPair:
    r"""Return the pair that a click in each of two rounds heralds (Barrett and Kok 2005).

    Spins in :math:`(|0> + |1>)/\sqrt{2}` emit, are flipped, and emit again: uu emits two photons
    and then none, ud one and one. Only photons carry coherence, a factor :math:`\sqrt{V}` a round.

    Parameters
    ----------
    midpoint : Midpoint
        The station, the same in both rounds.

    Returns
    -------
    HeraldedPair
        "+" if the same detector clicks twice.

    Examples
    --------
    >>> pair = double_click(Midpoint(0.02, visibility=0.9))
    >>> round(pair.p_success, 12)  # p**2 / 2
    0.0002
    >>> round(float((pair.density(1)[1, 1] + pair.density(1)[1, 2]).real), 12)  # (1 + V)/2
    0.95
    """
    ud = midpoint.click(1) ** 2 / 4
    uu = midpoint.click(2) * midpoint.click(0) / 4
    photon = midpoint.p_detection * (1 - midpoint.p_dark)
    return HeraldedPair(np.array([uu, ud, ud, uu]), midpoint.visibility * photon**2 / 4)


def attempts_until_success(
    pair: HeraldedPair, *, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw numbers of attempts up to and including the first success, (size,) int64.

    Raises
    ------
    QnetError
        If no attempt can succeed.
    """
    if pair.p_success <= 0:
        pair.density(1)  # which says why
    return rng.geometric(pair.p_success, size=size)


def single_dephasing(bright_state: float, storage_attempts: float) -> float:
    """Return the dephasing probability of a stored carbon spin by one attempt.

    (1 - alpha) (1 - exp(-1/N)): at alpha = 1/2 the coherence is 1/e after N attempts (N large).

    Examples
    --------
    >>> round(single_dephasing(0.1, 1400), 8)
    0.00064263
    """
    return float(-(1 - bright_state) * np.expm1(-1 / storage_attempts))


@dataclass(frozen=True, eq=False)
class Attempts:
    """Attempts that were simulated one by one.

    Attributes
    ----------
    spins : numpy.ndarray of int64, shape (attempts,)
        0, 1, 2, 3 for uu, ud, du, dd, in which state the spins would be found.
    detector : numpy.ndarray of int64, shape (attempts,)
        1 or -1 if the attempt was heralded, 0 if not.
    coherent : numpy.ndarray of bool, shape (attempts,)
        Whether every click that heralded came from a photon.
    """

    spins: np.ndarray
    detector: np.ndarray
    coherent: np.ndarray

    def waits(self) -> np.ndarray:
        """Return the number of attempts of each success: up to and including it."""
        return np.diff(np.flatnonzero(self.detector), prepend=-1)


def simulate_single_click(
    midpoint: Midpoint, bright_state: float, *, attempts: int, rng: np.random.Generator
) -> Attempts:
    """Simulate attempts one by one: emission, loss, interference, dark counts, clicks.

    Parameters
    ----------
    midpoint : Midpoint
        The station.
    bright_state : float
        alpha.
    attempts : int
        How many.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Attempts
        One entry an attempt.

    Notes
    -----
    Slow: O(1/p) for each success, while `attempts_until_success` draws one number. Kept as its
    test.

    Examples
    --------
    >>> found = simulate_single_click(Midpoint(1.0), 0.5, attempts=8, rng=np.random.default_rng(5))
    >>> bool(((found.spins < 3) == (found.detector != 0)).all())  # any photon clicks
    True
    """
    up = rng.random((2, attempts)) < arguments.probability("bright_state", bright_state)
    detector, photon = _clicks(midpoint, up, rng)
    return Attempts(2 * ~up[0] + ~up[1], detector, photon)


def simulate_double_click(
    midpoint: Midpoint, *, attempts: int, rng: np.random.Generator
) -> Attempts:
    """Simulate attempts of two rounds one by one, as `simulate_single_click` does for one."""
    up = rng.random((2, attempts)) < 0.5
    first, photon = _clicks(midpoint, up, rng)
    second, photon_2 = _clicks(midpoint, ~up, rng)
    return Attempts(2 * ~up[0] + ~up[1], first * second, photon & photon_2)


def _clicks(
    midpoint: Midpoint, emitted: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return which detector clicked alone (1, -1; 0 for none or both), and whether of a photon."""
    attempts = emitted.shape[1]
    arrived = emitted & (rng.random((2, attempts)) < midpoint.p_detection)
    port = rng.random((2, attempts)) < 0.5
    bunched = np.less(rng.random(attempts), (1 + midpoint.visibility) / 2)
    both = arrived[0] & arrived[1]
    port[1, both] = port[0, both] ^ ~bunched[both]
    light = np.array([(arrived & port).any(axis=0), (arrived & ~port).any(axis=0)])
    clicks = light | (rng.random((2, attempts)) < midpoint.p_dark)
    alone = clicks[0] ^ clicks[1]
    detector = np.where(alone, np.where(clicks[0], 1, -1), 0)
    return detector, alone & light.any(axis=0)
