"""Capacity of a quantum switch that joins pairs of its leaves into GHZ states."""

from collections.abc import Sequence

import numpy as np

from restudy.qnet.arguments import positive, probability, real, whole
from restudy.qnet.errors import QnetError


def link_rate_hz(length_km: float, *, constant_hz: float, db_per_km: float = 0.2) -> float:
    r"""Rate of pairs over a fibre, :math:`\mu = \mu_0 10^{-\beta L/10}`.

    Parameters
    ----------
    length_km : float
        Length L of the fibre.
    constant_hz : float
        Rate :math:`\mu_0` at no length.
    db_per_km : float
        Attenuation :math:`\beta`.

    Returns
    -------
    float
        Rate, Hz.

    Raises
    ------
    QnetError
        If an argument is out of range.

    Examples
    --------
    >>> round(link_rate_hz(50.0, constant_hz=1e6))
    100000
    """
    loss_db = real("length_km", length_km, least=0) * real("db_per_km", db_per_km, least=0)
    return positive("constant_hz", constant_hz) * 10.0 ** (-loss_db / 10.0)


def homogeneous_capacity(leaves: int, joined: int, rate: float, *, success: float = 1.0) -> float:
    r"""GHZ states per time of a switch with equal leaves and unlimited buffers.

    .. math:: C = q \mu k / n

    Parameters
    ----------
    leaves : int
        Number k of leaves.
    joined : int
        Number n of leaves in a GHZ state, fewer than k for a switch that is stable.
    rate : float
        Pairs per time :math:`\mu` of each leaf.
    success : float
        Probability q that a measurement succeeds.

    Returns
    -------
    float
        GHZ states per time.

    Raises
    ------
    QnetError
        If an argument is out of range.

    References
    ----------
    Vardoyan, Guha, Nain, Towsley, arXiv:1903.04420.

    Examples
    --------
    >>> [round(homogeneous_capacity(9, n, 1.9), 3) for n in (2, 3, 4, 5)]
    [8.55, 5.7, 4.275, 3.42]
    """
    k, n = whole("leaves", leaves, least=2), whole("joined", joined, least=2)
    if n >= k:
        raise QnetError(
            f"{n} of {k} leaves are joined; give more leaves than that: otherwise the buffers grow "
            "for ever, or fill."
        )
    return probability("success", success) * positive("rate", rate) * k / n


def is_stable(rates: Sequence[float]) -> bool:
    r"""Whether unlimited buffers stay finite for pairs of leaves.

    .. math:: \mu_l < \gamma / 2 \text{ for all } l, \quad \gamma = \sum_l \mu_l

    Parameters
    ----------
    rates : sequence of float
        Pairs per time of each leaf.

    Returns
    -------
    bool
        True if the switch with n = 2 is stable.

    Raises
    ------
    QnetError
        If there are fewer than two rates, or one is not above 0.

    Examples
    --------
    >>> is_stable([1.9] * 9), is_stable([15, 1.9, 1.9, 1.9])
    (True, False)
    """
    mu = _rates(rates)
    return bool((mu < mu.sum() / 2.0).all())


def buffered_capacity(
    rates: Sequence[float], buffer: int, *, success: float = 1.0, erasure: float = 0.0
) -> float:
    r"""Bell pairs per time of a switch that joins two leaves, with finite buffers.

    .. math::
        \Pi_{lj} = \prod_{i=1}^{j} \frac{\mu_l}{\gamma - \mu_l + i a}, \quad
        \pi_0 = \left[1 + \sum_l \sum_{j=1}^{B} \Pi_{lj}\right]^{-1}, \quad
        C = q \pi_0 \sum_l (\gamma - \mu_l) \sum_{j=1}^{B} \Pi_{lj}

    Parameters
    ----------
    rates : sequence of float, length k
        Pairs per time :math:`\mu_l` of each leaf; :math:`\gamma` is their sum.
    buffer : int
        Pairs B that a leaf can hold, at least 1; with all of them full, the oldest is dropped.
    success : float
        Probability q that a measurement succeeds.
    erasure : float
        Rate a at which each stored pair is lost.

    Returns
    -------
    float
        Bell pairs per time.

    Raises
    ------
    QnetError
        If an argument is out of range.

    Notes
    -----
    Only one leaf can hold pairs at a time: a birth-death chain with a branch per leaf.

    References
    ----------
    Vardoyan, Guha, Nain, Towsley, arXiv:1903.04420.

    Examples
    --------
    >>> round(buffered_capacity([1.9] * 9, 1), 4), round(buffered_capacity([15] + [1.9] * 3, 5), 4)
    (8.0471, 5.6937)
    """
    mu, B = _rates(rates), whole("buffer", buffer, least=1)
    q, a = probability("success", success), real("erasure", erasure, least=0.0)
    others = mu.sum() - mu
    steps = np.arange(1, B + 1)
    ratios = mu[:, None] / (others[:, None] + a * steps)  # (k, B)
    with np.errstate(over="ignore"):
        occupied = np.cumprod(ratios, axis=1).sum(axis=1)  # (k,)
    if not np.isfinite(occupied).all():
        raise QnetError(
            f"a leaf of rate {mu.max():g} among {mu.sum():g} fills a buffer of {B} beyond what a "
            "float holds; give a smaller buffer."
        )
    return q * float(others @ occupied) / (1.0 + float(occupied.sum()))


def two_leaf_capacity(rate: float) -> float:
    r"""Bell pairs per time with two equal leaves and a buffer of one, :math:`C = 2\mu/3`.

    A special case of `buffered_capacity`.

    Examples
    --------
    >>> two_leaf_capacity(1.5) == buffered_capacity([1.5, 1.5], 1)
    True
    """
    return 2.0 * positive("rate", rate) / 3.0


def two_leaf_fidelity(rate: float, t2: float) -> float:
    r"""Mean fidelity of a switch with two equal leaves, a buffer of one and dephasing memories.

    .. math:: F = \tfrac12 \left(1 + \frac{\mu}{\mu + 1/T_2}\right)

    Parameters
    ----------
    rate : float
        Pairs per time :math:`\mu` of each leaf.
    t2 : float
        Coherence time of a qubit; both ends of a stored pair are in memories.

    Returns
    -------
    float
        Mean fidelity, 1/2 to 1.

    Raises
    ------
    QnetError
        If an argument is not above 0.

    Notes
    -----
    A newer pair of the same leaf takes the place of the stored one, so that a pair that is used
    has waited for an exponential time of rate :math:`2\mu`, in which its coherence fell by
    :math:`e^{-2t/T_2}`.

    Examples
    --------
    >>> [round(two_leaf_fidelity(1.0, t2), 5) for t2 in (0.1, 1.0, 10.0, 100.0)]
    [0.54545, 0.75, 0.95455, 0.99505]
    """
    mu, T2 = positive("rate", rate), positive("t2", t2)
    return 0.5 * (1.0 + mu / (mu + 1.0 / T2))


def _rates(rates: Sequence[float]) -> np.ndarray:
    """Return checked rates, (k,)."""
    mu = np.array([positive(f"rates[{i}]", rate) for i, rate in enumerate(rates)])
    if len(mu) < 2:
        raise QnetError(f"the switch has {len(mu)} leaves; give the rates of at least 2.")
    return mu
