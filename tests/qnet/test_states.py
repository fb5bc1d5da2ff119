from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restudy.qnet.errors import QnetError
from restudy.qnet.states.bell import BellPair
from restudy.qnet.states.channels import (
    Channel,
    PauliChannel,
    amplitude_damping,
    dephasing,
    depolarising,
    superoperator,
    t1_t2,
)
from restudy.qnet.states.conversion import converted
from restudy.qnet.states.density import DensityState
from restudy.qnet.states.gates import (
    CNOT,
    CZ,
    SDG,
    SWAP,
    H,
    Operator,
    S,
    T,
    X,
    Y,
    Z,
    controlled_rx,
    rx,
)
from restudy.qnet.states.graph_state import GraphState
from restudy.qnet.states.ket import KetState
from restudy.qnet.states.qubits import (
    density,
    measure,
    new_qubits,
    noise,
    operate,
)
from restudy.qnet.states.stabilizer import StabilizerState
from restudy.qnet.states.state import Formalism

ISWAP = Operator("ISWAP", np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]]))
CLIFFORD_1 = (X, Y, Z, H, S, SDG, rx(np.pi / 2))
CLIFFORD_2 = (CNOT, CZ, SWAP, ISWAP, controlled_rx(np.pi / 2))
PURE = (Formalism.KET, Formalism.STABILIZER, Formalism.GRAPH)
BOTH_PAULIS = PauliChannel("two-qubit Paulis", (0.7, *(0.02,) * 15))
NOISES = (
    amplitude_damping(0.3),
    dephasing(0.1),
    depolarising(0.2),
    BOTH_PAULIS,
    t1_t2(1, 2, 3),
    Channel("reset", np.array([[[1, 0], [0, 0]], [[0, 1], [0, 0]]])),
)
OPERATIONS = (*CLIFFORD_2, H, S, T, rx(0.3), controlled_rx(0.7), *NOISES)

steps = st.lists(
    st.tuples(
        st.sampled_from(("one", "two", "noise", "noises", "measure")),
        st.integers(0, 10**6),
        st.permutations(range(4)),
    ),
    max_size=25,
)


def embedded(matrix, at, n):
    """The slow, obvious way: the matrix on positions `at` of n qubits, by index."""
    k = len(at)
    full = np.zeros((2**n, 2**n), complex)
    for column in range(2**n):
        bits = [column >> (n - 1 - q) & 1 for q in range(n)]
        inner = int("".join(str(bits[q]) for q in at), 2)
        for row_inner in range(2**k):
            out = list(bits)
            for j, q in enumerate(at):
                out[q] = row_inner >> (k - 1 - j) & 1
            full[int("".join(map(str, out)), 2), column] += matrix[row_inner, inner]
    return full


def trajectory(circuit, formalism, seed):
    """Outcomes and density matrix of four qubits after Clifford operations and Pauli noise."""
    rng = np.random.default_rng(seed)
    qubits = new_qubits(4, formalism)
    outcomes = []
    for kind, choice, order in circuit:
        a, b = (qubits[i] for i in order[:2])
        if kind == "one":
            operate(CLIFFORD_1[choice % len(CLIFFORD_1)], a)
        elif kind == "two":
            operate(CLIFFORD_2[choice % len(CLIFFORD_2)], a, b)
        elif kind == "noise":
            noise(depolarising(0.5), a, rng=rng)
        elif kind == "noises":
            noise(BOTH_PAULIS, a, b, rng=rng)
        else:
            outcomes.append(measure(a, rng=rng, basis="XYZ"[choice % 3]))
    assert {qubit.state.formalism for qubit in qubits} == {formalism}
    return outcomes, density(*qubits)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps, st.integers(0, 1000))
def test_pure_formalisms_give_the_same_trajectory(circuit, seed):
    outcomes, rho = trajectory(circuit, Formalism.KET, seed)
    for formalism in (Formalism.STABILIZER, Formalism.GRAPH):
        others, sigma = trajectory(circuit, formalism, seed)
        assert others == outcomes
        np.testing.assert_allclose(sigma, rho, atol=1e-10)


def noisy_pair(formalism, rng):
    a, b = new_qubits(2, formalism)
    operate(H, a)
    operate(CNOT, a, b)
    noise(t1_t2(1.0, 3.0, 4.0), a, rng=rng)
    noise(depolarising(0.3), b, rng=rng)
    return density(a, b)


def test_mean_of_drawn_noise_is_the_exact_noise():
    rng = np.random.default_rng(5)
    exact = noisy_pair(Formalism.DENSITY, rng)
    drawn = np.array([noisy_pair(Formalism.KET, rng) for _ in range(4000)])
    assert np.all(np.abs(drawn.imag) < 1e-12)
    error = drawn.real.std(axis=0) / np.sqrt(len(drawn))
    assert np.all(np.abs(drawn.real.mean(axis=0) - exact.real) <= 4 * error + 1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, len(OPERATIONS) - 1), st.permutations(range(3))), max_size=20
    ),
    st.integers(0, 1000),
)
def test_density_matrix_against_matrices_of_all_qubits(circuit, seed):
    rng = np.random.default_rng(seed)
    ket = rng.normal(size=8) + 1j * rng.normal(size=8)
    ket /= np.linalg.norm(ket)
    rho = np.outer(ket, ket.conj())
    exact, pure = DensityState(rho), KetState(ket)
    unitary = True
    for choice, order in circuit:
        operation = OPERATIONS[choice]
        at = tuple(order[: operation.qubits])
        if isinstance(operation, Operator):
            exact.apply(operation, at)
            pure.apply(operation, at)
            kraus = [operation.matrix]
        else:
            unitary = False
            exact.channel(operation, at, rng=rng)
            kraus = operation.kraus
        full = [embedded(k, at, 3) for k in kraus]
        rho = sum(k @ rho @ k.conj().T for k in full)
    np.testing.assert_allclose(exact.density((0, 1, 2)), rho, atol=1e-12)
    assert np.trace(rho) == pytest.approx(1, abs=1e-12)
    assert np.linalg.eigvalsh(exact.density((0, 1, 2))).min() > -1e-12
    if unitary:
        np.testing.assert_allclose(pure.density((0, 1, 2)), rho, atol=1e-12)
    partial = np.einsum("abcdbf->cafd", rho.reshape((2,) * 6)).reshape(4, 4)  # qubits 2 and 0
    np.testing.assert_allclose(exact.density((2, 0)), partial, atol=1e-12)


@pytest.mark.parametrize("at", range(4))
def test_measurement_and_discard_move_the_last_qubit(at):
    rng = np.random.default_rng(at)
    ket = rng.normal(size=16) + 1j * rng.normal(size=16)
    ket /= np.linalg.norm(ket)
    order = [3 if q == at else q for q in range(3)]  # what is where afterwards
    exact = DensityState(np.outer(ket, ket.conj()))
    expected = exact.density(tuple(order))
    for state in (KetState(ket), exact.copy()):
        outcome = state.measure(at, rng=rng)
        left = np.moveaxis(ket.reshape(2, 2, 2, 2), (at, *order), range(4))[outcome].ravel()
        left /= np.linalg.norm(left)
        np.testing.assert_allclose(
            state.density((0, 1, 2)), np.outer(left, left.conj()), atol=1e-12
        )
    exact.discard(at, rng=None)
    assert exact.size == 3
    np.testing.assert_allclose(exact.density((0, 1, 2)), expected, atol=1e-12)


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("formalism", [Formalism.KET, Formalism.DENSITY])
def test_an_unlikely_outcome_leaves_a_normalised_state(formalism, at):
    ket = np.zeros(4)
    ket[[0, 3]] = np.sqrt([1 - 1e-12, 1e-12])  # of both qubits, 1 with a chance of 1e-12
    state = KetState(ket) if formalism is Formalism.KET else DensityState(np.outer(ket, ket))

    class Late:
        def random(self):
            return 1 - 1e-13

    assert state.measure(at, rng=Late()) == 1
    np.testing.assert_allclose(state.density((0,)), np.diag([0, 1]), rtol=0, atol=1e-12)


def test_measurement_follows_borns_rule():
    state = KetState(np.array([np.sqrt(0.2), np.sqrt(0.8)]))
    rng = np.random.default_rng(0)
    n = 20000
    for make in (state.copy, lambda: converted(state, Formalism.DENSITY).copy()):
        ones = sum(make().measure(0, rng=rng) for _ in range(n))
        assert abs(ones - 0.8 * n) < 4 * np.sqrt(n * 0.8 * 0.2)


@pytest.mark.parametrize("formalism", PURE)
def test_a_sure_outcome_is_sure(formalism):
    rng = np.random.default_rng(1)
    for _ in range(50):
        (qubit,) = new_qubits(1, formalism)
        operate(X, qubit)
        assert measure(qubit, rng=rng) == 1
        assert measure(qubit, rng=rng) == 1


@settings(max_examples=12, deadline=None, derandomize=True)
@given(steps)
def test_stabilizer_states_survive_every_conversion(circuit):
    start = StabilizerState.basis(1)
    for _ in range(3):
        start = start.joined(StabilizerState.basis(0))
    for kind, choice, order in circuit:
        options = CLIFFORD_1 if kind == "one" else CLIFFORD_2
        operator = options[choice % len(options)]
        start.apply(operator, tuple(order[: operator.qubits]))
    every = tuple(range(4))
    rho = start.density(every)
    formalisms = (Formalism.KET, Formalism.DENSITY, Formalism.GRAPH, Formalism.STABILIZER)
    for first, second in product(formalisms, repeat=2):
        there = converted(converted(start, first), second)
        assert there.formalism is second
        np.testing.assert_allclose(there.density(every), rho, atol=1e-10)


def test_bell_pairs_to_and_from_other_formalisms():
    pair = BellPair.mixture((0.5, 0.2, 0.2, 0.1))
    there = converted(pair, Formalism.DENSITY)
    back = converted(there, Formalism.BELL)
    assert isinstance(back, BellPair)
    assert back.weights == pytest.approx(pair.weights, abs=1e-12)
    pure = BellPair.mixture((0, 0, 1.0, 0))
    for formalism in PURE:
        np.testing.assert_allclose(
            converted(pure, formalism).density((0, 1)), pure.density((0, 1)), atol=1e-12
        )


def test_conversions_that_cannot_be():
    mixed = DensityState(np.diag([0.6, 0.4]))
    with pytest.raises(QnetError, match=r"the state is mixed, its largest eigenvalue 0\.6, and a"):
        converted(mixed, Formalism.KET)
    with pytest.raises(QnetError, match="no pure stabilizer state"):
        converted(mixed, Formalism.STABILIZER)
    tilted = KetState(T.matrix @ H.matrix @ np.array([1, 0]))
    with pytest.raises(QnetError, match="no pure stabilizer state"):
        converted(tilted, Formalism.GRAPH)
    with pytest.raises(QnetError, match="not diagonal in a basis of stabilizer states"):
        converted(tilted, Formalism.BELL)
    many = GraphState([])
    for _ in range(30):
        many = many.joined(GraphState.basis(0))
    with pytest.raises(QnetError, match="a ket of 30 qubits is too large; expected at most 26"):
        converted(many, Formalism.KET)
    with pytest.raises(QnetError, match="at most 2 qubits; the state has 30"):
        converted(many, Formalism.BELL)


def test_dense_states_refuse_too_many_qubits():
    wide = DensityState.basis(0)
    wide.size = 12
    with pytest.raises(QnetError, match=r"a density matrix of 13 qubits needs 1\.07 GB; at most"):
        wide.joined(DensityState.basis(0))
    wide = KetState.basis(0)
    wide.size = 26
    with pytest.raises(QnetError, match=r"a ket of 27 qubits needs 2\.15 GB; at most 26"):
        wide.joined(KetState.basis(0))


@pytest.mark.parametrize("name", ["H", "CNOT", "ISWAP", "noise"])
def test_against_qutip(name):
    qutip = pytest.importorskip("qutip")
    rng = np.random.default_rng(11)
    rho = qutip.rand_dm([2, 2, 2], seed=7)
    state = DensityState(rho.full())
    channel = t1_t2(1.0, 3.0, 4.0)
    if name == "noise":
        state.channel(channel, (1,), rng=rng)
        local = [qutip.tensor(qutip.qeye(2), qutip.Qobj(k), qutip.qeye(2)) for k in channel.kraus]
        expected = sum(k * rho * k.dag() for k in local)
    elif name == "H":
        state.apply(H, (2,))
        full = qutip.tensor(qutip.qeye(2), qutip.qeye(2), qutip.Qobj(H.matrix))
        expected = full * rho * full.dag()
    else:
        operator = {"CNOT": CNOT, "ISWAP": ISWAP}[name]
        state.apply(operator, (2, 0))
        two = qutip.Qobj(operator.matrix, dims=[[2, 2], [2, 2]])
        full = qutip.tensor(two, qutip.qeye(2)).permute([1, 2, 0])  # acts on qubits 2 and 0
        expected = full * rho * full.dag()
    np.testing.assert_allclose(state.density((0, 1, 2)), expected.full(), atol=1e-12)
    np.testing.assert_allclose(
        state.density((2, 1)), expected.ptrace([1, 2]).permute([1, 0]).full(), atol=1e-12
    )


def test_superoperator_is_the_kraus_sum():
    rng = np.random.default_rng(2)
    rho = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
    kraus = t1_t2(1, 2, 1).kraus
    direct = sum(k @ rho @ k.conj().T for k in kraus)
    np.testing.assert_allclose((superoperator(kraus) @ rho.ravel()).reshape(2, 2), direct)
