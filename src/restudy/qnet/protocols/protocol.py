"""What protocols share: start, stop, signals, parts."""

from collections.abc import Callable
from typing import Any

from restudy.qnet.engine.events import Event
from restudy.qnet.engine.processes import Body, Process
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError


class Signal:
    """Something that happens again and again, with a value.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.

    Examples
    --------
    >>> sim = Simulation()
    >>> success = Signal(sim, "success")
    >>> success.subscribe(lambda value: print("seen", value))
    >>> _ = sim.schedule(success.send, 1, delay=5.0)
    >>> sim.run(until=success.wait())
    seen 1
    1
    """

    __slots__ = ("_calls", "_event", "name", "sim")

    def __init__(self, sim: Simulation, name: str) -> None:
        self.sim = sim
        self.name = name
        self._calls: list[Callable[[Any], object]] = []
        self._event: Event | None = None

    def wait(self) -> Event:
        """Return the event of the next time; its value is what was sent."""
        if self._event is None:
            self._event = self.sim.event()
        return self._event

    def subscribe(self, call: Callable[[Any], object]) -> None:
        """Call a function each time, with what was sent, before anybody who waits goes on."""
        self._calls.append(call)

    def send(self, value: Any = None) -> None:
        """Let it happen."""
        for call in self._calls:
            call(value)
        if self._event is not None:
            event, self._event = self._event, None
            event.trigger(value)


class Protocol:
    """A generator that can be started, stopped and started again, with parts of its own.

    A subclass gives `run`. A protocol that is run once needs no class: pass its generator to
    ``sim.process``.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    parts : sequence of Protocol
        They are started before it and stopped after it.

    Attributes
    ----------
    finished : Signal
        Sent with what `run` returns, each time that it ends by itself.

    Examples
    --------
    >>> class Counter(Protocol):
    ...     def run(self):
    ...         for k in range(3):
    ...             yield self.sim.timeout(10.0)
    ...         return k
    >>> sim = Simulation()
    >>> counter = Counter(sim, "counter")
    >>> sim.run(until=counter.start()), sim.now
    (2, 30.0)
    >>> process = counter.start()
    >>> sim.run(until=40.0)
    >>> counter.stop()
    >>> counter.running
    False
    """

    def __init__(self, sim: Simulation, name: str, parts: "tuple[Protocol, ...]" = ()) -> None:
        self.sim = sim
        self.name = name
        self.parts = parts
        self.finished = Signal(sim, f"{name}.finished")
        self._process: Process | None = None

    def run(self) -> Body:
        """Return the generator: what the protocol does."""
        raise NotImplementedError(f"{type(self).__name__} has no method run")

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and not self._process.triggered

    def start(self) -> Process:
        """Start it and its parts, and return its process.

        Raises
        ------
        QnetError
            If it runs.
        """
        if self.running:
            raise QnetError(
                f"the protocol {self.name} runs already at {self.sim.now} ns: stop or reset it."
            )
        for part in self.parts:
            part.start()
        self._process = self.sim.process(self._body())
        return self._process

    def stop(self) -> None:
        """Stop it and its parts, where they wait; nothing happens if it does not run."""
        if self._process is not None:
            self._process.stop()
        for part in self.parts:
            part.stop()

    def reset(self) -> Process:
        """Stop it, and start it from the beginning."""
        self.stop()
        return self.start()

    def _body(self) -> Body:
        value = yield from self.run()
        self.finished.send(value)
        return value
