"""Figure 4: capacity and fidelity of the quantum switch, and its closed forms."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from math import inf
from typing import Any, Self

import numpy as np
import pandas as pd

from restudy.parallel.sweeps import sweep
from restudy.qnet.analytic.switch import buffered_capacity, homogeneous_capacity
from restudy.qnet.batch.switch import SwitchBatch, run
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.hardware.switch import Switch
from restudy.qnet.hardware.switch_scenario import Scenario, draw_arrivals


@dataclass(frozen=True)
class Case:
    """A switch to look at.

    Attributes
    ----------
    name : str
        What figures call it.
    rates_hz : tuple of float
        Pairs a second of each leaf.
    connect_size : int
        Leaves in a GHZ state.
    buffer_size : int or None
        Pairs that a leaf can store; None is without a limit.
    """

    name: str
    rates_hz: tuple[float, ...]
    connect_size: int = 2
    buffer_size: int | None = None

    def expected_hz(self) -> float:
        """Capacity in closed form, 1/s; NaN if there is none.

        Two leaves are joined, or a symmetric switch has buffers without a limit.
        """
        if self.buffer_size is None and len(set(self.rates_hz)) == 1:
            return homogeneous_capacity(len(self.rates_hz), self.connect_size, self.rates_hz[0])
        if self.buffer_size is not None and self.connect_size == 2:
            return buffered_capacity(self.rates_hz, self.buffer_size)
        return float("nan")


NINE = (1.9,) * 9
"""Nine equal leaves, pairs/s."""

UNSTABLE = (20.0,) + (1.9,) * 8
"""One leaf makes more pairs than the others together can use: unstable without a limit, pairs/s."""

UNEQUAL = (1.1, 1.3, 1.5, 1.7, 1.9, 2.1, 2.3, 2.5, 2.7)
"""Nine different leaves with the total of `NINE`, pairs/s."""

FIGURE_4 = (
    Case("n = 2, stable", NINE),
    Case("n = 2, unstable", UNSTABLE),
    Case("n = 4, unequal", UNEQUAL, 4),
)
"""The three cases of Figure 4; the text does not give the rates, so that they are ours."""

CLOSED_FORMS = (
    *(Case("nine leaves", NINE, n) for n in (2, 3, 4, 5)),
    *(Case("nine leaves", NINE, 2, buffer) for buffer in (1, 5)),
    *(Case("four leaves", (15.0, 1.9, 1.9, 1.9), 2, buffer) for buffer in (1, 5, 50)),
    Case("two leaves", (1.0, 1.0), 2, 1),
)
"""Switches whose capacity is known."""


@dataclass(frozen=True)
class Setup:
    """How much is computed; the method never depends on it.

    Attributes
    ----------
    pairs : int
        Mean number of pairs that arrive in a run.
    runs : int
        Runs of each case, at least 2: their scatter is the standard error.
    buffers : tuple of int
        Pairs that a leaf can store in Figure 4.
    t2_s : tuple of float
        Coherence times, s, growing.
    """

    pairs: int
    runs: int
    buffers: tuple[int, ...]
    t2_s: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0)

    @classmethod
    def quick(cls) -> Self:
        """Make a setup of some seconds."""
        return cls(250_000, 8, (1, 2, 5, 50))

    @classmethod
    def full(cls) -> Self:
        """Make a setup of a minute or two."""
        return cls(1_000_000, 16, (1, 2, 3, 4, 5, 10, 20, 50))

    @classmethod
    def paper(cls) -> Self:
        """Take the full setup: the sizes of the paper are not in its text."""
        return cls.full()


@dataclass(frozen=True)
class SwitchStudy:
    """What became of some cases.

    Attributes
    ----------
    capacity : pandas.DataFrame
        A row a case: ``case``, ``connect_size``, ``buffer_size`` (infinite without a limit),
        ``capacity_hz``, its standard error ``error_hz``, ``expected_hz`` in closed form or NaN, and
        the pairs of all runs: ``arrived``, ``dropped``, ``erased``, ``stored``, and ``states``.
    fidelity : pandas.DataFrame
        A row for each case and coherence time: ``case``, ``connect_size``, ``buffer_size``,
        ``t2_s``, ``fidelity``, ``error``.
    """

    capacity: pd.DataFrame
    fidelity: pd.DataFrame


def study(
    cases: Sequence[Case], setup: Setup, *, seed: int, executor: Executor | None = None
) -> SwitchStudy:
    """Run some cases on arrays.

    Parameters
    ----------
    cases : sequence of Case
        What to run.
    setup : Setup
        Pairs, runs and coherence times.
    seed : int
        Each run has its own child of it.
    executor : concurrent.futures.Executor, optional
        Where the runs are made: here, by default.

    Returns
    -------
    SwitchStudy
        Means over the runs.
    """
    points = [(case, setup.pairs, setup.t2_s) for case in cases for _ in range(setup.runs)]
    found = sweep(_run, points, seed=seed, executor=executor)
    capacity, fidelity = [], []
    for number, case in enumerate(cases):
        runs = found[number * setup.runs : (number + 1) * setup.runs]
        key = {
            "case": case.name,
            "connect_size": case.connect_size,
            "buffer_size": inf if case.buffer_size is None else float(case.buffer_size),
        }
        mean, error = _mean([one["capacity_hz"] for one in runs])
        totals = pd.DataFrame([one["counts"] for one in runs]).sum().to_dict()
        row = {"capacity_hz": mean, "error_hz": error, "expected_hz": case.expected_hz()}
        capacity.append(key | row | totals)
        for at, t2_s in enumerate(setup.t2_s):
            mean, error = _mean([one["fidelity"][at] for one in runs])
            fidelity.append(key | {"t2_s": t2_s, "fidelity": mean, "error": error})
    return SwitchStudy(pd.DataFrame(capacity), pd.DataFrame(fidelity))


def _run(point: tuple[Case, int, tuple[float, ...]], rng: np.random.Generator) -> dict[str, Any]:
    case, pairs, t2_s = point
    runtime_s = pairs / sum(case.rates_hz)
    scenario = Scenario(runtime_s, case.rates_hz, case.connect_size, case.buffer_size)
    done = run(scenario, t2_s=t2_s, rng=rng)
    return {
        "capacity_hz": done.capacity_hz,
        "counts": asdict(done.counts),
        "fidelity": done.fidelity.tolist(),
    }


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Give mean and standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def figure4(setup: Setup, *, seed: int, executor: Executor | None = None) -> SwitchStudy:
    """Run the three cases of Figure 4 with each buffer.

    Parameters
    ----------
    setup : Setup
        Buffers, pairs, runs and coherence times.
    seed : int
        Each run has its own child of it.
    executor : concurrent.futures.Executor, optional
        Where the runs are made: here, by default.

    Returns
    -------
    SwitchStudy
        Capacity over the buffer, and fidelity over buffer and coherence time.
    """
    cases = [
        Case(case.name, case.rates_hz, case.connect_size, buffer)
        for case in FIGURE_4
        for buffer in setup.buffers
    ]
    return study(cases, setup, seed=seed, executor=executor)


def replay_difference(pairs: int, *, rng: np.random.Generator) -> float:
    """Give the largest difference of a fidelity between the two executors, same arrivals.

    Parameters
    ----------
    pairs : int
        Pairs that arrive in each of four scenarios.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    float
        Infinite if they do not measure the same number of states.
    """
    rates = (1.0, 2.0, 3.0, 4.0)
    runtime_s = 10 * pairs / sum(rates)  # long enough for all of them
    worst = 0.0
    for scenario in (
        Scenario(runtime_s, rates, 2, 1, t2_s=2.0),
        Scenario(runtime_s, rates, 3, t2_s=2.0, message_delay_s=(0.0, 0.1, 0.2, 0.0)),
        Scenario(runtime_s, rates, 4, (1, 2, 3, 4), t2_s=2.0, erasure_rate_hz=0.3),
        Scenario(runtime_s, rates, 2, 3, t2_s=2.0, server=1),
    ):
        arrivals = draw_arrivals(scenario, pairs, rng=rng)
        sim = Simulation(rng=rng)
        switch = Switch(sim, scenario)
        switch.replay(arrivals)
        sim.run()
        one_by_one = sorted((state.time_s, state.fidelity) for state in switch.states)
        _, exposure_s = SwitchBatch(scenario).feed(arrivals)
        if len(one_by_one) != len(exposure_s):
            return inf
        on_arrays = (1 + np.exp(-exposure_s / scenario.t2_s)) / 2
        worst = max(worst, *np.abs(on_arrays - [fidelity for _, fidelity in one_by_one]))
    return float(worst)


def findings(figure: SwitchStudy, known: SwitchStudy, replayed: float) -> dict[str, float]:
    """Give what the claims on the switch ask for.

    Parameters
    ----------
    figure : SwitchStudy
        Of `figure4`.
    known : SwitchStudy
        Of the `CLOSED_FORMS`, with coherence times of 0.1, 1 and 10 s among others.
    replayed : float
        Of `replay_difference`.

    Returns
    -------
    dict of str to float
        Claim to measured value.
    """
    key = ["case", "connect_size", "buffer_size"]
    capacity = known.capacity.set_index(key).sort_index()
    free = capacity.xs(("nine leaves", inf), level=("case", "buffer_size"))
    off = (free["capacity_hz"] / free["expected_hz"] - 1).abs()
    pairs = figure.capacity
    used = pairs["connect_size"] * pairs["states"] + pairs["dropped"] + pairs["erased"]
    hertz = capacity["capacity_hz"]
    steps = figure.fidelity.sort_values("t2_s").groupby(key)["fidelity"].diff()
    fidelity = known.fidelity.set_index([*key, "t2_s"])["fidelity"].sort_index()
    lead = fidelity["nine leaves", 4, inf] - fidelity["nine leaves", 2, inf]
    return {
        "switch-homogeneous": 100 * float(off.max()),
        "switch-conservation": float((pairs["arrived"] - used - pairs["stored"]).abs().max()),
        "switch-fidelity-rises": float(steps.min()),
        "switch-four-below-two": float(lead.max()),
        "switch-replay": replayed,
        **{f"switch-equal-b{buffer}": float(hertz["nine leaves", 2, buffer]) for buffer in (1, 5)},
        **{
            f"switch-unequal-b{buffer}": float(hertz["four leaves", 2, buffer])
            for buffer in (1, 5, 50)
        },
        **{
            f"switch-t2-{name}": float(fidelity["two leaves", 2, 1, t2_s])
            for name, t2_s in (("0p1", 0.1), ("1", 1.0), ("10", 10.0))
        },
    }
