"""Ports: where messages enter and leave."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from restudy.qnet.engine.events import Event, Expression
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError


class Port:
    """A place where messages enter and leave; it is connected to at most one other.

    A message is any object: a qubit, an outcome, a tuple. What arrives goes to the handler, if
    there is one, and otherwise waits in a queue until somebody receives it.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it, with its component.
    handler : callable, optional
        Called with each message that arrives, at once.

    Examples
    --------
    >>> sim = Simulation()
    >>> a, b = Port(sim, "Alice.out"), Port(sim, "Bob.in")
    >>> a.connect(b)
    >>> a.send("hello")
    >>> sim.run(until=b.receive())
    'hello'
    """

    __slots__ = ("_handler", "_peer", "_queue", "_waiting", "name", "sim")

    def __init__(
        self, sim: Simulation, name: str, handler: Callable[[Any], None] | None = None
    ) -> None:
        self.sim = sim
        self.name = name
        self._handler = handler
        self._peer: Port | None = None
        self._queue: deque[Any] | None = None
        self._waiting: list[Event] | None = None

    def connect(self, other: Port) -> None:
        """Connect two ports, both ways.

        Raises
        ------
        QnetError
            If one of them is connected.
        """
        for port in (self, other):
            if port._peer is not None:
                raise QnetError(
                    f"the port {port.name} is connected to {port._peer.name} already, at "
                    f"{self.sim.now} ns: give each connection a port of its own."
                )
        if other is self:
            raise QnetError(f"the port {self.name} cannot be connected to itself.")
        self._peer, other._peer = other, self

    def send(self, message: Any, delay: float = 0.0) -> None:
        """Send a message to the port connected to this one; it arrives after a delay, ns.

        Raises
        ------
        QnetError
            If the port is not connected, or the delay is negative.
        """
        peer = self._peer
        if peer is None:
            raise self._nowhere(message)
        if delay == 0.0 and peer._handler is not None:
            peer._handler(message)
        else:
            self.sim.schedule(peer._take, message, delay=delay)

    def pass_on(self, message: Any) -> None:
        """Send a message that arrives at once: for components, in a callback of the timeline.

        Raises
        ------
        QnetError
            If the port is not connected.
        """
        peer = self._peer
        if peer is None:
            raise self._nowhere(message)
        if peer._handler is not None:
            peer._handler(message)
        else:
            peer._take(message)

    def receive(self) -> Event:
        """Return the event of the next message; its value is the message.

        A message goes only to an event that somebody waits for, so none is lost in
        ``port.receive() | sim.timeout(...)``. Those who waited first are served first.

        Raises
        ------
        QnetError
            If a handler takes the messages.
        """
        if self._handler is not None:
            raise QnetError(
                f"the port {self.name} has a handler, so nothing can be received there at "
                f"{self.sim.now} ns: use the one or the other."
            )
        event = self.sim.event()
        event.callbacks = waiters = _Waiters()
        waiters.port = self
        waiters.event = event
        return event

    @property
    def waiting(self) -> int:
        """Number of messages that nobody has received."""
        return len(self._queue or ())

    def on_message(self, handler: Callable[[Any], None]) -> None:
        """Call a function with each message that arrives, at once.

        Raises
        ------
        QnetError
            If there is a handler, or messages are waiting.
        """
        if self._handler is not None or self._queue:
            what = "a handler" if self._handler is not None else "messages waiting"
            raise QnetError(
                f"the port {self.name} has {what} at {self.sim.now} ns: it cannot get another "
                "handler."
            )
        self._handler = handler

    def _take(self, message: Any) -> None:
        if self._handler is not None:
            self._handler(message)
            return
        waiting = self._waiting
        while waiting and not self._queue:
            event = waiting.pop(0)
            if event.callbacks:
                event.fire(message)
                return
        if self._queue is None:
            self._queue = deque()
        self._queue.append(message)
        if waiting:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give messages to the events that are still waited for."""
        queue, waiting = self._queue, self._waiting
        while queue and waiting:
            event = waiting.pop(0)
            if event.callbacks:
                event.fire(queue.popleft())

    def _register(self, event: Event) -> None:
        """Put an event in line; drop those in front that nobody waits for any more."""
        waiting = self._waiting
        if waiting is None:
            waiting = self._waiting = []
        while waiting and not waiting[0].callbacks:
            del waiting[0]
        waiting.append(event)
        if self._queue:
            self.sim.schedule(self._hand_over)

    def _nowhere(self, message: Any) -> QnetError:
        return QnetError(
            f"the port {self.name} sends {message!r} to nowhere at {self.sim.now} ns: connect it "
            "first."
        )

    def __repr__(self) -> str:
        """Name and number of messages."""
        return f"<Port {self.name}: {self.waiting} waiting>"


class _Waiters(list[Callable[[Event], Expression | None]]):
    """Callbacks of an event of `Port.receive`; the first one puts it in line."""

    __slots__ = ("event", "port")

    port: Port
    event: Event

    def append(self, callback: Callable[[Event], Expression | None]) -> None:
        list.append(self, callback)
        if len(self) == 1:
            self.port._register(self.event)
