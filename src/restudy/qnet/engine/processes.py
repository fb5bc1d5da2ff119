"""Processes: generators that wait for events."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from restudy.qnet.engine.events import PENDING, Event
from restudy.qnet.errors import QnetError

if TYPE_CHECKING:
    from restudy.qnet.engine.simulation import Simulation

Body: TypeAlias = Generator[Event, Any, Any]

_TURN: Final[Event] = object.__new__(Event)  # has fired: what a process that begins waits for
_TURN.callbacks = _TURN._value = _TURN.error = None


class Process(Event):
    """A generator that yields the events it waits for; itself the event of its end.

    A ``yield`` gives the value of the event, or throws its error. The value of the process is what
    the generator returns. An exception that leaves the generator is thrown into those who wait for
    the process, or out of ``run`` if nobody does.

    Attributes
    ----------
    name : str
        Name of the generator function, for messages.

    Examples
    --------
    >>> from restudy.qnet.engine.simulation import Simulation
    >>> sim = Simulation()
    >>> def measure():
    ...     yield sim.timeout(3700.0)
    ...     return 1
    >>> def main():
    ...     outcome = yield sim.process(measure())
    ...     print(sim.now, outcome)
    >>> _ = sim.process(main())
    >>> sim.run()
    3700.0 1
    """

    __slots__ = ("_generator", "_send", "_target", "_wake", "name")

    def __init__(self, sim: Simulation, generator: Body) -> None:
        if not isinstance(generator, GeneratorType):
            raise QnetError(
                f"a process needs a generator, not the {type(generator).__name__} {generator!r}: "
                "call the function, which has to contain a yield."
            )
        self.sim = sim
        self.callbacks = []
        self._value = PENDING
        self.error = None
        self.name: str = getattr(generator, "__qualname__", type(generator).__name__)
        self._generator = generator
        self._send = generator.send
        self._wake: Callable[[Event], None] | None = self._resume
        self._target = _TURN
        sim.schedule(self._wake, _TURN)

    def stop(self) -> None:
        """End the process where it waits (its ``finally`` blocks run); those who wait for it fail.

        Nothing happens if it is over.

        Raises
        ------
        QnetError
            If it stops itself.
        """
        if self._value is not PENDING:
            return
        if getattr(self._generator, "gi_running", False):
            raise QnetError(
                f"the process {self.name} stops itself at {self.sim.now} ns: end it by return."
            )
        waiting = self._target.callbacks
        if waiting is not None and self._wake in waiting:
            waiting.remove(self._wake)
        self._generator.close()
        self._end(None)
        self.error = QnetError(
            f"the process {self.name} was stopped at {self.sim.now} ns and will not end: do not "
            "wait for it."
        )
        self._tell()

    def _resume(self, event: Event) -> None:
        """Go on to the next ``yield``."""
        if self._value is not PENDING:  # it was stopped in the same instant
            return
        self.sim.resumes += 1
        try:
            if event.error is None:
                target = self._send(event._value)
            else:
                target = self._generator.throw(event.error)
        except StopIteration as end:
            self._end(end.value)
            self._tell()
            return
        except Exception as error:
            error.add_note(f"in the process {self.name} at {self.sim.now} ns")
            self._end(None)
            self.error = error
            self.sim.schedule(self._call, self._value)
            return
        try:
            target.callbacks.append(self._wake)
            self._target = target
        except AttributeError:  # it has fired, or is none
            self._wait(target)

    def _wait(self, target: Event) -> None:
        """Be called when the target fires, or in turn if it has."""
        if not isinstance(target, Event):
            wrong = target
            target = self.sim.event()
            target.callbacks = None
            target.error = QnetError(
                f"the process {self.name} yielded {wrong!r} at {self.sim.now} ns: yield an event, "
                "such as sim.timeout(delay)."
            )
        self._target = target
        if target.callbacks is None:
            self.sim.schedule(self._resume, target)
        else:
            target.callbacks.append(self._resume)

    def _end(self, value: Any) -> None:
        self._value = value
        self._wake = None  # no cycle is left for the garbage collector

    def _tell(self) -> None:
        """Let those who wait go on, in turn; no turn is needed if nobody does."""
        if self.callbacks:
            self.sim.schedule(self._call, self._value)
        else:
            self.callbacks = None

    def __repr__(self) -> str:
        """Name and state."""
        return f"<Process {self.name}: {super().__repr__()}>"
