"""Werner and Bell-diagonal pairs, distillation, noise: against matrices and samples."""

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restudy.qnet.analytic import bell, distillation, noise, werner
from restudy.qnet.errors import QnetError

PAULIS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
PHI = np.array([1, 0, 0, 1]) / math.sqrt(2)
BELL = np.array([np.kron(np.eye(2), pauli) @ PHI for pauli in PAULIS])  # phi+, psi+, ~psi-, phi-

parts = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(lambda w: np.array(w) / sum(w))


def matrix(weights: np.ndarray) -> np.ndarray:
    return np.einsum("k,ki,kj->ij", weights, BELL, BELL.conj())


def weights_of(rho: np.ndarray) -> np.ndarray:
    return np.einsum("ki,ij,kj->k", BELL.conj(), rho, BELL).real


def swapped_matrices(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the weights after a Bell measurement of the middle qubits and its correction."""
    rho = np.kron(matrix(a), matrix(b))  # qubits 0 1 | 2 3
    total = np.zeros((4, 4), complex)
    for k, outcome in enumerate(BELL):
        projector = np.kron(np.kron(np.eye(2), outcome.conj()[None, :]), np.eye(2))  # (4, 16)
        correction = np.kron(np.eye(2), PAULIS[k])
        total += correction @ projector @ rho @ projector.T.conj() @ correction.T.conj()
    return weights_of(total)


@settings(max_examples=25, deadline=None)
@given(parts, parts)
def test_swap_is_what_a_bell_measurement_does(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(bell.swapped(a, b), swapped_matrices(a, b), atol=1e-12)


def test_swap_has_the_known_terms() -> None:
    a, b = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.5, 0.15, 0.25])
    c = bell.swapped(a, b)
    assert c[0] == pytest.approx(a @ b)
    assert c[1] == pytest.approx(a[0] * b[1] + a[1] * b[0] + a[2] * b[3] + a[3] * b[2])


@settings(max_examples=25, deadline=None)
@given(st.lists(parts, min_size=1, max_size=6))
def test_chain_by_walsh_is_swap_after_swap(links: list[np.ndarray]) -> None:
    slow = functools.reduce(bell.swapped, links)
    np.testing.assert_allclose(bell.chained(np.array(links)), slow, atol=1e-12)
    np.testing.assert_allclose(bell.walsh(bell.walsh(slow)) / 4, slow, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(parts, st.floats(0, 1))
def test_noise_on_weights_is_noise_on_matrices(weights: np.ndarray, p: float) -> None:
    rho = matrix(weights)
    turned = [np.kron(pauli, np.eye(2)) for pauli in PAULIS]
    mixed = sum(t @ rho @ t.conj().T for t in turned) / 4
    np.testing.assert_allclose(
        bell.depolarised(weights, p), weights_of((1 - p) * rho + p * mixed), atol=1e-12
    )
    flipped = (1 - p) * rho + p * turned[3] @ rho @ turned[3]
    np.testing.assert_allclose(bell.dephased(weights, p), weights_of(flipped), atol=1e-12)


def test_fidelity_of_a_depolarised_chain() -> None:
    one = bell.depolarised(bell.depolarised(np.eye(4)[0], 0.01), 0.01)
    chain = bell.chained(np.tile(one, (100, 1)))
    F = bell.depolarised_chain_fidelity(100, 0.01)
    assert chain[0] == pytest.approx(F, rel=1e-12)
    pauli = 4 / 3 * 0.01  # stim's DEPOLARIZE1(0.01) has each Pauli with a third of 0.01
    assert bell.depolarised_chain_fidelity(99, pauli) == pytest.approx(0.3026, abs=5e-5)


def test_fidelity_of_a_depolarised_chain_is_that_of_random_paulis() -> None:
    rng = np.random.default_rng(5)
    drawn = rng.choice(4, p=[1 - 0.03, 0.01, 0.01, 0.01], size=(100_000, 2 * 10))
    kept = np.bitwise_xor.reduce(drawn, axis=1) == 0
    F = bell.depolarised_chain_fidelity(10, 0.04)
    assert abs(kept.mean() - F) < 4 * kept.std() / math.sqrt(len(kept))


def test_werner_pairs_are_bell_diagonal_pairs() -> None:
    for F, G in itertools.product([0.25, 0.6, 1.0], repeat=2):
        swapped = bell.swapped(bell.werner_weights(F), bell.werner_weights(G))
        w = werner.swapped_werner(werner.werner_of(F), werner.werner_of(G))
        assert werner.fidelity_of(w) == pytest.approx(swapped[0], rel=1e-12)
        assert werner.werner_of(werner.fidelity_of(w)) == pytest.approx(w, abs=1e-12)
    lost = bell.depolarised(bell.werner_weights(0.9), noise.depolarising_probability(0.7, 2.0))
    w = werner.decayed_werner(werner.werner_of(0.9), 0.7, memory=0.5)
    assert werner.fidelity_of(w) == pytest.approx(lost[0], rel=1e-12)


def test_two_links_wait_for_each_other() -> None:
    assert werner.two_link_decay(0.1, 100.0) == pytest.approx(0.913483, abs=5e-7)
    k = np.random.default_rng(3).geometric(0.1, (400_000, 2))
    decay = np.exp(-abs(k[:, 0] - k[:, 1]) / 100)
    expected = werner.two_link_decay(0.1, 100.0)
    assert abs(decay.mean() - expected) < 4 * decay.std() / math.sqrt(len(k))
    t = np.arange(1, 400)
    joint = 0.3**2 * 0.7 ** (t[:, None] - 1) * 0.7 ** (t - 1)
    slow = (joint * np.exp(-abs(t[:, None] - t) / 7)).sum()
    assert werner.two_link_decay(0.3, 7.0) == pytest.approx(slow, rel=1e-12)


def distilled_matrices(
    first: np.ndarray, second: np.ndarray, turned: bool
) -> tuple[np.ndarray, float]:
    """Return weights and success of distillation by matrices; DEJMPS if turned, else BBPSSW."""
    rho = np.kron(matrix(first), matrix(second))  # A1 B1 A2 B2
    angle = math.pi / 4
    alice = np.array([[math.cos(angle), -1j * math.sin(angle)],
                      [-1j * math.sin(angle), math.cos(angle)]])  # fmt: skip
    if turned:
        both = functools.reduce(np.kron, [alice, alice.conj(), alice, alice.conj()])
        rho = both @ rho @ both.conj().T
    cnots = np.zeros((16, 16))
    for a1, b1, a2, b2 in itertools.product((0, 1), repeat=4):
        cnots[8 * a1 + 4 * b1 + 2 * (a2 ^ a1) + (b2 ^ b1), 8 * a1 + 4 * b1 + 2 * a2 + b2] = 1
    rho = (cnots @ rho @ cnots.T).reshape(4, 4, 4, 4)
    kept = rho[:, 0, :, 0] + rho[:, 3, :, 3]
    success = float(np.trace(kept).real)
    return weights_of(kept / success), success


@settings(max_examples=25, deadline=None)
@given(parts, parts)
def test_dejmps_is_its_circuit(a: np.ndarray, b: np.ndarray) -> None:
    weights, success = distillation.dejmps(a, b)
    slow, slow_success = distilled_matrices(a, b, turned=True)
    assert success == pytest.approx(slow_success, rel=1e-12)
    np.testing.assert_allclose(weights, slow, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.25, 1), st.floats(0.25, 1))
def test_bbpssw_is_its_circuit(F: float, G: float) -> None:
    fidelity, success = distillation.bbpssw(F, G)
    slow, slow_success = distilled_matrices(
        bell.werner_weights(F), bell.werner_weights(G), turned=False
    )
    assert success == pytest.approx(slow_success, rel=1e-12)
    assert fidelity == pytest.approx(slow[0], rel=1e-12)


def test_distillation_has_the_known_numbers() -> None:
    assert distillation.bbpssw(0.8, 0.8) == pytest.approx((0.838150, 0.768889), abs=5e-7)
    weights, success = distillation.dejmps(bell.werner_weights(0.8), bell.werner_weights(0.8))
    assert weights == pytest.approx([0.838150, 0.011561, 0.011561, 0.138728], abs=5e-7)
    again, success = distillation.dejmps(weights, weights)
    assert (again[0], success) == pytest.approx((0.943639, 0.744596), abs=5e-7)
    twice, pairs = distillation.recurrence(bell.werner_weights(0.8), 2)
    np.testing.assert_allclose(twice, again, atol=1e-15)
    assert pairs == pytest.approx(4 / (0.768889 * 0.744596), rel=1e-5)


def test_dejmps_that_cannot_succeed_says_so() -> None:
    with pytest.raises(QnetError, match="never succeeds: the outcomes always differ"):
        distillation.dejmps(np.eye(4)[0], np.eye(4)[1])


@pytest.mark.parametrize(
    ("t1", "t2", "damping", "z"),
    [(3600.0, 1.46, 2.7777e-5, 0.0330936), (36000.0, 1.0, 2.7778e-6, 0.0475807)],
)
def test_idle_noise_has_the_known_numbers(t1: float, t2: float, damping: float, z: float) -> None:
    found = noise.idle_probabilities(0.1, t1, t2)
    assert found == pytest.approx((damping, z), rel=2e-5)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 3), st.floats(0.1, 10), st.floats(0.01, 2))
def test_idle_noise_makes_the_coherence_time(times: float, t1: float, share: float) -> None:
    damping, z = noise.idle_probabilities(times * t1, t1, share * t1)
    left = math.sqrt(1 - damping) * (1 - 2 * z)  # of a coherence
    assert left == pytest.approx(math.exp(-times / share), rel=1e-9, abs=1e-15)
    assert 0 <= z <= 0.5


def test_induced_dephasing_has_the_known_number_and_adds_up() -> None:
    once = noise.induced_dephasing(1, bright=0.1, attempts_1e=1400)
    assert once == pytest.approx(6.4263e-4, abs=5e-9)
    z = 0.0
    for _ in range(50):
        z = z * (1 - once) + (1 - z) * once
    found = noise.induced_dephasing(50, bright=0.1, attempts_1e=1400)
    assert found == pytest.approx(z, rel=1e-9)
    half = noise.induced_dephasing(1400, bright=0.5, attempts_1e=1400)
    assert 1 - 2 * half == pytest.approx(math.exp(-1), rel=1e-12)  # the definition


def test_rates_add_up_over_time() -> None:
    p = [noise.depolarising_probability(t, 3.0) for t in (0.2, 0.5, 0.7)]
    assert (1 - p[0]) * (1 - p[1]) == pytest.approx(1 - p[2], rel=1e-12)
    z = [noise.dephasing_probability(t, 3.0) for t in (0.2, 0.5, 0.7)]
    assert z[0] * (1 - z[1]) + z[1] * (1 - z[0]) == pytest.approx(z[2], rel=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: noise.idle_probabilities(1, 1, 3), "t2 is 3 with t1 of 1; give a t2 of at most"),
        (lambda: noise.idle_probabilities(-1, 1, 1), "elapsed is -1; give a finite number"),
        (lambda: noise.idle_probabilities(1, 0, 1), "t1 is 0; give a number above 0"),
        (lambda: noise.induced_dephasing(1.5, bright=0, attempts_1e=1), r"attempts is 1\.5"),
        (lambda: bell.swapped(np.ones(4), np.eye(4)[0]), r"a is array\(.*four weights"),
        (lambda: bell.swapped(np.eye(4)[0], [1.5, -0.5, 0, 0]), r"b is \[1\.5.*four weights"),
        (lambda: bell.chained(np.ones((1, 3)) / 3), r"links\[0\] is .*four weights"),
        (lambda: bell.werner_weights(1.2), r"fidelity is 1\.2; give a number from 0 to 1"),
        (lambda: werner.fidelity_of(-0.5), r"werner is -0\.5; give a number from -0\.333"),
        (lambda: werner.two_link_decay(0, 1), "success is 0; give a number above 0"),
        (lambda: distillation.bbpssw(None, 1), "first is None; give a number from 0 to 1"),
        (lambda: distillation.recurrence(np.eye(4)[0], -1), "rounds is -1; give a whole number"),
    ],
)
def test_bad_numbers_are_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(QnetError, match=words):
        call()
