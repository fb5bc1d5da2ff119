"""A line of NV nodes on components: spins, circuits, links (arXiv 2010.12535, Supp. Note 5).

Every gate is an event. The circuits are those of `restudy.qnet.hardware.nv_circuits`, which the
batch executors compile.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from restudy.qnet.components.instructions import PhysicalInstruction
from restudy.qnet.components.memory import MemoryPosition
from restudy.qnet.components.network import Network
from restudy.qnet.components.processor import Program, QuantumProcessor, Step
from restudy.qnet.engine.processes import Body
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.hardware import nv_circuits
from restudy.qnet.hardware.instructions import Program as TimedProgram
from restudy.qnet.hardware.instructions import TimedInstruction
from restudy.qnet.hardware.nv_circuits import CARBON, ELECTRON, idle_noise
from restudy.qnet.hardware.nv_link import nv_link
from restudy.qnet.hardware.nv_parameters import SPEED_KM_PER_S, NVParameters
from restudy.qnet.noise import FibreDelay
from restudy.qnet.protocols.protocol import Signal
from restudy.qnet.states.channels import Channel, dephasing
from restudy.qnet.states.density import DensityState
from restudy.qnet.states.gates import PAULIS, H, I
from restudy.qnet.states.qubits import Qubit, fidelity, measure, new_qubits, noise

SWAP_CORRECTION: Final = {(0, 0): 2, (0, 1): 0, (1, 0): 1, (1, 1): 3}
"""Outcomes of SWAP to the Pauli, 0 to 3 for I, X, Y, Z, that they ask for (Note 6)."""

_PSI_PLUS = np.sqrt([0.0, 0.5, 0.5, 0.0])
_FIBRE = FibreDelay(SPEED_KM_PER_S)


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
        noise(self._channel, *qubits, rng=rng)
        return measure(qubits[0], rng=rng) if len(self.one.outcomes) > 1 else None

    @cached_property
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


Circuit: TypeAlias = list[list[TimedAction]]
"""Steps one after the other; the actions of a step start together."""


class Herald(NamedTuple):
    """What the station of a link tells both nodes."""

    pair: int  # running number of the pairs made in the line
    correction: int  # Pauli on the right spin that makes it a psi+


class NVNodes:
    """Nodes in a line, equally far apart, and the links of neighbours.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    parameters : NVParameters
        Of all nodes and links.
    length_km : float
        Distance of neighbours, km.
    nodes : int
        Number of nodes.
    carbons : int
        Number of carbon spins of each node.

    Attributes
    ----------
    network : Network
        Nodes "0" to "N - 1", each with an electron at position 0 and carbon spins from 1 on.
    nodes : list of Node
        The same nodes.
    link : NVLink
        Times and the heralded pair of each link; link k joins nodes k and k + 1.
    heralds : list of Signal
        Of each link, sent with the `Herald` when both nodes know of a pair.
    made : int
        Pairs of neighbours that were made.
    store, retrieve, swap, distill : list
        Circuits for `run`, by their names in the paper.
    turn : list
        Circuits of the Paulis I, X, Y, Z on the electron.

    Raises
    ------
    QnetError
        If the link cannot be.
    """

    def __init__(
        self, sim: Simulation, parameters: NVParameters, length_km: float, nodes: int, carbons: int
    ) -> None:
        self.sim = sim
        self.link = nv_link(parameters, length_km)
        self.made = 0
        self.store = _circuit(nv_circuits.store(parameters))
        self.retrieve = _circuit(nv_circuits.retrieve(parameters))
        self.swap = _circuit(nv_circuits.swap(parameters))
        self.distill = _circuit(nv_circuits.distill(parameters))
        self.turn = [_circuit(nv_circuits.turn(parameters, pauli)) for pauli in range(4)]
        circuits = (self.store, self.retrieve, self.swap, self.distill, *self.turn)
        able = tuple(
            PhysicalInstruction(action, action.one.duration_ns, parallel=True)
            for circuit in circuits
            for step in circuit
            for action in step
        )
        electron, carbon = idle_noise(parameters)
        spins = [electron] + [carbon] * carbons
        self.network = Network(sim)
        for k in range(nodes):
            processor = QuantumProcessor(sim, f"{k}.processor", len(spins), able, spins)
            self.network.node(str(k), processor)
        self.nodes = list(self.network.nodes.values())
        self.heralds = [Signal(sim, f"herald of link {link}") for link in range(nodes - 1)]

    def connect(self, a: int, b: int) -> None:
        """Lay classical channels both ways."""
        ends = self.nodes[a], self.nodes[b]
        self.network.classical(*ends, length_km=self._distance_km(a, b), delay=_FIBRE)

    def connect_one_way(self, sender: int, receiver: int, label: str) -> None:
        """Lay a classical channel that has a label."""
        ends, distance = (self.nodes[sender], self.nodes[receiver]), self._distance_km
        self.network.message(*ends, length_km=distance(sender, receiver), delay=_FIBRE, label=label)

    def travel_ns(self, a: int, b: int) -> float:
        """Return how long a message travels, ns."""
        return _FIBRE.delay_ns(self._distance_km(a, b))

    def run(self, node: int, circuit: Circuit, carbon: int = CARBON) -> Body:
        """Run a circuit on the electron and a carbon spin of a node; return its outcomes."""
        program = _program(circuit)
        outcomes = yield self.nodes[node].processor.execute(program, (ELECTRON, carbon))
        return outcomes

    def move(self, node: int, source: int, target: int) -> Body:
        """Store the electron's qubit in an empty carbon spin, or retrieve it from one."""
        circuit = self.store if source == ELECTRON else self.retrieve
        yield from self.run(node, circuit, max(source, target))
        self.nodes[node].processor.position(source).discard()

    def generate(self, link: int) -> Body:
        """Entangle the electrons of two neighbours, and return the `Herald`.

        The state of the first success is inserted at the start of its attempt; failed attempts are
        jumped over. All of them dephase what the two nodes have stored.
        """
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
            for carbon in processor.positions[CARBON:]:
                if carbon.qubit is not None:
                    noise(dephasing(flip), carbon.touch(), rng=sim.rng)
        self.made += 1
        herald = Herald(self.made, 0 if plus else 3)
        self.heralds[link].send(herald)
        return herald

    def fidelity(self, correction: int, left: int = ELECTRON, right: int = ELECTRON) -> float:
        """Return the fidelity to psi+ of the pair between the ends, now, after a Pauli.

        Parameters
        ----------
        correction
            The Pauli on the right spin, 0 to 3; it is not applied.
        left, right
            Positions at the two ends; a carbon spin holds its state rotated by H.
        """
        a, b = (I.matrix if at == ELECTRON else H.matrix for at in (left, right))
        reference = np.kron(a, b @ PAULIS[correction].matrix) @ _PSI_PLUS
        ends = self.nodes[0].processor.peek(left), self.nodes[-1].processor.peek(right)
        return fidelity(reference, *ends)

    def _distance_km(self, a: int, b: int) -> float:
        return abs(a - b) * self.link.length_km


def _circuit(program: TimedProgram) -> Circuit:
    return [[TimedAction(one) for one in step] for step in program]


def _program(circuit: Circuit) -> Program:
    """Run a circuit on a processor, and return the outcomes in order."""
    outcomes: list[int] = []
    for step in circuit:
        found = yield [Step(action, action.one.at) for action in step]
        outcomes += [one for one in found if one is not None]
    return tuple(outcomes)
