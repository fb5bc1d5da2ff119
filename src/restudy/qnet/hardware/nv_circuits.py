"""Circuits of nitrogen-vacancy nodes (arXiv 2010.12535, Supplementary Note 5, Figure S.17).

Position 0 is the electron spin, position 1 a carbon spin. STORE leaves the state rotated by a
Hadamard gate, and RETRIEVE rotates it back. The correction that a measurement asks for is tracked;
none is applied but that which makes the two pairs of DISTILL alike.
"""

from math import pi
from typing import Final

from restudy.qnet.hardware.instructions import (
    Program,
    TimedInstruction,
    gate,
    initialise,
    readout,
)
from restudy.qnet.hardware.nv_parameters import (
    NVParameters,
    init_error,
    rotation_error,
    two_qubit_error,
)
from restudy.qnet.noise import NoiseModel, T1T2Noise
from restudy.qnet.states.channels import depolarising
from restudy.qnet.states.gates import PAULIS, H, Operator, controlled_rx, rx, ry, rz

ELECTRON: Final = 0
CARBON: Final = 1
_QUARTER = pi / 2


def idle_noise(parameters: NVParameters) -> tuple[NoiseModel, NoiseModel]:
    """Return the decay of the electron spin and of a carbon spin."""
    return (
        T1T2Noise(parameters.electron_t1_ns, parameters.electron_t2_ns),
        T1T2Noise(parameters.carbon_t1_ns, parameters.carbon_t2_ns),
    )


def store(parameters: NVParameters) -> Program:
    """Return STORE: the electron's state moves to a carbon spin, rotated by H.

    Examples
    --------
    >>> from restudy.qnet.hardware.instructions import duration_ns
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM
    >>> duration_ns(store(NEAR_TERM))  # 310 + 20 + 500 + 20 + 500 us and 5 ns
    1350005.0
    """
    p = parameters
    return (
        (_carbon_init(p),),
        (_carbon_z(p, -_QUARTER),),
        (_two_qubit(p, _QUARTER),),
        (_electron(p, rx(_QUARTER)), _carbon_z(p, _QUARTER)),
        (_two_qubit(p, _QUARTER),),
        (_electron(p, ry(-_QUARTER)),),
    )


def retrieve(parameters: NVParameters) -> Program:
    """Return RETRIEVE: a stored state moves to the electron spin, rotated back."""
    p = parameters
    return (
        (_electron_init(p),),
        (_electron(p, ry(_QUARTER)),),
        (_two_qubit(p, -_QUARTER),),
        (_electron(p, rx(-_QUARTER)), _carbon_z(p, -_QUARTER)),
        (_two_qubit(p, -_QUARTER),),
        (_carbon_z(p, _QUARTER),),
    )


def swap(parameters: NVParameters) -> Program:
    """Return SWAP: the Bell measurement of the electron and a stored state, two outcomes."""
    p = parameters
    return (
        (_carbon_z(p, _QUARTER),),
        (_two_qubit(p, _QUARTER),),
        (_carbon_z(p, -_QUARTER),),
        (_electron(p, ry(_QUARTER)),),
        (_readout(p),),
        *retrieve(p),
        (_electron(p, H),),
        (_readout(p),),
    )


def distill(parameters: NVParameters) -> Program:
    """Return DISTILL (Kalb et al. 2017), one node's part: the electron spin is measured."""
    p = parameters
    return (
        (_electron(p, ry(_QUARTER)),),
        (_two_qubit(p, -_QUARTER),),
        (_electron(p, rx(_QUARTER)),),
        (_readout(p),),
    )


def turn(parameters: NVParameters, pauli: int) -> Program:
    """Return a Pauli, 0 to 3 for I, X, Y, Z, on the electron spin; I takes its time like others."""
    return ((_electron(parameters, PAULIS[pauli]),),)


def _carbon_init(p: NVParameters) -> TimedInstruction:
    noise = depolarising(init_error(p.carbon_init_fidelity))
    return initialise(CARBON, p.carbon_init_ns, noise)


def _electron_init(p: NVParameters) -> TimedInstruction:
    noise = depolarising(init_error(p.electron_init_fidelity))
    return initialise(ELECTRON, p.electron_init_ns, noise)


def _carbon_z(p: NVParameters, theta: float) -> TimedInstruction:
    noise = depolarising(rotation_error(p.carbon_rotation_fidelity))
    return gate(rz(theta), (CARBON,), p.carbon_rotation_ns, noise)


def _electron(p: NVParameters, operator: Operator) -> TimedInstruction:
    noise = depolarising(rotation_error(p.electron_gate_fidelity))
    return gate(operator, (ELECTRON,), p.electron_gate_ns, noise)


def _two_qubit(p: NVParameters, theta: float) -> TimedInstruction:
    noise = depolarising(two_qubit_error(p.two_qubit_fidelity))
    return gate(controlled_rx(theta), (ELECTRON, CARBON), p.two_qubit_ns, noise)


def _readout(p: NVParameters) -> TimedInstruction:
    return readout(ELECTRON, p.readout_ns, p.readout_0, p.readout_1)
