"""The timeline: callbacks in the order of simulated time."""

import gc
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from restudy.qnet.engine.events import PENDING, Event
from restudy.qnet.engine.processes import Body, Process
from restudy.qnet.errors import QnetError

_INFINITY = float("inf")
_push = heapq.heappush
_COLLECT_EVERY = 50_000  # new objects, while events run


def _collect_seldom() -> Callable[[], None]:
    """Keep Python's garbage collector from looking at every component again and again.

    Returns what undoes it. What is there already is left out, and what is new is looked at after
    50,000 objects and not after some hundreds: half of the time of a chain of 10,000 nodes went
    there. A collector that the caller has frozen or switched off stays as it is.
    """
    first, *others = gc.get_threshold()
    if gc.get_freeze_count() or not first or not gc.isenabled():
        return lambda: None
    gc.freeze()
    gc.set_threshold(max(first, _COLLECT_EVERY), *others)

    def undo() -> None:
        gc.set_threshold(first, *others)
        gc.unfreeze()

    return undo


class Pending(NamedTuple):
    """A callback that is still to come."""

    time: float
    priority: float
    callback: str


@dataclass(frozen=True)
class Statistics:
    """What a simulation has done.

    Attributes
    ----------
    now : float
        Simulated time, ns.
    callbacks : int
        Entries of the timeline that were called.
    resumes : int
        Times that a process went on.
    cancelled : int
        Entries that were cancelled and are gone.
    pending : int
        Entries still on the timeline, cancelled ones among them.
    """

    now: float
    callbacks: int
    resumes: int
    cancelled: int
    pending: int


class _Halt(Exception):  # noqa: N818  # it is none of the user's errors
    """Ends the loop of ``run``; its argument says whether the time given to ``run`` has come."""


class Simulation:
    """A timeline of callbacks, and its clock.

    Parameters
    ----------
    rng : numpy.random.Generator, optional
        The one source of chance of everything in the simulation.
    instant_limit : int
        Callbacks allowed at one instant before ``run`` gives up: an endless loop, most likely.

    Attributes
    ----------
    now : float
        Simulated time, ns. Whole nanoseconds add exactly up to 2**53 ns, 104 days.
    resumes : int
        Times that a process went on.

    Notes
    -----
    The timeline is a heap of tuples (time, priority, running number, callback, arguments).
    Running numbers differ, so callbacks are never compared, and simultaneous ones of one priority
    come first in, first out. An entry that is cancelled stays until its turn, or until half of
    the timeline is cancelled.

    What decided the speed, measured by profile: no object but the tuple for a callback; no bound
    method and no constructor in Python for a timeout; the count of callbacks is worked out from
    running numbers and not incremented; an expression adds no entry, its waiters go on within the
    callback of its last term; logging is not there. One self-rescheduling callback runs at 2.1 M/s
    where a bare ``heapq`` loop runs at 4.3 M/s, a thousand with random delays at 1.0 M/s (bare:
    1.5 M/s), ``yield sim.timeout(1.0)`` at 0.9 M/s; ``yield a & b`` of two new timeouts at 0.33
    M/s, 0.66 M events/s, of which a quarter makes the three objects (CPython 3.11, AMD EPYC).
    """

    def __init__(
        self, *, rng: np.random.Generator | None = None, instant_limit: int = 1_000_000
    ) -> None:
        self.now = 0.0
        self.resumes = 0
        self._rng = rng
        self._limit = instant_limit
        self._heap: list[tuple[float, float, int, Callable[..., Any] | Event, Any]] = []
        self._number = 0  # of the last entry
        self._cancelled: set[int] = set()
        self._dropped = 0  # entries that left the timeline without a call
        self._own = 0  # entries of `run` itself that were called
        self._run: object | None = None  # which call of `run` is at work

    @cached_property
    def rng(self) -> np.random.Generator:
        """The source of chance."""
        if self._rng is None:
            raise QnetError(
                f"something random is asked for at {self.now} ns, and the simulation has no source "
                "of chance: make it with Simulation(rng=np.random.default_rng(seed))."
            )
        return self._rng

    def schedule(
        self, callback: Callable[..., Any], *args: Any, delay: float = 0.0, priority: float = 0
    ) -> int:
        """Call ``callback(*args)`` after a delay, and return a handle for `cancel`.

        Parameters
        ----------
        callback
            What to call; what it returns is not used.
        *args
            Its arguments.
        delay
            Time from now, ns, finite and not negative.
        priority
            At one time, lower ones come first.

        Raises
        ------
        QnetError
            If the delay is negative or not finite.

        Examples
        --------
        >>> sim = Simulation()
        >>> _ = sim.schedule(print, "second", delay=2.0)
        >>> gone = sim.schedule(print, "never", delay=1.0)
        >>> _ = sim.schedule(print, "first", delay=2.0, priority=-1)
        >>> sim.cancel(gone)
        >>> sim.run()
        first
        second
        >>> sim.now
        2.0
        """
        if not 0.0 <= delay < _INFINITY:
            raise self._wrong_delay(delay, callback)
        self._number = number = self._number + 1
        _push(self._heap, (self.now + delay, priority, number, callback, args))
        return number

    def schedule_at(
        self, time: float, callback: Callable[..., Any], *args: Any, priority: float = 0
    ) -> int:
        """Call ``callback(*args)`` at a time, ns, and return a handle for `cancel`.

        Raises
        ------
        QnetError
            If the time is in the past or not finite.
        """
        if not self.now <= time < _INFINITY:
            raise QnetError(
                f"{_described(callback, args)} cannot come at {time} ns: it is {self.now} ns now, "
                "give a time from now on."
            )
        self._number = number = self._number + 1
        _push(self._heap, (time, priority, number, callback, args))
        return number

    def cancel(self, handle: int) -> None:
        """Take an entry from the timeline; nothing happens if it has been called.

        Raises
        ------
        QnetError
            If no entry had this handle.
        """
        if not (isinstance(handle, int) and 0 < handle <= self._number):
            raise QnetError(
                f"{handle!r} is no handle of an entry at {self.now} ns: give what `schedule` "
                "returned."
            )
        self._cancelled.add(handle)
        if len(self._cancelled) > 64 + len(self._heap) // 2:
            self._sweep()

    def event(self) -> Event:
        """Make an event that somebody will trigger."""
        event = Event()
        event.sim = self
        event.callbacks = []
        event._value = PENDING
        event.error = None
        return event

    def timeout(self, delay: float, value: Any = None) -> Event:
        """Make an event that fires after a delay, ns, with a value.

        Raises
        ------
        QnetError
            If the delay is negative or not finite.
        """
        time = self.now + delay
        if delay < 0 or not time < _INFINITY:
            raise self._wrong_delay(delay, self.timeout)
        event = Event()
        event.sim = self
        event.callbacks = []
        event._value = PENDING
        event.error = None
        self._number = number = self._number + 1
        _push(self._heap, (time, 0, number, event, value))
        return event

    def process(self, generator: Body) -> Process:
        """Start a generator as a process; its first turn comes at this time.

        Raises
        ------
        QnetError
            If it is no generator.
        """
        return Process(self, generator)

    def run(self, until: float | Event | None = None) -> Any:
        """Call what is on the timeline, in order.

        Parameters
        ----------
        until : float or Event, optional
            A time, ns: all that is due up to then is called, that time included, and it is then
            the time. An event: stop when it has fired, and return its value. By default run until
            nothing is left.

        Returns
        -------
        object
            The value of the event, otherwise (and if `stop` came first) None.

        Raises
        ------
        QnetError
            If the time is in the past, the event never comes, too many callbacks are called at
            one instant, or ``run`` is called by a callback.
        Exception
            What a callback raises, and what a process raises that nobody waits for.

        Examples
        --------
        >>> sim = Simulation()
        >>> sim.run(until=sim.timeout(3.0, "photon"))
        'photon'
        >>> sim.run(until=10.0)
        >>> sim.now
        10.0
        """
        if self._run is not None:
            raise QnetError(f"run is called inside run at {self.now} ns: wait for an event.")
        self._run = object()
        end, halted = None, False
        collector = _collect_seldom()
        try:
            if isinstance(until, Event):
                if until.callbacks is None:
                    return until.value
                until.callbacks.append(self._stop_on)
            elif until is not None:
                end = self.schedule_at(until, self._halt, self._run, True, priority=_INFINITY)
            self._loop()
        except _Halt as halt:
            halted = True
            if halt.args[0]:
                end = None
        finally:
            collector()
            self._run = None
            if end is not None:
                self.cancel(end)
            if isinstance(until, Event) and until.callbacks is not None:
                until.callbacks.remove(self._stop_on)
        if not isinstance(until, Event):
            return None
        if until.callbacks is None:
            return until.value
        if not halted:
            raise QnetError(
                f"{until!r} did not come: nothing is left to do at {self.now} ns, so what should "
                "trigger it never will."
            )
        return None

    def step(self) -> Pending | None:
        """Call what is next on the timeline, and return what it was; None if nothing is left.

        Examples
        --------
        >>> sim = Simulation()
        >>> _ = sim.schedule(print, "hello", delay=2.0)
        >>> sim.step().time
        hello
        2.0
        """
        while self._heap:
            time, priority, number, callback, args = heapq.heappop(self._heap)
            if number in self._cancelled:
                self._cancelled.remove(number)
                self._dropped += 1
                continue
            self.now = time
            pending = Pending(time, priority, _described(callback, args))
            if type(callback) is Event:
                callback._call(args)
            else:
                callback(*args)  # type: ignore[operator]  # an exact Event is above
            return pending
        return None

    def stop(self) -> None:
        """Make ``run`` return after the callback that is running; nothing happens outside it."""
        if self._run is not None:
            self.schedule(self._halt, self._run, False, priority=-_INFINITY)

    @property
    def statistics(self) -> Statistics:
        """What was done so far."""
        called = self._number - len(self._heap) - self._dropped - self._own
        return Statistics(self.now, called, self.resumes, self._dropped, len(self._heap))

    def timeline(self) -> list[Pending]:
        """List what is still to come, in order.

        Examples
        --------
        >>> sim = Simulation()
        >>> _ = sim.schedule(print, delay=2.0)
        >>> sim.timeline()
        [Pending(time=2.0, priority=0, callback='print')]
        """
        return [
            Pending(time, priority, _described(callback, args))
            for time, priority, number, callback, args in sorted(self._heap)
            if number not in self._cancelled
        ]

    def _loop(self) -> None:
        heap, cancelled, limit = self._heap, self._cancelled, self._limit
        pop = heapq.heappop
        now, same = self.now, 0
        while heap:
            time, _, number, callback, args = pop(heap)
            if cancelled and number in cancelled:
                cancelled.remove(number)
                self._dropped += 1
                continue
            if time == now:
                same += 1
                if same > limit:
                    raise QnetError(
                        f"{limit} callbacks were called at {now} ns and the time does not go on; "
                        f"the next is {_described(callback, args)}: give it a delay, or raise "
                        "Simulation(instant_limit=...)."
                    )
            else:
                self.now = now = time
                same = 0
            if type(callback) is Event:
                callback._call(args)
            else:
                callback(*args)  # type: ignore[operator]  # an exact Event is above

    def _halt(self, run: object, due: bool) -> None:
        self._own += 1
        if run is self._run:  # and not one that ended by an error before
            raise _Halt(due)

    def _stop_on(self, event: Event) -> None:
        self.stop()

    def _sweep(self) -> None:
        """Make the heap anew without what was cancelled; forget handles of entries long called."""
        before = len(self._heap)
        self._heap[:] = [entry for entry in self._heap if entry[2] not in self._cancelled]
        heapq.heapify(self._heap)
        self._cancelled.clear()
        self._dropped += before - len(self._heap)

    def _wrong_delay(self, delay: float, callback: Callable[..., Any]) -> QnetError:
        return QnetError(
            f"{_described(callback, ())} got the delay {delay} ns at {self.now} ns: give a finite "
            "one that is not negative."
        )


def _described(callback: Callable[..., Any] | Event, args: Any) -> str:
    """Name a callback; of an event, name who waits for it."""
    if isinstance(callback, Event):
        event: object = callback
        callback = Event._call
    else:
        event = getattr(callback, "__self__", None)
    if isinstance(event, Event) and event.callbacks:
        callback = event.callbacks[0]
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, Process):
        return f"the process {owner.name}"
    name = getattr(owner, "name", None)
    what = getattr(callback, "__qualname__", None) or repr(callback)
    return f"{what} of {name}" if name else what
