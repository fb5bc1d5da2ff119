"""Sources of qubits."""

from collections.abc import Callable, Sequence

from restudy.qnet.components.ports import Port
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.states.qubits import Qubit


class QuantumSource:
    """Makes qubits and sends one from each of its outputs, whenever it is told to.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    make : callable
        Returns the qubits of one emission, such as `restudy.qnet.states.qubits.bell_pair`.
    outputs : sequence of Port, optional
        Ports to send from: by default two of its own.

    Attributes
    ----------
    outputs : tuple of Port
        The ports.
    emitted : int
        Number of emissions.

    Examples
    --------
    A pair every 10 microseconds:

    >>> from restudy.qnet.components.clocks import Clock, FixedGap
    >>> from restudy.qnet.states.qubits import bell_pair
    >>> sim = Simulation()
    >>> source = QuantumSource(sim, "source", bell_pair)
    >>> left, right = Port(sim, "left"), Port(sim, "right")
    >>> source.outputs[0].connect(left)
    >>> source.outputs[1].connect(right)
    >>> clock = Clock(sim, "clock", FixedGap(period_ns=10_000.0), ticks=5)
    >>> clock.on_tick(source.emit)
    >>> clock.start()
    >>> sim.run()
    >>> source.emitted, left.waiting, sim.now
    (5, 5, 50000.0)
    """

    __slots__ = ("emitted", "make", "name", "outputs", "sim")

    def __init__(
        self,
        sim: Simulation,
        name: str,
        make: Callable[[], Sequence[Qubit]],
        outputs: Sequence[Port] | None = None,
    ) -> None:
        self.sim = sim
        self.name = name
        self.make = make
        self.outputs = (
            (Port(sim, f"{name}.0"), Port(sim, f"{name}.1")) if outputs is None else tuple(outputs)
        )
        self.emitted = 0

    def emit(self) -> None:
        """Make qubits and send them.

        Raises
        ------
        QnetError
            If there are not as many qubits as outputs.
        """
        qubits = self.make()
        if len(qubits) != len(self.outputs):
            raise QnetError(
                f"the source {self.name} made {len(qubits)} qubits for {len(self.outputs)} outputs "
                f"at {self.sim.now} ns: make as many as there are outputs."
            )
        self.emitted += 1
        for output, qubit in zip(self.outputs, qubits, strict=True):
            output.send(qubit)
