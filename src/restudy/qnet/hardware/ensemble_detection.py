"""Measurements of time-bin photons with beam splitters and detectors that click."""

from dataclasses import dataclass
from math import factorial

import numpy as np

from restudy.qnet.arguments import probability
from restudy.qnet.hardware.ensemble_states import side_basis

_Amplitudes = dict[tuple[int, ...], float]  # by the photons in each mode


@dataclass(frozen=True)
class Detector:
    """A detector that clicks, and does not count.

    Attributes
    ----------
    efficiency : float
        Probability that a photon makes it click.
    dark_counts : float
        Probability that it clicks by itself in one time bin.

    Raises
    ------
    QnetError
        If one is no probability.

    Examples
    --------
    >>> Detector(efficiency=0.5, dark_counts=0.0).click(np.array([0, 1, 2]))
    array([0.  , 0.5 , 0.75])
    """

    efficiency: float = 0.9
    dark_counts: float = 1e-6

    def __post_init__(self) -> None:
        probability("efficiency of the detector", self.efficiency)
        probability("dark_counts of the detector", self.dark_counts)

    def click(self, photons: np.ndarray) -> np.ndarray:
        """Give the probability to click when so many photons arrive."""
        return 1 - (1 - self.dark_counts) * (1 - self.efficiency) ** photons


def beam_splitter(visibility: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Send two modes onto a balanced beam splitter.

    The photons of the second mode match those of the first with probability V, the visibility of
    the Hong-Ou-Mandel dip:

    .. math:: a^\dagger \to (c_1^\dagger + d_1^\dagger)/\sqrt2, \quad
              b^\dagger \to \sqrt{V} (c_1^\dagger - d_1^\dagger)/\sqrt2
              + \sqrt{1-V} (c_2^\dagger + d_2^\dagger)/\sqrt2

    Parameters
    ----------
    visibility : float
        V.
    most : int
        The most photons in each of the two modes.

    Returns
    -------
    amplitudes : numpy.ndarray of float64, shape (outputs, (most + 1)**2)
        From each input :math:`|n_a, n_b\rangle`, the first slowest, to each output.
    photons : numpy.ndarray of int64, shape (outputs, 2)
        Photons at the detectors c and d in each output.

    Raises
    ------
    QnetError
        If the visibility lies outside 0 to 1.

    Examples
    --------
    Two equal photons leave together:

    >>> amplitudes, photons = beam_splitter(1.0, 1)
    >>> both = photons[np.abs(amplitudes[:, 3]) > 1e-12]
    >>> both.tolist()
    [[0, 2], [2, 0]]
    """
    probability("visibility", visibility)
    matched, other = np.sqrt(visibility / 2), np.sqrt((1 - visibility) / 2)
    half = np.sqrt(0.5)
    # Creation operators as rows: c1, d1, c2, d2.
    a, b = (half, half, 0.0, 0.0), (matched, -matched, other, other)
    columns = []
    for n_a in range(most + 1):
        for n_b in range(most + 1):
            state: _Amplitudes = {(0, 0, 0, 0): 1 / np.sqrt(factorial(n_a) * factorial(n_b))}
            for operator in (a,) * n_a + (b,) * n_b:
                state = _created(state, operator)
            columns.append(state)
    outputs = sorted({output for state in columns for output in state})
    amplitudes = np.array([[state.get(output, 0.0) for state in columns] for output in outputs])
    counts = np.array(outputs)
    return amplitudes, counts[:, :2] + counts[:, 2:]


def _created(state: _Amplitudes, operator: tuple[float, ...]) -> _Amplitudes:
    """Apply a creation operator that is spread over the output modes."""
    result: _Amplitudes = {}
    for occupied, amplitude in state.items():
        for mode, weight in enumerate(operator):
            if weight:
                n = occupied[mode] + 1
                more = (*occupied[:mode], n, *occupied[mode + 1 :])
                result[more] = result.get(more, 0.0) + amplitude * weight * np.sqrt(n)
    return result


def clicks(detector: Detector, visibility: float, most: int) -> np.ndarray:
    """Give the measurement by a balanced beam splitter and two detectors behind it.

    Parameters
    ----------
    detector : Detector
        Both of them.
    visibility : float
        Of the two modes that meet.
    most : int
        The most photons in each mode.

    Returns
    -------
    numpy.ndarray of float64, shape (2, 2, (most + 1)**2, (most + 1)**2)
        An operator for each pattern: whether the first and the second detector click. They add
        up to the identity.

    Notes
    -----
    Supplementary Note 7 of the paper: the elements for exact numbers of photons, mixed by the
    probability that so many photons look like this pattern.
    """
    amplitudes, photons = beam_splitter(visibility, most)
    click = detector.click(photons)  # (outputs, 2)
    seen = np.stack([1 - click, click])  # (clicks or not, outputs, detector)
    weights = seen[:, None, :, 0] * seen[None, :, :, 1]  # (first, second, outputs)
    operators: np.ndarray = np.einsum("fsx,xi,xj->fsij", weights, amplitudes, amplitudes)
    return operators


def bell_measurement(detector: Detector, visibility: float, most: int) -> np.ndarray:
    r"""Give the linear-optical Bell measurement: one click early and one late.

    Parameters
    ----------
    detector : Detector
        The two behind the beam splitter.
    visibility : float
        Of the photons of the two sides.
    most : int
        The most photons on each side.

    Returns
    -------
    numpy.ndarray of float64, shape (2, d * d, d * d)
        Elements of :math:`\psi^+` (the same detector clicks twice) and of :math:`\psi^-`, in
        the states of `side_basis` of the first and the second side.

    Examples
    --------
    Half of all perfect pairs can be told apart:

    >>> perfect = bell_measurement(Detector(1.0, 0.0), 1.0, 1)
    >>> psi_plus = np.zeros(9)
    >>> psi_plus[[1 * 3 + 2, 2 * 3 + 1]] = np.sqrt(0.5)
    >>> (psi_plus @ perfect @ psi_plus).round(12)
    array([1., 0.])
    """
    bins = clicks(detector, visibility, most)
    early, late = side_basis(most).T
    at_early = (early[:, None] * (most + 1) + early).ravel()  # both sides' photons in a bin
    at_late = (late[:, None] * (most + 1) + late).ravel()
    first = bins[:, :, at_early[:, None], at_early]
    second = bins[:, :, at_late[:, None], at_late]
    same = first[1, 0] * second[1, 0] + first[0, 1] * second[0, 1]
    different = first[1, 0] * second[0, 1] + first[0, 1] * second[1, 0]
    return np.stack([same, different])


def measurement_z(detector: Detector, most: int) -> np.ndarray:
    """Give the measurement of the time bin: one click, early (0) or late (1).

    Parameters
    ----------
    detector : Detector
        It looks at both bins.
    most : int
        The most photons on the side.

    Returns
    -------
    numpy.ndarray of float64, shape (2, d, d)
        In the states of `side_basis`; what is missing to the identity is inconclusive.
    """
    early, late = detector.click(side_basis(most)).T
    return np.stack([np.diag(early * (1 - late)), np.diag(late * (1 - early))])


def measurement_x(detector: Detector, most: int) -> np.ndarray:
    """Give the measurement of the phase between the bins: one click, + (0) or - (1).

    The two bins of one photon meet at a balanced beam splitter, which they see perfectly.

    Parameters
    ----------
    detector : Detector
        Both behind the beam splitter.
    most : int
        The most photons on the side.

    Returns
    -------
    numpy.ndarray of float64, shape (2, d, d)
        In the states of `side_basis`; what is missing to the identity is inconclusive.

    Examples
    --------
    >>> plus = np.array([0, 1, 1]) / np.sqrt(2)
    >>> (plus @ measurement_x(Detector(1.0, 0.0), 1) @ plus).round(12)
    array([1., 0.])
    """
    bins = clicks(detector, 1.0, most)
    early, late = side_basis(most).T
    at = early * (most + 1) + late
    return np.stack([bins[1, 0], bins[0, 1]])[:, at[:, None], at]
