"""Nodes of a network."""

from restudy.qnet.components.memory import QuantumMemory
from restudy.qnet.components.ports import Port
from restudy.qnet.components.processor import QuantumProcessor
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError


class Node:
    """A place in a network: a memory, and ports to other nodes.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        Its name.
    memory : QuantumMemory, optional
        Its memory, or its processor; it may be set later.
    """

    __slots__ = ("_classical", "_memory", "_quantum", "name", "sim")

    def __init__(self, sim: Simulation, name: str, memory: QuantumMemory | None = None) -> None:
        self.sim = sim
        self.name = name
        self._memory = memory
        self._quantum: dict[str, Port] = {}
        self._classical: dict[str, Port] = {}

    @property
    def memory(self) -> QuantumMemory:
        """Its memory; raises `QnetError` if it has none."""
        if self._memory is None:
            raise QnetError(
                f"the node {self.name} has no memory, asked for at {self.sim.now} ns: set "
                "node.memory to a QuantumMemory or a QuantumProcessor."
            )
        return self._memory

    @memory.setter
    def memory(self, memory: QuantumMemory) -> None:
        self._memory = memory

    @property
    def processor(self) -> QuantumProcessor:
        """Its memory, if that is a processor; raises `QnetError` otherwise."""
        memory = self.memory
        if not isinstance(memory, QuantumProcessor):
            raise QnetError(
                f"the memory {memory.name} is no processor, which is asked for at {self.sim.now} "
                "ns: set node.memory to a QuantumProcessor."
            )
        return memory

    def quantum(self, label: str) -> Port:
        """Return the port of a quantum link: its label is the name of the node at the other end.

        Raises
        ------
        QnetError
            If there is no such link.
        """
        return self._find(self._quantum, "quantum", label)

    def classical(self, label: str) -> Port:
        """Return the port of a classical link: its label is the name of the node at the other end.

        Raises
        ------
        QnetError
            If there is no such link.
        """
        return self._find(self._classical, "classical", label)

    def add_quantum(self, label: str) -> Port:
        """Make a port for a quantum link.

        Raises
        ------
        QnetError
            If there is one.
        """
        return self._add(self._quantum, "quantum", label)

    def add_classical(self, label: str) -> Port:
        """Make a port for a classical link.

        Raises
        ------
        QnetError
            If there is one.
        """
        return self._add(self._classical, "classical", label)

    def _find(self, ports: dict[str, Port], kind: str, label: str) -> Port:
        port = ports.get(label)
        if port is None:
            raise QnetError(
                f"the node {self.name} has no {kind} link {label!r}, asked for at {self.sim.now} "
                f"ns: it has {', '.join(ports) or 'none'}."
            )
        return port

    def _add(self, ports: dict[str, Port], kind: str, label: str) -> Port:
        if label in ports:
            raise QnetError(
                f"the node {self.name} has a {kind} link {label!r} already, at {self.sim.now} ns: "
                "give the second one a label of its own."
            )
        port = ports[label] = Port(self.sim, f"{self.name}.{kind}.{label}")
        return port

    def __repr__(self) -> str:
        """Name."""
        return f"<Node {self.name}>"
