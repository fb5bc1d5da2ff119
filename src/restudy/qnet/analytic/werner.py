"""Werner pairs: a Bell state with weight w, white noise with weight 1 - w."""

import math

from restudy.qnet.arguments import chance, positive, probability, real


def fidelity_of(werner: float) -> float:
    r"""Fidelity of a Werner pair to its Bell state, :math:`F = (3w + 1)/4`.

    Parameters
    ----------
    werner : float
        Weight w of the Bell state, -1/3 to 1.

    Returns
    -------
    float
        Fidelity, 0 to 1.

    Raises
    ------
    QnetError
        If `werner` is out of range.

    References
    ----------
    Werner, doi:10.1103/PhysRevA.40.4277.

    Examples
    --------
    >>> fidelity_of(0.0), fidelity_of(1.0)
    (0.25, 1.0)
    """
    return (3.0 * real("werner", werner, least=-1 / 3, most=1.0) + 1.0) / 4.0


def werner_of(fidelity: float) -> float:
    """Werner weight of a fidelity, :math:`w = (4F - 1)/3`, the inverse of `fidelity_of`."""
    return (4.0 * probability("fidelity", fidelity) - 1.0) / 3.0


def swapped_werner(a: float, b: float) -> float:
    """Werner weight of two pairs after a perfect swap, :math:`w = w_a w_b`."""
    return real("a", a, least=-1 / 3, most=1.0) * real("b", b, least=-1 / 3, most=1.0)


def decayed_werner(werner: float, elapsed: float, *, memory: float, stored: int = 1) -> float:
    r"""Werner weight after a time in depolarising memories, :math:`w e^{-m t/T}`.

    Parameters
    ----------
    werner : float
        Weight before, -1/3 to 1.
    elapsed : float
        Time t, not negative.
    memory : float
        Time constant T of one stored qubit, in the unit of `elapsed`.
    stored : int
        How many (m) of the two qubits wait in a memory: 0, 1 or 2.

    Returns
    -------
    float
        Weight afterwards.

    Raises
    ------
    QnetError
        If an argument is out of range.

    Examples
    --------
    >>> round(decayed_werner(1.0, 0.5, memory=1.0, stored=2), 6)
    0.367879
    """
    w = real("werner", werner, least=-1 / 3, most=1.0)
    t, T = real("elapsed", elapsed, least=0.0), positive("memory", memory)
    return w * math.exp(-real("stored", stored, least=0, most=2) * t / T)


def two_link_decay(success: float, memory: float) -> float:
    r"""Mean decay of the first of two links while it waits for the other, under SWAP-ASAP.

    .. math:: E\left[e^{-|k_1 - k_2|/T}\right]
              = \frac{p}{2 - p} \left(1 + \frac{2 q e^{-1/T}}{1 - q e^{-1/T}}\right), \quad
              q = 1 - p

    Parameters
    ----------
    success : float
        Probability p that an attempt makes a link, above 0; both links are tried side by side.
    memory : float
        Time constant T of the waiting pair, in attempts.

    Returns
    -------
    float
        Mean factor on the Werner weight.

    Raises
    ------
    QnetError
        If an argument is out of range.

    Notes
    -----
    :math:`P(|k_1 - k_2| = d)` is :math:`p/(2-p)` for d = 0 and :math:`2 q^d p/(2-p)` otherwise.

    References
    ----------
    Collins, Jenkins, Kuzmich, Kennedy, doi:10.1103/PhysRevLett.98.060502.

    Examples
    --------
    >>> round(two_link_decay(0.1, 100.0), 6)
    0.913483
    """
    p, T = chance("success", success), positive("memory", memory)
    x = (1.0 - p) * math.exp(-1.0 / T)
    return p / (2.0 - p) * (1.0 + 2.0 * x / (1.0 - x))
