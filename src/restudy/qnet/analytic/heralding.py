"""Entanglement heralded by clicks at a station between two nodes."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from restudy.qnet.arguments import probability, real
from restudy.qnet.errors import QnetError


@dataclass(frozen=True)
class Heralded:
    r"""A heralded pair of spins.

    Attributes
    ----------
    success : float
        Probability that an attempt is heralded.
    density : numpy.ndarray of float64, shape (4, 4)
        State given the herald, in the basis uu, ud, du, dd (u is the bright state), for the
        detector that heralds :math:`\psi^+`; the other one changes the sign of the coherence.
    """

    success: float
    density: np.ndarray

    @property
    def fidelity(self) -> float:
        r"""Fidelity to the heralded :math:`\psi^\pm`."""
        return float((self.density[1, 1] + self.density[2, 2]) / 2 + self.density[1, 2])


def single_click(
    *,
    bright: float,
    detection: float,
    visibility: float = 1.0,
    dark: float = 0.0,
    double_excitation: float = 0.0,
    phase_sigma: float = 0.0,
) -> Heralded:
    r"""State and success probability of the single-click scheme.

    With :math:`\alpha` bright, detection p, dark counts d and visibility V,

    .. math::
        p_{uu} &= \alpha^2 \left\{\left[2p(1-p) + p^2 \tfrac{1+V}{2}\right](1-d)
                  + (1-p)^2\, 2d(1-d)\right\} \\
        p_{ud} = p_{du} &= \alpha(1-\alpha) \left\{p(1-d) + (1-p)\, 2d(1-d)\right\} \\
        p_{dd} &= (1-\alpha)^2\, 2d(1-d)

    and the coherence between ud and du is :math:`\sqrt V p_{ud}`, times
    :math:`(1-p_\mathrm{dexc})^2` for double excitation and
    :math:`I_1(\sigma^{-2})/I_0(\sigma^{-2})` for the phase between the two arms.

    Parameters
    ----------
    bright : float
        Population :math:`\alpha` of the bright state of each spin.
    detection : float
        Probability that a photon emitted at a node makes its detector click, half of the fibre
        included.
    visibility : float
        Indistinguishability V of the photons.
    dark : float
        Probability of a dark count in the window of a detector.
    double_excitation : float
        Probability of a second photon; each qubit gets a Z with half of it.
    phase_sigma : float
        Standard deviation of the optical phase, rad.

    Returns
    -------
    Heralded
        Success probability (either detector) and state.

    Raises
    ------
    QnetError
        If an argument is out of range, or an attempt can never succeed.

    Notes
    -----
    The coherence includes the weight of dark counts, as the paper's model does. For small p, and
    perfect parts otherwise, the state is
    :math:`(1-\alpha)\,\psi^\pm + \alpha\,|uu\rangle\langle uu|`.

    References
    ----------
    Humphreys et al., arXiv:1712.07567; Coopmans et al., arXiv:2010.12535, Supplementary Note 5.

    Examples
    --------
    >>> pair = single_click(bright=0.1, detection=1e-9)
    >>> round(pair.fidelity, 6), round(pair.success * 1e9, 6)
    (0.9, 0.2)
    """
    a, p = probability("bright", bright), probability("detection", detection)
    V, d = probability("visibility", visibility), probability("dark", dark)
    false = 2.0 * d * (1.0 - d)
    uu = (2.0 * p * (1.0 - p) + p * p * (1.0 + V) / 2.0) * (1.0 - d) + (1.0 - p) ** 2 * false
    ud = p * (1.0 - d) + (1.0 - p) * false
    weights = np.array([a * a * uu, a * (1.0 - a) * ud, a * (1.0 - a) * ud, (1.0 - a) ** 2 * false])
    success = float(weights.sum())
    if success == 0.0:
        raise QnetError(
            f"an attempt with bright {a:g}, detection {p:g} and dark {d:g} never succeeds; "
            "give a bright state and a detection above 0."
        )
    dephased = (1.0 - probability("double_excitation", double_excitation)) ** 2
    phase = 1.0 - 2.0 * phase_error(phase_sigma)
    density = np.diag(weights / success)
    density[1, 2] = density[2, 1] = math.sqrt(V) * dephased * phase * weights[1] / success
    return Heralded(success, density)


def phase_error(sigma: float) -> float:
    r"""Probability of a Z from a random optical phase.

    .. math:: p = \tfrac12 \left(1 - I_1(\sigma^{-2}) / I_0(\sigma^{-2})\right)

    Parameters
    ----------
    sigma : float
        Standard deviation of the phase, rad; the phase has a von Mises distribution.

    Returns
    -------
    float
        Probability, 0 to 1/2.

    Raises
    ------
    QnetError
        If `sigma` is negative or not finite.

    Examples
    --------
    >>> round(phase_error(0.35), 4)
    0.0317
    """
    s = real("sigma", sigma, least=0.0)
    if s < 0.01:  # the ratio's expansion, where its difference from 1 would lose digits
        return s**2 / 4.0 + s**4 / 16.0 + s**6 / 16.0
    return float(0.5 * (1.0 - special.ive(1, s**-2) / special.ive(0, s**-2)))


def double_click(*, detection: float, visibility: float = 1.0) -> Heralded:
    r"""State and success probability of the double-click scheme of Barrett and Kok.

    .. math:: P = p^2 / 2, \quad F = (1 + V)/2

    Parameters
    ----------
    detection : float
        Probability p that a photon emitted at a node makes its detector click, above 0.
    visibility : float
        Indistinguishability V of the photons.

    Returns
    -------
    Heralded
        Success probability and state; no dark counts, one click in each of two rounds.

    Raises
    ------
    QnetError
        If an argument is out of range.

    References
    ----------
    Barrett, Kok, doi:10.1103/PhysRevA.71.060310.

    Examples
    --------
    >>> pair = double_click(detection=0.1, visibility=0.9)
    >>> round(pair.success, 9), pair.fidelity
    (0.005, 0.95)
    """
    p, V = probability("detection", detection), probability("visibility", visibility)
    if p == 0.0:
        raise QnetError("detection is 0 and an attempt never succeeds; give a number above 0.")
    density = np.zeros((4, 4))
    density[1:3, 1:3] = [[0.5, V / 2.0], [V / 2.0, 0.5]]
    return Heralded(p * p / 2.0, density)
