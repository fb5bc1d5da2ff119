"""SWAP-ASAP of NV nodes on components, against the batch executor."""

import itertools

import numpy as np
import pytest

from restudy.qnet.batch.nv_maps import nv_maps, swap_corrections
from restudy.qnet.batch.nv_swap_asap import replay, swap_asap
from restudy.qnet.batch.streams import new_streams, uniform
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.hardware.nv_parameters import NEAR_TERM, improved
from restudy.qnet.protocols.nv_chain import NVRepeaterChain
from restudy.qnet.protocols.nv_nodes import SWAP_CORRECTION


class Replayed(np.random.Generator):
    """Gives the numbers that it was given."""

    def __init__(self, numbers):
        super().__init__(np.random.PCG64(0))
        self.numbers = iter(numbers)

    def random(self):
        return next(self.numbers)


def run(rng, parameters, length_km, nodes):
    sim = Simulation(rng=rng)
    chain = NVRepeaterChain(sim, parameters, length_km, nodes)
    sim.run(until=chain.done)
    return chain.fidelity(), sim.now


@pytest.mark.parametrize("factor", [1, 3, 30])
@pytest.mark.parametrize("nodes", [2, 3])
def test_components_equal_the_batch_on_the_same_random_numbers(factor, nodes):
    parameters = improved(NEAR_TERM, factor)
    streams = new_streams(5, 2 * nodes - 1, rng=np.random.default_rng(factor))
    # of each link: attempts and detector; of the repeater: two outcomes; in the order of use
    used = [*range(nodes - 1), *range(nodes, 2 * nodes - 2)]
    drawn = streams.copy()
    slow = []
    for i in range(len(streams)):
        numbers = [uniform(drawn, i, which) for which in used for _ in range(2)]
        slow.append(run(Replayed(numbers), parameters, 60.0, nodes))
    fast = replay(nv_maps(parameters, 60.0), nodes, streams)
    np.testing.assert_allclose(fast.fidelity, [one for one, _ in slow], rtol=0, atol=1e-12)
    np.testing.assert_allclose(fast.duration_ns, [one for _, one in slow], rtol=1e-12)


@pytest.mark.parametrize("nodes", [4, 5])
def test_components_agree_with_the_batch_on_average(nodes):
    """Nodes swap at the same time here, so that the two draw outcomes in another order."""
    parameters, runs = improved(NEAR_TERM, 5), 120
    slow = np.array(
        [run(np.random.default_rng(seed), parameters, 60.0, nodes) for seed in range(runs)]
    )
    fast = swap_asap(
        nv_maps(parameters, 60.0), nodes=nodes, runs=20_000, rng=np.random.default_rng(1)
    )
    for found, expected in zip(slow.T, (fast.fidelity, fast.duration_ns), strict=True):
        error = expected.std() / np.sqrt(runs)
        assert abs(found.mean() - expected.mean()) < 4 * error


def test_corrections_are_those_of_the_compiled_circuit():
    for (m, n), k in zip(itertools.product((0, 1), repeat=2), swap_corrections(), strict=True):
        assert SWAP_CORRECTION[m, n] == k
