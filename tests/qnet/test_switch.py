"""The quantum switch: closed forms of Vardoyan et al., and both executors on the same arrivals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import exp, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restudy.qnet import experiments_switch as experiments
from restudy.qnet.analytic.switch import (
    buffered_capacity,
    homogeneous_capacity,
    two_leaf_capacity,
    two_leaf_fidelity,
)
from restudy.qnet.batch.switch import SwitchBatch, run
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.switch import Switch, simulate
from restudy.qnet.hardware.switch_scenario import Arrivals, Scenario, draw_arrivals
from restudy.qnet.states.state import Formalism

NINE = (1.9,) * 9
FOUR = (15.0, 1.9, 1.9, 1.9)


def capacities(scenario: Scenario, runs: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([run(scenario, rng=rng).capacity_hz for _ in range(runs)])


def assert_mean(values: np.ndarray, expected: float) -> None:
    assert abs(values.mean() - expected) < 4 * values.std(ddof=1) / np.sqrt(len(values))


# ------------------------------------------------------------------------------ closed forms


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_capacity_with_equal_leaves_and_no_limit(n: int) -> None:
    scenario = Scenario(2_000.0, NINE, n)
    assert_mean(capacities(scenario, 30, n), homogeneous_capacity(9, n, 1.9))


@pytest.mark.parametrize("rates", [NINE, FOUR])
@pytest.mark.parametrize("buffer", [1, 5, 50])
@pytest.mark.parametrize("erasure", [0.0, 2.0])
def test_capacity_of_bell_states(rates: tuple[float, ...], buffer: int, erasure: float) -> None:
    scenario = Scenario(2_000.0, rates, 2, buffer, erasure_rate_hz=erasure)
    expected = buffered_capacity(rates, buffer, erasure=erasure)
    assert_mean(capacities(scenario, 30, buffer), expected)


@pytest.mark.parametrize("t2_s", [0.1, 1.0, 10.0, 100.0])
def test_fidelity_of_two_leaves(t2_s: float) -> None:
    scenario = Scenario(5_000.0, (1.0, 1.0), 2, 1, t2_s=t2_s, message_delay_s=(0.1, 0.4))
    rng = np.random.default_rng(4)
    runs = [run(scenario, rng=rng) for _ in range(30)]
    kept = 2 * two_leaf_fidelity(1.0, t2_s) - 1
    expected = (1 + kept * exp(-0.5 / t2_s)) / 2
    assert_mean(np.array([one.fidelity[0] for one in runs]), expected)
    assert_mean(np.array([one.capacity_hz for one in runs]), two_leaf_capacity(1.0))


@pytest.mark.parametrize("formalism", [Formalism.DENSITY, Formalism.KET, Formalism.STABILIZER])
def test_event_driven_switch_against_closed_forms(formalism: Formalism) -> None:
    scenario = Scenario(100.0, (1.0, 1.0), 2, 1, t2_s=1.0)
    rng = np.random.default_rng(8)
    runs = [simulate(scenario, rng=rng, formalism=formalism) for _ in range(20)]
    assert_mean(np.array([len(one.states) / 100.0 for one in runs]), two_leaf_capacity(1.0))
    means = np.array([np.mean([state.fidelity for state in one.states]) for one in runs])
    assert_mean(means, two_leaf_fidelity(1.0, 1.0))


# -------------------------------------------------------------------------- two executors


def replayed(scenario: Scenario, arrivals: Arrivals) -> Switch:
    sim = Simulation(rng=np.random.default_rng(0))
    switch = Switch(sim, scenario)
    switch.replay(arrivals)
    sim.run(until=arrivals.time_s[-1] * 1e9)
    counted = (switch.arrived, switch.dropped, switch.erased, switch.stored)
    sim.run(until=(arrivals.time_s[-1] + 10.0) * 1e9)  # the last messages
    batch = SwitchBatch(scenario)
    time_s, exposure_s = batch.feed(arrivals)
    order = sorted(switch.states, key=lambda state: state.time_s)
    np.testing.assert_allclose([state.time_s for state in order], time_s, rtol=1e-12)
    fidelity = (1 + np.exp(-exposure_s / scenario.t2_s)) / 2
    np.testing.assert_allclose([state.fidelity for state in order], fidelity, rtol=0, atol=1e-12)
    counts = batch.counts
    assert (counts.arrived, counts.dropped, counts.erased, counts.stored) == counted
    left = counts.dropped + counts.erased + counts.stored
    assert counts.arrived == scenario.connect_size * counts.states + left
    return switch


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    leaves = draw(st.integers(2, 5))
    return Scenario(
        1e6,
        tuple(draw(st.floats(0.2, 5.0)) for _ in range(leaves)),
        draw(st.integers(2, min(leaves, 3))),
        tuple(draw(st.sampled_from([None, 1, 2, 4])) for _ in range(leaves)),
        t2_s=draw(st.sampled_from([0.5, 3.0, inf])),
        erasure_rate_hz=draw(st.sampled_from([0.0, 0.5])),
        message_delay_s=tuple(draw(st.sampled_from([0.0, 0.3])) for _ in range(leaves)),
        server=draw(st.none() | st.integers(0, leaves - 1)),
    )


@settings(max_examples=40, deadline=None)
@given(scenarios(), st.integers(0, 2**32))
def test_both_executors_do_the_same_with_the_same_arrivals(scenario: Scenario, seed: int) -> None:
    switch = replayed(scenario, draw_arrivals(scenario, 60, rng=np.random.default_rng(seed)))
    for state in switch.states:
        assert len(set(state.leaves)) == scenario.connect_size
        assert scenario.server is None or scenario.server in state.leaves


def test_four_leaves_in_a_state() -> None:
    scenario = Scenario(1e6, (1.0, 2.0, 3.0, 4.0, 5.0), 4, 3, t2_s=2.0)
    switch = replayed(scenario, draw_arrivals(scenario, 300, rng=np.random.default_rng(1)))
    assert {len(state.outcomes) for state in switch.states} == {4}
    assert len({state.outcomes for state in switch.states}) > 8  # all GHZ states turn up


def given_arrivals(*pairs: tuple[float, int]) -> Arrivals:
    time_s, leaf = zip(*pairs, strict=True)
    return Arrivals(np.array(time_s), np.array(leaf), np.full(len(leaf), inf))


def test_oldest_pair_gives_way_to_a_new_one() -> None:
    arrivals = given_arrivals((1.0, 0), (2.0, 0), (5.0, 1))
    _, exposure_s = SwitchBatch(Scenario(9.0, (1.0, 1.0), buffer_size=1)).feed(arrivals)
    assert exposure_s.tolist() == [2 * (5.0 - 2.0)]


def test_oldest_pairs_are_measured_first() -> None:
    arrivals = given_arrivals((1.0, 0), (2.0, 0), (5.0, 1), (6.0, 1))
    _, exposure_s = SwitchBatch(Scenario(9.0, (1.0, 1.0))).feed(arrivals)
    assert exposure_s.tolist() == [2 * (5.0 - 1.0), 2 * (6.0 - 2.0)]


def test_server_takes_the_oldest_of_the_others() -> None:
    arrivals = given_arrivals((1.0, 3), (2.0, 1), (3.0, 2), (7.0, 0))
    scenario = Scenario(9.0, (1.0,) * 4, connect_size=3, server=0, t2_s=1.0)
    assert replayed(scenario, arrivals).states[0].leaves == (0, 3, 1)


def test_arrivals_in_pieces() -> None:
    scenario = Scenario(1e6, FOUR, 2, 3, erasure_rate_hz=0.5)
    arrivals = draw_arrivals(scenario, 5_000, rng=np.random.default_rng(2))
    whole, pieces = SwitchBatch(scenario), SwitchBatch(scenario)
    expected = whole.feed(arrivals)
    cuts = [0, 1, 2, 300, 300, 4_000, 5_000]
    parts = [
        pieces.feed(Arrivals(arrivals.time_s[a:b], arrivals.leaf[a:b], arrivals.lifetime_s[a:b]))
        for a, b in pairwise(cuts)
    ]
    for at in (0, 1):
        np.testing.assert_array_equal(np.concatenate([part[at] for part in parts]), expected[at])
    assert pieces.counts == whole.counts


def test_arrivals_are_a_poisson_process_of_each_leaf() -> None:
    scenario = Scenario(1e6, (1.0, 3.0), erasure_rate_hz=0.5)
    arrivals = draw_arrivals(scenario, 100_000, rng=np.random.default_rng(7))
    for leaf, rate in enumerate(scenario.rates_hz):
        gaps = np.diff(arrivals.time_s[arrivals.leaf == leaf])
        assert abs(gaps.mean() * rate - 1) < 4 / np.sqrt(len(gaps))
        assert abs((gaps > 1 / rate).mean() - exp(-1)) < 4 * 0.5 / np.sqrt(len(gaps))
    assert abs(arrivals.lifetime_s.mean() - 2.0) < 4 * 2.0 / np.sqrt(100_000)


# -------------------------------------------------------------------------------- experiments


def test_figure_is_the_same_with_an_executor() -> None:
    setup = experiments.Setup(5_000, 2, (1, 5), (0.1, 1.0))
    with ThreadPoolExecutor(2) as pool:
        parallel = experiments.figure4(setup, seed=3, executor=pool)
    alone = experiments.figure4(setup, seed=3)
    assert parallel.capacity.equals(alone.capacity)
    assert parallel.fidelity.equals(alone.fidelity)
    assert (len(alone.capacity), len(alone.fidelity)) == (6, 12)


def test_findings() -> None:
    setup = experiments.Setup(20_000, 10, (1, 5), (0.1, 1.0, 10.0))
    known = experiments.study(experiments.CLOSED_FORMS, setup, seed=1)
    off = known.capacity["capacity_hz"] - known.capacity["expected_hz"]
    assert (off.abs() < 5 * known.capacity["error_hz"]).all()  # t distribution, 10 runs
    replay = experiments.replay_difference(200, rng=np.random.default_rng(3))
    found = experiments.findings(experiments.figure4(setup, seed=2), known, replay)
    assert found["switch-replay"] < 1e-12
    assert found["switch-conservation"] == 0
    assert found["switch-fidelity-rises"] > 0
    assert found["switch-four-below-two"] < 0
    assert found["switch-t2-1"] == pytest.approx(0.75, abs=0.01)


def test_no_limit_and_no_closed_form() -> None:
    assert np.isnan(experiments.Case("", (1.0, 2.0, 4.0), 3, 5).expected_hz())
    nothing = run(Scenario(1e-9, (1.0, 1.0)), rng=np.random.default_rng(0))
    assert nothing.counts.arrived == 0
    assert np.isnan(nothing.fidelity).all()


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"runtime_s": 0.0}, "runtime_s is 0"),
        ({"rates_hz": (1.0, -2.0)}, "rate of leaf 1 is -2"),
        ({"connect_size": 3}, "connect_size is 3 with 2 leaves"),
        ({"connect_size": 1}, "connect_size is 1"),
        ({"buffer_size": 0}, "buffer of leaf 0 is 0"),
        ({"buffer_size": (1, 2, 3)}, "buffer_size has 3 numbers for 2 leaves"),
        ({"message_delay_s": (0.0, -1.0)}, "message delay of leaf 1 is -1"),
        ({"t2_s": 0.0}, "t2_s is 0"),
        ({"erasure_rate_hz": -1.0}, "erasure_rate_hz is -1"),
        ({"server": 2}, "server is leaf 2 of 2"),
    ],
)
def test_wrong_scenarios(keys: dict[str, object], sentence: str) -> None:
    with pytest.raises(QnetError, match=sentence):
        Scenario(**{"runtime_s": 1.0, "rates_hz": (1.0, 1.0), **keys})  # type: ignore[arg-type]
