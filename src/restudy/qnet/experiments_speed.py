"""Speed: Figures 8 and 9 of the paper with this package's formalisms, and its engine alone."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import inf, log, log10
from typing import Any, Final

import numpy as np
import pandas as pd

from restudy.qnet.engine.processes import Body
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.protocols.chain import ChainParameters, RepeaterChain
from restudy.qnet.states.gates import CNOT, PAULIS, H, Operator
from restudy.qnet.states.qubits import Qubit, bell_pair, measure, new_qubits, operate
from restudy.qnet.states.state import Formalism

PURE: Final = (Formalism.KET, Formalism.STABILIZER, Formalism.GRAPH)
FOUR: Final = (Formalism.DENSITY, *PURE)
"""The formalisms of NetSquid."""

_TURN_S, _SPENT_S = 0.01, 0.1

JOIN: Final = Operator("join", np.eye(4))
"""Changes nothing, and makes two qubits share a state."""


def cpu_seconds(call: Callable[[], object]) -> float:
    """Return the CPU time of a call, s: the best of several turns, each of enough calls to tell."""
    call()  # compiles, and fills caches
    calls, best, spent = 1, inf, 0.0
    gc.disable()
    try:
        while spent < _SPENT_S or best == inf:
            start = time.process_time()
            for _ in range(calls):
                call()
            turn = time.process_time() - start
            spent += turn
            if turn < _TURN_S:
                calls *= 2
            else:
                best = min(best, turn / calls)
    finally:
        gc.enable()
    return best


def ghz(n: int, formalism: Formalism, *, rng: np.random.Generator) -> list[int]:
    """Make a GHZ state of n qubits by H and CNOTs from the first, and measure qubit by qubit.

    Examples
    --------
    >>> len(set(ghz(30, Formalism.GRAPH, rng=np.random.default_rng(1))))  # all alike
    1
    """
    first, *others = new_qubits(n, formalism)
    operate(H, first)
    for other in others:
        operate(CNOT, first, other)
    return [measure(qubit, rng=rng) for qubit in (first, *others)]


def split_chain(nodes: int, formalism: Formalism, *, rng: np.random.Generator) -> int:
    """Do the quantum part of a repeater chain; a qubit that is measured leaves its state.

    Pairs, a Pauli on each qubit, Bell measurements gate by gate, and the ends measured.

    Returns
    -------
    int
        Qubits of the largest state.

    Examples
    --------
    >>> split_chain(100, Formalism.KET, rng=np.random.default_rng(1))
    4
    """
    return _swapped([bell_pair(formalism) for _ in range(nodes - 1)], _leave, rng)


def in_place_chain(nodes: int, formalism: Formalism, *, rng: np.random.Generator) -> int:
    """Do the same in one state of all qubits, to which those that are measured come back.

    Examples
    --------
    >>> in_place_chain(6, Formalism.GRAPH, rng=np.random.default_rng(1))
    10
    """
    pairs = [bell_pair(formalism) for _ in range(nodes - 1)]
    for (_, b), (c, _) in pairwise(pairs):
        operate(JOIN, b, c)
    return _swapped(pairs, _come_back, rng)


def _leave(measured: Qubit, first: Qubit) -> None:
    """Leave a qubit that was measured alone."""


def _come_back(measured: Qubit, first: Qubit) -> None:
    operate(JOIN, first, measured)


def _swapped(
    pairs: list[tuple[Qubit, Qubit]],
    after: Callable[[Qubit, Qubit], None],
    rng: np.random.Generator,
) -> int:
    first, last = pairs[0][0], pairs[-1][1]
    for number, pair in enumerate(pairs):
        for qubit in pair:
            operate(PAULIS[number % 4], qubit)
    largest = 0
    for (_, b), (c, _) in pairwise(pairs):
        operate(CNOT, b, c)
        operate(H, b)
        assert b.state is not None
        largest = max(largest, b.state.size)
        for qubit in (b, c):
            measure(qubit, rng=rng)
            after(qubit, first)
    measure(first, rng=rng, basis="X")
    measure(last, rng=rng)
    return largest


def chain_seconds(nodes: int, formalism: Formalism, *, repeats: int = 4) -> float:
    """Return the CPU time of a run of the chain of Figure 9, s: the best, its network made before.

    Without Python's garbage collector, as the paper measured.
    """
    times = []
    for _ in range(repeats):
        sim = Simulation(rng=np.random.default_rng(1))
        chain = RepeaterChain(sim, ChainParameters(nodes), formalism=formalism)
        gc.disable()
        start = time.process_time()
        sim.run(until=chain.done)
        times.append(time.process_time() - start)
        gc.enable()
    return min(times)


def chains(nodes: Sequence[int], in_place_nodes: Sequence[int]) -> pd.DataFrame:
    """Time Figure 8(b): the quantum part of a chain, states split or in place.

    Parameters
    ----------
    nodes, in_place_nodes : sequence of int
        Lengths of chains whose states are split, and of those in place.

    Returns
    -------
    pandas.DataFrame
        Columns ``way``, ``formalism``, ``nodes``, ``cpu_s``.
    """
    rng = np.random.default_rng(1)
    rows = []
    for way, run, sizes, formalisms in (
        ("split", split_chain, nodes, FOUR),
        ("in place", in_place_chain, in_place_nodes, PURE),
    ):
        for formalism in formalisms:
            for size in sizes:
                cpu_s = cpu_seconds(partial(run, size, formalism, rng=rng))
                rows.append((way, formalism.name.lower(), size, cpu_s))
    return pd.DataFrame(rows, columns=["way", "formalism", "nodes", "cpu_s"])


def callbacks_per_second() -> float:
    """Return how many callbacks a second of the CPU the engine calls, one after the other."""
    count = 100_000

    def run() -> None:
        sim = Simulation()

        def tick(rest: int) -> None:
            if rest:
                sim.schedule(tick, rest - 1, delay=1.0)

        tick(count)
        sim.run()

    return count / cpu_seconds(run)


def resumes_per_second(processes: int = 1000) -> float:
    """Return how often a second of the CPU processes go on that wait for random times."""
    waits = 50
    delays = np.random.default_rng(1).exponential(1.0, (processes, waits)).tolist()

    def run() -> None:
        sim = Simulation()

        def body(mine: list[float]) -> Body:
            for delay in mine:
                yield sim.timeout(delay)

        for mine in delays:
            sim.process(body(mine))
        sim.run()

    return processes * waits / cpu_seconds(run)


def findings(chain: pd.DataFrame) -> dict[str, float]:
    """Give what the claims on speed ask for; `memory_mb` has that on memory, caching has no claim.

    Parameters
    ----------
    chain : pandas.DataFrame
        Of `chains`, with 3 nodes and 11 (20 qubits) in place.

    Returns
    -------
    dict of str to float
        Claim to measured value.
    """
    rng = np.random.default_rng(1)
    seconds = chain.pivot_table(values="cpu_s", index=["way", "nodes"], columns="formalism")
    longest, at_20 = seconds.loc["split"].iloc[-1], seconds.loc["in place"].loc[11]
    three = seconds["ket"].xs(3, level="nodes")
    thousand = {
        one: chain_seconds(1000, one) for one in (Formalism.KET, Formalism.DENSITY, Formalism.BELL)
    }
    hundred = chain_seconds(100, Formalism.KET, repeats=10)

    def ghz_growth(formalism: Formalism, small: int, large: int) -> float:
        few, many = (cpu_seconds(partial(ghz, n, formalism, rng=rng)) for n in (small, large))
        return many / few

    return {
        "thousand-nodes": thousand[Formalism.KET],
        "thousand-nodes-exact": thousand[Formalism.DENSITY],
        "thousand-nodes-bell": thousand[Formalism.BELL],
        "chain-scaling": log10(thousand[Formalism.KET] / hundred),
        "largest-state": split_chain(100, Formalism.KET, rng=rng),
        "ghz-ket-exponential": ghz_growth(Formalism.KET, 16, 20) ** 0.25,
        "ghz-stabilizer-polynomial": log(ghz_growth(Formalism.STABILIZER, 250, 1000), 4),
        "ghz-graph-polynomial": log(ghz_growth(Formalism.GRAPH, 250, 1000), 4),
        "in-place-small": three["in place"] / three["split"],
        "split-ket-best": longest["ket"] / longest.drop("ket").min(),
        "graph-in-place": at_20["graph"] / at_20.drop("graph").min(),
        "engine-callbacks": callbacks_per_second(),
        "engine-processes": resumes_per_second(),
    }


def memory_mb(results: Mapping[str, Any]) -> dict[str, float]:
    """Give what the claim on memory asks for: the peak of a process of its own, MB.

    Parameters
    ----------
    results : mapping
        What ``benchmarks/qnet.py`` wrote.

    Returns
    -------
    dict of str to float
        Claim to measured value.
    """
    found = results["questions"]["chain"]["sizes"]["1000"]["restudy, density"]
    return {"chain-memory": found["peak_bytes"] / 1e6}
