"""Events, and expressions of events: what a process can wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from restudy.qnet.errors import QnetError

if TYPE_CHECKING:
    from restudy.qnet.engine.simulation import Simulation

PENDING: Final = object()  # the value of an event that nobody has triggered


class Event:
    """Something that happens once, at one simulated time, with a value or an error.

    Made by `Simulation.event` and `Simulation.timeout`, which fill it: a constructor in Python
    would be a fifth of the cost of a timeout.

    Attributes
    ----------
    sim : Simulation
        The simulation that it belongs to.
    callbacks : list of callable, or None
        Called with the event when it fires, first come, first served; None afterwards. A callback
        returns None, or an `Expression` that it has completed.
    error : Exception or None
        What is thrown into those who wait, in place of a value.

    Examples
    --------
    >>> from restudy.qnet.engine.simulation import Simulation
    >>> sim = Simulation()
    >>> door = sim.event()
    >>> door.callbacks.append(lambda event: print(sim.now, event.value))
    >>> _ = sim.schedule(door.trigger, "open", delay=5.0)
    >>> sim.run()
    5.0 open
    """

    __slots__ = ("_value", "callbacks", "error", "sim")

    sim: Simulation
    callbacks: list[Callable[[Event], Expression | None]] | None
    _value: Any
    error: Exception | None

    @property
    def triggered(self) -> bool:
        """Whether it has a value or an error."""
        return self._value is not PENDING

    @property
    def fired(self) -> bool:
        """Whether its callbacks have been called (or are being called)."""
        return self.callbacks is None

    @property
    def value(self) -> Any:
        """What it was triggered with; raises its error if it failed."""
        if self.error is not None:
            raise self.error
        if self._value is PENDING:
            raise QnetError(
                f"{self!r} has no value at {self.sim.now} ns: wait for it, or look at `triggered`."
            )
        return self._value

    def trigger(self, value: Any = None) -> None:
        """Give the event its value; its callbacks are called at this time, in their turn.

        Raises
        ------
        QnetError
            If it was triggered before.
        """
        self._set(value)
        self.sim.schedule(self._call, value)

    def fail(self, error: Exception) -> None:
        """Give the event an error, thrown into those who wait, or out of ``run`` if nobody waits.

        Raises
        ------
        QnetError
            If it was triggered before.
        """
        self._set(None)
        self.error = error
        self.sim.schedule(self._call, None)

    def fire(self, value: Any = None) -> None:
        """Give the event its value and call its callbacks now, inside the caller's callback.

        It saves a place on the timeline: for callbacks of the timeline that do nothing else.

        Raises
        ------
        QnetError
            If it was triggered before.
        """
        if self._value is not PENDING:
            raise self._again()
        self._call(value)

    def __and__(self, other: Event) -> Expression:
        """Give the expression that waits for both events."""
        if not isinstance(other, Event):
            return NotImplemented
        return Expression(self.sim, (self, other), 2)

    def __or__(self, other: Event) -> Expression:
        """Give the expression that waits for the first of both events."""
        if not isinstance(other, Event):
            return NotImplemented
        return Expression(self.sim, (self, other), 1)

    def __repr__(self) -> str:
        """Class and what is known of the event."""
        if self.error is not None:
            return f"<{type(self).__name__} failed: {self.error}>"
        state = "pending" if self._value is PENDING else f"triggered: {self._value!r}"
        return f"<{type(self).__name__} {state}>"

    def _set(self, value: Any) -> None:
        if self._value is not PENDING:
            raise self._again()
        self._value = value

    def _call(self, value: Any) -> None:
        """Call the callbacks, then those of the expressions that they complete."""
        callbacks = self.callbacks
        if callbacks is None:
            raise self._again()
        self._value = value
        self.callbacks = None
        if not callbacks and self.error is not None:
            raise self.error
        if len(callbacks) == 1:
            expression = callbacks[0](self)
            if expression is None:
                return
            ready = [expression]
        else:
            ready = []
            for callback in callbacks:
                expression = callback(self)
                if expression is not None:
                    ready.append(expression)
        for expression in ready:  # which grows: no recursion
            expression._spread(ready)

    def _again(self) -> QnetError:
        return QnetError(
            f"{self!r} is triggered again at {self.sim.now} ns: an event happens once, make a new "
            "one."
        )


class Expression(Event):
    """Some of several events: all of them, or the first; its terms may be expressions.

    A term that fires is counted, so the cost is one addition a term, at any depth. Those who wait
    go on within the callback of the term that completes the expression. A complete expression
    leaves its other terms alone: they do not keep it.

    Attributes
    ----------
    terms : tuple of Event
        What it was made of.

    Notes
    -----
    The value is the tuple of the terms that have fired, in that order: all of them for AND, one
    for OR (more if they had fired before the expression was made). A term that fails makes the
    expression fail.

    Examples
    --------
    >>> from restudy.qnet.engine.simulation import Simulation
    >>> sim = Simulation()
    >>> def wait():
    ...     photon, limit = sim.timeout(3.0, "click"), sim.timeout(8.0)
    ...     fired = yield (photon & sim.timeout(1.0)) | limit
    ...     print(sim.now, limit in fired, photon.value)
    >>> _ = sim.process(wait())
    >>> sim.run()
    3.0 False click
    """

    __slots__ = ("_fired", "_needed", "terms")

    def __init__(self, sim: Simulation, terms: tuple[Event, ...], needed: int) -> None:
        self.sim = sim
        self.callbacks = []
        self._value = PENDING
        self.error = None
        self.terms = terms
        self._needed = needed
        self._fired: list[Event] = []
        count = self._count
        for term in terms:
            if term.callbacks is None:
                self._fired.append(term)
            else:
                term.callbacks.append(count)
        if self._fired:
            self._count_early()

    def _count(self, term: Event) -> Expression | None:
        """Count a term that fires; return the expression if that completes it."""
        if self._value is not PENDING:
            return None
        fired = self._fired
        fired.append(term)
        if term.error is None:
            if len(fired) < self._needed:
                return None
            self._value = tuple(fired)
        else:
            self._value = None
            self.error = term.error
        if len(fired) < len(self.terms):
            self._leave()
        return self

    def _spread(self, ready: list[Expression]) -> None:
        """Call the callbacks of the complete expression; add the expressions that they complete."""
        callbacks = self.callbacks
        assert callbacks is not None
        self.callbacks = None
        if not callbacks and self.error is not None:
            raise self.error
        for callback in callbacks:
            expression = callback(self)
            if expression is not None:
                ready.append(expression)

    def _count_early(self) -> None:
        """Count the terms that had fired before the expression was made."""
        fired = self._fired
        failed = next((term for term in fired if term.error is not None), None)
        if failed is not None:
            self._leave()
            self.fail(failed.error)  # type: ignore[arg-type]
        elif len(fired) >= self._needed:
            self._leave()
            self.trigger(tuple(fired))

    def _leave(self) -> None:
        """Take the callback back from the terms that have not fired."""
        count = self._count
        for term in self.terms:
            if term.callbacks is not None:
                term.callbacks.remove(count)


def all_of(events: Iterable[Event]) -> Expression:
    """Wait for all of the events: an AND of any width.

    Raises
    ------
    QnetError
        If there are none.
    """
    terms = tuple(events)
    if not terms:
        raise QnetError("all_of got no event: give at least one.")
    return Expression(terms[0].sim, terms, len(terms))


def any_of(events: Iterable[Event]) -> Expression:
    """Wait for the first of the events: an OR of any width.

    Raises
    ------
    QnetError
        If there are none.
    """
    terms = tuple(events)
    if not terms:
        raise QnetError("any_of got no event: give at least one.")
    return Expression(terms[0].sim, terms, 1)
