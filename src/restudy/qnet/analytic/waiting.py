"""How long until all of several links are there: the maximum of geometric numbers."""

import numpy as np

from restudy.qnet.arguments import chance, whole

_SMOOTH = 1e-3  # below it the sum over attempts is an integral to 1e-13


def maximum_cdf(attempts: np.ndarray, *, links: int, success: float) -> np.ndarray:
    r"""Probability that all links are there after some attempts.

    .. math:: P(\max_i k_i \le t) = (1 - (1 - p)^t)^n

    Parameters
    ----------
    attempts : numpy.ndarray of int, any shape
        Numbers of attempts t; zero or less gives 0.
    links : int
        Number of links n, at least 1, each tried at once with the others.
    success : float
        Probability p that an attempt succeeds, above 0.

    Returns
    -------
    numpy.ndarray of float64, shape of `attempts`
        The cumulative distribution.

    Raises
    ------
    QnetError
        If `links` or `success` is out of range.

    Examples
    --------
    >>> maximum_cdf(np.array([0, 1, 2]), links=2, success=0.5).tolist()
    [0.0, 0.25, 0.5625]
    """
    n, p = whole("links", links, least=1), chance("success", success)
    t = np.maximum(np.asarray(attempts, dtype="float64"), 0.0)
    return (1.0 - (1.0 - p) ** t) ** n


def mean_of_maximum(links: int, success: float) -> float:
    r"""Mean number of attempts until the last of n links is there.

    .. math:: E[\max_i k_i] = \sum_{j=1}^{n} (-1)^{j+1} \binom{n}{j} \frac{1}{1 - (1-p)^j}
              = \sum_{t \ge 0} 1 - (1 - (1-p)^t)^n

    Parameters
    ----------
    links : int
        Number of links n, at least 1.
    success : float
        Probability p that an attempt succeeds, above 0.

    Returns
    -------
    float
        Mean number of attempts, at least 1.

    Raises
    ------
    QnetError
        If `links` or `success` is out of range.

    Notes
    -----
    The alternating sum loses all digits beyond some 50 links; the second form has positive
    terms only. Below p = 1e-3 it is taken by the Euler-Maclaurin formula, with the harmonic
    number :math:`H_n`: :math:`H_n / \lambda + 1/2` with :math:`\lambda = -\ln(1-p)`; the
    first term left out is of order :math:`\lambda^3 / 120`.

    References
    ----------
    Bernardes et al., doi:10.1103/PhysRevA.83.012323 (their Z_n).

    Examples
    --------
    >>> mean_of_maximum(1, 0.25)
    4.0
    >>> round(mean_of_maximum(2, 0.5), 12) == round(8 / 3, 12)
    True
    """
    n, p = whole("links", links, least=1), chance("success", success)
    if n == 1:
        return 1.0 / p
    if n == 2:
        return (3.0 - 2.0 * p) / (p * (2.0 - p))
    if p == 1.0:
        return 1.0
    rate = -np.log1p(-p)
    if p < _SMOOTH:
        return float(_harmonic(n) / rate + 0.5)
    steps = np.arange(1, int((np.log(n) + 42.0) / rate) + 2)  # beyond it terms are below 1e-18
    with np.errstate(under="ignore"):
        terms = -np.expm1(n * np.log1p(-np.exp(-rate * steps)))
    return float(1.0 + terms[::-1].sum())


def mean_of_maximum_of_many(links: int, success: float) -> float:
    r"""Mean number of attempts until the last of many links is there, for large n.

    .. math:: E[\max_i k_i] \approx \frac{\ln n + \gamma}{-\ln(1-p)} + \frac12

    with Euler's constant :math:`\gamma`; the error is some :math:`1 / (2 n \lambda)`.

    Parameters
    ----------
    links : int
        Number of links n, at least 1.
    success : float
        Probability p that an attempt succeeds, above 0 and below 1.

    Returns
    -------
    float
        Mean number of attempts.

    Raises
    ------
    QnetError
        If `links` or `success` is out of range.

    References
    ----------
    Eisenberg, doi:10.1016/j.spl.2007.05.011.

    Examples
    --------
    >>> round(mean_of_maximum_of_many(999, 0.1) / mean_of_maximum(999, 0.1), 3)
    1.0
    """
    n, p = whole("links", links, least=1), chance("success", success)
    if p == 1.0:
        return 1.0
    return float((np.log(n) + np.euler_gamma) / -np.log1p(-p) + 0.5)


def _harmonic(n: int) -> float:
    """Return 1 + 1/2 + ... + 1/n."""
    if n <= 1000:
        return float((1.0 / np.arange(n, 0, -1)).sum())
    return float(np.log(n) + np.euler_gamma + 0.5 / n - 1.0 / (12.0 * n * n))
