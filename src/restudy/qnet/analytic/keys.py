"""Secret keys from noisy pairs: BB84."""

import math

from scipy import optimize

from restudy.qnet.arguments import probability, real


def binary_entropy(x: float) -> float:
    r"""Entropy of a coin in bits, :math:`h(x) = -x \log_2 x - (1-x) \log_2 (1-x)`.

    Parameters
    ----------
    x : float
        Probability of one side.

    Returns
    -------
    float
        Entropy, 0 to 1 bit.

    Raises
    ------
    QnetError
        If `x` is no probability.

    Examples
    --------
    >>> binary_entropy(0.5), binary_entropy(0.0), round(binary_entropy(0.11), 4)
    (1.0, 0.0, 0.4999)
    """
    p = probability("x", x)
    if p in (0.0, 1.0):
        return 0.0
    return (-p * math.log(p) - (1.0 - p) * math.log1p(-p)) / math.log(2.0)


def bb84_fraction(error_x: float, error_z: float) -> float:
    r"""Secret bits per sifted bit of BB84, :math:`r = \max(0, 1 - h(Q_X) - h(Q_Z))`.

    Parameters
    ----------
    error_x, error_z : float
        Error rates Q of bits measured in the X and the Z basis.

    Returns
    -------
    float
        Fraction, 0 to 1.

    Raises
    ------
    QnetError
        If an error rate is no probability.

    References
    ----------
    Shor, Preskill, doi:10.1103/PhysRevLett.85.441.

    Examples
    --------
    >>> bb84_fraction(0.0, 0.0), bb84_fraction(0.12, 0.12)
    (1.0, 0.0)
    """
    return max(0.0, 1.0 - binary_entropy(error_x) - binary_entropy(error_z))


def bb84_rate(attempts: float, error_x: float, error_z: float, *, sifting: float = 0.5) -> float:
    r"""Secret bits per attempt to make a pair, :math:`R = s\, r / A`.

    Parameters
    ----------
    attempts : float
        Mean attempts A per pair, at least 1.
    error_x, error_z : float
        Error rates in the X and the Z basis.
    sifting : float
        Share s of pairs measured in the same basis at both ends; the paper has 1/2.

    Returns
    -------
    float
        Bits per attempt.

    Raises
    ------
    QnetError
        If an argument is out of range.

    References
    ----------
    Coopmans et al., arXiv:2010.12535, section on atomic ensembles.

    Examples
    --------
    >>> bb84_rate(10.0, 0.0, 0.0)
    0.05
    """
    per_pair = probability("sifting", sifting) * bb84_fraction(error_x, error_z)
    return per_pair / real("attempts", attempts, least=1.0)


def werner_error_rate(werner: float) -> float:
    """Error rate of a Werner pair in every basis, :math:`Q = (1 - w)/2`."""
    return (1.0 - real("werner", werner, least=-1 / 3, most=1.0)) / 2.0


def bb84_threshold() -> float:
    """Error rate, equal in both bases, above which BB84 gives no key: 0.110028.

    Examples
    --------
    >>> round(bb84_threshold(), 6)
    0.110028
    """
    return float(
        optimize.brentq(lambda Q: 1.0 - 2.0 * binary_entropy(Q), 1e-3, 0.4, xtol=1e-15, rtol=1e-14)
    )
