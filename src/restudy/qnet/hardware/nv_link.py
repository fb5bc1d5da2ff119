"""Elementary links of nitrogen-vacancy nodes, and the chain that is one link."""

from dataclasses import dataclass
from math import exp

import numpy as np

from restudy.qnet import arguments
from restudy.qnet.hardware.nv_parameters import SPEED_KM_PER_S, NVParameters, phase_dephasing
from restudy.qnet.hardware.single_click import (
    HeraldedPair,
    Midpoint,
    single_click,
    single_dephasing,
)


@dataclass(frozen=True)
class NVLink:
    """Two neighbouring nodes with a station half-way.

    Attributes
    ----------
    length_km : float
        Length of the fibre from node to node, km.
    message_ns : float
        Time of a message from node to node, ns.
    attempt_ns : float
        Time of one attempt: emission, photon to the station, herald back, ns.
    pair : HeraldedPair
        What a successful attempt makes, dephased by double excitation and uncertain phase.
    storage_dephasing : float
        Dephasing probability of a stored carbon spin by one attempt.
    """

    length_km: float
    message_ns: float
    attempt_ns: float
    pair: HeraldedPair
    storage_dephasing: float


def nv_link(parameters: NVParameters, length_km: float) -> NVLink:
    """Return the link of two nodes with the same parameters.

    Parameters
    ----------
    parameters : NVParameters
        Of both nodes and the station.
    length_km : float
        Length of the fibre, km.

    Returns
    -------
    NVLink
        Times and the heralded pair.

    Raises
    ------
    QnetError
        If the length is not a number of at least 0.

    Examples
    --------
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM
    >>> link = nv_link(NEAR_TERM, 20)
    >>> round(link.attempt_ns), f"{link.pair.p_success:.3g}"  # 3.8 us and 96 us
    (99866, '0.00058')
    """
    length_km = arguments.real("length_km", length_km, least=0.0)
    loss = 10 ** (-parameters.fibre_loss_db_per_km * length_km / 2 / 10)
    midpoint = Midpoint(parameters.p_detection * loss, parameters.p_dark, parameters.visibility)
    half = parameters.p_double_excitation / 2
    pair = single_click(midpoint, parameters.bright_state).dephased(half).dephased(half)
    message_ns = length_km / SPEED_KM_PER_S * 1e9
    return NVLink(
        length_km=length_km,
        message_ns=message_ns,
        attempt_ns=parameters.emission_ns + message_ns,
        pair=pair.dephased(phase_dephasing(parameters.phase_sigma_rad)),
        storage_dephasing=single_dephasing(parameters.bright_state, parameters.storage_attempts),
    )


@dataclass(frozen=True)
class DirectPair:
    """Pairs of two nodes without a repeater.

    Attributes
    ----------
    fidelity : float
        With the Bell state that was heralded, once both nodes know.
    rate_hz : float
        Pairs a second.
    """

    fidelity: float
    rate_hz: float


def direct_pair(parameters: NVParameters, length_km: float) -> DirectPair:
    """Return fidelity and rate without repeaters, in closed form.

    The state waits one attempt's time on the electron spins until it is heralded. Attempts follow
    one another: rate = p_success / attempt time.

    Parameters
    ----------
    parameters : NVParameters
        Of both nodes and the station.
    length_km : float
        Distance of the nodes, km.

    Returns
    -------
    DirectPair
        Both figures.

    Raises
    ------
    QnetError
        If the length is not a number of at least 0, or no attempt can succeed.

    Examples
    --------
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM
    >>> lab = direct_pair(NEAR_TERM, 0.002)
    >>> round(lab.fidelity, 3), round(lab.rate_hz)
    (0.803, 241)
    """
    link = nv_link(parameters, length_km)
    rho = link.pair.density(1).real
    up = exp(-link.attempt_ns / parameters.electron_t1_ns)  # a spin in |1> is still there
    p_ud, p_du, p_dd = np.diag(rho)[1:]
    different = (p_ud + p_du) * up + 2 * p_dd * up * (1 - up)
    coherent = 2 * rho[1, 2] * exp(-2 * link.attempt_ns / parameters.electron_t2_ns)
    rate_hz = link.pair.p_success / link.attempt_ns * 1e9
    return DirectPair(float((different + coherent) / 2), rate_hz)
