"""What gets through a fibre, and the most that can be made of it without repeaters."""

import math

from restudy.qnet.arguments import probability, real
from restudy.qnet.errors import QnetError


def transmission(length_km: float, db_per_km: float = 0.2) -> float:
    r"""Probability that a photon gets through, :math:`\eta = 10^{-\alpha L/10}`.

    Parameters
    ----------
    length_km : float
        Length L.
    db_per_km : float
        Attenuation :math:`\alpha`.

    Returns
    -------
    float
        Probability, 0 to 1.

    Raises
    ------
    QnetError
        If an argument is negative or not finite.

    Examples
    --------
    >>> transmission(50.0)
    0.1
    """
    loss_db = real("length_km", length_km, least=0) * real("db_per_km", db_per_km, least=0)
    return float(10.0 ** (-loss_db / 10.0))


def plob_bound(transmissivity: float) -> float:
    r"""Most secret bits, or Bell pairs, per use of a lossy channel without repeaters.

    .. math:: K = -\log_2(1 - \eta)

    Parameters
    ----------
    transmissivity : float
        Probability :math:`\eta` that a photon gets through, below 1.

    Returns
    -------
    float
        Bits per use; about :math:`1.44 \eta` for small :math:`\eta`.

    Raises
    ------
    QnetError
        If `transmissivity` is no probability, or 1 (the bound is infinite).

    References
    ----------
    Pirandola, Laurenza, Ottaviani, Banchi, arXiv:1510.08863.

    Examples
    --------
    >>> plob_bound(0.5)
    1.0
    """
    eta = probability("transmissivity", transmissivity)
    if eta == 1.0:
        raise QnetError("transmissivity is 1 and the bound infinite; give a number below 1.")
    return -math.log1p(-eta) / math.log(2.0)
