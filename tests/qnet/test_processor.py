"""Programs on quantum processors: time, noise, topology, conditions, loops, blocks."""

import math
from typing import Any

import numpy as np
import pytest

from restudy.qnet.components.instructions import (
    INITIALISE,
    MEASURE,
    MEASURE_BELL,
    MEASURE_X,
    Measurement,
    PhysicalInstruction,
)
from restudy.qnet.components.processor import QuantumProcessor, Step
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.noise import DephaseNoise, DepolarNoise, FixedNoise
from restudy.qnet.protocols.programs import (
    bell_measurement,
    bell_measurement_by_gates,
    correction,
    local_pair,
)
from restudy.qnet.states.channels import depolarising
from restudy.qnet.states.gates import CNOT, PAULIS, H, X, Z, rx
from restudy.qnet.states.qubits import bell_pair, fidelity, new_qubits
from restudy.qnet.states.state import Formalism

PHI_PLUS = np.array([1, 0, 0, 1]) / np.sqrt(2)


def processor(size: int = 3, seed: int = 1, noise: Any = None, **gates: Any) -> QuantumProcessor:
    sim = Simulation(rng=np.random.default_rng(seed))
    instructions = [
        PhysicalInstruction(H, 100.0, parallel=True, **gates),
        PhysicalInstruction(rx, 50.0, **gates),
        PhysicalInstruction(CNOT, 500.0, topology=[(0, 1), (1, 2)], **gates),
        PhysicalInstruction(MEASURE, 1000.0, parallel=True),
        PhysicalInstruction(MEASURE_X, 1100.0),
        PhysicalInstruction(MEASURE_BELL, 700.0),
        PhysicalInstruction(INITIALISE, 2000.0, parallel=True),
        *(PhysicalInstruction(pauli, 20.0, parallel=True) for pauli in PAULIS),
    ]
    return QuantumProcessor(sim, "cpu", size, instructions, noise)


def replace(cpu: QuantumProcessor, *given: PhysicalInstruction) -> None:
    old = [one for one in cpu.instructions if one.instruction != given[0].instruction]
    cpu.instructions = (*old, *given)


def done(cpu: QuantumProcessor, program: Any, positions: Any = None) -> Any:
    return cpu.sim.run(until=cpu.execute(program, positions))


def test_a_program_with_a_condition_a_loop_and_another_program() -> None:
    cpu = processor()

    def until_one() -> Any:  # an average of two turns
        turns = 0
        outcome = 0
        while not outcome:
            turns += 1
            yield Step(INITIALISE, (0,))
            yield Step(H, (0,))
            outcome = yield Step(MEASURE, (0,))
        return turns

    def program() -> Any:
        total = 0
        for _ in range(400):
            total += yield from until_one()
        if (yield Step(MEASURE, (0,))):
            yield Step(X, (0,))
        assert (yield Step(MEASURE, (0,))) == 0
        return total

    turns = done(cpu, program())
    assert abs(turns - 800) < 4 * math.sqrt(400 * 2)
    assert cpu.sim.now == turns * 3100.0 + 2020.0


def test_a_block_lasts_as_long_as_its_longest_step() -> None:
    cpu = processor()

    def program() -> Any:
        yield [Step(INITIALISE, (at,)) for at in range(3)]
        yield Step(X, (2,)), Step(H, (0,))
        first, second, nothing = yield Step(MEASURE, (1,)), Step(MEASURE, (2,)), Step(H, (0,))
        return first, second, nothing

    assert done(cpu, program()) == (0, 1, None)
    assert cpu.sim.now == 2000.0 + 100.0 + 1000.0


@pytest.mark.parametrize("measure", [bell_measurement, bell_measurement_by_gates])
@pytest.mark.parametrize("index", range(4))
def test_both_bell_measurements_find_the_bell_state(measure: Any, index: int) -> None:
    cpu = processor()
    for at, qubit in zip((1, 2), bell_pair(index=index), strict=True):
        cpu.put(qubit, at)
    assert done(cpu, measure(), (1, 2)) == index
    assert cpu.sim.now == (700.0 if measure is bell_measurement else 1600.0)


@pytest.mark.parametrize("index", range(4))
def test_a_pair_made_and_corrected_by_programs(index: int) -> None:
    cpu = processor()
    done(cpu, local_pair(index))
    done(cpu, correction(index), (1,))
    assert fidelity(PHI_PLUS, cpu.peek(0), cpu.peek(1)) == pytest.approx(1.0, abs=1e-12)


def test_a_family_of_gates_takes_its_angle() -> None:
    cpu = processor()
    cpu.put(new_qubits(1)[0])

    def program() -> Any:
        for _ in range(3):
            yield Step(rx, (0,), angle=math.pi / 3)
        return (yield Step(MEASURE, (0,)))

    assert done(cpu, program()) == 1
    assert cpu.sim.now == 1150.0


def test_memory_noise_acts_for_the_duration_and_gate_noise_on_each_qubit() -> None:
    cpu = processor(noise=DepolarNoise(1e5), noise_after=DephaseNoise(1e5))
    for at in (0, 1):
        cpu.put(new_qubits(1)[0], at)

    def program() -> Any:
        yield Step(H, (0,))
        yield Step(CNOT, (0, 1))

    done(cpu, program())
    found = fidelity(PHI_PLUS, cpu.peek(0), cpu.peek(1))
    # H: qubit 0 decays 100 ns, then dephases; CNOT after 500 ns more of decay of both.
    x0 = math.exp(-0.01) * math.exp(-0.01) * math.exp(-0.05)  # mean of X before the CNOT
    z1 = math.exp(-0.06)
    flips = math.exp(-0.05) ** 2  # dephasing of both qubits after the CNOT
    assert found == pytest.approx((1 + z1 + flips * x0 * (1 + z1)) / 4, abs=1e-12)


def test_noise_of_two_qubits_acts_on_both_together() -> None:
    cpu = processor(noise_after=None)
    replace(
        cpu, PhysicalInstruction(CNOT, 500.0, noise_after=FixedNoise(depolarising(0.4, qubits=2)))
    )
    done(cpu, local_pair())
    assert fidelity(PHI_PLUS, cpu.peek(0), cpu.peek(1)) == pytest.approx(0.6 + 0.1, abs=1e-12)


def test_readout_errors() -> None:
    cpu = processor(seed=2)
    faulty = Measurement(f0=0.9, f1=0.6)
    replace(cpu, PhysicalInstruction(faulty, 10.0))

    def program() -> Any:
        read = [0, 0]
        for bit in (0, 1):
            yield Step(INITIALISE, (0,))
            if bit:
                yield Step(X, (0,))
            for _ in range(2000):
                read[bit] += yield Step(faulty, (0,))
        return read

    zero, one = done(cpu, program())
    assert abs(zero - 200) < 4 * math.sqrt(2000 * 0.09)
    assert abs(one - 1200) < 4 * math.sqrt(2000 * 0.24)
    with pytest.raises(QnetError, match=r"f0 of Measurement is 1\.1"):
        Measurement(f0=1.1)


def test_initialisation_in_another_formalism() -> None:
    cpu = processor()
    cpu.put(new_qubits(1, Formalism.STABILIZER)[0])

    def program() -> Any:
        yield Step(H, (0,))
        outcome = yield Step(MEASURE_X, (0,))
        return outcome

    assert done(cpu, program()) == 0
    assert cpu.peek().state is not None
    assert cpu.peek().state.formalism is Formalism.STABILIZER


def test_the_topology_of_several_instructions() -> None:
    cpu = processor()
    replace(
        cpu,
        PhysicalInstruction(Z, 10.0, topology=[0]),
        PhysicalInstruction(Z, 30.0, topology=[1, (2,)]),
    )
    for at in range(3):
        cpu.put(new_qubits(1)[0], at)

    def program() -> Any:
        for at in range(3):
            yield Step(Z, (at,))

    done(cpu, program())
    assert cpu.sim.now == 70.0


WRONG: list[tuple[Any, str]] = [
    (Step(CNOT, (1, 0)), r"topology of cpu forbids CNOT at \(1, 0\), asked for at 5\.0 ns"),
    (Step(MEASURE_BELL, (0,)), r"acts on 2 qubits and got the positions \(0,\) of cpu at 5\.0"),
    (Step(Measurement("Y"), (0,)), r"cpu has no instruction .*Y.* asked for at 5\.0 ns"),
    (Step(rx, (0,)), r"rx on cpu has no angle at 55\.0 ns"),
    (Step(X, (7,)), r"cpu has no position 7"),
    (Step(X, (2,)), r"cpu\[2\] is empty at 25\.0 ns"),
    ((Step(X, (0,)), Step(X, (0,))), r"positions \[0, 0\] side by side at 5\.0 ns"),
    ((Step(X, (0,)), Step(rx, (1,), 0.1)), r"cannot do rx side by side with others, .* 5\.0 ns"),
    (5, r"program on cpu yielded 5 at 5\.0 ns: yield a Step"),
    ((), r"positions \[\] side by side"),
]


@pytest.mark.parametrize(("steps", "message"), WRONG)
def test_wrong_steps(steps: Any, message: str) -> None:
    cpu = processor()
    cpu.sim.run(until=5.0)
    for at in (0, 1):
        cpu.put(new_qubits(1)[0], at)

    def program() -> Any:
        yield steps

    with pytest.raises(QnetError, match=message):
        done(cpu, program())
    cpu.sim.run()
    assert not cpu.busy
    assert not any(position.busy for position in cpu.positions)
    assert done(cpu, correction(1)) is None  # it works again


def test_a_program_with_more_numbers_than_positions() -> None:
    cpu = processor()
    with pytest.raises(
        QnetError, match=r"asks for \(0, 1\) at 0\.0 ns and got the positions \(2,\)"
    ):
        done(cpu, bell_measurement(), (2,))


def test_a_busy_processor_and_an_abort() -> None:
    cpu = processor()
    cpu.put(new_qubits(1)[0])
    running = cpu.execute(correction(1))
    with pytest.raises(QnetError, match=r"processor cpu is busy at 0\.0 ns"):
        cpu.execute(correction(1))

    def waits() -> Any:
        yield running

    waiting = cpu.sim.process(waits())
    cpu.sim.schedule(cpu.abort, delay=10.0)
    with pytest.raises(QnetError, match=r"program on cpu was aborted at 10\.0 ns"):
        cpu.sim.run(until=waiting)
    cpu.sim.run()
    assert cpu.sim.now == 10.0
    assert not cpu.busy
    cpu.abort()  # nothing runs: nothing happens
    assert done(cpu, correction(0)) is None


def test_an_error_of_the_program_goes_to_who_waits() -> None:
    cpu = processor()

    def program() -> Any:
        yield Step(INITIALISE, (0,))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        done(cpu, program())
    assert "program on cpu at 2000.0 ns" in caught.value.__notes__[0]
    with pytest.raises(QnetError, match="duration_ns of X is -1"):
        PhysicalInstruction(X, -1.0)
