"""Chains: the benchmark of Figure 9 in every formalism, waiting times, executors, workers."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pandas as pd

from restudy.qnet.analytic.doubling import doubling_chain, three_halves_rule
from restudy.qnet.analytic.nested import Nested, Swap
from restudy.qnet.analytic.waiting import mean_of_maximum
from restudy.qnet.analytic.werner import two_link_decay
from restudy.qnet.batch import closed_form, event_driven, nested
from restudy.qnet.batch.chain import Link, draw_attempts, uniform_chain
from restudy.qnet.components.instructions import MEASURE_BELL, PhysicalInstruction
from restudy.qnet.components.network import Network
from restudy.qnet.components.processor import QuantumProcessor
from restudy.qnet.engine.processes import Body
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.noise import DepolarNoise
from restudy.qnet.protocols.chain import (
    PHI_PLUS,
    ChainParameters,
    RepeaterChain,
    chain_fidelity,
)
from restudy.qnet.protocols.swapping import correct, swap
from restudy.qnet.states.gates import PAULIS
from restudy.qnet.states.qubits import bell_pair, fidelity
from restudy.qnet.states.state import Formalism
from restudy.qnet.sweeps import Sampling, measure

EXACT = (Formalism.DENSITY, Formalism.BELL)
SAMPLED = (Formalism.KET, Formalism.STABILIZER, Formalism.GRAPH)

ASAP = "swap as soon as possible"
DOUBLING = "doubling, half of the swaps fail"

_PARTS = {
    "Clock": "sources and fibre",
    "QuantumChannel": "sources and fibre",
    "QuantumProcessor": "processors",
    "Port": "messages",
    "the process": "protocols",
}


def delivered(
    point: tuple[str, int], runs: int, *, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Run the benchmark chain: an experiment for `restudy.qnet.sweeps`.

    Parameters
    ----------
    point : tuple of str and int
        Name of the `Formalism`, and number of nodes.
    runs : int
        Number of runs.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    dict of str to numpy.ndarray
        ``fidelity`` of each run.
    """
    found = np.empty(runs)
    for run in range(runs):
        sim = Simulation(rng=rng)
        chain = RepeaterChain(sim, ChainParameters(point[1]), formalism=Formalism[point[0]])
        sim.run(until=chain.done)
        found[run] = chain.fidelity()
    return {"fidelity": found}


def formalisms(
    nodes: int,
    sampled_nodes: int,
    sampled_runs: int,
    *,
    seed: int,
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Fidelity of the benchmark chain in every formalism, beside the closed form.

    Parameters
    ----------
    nodes : int
        Nodes of the chain whose states are exact.
    sampled_nodes, sampled_runs : int
        Nodes and runs where the noise is sampled.
    seed : int
        Of all runs.
    executor : concurrent.futures.Executor, optional
        Where the runs are made: here, by default.

    Returns
    -------
    pandas.DataFrame
        Columns ``formalism``, ``nodes``, ``runs``, ``fidelity``, ``standard error`` (NaN of one
        run), ``closed form``.
    """
    exact = [(one.name, nodes) for one in EXACT]
    chance = [(one.name, sampled_nodes) for one in SAMPLED]
    found = measure(delivered, exact, Sampling(1, seed), executor=executor)
    sampling = Sampling(sampled_runs, seed, block=25)
    found += measure(delivered, chance, sampling, executor=executor)
    rows = [
        {
            "formalism": name.lower(),
            "nodes": n,
            "runs": one["fidelity"].count,
            "fidelity": one["fidelity"].mean,
            "standard error": one["fidelity"].standard_error,
            "closed form": chain_fidelity(ChainParameters(n)),
        }
        for (name, n), one in zip(exact + chance, found, strict=True)
    ]
    return pd.DataFrame(rows)


def callbacks(nodes: Sequence[int]) -> pd.DataFrame:
    """Count what the engine calls in a run of the benchmark chain, by part of the network.

    Parameters
    ----------
    nodes : sequence of int
        Lengths of the chain.

    Returns
    -------
    pandas.DataFrame
        A row a length: callbacks of each part, for each node.
    """
    rows = {}
    for number in nodes:
        sim = Simulation(rng=np.random.default_rng(0))
        RepeaterChain(sim, ChainParameters(number), formalism=Formalism.BELL)
        counts: Counter[str] = Counter()
        while (done := sim.step()) is not None:
            owner = next(name for name in _PARTS if done.callback.startswith(name))
            counts[_PARTS[owner]] += 1
        rows[f"{number:,} nodes"] = {part: counts[part] / number for part in counts}
    return pd.DataFrame(rows).T


def waiting(runs: int, *, rng: np.random.Generator) -> pd.DataFrame:
    """Mean attempts until a pair spans 1, 2, 4, 8 links: swaps as soon as possible, and doubling.

    Links succeed with probability 0.1; swaps always, or, where the span doubles, with
    probability 0.5.

    Parameters
    ----------
    runs : int
        Simulated runs of each.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    pandas.DataFrame
        Columns ``protocol``, ``links``, ``simulated``, ``error``, ``exact``, ``rule``.
    """
    p, s = 0.1, 0.5
    levels = doubling_chain(p, s, levels=3, steps=8000)
    rows = []
    for level, exact in enumerate(levels):
        links = 2**level
        asap = closed_form.simulate(uniform_chain(links + 1, Link(p, 1.0)), runs, rng=rng)
        doubled = nested.simulate(Nested(p, (Swap(s),) * level), runs // 10, rng=rng)
        for name, steps, truth, rule in (
            (ASAP, asap.duration_ns, mean_of_maximum(links, p), np.nan),
            (
                DOUBLING,
                doubled.steps,
                exact.mean_steps(),
                three_halves_rule(p, s, levels=level),
            ),
        ):
            error = steps.std(ddof=1) / np.sqrt(len(steps))
            rows.append((name, links, steps.mean(), error, truth, rule))
    columns = ["protocol", "links", "simulated", "error", "exact", "rule"]
    return pd.DataFrame(rows, columns=columns)


def replayed(nodes: int, runs: int, *, rng: np.random.Generator) -> pd.DataFrame:
    """Run one chain with three executors and the same random numbers.

    Parameters
    ----------
    nodes : int
        Length of the chain; links succeed with probability 0.2, memories depolarise.
    runs : int
        Number of runs.
    rng : numpy.random.Generator
        Draws the attempts, and the outcomes of measurements.

    Returns
    -------
    pandas.DataFrame
        A row an executor: mean ``duration [ms]`` and ``fidelity``, and the largest differences
        of a run from the first.
    """
    chain = uniform_chain(nodes, Link(0.2, 1e5, length_km=20.0), depolar_hz=20.0)
    attempts = draw_attempts(chain, runs, rng=rng)
    cycle_ns = chain.links[0].attempt_ns
    simulated = [_one_by_one(attempts[run] * cycle_ns, rng) for run in range(runs)]
    reference = np.array(simulated)
    found = {"components and protocols": reference}
    for name, executor in (
        ("batch, event by event", event_driven.deliveries),
        ("batch, closed form of a run", closed_form.deliveries),
    ):
        done = executor(chain, attempts)
        found[name] = np.column_stack([done.duration_ns, done.fidelity])
    rows = {
        name: {
            "mean duration [ms]": values[:, 0].mean() / 1e6,
            "mean fidelity": values[:, 1].mean(),
            "largest difference of a duration [ns]": np.abs(values - reference)[:, 0].max(),
            "largest difference of a fidelity": np.abs(values - reference)[:, 1].max(),
        }
        for name, values in found.items()
    }
    return pd.DataFrame(rows).T


def _one_by_one(ready_ns: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Run a chain whose links are there at given times; return duration and fidelity."""
    sim = Simulation(rng=rng)
    network = Network(sim)
    gates = [PhysicalInstruction(what, 0.0) for what in (MEASURE_BELL, *PAULIS)]
    nodes = [
        network.node(str(k), QuantumProcessor(sim, str(k), 2, gates, DepolarNoise(20.0)))
        for k in range(len(ready_ns) + 1)
    ]
    last = nodes[-1]

    def entangle(left: QuantumProcessor, right: QuantumProcessor, delay_ns: float) -> Body:
        yield sim.timeout(delay_ns)
        here, there = bell_pair(Formalism.BELL)
        left.put(here, 1)
        right.put(there, 0)

    for (left, right), delay_ns in zip(pairwise(nodes), ready_ns, strict=True):
        sim.process(entangle(left.processor, right.processor, float(delay_ns)))
    for k, node in enumerate(nodes[1:-1], start=1):
        network.message(node, last, length_km=20.0 * (len(nodes) - 1 - k))
        sim.process(swap(node, node.classical(last.name)))
    done = sim.process(correct(last, [last.classical(node.name) for node in nodes[1:-1]]))
    sim.run(until=done)
    return sim.now, fidelity(PHI_PLUS, nodes[0].memory.peek(1), last.memory.peek(0))


def spread(workers: Sequence[int], runs: int, *, seed: int) -> float:
    """Largest difference of a mean or of a spread between numbers of workers.

    Parameters
    ----------
    workers : sequence of int
        Numbers of threads.
    runs : int
        Runs of each of three chains.
    seed : int
        Of all runs.

    Returns
    -------
    float
        Over fidelity and duration of all chains.
    """
    chains = [uniform_chain(n, Link(0.2, 1e5), depolar_hz=20.0) for n in (3, 10, 30)]
    results = []
    for number in workers:
        with ThreadPoolExecutor(number) as executor:
            sampling = Sampling(runs, seed, block=max(1, runs // 20))
            done = measure(closed_form.samples, chains, sampling, executor=executor)
        results.append([x for one in done for m in one.values() for x in (m.mean, m.m2)])
    return float(np.ptp(np.array(results), axis=0).max())


def findings(
    chain: pd.DataFrame, waits: pd.DataFrame, difference_of_workers: float
) -> dict[str, float]:
    """Give what the claims on chains ask for.

    Parameters
    ----------
    chain : pandas.DataFrame
        Of `formalisms`.
    waits : pandas.DataFrame
        Of `waiting`.
    difference_of_workers : float
        Of `spread`.

    Returns
    -------
    dict of str to float
        Claim to measured value.
    """
    exact = chain[chain["formalism"].isin([one.name.lower() for one in EXACT])]
    eight = waits[waits["links"] == 8].set_index("protocol")
    return {
        "formalisms-agree": float(np.ptp(exact["fidelity"])),
        "waiting-eight-links": float(eight["simulated"][ASAP]),
        "waiting-three-levels": float(eight["exact"][DOUBLING]),
        "waiting-werner": two_link_decay(0.1, 100.0),
        "same-bits": difference_of_workers,
    }
