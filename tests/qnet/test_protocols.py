"""Protocols of nodes against closed forms: swaps, distillation, teleportation, key distribution."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from restudy.qnet.analytic import bell, distillation, werner
from restudy.qnet.components.detectors import QuantumDetector
from restudy.qnet.components.instructions import MEASURE, MEASURE_BELL, PhysicalInstruction
from restudy.qnet.components.memory import QuantumMemory
from restudy.qnet.components.network import Network
from restudy.qnet.components.nodes import Node
from restudy.qnet.components.processor import QuantumProcessor
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.noise import DepolarNoise, FibreLoss, FixedNoise, NoiseModel
from restudy.qnet.protocols.bb84 import BASES, BB84, Key, alice, bob
from restudy.qnet.protocols.collection import DataCollector
from restudy.qnet.protocols.distillation import BBPSSW, DEJMPS, KALB, Distillation, distil
from restudy.qnet.protocols.generation import (
    HeraldedLink,
    generate,
    generate_attempt_by_attempt,
    swap_asap,
)
from restudy.qnet.protocols.programs import bell_measurement, bell_measurement_by_gates
from restudy.qnet.protocols.protocol import Protocol, Signal
from restudy.qnet.protocols.swapping import correct, swap
from restudy.qnet.protocols.teleportation import teleport
from restudy.qnet.states.channels import depolarising
from restudy.qnet.states.gates import CNOT, PAULIS, H, rx
from restudy.qnet.states.qubits import (
    Qubit,
    bell_pair,
    convert,
    discard,
    fidelity,
    measure,
    new_qubits,
    operate,
)
from restudy.qnet.states.state import Formalism

PHI_PLUS = np.array([1, 0, 0, 1]) / np.sqrt(2)
PSI_PLUS = np.array([0, 1, 1, 0]) / np.sqrt(2)
BELL_STATES = [np.kron(np.eye(2), pauli.matrix) @ PHI_PLUS for pauli in PAULIS]


def line(
    sim: Simulation, names: str, *, positions: int = 2, noise: NoiseModel | None = None
) -> list[Node]:
    """Nodes with processors; each has a classical link to the last, and to its neighbours."""
    network = Network(sim)
    gates = [
        PhysicalInstruction(what, 10.0) for what in (MEASURE_BELL, MEASURE, CNOT, H, rx, *PAULIS)
    ]
    gates[1] = PhysicalInstruction(MEASURE, 10.0, parallel=True)
    nodes = [
        network.node(name, QuantumProcessor(sim, f"{name}.cpu", positions, gates, noise))
        for name in names
    ]
    for node in nodes[:-1]:
        network.classical(node, nodes[-1])
    return nodes


def weights(*pair: Qubit) -> np.ndarray:
    return np.array([fidelity(state, *pair) for state in BELL_STATES])


# --- swapping and teleportation --------------------------------------------------------------


@pytest.mark.parametrize("formalism", list(Formalism))
@pytest.mark.parametrize("measured", [bell_measurement, bell_measurement_by_gates])
def test_a_line_of_swaps_leaves_phi_plus_in_every_formalism(
    formalism: Formalism, measured: Any
) -> None:
    for seed in range(8):
        sim = Simulation(rng=np.random.default_rng(seed))
        nodes = line(sim, "ABCDE")
        for left, right in pairwise(nodes):
            here, there = bell_pair(formalism)
            left.memory.put(here, 1)
            right.memory.put(there, 0)
        for node in nodes[1:-1]:
            sim.process(swap(node, node.classical("E"), measure=measured))
        reports = [nodes[-1].classical(node.name) for node in nodes[1:-1]]
        sim.run(until=sim.process(correct(nodes[-1], reports)))
        found = weights(nodes[0].memory.peek(1), nodes[-1].memory.peek(0))
        assert found == pytest.approx([1, 0, 0, 0], abs=1e-9)


def test_a_swap_of_mixtures_is_the_convolution_of_their_weights() -> None:
    a, b = np.array([0.6, 0.2, 0.15, 0.05]), np.array([0.7, 0.0, 0.1, 0.2])
    for formalism in (Formalism.DENSITY, Formalism.BELL):
        sim = Simulation(rng=np.random.default_rng(4))
        left, middle, right = line(sim, "ABC")
        for (first, i), (second, j), given in (
            ((left, 1), (middle, 0), a),
            ((middle, 1), (right, 0), b),
        ):
            here, there = bell_pair(formalism, weights=tuple(given))
            first.memory.put(here, i)
            second.memory.put(there, j)
        sim.process(swap(middle, middle.classical("C")))
        sim.run(until=sim.process(correct(right, [right.classical("B")])))
        found = weights(left.memory.peek(1), right.memory.peek(0))
        assert found == pytest.approx(bell.swapped(a, b), abs=1e-12)


@pytest.mark.parametrize("formalism", [Formalism.DENSITY, Formalism.KET])
def test_any_qubit_is_teleported_over_a_noisy_pair(formalism: Formalism) -> None:
    psi = rx(1.1).matrix @ H.matrix @ rx(0.4).matrix @ [1, 0]
    F = 0.85
    given = (F, 0.05, 0.05, 0.05) if formalism is Formalism.DENSITY else (1.0, 0.0, 0.0, 0.0)
    sim = Simulation(rng=np.random.default_rng(2))
    sender, receiver = line(sim, "AB")
    for _ in range(10):
        (qubit,) = new_qubits(1, formalism)
        for gate in (rx(0.4), H, rx(1.1)):
            operate(gate, qubit)
        here, there = bell_pair(weights=given)
        convert([here], formalism)
        sender.memory.put(qubit, 0)
        sim.process(teleport(sender, sender.classical("B")))
        sender.memory.put(here, 1)
        receiver.memory.put(there, 0)
        sim.run(until=sim.process(correct(receiver, [receiver.classical("A")])))
        expected = given[0] + (1 - given[0]) / 3
        assert fidelity(psi, receiver.memory.take(0)) == pytest.approx(expected, abs=1e-9)


# --- generation and SWAP-ASAP ----------------------------------------------------------------


def test_jumping_over_failed_attempts_changes_nothing_but_the_number_of_events() -> None:
    means = []
    for how in (generate, generate_attempt_by_attempt):
        sim = Simulation(rng=np.random.default_rng(7))
        memory = QuantumMemory(sim, "m", 2)
        total, runs = 0, 2000
        for _ in range(runs):
            total += sim.run(until=sim.process(how(HeraldedLink(0.2, 10.0), *memory.positions)))
            for position in memory.positions:
                position.discard()
        assert sim.now == total * 10.0
        means.append(total / runs)
        assert abs(means[-1] - 5.0) < 4 * math.sqrt(0.8) / 0.2 / math.sqrt(runs)
    with pytest.raises(QnetError, match="p_success of HeraldedLink is 0"):
        HeraldedLink(0.0, 1.0)


def test_two_links_decay_while_the_first_waits_for_the_second() -> None:
    cycle, T = 1e6, 20.0
    p = 0.3
    link = HeraldedLink(p, cycle, lambda: bell_pair(Formalism.BELL))
    decays = []
    for seed in range(1500):
        sim = Simulation(rng=np.random.default_rng(seed))
        nodes = line(sim, "ABC", noise=DepolarNoise(1e9 / (T * cycle) / 2))  # two wait: T/2 each
        sim.run(until=swap_asap(nodes, link))
        F = fidelity(PHI_PLUS, nodes[0].memory.peek(1), nodes[2].memory.peek(0))
        decays.append(werner.werner_of(F))
    expected = werner.two_link_decay(p, T)
    gates = 1e-5  # bound of what is lost while gates are at work, 10 ns each
    assert abs(np.mean(decays) - expected) < 4 * np.std(decays) / math.sqrt(len(decays)) + gates


# --- distillation ----------------------------------------------------------------------------


def distilled(
    scheme: Distillation, make: Any, seed: int
) -> tuple[bool, Qubit | None, Qubit | None]:
    """Distil two pairs; return whether it worked, and the kept pair."""
    sim = Simulation(rng=np.random.default_rng(seed))
    first, second = line(sim, "AB")
    for at in (0, 1):
        here, there = make()
        first.memory.put(here, at)
        second.memory.put(there, at)
    one = sim.process(distil(first, first.classical("B"), scheme, side=0))
    two = sim.process(distil(second, second.classical("A"), scheme, side=1))
    sim.run()
    assert one.value == two.value
    kept = first.memory.positions[0].qubit, second.memory.positions[0].qubit
    assert (kept[0] is None) == (not one.value)
    assert first.memory.positions[1].qubit is None
    return one.value, *kept


@pytest.mark.parametrize("formalism", [Formalism.DENSITY, Formalism.BELL])
@pytest.mark.parametrize("scheme", [BBPSSW, DEJMPS])
def test_distillation_of_werner_pairs(scheme: Distillation, formalism: Formalism) -> None:
    given = bell.werner_weights(0.8)
    expected, p = distillation.dejmps(given, given)
    assert p == pytest.approx(distillation.bbpssw(0.8, 0.8)[1])
    runs, successes = 150, 0
    for seed in range(runs):
        success, *pair = distilled(scheme, lambda: bell_pair(formalism, weights=tuple(given)), seed)
        if success:
            successes += 1
            found = weights(*pair)
            assert found[0] == pytest.approx(0.838150, abs=1e-6)
            if scheme is DEJMPS:
                assert found == pytest.approx(expected, abs=1e-12)
    assert abs(successes - runs * p) < 4 * math.sqrt(runs * p * (1 - p))


def test_dejmps_of_pairs_that_are_not_werner() -> None:
    given = np.array([0.7, 0.05, 0.15, 0.1])
    expected, _ = distillation.dejmps(given, given)
    pairs = [distilled(DEJMPS, lambda: bell_pair(weights=tuple(given)), s) for s in range(12)]
    kept = [pair for success, *pair in pairs if success]
    assert kept
    for pair in kept:
        assert weights(*pair) == pytest.approx(expected, abs=1e-12)


def test_kalb_removes_photon_loss_in_one_round() -> None:
    F = 0.7

    def single_click() -> tuple[Qubit, Qubit]:
        a, b = bell_pair(index=1)
        convert([a], Formalism.DENSITY)
        rho = F * np.outer(PSI_PLUS, PSI_PLUS) + (1 - F) * np.diag([1.0, 0, 0, 0])
        a.state.entries[:] = rho.ravel()
        return a, b

    runs, successes = 200, 0
    for seed in range(runs):
        success, *pair = distilled(KALB, single_click, seed)
        if success:
            successes += 1
            assert fidelity(PSI_PLUS, *pair) == pytest.approx(1.0, abs=1e-12)
    p = F**2 / 2
    assert abs(successes - runs * p) < 4 * math.sqrt(runs * p * (1 - p))


# --- key distribution ------------------------------------------------------------------------


def keys(
    agreed: BB84,
    *,
    noise: NoiseModel | None = None,
    loss: FibreLoss | None = None,
    listens: bool = False,
    **detector: float,
) -> tuple[Key, Key]:
    sim = Simulation(rng=np.random.default_rng(11))
    network = Network(sim)
    a, b = network.node("Alice"), network.node("Bob")
    network.classical(a, b, length_km=10.0)
    if listens:  # Eve measures in a random basis and sends on what she found
        eve = network.node("Eve")
        network.quantum(a, eve, length_km=5.0, label="Bob")
        network.quantum(eve, b, length_km=5.0, label="Alice")

        def intercept(photon: Qubit) -> None:
            measure(photon, rng=sim.rng, basis=BASES[sim.rng.integers(2)])
            eve.quantum("Alice").send(photon)

        eve.quantum("Bob").on_message(intercept)
    else:
        network.quantum(a, b, length_km=10.0, noise=noise, loss=loss)
    one = sim.process(alice(a, "Bob", agreed))
    two = sim.process(bob(b, "Alice", agreed, QuantumDetector(sim, "Bob.detector", **detector)))
    sim.run(until=two)
    sim.run()
    return one.value, two.value


def test_keys_agree_without_noise() -> None:
    agreed = BB84(pulses=2000, disclosed=0.2)
    one, two = keys(agreed, loss=FibreLoss(0.0, 0.2), efficiency=0.8)
    assert np.array_equal(one.bits, two.bits)
    assert one.compared == two.compared
    assert two.qber == {"Z": 0.0, "X": 0.0}
    p = 0.5 * 0.8 * 10**-0.2
    sifted = len(one.bits) + sum(one.compared.values())
    assert abs(sifted - 2000 * p) < 4 * math.sqrt(2000 * p * (1 - p))


def test_error_rates_are_those_of_the_channel() -> None:
    agreed = BB84(pulses=3000, disclosed=1.0)
    one, _ = keys(agreed, noise=FixedNoise(depolarising(0.2)))
    for basis in "XZ":
        n = one.compared[basis]
        assert abs(one.qber[basis] - 0.1) < 4 * math.sqrt(0.09 / n)
    assert len(one.bits) == 0


def test_intercepting_costs_a_quarter_of_the_bits() -> None:
    agreed = BB84(pulses=2000, disclosed=1.0, formalism=Formalism.STABILIZER)
    one, _ = keys(agreed, listens=True)
    for basis in "XZ":
        n = one.compared[basis]
        assert abs(one.qber[basis] - 0.25) < 4 * math.sqrt(0.25 * 0.75 / n)


def test_nothing_disclosed_is_no_error_rate() -> None:
    one, two = keys(BB84(pulses=50, disclosed=0.0))
    assert np.array_equal(one.bits, two.bits)
    assert math.isnan(one.qber["X"])
    with pytest.raises(QnetError, match="disclosed of BB84 is 2"):
        BB84(pulses=1, disclosed=2.0)


# --- protocols with a life, collection -------------------------------------------------------


class Ping(Protocol):
    def __init__(self, sim: Simulation, name: str, *parts: Protocol) -> None:
        super().__init__(sim, name, parts)
        self.pinged = Signal(sim, f"{name}.pinged")
        self.count = 0

    def run(self) -> Any:
        while True:
            yield self.sim.timeout(10.0)
            self.count += 1
            self.pinged.send(self.count)


def test_start_stop_and_reset_with_parts() -> None:
    sim = Simulation()
    part = Ping(sim, "part")
    whole = Ping(sim, "whole", part)
    whole.start()
    sim.run(until=35.0)
    assert (whole.count, part.count) == (3, 3)
    with pytest.raises(QnetError, match=r"protocol whole runs already at 35\.0 ns"):
        whole.start()
    whole.stop()
    sim.run(until=100.0)
    assert (whole.count, part.running) == (3, False)
    whole.reset()
    sim.run(until=115.0)
    assert (whole.count, part.count) == (4, 4)
    Protocol(sim, "none").start()
    with pytest.raises(NotImplementedError, match="Protocol has no method run"):
        sim.run()


def test_a_signal_can_be_waited_for_again_and_again() -> None:
    sim = Simulation()
    ping = Ping(sim, "ping")
    ping.start()
    seen = []

    def listen() -> Any:
        while len(seen) < 3:
            seen.append((yield ping.pinged.wait()))

    sim.run(until=sim.process(listen()))
    assert seen == [1, 2, 3]


def test_the_collector_sees_the_state_before_the_waiters_change_it() -> None:
    sim = Simulation(rng=np.random.default_rng(1))
    success = Signal(sim, "success")
    collector = DataCollector(sim, lambda pair: {"fidelity": round(fidelity(PHI_PLUS, *pair), 9)})
    collector.collect_on(success)

    def consume() -> Any:
        while True:
            pair = yield success.wait()
            for qubit in pair:
                discard(qubit)

    sim.process(consume())
    for time in (5.0, 6.0):
        sim.schedule_at(time, success.send, bell_pair())
    sim.run()
    table = collector.table()
    assert table.to_dict("list") == {
        "time_ns": [5.0, 6.0],
        "signal": ["success", "success"],
        "fidelity": [1.0, 1.0],
    }
