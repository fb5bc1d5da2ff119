"""Ports, channels, memories, sources, detectors, clocks, nodes and networks."""

import math
from typing import Any

import numpy as np
import pytest

from restudy.qnet.components.channels import ClassicalChannel, QuantumChannel
from restudy.qnet.components.clocks import Clock, ExponentialGap, FixedGap
from restudy.qnet.components.detectors import QuantumDetector
from restudy.qnet.components.memory import QuantumMemory
from restudy.qnet.components.network import Network
from restudy.qnet.components.ports import Port
from restudy.qnet.components.sources import QuantumSource
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.noise import (
    DephaseNoise,
    DepolarNoise,
    FibreDelay,
    FibreLoss,
    FixedDelay,
    FixedNoise,
    T1T2Noise,
)
from restudy.qnet.states.channels import depolarising
from restudy.qnet.states.gates import H, X
from restudy.qnet.states.qubits import bell_pair, density, fidelity, new_qubits, operate
from restudy.qnet.states.state import Formalism

PHI_PLUS = np.array([1, 0, 0, 1]) / np.sqrt(2)


def simulation(seed: int = 1) -> Simulation:
    return Simulation(rng=np.random.default_rng(seed))


def connected(sim: Simulation) -> tuple[Port, Port]:
    a, b = Port(sim, "Alice.a"), Port(sim, "Bob.b")
    a.connect(b)
    return a, b


# --- ports -----------------------------------------------------------------------------------


def test_messages_are_received_in_order_by_who_waited_first() -> None:
    sim = Simulation()
    a, b = connected(sim)
    got = []

    def listen(name: str) -> Any:
        got.append((name, (yield b.receive())))

    sim.process(listen("first"))
    sim.process(listen("second"))
    for message in (1, 2, 3):
        a.send(message, delay=5.0)
    sim.run()
    assert got == [("first", 1), ("second", 2)]
    assert b.waiting == 1
    assert sim.run(until=b.receive()) == 3


def test_no_message_is_lost_when_the_wait_is_given_up() -> None:
    sim = Simulation()
    a, b = connected(sim)
    got = []

    def listen() -> Any:
        for _ in range(5):
            message, limit = b.receive(), sim.timeout(10.0)
            fired = yield message | limit
            got.append((sim.now, message.value if message in fired else None))

    sim.process(listen())
    for k, time in enumerate((10.0, 25.0, 25.0)):  # the first comes with the first timeout
        sim.schedule_at(time, a.send, k)
    sim.run()
    assert got == [(10.0, None), (10.0, 0), (20.0, None), (25.0, 1), (25.0, 2)]


def test_an_event_kept_for_later_gets_its_message() -> None:
    sim = Simulation()
    a, b = connected(sim)

    def listen() -> Any:
        message = b.receive()
        yield sim.timeout(50.0)
        got = yield message
        return got, sim.now

    a.send("early", delay=10.0)
    assert sim.run(until=sim.process(listen())) == ("early", 50.0)


def test_a_stopped_process_gets_no_message() -> None:
    sim = Simulation()
    a, b = connected(sim)

    def listen() -> Any:
        yield b.receive()

    process = sim.process(listen())
    sim.schedule(process.stop, delay=1.0)
    a.send("message", delay=2.0)
    sim.run()
    assert b.waiting == 1


def test_given_up_waits_do_not_pile_up() -> None:
    sim = Simulation()
    _, b = connected(sim)
    for _ in range(1000):
        sim.run(until=b.receive() | sim.timeout(1.0))
    assert b._waiting is not None
    assert len(b._waiting) == 1


def test_two_nodes_that_answer_each_other_for_ever_need_no_deep_stack() -> None:
    sim = Simulation()
    a, b = connected(sim)

    def play(port: Port) -> Any:
        while True:
            ball = yield port.receive()
            if ball == 5000:
                return ball
            port.send(ball + 1)

    players = [sim.process(play(port)) for port in (a, b)]
    a.send(0)
    assert sim.run(until=players[0] | players[1])[0].value == 5000


def test_wrong_use_of_ports() -> None:
    sim = Simulation()
    sim.run(until=3.0)
    a, b, c = (Port(sim, f"{name}.port") for name in "abc")
    with pytest.raises(QnetError, match=r"port a\.port sends 'x' to nowhere at 3\.0 ns"):
        a.send("x")
    a.connect(b)
    with pytest.raises(QnetError, match=r"b\.port is connected to a\.port already, at 3\.0 ns"):
        c.connect(b)
    with pytest.raises(QnetError, match="connected to itself"):
        c.connect(c)
    with pytest.raises(QnetError, match=r"got the delay -1\.0 ns at 3\.0 ns"):
        a.send("x", delay=-1.0)
    b.on_message(print)
    with pytest.raises(QnetError, match=r"b\.port has a handler.* at 3\.0 ns"):
        b.receive()
    with pytest.raises(QnetError, match=r"b\.port has a handler at 3\.0 ns"):
        b.on_message(print)


# --- channels --------------------------------------------------------------------------------


def test_a_classical_channel_delays_and_loses() -> None:
    sim = simulation()
    line = ClassicalChannel(sim, "line", length_km=10.0, loss=FibreLoss(0.0, db_per_km=0.5))
    a, b = Port(sim, "a"), Port(sim, "b")
    a.connect(line.input)
    line.output.connect(b)
    n = 4000
    for k in range(n):
        a.send(k)
    sim.run()
    assert sim.now == 50_000.0
    p = 1 - 10**-0.5
    assert abs(line.lost - n * p) < 4 * math.sqrt(n * p * (1 - p))
    assert b.waiting == n - line.lost


@pytest.mark.parametrize("formalism", [Formalism.DENSITY, Formalism.BELL])
def test_noise_of_a_quantum_channel_is_exact_on_mixed_states(formalism: Formalism) -> None:
    sim = simulation()
    fibre = QuantumChannel(sim, "fibre", length_km=100.0, noise=DepolarNoise(rate_hz=1000.0))
    out = Port(sim, "out")
    fibre.output.connect(out)
    here, there = bell_pair(formalism)
    fibre.transmit(there)
    assert sim.run(until=out.receive()) is there
    assert sim.now == 500_000.0
    assert fidelity(PHI_PLUS, here, there) == pytest.approx((1 + 3 * math.exp(-0.5)) / 4, abs=1e-12)


def test_a_lost_qubit_arrives_as_none() -> None:
    sim = simulation()
    fibre = QuantumChannel(sim, "fibre", length_km=10.0, loss=FibreLoss(p_init=1.0))
    out = Port(sim, "out")
    fibre.output.connect(out)
    here, there = bell_pair()
    fibre.transmit(there)
    assert sim.run(until=out.receive()) is None
    assert fibre.lost == 1
    assert there.state is None
    assert np.allclose(density(here), np.eye(2) / 2)


class Backwards:
    def delay_ns(self, length_km: float) -> float:
        return -1.0


def test_wrong_channels() -> None:
    sim = simulation()
    with pytest.raises(QnetError, match="length_km of the channel c is -1"):
        ClassicalChannel(sim, "c", length_km=-1.0)
    with pytest.raises(QnetError, match="time_ns of FixedDelay is -5"):
        FixedDelay(-5.0)
    with pytest.raises(QnetError, match=r"p_init of FibreLoss is 1\.5"):
        FibreLoss(1.5)
    with pytest.raises(QnetError, match="delay of the channel c is -1"):
        QuantumChannel(sim, "c", delay=Backwards())
    with pytest.raises(QnetError, match=r"channel c got 'hello' at 0\.0 ns: send a qubit"):
        QuantumChannel(sim, "c").transmit("hello")


# --- memories --------------------------------------------------------------------------------


@pytest.mark.parametrize("formalism", [Formalism.DENSITY, Formalism.BELL])
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (DepolarNoise(20.0), (1 + 3 * math.exp(-0.6)) / 4),
        (DephaseNoise(20.0), (1 + math.exp(-0.6)) / 2),
        (T1T2Noise(math.inf, 5e7), (1 + math.exp(-0.6)) / 2),
    ],
)
def test_lazy_noise_does_not_depend_on_touches(
    formalism: Formalism, model: Any, expected: float
) -> None:
    for touches in ([30e6], [1e6, 7e6, 7e6, 30e6]):
        sim = simulation()
        memory = QuantumMemory(sim, "m", 1, noise=model)
        here, there = bell_pair(formalism)
        memory.put(here)
        for time in touches:
            sim.run(until=time)
            memory.peek()
        assert fidelity(PHI_PLUS, here, there) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("formalism", [Formalism.KET, Formalism.STABILIZER, Formalism.GRAPH])
def test_lazy_noise_on_pure_states_has_the_right_mean(formalism: Formalism) -> None:
    sim = simulation(3)
    runs, hits = 1500, 0.0
    for _ in range(runs):
        memory = QuantumMemory(sim, "m", 1, noise=DepolarNoise(20.0))
        here, there = bell_pair(formalism)
        memory.put(here)
        sim.run(until=sim.now + 30e6)
        hits += fidelity(PHI_PLUS, memory.take(), there)
    p = (1 + 3 * math.exp(-0.6)) / 4
    assert abs(hits / runs - p) < 4 * math.sqrt(p * (1 - p) / runs)


def test_relaxation_promotes_a_bell_pair() -> None:
    sim = simulation()
    memory = QuantumMemory(sim, "m", 1, noise=T1T2Noise(1e9, 1e9))
    here, there = bell_pair(Formalism.BELL)
    memory.put(here)
    sim.run(until=1e9)
    rho = density(memory.peek(), there)
    e = math.exp(-1.0)
    assert np.allclose(np.diag(rho).real, [0.5, (1 - e) / 2, 0.0, e / 2], atol=1e-12)
    assert rho[0, 3].real == pytest.approx(e / 2, abs=1e-12)


def test_a_position_says_when_it_is_filled_and_replaces_what_it_holds() -> None:
    sim = simulation()
    memory = QuantumMemory(sim, "m", 2)
    a, b = connected(sim)
    memory.accept(b, 1)
    first, second = new_qubits(2)
    a.send(first, delay=4.0)
    assert sim.run(until=memory.filled(1)) is memory.positions[1]
    assert sim.now == 4.0
    sim.run(until=memory.filled(1))  # it is: at once
    a.send(second)
    a.send(None)  # an empty time slot changes nothing
    sim.run()
    assert memory.peek(1) is second
    assert first.state is None
    memory.positions[1].busy = True
    (third,) = new_qubits(1)
    a.send(third)
    sim.run()
    assert memory.peek(1) is second
    assert third.state is None


def test_wrong_use_of_a_memory() -> None:
    sim = simulation()
    sim.run(until=2.0)
    memory = QuantumMemory(sim, "m", 2)
    with pytest.raises(QnetError, match=r"position m\[0\] is empty at 2\.0 ns"):
        memory.take()
    with pytest.raises(QnetError, match=r"m has no position 2, asked for at 2\.0 ns"):
        memory.peek(2)
    memory.put(new_qubits(1)[0])
    with pytest.raises(QnetError, match=r"m\[0\] holds a qubit at 2\.0 ns"):
        memory.put(new_qubits(1)[0])
    with pytest.raises(QnetError, match="2 positions and 1 noise models"):
        QuantumMemory(sim, "m", 2, noise=[None])
    with pytest.raises(QnetError, match="T2 cannot exceed 2 T1"):
        T1T2Noise(1.0, 2.1)
    with pytest.raises(QnetError, match="rate_hz of DepolarNoise is -1"):
        DepolarNoise(-1.0)


def test_models() -> None:
    assert DepolarNoise(0.0).channel(1.0) is None
    assert DephaseNoise(1.0).channel(0.0) is None
    assert T1T2Noise(1.0, 1.0).channel(0.0) is None
    fixed = depolarising(0.1)
    assert FixedNoise(fixed).channel(0.0) is fixed
    assert FibreDelay(100_000.0).delay_ns(1.0) == 10_000.0


# --- clocks, sources, detectors --------------------------------------------------------------


def test_a_poisson_clock_has_the_right_rate() -> None:
    sim = simulation()
    clock = Clock(sim, "clock", ExponentialGap(rate_hz=1e6))
    times: list[float] = []
    clock.on_tick(lambda: times.append(sim.now))
    clock.start()
    sim.run(until=5e6)
    assert abs(len(times) - 5000) < 4 * math.sqrt(5000)
    gaps = np.diff(times)
    assert abs(gaps.std() / gaps.mean() - 1) < 4 * math.sqrt(2 / len(gaps))
    clock.stop()
    sim.run()
    assert len(times) == clock.ticked


def test_a_clock_starts_again() -> None:
    sim = Simulation()
    clock = Clock(sim, "clock", FixedGap(10.0), ticks=2)
    times: list[float] = []
    clock.on_tick(lambda: times.append(sim.now))
    clock.start()
    with pytest.raises(QnetError, match=r"clock ticks already at 0\.0 ns"):
        clock.start()
    sim.run()
    clock.start()
    sim.run()
    assert times == [10.0, 20.0, 30.0, 40.0]
    with pytest.raises(QnetError, match="period_ns of FixedGap is 0"):
        FixedGap(0.0)


def test_a_source_that_makes_the_wrong_number() -> None:
    sim = Simulation()
    source = QuantumSource(sim, "source", lambda: new_qubits(3))
    with pytest.raises(QnetError, match=r"source made 3 qubits for 2 outputs at 0\.0 ns"):
        source.emit()


def test_a_detector_sees_photons_and_dark_counts() -> None:
    sim = simulation(5)
    detector = QuantumDetector(sim, "d", efficiency=0.7, dark_hz=1e8, window_ns=2.0)
    d = detector.p_dark
    assert d == pytest.approx(1 - math.exp(-0.2))
    n = 4000
    counts: dict[Any, int] = {0: 0, 1: 0, None: 0}
    for _ in range(n):
        (qubit,) = new_qubits(1, Formalism.STABILIZER)
        operate(X, qubit)
        counts[detector.detect(qubit, "Z")] += 1
    seen = 0.7 + 0.3 * d  # the right detector clicks
    expected = {
        1: seen * (1 - d) + seen * d / 2,
        0: (1 - seen) * d + seen * d / 2,
        None: (1 - seen) * (1 - d),
    }
    assert sum(expected.values()) == pytest.approx(1)
    for outcome, p in expected.items():
        assert abs(counts[outcome] - n * p) < 4 * math.sqrt(n * p * (1 - p))


def test_a_detector_in_a_network_measures_what_arrives_in_its_basis() -> None:
    sim = simulation()
    detector = QuantumDetector(sim, "d")
    detector.basis = "X"
    a, b = Port(sim, "a"), Port(sim, "b")
    a.connect(detector.input)
    detector.output.connect(b)
    (qubit,) = new_qubits(1)
    operate(X, qubit)
    operate(H, qubit)
    a.send(qubit)
    a.send(None)
    assert sim.run(until=b.receive()) == 1
    assert sim.run(until=b.receive()) is None
    with pytest.raises(QnetError, match=r"efficiency of the detector d is 1\.2"):
        QuantumDetector(sim, "d", efficiency=1.2)


# --- networks --------------------------------------------------------------------------------


def test_links_of_a_network() -> None:
    sim = simulation()
    network = Network(sim)
    a, b = network.node("a"), network.node("b")
    network.classical(a, b, length_km=1.0)
    network.entangling(a, b, length_km=4.0).source.emit()
    a.classical("b").send("there")
    b.classical("a").send("back")
    assert sim.run(until=a.classical("b").receive()) == "back"
    assert sim.now == 5000.0
    assert sim.run(until=b.classical("a").receive()) == "there"
    pair = sim.run(until=a.quantum("b").receive() & b.quantum("a").receive())
    assert fidelity(PHI_PLUS, *(half.value for half in pair)) == pytest.approx(1.0)
    assert sim.now == 10_000.0


def test_wrong_networks() -> None:
    sim = simulation()
    network = Network(sim)
    a, b = network.node("a"), network.node("b")
    network.message(a, b)
    with pytest.raises(QnetError, match=r"a has a classical link 'b' already, at 0\.0 ns"):
        network.message(a, b)
    network.message(a, b, label="second")
    assert b.classical("second").waiting == 0
    with pytest.raises(QnetError, match="has a node 'a' already"):
        network.node("a")
    with pytest.raises(QnetError, match=r"a has no quantum link 'b', asked for at 0\.0 ns"):
        a.quantum("b")
    with pytest.raises(QnetError, match=r"node a has no memory, asked for at 0\.0 ns"):
        _ = a.memory
    a.memory = QuantumMemory(sim, "a.memory", 1)
    with pytest.raises(QnetError, match=r"a\.memory is no processor"):
        _ = a.processor
