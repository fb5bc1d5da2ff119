"""Teleportation of a qubit over a pair that two nodes share."""

from collections.abc import Callable

from restudy.qnet.components.nodes import Node
from restudy.qnet.components.ports import Port
from restudy.qnet.components.processor import Program
from restudy.qnet.engine.processes import Body
from restudy.qnet.protocols.programs import bell_measurement
from restudy.qnet.protocols.swapping import swap


def teleport(
    node: Node,
    report: Port,
    *,
    data: int = 0,
    half: int = 1,
    measure: Callable[[], Program] = bell_measurement,
) -> Body:
    """Teleport a qubit, as soon as it and half of a pair are there.

    It is a swap in which one of the two qubits is not half of a pair. At the other end
    `restudy.qnet.protocols.swapping.correct` gets the qubit. Returns the outcome.

    Parameters
    ----------
    node
        The sender, with a processor.
    report
        Where the outcome leaves, to the receiver.
    data, half
        Positions of the qubit and of the half.
    measure
        Returns the program: one instruction, or gates.

    Examples
    --------
    >>> import numpy as np
    >>> from restudy.qnet.components.instructions import MEASURE_BELL, PhysicalInstruction
    >>> from restudy.qnet.components.network import Network
    >>> from restudy.qnet.components.processor import QuantumProcessor
    >>> from restudy.qnet.engine.simulation import Simulation
    >>> from restudy.qnet.protocols.swapping import correct
    >>> from restudy.qnet.states.gates import PAULIS, T, H
    >>> from restudy.qnet.states.qubits import bell_pair, fidelity, new_qubits, operate
    >>> sim = Simulation(rng=np.random.default_rng(1))
    >>> network = Network(sim)
    >>> gates = [PhysicalInstruction(gate, 100.0) for gate in (MEASURE_BELL, *PAULIS)]
    >>> alice, bob = (
    ...     network.node(name, QuantumProcessor(sim, name, 2, gates)) for name in ("Alice", "Bob"))
    >>> line = network.classical(alice, bob, length_km=20.0)
    >>> (qubit,) = new_qubits(1)
    >>> for gate in (H, T, H):
    ...     operate(gate, qubit)
    >>> alice.memory.put(qubit, 0)
    >>> here, there = bell_pair()
    >>> alice.memory.put(here, 1)
    >>> bob.memory.put(there, 0)
    >>> sending = sim.process(teleport(alice, alice.classical("Bob")))
    >>> receiving = sim.process(correct(bob, [bob.classical("Alice")]))
    >>> sim.run(until=receiving) == sending.value
    True
    >>> psi = H.matrix @ T.matrix @ H.matrix @ [1, 0]
    >>> sim.now, round(fidelity(psi, bob.memory.peek(0)), 12)
    (100200.0, 1.0)
    """
    return swap(node, report, positions=(data, half), measure=measure)
