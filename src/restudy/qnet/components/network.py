"""A network: nodes, and the links between them.

Teleportation from Alice to Bob, over a pair from a source half way between them. The halves of
the pair arrive after 50 microseconds; Bob's waits 100 more in his memory, for the outcome to come
over 20 km of fibre, and decays as exp(-rate t):

>>> import numpy as np
>>> from restudy.qnet.components.memory import QuantumMemory
>>> from restudy.qnet.components.sources import QuantumSource
>>> from restudy.qnet.noise import DepolarNoise
>>> from restudy.qnet.states.gates import PAULIS, H
>>> from restudy.qnet.states.qubits import (
...     bell_measurement, bell_pair, fidelity, new_qubits, operate)
>>> sim = Simulation(rng=np.random.default_rng(1))
>>> network = Network(sim)
>>> alice, middle, bob = (network.node(name) for name in ("Alice", "Middle", "Bob"))
>>> bob.memory = QuantumMemory(sim, "Bob.memory", 1, noise=DepolarNoise(rate_hz=1000.0))
>>> left = network.quantum(middle, alice, length_km=10.0)
>>> right = network.quantum(middle, bob, length_km=10.0)
>>> line = network.classical(alice, bob, length_km=20.0)
>>> outputs = (middle.quantum("Alice"), middle.quantum("Bob"))
>>> source = QuantumSource(sim, "Middle.source", bell_pair, outputs)
>>> def send(qubit):
...     half = yield alice.quantum("Middle").receive()
...     alice.classical("Bob").send(bell_measurement(qubit, half, rng=sim.rng))
>>> def receive():
...     half = yield bob.quantum("Middle").receive()
...     bob.memory.put(half)
...     outcome = yield bob.classical("Alice").receive()
...     qubit = bob.memory.take()
...     operate(PAULIS[outcome], qubit)
...     return qubit
>>> (qubit,) = new_qubits(1)
>>> operate(H, qubit)
>>> sending, receiving = sim.process(send(qubit)), sim.process(receive())
>>> source.emit()
>>> teleported = sim.run(until=receiving)
>>> plus = np.array([1.0, 1.0]) / np.sqrt(2.0)
>>> sim.now, round(fidelity(plus, teleported), 6), round(float(1 + np.exp(-0.1)) / 2, 6)
(150000.0, 0.952419, 0.952419)
"""

from collections.abc import Callable, Sequence

from restudy.qnet.components.channels import ClassicalChannel, QuantumChannel
from restudy.qnet.components.connections import DirectConnection, EntanglingConnection
from restudy.qnet.components.memory import QuantumMemory
from restudy.qnet.components.nodes import Node
from restudy.qnet.components.sources import QuantumSource
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.noise import DelayModel, FibreDelay, LossModel, NoiseModel
from restudy.qnet.states.qubits import Qubit, bell_pair

_FIBRE = FibreDelay()


class Network:
    """Nodes and links; setting it up costs the same for each.

    A link gives each of its two nodes a port whose label is the name of the other node, unless a
    `label` is given: then both ports have that.

    Attributes
    ----------
    nodes : dict of Node
        The nodes by name, in the order in which they were made.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.nodes: dict[str, Node] = {}

    def node(self, name: str, memory: QuantumMemory | None = None) -> Node:
        """Make a node.

        Raises
        ------
        QnetError
            If there is one of this name.
        """
        if name in self.nodes:
            raise QnetError(f"the network has a node {name!r} already: give another name.")
        node = self.nodes[name] = Node(self.sim, name, memory)
        return node

    def quantum(
        self,
        sender: Node,
        receiver: Node,
        *,
        length_km: float = 0.0,
        delay: DelayModel = _FIBRE,
        noise: NoiseModel | None = None,
        loss: LossModel | None = None,
        label: str | None = None,
    ) -> QuantumChannel:
        """Lay a quantum channel, one way.

        Raises
        ------
        QnetError
            If one of the nodes has a quantum link of this label.
        """
        name = f"{sender.name}>{receiver.name}"
        channel = QuantumChannel(
            self.sim, name, length_km=length_km, delay=delay, noise=noise, loss=loss
        )
        sender.add_quantum(label or receiver.name).connect(channel.input)
        channel.output.connect(receiver.add_quantum(label or sender.name))
        return channel

    def message(
        self,
        sender: Node,
        receiver: Node,
        *,
        length_km: float = 0.0,
        delay: DelayModel = _FIBRE,
        loss: LossModel | None = None,
        label: str | None = None,
    ) -> ClassicalChannel:
        """Lay a classical channel, one way.

        Raises
        ------
        QnetError
            If one of the nodes has a classical link of this label.
        """
        name = f"{sender.name}>{receiver.name}"
        channel = ClassicalChannel(self.sim, name, length_km=length_km, delay=delay, loss=loss)
        sender.add_classical(label or receiver.name).connect(channel.input)
        channel.output.connect(receiver.add_classical(label or sender.name))
        return channel

    def classical(
        self,
        a: Node,
        b: Node,
        *,
        length_km: float = 0.0,
        delay: DelayModel = _FIBRE,
        loss: LossModel | None = None,
        label: str | None = None,
    ) -> DirectConnection:
        """Lay classical channels both ways.

        Raises
        ------
        QnetError
            If one of the nodes has a classical link of this label.
        """
        there, back = (
            ClassicalChannel(
                self.sim, f"{x.name}>{y.name}", length_km=length_km, delay=delay, loss=loss
            )
            for x, y in ((a, b), (b, a))
        )
        connection = DirectConnection(self.sim, f"{a.name}-{b.name}", there, back)
        a.add_classical(label or b.name).connect(connection.a)
        b.add_classical(label or a.name).connect(connection.b)
        return connection

    def entangling(
        self,
        a: Node,
        b: Node,
        *,
        make: Callable[[], Sequence[Qubit]] = bell_pair,
        length_km: float = 0.0,
        delay: DelayModel = _FIBRE,
        noise: NoiseModel | None = None,
        loss: LossModel | None = None,
        label: str | None = None,
    ) -> EntanglingConnection:
        """Lay a link with a source of pairs half way, which emits when it is told to.

        Parameters
        ----------
        a, b
            The nodes.
        make
            Returns a pair of qubits.
        length_km
            Length from a to b, km.
        delay, noise, loss
            Models of each of the two channels.
        label
            Label of the ports, instead of the names.

        Raises
        ------
        QnetError
            If one of the nodes has a quantum link of this label.
        """
        name = f"{a.name}~{b.name}"
        to_a, to_b = (
            QuantumChannel(
                self.sim,
                f"{name}>{end.name}",
                length_km=length_km / 2,
                delay=delay,
                noise=noise,
                loss=loss,
            )
            for end in (a, b)
        )
        source = QuantumSource(self.sim, f"{name}.source", make)
        connection = EntanglingConnection(self.sim, name, source, to_a, to_b)
        connection.a.connect(a.add_quantum(label or b.name))
        connection.b.connect(b.add_quantum(label or a.name))
        return connection
