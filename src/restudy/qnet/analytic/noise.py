"""Probabilities of noise maps: idle qubits, gates, attempts that disturb a memory."""

import math

from restudy.qnet.arguments import positive, probability, real, whole
from restudy.qnet.errors import QnetError


def depolarising_probability(elapsed: float, rate: float) -> float:
    r"""Probability p of :math:`\rho \to (1-p)\rho + p I/2` after some time.

    .. math:: p = 1 - e^{-\Gamma t}

    Parameters
    ----------
    elapsed : float
        Time t.
    rate : float
        Rate :math:`\Gamma`, in the inverse unit of `elapsed`.

    Returns
    -------
    float
        Probability of the maximally mixed state; each Pauli X, Y, Z has a quarter of it.

    Raises
    ------
    QnetError
        If an argument is negative or not finite.

    Examples
    --------
    >>> round(depolarising_probability(2.0, 0.5), 6)
    0.632121
    """
    return -math.expm1(-real("elapsed", elapsed, least=0) * real("rate", rate, least=0))


def dephasing_probability(elapsed: float, rate: float) -> float:
    r"""Probability of a Z after some time, :math:`p = (1 - e^{-\gamma t})/2`.

    Coherences fall by :math:`e^{-\gamma t}`, so that two intervals make their sum.

    Parameters
    ----------
    elapsed : float
        Time t.
    rate : float
        Rate :math:`\gamma = 1/T_2`, in the inverse unit of `elapsed`.

    Returns
    -------
    float
        Probability of a Z, 0 to 1/2.

    Raises
    ------
    QnetError
        If an argument is negative or not finite.

    Examples
    --------
    >>> round(dephasing_probability(2.0, 0.5), 6)
    0.31606
    """
    return depolarising_probability(elapsed, rate) / 2.0


def idle_probabilities(elapsed: float, t1: float, t2: float) -> tuple[float, float]:
    r"""Damping and dephasing probabilities of an idle qubit.

    .. math:: p_{T_1} = 1 - e^{-t/T_1}, \quad
              p_Z = \tfrac12 \left(1 - e^{-t/T_2} e^{t/(2T_1)}\right)

    Parameters
    ----------
    elapsed : float
        Time t.
    t1, t2 : float
        Relaxation and coherence times, in the unit of `elapsed`.

    Returns
    -------
    tuple of float
        Probability of the amplitude damping, and of the Z that follows it; coherences fall by
        :math:`e^{-t/T_2}` in total.

    Raises
    ------
    QnetError
        If an argument is out of range, or T2 is above 2 T1.

    References
    ----------
    Coopmans et al., arXiv:2010.12535, Supplementary Note 4.

    Examples
    --------
    >>> damping, z = idle_probabilities(0.1, 3600.0, 1.46)  # electron of an NV centre, s
    >>> round(damping, 9), round(z, 7)
    (2.7777e-05, 0.0330936)
    """
    t, T1, T2 = real("elapsed", elapsed, least=0), positive("t1", t1), positive("t2", t2)
    if T2 > 2.0 * T1:
        raise QnetError(f"t2 is {T2:g} with t1 of {T1:g}; give a t2 of at most twice t1.")
    return -math.expm1(-t / T1), -0.5 * math.expm1(-t / T2 + t / (2.0 * T1))


def induced_dephasing(attempts: int, *, bright: float, attempts_1e: float) -> float:
    r"""Probability of a Z on a stored carbon after attempts with the electron beside it.

    .. math:: p_1 = (1 - \alpha)(1 - e^{-1/N_{1/e}}), \quad p_k = \tfrac12 (1 - (1 - 2p_1)^k)

    Parameters
    ----------
    attempts : int
        Number of attempts k.
    bright : float
        Bright-state parameter :math:`\alpha` of the attempts.
    attempts_1e : float
        Number :math:`N_{1/e}` of attempts at :math:`\alpha = 1/2` after which coherence is 1/e.

    Returns
    -------
    float
        Probability of a Z.

    Raises
    ------
    QnetError
        If an argument is out of range.

    References
    ----------
    Coopmans et al., arXiv:2010.12535, Supplementary Note 5; Kalb et al., arXiv:1802.05996.

    Examples
    --------
    >>> round(induced_dephasing(1, bright=0.1, attempts_1e=1400), 8)
    0.00064263
    """
    k, alpha = whole("attempts", attempts), probability("bright", bright)
    once = (1.0 - alpha) * -math.expm1(-1.0 / positive("attempts_1e", attempts_1e))
    return 0.5 * (1.0 - (1.0 - 2.0 * once) ** k)
