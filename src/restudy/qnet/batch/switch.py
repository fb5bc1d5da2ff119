"""The quantum switch on arrays: as many events as a compiled loop handles.

Nothing that decoheres changes what is measured when, so that one run gives the fidelity for any
coherence time: a pair that is stored for t keeps exp(-2t/T2) of its phase, as both of its qubits
dephase, and a GHZ state keeps the product of its pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from restudy.qnet.arguments import positive
from restudy.qnet.hardware.switch_scenario import Arrivals, Scenario, draw_arrivals

_PAIRS = 1 << 18
_NO_LIMIT = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Counts:
    """What became of the pairs: arrived = n x states + dropped + erased + stored.

    Attributes
    ----------
    arrived, dropped, erased, stored : int
        Pairs: all of them, those that gave way to newer ones, those that were lost, those that
        are left.
    states : int
        GHZ states measured.
    """

    arrived: int
    dropped: int
    erased: int
    stored: int
    states: int


@dataclass(frozen=True)
class SwitchRun:
    """A run of the switch.

    Attributes
    ----------
    scenario : Scenario
        What was asked.
    counts : Counts
        What became of the pairs.
    t2_s : tuple of float
        Coherence times, s.
    fidelity : numpy.ndarray of float64, shape (len(t2_s),)
        Mean fidelity at each; NaN without a GHZ state.
    """

    scenario: Scenario
    counts: Counts
    t2_s: tuple[float, ...]
    fidelity: np.ndarray

    @property
    def capacity_hz(self) -> float:
        """GHZ states a second."""
        return self.counts.states / self.scenario.runtime_s


class SwitchBatch:
    """The buffers of a switch, fed with arrivals in pieces.

    Parameters
    ----------
    scenario
        What to simulate; its coherence time and runtime are not looked at.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        leaves = len(scenario.rates_hz)
        limits = [_NO_LIMIT if b is None else b for b in scenario.buffers]
        self._limits = np.array(limits, dtype="int64")
        self._delays = np.array(scenario.delays_s)
        self._pairs = np.empty((2, leaves, 16))  # when they arrived, and when they are erased
        self._first = np.zeros(leaves, dtype="int64")  # where the oldest pair of a leaf is
        self._stored = np.zeros(leaves, dtype="int64")
        self._totals = np.zeros(4, dtype="int64")  # arrived, dropped, erased, states

    def feed(self, arrivals: Arrivals) -> tuple[np.ndarray, np.ndarray]:
        """Let pairs arrive, later than all before.

        Returns
        -------
        time_s
            When each GHZ state was measured, s, (states,).
        exposure_s
            Time in memories that its qubits have had together, s, (states,): twice the age of
            each pair, and the delay of the message to its leaf.
        """
        self._make_room(int(np.bincount(arrivals.leaf, minlength=1).max(initial=0)))
        time_s, exposure_s = np.empty((2, len(arrivals.time_s)))
        states = _serve(
            arrivals.time_s,
            arrivals.leaf,
            arrivals.time_s + arrivals.lifetime_s,
            self.scenario.connect_size,
            -1 if self.scenario.server is None else self.scenario.server,
            self._limits,
            self._delays,
            self._pairs,
            self._first,
            self._stored,
            self._totals,
            time_s,
            exposure_s,
        )
        return time_s[:states], exposure_s[:states]

    @property
    def counts(self) -> Counts:
        """What became of the pairs up to now."""
        arrived, dropped, erased, states = map(int, self._totals)
        return Counts(arrived, dropped, erased, int(self._stored.sum()), states)

    def _make_room(self, pairs: int) -> None:
        """Move the pairs to the front, and have room for that many more of any leaf."""
        room = int(self._stored.max()) + pairs
        moved = np.empty((2, len(self._stored), max(room, self._pairs.shape[2])))
        for leaf, (first, stored) in enumerate(zip(self._first, self._stored, strict=True)):
            moved[:, leaf, :stored] = self._pairs[:, leaf, first : first + stored]
        self._pairs = moved
        self._first[:] = 0


@numba.njit(cache=True, nogil=True)
def _serve(
    time: np.ndarray,
    leaf: np.ndarray,
    death: np.ndarray,
    n: int,
    server: int,
    limits: np.ndarray,
    delays: np.ndarray,
    pairs: np.ndarray,
    first: np.ndarray,
    stored: np.ndarray,
    totals: np.ndarray,
    measured: np.ndarray,
    exposure: np.ndarray,
) -> int:
    """Handle arrivals in order; return the number of GHZ states."""
    born, dies = pairs[0], pairs[1]
    leaves = len(stored)
    mortal = False
    for x in range(leaves):
        for i in range(first[x], first[x] + stored[x]):
            mortal |= dies[x, i] < np.inf
    ready = 0
    for x in range(leaves):
        ready += stored[x] > 0
    chosen = np.empty(n, dtype=np.int64)
    states = 0
    for event in range(len(time)):
        now, at = time[event], leaf[event]
        if mortal:
            for x in range(leaves):
                kept = _purge(now, born[x], dies[x], first[x], stored[x])
                totals[2] += stored[x] - kept
                ready -= kept == 0 and stored[x] > 0
                stored[x] = kept
        totals[0] += 1
        mortal |= death[event] < np.inf
        if stored[at] == limits[at]:
            first[at] += 1
            stored[at] -= 1
            totals[1] += 1
            ready -= stored[at] == 0
        ready += stored[at] == 0
        born[at, first[at] + stored[at]] = now
        dies[at, first[at] + stored[at]] = death[event]
        stored[at] += 1
        if ready < n or (server >= 0 and stored[server] == 0):
            continue
        last = -np.inf
        for number in range(n):
            if number == 0 and server >= 0:
                chosen[number] = server
            else:
                chosen[number] = _oldest(born, first, stored, server, last)
                last = born[chosen[number], first[chosen[number]]]
        total = 0.0
        for joined in chosen:
            total += 2 * (now - born[joined, first[joined]]) + delays[joined]
            first[joined] += 1
            stored[joined] -= 1
            ready -= stored[joined] == 0
        measured[states] = now
        exposure[states] = total
        states += 1
    totals[3] += states
    return states


@numba.njit(cache=True, nogil=True)
def _purge(now: float, born: np.ndarray, dies: np.ndarray, first: int, stored: int) -> int:
    """Take the erased pairs of a leaf out; return how many are left."""
    kept = 0
    for i in range(first, first + stored):
        if dies[i] > now:
            born[first + kept], dies[first + kept] = born[i], dies[i]
            kept += 1
    return kept


@numba.njit(cache=True, nogil=True)
def _oldest(
    born: np.ndarray, first: np.ndarray, stored: np.ndarray, server: int, after: float
) -> int:
    """Return the leaf, not the server, whose oldest pair is the oldest of those after a time."""
    best = -1
    for x in range(len(stored)):
        if x == server or stored[x] == 0 or born[x, first[x]] <= after:
            continue
        if best < 0 or born[x, first[x]] < born[best, first[best]]:
            best = x
    return best


def run(
    scenario: Scenario, *, t2_s: Sequence[float] | None = None, rng: np.random.Generator
) -> SwitchRun:
    """Run a switch for its whole runtime.

    Parameters
    ----------
    scenario : Scenario
        What to simulate.
    t2_s : sequence of float, optional
        Coherence times, s; by default the one of the scenario.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    SwitchRun
        Capacity and mean fidelities; the buffers are empty when it begins.

    Raises
    ------
    QnetError
        If a coherence time is not above 0.

    Examples
    --------
    >>> one = Scenario(10_000.0, (1.0, 1.0), buffer_size=1, t2_s=1.0)
    >>> found = run(one, rng=np.random.default_rng(1))
    >>> abs(found.capacity_hz - 2 / 3) < 0.02, abs(found.fidelity.item() - 0.75) < 0.01
    (True, True)
    """
    times = (scenario.t2_s,) if t2_s is None else tuple(t2_s)
    decay = np.array([0.0 if t2 == np.inf else 1 / positive("t2_s", t2) for t2 in times])
    switch = SwitchBatch(scenario)
    coherence = np.zeros(len(times))
    since_s, pairs = 0.0, _PAIRS
    while pairs == _PAIRS:
        arrivals = draw_arrivals(scenario, _PAIRS, since_s=since_s, rng=rng)
        _, exposure_s = switch.feed(arrivals)
        coherence += [np.exp(-exposure_s * rate).sum() for rate in decay]
        pairs = len(arrivals.time_s)
        since_s = float(arrivals.time_s[-1]) if pairs else since_s
    states = switch.counts.states
    fidelity = (1 + coherence / states) / 2 if states else np.full(len(times), np.nan)
    return SwitchRun(scenario, switch.counts, times, fidelity)
