"""The engine against a slow reference, and each of its rules."""

import gc
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restudy.qnet.engine.events import Event, all_of, any_of
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError


class SortedList:
    """The obvious timeline: all entries in a list, sorted before each call."""

    def __init__(self) -> None:
        self.now = 0.0
        self.entries: list[Any] = []
        self.number = 0

    def schedule(self, callback: Any, *args: Any, delay: float = 0.0, priority: float = 0) -> int:
        self.number += 1
        self.entries.append((self.now + delay, priority, self.number, callback, args))
        return self.number

    def cancel(self, handle: int) -> None:
        self.entries = [entry for entry in self.entries if entry[2] != handle]

    def run(self, until: float = math.inf) -> None:
        while self.entries:
            self.entries.sort(key=lambda entry: entry[:3])
            if self.entries[0][0] > until:
                break
            self.now, _, _, callback, args = self.entries.pop(0)
            callback(*args)
        if until < math.inf:
            self.now = until


class Tree:
    """Callbacks that schedule and cancel callbacks, as a list of small numbers says."""

    def __init__(self, sim: Any, genes: list[tuple[int, int, int]]) -> None:
        self.sim, self.genes = sim, iter(genes)
        self.log: list[tuple[float, int]] = []
        self.handles: list[int] = []

    def call(self, name: int) -> None:
        self.log.append((self.sim.now, name))
        for delay, priority, cancels in self.two():
            handle = self.sim.schedule(
                self.call, len(self.handles), delay=float(delay), priority=priority
            )
            self.handles.append(handle)
            if cancels:
                self.sim.cancel(self.handles[-cancels % len(self.handles)])

    def two(self) -> Iterator[tuple[int, int, int]]:
        for _ in range(2):
            gene = next(self.genes, None)
            if gene is not None:
                yield gene


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 1), st.integers(0, 3)), max_size=60),
    st.integers(0, 12),
)
def test_order_is_that_of_a_sorted_list(genes: list[tuple[int, int, int]], until: int) -> None:
    logs = []
    for sim in (SortedList(), Simulation()):
        tree = Tree(sim, genes)
        sim.schedule(tree.call, -1)
        sim.schedule(tree.call, -2)
        sim.run(until=float(until))
        assert sim.now == until
        tree.log.append((sim.now, -3))
        sim.run()
        logs.append(tree.log)
    assert logs[0] == logs[1]


def test_simultaneous_callbacks_are_first_in_first_out() -> None:
    sim, log = Simulation(), []
    for k in range(1000):
        sim.schedule(log.append, k, delay=7.0)
    sim.run()
    assert log == list(range(1000))
    assert sim.statistics.callbacks == 1000


def test_many_cancelled_entries_leave_the_timeline() -> None:
    sim, log = Simulation(), []
    handles = [sim.schedule(log.append, k, delay=float(k)) for k in range(10_000)]
    for handle in handles[1:]:
        sim.cancel(handle)
    assert sim.statistics.pending < 200
    sim.run()
    assert log == [0]
    sim.cancel(handles[0])  # called long ago: nothing happens
    assert sim.statistics.cancelled == 9_999
    assert sim.statistics.callbacks == 1


def test_cancelling_what_was_called_does_not_pile_up() -> None:
    sim = Simulation()

    def tick(left: int, last: int) -> None:
        sim.cancel(last)
        if left:
            sim.schedule(tick, left - 1, sim._number, delay=1.0)

    sim.schedule(tick, 5000, 1)
    sim.run()
    assert len(sim._cancelled) < 200
    assert sim.statistics.callbacks == 5001


# --- expressions -----------------------------------------------------------------------------

formulas = st.recursive(
    st.integers(0, 6),
    lambda terms: st.tuples(st.sampled_from("&|"), st.lists(terms, min_size=1, max_size=4)),
    max_leaves=25,
)


def built(formula: Any, events: list[Event]) -> Event:
    if isinstance(formula, int):
        return events[formula]
    terms = [built(term, events) for term in formula[1]]
    return all_of(terms) if formula[0] == "&" else any_of(terms)


def time_of(formula: Any, times: list[float]) -> float:
    if isinstance(formula, int):
        return times[formula]
    return (max if formula[0] == "&" else min)(time_of(term, times) for term in formula[1])


@given(formulas, st.lists(st.integers(0, 5), min_size=7, max_size=7), st.integers(0, 5))
def test_an_expression_fires_at_the_time_of_its_formula(
    formula: Any, times: list[float], made: int
) -> None:
    sim = Simulation()
    events = [sim.timeout(float(time)) for time in times]
    seen = []

    def wait() -> Any:
        yield sim.timeout(float(made))
        yield built(formula, events)
        seen.append(sim.now)

    sim.process(wait())
    sim.run()
    assert seen == [max(made, time_of(formula, times))]
    assert all(event.callbacks is None for event in events)


def test_a_chain_of_ten_thousand_terms() -> None:
    sim = Simulation()
    events = [sim.event() for _ in range(10_000)]
    every, first = events[0], events[0]
    for event in events[1:]:
        every, first = every & event, event & (first | event)
    log: list[float] = []
    for expression in (every, first):
        expression.callbacks.append(lambda _: log.append(sim.now))
    for k, event in enumerate(events):
        sim.schedule(event.fire, delay=float(k))
    sim.run()
    assert log == [9999.0, 9999.0]


def test_the_value_is_the_terms_that_fired() -> None:
    sim = Simulation()
    a, b, c = sim.timeout(2.0, "a"), sim.timeout(1.0, "b"), sim.timeout(3.0, "c")
    either, both = a | b, a & b
    assert sim.run(until=either) == (b,)
    assert sim.run(until=both) == (b, a)
    assert sim.run(until=any_of([a, b, c])) == (a, b)  # both have fired: nothing to wait for
    assert sim.now == 2.0


def test_a_complete_expression_leaves_its_other_terms() -> None:
    sim = Simulation()
    door = sim.event()
    for _ in range(100):
        sim.run(until=door | sim.timeout(1.0))
    assert door.callbacks == []
    past = sim.timeout(0.0)
    sim.run()
    sim.run(until=door | past)  # complete from the start
    assert door.callbacks == []


def test_a_term_twice() -> None:
    sim = Simulation()
    a, b = sim.timeout(1.0), sim.timeout(2.0)
    assert sim.run(until=all_of([a, a, b])) == (a, a, b)
    c = sim.timeout(1.0)
    assert sim.run(until=c | c) == (c,)


def test_a_term_that_fails() -> None:
    sim = Simulation()
    good, bad = sim.timeout(2.0), sim.event()
    sim.schedule(bad.fail, ValueError("no photon"), delay=1.0)
    with pytest.raises(ValueError, match="no photon"):
        sim.run(until=good & bad)
    with pytest.raises(ValueError, match="no photon"):
        sim.run(until=good | bad)  # after it has failed
    assert sim.now == 1.0
    assert good.callbacks == []


# --- events ----------------------------------------------------------------------------------


def test_trigger_waits_for_its_turn_and_fire_does_not() -> None:
    sim, log = Simulation(), []
    one, two = sim.event(), sim.event()
    one.callbacks.append(lambda _: log.append("one"))
    two.callbacks.append(lambda _: log.append("two"))

    def callback() -> None:
        one.trigger()
        two.fire()
        log.append("end")

    sim.schedule(callback)
    sim.run()
    assert log == ["two", "end", "one"]


@pytest.mark.parametrize("first", ["trigger", "fire", "fail"])
@pytest.mark.parametrize("second", ["trigger", "fire", "fail"])
def test_an_event_happens_once(first: str, second: str) -> None:
    sim = Simulation()
    event = sim.event()
    event.callbacks.append(lambda _: None)
    getattr(event, first)(ValueError("x"))
    with pytest.raises(QnetError, match=r"again at 0\.0 ns: an event happens once"):
        getattr(event, second)(ValueError("y"))


def test_a_timeout_triggered_by_hand_is_an_error_when_it_is_due() -> None:
    sim = Simulation()
    event = sim.timeout(3.0)
    event.trigger()
    with pytest.raises(QnetError, match=r"again at 3\.0 ns"):
        sim.run()


def test_a_failure_nobody_waits_for_leaves_run() -> None:
    sim = Simulation()
    sim.event().fail(ValueError("lost"))
    with pytest.raises(ValueError, match="lost"):
        sim.run()


def test_a_value_too_early() -> None:
    with pytest.raises(QnetError, match=r"has no value at 0\.0 ns"):
        _ = Simulation().event().value


# --- processes -------------------------------------------------------------------------------


def test_return_values_and_failures() -> None:
    sim = Simulation()

    def inner(value: int) -> Any:
        yield sim.timeout(2.0)
        if value < 0:
            raise ValueError(f"bad {value}")
        return value

    def outer() -> Any:
        three = yield sim.process(inner(3))
        try:
            yield sim.process(inner(-1))
        except ValueError as error:
            return three, str(error), sim.now
        raise AssertionError("the failure was not thrown")

    assert sim.run(until=sim.process(outer())) == (3, "bad -1", 4.0)


def test_an_exception_says_which_process_and_when() -> None:
    sim = Simulation()

    def breaks() -> Any:
        yield sim.timeout(5.0)
        raise ZeroDivisionError

    sim.process(breaks())
    with pytest.raises(ZeroDivisionError) as caught:
        sim.run()
    assert "breaks at 5.0 ns" in caught.value.__notes__[0]


def test_waiting_for_what_has_fired_goes_on_at_once_and_in_turn() -> None:
    sim, log = Simulation(), []
    old = sim.timeout(1.0, "value")

    def waits() -> Any:
        yield sim.timeout(2.0)
        log.append((yield old))
        log.append(sim.now)

    sim.process(waits())
    sim.schedule(lambda: sim.schedule(log.append, "other"), delay=2.0)
    sim.run()
    assert log == ["other", "value", 2.0]


def test_stop_while_waiting_runs_finally_and_detaches() -> None:
    sim, log = Simulation(), []
    door = sim.event()

    def waits() -> Any:
        try:
            yield door
        finally:
            log.append(sim.now)

    process = sim.process(waits())
    sim.schedule(process.stop, delay=4.0)
    sim.run()
    assert log == [4.0]
    assert door.callbacks == []
    process.stop()  # over: nothing happens


def test_waiting_on_a_stopped_process() -> None:
    sim = Simulation()

    def idle() -> Any:
        yield sim.event()

    def waits(other: Event) -> Any:
        yield other

    stopped = sim.process(idle())
    before = sim.process(waits(stopped))
    sim.schedule(stopped.stop, delay=2.0)
    with pytest.raises(QnetError, match=r"\.idle was stopped at 2\.0 ns .* do not wait"):
        sim.run(until=before)
    with pytest.raises(QnetError, match=r"\.idle was stopped at 2\.0 ns"):
        sim.run(until=sim.process(waits(stopped)))


def test_a_process_stopped_in_the_instant_of_its_event_stays_stopped() -> None:
    sim, log = Simulation(), []
    tick = sim.timeout(1.0)
    processes: list[Any] = []

    def first() -> Any:
        yield tick
        processes[1].stop()

    def second() -> Any:
        yield tick
        log.append("ran")

    def waits() -> Any:
        try:
            yield processes[1]
        except QnetError:
            log.append(sim.now)

    processes += [sim.process(first()), sim.process(second()), sim.process(waits())]
    sim.run()
    assert log == [1.0]
    assert processes[0].fired


def test_a_process_cannot_stop_itself() -> None:
    sim = Simulation()
    processes: list[Any] = []

    def itself() -> Any:
        yield sim.timeout(1.0)
        processes[0].stop()

    processes.append(sim.process(itself()))
    with pytest.raises(QnetError, match=r"itself stops itself at 1\.0 ns: end it by return"):
        sim.run()


def test_a_stopped_process_that_has_not_begun_never_does() -> None:
    sim, log = Simulation(), []

    def begins() -> Any:
        log.append("begun")
        yield sim.timeout(1.0)

    sim.process(begins()).stop()
    sim.run()
    assert log == []


def test_yielding_what_is_no_event() -> None:
    sim = Simulation()

    def wrong() -> Any:
        yield sim.timeout(1.0)
        yield 5.0

    sim.process(wrong())
    with pytest.raises(QnetError, match=r"wrong yielded 5\.0 at 1\.0 ns: yield an event"):
        sim.run()
    with pytest.raises(QnetError, match=r"needs a generator, not the function .* call the func"):
        sim.process(wrong)  # type: ignore[arg-type]


# --- run -------------------------------------------------------------------------------------


def test_run_until_a_time_includes_it() -> None:
    sim, log = Simulation(), []
    for time in (1.0, 2.0, 3.0):
        sim.schedule(log.append, time, delay=time)
    sim.schedule(lambda: sim.schedule(log.append, "then", priority=5), delay=2.0)
    sim.run(until=2.0)
    assert (log, sim.now) == ([1.0, 2.0, "then"], 2.0)
    sim.run(until=10.0)
    assert (log[3:], sim.now) == ([3.0], 10.0)
    assert sim.statistics.callbacks == 5
    assert sim.timeline() == []


def test_run_until_an_event_calls_all_its_callbacks_and_no_more() -> None:
    sim, log = Simulation(), []
    event = sim.timeout(1.0, "value")
    sim.schedule(log.append, "same time", delay=1.0)
    assert event.callbacks is not None
    event.callbacks.append(lambda _: log.append("callback"))
    assert sim.run(until=event) == "value"
    assert log == ["callback"]
    assert sim.run(until=event) == "value"  # fired: at once
    sim.run()
    assert log == ["callback", "same time"]


def test_an_event_that_never_comes() -> None:
    sim = Simulation()
    sim.schedule(int, delay=3.0)
    with pytest.raises(QnetError, match=r"did not come: nothing is left to do at 3\.0 ns"):
        sim.run(until=sim.event())


def test_stop_ends_run_and_it_goes_on() -> None:
    sim, log = Simulation(), []
    sim.stop()  # outside run: nothing happens
    sim.schedule(sim.stop, delay=1.0)
    sim.schedule(log.append, 1, delay=1.0)
    sim.run(until=5.0)
    assert (sim.now, log) == (1.0, [])
    assert len(sim.timeline()) == 1
    sim.run()
    assert log == [1]
    assert sim.statistics.callbacks == 2


def test_stop_before_the_event_that_run_waits_for() -> None:
    sim = Simulation()
    event = sim.timeout(3.0, "value")
    sim.schedule(sim.stop, delay=1.0)
    assert sim.run(until=event) is None
    assert sim.now == 1.0
    assert sim.run(until=event) == "value"


def test_an_error_beside_the_event_that_run_waits_for() -> None:
    sim, log = Simulation(), []
    event = sim.timeout(1.0)
    sim.schedule(log.append, "later", delay=2.0)

    sim.schedule(lambda: event.callbacks.append(lambda _: 1 / 0))  # type: ignore[union-attr]
    with pytest.raises(ZeroDivisionError):
        sim.run(until=event)
    sim.run()  # what should have stopped that run does not stop this one
    assert log == ["later"]


def test_after_an_error_the_simulation_goes_on() -> None:
    sim, log = Simulation(), []
    sim.schedule(lambda: 1 / 0, delay=1.0)
    sim.schedule(log.append, 2, delay=2.0)
    with pytest.raises(ZeroDivisionError):
        sim.run(until=9.0)
    assert sim.now == 1.0
    sim.run()
    assert (log, sim.now) == ([2], 2.0)


def test_an_endless_instant_names_time_and_callback() -> None:
    sim = Simulation(instant_limit=100)

    def again() -> None:
        sim.schedule(again)

    sim.schedule(again, delay=8.0)
    with pytest.raises(QnetError, match=r"100 callbacks .* 8\.0 ns .* next is .*again: give it"):
        sim.run()

    def spins() -> Any:
        while True:
            yield sim.timeout(0.0)

    sim = Simulation(instant_limit=100)
    sim.process(spins())
    with pytest.raises(QnetError, match=r"the next is the process .*spins"):
        sim.run()


@pytest.mark.parametrize("delay", [-1.0, math.nan, math.inf])
def test_bad_delays(delay: float) -> None:
    sim = Simulation()
    sim.run(until=7.0)
    with pytest.raises(QnetError, match=r"print got the delay .* at 7\.0 ns"):
        sim.schedule(print, delay=delay)
    with pytest.raises(QnetError, match=r"timeout got the delay .* at 7\.0 ns"):
        sim.timeout(delay)
    with pytest.raises(QnetError, match=r"it is 7\.0 ns now"):
        sim.schedule_at(7.0 + delay if delay != math.inf else delay, print)


def test_other_wrong_calls() -> None:
    sim = Simulation()
    with pytest.raises(QnetError, match="no handle"):
        sim.cancel(1)
    with pytest.raises(QnetError, match="no source of chance"):
        _ = sim.rng
    with pytest.raises(QnetError, match="no event"):
        all_of([])
    with pytest.raises(TypeError):
        _ = sim.event() & 3  # type: ignore[operator]
    sim.schedule(sim.run)
    with pytest.raises(QnetError, match="inside run"):
        sim.run()
    rng = np.random.default_rng(1)
    assert Simulation(rng=rng).rng is rng


def test_the_timeline_is_listed_in_order() -> None:
    sim = Simulation()

    def sleeper() -> Any:
        yield sim.timeout(4.0)

    sim.process(sleeper())
    sim.schedule(print, delay=2.0, priority=1)
    gone = sim.schedule(print, delay=1.0)
    sim.cancel(gone)
    sim.run(until=0.0)
    names = [(entry.time, entry.callback) for entry in sim.timeline()]
    assert names[0] == (2.0, "print")
    assert names[1][0] == 4.0
    assert names[1][1].endswith("sleeper")


def test_step_by_step() -> None:
    sim, log = Simulation(), []
    for k in range(3):
        sim.schedule(log.append, k, delay=float(k))
    sim.cancel(2)
    steps = [sim.step(), sim.step()]
    assert [step.time for step in steps if step is not None] == [0.0, 2.0]
    assert (log, sim.now, sim.step()) == ([0, 2], 2.0, None)
    assert (sim.statistics.callbacks, sim.statistics.cancelled) == (2, 1)


def test_the_garbage_collector_is_as_it_was_after_a_run():
    before = gc.get_threshold(), gc.get_freeze_count()
    seen = []
    sim = Simulation()
    sim.schedule(lambda: seen.append((gc.get_threshold()[0], gc.get_freeze_count() > 0)))
    sim.run()
    assert seen == [(50_000, True)]
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
    sim.schedule(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sim.run()
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
    gc.disable()
    try:
        sim.schedule(lambda: seen.append(gc.get_freeze_count()))
        sim.run()
    finally:
        gc.enable()
    assert seen[-1] == before[1]
