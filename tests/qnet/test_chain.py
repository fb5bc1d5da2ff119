"""The repeater chain of NetSquid's benchmark: closed form, formalisms, growth, a golden run."""

import math
from pathlib import Path

import numpy as np
import pytest

from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.protocols.chain import ChainParameters, RepeaterChain, chain_fidelity
from restudy.qnet.states.state import Formalism

GOLDEN = Path(__file__).parent / "golden_chain.txt"


def ran(parameters: ChainParameters, formalism: Formalism, seed: int = 1) -> RepeaterChain:
    sim = Simulation(rng=np.random.default_rng(seed))
    chain = RepeaterChain(sim, parameters, formalism=formalism)
    sim.run(until=chain.done)
    return chain


@pytest.mark.parametrize("nodes", [2, 3, 10, 300])
@pytest.mark.parametrize("formalism", [Formalism.DENSITY, Formalism.BELL])
def test_mixed_states_agree_with_the_closed_form(nodes: int, formalism: Formalism) -> None:
    parameters = ChainParameters(nodes)
    chain = ran(parameters, formalism)
    assert chain.fidelity() == pytest.approx(chain_fidelity(parameters), abs=1e-11)


def test_other_parameters() -> None:
    parameters = ChainParameters(
        7,
        spacing_km=33.0,
        speed_km_per_s=190_000.0,
        channel_hz=300.0,
        memory_hz=20.0,
        gate_hz=4e4,
        swap_ns=3000.0,
        pauli_ns=7000.0,
    )
    chain = ran(parameters, Formalism.DENSITY)
    assert chain.fidelity() == pytest.approx(chain_fidelity(parameters), abs=1e-12)


@pytest.mark.parametrize("formalism", [Formalism.KET, Formalism.STABILIZER, Formalism.GRAPH])
def test_pure_states_have_the_closed_form_as_mean(formalism: Formalism) -> None:
    parameters = ChainParameters(5, channel_hz=800.0, gate_hz=1e5)
    runs = 150
    found = [ran(parameters, formalism, seed).fidelity() for seed in range(runs)]
    F = chain_fidelity(parameters)
    assert 0.4 < F < 0.9
    assert abs(np.mean(found) - F) < 4 * math.sqrt(F * (1 - F) / runs)


def test_time_is_that_of_light_and_of_the_last_outcome() -> None:
    parameters = ChainParameters(12)
    chain = ran(parameters, Formalism.BELL)
    # clock 10 us, half a link 50 us, a swap, ten links of 100 us, a correction
    assert chain.sim.now == 10_000.0 + 50_000.0 + 500.0 + 10 * 100_000.0 + 100.0


def test_five_callbacks_a_node() -> None:
    """A pair's two halves, a process that starts, an instruction, an outcome; no more with N."""
    counts = [
        ran(ChainParameters(nodes), Formalism.BELL).sim.statistics.callbacks
        for nodes in (100, 200, 300)
    ]
    assert counts[2] - counts[1] == counts[1] - counts[0] == 500


def test_wrong_chains() -> None:
    with pytest.raises(QnetError, match="nodes is 1"):
        ChainParameters(1)
    with pytest.raises(QnetError, match="gate_hz is -1"):
        ChainParameters(3, gate_hz=-1.0)
    with pytest.raises(QnetError, match="source_hz is 0"):
        ChainParameters(3, source_hz=0.0)


def golden_run() -> str:
    """Log every callback of a chain of five nodes: time, what it was, and the result."""
    sim = Simulation(rng=np.random.default_rng(2010_12535))
    chain = RepeaterChain(sim, ChainParameters(5), formalism=Formalism.DENSITY)
    lines = []
    while (step := sim.step()) is not None:
        lines.append(f"{step.time:>9.1f} ns  {step.callback}")
    lines.append(f"correction {chain.done.value}, fidelity {chain.fidelity():.12f}")
    return "\n".join(lines) + "\n"


def test_golden_run() -> None:
    assert golden_run() == GOLDEN.read_text(encoding="utf-8")
