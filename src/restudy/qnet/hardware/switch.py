"""The quantum switch event by event: a source a leaf, memories that dephase, GHZ measurements."""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from math import exp, inf

import numpy as np

from restudy.qnet.engine.events import Event
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.hardware.switch_scenario import Arrivals, Scenario
from restudy.qnet.states.channels import dephasing
from restudy.qnet.states.gates import CNOT, H
from restudy.qnet.states.qubits import (
    Qubit,
    bell_pair,
    discard,
    fidelity,
    measure,
    noise,
    operate,
)
from restudy.qnet.states.state import Formalism

_NS_PER_S = 1e9


@dataclass(eq=False)
class StoredPair:
    """A pair of which the switch has one qubit and a leaf the other.

    Attributes
    ----------
    born_ns : float
        When it arrived, ns.
    switch_qubit, leaf_qubit : Qubit
        Both dephase in memories.
    erasure : int or None
        Handle of the callback that will erase it.
    """

    born_ns: float
    switch_qubit: Qubit
    leaf_qubit: Qubit
    erasure: int | None = None


@dataclass(frozen=True)
class SharedState:
    """A GHZ state that leaves share.

    Attributes
    ----------
    time_s : float
        When the switch measured, s.
    leaves : tuple of int
        Who shares it, in the order of the measured qubits.
    outcomes : tuple of int
        What the switch measured: which GHZ state it is.
    fidelity : float
        With that state, once every leaf knows the outcomes.
    """

    time_s: float
    leaves: tuple[int, ...]
    outcomes: tuple[int, ...]
    fidelity: float


def ghz_state(outcomes: tuple[int, ...]) -> np.ndarray:
    r"""Give the GHZ state that the outcomes of the switch's circuit stand for.

    .. math:: |\phi\rangle = (|0 b_2 \dots b_n\rangle
              + (-1)^{b_1} |1 \bar b_2 \dots \bar b_n\rangle) / \sqrt2

    Parameters
    ----------
    outcomes : tuple of int
        Bits :math:`b_1, \dots, b_n`.

    Returns
    -------
    numpy.ndarray of float64, shape (2**n,)
        The ket, the first qubit the most significant bit.

    Notes
    -----
    Equation 31 in Supplementary Note 3 of the paper.

    Examples
    --------
    >>> ghz_state((1, 0)).round(3)
    array([ 0.707,  0.   ,  0.   , -0.707])
    """
    n = len(outcomes)
    low = int("".join(map(str, (0, *outcomes[1:]))), 2)
    ket = np.zeros(2**n)
    ket[low] = np.sqrt(0.5)
    ket[2**n - 1 - low] = -np.sqrt(0.5) if outcomes[0] else np.sqrt(0.5)
    return ket


class Switch:
    """A switch in a simulation, with its leaves.

    Parameters
    ----------
    sim
        The simulation; it is the source of chance.
    scenario
        Rates, buffers and coherence times.
    formalism
        Of the pairs. In a pure one the noise is drawn, and fidelities are those of single runs.

    Attributes
    ----------
    states : list of SharedState
        In the order in which their leaves learnt of them.
    arrived, dropped, erased : int
        Pairs up to now.
    """

    def __init__(
        self, sim: Simulation, scenario: Scenario, *, formalism: Formalism = Formalism.DENSITY
    ) -> None:
        self.sim = sim
        self.scenario = scenario
        self.formalism = formalism
        self.states: list[SharedState] = []
        self.arrived = self.dropped = self.erased = 0
        self._buffers: list[deque[StoredPair]] = [deque() for _ in scenario.rates_hz]

    @property
    def stored(self) -> int:
        """Pairs in the buffers."""
        return sum(map(len, self._buffers))

    def start(self) -> None:
        """Start the source of each leaf."""
        for leaf in range(len(self._buffers)):
            self.sim.process(self._source(leaf))

    def replay(self, arrivals: Arrivals) -> None:
        """Put given arrivals on the timeline, instead of sources."""
        for time_s, leaf, lifetime_s in zip(
            arrivals.time_s.tolist(),
            arrivals.leaf.tolist(),
            arrivals.lifetime_s.tolist(),
            strict=True,
        ):
            self.sim.schedule_at(time_s * _NS_PER_S, self.arrive, leaf, lifetime_s)

    def arrive(self, leaf: int, lifetime_s: float = inf) -> None:
        """Store a new perfect pair with a leaf, and measure if there are enough."""
        self.arrived += 1
        buffer, limit = self._buffers[leaf], self.scenario.buffers[leaf]
        if len(buffer) == limit:
            self._forget(buffer.popleft())
            self.dropped += 1
        pair = StoredPair(self.sim.now, *bell_pair(self.formalism))
        buffer.append(pair)
        if lifetime_s < inf:
            pair.erasure = self.sim.schedule(self._erase, leaf, pair, delay=lifetime_s * _NS_PER_S)
        chosen = self._chosen()
        if chosen:
            self._measure(chosen)

    def _source(self, leaf: int) -> Generator[Event, None, None]:
        """Make pairs for ever, at exponential intervals."""
        scenario, rng = self.scenario, self.sim.rng
        while True:
            yield self.sim.timeout(rng.exponential(_NS_PER_S / scenario.rates_hz[leaf]))
            lost = scenario.erasure_rate_hz
            self.arrive(leaf, rng.exponential(1 / lost) if lost else inf)

    def _erase(self, leaf: int, pair: StoredPair) -> None:
        self._buffers[leaf].remove(pair)
        pair.erasure = None
        self._forget(pair)
        self.erased += 1

    def _forget(self, pair: StoredPair) -> None:
        if pair.erasure is not None:
            self.sim.cancel(pair.erasure)
        discard(pair.switch_qubit, rng=self.sim.rng)
        discard(pair.leaf_qubit, rng=self.sim.rng)

    def _chosen(self) -> tuple[int, ...]:
        """Give the leaves to join: those with the oldest pairs, and the server; none if too few."""
        server, n = self.scenario.server, self.scenario.connect_size
        ready = [leaf for leaf, buffer in enumerate(self._buffers) if buffer]
        if len(ready) < n or (server is not None and server not in ready):
            return ()
        ready.sort(key=lambda leaf: (leaf != server, self._buffers[leaf][0].born_ns))
        return tuple(ready[:n])

    def _measure(self, leaves: tuple[int, ...]) -> None:
        """Measure the oldest pair of each leaf in the GHZ basis, and tell the leaves."""
        sim = self.sim
        pairs = [self._buffers[leaf].popleft() for leaf in leaves]
        for pair in pairs:
            if pair.erasure is not None:
                sim.cancel(pair.erasure)
            for qubit in (pair.switch_qubit, pair.leaf_qubit):
                self._dephase(qubit, sim.now - pair.born_ns)
        first, *others = [pair.switch_qubit for pair in pairs]
        for other in others:
            operate(CNOT, first, other)
        operate(H, first)
        outcomes = tuple(measure(qubit, rng=sim.rng) for qubit in (first, *others))
        for qubit in (first, *others):
            discard(qubit)
        delays = [self.scenario.delays_s[leaf] * _NS_PER_S for leaf in leaves]
        share = (sim.now, leaves, outcomes, [pair.leaf_qubit for pair in pairs], delays)
        if any(delays):
            sim.schedule(self._share, *share, delay=max(delays))
        else:
            self._share(*share)

    def _share(
        self,
        measured_ns: float,
        leaves: tuple[int, ...],
        outcomes: tuple[int, ...],
        qubits: list[Qubit],
        delays: list[float],
    ) -> None:
        """Take down a state when its last leaf knows of it; each qubit dephased until its own."""
        for qubit, delay in zip(qubits, delays, strict=True):
            self._dephase(qubit, delay)
        found = fidelity(ghz_state(outcomes), *qubits)
        self.states.append(SharedState(measured_ns / _NS_PER_S, leaves, outcomes, found))

    def _dephase(self, qubit: Qubit, elapsed_ns: float) -> None:
        age = elapsed_ns / _NS_PER_S / self.scenario.t2_s
        if age:
            noise(dephasing((1 - exp(-age)) / 2), qubit, rng=self.sim.rng)


def simulate(
    scenario: Scenario,
    *,
    rng: np.random.Generator,
    formalism: Formalism = Formalism.DENSITY,
) -> Switch:
    """Run a switch for its whole runtime, event by event.

    Parameters
    ----------
    scenario : Scenario
        What to simulate.
    rng : numpy.random.Generator
        Source of chance.
    formalism : Formalism
        Of the pairs.

    Returns
    -------
    Switch
        With the states that were shared.

    Notes
    -----
    Some hundred microseconds an arrival with n = 2; `restudy.qnet.batch.switch` does the same on
    arrays.

    Examples
    --------
    >>> one = simulate(Scenario(100.0, (1.0,) * 4, connect_size=3), rng=np.random.default_rng(1))
    >>> one.arrived == 3 * len(one.states) + one.stored
    True
    >>> {round(state.fidelity, 9) for state in one.states}  # without dephasing
    {1.0}
    """
    sim = Simulation(rng=rng)
    switch = Switch(sim, scenario, formalism=formalism)
    switch.start()
    sim.run(until=scenario.runtime_s * _NS_PER_S)
    return switch
