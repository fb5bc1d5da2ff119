"""NESTED-WITH-DISTILL on components, against the batch executor, closed forms and a timetable."""

import dataclasses

import numpy as np
import pytest

from restudy.qnet.analytic.nested import Nested, Swap, nested_levels
from restudy.qnet.batch import nv_nested as batch
from restudy.qnet.batch.nv_maps import nv_maps
from restudy.qnet.batch.streams import new_streams, uniform
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware import nv_circuits
from restudy.qnet.hardware.instructions import duration_ns
from restudy.qnet.hardware.nv_link import nv_link
from restudy.qnet.hardware.nv_parameters import NEAR_TERM, NVParameters, improved, noiseless
from restudy.qnet.protocols.nv_nested import NVNestedChain
from restudy.qnet.protocols.nv_nodes import NVNodes, TimedAction

PHASE_NOISE = dataclasses.replace(  # of links; all that nodes do is perfect
    noiseless(NVParameters()), p_dark=0.0, storage_attempts=1e300
)
PERFECT = dataclasses.replace(
    PHASE_NOISE, p_double_excitation=0.0, phase_sigma_rad=0.0, visibility=1.0
)
FORGETFUL = dataclasses.replace(  # spins that relax within the runs, and gates that fail
    improved(NEAR_TERM, 10),
    electron_t1_ns=3e8,
    electron_t2_ns=2e8,
    carbon_t1_ns=6e8,
    carbon_t2_ns=1e9,
    storage_attempts=3e4,
    electron_gate_fidelity=0.98,
)


class Replayed(np.random.Generator):
    """Gives the numbers that the batch executor draws: a stream for each link, then each node."""

    def __init__(self, streams):
        super().__init__(np.random.PCG64(0))
        self.streams = streams[None].copy()
        self.which = None  # the link or node that draws next

    def random(self):
        return uniform(self.streams, 0, self.which)


@pytest.fixture
def _streams_by_cause(monkeypatch):
    """Let links and nodes say who they are before they draw."""
    act, generate = TimedAction.act, NVNodes.generate

    def act_of_node(self, positions, *, rng):
        node, _, _ = positions[0].name.partition(".")
        rng.which = rng.streams.shape[1] // 2 + int(node)
        return act(self, positions, rng=rng)

    def generate_of_link(self, link):
        self.sim.rng.which = link
        return (yield from generate(self, link))

    monkeypatch.setattr(TimedAction, "act", act_of_node)
    monkeypatch.setattr(NVNodes, "generate", generate_of_link)


def run(rng, parameters, length_km, nodes):
    sim = Simulation(rng=rng)
    chain = NVNestedChain(sim, parameters, length_km, nodes)
    sim.run(until=chain.done)
    return chain.fidelity(), sim.now, chain.hardware.made


CASES = [
    (improved(NEAR_TERM, 3), 300),
    (improved(NEAR_TERM, 25), 300),
    (FORGETFUL, 200),
    (NEAR_TERM, 40),
]


@pytest.mark.usefixtures("_streams_by_cause")
@pytest.mark.parametrize(("parameters", "total_km"), CASES)
@pytest.mark.parametrize(("nodes", "runs"), [(3, 8), (5, 4), (9, 1)])
def test_components_equal_the_batch_on_the_same_random_numbers(parameters, total_km, nodes, runs):
    length = total_km / (nodes - 1)
    streams = new_streams(runs, 2 * nodes - 1, rng=np.random.default_rng(nodes))
    slow = [run(Replayed(one), parameters, length, nodes) for one in streams]
    fast = batch.replay(nv_maps(parameters, length), nodes, streams.copy())
    fidelity, duration, made = np.array(slow).T
    np.testing.assert_array_equal(fast.links, made)
    np.testing.assert_allclose(fast.duration_ns, duration, rtol=1e-12)
    np.testing.assert_allclose(fast.fidelity, fidelity, rtol=0, atol=1e-12)


def test_components_agree_with_the_batch_on_average():
    """One attempt in five succeeds here: requests often arrive at the same time."""
    parameters, length, nodes, runs = improved(NEAR_TERM, 100), 0.5, 5, 60
    slow = [run(np.random.default_rng(seed), parameters, length, nodes) for seed in range(runs)]
    maps = nv_maps(parameters, length)
    fast = batch.nested_with_distill(maps, nodes=nodes, runs=20_000, rng=np.random.default_rng(1))
    expected = fast.fidelity, fast.duration_ns, fast.links
    for found, many in zip(np.array(slow).T, expected, strict=True):
        assert abs(found.mean() - many.mean()) < 4 * many.std() / np.sqrt(runs)


@pytest.mark.parametrize("nodes", [3, 5])
def test_perfect_hardware_makes_perfect_pairs(nodes):
    """Spins that are both bright, a tenth of the pairs, do not survive the first distillation."""
    fidelity, _, _ = run(np.random.default_rng(nodes), PERFECT, 10.0, nodes)
    assert fidelity == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("nodes", "levels"), [(3, 1), (5, 2)])
def test_phase_noise_of_links_adds_up_as_in_the_recursion(nodes, levels):
    """A distillation that meets phase errors alone combines them as a swap does."""
    pair = nv_link(PHASE_NOISE, 10.0).pair
    coherence = pair.coherence / pair.probabilities[1]
    fresh = ((1 + coherence) / 2, 0.0, 0.0, (1 - coherence) / 2)
    chain = Nested(1.0, (Swap(), Swap()) * levels, fresh=fresh)
    expected = nested_levels(chain, steps=2)[-1].mean_weights()[0]
    assert expected == pytest.approx((1 + coherence ** (4**levels)) / 2, abs=1e-12)
    fidelity, _, _ = run(np.random.default_rng(nodes), PHASE_NOISE, 10.0, nodes)
    assert fidelity == pytest.approx(expected, abs=1e-12)


class Lucky(np.random.Generator):
    """Lets every first attempt succeed, and every outcome be 0."""

    def random(self):
        return 0.0


def test_three_nodes_keep_to_the_timetable():
    """Requests and confirmations, storing at both nodes one after the other, a message at the end.

    Node 1 makes two pairs with node 0 and distils them, then does so with node 2, and swaps.
    """
    parameters, link = NEAR_TERM, nv_link(NEAR_TERM, 30.0)
    lasts = {
        name: duration_ns(getattr(nv_circuits, name)(parameters))
        for name in ("store", "retrieve", "swap", "distill")
    }
    handshake = 2 * link.message_ns
    two_pairs = 2 * (handshake + link.attempt_ns) + 2 * lasts["store"]
    gates = parameters.electron_gate_ns + lasts["distill"]
    side = two_pairs + handshake + gates + link.message_ns
    expected = 2 * side + lasts["retrieve"] + lasts["swap"] + link.message_ns
    _, duration, made = run(Lucky(np.random.PCG64(0)), parameters, 30.0, 3)
    assert duration == pytest.approx(expected, rel=1e-12)
    assert made == 4


def test_more_pairs_than_one_follow():
    sim = Simulation(rng=np.random.default_rng(2))
    chain = NVNestedChain(sim, PERFECT, 5.0, 3)
    sim.run(until=chain.done)
    first, made = sim.now, chain.hardware.made
    sim.run(until=3 * first)
    assert chain.hardware.made > made


@pytest.mark.parametrize("nodes", [4, 6, 7, 12])
def test_nesting_needs_a_power_of_two(nodes):
    with pytest.raises(QnetError, match=rf"nodes is {nodes}; nesting takes 2\*\*n \+ 1 of them"):
        NVNestedChain(Simulation(), NEAR_TERM, 10.0, nodes)


@pytest.mark.parametrize("nodes", [2, 3.0, True])
def test_nesting_needs_three_nodes(nodes):
    with pytest.raises(QnetError, match=r"nodes is .*; give a whole number of at least 3"):
        NVNestedChain(Simulation(), NEAR_TERM, 10.0, nodes)


def test_the_length_is_checked():
    with pytest.raises(QnetError, match=r"length_km is -1\.0; give a finite number of at least 0"):
        NVNestedChain(Simulation(), NEAR_TERM, -1.0, 3)


def test_carbon_spins_are_needed():
    with pytest.raises(QnetError, match="carbons is 0; give a whole number of at least 1"):
        NVNestedChain(Simulation(), NEAR_TERM, 10.0, 3, carbons=0)
    sim = Simulation(rng=np.random.default_rng(1))
    chain = NVNestedChain(sim, PERFECT, 10.0, 3, carbons=1)
    with pytest.raises(QnetError, match=r"node 1 has no empty carbon spin at .* ns: all of its 1"):
        sim.run(until=chain.done)
