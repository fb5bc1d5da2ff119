"""Channels: messages travel one way, with a delay, noise and loss."""

from typing import Any

from restudy.qnet.arguments import probability, real
from restudy.qnet.components.ports import Port
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.noise import DelayModel, FibreDelay, LossModel, NoiseModel
from restudy.qnet.states.qubits import Qubit, discard, noise

_FIBRE = FibreDelay()


class ClassicalChannel:
    """A line for classical messages, from `input` to `output`.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    length_km : float
        Length, km.
    delay : DelayModel
        How long a message travels: light in fibre by default.
    loss : LossModel, optional
        How messages are lost; a lost one never arrives.

    Attributes
    ----------
    input, output : Port
        Its two ends.
    delay_ns : float
        How long a message travels, ns.
    lost : int
        Number of messages lost.

    Raises
    ------
    QnetError
        If the length or the delay is negative, or the probability of loss is none.

    Examples
    --------
    >>> sim = Simulation()
    >>> line = ClassicalChannel(sim, "line", length_km=20.0)
    >>> a, b = Port(sim, "Alice.line"), Port(sim, "Bob.line")
    >>> a.connect(line.input)
    >>> line.output.connect(b)
    >>> a.send("outcome")
    >>> sim.run(until=b.receive()), sim.now
    ('outcome', 100000.0)
    """

    __slots__ = ("delay_ns", "input", "lost", "name", "output", "p_loss", "sim")

    def __init__(
        self,
        sim: Simulation,
        name: str,
        *,
        length_km: float = 0.0,
        delay: DelayModel = _FIBRE,
        loss: LossModel | None = None,
    ) -> None:
        real(f"length_km of the channel {name}", length_km, least=0.0)
        self.sim = sim
        self.name = name
        self.delay_ns = real(
            f"the delay of the channel {name}", delay.delay_ns(length_km), least=0.0
        )
        self.p_loss = 0.0
        if loss is not None:
            self.p_loss = probability(
                f"the loss of the channel {name}", loss.probability(length_km)
            )
        self.lost = 0
        self.input = Port(sim, f"{name}.input", self.transmit)
        self.output = Port(sim, f"{name}.output")

    def transmit(self, message: Any) -> None:
        """Let a message enter."""
        if self.p_loss and self.sim.rng.random() < self.p_loss:
            self.lost += 1
        else:
            self.output.send(message, self.delay_ns)


class QuantumChannel(ClassicalChannel):
    """A fibre for qubits, from `input` to `output`.

    A lost qubit arrives as None: those at the other end know the time slot, not whether there is
    a photon in it. Noise is applied on arrival.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    length_km : float
        Length, km.
    delay : DelayModel
        How long a qubit travels: light in fibre by default.
    noise : NoiseModel, optional
        What a qubit suffers in the time that it travels.
    loss : LossModel, optional
        How qubits are lost.

    Raises
    ------
    QnetError
        If the length or the delay is negative, or the probability of loss is none.
    """

    __slots__ = ("_noise",)

    def __init__(
        self,
        sim: Simulation,
        name: str,
        *,
        length_km: float = 0.0,
        delay: DelayModel = _FIBRE,
        noise: NoiseModel | None = None,
        loss: LossModel | None = None,
    ) -> None:
        super().__init__(sim, name, length_km=length_km, delay=delay, loss=loss)
        self._noise = noise.channel(self.delay_ns) if noise is not None else None

    def transmit(self, message: Any) -> None:
        """Let a qubit enter.

        Raises
        ------
        QnetError
            If it is no qubit.
        """
        if not isinstance(message, Qubit) and message is not None:
            raise QnetError(
                f"the quantum channel {self.name} got {message!r} at {self.sim.now} ns: send a "
                "qubit, or use a classical channel."
            )
        self.sim.schedule(self._arrive, message, delay=self.delay_ns)

    def _arrive(self, qubit: Qubit | None) -> None:
        if qubit is not None:
            if self.p_loss and self.sim.rng.random() < self.p_loss:
                self.lost += 1
                discard(qubit, rng=self.sim.rng)
                qubit = None
            elif self._noise is not None:
                noise(self._noise, qubit, rng=self.sim.rng)
        self.output.pass_on(qubit)
