"""Entanglement distillation of two pairs into one: BBPSSW and DEJMPS.

Weights are in the order of `restudy.qnet.analytic.bell`: phi+, psi+, psi-, phi-.
"""

import numpy as np

from restudy.qnet.arguments import bell_weights, probability, whole
from restudy.qnet.errors import QnetError


def bbpssw(first: float, second: float) -> tuple[float, float]:
    r"""Fidelity and success probability of BBPSSW on two Werner pairs.

    .. math:: p_s = F_1 F_2 + \frac{F_1 (1-F_2) + (1-F_1) F_2}{3} + \frac59 (1-F_1)(1-F_2), \quad
              F' = \frac{F_1 F_2 + (1-F_1)(1-F_2)/9}{p_s}

    Parameters
    ----------
    first, second : float
        Fidelities of the pair that is kept and of the one that is measured.

    Returns
    -------
    tuple of float
        The new fidelity, and the probability that the outcomes agree.

    Raises
    ------
    QnetError
        If a fidelity is out of range.

    Notes
    -----
    The kept pair is made a Werner pair again by random rotations before the next round.

    References
    ----------
    Bennett et al., doi:10.1103/PhysRevLett.76.722.

    Examples
    --------
    >>> [round(number, 6) for number in bbpssw(0.8, 0.8)]
    [0.83815, 0.768889]
    """
    F, G = probability("first", first), probability("second", second)
    success = F * G + (F * (1 - G) + (1 - F) * G) / 3 + 5 * (1 - F) * (1 - G) / 9
    return (F * G + (1 - F) * (1 - G) / 9) / success, success


def dejmps(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, float]:
    r"""Weights and success probability of DEJMPS on two Bell-diagonal pairs.

    With weights A, B, C, D of phi+, psi-, psi+, phi-,

    .. math:: A' = \frac{A_1 A_2 + B_1 B_2}{N}, \quad B' = \frac{C_1 D_2 + D_1 C_2}{N}, \quad
              C' = \frac{C_1 C_2 + D_1 D_2}{N}, \quad D' = \frac{A_1 B_2 + B_1 A_2}{N}

    and :math:`N = (A_1 + B_1)(A_2 + B_2) + (C_1 + D_1)(C_2 + D_2)`.

    Parameters
    ----------
    first, second : numpy.ndarray of float64, shape (4,)
        Weights of the pair that is kept and of the one that is measured.

    Returns
    -------
    tuple of (numpy.ndarray of float64, shape (4,)) and float
        The new weights, and the probability N that the outcomes agree.

    Raises
    ------
    QnetError
        If weights are negative or do not add up to 1, or the outcomes never agree.

    References
    ----------
    Deutsch et al., doi:10.1103/PhysRevLett.77.2818.

    Examples
    --------
    >>> from restudy.qnet.analytic.bell import werner_weights
    >>> weights, success = dejmps(werner_weights(0.8), werner_weights(0.8))
    >>> weights.round(6).tolist(), round(success, 6)
    ([0.83815, 0.011561, 0.011561, 0.138728], 0.768889)
    """
    A, C, B, D = bell_weights("first", first)
    a, c, b, d = bell_weights("second", second)
    N = float((A + B) * (a + b) + (C + D) * (c + d))
    if N == 0.0:
        raise QnetError(
            f"DEJMPS of {first} with {second} never succeeds: the outcomes always differ."
        )
    kept = np.array([A * a + B * b, C * c + D * d, C * d + D * c, A * b + B * a]) / N
    return kept, N


def recurrence(weights: np.ndarray, rounds: int) -> tuple[np.ndarray, float]:
    """Weights after rounds of DEJMPS between equal pairs, and pairs used on average.

    Parameters
    ----------
    weights : numpy.ndarray of float64, shape (4,)
        Weights of a raw pair.
    rounds : int
        Depth of the recursion: each round joins two pairs of the round before.

    Returns
    -------
    tuple of (numpy.ndarray of float64, shape (4,)) and float
        The new weights, and the mean number of raw pairs per pair made.

    Raises
    ------
    QnetError
        If an argument is out of range.

    Examples
    --------
    >>> from restudy.qnet.analytic.bell import werner_weights
    >>> weights, pairs = recurrence(werner_weights(0.8), 2)
    >>> round(weights[0], 6), round(pairs * 0.768889 * 0.744596, 4)
    (np.float64(0.943639), 4.0)
    """
    pair, used = bell_weights("weights", weights), 1.0
    for _ in range(whole("rounds", rounds)):
        pair, success = dejmps(pair, pair)
        used *= 2.0 / success
    return pair, used
