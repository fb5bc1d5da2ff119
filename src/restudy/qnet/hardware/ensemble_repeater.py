"""One repeater of atomic ensembles between two ends that measure: the scheme of Sinclair et al.

Exact probabilities of one attempt, from the density operators.
"""

from dataclasses import dataclass, field

import numpy as np

from restudy.qnet.arguments import probability, real
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.ensemble_detection import (
    Detector,
    bell_measurement,
    measurement_x,
    measurement_z,
)
from restudy.qnet.hardware.ensemble_keys import Performance, performance
from restudy.qnet.hardware.ensemble_memories import EnsembleMemory
from restudy.qnet.hardware.ensemble_states import PairSource, seen_after_loss

LIGHT_KM_PER_S = 299_792.458 / 1.44
"""Speed of light in fibre of refractive index 1.44, km/s."""


@dataclass(frozen=True)
class EnsembleRepeater:
    """Two ends, two elementary links with a station in the middle of each, and one repeater.

    Attributes
    ----------
    length_km : float
        From end to end.
    memory : EnsembleMemory
        Both memories of the repeater.
    source : PairSource
        All four sources: two a link.
    detector : Detector
        All detectors.
    visibility : float
        Of two photons that meet in a Bell measurement.
    attenuation_db_per_km : float
        Of the fibre.
    coupling_loss : float
        Probability to lose a photon into the fibre.

    Raises
    ------
    QnetError
        If a number is out of its range.

    Notes
    -----
    The defaults are those of Supplementary Note 7. All sources fire at the same time, once in each
    mode; the photon of the repeater's source waits for the time that its partner takes to the
    station, and the message takes back: half of the length from end to end.
    """

    length_km: float
    memory: EnsembleMemory
    source: PairSource = field(default_factory=PairSource)
    detector: Detector = field(default_factory=Detector)
    visibility: float = 0.9
    attenuation_db_per_km: float = 0.15
    coupling_loss: float = 0.0

    def __post_init__(self) -> None:
        real("length_km", self.length_km, least=0)
        probability("visibility", self.visibility)
        real("attenuation_db_per_km", self.attenuation_db_per_km, least=0)
        probability("coupling_loss", self.coupling_loss)

    @property
    def fibre_loss(self) -> float:
        """Probability to lose a photon between its source and the station, a quarter away."""
        decibel = self.attenuation_db_per_km * self.length_km / 4
        return float(1 - (1 - self.coupling_loss) * 10 ** (-decibel / 10))

    @property
    def storage_s(self) -> float:
        """Time that a photon is in a memory, s."""
        return self.length_km / 2 / LIGHT_KM_PER_S


@dataclass(frozen=True)
class Link:
    """An elementary link after one attempt in one mode.

    Attributes
    ----------
    states : numpy.ndarray of float64, shape (2, d, d, d, d)
        Density operators, not normalised, by the Bell state that was heralded (psi+, psi-): rows
        of end and memory, then columns of end and memory.
    """

    states: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """Probability of each herald, (2,)."""
        chances: np.ndarray = np.einsum("oemem->o", self.states)
        return chances


def link(repeater: EnsembleRepeater) -> Link:
    r"""Give the state that a herald leaves at an end and in the memory.

    Both sources write the same photons on both of their sides, so an attempt leaves
    :math:`\rho_{em,e'm'} = c_e c_m c_{e'} c_{m'} \langle e', m'|M|e, m\rangle`, with the
    amplitudes c of the sources and the Bell measurement M as seen through the fibres.

    Parameters
    ----------
    repeater : EnsembleRepeater
        Both of its links are alike.

    Returns
    -------
    Link
        By herald.
    """
    most = repeater.source.most
    measured = bell_measurement(repeater.detector, repeater.visibility, most)
    measured = seen_after_loss(measured, [repeater.fibre_loss] * 2, most)
    c = repeater.source.amplitudes()
    both = np.outer(c, c).ravel()
    d = len(c)
    states = both[:, None] * measured * both  # M is symmetric: all amplitudes are real
    return Link(states.reshape(2, d, d, d, d))


@dataclass(frozen=True)
class Attempt:
    """Probabilities of one synchronised attempt with all modes.

    Attributes
    ----------
    link : float
        A link heralds in at least one mode.
    outcomes_x, outcomes_z : numpy.ndarray of float64, shape (2, 2, 2, 2, 2)
        After both links have heralded, and with both ends in that basis: probability of the
        heralds of the first and the second link, of the repeater's Bell measurement (psi+, psi-
        each), and of the bits of the two ends. What is missing to 1 failed or is inconclusive.
    """

    link: float
    outcomes_x: np.ndarray
    outcomes_z: np.ndarray

    def performance(self) -> Performance:
        """Give attempts, error rates and key rate."""
        success = self.link**2 * (self.outcomes_x.sum() + self.outcomes_z.sum()) / 2
        if not success:
            raise QnetError(
                "no attempt can succeed with this source, detector, fibre and memory; give a "
                "longer lifetime, a shorter fibre, or an efficiency above 0."
            )
        return performance(
            attempts=float(1 / success),
            qber_x=wrong(X_FLIPS, self.outcomes_x),
            qber_z=wrong(Z_FLIPS, self.outcomes_z),
        )


_HERALDS = np.indices((2, 2, 2)).sum(axis=0)
X_FLIPS = _HERALDS % 2
"""Whether the bits of both ends should differ in X: each psi- turns the sign, (2, 2, 2)."""
Z_FLIPS = np.ones((2, 2, 2), dtype="int64")
"""Whether the bits of both ends should differ in Z: each psi+ and psi- flips once, (2, 2, 2)."""


def wrong(flips: np.ndarray, outcomes: np.ndarray) -> float:
    """Give the share of outcomes whose bits are not what the heralds say.

    Parameters
    ----------
    flips : numpy.ndarray, shape (2, 2, 2)
        `X_FLIPS` or `Z_FLIPS`.
    outcomes : numpy.ndarray, shape (2, 2, 2, 2, 2)
        Probabilities or counts: heralds, then bits.

    Returns
    -------
    float
        The quantum bit error rate.
    """
    differ = np.array([[0, 1], [1, 0]])
    errors = outcomes[flips[..., None, None] != differ].sum()
    return float(errors / outcomes.sum())


def attempt(repeater: EnsembleRepeater) -> Attempt:
    """Give the exact probabilities of an attempt.

    Parameters
    ----------
    repeater : EnsembleRepeater
        Its length, memory, sources and detectors.

    Returns
    -------
    Attempt
        Of both bases.

    Notes
    -----
    Some 4 ms; the operators have 36 rows, with up to two pairs a source.
    """
    most, detector = repeater.source.most, repeater.detector
    one = link(repeater)
    single = float(one.probabilities.sum())
    heralded = one.states / single if single else one.states
    lost = repeater.memory.loss(repeater.storage_s)
    swap = bell_measurement(detector, repeater.visibility, most)
    swap = seen_after_loss(swap, [lost] * 2, most)
    d = heralded.shape[-1]
    return Attempt(
        float(-np.expm1(repeater.memory.modes * np.log1p(-single))),
        _outcomes(heralded, swap.reshape(2, d, d, d, d), measurement_x(detector, most)),
        _outcomes(heralded, swap.reshape(2, d, d, d, d), measurement_z(detector, most)),
    )


def _outcomes(heralded: np.ndarray, swap: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Join two heralded links: probabilities by heralds, swap and bits, (2, 2, 2, 2, 2)."""
    stored = np.einsum("bfe,oemfn->obmn", end, heralded)  # the memory, after the end's bit
    outcomes = np.einsum("sqrmn,iamq,jbnr->ijsab", swap, stored, stored, optimize=True)
    return np.clip(outcomes, 0.0, None)  # round-off may leave -1e-17
