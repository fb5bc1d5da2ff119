from itertools import product

import numpy as np
import pytest

from restudy.qnet.states.gates import CNOT, CZ, SDG, SWAP, H, S, X, Y, Z
from restudy.qnet.states.paulis import anticommute, conjugation, pauli_matrices
from restudy.qnet.states.stabilizer import StabilizerState
from restudy.qnet.states.tableau import packed, unpacked

ONE = (X, Y, Z, H, S, SDG)
TWO = (CNOT, CZ, SWAP)
STIM_NAMES = {"SDG": "S_DAG", "CNOT": "CNOT"}


def zeros(n):
    state = StabilizerState.basis(0)
    for _ in range(n - 1):
        state = state.joined(StabilizerState.basis(0))
    return state


def scramble(n, operations, seed):
    """A random state of n qubits, and what was done to it."""
    rng = np.random.default_rng(seed)
    state = zeros(n)
    done = []
    for _ in range(operations):
        a, b = (int(q) for q in rng.choice(n, 2, replace=False))
        operator = (ONE + TWO)[rng.integers(len(ONE + TWO))]
        at = (a, b)[: operator.qubits]
        state.apply(operator, at)
        done.append((operator, at))
    return state, done


def check_commutation(state):
    """Destabilizer i anticommutes with stabilizer i, and with no other row."""
    n = state.size
    planes = []
    for plane in (0, 1):
        rows = state.rows[[plane, plane]]  # `unpacked` reads the second plane
        planes.append(unpacked(rows, n)[0])
    paulis = np.concatenate(planes)
    x, z = (paulis ^ paulis >> 1) & 1, paulis >> 1
    symplectic = (x @ z.T + z @ x.T) % 2
    expected = np.kron(np.array([[0, 1], [1, 0]]), np.eye(n, dtype=int))
    np.testing.assert_array_equal(symplectic, expected)


@pytest.mark.parametrize("n", [2, 63, 64, 65, 130])
def test_rows_commute_as_they_should(n):
    state, _ = scramble(n, 6 * n, seed=n)
    check_commutation(state)
    rng = np.random.default_rng(n)
    while state.size > 1:
        state.measure(int(rng.integers(state.size)), rng=rng)
        if state.size % 7 == 0 or state.size < 4:
            check_commutation(state)


@pytest.mark.parametrize("n", [3, 40, 64, 129])
def test_against_stim(n):
    stim = pytest.importorskip("stim")
    for seed in range(3):
        rng = np.random.default_rng(seed)
        state, done = scramble(n, 8 * n, seed)
        reference = stim.TableauSimulator(seed=0)
        reference.set_num_qubits(n)
        for operator, at in done:
            reference.do(
                stim.Circuit(
                    f"{STIM_NAMES.get(operator.name, operator.name)} " + " ".join(map(str, at))
                )
            )
        labels = list(range(n))  # whose is each position
        while state.size:
            for generator in state.stabilizers():
                letters = ["_"] * n
                for label, letter in zip(labels, generator[1:], strict=True):
                    letters[label] = letter.replace("I", "_")
                pauli = stim.PauliString(generator[0] + "".join(letters))
                assert reference.peek_observable_expectation(pauli) == 1
            for _ in range(max(1, n // 3)):
                if not state.size:
                    break
                at = int(rng.integers(state.size))
                sure = reference.peek_z(labels[at])
                outcome = state.measure(at, rng=rng)
                assert sure in (0, 1 - 2 * outcome)
                reference.postselect_z(labels[at], desired_value=bool(outcome))
                last = labels.pop()
                if at < len(labels):
                    labels[at] = last


def test_random_outcomes_are_fair_and_sure_ones_sure():
    rng = np.random.default_rng(0)
    n = 4000
    ones = 0
    for _ in range(n):
        pair = zeros(2)
        pair.apply(H, (0,))
        pair.apply(CNOT, (0, 1))
        first = pair.measure(0, rng=rng)
        assert pair.measure(0, rng=rng) == first
        ones += first
    assert abs(ones - n / 2) < 4 * np.sqrt(n / 4)


@pytest.mark.parametrize("n", [70, 200])
def test_ghz_outcomes_are_equal(n):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        state = zeros(n)
        state.apply(H, (0,))
        for q in range(n - 1):
            state.apply(CNOT, (q, q + 1))
        assert len({state.measure(int(rng.integers(state.size)), rng=rng) for _ in range(n)}) == 1


def test_joined_keeps_both():
    rng = np.random.default_rng(0)
    for n, m in ((1, 1), (3, 62), (63, 2), (64, 64), (70, 130)):
        a, _ = scramble(n, 4 * n, 1) if n > 1 else (zeros(1), None)
        b, _ = scramble(m, 4 * m, 2) if m > 1 else (StabilizerState.basis(1), None)
        ours, theirs = a.stabilizers(), b.stabilizers()
        joint = a.joined(b)
        assert joint.stabilizers() == [s + "I" * m for s in ours] + [
            s[0] + "I" * n + s[1:] for s in theirs
        ]
        check_commutation(joint)
        joint.measure(int(rng.integers(joint.size)), rng=rng)
        check_commutation(joint)


def test_packed_and_back():
    rng = np.random.default_rng(0)
    for n in (1, 5, 64, 65, 200):
        paulis, minus = rng.integers(4, size=(2, n, n)), rng.integers(2, size=(2, n))
        found, negative = unpacked(packed(paulis, minus), n)
        np.testing.assert_array_equal(found, paulis[1])
        np.testing.assert_array_equal(negative, minus[1] == 1)


def test_conjugation_is_that_of_matrices():
    paulis = pauli_matrices(2)
    for operator in TWO:
        table = conjugation(operator.matrix)
        for p, image, minus in zip(paulis, table.image, table.negative, strict=True):
            np.testing.assert_allclose(
                operator.matrix @ p @ operator.matrix.conj().T,
                -paulis[image] if minus else paulis[image],
                atol=1e-12,
            )


def test_anticommute_is_that_of_matrices():
    paulis = pauli_matrices(2)
    for p, q in product(range(16), repeat=2):
        a, b = paulis[p] @ paulis[q], paulis[q] @ paulis[p]
        assert anticommute(p, q) == bool(np.allclose(a, -b))
