"""Entanglement swapping: inner nodes measure, an end node corrects."""

from collections.abc import Callable, Sequence

from restudy.qnet.components.nodes import Node
from restudy.qnet.components.ports import Port
from restudy.qnet.components.processor import Program
from restudy.qnet.engine.events import all_of
from restudy.qnet.engine.processes import Body
from restudy.qnet.protocols.programs import bell_measurement, correction


def swap(
    node: Node,
    report: Port,
    *,
    positions: tuple[int, int] = (0, 1),
    measure: Callable[[], Program] = bell_measurement,
) -> Body:
    """Swap as soon as both positions hold a qubit, and report the outcome: SWAP-ASAP.

    Returns the outcome.

    Parameters
    ----------
    node
        A node with a processor.
    report
        Where the outcome leaves, a Bell state: 0, 1, 2, 3 for phi+, psi+, psi-, phi-.
    positions
        Of the halves of the two pairs.
    measure
        Returns the program: one instruction, or `bell_measurement_by_gates`.
    """
    processor = node.processor
    left, right = positions
    yield processor.filled(left) & processor.filled(right)
    outcome = yield processor.execute(measure(), positions)
    report.send(outcome)
    return outcome


def correct(node: Node, reports: Sequence[Port], *, at: int = 0) -> Body:
    """Wait for a qubit and for the outcomes of all swaps, and apply the Pauli that they ask for.

    The product of Paulis is, up to phase, the bitwise exclusive or of their numbers. Returns the
    Pauli.

    Parameters
    ----------
    node
        A node with a processor, which can do I, X, Y and Z.
    reports
        Where an outcome arrives from each swap.
    at
        Position of the qubit.
    """
    processor = node.processor
    yield processor.filled(at)
    pauli = 0
    if reports:
        for report in (yield all_of(port.receive() for port in reports)):
            pauli ^= report.value
    yield processor.execute(correction(pauli), (at,))
    return pauli
