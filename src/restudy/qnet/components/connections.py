"""Connections: channels put together, with two ports `a` and `b`."""

from restudy.qnet.components.channels import ClassicalChannel, QuantumChannel
from restudy.qnet.components.ports import Port
from restudy.qnet.components.sources import QuantumSource
from restudy.qnet.engine.simulation import Simulation


class DirectConnection:
    """Two channels, one each way, between two ports that both send and receive.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    a_to_b, b_to_a : ClassicalChannel
        The channels (a `QuantumChannel` is one); they are used by nobody else.

    Attributes
    ----------
    a, b : Port
        The two ends.

    Examples
    --------
    >>> sim = Simulation()
    >>> there, back = (ClassicalChannel(sim, name, length_km=2.0) for name in ("there", "back"))
    >>> line = DirectConnection(sim, "line", there, back)
    >>> alice, bob = Port(sim, "Alice.line"), Port(sim, "Bob.line")
    >>> alice.connect(line.a)
    >>> bob.connect(line.b)
    >>> alice.send("ping")
    >>> bob.send("pong")
    >>> sim.run(until=bob.receive() & alice.receive())[0].value, sim.now
    ('ping', 10000.0)
    """

    __slots__ = ("a", "a_to_b", "b", "b_to_a", "name", "sim")

    def __init__(
        self, sim: Simulation, name: str, a_to_b: ClassicalChannel, b_to_a: ClassicalChannel
    ) -> None:
        self.sim = sim
        self.name = name
        self.a_to_b = a_to_b
        self.b_to_a = b_to_a
        self.a = b_to_a.output = Port(sim, f"{name}.a", a_to_b.transmit)
        self.b = a_to_b.output = Port(sim, f"{name}.b", b_to_a.transmit)


class EntanglingConnection:
    """A source of pairs with a channel to either side.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    source : QuantumSource
        Its outputs are connected to the channels here, the first to that to a.
    to_a, to_b : QuantumChannel
        The channels.

    Attributes
    ----------
    a, b : Port
        The two ends.
    """

    __slots__ = ("a", "b", "name", "sim", "source", "to_a", "to_b")

    def __init__(
        self,
        sim: Simulation,
        name: str,
        source: QuantumSource,
        to_a: QuantumChannel,
        to_b: QuantumChannel,
    ) -> None:
        self.sim = sim
        self.name = name
        self.source = source
        self.to_a = to_a
        self.to_b = to_b
        for output, channel in zip(source.outputs, (to_a, to_b), strict=True):
            output.connect(channel.input)
        self.a = to_a.output
        self.b = to_b.output
