"""Quantum memories: positions whose noise is applied when they are touched."""

from collections.abc import Sequence

from restudy.qnet.components.ports import Port
from restudy.qnet.engine.events import Event
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.noise import NoiseModel
from restudy.qnet.states.qubits import Qubit, discard, noise


class MemoryPosition:
    """A place for one qubit.

    Attributes
    ----------
    qubit : Qubit or None
        What is there, as it was when last touched.
    since : float
        Time up to which its noise has been applied, ns.
    busy : bool
        Whether an instruction is at work on it.
    """

    __slots__ = ("_filled", "busy", "name", "noise", "qubit", "sim", "since")

    def __init__(self, sim: Simulation, name: str, noise: NoiseModel | None) -> None:
        self.sim = sim
        self.name = name
        self.noise = noise
        self.qubit: Qubit | None = None
        self.since = 0.0
        self.busy = False
        self._filled: Event | None = None

    def touch(self) -> Qubit:
        """Apply the noise of the time since the last touch, and return the qubit.

        Raises
        ------
        QnetError
            If the position is empty.
        """
        qubit, now = self.qubit, self.sim.now
        if qubit is None:
            raise QnetError(
                f"the memory position {self.name} is empty at {now} ns: put a qubit there first."
            )
        if self.noise is not None and now > self.since:
            channel = self.noise.channel(now - self.since)
            if channel is not None:
                noise(channel, qubit, rng=self.sim.rng)
        self.since = now
        return qubit

    def put(self, qubit: Qubit) -> None:
        """Put a qubit here.

        Raises
        ------
        QnetError
            If there is one.
        """
        if self.qubit is not None:
            raise QnetError(
                f"the memory position {self.name} holds a qubit at {self.sim.now} ns: take or "
                "discard it first."
            )
        self.qubit = qubit
        self.since = self.sim.now
        if self._filled is not None:
            self._filled.trigger(self)
            self._filled = None

    def take(self) -> Qubit:
        """Return the qubit, after its noise, and leave the position empty.

        Raises
        ------
        QnetError
            If the position is empty.
        """
        qubit = self.touch()
        self.qubit = None
        return qubit

    def discard(self) -> None:
        """Discard the qubit, if there is one."""
        if self.qubit is not None:
            discard(self.qubit, rng=self.sim.rng)
            self.qubit = None

    def filled(self) -> Event:
        """Return the event that a qubit is put here; it fires at once if one is here."""
        if self.qubit is not None:
            return self.sim.timeout(0.0, self)
        if self._filled is None:
            self._filled = self.sim.event()
        return self._filled

    def arrive(self, qubit: Qubit | None) -> None:
        """Take what comes from a port: see `QuantumMemory.accept`."""
        if qubit is None:
            return
        if self.busy:
            discard(qubit, rng=self.sim.rng)
            return
        if self.qubit is not None:
            self.discard()
        self.qubit = qubit
        self.since = self.sim.now
        if self._filled is not None:
            event, self._filled = self._filled, None
            event.fire(self)


class QuantumMemory:
    """Positions for qubits.

    Noise is lazy: a position knows until when its noise has been applied, and applies that of the
    time elapsed when its qubit is looked at, taken or used. Whoever keeps a qubit that a memory
    holds, and uses it without asking the memory, misses that noise.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    size : int
        Number of positions.
    noise : NoiseModel or sequence of NoiseModel, optional
        Noise of all positions, or of each.

    Attributes
    ----------
    positions : tuple of MemoryPosition
        The positions.

    Raises
    ------
    QnetError
        If there is no position, or not one noise model a position.

    Examples
    --------
    >>> import numpy as np
    >>> from restudy.qnet.noise import DepolarNoise
    >>> from restudy.qnet.states.qubits import bell_pair, fidelity
    >>> sim = Simulation(rng=np.random.default_rng(1))
    >>> memory = QuantumMemory(sim, "Alice.memory", 2, noise=DepolarNoise(rate_hz=10.0))
    >>> here, there = bell_pair()
    >>> memory.put(here, 0)
    >>> sim.run(until=1e8)  # 0.1 s
    >>> phi_plus = np.array([1, 0, 0, 1]) / np.sqrt(2)
    >>> round(fidelity(phi_plus, memory.peek(0), there), 6)  # (1 + 3/e) / 4
    0.52591
    """

    __slots__ = ("name", "positions", "sim")

    def __init__(
        self,
        sim: Simulation,
        name: str,
        size: int,
        noise: NoiseModel | Sequence[NoiseModel | None] | None = None,
    ) -> None:
        models = list(noise) if isinstance(noise, Sequence) else [noise] * size
        if size < 1 or len(models) != size:
            raise QnetError(
                f"the memory {name} got {size} positions and {len(models)} noise models: give at "
                "least one position, and one model for all or one each."
            )
        self.sim = sim
        self.name = name
        self.positions = tuple(
            MemoryPosition(sim, f"{name}[{at}]", model) for at, model in enumerate(models)
        )

    def put(self, qubit: Qubit, at: int = 0) -> None:
        """Put a qubit into an empty position.

        Raises
        ------
        QnetError
            If there is no such position, or it holds a qubit.
        """
        self.position(at).put(qubit)

    def peek(self, at: int = 0) -> Qubit:
        """Return the qubit at a position, after its noise; it stays.

        Raises
        ------
        QnetError
            If there is no such position, or it is empty.
        """
        return self.position(at).touch()

    def take(self, at: int = 0) -> Qubit:
        """Take the qubit out of a position, after its noise.

        Raises
        ------
        QnetError
            If there is no such position, or it is empty.
        """
        return self.position(at).take()

    def filled(self, at: int = 0) -> Event:
        """Return the event that a qubit is put into a position; at once if one is there.

        Raises
        ------
        QnetError
            If there is no such position.
        """
        return self.position(at).filled()

    def accept(self, port: Port, at: int = 0) -> None:
        """Put the qubits that arrive at a port into a position.

        A qubit that arrives replaces the one there, which is discarded; but while an instruction
        is at work on the position, it is the new one that is discarded.

        Raises
        ------
        QnetError
            If there is no such position, or the port has a handler.
        """
        port.on_message(self.position(at).arrive)

    def position(self, at: int) -> MemoryPosition:
        """Return a position.

        Raises
        ------
        QnetError
            If there is no such position.
        """
        if not 0 <= at < len(self.positions):
            raise QnetError(
                f"the memory {self.name} has no position {at!r}, asked for at {self.sim.now} ns: "
                f"give one from 0 to {len(self.positions) - 1}."
            )
        return self.positions[at]
