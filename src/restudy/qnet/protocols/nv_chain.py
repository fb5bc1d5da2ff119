"""SWAP-ASAP on NV nodes, event by event on components (arXiv 2010.12535, Supplementary Note 5).

The slow reference of `restudy.qnet.batch.nv_swap_asap`: every gate is an event, every request a
message. Both take their circuits from `restudy.qnet.hardware.nv_circuits`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from restudy.qnet.arguments import whole
from restudy.qnet.components.instructions import PhysicalInstruction
from restudy.qnet.components.memory import MemoryPosition
from restudy.qnet.components.network import Network
from restudy.qnet.components.nodes import Node
from restudy.qnet.components.processor import Program, QuantumProcessor, Step
from restudy.qnet.engine.events import Event, all_of
from restudy.qnet.engine.processes import Body
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.hardware.instructions import Program as Circuit
from restudy.qnet.hardware.instructions import TimedInstruction
from restudy.qnet.hardware.nv_circuits import CARBON, ELECTRON, idle_noise, store, swap
from restudy.qnet.hardware.nv_link import nv_link
from restudy.qnet.hardware.nv_parameters import SPEED_KM_PER_S, NVParameters
from restudy.qnet.noise import FibreDelay
from restudy.qnet.states.channels import Channel, dephasing
from restudy.qnet.states.density import DensityState
from restudy.qnet.states.gates import PAULIS
from restudy.qnet.states.qubits import Qubit, fidelity, measure, new_qubits, noise

_PSI_PLUS = np.sqrt([0.0, 0.5, 0.5, 0.0])
_CORRECTION = {(0, 0): 2, (0, 1): 0, (1, 0): 1, (1, 1): 3}  # outcomes to the Pauli they ask for


@dataclass(frozen=True, eq=False)
class TimedAction:
    """A timed instruction as an action of a quantum processor.

    Attributes
    ----------
    one : TimedInstruction
        A gate or initialisation with its noise, or the readout of one spin, which is then in the
        state that was read.
    """

    one: TimedInstruction

    @property
    def qubits(self) -> int:
        """Number of positions it acts on."""
        return len(self.one.at)

    def act(self, positions: Sequence[MemoryPosition], *, rng: np.random.Generator) -> int | None:
        """Act, and return the outcome of a readout."""
        for position in positions:
            if position.qubit is None:
                position.put(new_qubits(1)[0])
        qubits = [position.touch() for position in positions]
        noise(self._channel(), *qubits, rng=rng)
        return measure(qubits[0], rng=rng) if len(self.one.outcomes) > 1 else None

    def _channel(self) -> Channel:
        """All of it; a readout moves outcome m to ``|m>``, where a perfect measurement finds it."""
        if len(self.one.outcomes) == 1:
            return Channel(self.one.name, self.one.outcomes[0])
        kraus = []
        for m, operators in enumerate(self.one.outcomes):
            for j in (0, 1):
                moved = np.zeros((len(operators), 2, 2), np.complex128)
                moved[:, m] = operators[:, j]
                kraus.append(moved)
        return Channel(self.one.name, np.concatenate(kraus))


class NVRepeaterChain:
    """Nodes, links and protocols of one run.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    parameters : NVParameters
        Of all nodes and links.
    length_km : float
        Distance of neighbours, km.
    nodes : int
        Number of nodes, the ends included, at least 2.

    Attributes
    ----------
    network : Network
        Nodes "0" to "N - 1", each with an electron at position 0 and a carbon spin at 1.
    done : Expression
        Fires when both ends know of their pair.

    Raises
    ------
    QnetError
        If there are fewer than two nodes, or the link cannot be.

    Examples
    --------
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM, improved
    >>> sim = Simulation(rng=np.random.default_rng(1))
    >>> chain = NVRepeaterChain(sim, improved(NEAR_TERM, 10), 25.0, 3)
    >>> _ = sim.run(until=chain.done)
    >>> 0.5 < chain.fidelity() < 0.9
    True
    """

    def __init__(
        self, sim: Simulation, parameters: NVParameters, length_km: float, nodes: int
    ) -> None:
        whole("nodes", nodes, least=2)
        self.sim = sim
        self.link = nv_link(parameters, length_km)
        self.correction = 0  # of the right end
        self.circuits = {"store": _actions(store(parameters)), "swap": _actions(swap(parameters))}
        able = [
            PhysicalInstruction(action, action.one.duration_ns, parallel=True)
            for circuit in self.circuits.values()
            for step in circuit
            for action in step
        ]
        delay = FibreDelay(SPEED_KM_PER_S)
        self.network = network = Network(sim)
        for k in range(nodes):
            spins = idle_noise(parameters)
            network.node(str(k), QuantumProcessor(sim, f"{k}.processor", 2, able, spins))
        self.nodes = list(network.nodes.values())
        self.heralds: list[Event] = [sim.event() for _ in range(nodes - 1)]
        for k in range(nodes - 1):
            network.classical(*self.nodes[k : k + 2], length_km=length_km, delay=delay)
        reports = []
        for k in range(1, nodes - 1):
            for end in (0, nodes - 1):
                label, distance = f"report {k} {end}", abs(end - k) * length_km
                ends = self.nodes[k], self.nodes[end]
                network.message(*ends, length_km=distance, delay=delay, label=label)
                reports.append(self.nodes[end].classical(label).receive())
        for k in range(nodes):
            sim.process(self._repeater(k))
        self.done = all_of(reports or self.heralds)

    def fidelity(self) -> float:
        """Return the fidelity of the pair between the ends to psi+, corrected, now."""
        left, right = (self.nodes[k].processor.peek(ELECTRON) for k in (0, -1))
        return fidelity(np.kron(np.eye(2), PAULIS[self.correction].matrix) @ _PSI_PLUS, left, right)

    def _repeater(self, k: int) -> Body:
        """Make a pair with each neighbour, swap, and tell the ends."""
        neighbours = [other for other in (k - 1, k + 1) if 0 <= other < len(self.nodes)]
        node, last = self.nodes[k], len(self.nodes) - 1
        for other in neighbours if k % 2 else neighbours[::-1]:
            turn = self._ask if k % 2 else self._answer
            yield from turn(node, other, min(k, other))
        if len(neighbours) == 2:
            found = yield from self._run(node, "swap")
            self.correction ^= _CORRECTION[found]
            for end in (0, last):
                node.classical(f"report {k} {end}").send(found)

    def _ask(self, node: Node, other: int, link: int) -> Body:
        yield from self._free_electron(node)
        port = node.classical(str(other))
        port.send("request")
        yield port.receive()
        yield from self._generate(link)

    def _answer(self, node: Node, other: int, link: int) -> Body:
        port = node.classical(str(other))
        yield port.receive()
        yield from self._free_electron(node)
        port.send("confirmation")
        yield self.heralds[link]

    def _free_electron(self, node: Node) -> Body:
        if node.processor.position(ELECTRON).qubit is not None:
            yield from self._run(node, "store")
            node.processor.position(ELECTRON).discard()

    def _run(self, node: Node, name: str) -> Body:
        """Run a circuit, and return its outcomes."""
        outcomes = yield node.processor.execute(_program(self.circuits[name]))
        return outcomes

    def _generate(self, link: int) -> Body:
        """Insert the state of the first success; failed attempts are jumped over."""
        sim, pair = self.sim, self.link.pair
        u, p = sim.rng.random(), pair.p_success
        k = 1 if p >= 1 else 1 + math.floor(math.log1p(-u) / math.log1p(-p))
        plus = sim.rng.random() < 0.5
        yield sim.timeout((k - 1) * self.link.attempt_ns)
        state = DensityState(pair.density(1 if plus else -1))
        state.owners = [Qubit(f"{link}.{side}", state, side) for side in range(2)]
        ends = [self.nodes[link + side].processor for side in range(2)]
        for processor, qubit in zip(ends, state.owners, strict=True):
            processor.put(qubit, ELECTRON)
        yield sim.timeout(self.link.attempt_ns)
        flip = (1 - (1 - 2 * self.link.storage_dephasing) ** k) / 2
        for processor in ends:
            if processor.position(CARBON).qubit is not None:
                noise(dephasing(flip), processor.peek(CARBON), rng=sim.rng)
        self.correction ^= 0 if plus else 3
        self.heralds[link].trigger()


def _actions(circuit: Circuit) -> list[list[TimedAction]]:
    return [[TimedAction(one) for one in step] for step in circuit]


def _program(circuit: list[list[TimedAction]]) -> Program:
    """Run a circuit on a processor, and return the outcomes in order."""
    outcomes: list[int] = []
    for step in circuit:
        found = yield [Step(action, action.one.at) for action in step]
        outcomes += [one for one in found if one is not None]
    return tuple(outcomes)
