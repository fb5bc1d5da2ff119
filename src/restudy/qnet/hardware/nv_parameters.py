"""Parameters of nitrogen-vacancy centres, and how they improve (arXiv 2010.12535, Table S.II)."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, expm1, isfinite, log, log1p, sqrt
from typing import Final

from scipy.optimize import brentq
from scipy.special import i0e, i1e

from restudy.qnet import arguments
from restudy.qnet.errors import QnetError

SECOND_NS: Final = 1e9
HOUR_NS: Final = 3600 * SECOND_NS
SPEED_KM_PER_S: Final = 299_792.458 / 1.44
"""Speed of photons and messages in fibre with refractive index 1.44, km/s."""

DARK_COUNTS_3X_PRINTED: Final = 8.3e-8
"""What Table S.II prints for three times improved dark counts: above the near-term 2.5e-8, and so
a misprint. The rule of improvement gives 8.3e-9, which is used here."""

_PROBABILITIES = ("bright_state", "p_double_excitation", "p_dark", "p_detection", "visibility")
_FIDELITIES = {  # each with its value for a useless operation
    "carbon_init_fidelity": 0.5,
    "carbon_rotation_fidelity": 0.25,
    "two_qubit_fidelity": 0.0625,
    "electron_init_fidelity": 0.5,
    "electron_gate_fidelity": 0.25,
    "readout_0": 0.0,
    "readout_1": 0.0,
}


@dataclass(frozen=True)
class NVParameters:
    """What Table S.II lists of a nitrogen-vacancy centre and its link; defaults are "near-term".

    Attributes
    ----------
    bright_state : float
        Weight alpha of the state ``|0>`` that emits a photon; never improved.
    emission_ns : float
        Time until the photon is emitted, ns; never improved.
    p_double_excitation : float
        Probability of two photons; both spins are dephased with half of it.
    fibre_loss_db_per_km : float
        Attenuation, dB/km; never improved.
    p_dark : float
        Probability of a dark count of one detector within the window of an attempt.
    p_detection : float
        Probability that an emitted photon is detected, without fibre.
    phase_sigma_rad : float
        Standard deviation of the phase between the two photons, rad.
    visibility : float
        Of the interference of the two photons.
    storage_attempts : float
        N_1/e: attempts with alpha = 1/2 after which a carbon spin's coherence is 1/e.
    electron_t1_ns, electron_t2_ns, carbon_t1_ns, carbon_t2_ns : float
        Relaxation and coherence times, ns.
    carbon_init_fidelity, carbon_init_ns : float
        Fidelity and duration, ns, of setting a carbon spin to ``|0>``.
    carbon_rotation_fidelity, carbon_rotation_ns : float
        Of a Z rotation of a carbon spin.
    two_qubit_fidelity, two_qubit_ns : float
        Of the controlled X rotation of a carbon spin: (1 - 3 p/4)**2 with depolarising
        probability p of each spin.
    electron_init_fidelity, electron_init_ns : float
        Of setting the electron spin to ``|0>``.
    electron_gate_fidelity, electron_gate_ns : float
        Of a rotation of the electron spin.
    readout_0, readout_1 : float
        Probabilities f0 and f1 of reading 0 in ``|0>`` and 1 in ``|1>``.
    readout_ns : float
        Duration of the readout, ns.

    Raises
    ------
    QnetError
        If a value is out of its range, or a T2 exceeds twice its T1.

    Examples
    --------
    >>> NEAR_TERM.p_detection
    0.0046
    >>> NVParameters(visibility=1.2)
    Traceback (most recent call last):
        ...
    restudy.qnet.errors.QnetError: visibility is 1.2; give a number from 0 to 1.
    """

    bright_state: float = 0.1
    emission_ns: float = 3800.0
    p_double_excitation: float = 0.06
    fibre_loss_db_per_km: float = 0.2
    p_dark: float = 2.5e-8
    p_detection: float = 0.0046
    phase_sigma_rad: float = 0.35
    visibility: float = 0.9
    storage_attempts: float = 1400.0
    electron_t1_ns: float = HOUR_NS
    electron_t2_ns: float = 1.46 * SECOND_NS
    carbon_t1_ns: float = 10 * HOUR_NS
    carbon_t2_ns: float = SECOND_NS
    carbon_init_fidelity: float = 0.997
    carbon_init_ns: float = 310_000.0
    carbon_rotation_fidelity: float = 0.999
    carbon_rotation_ns: float = 20_000.0
    two_qubit_fidelity: float = 0.97
    two_qubit_ns: float = 500_000.0
    electron_init_fidelity: float = 0.99
    electron_init_ns: float = 2000.0
    electron_gate_fidelity: float = 1.0
    electron_gate_ns: float = 5.0
    readout_0: float = 0.95
    readout_1: float = 0.995
    readout_ns: float = 3700.0

    def __post_init__(self) -> None:
        for name in _PROBABILITIES:
            arguments.probability(name, getattr(self, name))
        for name, least in _FIDELITIES.items():
            arguments.real(name, getattr(self, name), least=least, most=1.0)
        arguments.positive("storage_attempts", self.storage_attempts)
        for name in ("fibre_loss_db_per_km", "phase_sigma_rad"):
            arguments.real(name, getattr(self, name), least=0.0)
        for field in dataclasses.fields(self):
            if field.name.endswith("_ns"):
                arguments.positive(field.name, getattr(self, field.name))
        for spin in ("electron", "carbon"):
            t1, t2 = getattr(self, f"{spin}_t1_ns"), getattr(self, f"{spin}_t2_ns")
            if t2 > 2 * t1:
                raise QnetError(
                    f"{spin}_t2_ns is {t2:g} and {spin}_t1_ns is {t1:g}; T2 cannot exceed 2 T1: "
                    "lower the former or raise the latter."
                )


NEAR_TERM: Final = NVParameters()


def noiseless(parameters: NVParameters) -> NVParameters:
    """Return parameters whose operations are perfect and whose spins do not decay."""
    perfect: dict[str, float] = dict.fromkeys(_FIDELITIES, 1.0)
    still = {f"{spin}_t{n}_ns": 1e300 for spin in ("electron", "carbon") for n in (1, 2)}
    return dataclasses.replace(parameters, **perfect, **still)


def improved(
    parameters: NVParameters, factor: float, separately: Mapping[str, float] | None = None
) -> NVParameters:
    r"""Improve all parameters by one factor k, and some by factors of their own.

    Each parameter has a probability :math:`p_{ne}` of no error, and improving it makes that
    :math:`p_{ne}^{1/k}` (arXiv 2010.12535, Methods, "How we choose improved hardware parameters").
    Durations, fibre loss and the bright-state parameter stay.

    Parameters
    ----------
    parameters : NVParameters
        What is improved.
    factor : float
        k, above 0; below 1 it makes everything worse.
    separately : mapping of str to float, optional
        Factors of single parameters, by name, instead of `factor`.

    Returns
    -------
    NVParameters
        The improved parameters.

    Raises
    ------
    QnetError
        If a factor is not a number above 0, or a name is no parameter that can be improved.

    Notes
    -----
    The printed values of p_dexc at 3x and 10x (0.01 and 0.003) follow if the rule is applied to
    the dephasing probability p_dexc/2 and they are this probability; so it is done here.

    Examples
    --------
    >>> better = improved(NEAR_TERM, 3)
    >>> round(better.p_detection, 4), round(better.visibility, 4), f"{better.p_dark:.2g}"
    (0.1663, 0.9655, '8.3e-09')
    >>> improved(NEAR_TERM, 3, {"p_detection": 1}).p_detection
    0.0046
    """
    own = dict(separately or {})
    if unknown := sorted(set(own) - set(_RULES)):
        raise QnetError(
            f"{unknown[0]!r} is no parameter that can be improved; choose among "
            f"{', '.join(sorted(_RULES))}."
        )
    values = {}
    for name, (to_exponent, from_exponent) in _RULES.items():
        k = own.get(name, factor)
        if not (isfinite(k) and k > 0):
            raise QnetError(f"the improvement of {name} is {k}; give a factor above 0.")
        value = getattr(parameters, name)
        values[name] = value if k == 1 else from_exponent(to_exponent(value) / k)
    return dataclasses.replace(parameters, **values)


def phase_dephasing(sigma_rad: float) -> float:
    """Return the dephasing probability (1 - I1(s)/I0(s))/2, s = 1/sigma**2, of an uncertain phase.

    Examples
    --------
    >>> round(phase_dephasing(0.35), 4)
    0.0317
    """
    if sigma_rad < 1e-9:
        return 0.0
    concentration = sigma_rad**-2
    return float(0.5 * (1 - i1e(concentration) / i0e(concentration)))


def two_qubit_error(fidelity: float) -> float:
    """Return the depolarising probability of each spin after the electron-carbon gate.

    Examples
    --------
    >>> round(two_qubit_error(0.97), 3)
    0.02
    """
    return 4 * (1 - sqrt(fidelity)) / 3


def rotation_error(fidelity: float) -> float:
    """Return the depolarising probability 4 (1 - F)/3 of a rotation with fidelity F."""
    return 4 * (1 - fidelity) / 3


def init_error(fidelity: float) -> float:
    """Return the depolarising probability 2 (1 - F) of an initialisation with fidelity F."""
    return 2 * (1 - fidelity)


# A probability of no error is kept as its exponent, -log p: improving divides it by k, and an error
# of 1e-12 keeps its digits.


def _exponent(error: float) -> float:
    return -log1p(-error)


def _error(exponent: float) -> float:
    return -expm1(-exponent)


def _sigma(exponent: float) -> float:
    p = _error(exponent)
    if p == 0:
        return 0.0
    return float(brentq(lambda sigma: phase_dephasing(sigma) - p, 1e-9, 1e3, xtol=1e-14))


def _storage_exponent(attempts: float) -> float:
    return _exponent(-0.5 * expm1(-1 / attempts))


_Rule = tuple[Callable[[float], float], Callable[[float], float]]
_ERROR: _Rule = (_exponent, _error)
_SUCCESS: _Rule = (lambda p: -log(p), lambda x: exp(-x))
_TIME: _Rule = (lambda t: 1 / t, lambda x: 1 / x)
_INIT: _Rule = (lambda f: _exponent(init_error(f)), lambda x: 1 - _error(x) / 2)
_ROTATION: _Rule = (lambda f: _exponent(rotation_error(f)), lambda x: 1 - 0.75 * _error(x))
_RULES: Final[dict[str, _Rule]] = {
    "p_double_excitation": (lambda p: _exponent(p / 2), lambda x: 2 * _error(x)),
    "p_dark": _ERROR,
    "p_detection": _SUCCESS,
    "phase_sigma_rad": (lambda sigma: _exponent(phase_dephasing(sigma)), _sigma),
    "visibility": _SUCCESS,
    "storage_attempts": (_storage_exponent, lambda x: -1 / log1p(-2 * _error(x))),
    "electron_t1_ns": _TIME,
    "electron_t2_ns": _TIME,
    "carbon_t1_ns": _TIME,
    "carbon_t2_ns": _TIME,
    "carbon_init_fidelity": _INIT,
    "carbon_rotation_fidelity": _ROTATION,
    "two_qubit_fidelity": (
        lambda f: _exponent(two_qubit_error(f)),
        lambda x: (1 - 0.75 * _error(x)) ** 2,
    ),
    "electron_init_fidelity": _INIT,
    "electron_gate_fidelity": _ROTATION,
    "readout_0": _SUCCESS,
    "readout_1": _SUCCESS,
}
