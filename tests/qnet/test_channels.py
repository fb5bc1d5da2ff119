from math import exp, inf, nan

import numpy as np
import pytest

from restudy.qnet.errors import QnetError
from restudy.qnet.states.channels import (
    Channel,
    PauliChannel,
    Relaxation,
    amplitude_damping,
    dephasing,
    depolarising,
    drawn,
    t1_t2,
)
from restudy.qnet.states.density import DensityState
from restudy.qnet.states.gates import CNOT, Operator, X, controlled_rx, rx, ry, rz
from restudy.qnet.states.paulis import pauli_matrices

SECOND = 1e9
CHANNELS = (
    dephasing(0.1),
    depolarising(0.4),
    depolarising(0.3, qubits=2),
    amplitude_damping(0.3),
    t1_t2(1.0, 3.0, 4.0),
    t1_t2(1.0, inf, 4.0),
    PauliChannel("Paulis", (0.4, 0.3, 0.2, 0.1)),
)


def after(channel, rho):
    state = DensityState(rho)
    at = tuple(range(channel.qubits))
    state.channel(channel, at, rng=np.random.default_rng(0))
    return state.density(at)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda c: c.name)
def test_completely_positive_and_trace_preserving(channel):
    d = 2**channel.qubits
    total = sum(k.conj().T @ k for k in channel.kraus)
    np.testing.assert_allclose(total, np.eye(d), atol=1e-12)
    # Choi matrix: its partial trace is the identity, and it has no negative eigenvalue
    choi = channel.superoperator.reshape(d, d, d, d).transpose(2, 0, 3, 1).reshape(d * d, d * d)
    assert np.linalg.eigvalsh(choi).min() > -1e-12
    np.testing.assert_allclose(
        np.trace(choi.reshape(d, d, d, d), axis1=1, axis2=3), np.eye(d), atol=1e-12
    )


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda c: c.name)
def test_density_matrix_follows_the_kraus_operators(channel):
    rng = np.random.default_rng(1)
    d = 2**channel.qubits
    root = rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))
    rho = root @ root.conj().T / np.trace(root @ root.conj().T)
    expected = sum(k @ rho @ k.conj().T for k in channel.kraus)
    np.testing.assert_allclose(after(channel, rho), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("t1", "t2", "p_t1", "p_z"),
    [(3600, 1.46, 2.7777e-5, 0.0330936), (36000, 1, 2.7778e-6, 0.0475807)],
)
def test_spins_of_the_paper_idle_for_a_tenth_of_a_second(t1, t2, p_t1, p_z):
    channel = t1_t2(0.1 * SECOND, t1 * SECOND, t2 * SECOND)
    assert isinstance(channel, Relaxation)
    assert channel.decay == pytest.approx(p_t1, abs=5e-10)
    assert channel.flip == pytest.approx(p_z, abs=5e-8)


@pytest.mark.parametrize(("t1", "t2"), [(3.0, 4.0), (3.0, 6.0), (2.0, 0.5), (inf, 1.5)])
def test_populations_decay_with_t1_and_coherence_with_t2(t1, t2):
    rho = np.array([[0.3, 0.2 - 0.1j], [0.2 + 0.1j, 0.7]])
    for dt in (0.0, 0.5, 7.0):
        left = after(t1_t2(dt, t1, t2), rho)
        assert left[1, 1] == pytest.approx(0.7 * exp(-dt / t1))
        assert left[1, 0] == pytest.approx((0.2 + 0.1j) * exp(-dt / t2))


def test_time_adds_up():
    rho = np.array([[0.3, 0.2 - 0.1j], [0.2 + 0.1j, 0.7]])
    twice = after(t1_t2(2.0, 5.0, 3.0), after(t1_t2(1.0, 5.0, 3.0), rho))
    np.testing.assert_allclose(twice, after(t1_t2(3.0, 5.0, 3.0), rho), atol=1e-14)


def test_depolarising_replaces_by_the_mixed_state():
    rho = np.array([[0.3, 0.2 - 0.1j], [0.2 + 0.1j, 0.7]])
    np.testing.assert_allclose(after(depolarising(0.4), rho), 0.6 * rho + 0.4 * np.eye(2) / 2)
    both = np.kron(rho, rho)
    np.testing.assert_allclose(
        after(depolarising(0.4, qubits=2), both), 0.6 * both + 0.4 * np.eye(4) / 4, atol=1e-15
    )


@pytest.mark.parametrize("channel", [c for c in CHANNELS if isinstance(c, PauliChannel)])
def test_scales_are_the_means_of_paulis_afterwards(channel):
    k = channel.qubits
    paulis = pauli_matrices(k)
    for pauli, scale in zip(paulis, channel.scales, strict=True):
        np.testing.assert_allclose(after(channel, pauli), scale * pauli, atol=1e-14)


def test_drawn_has_the_probabilities():
    rng = np.random.default_rng(4)
    p = np.array([0.5, 0.0, 0.3, 0.2])
    n = 20000
    counts = np.bincount([drawn(p.tolist(), rng) for _ in range(n)], minlength=4)
    assert counts[1] == 0
    assert np.all(np.abs(counts - n * p) <= 4 * np.sqrt(n * p * (1 - p)))


def test_rotations_are_exponentials():
    for make, pauli in zip((rx, ry, rz), pauli_matrices(1)[1:], strict=True):
        values, vectors = np.linalg.eigh(pauli)
        expected = vectors @ np.diag(np.exp(-0.35j * values)) @ vectors.conj().T
        np.testing.assert_allclose(make(0.7).matrix, expected, atol=1e-15)
    np.testing.assert_allclose(controlled_rx(0.7).matrix[:2, :2], rx(0.7).matrix)
    np.testing.assert_allclose(controlled_rx(0.7).matrix[2:, 2:], rx(-0.7).matrix)
    assert rx(0.7).clifford is None
    assert CNOT.clifford is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dephasing(-0.1), r"^dephasing has the probability -0\.1; expected 0 to 1\.$"),
        (lambda: dephasing(nan), "probability nan; expected 0 to 1"),
        (lambda: depolarising(1.2), r"depolarising has the probability 1\.2; expected 0 to 1"),
        (lambda: amplitude_damping(2), "probability 2; expected 0 to 1"),
        (lambda: PauliChannel("p", (1.2, -0.2, 0, 0)), r"p has the probability 1\.2"),
        (lambda: PauliChannel("p", (0.5, 0.5)), "p has 2 probabilities; expected 4"),
        (lambda: PauliChannel("p", (0.2,) * 4), r"sum to 0\.8; expected 1"),
        (lambda: Channel("c", 0.5 * np.eye(2)[None]), r"differs from 1 by 0\.75; complete"),
        (lambda: Channel("c", np.eye(2)), r"shape \(2, 2\); expected \(m, 2"),
        (lambda: Channel("c", np.eye(3)[None]), r"a matrix of shape \(3, 3\); expected a square"),
        (lambda: Operator("u", 2 * np.eye(2)), "u is not unitary: U. U differs from 1 by 3"),
        (lambda: Operator("u", np.full((2, 2), nan)), "u is not unitary"),
        (lambda: Operator("u", np.ones((2, 3))), r"shape \(2, 3\); expected a square of 2"),
        (lambda: rx(inf), "the angle of rx is inf; give a finite angle in radians"),
        (lambda: t1_t2(1, 2, 5), "T2 is 5 ns and T1 is 2 ns; T2 cannot exceed 2 T1"),
        (lambda: t1_t2(-1, 2, 3), "the elapsed time is -1 ns; expected a finite time, not neg"),
        (lambda: t1_t2(1, 0, 0), "T1 is 0 ns and T2 is 0 ns; expected times above zero"),
    ],
)
def test_bad_input_is_one_sentence(make, message):
    with pytest.raises(QnetError, match=message):
        make()


def test_an_operator_cannot_change():
    with pytest.raises(ValueError, match="read-only"):
        X.matrix[0, 0] = 1
