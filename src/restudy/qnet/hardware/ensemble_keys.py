"""Secret keys from measured bits: the figures of merit of a repeater."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Performance:
    """What Figure 7 shows of a repeater.

    Attributes
    ----------
    key_rate : float
        Secret bits an attempt.
    qber_x, qber_z : float
        Quantum bit error rates.
    attempts : float
        Mean number of attempts for one success.
    """

    key_rate: float
    qber_x: float
    qber_z: float
    attempts: float


def performance(*, attempts: float, qber_x: float, qber_z: float) -> Performance:
    r"""Give the asymptotic secret-key rate of BB84, with both bases chosen half of the time.

    .. math:: R = \frac{1}{2 A_S} \max(0, 1 - H(Q_X) - H(Q_Z))

    Parameters
    ----------
    attempts : float
        :math:`A_S`, the mean number of attempts for one success.
    qber_x, qber_z : float
        Error rates :math:`Q_X` and :math:`Q_Z`.

    Returns
    -------
    Performance
        With the key rate.

    Examples
    --------
    >>> performance(attempts=4, qber_x=0.0, qber_z=0.0).key_rate
    0.125
    """
    secret = max(0.0, 1 - _entropy(qber_x) - _entropy(qber_z))
    return Performance(float(secret / 2 / attempts), qber_x, qber_z, attempts)


def _entropy(q: float) -> float:
    """Give the binary entropy, bits."""
    return -float(sum(p * np.log2(p) for p in (q, 1 - q) if p > 0))


def key_rate_error(
    measured: Performance, *, attempts: float, qber_x: float, qber_z: float
) -> float:
    r"""Give the standard error of a key rate from those of what it is made of.

    .. math:: \Delta R^2 = \left(\frac{R \Delta A_S}{A_S}\right)^2 + \sum_{Q}
              \left(\frac{\Delta Q}{2 A_S} \log_2 \frac{1-Q}{Q}\right)^2

    Parameters
    ----------
    measured : Performance
        The values.
    attempts, qber_x, qber_z : float
        Their standard errors.

    Returns
    -------
    float
        Bits an attempt; where no key is left, that of the value before it is cut off at 0.

    Notes
    -----
    Equation 76 in Supplementary Note 7 of the paper.
    """
    parts = [measured.key_rate * attempts / measured.attempts]
    for q, error in ((measured.qber_x, qber_x), (measured.qber_z, qber_z)):
        if 0 < q < 1:
            parts.append(error / 2 / measured.attempts * np.log2((1 - q) / q))
    return float(np.hypot.reduce(parts))
