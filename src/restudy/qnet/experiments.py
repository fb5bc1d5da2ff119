"""How much the chapter computes, what it costs, and the search for the cheapest hardware."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final, Self, TypeVar

import pandas as pd

from restudy.qnet import experiments_ensembles, experiments_nv, experiments_switch
from restudy.qnet.experiments_nv import PARAMETERS, NVChain, Scheme, simulate
from restudy.qnet.optimise import Optimum, Search, optimise
from restudy.qnet.sweeps import Sampling

T = TypeVar("T")

PUBLISHED_HOURS: Final = {
    "Figure 4": 10.0,
    "Figure 5(a)": 1.5,
    "Figure 5(b, c)": 260.0,
    "Figure 6": 0.5,
    "Figure 7": 625.0,
}
"""Core hours that the paper took, as printed."""

_COSTS = {
    "Figure 4": "switch-cost",
    "Figure 5(a)": "distance-cost",
    "Figure 5(b, c)": "improvement-cost",
    "Figure 6": "sensitivity-cost",
    "Figure 7": "memory-cost",
}
_SENSITIVITY_RUNS = 1000  # for which the paper printed its half hour


@dataclass(frozen=True)
class Setup:
    """How much the chapter computes; no method depends on it.

    Attributes
    ----------
    nodes : int
        Nodes of the benchmark chain.
    sampled_nodes, sampled_runs : int
        The same chain, shorter, with states that sample their noise.
    waits : int
        Runs of chains whose waiting time is measured.
    split_nodes, in_place_nodes : tuple of int
        Lengths of the chains of Figure 8(b).
    search : Search
        For the cheapest hardware.
    search_runs : int
        Runs of each candidate.
    switch, nv, ensembles : Setup
        Of Figure 4, of Figures 5 and 6, and of Figure 7.
    """

    nodes: int = 1000
    sampled_nodes: int = 30
    sampled_runs: int = 100
    waits: int = 100_000
    split_nodes: tuple[int, ...] = (3, 51)
    in_place_nodes: tuple[int, ...] = (3, 11)
    search: Search = field(default_factory=lambda: Search(generations=8, members=12))
    search_runs: int = 200
    switch: experiments_switch.Setup = field(default_factory=experiments_switch.Setup.quick)
    nv: experiments_nv.Setup = field(default_factory=experiments_nv.Setup.quick)
    ensembles: experiments_ensembles.Setup = field(
        default_factory=experiments_ensembles.Setup.quick
    )

    @classmethod
    def quick(cls) -> Self:
        """Make a setup of half a minute."""
        return cls()

    @classmethod
    def full(cls) -> Self:
        """Make a setup of some minutes: more runs than the paper's."""
        return cls(
            sampled_runs=1000,
            waits=1_000_000,
            split_nodes=(3, 6, 11, 21, 51, 101, 201),
            in_place_nodes=(3, 5, 7, 9, 11),
            search=Search(generations=40, members=40),
            search_runs=1000,
            switch=experiments_switch.Setup.full(),
            nv=experiments_nv.Setup.full(),
            ensembles=experiments_ensembles.Setup.full(),
        )

    @classmethod
    def paper(cls) -> Self:
        """Make a setup with the runs of the paper, where its text gives them."""
        return cls(
            switch=experiments_switch.Setup.paper(),
            nv=experiments_nv.Setup.paper(),
            ensembles=experiments_ensembles.Setup.paper(),
        )


class Stopwatch:
    """Core seconds of answers, at most: the time on the wall times the threads at hand.

    Attributes
    ----------
    core_s : dict of str to float
        By the name of what was timed.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.core_s: dict[str, float] = {}

    def time(self, name: str, question: Callable[[], T]) -> T:
        """Answer a question, and keep how long it took."""
        start = time.perf_counter()
        answer = question()
        self.core_s[name] = self.threads * (time.perf_counter() - start)
        return answer

    def table(self) -> pd.DataFrame:
        """Core seconds beside the published core hours."""
        rows = {
            name: {
                "published [core h]": hours,
                "here [core s]": self.core_s[name],
                "published over here": 3600 * hours / self.core_s[name],
            }
            for name, hours in PUBLISHED_HOURS.items()
            if name in self.core_s
        }
        return pd.DataFrame(rows).T

    def findings(self, setup: Setup) -> dict[str, float]:
        """Give what the claims on costs ask for; that on Figure 6 is on so many runs a point."""
        asked = dict(_COSTS)
        if setup.nv.sensitivity_runs != _SENSITIVITY_RUNS:
            del asked["Figure 6"]
        return {claim: self.core_s[name] for name, claim in asked.items() if name in self.core_s}


def cheapest(setup: Setup, *, seed: int, executor: Executor | None = None) -> Optimum:
    """Search the smallest sum of improvements that lifts the chain of Figure 6 to F = 0.5.

    Parameters
    ----------
    setup : Setup
        Length of the search, and runs.
    seed : int
        Of the search and of the runs.
    executor : concurrent.futures.Executor, optional
        Where candidates are run: here, by default.

    Returns
    -------
    Optimum
        Factors by which the four parameters of Figure 6 are improved, from 1 to 50; all others
        stay at 3.
    """
    return optimise(
        simulate,
        _improved,
        dict.fromkeys(PARAMETERS.values(), (1.0, 50.0)),
        {"fidelity": (0.5, 1.0)},
        Sampling(setup.search_runs, seed, block=setup.search_runs),
        search=Search(setup.search.generations, setup.search.members, seed),
        executor=executor,
    )


def _improved(factors: Mapping[str, float]) -> NVChain:
    return NVChain(Scheme.SWAP_ASAP, 3, 500.0, 3.0, tuple(factors.items()))
