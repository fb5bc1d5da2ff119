"""Compiled programs against Kraus operators applied one by one to density matrices."""

import numpy as np
import pytest

from restudy.qnet.batch.compile import (
    compile_program,
    density_matrix,
    pauli_vector,
    transfer_matrix,
)
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.instructions import (
    TimedInstruction,
    duration_ns,
    gate,
    initialise,
    readout,
)
from restudy.qnet.noise import DephaseNoise, DepolarNoise, T1T2Noise
from restudy.qnet.states.channels import amplitude_damping, depolarising
from restudy.qnet.states.gates import CNOT, H, controlled_rx, rx, ry

IDLE = [T1T2Noise(900.0, 700.0), DepolarNoise(2e6), T1T2Noise(np.inf, 1000.0)]
PROGRAM = (
    (gate(H, (0,), 10.0, depolarising(0.1)), gate(rx(0.3), (2,), 4.0)),
    (gate(CNOT, (2, 0), 50.0, amplitude_damping(0.05)),),
    (readout(2, 20.0, 0.9, 0.8), gate(ry(1.1), (1,), 30.0)),
    (initialise(2, 15.0, depolarising(0.2)),),
    (gate(controlled_rx(0.7), (1, 2), 70.0, depolarising(0.02)),),
    (readout(0, 25.0, 1.0, 1.0),),
)


def random_density(rng, qubits):
    a = rng.normal(size=(2, 2**qubits, 2**qubits))
    rho = (a[0] + 1j * a[1]) @ (a[0] + 1j * a[1]).conj().T
    return rho / np.trace(rho)


def embedded(matrix, at, n):
    """A matrix on some of n qubits as one on all, by its action on basis states."""
    k = len(at)
    full = np.zeros((2**n, 2**n), complex)
    for column in range(2**n):
        bits = [column >> (n - 1 - q) & 1 for q in range(n)]
        small = int("".join(str(bits[q]) for q in at), 2)
        for row in range(2**k):
            new = list(bits)
            for position, q in enumerate(at):
                new[q] = row >> (k - 1 - position) & 1
            full[int("".join(map(str, new)), 2), column] += matrix[row, small]
    return full


def by_hand(program, idle, rho):
    """Unnormalised states of all outcomes, gate by gate."""
    n = len(idle)

    def applied(rho, kraus, at):
        wide = [embedded(one, at, n) for one in kraus]
        return sum(one @ rho @ one.conj().T for one in wide)

    branches = [rho]
    for step in program:
        now = 0.0
        for one in sorted(step, key=lambda one: one.duration_ns):
            elapsed, now = one.duration_ns - now, one.duration_ns
            for at, noise in enumerate(idle):
                if elapsed > 0:
                    kraus = noise.channel(elapsed).kraus
                    branches = [applied(rho, kraus, (at,)) for rho in branches]
            branches = [applied(rho, kraus, one.at) for rho in branches for kraus in one.outcomes]
    return branches


def test_all_outcomes_of_three_noisy_qubits():
    rho = random_density(np.random.default_rng(1), 3)
    compiled = compile_program(PROGRAM, IDLE, inputs=[0, 1, 2], outputs=[0, 1, 2])
    slow = by_hand(PROGRAM, IDLE, rho)
    assert len(slow) == len(compiled.maps) == 4
    for matrix, expected in zip(compiled.maps, slow, strict=True):
        np.testing.assert_allclose(density_matrix(matrix @ pauli_vector(rho)), expected, atol=1e-14)
    assert compiled.duration_ns == duration_ns(PROGRAM) == 10 + 50 + 30 + 15 + 70 + 25


@pytest.mark.parametrize("inputs", [(0, 1), (1, 0), (2, 0)])
@pytest.mark.parametrize("outputs", [(2, 0), (1,), ()])
def test_some_inputs_and_outputs_in_any_order(inputs, outputs):
    given = random_density(np.random.default_rng(2), 2)
    other = ({0, 1, 2} - set(inputs)).pop()
    rho = np.kron(given, np.diag([1.0, 0.0])).reshape((2,) * 6)
    order = np.argsort([*inputs, other])
    rho = rho.transpose([*order, *(3 + order)]).reshape(8, 8)
    compiled = compile_program(PROGRAM, IDLE, inputs=inputs, outputs=outputs)
    for matrix, full in zip(compiled.maps, by_hand(PROGRAM, IDLE, rho), strict=True):
        rest = [q for q in range(3) if q not in outputs]
        order = [*outputs, *rest]
        tensor = full.reshape((2,) * 6).transpose([*order, *(3 + q for q in order)])
        size, left = 2 ** len(outputs), 2 ** len(rest)
        expected = np.einsum("arbr->ab", tensor.reshape(size, left, size, left))
        found = density_matrix(matrix @ pauli_vector(given))
        np.testing.assert_allclose(found, expected, atol=1e-14)


def test_maps_keep_the_trace_and_are_completely_positive():
    maps = compile_program(PROGRAM, IDLE, inputs=[0, 1], outputs=[1, 2]).maps
    total = maps.sum(axis=0)
    np.testing.assert_allclose(total[0], np.eye(16)[0], atol=1e-14)
    for matrix in maps:
        choi = np.zeros((16, 16), complex)
        for i in range(4):
            for j in range(4):
                unit = np.zeros((4, 4), complex)
                unit[i, j] = 1
                paulis = [pauli_vector((unit + unit.conj().T) / 2)]
                paulis.append(pauli_vector((unit - unit.conj().T) / 2j))
                image = density_matrix(matrix @ paulis[0]) + 1j * density_matrix(matrix @ paulis[1])
                choi += np.kron(unit, image)
        assert np.linalg.eigvalsh(choi).min() > -1e-12


def test_programs_compose():
    first, second = PROGRAM[:3], PROGRAM[3:]
    everything = [0, 1, 2]
    whole = compile_program(PROGRAM, IDLE, inputs=everything, outputs=everything).maps
    one = compile_program(first, IDLE, inputs=everything, outputs=everything).maps
    two = compile_program(second, IDLE, inputs=everything, outputs=everything).maps
    product = np.einsum("nab,mbc->mnac", two, one).reshape(whole.shape)
    np.testing.assert_allclose(whole, product, atol=1e-14)


def test_transfer_matrices_of_unitaries_are_orthogonal():
    matrix = transfer_matrix(controlled_rx(0.4).matrix[None])
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(16), atol=1e-14)


def test_waiting_only():
    """A measurement with no back-action on others leaves the exact decay of an idle qubit."""
    idle = [DephaseNoise(1e6), DephaseNoise(0.0)]
    program = ((readout(1, 1000.0, 1.0, 1.0),),)
    maps = compile_program(program, idle, inputs=[0], outputs=[0]).maps
    np.testing.assert_allclose(maps[0], np.diag([1, np.exp(-1), np.exp(-1), 1]), atol=1e-15)
    np.testing.assert_allclose(maps[1], 0, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inputs": [0, 0]}, r"the inputs are \[0, 0\]; give different positions from 0 to 2"),
        ({"outputs": [3]}, r"the outputs are \[3\]"),
        ({"idle": IDLE[:2]}, "the program acts at position 2 and there is idle noise for 2"),
        ({"program": ((),)}, "step 0 of the program is empty"),
        ({"program": ((PROGRAM[0][0], PROGRAM[0][0]),)}, r"step 0 of the program acts at \[0, 0\]"),
    ],
)
def test_programs_that_cannot_be_compiled(change, sentence):
    values = {"program": PROGRAM, "idle": IDLE, "inputs": [0], "outputs": [1]} | change
    with pytest.raises(QnetError, match=sentence):
        compile_program(
            values["program"], values["idle"], inputs=values["inputs"], outputs=values["outputs"]
        )


def test_instructions_that_cannot_be():
    with pytest.raises(QnetError, match="lossy does not keep the trace"):
        TimedInstruction("lossy", (0,), 1.0, (np.diag([1, 0.5])[None],))
    with pytest.raises(QnetError, match="acts at 1 positions and has operators of shape"):
        gate(CNOT, (0,), 1.0)
    with pytest.raises(QnetError, match=r"acts at \(1, 1\); give each position once"):
        gate(CNOT, (1, 1), 1.0)
    with pytest.raises(QnetError, match="the duration of H is -1"):
        gate(H, (0,), -1.0)
    with pytest.raises(QnetError, match=r"f1 is 1\.5"):
        readout(0, 1.0, 0.9, 1.5)
