import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restudy.qnet.errors import QnetError
from restudy.qnet.states.bell import BellPair
from restudy.qnet.states.channels import PauliChannel, amplitude_damping, depolarising
from restudy.qnet.states.gates import CNOT, CZ, PAULIS, SDG, SWAP, H, Operator, S, T, X, rx
from restudy.qnet.states.qubits import (
    bell_measurement,
    bell_pair,
    density,
    discard,
    fidelity,
    measure,
    new_qubits,
    noise,
    operate,
)
from restudy.qnet.states.state import Formalism

PHI = np.array([1, 0, 0, 1]) / np.sqrt(2)
BELLS = [np.kron(np.eye(2), pauli.matrix) @ PHI for pauli in PAULIS]
ISWAP = Operator("ISWAP", np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]]))
ONE, TWO = (*PAULIS, H, S, SDG, rx(np.pi / 2)), (CNOT, CZ, SWAP, ISWAP)

steps = st.lists(
    st.tuples(
        st.sampled_from(("one", "one", "two", "noise", "noises", "measure", "discard")),
        st.integers(0, 10**6),
        st.integers(0, 1),
        st.booleans(),
    ),
    max_size=15,
)


def pairs_after(circuit, formalism, seed):
    """Outcomes, matrices and formalism of two pairs after a circuit and a swap."""
    chance = np.random.default_rng(seed)
    rng = np.random.default_rng(seed)
    pairs = [
        list(bell_pair(formalism, weights=chance.dirichlet(np.ones(4)).tolist())),
        new_qubits(2, formalism),
    ]
    outcomes, matrices = [], []
    for kind, choice, which, turned in circuit:
        a, b = pairs[which][:: -1 if turned else 1]
        if kind == "one":
            operate(ONE[choice % len(ONE)], a)
        elif kind == "two":
            operate(TWO[choice % len(TWO)], a, b)
        elif kind == "noise":
            noise(depolarising(0.2), a, rng=rng)
        elif kind == "noises":
            mixture = tuple(chance.dirichlet(np.ones(16)).tolist())
            noise(PauliChannel("Paulis", mixture), a, b, rng=rng)
        elif kind == "measure":
            outcomes.append(measure(a, rng=rng, basis="XYZ"[choice % 3]))
        else:
            discard(b)
            pairs[which] = [a, *new_qubits(1, formalism)]
        matrices.append(density(*pairs[which]))
    (a, b), (c, d) = pairs
    kept = density(a, b, c, d)
    outcomes.append(bell_measurement(b, c, rng=rng))
    return outcomes, [*matrices, kept, density(a, d)], a.state.formalism


@settings(max_examples=120, deadline=None, derandomize=True)
@given(steps, st.integers(0, 10**6))
def test_as_the_density_matrix(circuit, seed):
    outcomes, matrices, _ = pairs_after(circuit, Formalism.DENSITY, seed)
    others, exact, _ = pairs_after(circuit, Formalism.BELL, seed)
    assert others == outcomes
    for one, other in zip(exact, matrices, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


@pytest.mark.parametrize("index", range(4))
def test_bell_states_by_index(index):
    for formalism in Formalism:
        a, b = bell_pair(formalism, index)
        fidelities = [fidelity(bell, a, b) for bell in BELLS]
        assert fidelities == pytest.approx([float(k == index) for k in range(4)], abs=1e-12)
    a, b = bell_pair(Formalism.BELL, index)
    assert a.state.weights == tuple(float(k == index) for k in range(4))


@pytest.mark.parametrize("formalism", [Formalism.BELL, Formalism.DENSITY])
def test_weights_count_from_the_index(formalism):
    weights = (0.4, 0.3, 0.2, 0.1)
    for index in range(4):
        a, b = bell_pair(formalism, index, weights)
        found = [fidelity(bell, a, b) for bell in BELLS]
        assert found == pytest.approx([weights[k ^ index] for k in range(4)], abs=1e-12)
        assert np.trace(density(a, b)) == pytest.approx(1)


def test_swap_is_a_convolution():
    rng = np.random.default_rng(6)
    for _ in range(50):
        p, q = rng.dirichlet(np.ones(4), size=2)
        (a, b), (c, d) = (bell_pair(Formalism.BELL, weights=w.tolist()) for w in (p, q))
        outcome = bell_measurement(b, c, rng=rng)
        expected = np.zeros(4)
        for i in range(4):
            for j in range(4):
                expected[i ^ j ^ outcome] += p[i] * q[j]
        assert a.state is d.state
        assert a.state.weights == pytest.approx(expected.tolist(), abs=1e-12)


def test_chain_of_depolarised_pairs():
    """F = (1 + 3 prod(lambda)) / 4, whatever the outcomes, if they are corrected."""
    rng = np.random.default_rng(7)
    errors = rng.uniform(0, 0.1, size=20)
    pairs = []
    for p in errors:
        pairs.append(bell_pair(Formalism.BELL))
        noise(depolarising(p), pairs[-1][0], rng=rng)
    first, end = pairs[0]
    frame = 0
    for near, far in pairs[1:]:
        frame ^= bell_measurement(end, near, rng=rng)
        end = far
    operate(PAULIS[frame], end)
    assert first.state.formalism is Formalism.BELL
    assert fidelity(PHI, first, end) == pytest.approx((1 + 3 * np.prod(1 - errors)) / 4, abs=1e-12)


def test_outcomes_of_a_swap_are_equally_likely():
    rng = np.random.default_rng(8)
    n = 4000
    counts = np.zeros(4)
    for _ in range(n):
        (_, b), (c, _) = bell_pair(Formalism.BELL), bell_pair(Formalism.BELL)
        counts[bell_measurement(b, c, rng=rng)] += 1
    assert np.all(np.abs(counts - n / 4) < 4 * np.sqrt(n * 3 / 16))


@pytest.mark.parametrize("leave", ["amplitude damping", "T", "three qubits"])
def test_promotion_to_a_density_matrix(leave):
    rng = np.random.default_rng(9)
    found = []
    for formalism in (Formalism.BELL, Formalism.DENSITY):
        a, b = bell_pair(formalism, weights=(0.7, 0.1, 0.15, 0.05))
        (c,) = new_qubits(1, formalism)
        if leave == "amplitude damping":
            noise(amplitude_damping(0.2), b, rng=rng)
        elif leave == "T":
            operate(T, b)
        else:
            operate(H, c)
            operate(CNOT, b, c)
        assert {b.state.formalism, a.state.formalism} == {Formalism.DENSITY}
        found.append(density(a, b, c))
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)


def test_three_qubits_are_too_many():
    pair = BellPair.mixture((1.0, 0.0, 0.0, 0.0))
    with pytest.raises(QnetError, match="pair of 3 qubits was asked for; it has at most two"):
        pair.joined(BellPair.basis(0))


def test_weights_of_what_is_not_bell_diagonal():
    a, b = new_qubits(2, Formalism.BELL)
    operate(X, a)
    operate(CNOT, a, b)  # |11>
    assert a.state.weights == pytest.approx((0.5, 0, 0, 0.5))
