"""Bell-diagonal pairs: four weights that a swap convolves.

The weights are those of phi+, psi+, psi-, phi- in this order: of the Paulis I, X, Y, Z on one side
of phi+. Products of Paulis, up to phase, are the bitwise exclusive or of their indices 0..3.
"""

import numpy as np

from restudy.qnet.arguments import bell_weights, probability, whole

WALSH = np.array(
    [[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]
)
"""Character m of index i, :math:`(-1)^{|m \\wedge i|}`: the Walsh transform of order 4."""


def werner_weights(fidelity: float) -> np.ndarray:
    """Weights of a Werner pair, (4,): the fidelity, and three equal parts of the rest.

    Examples
    --------
    >>> werner_weights(0.25).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    F = probability("fidelity", fidelity)
    return np.array([F, (1.0 - F) / 3.0, (1.0 - F) / 3.0, (1.0 - F) / 3.0])


def swapped(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    r"""Weights of two pairs after a perfect swap, corrected: a convolution over Z2 x Z2.

    .. math:: c_k = \sum_i a_i b_{i \oplus k}

    Parameters
    ----------
    a, b : numpy.ndarray of float64, shape (4,)
        Weights of the pairs.

    Returns
    -------
    numpy.ndarray of float64, shape (4,)
        Weights of the pair between the outer ends.

    Raises
    ------
    QnetError
        If weights are negative or do not add up to 1.

    References
    ----------
    Dür, Briegel, Cirac, Zoller, doi:10.1103/PhysRevA.59.169.

    Examples
    --------
    >>> x, y = np.eye(4)[1], np.eye(4)[2]  # X and Y make Z
    >>> swapped(x, y).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """
    first, second = bell_weights("a", a), bell_weights("b", b)
    i = np.arange(4)
    return first @ second[i[:, None] ^ i]


def walsh(weights: np.ndarray) -> np.ndarray:
    r"""Walsh transform :math:`\hat c_m = \sum_i (-1)^{|m \wedge i|} c_i`, (4,) from (4,).

    A swap multiplies transforms; entry 0 is 1. The transform of a transform is 4 times the
    original.
    """
    return WALSH @ np.asarray(weights, dtype="float64")


def chained(links: np.ndarray) -> np.ndarray:
    r"""Weights at the ends of a chain of swapped links, by the Walsh transform.

    .. math:: \hat c_m = \prod_l \hat a^{(l)}_m

    Parameters
    ----------
    links : numpy.ndarray of float64, shape (links, 4)
        Weights of each link.

    Returns
    -------
    numpy.ndarray of float64, shape (4,)
        Weights of the pair between the ends.

    Raises
    ------
    QnetError
        If weights are negative or do not add up to 1.

    Examples
    --------
    >>> chained(np.tile(werner_weights(0.7), (2, 1))).round(6).tolist()
    [0.52, 0.16, 0.16, 0.16]
    """
    weights = np.array([bell_weights(f"links[{i}]", link) for i, link in enumerate(links)])
    return WALSH @ (weights @ WALSH).prod(axis=0) / 4.0


def depolarised(weights: np.ndarray, probability_mixed: float) -> np.ndarray:
    r"""Weights after :math:`\rho \to (1-p)\rho + p I/2` on one qubit.

    Parameters
    ----------
    weights : numpy.ndarray of float64, shape (4,)
        Weights before.
    probability_mixed : float
        Probability p of the maximally mixed state: each Pauli has p/4.

    Returns
    -------
    numpy.ndarray of float64, shape (4,)
        Weights afterwards.

    Raises
    ------
    QnetError
        If an argument is out of range.

    Examples
    --------
    >>> depolarised(np.eye(4)[0], 1.0).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    p = probability("probability_mixed", probability_mixed)
    return (1.0 - p) * bell_weights("weights", weights) + p / 4.0


def dephased(weights: np.ndarray, probability_z: float) -> np.ndarray:
    """Weights after a Z on one qubit with probability p: phi+ and phi- mix, psi+ and psi- mix.

    Examples
    --------
    >>> dephased(np.eye(4)[0], 0.25).tolist()
    [0.75, 0.0, 0.0, 0.25]
    """
    p = probability("probability_z", probability_z)
    c = bell_weights("weights", weights)
    return (1.0 - p) * c + p * c[[3, 2, 1, 0]]


def depolarised_chain_fidelity(links: int, probability_mixed: float, *, qubits: int = 2) -> float:
    r"""Fidelity at the ends of N perfect links with equal depolarised qubits.

    .. math:: F = \tfrac14 \left(1 + 3 (1-p)^{mN}\right)

    Parameters
    ----------
    links : int
        Number N of links.
    probability_mixed : float
        Probability p of the maximally mixed state at each qubit.
    qubits : int
        How many (m) of the two qubits of each link are depolarised.

    Returns
    -------
    float
        Fidelity, 1/4 to 1.

    Raises
    ------
    QnetError
        If an argument is out of range.

    Examples
    --------
    >>> round(depolarised_chain_fidelity(1, 0.1, qubits=1), 6)
    0.925
    """
    N, m = whole("links", links, least=1), whole("qubits", qubits)
    p = probability("probability_mixed", probability_mixed)
    return 0.25 * (1.0 + 3.0 * float((1.0 - p) ** (m * N)))
