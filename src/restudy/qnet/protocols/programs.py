"""Small programs of quantum processors that protocols are made of."""

from restudy.qnet.components.instructions import INITIALISE, MEASURE, MEASURE_BELL
from restudy.qnet.components.processor import Program, Step
from restudy.qnet.states.gates import CNOT, PAULIS, H

_NATIVE = Step(MEASURE_BELL, (0, 1))
_CORRECTIONS = tuple(Step(pauli, (0,)) for pauli in PAULIS)
_CNOT, _H = Step(CNOT, (0, 1)), Step(H, (0,))
_BOTH = (Step(MEASURE, (0,)), Step(MEASURE, (1,)))
_INITIALISE = Step(INITIALISE, (0,))


def bell_measurement() -> Program:
    """Measure qubits 0 and 1 in the Bell basis by one instruction.

    Returns the Bell state: 0, 1, 2, 3 for phi+, psi+, psi-, phi-.
    """
    outcome = yield _NATIVE
    return outcome


def bell_measurement_by_gates() -> Program:
    """Measure qubits 0 and 1 in the Bell basis: CNOT, H, and two measurements side by side.

    Returns the Bell state: 0, 1, 2, 3 for phi+, psi+, psi-, phi-.
    """
    yield _CNOT
    yield _H
    phase, parity = yield _BOTH
    return 2 * phase + (phase ^ parity)


def correction(pauli: int) -> Program:
    """Apply a Pauli (0, 1, 2, 3 for I, X, Y, Z) to qubit 0; the identity is an instruction too."""
    yield _CORRECTIONS[pauli]


def local_pair(index: int = 0) -> Program:
    """Make a Bell state of qubits 0 and 1, with gates."""
    yield Step(INITIALISE, (0,)), Step(INITIALISE, (1,))
    yield _H
    yield _CNOT
    yield Step(PAULIS[index], (1,))
